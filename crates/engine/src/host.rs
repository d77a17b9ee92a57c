//! Tables of the program that a session is part of.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use futures::TryStreamExt;
use futures::stream::BoxStream;

use crate::Result;
use crate::error::Carry;

/// A table of the program that a session is part of. Queries read it like a system table; its name stands alone.
pub trait HostTable: fmt::Debug + Send + Sync {
    /// Its name, such as `sys_jobs`.
    fn name(&self) -> &str;

    /// What its rows are, in a sentence.
    fn description(&self) -> &str;

    /// Its columns.
    fn columns(&self) -> SchemaRef;

    /// Its rows, read anew by each query.
    fn rows(&self) -> BoxStream<'static, Result<RecordBatch>>;
}

/// Reads one when a query runs.
#[derive(Debug)]
struct HostRows {
    table: Arc<dyn HostTable>,
    columns: SchemaRef,
}

pub(crate) fn provider(table: &Arc<dyn HostTable>) -> Arc<dyn TableProvider> {
    let columns = table.columns();
    let rows = HostRows {
        table: Arc::clone(table),
        columns: Arc::clone(&columns),
    };
    match StreamingTable::try_new(columns, vec![Arc::new(rows)]) {
        Ok(table) => Arc::new(table),
        Err(error) => unreachable!("the rows have the table's columns: {error}"),
    }
}

impl PartitionStream for HostRows {
    fn schema(&self) -> &SchemaRef {
        &self.columns
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let rows = self.table.rows().map_err(Carry::carried);
        let columns = Arc::clone(&self.columns);
        Box::pin(RecordBatchStreamAdapter::new(columns, rows))
    }
}
