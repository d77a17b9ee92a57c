//! A transaction of PostgreSQL.

use async_trait::async_trait;
use bucketline_app::Result;
use bucketline_postgres::{Borrowed, Connections, Session};
use tokio_postgres::Statement;
use tokio_postgres::types::ToSql;

use super::fault::{is_broken, told, unreachable};
use super::{LOCKS, SCHEMA};
use crate::database::{Dialect, Mode, Row, Topic, Transaction, Value, Work};

static DIALECT: Dialect = Dialect {
    for_update: " FOR UPDATE",
    skip_locked: " FOR UPDATE OF j SKIP LOCKED",
    clock: "clock_timestamp()",
    like: "ILIKE",
    indexed_by: |_| String::new(),
};

/// Statements that a connection keeps prepared.
const STATEMENTS: usize = 300;

/// Connections that may turn out to be broken before a transaction begins: all that the pool keeps.
const TRIES: usize = 10;

struct OfPostgres<'s> {
    session: &'s Session,
    label: &'s str,
}

/// Carries out work in a transaction.
pub(super) async fn run<T>(connections: &Connections, mode: Mode, work: Work<T>) -> Result<T> {
    let label = connections.label();
    let session = begin(connections, mode, &label).await?;
    carry_out(&session, &label, work).await
}

/// The same in a session of one's own.
pub(super) async fn within<T>(session: &Session, label: &str, work: Work<T>) -> Result<T> {
    let begun = session.batch_execute(&beginning(Mode::Write)).await;
    begun.map_err(told(label))?;
    carry_out(session, label, work).await
}

/// Carries out work in the transaction that was begun, and ends it.
async fn carry_out<T>(session: &Session, label: &str, work: Work<T>) -> Result<T> {
    let done = work(&mut OfPostgres { session, label }).await;
    let end = if done.is_ok() { "COMMIT" } else { "ROLLBACK" };
    let ended = session.batch_execute(end).await;
    let done = done?;
    ended.map_err(told(label))?;
    Ok(done)
}

fn beginning(mode: Mode) -> String {
    let kind = match mode {
        Mode::Read => "ISOLATION LEVEL REPEATABLE READ, READ ONLY",
        Mode::Write => "ISOLATION LEVEL READ COMMITTED, READ WRITE",
    };
    // A plan fits the values that it is made for: few runs are in most states, and many in one.
    format!(
        "BEGIN {kind}; SET LOCAL search_path = {SCHEMA}, pg_catalog; \
         SET LOCAL plan_cache_mode = force_custom_plan"
    )
}

/// A connection with a transaction. After a restart of the server, all connections that were kept are broken.
async fn begin(connections: &Connections, mode: Mode, label: &str) -> Result<Borrowed> {
    let sql = beginning(mode);
    let mut tries = 1;
    loop {
        let session = connections.get().await.map_err(unreachable)?;
        match session.batch_execute(&sql).await {
            Ok(()) => return Ok(session),
            Err(error) if is_broken(&error) && tries < TRIES => tries += 1,
            Err(error) => return Err(told(label)(error)),
        }
    }
}

impl OfPostgres<'_> {
    async fn prepare(&self, sql: &str) -> Result<Statement, tokio_postgres::Error> {
        let cache = &self.session.statement_cache;
        if cache.size() > STATEMENTS {
            cache.clear();
        }
        self.session.prepare_cached(&sql.replace('?', "$")).await
    }

    async fn try_execute(&self, sql: &str, values: &[Value]) -> Result<u64, tokio_postgres::Error> {
        let statement = self.prepare(sql).await?;
        self.session.execute(&statement, &parameters(values)).await
    }

    async fn try_rows(
        &self,
        sql: &str,
        values: &[Value],
    ) -> Result<Vec<Row>, tokio_postgres::Error> {
        let statement = self.prepare(sql).await?;
        let rows = self.session.query(&statement, &parameters(values)).await?;
        let rows = rows.iter().map(|row| {
            let values = (0..row.len()).map(|index| row.try_get(index));
            Ok(Row::new(values.collect::<Result<_, _>>()?))
        });
        rows.collect()
    }
}

fn parameters(values: &[Value]) -> Vec<&(dyn ToSql + Sync)> {
    let parameters = values.iter().map(|value| -> &(dyn ToSql + Sync) { value });
    parameters.collect()
}

#[async_trait]
impl Transaction for OfPostgres<'_> {
    fn dialect(&self) -> &'static Dialect {
        &DIALECT
    }

    async fn execute(&mut self, sql: &str, values: &[Value]) -> Result<u64> {
        let changed = self.try_execute(sql, values).await;
        changed.map_err(told(self.label))
    }

    async fn rows(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Row>> {
        self.try_rows(sql, values).await.map_err(told(self.label))
    }

    async fn alone(&mut self, topic: Topic) -> Result<()> {
        let sql = "SELECT pg_advisory_xact_lock($1, $2)";
        let locked = self.session.execute(sql, &[&LOCKS, &(topic as i32)]).await;
        locked.map_err(told(self.label))?;
        Ok(())
    }
}
