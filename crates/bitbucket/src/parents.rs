//! Tables whose rows hang on those of another one: which parents a plan visits, and how they are found.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::Schema;
use bucketline_core::code::bitbucket as code;
use bucketline_source::spec::{
    ChildRows, ColumnKind, Cursor, Origin, ParentTable, Revisit, Strategy, Walk,
};
use bucketline_source::{
    Error, Literal, Operator, PlannedPredicate, Predicate, Pushdown, RequestShape, Result,
    ScanPlan, ScanRequest, TableSpec,
};

use crate::condition::cell;
use crate::plan::{self, Access, plan};
use crate::query;
use crate::shape::{Purpose, is_hash};

/// The most parents that are taken from a condition; each of them costs a request.
const GIVEN_LIMIT: usize = 50;

/// Plans how the parents are found that a request's rows hang on.
pub(crate) fn plan_parents(
    request: &ScanRequest,
    access: Access<'_>,
    page_size: Option<usize>,
) -> Result<Option<Box<ScanPlan>>> {
    let Some(parent) = &request.table.parent else {
        return Ok(None);
    };
    let above = Arc::clone(&parent.table);
    let mut predicates: Vec<_> = request
        .predicates
        .iter()
        .filter_map(|predicate| lifted(&request.table, &above, predicate))
        .collect();
    // Parents that are named need no list that could be shortened.
    if !names_parents(parent, &predicates) {
        predicates.extend(moved_since(request, parent));
    }
    let mut columns = shown(request, parent);
    columns.extend(predicates.iter().map(|predicate| predicate.column));
    columns.extend(versions(&above));
    columns.retain(|column| !matches!(above.columns[*column].origin, Origin::Parent(_)));
    let planned = plan(
        ScanRequest {
            columns: columns.into_iter().collect(),
            table: above,
            scope: request.scope.clone(),
            predicates,
            order: None,
            limit: None,
            page_size: None,
        },
        access,
        page_size,
    )?;
    Ok(Some(Box::new(planned)))
}

/// The condition on the parent's column that a column of the child is.
fn lifted(child: &TableSpec, above: &TableSpec, predicate: &Predicate) -> Option<Predicate> {
    let column = match &child.columns[predicate.column].origin {
        Origin::Up(column) => *column,
        origin @ Origin::Parent(_) => {
            let same = |column: &bucketline_source::ColumnSpec| column.origin == *origin;
            above.columns.iter().position(same)?
        }
        _ => return None,
    };
    Some(Predicate {
        column,
        ..predicate.clone()
    })
}

/// Whether the conditions name the parents whose rows are asked for.
fn names_parents(parent: &ParentTable, predicates: &[Predicate]) -> bool {
    let ChildRows::Listed { bind } = &parent.rows else {
        return false;
    };
    predicates.iter().any(|predicate| {
        matches!(predicate.operator, Operator::Eq | Operator::In)
            && bind.iter().any(|(_, column)| *column == predicate.column)
    })
}

/// The change of a parent without which none of its rows can be as late as is asked for.
fn moved_since(request: &ScanRequest, parent: &ParentTable) -> Option<Predicate> {
    let column = request.table.column(parent.moved_by.as_deref()?)?;
    let Cursor {
        column: cursor,
        look_back,
        ..
    } = parent.table.cursor.as_ref()?;
    let bounds = request.predicates.iter().filter(|predicate| {
        predicate.column == column
            && matches!(
                predicate.operator,
                Operator::Gt | Operator::GtEq | Operator::Eq
            )
    });
    let moments = bounds.flat_map(|predicate| &predicate.values);
    let latest = moments.filter_map(|value| match value {
        Literal::Timestamp(moment) => Some(*moment),
        _ => None,
    });
    Some(Predicate {
        column: *cursor,
        operator: Operator::GtEq,
        values: vec![Literal::Timestamp(latest.max()? - *look_back)],
    })
}

