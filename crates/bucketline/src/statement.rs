//! Executing one statement.

mod connections;
mod own;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, StringArray};
use arrow::compute::{filter_record_batch, ilike};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use arrow::util::display::array_value_to_string;
use bucketline_core::code::session as code;
use bucketline_engine::Family;
use bucketline_replicate as replicate;
use bucketline_source::figures::{Elapsed, counted};
use bucketline_source::{Observer, ReadContext, RequestCount};
use bucketline_sql::{
    CheckCache, CsvTarget, Expression, Given, Insert, Name, OptionName, Options, ParameterValue,
    Query, Replicate, Show, ShowKind, Statement, Use, Value, parse_statement,
};
use futures::StreamExt;
use replicate::{Insertion, ScriptRun};

use crate::csv::CsvFile;
use crate::run::Voice;
use crate::{Error, Event, Report, Result, Session, budget, procedure};

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
                ended.unwrap_or_else(|_| Err(timed_out(seconds)))
            }
            _ => execution.await,
        }
    }

    pub(crate) async fn execute(&self, statement: Statement) -> Result<Done> {
        match statement {
            Statement::Query(query) => match query.target() {
                Some(target) => self.export(&query, target).await,
                None => self.query(&query).await,
            },
            Statement::Replicate(statement) => {
                let report = self.replicate(&statement).await?;
                Ok(Done {
                    rows: 0,
                    requests: Some(report.requests),
                })
            }
            Statement::CheckCache(check) => self.check_cache(&check).await,
            Statement::Cache(cache) => {
                let events = self.voice.events();
                let destination = self.session.destination();
                let run = replicate::cache(
                    &self.session.engine,
                    &destination,
                    &cache,
                    self.shared,
                    &events,
                );
                let report = self.remembered("CACHE", run.await.map_err(Into::into))?;
                Ok(Done {
                    rows: 0,
                    requests: Some(report.requests),
                })
            }
            Statement::GetDeleted(deleted) => {
                let engine = &self.session.engine;
                let query = replicate::deleted_rows(engine, &deleted, self.context).await?;
                self.query(&query).await
            }
            Statement::Explain(explain) if explain.analyze => {
                self.analyze(*explain.statement).await
            }
            Statement::Explain(explain) => self.explain(*explain.statement).await,
            Statement::CreateConnection(create) => self.create_connection(&create),
            Statement::DropConnection(dropped) => self.drop_connection(&dropped),
            Statement::TestConnection(name) => self.test_connection(&name).await,
            Statement::Set(set) => {
                let told = self.session.options().execute(&set)?;
                self.voice.say(Event::Message(told));
                Ok(Done::default())
            }
            Statement::SetParameter(set) => {
                let value = match &set.value {
                    Given::Value(value) => value.into(),
                    Given::Expression(expression) => self.computed(expression).await?,
                };
                self.session.set_parameter(&set.name.text, value);
                let told = format!("@{} is set", set.name);
                self.voice.say(Event::Message(told));
                Ok(Done::default())
            }
            Statement::ResetAll => {
                self.session.options().reset();
                let told = "options are as the session began".to_owned();
                self.voice.say(Event::Message(told));
                Ok(Done::default())
            }
            Statement::Use(Use::Connection(name)) => self.use_connection(&name).await,
            Statement::Use(Use::Destination(name)) => self.use_destination(&name),
            Statement::Show(show) => self.show(&show).await,
            Statement::Describe(table) => self.columns(&table, None).await,
            Statement::Execute(execute) => {
                self.rows(procedure::call(self.session, &execute).await?)
            }
            Statement::Insert(insert) => self.insert(insert).await,
            own @ (Statement::CreateTable(_)
            | Statement::CreateView(_)
            | Statement::DropOwn(_)
            | Statement::Truncate(_)
            | Statement::Update(_)
            | Statement::Delete(_)) => self.own(own).await,
        }
    }

    /// The value of an expression, in a type that a parameter can have.
    async fn computed(&self, expression: &Expression) -> Result<ParameterValue> {
        let query = computing(expression)?;
        let placed = |error: bucketline_engine::Error| error.at(expression.span());
        let run = self.session.engine.query(&query, self.context).await;
        let mut run = run.map_err(placed)?;
        let mut value = ParameterValue::Null;
        while let Some(batch) = run.rows.next().await {
            let batch = batch.map_err(|error| placed(run.error(error)))?;
            if batch.num_rows() > 0 {
                value = parameter(batch.column(0))?;
            }
        }
        Ok(value)
    }

    async fn insert(&self, insert: Insert) -> Result<Done> {
        let insertion = insertion(self.session, &insert, self.context).await?;
        let appended = insertion.run(&self.session.engine, self.context).await;
        let told = match &appended {
            Ok(rows) => format!("{} appended to {}", counted(*rows, "row"), insert.table),
            Err(error) => format!("{error} [{}]", error.code()),
        };
        self.session.remember("INSERT", told.clone());
        appended?;
        self.voice.say(Event::Message(told));
        Ok(Done::default())
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

    async fn replicate(&self, statement: &Replicate) -> Result<Report, replicate::Unfinished> {
        let events = self.voice.events();
        let destination = self.session.destination();
        let run = replicate::replicate(
            &self.session.engine,
            &destination,
            statement,
            self.shared,
            &events,
        );
        self.remembered("REPLICATE", run.await)
    }

    /// Remembers what a statement has written, or why it has not.
    fn remembered(
        &self,
        operation: &str,
        outcome: Result<Report, replicate::Unfinished>,
    ) -> Result<Report, replicate::Unfinished> {
        let message = match &outcome {
            Ok(report) => report.to_string(),
            Err(replicate::Unfinished { error, .. }) => format!("{error} [{}]", error.code()),
        };
        self.session.remember(operation, message);
        outcome
    }

    async fn check_cache(&self, check: &CheckCache) -> Result<Done> {
        let found = replicate::check_cache(
            &self.session.engine,
            &self.session.destination(),
            check,
            self.shared,
            &self.voice.events(),
        )
        .await?;
        let findings = || found.findings.iter();
        let table: ArrayRef = Arc::new(StringArray::from(vec![
            found.table.as_str();
            findings().len()
        ]));
        let keys: StringArray = findings().map(|(key, _)| Some(key)).collect();
        let differences: StringArray = findings().map(|(_, it)| Some(it.word())).collect();
        let repaired = BooleanArray::from(vec![found.repaired; findings().len()]);
        let rows = RecordBatch::try_from_iter([
            ("Table", table),
            ("Key", Arc::new(keys) as ArrayRef),
            ("Difference", Arc::new(differences)),
            ("Repaired", Arc::new(repaired)),
        ])
        .map_err(defect)?;
        Ok(Done {
            requests: Some(found.requests),
            ..self.rows(rows)?
        })
    }

    /// Writes the rows of a query into a file.
    async fn export(&self, query: &Query, target: &CsvTarget) -> Result<Done> {
        let path = self
            .session
            .access
            .file(Path::new(&target.path))
            .ok_or_else(|| {
                let text = format!("statements of this session may not write {}", target.path);
                Error::new(code::ACCESS, text)
                    .with_hint("leave INTO out; a program allows files with Builder::access")
            })?;
        let failed = |error: io::Error| {
            let told = Error::new(
                code::FILE,
                format!("{} cannot be written: {error}", target.path),
            );
            match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => {
                    told.with_hint("the folder has to be there, and the file to be writable")
                }
                _ => told,
            }
        };
        let mut run = self.session.engine.query(query, self.context).await?;
        let mut file = CsvFile::create(&path, target.delimiter, &run.schema)
            .await
            .map_err(failed)?;
        let mut rows = 0;
        while let Some(batch) = run.rows.next().await {
            let batch = batch.map_err(|error| run.error(error))?;
            rows += batch.num_rows() as u64;
            file.rows(&batch).await.map_err(failed)?;
        }
        file.finish().map_err(failed)?;
        self.voice.note(&format!("the rows are in {}", target.path));
        Ok(Done {
            rows,
            requests: None,
        })
    }

    async fn explain(&self, statement: Statement) -> Result<Done> {
        let lines = self.explained(&statement).await?;
        self.plan(lines, None)
    }

    /// What a statement would do, in lines.
    async fn explained(&self, statement: &Statement) -> Result<Vec<String>> {
        let engine = &self.session.engine;
        let destination = &self.session.destination();
        match statement {
            Statement::Query(query) => Ok(engine.explain(query, self.context).await?),
            Statement::Replicate(statement) => {
                Ok(replicate::explain(engine, destination, statement, self.context.scan()).await?)
            }
            Statement::CheckCache(check) => {
                Ok(
                    replicate::explain_check(engine, destination, check, self.context.scan())
                        .await?,
                )
            }
            Statement::Cache(cache) => {
                let mut lines = vec![Outline::of(statement)?.does.to_owned()];
                lines.extend(engine.explain(&cache.query, self.context).await?);
                Ok(lines)
            }
            Statement::Insert(insert) => {
                let insertion = insertion(self.session, insert, self.context).await?;
                let mut lines = vec![insertion.outline()];
                lines.extend(engine.explain(&insert.query, self.context).await?);
                Ok(lines)
            }
            other => {
                self.check_own(other).await?;
                let Outline { does, requests } = Outline::of(other)?;
                Ok(vec![
                    does.to_owned(),
                    format!("requests: {}", in_words(requests)),
                ])
            }
        }
    }

    /// Runs a statement, then prints its plan with what its parts have done.
    async fn analyze(&self, statement: Statement) -> Result<Done> {
        let started = Instant::now();
        match statement {
            Statement::Query(query) => {
                let mut lines = self.session.engine.analyze(&query, self.context).await?;
                lines.push(actual(self.context.requests(), started));
                self.plan(lines, None)
            }
            Statement::Replicate(_) => {
                let mut lines = self.explained(&statement).await?;
                let Statement::Replicate(statement) = statement else {
                    unreachable!("it is a REPLICATE");
                };
                let run = self.replicate(&statement).await;
                let report = match &run {
                    Ok(report) => Some(report),
                    Err(unfinished) => unfinished.report.as_deref(),
                };
                if let Some(report) = report {
                    let mut slices: Vec<_> = report.slices.iter().collect();
                    slices.sort_by_key(|slice| &slice.slice);
                    lines.extend(slices.into_iter().map(|slice| format!("actual: {slice}")));
                    lines.push(format!("actual: {report}"));
                    self.plan(lines, Some(report.requests))?;
                }
                let requests = Some(run?.requests);
                Ok(Done { rows: 0, requests })
            }
            other => {
                let mut lines = self.explained(&other).await?;
                let done = Box::pin(self.execute(other)).await?;
                let requests = done.requests.unwrap_or_else(|| self.context.requests());
                lines.push(actual(requests, started));
                self.plan(lines, Some(requests))
            }
        }
    }

    fn plan(&self, lines: Vec<String>, requests: Option<u64>) -> Result<Done> {
        let Done { rows, .. } = self.rows(texts([("Plan", lines)])?)?;
        Ok(Done { rows, requests })
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

    async fn show(&self, show: &Show) -> Result<Done> {
        if let Some(name) = &show.from
            && let what @ ("CONNECTIONS" | "FUNCTIONS" | "OPTIONS") = show.what.word()
        {
            return Err(Error::new(
                code::STATEMENT,
                format!("{what} are not of anything: FROM {name}"),
            )
            .with_hint(format!("SHOW {what};"))
            .or_at(name.span()));
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
            ShowKind::Procedures => (
                "CatalogName AS Connection, ProcedureName, Description",
                "sys_procedures",
                "CatalogName, ProcedureName",
            ),
            ShowKind::Columns => {
                return match &show.from {
                    Some(table) => self.columns(table, show.like.as_deref()).await,
                    None => Err(Error::new(code::STATEMENT, "SHOW COLUMNS needs a table")
                        .with_hint("SHOW COLUMNS FROM Issues;")),
                };
            }
            ShowKind::Functions => return self.rows(liked(functions()?, show.like.as_deref())?),
            ShowKind::Budget => return self.budgets(show).await,
            ShowKind::Options => {
                let options = self.session.options().list()?;
                return self.rows(liked(options, show.like.as_deref())?);
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
                format!(
                    r"WHERE {subject} ILIKE {} ESCAPE '\'",
                    Value::Text(pattern.to_owned())
                )
            }
            None => String::new(),
        };
        self.text(&format!(
            "SELECT {columns} FROM {qualifier}{table} {condition} ORDER BY {order}"
        ))
        .await
    }

    /// The request budgets of all connections that have one, or of the one that is named.
    async fn budgets(&self, show: &Show) -> Result<Done> {
        let mut budgets = Vec::new();
        match &show.from {
            Some(name) => {
                let connection = name.last();
                let hour = self.session.hour(&connection.text).await;
                budgets.extend(hour.map_err(|error| error.or_at(name.span()))?);
            }
            None => {
                for connection in self.session.connections() {
                    match self.session.hour(&connection).await {
                        Ok(hour) => budgets.extend(hour),
                        // One that lacks its secret does not hide the others.
                        Err(error) => self.voice.note(&format!("{connection}: {error}")),
                    }
                }
            }
        }
        self.rows(liked(budget::rows(&budgets)?, show.like.as_deref())?)
    }

    /// The columns of a table, or those whose names are like a pattern.
    async fn columns(&self, table: &Name, like: Option<&str>) -> Result<Done> {
        let columns = self.session.engine.describe(table, self.context).await?;
        self.rows(liked(columns, like)?)
    }

    async fn text(&self, query: &str) -> Result<Done> {
        match parse_statement(query)?.statement {
            Statement::Query(query) => match query.target() {
                Some(target) => self.export(&query, target).await,
                None => self.query(&query).await,
            },
            other => unreachable!("a SELECT was parsed as {}", other.verb()),
        }
    }
}

