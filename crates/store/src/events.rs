//! Events of runs.

use std::fmt::Write as _;

use bucketline_app::store::EventFilter;
use bucketline_app::{Event, Level, NewEvent, Result, RunId, TaskRunId};

use crate::database::{Row, Transaction, Value, not_found, values};
use crate::definitions::part_pattern;
use crate::pages;

/// Events that are asked for at most.
const MOST: u32 = 1000;

/// Rows of one INSERT: its values stay far below what either database takes.
const BATCH: usize = 100;

/// The number by which a level is stored, so that levels can be compared.
fn rank(level: Level) -> u32 {
    level as u32
}

fn event(run: RunId, mut row: Row) -> Result<Event> {
    let number = row.number()?;
    let at = row.time()?;
    let rank: usize = row.number()?;
    Ok(Event {
        run,
        number,
        content: NewEvent {
            at,
            level: Level::ALL.get(rank).copied().unwrap_or(Level::Info),
            kind: row.text()?,
            task_run: row.optional_integer()?.map(TaskRunId),
            slice: row.optional_text()?,
            code: row.optional_text()?,
            text: row.text()?,
        },
    })
}

pub(crate) async fn append(
    tx: &mut dyn Transaction,
    run: RunId,
    events: &[NewEvent],
    cap: u32,
) -> Result<u64> {
    let sql = "UPDATE runs SET last_event = last_event + ?2, events = events + ?2 WHERE id = ?1 \
               RETURNING last_event, events, events_from";
    let row = tx.row(sql, &values![run.0, events.len() as u64]).await?;
    let mut row = row.ok_or_else(|| not_found("run", run.0))?;
    let (last, kept, from): (u64, u64, u64) = (row.number()?, row.number()?, row.number()?);
    let mut number = last - events.len() as u64;
    for batch in events.chunks(BATCH) {
        let mut sql = String::from(
            "INSERT INTO events (run_id, number, at, level, kind, task_run_id, slice, code, text) VALUES",
        );
        let mut row: Vec<Value> = Vec::with_capacity(batch.len() * 9);
        for (index, event) in batch.iter().enumerate() {
            number += 1;
            let first = row.len();
            let _ = write!(sql, "{} (", if index == 0 { "" } else { "," });
            for place in 1..=9 {
                let comma = if place == 1 { "" } else { ", " };
                let _ = write!(sql, "{comma}?{}", first + place);
            }
            sql.push(')');
            row.extend(values![
                run.0,
                number,
                event.at,
                rank(event.level),
                &event.kind,
                event.task_run.map(|task| task.0),
                event.slice.as_ref(),
                event.code.as_ref(),
                &event.text,
            ]);
        }
        tx.execute(&sql, &row).await?;
    }
    let over = kept.saturating_sub(cap.into());
    if over > 0 {
        drop_oldest(tx, run, from, over).await?;
    }
    Ok(last)
}

/// Removes the oldest events that are no errors, and counts them.
async fn drop_oldest(tx: &mut dyn Transaction, run: RunId, from: u64, over: u64) -> Result<()> {
    let sql = format!(
        "SELECT max(number), count(*) FROM (SELECT number FROM events \
         WHERE run_id = ?1 AND number > ?2 AND level < ?3 ORDER BY number LIMIT {over}) AS oldest"
    );
    let row = tx
        .row(&sql, &values![run.0, from, rank(Level::Error)])
        .await?;
    let Some(mut row) = row else { return Ok(()) };
    let Some(last) = row.optional_number::<u64>()? else {
        return Ok(());
    };
    let removed: u64 = row.number()?;
    let sql =
        "DELETE FROM events WHERE run_id = ?1 AND number > ?2 AND number <= ?3 AND level < ?4";
    let row = values![run.0, from, last, rank(Level::Error)];
    tx.execute(sql, &row).await?;
    let sql = "UPDATE runs SET events = events - ?2, events_dropped = events_dropped + ?2, \
               events_from = ?3 WHERE id = ?1";
    tx.execute(sql, &values![run.0, removed, last]).await?;
    Ok(())
}

pub(crate) async fn list(
    tx: &mut dyn Transaction,
    run: RunId,
    filter: &EventFilter,
) -> Result<Vec<Event>> {
    let mut conditions = pages::Conditions::default();
    conditions.add("run_id = ?", [run.0]);
    if let Some(after) = filter.after {
        conditions.add("number > ?", [after]);
    }
    if let Some(before) = filter.before {
        conditions.add("number < ?", [before]);
    }
    if let Some(level) = filter.level {
        conditions.add("level >= ?", [rank(level)]);
    }
    if let Some(text) = &filter.text {
        let condition = format!("text {} ? ESCAPE '\\'", tx.dialect().like);
        conditions.add(&condition, [part_pattern(text)]);
    }
    let order = if filter.after.is_some() {
        "ASC"
    } else {
        "DESC"
    };
    let sql = format!(
        "SELECT number, at, level, kind, task_run_id, slice, code, text FROM events {conditions} \
         ORDER BY number {order} LIMIT {}",
        filter.limit.clamp(1, MOST)
    );
    let rows = tx.rows(&sql, conditions.values()).await?;
    let events = rows.into_iter().map(|row| event(run, row));
    let mut events = events.collect::<Result<Vec<_>>>()?;
    if filter.after.is_none() {
        events.reverse();
    }
    Ok(events)
}
