//! The pages of one partition: slices taken from a shared queue, filtered, cut to the limit.

use crate::error::Carry;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use bucketline_source::{End, PageStream, Reading, ScanPlan, Slice, Source};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::compute::filter_record_batch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::common::cast::as_boolean_array;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{StreamExt, stream};
use tokio::sync::OnceCell;

use super::measured::Measured;
use crate::{Error, code};

/// The slices that no partition has taken yet. Listed once, by the first partition that is polled.
#[derive(Debug, Default)]
pub(super) struct SliceQueue {
    listed: OnceCell<Work>,
}

#[derive(Debug)]
struct Work {
    plan: Arc<ScanPlan>,
    slices: Mutex<VecDeque<Slice>>,
}

pub(super) struct Reader {
    pub(super) source: Arc<dyn Source>,
    pub(super) measured: Arc<Measured>,
    pub(super) schema: SchemaRef,
    pub(super) filters: Vec<Arc<dyn PhysicalExpr>>,
    pub(super) fetch: Option<usize>,
    pub(super) queue: Arc<SliceQueue>,
    pub(super) plan: Box<dyn Fn() -> Result<Arc<ScanPlan>> + Send + Sync>,
}

impl Reader {
    pub(super) fn into_stream(self) -> SendableRecordBatchStream {
        let schema = Arc::clone(&self.schema);
        let remaining = self.fetch;
        let start = (self, None::<PageStream>, remaining);
        let rows = stream::try_unfold(start, |(reader, pages, remaining)| async move {
            reader.advance(pages, remaining).await
        });
        Box::pin(RecordBatchStreamAdapter::new(schema, rows))
    }

    /// The next batch that has rows. Nothing is requested once the limit is reached.
    async fn advance(
        self,
        mut pages: Option<PageStream>,
        remaining: Option<usize>,
    ) -> Result<Option<(RecordBatch, (Self, Option<PageStream>, Option<usize>))>> {
        loop {
            if remaining == Some(0) {
                return Ok(None);
            }
            let mut current = match pages.take() {
                Some(current) => current,
                None => match self.next_slice().await? {
                    Some(current) => current,
                    None => return Ok(None),
                },
            };
            let asked = Instant::now();
            let page = match current.next().await {
                Some(page) => page.map_err(Error::carried)?,
                None => {
                    return Err(
                        Error::new(code::SOURCE, "a list ended before its last page").carried(),
                    );
                }
            };
            match &page.end {
                None => pages = Some(current),
                Some(End::NotApplicable { why }) => self.measured.context.observer().note(why),
                Some(End::Complete { .. }) => {}
            }
            let read = page.rows.num_rows();
            let mut batch = self.filtered(page.rows)?;
            self.measured.page(asked, read, batch.num_rows());
            if let Some(remaining) = remaining
                && batch.num_rows() > remaining
            {
                batch = batch.slice(0, remaining);
            }
            if batch.num_rows() > 0 {
                let remaining = remaining.map(|remaining| remaining - batch.num_rows());
                return Ok(Some((batch, (self, pages, remaining))));
            }
        }
    }

    async fn next_slice(&self) -> Result<Option<PageStream>> {
        let work = self
            .queue
            .listed
            .get_or_try_init(|| async {
                let plan = (self.plan)()?;
                let slices = self
                    .source
                    .slices(&plan, &self.measured.context)
                    .await
                    .map_err(Error::carried)?;
                Ok::<_, datafusion::common::DataFusionError>(Work {
                    plan,
                    slices: Mutex::new(slices.into()),
                })
            })
            .await?;
        let slice = work
            .slices
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front();
        Ok(slice.map(|slice| {
            self.source.read(
                Arc::clone(&work.plan),
                &slice,
                Reading::Scan,
                &self.measured.context,
            )
        }))
    }

    fn filtered(&self, mut batch: RecordBatch) -> Result<RecordBatch> {
        for filter in &self.filters {
            let keep = filter.evaluate(&batch)?.into_array(batch.num_rows())?;
            batch = filter_record_batch(&batch, as_boolean_array(&keep)?)?;
        }
        Ok(batch)
    }
}
