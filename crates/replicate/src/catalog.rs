//! A destination's tables in SELECT.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use async_trait::async_trait;
use bucketline_destination::{Condition, Destination, Exact, Query, Scalar, TableInfo, TableName};
use bucketline_engine::{Catalog, CatalogEntry, CatalogTable, Error, Result};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{Result as PlanResult, ScalarValue};
use datafusion::error::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{
    BinaryExpr, Expr, Operator, TableProviderFilterPushDown, TableType,
};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use futures::{StreamExt, TryStreamExt, stream};

/// A destination as a catalog of the engine, so that its tables can be read in any SELECT.
#[derive(Debug, Clone)]
pub struct DestinationCatalog {
    destination: Arc<dyn Destination>,
}

impl DestinationCatalog {
    /// The tables of a destination.
    pub fn new(destination: Arc<dyn Destination>) -> Self {
        Self { destination }
    }

    fn provider(&self, info: &TableInfo) -> Arc<dyn TableProvider> {
        Arc::new(DestinationTable {
            destination: Arc::clone(&self.destination),
            name: info.name.clone(),
            schema: Arc::clone(&info.schema),
            ours: info.ours,
            view: info.view,
        })
    }

    /// Schema and name as the catalog shows them.
    fn spelling(&self, name: &TableName) -> (Option<String>, String) {
        match self.has_schemas() {
            true => (name.schema.clone(), name.name.clone()),
            false => (None, name.to_string()),
        }
    }
}

#[async_trait]
impl Catalog for DestinationCatalog {
    fn label(&self) -> String {
        self.destination.label()
    }

    fn has_schemas(&self) -> bool {
        self.destination.capabilities().schemas
    }

    async fn tables(&self) -> Result<Vec<CatalogTable>> {
        let tables = self.destination.tables().await?;
        let table = |info: TableInfo| {
            let (schema, name) = self.spelling(&info.name);
            CatalogTable {
                schema,
                name,
                columns: info.schema,
                key: info.key,
                view: info.view,
            }
        };
        Ok(tables.into_iter().map(table).collect())
    }

    async fn table(
        &self,
        schema: Option<&str>,
        name: &str,
        exact: bool,
    ) -> Result<Option<CatalogEntry>> {
        let mut wanted = TableName {
            schema: schema.map(str::to_owned),
            name: name.to_owned(),
            exact: Exact {
                schema: exact,
                name: exact,
            },
        };
        let mut found = self.destination.table(&wanted).await?;
        if found.is_none() && exact {
            // Where names are folded, a table may have been made under the same one without the quotes.
            wanted.exact = Exact::default();
            found = self.destination.table(&wanted).await?;
        }
        let Some(info) = found else {
            return Ok(None);
        };
        if exact && !self.has_schemas() && info.name.to_string() != wanted.to_string() {
            return Ok(None);
        }
        let (_, name) = self.spelling(&info.name);
        Ok(Some(CatalogEntry {
            name,
            provider: self.provider(&info),
            key: info.key,
        }))
    }
}

/// One table or view.
#[derive(Debug)]
pub(crate) struct DestinationTable {
    pub(crate) destination: Arc<dyn Destination>,
    pub(crate) name: TableName,
    pub(crate) schema: SchemaRef,
    /// A load of ours made it.
    pub(crate) ours: bool,
    pub(crate) view: bool,
}

#[async_trait]
impl TableProvider for DestinationTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        if self.view {
            TableType::View
        } else {
            TableType::Base
        }
    }

    /// The destination may use a condition or not; it is evaluated again above the scan.
    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> PlanResult<Vec<TableProviderFilterPushDown>> {
        let pushdown = |filter: &&Expr| match condition(filter, &self.schema) {
            Some(_) => TableProviderFilterPushDown::Inexact,
            None => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(pushdown).collect())
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> PlanResult<Arc<dyn ExecutionPlan>> {
        let schema = match projection {
            Some(columns) => Arc::new(self.schema.project(columns)?),
            None => Arc::clone(&self.schema),
        };
        let scan = DestinationScan {
            destination: Arc::clone(&self.destination),
            query: Query {
                table: self.name.clone(),
                columns: schema
                    .fields()
                    .iter()
                    .map(|field| field.name().clone())
                    .collect(),
                conditions: filters
                    .iter()
                    .filter_map(|it| condition(it, &self.schema))
                    .collect(),
                limit,
            },
            schema: Arc::clone(&schema),
        };
        let partitions: Vec<Arc<dyn PartitionStream>> = vec![Arc::new(scan)];
        Ok(Arc::new(StreamingTableExec::try_new(
            schema, partitions, None, None, false, limit,
        )?))
    }
}

/// One reading of a table.
struct DestinationScan {
    destination: Arc<dyn Destination>,
    query: Query,
    schema: SchemaRef,
}

impl fmt::Debug for DestinationScan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DestinationScan")
            .field("query", &self.query)
            .finish_non_exhaustive()
    }
}

impl PartitionStream for DestinationScan {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let (destination, query) = (Arc::clone(&self.destination), self.query.clone());
        let external = |error: Error| DataFusionError::External(Box::new(error));
        let batches = stream::once(async move { destination.read(&query).await })
            .try_flatten()
            .map_err(external)
            .boxed();
        Box::pin(RecordBatchStreamAdapter::new(
            Arc::clone(&self.schema),
            batches,
        ))
    }
}

/// A filter that compares a column with a constant of its own type, as a destination's condition.
fn condition(filter: &Expr, schema: &SchemaRef) -> Option<Condition> {
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = filter else {
        return None;
    };
    let (column, value, flipped) = match (left.as_ref(), right.as_ref()) {
        (Expr::Column(column), Expr::Literal(value, _)) => (column, value, false),
        (Expr::Literal(value, _), Expr::Column(column)) => (column, value, true),
        _ => return None,
    };
    let operator = match (op, flipped) {
        (Operator::Eq, _) => "=",
        (Operator::NotEq, _) => "<>",
        (Operator::Lt, false) | (Operator::Gt, true) => "<",
        (Operator::LtEq, false) | (Operator::GtEq, true) => "<=",
        (Operator::Gt, false) | (Operator::Lt, true) => ">",
        (Operator::GtEq, false) | (Operator::LtEq, true) => ">=",
        _ => return None,
    };
    let field = schema.field_with_name(&column.name).ok()?;
    let value = match (field.data_type(), value) {
        (DataType::Utf8, ScalarValue::Utf8(Some(text)) | ScalarValue::Utf8View(Some(text))) => {
            Scalar::Text(text.clone())
        }
        (DataType::Int64, ScalarValue::Int64(Some(number))) => Scalar::Int(*number),
        (DataType::Boolean, ScalarValue::Boolean(Some(truth))) => Scalar::Bool(*truth),
        _ => return None,
    };
    Some(Condition {
        column: column.name.clone(),
        operator,
        value,
    })
}
