//! From what is asked to what will be requested. Pure: no I/O here.

use std::sync::Arc;

use arrow::datatypes::Schema;
use bucketline_core::code::bitbucket as code;
use bucketline_source::spec::{Heads, Origin, Parent, SliceKind, Strategy, Walk};
use bucketline_source::{
    Error, Estimate, Parameter, PlannedPredicate, Predicate, Pushdown, RequestShape, Result,
    ScanPlan, ScanRequest, Scope, ScopeKind, SliceChoice, TableSpec,
};
use chrono::SecondsFormat;

use crate::choice;
use crate::listing;
use crate::parents;
use crate::query;
use crate::shape::{self, Paging, Purpose, Shape};
use crate::workspaces;

/// The longest condition that is sent, in bytes once encoded; a longer one would make an address
/// that servers refuse.
const CONDITION_LIMIT: usize = 4_000;

/// What the plans of a connection depend on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Access<'a> {
    /// The configured workspace.
    pub(crate) workspace: Option<&'a str>,
    /// The credential is a user's.
    pub(crate) of_user: bool,
    /// Rows that are deleted and still listed are given out.
    pub(crate) deleted: bool,
}

/// Plans a request of a connection.
///
/// # Errors
/// `Configuration` (BL4001) if the table needs a workspace and the connection names none; `Name`
/// (BL4002) if the table means nothing in the request's scope; `Rejected` (BL4003) if the request
/// names columns that the table does not have.
pub(crate) fn plan(
    request: ScanRequest,
    access: Access<'_>,
    page_size: Option<usize>,
) -> Result<ScanPlan> {
    check(&request, access.workspace)?;
    let table = request.table.clone();
    let parent = parents::plan_parents(&request, access, page_size)?;
    let predicates = all_planned(&request, parent.as_deref(), access);
    let slices = choice::choose(&request, &predicates);
    let hidden = hidden(&request, access);
    let exact = hidden.is_none()
        && predicates
            .iter()
            .all(|planned| parents::is_settled(&table, planned));
    let by_hook = table.reader.is_some();
    let single = shape::is_single(&table, &request.scope);
    let orderable = request.order.is_none_or(|order| {
        let column = &table.columns[order.column];
        // The rows of several parents come one parent's after another's.
        column.sort && column.required && table.parent.is_none()
    });
    let limited = request.limit.is_some() && exact && orderable && !by_hook && !single;
    // Without a limit all pages are read anyway, and a walk by key is the safer one.
    let ordered = limited && request.order.is_some();
    let page_size = [
        request.page_size,
        page_size,
        request.limit.filter(|_| limited),
    ]
    .into_iter()
    .flatten()
    .fold(table.page_size, usize::min)
    .max(1);
    let fields: Vec<_> = request
        .columns
        .iter()
        .map(|column| table.columns[*column].field())
        .collect();
    let mut plan = ScanPlan {
        schema: Arc::new(Schema::new(fields)),
        predicates,
        slices,
        hidden,
        parent,
        ordered,
        limited,
        page_size,
        answers: "the API",
        requests: Vec::new(),
        estimate: Estimate::AtLeast(1),
        notes: notes(&request, hidden, limited, exact, orderable),
        request,
    };
    plan.requests = requests(&plan, access, Purpose::Scan);
    plan.estimate = estimate(&plan, access);
    // A plan is made before all its conditions are known, so this is no error yet.
    if let Err(error) = parents::check_bounds(&plan) {
        plan.notes = vec![refused(&error)];
        plan.estimate = Estimate::Exactly(0);
    }
    Ok(plan)
}

/// The column whose rows of the value true are left out, unless the connection or a condition on it asks for them.
fn hidden(request: &ScanRequest, access: Access<'_>) -> Option<usize> {
    let asked = |column: &usize| {
        let mut predicates = request.predicates.iter();
        predicates.any(|predicate| predicate.column == *column)
    };
    request
        .table
        .deleted
        .filter(|column| !access.deleted && !asked(column))
}

