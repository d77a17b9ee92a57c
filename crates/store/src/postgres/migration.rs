//! The schema in PostgreSQL.

use bucketline_app::Result;
use bucketline_postgres::{Connections, Session};

use super::fault::{told, unreachable};
use super::{LOCKS, MIGRATING, SCHEMA};
use crate::schema::{self, HISTORY, Steps};

/// Brings the schema to this version. One node does it at a time; the others wait, and find it done.
pub(super) async fn migrate(connections: &Connections, steps: &Steps) -> Result<()> {
    let label = connections.label();
    // The lock ends with the session.
    let mut session = connections.dedicated().await.map_err(unreachable)?;
    let found = version(&session, &label).await?;
    if steps.behind(&label, found)?.is_empty() {
        return Ok(());
    }
    let sql = "SELECT pg_advisory_lock($1, $2)";
    let locked = session.execute(sql, &[&LOCKS, &MIGRATING]).await;
    locked.map_err(told(&label))?;
    let found = version(&session, &label).await?;
    if steps.behind(&label, found)?.is_empty() {
        return Ok(());
    }
    if !has_schema(&session, &label).await? {
        let made = session
            .batch_execute(&format!("CREATE SCHEMA {SCHEMA}"))
            .await;
        made.map_err(told(&label))?;
    }
    let sql = format!("SET search_path = {SCHEMA}, pg_catalog; SET lock_timeout = 0");
    session.batch_execute(&sql).await.map_err(told(&label))?;
    let client: &mut tokio_postgres::Client = &mut session;
    let done = steps.runner().run_async(client).await;
    done.map_err(|error| schema::failed(&label, error))?;
    Ok(())
}

async fn has_schema(session: &Session, label: &str) -> Result<bool> {
    let sql = "SELECT FROM pg_namespace WHERE nspname = $1";
    let found = session.query(sql, &[&SCHEMA]).await.map_err(told(label))?;
    Ok(!found.is_empty())
}

/// The version of the schema, if there is one.
pub(super) async fn version(session: &Session, label: &str) -> Result<Option<i64>> {
    let table = format!("{SCHEMA}.{HISTORY}");
    let sql = "SELECT to_regclass($1) IS NOT NULL";
    let row = session
        .query_one(sql, &[&table])
        .await
        .map_err(told(label))?;
    if !row.get::<_, bool>(0) {
        return Ok(None);
    }
    let sql = format!("SELECT CAST(max(version) AS BIGINT) FROM {table}");
    let row = session.query_one(&sql, &[]).await.map_err(told(label))?;
    Ok(row.get(0))
}
