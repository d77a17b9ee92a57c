//! A store in a PostgreSQL database, which several nodes share. Its tables are in a schema of their own.

mod fault;
mod migration;
mod transaction;
mod value;

use async_trait::async_trait;
use bucketline_app::store::TokenGuard;
use bucketline_app::{Error, NodeId, Result};
use bucketline_core::code;
use bucketline_postgres::{Connections, Session, Settings};
use chrono::{DateTime, Utc};
use tokio::sync::Mutex;

use self::fault::{told, unreachable};
use crate::database::{Database, Mode, Row, Work};
use crate::schema::Steps;
use crate::tokens;

/// The schema that holds the tables.
const SCHEMA: &str = "bucketline_app";

/// The first half of the numbers of our advisory locks: `BLap`.
const LOCKS: i32 = 0x424c_6170;

/// The first half of the numbers of the locks of sign-ins: `BLto`.
const TOKENS: i32 = 0x424c_746f;

/// The locks of a machine that vanished have to end soon.
const KEEPALIVE: &str = "SET tcp_keepalives_idle = 4; SET tcp_keepalives_interval = 2; \
                         SET tcp_keepalives_count = 3";

/// The lock of the leader. The topics have lower numbers.
const LEADER: i32 = 100;

/// The lock of whoever migrates.
const MIGRATING: i32 = 101;

/// A PostgreSQL database with our schema.
#[derive(Debug)]
pub(crate) struct Postgres {
    connections: Connections,
    leading: Mutex<Leading>,
}

/// The session whose lock makes its node the leader.
#[derive(Debug, Default)]
struct Leading {
    session: Option<Session>,
    node: Option<NodeId>,
}

impl Postgres {
    /// Connects, and brings the schema to this version.
    pub(crate) async fn open(settings: &Settings, steps: &Steps) -> Result<Self> {
        let connections = Connections::new(settings);
        migration::migrate(&connections, steps).await?;
        Ok(Self {
            connections,
            leading: Mutex::default(),
        })
    }
}

/// The steps behind the database's schema.
pub(crate) async fn pending(settings: &Settings, steps: &Steps) -> Result<Vec<String>> {
    let connections = Connections::new(settings);
    let session = connections.dedicated().await.map_err(unreachable)?;
    let label = connections.label();
    let found = migration::version(&session, &label).await?;
    steps.behind(&label, found)
}

impl Leading {
    /// Whether the session still holds the lock, as far as it goes, or gets it now.
    async fn hold(&mut self, connections: &Connections) -> Result<bool> {
        let label = connections.label();
        if let Some(session) = &self.session
            && self.node.is_some()
        {
            if session.simple_query("SELECT 1").await.is_ok() {
                return Ok(true);
            }
            *self = Self::default();
        }
        let session = match self.session.take().filter(|session| !session.is_closed()) {
            Some(session) => session,
            None => {
                let session = connections.dedicated().await.map_err(unreachable)?;
                session
                    .batch_execute(KEEPALIVE)
                    .await
                    .map_err(told(&label))?;
                session
            }
        };
        let sql = "SELECT pg_try_advisory_lock($1, $2)";
        let row = session.query_one(sql, &[&LOCKS, &LEADER]).await;
        let has_lock = row.map_err(told(&label))?.get(0);
        self.session = Some(session);
        Ok(has_lock)
    }
}

/// Tokens in a database. The lock ends with the session, and what is saved goes through it: a session that was lost
/// saves nothing.
struct Guard {
    session: Session,
    label: String,
    sign_in: String,
}

impl std::fmt::Debug for Guard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guard")
            .field("label", &self.label)
            .field("sign_in", &self.sign_in)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl TokenGuard for Guard {
    async fn read(&self) -> Result<Option<String>> {
        let sign_in = self.sign_in.clone();
        let work: Work<_> =
            Box::new(move |tx| Box::pin(async move { tokens::read(tx, &sign_in).await }));
        transaction::within(&self.session, &self.label, work).await
    }

    async fn save(&mut self, sealed: &str) -> Result<()> {
        let (sign_in, sealed) = (self.sign_in.clone(), sealed.to_owned());
        let work: Work<_> =
            Box::new(move |tx| Box::pin(async move { tokens::save(tx, &sign_in, &sealed).await }));
        transaction::within(&self.session, &self.label, work).await
    }
}

impl Database for Postgres {
    async fn transact<T: Send + 'static>(&self, mode: Mode, work: Work<T>) -> Result<T> {
        let connections = self.connections.clone();
        // On a task of its own it is carried out to its end, also if nobody waits any longer.
        let done = tokio::spawn(async move { transaction::run(&connections, mode, work).await });
        done.await.unwrap_or_else(|error| {
            let message = "an operation of the store ended early";
            Err(Error::new(code::store::DEFECT, message).with_source(error))
        })
    }

    async fn now(&self) -> Result<DateTime<Utc>> {
        let work: Work<Vec<Row>> =
            Box::new(|tx| Box::pin(async move { tx.rows("SELECT clock_timestamp()", &[]).await }));
        let mut rows = self.transact(Mode::Read, work).await?;
        match rows.first_mut() {
            Some(row) => row.time(),
            None => Err(Error::new(
                code::store::DEFECT,
                "the server's clock has no time",
            )),
        }
    }

    fn is_shared(&self) -> bool {
        true
    }

    async fn lead(&self, node: NodeId) -> Result<bool> {
        let mut leading = self.leading.lock().await;
        if leading.node.is_some_and(|leader| leader != node) {
            return Ok(false);
        }
        let leads = leading.hold(&self.connections).await?;
        leading.node = leads.then_some(node);
        Ok(leads)
    }

    async fn lock_tokens(&self, sign_in: &str) -> Result<Box<dyn TokenGuard>> {
        let label = self.connections.label();
        let session = self.connections.dedicated().await.map_err(unreachable)?;
        let sql = format!("{KEEPALIVE}; SET lock_timeout = '5min'");
        session.batch_execute(&sql).await.map_err(told(&label))?;
        let sql = "SELECT pg_advisory_lock($1, hashtext($2))";
        let locked = session.execute(sql, &[&TOKENS, &sign_in]).await;
        locked.map_err(told(&label))?;
        Ok(Box::new(Guard {
            session,
            label,
            sign_in: sign_in.to_owned(),
        }))
    }

    async fn stop_leading(&self, node: NodeId) {
        let mut leading = self.leading.lock().await;
        if leading.node == Some(node) {
            *leading = Leading::default();
        }
    }
}
