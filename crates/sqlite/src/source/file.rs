//! Opening a file that is only read, and that may be made to do harm.

use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags};

use super::fault::Fault;
use crate::connect;

/// How long a writer that is about to commit is waited for.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Bounds of what a file may ask for: those of a hostile one, wide enough for any other. Nothing is attached, and
/// no trigger runs.
const LIMITS: [(Limit, i32); 6] = [
    (Limit::SQLITE_LIMIT_LENGTH, 256 << 20),
    (Limit::SQLITE_LIMIT_SQL_LENGTH, 1 << 20),
    (Limit::SQLITE_LIMIT_EXPR_DEPTH, 200),
    (Limit::SQLITE_LIMIT_VDBE_OP, 250_000),
    (Limit::SQLITE_LIMIT_ATTACHED, 0),
    (Limit::SQLITE_LIMIT_TRIGGER_DEPTH, 0),
];

/// Opens a file for reading alone. Nothing in its schema is trusted: no function with side effects is called from a
/// view or an index, no extension is loaded, cells are checked before they are read.
pub(super) fn open(path: &Path) -> Result<Connection, Fault> {
    if let Err(error) = bucketline_files::regular_file(path) {
        return Err(match error.kind() {
            io::ErrorKind::NotFound => Fault::Absent,
            io::ErrorKind::IsADirectory => Fault::Folder,
            _ => Fault::Unreadable(error.to_string(), None),
        });
    }
    // An absolute path is no URI, whatever its name looks like.
    let path = std::path::absolute(path).map_err(Fault::broken_off)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Ok(connect::to_read(&path, flags, BUSY_TIMEOUT, harden)?)
}

fn harden(connection: &Connection) -> rusqlite::Result<()> {
    for (config, value) in [
        (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false),
        // A column that is gone is an error, not a text of that name.
        (DbConfig::SQLITE_DBCONFIG_DQS_DML, false),
    ] {
        connection.set_db_config(config, value)?;
    }
    for (limit, most) in LIMITS {
        connection.set_limit(limit, most)?;
    }
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "mmap_size", 0)
}

/// Readers and a writer do not hinder each other, so that a whole table can be read in one transaction.
pub(super) fn has_snapshots(connection: &Connection) -> rusqlite::Result<bool> {
    let mode: String = connection.query_row("PRAGMA journal_mode", [], |row| row.get(0))?;
    Ok(mode.eq_ignore_ascii_case("wal"))
}

/// Moves when a file or its log is written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp([Option<(SystemTime, u64)>; 2]);

impl Stamp {
    /// `None` if the system does not tell.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let mut log = path.as_os_str().to_owned();
        log.push("-wal");
        let state = |path: &Path| {
            let state = std::fs::metadata(path).ok()?;
            Some((state.modified().ok()?, state.len()))
        };
        let file = state(path)?;
        Some(Self([Some(file), state(Path::new(&log))]))
    }
}
