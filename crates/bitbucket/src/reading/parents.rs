//! The parents that a reading of their children visits, page by page.

use std::mem;
use std::sync::Arc;

use arrow::array::{AsArray as _, RecordBatch};
use arrow::datatypes::Int64Type;
use bucketline_source::spec::{Revisit, Walk};
use bucketline_source::{
    Checkpoint, End, Page, ReadContext, Reading, Result, ScanPlan, Slice, Visits,
};

use super::{Connection, Reader};
use crate::failure::Failure;
use crate::parents::{again, looking_back};

/// Pages of parents, with the positions before and behind each.
pub(super) struct ParentPages {
    opening: Opening,
    also: Option<Revisit>,
    stage: Stage,
}

/// What the parents' list is opened with.
struct Opening {
    connection: Connection,
    plan: Arc<ScanPlan>,
    slice: Slice,
    context: ReadContext,
}

enum Stage {
    /// What changed, or all of them.
    Listed(Box<Reader>),
    /// Those that are visited on each run; all up to `last` have been.
    Again {
        reader: Box<Reader>,
        checkpoint: Box<Checkpoint>,
        last: i64,
    },
    /// Those that the conditions name.
    Given(Option<(Arc<[usize]>, RecordBatch)>),
}

/// A page of parents.
pub(super) struct ParentPage {
    /// Which of the parent table's columns the rows have.
    pub(super) columns: Arc<[usize]>,
    pub(super) rows: RecordBatch,
    /// The position before it, once something has been read.
    pub(super) before: Checkpoint,
    pub(super) after: Checkpoint,
    pub(super) end: Option<End>,
}

impl ParentPages {
    /// The parents of a plan's rows; `given` are those that its conditions name.
    pub(super) fn new(
        connection: Connection,
        plan: Arc<ScanPlan>,
        slice: Slice,
        context: ReadContext,
        reading: &Reading,
        also: Option<Revisit>,
        given: Option<(Arc<[usize]>, RecordBatch)>,
    ) -> Result<Self> {
        let opening = Opening {
            connection,
            plan,
            slice,
            context,
        };
        let stage = match (reading, given) {
            (Reading::Changes(checkpoint), _) => {
                opening.changes(checkpoint.clone(), also.as_ref())?
            }
            (_, Some(given)) => Stage::Given(Some(given)),
            _ => Stage::Listed(opening.reader(&opening.plan, Reading::Scan)?),
        };
        let first = matches!(reading, Reading::Changes(checkpoint) if checkpoint.mark.is_none());
        Ok(Self {
            opening,
            // A first load visits every parent.
            also: also.filter(|_| !first),
            stage,
        })
    }

    pub(super) async fn next(&mut self) -> Result<ParentPage, Failure> {
        let columns: Arc<[usize]> = self.opening.plan.request.columns.as_slice().into();
        match &mut self.stage {
            Stage::Given(given) => {
                let (columns, rows) = match given.take() {
                    Some(given) => given,
                    None => (
                        columns,
                        RecordBatch::new_empty(self.opening.plan.schema.clone()),
                    ),
                };
                Ok(ParentPage {
                    columns,
                    rows,
                    before: Checkpoint::default(),
                    after: Checkpoint::default(),
                    end: Some(End::Complete { unstable_pages: 0 }),
                })
            }
            Stage::Listed(reader) => {
                let Page {
                    rows,
                    checkpoint,
                    mut end,
                    ..
                } = Box::pin(reader.page()).await?;
                let before = lifted(reader.before());
                let mut after = lifted(checkpoint.unwrap_or_default());
                if let (Some(End::Complete { .. }), Some(also)) = (&end, self.also.take()) {
                    let last = i64::MIN;
                    let reader = self.opening.again(&also, last)?;
                    self.stage = Stage::Again {
                        reader,
                        checkpoint: Box::new(after.clone()),
                        last,
                    };
                    after.visits.again = Some(last);
                    end = None;
                }
                Ok(ParentPage {
                    columns,
                    rows,
                    before,
                    after,
                    end,
                })
            }
            Stage::Again {
                reader,
                checkpoint,
                last,
            } => {
                let Page { rows, end, .. } = Box::pin(reader.page()).await?;
                let at = |again| {
                    let mut checkpoint = checkpoint.as_ref().clone();
                    checkpoint.visits.again = again;
                    checkpoint
                };
                let before = at(Some(*last));
                *last = (*last).max(self.opening.highest(&rows));
                let after = at(end.is_none().then_some(*last));
                Ok(ParentPage {
                    columns,
                    rows,
                    before,
                    after,
                    end,
                })
            }
        }
    }
}

/// The checkpoint of a child whose parent has this one.
fn lifted(mut checkpoint: Checkpoint) -> Checkpoint {
    let above = mem::take(&mut checkpoint.visits);
    checkpoint.visits.above = (above != Visits::default()).then(|| Box::new(above));
    checkpoint
}

impl Opening {
    fn reader(&self, plan: &Arc<ScanPlan>, reading: Reading) -> Result<Box<Reader>> {
        let reader = Reader::new(
            self.connection.clone(),
            Arc::clone(plan),
            self.slice.clone(),
            reading,
            self.context.clone(),
        );
        reader.map(Box::new)
    }

    /// What changed since a checkpoint of the child.
    fn changes(&self, mut checkpoint: Checkpoint, also: Option<&Revisit>) -> Result<Stage> {
        let visits = mem::take(&mut checkpoint.visits);
        if let (Some(last), Some(also)) = (visits.again, also) {
            checkpoint.visits.above = visits.above;
            return Ok(Stage::Again {
                reader: self.again(also, last)?,
                checkpoint: Box::new(checkpoint),
                last,
            });
        }
        checkpoint.visits = visits.above.map(|above| *above).unwrap_or_default();
        let plan = Arc::new(looking_back(&self.plan, also));
        Ok(Stage::Listed(
            self.reader(&plan, Reading::Changes(checkpoint))?,
        ))
    }

    fn again(&self, also: &Revisit, last: i64) -> Result<Box<Reader>> {
        let plan = again(&self.plan, also, last, self.connection.access())?;
        self.reader(&Arc::new(plan), Reading::Scan)
    }

    /// The highest value of the walk's column.
    fn highest(&self, rows: &RecordBatch) -> i64 {
        let request = &self.plan.request;
        let Walk::Keyset { column, .. } = request.table.walk else {
            return i64::MIN;
        };
        let position = request.columns.iter().position(|known| *known == column);
        position
            .and_then(|position| rows.column(position).as_primitive_opt::<Int64Type>())
            .and_then(arrow::compute::max)
            .unwrap_or(i64::MIN)
    }
}
