//! Into PostgreSQL, by COPY into a temporary table and one INSERT out of it.

use std::error::Error;
use std::time::SystemTime;

use chrono::DateTime;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Client, NoTls};

use super::issue::{COLUMNS, Cell, Column, Issue, Repository};
use crate::Result;
use crate::store::LOOP_SCHEMA;

pub(super) struct Table {
    database: Client,
    merge: String,
}

pub(super) async fn open(url: &str) -> Result<Table> {
    let (database, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    let columns: Vec<String> = COLUMNS
        .iter()
        .map(|(name, column)| format!("{name} {}", sql_type(*column)))
        .collect();
    let columns = columns.join(", ");
    database
        .batch_execute(&format!(
            "CREATE SCHEMA IF NOT EXISTS {LOOP_SCHEMA};
             CREATE TABLE IF NOT EXISTS {LOOP_SCHEMA}.Issues ({columns}, PRIMARY KEY (RepositoryUUID, Id));
             CREATE INDEX IF NOT EXISTS changes ON {LOOP_SCHEMA}.Issues (UpdatedOn);
             CREATE TEMPORARY TABLE page ({columns}) ON COMMIT DELETE ROWS;"
        ))
        .await?;
    let values = COLUMNS.iter().map(|(name, _)| *name);
    let set: Vec<String> = values
        .filter(|name| !["RepositoryUUID", "Id"].contains(name))
        .map(|name| format!("{name} = EXCLUDED.{name}"))
        .collect();
    Ok(Table {
        database,
        merge: format!(
            "INSERT INTO {LOOP_SCHEMA}.Issues SELECT * FROM page
             ON CONFLICT (RepositoryUUID, Id) DO UPDATE SET {}",
            set.join(", ")
        ),
    })
}

fn sql_type(column: Column) -> &'static str {
    match column {
        Column::Text => "text",
        Column::Integer => "bigint",
        Column::Timestamp => "timestamptz",
    }
}

fn parameter_type(column: Column) -> Type {
    match column {
        Column::Text => Type::TEXT,
        Column::Integer => Type::INT8,
        Column::Timestamp => Type::TIMESTAMPTZ,
    }
}

impl super::Table for Table {
    async fn write(&mut self, repository: &Repository, issues: &[Issue]) -> Result {
        let transaction = self.database.transaction().await?;
        let sink = transaction
            .copy_in("COPY page FROM STDIN (FORMAT binary)")
            .await?;
        let writer =
            BinaryCopyInWriter::new(sink, &COLUMNS.map(|(_, column)| parameter_type(column)));
        let mut writer = std::pin::pin!(writer);
        for issue in issues {
            writer.as_mut().write_raw(issue.row(repository)).await?;
        }
        writer.finish().await?;
        transaction.execute(&self.merge, &[]).await?;
        Ok(transaction.commit().await?)
    }
}

impl ToSql for Cell<'_> {
    fn to_sql(
        &self,
        kind: &Type,
        out: &mut BytesMut,
    ) -> std::result::Result<IsNull, Box<dyn Error + Sync + Send>> {
        match *self {
            Cell::Text(text) => text.to_sql(kind, out),
            Cell::Integer(number) => number.to_sql(kind, out),
            Cell::Timestamp(Some(text)) => {
                SystemTime::from(DateTime::parse_from_rfc3339(text)?).to_sql(kind, out)
            }
            Cell::Timestamp(None) => Ok(IsNull::Yes),
        }
    }

    fn accepts(kind: &Type) -> bool {
        [Type::TEXT, Type::INT8, Type::TIMESTAMPTZ].contains(kind)
    }

    to_sql_checked!();
}
