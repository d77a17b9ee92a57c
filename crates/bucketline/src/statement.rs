//! Executing one statement.

use std::sync::Arc;

use arrow::array::{RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use bucketline_replicate as replicate;
use bucketline_source::ReadContext;
use bucketline_sql::{Ident, Name, Query, Show, ShowKind, Statement, parse_statement};
use futures::StreamExt;
use replicate::ScriptRun;

use crate::run::Voice;
use crate::{Error, Event, Result, Session};

/// Where a statement is executed.
pub(crate) struct Scene<'a> {
    pub(crate) session: &'a Session,
    pub(crate) shared: &'a ScriptRun,
    pub(crate) context: &'a ReadContext,
    pub(crate) voice: &'a Voice,
}

/// What a statement that succeeded has to say.
#[derive(Debug, Default)]
pub(crate) struct Done {
    pub(crate) rows: u64,
    /// Requests, where the statement counted them itself.
    pub(crate) requests: Option<u64>,
}

impl Scene<'_> {
    pub(crate) async fn execute(&self, statement: Statement) -> Result<Done> {
        match statement {
            Statement::Query(query) => self.query(&query).await,
            Statement::Replicate(statement) => {
                let report = replicate::replicate(
                    &self.session.engine,
                    &self.session.destination,
                    &statement,
                    self.shared,
                    &self.voice.events(),
                )
                .await?;
                Ok(Done {
                    rows: 0,
                    requests: Some(report.requests),
                })
            }
            Statement::Explain(explain) if explain.analyze => Err(Error::not_yet(
                "EXPLAIN ANALYZE is understood, but it cannot be executed yet",
            )
            .with_hint("EXPLAIN without ANALYZE shows the plan and its requests")),
            Statement::Explain(explain) => self.explain(*explain.statement).await,
            Statement::Use(name) => self.use_connection(&name).await,
            Statement::Show(show) => self.show(&show).await,
            Statement::Describe(table) => {
                self.system(
                    "ColumnName, DataTypeName, IsNullable, IsKey, Description",
                    "sys_tablecolumns",
                    &table,
                    "Ordinal",
                )
                .await
            }
            statement @ (Statement::Insert(_) | Statement::Update(_) | Statement::Delete(_)) => {
                let text = format!(
                    "{} is not possible: Bucketline only reads Bitbucket",
                    statement.verb()
                );
                Err(Error::read_only(text).with_hint("REPLICATE writes to the destination"))
            }
            other => Err(Error::not_yet(format!(
                "{} is understood, but it cannot be executed yet",
                other.verb()
            ))
            .with_hint("SELECT, REPLICATE, EXPLAIN, USE, SHOW and DESCRIBE can be")),
        }
    }

    async fn query(&self, query: &Query) -> Result<Done> {
        let mut run = self.session.engine.query(query, self.context).await?;
        self.voice.say(Event::Columns(Arc::clone(&run.schema)));
        let mut rows = 0;
        while let Some(batch) = run.rows.next().await {
            let batch = batch.map_err(|error| run.error(error))?;
            rows += batch.num_rows() as u64;
            if batch.num_rows() > 0 {
                self.voice.say(Event::Rows(batch));
                // Lets the reader take the rows before more are fetched.
                tokio::task::yield_now().await;
            }
        }
        Ok(Done {
            rows,
            requests: None,
        })
    }

    async fn explain(&self, statement: Statement) -> Result<Done> {
        let lines = match statement {
            Statement::Query(query) => self.session.engine.explain(&query, self.context).await?,
            Statement::Replicate(statement) => {
                replicate::explain(&self.session.engine, &self.session.destination, &statement)
                    .await?
            }
            other => {
                return Err(Error::not_yet(format!(
                    "EXPLAIN {} cannot be executed yet",
                    other.verb()
                ))
                .with_hint("SELECT and REPLICATE can be explained"));
            }
        };
        let schema = Arc::new(Schema::new(vec![Field::new("Plan", DataType::Utf8, false)]));
        let rows = lines.len() as u64;
        let batch = RecordBatch::try_new(
            Arc::clone(&schema),
            vec![Arc::new(StringArray::from(lines))],
        )
        .map_err(|error| Error::new("BL8099", error.to_string()))?;
        self.voice.say(Event::Columns(schema));
        self.voice.say(Event::Rows(batch));
        Ok(Done {
            rows,
            requests: None,
        })
    }

    async fn use_connection(&self, name: &Name) -> Result<Done> {
        let (connection, schema) = match name.parts.as_slice() {
            [connection] => (connection, None),
            [connection, schema] => (connection, Some(schema)),
            _ => {
                return Err(
                    Error::connection(format!("USE {name}: that name has too many parts"))
                        .with_hint("USE connection; or USE connection.schema;"),
                );
            }
        };
        self.session
            .engine
            .use_connection(connection, schema, self.context)
            .await?;
        let (connection, schema) = self.session.current();
        let schema = schema.map_or_else(String::new, |schema| format!(".{schema}"));
        self.voice
            .say(Event::Message(format!("using {connection}{schema}")));
        Ok(Done::default())
    }

    async fn show(&self, show: &Show) -> Result<Done> {
        let (columns, table, order) = match show.what {
            ShowKind::Connections => ("CatalogName AS Connection", "sys_catalogs", "CatalogName"),
            ShowKind::Schemas => (
                "CatalogName AS Connection, SchemaName",
                "sys_schemas",
                "CatalogName, SchemaName",
            ),
            ShowKind::Tables => (
                "CatalogName AS Connection, SchemaName, TableName, TableType, Description",
                "sys_tables",
                "CatalogName, SchemaName, TableName",
            ),
            ShowKind::Columns => {
                let columns = "ColumnName, DataTypeName, IsNullable, IsKey, Description";
                return match &show.from {
                    Some(name) => {
                        self.system(columns, "sys_tablecolumns", name, "Ordinal")
                            .await
                    }
                    None => Err(Error::connection("SHOW COLUMNS needs a table")
                        .with_hint("SHOW COLUMNS FROM Issues;")),
                };
            }
            other => {
                return Err(Error::not_yet(format!(
                    "SHOW {other:?} is understood, but it cannot be executed yet"
                ))
                .with_hint("CONNECTIONS, SCHEMAS, TABLES and COLUMNS can be shown"));
            }
        };
        let mut conditions = Vec::new();
        if let Some(connection) = &show.from {
            conditions.push(format!(
                "LOWER(CatalogName) = LOWER({})",
                quoted(&connection.last().text)
            ));
        }
        if let Some(pattern) = &show.like {
            let subject = order.rsplit(", ").next().unwrap_or(order);
            conditions.push(format!("{subject} ILIKE {}", quoted(pattern)));
        }
        let condition = if conditions.is_empty() {
            String::new()
        } else {
            format!("WHERE {}", conditions.join(" AND "))
        };
        self.text(&format!(
            "SELECT {columns} FROM {table} {condition} ORDER BY {order}"
        ))
        .await
    }

    /// The rows of a system table for one table.
    async fn system(&self, columns: &str, system: &str, table: &Name, order: &str) -> Result<Done> {
        let mut query = format!(
            "SELECT {columns} FROM {system} WHERE LOWER(TableName) = LOWER({})",
            quoted(&table.last().text)
        );
        let connection: Option<&Ident> = table.qualifier().first();
        match connection {
            Some(connection) => {
                query.push_str(&format!(
                    " AND LOWER(CatalogName) = LOWER({})",
                    quoted(&connection.text)
                ));
            }
            None => {
                let (current, _) = self.session.current();
                query.push_str(&format!(" AND CatalogName = {}", quoted(&current)));
            }
        }
        query.push_str(&format!(" ORDER BY {order}"));
        self.text(&query).await
    }

    async fn text(&self, query: &str) -> Result<Done> {
        match parse_statement(query)?.statement {
            Statement::Query(query) => self.query(&query).await,
            other => unreachable!("a SELECT was parsed as {}", other.verb()),
        }
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
