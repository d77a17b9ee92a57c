//! Projections and filters that compute as many rows at a time as their texts leave room for. A batch has thousands of
//! rows, and a function can make a long text of each.

use std::cell::Cell;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use datafusion::arrow::array::{Array, AsArray, RecordBatch, RecordBatchOptions};
use datafusion::arrow::compute::filter_record_batch;
use datafusion::arrow::datatypes::{DataType, FieldRef, Schema, SchemaRef};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DataFusionError, ScalarValue};
use datafusion::execution::{RecordBatchStream, SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::expressions::{Column, Literal};
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties,
    ReplaceChildrenOptions,
};
use futures::{Stream, StreamExt};

use crate::error::{Carry, is_lack_of_memory};
use crate::function::LONGEST_TOGETHER;
use crate::{Error, code};

/// Bytes from which on a constant is long.
const LONG: usize = 64 << 10;

/// A portion that took longer lets other tasks run before the next.
const SLOW: Duration = Duration::from_millis(5);

/// Whether an expression makes texts, or holds a long one.
pub(crate) fn makes_texts(expression: &Arc<dyn PhysicalExpr>, schema: &Schema) -> bool {
    any(expression, |part| {
        if let Some(constant) = part.downcast_ref::<Literal>() {
            return ScalarValue::size(constant.value()) > LONG;
        }
        part.downcast_ref::<ScalarFunctionExpr>().is_some()
            && part.data_type(schema).is_ok_and(|kind| is_long(&kind))
    })
}

/// Whether an expression makes one text for all rows, or holds a long one.
pub(crate) fn makes_a_constant_text(expression: &Arc<dyn PhysicalExpr>, schema: &Schema) -> bool {
    makes_texts(expression, schema)
        && any(expression, |part| {
            makes_texts(part, schema) && !any(part, |it| it.downcast_ref::<Column>().is_some())
        })
}

fn any(
    expression: &Arc<dyn PhysicalExpr>,
    is_meant: impl Fn(&Arc<dyn PhysicalExpr>) -> bool,
) -> bool {
    expression.exists(|part| Ok(is_meant(part))).unwrap_or(true)
}

/// Whether one value of a type may take any number of bytes.
fn is_long(kind: &DataType) -> bool {
    kind.primitive_width().is_none() && !matches!(kind, DataType::Boolean | DataType::Null)
}

/// A projection or a filter whose expressions make texts.
#[derive(Debug)]
pub(crate) struct Portions {
    /// The operator that it stands for, for EXPLAIN.
    operator: Arc<dyn ExecutionPlan>,
    input: Arc<dyn ExecutionPlan>,
    work: Work,
    metrics: ExecutionPlanMetricsSet,
}

#[derive(Debug, Clone)]
enum Work {
    Project(Vec<Arc<dyn PhysicalExpr>>),
    Filter {
        condition: Arc<dyn PhysicalExpr>,
        columns: Option<Vec<usize>>,
        most: Option<usize>,
    },
}

impl Portions {
    /// What computes as `operator` does; `None` if that makes no texts.
    pub(crate) fn of(operator: &Arc<dyn ExecutionPlan>) -> Result<Option<Self>, DataFusionError> {
        let (input, work) = if let Some(projection) = operator.downcast_ref::<ProjectionExec>() {
            let schema = projection.input().schema();
            let mut expressions = projection.expr().iter().map(|it| &it.expr);
            if !expressions.any(|it| makes_texts(it, &schema)) {
                return Ok(None);
            }
            let expressions = projection.expr().iter().map(|it| counted(&it.expr));
            let expressions = expressions.collect::<Result<_, _>>()?;
            (projection.input(), Work::Project(expressions))
        } else if let Some(filter) = operator.downcast_ref::<FilterExec>() {
            if !makes_texts(filter.predicate(), &filter.input().schema()) {
                return Ok(None);
            }
            let work = Work::Filter {
                condition: counted(filter.predicate())?,
                columns: filter.projection().as_ref().map(|it| it.to_vec()),
                most: filter.fetch(),
            };
            (filter.input(), work)
        } else {
            return Ok(None);
        };
        Ok(Some(Self {
            input: Arc::clone(input),
            operator: Arc::clone(operator),
            work,
            metrics: ExecutionPlanMetricsSet::new(),
        }))
    }
}

