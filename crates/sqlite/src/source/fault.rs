//! What can go wrong with a file that is read.

use std::path::Path;

use bucketline_core::code::sqlite as code;
use bucketline_core::{Code, Error, Kind};
use rusqlite::ErrorCode;

/// What is wrong, said without the file's name.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error("there is no such file")]
    Absent,
    #[error("it is a folder")]
    Folder,
    #[error("it cannot be read: {0}")]
    Unreadable(String, Option<&'static str>),
    #[error("it cannot be read: another program has locked it ({0})")]
    Locked(String),
    /// SQLite does not execute what was asked.
    #[error("{0}")]
    Refused(String),
    #[error("`{table}`{row} holds in `{column}` {value}, which is not of type {expected}")]
    Value {
        table: String,
        /// ` (Id = 7)`
        row: String,
        column: String,
        value: String,
        expected: String,
    },
    #[error("`{table}`{row} holds in `{column}` {value}")]
    NotUtf8 {
        table: String,
        row: String,
        column: String,
        value: String,
    },
    #[error("Cursor: {0}")]
    Cursor(String, &'static str),
    /// Nobody reads the rows any more.
    #[error("reading was stopped")]
    Stopped,
}

impl Fault {
    pub(super) fn broken_off(error: impl std::fmt::Display) -> Self {
        Self::Unreadable(error.to_string(), None)
    }

    fn code(&self) -> Code {
        match self {
            Self::Absent | Self::Folder => code::NO_FILE,
            Self::Unreadable(..) | Self::Locked(_) | Self::Stopped => code::UNREADABLE,
            Self::Value { .. } | Self::NotUtf8 { .. } => code::BAD_VALUE,
            Self::Cursor(..) => code::BAD_SETTING,
            Self::Refused(_) => code::REFUSED,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Absent => Some("check the path; a file that is read is not made".to_owned()),
            Self::Folder => Some("give the path of a file in it".to_owned()),
            Self::Unreadable(_, hint) => hint.map(str::to_owned),
            Self::Locked(_) => Some(
                "close the program that has a transaction open on the file, then run this again"
                    .to_owned(),
            ),
            Self::Value { table, column, .. } => Some(format!(
                "correct the value, or add `{table}.{column}` to the connection's AsText, so that the column is read as texts"
            )),
            Self::NotUtf8 { column, .. } => Some(format!(
                "correct the value, or select the columns without `{column}`"
            )),
            Self::Cursor(_, hint) => Some((*hint).to_owned()),
            Self::Refused(_) | Self::Stopped => None,
        }
    }

    /// The error for people, about the file at `path`.
    pub(super) fn about(self, path: &Path) -> Error {
        let code = self.code();
        let kind = match self {
            Self::Locked(_) => Kind::Transient,
            _ => code.kind(),
        };
        let error = Error::new(code, self.to_string()).with_kind(kind);
        let error = error.context(path.display());
        match self.hint() {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        let text = match &error {
            rusqlite::Error::SqliteFailure(_, Some(text)) => text.clone(),
            other => other.to_string(),
        };
        let (why, hint) = match error.sqlite_error_code() {
            Some(ErrorCode::OperationInterrupted) => return Self::Stopped,
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => return Self::Locked(text),
            Some(ErrorCode::NotADatabase) => (
                "it is not a SQLite database, or is encrypted",
                "give the path of a SQLite database",
            ),
            Some(ErrorCode::DatabaseCorrupt) => (
                "it is damaged",
                "run `PRAGMA integrity_check` on it, or restore it from a backup",
            ),
            Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::ReadOnly) => (
                "access is denied, or it was left unfinished by a program that was killed",
                "allow this user to read it, and let the program that writes it open it once",
            ),
            Some(ErrorCode::SystemIoFailure) => (
                "reading it failed",
                "check the disk; a database on a network drive is not safe",
            ),
            Some(ErrorCode::TooBig) => (
                "a value is larger than allowed",
                "a value may have 256 MiB; leave that column out",
            ),
            _ => return Self::Refused(text),
        };
        Self::Unreadable(format!("{why} ({text})"), Some(hint))
    }
}

/// What the destination's part of this crate says of a file.
impl From<bucketline_destination::Error> for Fault {
    fn from(error: bucketline_destination::Error) -> Self {
        Self::Refused(error.to_string())
    }
}
