//! A store in one SQLite file, which one process uses at a time.

mod connection;
mod fault;
mod holder;
mod transaction;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bucketline_app::store::TokenGuard;
use bucketline_app::{Error, NodeId, Result};
use bucketline_core::code;
use chrono::{DateTime, Utc};

use self::connection::{Access, Identity, Opened};
use self::holder::Holder;
use crate::database::{Database, Mode, Work};
use crate::schema::Steps;
use crate::tokens;

/// Connections that are kept for reading.
const READERS: usize = 4;

/// A SQLite file with our schema.
#[derive(Debug)]
pub(crate) struct Sqlite {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// Absent for a store in memory.
    path: Option<PathBuf>,
    steps: Steps,
    /// Writes, and reads of a store in memory.
    writer: Mutex<Opened>,
    readers: Mutex<Vec<Opened>>,
    leader: Mutex<Option<NodeId>>,
    /// Held by whoever uses the tokens of that sign-in. Other processes are kept out of the whole file.
    tokens: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
    /// Keeps other processes out; absent if the file is only read. Dropped last.
    holder: Option<Holder>,
}

impl Sqlite {
    /// Opens a file, which is made if it does not exist, and brings it to this version's schema.
    pub(crate) async fn open(path: &Path, steps: Steps) -> Result<Self> {
        let path = path.to_owned();
        blocking(move || {
            let holder = Holder::of(&path)?;
            let writer = connection::open(&path, &steps)?;
            Ok(Self::new(Some(path), steps, writer, Some(holder)))
        })
        .await
    }

    /// Opens a file with this version's schema to be read, whoever else uses it.
    pub(crate) async fn open_to_read(path: &Path, steps: Steps) -> Result<Self> {
        let path = path.to_owned();
        blocking(move || {
            let reader = connection::connect(&path, Access::Read)?;
            Ok(Self::new(Some(path), steps, reader, None))
        })
        .await
    }

    /// A new store that ends with its value.
    pub(crate) fn in_memory(steps: Steps) -> Result<Self> {
        let writer = connection::in_memory(&steps)?;
        Ok(Self::new(None, steps, writer, None))
    }

    fn new(path: Option<PathBuf>, steps: Steps, writer: Opened, holder: Option<Holder>) -> Self {
        Self {
            inner: Arc::new(Inner {
                path,
                steps,
                writer: Mutex::new(writer),
                readers: Mutex::default(),
                leader: Mutex::default(),
                tokens: Mutex::default(),
                holder,
            }),
        }
    }

    /// Lets a test do to the connection that writes what it likes.
    #[cfg(test)]
    pub(crate) fn with_writer<T>(&self, work: impl FnOnce(&rusqlite::Connection) -> T) -> T {
        work(&lock(&self.inner.writer).connection)
    }
}

/// The steps behind the file's schema; none for a file that does not exist.
pub(crate) async fn pending(path: &Path, steps: Steps) -> Result<Vec<String>> {
    let path = path.to_owned();
    blocking(move || connection::pending(&path, &steps)).await
}

/// Carries out what blocks on a thread for that.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| {
        let message = "an operation of the store ended early";
        Err(Error::new(code::store::DEFECT, message).with_source(error))
    })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A transaction that panicked is rolled back before the next one begins.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Inner {
    fn transact<T>(&self, mode: Mode, work: Work<T>) -> Result<T> {
        let Some(path) = &self.path else {
            return transaction::run(&mut lock(&self.writer), mode, work);
        };
        let identity = Identity::of(path)?;
        if mode == Mode::Write {
            if self.holder.is_none() {
                let message = format!("{} was opened to be read", path.display());
                return Err(Error::new(code::store::READ_ONLY, message));
            }
            let mut writer = lock(&self.writer);
            if writer.identity != identity {
                *writer = connection::open(path, &self.steps)?;
            }
            return transaction::run(&mut writer, mode, work);
        }
        let idle = lock(&self.readers).pop();
        let mut reader = match idle.filter(|idle| idle.identity == identity) {
            Some(idle) => idle,
            None => connection::connect(path, Access::Read)?,
        };
        let done = transaction::run(&mut reader, mode, work)?;
        let mut readers = lock(&self.readers);
        if readers.len() < READERS {
            readers.push(reader);
        }
        Ok(done)
    }
}

/// Tokens of a store file.
#[derive(Debug)]
struct Guard {
    inner: Arc<Inner>,
    sign_in: String,
    _turn: tokio::sync::OwnedMutexGuard<()>,
}

#[async_trait]
impl TokenGuard for Guard {
    async fn read(&self) -> Result<Option<String>> {
        let (inner, sign_in) = (Arc::clone(&self.inner), self.sign_in.clone());
        let work: Work<_> =
            Box::new(move |tx| Box::pin(async move { tokens::read(tx, &sign_in).await }));
        blocking(move || inner.transact(Mode::Read, work)).await
    }

    async fn save(&mut self, sealed: &str) -> Result<()> {
        let (inner, sign_in) = (Arc::clone(&self.inner), self.sign_in.clone());
        let sealed = sealed.to_owned();
        let work: Work<_> =
            Box::new(move |tx| Box::pin(async move { tokens::save(tx, &sign_in, &sealed).await }));
        blocking(move || inner.transact(Mode::Write, work)).await
    }
}

impl Database for Sqlite {
    async fn transact<T: Send + 'static>(&self, mode: Mode, work: Work<T>) -> Result<T> {
        let inner = Arc::clone(&self.inner);
        blocking(move || inner.transact(mode, work)).await
    }

    async fn now(&self) -> Result<DateTime<Utc>> {
        Ok(Utc::now())
    }

    fn is_shared(&self) -> bool {
        false
    }

    async fn lead(&self, node: NodeId) -> Result<bool> {
        let mut leader = lock(&self.inner.leader);
        Ok(*leader.get_or_insert(node) == node)
    }

    async fn lead_alone(&self, node: NodeId) {
        lock(&self.inner.leader).take_if(|leader| *leader != node);
    }

    async fn lock_tokens(&self, sign_in: &str) -> Result<Box<dyn TokenGuard>> {
        let turn = {
            let mut tokens = lock(&self.inner.tokens);
            Arc::clone(tokens.entry(sign_in.to_owned()).or_default())
        };
        Ok(Box::new(Guard {
            inner: Arc::clone(&self.inner),
            sign_in: sign_in.to_owned(),
            _turn: turn.lock_owned().await,
        }))
    }

    async fn stop_leading(&self, node: NodeId) {
        lock(&self.inner.leader).take_if(|leader| *leader == node);
    }
}
