//! Names in SQL, in our state and on disk.

use std::fmt::Write as _;

use bucketline_destination::{Error, Result, TableName, check_name, code};
use sha2::{Digest, Sha256};

/// What the names of all our own tables begin with.
const OURS: &str = "_bucketline_";

/// A name as SQL: `"a ""quoted"" name"`.
pub(crate) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Names as SQL, separated by commas.
pub(crate) fn quote_all<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(quote).collect::<Vec<_>>().join(", ")
}

/// The table's name in the file: `PROD.Issues` is one name, dot included.
pub(crate) fn spelled(table: &TableName) -> String {
    table.to_string()
}

/// The name under which state is kept. SQLite ignores the case of ASCII letters in names, and of no others.
pub(crate) fn folded(table: &TableName) -> String {
    spelled(table).to_ascii_lowercase()
}

/// The staging of a table.
pub(crate) fn staging(folded: &str) -> String {
    format!("{OURS}staging_{folded}")
}

/// A name by which a table is rebuilt, within one transaction.
pub(crate) fn rebuilt(folded: &str) -> String {
    format!("{OURS}rebuilt_{folded}")
}

/// The name is one of ours or of SQLite's own, which are neither listed nor loaded.
pub(crate) fn is_internal(name: &str) -> bool {
    let starts = |prefix: &str| {
        name.get(..prefix.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    starts(OURS) || starts("sqlite_")
}

/// Refuses a name that no table of a load can have.
pub(crate) fn check_table(table: &TableName) -> Result<()> {
    check_name("table", &table.name)?;
    let name = spelled(table);
    check_name("table", &name)?;
    if is_internal(&name) {
        let message = format!("a table cannot be named {name}: such names are reserved");
        return Err(Error::new(code::UNSUPPORTED, message)
            .with_hint("names beginning with `sqlite_` or `_bucketline_` are not for loads"));
    }
    Ok(())
}

/// The name of a table's lock file: readable where that is safe on every system, and never that of another.
pub(crate) fn lock_file(folded: &str) -> String {
    let mut name = String::from("table-");
    for byte in folded.bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => name.push(char::from(byte)),
            _ => write!(name, "%{byte:02x}").unwrap_or_default(),
        }
    }
    if name.len() > 120 {
        name = String::from("hash-");
        for byte in Sha256::digest(folded.as_bytes()) {
            write!(name, "{byte:02x}").unwrap_or_default();
        }
    }
    name.push_str(".lock");
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoting() {
        for (name, sql) in [("Id", "\"Id\""), ("a\"b", "\"a\"\"b\""), ("[x]", "\"[x]\"")] {
            assert_eq!(quote(name), sql);
        }
    }

    #[test]
    fn lock_files_have_safe_and_different_names() {
        assert_eq!(lock_file("prod.issues"), "table-prod%2eissues.lock");
        let names = [
            "a/b",
            "a\\b",
            "a:b",
            "a b",
            "..",
            "con",
            "ä",
            &"x".repeat(300),
        ];
        let files: std::collections::HashSet<String> = names.iter().map(|n| lock_file(n)).collect();
        assert_eq!(files.len(), names.len());
        assert!(
            files
                .iter()
                .all(|f| f.len() < 140 && !f.contains(['/', '\\', ':', ' ']))
        );
    }

    #[test]
    fn reserved_names() {
        for name in ["sqlite_x", "SQLITE_x", "_bucketline_tables", "", "a\0b"] {
            assert!(check_table(&TableName::bare(name)).is_err(), "{name:?}");
        }
        assert!(check_table(&TableName::qualified("PROD", "Issues")).is_ok());
        assert!(check_table(&TableName::bare("été")).is_ok());
    }
}
