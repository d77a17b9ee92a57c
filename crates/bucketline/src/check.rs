//! Testing a connection step by step.

use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use bucketline_core::{Area, Kind, Reach, code};
use bucketline_destination::Destination;
use bucketline_engine::{DEFAULT_DESTINATION, Error as EngineError};
use bucketline_source::figures::counted;
use bucketline_source::{ReadContext, ScopeKind, Source, TableSpec};
use bucketline_sql::{Ident, Statement, parse_statement};
use futures::StreamExt;

use crate::connection::{Account, Connection, Ends};
use crate::{Error, Result, Session};

/// Stands for all tables that the service still has.
const ALL: &str = "all";

/// Tables that are looked at where a connection cannot say beforehand which it has.
const FEW: usize = 2;

/// Hears of each step what was looked at, and what is well or missing.
pub(crate) type Heard<'a> = &'a (dyn Fn(String, Result<String>) + Send + Sync);

/// Tests a connection: what its service says of it, then one row of each table. Goes on behind what is missing
/// where there is something left to find out.
pub(crate) async fn check(
    session: &Session,
    (name, connection): (&str, &Connection),
    tables: &[String],
    context: &ReadContext,
    heard: Heard<'_>,
) {
    let checking = Checking {
        session,
        name,
        connection,
        context,
        heard,
    };
    let written = name.eq_ignore_ascii_case(DEFAULT_DESTINATION);
    let source = match &connection.ends {
        Ends::Source(source) => source,
        Ends::Both(source, _) if !written => source,
        Ends::Both(_, destination) | Ends::Destination(destination) => {
            return checking.destination(&**destination).await;
        }
    };
    let goes_on = match &connection.account {
        Some(account) => checking.account(account, source).await,
        None => checking.contents(source).await,
    };
    if !goes_on {
        return;
    }
    if let [all] = tables
        && all.eq_ignore_ascii_case(ALL)
    {
        for table in checking.tables(source).await {
            checking.table(&table, source).await;
        }
    } else if tables.is_empty() && connection.sample.is_empty() {
        for table in checking.tables(source).await.iter().take(FEW) {
            checking.table(table, source).await;
        }
    } else if tables.is_empty() {
        for table in connection.sample {
            checking.table(table, source).await;
        }
    } else {
        for table in tables {
            checking.table(table, source).await;
        }
    }
}

struct Checking<'a> {
    session: &'a Session,
    name: &'a str,
    connection: &'a Connection,
    context: &'a ReadContext,
    heard: Heard<'a>,
}

