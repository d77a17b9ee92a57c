//! What went wrong in PostgreSQL, in our words.

use bucketline_app::Error;
use bucketline_core::{Code, code};
use tokio_postgres::error::SqlState;

/// No connection could be made.
pub(super) fn unreachable(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(code::store::UNAVAILABLE, error.to_string())
        .with_hint("check the server and the network; work goes on by itself once it answers")
        .with_source(error)
}

/// Whether the connection is of no use any longer.
pub(super) fn is_broken(error: &tokio_postgres::Error) -> bool {
    error.is_closed() || error.code().is_none() || is_shutdown(error)
}

fn is_shutdown(error: &tokio_postgres::Error) -> bool {
    let ends = [
        SqlState::ADMIN_SHUTDOWN,
        SqlState::CRASH_SHUTDOWN,
        SqlState::CANNOT_CONNECT_NOW,
        SqlState::IDLE_SESSION_TIMEOUT,
    ];
    error.code().is_some_and(|code| ends.contains(code))
}

/// The error of the database `label`, for `map_err`.
pub(super) fn told(label: &str) -> impl Fn(tokio_postgres::Error) -> Error {
    move |error| {
        let (code, what, hint) = meaning(&error);
        let cause = match error.as_db_error() {
            Some(refusal) if code == code::store::DEFECT => format!(": {}", refusal.message()),
            _ => String::new(),
        };
        let mut told = Error::new(code, format!("{label}: {what}{cause}"));
        if let Some(hint) = hint {
            told = told.with_hint(hint);
        }
        told.with_source(error)
    }
}

fn meaning(error: &tokio_postgres::Error) -> (Code, &'static str, Option<&'static str>) {
    if is_broken(error) {
        return (
            code::store::UNAVAILABLE,
            "the connection to the store broke",
            Some("check the server and the network; work goes on by itself once it answers"),
        );
    }
    let found = error.code();
    let is = |state: SqlState| found == Some(&state);
    if is(SqlState::DISK_FULL) {
        return (
            code::store::FULL,
            "the server's disk is full",
            Some("free space; work goes on by itself"),
        );
    }
    if is(SqlState::READ_ONLY_SQL_TRANSACTION) {
        return (
            code::store::READ_ONLY,
            "the server takes no writes",
            Some("name the primary server; a standby cannot hold the store"),
        );
    }
    if is(SqlState::INSUFFICIENT_PRIVILEGE) {
        return (
            code::store::READ_ONLY,
            "this user may not change the store",
            Some("grant CREATE on the database, or all on the schema bucketline_app"),
        );
    }
    let passing = [
        SqlState::LOCK_NOT_AVAILABLE,
        SqlState::T_R_DEADLOCK_DETECTED,
        SqlState::T_R_SERIALIZATION_FAILURE,
        SqlState::TOO_MANY_CONNECTIONS,
        SqlState::OUT_OF_MEMORY,
    ];
    if found.is_some_and(|code| passing.contains(code)) {
        return (
            code::store::UNAVAILABLE,
            "the store is busy",
            Some("try again; nothing was changed"),
        );
    }
    (code::store::DEFECT, "the store refused an operation", None)
}
