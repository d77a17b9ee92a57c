//! Which slices there are, and what became of those that were there.

use std::collections::{BTreeMap, HashSet};

use bucketline_source::spec::{Origin, Parent, TableSpec};
use bucketline_source::{
    ErrorKind as SourceError, Literal, Operator, ReadContext, ScopeKind, Slice, SliceChoice,
};

use crate::prepare::Scan;
use crate::record::{SliceState, Slices};
use crate::work::RowWork;
use crate::{Error, ErrorKind, Result};

/// The slices of a run.
#[derive(Debug)]
pub(crate) struct Survey {
    /// To be read, in the source's order.
    pub(crate) slices: Vec<Slice>,
    /// Known before, listed, and outside the statement's scope or conditions now.
    pub(crate) left: Vec<Known>,
    /// Known before and listed no more.
    pub(crate) vanished: Vec<Known>,
    /// What the names in the statement mean.
    pub(crate) names: BTreeMap<String, String>,
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

/// Lists the slices of a scan and compares them with what is known. `workspace` is the UUID of the source's.
///
/// # Errors
/// [`ErrorKind::NameMoved`] if a name of the statement means something else than it did.
pub(crate) async fn survey(
    work: &dyn RowWork,
    scan: &Scan,
    known: &Slices,
    names_before: &BTreeMap<String, String>,
    workspace: Option<&str>,
    context: &ReadContext,
) -> Result<Survey> {
    let plan = scan.plan();
    let slices = work
        .source()
        .slices(plan, context)
        .await
        .map_err(|error| match &plan.slices {
            SliceChoice::Named(names) if is_lost(&error) && !names_before.is_empty() => {
                moved(&names.join(", "), "nothing any more").with_cause(error.into())
            }
            _ => error.into(),
        })?;
    // What the statement could choose from: of the repositories that it names only those are looked up.
    let widest = match plan.slices {
        SliceChoice::Listed => scan.widest(work)?,
        SliceChoice::One | SliceChoice::Named(_) => None,
    };
    let listed = match widest {
        Some(widest) => Some(work.source().slices(&widest, context).await?),
        None => None,
    };
    let choice = listed.as_ref().unwrap_or(&slices);
    let names = names(work.table(), scan, choice, workspace);
    for (name, before) in names_before {
        let shown = name
            .split_once(':')
            .map_or(name.as_str(), |(_, shown)| shown);
        match names.get(name) {
            Some(now) if now == before => {}
            Some(_) => return Err(moved(shown, "another object now")),
            None => return Err(moved(shown, "nothing any more")),
        }
    }

    let present: HashSet<&str> = slices.iter().map(|slice| slice.id.0.as_str()).collect();
    let missing: Vec<_> = known
        .iter()
        .filter(|(id, _)| !present.contains(id.as_str()))
        .map(|(id, state)| Known {
            id: id.clone(),
            state: state.clone(),
        })
        .collect();
    let (mut left, mut vanished) = (Vec::new(), missing);
    if let Some(listed) = &listed {
        let listed: HashSet<&str> = listed.iter().map(|slice| slice.id.0.as_str()).collect();
        (left, vanished) = vanished
            .into_iter()
            .partition(|known| listed.contains(known.id.as_str()));
    }
    Ok(Survey {
        slices,
        left,
        vanished,
        names,
    })
}

/// A name that the source does not know, or knows no more.
pub(crate) fn is_lost(error: &bucketline_source::Error) -> bool {
    matches!(error.kind(), SourceError::Name | SourceError::NotFound)
}

/// What the scope of a statement and the slugs that it compares with mean. The slugs of the slices that it
/// leaves out count, too: were one renamed, its rows would come in.
fn names(
    table: &TableSpec,
    scan: &Scan,
    slices: &[Slice],
    workspace: Option<&str>,
) -> BTreeMap<String, String> {
    let plan = scan.plan();
    let mut names = BTreeMap::new();
    let scope = &plan.request.scope;
    if let (ScopeKind::Project | ScopeKind::Repository, Some(uuid)) = (scope.kind, &scope.uuid) {
        names.insert(format!("scope:{}", scope.name.to_lowercase()), uuid.clone());
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
                names.insert(format!("{kind}:{slug}"), meaning.to_owned());
            }
        }
    }
    names
}

fn moved(name: &str, meaning: &str) -> Error {
    Error::new(
        ErrorKind::NameMoved,
        format!("{name} meant another object when the table was loaded; it means {meaning}. Nothing was changed"),
    )
    .with_hint("if it was renamed, write its new name into the statement: the table is then loaded whole again")
}