/// The parent's columns without which the rows cannot be asked for, named or shown.
fn shown(request: &ScanRequest, parent: &ParentTable) -> BTreeSet<usize> {
    let table = &request.table;
    let up = |column: usize| match table.columns[column].origin {
        Origin::Up(above) => Some(above),
        _ => None,
    };
    let mut columns: BTreeSet<usize> = request.columns.iter().copied().filter_map(up).collect();
    columns.extend(parent.owner(table).into_iter().map(|(_, above)| above));
    match &parent.rows {
        ChildRows::Listed { bind } => columns.extend(bind.iter().map(|(_, column)| *column)),
        ChildRows::Nested { column } => {
            columns.insert(*column);
        }
    }
    columns
}

/// The columns that show whether a parent changed since it was visited.
pub(crate) fn versions(above: &TableSpec) -> Vec<usize> {
    let cursor = above.cursor.as_ref().map(|cursor| cursor.column);
    let unfinished = above
        .feed
        .as_ref()
        .and_then(|feed| feed.unfinished.as_ref());
    let state = unfinished.map(|unfinished| unfinished.column);
    cursor.into_iter().chain(state).collect()
}

/// What becomes of a condition on a parent's column.
pub(crate) fn planned(
    child: &TableSpec,
    predicate: &Predicate,
    parents: &ScanPlan,
) -> Option<PlannedPredicate> {
    if !matches!(child.columns[predicate.column].origin, Origin::Up(_)) {
        return None;
    }
    let lifted = lifted(child, &parents.request.table, predicate)?;
    let above = parents
        .predicates
        .iter()
        .find(|planned| planned.predicate == lifted)?;
    Some(PlannedPredicate {
        predicate: predicate.clone(),
        chooses_slices: false,
        ..above.clone()
    })
}

/// The parents that the conditions name, if that is all that is asked of them: rows of the parents' plan's
/// columns that are needed.
pub(crate) fn given(plan: &ScanPlan) -> Option<(Arc<[usize]>, RecordBatch)> {
    let parent = plan.request.table.parent.as_ref()?;
    let above = plan.parent.as_ref()?;
    if matches!(parent.rows, ChildRows::Nested { .. }) {
        return None;
    }
    let mut columns = shown(&plan.request, parent);
    let own = |planned: &&PlannedPredicate| !planned.chooses_slices;
    let conditions: Vec<_> = above.predicates.iter().filter(own).collect();
    columns.extend(conditions.iter().map(|planned| planned.predicate.column));
    let columns: Arc<[usize]> = columns.into_iter().collect();
    let named = |column: &usize| -> Option<Vec<Literal>> {
        let equal = conditions.iter().find(|planned| {
            let Predicate {
                column: of,
                operator,
                values,
            } = &planned.predicate;
            of == column
                && matches!(operator, Operator::Eq | Operator::In)
                && values.len() <= GIVEN_LIMIT
        })?;
        Some(once(&equal.predicate.values))
    };
    let possible = |column: &usize| {
        let mut values = named(column)?;
        if is_commit(&above.request.table, *column) {
            values.retain(|value| matches!(value, Literal::Text(hash) if is_hash(hash)));
        }
        Some(values)
    };
    let values: Vec<Vec<Literal>> = columns.iter().map(possible).collect::<Option<_>>()?;
    // Several lists would name more parents than there are.
    let several = values.iter().filter(|values| values.len() != 1).count();
    let rows = values.iter().map(|values| values.len()).max()?;
    if several > 1 {
        return None;
    }
    let fields: Vec<_> = columns
        .iter()
        .map(|column| above.request.table.columns[*column].field())
        .collect();
    let arrays: Vec<_> = columns
        .iter()
        .zip(values)
        .map(|(column, values)| {
            array(
                above.request.table.columns[*column].kind,
                &repeated(&values, rows),
            )
        })
        .collect::<Option<_>>()?;
    let rows = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).ok()?;
    Some((columns, rows))
}

/// Whether a column has the hashes of commits: the table's own, or those of the one that its rows hang on.
fn is_commit(table: &TableSpec, column: usize) -> bool {
    match (&table.columns[column].origin, &table.parent) {
        (Origin::Up(above), Some(parent)) => is_commit(&parent.table, *above),
        (origin, _) => {
            origin.is_own()
                && matches!(table.strategy(), Strategy::Heads(_))
                && table.key.contains(&column)
        }
    }
}

