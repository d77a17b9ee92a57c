//! Tables and views of the user's own in the destination: CREATE, DROP, UPDATE, DELETE and TRUNCATE.
//!
//! Conditions and values are computed here, as in a SELECT, over all rows of the table; what is written are the rows that
//! were found, in one transaction that fails if another program has changed one meanwhile.

mod view;

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::{Field, Schema};
use bucketline_destination::{
    self as destination, Definition, Destination, NewColumn, PLACE, TableName,
};
use bucketline_engine::datafusion::catalog::MemTable;
use bucketline_engine::{DEFAULT_DESTINATION, Session};
use bucketline_source::ReadContext;
use bucketline_sql::{self as sql, OwnKind, TableContent};
use futures::StreamExt;

use crate::catalog::DestinationTable;
use crate::declared::Declared;
use crate::statement::target;
use crate::{Error, Result, code};

/// What a statement did: how many rows it wrote, and whether it did anything.
#[derive(Debug, Clone, Copy, Default)]
pub struct Written {
    /// Rows that were written or deleted.
    pub rows: u64,
    /// There was nothing to do: what was to be made is there, what was to be dropped is not.
    pub is_idle: bool,
}

/// Carries out CREATE TABLE.
///
/// # Errors
/// If there is something of that name, a type is not known, or the query fails. Nothing was made then.
pub async fn create_table(
    session: &Session,
    destination: &Arc<dyn Destination>,
    statement: &sql::CreateTable,
    context: &ReadContext,
) -> Result<Written> {
    let name = place(&statement.table);
    let (columns, key, rows) = match &statement.content {
        TableContent::Columns(list) => {
            let declared = Declared::read(list, true, false)?;
            let column = |column: &crate::declared::DeclaredColumn| {
                let is_key = declared
                    .key
                    .iter()
                    .any(|key| key.eq_ignore_ascii_case(&column.name));
                let number = arrow::datatypes::DataType::Float64;
                let data_type = column.data_type.clone().unwrap_or(number);
                let nullable = !(is_key || column.rule.not_null);
                NewColumn {
                    field: Field::new(&column.name, data_type, nullable),
                    length: column.rule.length,
                    range: column.rule.range,
                }
            };
            let columns = declared.columns.iter().map(column).collect();
            (columns, declared.key.clone(), Vec::new())
        }
        TableContent::Query(query) => {
            let mut run = session.query(query, context).await?;
            let mut rows = Vec::new();
            while let Some(batch) = run.rows.next().await {
                rows.push(batch.map_err(|error| run.error(error))?);
            }
            check_names(&run.schema)?;
            let column = |field: &Arc<Field>| NewColumn {
                field: field.as_ref().clone().with_nullable(true),
                length: None,
                range: None,
            };
            let columns = run.schema.fields().iter().map(column).collect();
            (columns, Vec::new(), rows)
        }
    };
    let count = rows.iter().map(|batch| batch.num_rows() as u64).sum();
    let definition = Definition::Table {
        name,
        columns,
        key,
        if_absent: statement.if_absent,
        rows,
    };
    let span = statement.table.span();
    let made = destination.define(&definition).await;
    if !made.map_err(|error| error.at(span))? {
        return Ok(Written {
            is_idle: true,
            ..Written::default()
        });
    }
    Ok(Written {
        rows: count,
        is_idle: false,
    })
}

/// Refuses two columns of one name, which no table has.
fn check_names(columns: &Schema) -> Result<()> {
    let mut seen = HashSet::new();
    for field in columns.fields() {
        if !seen.insert(field.name().to_lowercase()) {
            let message = format!("the column {} appears twice", field.name());
            return Err(
                Error::new(bucketline_core::code::engine::AMBIGUOUS_NAME, message)
                    .with_hint("give one of them another name with AS"),
            );
        }
    }
    Ok(())
}

/// Carries out CREATE VIEW. The view is computed by the destination, in its own SQL.
///
/// # Errors
/// If it reads something else than the destination's tables, or the destination does not understand it.
pub async fn create_view(
    session: &Session,
    destination: &Arc<dyn Destination>,
    statement: &sql::CreateView,
    context: &ReadContext,
) -> Result<Written> {
    let query = view::render(session, destination, &statement.query, context).await?;
    let definition = Definition::View {
        name: place(&statement.view),
        query,
        replaces: statement.or_replace,
    };
    let made = destination.define(&definition).await;
    made.map_err(|error| error.at(statement.view.span()))?;
    Ok(Written::default())
}

/// Carries out DROP TABLE and DROP VIEW.
///
/// # Errors
/// If there is no such thing, or CREATE has not made it.
pub async fn drop_own(
    destination: &Arc<dyn Destination>,
    statement: &sql::DropOwn,
) -> Result<Written> {
    let definition = Definition::Drop {
        name: place(&statement.name),
        view: statement.kind == OwnKind::View,
    };
    match destination.define(&definition).await {
        Ok(_) => Ok(Written::default()),
        Err(error) if statement.if_exists && error.code() == destination::code::NOT_FOUND => {
            Ok(Written {
                is_idle: true,
                ..Written::default()
            })
        }
        Err(error) => Err(error.at(statement.name.span())),
    }
}

/// Where something new of a name is made, and what is dropped under it.
fn place(name: &sql::Name) -> TableName {
    let mut name = name.clone();
    if name.parts.len() > 1 && name.parts[0].is(DEFAULT_DESTINATION) {
        name.parts.remove(0);
    }
    target(&name, &sql::Options::default())
}

