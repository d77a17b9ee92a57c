//! Tables and files that the user's own statements make: each statement is carried out whole or not at all.

use std::path::Path;

use super::copy::Held;
use crate::truth::Row;

/// The tables.
pub(crate) const TABLES: [&str; 2] = ["mine", "made"];

/// What the killed runs begin with.
pub(crate) const MADE: &str = "CREATE TABLE mine (Id int NOT NULL PRIMARY KEY, Round int);\n\
    INSERT INTO mine (Id, Round) VALUES (1, 0), (2, 0), (3, 0), (4, 0), (5, 0), (6, 0), (7, 0), (8, 0);\n";

/// What the killed runs do.
pub(crate) const SCRIPT: &str = "DROP TABLE IF EXISTS made;\n\
    UPDATE mine SET Round = Round + 1;\n\
    CREATE TABLE made AS SELECT Id, Round FROM destination.mine;\n\
    INSERT INTO made SELECT Id + 100, Round FROM destination.mine;\n\
    SELECT Id, Round INTO csv://out.csv FROM destination.mine;\n";

/// Rows of the first table.
const ROWS: usize = 8;

/// What is done in part.
pub(crate) fn judge(before: &Held, after: &Held, home: &Path) -> Result<(), String> {
    let last = round("mine", &before.own["mine"], &[ROWS])?;
    let mine = after.own.get("mine").ok_or("the table `mine` is gone")?;
    let now = round("mine", mine, &[ROWS])?;
    if !(last..=last + 1).contains(&now) {
        return Err(format!("round {now} follows {last}"));
    }
    if let Some(made) = after.own.get("made") {
        round("made", made, &[ROWS, 2 * ROWS])?;
    }
    let file = home.join("out.csv");
    if file.exists() {
        let text = std::fs::read_to_string(&file).map_err(|error| error.to_string())?;
        let mut lines = text.split_terminator("\r\n");
        // A server's names are in small letters.
        let header = lines.next().unwrap_or_default();
        if !header.eq_ignore_ascii_case("Id,Round") || !text.ends_with("\r\n") {
            return Err(format!("the file is not whole: {text:?}"));
        }
        let rows = lines.map(|line| line.split(',').map(|cell| Some(cell.to_owned())).collect());
        let rows: Vec<Row> = rows.collect();
        round("out.csv", &rows, &[ROWS])?;
    }
    Ok(())
}

/// The round that all rows are of.
fn round(name: &str, rows: &[Row], counts: &[usize]) -> Result<i64, String> {
    let wrong = || format!("{name} is written in part: {rows:?}");
    let first = rows.first().and_then(|row| row[1].clone());
    let same = rows.iter().all(|row| row[1] == first);
    if !same || !counts.contains(&rows.len()) {
        return Err(wrong());
    }
    first.and_then(|text| text.parse().ok()).ok_or_else(wrong)
}
