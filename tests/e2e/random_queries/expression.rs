//! Random expressions and conditions.

use super::grammar::{Generator, Theme, either};

/// The types that both sides tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Int,
    Real,
    Text,
    Bool,
}

/// A column as it is written, or what stands for one.
#[derive(Debug, Clone)]
pub(super) struct Column {
    pub(super) text: String,
    pub(super) kind: Type,
}

impl Column {
    pub(super) fn is_of(&self, qualifier: &str) -> bool {
        self.text
            .split_once('.')
            .is_some_and(|(it, _)| it == qualifier)
    }

    /// Its name without the qualifier.
    pub(super) fn name(&self) -> &str {
        self.text.rsplit('.').next().unwrap_or(&self.text)
    }

    fn is_plain(&self) -> bool {
        let is_of_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '.';
        self.text.chars().all(is_of_name)
    }
}

/// What an expression may read.
#[derive(Debug, Clone)]
pub(super) struct Scope {
    pub(super) columns: Vec<Column>,
    /// Of the query around this one.
    pub(super) outer: Vec<Column>,
    /// How deep queries may stand in it.
    pub(super) subqueries: usize,
}

impl Scope {
    fn around(&self) -> Vec<Column> {
        let mut columns: Vec<Column> = self.outer.clone();
        columns.extend(self.columns.iter().cloned());
        // Only a name with a qualifier is the outer one's in any case.
        columns.retain(|column| column.is_plain() && column.text.contains('.'));
        columns
    }
}

const COMPARISONS: [&str; 6] = ["=", "<", ">=", "<>", ">", "<="];

