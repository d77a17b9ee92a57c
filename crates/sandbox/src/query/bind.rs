//! Expressions bound to a schema, and their evaluation on a row's JSON text.

use std::cmp::Ordering;

use super::parse::{Expression, Literal, Operator, parse};
use super::schema::{Kind, Schema, resolve};
use super::{Bounds, Refused};
use crate::clock::Timestamp;
use crate::json::scan::{lookup, unquote};

/// A filter ready to be evaluated.
#[derive(Debug, Clone)]
pub(crate) enum Filter {
    And(Vec<Filter>),
    Or(Vec<Filter>),
    Check(Check),
}

/// One comparison: true when some value at the path passes the test, or, negated, when none does.
#[derive(Debug, Clone)]
pub(crate) struct Check {
    pub(super) path: Vec<String>,
    pub(super) negated: bool,
    pub(super) test: Test,
}

#[derive(Debug, Clone)]
pub(super) enum Test {
    Null,
    Contains(String),
    Order(Accepted, Key),
    AnyOf(Vec<Test>),
}

/// Which results of comparing a row's value with the literal are accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Accepted {
    Equal,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

impl Accepted {
    fn accepts(self, ordering: Ordering) -> bool {
        match self {
            Self::Equal => ordering.is_eq(),
            Self::Greater => ordering.is_gt(),
            Self::GreaterOrEqual => ordering.is_ge(),
            Self::Less => ordering.is_lt(),
            Self::LessOrEqual => ordering.is_le(),
        }
    }
}

/// A comparable value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Key {
    Bool(bool),
    Number(f64),
    Time(Timestamp),
    Rank(&'static [&'static str], usize),
    Text(String),
    Natural(String),
}

impl Key {
    /// Order among keys of one kind.
    pub(crate) fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => a.cmp(b),
            (Self::Number(a), Self::Number(b)) => a.total_cmp(b),
            (Self::Time(a), Self::Time(b)) => a.cmp(b),
            (Self::Rank(_, a), Self::Rank(_, b)) => a.cmp(b),
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (Self::Natural(a), Self::Natural(b)) => natural(a, b),
            _ => Ordering::Equal,
        }
    }

    /// The key that the JSON value `json` has under `kind`; none for null.
    fn read(json: &str, kind: Kind) -> Option<Self> {
        if json == "null" {
            return None;
        }
        match kind {
            Kind::Bool => json.parse().ok().map(Self::Bool),
            Kind::Number => json.parse().ok().map(Self::Number),
            Kind::Time => Timestamp::parse(&unquote(json)).map(Self::Time),
            Kind::Ranked(ranks) => {
                let text = unquote(json);
                let rank = ranks.iter().position(|rank| *rank == text)?;
                Some(Self::Rank(ranks, rank))
            }
            Kind::Natural => Some(Self::Natural(unquote(json).into_owned())),
            _ => Some(Self::Text(unquote(json).into_owned())),
        }
    }
}

impl Filter {
    /// Parses `text` and looks its fields up in `schema`.
    pub(crate) fn parse(text: &str, schema: Schema) -> Result<Self, Refused> {
        bind(parse(text)?, schema)
    }

    /// Whether the row with this JSON matches.
    pub(crate) fn matches(&self, row: &str) -> bool {
        match self {
            Self::And(all) => all.iter().all(|filter| filter.matches(row)),
            Self::Or(any) => any.iter().any(|filter| filter.matches(row)),
            Self::Check(check) => check.matches(row),
        }
    }

    /// Splits off what an index over `id`, `created_on` and `updated_on` can answer; what remains
    /// must still be evaluated.
    pub(crate) fn split(self) -> (Bounds, Option<Self>) {
        let mut bounds = Bounds::default();
        let arms = match self {
            Self::And(arms) => arms,
            other => vec![other],
        };
        let mut rest: Vec<Self> = arms
            .into_iter()
            .filter(|arm| !matches!(arm, Self::Check(check) if bounds.take(check)))
            .collect();
        let rest = match rest.len() {
            0 => None,
            1 => rest.pop(),
            _ => Some(Self::And(rest)),
        };
        (bounds, rest)
    }
}

