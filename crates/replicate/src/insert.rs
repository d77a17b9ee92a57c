//! INSERT: the rows of a query are appended to a table of the user's own.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Field, Schema, SchemaRef};
use bucketline_destination::{self as destination, Destination, TableName};
use bucketline_engine::Session;
use bucketline_source::ReadContext;
use bucketline_source::figures::counted;
use bucketline_sql as sql;
use futures::StreamExt;

use crate::catalog::DestinationTable;
use crate::{Error, Result, code};

/// An INSERT whose table is known to be the user's own.
#[derive(Debug)]
pub struct Insertion<'a> {
    statement: &'a sql::Insert,
    destination: Arc<dyn Destination>,
    table: TableName,
    columns: SchemaRef,
}

impl<'a> Insertion<'a> {
    /// Finds the table, which may be asked for by look-ups of names; `None` if it is none of a destination.
    ///
    /// # Errors
    /// If there is no such table, or it is a copy, to which only REPLICATE and CACHE write, or a view.
    pub async fn find(
        session: &Session,
        statement: &'a sql::Insert,
        context: &ReadContext,
    ) -> Result<Option<Self>> {
        let provider = session.table(&statement.table, context).await?;
        let Some(found) = provider.downcast_ref::<DestinationTable>() else {
            return Ok(None);
        };
        let table = &found.name;
        let refusal = match (found.ours, found.view) {
            (true, _) => Some(destination::fault::ours(table)),
            (_, true) => Some(destination::fault::no_table(table, "view")),
            (false, false) => None,
        };
        if let Some(refusal) = refusal {
            return Err(refusal.at(statement.table.span()));
        }
        Ok(Some(Self {
            statement,
            destination: Arc::clone(&found.destination),
            table: table.clone(),
            columns: Arc::clone(&found.schema),
        }))
    }

    /// What it does, for people.
    pub fn outline(&self) -> String {
        format!(
            "appends the rows of a query to {}, all of them or none",
            self.table
        )
    }

    /// Reads all rows, then appends them in one transaction, which so never waits for a request. Returns how many.
    ///
    /// # Errors
    /// If the query fails or gives other columns than there are, or a row does not fit the table. Nothing was appended
    /// then.
    pub async fn run(&self, session: &Session, context: &ReadContext) -> Result<u64> {
        let mut query = session.query(&self.statement.query, context).await?;
        let schema = self.named(&query.schema)?;
        let mut rows = Vec::new();
        while let Some(batch) = query.rows.next().await {
            let batch = batch.map_err(|error| query.error(error))?;
            let batch = RecordBatch::try_new(Arc::clone(&schema), batch.columns().to_vec());
            rows.push(batch.map_err(|error| {
                Error::new(code::COLUMNS, error.to_string()).at(self.statement.query.span())
            })?);
        }
        self.destination.append(&self.table, &rows).await
    }

    /// The columns of the query under the names of those that they go to: the ones listed, else the table's, in order.
    fn named(&self, given: &Schema) -> Result<SchemaRef> {
        let listed = self.statement.columns.iter().map(|column| &column.text);
        let names: Vec<&String> = match listed.len() {
            0 => self.columns.fields().iter().map(|it| it.name()).collect(),
            _ => listed.collect(),
        };
        if names.len() != given.fields().len() {
            let wanted = counted(names.len() as u64, "column");
            let message = format!("the query gives {} for {wanted}", given.fields().len());
            return Err(Error::new(code::COLUMNS, message)
                .with_hint("name as many columns after the table as the query gives")
                .at(self.statement.query.span()));
        }
        let field = |(name, field): (&String, &Arc<Field>)| {
            field.as_ref().clone().with_name(name).with_nullable(true)
        };
        let fields = names.into_iter().zip(given.fields()).map(field);
        Ok(Arc::new(Schema::new(fields.collect::<Vec<Field>>())))
    }
}
