//! SQLite's errors as a destination's.

use bucketline_core::Kind;
use bucketline_destination::{Error, code};
use rusqlite::ErrorCode;

/// An error of SQLite, met while doing what `doing` says.
pub(crate) fn failed(doing: &str, error: rusqlite::Error) -> Error {
    let text = match &error {
        rusqlite::Error::SqliteFailure(_, Some(text)) => text.clone(),
        other => other.to_string(),
    };
    let (code, why, hint) = match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => (
            code::UNAVAILABLE,
            "another program has locked the database",
            "close the program that has a transaction open on the file, then run this again",
        ),
        Some(ErrorCode::DiskFull) => (
            code::UNAVAILABLE,
            "the disk is full",
            "make room, then run this again",
        ),
        Some(ErrorCode::ReadOnly) => (
            code::UNAVAILABLE,
            "the file or its folder is read-only",
            "allow this user to write to the file and to its folder",
        ),
        Some(ErrorCode::CannotOpen) => (
            code::UNAVAILABLE,
            "the file cannot be opened",
            "check the path, and that this user may write to the file and to its folder",
        ),
        Some(ErrorCode::PermissionDenied) => (
            code::UNAVAILABLE,
            "access is denied",
            "allow this user to write to the file and to its folder",
        ),
        Some(ErrorCode::NotADatabase) => (
            code::UNAVAILABLE,
            "the file is not a SQLite database, or is encrypted",
            "give the path of a SQLite database, or of a file that does not exist yet",
        ),
        Some(ErrorCode::DatabaseCorrupt) => (
            code::UNAVAILABLE,
            "the database is damaged",
            "run `PRAGMA integrity_check` on it, or restore it from a backup",
        ),
        Some(ErrorCode::SystemIoFailure) => (
            code::UNAVAILABLE,
            "reading or writing the file failed",
            "check the disk; a database on a network drive is not safe",
        ),
        Some(ErrorCode::ConstraintViolation) => (
            code::BAD_VALUE,
            "a constraint, index or trigger of the table refuses a row",
            "change or drop the constraint that the message names",
        ),
        Some(ErrorCode::TooBig) => (
            code::BAD_VALUE,
            "a value is too large for SQLite",
            "leave that column out",
        ),
        _ => {
            let message = format!("{doing}: {text}");
            return Error::new(code::DATABASE, message).with_source(error);
        }
    };
    let passes = matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::DiskFull
                | ErrorCode::SystemIoFailure
        )
    );
    let kind = if passes { Kind::Transient } else { code.kind() };
    Error::new(code, format!("{doing}: {why} ({text})"))
        .with_kind(kind)
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::time::Duration;

    use bucketline_core::Code;
    use bucketline_destination::Result;
    use rusqlite::{Connection, OpenFlags};

    use super::*;
    use crate::evolve::in_transaction;

    fn insert(connection: &mut Connection) -> Result<()> {
        connection.busy_timeout(Duration::ZERO).unwrap();
        in_transaction(connection, |connection| {
            let sql = "INSERT INTO t VALUES (zeroblob(100000))";
            connection.execute_batch(sql).doing("writing to `t`")
        })
    }

    /// What keeps a row out, and what is said of it.
    #[test]
    fn writing_fails_with_advice() {
        type Hinder = fn(&std::path::Path) -> (Connection, Option<Connection>);
        let cases: [(Hinder, (Code, Kind), &str, &str); 4] = [
            (
                |path| {
                    let other = Connection::open(path).unwrap();
                    other.execute_batch("BEGIN IMMEDIATE").unwrap();
                    (Connection::open(path).unwrap(), Some(other))
                },
                (code::UNAVAILABLE, Kind::Transient),
                "{path}: another program has locked the database (database is locked)",
                "close the program that has a transaction open",
            ),
            (
                |path| {
                    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
                    (Connection::open_with_flags(path, flags).unwrap(), None)
                },
                (code::UNAVAILABLE, Kind::Configuration),
                "writing to `t`: the file or its folder is read-only (attempt to write a readonly database)",
                "allow this user to write to the file and to its folder",
            ),
            (
                |path| {
                    let full = Connection::open(path).unwrap();
                    full.execute_batch("PRAGMA max_page_count = 3").unwrap();
                    (full, None)
                },
                (code::UNAVAILABLE, Kind::Transient),
                "writing to `t`: the disk is full (database or disk is full)",
                "make room",
            ),
            (
                |path| {
                    let refuses = Connection::open(path).unwrap();
                    let sql = "CREATE TRIGGER r BEFORE INSERT ON t BEGIN SELECT raise(ABORT, 'no more'); END";
                    refuses.execute_batch(sql).unwrap();
                    (refuses, None)
                },
                (code::BAD_VALUE, Kind::Statement),
                "writing to `t`: a constraint, index or trigger of the table refuses a row (no more)",
                "change or drop the constraint",
            ),
        ];
        for (hinder, kind, message, hint) in cases {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("copy.db");
            let made = Connection::open(&path).unwrap();
            made.execute_batch("CREATE TABLE t (c)").unwrap();
            drop(made);
            let (mut connection, _other) = hinder(&path);
            let error = insert(&mut connection).unwrap_err();
            let message = message.replace("{path}", path.to_str().unwrap());
            assert!(error.to_string().ends_with(&message), "{error}");
            assert_eq!((error.code(), error.kind()), kind);
            assert!(error.hint().unwrap().starts_with(hint), "{error}");
        }
    }
}