/// Values as they come first: a parent that is named twice is visited once.
fn once(values: &[Literal]) -> Vec<Literal> {
    let mut once: Vec<Literal> = Vec::new();
    for value in values {
        if !once.contains(value) {
            once.push(value.clone());
        }
    }
    once
}

fn repeated(values: &[Literal], rows: usize) -> Vec<Literal> {
    values.iter().cycle().take(rows).cloned().collect()
}

fn array(kind: ColumnKind, values: &[Literal]) -> Option<ArrayRef> {
    match kind {
        ColumnKind::Int => {
            let numbers = values.iter().map(|value| match value {
                Literal::Int(number) => Some(*number),
                _ => None,
            });
            let numbers: Vec<i64> = numbers.collect::<Option<_>>()?;
            Some(Arc::new(Int64Array::from(numbers)))
        }
        ColumnKind::Text => {
            let texts = values.iter().map(|value| match value {
                Literal::Text(text) => Some(text.as_str()),
                _ => None,
            });
            let texts: Vec<&str> = texts.collect::<Option<_>>()?;
            Some(Arc::new(StringArray::from(texts)))
        }
        _ => None,
    }
}

/// Conditions must leave few enough parents, at each level. It is looked at before the slices are listed, not in
/// the plan: one may be made before its conditions are known.
pub(crate) fn check_bounds(plan: &ScanPlan) -> Result<()> {
    let levels = std::iter::successors(Some(plan), |plan| plan.parent.as_deref());
    for ScanPlan { request, .. } in levels {
        if let Some(parent) = request.table.parent.as_ref().filter(|it| it.bounded) {
            check_bounded(request, parent)?;
        }
    }
    Ok(())
}

/// The condition that says which parents are meant.
fn bound<'r>(request: &'r ScanRequest, parent: &ParentTable) -> Option<&'r Predicate> {
    let above = &parent.table;
    request.predicates.iter().find(|predicate| {
        let Origin::Up(column) = request.table.columns[predicate.column].origin else {
            return false;
        };
        match predicate.operator {
            Operator::Eq | Operator::In => above.key.contains(&column),
            Operator::Gt | Operator::GtEq => above.columns[column].kind == ColumnKind::Timestamp,
            _ => false,
        }
    })
}

/// What visiting the parents costs, for people.
pub(crate) fn cost(request: &ScanRequest, parent: &ParentTable) -> String {
    let above = &parent.table.name;
    let bound = bound(request, parent).filter(|_| parent.bounded);
    match bound.map(|bound| (bound, bound.values.len())) {
        Some((
            Predicate {
                operator: Operator::Eq | Operator::In,
                ..
            },
            count,
        )) => {
            let rows = if count == 1 { "row" } else { "rows" };
            format!(
                "{count} {rows} of {above} may be visited, in each slice; each costs at least one request"
            )
        }
        Some((bound, _)) => {
            let condition = bound.display(&request.table.columns[bound.column].name);
            format!(
                "each row of {above} with {condition} costs at least one request; listing them tells how many there are"
            )
        }
        None => format!("each row of {above} that is visited costs at least one request"),
    }
}

fn check_bounded(request: &ScanRequest, parent: &ParentTable) -> Result<()> {
    if request.limit.is_some() || bound(request, parent).is_some() {
        return Ok(());
    }
    let above = &parent.table;
    let table = &request.table.name;
    let ways: Vec<_> = request
        .table
        .columns
        .iter()
        .filter_map(|column| match column.origin {
            Origin::Up(up) if above.key.contains(&up) => Some(format!("{} = ..", column.name)),
            Origin::Up(up) if above.columns[up].kind == ColumnKind::Timestamp => {
                Some(format!("{} >= ..", column.name))
            }
            _ => None,
        })
        .collect();
    Err(Error::new(
        code::TOO_MANY_PARENTS,
        format!(
            "{table} cost a request for each row of {}, and nothing says of which",
            above.name
        ),
    )
    .with_hint(format!("add a condition: {}", ways.join(" or "))))
}