fn bind(expression: Expression, schema: Schema) -> Result<Filter, Refused> {
    let each = |arms: Vec<Expression>| {
        arms.into_iter()
            .map(|arm| bind(arm, schema))
            .collect::<Result<Vec<_>, _>>()
    };
    Ok(match expression {
        Expression::And(arms) => Filter::And(each(arms)?),
        Expression::Or(arms) => Filter::Or(each(arms)?),
        Expression::Compare {
            path,
            operator,
            value,
        } => {
            let (path, kind) = field(path, schema)?;
            let (negated, test) = compare(kind, operator, value, &path)?;
            Filter::Check(Check {
                path,
                negated,
                test,
            })
        }
        Expression::In {
            path,
            negated,
            values,
        } => {
            let (path, kind) = field(path, schema)?;
            let tests = values
                .into_iter()
                .map(|value| Ok(compare(kind, Operator::Equal, value, &path)?.1))
                .collect::<Result<_, Refused>>()?;
            Filter::Check(Check {
                path,
                negated,
                test: Test::AnyOf(tests),
            })
        }
    })
}

/// Looks a path up. One that names a whole object stays as it is; `Named` leads to its name.
fn field(path: Vec<String>, schema: Schema) -> Result<(Vec<String>, Kind), Refused> {
    match resolve(schema, &path) {
        None | Some(Kind::Unfilterable) => Err(Refused(format!(
            "Field \".{}\" does not support filtering",
            path.join(".")
        ))),
        Some(kind) => Ok((path, kind)),
    }
}

fn compare(
    kind: Kind,
    operator: Operator,
    value: Literal,
    path: &[String],
) -> Result<(bool, Test), Refused> {
    let refused = |why: &str| {
        Err(Refused(format!(
            "Invalid query: field .{} {why}",
            path.join(".")
        )))
    };
    let (negated, accepted) = match operator {
        Operator::Equal => (false, Accepted::Equal),
        Operator::NotEqual => (true, Accepted::Equal),
        Operator::Greater => (false, Accepted::Greater),
        Operator::GreaterOrEqual => (false, Accepted::GreaterOrEqual),
        Operator::Less => (false, Accepted::Less),
        Operator::LessOrEqual => (false, Accepted::LessOrEqual),
        Operator::Contains | Operator::NotContains => {
            let textual = matches!(
                kind,
                Kind::Text | Kind::Natural | Kind::Named(_) | Kind::Ranked(_)
            );
            return match value {
                Literal::Text(text) if textual => Ok((
                    operator == Operator::NotContains,
                    Test::Contains(text.to_lowercase()),
                )),
                _ => refused("cannot be searched for that value"),
            };
        }
    };
    let key = match (kind, value) {
        (_, Literal::Null) => {
            return if accepted == Accepted::Equal {
                Ok((negated, Test::Null))
            } else {
                refused("cannot be ordered against null")
            };
        }
        (Kind::Bool, Literal::Bool(value)) => Key::Bool(value),
        (Kind::Number, Literal::Number(value)) => Key::Number(value),
        (Kind::Time, Literal::Time(at)) => Key::Time(at),
        (Kind::Time, Literal::Text(text)) => match Timestamp::parse(&text) {
            Some(at) => Key::Time(at),
            None => return refused("is not compared with a date and time"),
        },
        (Kind::Ranked(ranks), Literal::Text(text)) => {
            match ranks.iter().position(|rank| *rank == text) {
                Some(rank) => Key::Rank(ranks, rank),
                None => return refused("has no such value"),
            }
        }
        (Kind::Text | Kind::Natural | Kind::Named(_), Literal::Text(text)) => Key::Text(text),
        _ => return refused("is of another type than the value"),
    };
    Ok((negated, Test::Order(accepted, key)))
}

impl Check {
    fn matches(&self, row: &str) -> bool {
        let path: Vec<&str> = self.path.iter().map(String::as_str).collect();
        let (mut found, mut passed) = (false, false);
        lookup(row, &path, &mut |value| {
            found = true;
            passed |= self.test.passes(value);
        });
        if !found {
            passed = self.test.passes("null");
        }
        passed != self.negated
    }
}

