//! What the requests for a plan's rows look like.

use std::collections::HashSet;

use bucketline_source::spec::{BoundParameter, SliceKind, Strategy, Walk};
use bucketline_source::{
    Literal, Operator, Parameter, PlannedPredicate, Predicate, Pushdown, Reading, ScanPlan,
    ScanRequest, Scope, ScopeKind, TableSpec,
};
use chrono::{DateTime, TimeDelta, Utc};

use crate::query;

/// Why rows are read; decides what may be pushed down and which columns the walk itself needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Each matching row once.
    Scan,
    /// The first load of an incremental table: everything may be pushed down.
    FirstLoad,
    /// What changed since: a row that stopped matching must be seen.
    Changes,
    /// The whole slice.
    Listing,
}

impl Purpose {
    /// Whether the service is asked to filter by a condition on rows.
    pub(crate) fn pushes(self, planned: &PlannedPredicate) -> bool {
        planned.pushdown != Pushdown::Kept
            && match self {
                Self::Scan | Self::FirstLoad => true,
                Self::Changes => planned.immutable,
                Self::Listing => false,
            }
    }

    pub(crate) fn of(reading: &Reading) -> Self {
        match reading {
            Reading::Scan => Self::Scan,
            Reading::Changes(checkpoint) if checkpoint.mark.is_none() => Self::FirstLoad,
            Reading::Changes(_) => Self::Changes,
            Reading::Listing => Self::Listing,
        }
    }

    /// A copy follows what is read.
    pub(crate) fn is_incremental(self) -> bool {
        matches!(self, Self::FirstLoad | Self::Changes)
    }
}

/// How the pages of a [`Purpose::Scan`] follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Paging {
    /// One page holds all that is wanted.
    Single,
    /// Links are followed; the order may shift between pages.
    Links,
    /// By an immutable column.
    Keyset {
        /// Its index.
        column: usize,
        /// No two rows of a slice share a value.
        unique: bool,
    },
}

/// The requests of one slice, but for what depends on the page.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    /// The path under the base URL, with `{workspace}` and `{repository}`.
    pub(crate) path: String,
    /// An answer is one row without an envelope.
    pub(crate) single: bool,
    /// What the service is to filter.
    pub(crate) conditions: Vec<String>,
    /// The columns to decode: the wanted ones first, then those the walk needs.
    pub(crate) columns: Vec<usize>,
    /// The `fields` parameter.
    pub(crate) fields: Option<String>,
    /// The values of the bound parameter, by index.
    pub(crate) values: Vec<usize>,
    /// Rows a page.
    pub(crate) page_size: usize,
}

impl Shape {
    /// The shape of a finished plan's requests.
    pub(crate) fn of(plan: &ScanPlan, purpose: Purpose) -> Self {
        Self::new(
            &plan.request,
            &plan.predicates,
            plan.page_size,
            paging(plan),
            plan.hidden,
            purpose,
        )
    }

    fn new(
        request: &ScanRequest,
        predicates: &[PlannedPredicate],
        page_size: usize,
        paging: Paging,
        hidden: Option<usize>,
        purpose: Purpose,
    ) -> Self {
        let table = &*request.table;
        let pushed: Vec<_> = predicates
            .iter()
            .filter(|planned| !planned.chooses_slices && purpose.pushes(planned))
            // The parents are chosen by the others.
            .filter(|planned| table.columns[planned.predicate.column].origin.is_own())
            .collect();
        let single = is_single(table, &request.scope);
        let mut conditions: Vec<_> = if single {
            Vec::new()
        } else {
            scope_condition(table, &request.scope).into_iter().collect()
        };
        if !single {
            conditions.extend(pushed.iter().map(|planned| {
                let predicate = &planned.predicate;
                query::condition(&table.columns[predicate.column], predicate)
            }));
        }
        let values = match &table.parameter {
            Some(bound) => bound_values(bound, pushed.iter().map(|planned| &planned.predicate)),
            None => Vec::new(),
        };
        let mut columns = request.columns.clone();
        // Parts of a split walk are put in order here.
        let ordered_by = request
            .order
            .filter(|_| purpose == Purpose::Scan && table.parameter.is_some());
        let splits = values.len() > 1 && table.parameter.as_ref().is_some_and(|bound| bound.split);
        let walked = walked(table, paging, purpose, splits).into_iter();
        let ordered_by = ordered_by.map(|order| order.column);
        for column in walked.chain(ordered_by).chain(hidden) {
            if !columns.contains(&column) {
                columns.push(column);
            }
        }
        Self {
            path: path(table, &request.scope),
            single,
            fields: fields(table, &columns, single),
            conditions,
            columns,
            values,
            page_size,
        }
    }

