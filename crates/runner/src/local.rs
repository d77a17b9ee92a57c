//! Runs steps of runs in this process.

use std::sync::Arc;

use async_trait::async_trait;
use bucketline::sql::Ident;
use bucketline::{Claimant, Session};
use bucketline_app::runner::{Action, Outcome, Report, Runner, Stop, Work};
use bucketline_app::runner::{End, Fault};
use bucketline_app::{Clock, Job, JobKind, Level, NewEvent, Result, Totals, name};
use tracing::Instrument as _;

use crate::connections::Connections;
use crate::forecast;
use crate::statement::carry_out;
use crate::webhook::Webhooks;

/// Carries out steps through the library, in this process.
#[derive(Debug)]
pub struct LocalRunner {
    connections: Connections,
    clock: Arc<dyn Clock>,
    webhooks: Webhooks,
}

impl LocalRunner {
    /// A runner over these connections. `clock` is the one that the scheduler goes by.
    pub fn new(connections: Connections, clock: Arc<dyn Clock>) -> Self {
        let webhooks = Webhooks::within(connections.bounds().cloned());
        Self {
            connections,
            clock,
            webhooks,
        }
    }

    async fn try_to(&self, work: &Work, report: &Report, stop: &Stop) -> Result<Outcome> {
        match &work.action {
            Action::Task { statement } => {
                let session = self.made_for(work).of_job(&work.job).await?;
                let foreseen = self.foresee(&session, work, statement, report);
                tokio::select! {
                    () = foreseen => {}
                    _ = stop.wait() => return Ok(Outcome::ended(End::Stopped, Totals::default())),
                }
                let began = self.clock.now().await?;
                Ok(carry_out(session.run(statement), began, report, stop).await)
            }
            Action::Sql { script } => {
                let destination = &work.job.destination;
                let connections = self.made_for(work);
                let session = connections.in_destination(destination).await?;
                let began = self.clock.now().await?;
                Ok(carry_out(session.run(script), began, report, stop).await)
            }
            Action::Discovery => {
                let found = self.new_tables(work);
                tokio::select! {
                    found = found => Ok(Outcome {
                        tables: found?,
                        ..Outcome::succeeded(Totals::default())
                    }),
                    _ = stop.wait() => Ok(Outcome::ended(End::Stopped, Totals::default())),
                }
            }
            Action::Webhook { address, news } => {
                tokio::select! {
                    told = self.webhooks.tell(address, work, news) => {
                        told?;
                        Ok(Outcome::succeeded(Totals::default()))
                    }
                    _ = stop.wait() => Ok(Outcome::ended(End::Stopped, Totals::default())),
                }
            }
        }
    }

    /// The connections, whose requests are made for the job.
    fn made_for(&self, work: &Work) -> Connections {
        let Job { name, limits, .. } = &*work.job;
        self.connections
            .made_for(Claimant::job(format!("job {name}"), limits.share, None))
    }

    /// Tells the request budget how many requests the task is going to make, so that a small run does not wait for large
    /// ones. What cannot be foreseen fails when it is carried out, or is large.
    async fn foresee(&self, session: &Session, work: &Work, statement: &str, report: &Report) {
        let store = self.connections.store();
        let by_history = forecast::by_history(store, work, statement).await;
        let requests = match by_history.ok().flatten() {
            Some(requests) => Some(requests),
            None => {
                let (requests, words) = forecast::by_plan(session, statement).await;
                if let (false, Ok(at)) = (words.is_empty(), self.clock.now().await) {
                    let event = NewEvent {
                        at,
                        level: Level::Info,
                        kind: "forecast".to_owned(),
                        task_run: None,
                        slice: None,
                        code: None,
                        text: words.join("; "),
                    };
                    // It is for people: one that is lost changes nothing.
                    let _ = report.events(&[event]).await;
                }
                requests
            }
        };
        let _ = session.expect(&work.job.source, requests);
    }

    /// The source's tables that are neither excluded nor have a task, without those that its service has removed.
    async fn new_tables(&self, work: &Work) -> Result<Vec<String>> {
        let job = &*work.job;
        let (source, session) = self.made_for(work).of(&job.source).await?;
        let listed = session.tables(&source).await;
        let mut known: Vec<String> = job.tasks.iter().flat_map(read_tables).collect();
        if let JobKind::SyncAll { exclude } = &job.kind {
            known.extend(exclude.iter().map(|table| name::key(table)));
        }
        let tables = listed?;
        let new = tables
            .iter()
            .filter(|table| table.removed.is_none() && !known.contains(&name::key(&table.name)));
        Ok(new.map(|table| table_name(&table.name)).collect())
    }
}

/// The tables that a task writes or reads, to be compared.
fn read_tables(task: &bucketline_app::Task) -> Vec<String> {
    use bucketline::sql::{Source, Statement};

    let Ok(statement) = task.parse() else {
        return Vec::new();
    };
    let last = |name: &bucketline::sql::Name| name::key(&name.last().text);
    match &statement {
        Statement::Replicate(replicate) => {
            let mut tables = vec![last(&replicate.destination)];
            if let Source::Query(query) = &replicate.source {
                tables.extend(query.table_names().iter().map(last));
            }
            tables
        }
        Statement::Cache(cache) => cache.query.table_names().iter().map(last).collect(),
        _ => Vec::new(),
    }
}

/// A table's name as a statement writes it.
fn table_name(name: &str) -> String {
    let name = Ident::new(name);
    Ident {
        exact: name.quoted,
        ..name
    }
    .to_string()
}

#[async_trait]
impl Runner for LocalRunner {
    async fn carry_out(&self, work: &Work, report: &Report, stop: &Stop) -> Outcome {
        let span = tracing::info_span!("try", job = %work.job.name, run = %work.run.id, task_run = %work.id);
        match self.try_to(work, report, stop).instrument(span).await {
            Ok(outcome) => outcome,
            Err(error) => Outcome::failed(Fault::from(&error), Totals::default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use bucketline_app::Task;

    use super::{read_tables, table_name};

    #[test]
    fn a_table_has_a_task_if_one_reads_or_writes_it() {
        let task = Task::new("REPLICATE PROD_Issues SELECT * FROM acme.Issues");
        assert_eq!(read_tables(&task), ["prod_issues", "issues"]);
        assert_eq!(read_tables(&Task::new("REPLICATE Branches")), ["branches"]);
    }

    #[test]
    fn a_name_that_sql_cannot_read_plainly_is_quoted() {
        for (name, written) in [
            ("Issues", "Issues"),
            ("order lines", "\"order lines\""),
            ("7up", "\"7up\""),
            ("a\"b", "\"a\"\"b\""),
        ] {
            assert_eq!(table_name(name), written);
        }
    }
}
