//! Random queries of the standard, each in our dialect and in SQLite's.

use super::choices::Choices;
use super::expression::{Column, Scope, Type};

/// A query, and whether it says the order of all its rows.
pub(super) struct Query {
    pub(super) ours: String,
    pub(super) theirs: String,
    pub(super) is_ordered: bool,
}

/// A piece of text that differs: `⟨ours¦theirs⟩`. Pieces may stand within pieces.
pub(super) fn either(ours: &str, theirs: &str) -> String {
    format!("⟨{ours}¦{theirs}⟩")
}

fn read(text: &str, is_ours: bool) -> String {
    let mut read = String::new();
    // Of each open piece whether the side that is now read is wanted.
    let mut open: Vec<bool> = Vec::new();
    for letter in text.chars() {
        match letter {
            '⟨' => open.push(is_ours),
            '¦' => {
                if let Some(wanted) = open.last_mut() {
                    *wanted = !*wanted;
                }
            }
            '⟩' => drop(open.pop()),
            letter if open.iter().all(|wanted| *wanted) => read.push(letter),
            _ => {}
        }
    }
    read
}

/// Which queries are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Theme {
    /// Joins of a few tables with equal column names, and conditions on them.
    Joins,
    /// Everything.
    All,
}

/// A table that can stand in FROM.
#[derive(Debug, Clone)]
pub(super) struct Table {
    pub(super) name: String,
    pub(super) columns: Vec<(String, Type)>,
    /// A file has it; it is no name of the query's own.
    is_stored: bool,
}

/// The names that outputs get, those of the tables among them.
const OUTPUTS: [&str; 8] = ["id", "a", "s", "b", "r", "f", "x", "y"];

/// The tables of the file, as SQL.
pub(super) const TABLES: &str = "
    CREATE TABLE t1 (id INTEGER PRIMARY KEY, a INT, b INT, s TEXT, r REAL, f BOOLEAN);
    CREATE TABLE t2 (id INT, a INT, b INT, s TEXT, r REAL, f BOOLEAN);
    CREATE TABLE t3 (id INTEGER PRIMARY KEY, a INT, s TEXT);
    CREATE TABLE t4 (id INTEGER PRIMARY KEY, a INT, b INT, s TEXT);
    CREATE TABLE t5 (id INTEGER PRIMARY KEY, a INT NOT NULL, b INT NOT NULL, s TEXT NOT NULL);";

fn stored_tables() -> Vec<Table> {
    use Type::{Bool, Int, Real, Text};
    let all: [(&str, &[(&str, Type)]); 5] = [
        (
            "t1",
            &[
                ("id", Int),
                ("a", Int),
                ("b", Int),
                ("s", Text),
                ("r", Real),
                ("f", Bool),
            ],
        ),
        (
            "t2",
            &[
                ("id", Int),
                ("a", Int),
                ("b", Int),
                ("s", Text),
                ("r", Real),
                ("f", Bool),
            ],
        ),
        ("t3", &[("id", Int), ("a", Int), ("s", Text)]),
        ("t4", &[("id", Int), ("a", Int), ("b", Int), ("s", Text)]),
        ("t5", &[("id", Int), ("a", Int), ("b", Int), ("s", Text)]),
    ];
    let table = |(name, columns): &(&str, &[(&str, Type)])| Table {
        name: (*name).to_owned(),
        columns: columns
            .iter()
            .map(|(name, kind)| ((*name).to_owned(), *kind))
            .collect(),
        is_stored: true,
    };
    all.iter().map(table).collect()
}

pub(super) struct Generator<'n> {
    pub(super) choices: Choices<'n>,
    pub(super) theme: Theme,
    /// Tables of files, and WITH.
    tables: Vec<Table>,
    aliases: usize,
}

/// A SELECT without its ORDER BY.
pub(super) struct Core {
    pub(super) text: String,
    pub(super) kinds: Vec<Type>,
}

/// What stands in FROM so far.
#[derive(Default)]
struct From {
    text: String,
    columns: Vec<Column>,
    qualifiers: Vec<String>,
    /// Its last join has USING, so that the name alone means the column of both sides.
    merges_id: bool,
}

/// The column that tables are joined by with USING.
const MERGED: &str = "id";

