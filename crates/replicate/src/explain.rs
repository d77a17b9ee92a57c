//! What a REPLICATE would do, in lines for a person.

use std::sync::Arc;

use bucketline_destination::Destination;
use bucketline_source::spec::{Cursor, Feed, Strategy, TableSpec};
use bucketline_source::{Pushdown, ReadContext, Reading, RequestCount, ScanPlan};

use crate::arms::Arm;
use crate::fingerprint::{Difference, enumerated};
use crate::prepare::{Prepared, prepare};
use crate::record::{SliceState, Slices};
use crate::report::grouped;
use crate::run::owners;
use crate::standing::{Approach, Standing};
use crate::statement::{Deletes, Statement};
use crate::work::Work;
use crate::{Mode, Result};

/// How the result of a statement that is computed as a whole gets into the table.
pub(crate) const WHOLE: &str = "the result is staged and replaces the table's rows at the end";

/// Explains a statement. Makes no request but look-ups of names, and writes nothing.
pub(crate) async fn explain(
    work: Work<'_>,
    destination: &Arc<dyn Destination>,
    statement: &Statement,
    context: &ReadContext,
) -> Result<Vec<String>> {
    let prepared = prepare(work, statement)?;
    let table = &statement.table;
    let status = destination.inspect(table).await?;
    let mut lines = vec![
        format!("table: {table} in {}", destination.label()),
        format!("mode: {}: {}", prepared.mode, prepared.why),
    ];
    let key = prepared.layout.key_names();
    lines.push(match key.is_empty() {
        true => "key: none".to_owned(),
        false => format!("key: {}", key.join(", ")),
    });

    // What would be refused is said, and does not keep the rest from being shown.
    let standing = match Standing::read(statement, &status) {
        Ok(standing) => standing,
        Err(error) => {
            lines.push(format!("would be refused: {error} ({})", error.code()));
            Standing::default()
        }
    };
    let owner = match standing.exists {
        true => standing.check_owner(table, &owners(work, context).await?),
        false => Ok(()),
    };
    for refused in [owner, standing.check_history(&prepared, statement)] {
        if let Err(error) = refused {
            lines.push(format!("would be refused: {error} ({})", error.code()));
        }
    }

    match work {
        Work::Rows(works) => {
            let arms = prepared.arms(works);
            cursor(&arms, &prepared, &standing.slices, &mut lines);
            let approach = standing.approach(&prepared, statement);
            loading(&prepared, &standing, &approach, &arms, &mut lines);
            let mut sum = RequestCount::Exactly(0);
            for arm in &arms {
                lines.extend(arm.headline(arms.len()));
                let requests = reads(arm, &prepared, &standing, &approach, &mut lines);
                sum = sum + requests;
            }
            if arms.len() > 1 {
                lines.push(format!("requests of all queries: {sum}"));
            }
        }
        Work::Whole(work) => {
            lines.push(format!("load: {WHOLE}"));
            lines.extend(work.explain().await?);
            let mut lists = work.lists().await?.into_iter().peekable();
            let is_looked_up = |plan: &ScanPlan| plan.requests.len() > 1;
            if lists.peek().is_some() && !lists.any(|(_, plan)| is_looked_up(&plan)) {
                // Nothing else tells it.
                lines
                    .push("owner: the workspace is looked up, one request a connection".to_owned());
            }
        }
    }
    let of_parents = prepared.rows.iter().any(|rows| {
        let table = &rows.scan.plan().request.table;
        matches!(table.strategy(), Strategy::Parent(_))
    });
    let sweeps = prepared.rows.iter().any(|rows| rows.sweep.is_some());
    lines.push(merging(&prepared, statement, of_parents, sweeps));
    lines.extend(
        prepared
            .history
            .as_ref()
            .map(|change| format!("history: each version of a row is kept, from its {change} on")),
    );
    lines.extend(prepared.notes.iter().map(|note| format!("note: {note}")));
    Ok(lines)
}

/// What is read of one query; gives the number of its requests.
fn reads(
    arm: &Arm<'_>,
    prepared: &Prepared,
    standing: &Standing,
    approach: &Approach,
    lines: &mut Vec<String>,
) -> RequestCount {
    let Arm { number, work, rows } = arm;
    let known = standing.slices_of(*number).count();
    let known = (known > 0).then_some(known);
    let reading = reading(prepared, standing.slices_of(*number), approach);
    let plan = work.source().explain(rows.scan.plan(), &reading);
    lines.extend(work.source().address().map(|it| format!("source: {it}")));
    lines.extend(plan.explain(known));
    lines.extend(later_runs(&plan, &reading));
    if let Some(sweep) = &rows.sweep {
        let sweep = work.source().explain(sweep, &Reading::Listing);
        let keys = sweep.requests.last().map(ToString::to_string);
        let cost = match known {
            None => "not in the first load, of which nothing can have been deleted".to_owned(),
            Some(_) => format!("{} more", standing.listing_cost(*number, &sweep)),
        };
        lines.push(format!(
            "deletes: once its changes are read, the keys of each slice: {}; {cost}",
            keys.unwrap_or_default()
        ));
    }
    plan.forecast(known)
}

/// How most slices will be read: as a later run, once a first load has ended and unless everything is staged anew.
pub(crate) fn reading<'a>(
    prepared: &Prepared,
    mut slices: impl Iterator<Item = &'a SliceState>,
    approach: &Approach,
) -> Reading {
    match prepared.mode {
        Mode::Incremental => {
            let finished = slices.find(|state| state.checkpoint.is_loaded());
            Reading::Changes(
                finished
                    .filter(|_| *approach == Approach::Merge)
                    .map(|state| state.checkpoint.clone())
                    .unwrap_or_default(),
            )
        }
        Mode::Listing => Reading::Listing,
        Mode::Replace => Reading::Scan,
    }
}

