//! The session of a load: it holds the lease of its table, and does all its writing.
//!
//! The lease is an advisory lock of that session, so that it ends with it, however it ends; and a session that lost the
//! lease cannot write any more. The row in `_bucketline.leases` says who holds it and since when, and has two numbers
//! that each commit looks at: the epoch, which is another one once somebody else has taken the lease, and the count of
//! commits, which tells after a lost connection whether the last one was carried out.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bucketline_destination::{Error, Holder, Result, TableName, code, fault};
use sha2::{Digest, Sha256};
use tokio_postgres::{Client, Statement};

use crate::connection::{Dedicated, Doing, Pool, Recovery};
use crate::name::Located;
use crate::state;

/// How long a transaction is tried again that meets what passes: a lost connection, a deadlock, a failover.
const PATIENCE: Duration = Duration::from_secs(60);

/// The pause before the second try; each one after it is twice as long, up to the longest.
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How often the lease is asked for again by whom it was lost.
const REGAINING: u32 = 50;

/// How often by others.
const GRACE: u32 = 10;

/// Settings under which pages of rows find the table's rows by its key, however little is known of the page.
const SETTINGS: &str = "
SET jit = off;
SET enable_seqscan = off;
SET enable_hashjoin = off;
SET enable_mergejoin = off;
";

/// Has a statement end whose client is gone, and its lease with it. Neither servers before version 14 nor all systems
/// know how.
const NOTICE: &str = "SET client_connection_check_interval = '1s'";

/// What a transaction does.
#[async_trait]
pub(crate) trait Work: Send + Sync {
    /// What it gives.
    type Outcome: Send;

    /// Does it, within a transaction that it does not end.
    async fn run(&self, at: &mut Connected) -> Result<Self::Outcome>;

    /// By how many the rows of the table have become more.
    fn more_rows(&self, _outcome: &Self::Outcome) -> i64 {
        0
    }
}

/// A session that is connected.
pub(crate) struct Connected {
    pub(crate) client: Dedicated,
    /// Of the server's process.
    pid: i32,
    statements: HashMap<String, Statement>,
    /// The temporary tables by the columns that they are made with.
    temporary: HashMap<String, Temporary>,
    /// How many temporary tables were made.
    made: usize,
}

/// A table that is empty at the end of every transaction.
struct Temporary {
    name: String,
    /// The present transaction put rows into it.
    holds_rows: bool,
    /// The transaction that made it was committed.
    is_kept: bool,
}

impl Connected {
    async fn open(pool: &Pool) -> Result<Self> {
        let client = pool.dedicated().await?;
        client
            .batch_execute(SETTINGS)
            .await
            .doing("setting up the session")?;
        let _ = client.batch_execute(NOTICE).await;
        let row = client
            .query_one("SELECT pg_backend_pid()", &[])
            .await
            .doing("setting up the session")?;
        Ok(Self {
            client,
            pid: row.get(0),
            statements: HashMap::new(),
            temporary: HashMap::new(),
            made: 0,
        })
    }

    /// A statement that is prepared once.
    pub(crate) async fn prepared(&mut self, sql: &str, doing: &str) -> Result<Statement> {
        if let Some(statement) = self.statements.get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(sql).await.doing(doing)?;
        self.statements.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }

    /// The statements of tables that have changed mean nothing any more.
    pub(crate) fn forget_statements(&mut self) {
        self.statements.clear();
    }

    /// The name of an empty temporary table of these columns, which are given as SQL.
    pub(crate) async fn temporary(&mut self, columns: &str, doing: &str) -> Result<String> {
        if let Some(known) = self.temporary.get_mut(columns) {
            if std::mem::replace(&mut known.holds_rows, true) {
                let sql = format!("TRUNCATE {}", known.name);
                self.client.batch_execute(&sql).await.doing(doing)?;
            }
            return Ok(known.name.clone());
        }
        let name = format!("pg_temp.page_{}", self.made);
        self.made += 1;
        let sql = format!("CREATE TEMPORARY TABLE {name} ({columns}) ON COMMIT DELETE ROWS");
        self.client.batch_execute(&sql).await.doing(doing)?;
        self.temporary.insert(
            columns.to_owned(),
            Temporary {
                name: name.clone(),
                holds_rows: true,
                is_kept: false,
            },
        );
        Ok(name)
    }

    /// A transaction was committed.
    fn committed(&mut self) {
        for table in self.temporary.values_mut() {
            table.holds_rows = false;
            table.is_kept = true;
        }
    }

    /// A transaction was rolled back: what it made is gone, and what it changed is as it was.
    fn rolled_back(&mut self) {
        self.temporary.retain(|_, table| {
            table.holds_rows = false;
            table.is_kept
        });
        self.statements.clear();
    }

    async fn execute(&self, sql: &str) -> Result<()> {
        self.client.batch_execute(sql).await.doing("writing")
    }
}