impl Generator<'_> {
    /// A value of a type.
    pub(super) fn expression(&mut self, scope: &Scope, kind: Type, depth: usize) -> String {
        if depth == 0 || !self.choices.chance(55) {
            return self.leaf(scope, kind);
        }
        let depth = depth - 1;
        let scalar = scope.subqueries > 0 && self.theme == Theme::All && self.choices.chance(12);
        if scalar && kind != Type::Bool {
            return self.scalar_subquery(scope, kind);
        }
        let part = |generator: &mut Self, kind| generator.expression(scope, kind, depth);
        match (kind, self.choices.below(6)) {
            (Type::Bool, _) => format!("({})", self.predicate(scope, depth)),
            (kind, 0) => {
                let (one, two) = (part(self, kind), part(self, kind));
                format!("COALESCE({one}, {two})")
            }
            (kind, 1) => {
                let (one, two) = (part(self, kind), part(self, kind));
                let condition = self.predicate(scope, depth);
                match self.choices.below(3) {
                    0 => format!("CASE WHEN {condition} THEN {one} ELSE {two} END"),
                    1 => format!("CASE WHEN {condition} THEN {one} END"),
                    _ => {
                        let subject = part(self, Type::Int);
                        let value = self.literal(Type::Int);
                        format!("CASE {subject} WHEN {value} THEN {one} ELSE {two} END")
                    }
                }
            }
            (kind, 2) => {
                let (one, two) = (part(self, kind), part(self, kind));
                format!("NULLIF({one}, {two})")
            }
            (Type::Int, 3) => {
                let text = part(self, Type::Text);
                format!("LENGTH({text})")
            }
            (Type::Int, 4) => {
                let one = part(self, Type::Int);
                match self.choices.below(4) {
                    0 => format!("ABS({one})"),
                    1 => format!("(- {one})"),
                    2 => format!("({one} / 2)"),
                    _ => format!("({one} % 3)"),
                }
            }
            (Type::Int | Type::Real, _) => {
                let (one, two) = (part(self, kind), part(self, kind));
                let operator = *self.choices.one(&["+", "-", "*"]);
                format!("({one} {operator} {two})")
            }
            (Type::Text, 3) => {
                let one = part(self, Type::Text);
                match self.choices.below(4) {
                    0 => format!("UPPER({one})"),
                    1 => format!("LOWER({one})"),
                    2 => format!("SUBSTR({one}, 1, 1)"),
                    _ => format!("REPLACE({one}, 'a', 'xy')"),
                }
            }
            (Type::Text, 4) => {
                let one = part(self, Type::Int);
                format!("CAST({one} AS VARCHAR)")
            }
            (Type::Text, _) => {
                let (one, two) = (part(self, Type::Text), part(self, Type::Text));
                format!("({one} || {two})")
            }
        }
    }

    fn leaf(&mut self, scope: &Scope, kind: Type) -> String {
        let fits = |column: &&Column| column.kind == kind;
        let mut fitting: Vec<_> = scope.columns.iter().filter(fits).collect();
        if self.choices.chance(25) {
            fitting.extend(scope.outer.iter().filter(fits));
        }
        if fitting.is_empty() || self.choices.chance(12) {
            return self.literal(kind);
        }
        self.choices.one(&fitting).text.clone()
    }

    fn literal(&mut self, kind: Type) -> String {
        match kind {
            Type::Int => ["1", "0", "2", "3", "-1"][self.choices.below(5)],
            Type::Real => ["0.5", "1.0", "-1.5", "2.0"][self.choices.below(4)],
            Type::Text => ["'a'", "'b'", "''", "'B'", "'ab'"][self.choices.below(5)],
            Type::Bool => ["TRUE", "FALSE"][self.choices.below(2)],
        }
        .to_owned()
    }

    /// A condition, which may be unknown.
    pub(super) fn predicate(&mut self, scope: &Scope, depth: usize) -> String {
        if depth > 0 && self.choices.chance(45) {
            let depth = depth - 1;
            let one = self.predicate(scope, depth);
            return match self.choices.below(5) {
                0 | 1 => format!("({one} AND {})", self.predicate(scope, depth)),
                2 | 3 => format!("({one} OR {})", self.predicate(scope, depth)),
                _ => format!("NOT ({one})"),
            };
        }
        if scope.subqueries > 0 && self.theme == Theme::All && self.choices.chance(20) {
            return self.subquery_condition(scope);
        }
        let depth = depth.min(1);
        match self.choices.below(12) {
            0..=3 => {
                let kind = self.kind();
                let (one, two) = (
                    self.expression(scope, kind, depth),
                    self.expression(scope, kind, depth),
                );
                let operator = match kind {
                    Type::Bool => "=",
                    _ => *self.choices.one(&COMPARISONS),
                };
                format!("{one} {operator} {two}")
            }
            4 | 5 => {
                let kind = self.kind();
                let one = self.expression(scope, kind, depth);
                let test = *self.choices.one(&["IS NULL", "IS NOT NULL"]);
                format!("{one} {test}")
            }
            6 => {
                let kind = self.kind();
                let one = self.expression(scope, kind, depth);
                let not = *self.choices.one(&["", "NOT "]);
                let list: Vec<_> = (0..=self.choices.below(3))
                    .map(|_| match self.choices.chance(10) {
                        true => "NULL".to_owned(),
                        false => self.literal(kind),
                    })
                    .collect();
                format!("{one} {not}IN ({})", list.join(", "))
            }
            7 => {
                let kind = [Type::Int, Type::Text, Type::Real][self.choices.below(3)];
                let one = self.expression(scope, kind, depth);
                let not = *self.choices.one(&["", "NOT "]);
                let (low, high) = (self.leaf(scope, kind), self.leaf(scope, kind));
                format!("{one} {not}BETWEEN {low} AND {high}")
            }
            8 => {
                let one = self.expression(scope, Type::Text, depth);
                let not = *self.choices.one(&["", "NOT "]);
                let pattern = *self.choices.one(&["a%", "%b%", "_", "%", "%B"]);
                format!("{one} {not}LIKE '{pattern}'")
            }
            9 => {
                let kind = self.kind();
                let (one, two) = (
                    self.expression(scope, kind, depth),
                    self.expression(scope, kind, depth),
                );
                let not = *self.choices.one(&["", "NOT "]);
                format!("{one} IS {not}DISTINCT FROM {two}")
            }
            10 => {
                let one = self.predicate(scope, 0);
                let test =
                    *self
                        .choices
                        .one(&["IS TRUE", "IS NOT TRUE", "IS FALSE", "IS NOT FALSE"]);
                format!("({one}) {test}")
            }
            _ => self.leaf(scope, Type::Bool),
        }
    }

    /// IN, EXISTS, ANY or ALL of a query.
    fn subquery_condition(&mut self, scope: &Scope) -> String {
        let around = scope.around();
        let around = if self.choices.chance(50) {
            around.as_slice()
        } else {
            &[]
        };
        let depth = scope.subqueries - 1;
        let not = *self.choices.one(&["", "NOT "]);
        match self.choices.below(4) {
            0 | 1 => {
                let kind = self.kind();
                let one = self.expression(scope, kind, 1);
                let core = self.compound(depth, around, Some(&[kind]));
                format!("{one} {not}IN ({})", core.text)
            }
            2 => {
                let core = self.compound(depth, around, None);
                format!("{not}EXISTS ({})", core.text)
            }
            _ => {
                let kind = [Type::Int, Type::Text, Type::Real][self.choices.below(3)];
                let one = self.leaf(scope, kind);
                let core = self.select(depth, around, Some(&[kind]));
                let operator = *self.choices.one(&COMPARISONS);
                let is_any = self.choices.chance(50);
                let word = if is_any { "ANY" } else { "ALL" };
                // A name that the value may have without a qualifier is none of these rows'.
                let one_that = |condition: &str| {
                    format!(
                        "EXISTS (SELECT 1 FROM (SELECT id AS found FROM ({})) AS z WHERE {condition})",
                        core.text
                    )
                };
                let holds = format!("{one} {operator} z.found");
                let theirs = match is_any {
                    true => format!(
                        "CASE WHEN {} THEN TRUE WHEN {} THEN NULL ELSE FALSE END",
                        one_that(&holds),
                        one_that(&format!("({holds}) IS NULL"))
                    ),
                    false => format!(
                        "CASE WHEN {} THEN FALSE WHEN {} THEN NULL ELSE TRUE END",
                        one_that(&format!("NOT ({holds})")),
                        one_that(&format!("({holds}) IS NULL"))
                    ),
                };
                either(&format!("{one} {operator} {word} ({})", core.text), &theirs)
            }
        }
    }

    /// A query of one value.
    fn scalar_subquery(&mut self, scope: &Scope, kind: Type) -> String {
        let around = scope.around();
        let around = if self.choices.chance(50) {
            around.as_slice()
        } else {
            &[]
        };
        let depth = scope.subqueries - 1;
        if self.choices.chance(30) {
            let core = self.select(depth, around, Some(&[kind]));
            let direction = self.direction();
            return format!("({} ORDER BY 1{direction} LIMIT 1)", core.text);
        }
        let inner = self.select(depth, around, Some(&[kind]));
        // The aggregate stands over the query rather than in it: both have a FROM of their own.
        let aggregate = match kind {
            Type::Int => *self
                .choices
                .one(&["COUNT(*)", "MAX(z.id)", "SUM(z.id)", "COUNT(z.id)"]),
            _ => *self.choices.one(&["MIN(z.id)", "MAX(z.id)"]),
        };
        format!("(SELECT {aggregate} FROM ({}) AS z)", inner.text)
    }

    /// An aggregate of a type.
    pub(super) fn aggregate(&mut self, scope: &Scope, kind: Type) -> String {
        let distinct = match self.choices.chance(20) {
            true => "DISTINCT ",
            false => "",
        };
        let filter = match self.choices.chance(10) {
            true => format!(" FILTER (WHERE {})", self.predicate(scope, 1)),
            false => String::new(),
        };
        match kind {
            Type::Int => match self.choices.below(4) {
                0 => format!("COUNT(*){filter}"),
                1 => {
                    let kind = self.kind();
                    let of = self.expression(scope, kind, 1);
                    format!("COUNT({distinct}{of}){filter}")
                }
                2 => {
                    let of = self.expression(scope, Type::Int, 1);
                    format!("SUM({distinct}{of}){filter}")
                }
                _ => {
                    let of = self.expression(scope, Type::Int, 1);
                    let name = *self.choices.one(&["MIN", "MAX"]);
                    format!("{name}({of}){filter}")
                }
            },
            Type::Bool => {
                let count = self.expression(scope, Type::Int, 1);
                format!("(COUNT({distinct}{count}){filter} > 1)")
            }
            Type::Real | Type::Text => {
                let of = self.expression(scope, kind, 1);
                let name = match kind {
                    Type::Real => *self.choices.one(&["MIN", "MAX", "SUM"]),
                    _ => *self.choices.one(&["MIN", "MAX"]),
                };
                format!("{name}({of}){filter}")
            }
        }
    }

    /// A window function, if there is one of this type.
    pub(super) fn window(&mut self, scope: &Scope, kind: Type) -> Option<String> {
        if kind == Type::Bool {
            return None;
        }
        let own = Scope {
            outer: Vec::new(),
            subqueries: 0,
            ..scope.clone()
        };
        let partition = match self.choices.chance(50) {
            true => {
                let kind = self.kind();
                format!("PARTITION BY {} ", self.leaf(&own, kind))
            }
            false => String::new(),
        };
        // Rows that are equal in all columns cannot be told apart, so their order does not matter.
        let mut order = Vec::new();
        for column in &own.columns {
            order.push(format!("{}{}", column.text, self.direction()));
        }
        let order = order.join(", ");
        let of = self.expression(&own, kind, 1);
        let bounds = [
            "UNBOUNDED PRECEDING",
            "2 PRECEDING",
            "1 PRECEDING",
            "CURRENT ROW",
        ];
        let ends = [
            "CURRENT ROW",
            "1 FOLLOWING",
            "2 FOLLOWING",
            "UNBOUNDED FOLLOWING",
        ];
        let frame = match self.choices.below(4) {
            0 => String::new(),
            1 => format!(
                " ROWS BETWEEN {} AND {}",
                self.choices.one(&bounds),
                self.choices.one(&ends)
            ),
            2 => " ROWS BETWEEN 2 PRECEDING AND 1 PRECEDING".to_owned(),
            _ => {
                // Rows of equal order are in the frame together.
                let by = self.leaf(&own, Type::Int);
                let direction = self.direction();
                let name = *self.choices.one(&["SUM", "COUNT", "MIN", "MAX"]);
                if kind == Type::Text || name == "COUNT" && kind != Type::Int {
                    return None;
                }
                let unit = *self.choices.one(&["RANGE", "GROUPS"]);
                let (bound, end) = (self.choices.one(&bounds), self.choices.one(&ends));
                return Some(format!(
                    "{name}({of}) OVER ({partition}ORDER BY {by}{direction} {unit} BETWEEN {bound} AND {end})"
                ));
            }
        };
        let function = match (kind, self.choices.below(7)) {
            (Type::Int, 0) => "ROW_NUMBER()".to_owned(),
            (Type::Int, 1) => {
                let kind = self.kind();
                let by = self.leaf(&own, kind);
                let direction = self.direction();
                let name = *self.choices.one(&["RANK", "DENSE_RANK"]);
                return Some(format!(
                    "{name}() OVER ({partition}ORDER BY {by}{direction})"
                ));
            }
            (Type::Int, 2) => {
                return Some(format!(
                    "COUNT({of}) OVER ({partition}ORDER BY {order}{frame})"
                ));
            }
            (Type::Int | Type::Real, 3) => {
                return Some(format!(
                    "SUM({of}) OVER ({partition}ORDER BY {order}{frame})"
                ));
            }
            (_, 4) => {
                let name = *self.choices.one(&["FIRST_VALUE", "LAST_VALUE"]);
                return Some(format!(
                    "{name}({of}) OVER ({partition}ORDER BY {order}{frame})"
                ));
            }
            (_, 5) => {
                let name = *self.choices.one(&["LAG", "LEAD"]);
                format!("{name}({of})")
            }
            _ => {
                let name = *self.choices.one(&["MIN", "MAX"]);
                return Some(format!(
                    "{name}({of}) OVER ({partition}ORDER BY {order}{frame})"
                ));
            }
        };
        Some(format!("{function} OVER ({partition}ORDER BY {order})"))
    }
}
