//! SQLite's errors as a destination's.

use bucketline_destination::{Error, ErrorKind};
use rusqlite::ErrorCode;

/// An error of SQLite, met while doing what `doing` says.
pub(crate) fn failed(doing: &str, error: rusqlite::Error) -> Error {
    let text = match &error {
        rusqlite::Error::SqliteFailure(_, Some(text)) => text.clone(),
        other => other.to_string(),
    };
    let (kind, why, hint) = match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => (
            ErrorKind::Unavailable,
            "another program has locked the database",
            "close the program that has a transaction open on the file, then run this again",
        ),
        Some(ErrorCode::DiskFull) => (
            ErrorKind::Unavailable,
            "the disk is full",
            "make room, then run this again",
        ),
        Some(ErrorCode::ReadOnly) => (
            ErrorKind::Unavailable,
            "the file or its folder is read-only",
            "allow this user to write to the file and to its folder",
        ),
        Some(ErrorCode::CannotOpen) => (
            ErrorKind::Unavailable,
            "the file cannot be opened",
            "check the path, and that this user may write to the file and to its folder",
        ),
        Some(ErrorCode::PermissionDenied) => (
            ErrorKind::Unavailable,
            "access is denied",
            "allow this user to write to the file and to its folder",
        ),
        Some(ErrorCode::NotADatabase) => (
            ErrorKind::Unavailable,
            "the file is not a SQLite database, or is encrypted",
            "give the path of a SQLite database, or of a file that does not exist yet",
        ),
        Some(ErrorCode::DatabaseCorrupt) => (
            ErrorKind::Unavailable,
            "the database is damaged",
            "run `PRAGMA integrity_check` on it, or restore it from a backup",
        ),
        Some(ErrorCode::SystemIoFailure) => (
            ErrorKind::Unavailable,
            "reading or writing the file failed",
            "check the disk; a database on a network drive is not safe",
        ),
        Some(ErrorCode::ConstraintViolation) => (
            ErrorKind::BadValue,
            "a constraint, index or trigger of the table refuses a row",
            "change or drop the constraint that the message names",
        ),
        Some(ErrorCode::TooBig) => (
            ErrorKind::BadValue,
            "a value is too large for SQLite",
            "leave that column out",
        ),
        _ => {
            let message = format!("{doing}: {text}");
            return Error::new(ErrorKind::Database, message).with_source(error);
        }
    };
    Error::new(kind, format!("{doing}: {why} ({text})"))
        .with_hint(hint)
        .with_source(error)
}

/// Turns SQLite's results into a destination's.
pub(crate) trait Doing<T> {
    /// Says in an error what was being done.
    fn doing(self, what: &str) -> Result<T, Error>;
}

impl<T> Doing<T> for rusqlite::Result<T> {
    fn doing(self, what: &str) -> Result<T, Error> {
        self.map_err(|error| failed(what, error))
    }
}