fn check(request: &ScanRequest, workspace: Option<&str>) -> Result<()> {
    let table = &request.table;
    if table.slice != SliceKind::Account && workspace.is_none() {
        return Err(Error::new(
            code::NO_WORKSPACE,
            format!("{} are read from a workspace, and this connection names none", table.name),
        )
        .with_hint("set the connection's Workspace to the workspace's slug; the table Workspaces lists those that the credential can see"));
    }
    let root = root(table).name.as_str();
    let misplaced = match (table.slice, request.scope.kind) {
        (SliceKind::Account, kind) => kind != ScopeKind::Whole,
        (SliceKind::Workspace, ScopeKind::Repository) => root != "Repositories",
        (SliceKind::Workspace, ScopeKind::Project) => !["Repositories", "Projects"].contains(&root),
        _ => false,
    };
    if misplaced {
        let Scope { kind, name, .. } = &request.scope;
        let kind = if *kind == ScopeKind::Project {
            "project"
        } else {
            "repository"
        };
        return Err(Error::new(
            code::NO_SUCH_TABLE,
            format!("the {kind} `{name}` has no table {}", table.name),
        )
        .with_hint(format!(
            "it is a table of {}: write {}.{}",
            crate::names::WHOLE,
            crate::names::WHOLE,
            table.name
        )));
    }
    let columns = request.columns.iter().copied();
    let named = columns
        .chain(request.predicates.iter().map(|predicate| predicate.column))
        .chain(request.order.map(|order| order.column));
    if let Some(index) = named
        .into_iter()
        .find(|index| *index >= table.columns.len())
    {
        return Err(Error::new(
            code::NO_SUCH_COLUMN,
            format!("{} has no column number {index}", table.name),
        ));
    }
    Ok(())
}

/// The table that the rows of one hang on in the end.
fn root(table: &TableSpec) -> &TableSpec {
    match &table.parent {
        Some(parent) => root(&parent.table),
        None => table,
    }
}

/// The predicates with their fates.
fn all_planned(
    request: &ScanRequest,
    parent: Option<&ScanPlan>,
    access: Access<'_>,
) -> Vec<PlannedPredicate> {
    let table = &request.table;
    let asked = table.reader.is_none() || workspaces::are_listed(access);
    let mut room = CONDITION_LIMIT;
    let predicates = request.predicates.iter().map(|predicate| {
        let above = parent.and_then(|parent| parents::planned(table, predicate, parent));
        if let Some(planned) = above {
            return planned;
        }
        let mut planned = planned(table, predicate);
        if planned.chooses_slices || planned.pushdown == Pushdown::Kept {
            return planned;
        }
        let condition = query::condition(&table.columns[predicate.column], predicate);
        match room.checked_sub(query::segment(&condition).len()) {
            Some(left) if asked => room = left,
            _ => planned.pushdown = Pushdown::Kept,
        }
        planned
    });
    predicates.collect()
}

fn planned(table: &TableSpec, predicate: &Predicate) -> PlannedPredicate {
    let column = &table.columns[predicate.column];
    let chooses_slices = matches!(column.origin, Origin::Parent(_));
    let pushdown = if chooses_slices {
        if choice::can_evaluate(predicate) {
            Pushdown::Exact
        } else {
            Pushdown::Kept
        }
    } else {
        query::pushdown(column, predicate)
    };
    PlannedPredicate {
        predicate: predicate.clone(),
        pushdown,
        chooses_slices: chooses_slices && pushdown != Pushdown::Kept,
        immutable: column.immutable,
    }
}

/// The requests for people: look-ups and the listing first, then those for the parents that the rows hang on,
/// then the rows' first page.
pub(crate) fn requests(plan: &ScanPlan, access: Access<'_>, purpose: Purpose) -> Vec<RequestShape> {
    if plan.request.table.reader.is_some() {
        return workspaces::requests(plan, access);
    }
    let is_nested = parents::is_nested(&plan.request.table);
    let asks_parents = is_nested || purpose.is_incremental() || parents::given(plan).is_none();
    let mut shown = match parents::requests(plan, access, purpose).filter(|_| asks_parents) {
        Some(of_parents) => of_parents,
        None => look_ups(plan, access),
    };
    if let (Strategy::Heads(heads), true) =
        (plan.request.table.strategy(), purpose.is_incremental())
    {
        shown.extend(of_branches(heads, plan, access));
    }
    if !is_nested {
        shown.push(rows(plan, access, purpose));
    }
    shown
}

/// The request for the branches that tell what is new.
fn of_branches(heads: &Heads, plan: &ScanPlan, access: Access<'_>) -> Option<RequestShape> {
    let branches = branches(heads, plan, access).ok()?;
    let mut shape = rows(&branches, access, Purpose::Listing);
    shape.purpose = format!("{}, whose heads tell what is new", heads.table.name);
    Some(shape)
}