impl Test {
    fn passes(&self, json: &str) -> bool {
        match self {
            Self::Null => json == "null",
            Self::AnyOf(tests) => tests.iter().any(|test| test.passes(json)),
            Self::Contains(needle) => {
                json != "null" && unquote(name_of(json)).to_lowercase().contains(needle)
            }
            Self::Order(accepted, key) => {
                let kind = match key {
                    Key::Bool(_) => Kind::Bool,
                    Key::Number(_) => Kind::Number,
                    Key::Time(_) => Kind::Time,
                    Key::Rank(ranks, _) => Kind::Ranked(ranks),
                    Key::Text(_) | Key::Natural(_) => Kind::Text,
                };
                Key::read(name_of(json), kind)
                    .is_some_and(|value| accepted.accepts(value.order(key)))
            }
        }
    }
}

/// Order of two texts with runs of digits compared as numbers.
fn natural(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    loop {
        let (Some(x), Some(y)) = (a.first(), b.first()) else {
            return a.len().cmp(&b.len());
        };
        let ordering = if x.is_ascii_digit() && y.is_ascii_digit() {
            let digits = |text: &[u8]| text.iter().take_while(|c| c.is_ascii_digit()).count();
            let ((x, rest_a), (y, rest_b)) = (a.split_at(digits(a)), b.split_at(digits(b)));
            (a, b) = (rest_a, rest_b);
            let significant = |text: &[u8]| text.iter().skip_while(|c| **c == b'0').count();
            let (x, y) = (
                &x[x.len() - significant(x)..],
                &y[y.len() - significant(y)..],
            );
            x.len().cmp(&y.len()).then_with(|| x.cmp(y))
        } else {
            (a, b) = (&a[1..], &b[1..]);
            x.cmp(y)
        };
        if ordering.is_ne() {
            return ordering;
        }
    }
}

/// The text an object is compared by: its name.
fn name_of(json: &str) -> &str {
    if !json.starts_with('{') {
        return json;
    }
    let mut name = "null";
    lookup(json, &["name"], &mut |value| name = value);
    name
}

/// A `sort` parameter.
#[derive(Debug, Clone)]
pub(crate) struct Sort {
    path: Vec<String>,
    kind: Kind,
    /// Highest first.
    pub(crate) descending: bool,
}

impl Sort {
    /// Parses `field` or `-field`; one field only.
    pub(crate) fn parse(text: &str, schema: Schema) -> Result<Self, Refused> {
        let (descending, name) = match text.strip_prefix('-') {
            Some(name) => (true, name),
            None => (false, text),
        };
        let path: Vec<String> = name.split('.').map(str::to_owned).collect();
        match resolve(schema, &path) {
            None | Some(Kind::Unfilterable | Kind::Object(_)) => {
                Err(Refused("Invalid sort attribute".to_owned()))
            }
            Some(kind) => Ok(Self {
                path,
                kind,
                descending,
            }),
        }
    }

    /// Whether this sorts by the top-level field `name`.
    pub(crate) fn by(&self, name: &str) -> bool {
        self.path.len() == 1 && self.path[0] == name
    }

    /// What the row with this JSON is sorted by; none for null.
    pub(crate) fn key(&self, row: &str) -> Option<Key> {
        let path: Vec<&str> = self.path.iter().map(String::as_str).collect();
        let mut key = None;
        lookup(row, &path, &mut |value| {
            key = key.take().or_else(|| Key::read(name_of(value), self.kind));
        });
        key
    }