/// The lease of a table.
pub(crate) struct Session {
    pool: Pool,
    table: TableName,
    /// The name under which the lease is kept.
    name: String,
    epoch: i64,
    commits: i64,
    /// The process that had the lock last, if its connection was lost.
    lost: Option<i32>,
    /// It was not found out whether a commit was carried out.
    in_doubt: bool,
    connected: Option<Connected>,
}

impl Session {
    /// Takes the lease of a table.
    ///
    /// # Errors
    /// [`Held`](bucketline_destination::code::HELD) if another session has it.
    pub(crate) async fn take(
        pool: &Pool,
        table: &TableName,
        located: &Located,
        holder: &Holder,
    ) -> Result<Self> {
        let connected = Connected::open(pool).await?;
        let client = &connected.client;
        state::create(client).await?;
        let name = located.sql();
        // A session that has just ended may not have ended for the server yet.
        let mut locked = lock(client, &name).await?;
        for _ in 0..GRACE {
            if locked {
                break;
            }
            tokio::time::sleep(PAUSE / 2).await;
            locked = lock(client, &name).await?;
        }
        if !locked {
            return Err(fault::held(table, present(client, &name).await?.as_ref()));
        }
        let row = client
            .query_one(
                "INSERT INTO _bucketline.leases (name, epoch, who, since) VALUES ($1, 1, $2, $3)
                 ON CONFLICT (name) DO UPDATE
                 SET epoch = leases.epoch + 1, who = EXCLUDED.who, since = EXCLUDED.since
                 RETURNING epoch, commits",
                &[&name, &holder.who, &holder.since],
            )
            .await
            .doing("taking the lease")?;
        Ok(Self {
            pool: pool.clone(),
            table: table.clone(),
            name,
            epoch: row.get(0),
            commits: row.get(1),
            lost: None,
            in_doubt: false,
            connected: Some(connected),
        })
    }

    /// The client, without a transaction.
    pub(crate) async fn client(&mut self) -> Result<&Client> {
        Ok(&self.connected().await?.client)
    }

    /// Does work in one transaction, which is tried again after what passes. Whether a commit was carried out whose
    /// connection was lost is found out.
    ///
    /// # Errors
    /// What the work fails with; [`FENCED`](code::FENCED) if another has taken the lease. When a commit stays
    /// unknown, nothing is written any more: the same changes might be applied twice.
    pub(crate) async fn transact<W: Work>(&mut self, work: &W) -> Result<W::Outcome> {
        if self.in_doubt {
            return Err(in_doubt(&self.table));
        }
        let mut pause = PAUSE;
        let mut first_failure: Option<Instant> = None;
        let mut unknown: Option<(W::Outcome, i64)> = None;
        loop {
            let error = match self.attempt(work, &mut unknown).await {
                Ok(outcome) => return Ok(outcome),
                Err(error) => error,
            };
            let recovery = Recovery::of(&error);
            if self
                .connected
                .as_ref()
                .is_some_and(|it| it.client.is_closed())
                || recovery == Recovery::Reconnect
            {
                self.disconnect();
            }
            let since = *first_failure.get_or_insert_with(Instant::now);
            if recovery == Recovery::None || since.elapsed() > PATIENCE {
                self.in_doubt = unknown.is_some();
                return Err(error);
            }
            tracing::debug!(%error, ?pause, "a transaction is tried again");
            tokio::time::sleep(pause).await;
            pause = LONGEST_PAUSE.min(pause * 2);
        }
    }

    /// Does work in a transaction that is taken back.
    pub(crate) async fn rehearse<W: Work>(&mut self, work: &W) -> Result<()> {
        let connected = self.connected().await?;
        connected.execute("BEGIN").await?;
        let outcome = work.run(connected).await;
        self.roll_back().await;
        outcome.map(drop)
    }

    /// `unknown` has the outcome of a commit of which no answer came, and the count that it would have made.
    async fn attempt<W: Work>(
        &mut self,
        work: &W,
        unknown: &mut Option<(W::Outcome, i64)>,
    ) -> Result<W::Outcome> {
        self.connected().await?;
        if let Some((outcome, commits)) = unknown.take()
            && self.commits == commits
        {
            return Ok(outcome);
        }
        let (name, epoch, table) = (self.name.clone(), self.epoch, self.table.clone());
        let connected = self.connected().await?;
        connected.execute("BEGIN").await?;
        let outcome = match work.run(connected).await {
            Ok(outcome) => outcome,
            Err(error) => {
                self.roll_back().await;
                return Err(error);
            }
        };
        let row = connected
            .client
            .query_opt(
                "UPDATE _bucketline.leases SET commits = commits + 1, rows = greatest(0, rows + $3)
                 WHERE name = $1 AND epoch = $2 RETURNING commits",
                &[&name, &epoch, &work.more_rows(&outcome)],
            )
            .await
            .doing("checking the lease");
        let commits = match row {
            Ok(Some(row)) => row.get(0),
            Ok(None) => {
                self.roll_back().await;
                return Err(fault::fenced(&table));
            }
            Err(error) => {
                self.roll_back().await;
                return Err(error);
            }
        };
        match connected.execute("COMMIT").await {
            Ok(()) => {
                connected.committed();
                self.commits = commits;
                Ok(outcome)
            }
            Err(error) => {
                if connected.client.is_closed() || Recovery::of(&error) == Recovery::Reconnect {
                    *unknown = Some((outcome, commits));
                } else {
                    // Refused, by a deferred constraint for example.
                    self.roll_back().await;
                }
                Err(error)
            }
        }
    }