fn cursor(arms: &[Arm<'_>], prepared: &Prepared, slices: &Slices, lines: &mut Vec<String>) {
    let mut columns: Vec<_> = arms
        .iter()
        .filter_map(|arm| change_column(arm.work.table()))
        .collect();
    columns.dedup();
    if prepared.mode != Mode::Incremental || columns.is_empty() {
        return;
    }
    let column = columns.join(", ");
    let marks = || slices.values().filter_map(|state| state.checkpoint.mark);
    let mut values = slices
        .values()
        .filter_map(|state| state.checkpoint.values.as_ref());
    if let Some(value) = values.find_map(|values| values.mark.as_ref()) {
        lines.push(format!("cursor: {column}, read up to {value}"));
        return;
    }
    lines.push(match (marks().min(), marks().max()) {
        (Some(first), Some(last)) => {
            let unfinished = slices
                .values()
                .filter(|state| state.checkpoint.is_walking())
                .count();
            let rest = match unfinished {
                0 => String::new(),
                count => format!("; {} unfinished walks go on", grouped(count as u64)),
            };
            format!(
                "cursor: {column}, read up to {first} (first slice) and {last} (last slice){rest}"
            )
        }
        _ if slices.is_empty() => format!("cursor: {column}, nothing was read yet"),
        _ => format!("cursor: {column}, the first load is unfinished and goes on"),
    });
}

/// The column by which changes are found, with its table where that is another one.
fn change_column(table: &TableSpec) -> Option<String> {
    match table.strategy() {
        Strategy::Cursor(Cursor { column, .. }) | Strategy::Feed(Feed { column, .. }) => {
            Some(table.columns[*column].name.clone())
        }
        Strategy::Parent(parent) => {
            let column = change_column(&parent.table)?;
            Some(format!("{}.{column}", parent.table.name))
        }
        Strategy::Heads(_) | Strategy::Whole => None,
    }
}

/// How the rows get into the table.
pub(crate) fn load_in_words(
    prepared: &Prepared,
    standing: &Standing,
    approach: &Approach,
    arms: &[Arm<'_>],
) -> String {
    match approach {
        Approach::Merge if standing.exists => "changes are merged into the table".to_owned(),
        Approach::Merge => "first load, into a new table".to_owned(),
        Approach::Reload { why, recreate, .. } => {
            let cost = match standing.exists && prepared.mode != Mode::Replace {
                true => format!(", {}", standing.reload_cost(arms)),
                false => String::new(),
            };
            let how = if *recreate {
                "dropped and made anew"
            } else {
                "replaced"
            };
            format!("{why}: everything is staged{cost}, and the table is {how} at the end")
        }
    }
}

fn loading(
    prepared: &Prepared,
    standing: &Standing,
    approach: &Approach,
    arms: &[Arm<'_>],
    lines: &mut Vec<String>,
) {
    let load = load_in_words(prepared, standing, approach, arms);
    lines.push(format!("load: {load}"));
    let Difference { dropped, .. } = standing.difference(prepared);
    if !dropped.is_empty() {
        lines.push(format!(
            "columns no longer selected stay and are NULL: {}",
            enumerated(&dropped)
        ));
    }
}

/// Conditions that only the first load hands to the source.
fn later_runs(plan: &ScanPlan, reading: &Reading) -> Option<String> {
    let first = matches!(reading, Reading::Changes(checkpoint) if !checkpoint.is_loaded());
    let mutable: Vec<_> = plan
        .predicates
        .iter()
        .filter(|planned| !planned.chooses_slices && !planned.immutable)
        .filter(|planned| planned.pushdown != Pushdown::Kept)
        .map(|planned| {
            let name = &plan.request.table.columns[planned.predicate.column].name;
            planned.predicate.display(name).to_string()
        })
        .collect();
    (first && !mutable.is_empty()).then(|| {
        format!(
            "after the first load filtered here, so that rows which stop matching leave: {}",
            mutable.join(" AND ")
        )
    })
}

/// How rows get into the table, and out of it.
fn merging(prepared: &Prepared, statement: &Statement, of_parents: bool, sweeps: bool) -> String {
    let gone = match (&prepared.history, statement.options.deletes) {
        (_, Deletes::Skip) => "stay",
        (Some(_), _) => "end their versions",
        (None, Deletes::Mark) => "are marked",
        (None, Deletes::Remove) => "are deleted",
    };
    let skips = statement.options.deletes == Deletes::Skip;
    let left = match &prepared.history {
        None if skips => "are deleted",
        Some(_) => "end their versions",
        None => gone,
    };
    match prepared.mode {
        Mode::Incremental if sweeps => format!(
            "merge: by key; rows that no longer match {left}, like those whose keys are listed no more"
        ),
        Mode::Incremental if of_parents => format!(
            "merge: by key; of each row that these hang on and that is read again, those that are gone {gone}"
        ),
        Mode::Incremental => format!(
            "merge: by key; rows that no longer match {left}; rows deleted at the source are not seen"
        ),
        Mode::Listing if skips => format!(
            "merge: by key; rows that no longer match {left}; those that a listing lacks stay"
        ),
        Mode::Listing => format!("merge: by key; rows that a complete listing lacks {gone}"),
        Mode::Replace if prepared.layout.key.is_empty() => {
            "merge: none; all rows are deleted and inserted in one transaction".to_owned()
        }
        Mode::Replace => {
            format!("merge: by key in one transaction; absent rows {gone}, equal ones not written")
        }
    }
}
