//! Executing one statement.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::compute::{filter_record_batch, ilike};
use arrow::error::ArrowError;
use bucketline_replicate as replicate;
use bucketline_source::{Observer, ReadContext};
use bucketline_sql::{
    CreateConnection, DropConnection, Ident, Name, OptionName, Options, Query, Show, ShowKind,
    Statement, parse_statement,
};
use futures::StreamExt;
use replicate::ScriptRun;

use crate::check::check;
use crate::run::Voice;
use crate::{ConnectionProperties, Error, Event, Result, Session, procedure};

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
    /// Executes a statement under these options, for as long as they allow.
    pub(crate) async fn execute_within(
        &self,
        statement: Statement,
        options: &Options,
    ) -> Result<Done> {
        let execution = self.execute(statement);
        let seconds = options.int(OptionName::CommandTimeout).unwrap_or(0);
        match u64::try_from(seconds) {
            Ok(seconds) if seconds > 0 => {
                let ended = tokio::time::timeout(Duration::from_secs(seconds), execution).await;
                ended.unwrap_or_else(|_| Err(Error::timeout(seconds)))
            }
            _ => execution.await,
        }
    }

    async fn execute(&self, statement: Statement) -> Result<Done> {
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
            Statement::CreateConnection(create) => self.create_connection(&create),
            Statement::DropConnection(dropped) => self.drop_connection(&dropped),
            Statement::TestConnection(name) => self.test_connection(&name).await,
            Statement::Set(set) => {
                let told = self.session.options().execute(&set)?;
                self.voice.say(Event::Message(told));
                Ok(Done::default())
            }
            Statement::Use(name) => self.use_connection(&name).await,
            Statement::Show(show) => self.show(&show).await,
            Statement::Describe(table) => self.columns(&table, None).await,
            Statement::Execute(execute) => {
                self.rows(procedure::call(self.session, &execute).await?)
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
            .with_hint("SELECT, REPLICATE, EXPLAIN, EXEC, USE, SET, SHOW, DESCRIBE and those about connections can be")),
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
        self.rows(texts([("Plan", lines)])?)
    }

    /// A result that is there as a whole.
    fn rows(&self, batch: RecordBatch) -> Result<Done> {
        let rows = batch.num_rows() as u64;
        self.voice.say(Event::Columns(batch.schema()));
        self.voice.say(Event::Rows(batch));
        Ok(Done {
            rows,
            requests: None,
        })
    }

    fn create_connection(&self, create: &CreateConnection) -> Result<Done> {
        let kind = create.kind.iter().map(|kind| ("Type", kind.text.clone()));
        let pairs = kind.chain(create.settings.pairs());
        let name = &create.name.text;
        let properties = ConnectionProperties::new(format!("connection {name}"), pairs)
            .within(&self.session.access)?;
        self.session.connect(name, &properties, create.or_replace)?;
        let idle = properties.without_effect();
        idle.iter().for_each(|note| self.voice.note(note));
        Ok(Done::default())
    }

    fn drop_connection(&self, dropped: &DropConnection) -> Result<Done> {
        match self.session.disconnect(&dropped.name.text) {
            Err(error) if !dropped.if_exists => Err(error.at(dropped.name.span)),
            Ok(()) | Err(_) => Ok(Done::default()),
        }
    }

    /// Tests a connection, a row for each step. The first that finds something missing is what the statement fails
    /// with at its end.
    async fn test_connection(&self, name: &Ident) -> Result<Done> {
        let found = self.session.connection(&name.text);
        let (name, connection) = found.map_err(|error| error.at(name.span))?;
        let steps = Mutex::new((0, None));
        let heard = |what: String, outcome: Result<String>| {
            let (rows, missing) = &mut *steps.lock().unwrap_or_else(PoisonError::into_inner);
            let (outcome, details) = match outcome {
                Ok(well) => ("ok", well),
                Err(error) => {
                    let details = format!("{error} [{}]", error.code());
                    missing.get_or_insert_with(|| error.missing(&format!("{name}: {what}: ")));
                    ("missing", details)
                }
            };
            let cells = [
                ("Step", what),
                ("Outcome", outcome.to_owned()),
                ("Details", details),
            ];
            if let Ok(row) = texts(cells.map(|(column, cell)| (column, vec![cell]))) {
                if *rows == 0 {
                    self.voice.say(Event::Columns(row.schema()));
                }
                *rows += 1;
                self.voice.say(Event::Rows(row));
            }
        };
        let tested = (name.as_str(), &*connection);
        check(self.session, tested, &[], self.context, &heard).await;
        match steps.into_inner().unwrap_or_else(PoisonError::into_inner) {
            (_, Some(missing)) => Err(missing),
            (rows, None) => Ok(Done {
                rows,
                requests: None,
            }),
        }
    }

    async fn use_connection(&self, name: &Name) -> Result<Done> {
        let (connection, schema) = match name.parts.as_slice() {
            [connection] => (connection, None),
            [connection, schema] => (connection, Some(schema)),
            _ => {
                return Err(
                    Error::statement(format!("USE {name}: that name has too many parts"))
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
        if let (ShowKind::Connections | ShowKind::Options, Some(name)) = (show.what, &show.from) {
            let what = if show.what == ShowKind::Options {
                "OPTIONS"
            } else {
                "CONNECTIONS"
            };
            return Err(
                Error::statement(format!("{what} are not of anything: FROM {name}"))
                    .with_hint(format!("SHOW {what};"))
                    .at(name.span()),
            );
        }
        let (columns, table, order) = match show.what {
            ShowKind::Connections => {
                let connections = self.session.listed()?;
                return self.rows(liked(connections, show.like.as_deref())?);
            }
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
                return match &show.from {
                    Some(table) => self.columns(table, show.like.as_deref()).await,
                    None => Err(Error::statement("SHOW COLUMNS needs a table")
                        .with_hint("SHOW COLUMNS FROM Issues;")),
                };
            }
            ShowKind::Options => {
                let options = self.session.options().list()?;
                return self.rows(liked(options, show.like.as_deref())?);
            }
            other => {
                return Err(Error::not_yet(format!(
                    "SHOW {other:?} is understood, but it cannot be executed yet"
                ))
                .with_hint("CONNECTIONS, SCHEMAS, TABLES, COLUMNS and OPTIONS can be shown"));
            }
        };
        let qualifier = match &show.from {
            Some(name) => {
                let full = self.session.engine.full_schema(name, self.context).await?;
                format!("{full}.")
            }
            None => String::new(),
        };
        let condition = match &show.like {
            Some(pattern) => {
                let subject = order.rsplit(", ").next().unwrap_or(order);
                format!("WHERE {subject} ILIKE {}", quoted(pattern))
            }
            None => String::new(),
        };
        self.text(&format!(
            "SELECT {columns} FROM {qualifier}{table} {condition} ORDER BY {order}"
        ))
        .await
    }

    /// The columns of a table, or those whose names are like a pattern.
    async fn columns(&self, table: &Name, like: Option<&str>) -> Result<Done> {
        let columns = self.session.engine.describe(table, self.context).await?;
        self.rows(liked(columns, like)?)
    }

    async fn text(&self, query: &str) -> Result<Done> {
        match parse_statement(query)?.statement {
            Statement::Query(query) => self.query(&query).await,
            other => unreachable!("a SELECT was parsed as {}", other.verb()),
        }
    }
}

/// Columns of text.
pub(crate) fn texts<T, const N: usize>(columns: [(&str, Vec<T>); N]) -> Result<RecordBatch>
where
    StringArray: From<Vec<T>>,
{
    let columns = columns.map(|(name, texts)| {
        let texts: ArrayRef = Arc::new(StringArray::from(texts));
        (name, texts)
    });
    RecordBatch::try_from_iter(columns).map_err(defect)
}

/// The rows whose first column is like a pattern, case apart.
fn liked(rows: RecordBatch, pattern: Option<&str>) -> Result<RecordBatch> {
    let Some(pattern) = pattern else {
        return Ok(rows);
    };
    let matches = ilike(rows.column(0), &StringArray::new_scalar(pattern)).map_err(defect)?;
    filter_record_batch(&rows, &matches).map_err(defect)
}

pub(crate) fn defect(error: ArrowError) -> Error {
    Error::new("BL8099", error.to_string())
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
