//! What tells the rows of a table apart.

use rusqlite::Connection;

use super::fault::Fault;
use crate::physical::Declared;

/// What may be the key, best first, as indices of columns: the primary key, then unique indexes of whole columns
/// that are never NULL.
pub(super) fn candidates(
    connection: &Connection,
    table: &str,
    columns: &[Declared],
) -> Result<Vec<Vec<usize>>, Fault> {
    let mut primary: Vec<usize> = (0..columns.len())
        .filter(|&index| columns[index].key > 0)
        .collect();
    primary.sort_by_key(|&index| columns[index].key);
    let mut candidates = vec![primary];
    let names: Vec<String> = connection
        .prepare(
            "SELECT name FROM pragma_index_list(?1)
             WHERE \"unique\" AND NOT partial AND origin <> 'pk' ORDER BY seq DESC",
        )?
        .query_map([table], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for name in names {
        let parts: Vec<Option<String>> = connection
            .prepare("SELECT name FROM pragma_index_info(?1) ORDER BY seqno")?
            .query_map([name], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        let column = |part: &Option<String>| {
            let part = part.as_deref()?;
            let index = columns.iter().position(|column| column.name == part)?;
            columns[index].not_null.then_some(index)
        };
        candidates.extend(parts.iter().map(column).collect::<Option<Vec<_>>>());
    }
    candidates.retain(|candidate| !candidate.is_empty());
    Ok(candidates)
}

/// The column that is another name of the rowid.
pub(super) fn rowid_column(columns: &[Declared]) -> Option<usize> {
    let mut key = (0..columns.len()).filter(|&index| columns[index].key > 0);
    let only = key.next().filter(|_| key.next().is_none())?;
    (columns[only].declared == "INTEGER").then_some(only)
}

/// Some index begins with the column.
pub(super) fn is_indexed(
    connection: &Connection,
    table: &str,
    column: &str,
) -> Result<bool, Fault> {
    let found = connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM pragma_index_list(?1) AS list, pragma_index_info(list.name) AS parts
         WHERE NOT list.partial AND parts.seqno = 0 AND parts.name = ?2 COLLATE NOCASE)",
        [table, column],
        |row| row.get(0),
    )?;
    Ok(found)
}
