//! ORDER BY with LIMIT over a scan: each slice gives its first rows only.

use std::sync::Arc;

use datafusion::arrow::compute::SortOptions;
use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::{ChildrenPropertiesMode, ExecutionPlan, ReplaceChildrenOptions};

use super::SourceScan;

/// Hands a sort by one column and its limit down to the scan below, together: a source sorts only what it also
/// limits, since a list that is read whole is safer read by key. With one slice the sort is gone; with several it
/// stays and sees the first rows of each.
#[derive(Debug)]
pub(crate) struct PushTop;

impl PhysicalOptimizerRule for PushTop {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
            Ok(match pushed(&node)? {
                Some(changed) => Transformed::yes(changed),
                None => Transformed::no(node),
            })
        })
        .data()
    }

    fn name(&self) -> &str {
        "PushTop"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn pushed(node: &Arc<dyn ExecutionPlan>) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let Some(sort) = node.downcast_ref::<SortExec>() else {
        return Ok(None);
    };
    let (Some(rows), 1) = (sort.fetch(), sort.expr().len()) else {
        return Ok(None);
    };
    let key = &sort.expr()[0];
    let Some(column) = key.expr.downcast_ref::<Column>() else {
        return Ok(None);
    };
    let Some(Top { plan, sorted }) = top(sort.input(), column.index(), key.options, rows)? else {
        return Ok(None);
    };
    if sorted {
        Ok(Some(plan))
    } else {
        with_input(node, plan).map(Some)
    }
}

struct Top {
    plan: Arc<dyn ExecutionPlan>,
    /// The plan gives exactly the rows that the sort would.
    sorted: bool,
}

/// The same plan over a scan that gives only the first rows; looks through projections.
fn top(
    plan: &Arc<dyn ExecutionPlan>,
    column: usize,
    options: SortOptions,
    rows: usize,
) -> Result<Option<Top>> {
    if let Some(projection) = plan.downcast_ref::<ProjectionExec>() {
        let Some(column) = projection.expr()[column].expr.downcast_ref::<Column>() else {
            return Ok(None);
        };
        let Some(Top {
            plan: below,
            sorted,
        }) = top(projection.input(), column.index(), options, rows)?
        else {
            return Ok(None);
        };
        return Ok(Some(Top {
            plan: with_input(plan, below)?,
            sorted,
        }));
    }
    let Some(scan) = plan
        .downcast_ref::<DataSourceExec>()
        .and_then(|source| source.data_source().downcast_ref::<SourceScan>())
    else {
        return Ok(None);
    };
    let Some(scan) = scan.with_top(column, options, rows)? else {
        return Ok(None);
    };
    let sorted = scan.has_one_slice();
    Ok(Some(Top {
        plan: DataSourceExec::from_data_source(scan),
        sorted,
    }))
}

fn with_input(
    node: &Arc<dyn ExecutionPlan>,
    input: Arc<dyn ExecutionPlan>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let mode = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
    Arc::clone(node).replace_children(vec![input], mode)
}
