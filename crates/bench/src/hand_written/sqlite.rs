//! Into SQLite, by one prepared statement.

use std::path::Path;

use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, params_from_iter};

use super::issue::{COLUMNS, Cell, Column, Issue, Repository};
use crate::Result;

pub(super) struct Table {
    database: Connection,
    insert: String,
}

pub(super) fn open(file: &Path) -> Result<Table> {
    let database = Connection::open(file)?;
    database.pragma_update(None, "journal_mode", "WAL")?;
    database.pragma_update(None, "synchronous", "NORMAL")?;
    let columns: Vec<String> = COLUMNS
        .iter()
        .map(|(name, column)| format!("{name} {}", declaration(*column)))
        .collect();
    database.execute_batch(&format!(
        "CREATE TABLE IF NOT EXISTS Issues ({}, PRIMARY KEY (RepositoryUUID, Id))",
        columns.join(", ")
    ))?;
    let names: Vec<&str> = COLUMNS.iter().map(|(name, _)| *name).collect();
    let marks = vec!["?"; COLUMNS.len()].join(", ");
    let names = names.join(", ");
    Ok(Table {
        database,
        insert: format!("INSERT OR REPLACE INTO Issues ({names}) VALUES ({marks})"),
    })
}

fn declaration(column: Column) -> &'static str {
    match column {
        Column::Text => "TEXT",
        Column::Integer => "INTEGER",
        Column::Timestamp => "TIMESTAMP",
    }
}

impl super::Table for Table {
    async fn write(&mut self, repository: &Repository, issues: &[Issue]) -> Result {
        let transaction = self.database.transaction()?;
        {
            let mut statement = transaction.prepare_cached(&self.insert)?;
            for issue in issues {
                statement.execute(params_from_iter(issue.row(repository)))?;
            }
        }
        Ok(transaction.commit()?)
    }
}

impl ToSql for Cell<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match *self {
            Cell::Text(Some(text)) | Cell::Timestamp(Some(text)) => ValueRef::Text(text.as_bytes()),
            Cell::Integer(Some(number)) => ValueRef::Integer(number),
            Cell::Text(None) | Cell::Timestamp(None) | Cell::Integer(None) => ValueRef::Null,
        }))
    }
}
