//! What a connection to a file is made from.

use std::path::PathBuf;

use bucketline_core::code::sqlite as code;
use bucketline_source::{Error, Result};

/// Which file a [`SqliteSource`](crate::SqliteSource) reads, and how.
#[derive(Debug, Clone, Default)]
pub struct SourceSettings {
    /// The file.
    pub path: PathBuf,
    /// The columns by which changes are found: `Orders=updated_at,Items=rowid`, or one name for every table that
    /// has such a column; empty if tables are read whole.
    pub cursor: String,
    /// The columns that are read as texts whatever they hold: `Orders.total,Items.note`.
    pub as_text: String,
}

/// The same, understood.
#[derive(Debug, Clone, Default)]
pub(super) struct Choices {
    pub(super) path: PathBuf,
    /// A table and its cursor; no table stands for every one that has such a column.
    cursors: Vec<(Option<String>, String)>,
    as_text: Vec<(String, String)>,
}

impl Choices {
    pub(super) fn parse(settings: SourceSettings) -> Result<Self> {
        if settings.path.as_os_str() == ":memory:" {
            let message = "a database in memory has nothing to read";
            return Err(wrong(message).with_hint("give the path of a file"));
        }
        let cursors = items(&settings.cursor).map(|item| match item.split_once('=') {
            Some((table, column)) => (Some(table.trim().to_owned()), column.trim().to_owned()),
            None => (None, item.to_owned()),
        });
        let as_text = items(&settings.as_text).map(|item| {
            let (table, column) = item.rsplit_once('.').ok_or_else(|| {
                let message = format!("AsText: `{item}` names no column of a table");
                wrong(message).with_hint("write `Table.column`, with commas between several")
            })?;
            Ok((table.trim().to_owned(), column.trim().to_owned()))
        });
        Ok(Self {
            cursors: cursors.collect(),
            as_text: as_text.collect::<Result<_>>()?,
            path: settings.path,
        })
    }

    /// The column by which a table's changes are to be found, and whether it is named for this very table.
    pub(super) fn cursor(&self, table: &str) -> Option<(&str, bool)> {
        let named = self.cursors.iter().find(|(named, _)| {
            let named = named.as_deref();
            named.is_some_and(|named| named.eq_ignore_ascii_case(table))
        });
        let every = || self.cursors.iter().find(|(named, _)| named.is_none());
        let (named, column) = named.or_else(every)?;
        Some((column, named.is_some()))
    }

    pub(super) fn is_as_text(&self, table: &str, column: &str) -> bool {
        self.as_text
            .iter()
            .any(|(of, named)| of.eq_ignore_ascii_case(table) && named.eq_ignore_ascii_case(column))
    }
}

fn items(list: &str) -> impl Iterator<Item = &str> {
    list.split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
}

fn wrong(message: impl Into<String>) -> Error {
    Error::new(code::BAD_SETTING, message)
}
