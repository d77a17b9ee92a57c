//! Operators that give way. A join can work on one batch for hours without giving a row to those above it; what waits
//! for a time limit or for Ctrl-C on the same thread would wait as long.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::DataFusionError;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::execution::{RecordBatchStream, SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::coop::make_cooperative;
use datafusion::physical_plan::joins::{
    CrossJoinExec, HashJoinExec, NestedLoopJoinExec, SortMergeJoinExec,
};
use datafusion::physical_plan::recursive_query::RecursiveQueryExec;
use datafusion::physical_plan::unnest::UnnestExec;
use datafusion::physical_plan::windows::BoundedWindowAggExec;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties,
    ReplaceChildrenOptions,
};
use futures::{Stream, StreamExt};

use crate::function::{LONGEST, LONGEST_TOGETHER};
use crate::portions::{Portions, makes_a_constant_text};

/// Rows that a join with a condition takes from its right side at a time, at most: each is held against many of the
/// left side, or all. A window takes as many. It begins with one, and takes more while that is quick.
const ROWS: usize = 1_024;
const QUICK: Duration = Duration::from_millis(5);
const SLOW: Duration = Duration::from_millis(50);

/// A plan whose operators give way. It is not for EXPLAIN, which shows what the planner made.
pub(crate) fn interruptible(
    plan: Arc<dyn ExecutionPlan>,
) -> Result<Arc<dyn ExecutionPlan>, DataFusionError> {
    let changed = plan.transform_up(|node| {
        if let Some(portions) = Portions::of(&node)? {
            return Ok(Transformed::yes(Arc::new(portions) as _));
        }
        let rows = rows_at_a_time(&node);
        let expands = node.downcast_ref::<NestedLoopJoinExec>().is_some()
            || node.downcast_ref::<HashJoinExec>().is_some()
            || node.downcast_ref::<CrossJoinExec>().is_some()
            || node.downcast_ref::<SortMergeJoinExec>().is_some()
            || node.downcast_ref::<UnnestExec>().is_some()
            || node.downcast_ref::<RecursiveQueryExec>().is_some();
        if rows.is_none() && !expands {
            return Ok(Transformed::no(node));
        }
        let node = match rows {
            None => node,
            Some(rows) => {
                let mut children: Vec<_> = node.children().into_iter().map(Arc::clone).collect();
                // The right side of a join, the only one of anything else.
                if let Some(last) = children.pop() {
                    children.push(Arc::new(Yielding::new(last, Some(rows))));
                }
                let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
                node.replace_children(children, options)?
            }
        };
        Ok(Transformed::yes(match expands {
            true => Arc::new(Yielding::new(node, None)),
            false => node,
        }))
    });
    Ok(changed?.data)
}

/// How many rows an operator may be given at a time, if not as many as come.
fn rows_at_a_time(node: &Arc<dyn ExecutionPlan>) -> Option<usize> {
    if node.downcast_ref::<NestedLoopJoinExec>().is_some() {
        return Some(ROWS);
    }
    if let Some(join) = node.downcast_ref::<HashJoinExec>() {
        return join.filter().map(|_| ROWS);
    }
    // A frame may have any number of rows.
    if node.downcast_ref::<BoundedWindowAggExec>().is_some() {
        return Some(ROWS);
    }
    // An aggregate holds a text that stands for all rows once for each row that it is given.
    let aggregate = node.downcast_ref::<AggregateExec>()?;
    let schema = aggregate.input().schema();
    let functions = aggregate.aggr_expr().iter();
    let arguments = functions.flat_map(|function| function.expressions());
    let groups = aggregate.group_expr().input_exprs();
    let is_long = |it: &Arc<dyn PhysicalExpr>| makes_a_constant_text(it, &schema);
    let is_any_long = arguments.chain(groups).any(|it| is_long(&it));
    is_any_long.then_some(LONGEST_TOGETHER / LONGEST)
}

/// An operator that gives way after each batch that it passes on, in batches of `rows` at most.
#[derive(Debug)]
pub(crate) struct Yielding {
    input: Arc<dyn ExecutionPlan>,
    rows: Option<usize>,
}

impl Yielding {
    fn new(input: Arc<dyn ExecutionPlan>, rows: Option<usize>) -> Self {
        Self { input, rows }
    }

    /// The operator whose batches it passes on.
    pub(crate) fn input(&self) -> &Arc<dyn ExecutionPlan> {
        &self.input
    }
}

impl DisplayAs for Yielding {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Yielding")
    }
}

impl ExecutionPlan for Yielding {
    fn name(&self) -> &str {
        "Yielding"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion, DataFusionError>,
    ) -> Result<TreeNodeRecursion, DataFusionError> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>, DataFusionError> {
        let mut children = children.into_iter();
        let input = children.next().unwrap_or_else(|| Arc::clone(&self.input));
        Ok(Arc::new(Self::new(input, self.rows)))
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>, DataFusionError> {
        let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
        self.replace_children(children, options)
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream, DataFusionError> {
        let input = self.input.execute(partition, context)?;
        Ok(match self.rows {
            None => make_cooperative(input),
            Some(rows) => Box::pin(Slices {
                input,
                rows: if rows == ROWS { 1 } else { rows },
                most: rows,
                rest: None,
                given: None,
            }),
        })
    }
}

/// Batches in slices, between which the task gives way.
struct Slices {
    input: SendableRecordBatchStream,
    rows: usize,
    most: usize,
    rest: Option<RecordBatch>,
    /// When the last slice was given to the operator, which works on it until it asks for another.
    given: Option<Instant>,
}

impl Stream for Slices {
    type Item = Result<RecordBatch, DataFusionError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(given) = self.given.take() {
            self.rows = match given.elapsed() {
                quick if quick < QUICK => (self.rows * 2).min(self.most),
                slow if slow > SLOW => (self.rows / 2).max(1),
                _ => self.rows,
            };
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let batch = match self.rest.take() {
            Some(batch) => batch,
            None => match ready!(self.input.poll_next_unpin(context)) {
                Some(Ok(batch)) => batch,
                end => return Poll::Ready(end),
            },
        };
        self.given = Some(Instant::now());
        let slice = batch.slice(0, batch.num_rows().min(self.rows));
        if batch.num_rows() > self.rows {
            self.rest = Some(batch.slice(self.rows, batch.num_rows() - self.rows));
        }
        Poll::Ready(Some(Ok(slice)))
    }
}

impl RecordBatchStream for Slices {
    fn schema(&self) -> SchemaRef {
        self.input.schema()
    }
}
