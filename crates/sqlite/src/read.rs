//! Reading tables and views, ours and others'.

use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Field, Schema};
use bucketline_destination::{
    BatchStream, ColumnType, Condition, Error, Query, Result, Scalar, TableInfo, TableName,
    TableState, TableStatus, code,
};
use futures::StreamExt;
use rusqlite::Connection;

use crate::database::{self, Database, Location};
use crate::decode::Decoder;
use crate::error::Doing;
use crate::name::{self, quote, quote_all};
use crate::physical::{self, Declared, Found};
use crate::{own, state, stream};

/// Rows a batch.
const BATCH: usize = 4096;

/// The rows that a listing of tables looks at to tell the types of a table that is not ours.
const SAMPLE: usize = 1000;

const DOING: &str = "reading a table";

/// A table or view as a reader sees it, and whether conditions can be left to SQLite.
struct Readable {
    info: TableInfo,
    found: Found,
}

/// All tables and views. The types of those that another program made come from their first rows.
pub(crate) fn tables(connection: &Connection) -> Result<Vec<TableInfo>> {
    let names: Vec<String> = connection
        .prepare("SELECT name FROM sqlite_master WHERE type IN ('table', 'view') ORDER BY name")
        .and_then(|mut query| query.query_map([], |row| row.get(0))?.collect())
        .doing(DOING)?;
    let names = names.into_iter().filter(|name| !name::is_internal(name));
    // A view of a table that is gone cannot be read, so it is not listed.
    Ok(names
        .filter_map(|name| readable(connection, &name, Some(SAMPLE)).ok().flatten())
        .map(|readable| readable.info)
        .collect())
}

/// One table or view. The types of one that is not ours come from all its rows.
pub(crate) fn table(connection: &Connection, name: &str) -> Result<Option<TableInfo>> {
    Ok(readable(connection, name, None)?.map(|readable| readable.info))
}

fn readable(
    connection: &Connection,
    name: &str,
    sample: Option<usize>,
) -> Result<Option<Readable>> {
    if name::is_internal(name) {
        return Ok(None);
    }
    let Some(found) = physical::find(connection, name)?.filter(|found| found.kind != "index")
    else {
        return Ok(None);
    };
    let view = found.kind == "view";
    let columns = physical::columns(connection, &found.name)?;
    let key = physical::key(connection, &found.name, &columns)?;
    let state = own_state(connection, &found)?;
    let ours = state.is_some();
    let is_own = own::is_marked(&found) && !view;
    let known = |column: &Declared| {
        if is_own {
            return physical::exact_type(&column.declared);
        }
        let state = state.as_ref()?;
        let mut fields = state.columns.fields().iter();
        let field = fields.find(|field| field.name().eq_ignore_ascii_case(&column.name))?;
        Some(ColumnType::of(field))
    };
    let unknown: Vec<&Declared> = columns.iter().filter(|c| known(c).is_none()).collect();
    let mut seen = seen_types(connection, &found.name, &unknown, sample)?.into_iter();
    let fields: Vec<Field> = columns
        .iter()
        .map(|column| {
            let column_type = known(column)
                .or_else(|| seen.next())
                .unwrap_or(ColumnType::Text);
            let nullable = !(column.not_null || ours && column.key > 0);
            column_type.field(&column.name, nullable)
        })
        .collect();
    let schema = Arc::new(Schema::new(fields));
    let info = TableInfo {
        name: TableName::bare(found.name.clone()),
        schema,
        key,
        ours,
        view,
    };
    Ok(Some(Readable { info, found }))
}

/// What we remember of a table, which has the exact types of its columns, if the table is ours.
pub(crate) fn own_state(connection: &Connection, found: &Found) -> Result<Option<TableState>> {
    if found.kind == "view" {
        return Ok(None);
    }
    let remembered = state::read_table(connection, &found.name.to_ascii_lowercase())?;
    let state = remembered.map(|remembered| remembered.state);
    let status = TableStatus {
        physical: physical::fact(connection, &found.name, None)?,
        state: state.filter(|state| state.record != state::ADOPTING),
    };
    Ok(match status.is_ours() {
        true => status.state,
        false => None,
    })
}