/// Whether the source itself sees to a condition, so that a limit may be counted after it.
pub(crate) fn is_settled(child: &TableSpec, planned: &PlannedPredicate) -> bool {
    let column = &child.columns[planned.predicate.column];
    let comparable = !matches!(column.kind, ColumnKind::Float | ColumnKind::Json);
    planned.pushdown == Pushdown::Exact || (matches!(column.origin, Origin::Up(_)) && comparable)
}

/// The rows are members of the parents' rows: they cost no request of their own.
pub(crate) fn is_nested(table: &TableSpec) -> bool {
    let parent = table.parent.as_ref();
    parent.is_some_and(|parent| matches!(parent.rows, ChildRows::Nested { .. }))
}

/// The requests for the parents, for people; `None` if the rows hang on no other table.
pub(crate) fn requests(
    child: &ScanPlan,
    access: Access<'_>,
    purpose: Purpose,
) -> Option<Vec<RequestShape>> {
    let (parent, above) = (child.request.table.parent.as_ref()?, child.parent.as_ref()?);
    let also = parent.also.as_ref().filter(|_| purpose == Purpose::Changes);
    // Conditions leave a listing's parents as they leave a scan's.
    let of_parents = if purpose == Purpose::Listing {
        Purpose::Scan
    } else {
        purpose
    };
    let mut shown = plan::requests(&looking_back(above, also), access, of_parents);
    let named = |shape: &mut RequestShape, how: &str| {
        shape.purpose = format!("{} {how}", above.request.table.name);
    };
    if let Some(last) = shown.last_mut() {
        named(
            last,
            if is_nested(&child.request.table) {
                "that hold the rows"
            } else {
                "to visit"
            },
        );
    }
    if let Some(also) = also
        && let Ok(again) = again(above, also, i64::MIN, access)
    {
        let mut again = plan::requests(&again, access, Purpose::Scan).pop()?;
        named(&mut again, "visited on each run");
        shown.push(again);
    }
    Some(shown)
}

/// A path with the parent filled in, if the conditions name one alone.
pub(crate) fn placed(plan: &ScanPlan, mut path: String) -> String {
    let bind = match plan
        .request
        .table
        .parent
        .as_ref()
        .map(|parent| &parent.rows)
    {
        Some(ChildRows::Listed { bind }) => bind.as_slice(),
        _ => &[],
    };
    if let Some((columns, rows)) = given(plan).filter(|(_, rows)| rows.num_rows() == 1) {
        for (placeholder, column) in bind {
            let position = columns.iter().position(|known| known == column);
            let value = position.and_then(|position| cell(rows.column(position), 0));
            let text = match value {
                Some(Literal::Text(text)) => text,
                Some(other) => other.to_string(),
                None => continue,
            };
            path = path.replace(&format!("{{{placeholder}}}"), &query::segment(&text));
        }
    }
    path
}

/// The same plan of parents with a look-back that is long enough.
pub(crate) fn looking_back(plan: &ScanPlan, also: Option<&Revisit>) -> ScanPlan {
    let mut plan = plan.clone();
    if let (Some(also), Strategy::Cursor(cursor)) = (also, plan.request.table.strategy()) {
        let cursor = Cursor {
            look_back: cursor.look_back.max(also.within),
            ..cursor.clone()
        };
        let mut table = plan.request.table.as_ref().clone();
        table.cursor = Some(cursor);
        plan.request.table = Arc::new(table);
    }
    plan
}

/// Plans the parents that are visited on each run and come after `last` in the order of their walk.
pub(crate) fn again(
    parents: &ScanPlan,
    also: &Revisit,
    last: i64,
    access: Access<'_>,
) -> Result<ScanPlan> {
    let request = &parents.request;
    let mut predicates = request.predicates.clone();
    predicates.push(Predicate {
        column: also.column,
        operator: Operator::In,
        values: also.values.iter().cloned().map(Literal::Text).collect(),
    });
    if let (Walk::Keyset { column, .. }, true) = (&request.table.walk, last > i64::MIN) {
        predicates.push(Predicate {
            column: *column,
            operator: Operator::Gt,
            values: vec![Literal::Int(last)],
        });
    }
    let request = ScanRequest {
        predicates,
        page_size: Some(parents.page_size),
        ..request.clone()
    };
    plan(request, access, None)
}
