//! What we remember, in tables of our own in the same file.

use bucketline_destination::remembered::{decode_columns, encode_columns, encode_key};
use bucketline_destination::{
    Checkpoints, Error, Layout, Result, Staged, TableState, code, packed,
};
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::Value;

use crate::error::Doing;

/// The version of the tables below. A file of a newer one is left alone.
const VERSION: i64 = 1;

const TABLES: &str = "
CREATE TABLE IF NOT EXISTS _bucketline_version (version INTEGER NOT NULL);
INSERT INTO _bucketline_version SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM _bucketline_version);
CREATE TABLE IF NOT EXISTS _bucketline_leases (
  name TEXT PRIMARY KEY,
  epoch INTEGER NOT NULL,
  who TEXT,
  since TEXT
);
CREATE TABLE IF NOT EXISTS _bucketline_tables (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  record TEXT NOT NULL,
  columns TEXT NOT NULL,
  key TEXT NOT NULL,
  rows INTEGER NOT NULL,
  staged_record TEXT,
  staged_columns TEXT,
  staged_key TEXT
);
CREATE TABLE IF NOT EXISTS _bucketline_checkpoints (
  table_id INTEGER NOT NULL,
  staged INTEGER NOT NULL,
  slice NOT NULL,
  checkpoint BLOB NOT NULL,
  PRIMARY KEY (table_id, staged, slice)
) WITHOUT ROWID;
";

/// The record of a table that is to be taken over, until that is done.
pub(crate) const ADOPTING: Value = Value::Null;

const DOING: &str = "reading the state of the copy";
const SAVING: &str = "saving the state of the copy";

/// What we remember of one table.
#[derive(Debug, Clone)]
pub(crate) struct Remembered {
    pub(crate) id: i64,
    pub(crate) state: TableState,
    /// The columns of the staging, if there is one.
    pub(crate) staging: Option<Layout>,
}

/// Makes our tables where they are missing.
///
/// # Errors
/// [`UNSUPPORTED`](code::UNSUPPORTED) if a newer version has made them.
pub(crate) fn create(connection: &Connection) -> Result<()> {
    if exists(connection)? {
        return Ok(());
    }
    connection
        .execute_batch(TABLES)
        .doing("creating the tables of the state")
}

/// Our tables are there.
///
/// # Errors
/// As [`create`].
pub(crate) fn exists(connection: &Connection) -> Result<bool> {
    let there: bool = connection
        .query_row(
            "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE name = '_bucketline_version')",
            [],
            |row| row.get(0),
        )
        .doing(DOING)?;
    if !there {
        return Ok(false);
    }
    let version: i64 = connection
        .query_row("SELECT version FROM _bucketline_version", [], |row| {
            row.get(0)
        })
        .doing(DOING)?;
    if version > VERSION {
        let message = format!(
            "a newer Bucketline has loaded into this file: its state has version {version}, and this \
             program knows version {VERSION}"
        );
        return Err(Error::new(code::UNSUPPORTED, message)
            .with_hint("update this program, or load into another file"));
    }
    Ok(true)
}

/// What we remember of a table.
pub(crate) fn read(connection: &Connection, folded: &str) -> Result<Option<Remembered>> {
    let Some(mut remembered) = read_table(connection, folded)? else {
        return Ok(None);
    };
    let Remembered { id, state, .. } = &mut remembered;
    state.checkpoints = checkpoints(connection, *id, false)?;
    if let Some(staged) = &mut state.staged {
        staged.checkpoints = checkpoints(connection, *id, true)?;
    }
    Ok(Some(remembered))
}

