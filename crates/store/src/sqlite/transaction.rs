//! A transaction of SQLite, on the thread that it was begun on.

use async_trait::async_trait;
use bucketline_app::Result;
use rusqlite::Connection;
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};

use super::connection::Opened;
use super::fault::told;
use crate::database::{Dialect, Mode, Row, Topic, Transaction, Value, Work};

static DIALECT: Dialect = Dialect {
    for_update: "",
    skip_locked: "",
    clock: "CAST(unixepoch('now', 'subsec') * 1000000 AS INTEGER)",
    like: "LIKE",
    indexed_by: |index| format!(" INDEXED BY {index}"),
};

struct OfSqlite<'c> {
    connection: &'c mut Connection,
    file: &'c str,
}

/// Carries out work in a transaction. A write waits for its turn before it begins, so that it never fails half-way for
/// others that write.
pub(super) fn run<T>(opened: &mut Opened, mode: Mode, work: Work<T>) -> Result<T> {
    let Opened {
        connection, file, ..
    } = opened;
    if !connection.is_autocommit() {
        // The last one panicked.
        connection.execute_batch("ROLLBACK").map_err(told(file))?;
    }
    let begin = match mode {
        Mode::Read => "BEGIN",
        Mode::Write => "BEGIN IMMEDIATE",
    };
    connection.execute_batch(begin).map_err(told(file))?;
    // Its statements are never pending, hence nothing waits for a runtime.
    let done = futures::executor::block_on(work(&mut OfSqlite { connection, file }));
    let done = done.and_then(|done| {
        connection.execute_batch("COMMIT").map_err(told(file))?;
        Ok(done)
    });
    if done.is_err() && !connection.is_autocommit() {
        // A disk that is full may have ended it already.
        let _ = connection.execute_batch("ROLLBACK");
    }
    done
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Integer(number) => ValueRef::Integer(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
        }))
    }
}

#[async_trait]
impl Transaction for OfSqlite<'_> {
    fn dialect(&self) -> &'static Dialect {
        &DIALECT
    }

    async fn execute(&mut self, sql: &str, values: &[Value]) -> Result<u64> {
        let statement = self.connection.prepare_cached(sql);
        let mut statement = statement.map_err(told(self.file))?;
        let changed = statement.execute(rusqlite::params_from_iter(values));
        Ok(changed.map_err(told(self.file))? as u64)
    }

    async fn rows(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Row>> {
        self.read(sql, values).map_err(told(self.file))
    }

    async fn alone(&mut self, _topic: Topic) -> Result<()> {
        // Whoever writes is alone.
        Ok(())
    }
}

impl OfSqlite<'_> {
    fn read(&self, sql: &str, values: &[Value]) -> rusqlite::Result<Vec<Row>> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let width = statement.column_count();
        let mut found = Vec::new();
        let mut rows = statement.query(rusqlite::params_from_iter(values))?;
        while let Some(row) = rows.next()? {
            let value = |index| {
                Ok(match row.get_ref(index)? {
                    ValueRef::Null => Value::Null,
                    ValueRef::Integer(number) => Value::Integer(number),
                    other => Value::Text(String::from_utf8_lossy(other.as_bytes()?).into_owned()),
                })
            };
            let values: rusqlite::Result<Vec<_>> = (0..width).map(value).collect();
            found.push(Row::new(values?));
        }
        Ok(found)
    }
}
