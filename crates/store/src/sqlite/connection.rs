//! Connections to a store file.

use std::fs::OpenOptions;
use std::path::Path;
use std::time::Duration;

use bucketline_app::{Error, Result};
use bucketline_core::code;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _};

use super::fault::told;
use crate::schema::{self, HISTORY, Steps};

/// Says in the file's head that it is ours: `BLap`.
const APPLICATION_ID: i32 = 0x424c_6170;

/// How long others may keep a lock, such as a backup.
const PATIENCE: Duration = Duration::from_secs(10);

/// Statements that a connection keeps prepared.
const STATEMENTS: usize = 200;

/// A connection, and the file that it was made to.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) connection: Connection,
    pub(super) identity: Identity,
    /// What errors call it.
    pub(super) file: String,
}

/// Which file a path leads to: another one after it was replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity(u64, u64);

impl Identity {
    /// # Errors
    /// If there is no file.
    pub(super) fn of(path: &Path) -> Result<Self> {
        let found = std::fs::metadata(path);
        let found = found.map_err(|error| gone(path, error))?;
        #[cfg(unix)]
        let identity = {
            use std::os::unix::fs::MetadataExt as _;
            Self(found.dev(), found.ino())
        };
        // A file that is open cannot be replaced there.
        #[cfg(not(unix))]
        let identity = Self(0, u64::from(found.is_file()));
        Ok(identity)
    }
}

fn gone(path: &Path, error: std::io::Error) -> Error {
    let message = format!("{}: the store is not there: {error}", path.display());
    Error::new(code::store::UNAVAILABLE, message)
        .with_hint("put the file back; work goes on by itself")
        .with_source(error)
}

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write,
}

/// Makes the folder and the file if they are missing: nobody else may read them.
pub(super) fn make_private(path: &Path) -> Result<()> {
    let failed = |error: std::io::Error| {
        let code = match error.kind() {
            std::io::ErrorKind::ReadOnlyFilesystem | std::io::ErrorKind::PermissionDenied => {
                code::store::READ_ONLY
            }
            std::io::ErrorKind::StorageFull => code::store::FULL,
            _ => code::store::UNAVAILABLE,
        };
        Error::new(
            code,
            format!("{}: the store cannot be made: {error}", path.display()),
        )
        .with_hint("check that this user may write in the folder")
        .with_source(error)
    };
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder).map_err(failed)?;
    }
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        // One that cannot be written can still be told from others, and read.
        Err(_) if path.is_file() => Ok(()),
        Err(error) => Err(failed(error)),
    }
}

/// A connection to a file that exists.
pub(super) fn connect(path: &Path, access: Access) -> Result<Opened> {
    let file = path.display().to_string();
    let identity = Identity::of(path)?;
    let flags = match access {
        Access::Read => OpenFlags::SQLITE_OPEN_READ_ONLY,
        Access::Write => OpenFlags::SQLITE_OPEN_READ_WRITE,
    };
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX);
    let connection = connection.map_err(told(&file))?;
    let opened = Opened {
        connection,
        identity,
        file,
    };
    set_up(&opened.connection).map_err(told(&opened.file))?;
    Ok(opened)
}

fn set_up(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(PATIENCE)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.pragma_update(None, "foreign_keys", true)?;
    // With FULL nothing that was committed is lost when the power fails.
    connection.pragma_update(None, "synchronous", "FULL")
}

/// The connection that writes: to a file with this version's schema.
pub(super) fn open(path: &Path, steps: &Steps) -> Result<Opened> {
    make_private(path)?;
    let mut opened = connect(path, Access::Write)?;
    let found = version(&opened)?;
    let behind = steps.behind(&opened.file, found)?;
    if behind.is_empty() {
        return Ok(opened);
    }
    if let Some(found) = found {
        copy(&opened, path, found)?;
    }
    mark(&opened.connection).map_err(told(&opened.file))?;
    migrate(&mut opened, steps)?;
    Ok(opened)
}

/// Makes the file ours, in which readers keep reading while it is written.
fn mark(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    let sql = "PRAGMA journal_mode = WAL";
    connection.query_row(sql, [], |row| row.get::<_, String>(0))?;
    Ok(())
}

/// A store that ends with its connection.
pub(super) fn in_memory(steps: &Steps) -> Result<Opened> {
    let file = "the store in memory".to_owned();
    let connection = Connection::open_in_memory().map_err(told(&file))?;
    set_up(&connection).map_err(told(&file))?;
    let mut opened = Opened {
        connection,
        identity: Identity(0, 0),
        file,
    };
    migrate(&mut opened, steps)?;
    Ok(opened)
}

fn migrate(opened: &mut Opened, steps: &Steps) -> Result<()> {
    let done = steps.runner().run(&mut opened.connection);
    done.map_err(|error| schema::failed(&opened.file, error))?;
    Ok(())
}

/// The steps behind the file's schema.
pub(super) fn pending(path: &Path, steps: &Steps) -> Result<Vec<String>> {
    let file = path.display().to_string();
    if !path.exists() {
        return steps.behind(&file, None);
    }
    let opened = connect(path, Access::Read)?;
    let found = version(&opened)?;
    steps.behind(&file, found)
}

/// The version of the schema, if there is one.
///
/// # Errors
/// If the file is not ours.
fn version(opened: &Opened) -> Result<Option<i64>> {
    let told = told(&opened.file);
    let connection = &opened.connection;
    let sql = "SELECT count(*) FROM sqlite_schema";
    let count: Result<i64, _> = connection.query_row(sql, [], |row| row.get(0));
    if count.map_err(&told)? == 0 {
        return Ok(None);
    }
    let id: Result<i32, _> = connection.query_row("PRAGMA application_id", [], |row| row.get(0));
    if id.map_err(&told)? != APPLICATION_ID {
        let message = format!(
            "{}: the file holds other tables, not the application's",
            opened.file
        );
        return Err(Error::new(code::store::DAMAGED, message).with_hint(
            "give the application a file of its own; a destination is never its store",
        ));
    }
    let sql = "SELECT 1 FROM sqlite_schema WHERE name = ?1";
    let known = connection.query_row(sql, [HISTORY], |_| Ok(())).optional();
    if known.map_err(&told)?.is_none() {
        return Ok(None);
    }
    let sql = format!("SELECT max(version) FROM {HISTORY}");
    connection
        .query_row(&sql, [], |row| row.get(0))
        .map_err(&told)
}

/// Copies the store as it was before a migration: `store.db.v1`.
fn copy(opened: &Opened, path: &Path, version: i64) -> Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".v{version}"));
    let copy = Path::new(&name);
    // One that an earlier try left may be incomplete.
    let _ = std::fs::remove_file(copy);
    make_private(copy)?;
    let text = name.to_string_lossy();
    let copied = opened.connection.execute("VACUUM INTO ?1", [text.as_ref()]);
    let told = told(&opened.file);
    copied.map_err(|error| told(error).context("copying the store before its upgrade"))?;
    tracing::info!(copy = %copy.display(), "the store was copied before its upgrade");
    Ok(())
}
