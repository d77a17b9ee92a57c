//! Changes without a change column to ask for: lists that come newest first, and what branches reach.
//!
//! ```toml
//! feed = { column = "CreatedOn", look_back = "1h" }
//! feed = { column = "CreatedOn", look_back = "1h", unfinished = { column = "StateName", values = ["PENDING"], within = "7d" } }
//! heads = { table = "Branches", name = "Name", hash = "TargetHash" }
//! ```

use std::sync::Arc;
use std::time::Duration;

use super::entry::Entry;
use super::{ColumnKind, TableSpec};
use crate::ColumnSpec;

/// A list that comes newest first and cannot be filtered: it is read until it is older than what is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feed {
    /// Index of the timestamp that falls from row to row.
    pub column: usize,
    /// Read again before the mark.
    pub look_back: Duration,
    /// Which rows will still change.
    pub unfinished: Option<Unfinished>,
}

/// Rows of a feed that will still change: they are read again until they no longer are such.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfinished {
    /// Index of the column that says so.
    pub column: usize,
    /// The values for which a row is unfinished.
    pub values: Vec<String>,
    /// A row older than this is waited for no longer.
    pub within: Duration,
}

/// The branches whose heads tell what is new in a list of commits.
#[derive(Debug, Clone, PartialEq)]
pub struct Heads {
    /// The table of branches, in the same slice.
    pub table: Arc<TableSpec>,
    /// Index of its column with a branch's name.
    pub name: usize,
    /// Index of its column with the head of a branch.
    pub hash: usize,
}

type Find<'f> = &'f dyn Fn(&Entry<'_>, &str, &str) -> Option<usize>;

/// Reads `feed`.
pub(super) fn feed(
    mut entry: Entry<'_>,
    columns: &[ColumnSpec],
    find: impl Fn(&Entry<'_>, &str, &str) -> Option<usize>,
) -> Option<Feed> {
    let column = entry
        .required_text("column")
        .and_then(|name| find(&entry, "feed", &name));
    let look_back = entry.duration("look_back");
    let unfinished = entry
        .entry("unfinished")
        .map(|unfinished| self::unfinished(unfinished, columns, &find));
    entry.finish();
    let column = column?;
    let spec = &columns[column];
    if spec.kind != ColumnKind::Timestamp || spec.nullable {
        entry.mistake(&format!("`{}` must be a required timestamp", spec.name));
    }
    Some(Feed {
        column,
        look_back: look_back?,
        unfinished: match unfinished {
            Some(unfinished) => Some(unfinished?),
            None => None,
        },
    })
}

fn unfinished(mut entry: Entry<'_>, columns: &[ColumnSpec], find: Find<'_>) -> Option<Unfinished> {
    let column = entry
        .required_text("column")
        .and_then(|name| find(&entry, "unfinished", &name));
    let values = entry.texts("values").unwrap_or_default();
    let within = entry.duration("within");
    entry.finish();
    if values.is_empty() {
        entry.mistake("`values` must list the column's values");
    }
    let column = column?;
    if columns[column].kind != ColumnKind::Text {
        entry.mistake(&format!("`{}` must be a text", columns[column].name));
    }
    Some(Unfinished {
        column,
        values,
        within: within?,
    })
}

/// Reads `heads`.
pub(super) fn heads(mut entry: Entry<'_>, known: &[Arc<TableSpec>]) -> Option<Heads> {
    let table = entry.required_text("table").and_then(|name| {
        let found = known.iter().find(|table| table.name == name);
        if found.is_none() {
            entry.mistake(&format!("there is no table `{name}` before it"));
        }
        found.cloned()
    });
    let column = |entry: &mut Entry<'_>, attribute| {
        let name = entry.required_text(attribute)?;
        let columns = &table.as_ref()?.columns;
        let found = columns.iter().position(|column| column.name == name);
        if found.is_none() {
            entry.mistake(&format!("{attribute}: there is no column `{name}`"));
        }
        found
    };
    let name = column(&mut entry, "name");
    let hash = column(&mut entry, "hash");
    entry.finish();
    let (name, hash) = (name?, hash?);
    Some(Heads {
        table: table?,
        name,
        hash,
    })
}
