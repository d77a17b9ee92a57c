//! Aggregates over all rows, which give a row whatever they read.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::tree_node::Transformed;
use datafusion::logical_expr::{
    Filter, Join, LogicalPlan, LogicalPlanBuilder, Projection, SubqueryAlias,
};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

/// Keeps conditions out of aggregates over all rows. DataFusion moves a condition that reads no column below them, a
/// FALSE among the conditions of a join for example, and they give the row of nothing instead of no row. A limit
/// of one row, which changes nothing, stops it.
#[derive(Debug)]
pub(crate) struct GuardAggregates;

impl OptimizerRule for GuardAggregates {
    fn name(&self) -> &str {
        "guard_aggregates"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        _config: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        let guarded = match &plan {
            LogicalPlan::Filter(filter) => {
                let input = guarded(&filter.input)?;
                input.map(|input| {
                    Filter::try_new(filter.predicate.clone(), input).map(LogicalPlan::Filter)
                })
            }
            LogicalPlan::SubqueryAlias(named) => {
                let input = guarded(&named.input)?;
                input.map(|input| {
                    SubqueryAlias::try_new(input, named.alias.clone())
                        .map(LogicalPlan::SubqueryAlias)
                })
            }
            LogicalPlan::Join(join) => match (guarded(&join.left)?, guarded(&join.right)?) {
                (None, None) => None,
                (left, right) => Some(Ok(LogicalPlan::Join(Join {
                    left: left.unwrap_or_else(|| Arc::clone(&join.left)),
                    right: right.unwrap_or_else(|| Arc::clone(&join.right)),
                    ..join.clone()
                }))),
            },
            _ => None,
        };
        match guarded {
            Some(guarded) => Ok(Transformed::yes(guarded?)),
            None => Ok(Transformed::no(plan)),
        }
    }
}

/// The plan with a limit above its aggregate, if it is one without groups.
fn guarded(plan: &LogicalPlan) -> Result<Option<Arc<LogicalPlan>>> {
    Ok(match plan {
        LogicalPlan::Projection(projection) => match guarded(&projection.input)? {
            Some(input) => {
                let projection = Projection::try_new(projection.expr.clone(), input)?;
                Some(Arc::new(LogicalPlan::Projection(projection)))
            }
            None => None,
        },
        LogicalPlan::Aggregate(aggregate) if aggregate.group_expr.is_empty() => {
            let limited = LogicalPlanBuilder::from(plan.clone()).limit(0, Some(1))?;
            Some(Arc::new(limited.build()?))
        }
        _ => None,
    })
}
