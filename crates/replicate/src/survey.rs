//! Which slices there are, and what became of those that were there.

use std::collections::{BTreeMap, HashSet};

use bucketline_source::spec::{Origin, Parent, TableSpec};
use bucketline_source::{ErrorKind as SourceError, ReadContext, ScopeKind, Slice, SliceChoice};

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

/// Lists the slices of a scan and compares them with what is known.
///
/// # Errors
/// [`ErrorKind::NameMoved`] if a name of the statement means something else than it did.
pub(crate) async fn survey(
    work: &dyn RowWork,
    scan: &Scan,
    known: &Slices,
    names_before: &BTreeMap<String, String>,
    context: &ReadContext,
) -> Result<Survey> {
    let plan = scan.plan();
    let slices = work.source().slices(plan, context).await.map_err(|error| {
        let lost = matches!(error.kind(), SourceError::Name | SourceError::NotFound);
        match &plan.slices {
            SliceChoice::Named(names) if lost && !names_before.is_empty() => {
                moved(&names.join(", "), "nothing any more").with_cause(error.into())
            }
            _ => error.into(),
        }
    })?;
    let names = names(work.table(), scan, &slices);
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
    if !vanished.is_empty()
        && plan.slices == SliceChoice::Listed
        && let Some(widest) = scan.widest(work)?
    {
        let listed = work.source().slices(&widest, context).await?;
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

/// What the scope and the slugs of a statement mean.
fn names(table: &TableSpec, scan: &Scan, slices: &[Slice]) -> BTreeMap<String, String> {
    let plan = scan.plan();
    let mut names = BTreeMap::new();
    let scope = &plan.request.scope;
    if let (ScopeKind::Project | ScopeKind::Repository, Some(uuid)) = (scope.kind, &scope.uuid) {
        names.insert(format!("scope:{}", scope.name.to_lowercase()), uuid.clone());
    }
    let parent = |wanted: Parent| {
        table
            .parents()
            .position(|column| table.columns[column].origin == Origin::Parent(wanted))
    };
    if let (SliceChoice::Named(wanted), Some(slug)) = (&plan.slices, parent(Parent::Repository)) {
        let uuid = parent(Parent::RepositoryUuid);
        for name in wanted {
            let is_it = |slice: &&Slice| {
                let value = |index: usize| slice.parents.get(index).and_then(Option::as_deref);
                [Some(slug), uuid]
                    .into_iter()
                    .flatten()
                    .filter_map(value)
                    .any(|value| value.eq_ignore_ascii_case(name))
            };
            if let Some(slice) = slices.iter().find(is_it) {
                names.insert(format!("slice:{}", name.to_lowercase()), slice.id.0.clone());
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
