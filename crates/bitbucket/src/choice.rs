//! Which slices a plan reads, and which of them its conditions leave.

use bucketline_source::spec::{Origin, Parent, SliceKind};
use bucketline_source::{
    Literal, Operator, PlannedPredicate, Predicate, ScanPlan, ScanRequest, ScopeKind, SliceChoice,
};

use crate::plan::is_parent;

/// The most repositories that are looked up one by one; a page of the listing gives a hundred.
const NAMED_LIMIT: usize = 10;

/// Chooses the slices of a request.
pub(crate) fn choose(request: &ScanRequest, predicates: &[PlannedPredicate]) -> SliceChoice {
    if request.table.slice != SliceKind::Repository {
        return SliceChoice::One;
    }
    if request.scope.kind == ScopeKind::Repository {
        let name = request.scope.uuid.as_ref().unwrap_or(&request.scope.name);
        return SliceChoice::Named(vec![name.clone()]);
    }
    let named = predicates
        .iter()
        .filter(|planned| planned.chooses_slices)
        .find_map(|planned| {
            let Predicate {
                column,
                operator,
                values,
            } = &planned.predicate;
            let by_name = is_parent(&request.table, *column, Parent::Repository)
                || is_parent(&request.table, *column, Parent::RepositoryUuid);
            (by_name && matches!(operator, Operator::Eq | Operator::In)).then_some(values)
        });
    let Some(values) = named else {
        return SliceChoice::Listed;
    };
    let mut names: Vec<String> = Vec::new();
    for value in values {
        if let Literal::Text(name) = value
            && is_address(name)
            && !names.contains(name)
        {
            names.push(name.clone());
        }
    }
    if names.len() > NAMED_LIMIT {
        SliceChoice::Listed
    } else {
        SliceChoice::Named(names)
    }
}

/// Whether a text can be a repository's slug or UUID; nothing else is put into an address. Slugs
/// are always lower case, so another spelling equals none.
pub(crate) fn is_address(name: &str) -> bool {
    let braced = name
        .strip_prefix('{')
        .and_then(|name| name.strip_suffix('}'));
    match braced {
        Some(uuid) => {
            !uuid.is_empty()
                && uuid
                    .bytes()
                    .all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
        }
        None => {
            name.bytes().any(|byte| byte != b'.')
                && name.bytes().all(|byte| {
                    byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte)
                })
        }
    }
}

/// Whether a plan's slices cost look-ups. They are left out where a page or two are wanted, the
/// slices are named, and nothing of the plan depends on their UUIDs: a limit is never remembered
/// between runs.
pub(crate) fn needs_look_up(plan: &ScanPlan, workspace: &str) -> bool {
    let request = &plan.request;
    let table = &request.table;
    match request.scope.kind {
        ScopeKind::Repository if request.scope.uuid.is_some() => return false,
        ScopeKind::Repository => return true,
        ScopeKind::Project if table.slice == SliceKind::Repository => return true,
        ScopeKind::Project | ScopeKind::Whole => {}
    }
    if !plan.limited || !is_address(workspace) || workspace.starts_with('{') {
        return true;
    }
    let columns = request.columns.iter().copied();
    let chosen = plan
        .predicates
        .iter()
        .filter(|planned| planned.chooses_slices);
    let mut read = columns.chain(chosen.map(|planned| planned.predicate.column));
    let by_uuid = read.any(|column| is_parent(table, column, Parent::RepositoryUuid));
    let named_by_uuid = match &plan.slices {
        SliceChoice::Named(names) => names.iter().any(|name| name.starts_with('{')),
        _ => false,
    };
    by_uuid || named_by_uuid
}

/// Whether a condition on a parent column can be evaluated here.
pub(crate) fn can_evaluate(predicate: &Predicate) -> bool {
    predicate
        .values
        .iter()
        .all(|value| matches!(value, Literal::Text(_)))
}

/// The parent values of a slice in the table's order.
pub(crate) fn parents(
    table: &bucketline_source::TableSpec,
    workspace: &str,
    repository: Option<(&str, &str)>,
) -> Vec<Option<String>> {
    table
        .parents()
        .map(|index| match table.columns[index].origin {
            Origin::Parent(Parent::Workspace) => Some(workspace.to_owned()),
            Origin::Parent(Parent::Repository) => repository.map(|(slug, _)| slug.to_owned()),
            Origin::Parent(Parent::RepositoryUuid) => repository.map(|(_, uuid)| uuid.to_owned()),
            _ => None,
        })
        .collect()
}