    /// The parameters of a request. `condition` and `sort` belong to the page; `part` is the one
    /// value of the bound parameter in a walk that is split.
    pub(crate) fn parameters(
        &self,
        table: &TableSpec,
        condition: Option<String>,
        sort: Option<&str>,
        part: Option<usize>,
    ) -> Vec<Parameter> {
        let mut parameters = Vec::new();
        let mut add = |name: &str, value: String| {
            parameters.push(Parameter {
                name: name.to_owned(),
                value,
            });
        };
        for (name, value) in &table.parameters {
            add(name, value.clone());
        }
        if self.single {
            if let Some(fields) = &self.fields {
                add("fields", fields.clone());
            }
            return parameters;
        }
        let mut conditions = self.conditions.clone();
        if let Some(bound) = &table.parameter {
            let chosen = part.map_or_else(|| self.values.clone(), |part| vec![part]);
            for value in chosen {
                add(&bound.name, bound.values[value].clone());
            }
            if let Some(part) = part {
                // With a `q` that does not name the state, the parameter has been ignored.
                let field = &table.columns[bound.column].filter.field;
                let equal = format!("{field} = {}", query::quoted(&bound.values[part]));
                if !conditions.contains(&equal) {
                    conditions.push(equal);
                }
            }
        }
        conditions.extend(condition);
        if let Some(all) = query::all(&conditions) {
            add("q", all);
        }
        if let Some(sort) = sort {
            add("sort", sort.to_owned());
        }
        add("pagelen", self.page_size.to_string());
        if let Some(fields) = &self.fields {
            add("fields", fields.clone());
        }
        parameters
    }
}

/// How the pages of a plan's scan follow each other.
pub(crate) fn paging(plan: &ScanPlan) -> Paging {
    let fits = plan.limited
        && plan
            .request
            .limit
            .is_some_and(|limit| limit <= plan.page_size);
    if fits || is_single(&plan.request.table, &plan.request.scope) {
        return Paging::Single;
    }
    match plan.request.table.walk {
        _ if plan.ordered => Paging::Links,
        Walk::Keyset { column, unique } => Paging::Keyset { column, unique },
        Walk::Pages { .. } => Paging::Links,
    }
}

/// The `sort` parameter of a plan's scan.
pub(crate) fn sort(plan: &ScanPlan) -> Option<String> {
    let table = &plan.request.table;
    match (
        plan.request.order.filter(|_| plan.ordered),
        paging(plan),
        &table.walk,
    ) {
        (Some(order), ..) => {
            let field = &table.columns[order.column].filter.field;
            Some(if order.descending {
                format!("-{field}")
            } else {
                field.clone()
            })
        }
        (None, Paging::Single, _) => None,
        (None, Paging::Keyset { column, .. }, _) => {
            Some(table.columns[column].filter.field.clone())
        }
        (None, Paging::Links, Walk::Pages { sort, .. }) => sort.clone(),
        (None, Paging::Links, Walk::Keyset { .. }) => None,
    }
}

/// The most rows that are read one by one instead of by their list.
const NAMED_LIMIT: usize = 50;

/// The hashes of the commits that the conditions of a scan name: a list of commits begins where it is told to.
pub(crate) fn named(plan: &ScanPlan) -> Option<Vec<&str>> {
    let table = &plan.request.table;
    let Strategy::Heads(_) = table.strategy() else {
        return None;
    };
    let hash = table
        .key
        .iter()
        .find(|&&column| table.columns[column].origin.is_own())?;
    let named = plan.request.predicates.iter().find(|predicate| {
        predicate.column == *hash
            && matches!(predicate.operator, Operator::Eq | Operator::In)
            && predicate.values.len() <= NAMED_LIMIT
    })?;
    // What is no whole hash may be the name of a branch, from which a list may begin as well.
    let is_hash = |text: &&str| is_hash(text);
    let texts = named.values.iter().map(|value| match value {
        Literal::Text(text) => Some(text.as_str()).filter(is_hash),
        _ => None,
    });
    let mut hashes: Vec<&str> = texts.collect::<Option<_>>()?;
    hashes.sort_unstable();
    hashes.dedup();
    Some(hashes)
}

/// Whether a text is a commit's whole hash. The service takes the beginning of one as well, which equals none.
pub(crate) fn is_hash(text: &str) -> bool {
    text.len() == 40
        && text
            .bytes()
            .all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'))
}

/// Where the scan of a list that comes newest first may end: once a page's values of this column are all before this
/// moment, since the conditions want none from there on.
pub(crate) fn until(plan: &ScanPlan) -> Option<(usize, DateTime<Utc>)> {
    let Strategy::Feed(feed) = plan.request.table.strategy() else {
        return None;
    };
    if plan.ordered || paging(plan) != Paging::Links {
        return None;
    }
    let lower = |predicate: &Predicate| match (predicate.operator, predicate.values.as_slice()) {
        (Operator::Gt | Operator::GtEq | Operator::Eq, [Literal::Timestamp(moment)]) => {
            Some(*moment)
        }
        _ => None,
    };
    let predicates = plan.request.predicates.iter();
    let bounds = predicates.filter(|predicate| predicate.column == feed.column);
    let latest = bounds.filter_map(lower).max()?;
    Some((
        feed.column,
        latest.checked_sub_signed(TimeDelta::from_std(feed.look_back).ok()?)?,
    ))
}

