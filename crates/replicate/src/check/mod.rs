//! CHECKCACHE: a table is compared with what it is a copy of, and mended.

mod copy;
mod sides;

use std::sync::Arc;

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use bucketline_destination::{
    Change, DELETED, Destination, Load, LoadPlan, Retention, START, TableStatus, Target,
};
use bucketline_source::Reading;
use chrono::{DateTime, Utc};

use self::copy::Copy;
use self::sides::{Look, Source};
use crate::prepare::{Prepared, change_column, prepare};
use crate::record::Owner;
use crate::report::counted;
use crate::run::{Run, list, owners};
use crate::standing::Standing;
use crate::statement::{Deletes, Statement};
use crate::work::Work;
use crate::{Error, Result, code};

/// The slice under which a repair is written: all of it is one transaction.
const REPAIR: &str = "repair";

/// How a row of the source and one of the copy differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Difference {
    /// The copy lacks it.
    Missing,
    /// Both have it, with other values.
    Modified,
    /// The source lacks it, or it does not match.
    Deleted,
}

impl Difference {
    /// As the result of CHECKCACHE spells it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Missing => "MISSING",
            Self::Modified => "MODIFIED",
            Self::Deleted => "DELETED",
        }
    }
}

/// What a CHECKCACHE found.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// The destination's table as the statement spelled it.
    pub table: String,
    /// The rows that differ: the key, `Name=value` separated by commas, and how.
    pub findings: Vec<(String, Difference)>,
    /// The differences are mended.
    pub repaired: bool,
    /// Requests made, look-ups and listings included.
    pub requests: u64,
    /// What the user should know.
    pub notes: Vec<String>,
}

/// What is compared, and whether it is mended.
#[derive(Debug, Clone, Default)]
pub(crate) struct Check {
    /// It is another query than the one that filled the table.
    pub(crate) against: bool,
    pub(crate) repair: bool,
    pub(crate) skip_modified: bool,
    pub(crate) skip_deleted: bool,
    /// Only rows whose change column is not before this.
    pub(crate) start: Option<DateTime<Utc>>,
    /// Only rows whose change column is not after this.
    pub(crate) end: Option<DateTime<Utc>>,
}

impl Check {
    fn is_bounded(&self) -> bool {
        self.start.is_some() || self.end.is_some()
    }

    fn admits(&self, change: Option<i64>) -> bool {
        let Some(change) = change else {
            return !self.is_bounded();
        };
        self.start
            .is_none_or(|start| change >= start.timestamp_micros())
            && self.end.is_none_or(|end| change <= end.timestamp_micros())
    }
}

/// What a check settles before it reads rows.
struct Settled {
    prepared: Prepared,
    standing: Standing,
    /// The change column, if the check is bounded by it.
    change: Option<String>,
}

fn settle(
    work: Work<'_>,
    status: &TableStatus,
    statement: &Statement,
    check: &Check,
) -> Result<Settled> {
    let table = &statement.table;
    let prepared = prepare(work, statement)?;
    let standing = Standing::read(statement, status)?;
    let Some(state) = status.state.as_ref().filter(|_| standing.record.is_some()) else {
        return Err(failed(format!("no REPLICATE has filled {table}"))
            .with_hint(format!("REPLICATE {table} makes and fills it")));
    };
    if !check.against
        && let Some(why) = standing.difference(&prepared).reason()
    {
        return Err(failed(format!(
            "the statement that filled {table} means something else here: {why}"
        ))
        .with_hint("USE the connection and schema of then, run its REPLICATE again, or say with AGAINST what it is held against"));
    }
    let key = prepared.layout.key_names();
    let stored: Vec<_> = state.key.iter().filter(|name| *name != START).collect();
    let same_key = key.len() == stored.len()
        && key
            .iter()
            .all(|name| stored.iter().any(|it| it.eq_ignore_ascii_case(name)));
    if key.is_empty() || !same_key {
        let list = |names: Vec<&str>| match names.is_empty() {
            true => "none".to_owned(),
            false => names.join(", "),
        };
        return Err(failed(format!(
            "the rows of {table} cannot be told apart: its key is {}, that of the query {}",
            list(stored.iter().map(|name| name.as_str()).collect()),
            list(key.iter().map(String::as_str).collect())
        ))
        .with_hint("select the key columns of the table"));
    }
    let change = match work {
        _ if !check.is_bounded() => None,
        Work::Rows(works) => {
            let change = change_column(works, &prepared.layout);
            Some(change.map_err(|why| no_bounds(&why))?)
        }
        Work::Whole(work) => return Err(no_bounds(work.why())),
    };
    Ok(Settled {
        prepared,
        standing,
        change,
    })
}

