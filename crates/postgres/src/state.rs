//! What we remember, in tables of a schema of our own in the same database.

use bucketline_destination::remembered::{decode_columns, encode_columns, encode_key};
use bucketline_destination::{
    Checkpoints, Error, Layout, Result, Staged, TableState, code, packed,
};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use tokio_postgres::Client;

use crate::connection::Doing;
use crate::session::Connected;

/// The version of the tables below. A database of a newer one is left alone.
const VERSION: i32 = 1;

/// The lock under which our tables and schemas are made, so that two who make them at once do not meet.
const MAKING: i64 = 0x6275_636b_6574_6c69;

const TABLES: &str = "
DO $$ BEGIN
  -- IF NOT EXISTS asks for the right to make schemas even where there is nothing to make.
  IF pg_catalog.to_regnamespace('_bucketline') IS NULL THEN
    CREATE SCHEMA _bucketline;
    COMMENT ON SCHEMA _bucketline IS 'The state of the tables that Bucketline loads.';
  END IF;
END $$;
CREATE TABLE IF NOT EXISTS _bucketline.version (version integer NOT NULL);
INSERT INTO _bucketline.version SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM _bucketline.version);
CREATE TABLE IF NOT EXISTS _bucketline.leases (
  name text PRIMARY KEY,
  epoch bigint NOT NULL,
  commits bigint NOT NULL DEFAULT 0,
  rows bigint NOT NULL DEFAULT 0,
  who text,
  since text
) WITH (fillfactor = 50);
CREATE TABLE IF NOT EXISTS _bucketline.tables (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text NOT NULL UNIQUE,
  record json NOT NULL,
  columns json NOT NULL,
  key json NOT NULL,
  staged_record json,
  staged_columns json,
  staged_key json
);
CREATE TABLE IF NOT EXISTS _bucketline.checkpoints (
  table_id bigint NOT NULL,
  staged boolean NOT NULL,
  part smallint NOT NULL,
  checkpoints bytea NOT NULL,
  PRIMARY KEY (table_id, staged, part)
) WITH (fillfactor = 60);
";

/// Into how many parts the checkpoints of a table are divided, by a digest of the slice. A row of the server's has 70
/// bytes of its own, which is more than most checkpoints, and is written anew for each change: ten thousand slices are
/// ten to a part.
const PARTS: u16 = 1024;

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
pub(crate) async fn create(client: &Client) -> Result<()> {
    if exists(client).await? {
        return Ok(());
    }
    const MAKE: &str = "creating the tables of the state";
    client
        .batch_execute(&format!(
            "BEGIN; SELECT pg_advisory_xact_lock({MAKING}); {TABLES} COMMIT"
        ))
        .await
        .doing(MAKE)
        .map_err(|error| {
            error.with_hint(
                "this user needs CREATE on the database, or the schema _bucketline made for it \
                 (docs/destinations.md)",
            )
        })
}

/// Takes the lock under which schemas are made, until the transaction ends.
pub(crate) async fn lock_making(client: &Client) -> Result<()> {
    client
        .batch_execute(&format!("SELECT pg_advisory_xact_lock({MAKING})"))
        .await
        .doing("making a schema")
}

/// Our tables are there.
///
/// # Errors
/// As [`create`].
pub(crate) async fn exists(client: &Client) -> Result<bool> {
    let there: bool = client
        .query_one(
            "SELECT to_regclass('_bucketline.version') IS NOT NULL
                AND to_regclass('_bucketline.checkpoints') IS NOT NULL",
            &[],
        )
        .await
        .doing(DOING)?
        .get(0);
    if !there {
        return Ok(false);
    }
    let version: i32 = client
        .query_one("SELECT version FROM _bucketline.version", &[])
        .await
        .doing(DOING)?
        .get(0);
    if version > VERSION {
        let message = format!(
            "a newer Bucketline has loaded into this database: its state has version {version}, and this \
             program knows version {VERSION}"
        );
        return Err(Error::new(code::UNSUPPORTED, message)
            .with_hint("update this program, or load into another database"));
    }
    Ok(true)
}

/// What we remember of a table.
pub(crate) async fn read(client: &Client, name: &str) -> Result<Option<Remembered>> {
    let Some(mut remembered) = read_table(client, name).await? else {
        return Ok(None);
    };
    let Remembered { id, state, .. } = &mut remembered;
    state.checkpoints = checkpoints(client, *id, false).await?;
    if let Some(staged) = &mut state.staged {
        staged.checkpoints = checkpoints(client, *id, true).await?;
    }
    Ok(Some(remembered))
}

