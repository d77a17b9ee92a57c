//! From what is asked to what SQLite is asked. Pure: no I/O here.

use std::sync::Arc;

use arrow::datatypes::Schema;
use bucketline_core::code::sqlite as code;
use bucketline_source::{
    Checkpoint, Error, Estimate, PlannedPredicate, Pushdown, Reading, RequestShape, Result,
    ScanPlan, ScanRequest, SliceChoice, TableSpec,
};
use rusqlite::types::Value;

use super::position;
use super::query::{Sql, name, pushdown};

/// Plans a request.
///
/// # Errors
/// `Rejected` (BL6105) if the request names columns that the table does not have.
pub(super) fn plan(request: ScanRequest) -> Result<ScanPlan> {
    let table = Arc::clone(&request.table);
    let named = request.columns.iter().copied();
    let named = named
        .chain(request.predicates.iter().map(|predicate| predicate.column))
        .chain(request.order.iter().map(|order| order.column));
    if let Some(index) = named.into_iter().find(|&it| it >= table.columns.len()) {
        let message = format!("{} has no column number {index}", table.name);
        return Err(Error::new(code::REFUSED, message));
    }
    let planned = request.predicates.iter().map(|predicate| {
        let column = &table.columns[predicate.column];
        PlannedPredicate {
            predicate: predicate.clone(),
            pushdown: pushdown(column, predicate),
            chooses_slices: false,
            immutable: column.immutable,
        }
    });
    let predicates: Vec<_> = planned.collect();
    let is_exact = predicates.iter().all(|it| it.pushdown == Pushdown::Exact);
    let can_order = |column: usize| table.columns[column].sort;
    let ordered = is_exact && request.order.is_some_and(|order| can_order(order.column));
    let limited = is_exact && request.limit.is_some() && (ordered || request.order.is_none());
    let limit = request.limit.filter(|_| limited);
    let page_size = [request.page_size, limit]
        .into_iter()
        .flatten()
        .fold(table.page_size, usize::min);
    let fields = request.columns.iter();
    let fields: Vec<_> = fields.map(|&it| table.columns[it].field()).collect();
    let mut plan = ScanPlan {
        schema: Arc::new(Schema::new(fields)),
        predicates,
        slices: SliceChoice::One,
        hidden: None,
        parent: None,
        ordered,
        limited,
        page_size: page_size.max(1),
        answers: "SQLite",
        requests: Vec::new(),
        estimate: Estimate::Exactly(0),
        notes: Vec::new(),
        request,
    };
    plan.requests = vec![shown(&plan, &Reading::Scan)];
    Ok(plan)
}

/// The plan as it is carried out in this way.
pub(super) fn carried_out(plan: &ScanPlan, reading: &Reading) -> ScanPlan {
    let mut plan = plan.clone();
    let handed: Vec<bool> = handed(&plan, reading).collect();
    for (planned, is_handed) in plan.predicates.iter_mut().zip(handed) {
        if !is_handed {
            planned.pushdown = Pushdown::Kept;
        }
    }
    if matches!(reading, Reading::Changes(_)) {
        let blind = plan.request.table.blind_spots.iter().cloned();
        plan.notes.extend(blind);
    }
    plan.requests = vec![shown(&plan, reading)];
    plan
}

/// Of each condition whether SQLite is asked to answer it. What a copy is kept up to date by is every row whose
/// match may have changed, so that those which match no longer leave.
pub(super) fn handed<'p>(
    plan: &'p ScanPlan,
    reading: &'p Reading,
) -> impl Iterator<Item = bool> + 'p {
    let is_scan = *reading == Reading::Scan;
    let planned = plan.predicates.iter();
    planned.map(move |it| it.pushdown != Pushdown::Kept && (is_scan || it.immutable))
}

/// Adds the conditions that SQLite answers.
pub(super) fn filter(sql: &mut Sql, plan: &ScanPlan, reading: &Reading) {
    let answered = plan.predicates.iter().zip(handed(plan, reading));
    for (planned, _) in answered.filter(|(_, handed)| *handed) {
        let column = &plan.request.table.columns[planned.predicate.column];
        sql.filter(column, &planned.predicate);
    }
}

/// The names of the columns that are asked for.
pub(super) fn outputs(plan: &ScanPlan) -> Vec<String> {
    let table = &plan.request.table;
    let columns = plan.request.columns.iter();
    columns.map(|&index| name(&table.columns[index])).collect()
}

/// The first page's SQL, for people.
fn shown(plan: &ScanPlan, reading: &Reading) -> RequestShape {
    let table = &plan.request.table;
    let outputs = match (plan.request.columns.as_slice(), reading) {
        ([], Reading::Scan) => vec!["count(*)".to_owned()],
        _ => outputs(plan),
    };
    let mut sql = Sql::shown(&outputs, table);
    filter(&mut sql, plan, reading);
    let mut paging = String::new();
    match (reading, &table.cursor) {
        (Reading::Changes(checkpoint), Some(cursor)) => {
            let column = name(&table.columns[cursor.column]);
            if let Some(mark) = mark(checkpoint) {
                sql.bound(std::slice::from_ref(&column), ">=", vec![mark]);
            }
            paging = format!("beyond the last row, up to the highest {column} at the start");
            sql.page(&order(table, column), plan.page_size);
        }
        (Reading::Scan, _) => {
            if let Some(order) = plan.request.order.filter(|_| plan.ordered) {
                sql.order(table, order);
            }
            if let Some(limit) = plan.request.limit.filter(|_| plan.limited) {
                sql.limit(limit);
            }
        }
        (Reading::Changes(_) | Reading::Listing, _) => {}
    }
    RequestShape {
        method: "SELECT",
        path: sql.text,
        parameters: Vec::new(),
        purpose: "rows".to_owned(),
        paging,
    }
}

/// The change column, then the key.
fn order(table: &TableSpec, cursor: String) -> Vec<String> {
    let key = table.key.iter().map(|&index| name(&table.columns[index]));
    let mut order = vec![cursor];
    order.extend(key.filter(|column| *column != order[0]).collect::<Vec<_>>());
    order
}

/// From which value of the change column on a new walk reads.
fn mark(checkpoint: &Checkpoint) -> Option<Value> {
    position::from_json(checkpoint.values.as_ref()?.mark.as_ref()?)
}
