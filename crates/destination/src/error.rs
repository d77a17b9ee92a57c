//! What can go wrong in a destination.

use std::error::Error as StdError;

use crate::{Holder, TableName};

/// The result of a destination's operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of failure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The database cannot be opened, reached or written.
    Unavailable,
    /// Another load holds the table.
    Held,
    /// A table of that name exists which no load of ours made.
    NotOurs,
    /// The lease was lost to another process.
    Fenced,
    /// Two rows have one key.
    DuplicateKey,
    /// A value does not fit its column: a NULL key, a text that is too long.
    BadValue,
    /// A column's type cannot become the wanted one.
    Incompatible,
    /// The destination has no place for such a type or name.
    Unsupported,
    /// A table or column is not there.
    NotFound,
    /// A table cannot be taken over, since its columns or its key do not fit.
    Misfit,
    /// A load of ours made the table, so nothing else may write to it.
    Ours,
    /// Another program made the table or view, so that no statement changes or drops it.
    Foreign,
    /// Rows were changed by another program between reading and writing them.
    Changed,
    /// The database failed otherwise.
    Database,
}

/// An error of a destination.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    kind: ErrorKind,
    message: String,
    hint: Option<String>,
    #[source]
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of a kind.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            hint: None,
            source: None,
        }
    }

    /// Adds what the user can do.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Another load holds the table; who, if that is known.
    pub fn held(table: &TableName, holder: Option<&Holder>) -> Self {
        let who = holder.map_or_else(
            || String::from("another process"),
            |holder| format!("{}, since {}", holder.who, holder.since),
        );
        Self::new(ErrorKind::Held, format!("{table} is being loaded by {who}"))
            .with_hint("wait for that load to end, or stop it; the lease ends with its process")
    }

    /// The lease was lost.
    pub fn fenced(table: &TableName) -> Self {
        let message =
            format!("another process has taken over the load of {table}; nothing was written");
        Self::new(ErrorKind::Fenced, message)
            .with_hint("run the statement again when that one is done")
    }

    /// Two rows have one key; the rows are given as texts.
    pub fn duplicate_key(table: &TableName, key: &[String], first: &str, second: &str) -> Self {
        let key = key.join(", ");
        let message =
            format!("two rows for {table} have the same key ({key}): {first} and {second}");
        Self::new(ErrorKind::DuplicateKey, message).with_hint(
            "declare a PRIMARY KEY that tells the rows apart, or make them one with GROUP BY",
        )
    }

    /// Something was written before [`Load::begin`](crate::Load::begin).
    pub fn not_begun() -> Self {
        Self::new(ErrorKind::Database, "the load has not begun")
    }

    /// Something was applied that is not staged.
    pub fn not_staged() -> Self {
        Self::new(ErrorKind::Database, "there is no staging to apply")
    }

    /// Rows are to be appended to a table that a load of ours made.
    pub fn ours(table: &TableName) -> Self {
        let message = format!(
            "{table} is a copy: rows that its source does not have would make it a wrong one"
        );
        Self::new(ErrorKind::Ours, message).with_hint(
            "REPLICATE and CACHE write to it; INSERT writes to tables that you have made yourself",
        )
    }

    /// Rows are to be appended to a table that is not there.
    pub fn absent(table: &TableName) -> Self {
        Self::new(ErrorKind::NotFound, format!("there is no table {table}"))
    }

    /// Rows are to be appended to what is no table.
    pub fn no_table(table: &TableName, kind: &str) -> Self {
        let message = format!("{table} is a {kind}, to which no rows can be appended");
        Self::new(ErrorKind::Unsupported, message)
    }

    /// Something of that name is there already.
    pub fn taken(table: &TableName, kind: &str) -> Self {
        Self::new(
            ErrorKind::Foreign,
            format!("there is a {kind} {table} already"),
        )
        .with_hint("choose another name, or drop that one if CREATE made it")
    }

    /// Another program made what a statement would change or drop.
    pub fn foreign(table: &TableName, kind: &str) -> Self {
        let message = format!(
            "the {kind} {table} was not made by CREATE {}",
            kind.to_uppercase()
        );
        Self::new(ErrorKind::Foreign, message).with_hint(
            "UPDATE, DELETE, TRUNCATE and DROP leave alone what other programs have made: use theirs",
        )
    }

    /// A statement would change or drop a copy.
    pub fn copy(table: &TableName) -> Self {
        let message = format!("{table} is a copy: only REPLICATE and CACHE change it");
        Self::new(ErrorKind::Ours, message).with_hint(
            "REPLICATE with DropTable makes it anew; drop it with the database's own tools",
        )
    }

    /// There is nothing of that name.
    pub fn nothing(table: &TableName, kind: &str) -> Self {
        Self::new(ErrorKind::NotFound, format!("there is no {kind} {table}"))
    }

    /// Rows were changed by another program between reading and writing them.
    pub fn changed(table: &TableName) -> Self {
        let message = format!(
            "rows of {table} were changed by another program meanwhile, so none was written"
        );
        Self::new(ErrorKind::Changed, message).with_hint("run the statement again")
    }

    /// The destination makes no tables of the user's own.
    pub fn own_unsupported(label: &str) -> Self {
        Self::new(
            ErrorKind::Unsupported,
            format!("{label} makes no tables and views but by REPLICATE and CACHE"),
        )
    }

    /// The table went away under a load.
    pub fn vanished(table: &TableName) -> Self {
        Self::new(
            ErrorKind::NotFound,
            format!("{table} was dropped while it was being loaded"),
        )
        .with_hint("run the statement again: the table is then made anew and loaded whole")
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The stable code, a heading of `docs/errors.md`.
    pub fn code(&self) -> &'static str {
        match self.kind {
            ErrorKind::Unavailable => "BL6001",
            ErrorKind::Held => "BL6002",
            ErrorKind::NotOurs => "BL6003",
            ErrorKind::Fenced => "BL6004",
            ErrorKind::DuplicateKey => "BL6005",
            ErrorKind::BadValue => "BL6006",
            ErrorKind::Incompatible => "BL6007",
            ErrorKind::Unsupported => "BL6008",
            ErrorKind::NotFound => "BL6009",
            ErrorKind::Database => "BL6010",
            ErrorKind::Misfit => "BL6011",
            ErrorKind::Ours => "BL6012",
            ErrorKind::Foreign => "BL6013",
            ErrorKind::Changed => "BL6014",
        }
    }

    /// What the user can do, if there is something.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}