/// The query that computes an expression.
pub(crate) fn computing(expression: &Expression) -> Result<Query> {
    match parse_statement(&format!("SELECT {}", expression.bound()))?.statement {
        Statement::Query(query) => Ok(query),
        other => unreachable!("a SELECT was parsed as {}", other.verb()),
    }
}

/// The first of some values as that of a parameter. Dates are texts.
fn parameter(values: &ArrayRef) -> Result<ParameterValue> {
    if values.logical_nulls().is_some_and(|nulls| nulls.is_null(0)) {
        return Ok(ParameterValue::Null);
    }
    let text = array_value_to_string(values, 0).map_err(defect)?;
    Ok(match values.data_type() {
        DataType::Boolean => ParameterValue::Bool(text == "true"),
        kind if kind.is_floating() => ParameterValue::Float(text.parse().unwrap_or(f64::NAN)),
        DataType::Decimal128(precision, scale) | DataType::Decimal256(precision, scale) => {
            ParameterValue::Decimal {
                digits: text,
                precision: *precision,
                scale: *scale,
            }
        }
        kind if kind.is_numeric() => ParameterValue::Number(text),
        DataType::Binary => ParameterValue::Bytes(values.as_binary::<i32>().value(0).to_vec()),
        _ => ParameterValue::Text(text),
    })
}

