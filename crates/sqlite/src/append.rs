//! Rows that INSERT gives to a table of the user's own.

use arrow::array::RecordBatch;
use arrow::datatypes::Field;
use bucketline_destination::{ColumnType, Physical, Result, TableName, fault, fit};
use rusqlite::Connection;

use crate::cell::{Cells, bind};
use crate::error::{Doing, failed};
use crate::evolve::in_transaction;
use crate::name::{self, quote, quote_all};
use crate::own::is_marked;
use crate::physical::{self, Declared};

/// Appends rows in one transaction, under whose lock it is found out whose table it is.
pub(crate) fn append(
    connection: &mut Connection,
    table: &TableName,
    rows: &[RecordBatch],
) -> Result<u64> {
    in_transaction(connection, |connection| fill(connection, table, rows))
}

/// The same in a transaction that has begun.
pub(crate) fn fill(
    connection: &Connection,
    table: &TableName,
    rows: &[RecordBatch],
) -> Result<u64> {
    let spelled = name::spelled(table);
    if name::is_internal(&spelled) {
        return Err(fault::absent(table));
    }
    let status = physical::status(connection, &spelled, &name::folded(table))?;
    match &status.physical {
        Physical::Absent => return Err(fault::absent(table)),
        Physical::Other { kind } => return Err(fault::no_table(table, kind)),
        Physical::Table { .. } if status.is_ours() => return Err(fault::ours(table)),
        Physical::Table { .. } => {}
    }
    let columns = physical::columns(connection, &spelled)?;
    let is_own = physical::find(connection, &spelled)?.is_some_and(|found| is_marked(&found));
    let rows = fit(table, rows, |given| column(&columns, is_own, given))?;
    let mut inserted = 0;
    for batch in &rows {
        inserted += insert(connection, &spelled, batch, inserted)?;
    }
    Ok(inserted)
}

/// The column of the table that a given one goes to. Where another program declared it as a date or time, or as nothing,
/// values are stored as they are given: what the user keeps there cannot be known.
pub(crate) fn column(columns: &[Declared], is_own: bool, given: &Field) -> Option<Field> {
    let declared = columns
        .iter()
        .find(|column| !column.generated && column.name.eq_ignore_ascii_case(given.name()))?;
    let column_type = physical::exact_type(&declared.declared)
        .filter(|_| is_own)
        .or_else(|| physical::declared_type(&declared.declared))
        .unwrap_or_else(|| ColumnType::of(given));
    Some(column_type.field(&declared.name, !declared.not_null))
}

/// Inserts a batch, before which so many rows went.
fn insert(connection: &Connection, table: &str, batch: &RecordBatch, before: u64) -> Result<u64> {
    let schema = batch.schema();
    let types: Vec<ColumnType> = schema.fields().iter().map(|f| ColumnType::of(f)).collect();
    let sql = format!(
        "INSERT INTO {} ({}) VALUES ({})",
        quote(table),
        quote_all(schema.fields().iter().map(|field| field.name().as_str())),
        vec!["?"; types.len()].join(", "),
    );
    let doing = format!("inserting into `{table}`");
    let mut statement = connection.prepare_cached(&sql).doing(&doing)?;
    let cells = Cells::of(batch, &types);
    for (row, number) in (0..batch.num_rows()).zip(before + 1..) {
        bind(&mut statement, &cells, row)?;
        statement
            .raw_execute()
            .map_err(|error| failed(&format!("{doing}, row {number}"), error))?;
    }
    Ok(batch.num_rows() as u64)
}