/// The columns that a walk looks at itself; one that may be split tells its rows apart.
fn walked(table: &TableSpec, paging: Paging, purpose: Purpose, splits: bool) -> Vec<usize> {
    let own_key = || {
        let key = table.key.iter().copied();
        key.filter(|index| table.columns[*index].origin.is_own())
    };
    if let (Strategy::Feed(feed), true) = (table.strategy(), purpose.is_incremental()) {
        let state = feed.unfinished.as_ref().map(|state| state.column);
        return state.into_iter().chain([feed.column]).collect();
    }
    match (purpose, &table.cursor, &table.walk) {
        (Purpose::FirstLoad | Purpose::Changes, Some(cursor), _) => vec![cursor.column, cursor.tie],
        (Purpose::Listing, _, Walk::Keyset { column, .. }) => own_key().chain([*column]).collect(),
        (Purpose::Listing, ..) => own_key().collect(),
        _ => match paging {
            Paging::Single if splits => own_key().collect(),
            Paging::Single => Vec::new(),
            Paging::Links => own_key().collect(),
            Paging::Keyset {
                column,
                unique: true,
            } => vec![column],
            Paging::Keyset {
                column,
                unique: false,
            } => own_key().chain([column]).collect(),
        },
    }
}

/// An answer is one row: the table has one a slice, or the scope names one of the table's objects.
pub(crate) fn is_single(table: &TableSpec, scope: &Scope) -> bool {
    table.is_single() || is_named(table, scope)
}

/// The object that a scope names is read by itself from the table of such objects.
fn is_named(table: &TableSpec, scope: &Scope) -> bool {
    matches!(
        (table.name.as_str(), scope.kind),
        ("Repositories", ScopeKind::Repository) | ("Projects", ScopeKind::Project)
    )
}

fn path(table: &TableSpec, scope: &Scope) -> String {
    if !is_named(table, scope) {
        return table.path.clone();
    }
    // A project has no address by its UUID.
    let name = match (scope.kind, &scope.uuid) {
        (ScopeKind::Repository, Some(uuid)) => uuid,
        _ => &scope.name,
    };
    format!("{}/{}", table.path, query::segment(name))
}

/// A table of the workspace, narrowed to the project that is its scope.
fn scope_condition(table: &TableSpec, scope: &Scope) -> Option<String> {
    let narrowed = table.name == "Repositories"
        && table.slice == SliceKind::Workspace
        && scope.kind == ScopeKind::Project;
    narrowed.then(|| format!("project.key = {}", query::quoted(&scope.name)))
}

/// The values of the bound parameter that the predicates leave, in the table's order; all of them
/// if none is left, for then it is the conditions that return nothing.
fn bound_values<'a>(
    bound: &BoundParameter,
    predicates: impl Iterator<Item = &'a bucketline_source::Predicate>,
) -> Vec<usize> {
    let mut left: Vec<usize> = (0..bound.values.len()).collect();
    for predicate in predicates.filter(|predicate| predicate.column == bound.column) {
        let named: HashSet<&str> = predicate
            .values
            .iter()
            .filter_map(|value| match value {
                Literal::Text(text) => Some(text.as_str()),
                _ => None,
            })
            .collect();
        let is_named = |index: &usize| named.contains(bound.values[*index].as_str());
        match predicate.operator {
            Operator::Eq | Operator::In => left.retain(is_named),
            Operator::NotEq | Operator::NotIn => left.retain(|index| !is_named(index)),
            _ => {}
        }
    }
    if left.is_empty() {
        (0..bound.values.len()).collect()
    } else {
        left
    }
}

/// The `fields` parameter for these columns: nothing if the service's own choice has them all. Where objects come
/// whole, it may ask for more and never for less.
fn fields(table: &TableSpec, columns: &[usize], single: bool) -> Option<String> {
    let prefix = if single { "" } else { "values." };
    let paths = |index: &usize| {
        let paths = table.columns[*index].origin.paths().into_iter();
        paths.map(|path| format!("{prefix}{}", path.join(".")))
    };
    let usual = |index: &usize| {
        let column = &table.columns[*index];
        column.origin.is_own() && !column.extra
    };
    let all_usual = (0..table.columns.len())
        .filter(usual)
        .all(|index| columns.contains(&index));
    let mut names: Vec<String>;
    if all_usual || table.whole_objects {
        let extra = |index: &&usize| table.columns[**index].extra;
        names = columns.iter().filter(extra).flat_map(paths).collect();
        for name in &mut names {
            name.insert(0, '+');
        }
    } else {
        names = columns.iter().flat_map(paths).collect();
        if names.is_empty() {
            // Rows are only counted: any member that they all have will do.
            names.push(format!("{prefix}type"));
        }
        if !single {
            // Without `next` the list would end after its first page.
            names.splice(0..0, ["next", "page", "pagelen", "size"].map(str::to_owned));
        }
    }
    (!names.is_empty()).then(|| names.join(","))
}
