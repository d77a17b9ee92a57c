//! Connections that only read a file.

use std::io;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, ffi};

/// Connects to the file at `path`, prepares the connection with `prepare`, and looks whether the file can be read. A
/// lock of another program is waited for, so long at most.
pub(crate) fn to_read(
    path: &Path,
    flags: OpenFlags,
    wait: Duration,
    prepare: impl Fn(&Connection) -> rusqlite::Result<()>,
) -> rusqlite::Result<Connection> {
    let looked = |connection: Connection| {
        prepare(&connection)?;
        connection.busy_timeout(wait)?;
        connection.pragma_update(None, "query_only", true)?;
        connection.query_row("SELECT count(*) FROM sqlite_master", [], |_| Ok(()))?;
        Ok(connection)
    };
    let error = match Connection::open_with_flags(path, flags).and_then(looked) {
        Ok(connection) => return Ok(connection),
        Err(error) => error,
    };
    if !lacks_log(&error) || !is_settled(path) {
        return Err(error);
    }
    let immutable = immutable(path).and_then(looked);
    match immutable {
        // Also true if a writer has come since.
        Ok(connection) if is_settled(path) => Ok(connection),
        _ => Err(error),
    }
}

/// Whether a database in WAL mode cannot be read since its log cannot be made, as in a folder where nothing may be
/// written.
fn lacks_log(error: &rusqlite::Error) -> bool {
    match error {
        rusqlite::Error::SqliteFailure(error, _) => {
            error.code == ErrorCode::CannotOpen
                || error.extended_code == ffi::SQLITE_READONLY_CANTINIT
        }
        _ => false,
    }
}

/// Whether all that was committed is in the file, and nothing that was not.
fn is_settled(path: &Path) -> bool {
    // SQLite puts them beside the file itself, not beside a link to it.
    let Ok(path) = std::fs::canonicalize(path) else {
        return false;
    };
    let beside = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        std::fs::symlink_metadata(name)
    };
    let is_absent = |error: &io::Error| {
        matches!(
            error.kind(),
            io::ErrorKind::NotFound | io::ErrorKind::InvalidFilename
        )
    };
    beside("-wal").as_ref().is_err_and(is_absent)
        && match beside("-journal") {
            Ok(journal) => journal.is_file() && journal.len() == 0,
            Err(error) => is_absent(&error),
        }
}

/// Takes the file as it is: no locks, no journal, no log.
fn immutable(path: &Path) -> rusqlite::Result<Connection> {
    let path =
        std::path::absolute(path).map_err(|_| rusqlite::Error::InvalidPath(path.to_owned()))?;
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => {
                uri.push(char::from(*byte));
            }
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri.push_str("?immutable=1");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    Connection::open_with_flags(uri, flags)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::fs;
    use std::path::PathBuf;

    use tempfile::TempDir;

    use super::*;

    fn read(path: &Path) -> rusqlite::Result<i64> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = to_read(path, flags, Duration::ZERO, |_| Ok(()))?;
        connection.query_row("SELECT count(*) FROM t", [], |row| row.get(0))
    }

    fn beside(path: &Path, suffix: &str) -> PathBuf {
        PathBuf::from(format!("{}{suffix}", path.display()))
    }

    /// A file of 3,000 rows, and a connection whose cache is so small that what it changes is soon in the file.
    fn file(mode: &str) -> (TempDir, PathBuf, Connection) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("shop.db");
        let writer = Connection::open(&path).unwrap();
        let sql = format!(
            "PRAGMA journal_mode = {mode}; PRAGMA cache_size = 2; PRAGMA cache_spill = 2;
             CREATE TABLE t (a, b);
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
             INSERT INTO t SELECT i, hex(zeroblob(200)) FROM n;"
        );
        writer.execute_batch(&sql).unwrap();
        (folder, path, writer)
    }

    const UNCOMMITTED: &str = "BEGIN; DELETE FROM t WHERE a > 2001";

    #[test]
    fn rows_of_an_open_transaction_are_not_read() {
        let (_folder, path, writer) = file("DELETE");
        writer.execute_batch(UNCOMMITTED).unwrap();
        let error = read(&path).unwrap_err();
        assert_eq!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy));
        writer.execute_batch("ROLLBACK").unwrap();
        assert_eq!(read(&path).unwrap(), 3000);
    }

    /// What a program left behind that was killed, in a place where the reader may not write.
    #[test]
    fn a_hot_journal_is_not_ignored() {
        let (folder, path, writer) = file("DELETE");
        writer.execute_batch(UNCOMMITTED).unwrap();
        let killed = folder.path().join("killed.db");
        for suffix in ["", "-journal"] {
            fs::copy(beside(&path, suffix), beside(&killed, suffix)).unwrap();
        }
        assert!(read(&killed).is_err());
        // Whoever may write gets what was committed.
        let recovered = Connection::open(&killed).unwrap();
        let rows = recovered.query_row("SELECT count(*) FROM t", [], |row| row.get(0));
        assert_eq!(rows, Ok(3000));
    }

    /// Its log would have too long a name, so that nobody can make it, not even root.
    #[test]
    fn a_file_that_can_have_no_log_is_read_without_one() {
        let (folder, path, writer) = file("WAL");
        drop(writer);
        let long = folder.path().join("x".repeat(253));
        fs::rename(&path, &long).unwrap();
        assert_eq!(read(&long).unwrap(), 3000);
        let link = folder.path().join("link ü.db");
        std::os::unix::fs::symlink(&long, &link).unwrap();
        assert_eq!(read(&link).unwrap(), 3000);
    }

    #[test]
    fn a_file_with_a_log_or_a_journal_is_not_settled() {
        let (folder, path, writer) = file("WAL");
        let link = folder.path().join("link.db");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let settled = || [is_settled(&path), is_settled(&link)];
        // The writer's log.
        assert_eq!(settled(), [false; 2]);
        drop(writer);
        assert_eq!(settled(), [true; 2]);
        let journal = beside(&path, "-journal");
        fs::write(&journal, "").unwrap();
        assert_eq!(settled(), [true; 2]);
        fs::write(&journal, "what was here before").unwrap();
        assert_eq!(settled(), [false; 2]);
        fs::remove_file(&journal).unwrap();
        fs::write(beside(&path, "-wal"), "").unwrap();
        assert_eq!(settled(), [false; 2]);
    }
}