/// The types of columns: as declared if all values are of that type, else what they are, else text.
fn seen_types(
    connection: &Connection,
    table: &str,
    columns: &[&Declared],
    sample: Option<usize>,
) -> Result<Vec<ColumnType>> {
    /// SQLite gives a query at most 2,000 result columns.
    const AT_ONCE: usize = 300;
    let from = match sample {
        Some(rows) => format!("(SELECT * FROM {} LIMIT {rows})", quote(table)),
        None => quote(table),
    };
    let mut types = Vec::with_capacity(columns.len());
    for columns in columns.chunks(AT_ONCE) {
        let seen: Vec<String> = columns
            .iter()
            .map(|column| {
                let name = quote(&column.name);
                format!(
                    "max(typeof({name}) = 'integer'), max(typeof({name}) = 'real'), \
                     max(typeof({name}) = 'text'), max(typeof({name}) = 'blob'), \
                     max(typeof({name}) = 'integer' AND {name} NOT IN (0, 1))"
                )
            })
            .collect();
        let sql = format!("SELECT {} FROM {from}", seen.join(", "));
        let found = connection.query_row(&sql, [], |row| {
            let has = |index| -> rusqlite::Result<bool> {
                Ok(row.get::<_, Option<bool>>(index)?.unwrap_or(false))
            };
            let column = |(i, column): (usize, &&Declared)| {
                let at = i * 5;
                let seen = Seen {
                    integer: has(at)?,
                    real: has(at + 1)?,
                    text: has(at + 2)?,
                    blob: has(at + 3)?,
                    beyond_boolean: has(at + 4)?,
                };
                Ok(seen.column_type(&column.declared))
            };
            columns
                .iter()
                .enumerate()
                .map(column)
                .collect::<rusqlite::Result<Vec<_>>>()
        });
        types.extend(found.doing(DOING)?);
    }
    Ok(types)
}

/// The kinds of values of a column.
struct Seen {
    integer: bool,
    real: bool,
    text: bool,
    blob: bool,
    beyond_boolean: bool,
}

impl Seen {
    fn column_type(&self, declared: &str) -> ColumnType {
        let Self {
            integer,
            real,
            text,
            blob,
            beyond_boolean,
        } = *self;
        let declared = physical::declared_type(declared);
        match (integer, real, text, blob) {
            (false, false, false, false) => declared.unwrap_or(ColumnType::Text),
            (true, false, false, false) => match declared {
                Some(ColumnType::Boolean) if !beyond_boolean => ColumnType::Boolean,
                Some(float_or_text @ (ColumnType::Float | ColumnType::Text)) => float_or_text,
                _ => ColumnType::Int,
            },
            (_, true, false, false) => ColumnType::Float,
            (false, false, false, true) => ColumnType::Binary,
            _ => match declared {
                Some(ColumnType::Json) => ColumnType::Json,
                _ => ColumnType::Text,
            },
        }
    }
}

/// A reading that starts when it is first polled.
pub(crate) fn stream(
    location: Location,
    memory: Option<Arc<Database>>,
    query: Query,
) -> BatchStream {
    let batches = async move {
        match (location, memory) {
            (Location::File(path), _) => from_file(path, query),
            (Location::Memory, Some(database)) => {
                let read = move |connection: &mut Connection| {
                    let mut batches = Vec::new();
                    read(connection, &query, |batch| {
                        batches.push(Ok(batch));
                        true
                    })?;
                    Ok(batches)
                };
                database
                    .call(read)
                    .await
                    .map(|batches| futures::stream::iter(batches).boxed())
            }
            (Location::Memory, None) => Err(no_table(&query.table)),
        }
    };
    futures::stream::once(batches)
        .flat_map(|started| match started {
            Ok(batches) => batches,
            Err(error) => futures::stream::iter([Err(error)]).boxed(),
        })
        .boxed()
}

/// Starts a thread that opens the file, reads it and closes it.
fn from_file(path: PathBuf, query: Query) -> Result<BatchStream> {
    let batches = stream::from_thread(move |giver| {
        let connection =
            database::open_for_reading(&path)?.ok_or_else(|| no_table(&query.table))?;
        giver.interrupts(&connection);
        read(&connection, &query, |batch| giver.give(batch))
    })?;
    Ok(batches.boxed())
}

