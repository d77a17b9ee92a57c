//! How the rows of a table can be walked, a page at a time.

use rusqlite::{Connection, OptionalExtension};

use super::fault::Fault;

/// The names of the number that SQLite gives each row, unless a column has that name.
const ROWID: [&str; 3] = ["rowid", "_rowid_", "oid"];

/// What a table is to SQLite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shape {
    /// Its name as it was spelled when it was made.
    pub(super) name: String,
    /// `table`, `view` or `virtual`.
    pub(super) kind: String,
    /// The columns that tell its rows apart and by which SQLite finds them fast: the rowid, or the primary key
    /// where there is none. Empty if the rows can only be read from the first to the last.
    pub(super) walk: Vec<String>,
    /// The name of the rowid, if there is one that can be named.
    pub(super) rowid: Option<&'static str>,
}

impl Shape {
    /// What the name means; `None` if nothing.
    pub(super) fn find(connection: &Connection, name: &str) -> Result<Option<Self>, Fault> {
        let found: Option<(String, String, bool)> = connection
            .query_row(
                "SELECT name, type, wr FROM pragma_table_list
                 WHERE schema = 'main' AND name = ?1 COLLATE NOCASE AND type IN ('table', 'view', 'virtual')",
                [name],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
            )
            .optional()?;
        let Some((name, kind, without_rowid)) = found else {
            return Ok(None);
        };
        let mut rowid = None;
        let mut walk = Vec::new();
        if kind == "table" && without_rowid {
            walk = primary_key(connection, &name)?;
        } else if kind == "table" {
            let taken = names(connection, &name)?;
            let is_free = |alias: &&&str| !taken.iter().any(|it| it.eq_ignore_ascii_case(alias));
            rowid = ROWID.iter().find(is_free).copied();
            walk.extend(rowid.map(str::to_owned));
        }
        Ok(Some(Self {
            name,
            kind,
            walk,
            rowid,
        }))
    }

    /// Whether a name is one of the rowid's, which no column has.
    pub(super) fn is_rowid(&self, name: &str) -> bool {
        self.rowid.is_some() && ROWID.iter().any(|alias| alias.eq_ignore_ascii_case(name))
    }
}

fn names(connection: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    connection
        .prepare("SELECT name FROM pragma_table_xinfo(?1)")?
        .query_map([table], |row| row.get(0))?
        .collect()
}

/// The primary key of a table without a rowid. Empty if its index compares otherwise than the columns do, so that
/// two rows may be one to a condition on the columns.
fn primary_key(connection: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    let mut query = connection.prepare(
        "SELECT parts.name, parts.coll FROM pragma_index_list(?1) AS list, pragma_index_xinfo(list.name) AS parts
         WHERE list.origin = 'pk' AND parts.key ORDER BY parts.seqno",
    )?;
    let parts: Vec<(String, String)> = query
        .query_map([table], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    for (column, collation) in &parts {
        let metadata = connection.column_metadata(Some("main"), table, column.as_str())?;
        let own = metadata
            .1
            .map_or("BINARY".into(), std::ffi::CStr::to_string_lossy);
        if !own.eq_ignore_ascii_case(collation) {
            return Ok(Vec::new());
        }
    }
    Ok(parts.into_iter().map(|(column, _)| column).collect())
}