/// Plans the names and heads of the branches that tell what is new in a table.
pub(crate) fn branches(heads: &Heads, plan: &ScanPlan, access: Access<'_>) -> Result<ScanPlan> {
    let request = ScanRequest {
        table: Arc::clone(&heads.table),
        scope: plan.request.scope.clone(),
        columns: vec![heads.name, heads.hash],
        predicates: Vec::new(),
        order: None,
        limit: None,
        page_size: None,
    };
    self::plan(request, access, None)
}

fn look_ups(plan: &ScanPlan, access: Access<'_>) -> Vec<RequestShape> {
    let configured = access.workspace.unwrap_or_default();
    let workspace = address(access);
    let mut requests = Vec::new();
    match &plan.slices {
        SliceChoice::Listed => requests.extend(listing::shape(access)),
        SliceChoice::Named(names) => {
            if choice::needs_look_up(plan, configured) {
                requests.extend(names.iter().map(|name| RequestShape {
                    method: "GET",
                    path: format!("/repositories/{workspace}/{}", query::segment(name)),
                    parameters: Vec::new(),
                    purpose: "look-up of repository".to_owned(),
                    paging: String::new(),
                }));
            }
        }
        SliceChoice::One if choice::needs_look_up(plan, configured) => {
            requests.push(RequestShape {
                method: "GET",
                path: format!("/workspaces/{workspace}"),
                parameters: Vec::new(),
                purpose: "look-up of workspace, once a script".to_owned(),
                paging: String::new(),
            });
        }
        SliceChoice::One => {}
    }
    requests
}

fn rows(plan: &ScanPlan, access: Access<'_>, purpose: Purpose) -> RequestShape {
    let repository = match &plan.slices {
        SliceChoice::Named(names) if names.len() == 1 => query::segment(&names[0]),
        _ => "{repository}".to_owned(),
    };
    let named = shape::named(plan).filter(|_| purpose == Purpose::Scan);
    let mut shape = Shape::of(plan, purpose);
    let path = shape
        .path
        .replace("{workspace}", &address(access))
        .replace("{repository}", &repository);
    let (condition, sort, mut paging) = first_page(plan, purpose);
    let table = &plan.request.table;
    let mut parameters = Vec::new();
    if let Some(hashes) = named {
        shape.page_size = 1;
        "one page each".clone_into(&mut paging);
        parameters.push(Parameter {
            name: "include".to_owned(),
            value: hashes.join(" | "),
        });
    }
    if let (Strategy::Heads(_), Purpose::Changes) = (table.strategy(), purpose) {
        let heads = [("include", "new heads"), ("exclude", "heads known before")];
        parameters.extend(heads.map(|(name, value)| Parameter {
            name: name.to_owned(),
            value: value.to_owned(),
        }));
    }
    parameters.extend(shape.parameters(table, condition, sort.as_deref(), None));
    RequestShape {
        method: "GET",
        path: parents::placed(plan, path),
        parameters,
        purpose: "rows".to_owned(),
        paging,
    }
}

fn address(access: Access<'_>) -> String {
    let workspace = access.workspace;
    workspace.map_or_else(|| "{workspace}".to_owned(), query::segment)
}

