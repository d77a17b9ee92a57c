//! Which slices there are, and what became of those that were there.

use crate::error::is_of_source;
use std::collections::{BTreeMap, HashMap, HashSet};

use bucketline_core::Kind;
use bucketline_source::spec::{Origin, Parent, TableSpec};
use bucketline_source::{Literal, Operator, ReadContext, ScopeKind, Slice, SliceChoice};

use crate::arms::Arm;
use crate::record::{Owner, SliceState, Slices};
use crate::scan::Scan;
use crate::{Error, Result, code};

/// The slices of a run.
#[derive(Debug)]
pub(crate) struct Survey {
    /// To be read, query by query in the source's order.
    pub(crate) slices: Vec<Part>,
    /// Known before, listed, and outside the statement's scope or conditions now.
    pub(crate) left: Vec<Known>,
    /// Known before and listed no more.
    pub(crate) vanished: Vec<Known>,
    /// The numbers of queries of a UNION ALL whose slices could not be listed.
    pub(crate) unlisted: Vec<(usize, Error)>,
    /// Known before, of such a query.
    pub(crate) unread: Vec<Known>,
    /// What the names in the statement mean.
    pub(crate) names: BTreeMap<String, String>,
}

/// A slice of a query.
#[derive(Debug)]
pub(crate) struct Part {
    /// The number of the query.
    pub(crate) arm: usize,
    /// Its name in the destination's state.
    pub(crate) id: String,
    pub(crate) slice: Slice,
}

/// A slice that the state knows.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) id: String,
    pub(crate) state: SliceState,
}

impl Known {
    pub(crate) fn label(&self) -> String {
        self.state.label(&self.id)
    }
}

/// What the names of a statement meant, and mean.
struct Names<'a> {
    before: &'a BTreeMap<String, String>,
    now: BTreeMap<String, String>,
}

