//! Whether the copies are right.

use std::path::Path;

use rusqlite::Connection;
use tokio_postgres::NoTls;

use crate::Result;
use crate::hand_written::{COLUMNS, Column};
use crate::store::LOOP_SCHEMA;

/// The characters of a timestamp up to its offset, which one writes as `Z` and the other leaves as
/// the API gives it, `+00:00`.
const BEFORE_OFFSET: usize = "2026-10-07T18:39:55.551762".len();

/// As [`Stores::check`](crate::store::Stores::check), of two files.
pub(crate) fn check_files(hand_written: &Path, bucketline: &Path, rows: u64) -> Result {
    let rows = i64::try_from(rows)?;
    let database = Connection::open(bucketline)?;
    database.execute("ATTACH ?1 AS hand_written", [path(hand_written)?])?;
    let found = |schema: &str| -> Result<i64> {
        let sql = format!("SELECT count(*) FROM {schema}.Issues");
        Ok(database.query_row(&sql, [], |row| row.get(0))?)
    };
    let differences = COLUMNS.map(|(name, column)| match column {
        Column::Timestamp => format!(
            "sum(substr(a.{name}, 1, {BEFORE_OFFSET}) IS NOT substr(b.{name}, 1, {BEFORE_OFFSET}))"
        ),
        Column::Text | Column::Integer => format!("sum(a.{name} IS NOT b.{name})"),
    });
    complete(rows, found("hand_written")?, found("main")?)?;
    let sql = comparison("main", "hand_written", &differences);
    let counts = database.query_row(&sql, [], |row| {
        (0..=COLUMNS.len()).map(|n| row.get(n)).collect()
    })?;
    equal(rows, counts)
}

/// As [`Stores::check`](crate::store::Stores::check), of two schemas of a database.
pub(crate) fn check_database(url: &str, rows: u64) -> Result {
    let rows = i64::try_from(rows)?;
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(async {
            let (database, connection) = tokio_postgres::connect(url, NoTls).await?;
            tokio::spawn(connection);
            let mut found = Vec::new();
            for schema in [LOOP_SCHEMA, "public"] {
                let sql = format!("SELECT count(*) FROM {schema}.Issues");
                found.push(database.query_one(&sql, &[]).await?.get(0));
            }
            complete(rows, found[0], found[1])?;
            let differences = COLUMNS.map(|(name, _)| {
                format!("count(*) FILTER (WHERE a.{name} IS DISTINCT FROM b.{name})")
            });
            let sql = comparison("public", LOOP_SCHEMA, &differences);
            let row = database.query_one(&sql, &[]).await?;
            equal(rows, (0..=COLUMNS.len()).map(|n| row.get(n)).collect())
        })
}

/// Fails unless both have all rows.
fn complete(rows: i64, hand_written: i64, bucketline: i64) -> Result {
    let found = [
        ("the hand-written loop", hand_written),
        ("Bucketline", bucketline),
    ];
    match found.iter().find(|(_, found)| *found != rows) {
        Some((who, found)) => Err(format!("{who} has {found} rows of {rows}").into()),
        None => Ok(()),
    }
}

/// A query that counts the keys which both have, then the rows that differ in each column.
fn comparison(one: &str, other: &str, differences: &[String]) -> String {
    format!(
        "SELECT count(*), {} FROM {one}.Issues AS a JOIN {other}.Issues AS b
         ON a.RepositoryUUID = b.RepositoryUUID AND a.Id = b.Id",
        differences.join(", ")
    )
}

/// Fails unless what a [`comparison`] has counted says that both are equal.
fn equal(rows: i64, counts: Vec<Option<i64>>) -> Result {
    let mut counts = counts.into_iter().map(Option::unwrap_or_default);
    let common = counts.next().unwrap_or_default();
    let differing = COLUMNS.iter().zip(counts).filter(|(_, rows)| *rows > 0);
    let mut wrong: Vec<String> = differing
        .map(|((name, _), rows)| format!("{name} in {rows} rows"))
        .collect();
    if common != rows {
        wrong.push(format!("only {common} of {rows} keys are in both"));
    }
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(format!("the copies differ: {}", wrong.join(", ")).into()),
    }
}

fn path(file: &Path) -> Result<&str> {
    file.to_str()
        .ok_or_else(|| format!("{} is not UTF-8", file.display()).into())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use rusqlite::Connection;

    use super::check_files;
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
            let found = check_files(&a, &b, 2).err().map(|error| error.to_string());
            match (&found, expected) {
                (None, None) => {}
                (Some(found), Some(expected)) if found.contains(expected) => {}
                _ => panic!("{change}: {found:?}"),
            }
        }
    }
}