/// Condition and sort of a walk's first page, and how the next one is addressed, in words.
fn first_page(plan: &ScanPlan, purpose: Purpose) -> (Option<String>, Option<String>, String) {
    let table = &plan.request.table;
    let by_key = |column: usize, unique: bool| {
        let field = &table.columns[column].filter.field;
        if unique {
            format!("{field} > last seen")
        } else {
            format!("{field} >= last seen, doubles dropped")
        }
    };
    let links = match table.walk {
        Walk::Pages { numbered: true, .. } => "next page's number".to_owned(),
        _ => "next link".to_owned(),
    };
    if let (Strategy::Feed(feed), Purpose::Changes) = (table.strategy(), purpose) {
        let column = &table.columns[feed.column].name;
        let span = feed.look_back.as_secs() / 60;
        let paging = format!("{links}, until {column} < last mark less {span} min");
        return (None, shape::sort(plan), paging);
    }
    match (purpose, &table.cursor, &table.walk) {
        (Purpose::FirstLoad | Purpose::Changes, Some(cursor), _) => {
            let field = table.columns[cursor.column].filter.field.clone();
            let since = (purpose == Purpose::Changes).then(|| {
                format!(
                    "{field} >= last mark less {} min",
                    cursor.look_back.as_secs() / 60
                )
            });
            (since, Some(field), by_key(cursor.column, false))
        }
        (Purpose::Listing, _, Walk::Keyset { column, unique }) => {
            let field = table.columns[*column].filter.field.clone();
            (None, Some(field), by_key(*column, *unique))
        }
        (Purpose::Listing, _, Walk::Pages { sort, .. }) => (None, sort.clone(), links),
        _ => {
            let paging = match shape::paging(plan) {
                Paging::Single => "one page".to_owned(),
                Paging::Links => match shape::until(plan) {
                    Some((column, moment)) => {
                        let column = &table.columns[column].name;
                        let moment = moment.to_rfc3339_opts(SecondsFormat::AutoSi, true);
                        format!("{links}, until {column} < {moment}")
                    }
                    None => links,
                },
                Paging::Keyset { column, unique } => by_key(column, unique),
            };
            (None, shape::sort(plan), paging)
        }
    }
}

fn estimate(plan: &ScanPlan, access: Access<'_>) -> Estimate {
    let table = &plan.request.table;
    if table.reader.is_some() && !workspaces::are_listed(access) {
        return Estimate::Exactly(1);
    }
    let parents = match parents::given(plan) {
        Some((_, rows)) => rows.num_rows() as u64,
        None => 1,
    };
    let slices = match &plan.slices {
        SliceChoice::One => 1,
        SliceChoice::Named(names) => names.len() as u64,
        SliceChoice::Listed => return Estimate::EachSlice(parents),
    };
    let look_ups = match &plan.slices {
        _ if table.reader.is_some() => 0,
        _ if choice::needs_look_up(plan, access.workspace.unwrap_or_default()) => slices,
        _ => 0,
    };
    let listed = table.parent.is_some() && parents::given(plan).is_none();
    if table.reader.is_none() && !listed && shape::paging(plan) == Paging::Single {
        Estimate::Exactly(look_ups + slices * parents)
    } else {
        Estimate::AtLeast(look_ups + slices * parents)
    }
}

/// What becomes of a statement that lacks a bound.
fn refused(error: &Error) -> String {
    let hint = error.hint().map(|hint| format!("; {hint}"));
    format!(
        "the statement is refused ({}): {error}{}",
        error.code(),
        hint.unwrap_or_default()
    )
}

fn notes(
    request: &ScanRequest,
    hidden: Option<usize>,
    limited: bool,
    exact: bool,
    orderable: bool,
) -> Vec<String> {
    let table = &request.table;
    let mut notes = Vec::new();
    if let Some(column) = hidden {
        let column = &table.columns[column].name;
        notes.push(format!(
            "deleted rows are left out; a condition on {column} asks for them, and so does the connection's IncludeDeleted"
        ));
    }
    if let Some(parent) = table.parent.as_ref().filter(|_| !parents::is_nested(table)) {
        notes.push(parents::cost(request, parent));
    }
    if let Some(removed) = &table.removed {
        notes.push(format!(
            "Bitbucket Cloud removed {} on {} ({})",
            table.name, removed.since, removed.change
        ));
    }
    if let (Some(limit), false) = (request.limit, limited) {
        let why = match (exact, request.order) {
            (false, _) if hidden.is_some() => "deleted rows are left out here".to_owned(),
            (false, _) => "a condition is evaluated here".to_owned(),
            (true, Some(order)) if !orderable => {
                format!(
                    "the API does not order by {} as SQL does",
                    table.columns[order.column].name
                )
            }
            _ => format!("{} are read as a whole", table.name),
        };
        notes.push(format!(
            "LIMIT {limit} is applied here, not by the API: {why}"
        ));
    }
    if limited
        && request.limit.is_some_and(|limit| limit > table.page_size)
        && request.order.is_some()
    {
        notes.push("several pages in an order that may shift while they are read".to_owned());
    }
    notes
}

/// Whether a column holds this parent's value.
pub(crate) fn is_parent(table: &TableSpec, column: usize, parent: Parent) -> bool {
    table.columns[column].origin == Origin::Parent(parent)
}

#[cfg(test)]
mod tests;