impl Work {
    fn of(&self, batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, DataFusionError> {
        match self {
            Self::Project(expressions) => {
                let columns = expressions.iter().map(|expression| {
                    let value = expression.evaluate(batch)?;
                    value.into_array(batch.num_rows())
                });
                let columns = columns.collect::<Result<Vec<_>, _>>()?;
                let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
                Ok(RecordBatch::try_new_with_options(
                    Arc::clone(schema),
                    columns,
                    &options,
                )?)
            }
            Self::Filter {
                condition, columns, ..
            } => {
                let kept = condition.evaluate(batch)?.into_array(batch.num_rows())?;
                let batch = match columns {
                    Some(columns) => &batch.project(columns)?,
                    None => batch,
                };
                Ok(filter_record_batch(batch, kept.as_boolean())?)
            }
        }
    }

    fn most(&self) -> usize {
        match self {
            Self::Project(_) => usize::MAX,
            Self::Filter { most, .. } => most.unwrap_or(usize::MAX),
        }
    }
}

impl DisplayAs for Portions {
    fn fmt_as(&self, form: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.operator.fmt_as(form, f)
    }
}

impl ExecutionPlan for Portions {
    fn name(&self) -> &'static str {
        "Portions"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.operator.properties()
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
        Ok(Arc::new(Self {
            operator: Arc::clone(&self.operator),
            input: children.next().unwrap_or_else(|| Arc::clone(&self.input)),
            work: self.work.clone(),
            metrics: ExecutionPlanMetricsSet::new(),
        }))
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
        Ok(Box::pin(Computing {
            input: self.input.execute(partition, context)?,
            schema: self.schema(),
            most: self.work.most(),
            work: self.work.clone(),
            metrics: BaselineMetrics::new(&self.metrics, partition),
            rows: usize::MAX,
            rest: None,
            is_slow: false,
        }))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}

/// What an operator gives, portion by portion.
struct Computing {
    input: SendableRecordBatchStream,
    schema: SchemaRef,
    work: Work,
    metrics: BaselineMetrics,
    /// The rows of the next portion, and those that may still be given.
    rows: usize,
    most: usize,
    rest: Option<RecordBatch>,
    is_slow: bool,
}

impl Computing {
    /// Computes the beginning of a batch, and keeps the rest of it.
    fn portion(&mut self, batch: &RecordBatch) -> Result<RecordBatch, DataFusionError> {
        loop {
            let rows = self.rows.min(batch.num_rows());
            let began = Instant::now();
            HELD.set(0);
            let computed = self.work.of(&batch.slice(0, rows), &self.schema);
            self.is_slow = began.elapsed() > SLOW;
            match computed {
                Err(error) if rows > 1 && is_lack_of_memory(&error) => self.rows = rows / 2,
                Err(error) => return Err(error),
                Ok(computed) => {
                    self.rows = self.rows.saturating_mul(2);
                    let left = batch.num_rows() - rows;
                    self.rest = (left > 0).then(|| batch.slice(rows, left));
                    return Ok(computed);
                }
            }
        }
    }
}

impl Stream for Computing {
    type Item = Result<RecordBatch, DataFusionError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if std::mem::take(&mut self.is_slow) {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            if self.most == 0 {
                return Poll::Ready(None);
            }
            let batch = match self.rest.take() {
                Some(batch) => batch,
                None => match ready!(self.input.poll_next_unpin(context)) {
                    Some(Ok(batch)) => batch,
                    end => return Poll::Ready(end),
                },
            };
            let elapsed = self.metrics.elapsed_compute().clone();
            let timer = elapsed.timer();
            let computed = self.portion(&batch);
            timer.done();
            let given = match computed {
                Ok(computed) if computed.num_rows() == 0 => continue,
                Ok(computed) => {
                    let rows = computed.num_rows().min(self.most);
                    self.most -= rows;
                    Ok(computed.slice(0, rows))
                }
                Err(error) => {
                    self.most = 0;
                    Err(error)
                }
            };
            return self.metrics.record_poll(Poll::Ready(Some(given)));
        }
    }
}

impl RecordBatchStream for Computing {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}

thread_local! {
    /// Bytes of the texts that the portion which this thread computes holds. Arguments are held until their function
    /// has its result.
    static HELD: Cell<usize> = const { Cell::new(0) };
}

/// An expression that counts its texts, and fails when too much is held.
fn counted(expression: &Arc<dyn PhysicalExpr>) -> Result<Arc<dyn PhysicalExpr>, DataFusionError> {
    let counted = Arc::clone(expression).transform_up(|part| {
        let is_plain = part.downcast_ref::<Column>().is_some()
            || part
                .downcast_ref::<Literal>()
                .is_some_and(|constant| ScalarValue::size(constant.value()) <= LONG);
        Ok(match is_plain {
            true => Transformed::no(part),
            false => Transformed::yes(Arc::new(Counted(part)) as Arc<dyn PhysicalExpr>),
        })
    });
    Ok(counted?.data)
}

/// A part of an expression, whose result is counted in place of its arguments.
#[derive(Debug)]
struct Counted(Arc<dyn PhysicalExpr>);

impl PhysicalExpr for Counted {
    fn return_field(&self, schema: &Schema) -> Result<FieldRef, DataFusionError> {
        self.0.return_field(schema)
    }

    fn data_type(&self, schema: &Schema) -> Result<DataType, DataFusionError> {
        self.0.data_type(schema)
    }

    fn nullable(&self, schema: &Schema) -> Result<bool, DataFusionError> {
        self.0.nullable(schema)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue, DataFusionError> {
        let before = HELD.get();
        let value = self.0.evaluate(batch)?;
        let held = before.saturating_add(bytes(&value, batch.num_rows()));
        HELD.set(held);
        if held <= LONGEST_TOGETHER {
            return Ok(value);
        }
        let message = match batch.num_rows() {
            1 => "the texts that the query makes of one row take more than 32 MiB",
            _ => "the texts that the query makes of some rows take more than 32 MiB",
        };
        Err(Error::new(code::MEMORY, message).carried())
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.0]
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn PhysicalExpr>>,
    ) -> Result<Arc<dyn PhysicalExpr>, DataFusionError> {
        let inner = children.into_iter().next();
        Ok(Arc::new(Self(inner.unwrap_or_else(|| Arc::clone(&self.0)))))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt_sql(f)
    }
}

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl PartialEq for Counted {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq(&other.0)
    }
}

impl Eq for Counted {}

impl Hash for Counted {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

/// What a value takes as an array of so many rows, which operators and functions make of one that stands for all of
/// them. Numbers take little, and are not counted.
fn bytes(value: &ColumnarValue, rows: usize) -> usize {
    if !is_long(&value.data_type()) {
        return 0;
    }
    match value {
        ColumnarValue::Scalar(value) => ScalarValue::size(value).saturating_mul(rows),
        ColumnarValue::Array(array) => match array.data_type() {
            // Several views may lie in one text.
            DataType::Utf8View => array.as_string_view().total_bytes_len(),
            _ => array.to_data().get_slice_memory_size().unwrap_or(0),
        },
    }
}
