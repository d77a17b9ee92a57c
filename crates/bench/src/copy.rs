//! Whether the copies are right.

use std::path::Path;

use rusqlite::Connection;

use crate::Result;
use crate::hand_written::{COLUMNS, Column};

/// The characters of a timestamp up to its offset, which one writes as `Z` and the other leaves as
/// the API gives it, `+00:00`.
const BEFORE_OFFSET: usize = "2026-10-07T18:39:55.551762".len();

/// Both files have `rows` rows, and the same value in every column of every row.
///
/// # Errors
///
/// They do not; the message says how many rows differ in which columns.
pub(crate) fn check(hand_written: &Path, bucketline: &Path, rows: u64) -> Result {
    let rows = i64::try_from(rows)?;
    let database = Connection::open(bucketline)?;
    database.execute("ATTACH ?1 AS hand_written", [path(hand_written)?])?;
    for (who, schema) in [
        ("the hand-written loop", "hand_written"),
        ("Bucketline", "main"),
    ] {
        let sql = format!("SELECT count(*) FROM {schema}.Issues");
        let found: i64 = database.query_row(&sql, [], |row| row.get(0))?;
        if found != rows {
            return Err(format!("{who} has {found} rows of {rows}").into());
        }
    }
    let differences = COLUMNS.map(|(name, column)| match column {
        Column::Timestamp => format!(
            "sum(substr(a.{name}, 1, {BEFORE_OFFSET}) IS NOT substr(b.{name}, 1, {BEFORE_OFFSET}))"
        ),
        Column::Text | Column::Integer => format!("sum(a.{name} IS NOT b.{name})"),
    });
    let sql = format!(
        "SELECT count(*), {} FROM main.Issues AS a JOIN hand_written.Issues AS b
         ON a.RepositoryUUID = b.RepositoryUUID AND a.Id = b.Id",
        differences.join(", ")
    );
    let mut wrong = Vec::new();
    let common: i64 = database.query_row(&sql, [], |row| {
        for (n, (name, _)) in COLUMNS.iter().enumerate() {
            match row.get::<_, Option<i64>>(n + 1)? {
                None | Some(0) => {}
                Some(rows) => wrong.push(format!("{name} in {rows} rows")),
            }
        }
        row.get(0)
    })?;
    if common != rows {
        wrong.push(format!("only {common} of {rows} keys are in both"));
    }
    if wrong.is_empty() {
        return Ok(());
    }
    Err(format!("the copies differ: {}", wrong.join(", ")).into())
}

fn path(file: &Path) -> Result<&str> {
    file.to_str()
        .ok_or_else(|| format!("{} is not UTF-8", file.display()).into())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use rusqlite::Connection;

    use super::check;
    use crate::hand_written::{COLUMNS, Column};

    type Folder = tempfile::TempDir;

    /// Two copies of two issues; `change` is done to the second.
    fn copies(change: &str) -> (Folder, PathBuf, PathBuf) {
        let folder = tempfile::tempdir().expect("a folder");
        let [a, b] = ["a.db", "b.db"].map(|name| folder.path().join(name));
        for (file, offset, change) in [(&a, "+00:00", ""), (&b, "Z", change)] {
            let database = Connection::open(file).expect("a file");
            let names = COLUMNS.map(|(name, _)| name).join(", ");
            let values = |id: u32| {
                COLUMNS
                    .map(|(name, column)| match column {
                        Column::Integer if name == "Id" => id.to_string(),
                        Column::Integer => String::from("NULL"),
                        Column::Text => format!("'{name}'"),
                        Column::Timestamp => format!("'2026-10-07T18:39:55.551762{offset}'"),
                    })
                    .join(", ")
            };
            let sql = format!(
                "CREATE TABLE Issues ({names}); INSERT INTO Issues VALUES ({}), ({}); {change}",
                values(1),
                values(2)
            );
            database.execute_batch(&sql).expect("valid SQL");
        }
        (folder, a, b)
    }

    #[test]
    fn every_difference_is_found() {
        let cases = [
            ("", None),
            (
                "UPDATE Issues SET Title = 'x' WHERE Id = 2",
                Some("Title in 1 rows"),
            ),
            (
                "UPDATE Issues SET ComponentId = 0",
                Some("ComponentId in 2 rows"),
            ),
            (
                "UPDATE Issues SET UpdatedOn = '2026-10-07T18:39:55.551763Z' WHERE Id = 1",
                Some("UpdatedOn in 1 rows"),
            ),
            (
                "DELETE FROM Issues WHERE Id = 1",
                Some("Bucketline has 1 rows of 2"),
            ),
            (
                "UPDATE Issues SET Id = 3 WHERE Id = 2",
                Some("only 1 of 2 keys are in both"),
            ),
        ];
        for (change, expected) in cases {
            let (_folder, a, b) = copies(change);
            let found = check(&a, &b, 2).err().map(|error| error.to_string());
            match (&found, expected) {
                (None, None) => {}
                (Some(found), Some(expected)) if found.contains(expected) => {}
                _ => panic!("{change}: {found:?}"),
            }
        }
    }
}
