//! Reading a source's table in a SELECT: the table as DataFusion sees it, and its scan.

mod measured;
mod predicate;
mod push;
mod reader;
mod source_scan;
mod top;

use std::sync::Arc;

use async_trait::async_trait;
use bucketline_source::{ReadContext, Scope, Source, TableSpec};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::datasource::source::DataSourceExec;
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;

pub(crate) use predicate::translate;
pub(crate) use push::PushFilters;
pub(crate) use source_scan::SourceScan;
pub(crate) use top::PushTop;

/// One table of a source in one scope.
#[derive(Debug, Clone)]
pub(crate) struct SourceTable {
    pub(crate) connection: String,
    pub(crate) source: Arc<dyn Source>,
    pub(crate) table: Arc<TableSpec>,
    pub(crate) scope: Scope,
    /// Counts the requests and hears the notes of the statement.
    pub(crate) context: ReadContext,
    schema: SchemaRef,
}

impl SourceTable {
    pub(crate) fn new(
        connection: &str,
        source: Arc<dyn Source>,
        table: Arc<TableSpec>,
        scope: Scope,
        context: ReadContext,
    ) -> Self {
        let schema = Arc::new(table.schema());
        Self {
            connection: connection.to_owned(),
            source,
            table,
            scope,
            context,
            schema,
        }
    }
}

#[async_trait]
impl TableProvider for SourceTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    // Filters are left to the physical round: there they arrive compiled, and accepting them makes room
    // for the order and the limit above them (docs/decisions/0002).
    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let columns = match projection {
            Some(columns) => columns.clone(),
            None => (0..self.table.columns.len()).collect(),
        };
        let scan = SourceScan::try_new(self.clone(), columns, limit)?;
        Ok(DataSourceExec::from_data_source(scan))
    }
}