/// A table of the user's own that a statement changes.
#[derive(Debug)]
pub struct Changing<'a> {
    name: &'a sql::Name,
    destination: Arc<dyn Destination>,
    table: TableName,
    columns: Arc<Schema>,
}

impl<'a> Changing<'a> {
    /// Finds the table, which may be asked for by look-ups of names; `None` if it is none of a destination.
    ///
    /// # Errors
    /// If there is no such table.
    pub async fn find(
        session: &Session,
        name: &'a sql::Name,
        context: &ReadContext,
    ) -> Result<Option<Self>> {
        let provider = session.table(name, context).await?;
        let Some(found) = provider.downcast_ref::<DestinationTable>() else {
            return Ok(None);
        };
        if found.ours {
            let refused = destination::fault::copy(&found.name);
            return Err(refused.at(name.span()));
        }
        Ok(Some(Self {
            name,
            destination: Arc::clone(&found.destination),
            table: found.name.clone(),
            columns: Arc::clone(&found.schema),
        }))
    }

    /// Gives rows new values. Returns how many.
    ///
    /// # Errors
    /// If a column is not there or is given twice, an expression fails, or a value does not fit. Nothing was changed then.
    pub async fn update(
        &self,
        session: &Session,
        statement: &sql::Update,
        context: &ReadContext,
    ) -> Result<u64> {
        let mut names: Vec<String> = Vec::new();
        for (column, _) in &statement.assignments {
            let mut fields = self.columns.fields().iter();
            let found = fields.find(|field| field.name().eq_ignore_ascii_case(&column.text));
            let problem = match found {
                None => Some(format!("{} has no column `{}`", self.name, column.text)),
                Some(field) if names.contains(field.name()) => {
                    Some(format!("the column `{}` is given twice", column.text))
                }
                Some(field) => {
                    names.push(field.name().clone());
                    None
                }
            };
            if let Some(message) = problem {
                return Err(Error::new(code::COLUMNS, message).at(column.span));
            }
        }
        let values: Vec<String> = statement
            .assignments
            .iter()
            .enumerate()
            .map(|(index, (_, value))| {
                format!(", {} AS [_bucketline_value_{index}]", value.bound())
            })
            .collect();
        let (values, condition) = (values.concat(), statement.condition.as_ref());
        let rows = self.matching(session, &values, condition, context).await?;
        let own = self.columns.fields().len() + 1;
        let before: Vec<usize> = (0..own).collect();
        let fields = rows.schema();
        let fields = fields.fields()[own..].iter().zip(&names);
        let fields: Vec<Field> = fields
            .map(|(field, name)| field.as_ref().clone().with_name(name).with_nullable(true))
            .collect();
        let values = RecordBatch::try_new(
            Arc::new(Schema::new(fields)),
            rows.columns()[own..].to_vec(),
        );
        let values = values.map_err(|error| Error::new(code::COLUMNS, error.to_string()))?;
        let before = rows.project(&before);
        let before = before.map_err(|error| Error::new(code::COLUMNS, error.to_string()))?;
        self.write(&before, Some(&values)).await
    }

    /// Deletes rows. Returns how many.
    ///
    /// # Errors
    /// If the condition fails. Nothing was deleted then.
    pub async fn delete(
        &self,
        session: &Session,
        condition: Option<&sql::Expression>,
        context: &ReadContext,
    ) -> Result<u64> {
        let rows = self.matching(session, "", condition, context).await?;
        self.write(&rows, None).await
    }

    async fn write(&self, rows: &RecordBatch, values: Option<&RecordBatch>) -> Result<u64> {
        let written = self
            .destination
            .change_rows(&self.table, rows, values)
            .await;
        written.map_err(|error| error.at(self.name.span()))
    }

    /// The rows that match, behind their places, and what else is asked for of each.
    async fn matching(
        &self,
        session: &Session,
        more: &str,
        condition: Option<&sql::Expression>,
        context: &ReadContext,
    ) -> Result<RecordBatch> {
        let rows = self.destination.own_rows(&self.table).await;
        let rows = rows.map_err(|error| error.at(self.name.span()))?;
        let failed = |error: &dyn std::fmt::Display| Error::new(code::COLUMNS, error.to_string());
        let schema = rows.first().map(RecordBatch::schema);
        let schema = schema.ok_or_else(|| failed(&"the table gave no rows"))?;
        let names = schema.fields().iter();
        let names: Vec<String> = names
            .map(|field| format!("[{}]", field.name().replace(']', "]]")))
            .collect();
        let condition = condition.map(|condition| format!("\nWHERE {}", condition.bound()));
        let text = format!(
            "SELECT {}{more}\nFROM {}{}",
            names.join(", "),
            self.name,
            condition.unwrap_or_default()
        );
        let parsed = sql::parse_statement(&text).map_err(|error| failed(&error))?;
        let sql::Statement::Query(query) = parsed.statement else {
            return Err(failed(&"the statement is no query"));
        };
        let table = MemTable::try_new(Arc::clone(&schema), vec![rows]);
        let table = Arc::new(table.map_err(|error| failed(&error))?);
        let run = session.query_over(&query, self.name, table, context).await;
        // Its places are those of a text of our own.
        let mut run = run.map_err(|error| error.at(self.name.span()))?;
        let mut found = Vec::new();
        while let Some(batch) = run.rows.next().await {
            let batch = batch.map_err(|error| run.error(error));
            found.push(batch.map_err(|error| error.at(self.name.span()))?);
        }
        debug_assert_eq!(run.schema.field(0).name(), PLACE);
        concat_batches(&run.schema, &found).map_err(|error| failed(&error))
    }
}
