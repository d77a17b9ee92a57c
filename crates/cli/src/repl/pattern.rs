//! Patterns of names, as psql has them: `*` is any text, `?` any character, a dot parts the names, and what stands in
//! double quotes is as it is written.

use bucketline::sql::Ident;

/// Tables, columns or schemas that are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listing {
    what: What,
    /// The names before the last dot: a connection, a schema, or both.
    within: Vec<String>,
    /// The part behind it; empty is every name.
    name: Part,
    /// More is said of each.
    is_full: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Tables,
    Columns,
    Schemas,
}

/// A part of a pattern.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Part {
    text: String,
    /// The characters that stand for others, by their places.
    wild: Vec<usize>,
}

impl Listing {
    pub(super) fn tables(pattern: &str, is_full: bool) -> Result<Self, String> {
        Self::read(What::Tables, pattern, is_full)
    }

    pub(super) fn columns(pattern: &str, is_full: bool) -> Result<Self, String> {
        Self::read(What::Columns, pattern, is_full)
    }

    pub(super) fn schemas(pattern: &str) -> Result<Self, String> {
        Self::read(What::Schemas, pattern, false)
    }

    fn read(what: What, pattern: &str, is_full: bool) -> Result<Self, String> {
        let mut parts = parts(pattern)?;
        let name = parts.pop().unwrap_or_default();
        if parts.len() > 2 {
            return Err(format!("{pattern} has too many parts"));
        }
        if parts.iter().any(|part| !part.wild.is_empty()) {
            return Err(format!(
                "{pattern}: only the last part can be a pattern; \\l and \\dn list the others"
            ));
        }
        Ok(Self {
            what,
            within: parts.into_iter().map(|part| part.text).collect(),
            name,
            is_full,
        })
    }

    /// The statements that tell it. `current` is the connection and the schema that a name alone is of, `tables` the
    /// names of the tables in a connection that are known.
    pub(super) fn statements(
        &self,
        (connection, schema): (&str, Option<&str>),
        tables: impl Fn(&str) -> Vec<String>,
    ) -> Result<Vec<String>, String> {
        let mut within = self.within.clone();
        if within.is_empty() && !connection.is_empty() {
            within.push(connection.to_owned());
            within.extend(schema.map(str::to_owned));
        }
        match self.what {
            What::Tables if self.is_full => Ok(vec![self.described(&within, &self.name.like())]),
            What::Tables => Ok(vec![self.listed(&within)]),
            What::Schemas => {
                let like = in_list(&self.name.like());
                // A schema has none.
                within.truncate(1);
                Ok(vec![format!("SHOW SCHEMAS{}{like};", from(&within))])
            }
            What::Columns if self.name.wild.is_empty() => Ok(self.describe(&within, &self.name)),
            What::Columns => {
                let home = within.first().map_or("", String::as_str);
                let found: Vec<_> = tables(home)
                    .into_iter()
                    .filter(|table| self.name.matches(table))
                    .map(Part::plain)
                    .collect();
                if found.is_empty() {
                    return Err(format!("no table is named like {}", self.name.text));
                }
                let all = found.iter().flat_map(|table| self.describe(&within, table));
                Ok(all.collect())
            }
        }
    }

    /// The tables, without what is said of them.
    fn listed(&self, within: &[String]) -> String {
        let mut table = within.to_vec();
        table.push("sys_tables".to_owned());
        let condition = match self.name.text.as_str() {
            "" => String::new(),
            _ => format!(
                r" WHERE TableName ILIKE {} ESCAPE '\'",
                text(&self.name.like())
            ),
        };
        format!(
            "SELECT SchemaName, TableName, TableType FROM {}{condition} ORDER BY 1, 2;",
            dotted(&table)
        )
    }

    fn described(&self, within: &[String], like: &str) -> String {
        format!("SHOW TABLES{}{};", from(within), in_list(like))
    }

    fn describe(&self, within: &[String], table: &Part) -> Vec<String> {
        let mut statements = Vec::new();
        if self.is_full {
            statements.push(self.described(within, &table.like()));
        }
        let mut names = self.within.clone();
        names.push(table.text.clone());
        statements.push(format!("DESCRIBE {};", dotted(&names)));
        statements
    }
}

fn from(within: &[String]) -> String {
    match within {
        [] => String::new(),
        within => format!(" FROM {}", dotted(within)),
    }
}

fn in_list(like: &str) -> String {
    match like {
        "" => String::new(),
        like => format!(" LIKE {}", text(like)),
    }
}

fn text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn dotted(names: &[String]) -> String {
    let quoted: Vec<_> = names
        .iter()
        .map(|name| Ident::new(name).to_string())
        .collect();
    quoted.join(".")
}

/// ` LIKE '..'` for a pattern of one part; nothing for none.
pub(super) fn like(pattern: &str) -> Result<String, String> {
    match parts(pattern)?.as_slice() {
        [] => Ok(String::new()),
        [part] => Ok(in_list(&part.like())),
        _ => Err(format!("{pattern} has too many parts")),
    }
}

impl Part {
    /// A name that is no pattern.
    fn plain(text: String) -> Self {
        let wild = Vec::new();
        Self { text, wild }
    }

    /// As a pattern of LIKE.
    fn like(&self) -> String {
        let mut like = String::new();
        for (place, character) in self.text.chars().enumerate() {
            match (character, self.wild.contains(&place)) {
                ('*', true) => like.push('%'),
                (_, true) => like.push('_'),
                ('%' | '_' | '\\', _) => like.extend(['\\', character]),
                _ => like.push(character),
            }
        }
        like
    }