/// Lists the slices of all queries and compares them with what is known. `owners` are those of the queries, in their
/// order. The state is that of the same statement if `same_rows`. A query of several whose slices cannot be listed
/// is left out if the others `go_on`.
///
/// # Errors
/// [`code::NAME_MOVED`](crate::code::NAME_MOVED) if a name of the statement means something else than it did, [`code::OVERLAP`](crate::code::OVERLAP) if
/// two queries that must not read the same slice do.
pub(crate) async fn survey(
    arms: &[Arm<'_>],
    known: &Slices,
    names_before: &BTreeMap<String, String>,
    owners: &[Owner],
    (same_rows, go_on): (bool, bool),
    context: &ReadContext,
) -> Result<Survey> {
    let mut names = Names {
        before: names_before,
        now: BTreeMap::new(),
    };
    let (mut slices, mut unlisted): (Vec<Part>, Vec<_>) = (Vec::new(), Vec::new());
    // What the statements could choose from.
    let mut choice: HashSet<String> = HashSet::new();
    let mut seen: HashMap<String, usize> = HashMap::new();
    for arm in arms {
        let owner = owners.get(arm.number);
        let (of_arm, widest) = match list(arm, arms.len() > 1, owner, &mut names, context).await {
            Ok(listed) => listed,
            Err(error) if go_on && arms.len() > 1 && is_of_source(&error) => {
                unlisted.push((arm.number, error));
                continue;
            }
            Err(error) => return Err(error),
        };
        for slice in widest.unwrap_or_default() {
            choice.insert(arm.rows.id(&slice));
        }
        for slice in of_arm {
            let id = arm.rows.id(&slice);
            if let Some(other) = seen.insert(id.clone(), arm.number)
                && other != arm.number
            {
                return Err(overlap(&slice, &arms[other], arm));
            }
            slices.push(Part {
                arm: arm.number,
                id,
                slice,
            });
        }
    }
    for (name, before) in names.before {
        if !names.now.contains_key(name) && !unlisted.is_empty() {
            names.now.insert(name.clone(), before.clone());
            continue;
        }
        let shown = name
            .split_once(':')
            .map_or(name.as_str(), |(_, shown)| shown);
        match names.now.get(name) {
            Some(now) if now == before => {}
            Some(_) => return Err(moved(shown, "another object now")),
            None => return Err(moved(shown, "nothing any more")),
        }
    }

    // Another statement may have told its slices from each other in another way.
    let plain = |id: &str| id.split('#').next().unwrap_or(id).to_owned();
    let present: HashSet<String> = match same_rows {
        true => seen.into_keys().collect(),
        false => seen.into_keys().map(|id| plain(&id)).collect(),
    };
    let is_present = |id: &str| match same_rows {
        true => present.contains(id),
        false => present.contains(&plain(id)),
    };
    let missing = known.iter().filter(|(id, _)| !is_present(id));
    let missing = missing.map(|(id, state)| Known {
        id: id.clone(),
        state: state.clone(),
    });
    let (unread, missing): (Vec<_>, Vec<_>) = missing.partition(|known| {
        let mut arms = unlisted.iter().map(|(arm, _)| *arm);
        same_rows && arms.any(|arm| arm == known.state.arm)
    });
    let (left, vanished) = missing
        .into_iter()
        .partition(|known| choice.contains(&known.id));
    Ok(Survey {
        slices,
        left,
        vanished,
        unlisted,
        unread,
        names: names.now,
    })
}

/// Lists the slices of one query, those that it could choose from if they are more, and what its names mean.
async fn list(
    arm: &Arm<'_>,
    of_several: bool,
    owner: Option<&Owner>,
    names: &mut Names<'_>,
    context: &ReadContext,
) -> Result<(Vec<Slice>, Option<Vec<Slice>>)> {
    let (work, scan) = (arm.work, &arm.rows.scan);
    let plan = scan.plan();
    let slices = work
        .source()
        .slices(plan, context)
        .await
        .map_err(|error| match &plan.slices {
            SliceChoice::Named(named) if is_lost(&error) && !names.before.is_empty() => {
                moved(&named.join(", "), "nothing any more").with_source(error)
            }
            _ => error,
        })?;
    // Of the repositories that it names only those are looked up.
    let widest = match plan.slices {
        SliceChoice::Listed => scan.widest(work)?,
        SliceChoice::One | SliceChoice::Named(_) => None,
    };
    let listed = match widest {
        Some(widest) => Some(work.source().slices(&widest, context).await?),
        None => None,
    };
    let choice = listed.as_ref().unwrap_or(&slices);
    let workspace = owner.and_then(|owner| owner.workspace.as_deref());
    let number = match arm.number {
        0 => String::new(),
        number => format!(" {}", number + 1),
    };
    let meant = meanings(work.table(), scan, choice, workspace);
    let meant = meant
        .into_iter()
        .map(|((kind, name), meaning)| (format!("{kind}{number}:{name}"), meaning));
    names.now.extend(meant);
    if let Some(owner) = owner.filter(|_| of_several) {
        let meaning = owner.workspace.as_ref().unwrap_or(&owner.origin);
        let name = format!("connection{number}:{}", work.connection());
        names.now.insert(name, meaning.clone());
    }
    Ok((slices, listed))
}

fn overlap(slice: &Slice, one: &Arm<'_>, other: &Arm<'_>) -> Error {
    let message = format!(
        "queries {} and {} of the UNION ALL both read {}; nothing was changed",
        one.number + 1,
        other.number + 1,
        slice.label
    );
    Error::new(code::OVERLAP, message).with_hint(
        "leave it out of one of them; or give each a constant column of its own, and declare a PRIMARY KEY with it",
    )
}

/// A name that the source does not know, or knows no more.
pub(crate) fn is_lost(error: &bucketline_source::Error) -> bool {
    error.kind() == Kind::NotFound
}

/// What the scope of a statement and the slugs that it compares with mean. The slugs of the slices that it
/// leaves out count, too: were one renamed, its rows would come in.
fn meanings(
    table: &TableSpec,
    scan: &Scan,
    slices: &[Slice],
    workspace: Option<&str>,
) -> Vec<((&'static str, String), String)> {
    let plan = scan.plan();
    let mut names = Vec::new();
    let scope = &plan.request.scope;
    if let (ScopeKind::Project | ScopeKind::Repository, Some(uuid)) = (scope.kind, &scope.uuid) {
        names.push((("scope", scope.name.to_lowercase()), uuid.clone()));
    }
    for planned in plan.predicates.iter().filter(|it| it.chooses_slices) {
        let predicate = &planned.predicate;
        let (kind, is_workspace) = match table.columns[predicate.column].origin {
            Origin::Parent(Parent::Workspace) => ("workspace", true),
            Origin::Parent(Parent::Repository) => ("slice", false),
            _ => continue,
        };
        if !matches!(
            predicate.operator,
            Operator::Eq | Operator::NotEq | Operator::In | Operator::NotIn
        ) {
            continue;
        }
        let place = table
            .parents()
            .position(|parent| parent == predicate.column);
        for value in &predicate.values {
            let Literal::Text(slug) = value else { continue };
            let is_it = |slice: &&Slice| {
                let parent = place.and_then(|place| slice.parents.get(place)?.as_ref());
                parent == Some(slug)
            };
            let meaning = slices.iter().find(is_it).and_then(|slice| {
                let id = Some(slice.id.0.as_str());
                if is_workspace { workspace } else { id }
            });
            if let Some(meaning) = meaning {
                names.push(((kind, slug.clone()), meaning.to_owned()));
            }
        }
    }
    names
}

fn moved(name: &str, meaning: &str) -> Error {
    Error::new(
        code::NAME_MOVED,
        format!("{name} meant another object when the table was loaded; it means {meaning}. Nothing was changed"),
    )
    .with_hint("if it was renamed, write its new name into the statement: the table is then loaded whole again")
}
