//! What connections and jobs have in common: names, labels, revisions.

use bucketline_app::store::Change;
use bucketline_app::{Error, Result, Revision, Stored, name};
use bucketline_core::code;

use crate::database::{Row, Topic, Transaction, values};

/// Begins a change of connections or jobs: one at a time, so that names stay unique.
pub(crate) async fn begin(tx: &mut dyn Transaction) -> Result<()> {
    tx.alone(Topic::Definitions).await
}

/// Says that connections or jobs have changed: the last thing in a transaction, since others wait for it.
pub(crate) async fn changed(tx: &mut dyn Transaction) -> Result<()> {
    let sql = "UPDATE application SET value = CAST(CAST(value AS BIGINT) + 1 AS TEXT) \
               WHERE name = 'generation'";
    tx.execute(sql, &[]).await?;
    Ok(())
}

/// See [`Store::generation`](bucketline_app::Store::generation).
pub(crate) async fn generation(tx: &mut dyn Transaction) -> Result<u64> {
    let sql = "SELECT CAST(value AS BIGINT) FROM application WHERE name = 'generation'";
    tx.number(sql, &[]).await
}

/// Refuses an edit that was made from an old revision.
pub(crate) fn must_be(what: &str, name: &str, found: Revision, expected: Revision) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    let message = format!("{what} `{name}` has been changed since it was read");
    Err(Error::new(code::store::CHANGED, message).with_hint("read it again, and repeat the change"))
}

pub(crate) fn name_taken(what: &str, name: &str) -> Error {
    Error::new(
        code::store::NAME_TAKEN,
        format!("there is a {what} `{name}` already"),
    )
    .with_hint("choose another name; the case of letters does not count")
}

/// Labels as a text in which one is found between line feeds.
pub(crate) fn label_keys(labels: &[String]) -> String {
    let mut keys = String::from("\n");
    for label in labels {
        keys.push_str(&name::key(label));
        keys.push('\n');
    }
    keys
}

/// The pattern that finds a label in [`label_keys`].
pub(crate) fn label_pattern(label: &str) -> String {
    format!("%\n{}\n%", escaped(&name::key(label)))
}

/// The pattern that finds a text within another.
pub(crate) fn part_pattern(text: &str) -> String {
    format!("%{}%", escaped(text))
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('%', "\\%")
        .replace('_', "\\_")
}

/// What [`stored`] reads.
pub(crate) const STORED: &str = "id, revision, created_at, changed_at, changed_by";

/// What the store adds to a value; see [`STORED`].
pub(crate) fn stored<I>(row: &mut Row, id: fn(i64) -> I) -> Result<Stored<I, ()>> {
    Ok(Stored {
        id: id(row.integer()?),
        revision: Revision(row.integer()?),
        created_at: row.time()?,
        changed_at: row.time()?,
        changed_by: row.text()?,
        value: (),
    })
}

/// The value with what the store adds to it.
pub(crate) fn with_value<I, T>(stored: Stored<I, ()>, value: T) -> Stored<I, T> {
    Stored {
        id: stored.id,
        revision: stored.revision,
        created_at: stored.created_at,
        changed_at: stored.changed_at,
        changed_by: stored.changed_by,
        value,
    }
}

/// Says that a thing was changed.
pub(crate) async fn touch(
    tx: &mut dyn Transaction,
    table: &'static str,
    id: i64,
    change: &Change,
) -> Result<()> {
    let sql = format!(
        "UPDATE {table} SET revision = revision + 1, changed_at = ?2, changed_by = ?3 WHERE id = ?1"
    );
    tx.execute(&sql, &values![id, change.at, &change.by])
        .await?;
    Ok(())
}

/// A write that changes nothing: fails if the store takes none.
pub(crate) async fn touch_nothing(tx: &mut dyn Transaction) -> Result<()> {
    let sql = "UPDATE application SET value = value WHERE name = 'generation'";
    tx.execute(sql, &[]).await?;
    Ok(())
}
