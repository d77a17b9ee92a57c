//! What went wrong in SQLite, in our words.

use bucketline_app::Error;
use bucketline_core::{Code, code};
use rusqlite::ErrorCode;

/// The error of `file`, for `map_err`.
pub(super) fn told(file: &str) -> impl Fn(rusqlite::Error) -> Error {
    move |error| {
        let (code, what, hint) = meaning(error.sqlite_error_code());
        let mut told = Error::new(code, format!("{file}: {what}"));
        if let Some(hint) = hint {
            told = told.with_hint(hint);
        }
        if code == code::store::DEFECT {
            told = told.with_message(format!("{file}: {what}: {error}"));
        }
        told.with_source(error)
    }
}

fn meaning(error: Option<ErrorCode>) -> (Code, &'static str, Option<&'static str>) {
    match error {
        Some(ErrorCode::DiskFull) => (
            code::store::FULL,
            "the disk is full",
            Some("free space; work goes on by itself"),
        ),
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => (
            code::store::READ_ONLY,
            "the store cannot be written",
            Some("check the permissions of the file and its folder, and how the disk is mounted"),
        ),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => (
            code::store::UNAVAILABLE,
            "another program has locked the store",
            Some("close the program that has the file open"),
        ),
        Some(ErrorCode::CannotOpen | ErrorCode::SystemIoFailure) => (
            code::store::UNAVAILABLE,
            "the store cannot be read or written",
            Some("check the disk; work goes on by itself once it answers"),
        ),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => (
            code::store::DAMAGED,
            "the file is not a store, or is damaged",
            Some("restore a copy of it"),
        ),
        _ => (code::store::DEFECT, "the store refused an operation", None),
    }
}
