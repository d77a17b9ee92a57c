//! A load that begins when there is something to write.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use bucketline_destination::{Change, Counts, Load, LoadPlan, Replacement, Result, RowFilter};
use serde_json::Value;
use tokio::sync::OnceCell;

/// A load that begins with its first page: a run to which the source refuses everything leaves no
/// table behind, and no owner of one.
pub(crate) struct LazyLoad {
    load: Box<dyn Load>,
    plan: LoadPlan,
    begun: OnceCell<()>,
}

impl LazyLoad {
    /// A load that will begin with a plan.
    pub(crate) fn new(load: Box<dyn Load>, plan: LoadPlan) -> Self {
        Self {
            load,
            plan,
            begun: OnceCell::new(),
        }
    }

    /// Begins, if that is not done.
    pub(crate) async fn begin(&self) -> Result<()> {
        let begin = || self.load.begin(self.plan.clone());
        self.begun.get_or_try_init(begin).await.copied()
    }

    pub(crate) async fn write(&self, slice: &str, change: Change) -> Result<()> {
        self.begin().await?;
        self.load.write(slice, change).await
    }

    pub(crate) async fn commit(&self, slice: &str, checkpoint: Option<Value>) -> Result<Counts> {
        self.begin().await?;
        self.load.commit(slice, checkpoint).await
    }

    pub(crate) async fn discard(&self, slice: &str) -> Result<()> {
        self.load.discard(slice).await
    }

    pub(crate) async fn forget(&self, slice: &str) -> Result<()> {
        self.load.forget(slice).await
    }

    pub(crate) async fn keys(&self, rows: &RowFilter) -> Result<Vec<RecordBatch>> {
        self.begin().await?;
        self.load.keys(rows).await
    }

    pub(crate) async fn columns(&self) -> Result<SchemaRef> {
        self.begin().await?;
        self.load.columns().await
    }

    pub(crate) async fn apply(&self, replacement: Replacement, record: Value) -> Result<Counts> {
        self.begin().await?;
        self.load.apply(replacement, record).await
    }

    /// Ends the load, with another record than that of the plan if one is given. What has not begun
    /// changes nothing.
    pub(crate) async fn finish(self, record: Option<Value>) -> Result<()> {
        let record = record.filter(|_| self.begun.initialized());
        self.load.finish(record).await
    }
}
