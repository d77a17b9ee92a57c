//! Answers what somebody asks who makes a connection or a job. Nothing is changed.

use std::time::Duration;

use bucketline::sql::Value;
use bucketline::{ConnectionNames, Event, Session, TableNames};
use bucketline_app::vault::KEPT;
use bucketline_app::{Connection, Error, Failure, FollowStep, Job, Kind, Problem, Result, TaskId};
use bucketline_core::code;
use chrono::{DateTime, Utc};
use futures::StreamExt;
use serde::Serialize;
use utoipa::ToSchema;

use crate::connections::Connections;
use crate::rows::{all_rows, rows};
use crate::sign_in::Begun;

/// How long the statements of a job are tried out before it is saved. What takes longer is left to the first run.
const PATIENCE: Duration = Duration::from_secs(10);

/// Looks at connections and statements.
#[derive(Debug, Clone)]
pub struct Workbench {
    connections: Connections,
    sign_ins: Begun,
}

/// A step of the test of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Check {
    /// What was looked at.
    pub what: String,
    /// What is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub well: Option<String>,
    /// What is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<Failure>,
}

/// A table of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Table {
    /// The schema that it is in.
    pub schema: Option<String>,
    /// Its name.
    pub name: String,
    /// `TABLE` or `VIEW`.
    pub kind: String,
    /// What it holds.
    pub description: Option<String>,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type, as SQL names it.
    pub data_type: String,
    /// Whether it can be NULL.
    pub nullable: bool,
    /// Whether it belongs to the key.
    pub key: bool,
    /// What it holds.
    pub description: Option<String>,
}

/// What the tasks of a job would request and change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Plan {
    /// The tasks that are enabled, in their order.
    pub tasks: Vec<Forecast>,
    /// The sum for each connection, in words.
    pub sums: Vec<String>,
    /// Requests that the source's budget has left now.
    pub budget_left: Option<u32>,
    /// Requests of the budget in an hour.
    pub budget_hourly: Option<u32>,
    /// Requests that were made to find this out.
    pub asked: u64,
}

/// What a task would request and change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Forecast {
    /// The task; absent for one that is not saved yet.
    pub task: Option<TaskId>,
    /// Its statement, secrets masked.
    pub statement: String,
    /// The destination's table that it changes.
    pub table: Option<String>,
    /// What it does, or why it would be refused.
    pub effect: String,
    /// Requests, where they are known beforehand.
    pub requests: Option<u64>,
    /// Whether it is exactly that number, or that many at least.
    pub exact: bool,
}

/// The names that can stand in a statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Completion {
    /// The connections.
    pub connections: Vec<Names>,
    /// The system tables, which are in every schema.
    pub system_tables: Vec<NamedTable>,
    /// The functions.
    pub functions: Vec<String>,
    /// The procedures.
    pub procedures: Vec<String>,
}

/// The names in a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Names {
    /// The connection's.
    pub name: String,
    /// Those of schemas that are known.
    pub schemas: Vec<String>,
    /// The tables.
    pub tables: Vec<NamedTable>,
}

/// The names in a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct NamedTable {
    /// The table's.
    pub name: String,
    /// The columns'.
    pub columns: Vec<String>,
}

impl Workbench {
    /// A workbench over these connections.
    pub fn new(connections: Connections) -> Self {
        Self {
            connections,
            sign_ins: Begun::default(),
        }
    }

    /// Begins to sign a connection in by OAuth, for the person `by`, who has ten minutes. Returns the page on which the
    /// access is allowed.
    ///
    /// # Errors
    /// If there is no such connection, or it does not sign in so.
    pub async fn begin_sign_in(
        &self,
        connection: &str,
        by: &str,
        now: DateTime<Utc>,
    ) -> Result<String> {
        let (name, session) = self.connections.of(connection).await?;
        let oauth = session.oauth(&name)?.ok_or_else(|| {
            let message = format!("the connection {name} does not sign in by OAuth");
            Error::new(code::session::SIGN_IN, message).with_hint("give it AuthScheme = OAuth")
        })?;
        Ok(self.sign_ins.begin(&name, by, oauth, now))
    }

    /// Ends it with the address that the browser was sent back to, or with the code in it.
    ///
    /// # Errors
    /// If `by` has begun none in time, the address is of another one, or Bitbucket refuses the code.
    pub async fn finish_sign_in(
        &self,
        connection: &str,
        by: &str,
        pasted: &str,
        now: DateTime<Utc>,
    ) -> Result<()> {
        self.sign_ins.finish(connection, by, pasted, now).await
    }

    /// The connections that it knows.
    pub fn connections(&self) -> &Connections {
        &self.connections
    }

