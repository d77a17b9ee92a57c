//! Databases and their threads.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bucketline_destination::{Error, Result, code};
use rusqlite::{Connection, OpenFlags};
use tokio::sync::{mpsc, oneshot};

use crate::error::{Doing, failed};
use crate::file::OpenFile;
use crate::{connect, state};

/// How long another program's transaction is waited for.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

/// Jobs that may wait for the writing thread before their callers wait, too.
const QUEUE: usize = 4;

/// The page cache of a writing connection, in KiB. The key's index is visited at random places in a load.
const CACHE_KIB: i64 = 16 * 1024;

/// Pages in the log from which on SQLite moves them into the file: 64 MiB. Each move waits for the disk twice; at the
/// usual 1,000 pages a load of many rows is a tenth to a fifth slower.
const LOG_PAGES: i64 = 4000;

/// How long the end of a thread is waited for. What it still does then is whole or undone, as ever; the process
/// may only end before SQLite has put its log away.
pub(crate) const ENDING: Duration = Duration::from_secs(10);

/// Pages of this size write rows of dozens of columns half as fast again as those of the usual 4 KiB.
const PAGE_SIZE: i64 = 16 * 1024;

/// Where a database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Location {
    /// In a file.
    File(PathBuf),
    /// In the memory of this process.
    Memory,
}

impl Location {
    pub(crate) fn label(&self) -> String {
        match self {
            Self::File(path) => format!("SQLite {}", path.display()),
            Self::Memory => String::from("SQLite in memory"),
        }
    }
}

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// A database that is open for writing, on a thread of its own.
///
/// Dropping the last handle lets the thread do what is queued, close the connection and end, and waits for that:
/// SQLite then puts all into the one file and removes its log. [`close`] does so without blocking.
#[derive(Debug)]
pub(crate) struct Database {
    jobs: mpsc::Sender<Job>,
    thread: Thread,
    /// The file as the system names it, links resolved; `None` in memory.
    pub(crate) file: Option<PathBuf>,
    opened: Option<Arc<OpenFile>>,
}

impl Drop for Database {
    fn drop(&mut self) {
        // Without a sender the queue ends.
        self.jobs = mpsc::channel(1).0;
        self.thread.wait(ENDING);
    }
}

/// Gives a handle back, and waits for the end of the thread if it was the last one.
pub(crate) async fn close(database: Arc<Database>) -> Result<()> {
    on_a_thread(move || {
        drop(database);
        Ok(())
    })
    .await
}

impl Database {
    /// Opens a database, and makes its file if it is absent.
    pub(crate) async fn open(location: Location) -> Result<Arc<Self>> {
        let (jobs, mut queue) = mpsc::channel::<Job>(QUEUE);
        let (opened, answer) = oneshot::channel();
        let label = location.label();
        let work = move || {
            let mut connection = match open_for_writing(&location) {
                Ok((connection, files)) => {
                    if opened.send(Ok(files)).is_err() {
                        return;
                    }
                    connection
                }
                Err(error) => {
                    // Nobody waits any more if this fails.
                    let _ = opened.send(Err(error));
                    return;
                }
            };
            while let Some(job) = queue.blocking_recv() {
                job(&mut connection);
            }
        };
        let thread = Thread::spawn(work)?;
        let files = answer.await.map_err(|_| stopped(&label))??;
        let (file, opened) = files.unzip();
        Ok(Arc::new(Self {
            jobs,
            thread,
            file,
            opened: opened.map(Arc::new),
        }))
    }

    /// Does work on the writing thread, after all that was asked for before. The work is done whole also if
    /// the caller goes away meanwhile; if it goes away before there is room in the queue, not at all. Fails also if
    /// the file was removed, moved or replaced: what was written is lost then, or is elsewhere.
    pub(crate) async fn call<T, W>(&self, work: W) -> Result<T>
    where
        T: Send + 'static,
        W: FnOnce(&mut Connection) -> Result<T> + Send + 'static,
    {
        self.reserve().await?.call(work).await
    }

    /// Waits for room in the queue.
    pub(crate) async fn reserve(&self) -> Result<Turn<'_>> {
        let place = self.jobs.reserve().await.map_err(|_| stopped("SQLite"))?;
        Ok(Turn {
            place,
            opened: self.opened.clone(),
        })
    }
}

/// A place in the queue of the writing thread.
pub(crate) struct Turn<'a> {
    place: mpsc::Permit<'a, Job>,
    opened: Option<Arc<OpenFile>>,
}

impl Turn<'_> {
    /// As [`Database::call`]; the work is in the queue once this is called, before it is awaited.
    pub(crate) fn call<T, W>(self, work: W) -> impl Future<Output = Result<T>> + Send + 'static
    where
        T: Send + 'static,
        W: FnOnce(&mut Connection) -> Result<T> + Send + 'static,
    {
        let (done, answer) = oneshot::channel();
        let opened = self.opened;
        self.place.send(Box::new(move |connection| {
            let mut result = work(connection);
            if let Some(Err(moved)) = opened.map(|file| file.check()) {
                // The log goes by the file's name, and would be taken for that of the file which is there now.
                empty_log(connection);
                result = Err(moved);
            }
            // The caller may have gone; the work is done all the same.
            let _ = done.send(result);
        }));
        async move { answer.await.map_err(|_| stopped("SQLite"))? }
    }
}