    /// Whether a name is meant, case apart.
    fn matches(&self, name: &str) -> bool {
        let pattern: Vec<(char, bool)> = self
            .text
            .chars()
            .enumerate()
            .map(|(place, character)| (character, self.wild.contains(&place)))
            .collect();
        let name: Vec<char> = name.chars().collect();
        // Places of the name that the pattern read so far can lead to.
        let mut reached = vec![false; name.len() + 1];
        reached[0] = true;
        for (character, is_wild) in pattern {
            let before = reached.clone();
            for place in 0..=name.len() {
                let took = |fits: &dyn Fn(char) -> bool| {
                    place > 0 && before[place - 1] && fits(name[place - 1])
                };
                reached[place] = match (character, is_wild) {
                    ('*', true) => before[..=place].contains(&true),
                    (_, true) => took(&|_| true),
                    (c, false) => took(&|other| c.to_lowercase().eq(other.to_lowercase())),
                };
            }
        }
        reached[name.len()]
    }
}

/// The parts of a pattern; none of an empty one.
fn parts(pattern: &str) -> Result<Vec<Part>, String> {
    if pattern.is_empty() {
        return Ok(Vec::new());
    }
    let (mut parts, mut part, mut closing) = (Vec::new(), Part::default(), None);
    let mut length = 0;
    let mut characters = pattern.chars().peekable();
    while let Some(character) = characters.next() {
        match (closing, character) {
            (Some(close), c) if c == close => match characters.next_if_eq(&close) {
                Some(doubled) => {
                    part.text.push(doubled);
                    length += 1;
                }
                None => closing = None,
            },
            (None, '"') => closing = Some('"'),
            (None, '`') => closing = Some('`'),
            (None, '[') => closing = Some(']'),
            (None, '.') => {
                parts.push(std::mem::take(&mut part));
                length = 0;
            }
            (None, '*' | '?') => {
                part.wild.push(length);
                part.text.push(character);
                length += 1;
            }
            _ => {
                part.text.push(character);
                length += 1;
            }
        }
    }
    if closing.is_some() {
        return Err(format!("{pattern}: a quote is open"));
    }
    parts.push(part);
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::{Listing, parts};

    fn said(listing: Result<Listing, String>) -> Vec<String> {
        let tables = |_: &str| {
            ["Issues", "IssueComments", "Projects", "my table"]
                .map(str::to_owned)
                .to_vec()
        };
        let listing = listing.unwrap();
        listing.statements(("prod", Some("API")), tables).unwrap()
    }

    #[test]
    fn lists_are_of_the_current_connection() {
        let select = "SELECT SchemaName, TableName, TableType FROM";
        for (pattern, rest) in [
            ("", "prod.API.sys_tables"),
            (
                "Pull*",
                "prod.API.sys_tables WHERE TableName ILIKE 'Pull%' ESCAPE '\\'",
            ),
            (
                "a_b?",
                "prod.API.sys_tables WHERE TableName ILIKE 'a\\_b_' ESCAPE '\\'",
            ),
            (
                "\"a*b\"",
                "prod.API.sys_tables WHERE TableName ILIKE 'a*b' ESCAPE '\\'",
            ),
            (
                "other.*",
                "other.sys_tables WHERE TableName ILIKE '%' ESCAPE '\\'",
            ),
            (
                "o.[my repo].x",
                "o.[my repo].sys_tables WHERE TableName ILIKE 'x' ESCAPE '\\'",
            ),
            (
                "it's",
                "prod.API.sys_tables WHERE TableName ILIKE 'it''s' ESCAPE '\\'",
            ),
        ] {
            let listing = said(Listing::tables(pattern, false));
            assert_eq!(
                listing,
                [format!("{select} {rest} ORDER BY 1, 2;")],
                "{pattern}"
            );
        }
        let full = said(Listing::tables("a*", true));
        assert_eq!(full, ["SHOW TABLES FROM prod.API LIKE 'a%';"]);
        assert_eq!(
            said(Listing::schemas("a*")),
            ["SHOW SCHEMAS FROM prod LIKE 'a%';"]
        );
    }

    #[test]
    fn a_pattern_describes_every_table_that_it_matches() {
        for (pattern, statements) in [
            ("Issues", &["DESCRIBE Issues;"][..]),
            ("prod.Issues", &["DESCRIBE prod.Issues;"]),
            ("issue*", &["DESCRIBE Issues;", "DESCRIBE IssueComments;"]),
            ("?y*", &["DESCRIBE [my table];"]),
            ("\"my table\"", &["DESCRIBE [my table];"]),
        ] {
            assert_eq!(
                said(Listing::columns(pattern, false)),
                statements,
                "{pattern}"
            );
        }
        assert_eq!(
            said(Listing::columns("my_table", true)),
            [
                "SHOW TABLES FROM prod.API LIKE 'my\\_table';",
                "DESCRIBE my_table;"
            ]
        );
        let none = Listing::columns("x*", false).unwrap();
        let error = none.statements(("prod", None), |_| Vec::new()).unwrap_err();
        assert_eq!(error, "no table is named like x*");
    }

    #[test]
    fn what_is_no_pattern_is_said() {
        assert!(parts("\"open").is_err());
        assert!(Listing::tables("a.b.c.d", false).is_err());
        assert!(Listing::tables("a*.b", false).is_err());
    }
}