/// The functions, a row each.
fn functions() -> Result<RecordBatch> {
    let mut rows = Vec::new();
    for family in Family::ALL {
        for function in family.functions() {
            let name = function.name.to_uppercase();
            rows.push([
                name,
                function.to_string(),
                family.to_string(),
                function.description.to_owned(),
            ]);
        }
    }
    rows.sort();
    let column = |index: usize| {
        rows.iter()
            .map(|row: &[String; 4]| row[index].clone())
            .collect()
    };
    texts([
        ("Function", column(0)),
        ("Written", column(1)),
        ("Family", column(2)),
        ("Description", column(3)),
    ])
}

/// What a statement has done, at the end of its plan.
fn actual(requests: u64, started: Instant) -> String {
    let requests = counted(requests, "request");
    format!("actual: {requests}, {}", Elapsed(started.elapsed()))
}

/// What a statement does that reads no table, for EXPLAIN.
pub(crate) struct Outline {
    pub(crate) does: &'static str,
    pub(crate) requests: RequestCount,
}

impl Outline {
    /// Of a statement that has no plan of its own.
    ///
    /// # Errors
    /// If the statement cannot be executed.
    pub(crate) fn of(statement: &Statement) -> Result<Self> {
        let (does, requests) = match statement {
            Statement::Set(_) => (
                "changes an option of this session",
                RequestCount::Exactly(0),
            ),
            Statement::SetParameter(_) => (
                "gives a parameter its value in this session",
                RequestCount::Exactly(0),
            ),
            Statement::ResetAll => (
                "takes back the options that SET has set",
                RequestCount::Exactly(0),
            ),
            Statement::CreateConnection(_) => (
                "adds a connection to this session",
                RequestCount::Exactly(0),
            ),
            Statement::DropConnection(_) => (
                "takes a connection from this session",
                RequestCount::Exactly(0),
            ),
            Statement::Use(Use::Destination(_)) => (
                "changes what REPLICATE writes to in this session",
                RequestCount::Exactly(0),
            ),
            Statement::Use(Use::Connection(name)) if name.parts.len() == 1 => (
                "changes what names mean in this session",
                RequestCount::Exactly(0),
            ),
            Statement::Use(_) => (
                "changes what names mean in this session, where there is such a schema",
                RequestCount::AtLeast(0),
            ),
            Statement::Show(show) if show.what == ShowKind::Schemas => (
                "lists the projects and repositories of each connection",
                RequestCount::AtLeast(2),
            ),
            Statement::Show(show) if show.what == ShowKind::Budget => (
                "says how the hour of each connection stands",
                RequestCount::Exactly(0),
            ),
            Statement::Show(_) | Statement::Describe(_) => {
                ("lists what there is", RequestCount::AtLeast(0))
            }
            Statement::TestConnection(_) => (
                "asks the service what the credential may do, then reads a row of a few tables",
                RequestCount::AtLeast(1),
            ),
            Statement::Execute(_) => ("calls a procedure", RequestCount::AtLeast(0)),
            Statement::CheckCache(check) if check.repair => (
                "compares a copy with its source, and mends it",
                RequestCount::AtLeast(1),
            ),
            Statement::CheckCache(_) => {
                ("compares a copy with its source", RequestCount::AtLeast(1))
            }
            Statement::Cache(_) => (
                "writes the rows of a query into a table",
                RequestCount::AtLeast(0),
            ),
            Statement::GetDeleted(_) => (
                "gives the keys of rows that the source has deleted",
                RequestCount::AtLeast(1),
            ),
            Statement::CreateTable(_) => (
                "makes a table of your own in the destination, with the rows of its query if it has one",
                RequestCount::AtLeast(0),
            ),
            Statement::CreateView(_) => (
                "makes a view of your own in the destination",
                RequestCount::AtLeast(0),
            ),
            Statement::DropOwn(_) => (
                "drops a table or view of your own",
                RequestCount::Exactly(0),
            ),
            Statement::Truncate(_) => (
                "deletes all rows of a table of your own",
                RequestCount::AtLeast(0),
            ),
            Statement::Update(_) => (
                "changes the rows that match in a table of your own, all of them or none",
                RequestCount::AtLeast(0),
            ),
            Statement::Delete(_) => (
                "deletes the rows that match from a table of your own, all of them or none",
                RequestCount::AtLeast(0),
            ),
            Statement::Query(_)
            | Statement::Replicate(_)
            | Statement::Insert(_)
            | Statement::Explain(_) => {
                unreachable!("{} has a plan of its own", statement.verb())
            }
        };
        Ok(Self { does, requests })
    }
}

