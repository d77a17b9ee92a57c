//! Names in SQL and in our state.

use std::fmt::Write as _;

use bucketline_destination::{Error, Exact, Result, TableName, check_name, code};
use sha2::{Digest, Sha256};

/// The schema of all that is ours beside the tables of the loads: state, and stagings.
pub(crate) const OURS: &str = "_bucketline";

/// Bytes of a name; the server would cut what is longer in silence (`NAMEDATALEN` less one).
pub(crate) const LONGEST: usize = 63;

/// Bytes of what tells shortened names apart: a mark and sixteen hexadecimal digits.
const DIGEST: usize = 17;

/// A name as SQL: `"a ""quoted"" name"`.
pub(crate) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text as SQL.
pub(crate) fn literal(text: &str) -> String {
    let text = text.replace('\'', "''");
    match text.contains('\\') {
        true => format!(" E'{}'", text.replace('\\', "\\\\")),
        false => format!("'{text}'"),
    }
}

/// A name in small letters, as the server reads it without quotes, and shortened if it is too long: its beginning, and
/// a digest of the whole.
pub(crate) fn fold(name: &str) -> String {
    shortened(name.to_ascii_lowercase())
}

fn spelled(name: &str, exact: bool) -> String {
    if exact {
        shortened(name.to_owned())
    } else {
        fold(name)
    }
}

fn shortened(name: String) -> String {
    if name.len() <= LONGEST {
        return name;
    }
    let mut end = LONGEST - DIGEST;
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    let mut short = name[..end].to_owned();
    short.push('_');
    for byte in &Sha256::digest(name.as_bytes())[..8] {
        write!(short, "{byte:02x}").unwrap_or_default();
    }
    short
}

/// A table as the server names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Located {
    pub(crate) schema: String,
    pub(crate) name: String,
}

impl Located {
    /// Where a table of that name is; without a schema it is in the one given.
    pub(crate) fn of(table: &TableName, schema: &str) -> Self {
        Self {
            schema: match &table.schema {
                Some(schema) => spelled(schema, table.exact.schema),
                None => schema.to_owned(),
            },
            name: spelled(&table.name, table.exact.name),
        }
    }

    /// Where a table may be that is read: where a load of that name writes; or, for there are tables of others whose
    /// names have capitals, where its very spelling is.
    pub(crate) fn candidates(table: &TableName, schema: &str) -> Vec<Self> {
        let exact = Exact {
            schema: true,
            name: true,
        };
        let exact = TableName {
            exact,
            ..table.clone()
        };
        let mut candidates = vec![Self::of(table, schema), Self::of(&exact, schema)];
        candidates.dedup();
        candidates
    }

    /// The staging of a table, by its number in the state.
    pub(crate) fn staging(id: i64) -> Self {
        Self {
            schema: OURS.to_owned(),
            name: format!("staging_{id}"),
        }
    }

    /// The name as SQL, and the one under which state is kept.
    pub(crate) fn sql(&self) -> String {
        format!("{}.{}", quote(&self.schema), quote(&self.name))
    }

    /// The name for messages and lists.
    pub(crate) fn table_name(&self) -> TableName {
        TableName {
            exact: Exact {
                schema: true,
                name: true,
            },
            ..TableName::qualified(self.schema.clone(), self.name.clone())
        }
    }
}

/// The schema is one of ours or of the server's own, whose tables are neither listed nor loaded.
pub(crate) fn is_internal(schema: &str) -> bool {
    schema == OURS || schema == "information_schema" || schema.starts_with("pg_")
}

/// The columns that every table of the server has already
/// (<https://www.postgresql.org/docs/current/ddl-system-columns.html>).
const SYSTEM_COLUMNS: [&str; 6] = ["tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"];

/// Refuses a column that no table can have.
pub(crate) fn check_column(name: &str) -> Result<()> {
    let folded = fold(name);
    if !SYSTEM_COLUMNS.contains(&folded.as_str()) {
        return Ok(());
    }
    let message = format!(
        "a column cannot be named `{name}` in PostgreSQL: every table has one of that name already"
    );
    Err(Error::new(code::UNSUPPORTED, message).with_hint(format!(
        "give it another name in the SELECT: {name} AS {name}_value"
    )))
}

/// Refuses a name that no table of a load can have.
pub(crate) fn check_table(table: &TableName) -> Result<()> {
    check_name("table", &table.name)?;
    let Some(schema) = &table.schema else {
        return Ok(());
    };
    check_name("schema", schema)?;
    if is_internal(&fold(schema)) {
        let message = format!("a schema cannot be named {schema}: such names are reserved");
        return Err(Error::new(code::UNSUPPORTED, message).with_hint(
            "`_bucketline`, `information_schema` and names beginning with `pg_` are not for loads",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn long_names_are_shortened_and_stay_apart() {
        let long = |last: char| format!("{}{last}", "ä".repeat(40));
        let (one, other) = (fold(&long('x')), fold(&long('y')));
        assert!(one.len() <= LONGEST && other.len() <= LONGEST);
        assert_ne!(one, other);
        assert_eq!(fold(&one), one);
        assert_eq!(fold("UpdatedOn"), "updatedon");
        assert_eq!(fold(&"X".repeat(63)), "x".repeat(63));
    }

    #[test]
    fn quoting() {
        assert_eq!(quote("a\"b"), "\"a\"\"b\"");
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal("a\\b"), " E'a\\\\b'");
    }

    #[test]
    fn columns_that_every_table_has_are_refused() {
        for name in ["ctid", "XMIN", "TableOid"] {
            let error = check_column(name).unwrap_err();
            assert!(error.to_string().contains(name), "{error}");
        }
        assert!(check_column("oid").is_ok() && check_column("rowid").is_ok());
    }

    #[test]
    fn reserved_names() {
        for schema in [
            "pg_catalog",
            "PG_toast",
            "_Bucketline",
            "Information_Schema",
            "",
        ] {
            let table = TableName::qualified(schema, "t");
            assert!(check_table(&table).is_err(), "{schema}");
        }
        assert!(check_table(&TableName::qualified("PROD", "Issues")).is_ok());
    }
}