    async fn roll_back(&mut self) {
        let Some(connected) = &mut self.connected else {
            return;
        };
        connected.rolled_back();
        if connected.execute("ROLLBACK").await.is_err() {
            self.disconnect();
        }
    }

    fn disconnect(&mut self) {
        if let Some(lost) = self.connected.take() {
            self.lost = Some(lost.pid);
        }
    }

    /// Lets others take the lease before the session has ended.
    pub(crate) async fn release(&mut self) {
        if let Some(connected) = self.connected.take() {
            // It ends in any case.
            let _ = connected.execute("SELECT pg_advisory_unlock_all()").await;
        }
    }

    /// The session, connected anew if the connection was lost. The lease must not have gone to another meanwhile.
    pub(crate) async fn connected(&mut self) -> Result<&mut Connected> {
        if self
            .connected
            .as_ref()
            .is_some_and(|it| it.client.is_closed())
        {
            self.disconnect();
        }
        if self.connected.is_none() {
            let connected = Connected::open(&self.pool).await?;
            self.regain(&connected.client).await?;
            self.connected = Some(connected);
        }
        self.connected
            .as_mut()
            .ok_or_else(|| fault::fenced(&self.table))
    }

    /// Takes the lock again, for a new connection. The server may not have noticed yet that the old one is gone.
    async fn regain(&mut self, client: &Client) -> Result<()> {
        for wait in 0..REGAINING {
            if wait > 0 {
                tokio::time::sleep(PAUSE).await;
            }
            let locked = lock(client, &self.name).await?;
            let row = client
                .query_opt(
                    "SELECT epoch, commits FROM _bucketline.leases WHERE name = $1",
                    &[&self.name],
                )
                .await
                .doing("checking the lease")?;
            match row.map(|row| (row.get::<_, i64>(0), row.get(1))) {
                Some((epoch, commits)) if epoch == self.epoch => {
                    if locked {
                        self.commits = commits;
                        return Ok(());
                    }
                }
                _ => return Err(fault::fenced(&self.table)),
            }
            let lost = self.lost.unwrap_or_default();
            client
                .execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_catalog.pg_locks
                     WHERE locktype = 'advisory' AND granted AND pid = $1 AND objsubid = 1
                       AND (classid::bigint << 32 | objid::bigint) = $2",
                    &[&lost, &lock_key(&self.name)],
                )
                .await
                .doing("taking the lease again")?;
        }
        Err(fault::fenced(&self.table))
    }
}

fn in_doubt(table: &TableName) -> Error {
    let message = format!(
        "the connection was lost while rows of {table} were committed, and whether they were is not known yet"
    );
    Error::new(code::UNAVAILABLE, message)
        .with_hint("run the statement again: it goes on from where the table really is")
}

/// The number that stands for a name among the server's advisory locks.
fn lock_key(name: &str) -> i64 {
    let mut digest = Sha256::new();
    digest.update(b"bucketline ");
    digest.update(name.as_bytes());
    let mut key = [0; 8];
    key.copy_from_slice(&digest.finalize()[..8]);
    i64::from_be_bytes(key)
}

/// Takes the lock of a name for the session; false if another has it.
async fn lock(client: &Client, name: &str) -> Result<bool> {
    let row = client
        .query_one("SELECT pg_try_advisory_lock($1)", &[&lock_key(name)])
        .await
        .doing("taking the lease")?;
    Ok(row.get(0))
}

async fn present(client: &Client, name: &str) -> Result<Option<Holder>> {
    let row = client
        .query_opt(
            "SELECT who, since FROM _bucketline.leases
             WHERE name = $1 AND who IS NOT NULL AND since IS NOT NULL",
            &[&name],
        )
        .await
        .doing("reading the lease")?;
    Ok(row.map(|row| Holder {
        who: row.get(0),
        since: row.get(1),
    }))
}

/// Notes that the lease is given back, for those who look.
pub(crate) async fn give_back(client: &Client, name: &str) -> Result<()> {
    client
        .execute(
            "UPDATE _bucketline.leases SET who = NULL, since = NULL WHERE name = $1",
            &[&name],
        )
        .await
        .doing("giving the lease back")?;
    Ok(())
}
