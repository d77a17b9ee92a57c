//! What was done by whom: rows that are added, and removed when they are old.

use bucketline_app::Result;
use bucketline_app::people::{AuditEntry, AuditFilter, NewAuditEntry};
use bucketline_app::store::{Change, Page, PageRequest};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use crate::database::{Transaction, to_json, values};
use crate::definitions::part_pattern;
use crate::pages;

/// How long entries are kept.
const KEPT: TimeDelta = TimeDelta::days(366);

/// Adds an entry.
pub(crate) async fn add(
    tx: &mut dyn Transaction,
    entry: &NewAuditEntry,
    change: &Change,
) -> Result<()> {
    let sql = "INSERT INTO audit (at, changed_by, address, action, object, before, after) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let row = values![
        change.at,
        &change.by,
        change.from.as_ref(),
        &entry.action,
        &entry.object,
        entry.before.as_ref(),
        entry.after.as_ref(),
    ];
    tx.execute(sql, &row).await?;
    Ok(())
}

/// Adds that something was changed, in the transaction that changes it. Secrets are masked in what is given.
pub(crate) async fn note<T: Serialize>(
    tx: &mut dyn Transaction,
    change: &Change,
    action: &str,
    object: &str,
    [before, after]: [Option<&T>; 2],
) -> Result<()> {
    let entry = NewAuditEntry {
        action: action.to_owned(),
        object: object.to_owned(),
        before: before.map(to_json).transpose()?,
        after: after.map(to_json).transpose()?,
    };
    add(tx, &entry, change).await
}

pub(crate) async fn list(
    tx: &mut dyn Transaction,
    filter: &AuditFilter,
    page: &PageRequest,
) -> Result<Page<AuditEntry>> {
    let mut conditions = pages::Conditions::default();
    if let Some(by) = &filter.by {
        conditions.add("changed_by = ?", [by.as_str()]);
    }
    if let Some(action) = &filter.action {
        let pattern = part_pattern(action).split_off(1);
        conditions.add("action LIKE ? ESCAPE '\\'", [pattern]);
    }
    if let Some(object) = &filter.object {
        conditions.add("object = ?", [object.as_str()]);
    }
    if let Some(since) = filter.since {
        conditions.add("at >= ?", [since]);
    }
    let total = conditions.count(tx, "audit").await?;
    if let Some(cursor) = &page.after {
        let [after] = cursor.keys("audit")?;
        let after: i64 = after.parse().unwrap_or(0);
        conditions.add("id < ?", [after]);
    }
    let sql = format!(
        "SELECT id, at, changed_by, address, action, object, before, after FROM audit {conditions} \
         ORDER BY id DESC LIMIT {}",
        page.size() + 1
    );
    let rows = tx.rows(&sql, conditions.values()).await?;
    let entries = rows.into_iter().map(|mut row| {
        Ok(AuditEntry {
            id: row.integer()?,
            at: row.time()?,
            by: row.text()?,
            from: row.optional_text()?,
            action: row.text()?,
            object: row.text()?,
            before: row.optional_text()?,
            after: row.optional_text()?,
        })
    });
    let entries = entries.collect::<Result<Vec<_>>>()?;
    Ok(pages::page("audit", entries, page, total, |entry| {
        vec![entry.id.to_string()]
    }))
}

/// Entries that are removed at once.
const MOST: u64 = 1_000;

/// Removes what is too old: entries, and sessions and tokens that ended. Returns whether there are more.
pub(crate) async fn prune(tx: &mut dyn Transaction, at: DateTime<Utc>) -> Result<bool> {
    let sql = format!(
        "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE at < ?1 ORDER BY at LIMIT {MOST})"
    );
    let removed = tx.execute(&sql, &values![at - KEPT]).await?;
    let before = values![at - bucketline_app::people::SESSION_LONGEST];
    tx.execute("DELETE FROM sessions WHERE begun_at < ?1", &before)
        .await?;
    Ok(removed == MOST)
}