    /// Order of two rows by their keys; nulls come last in either direction.
    pub(crate) fn order(&self, a: &Option<Key>, b: &Option<Key>) -> Ordering {
        match (a, b) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (Some(a), Some(b)) if self.descending => b.order(a),
            (Some(a), Some(b)) => a.order(b),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::Field;
    use super::*;
    use proptest::prelude::*;

    const PERSON: Schema = &[Field("nickname", Kind::Text)];
    const SCHEMA: Schema = &[
        Field("id", Kind::Number),
        Field("title", Kind::Text),
        Field("open", Kind::Bool),
        Field("at", Kind::Time),
        Field("updated_on", Kind::Time),
        Field("priority", Kind::Ranked(&["trivial", "minor", "major"])),
        Field("author", Kind::Object(PERSON)),
        Field("people", Kind::Object(PERSON)),
        Field("component", Kind::Named(&[Field("name", Kind::Text)])),
        Field("raw", Kind::Unfilterable),
    ];
    const ROW: &str = r#"{"id":7,"title":"Größe \"x\"","open":true,"at":"2026-01-02T03:04:05.000006+00:00","updated_on":"2026-01-02T03:04:05.000006+00:00","priority":"minor","author":null,"people":[{"nickname":"a"},{"nickname":"b"}],"component":{"name":"UI"},"raw":"r"}"#;

    #[test]
    fn evaluates_each_operator() {
        for (q, expected) in [
            ("id = 7", true),
            ("id != 7", false),
            ("id > 6.5 AND id < 8", true),
            ("id >= 7 AND id <= 7", true),
            ("id IN (1, 7)", true),
            ("id NOT IN (1, 7)", false),
            ("title ~ \"GRÖSSE\"", false),
            ("title ~ \"GRÖßE\"", true),
            ("title !~ \"nothing\"", true),
            (r#"title = "Größe \"x\"""#, true),
            ("open = true", true),
            ("open != true", false),
            ("at > 2026-01-02", true),
            ("at = 2026-01-02T03:04:05.000006Z", true),
            ("at = \"2026-01-02T04:04:05.000006+01:00\"", true),
            ("at < \"2026-01-02\"", false),
            ("priority >= \"minor\"", true),
            ("priority > \"minor\"", false),
            ("author = null", true),
            ("author != null", false),
            ("author.nickname = null", true),
            ("author.nickname = \"a\"", false),
            ("author.nickname != \"a\"", true),
            ("people.nickname = \"b\"", true),
            ("people.nickname != \"b\"", false),
            ("component = \"UI\"", true),
            ("component.name = \"UI\"", true),
            ("id = 1 OR id = 7 AND open = false", false),
            ("(id = 1 OR id = 7) AND open = true", true),
        ] {
            let filter = Filter::parse(q, SCHEMA).unwrap();
            assert_eq!(filter.matches(ROW), expected, "{q}");
        }
    }

    #[test]
    fn refuses_fields_and_types() {
        let text = |q: &str| Filter::parse(q, SCHEMA).unwrap_err().0;
        assert_eq!(
            text("raw = \"r\""),
            "Field \".raw\" does not support filtering"
        );
        assert_eq!(text("a.b = 1"), "Field \".a.b\" does not support filtering");
        for q in [
            "id = \"7\"",
            "at = 5",
            "at = \"soon\"",
            "author = \"a\"",
            "id ~ \"7\"",
            "id > null",
            "priority = \"huge\"",
            "open = \"true\"",
        ] {
            assert!(text(q).starts_with("Invalid query"), "{q}");
        }
        for sort in ["raw", "none", "author", "-", "id,title", ""] {
            assert_eq!(
                Sort::parse(sort, SCHEMA).unwrap_err().0,
                "Invalid sort attribute"
            );
        }
    }

    #[test]
    fn numbers_in_names_sort_as_numbers() {
        let mut names = vec!["v11", "v9", "main", "v10", "v9.10", "v9.2", "v", "v010"];
        names.sort_by(|a, b| natural(a, b).then_with(|| a.cmp(b)));
        assert_eq!(
            names,
            ["main", "v", "v9", "v9.2", "v9.10", "v010", "v10", "v11"]
        );
    }

    proptest! {
        #[test]
        fn bounds_and_rest_together_say_what_the_filter_says(
            parts in prop::collection::vec((
                prop::sample::select(vec!["id", "updated_on"]),
                prop::sample::select(vec!["=", "!=", "<", "<=", ">", ">="]),
                0u32..6,
            ), 1..5),
            id in 0u64..6, second in 0u32..6,
        ) {
            let q = parts.iter().map(|(field, operator, n)| match *field {
                "id" => format!("id {operator} {n}"),
                _ => format!("updated_on {operator} 2026-01-01T00:00:0{n}"),
            }).collect::<Vec<_>>().join(" AND ");
            let at = Timestamp::parse(&format!("2026-01-01T00:00:0{second}")).unwrap();
            let row = format!(r#"{{"id":{id},"updated_on":"{at}"}}"#);
            let filter = Filter::parse(&q, SCHEMA).unwrap();
            let (bounds, rest) = filter.clone().split();
            let split = bounds.id.contains(&id) && bounds.updated.contains(&at)
                && rest.is_none_or(|rest| rest.matches(&row));
            prop_assert_eq!(split, filter.matches(&row), "{}", q);
        }
    }
}
