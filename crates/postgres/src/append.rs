//! Rows that INSERT gives to a table of the user's own.

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::Field;
use bucketline_destination::{ColumnType, Error, Result, TableName, code, fault, fit};
use tokio_postgres::Client;

use crate::connection::{Doing, Pool, is_of_a_value};
use crate::encode::sql_type;
use crate::merge::send;
use crate::name::{Located, quote};
use crate::physical::{self, Column};
use crate::read::{self, Readable};

/// Appends rows in one transaction. The connection is this call's own, so that what is not committed ends with it.
pub(crate) async fn append(
    pool: &Pool,
    table: &TableName,
    candidates: &[Located],
    rows: &[RecordBatch],
) -> Result<u64> {
    let client = pool.dedicated().await?;
    let doing = format!("inserting into {table}");
    client.batch_execute("BEGIN").await.doing(&doing)?;
    let inserted = fill(&client, table, candidates, rows).await?;
    client.batch_execute("COMMIT").await.doing(&doing)?;
    Ok(inserted)
}

/// The same in a transaction that has begun, and that is lost if this fails.
pub(crate) async fn fill(
    client: &Client,
    table: &TableName,
    candidates: &[Located],
    rows: &[RecordBatch],
) -> Result<u64> {
    let doing = format!("inserting into {table}");
    let Some(Readable {
        info,
        located,
        columns,
    }) = read::first(client, candidates).await?
    else {
        return Err(fault::absent(table));
    };
    if info.view {
        return Err(fault::no_table(table, "view"));
    }
    if info.ours {
        return Err(fault::ours(table));
    }
    let rows = fit(table, rows, |given| {
        let column = find(&columns, given.name())?;
        let column_type = physical::column_type(&column.sql_type);
        Some(column_type.field(&column.name, !column.not_null))
    })?;
    let Some(first) = rows.first() else {
        return Ok(0);
    };
    let rows = concat_batches(&first.schema(), &rows)
        .map_err(|error| Error::new(code::DATABASE, error.to_string()).with_source(error))?;
    let into = Appending {
        client,
        located: &located,
        columns: &columns,
        doing: &doing,
    };
    match into.insert(&rows).await {
        Ok(inserted) => Ok(inserted),
        Err(error) => Err(into.blamed(&rows, error).await),
    }
}

pub(crate) fn find<'a>(columns: &'a [Column], name: &str) -> Option<&'a Column> {
    columns
        .iter()
        .find(|column| column.name.eq_ignore_ascii_case(name))
}

/// The table that rows go into, and its columns.
struct Appending<'a> {
    client: &'a Client,
    located: &'a Located,
    columns: &'a [Column],
    doing: &'a str,
}

impl Appending<'_> {
    /// Sends the rows to a temporary table, and puts them from there into the columns that they are given in.
    async fn insert(&self, rows: &RecordBatch) -> Result<u64> {
        let Self { client, doing, .. } = *self;
        let schema = rows.schema();
        let fields = || schema.fields().iter().map(AsRef::as_ref);
        let types: Vec<ColumnType> = fields().map(ColumnType::of).collect();
        let held: Vec<String> = types
            .iter()
            .enumerate()
            .map(|(index, column_type)| format!("c{index} {}", sql_type(*column_type)))
            .collect();
        let make = format!(
            "CREATE TEMPORARY TABLE appended (row integer, {}) ON COMMIT DROP",
            held.join(", ")
        );
        client.batch_execute(&make).await.doing(doing)?;
        let copy = "COPY pg_temp.appended FROM STDIN (FORMAT binary)";
        let copy = client.prepare(copy).await.doing(doing)?;
        send(client, &copy, rows, (&types, &[]), doing).await?;
        let names: Vec<String> = fields().map(|field| quote(field.name())).collect();
        let values: Vec<String> = fields()
            .enumerate()
            .map(|(index, field)| value(index, field, self.columns))
            .collect();
        let insert = format!(
            "INSERT INTO {} ({}) SELECT {} FROM pg_temp.appended ORDER BY row",
            self.located.sql(),
            names.join(", "),
            values.join(", "),
        );
        client.execute(&insert, &[]).await.doing(doing)
    }

    /// Names the row whose value is refused: the rows are halved, in transactions that are taken back, until one is left.
    async fn blamed(&self, rows: &RecordBatch, error: Error) -> Error {
        let (mut from, mut count) = (0, rows.num_rows());
        while is_of_a_value(&error) && count > 1 {
            let half = count / 2;
            let begun = self.client.batch_execute("ROLLBACK; BEGIN").await;
            if begun.is_err() {
                return error;
            }
            match self.insert(&rows.slice(from, half)).await {
                Err(refusal) if is_of_a_value(&refusal) => count = half,
                Err(_) => return error,
                Ok(_) => (from, count) = (from + half, count - half),
            }
        }
        if !is_of_a_value(&error) {
            return error;
        }
        let message = format!("row {}: {error}", from + 1);
        Error::new(error.code(), message).with_source(error)
    }
}

/// A column of the temporary table as a value of the table's. What is a text to us but a type of its own to the server
/// (`uuid`) is cast; texts are not, for a cast cuts what is too long for a `varchar(20)` instead of refusing it.
pub(crate) fn value(index: usize, field: &Field, columns: &[Column]) -> String {
    let declared = find(columns, field.name()).map(|column| column.sql_type.as_str());
    let is_text = ColumnType::of(field) == ColumnType::Text;
    match declared.filter(|it| is_text && *it != "text" && !it.starts_with("character")) {
        Some(declared) => format!("c{index}::{declared}"),
        None => format!("c{index}"),
    }
}
