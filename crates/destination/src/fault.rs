//! The errors that every destination tells in the same words.

use bucketline_core::{Error, Kind};

use crate::{Holder, TableName, code};

/// Another load holds the table; who, if that is known.
pub fn held(table: &TableName, holder: Option<&Holder>) -> Error {
    let who = holder.map_or_else(
        || String::from("another process"),
        |holder| format!("{}, since {}", holder.who, holder.since),
    );
    Error::new(code::HELD, format!("{table} is being loaded by {who}"))
        .with_hint("wait for that load to end, or stop it; the lease ends with its process")
}

/// The lease was lost.
pub fn fenced(table: &TableName) -> Error {
    let message =
        format!("another process has taken over the load of {table}; nothing was written");
    Error::new(code::FENCED, message).with_hint("run the statement again when that one is done")
}

/// Two rows have one key; the rows are given as texts.
pub fn duplicate_key(table: &TableName, key: &[String], first: &str, second: &str) -> Error {
    let key = key.join(", ");
    let message = format!("two rows for {table} have the same key ({key}): {first} and {second}");
    Error::new(code::DUPLICATE_KEY, message).with_hint(
        "declare a PRIMARY KEY that tells the rows apart, or make them one with GROUP BY",
    )
}

/// Something was written before [`Load::begin`](crate::Load::begin).
pub fn not_begun() -> Error {
    Error::new(code::DATABASE, "the load has not begun").with_kind(Kind::Bug)
}

/// Something was applied that is not staged.
pub fn not_staged() -> Error {
    Error::new(code::DATABASE, "there is no staging to apply").with_kind(Kind::Bug)
}

/// Rows are to be appended to a table that a load of ours made.
pub fn ours(table: &TableName) -> Error {
    let message =
        format!("{table} is a copy: rows that its source does not have would make it a wrong one");
    Error::new(code::OURS, message).with_hint(
        "REPLICATE and CACHE write to it; INSERT writes to tables that you have made yourself",
    )
}

/// Rows are to be appended to a table that is not there.
pub fn absent(table: &TableName) -> Error {
    Error::new(code::NOT_FOUND, format!("there is no table {table}"))
}

/// Rows are to be appended to what is no table.
pub fn no_table(table: &TableName, kind: &str) -> Error {
    let message = format!("{table} is a {kind}, to which no rows can be appended");
    Error::new(code::UNSUPPORTED, message)
}

/// Rows of what is no table are to be changed.
pub fn unchangeable(table: &TableName, kind: &str) -> Error {
    let message = format!("{table} is a {kind}, whose rows cannot be changed");
    Error::new(code::UNSUPPORTED, message)
}

/// Something of that name is there already.
pub fn taken(table: &TableName, kind: &str) -> Error {
    Error::new(code::FOREIGN, format!("there is a {kind} {table} already"))
        .with_hint("choose another name, or drop that one if CREATE made it")
}

/// Another program made what a statement would change or drop.
pub fn foreign(table: &TableName, kind: &str) -> Error {
    let message = format!(
        "the {kind} {table} was not made by CREATE {}",
        kind.to_uppercase()
    );
    Error::new(code::FOREIGN, message).with_hint(
        "UPDATE, DELETE, TRUNCATE and DROP leave alone what other programs have made: use theirs",
    )
}

/// A statement would change or drop a copy.
pub fn copy(table: &TableName) -> Error {
    let message = format!("{table} is a copy: only REPLICATE and CACHE change it");
    Error::new(code::OURS, message)
        .with_hint("REPLICATE with DropTable makes it anew; drop it with the database's own tools")
}

/// There is nothing of that name.
pub fn nothing(table: &TableName, kind: &str) -> Error {
    Error::new(code::NOT_FOUND, format!("there is no {kind} {table}"))
}

/// Rows were changed by another program between reading and writing them.
pub fn changed(table: &TableName) -> Error {
    let message =
        format!("rows of {table} were changed by another program meanwhile, so none was written");
    Error::new(code::CHANGED, message).with_hint("run the statement again")
}

/// The destination makes no tables of the user's own.
pub fn own_unsupported(label: &str) -> Error {
    Error::new(
        code::UNSUPPORTED,
        format!("{label} makes no tables and views but by REPLICATE and CACHE"),
    )
}

/// The table went away under a load.
pub fn vanished(table: &TableName) -> Error {
    Error::new(
        code::NOT_FOUND,
        format!("{table} was dropped while it was being loaded"),
    )
    .with_hint("run the statement again: the table is then made anew and loaded whole")
}