/// Compares a table with a statement's work. `load` has the table's lease if the differences are to be mended.
///
/// # Errors
/// What keeps the two from being compared, and what the source or the destination fails with: then nothing was
/// changed.
pub(crate) async fn compare(
    run: &Run<'_>,
    work: Work<'_>,
    destination: &Arc<dyn Destination>,
    status: &TableStatus,
    load: Option<Box<dyn Load>>,
    statement: &Statement,
    check: &Check,
) -> Result<Comparison> {
    let table = &statement.table;
    let Settled {
        prepared,
        standing,
        change,
    } = settle(work, status, statement, check)?;
    list(work, &run.context).await?;
    let owners = owners(work, &run.context).await?;
    if check.repair || !check.against {
        standing.check_owner(table, &owners)?;
    }

    let with_values = !check.skip_modified;
    let mut copy = Copy::read(
        destination.as_ref(),
        statement,
        &prepared,
        change.as_deref(),
        with_values,
    )
    .await?;
    let source = Source {
        run,
        work,
        prepared: &prepared,
        check,
    };
    let deletes = deletes(run, &standing, &owners, statement, check);
    let mut findings = Vec::new();
    let mut changes = Vec::new();
    source
        .look(&mut copy, deletes, |look| {
            let Look {
                slice,
                rows,
                differences,
            } = look;
            let keys = copy::keys_of(&rows, prepared.layout.key_schema())?;
            for (row, difference) in &differences {
                findings.push((slice, copy::describe(&keys, *row)?, *difference));
            }
            if check.repair {
                changes.extend(sides::picked(&rows, &differences)?.map(Change::Upsert));
            }
            Ok(())
        })
        .await?;
    // In the order of the slices, whichever was read first.
    findings.sort_by_key(|(slice, ..)| *slice);
    let found = findings
        .into_iter()
        .map(|(_, key, difference)| (key, difference));
    let mut findings: Vec<_> = found.collect();
    let gone = copy.gone(check)?;
    for row in 0..gone.num_rows() {
        findings.push((copy::describe(&gone, row)?, Difference::Deleted));
    }
    let mut repaired = false;
    if let Some(load) = load {
        if gone.num_rows() > 0 {
            changes.push(Change::Delete(gone));
        }
        repaired = !changes.is_empty();
        repair(load, status, &prepared, changes).await?;
    }
    Ok(Comparison {
        table: table.to_string(),
        findings,
        repaired,
        requests: run.context.requests(),
        notes: run.voice.notes(),
    })
}

/// Whether rows that the source lacks are looked for.
fn deletes(
    run: &Run<'_>,
    standing: &Standing,
    owners: &[Owner],
    statement: &Statement,
    check: &Check,
) -> bool {
    if check.skip_deleted {
        return false;
    }
    if statement.options.deletes == Deletes::Skip {
        run.voice.note(format!(
            "{} keeps rows that the source has deleted, as its statement says; they are not looked for",
            statement.table
        ));
        return false;
    }
    let off = standing
        .record
        .as_ref()
        .is_some_and(|record| record.deletes_off);
    if off || standing.credential_changed(owners) {
        run.voice.note(
            "the credential or its scopes changed since the last whole run: rows that the source lacks are not looked for",
        );
        return false;
    }
    true
}

/// Applies the changes in one transaction. Record and checkpoints stay as they are.
async fn repair(
    load: Box<dyn Load>,
    status: &TableStatus,
    prepared: &Prepared,
    changes: Vec<Change>,
) -> Result<()> {
    let Some(state) = status.state.as_ref().filter(|_| !changes.is_empty()) else {
        return load.finish(None).await;
    };
    let retention = match &prepared.history {
        Some(change) => Retention::Versions {
            change: change.clone(),
            now: Utc::now(),
        },
        None if state.columns.field_with_name(DELETED).is_ok() => Retention::Deleted,
        None => Retention::Nothing,
    };
    let plan = LoadPlan {
        columns: prepared.layout.columns.clone(),
        key: prepared.layout.key_names(),
        indexes: Vec::new(),
        retention,
        target: Target::Table,
        forget_checkpoints: false,
        adopts: false,
        resumes: false,
        doc: None,
        dropped: Vec::new(),
        record: state.record.clone(),
        batch_size: None,
    };
    load.begin(plan).await?;
    for change in changes {
        load.write(REPAIR, change).await?;
    }
    load.commit(REPAIR, None).await?;
    load.finish(None).await
}

/// Explains a check in lines. Makes no request but look-ups of names.
///
/// # Errors
/// What keeps the two from being compared.
pub(crate) fn explain(
    run: &Run<'_>,
    work: Work<'_>,
    status: &TableStatus,
    statement: &Statement,
    check: &Check,
) -> Result<Vec<String>> {
    let Settled {
        prepared, standing, ..
    } = settle(work, status, statement, check)?;
    let source = Source {
        run,
        work,
        prepared: &prepared,
        check,
    };
    let held = if check.against {
        "held against"
    } else {
        "filled by"
    };
    let mut lines = vec![
        format!(
            "table: {}, {}",
            statement.table,
            counted(standing.rows, "row")
        ),
        format!("{held}: {}", statement.text),
        format!("key: {}", prepared.layout.key_names().join(", ")),
    ];
    let what = match (check.skip_modified, check.skip_deleted) {
        (false, false) => "rows that are missing, modified or deleted",
        (true, _) => "rows that are missing or deleted; values are not compared",
        (false, true) => "rows that are missing or modified",
    };
    lines.push(format!("finds: {what}"));
    let arms = match work {
        Work::Rows(works) => prepared.arms(works),
        Work::Whole(_) => Vec::new(),
    };
    for arm in &arms {
        lines.extend(arm.headline(arms.len()));
        let (plan, reading) = source.plan(arm)?;
        let known = standing.slices_of(arm.number).count();
        let plan = arm.work.source().explain(&plan, &reading);
        lines.extend(plan.explain((known > 0).then_some(known)));
        if reading == Reading::Listing {
            let cost = standing.listing_cost(arm.number, &plan);
            lines.push(format!(
                "all rows: {cost}, besides the listing of the slices"
            ));
        }
    }
    lines.push(match check.repair {
        true => "repair: all differences in one transaction".to_owned(),
        false => "repair: none; WITH REPAIR mends what differs".to_owned(),
    });
    Ok(lines)
}

fn no_bounds(why: &str) -> Error {
    failed(format!("START and END need a change column: {why}"))
        .with_hint("leave START and END out")
}

fn failed(message: String) -> Error {
    Error::new(code::CHECK, message)
}

/// The rows with these numbers.
fn taken(rows: &RecordBatch, numbers: Vec<u32>) -> Result<RecordBatch> {
    take_record_batch(rows, &UInt32Array::from(numbers))
        .map_err(|error| Error::new(code::BAD_VALUE, error.to_string()))
}
