//! Tables and views of the user's own. Their mark is a comment in the statement that made them, which SQLite keeps.

use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Field, Schema, SchemaRef};
use bucketline_destination::{
    ColumnType, Definition, Error, MARK, NewColumn, PLACE, Result, TableName, code, fault, fit,
};
use rusqlite::Connection;

use crate::append;
use crate::cell::{Cells, bind, declaration};
use crate::decode::Decoder;
use crate::error::{Doing, failed};
use crate::evolve::in_transaction;
use crate::name::{self, quote, quote_all};
use crate::physical::{self, Declared, Found};
use crate::read;

/// The names of the number of a row, of which a column may take some.
const ROWID: [&str; 3] = ["rowid", "_rowid_", "oid"];

/// Rows are read and written so many at a time.
const BATCH: usize = 4096;

/// Makes or drops what a definition says.
pub(crate) fn define(connection: &mut Connection, definition: &Definition) -> Result<bool> {
    in_transaction(connection, |connection| match definition {
        Definition::Table {
            name,
            columns,
            key,
            if_absent,
            rows,
        } => {
            name::check_table(name)?;
            let spelled = name::spelled(name);
            if let Some(found) = physical::find(connection, &spelled)? {
                return match found.kind == "table" && *if_absent {
                    true => Ok(false),
                    false => Err(fault::taken(name, &found.kind)),
                };
            }
            let sql = table_sql(&spelled, columns, key);
            execute(connection, &sql, &format!("making the table {name}"))?;
            append::fill(connection, name, rows)?;
            Ok(true)
        }
        Definition::View {
            name,
            query,
            replaces,
        } => {
            name::check_table(name)?;
            let spelled = name::spelled(name);
            let doing = format!("making the view {name}");
            match physical::find(connection, &spelled)? {
                Some(found) if *replaces && found.kind == "view" => {
                    check_own(connection, name, &found)?;
                    execute(
                        connection,
                        &format!("DROP VIEW {}", quote(&spelled)),
                        &doing,
                    )?;
                }
                Some(found) => return Err(fault::taken(name, &found.kind)),
                None => {}
            }
            let view = quote(&spelled);
            execute(
                connection,
                &format!("CREATE VIEW {view} AS /* {MARK} */ {query}"),
                &doing,
            )?;
            // SQLite does not look at what a view reads before it is read.
            execute(connection, &format!("SELECT * FROM {view} LIMIT 0"), &doing)
        }
        Definition::Drop { name, view } => {
            let kind = if *view { "view" } else { "table" };
            let found = physical::find(connection, &name::spelled(name))?;
            let found = found.filter(|found| (found.kind == "view") == *view);
            let found = found.ok_or_else(|| fault::nothing(name, kind))?;
            check_own(connection, name, &found)?;
            let sql = format!("DROP {} {}", kind.to_uppercase(), quote(&found.name));
            execute(connection, &sql, &format!("dropping {name}"))
        }
    })
}

fn execute(connection: &Connection, sql: &str, doing: &str) -> Result<bool> {
    connection.execute_batch(sql).doing(doing)?;
    Ok(true)
}

fn table_sql(name: &str, columns: &[NewColumn], key: &[String]) -> String {
    let mut parts: Vec<String> = columns
        .iter()
        .map(|column| {
            let name = quote(column.field.name());
            let mut sql = format!("{name} {}", declared(ColumnType::of(&column.field)));
            if !column.field.is_nullable() {
                sql.push_str(" NOT NULL");
            }
            // SQLite does not look at the length of a declared type.
            if let Some(length) = column.length {
                sql.push_str(&format!(" CHECK (length({name}) <= {length})"));
            }
            if let Some((least, most)) = column.range {
                sql.push_str(&format!(" CHECK ({name} BETWEEN {least} AND {most})"));
            }
            sql
        })
        .collect();
    if !key.is_empty() {
        let key = quote_all(key.iter().map(String::as_str));
        parts.push(format!("PRIMARY KEY ({key})"));
    }
    format!(
        "CREATE TABLE {} (/* {MARK} */ {})",
        quote(name),
        parts.join(", ")
    )
}

/// The type of a column. No state tells it beside the table's own statement, so this names a decimal that is stored as
/// a text, too.
fn declared(column_type: ColumnType) -> String {
    match (column_type, declaration(column_type)) {
        (ColumnType::Decimal { precision, scale }, stored) if stored == "TEXT" => {
            format!("TEXT DECIMAL({precision},{scale})")
        }
        (_, stored) => stored,
    }
}

/// Whether CREATE has made it.
pub(crate) fn is_marked(found: &Found) -> bool {
    found.sql.contains(MARK)
}

/// Refuses a copy, and what another program has made.
fn check_own(connection: &Connection, table: &TableName, found: &Found) -> Result<()> {
    if read::own_state(connection, found)?.is_some() {
        return Err(fault::copy(table));
    }
    match is_marked(found) {
        true => Ok(()),
        false => Err(fault::foreign(table, &found.kind)),
    }
}

/// A table whose rows may be changed.
struct Own {
    name: String,
    schema: SchemaRef,
    columns: Vec<Declared>,
    rowid: &'static str,
}