/// Reads the rows of a query, batch by batch, until `give` refuses one.
fn read(
    connection: &Connection,
    query: &Query,
    mut give: impl FnMut(RecordBatch) -> bool,
) -> Result<()> {
    let Some(Readable { info, found }) = readable(connection, &name::spelled(&query.table), None)?
    else {
        return Err(no_table(&query.table));
    };
    let (filter, values, exact) = filter(&info, &query.conditions);
    let limit = query.limit.filter(|_| exact);
    let limit_sql = limit.map_or_else(String::new, |limit| format!(" LIMIT {limit}"));
    let from = format!("FROM {}{filter}{limit_sql}", quote(&found.name));
    let values = rusqlite::params_from_iter(values);
    if query.columns.is_empty() {
        let sql = format!("SELECT count(*) FROM (SELECT 1 {from})");
        let rows: i64 = connection
            .query_row(&sql, values, |row| row.get(0))
            .doing(DOING)?;
        let options =
            RecordBatchOptions::new().with_row_count(Some(usize::try_from(rows).unwrap_or(0)));
        let batch = RecordBatch::try_new_with_options(Schema::empty().into(), vec![], &options);
        give(batch.map_err(|error| Error::new(code::DATABASE, error.to_string()))?);
        return Ok(());
    }
    let fields: Vec<Field> = query
        .columns
        .iter()
        .map(|name| {
            let mut fields = info.schema.fields().iter();
            let field = fields.find(|field| field.name().eq_ignore_ascii_case(name));
            field.map(|field| field.as_ref().clone()).ok_or_else(|| {
                Error::new(
                    code::NOT_FOUND,
                    format!("{} has no column `{name}`", query.table),
                )
            })
        })
        .collect::<Result<_>>()?;
    let sql = format!(
        "SELECT {} {from}",
        quote_all(fields.iter().map(|f| f.name().as_str()))
    );
    let mut decoder = Decoder::new(Arc::new(Schema::new(fields)));
    let mut statement = connection.prepare(&sql).doing(DOING)?;
    let mut rows = statement.query(values).doing(DOING)?;
    let mut given = false;
    while let Some(row) = rows.next().doing(DOING)? {
        decoder.push(row)?;
        if decoder.rows() == BATCH {
            given = true;
            if !give(decoder.finish()?) {
                return Ok(());
            }
        }
    }
    if decoder.rows() > 0 || !given {
        give(decoder.finish()?);
    }
    Ok(())
}

/// The conditions that mean the same in SQLite as in Arrow, as SQL with parameters and their values, and
/// whether these are all. The columns of other people's tables can hold anything, so theirs are left alone.
fn filter(
    info: &TableInfo,
    conditions: &[Condition],
) -> (String, Vec<rusqlite::types::Value>, bool) {
    use rusqlite::types::Value;
    let (mut sql, mut values) = (String::new(), Vec::new());
    for condition in conditions.iter().filter(|_| info.ours) {
        let mut fields = info.schema.fields().iter();
        let Some(field) = fields.find(|f| f.name().eq_ignore_ascii_case(&condition.column)) else {
            continue;
        };
        let value = match (ColumnType::of(field), &condition.value) {
            (ColumnType::Int, Scalar::Int(value)) => Value::Integer(*value),
            (ColumnType::Text | ColumnType::Json, Scalar::Text(text)) => Value::Text(text.clone()),
            (ColumnType::Boolean, Scalar::Bool(value)) => Value::Integer(i64::from(*value)),
            _ => continue,
        };
        if !["=", "<>", "<", "<=", ">", ">="].contains(&condition.operator) {
            continue;
        }
        let word = if values.is_empty() { " WHERE" } else { " AND" };
        let (name, operator) = (quote(field.name()), condition.operator);
        sql.push_str(&format!("{word} {name} {operator} ?"));
        values.push(value);
    }
    let exact = values.len() == conditions.len();
    (sql, values, exact)
}

fn no_table(table: &TableName) -> Error {
    Error::new(code::NOT_FOUND, format!("there is no table {table}"))
}