/// The same without the checkpoints, of which there may be thousands.
pub(crate) fn read_table(connection: &Connection, folded: &str) -> Result<Option<Remembered>> {
    if !exists(connection)? {
        return Ok(None);
    }
    type Row = (
        i64,
        String,
        String,
        String,
        i64,
        Option<String>,
        Option<String>,
        Option<String>,
    );
    let row: Option<Row> = connection
        .query_row(
            "SELECT id, record, columns, key, rows, staged_record, staged_columns, staged_key
             FROM _bucketline_tables WHERE name = ?1",
            [folded],
            |row| {
                Ok((
                    row.get(0)?,
                    row.get(1)?,
                    row.get(2)?,
                    row.get(3)?,
                    row.get(4)?,
                    row.get(5)?,
                    row.get(6)?,
                    row.get(7)?,
                ))
            },
        )
        .optional()
        .doing(DOING)?;
    let Some((id, record, columns, key, rows, staged_record, staged_columns, staged_key)) = row
    else {
        return Ok(None);
    };
    let (mut staged, mut staging) = (None, None);
    if let (Some(record), Some(columns), Some(key)) = (staged_record, staged_columns, staged_key) {
        staged = Some(Staged {
            record: json(&record)?,
            checkpoints: Checkpoints::new(),
        });
        staging = Some(Layout::stored(
            decode_columns(&columns, damaged)?.as_ref(),
            &names(&key)?,
        )?);
    }
    let state = TableState {
        record: json(&record)?,
        columns: decode_columns(&columns, damaged)?,
        key: names(&key)?,
        rows: u64::try_from(rows).unwrap_or(0),
        checkpoints: Checkpoints::new(),
        staged,
    };
    Ok(Some(Remembered { id, state, staging }))
}

/// Remembers a table's record and columns, and gives its id. Its rows and checkpoints stay.
pub(crate) fn save(
    connection: &Connection,
    folded: &str,
    record: &Value,
    layout: &Layout,
) -> Result<i64> {
    connection
        .query_row(
            "INSERT INTO _bucketline_tables (name, record, columns, key, rows)
             VALUES (?1, ?2, ?3, ?4, 0)
             ON CONFLICT (name) DO UPDATE SET record = ?2, columns = ?3, key = ?4
             RETURNING id",
            params![
                folded,
                record.to_string(),
                encode_columns(layout),
                encode_key(layout)
            ],
            |row| row.get(0),
        )
        .doing(SAVING)
}

/// Replaces a table's record.
pub(crate) fn save_record(connection: &Connection, folded: &str, record: &Value) -> Result<()> {
    connection
        .execute(
            "UPDATE _bucketline_tables SET record = ?2 WHERE name = ?1",
            params![folded, record.to_string()],
        )
        .doing(SAVING)?;
    Ok(())
}

/// Remembers that there is a staging, or that there is none any more, without checkpoints in both cases.
pub(crate) fn save_staging(
    connection: &Connection,
    id: i64,
    staging: Option<(&Value, &Layout)>,
) -> Result<()> {
    forget_all(connection, id, true)?;
    connection
        .execute(
            "UPDATE _bucketline_tables
             SET staged_record = ?2, staged_columns = ?3, staged_key = ?4 WHERE id = ?1",
            params![
                id,
                staging.map(|(record, _)| record.to_string()),
                staging.map(|(_, layout)| encode_columns(layout)),
                staging.map(|(_, layout)| encode_key(layout)),
            ],
        )
        .doing(SAVING)?;
    Ok(())
}

/// Replaces the record of a staging, whose columns and checkpoints stay.
pub(crate) fn save_staged_record(connection: &Connection, id: i64, record: &Value) -> Result<()> {
    connection
        .execute(
            "UPDATE _bucketline_tables SET staged_record = ?2 WHERE id = ?1",
            params![id, record.to_string()],
        )
        .doing(SAVING)?;
    Ok(())
}

/// Sets the number of rows.
pub(crate) fn set_rows(connection: &Connection, id: i64, rows: u64) -> Result<()> {
    let rows = i64::try_from(rows).unwrap_or(i64::MAX);
    connection
        .execute(
            "UPDATE _bucketline_tables SET rows = ?2 WHERE id = ?1",
            params![id, rows],
        )
        .doing(SAVING)?;
    Ok(())
}

/// Changes the number of rows.
pub(crate) fn add_rows(connection: &Connection, id: i64, more: i64) -> Result<()> {
    connection
        .prepare_cached("UPDATE _bucketline_tables SET rows = max(0, rows + ?2) WHERE id = ?1")
        .and_then(|mut update| update.execute(params![id, more]))
        .doing(SAVING)?;
    Ok(())
}