impl Checking<'_> {
    fn say(&self, what: impl Into<String>, outcome: Result<String>) {
        (self.heard)(what.into(), outcome);
    }

    /// What Bitbucket says of the account; whether its tables can be looked at.
    async fn account(&self, account: &Account, source: &Arc<dyn Source>) -> bool {
        let bitbucket = match account.opened() {
            Ok(opened) => opened.bitbucket,
            Err(error) => {
                self.say("credential", Err(error));
                return false;
            }
        };
        let asked = match source.identity(self.context).await {
            Ok(identity) if identity.workspace.is_some() => Ok(None),
            Ok(_) => self.workspaces().await.map(Some),
            Err(error) => Err(error),
        };
        let outcome = match asked {
            Ok(None) => Ok("visible".to_owned()),
            Ok(Some(slugs)) => Err(no_workspace(&slugs)),
            Err(error) => {
                let failed = Step::of(&error);
                Err((failed, error))
            }
        };
        let reached = match &outcome {
            // Nothing was sent, so nothing else is known.
            Err((_, error)) if error.code().area() == Area::SignIn => Step::Reachable,
            Err((step, _)) => *step,
            Ok(_) => Step::Workspace,
        };
        for (step, well) in [
            (Step::Reachable, source.address().unwrap_or_default()),
            (Step::Credential, "accepted".to_owned()),
            (Step::Scopes, granted(&bitbucket.granted_scopes())),
        ] {
            if step < reached {
                self.say(step.name(), Ok(well));
            }
        }
        match outcome {
            Ok(well) => {
                self.say(Step::Workspace.name(), Ok(well));
                true
            }
            Err((step, error)) => {
                self.say(step.name(), Err(error));
                false
            }
        }
    }

    /// Whether what is written to can be looked into.
    async fn destination(&self, destination: &dyn Destination) {
        let tables = destination.tables().await;
        let found = tables.map(
            |tables| match tables.iter().filter(|table| table.ours).count() {
                0 => "reachable, without tables of ours".to_owned(),
                count => format!("reachable, with {} of ours", counted(count as u64, "table")),
            },
        );
        self.say(destination.label(), found);
    }

    /// What is there where no service is asked: archives, or else the tables of a file; whether there is anything.
    async fn contents(&self, source: &Arc<dyn Source>) -> bool {
        let (what, found) = match self.connection.sample {
            [] => {
                let tables = source.list_tables().await;
                let name = |table: &Arc<TableSpec>| table.name.clone();
                let names = tables.map(|tables| tables.iter().map(name).collect::<Vec<_>>());
                ("tables", names)
            }
            _ => {
                let scopes = source.scopes(self.context).await;
                let archives = scopes.map(|mut scopes| {
                    scopes.retain(|scope| scope.kind == ScopeKind::Repository);
                    scopes.into_iter().map(|scope| scope.name).collect()
                });
                ("archives", archives)
            }
        };
        let goes_on = found.is_ok();
        let found = found;
        self.say(what, found.map(|names| names.join(", ")));
        goes_on
    }

    /// The names of the tables that there are; none if they cannot be listed, which a step before has told.
    async fn tables(&self, source: &Arc<dyn Source>) -> Vec<String> {
        let tables = source.list_tables().await;
        let mut tables = tables.unwrap_or_default();
        tables.retain(|table| table.removed.is_none());
        tables.iter().map(|table| table.name.clone()).collect()
    }

    /// Reads one row of a table.
    async fn table(&self, table: &str, source: &Arc<dyn Source>) {
        let spec = source.find_table(table).await;
        // What keeps it from being found keeps it from being read.
        let spec = spec.ok().flatten();
        let name = spec.as_ref().map_or(table, |spec| &spec.name);
        let scope = spec
            .as_ref()
            .and_then(|spec| self.needed_scope(spec))
            .unwrap_or_default();
        let sql = format!("SELECT * FROM {} LIMIT 1", self.qualified(table));
        let row = self.first_row(&sql).await;
        let outcome = row.map(|row| {
            let found = if row.is_some() {
                "a row was read"
            } else {
                "it has no rows"
            };
            if scope.is_empty() {
                found.to_owned()
            } else {
                format!("{found}, by the scope {scope}")
            }
        });
        self.say(name, outcome);
    }

    fn needed_scope(&self, spec: &TableSpec) -> Option<String> {
        let opened = self.connection.account.as_ref()?.opened().ok()?;
        Some(opened.bitbucket.needed_scope(spec).to_owned())
    }

    /// The slugs of the workspaces that the credential sees, for a connection that names none.
    async fn workspaces(&self) -> Result<String> {
        let sql = format!(
            "SELECT string_agg(Slug, ', ' ORDER BY Slug) FROM {}",
            self.qualified("Workspaces")
        );
        let row = self.first_row(&sql).await?;
        let slugs = row.and_then(|row| {
            let slugs = cast(row.column(0), &DataType::Utf8).ok()?;
            let slugs = slugs.as_string_opt::<i32>()?;
            slugs.is_valid(0).then(|| slugs.value(0).to_owned())
        });
        Ok(slugs.unwrap_or_default())
    }

    async fn first_row(&self, sql: &str) -> Result<Option<RecordBatch>, EngineError> {
        let Statement::Query(query) = parse_statement(sql)?.statement else {
            unreachable!("a SELECT is a query");
        };
        let mut run = self.session.engine.query(&query, self.context).await?;
        while let Some(batch) = run.rows.next().await {
            let batch = batch.map_err(|error| run.error(error))?;
            if batch.num_rows() > 0 {
                return Ok(Some(batch));
            }
        }
        Ok(None)
    }

    fn qualified(&self, table: &str) -> String {
        let quoted = |name: &str| Ident {
            quoted: true,
            ..Ident::new(name)
        };
        format!("{}.{}", quoted(self.name), quoted(table))
    }
}

/// What is found out of an account, one thing after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Reachable,
    Credential,
    Scopes,
    Workspace,
}

impl Step {
    fn name(self) -> &'static str {
        match self {
            Self::Reachable => "reachable",
            Self::Credential => "credential",
            Self::Scopes => "scopes",
            Self::Workspace => "workspace",
        }
    }

    /// The step at which an account's first request failed.
    fn of(error: &Error) -> Self {
        match (error.code(), error.kind()) {
            (code::bitbucket::MISSING_SCOPE, _) => Self::Scopes,
            (code::bitbucket::REMOVED, _) => Self::Workspace,
            (_, Kind::Permission | Kind::NotFound) => Self::Workspace,
            (_, Kind::Credential) => Self::Credential,
            // The others are of one answer: something on the way does not let it through.
            (_, Kind::Configuration) if error.reach() != Reach::Slice => Self::Credential,
            _ => Self::Reachable,
        }
    }
}

fn granted(scopes: &[String]) -> String {
    if scopes.is_empty() {
        "the service does not name them".to_owned()
    } else {
        scopes.join(", ")
    }
}

fn no_workspace(slugs: &str) -> (Step, Error) {
    let error = Error::new(
        code::bitbucket::NO_WORKSPACE,
        "the connection names no workspace",
    );
    let hint = match slugs {
        "" => "the credential sees no workspace".to_owned(),
        slugs => format!("set Workspace; the credential sees {slugs}"),
    };
    (Step::Workspace, error.with_hint(hint))
}