impl Own {
    fn find(connection: &Connection, table: &TableName) -> Result<Self> {
        let spelled = name::spelled(table);
        let found = physical::find(connection, &spelled)?;
        let found = found.filter(|_| !name::is_internal(&spelled));
        let found = found.ok_or_else(|| fault::nothing(table, "table"))?;
        if found.kind != "table" {
            return Err(fault::unchangeable(table, &found.kind));
        }
        check_own(connection, table, &found)?;
        let info = read::table(connection, &found.name)?;
        let info = info.ok_or_else(|| fault::nothing(table, "table"))?;
        let columns = physical::columns(connection, &found.name)?;
        let is_free = |alias: &&&str| {
            let mut columns = columns.iter();
            !columns.any(|column| column.name.eq_ignore_ascii_case(alias))
        };
        let rowid = ROWID.iter().find(is_free).ok_or_else(|| {
            let message = format!("the columns of {table} hide the number of its rows");
            Error::new(code::UNSUPPORTED, message)
        })?;
        Ok(Self {
            name: found.name,
            schema: info.schema,
            rowid,
            columns,
        })
    }

    /// The rows that a condition chooses, behind their places, batch by batch.
    fn decoder(&self) -> Decoder {
        let place = Field::new(PLACE, arrow::datatypes::DataType::Utf8, false);
        let mut fields = vec![Arc::new(place)];
        fields.extend(self.schema.fields().iter().cloned());
        Decoder::new(Arc::new(Schema::new(fields)))
    }

    fn select(&self, condition: &str) -> String {
        let names = self
            .schema
            .fields()
            .iter()
            .map(|field| field.name().as_str());
        format!(
            "SELECT CAST({} AS TEXT), {} FROM {}{condition}",
            self.rowid,
            quote_all(names),
            quote(&self.name)
        )
    }
}

/// All rows of a table, each behind its place.
pub(crate) fn rows(connection: &Connection, table: &TableName) -> Result<Vec<RecordBatch>> {
    let own = Own::find(connection, table)?;
    let doing = format!("reading {table}");
    let mut decoder = own.decoder();
    let mut statement = connection.prepare(&own.select("")).doing(&doing)?;
    let mut rows = statement.query([]).doing(&doing)?;
    let mut batches = Vec::new();
    while let Some(row) = rows.next().doing(&doing)? {
        decoder.push(row)?;
        if decoder.rows() == BATCH {
            batches.push(decoder.finish()?);
        }
    }
    batches.push(decoder.finish()?);
    Ok(batches)
}

/// Deletes rows, or gives them values, if they are still as they were read.
pub(crate) fn change(
    connection: &mut Connection,
    table: &TableName,
    rows: &RecordBatch,
    values: Option<&RecordBatch>,
) -> Result<u64> {
    in_transaction(connection, |connection| {
        let own = Own::find(connection, table)?;
        let places = places(rows)?;
        check_unchanged(connection, table, &own, rows, &places)?;
        let doing = format!("changing {table}");
        match values {
            None => {
                let sql = format!("DELETE FROM {} WHERE {} = ?", quote(&own.name), own.rowid);
                let mut statement = connection.prepare(&sql).doing(&doing)?;
                for place in &places {
                    statement.execute([place]).doing(&doing)?;
                }
            }
            Some(values) => update(connection, table, &own, &places, values)?,
        }
        Ok(places.len() as u64)
    })
}

fn places(rows: &RecordBatch) -> Result<Vec<i64>> {
    let texts = rows.column(0).as_string::<i32>().iter();
    let place = |text: Option<&str>| text.and_then(|text| text.parse().ok());
    let places: Option<Vec<i64>> = texts.map(place).collect();
    places.ok_or_else(|| Error::new(code::DATABASE, "a row has no place"))
}

fn check_unchanged(
    connection: &Connection,
    table: &TableName,
    own: &Own,
    rows: &RecordBatch,
    places: &[i64],
) -> Result<()> {
    let doing = format!("reading {table}");
    let sql = own.select(&format!(" WHERE {} = ?", own.rowid));
    let mut statement = connection.prepare(&sql).doing(&doing)?;
    for (index, chunk) in places.chunks(BATCH).enumerate() {
        let mut decoder = own.decoder();
        for place in chunk {
            let mut found = statement.query([place]).doing(&doing)?;
            match found.next().doing(&doing)? {
                Some(row) => decoder.push(row)?,
                None => return Err(fault::changed(table)),
            }
        }
        let now = decoder.finish()?;
        let then = rows.slice(index * BATCH, chunk.len());
        if now.columns() != then.columns() {
            return Err(fault::changed(table));
        }
    }
    Ok(())
}

fn update(
    connection: &Connection,
    table: &TableName,
    own: &Own,
    places: &[i64],
    values: &RecordBatch,
) -> Result<()> {
    let batches = fit(table, std::slice::from_ref(values), |given| {
        append::column(&own.columns, true, given)
    })?;
    let doing = format!("changing {table}");
    for batch in &batches {
        let schema = batch.schema();
        let fields = schema.fields();
        let types: Vec<ColumnType> = fields.iter().map(|field| ColumnType::of(field)).collect();
        let set: Vec<String> = fields
            .iter()
            .map(|field| format!("{} = ?", quote(field.name())))
            .collect();
        let sql = format!(
            "UPDATE {} SET {} WHERE {} = ?",
            quote(&own.name),
            set.join(", "),
            own.rowid
        );
        let mut statement = connection.prepare(&sql).doing(&doing)?;
        let cells = Cells::of(batch, &types);
        for (row, place) in places.iter().enumerate() {
            bind(&mut statement, &cells, row)?;
            statement
                .raw_bind_parameter(types.len() + 1, place)
                .doing(&doing)?;
            statement
                .raw_execute()
                .map_err(|error| failed(&format!("{doing}, row {}", row + 1), error))?;
        }
    }
    Ok(())
}