    /// What is wrong with a connection that is to be saved, by itself and by the properties that its type has.
    pub fn connection_problems(&self, connection: &Connection) -> Vec<Problem> {
        let mut problems = connection.problems();
        let properties = match self.connections.shown(connection) {
            Ok(properties) => properties,
            Err(error) => {
                problems.push(Problem::of("properties", &error));
                return problems;
            }
        };
        for name in properties.unknown() {
            // Its value may be a secret, which would be shown.
            let message = format!("a connection of this type has no property {name}");
            problems.push(
                Problem::new(format!("properties.{name}"), code::model::BAD_NAME, message)
                    .with_hint("GET /api/v1/connection-types lists the properties"),
            );
        }
        let mut plain = connection.sealed();
        plain.properties.retain(|_, value| value != KEPT);
        let plain = self.connections.shown(&plain);
        if problems.is_empty() && plain.is_ok_and(|plain| plain.has_literal_secret()) {
            problems.push(
                Problem::new(
                    "properties",
                    code::model::LITERAL_SECRET,
                    "a value holds a secret, which everybody would see here",
                )
                .with_hint("give the secret as a property of its own"),
            );
        }
        if problems.is_empty() {
            let builder = self.connections.builder();
            let built = builder.connection(&connection.name, properties).build();
            problems.extend(built.err().map(|error| Problem::of("properties", &error)));
        }
        problems
    }

    /// What the user should know of a connection: properties that change nothing.
    pub fn connection_notes(&self, connection: &Connection) -> Vec<String> {
        let shown = self.connections.shown(connection);
        shown.map_or_else(|_| Vec::new(), |shown| shown.without_effect())
    }

    /// What is wrong with a job that is to be saved: by itself, by its connections, and by its statements as far as they
    /// can be tried out now. A service that does not answer makes no problem.
    ///
    /// # Errors
    /// If the store cannot be used.
    pub async fn job_problems(&self, job: &Job) -> Result<Vec<Problem>> {
        let mut problems = job.problems();
        for (place, name) in [("source", &job.source), ("destination", &job.destination)] {
            if problems.iter().any(|problem| problem.place == place) {
                continue;
            }
            match self.connections.find(name).await {
                Ok(_) => {}
                Err(error)
                    if [code::runner::SECRET_TO_ENTER, code::runner::OUT_OF_REACH]
                        .contains(&error.code()) =>
                {
                    problems.push(Problem::of(place, &error));
                }
                Err(error) if error.code() == code::runner::NO_CONNECTION => {
                    let code = code::model::BAD_REFERENCE;
                    problems.push(
                        Problem::new(place, code, error.message())
                            .with_hint("create the connection first"),
                    );
                }
                Err(error) => return Err(error),
            }
        }
        if !problems.is_empty() {
            return Ok(problems);
        }
        if let Some(bounds) = self.connections.bounds() {
            for (index, follow) in job.after.iter().enumerate() {
                if let FollowStep::Webhook(address) = &follow.step
                    && let Err(error) = bounds.check_url(address)
                {
                    problems.push(Problem::of(format!("after[{index}].webhook"), &error));
                }
            }
        }
        if !problems.is_empty() {
            return Ok(problems);
        }
        if let Err(error) = self.connections.of(&job.source).await {
            return Ok(vec![Problem::of("source", &error)]);
        }
        let session = match self.connections.of_job(job).await {
            Ok(session) => session,
            Err(error) => return Ok(vec![Problem::of("destination", &error)]),
        };
        let tried = refused_tasks(&session, job, &mut problems);
        // What was found in time counts.
        drop(tokio::time::timeout(PATIENCE, tried).await);
        Ok(problems)
    }

    /// Tests a connection: each step is heard as it ends. Reads one row of each of `tables`, or of a few if there are
    /// none. Returns what is missing first.
    ///
    /// # Errors
    /// If there is no such connection.
    pub async fn test(
        &self,
        connection: &str,
        tables: &[String],
        mut heard: impl FnMut(Check) + Send,
    ) -> Result<Option<Failure>> {
        let (name, session) = self.connections.to_test(connection, tables).await?;
        let mut run = session.check(&name, tables)?;
        let mut first = None;
        while let Some(event) = run.next().await {
            let Event::Checked { what, outcome } = event else {
                continue;
            };
            let (well, missing) = match outcome {
                Ok(well) => (Some(well), None),
                Err(error) => (None, Some(Failure::from(&error))),
            };
            if first.is_none() {
                first.clone_from(&missing);
            }
            heard(Check {
                what,
                well,
                missing,
            });
        }
        Ok(first)
    }

    /// The tables of a connection.
    ///
    /// # Errors
    /// If there is no such connection, or it cannot be looked into.
    pub async fn tables(&self, connection: &str) -> Result<Vec<Table>> {
        let (_, session) = self.connections.of(connection).await?;
        let query = "SELECT SchemaName, TableName, TableType, Description FROM sys_tables \
                     WHERE TableType <> 'SYSTABLE' ORDER BY SchemaName, TableName";
        let found = all_rows(session.run(query)).await?;
        let table = |row: Vec<Option<String>>| {
            let mut cells = row.into_iter();
            let mut next = || cells.next().flatten();
            Table {
                schema: next(),
                name: next().unwrap_or_default(),
                kind: next().unwrap_or_default(),
                description: next(),
            }
        };
        Ok(found.into_iter().map(table).collect())
    }