/// The same without the checkpoints, of which there may be thousands.
pub(crate) async fn read_table(client: &Client, name: &str) -> Result<Option<Remembered>> {
    if !exists(client).await? {
        return Ok(None);
    }
    Ok(read_where(client, "WHERE t.name = $1", &[&name])
        .await?
        .pop()
        .map(|(_, remembered)| remembered))
}

/// The same of all tables, with their names.
pub(crate) async fn read_tables(client: &Client) -> Result<Vec<(String, Remembered)>> {
    match exists(client).await? {
        true => read_where(client, "", &[]).await,
        false => Ok(Vec::new()),
    }
}

async fn read_where(
    client: &Client,
    condition: &str,
    parameters: &[&(dyn tokio_postgres::types::ToSql + Sync)],
) -> Result<Vec<(String, Remembered)>> {
    let sql = format!(
        "SELECT t.id, t.record::text, t.columns::text, t.key::text, coalesce(l.rows, 0),
                t.staged_record::text, t.staged_columns::text, t.staged_key::text, t.name
         FROM _bucketline.tables AS t LEFT JOIN _bucketline.leases AS l USING (name) {condition}"
    );
    let rows = client.query(&sql, parameters).await.doing(DOING)?;
    let remembered = |row: &tokio_postgres::Row| -> Result<(String, Remembered)> {
        let text = |index: usize| -> &str { row.get(index) };
        let optional = |index: usize| -> Option<&str> { row.get(index) };
        let (mut staged, mut staging) = (None, None);
        if let (Some(record), Some(columns), Some(key)) = (optional(5), optional(6), optional(7)) {
            staged = Some(Staged {
                record: json(record)?,
                checkpoints: Checkpoints::new(),
            });
            staging = Some(Layout::stored(
                decode_columns(columns, damaged)?.as_ref(),
                &names(key)?,
            )?);
        }
        let rows: i64 = row.get(4);
        let state = TableState {
            record: json(text(1))?,
            columns: decode_columns(text(2), damaged)?,
            key: names(text(3))?,
            rows: u64::try_from(rows).unwrap_or(0),
            checkpoints: Checkpoints::new(),
            staged,
        };
        let id = row.get(0);
        Ok((row.get(8), Remembered { id, state, staging }))
    };
    rows.iter().map(remembered).collect()
}

/// Remembers a table's record and columns, and gives its id. Its rows and checkpoints stay.
pub(crate) async fn save(
    client: &Client,
    name: &str,
    record: &Value,
    layout: &Layout,
) -> Result<i64> {
    let (columns, key) = (encode_columns(layout), encode_key(layout));
    let row = client
        .query_one(
            "INSERT INTO _bucketline.tables (name, record, columns, key)
             VALUES ($1, $2::text::json, $3::text::json, $4::text::json)
             ON CONFLICT (name) DO UPDATE
             SET record = EXCLUDED.record, columns = EXCLUDED.columns, key = EXCLUDED.key
             RETURNING id",
            &[&name, &record.to_string(), &columns, &key],
        )
        .await
        .doing(SAVING)?;
    Ok(row.get(0))
}

/// Replaces a table's record.
pub(crate) async fn save_record(client: &Client, name: &str, record: &Value) -> Result<()> {
    client
        .execute(
            "UPDATE _bucketline.tables SET record = $2::text::json WHERE name = $1",
            &[&name, &record.to_string()],
        )
        .await
        .doing(SAVING)?;
    Ok(())
}

/// Remembers that there is a staging, or that there is none any more, without checkpoints in both cases.
pub(crate) async fn save_staging(
    client: &Client,
    id: i64,
    staging: Option<(&Value, &Layout)>,
) -> Result<()> {
    forget_all(client, id, true).await?;
    let record = staging.map(|(record, _)| record.to_string());
    let columns = staging.map(|(_, layout)| encode_columns(layout));
    let key = staging.map(|(_, layout)| encode_key(layout));
    client
        .execute(
            "UPDATE _bucketline.tables SET staged_record = $2::text::json,
                staged_columns = $3::text::json, staged_key = $4::text::json
             WHERE id = $1 AND (staged_record IS NOT NULL OR $2::text IS NOT NULL)",
            &[&id, &record, &columns, &key],
        )
        .await
        .doing(SAVING)?;
    Ok(())
}

