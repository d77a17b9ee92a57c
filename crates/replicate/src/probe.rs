//! Whether lists have rows at all. An empty list may be a fault; an empty selection from a list that
//! has rows is none.

use std::sync::Arc;

use bucketline_source::{Pushdown, ReadContext, Reading, ScanPlan, ScanRequest, Slice, Source};
use futures::TryStreamExt;

use crate::Result;

/// The source itself leaves rows out, so that no row says nothing about the list.
pub(crate) fn is_narrowed(plan: &ScanPlan) -> bool {
    let mut predicates = plan.predicates.iter();
    predicates.any(|planned| !planned.chooses_slices && planned.pushdown != Pushdown::Kept)
}

/// Whether one of the slices has a row, whatever the plan's conditions on rows are. Costs a request a
/// slice up to the first that has one.
pub(crate) async fn shows_rows(
    source: &Arc<dyn Source>,
    plan: &ScanPlan,
    slices: &[Slice],
    context: &ReadContext,
) -> Result<bool> {
    let request = &plan.request;
    let predicates = request.predicates.iter().zip(&plan.predicates);
    let predicates = predicates.filter(|(_, planned)| planned.chooses_slices);
    let one_row = ScanRequest {
        predicates: predicates.map(|(predicate, _)| predicate.clone()).collect(),
        order: None,
        limit: Some(1),
        ..request.clone()
    };
    let plan = Arc::new(source.plan(one_row)?);
    for slice in slices {
        let mut pages = source.read(Arc::clone(&plan), slice, Reading::Scan, context);
        while let Some(page) = pages.try_next().await? {
            if page.rows.num_rows() > 0 {
                return Ok(true);
            }
        }
    }
    Ok(false)
}