    /// The columns of a table.
    ///
    /// # Errors
    /// If there is no such connection or table, or the connection cannot be looked into.
    pub async fn columns(&self, connection: &str, table: &str) -> Result<Vec<Column>> {
        let (name, session) = self.connections.of(connection).await?;
        let query = format!(
            "SELECT ColumnName, DataTypeName, IsNullable, IsKey, Description FROM sys_tablecolumns \
             WHERE TableName = {} ORDER BY Ordinal",
            Value::Text(table.to_owned())
        );
        let found = all_rows(session.run(&query)).await?;
        if found.is_empty() {
            let message = format!("{name} has no table `{table}`");
            return Err(Error::new(code::store::NOT_FOUND, message));
        }
        let column = |row: Vec<Option<String>>| {
            let mut cells = row.into_iter();
            let mut next = || cells.next().flatten();
            Column {
                name: next().unwrap_or_default(),
                data_type: next().unwrap_or_default(),
                nullable: next().as_deref() == Some("true"),
                key: next().as_deref() == Some("true"),
                description: next(),
            }
        };
        Ok(found.into_iter().map(column).collect())
    }

    /// What the enabled tasks of a job would request, against the budget. Makes requests only to look up names.
    ///
    /// # Errors
    /// If a connection is missing or wrong.
    pub async fn plan(&self, job: &Job) -> Result<Plan> {
        let session = self.connections.of_job(job).await?;
        let mut plan = Plan {
            tasks: Vec::new(),
            sums: Vec::new(),
            budget_left: None,
            budget_hourly: None,
            asked: 0,
        };
        let enabled = job.tasks.iter().filter(|task| task.enabled);
        let (ids, texts): (Vec<_>, Vec<_>) = enabled
            .map(|task| (task.id, task.statement.as_str()))
            .unzip();
        let mut ids = ids.into_iter();
        let mut planned = session.plan(&texts.join("\n;\n"));
        while let Some(event) = planned.next().await {
            match event {
                Event::Rows(batch) => plan.tasks.extend(
                    rows(&batch)
                        .into_iter()
                        .map(|row| Forecast::of(ids.next().flatten(), row)),
                ),
                Event::Message(sum) => plan.sums.push(sum),
                Event::Ended { requests, .. } => plan.asked = requests,
                _ => {}
            }
        }
        if let Ok(Some(hour)) = session.hour(&job.source).await {
            plan.budget_left = Some(hour.standing.free());
            plan.budget_hourly = Some(hour.standing.allowance);
        }
        Ok(plan)
    }

    /// The names that can stand in a statement between two connections, without asking a service.
    ///
    /// # Errors
    /// If a connection is missing or wrong.
    pub async fn completion(&self, source: &str, destination: Option<&str>) -> Result<Completion> {
        let session = match destination {
            Some(destination) => self.connections.between(source, destination).await?,
            None => self.connections.of(source).await?.1,
        };
        let words = session.vocabulary().await;
        let table = |table: TableNames| NamedTable {
            name: table.name,
            columns: table.columns,
        };
        let names = |names: ConnectionNames| Names {
            name: names.name,
            schemas: names.schemas,
            tables: names.tables.into_iter().map(table).collect(),
        };
        Ok(Completion {
            connections: words.connections.into_iter().map(names).collect(),
            system_tables: words.system_tables.into_iter().map(table).collect(),
            functions: words.functions,
            procedures: words.procedures,
        })
    }

    /// How a statement would be carried out, in lines.
    ///
    /// # Errors
    /// If a connection is missing or wrong, or the statement would be refused.
    pub async fn explain(
        &self,
        source: &str,
        destination: &str,
        statement: &str,
    ) -> Result<Vec<String>> {
        let session = self.connections.between(source, destination).await?;
        let lines = all_rows(session.run(&format!("EXPLAIN {statement}"))).await;
        // The place of an error is one in the statement.
        let lines = lines.map_err(Error::without_span)?;
        Ok(lines.into_iter().flatten().flatten().collect())
    }
}

/// Adds to `problems` each task that would be refused.
async fn refused_tasks(session: &Session, job: &Job, problems: &mut Vec<Problem>) {
    for (index, task) in job.tasks.iter().enumerate() {
        let mut planned = session.plan(&task.statement);
        while let Some(event) = planned.next().await {
            let Event::Failed(error) = event else {
                continue;
            };
            if error.kind() == Kind::Statement {
                problems.push(Problem::of(format!("tasks[{index}].statement"), &error));
            }
        }
    }
}

impl Forecast {
    /// A row of the library's plan.
    pub(crate) fn of(task: Option<TaskId>, row: Vec<Option<String>>) -> Self {
        let mut cells = row.into_iter().skip(1);
        let mut next = || cells.next().flatten();
        Self {
            task,
            statement: next().unwrap_or_default(),
            table: next(),
            effect: next().unwrap_or_default(),
            requests: next().and_then(|count| count.parse().ok()),
            exact: next().as_deref() == Some("yes"),
        }
    }
}
