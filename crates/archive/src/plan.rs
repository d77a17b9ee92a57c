//! From what is asked to what will be read. Pure: no I/O here.

use std::path::Path;
use std::sync::Arc;

use arrow::datatypes::Schema;
use bucketline_core::code::archive as code;
use bucketline_source::spec::{Origin, Parent};
use bucketline_source::{
    Error, Estimate, Literal, PlannedPredicate, Predicate, Pushdown, RequestShape, Result,
    ScanPlan, ScanRequest, ScopeKind, SliceChoice, TableSpec,
};

use crate::listing::Archive;
use crate::settings::Settings;

/// Plans a request. All conditions are kept here, there being no service; those on the parent's columns
/// choose the archives that are read.
///
/// # Errors
/// `Rejected` (BL9015) if the request names columns that the table does not have.
pub(crate) fn plan(request: ScanRequest, settings: &Settings) -> Result<ScanPlan> {
    let table = request.table.clone();
    let named = request.columns.iter().copied();
    let named = named.chain(request.predicates.iter().map(|predicate| predicate.column));
    if let Some(index) = named
        .into_iter()
        .find(|&index| index >= table.columns.len())
    {
        return Err(Error::new(
            code::UNSUPPORTED,
            format!("{} has no column number {index}", table.name),
        ));
    }
    let predicates: Vec<_> = request
        .predicates
        .iter()
        .map(|predicate| planned(&table, predicate))
        .collect();
    let all_choose = predicates.iter().all(|planned| planned.chooses_slices);
    let limited = request.limit.is_some() && request.order.is_none() && all_choose;
    let page_size = [
        request.page_size,
        settings.page_size,
        request.limit.filter(|_| limited),
    ];
    let page_size = page_size
        .into_iter()
        .flatten()
        .fold(table.page_size, usize::min)
        .max(1);
    let columns = request.columns.iter();
    let fields: Vec<_> = columns.map(|&index| table.columns[index].field()).collect();
    Ok(ScanPlan {
        schema: Arc::new(Schema::new(fields)),
        predicates,
        hidden: None,
        slices: match request.scope.kind {
            ScopeKind::Repository => SliceChoice::Named(vec![request.scope.name.clone()]),
            ScopeKind::Whole | ScopeKind::Project => SliceChoice::Listed,
        },
        parent: None,
        ordered: false,
        limited,
        page_size,
        answers: "the archive",
        requests: vec![reading(&table, settings)],
        estimate: Estimate::Exactly(0),
        notes: Vec::new(),
        request,
    })
}

/// What is read, for people; no request is made for it.
fn reading(table: &TableSpec, settings: &Settings) -> RequestShape {
    let paths = settings.paths.iter().map(|path| shown(path));
    RequestShape {
        method: "READ",
        path: format!(
            "{}: the list `{}` of db-2.0.json or db-1.0.json",
            paths.collect::<Vec<_>>().join(", "),
            table.rows
        ),
        parameters: Vec::new(),
        purpose: "rows".to_owned(),
        paging: String::new(),
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn planned(table: &TableSpec, predicate: &Predicate) -> PlannedPredicate {
    let column = &table.columns[predicate.column];
    let are_texts = predicate
        .values
        .iter()
        .all(|value| matches!(value, Literal::Text(_)));
    let chooses_slices = matches!(column.origin, Origin::Parent(_)) && are_texts;
    PlannedPredicate {
        predicate: predicate.clone(),
        pushdown: Pushdown::Kept,
        chooses_slices,
        immutable: column.immutable,
    }
}

/// The values of the table's parent columns in an archive.
pub(crate) fn parents(
    table: &TableSpec,
    workspace: Option<&str>,
    archive: &Archive,
) -> Vec<Option<String>> {
    let value = |parent| match parent {
        Parent::Workspace => workspace.map(str::to_owned),
        Parent::Repository => Some(archive.repository.clone()),
        Parent::RepositoryUuid => Some(archive.uuid.clone()),
    };
    table
        .parents()
        .map(|column| match table.columns[column].origin {
            Origin::Parent(parent) => value(parent),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests;