/// Does work on a thread of its own.
pub(crate) async fn on_a_thread<T, W>(work: W) -> Result<T>
where
    T: Send + 'static,
    W: FnOnce() -> Result<T> + Send + 'static,
{
    let (done, answer) = oneshot::channel();
    Thread::spawn(move || {
        // The caller may have gone; the work is done all the same.
        let _ = done.send(work());
    })?;
    answer.await.map_err(|_| stopped("SQLite"))?
}

/// A thread whose end can be waited for.
#[derive(Debug)]
pub(crate) struct Thread(Mutex<Receiver<()>>);

impl Thread {
    /// Starts a thread. It has ended when all that `work` owns is gone.
    pub(crate) fn spawn(work: impl FnOnce() + Send + 'static) -> Result<Self> {
        let (alive, ended) = std::sync::mpsc::channel();
        let thread = std::thread::Builder::new().name("bucketline-sqlite".into());
        let spawned = thread.spawn(move || {
            work();
            drop::<Sender<()>>(alive);
        });
        spawned.map_err(|error| {
            Error::new(code::UNAVAILABLE, "the system gives no thread for SQLite")
                .with_source(error)
        })?;
        Ok(Self(Mutex::new(ended)))
    }

    /// Waits until the thread has ended, so long at most. It has not if this is `false`.
    pub(crate) fn wait(&mut self, at_most: Duration) -> bool {
        let ended = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        ended.recv_timeout(at_most) != Err(RecvTimeoutError::Timeout)
    }
}

fn stopped(what: &str) -> Error {
    Error::new(
        code::DATABASE,
        format!("{what}: the thread of the database has stopped"),
    )
}

fn open_for_writing(location: &Location) -> Result<(Connection, Option<(PathBuf, OpenFile)>)> {
    let doing = format!("opening {}", location.label());
    let connection = match location {
        Location::Memory => Connection::open_in_memory().doing(&doing)?,
        Location::File(path) => {
            check_folder(path)?;
            let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
                | OpenFlags::SQLITE_OPEN_CREATE
                | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let connection = Connection::open_with_flags(path, flags).doing(&doing)?;
            connection.busy_timeout(BUSY_TIMEOUT).doing(&doing)?;
            let pages: i64 = connection
                .query_row("PRAGMA page_count", [], |row| row.get(0))
                .doing(&doing)?;
            if pages == 0 {
                connection
                    .pragma_update(None, "page_size", PAGE_SIZE)
                    .doing(&doing)?;
            }
            // What a newer version has made is left alone, the mode of its journal included.
            state::exists(&connection)?;
            connection
                .pragma_update(None, "journal_mode", "WAL")
                .doing(&doing)?;
            connection
                .pragma_update(None, "synchronous", "NORMAL")
                .doing(&doing)?;
            connection
                .pragma_update(None, "wal_autocheckpoint", LOG_PAGES)
                .doing(&doing)?;
            connection
                .pragma_update(None, "cache_size", -CACHE_KIB)
                .doing(&doing)?;
            connection
        }
    };
    connection.set_prepared_statement_cache_capacity(64);
    crate::evolve::add_functions(&connection).doing(&doing)?;
    let file = match location {
        Location::Memory => None,
        Location::File(path) => {
            let files =
                std::fs::canonicalize(path).and_then(|file| Ok((file, OpenFile::at(path)?)));
            Some(files.map_err(|error| {
                Error::new(code::UNAVAILABLE, format!("{doing}: {error}")).with_source(error)
            })?)
        }
    };
    Ok((connection, file))
}

/// Puts what was committed into the database's own file, so that a copy of that file is whole although somebody
/// has it open. Readers are not waited for, and a failure is none of the load's: what cannot be put there stays
/// in the log, where it is as safe.
pub(crate) fn empty_log(connection: &Connection) {
    let emptied = connection
        .busy_timeout(Duration::ZERO)
        .and_then(|()| connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())));
    let _ = emptied.and(connection.busy_timeout(BUSY_TIMEOUT));
}

/// A connection to read a file with; `None` if the file is not there.
pub(crate) fn open_for_reading(path: &Path) -> Result<Option<Connection>> {
    let doing = format!("reading SQLite {}", path.display());
    if !is_there(path)? {
        return Ok(None);
    }
    // Opened for writing where that is allowed, since only then is the log of a process that was killed taken
    // in and put away; `query_only` sees to it that nothing else is written.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = connect::to_read(path, flags, BUSY_TIMEOUT, |_| Ok(()));
    connection.map(Some).map_err(|error| failed(&doing, error))
}

/// Whether there is a file; an error if it is none that a database can be in.
fn is_there(path: &Path) -> Result<bool> {
    let Err(error) = bucketline_files::regular_file(path) else {
        return Ok(true);
    };
    let opening = format!("opening SQLite {}", path.display());
    match error.kind() {
        io::ErrorKind::NotFound => Ok(false),
        io::ErrorKind::IsADirectory => {
            let message = format!("{opening}: that is a folder");
            Err(Error::new(code::UNAVAILABLE, message).with_hint("give the path of a file in it"))
        }
        _ => Err(Error::new(code::UNAVAILABLE, format!("{opening}: {error}")).with_source(error)),
    }
}

fn check_folder(path: &Path) -> Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    if folder.is_dir() {
        return is_there(path).map(drop);
    }
    let message = format!(
        "opening SQLite {}: there is no folder {}",
        path.display(),
        folder.display()
    );
    Err(Error::new(code::UNAVAILABLE, message).with_hint("create the folder first"))
}