/// An INSERT into a table that it may write.
///
/// # Errors
/// If there is no such table, or it is none of the user's own in a destination.
pub(crate) async fn insertion<'a>(
    session: &Session,
    insert: &'a Insert,
    context: &ReadContext,
) -> Result<Insertion<'a>> {
    let refused = || refused(&Statement::Insert(insert.clone()));
    if insert.upsert {
        return Err(refused());
    }
    let found = Insertion::find(&session.engine, insert, context).await?;
    found.ok_or_else(|| refused().or_at(insert.table.span()))
}

/// Why a statement that would write to the source is not executed.
fn refused(statement: &Statement) -> Error {
    let text = format!(
        "{} is not possible: Bucketline only reads its sources",
        statement.verb()
    );
    Error::new(code::READ_ONLY, text).with_hint("REPLICATE writes to the destination")
}

fn in_words(requests: RequestCount) -> String {
    match requests {
        RequestCount::Exactly(0) => "none".to_owned(),
        RequestCount::AtLeast(0) => "look-ups at most".to_owned(),
        some => some.to_string(),
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
    Error::new(code::DEFECT, error.to_string())
}

/// The statement took longer than it may.
fn timed_out(seconds: u64) -> Error {
    let message = format!("the statement was cancelled after CommandTimeout = {seconds} s");
    Error::new(code::TIMEOUT, message)
        .with_hint("what was committed stays, and a REPLICATE goes on from there; 0 is no limit")
}