/// The query that these numbers stand for.
pub(super) fn query(numbers: &[u32], theme: Theme) -> Query {
    let mut generator = Generator {
        choices: Choices::new(numbers),
        theme,
        tables: stored_tables(),
        aliases: 0,
    };
    let (text, is_ordered) = generator.statement();
    Query {
        ours: read(&text, true),
        theirs: read(&text, false),
        is_ordered,
    }
}

impl Generator<'_> {
    fn statement(&mut self) -> (String, bool) {
        let mut with = Vec::new();
        while self.theme == Theme::All && with.len() < 2 && self.choices.chance(12) {
            let name = format!("w{}", with.len());
            let body = self.compound(2, &[], None);
            with.push(format!("{name} AS ({})", body.text));
            self.tables.insert(
                0,
                Table {
                    name,
                    columns: named(&body.kinds),
                    is_stored: false,
                },
            );
        }
        let body = self.compound(3, &[], None);
        let mut text = match with.is_empty() {
            true => body.text.clone(),
            false => format!("WITH {} {}", with.join(", "), body.text),
        };
        let is_ordered = self.choices.chance(30);
        if is_ordered {
            text.push_str(&self.order(body.kinds.len()));
        }
        (text, is_ordered)
    }

    /// ` ORDER BY` all outputs, perhaps with LIMIT.
    fn order(&mut self, outputs: usize) -> String {
        let mut keys = Vec::new();
        let shift = self.choices.below(outputs);
        for place in 0..outputs {
            let direction = self.direction();
            keys.push(format!("{}{direction}", (place + shift) % outputs + 1));
        }
        let mut text = format!(" ORDER BY {}", keys.join(", "));
        if self.choices.chance(60) {
            text.push_str(&format!(" LIMIT {}", self.choices.below(5)));
            if self.choices.chance(30) {
                text.push_str(&format!(" OFFSET {}", self.choices.below(4)));
            }
        }
        text
    }

    /// Always with the place of NULLs: the dialects differ in what they leave unsaid.
    pub(super) fn direction(&mut self) -> &'static str {
        [
            " NULLS FIRST",
            " DESC NULLS LAST",
            " NULLS LAST",
            " DESC NULLS FIRST",
        ][self.choices.below(4)]
    }

    /// One SELECT, or several by UNION and its kin.
    pub(super) fn compound(
        &mut self,
        depth: usize,
        outer: &[Column],
        kinds: Option<&[Type]>,
    ) -> Core {
        let first = self.select(depth, outer, kinds);
        if self.theme == Theme::Joins || depth == 0 || !self.choices.chance(15) {
            return first;
        }
        let second = self.select(depth - 1, outer, Some(&first.kinds));
        let operator = *self.choices.one(&[
            "UNION ALL",
            "UNION",
            "INTERSECT",
            "EXCEPT",
            "EXCEPT ALL",
            "INTERSECT ALL",
        ]);
        let (one, two) = (&first.text, &second.text);
        let text = match operator
            .strip_suffix(" ALL")
            .filter(|short| *short != "UNION")
        {
            None => format!("{one} {operator} {two}"),
            // SQLite has no ALL here: it counts the doubles instead.
            Some(short) => {
                let names: Vec<_> = named(&first.kinds)
                    .into_iter()
                    .map(|(name, _)| name)
                    .collect();
                let names = names.join(", ");
                let numbered = |text: &str| {
                    format!(
                        "SELECT {names}, ROW_NUMBER() OVER (PARTITION BY {names}) FROM (SELECT * FROM ({text}))"
                    )
                };
                either(
                    &format!("{one} {operator} {two}"),
                    &format!(
                        "SELECT {names} FROM ({} {short} {})",
                        numbered(one),
                        numbered(two)
                    ),
                )
            }
        };
        Core {
            text,
            kinds: first.kinds,
        }
    }

    /// One SELECT; `kinds` are the types that its outputs must have.
    pub(super) fn select(
        &mut self,
        depth: usize,
        outer: &[Column],
        kinds: Option<&[Type]>,
    ) -> Core {
        let from = self.from(depth);
        let scope = Scope {
            outer: outer
                .iter()
                .filter(|column| !from.qualifiers.iter().any(|it| column.is_of(it)))
                .filter(|column| column.text != MERGED)
                .cloned()
                .collect(),
            columns: from.columns,
            subqueries: depth.min(2),
        };
        let kinds: Vec<Type> = match kinds {
            Some(kinds) => kinds.to_vec(),
            None => (0..=self.choices.below(4)).map(|_| self.kind()).collect(),
        };
        let condition = match self.choices.chance(60) {
            true => format!(" WHERE {}", self.predicate(&scope, 2)),
            false => String::new(),
        };
        let is_grouped = self.theme == Theme::All && self.choices.chance(20);
        if is_grouped {
            return self.grouped(&scope, &from.text, &condition, kinds);
        }
        let mut outputs = Vec::new();
        for &kind in &kinds {
            let is_window = self.theme == Theme::All && self.choices.chance(8);
            let output = match is_window.then(|| self.window(&scope, kind)).flatten() {
                Some(window) => window,
                None => self.expression(&scope, kind, 2),
            };
            outputs.push(output);
        }
        let distinct = match self.theme == Theme::All && self.choices.chance(12) {
            true => "DISTINCT ",
            false => "",
        };
        Core {
            text: format!(
                "SELECT {distinct}{} FROM {}{condition}",
                aliased(&outputs),
                from.text
            ),
            kinds,
        }
    }

    /// A SELECT with GROUP BY, or with aggregates over all rows.
    fn grouped(&mut self, scope: &Scope, from: &str, condition: &str, kinds: Vec<Type>) -> Core {
        let plain = Scope {
            subqueries: 0,
            ..scope.clone()
        };
        let own = Scope {
            outer: Vec::new(),
            ..plain.clone()
        };
        let mut keys: Vec<Column> = Vec::new();
        for _ in 0..self.choices.below(3) {
            let kind = self.kind();
            let depth = self.choices.below(2);
            let text = self.expression(&own, kind, depth);
            // A number would be a place among the outputs, and other constants are no keys everywhere.
            if own.columns.iter().any(|column| text.contains(&column.text)) {
                keys.push(Column { text, kind });
            }
        }
        let mut outputs = Vec::new();
        for &kind in &kinds {
            let fitting: Vec<_> = keys.iter().filter(|key| key.kind == kind).collect();
            outputs.push(match fitting.is_empty() || self.choices.chance(50) {
                true => self.aggregate(&own, kind),
                false => self.choices.one(&fitting).text.clone(),
            });
        }
        let mut text = format!("SELECT {} FROM {from}{condition}", aliased(&outputs));
        if !keys.is_empty() {
            let list: Vec<_> = keys.iter().map(|key| key.text.clone()).collect();
            text.push_str(&format!(" GROUP BY {}", list.join(", ")));
        }
        if !keys.is_empty() && self.choices.chance(30) {
            let mut columns = keys;
            for kind in [Type::Int, Type::Text] {
                let text = self.aggregate(&own, kind);
                columns.push(Column { text, kind });
            }
            let groups = Scope {
                columns,
                outer: Vec::new(),
                subqueries: 0,
            };
            text.push_str(&format!(" HAVING {}", self.predicate(&groups, 1)));
        }
        Core { text, kinds }
    }

    pub(super) fn kind(&mut self) -> Type {
        [Type::Int, Type::Text, Type::Int, Type::Real, Type::Bool][self.choices.below(5)]
    }

    fn from(&mut self, depth: usize) -> From {
        let mut from = From::default();
        let (text, columns, qualifier) = self.relation(depth, &from);
        from.text = text;
        from.columns = columns;
        from.qualifiers.push(qualifier);
        let joins = match self.theme {
            Theme::Joins => 1 + self.choices.below(3),
            Theme::All => [0, 0, 0, 1, 1, 2][self.choices.below(6)],
        };
        for _ in 0..joins.min(depth + 1) {
            self.join(&mut from, depth);
        }
        self.shorten(&mut from);
        if from.merges_id {
            let text = MERGED.to_owned();
            let kind = Type::Int;
            from.columns.push(Column { text, kind });
        }
        from
    }

    /// Leaves out some qualifiers that are not needed.
    fn shorten(&mut self, from: &mut From) {
        let names: Vec<String> = from.columns.iter().map(|it| it.name().to_owned()).collect();
        for column in &mut from.columns {
            let name = column.name().to_owned();
            let is_single = names.iter().filter(|other| **other == name).count() == 1;
            if is_single && self.choices.chance(10) {
                column.text = name;
            }
        }
    }

    fn join(&mut self, from: &mut From, depth: usize) {
        let (text, columns, qualifier) = self.relation(depth.saturating_sub(1), from);
        let kind =
            *self
                .choices
                .one(&["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "CROSS JOIN"]);
        let mut scope = Scope {
            columns: from.columns.clone(),
            outer: Vec::new(),
            subqueries: usize::from(depth > 0),
        };
        scope.columns.extend(columns.iter().cloned());
        from.text.push_str(&format!(" {kind} {text}"));
        let has_id = |columns: &[Column]| {
            let mut all = columns.iter().filter(|column| column.name() == "id");
            all.next().is_some_and(|column| column.kind == Type::Int)
        };
        // Of several tables before it nobody could say whose column is meant.
        let can_use = from.qualifiers.len() == 1 && has_id(&from.columns) && has_id(&columns);
        let constraint = match kind {
            "CROSS JOIN" => String::new(),
            _ if can_use && self.choices.chance(15) => format!(" USING ({MERGED})"),
            _ => {
                let equal = self.equality(&from.columns, &columns);
                let condition = match (equal, self.choices.below(4)) {
                    (Some(equal), 0 | 1) => equal,
                    (Some(equal), 2) => format!("{equal} AND {}", self.predicate(&scope, 1)),
                    _ => self.predicate(&scope, 1),
                };
                format!(" ON {condition}")
            }
        };
        from.merges_id = constraint.starts_with(" USING");
        from.text.push_str(&constraint);
        from.columns.extend(columns);
        from.qualifiers.push(qualifier);
    }

    /// A column of one side equal to one of the other's.
    fn equality(&mut self, left: &[Column], right: &[Column]) -> Option<String> {
        let one = self.choices.one(left).clone();
        let fitting: Vec<_> = right
            .iter()
            .filter(|other| other.kind == one.kind)
            .collect();
        if fitting.is_empty() {
            return None;
        }
        let other = self.choices.one(&fitting);
        Some(format!("{} = {}", one.text, other.text))
    }

    /// A table or a query in FROM: its text, its columns and the name that qualifies them.
    fn relation(&mut self, depth: usize, beside: &From) -> (String, Vec<Column>, String) {
        let is_derived = depth > 0 && self.choices.chance(20);
        let (mut text, columns, name) = if is_derived {
            let core = self.compound(depth - 1, &[], None);
            let order = match self.choices.chance(25) {
                true => self.order(core.kinds.len()),
                false => String::new(),
            };
            (format!("({}{order})", core.text), named(&core.kinds), None)
        } else {
            let count = self.tables.len();
            let table = self.tables[self.choices.below(count)].clone();
            let name = table.name.clone();
            let place = ["shop", "shop", "destination"][self.choices.below(3)];
            let text = match table.is_stored {
                true => either(&format!("{place}.{name}"), &name),
                false => name.clone(),
            };
            (text, table.columns, Some(name))
        };
        let bare = name.filter(|name| !beside.qualifiers.contains(name));
        let qualifier = match bare {
            Some(name) if !self.choices.chance(60) => name,
            _ => {
                self.aliases += 1;
                let alias = format!("q{}", self.aliases);
                text.push_str(&format!(" AS {alias}"));
                alias
            }
        };
        let column = |(name, kind): (String, Type)| Column {
            text: format!("{qualifier}.{name}"),
            kind,
        };
        let columns = columns.into_iter().map(column).collect();
        (text, columns, qualifier)
    }
}

fn named(kinds: &[Type]) -> Vec<(String, Type)> {
    let names = OUTPUTS.iter().map(|name| (*name).to_owned());
    names.zip(kinds.iter().copied()).collect()
}

fn aliased(outputs: &[String]) -> String {
    let outputs = outputs.iter().zip(OUTPUTS);
    let list: Vec<_> = outputs
        .map(|(text, name)| format!("{text} AS {name}"))
        .collect();
    list.join(", ")
}