/// Replaces the record of a staging, whose columns and checkpoints stay.
pub(crate) async fn save_staged_record(client: &Client, id: i64, record: &Value) -> Result<()> {
    client
        .execute(
            "UPDATE _bucketline.tables SET staged_record = $2::text::json WHERE id = $1",
            &[&id, &record.to_string()],
        )
        .await
        .doing(SAVING)?;
    Ok(())
}

/// Sets the number of rows.
pub(crate) async fn set_rows(client: &Client, name: &str, rows: u64) -> Result<()> {
    let rows = i64::try_from(rows).unwrap_or(i64::MAX);
    client
        .execute(
            "UPDATE _bucketline.leases SET rows = $2 WHERE name = $1 AND rows <> $2",
            &[&name, &rows],
        )
        .await
        .doing(SAVING)?;
    Ok(())
}

/// Saves a slice's checkpoint, or removes it.
pub(crate) async fn save_checkpoint(
    at: &mut Connected,
    id: i64,
    staged: bool,
    slice: &str,
    checkpoint: Option<&Value>,
) -> Result<()> {
    const READ: &str = "SELECT checkpoints FROM _bucketline.checkpoints
         WHERE table_id = $1 AND staged = $2 AND part = $3";
    const WRITE: &str = "INSERT INTO _bucketline.checkpoints VALUES ($1, $2, $3, $4)
         ON CONFLICT (table_id, staged, part) DO UPDATE SET checkpoints = EXCLUDED.checkpoints";
    let part = part(slice);
    let read = at.prepared(READ, SAVING).await?;
    let row = at.client.query_opt(&read, &[&id, &staged, &part]).await;
    let mut slices = match row.doing(SAVING)? {
        Some(row) => unpack(row.get(0))?,
        None => Map::new(),
    };
    let before = match checkpoint {
        Some(checkpoint) => slices.insert(slice.to_owned(), checkpoint.clone()),
        None => slices.remove(slice),
    };
    if before.as_ref() == checkpoint {
        return Ok(());
    }
    let write = at.prepared(WRITE, SAVING).await?;
    let packed = packed::pack(&Value::Object(slices));
    at.client
        .execute(&write, &[&id, &staged, &part, &packed])
        .await
        .doing(SAVING)?;
    Ok(())
}

fn part(slice: &str) -> i16 {
    let digest = Sha256::digest(slice.as_bytes());
    (u16::from_be_bytes([digest[0], digest[1]]) % PARTS).cast_signed()
}

fn unpack(part: &[u8]) -> Result<Map<String, Value>> {
    match packed::unpack(part) {
        Some(Value::Object(slices)) => Ok(slices),
        _ => Err(damaged(&"a checkpoint cannot be read")),
    }
}

/// Removes all checkpoints of a table or of its staging.
pub(crate) async fn forget_all(client: &Client, id: i64, staged: bool) -> Result<()> {
    client
        .execute(
            "DELETE FROM _bucketline.checkpoints WHERE table_id = $1 AND staged = $2",
            &[&id, &staged],
        )
        .await
        .doing(SAVING)?;
    Ok(())
}

/// Makes the staged checkpoints those of the table.
pub(crate) async fn promote_checkpoints(client: &Client, id: i64) -> Result<()> {
    forget_all(client, id, false).await?;
    client
        .execute(
            "UPDATE _bucketline.checkpoints SET staged = FALSE WHERE table_id = $1",
            &[&id],
        )
        .await
        .doing(SAVING)?;
    Ok(())
}

async fn checkpoints(client: &Client, id: i64, staged: bool) -> Result<Checkpoints> {
    let rows = client
        .query(
            "SELECT checkpoints FROM _bucketline.checkpoints
             WHERE table_id = $1 AND staged = $2",
            &[&id, &staged],
        )
        .await
        .doing(DOING)?;
    let mut checkpoints = Checkpoints::new();
    for row in &rows {
        checkpoints.extend(unpack(row.get(0))?);
    }
    Ok(checkpoints)
}

fn names(text: &str) -> Result<Vec<String>> {
    serde_json::from_str(text).map_err(|error| damaged(&error))
}

fn json(text: &str) -> Result<Value> {
    serde_json::from_str(text).map_err(|error| damaged(&error))
}

fn damaged(error: &dyn std::fmt::Display) -> Error {
    Error::new(code::DATABASE, format!("{DOING}: it is damaged: {error}")).with_hint(
        "somebody changed the tables of the schema _bucketline; drop it to load the copy anew",
    )
}