/// Saves a slice's checkpoint.
pub(crate) fn save_checkpoint(
    connection: &Connection,
    id: i64,
    staged: bool,
    slice: &str,
    checkpoint: &Value,
) -> Result<()> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO _bucketline_checkpoints VALUES (?1, ?2, ?3, ?4)")
        .and_then(|mut insert| {
            insert.execute(params![
                id,
                staged,
                SliceKey(slice),
                packed::pack(checkpoint)
            ])
        })
        .doing(SAVING)?;
    Ok(())
}

/// Removes a slice's checkpoint.
pub(crate) fn forget(connection: &Connection, id: i64, staged: bool, slice: &str) -> Result<()> {
    connection
        .execute(
            "DELETE FROM _bucketline_checkpoints WHERE table_id = ?1 AND staged = ?2 AND slice = ?3",
            params![id, staged, SliceKey(slice)],
        )
        .doing(SAVING)?;
    Ok(())
}

/// Removes all checkpoints of a table or of its staging.
pub(crate) fn forget_all(connection: &Connection, id: i64, staged: bool) -> Result<()> {
    connection
        .execute(
            "DELETE FROM _bucketline_checkpoints WHERE table_id = ?1 AND staged = ?2",
            params![id, staged],
        )
        .doing(SAVING)?;
    Ok(())
}

/// Makes the staged checkpoints those of the table.
pub(crate) fn promote_checkpoints(connection: &Connection, id: i64) -> Result<()> {
    forget_all(connection, id, false)?;
    connection
        .execute(
            "UPDATE _bucketline_checkpoints SET staged = 0 WHERE table_id = ?1",
            [id],
        )
        .doing(SAVING)?;
    Ok(())
}

fn checkpoints(connection: &Connection, id: i64, staged: bool) -> Result<Checkpoints> {
    let mut query = connection
        .prepare(
            "SELECT slice, checkpoint FROM _bucketline_checkpoints
             WHERE table_id = ?1 AND staged = ?2",
        )
        .doing(DOING)?;
    let mut rows = query.query(params![id, staged]).doing(DOING)?;
    let mut checkpoints = Checkpoints::new();
    while let Some(row) = rows.next().doing(DOING)? {
        let slice = slice(row.get_ref(0).doing(DOING)?);
        let checkpoint = row.get_ref(1).doing(DOING)?.as_blob().ok();
        let (Some(slice), Some(checkpoint)) = (slice, checkpoint.and_then(packed::unpack)) else {
            return Err(damaged(&"a checkpoint cannot be read"));
        };
        checkpoints.insert(slice, checkpoint);
    }
    Ok(checkpoints)
}

/// A slice's id as it is stored: a UUID in braces as its bytes, any other as text.
struct SliceKey<'a>(&'a str);

impl ToSql for SliceKey<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match packed::uuid(self.0) {
            Some(bytes) => ToSqlOutput::Owned(bytes.to_vec().into()),
            None => ToSqlOutput::Borrowed(self.0.into()),
        })
    }
}

/// The id that a [`SliceKey`] was stored for.
fn slice(stored: ValueRef<'_>) -> Option<String> {
    match stored {
        ValueRef::Blob(bytes) => bytes.try_into().ok().map(packed::uuid_text),
        ValueRef::Text(text) => String::from_utf8(text.to_vec()).ok(),
        _ => None,
    }
}

fn names(text: &str) -> Result<Vec<String>> {
    serde_json::from_str(text).map_err(|error| damaged(&error))
}

fn json(text: &str) -> Result<Value> {
    serde_json::from_str(text).map_err(|error| damaged(&error))
}

fn damaged(error: &dyn std::fmt::Display) -> Error {
    Error::new(code::DATABASE, format!("{DOING}: it is damaged: {error}"))
        .with_hint("somebody changed the `_bucketline_` tables; drop them to load the copy anew")
}
