//! Tables and views of the user's own. Their mark is their comment.

use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use bucketline_destination::{
    ColumnType, Definition, Error, MARK, NewColumn, PLACE, Result, TableName, code, fault, fit,
};
use tokio_postgres::Client;

use crate::append::{self, find, value};
use crate::connection::{Dedicated, Doing, Pool};
use crate::decode::Decoder;
use crate::encode::sql_type;
use crate::evolve;
use crate::merge::send;
use crate::name::{Located, check_column, check_table, literal, quote};
use crate::physical::{self, Found, Kind, read_as};
use crate::read::{self, Readable};

/// Rows a batch.
const BATCH: usize = 8192;

/// Makes or drops what a definition says. `located` is where something new of that name is made.
pub(crate) async fn define(
    pool: &Pool,
    definition: &Definition,
    located: &Located,
    candidates: &[Located],
) -> Result<bool> {
    let client = pool.dedicated().await?;
    begin(&client).await?;
    let done = match definition {
        Definition::Table {
            name,
            columns,
            key,
            if_absent,
            rows,
        } => {
            check_table(name)?;
            match physical::find(&client, located).await? {
                Some(found) if found.kind == Kind::Table && *if_absent => false,
                Some(found) => return Err(fault::taken(name, found.kind.word())),
                None => {
                    evolve::create_schema(&client, &located.schema).await?;
                    let sql = table_sql(located, columns, key)?;
                    execute(&client, &sql, &format!("making the table {name}")).await?;
                    append::fill(&client, name, std::slice::from_ref(located), rows).await?;
                    true
                }
            }
        }
        Definition::View {
            name,
            query,
            replaces,
        } => {
            check_table(name)?;
            let doing = format!("making the view {name}");
            match physical::find(&client, located).await? {
                Some(found) if *replaces && found.kind == Kind::View => {
                    check_own(&client, name, &found, false, "view").await?;
                    execute(&client, &format!("DROP VIEW {}", located.sql()), &doing).await?;
                }
                Some(found) => return Err(fault::taken(name, found.kind.word())),
                None => {}
            }
            evolve::create_schema(&client, &located.schema).await?;
            let view = located.sql();
            let sql = format!(
                "CREATE VIEW {view} AS {query}; COMMENT ON VIEW {view} IS {}",
                literal(MARK)
            );
            execute(&client, &sql, &doing).await?
        }
        Definition::Drop { name, view } => {
            let kind = if *view { "view" } else { "table" };
            let mut dropped = None;
            for located in candidates {
                if let Some(found) = physical::find(&client, located).await? {
                    dropped = Some((located, found));
                    break;
                }
            }
            let (located, found) = dropped.ok_or_else(|| fault::nothing(name, kind))?;
            if (found.kind == Kind::View) != *view {
                return Err(fault::nothing(name, kind));
            }
            let is_ours = read::first(&client, std::slice::from_ref(located))
                .await?
                .is_some_and(|readable| readable.info.ours);
            check_own(&client, name, &found, is_ours, kind).await?;
            let sql = format!("DROP {} {}", kind.to_uppercase(), located.sql());
            execute(&client, &sql, &format!("dropping {name}")).await?
        }
    };
    client.batch_execute("COMMIT").await.doing("writing")?;
    Ok(done)
}

async fn begin(client: &Client) -> Result<()> {
    client.batch_execute("BEGIN").await.doing("writing")
}

async fn execute(client: &Client, sql: &str, doing: &str) -> Result<bool> {
    client.batch_execute(sql).await.doing(doing)?;
    Ok(true)
}

fn table_sql(located: &Located, columns: &[NewColumn], key: &[String]) -> Result<String> {
    let mut parts = Vec::with_capacity(columns.len() + 1);
    for column in columns {
        check_column(column.field.name())?;
        let name = quote(&crate::name::fold(column.field.name()));
        let column_type = ColumnType::of(&column.field);
        let declared = match (column_type, column.length) {
            (ColumnType::Text, Some(length)) => format!("character varying({length})"),
            _ => sql_type(column_type),
        };
        let not_null = if column.field.is_nullable() {
            ""
        } else {
            " NOT NULL"
        };
        let range = column.range.map_or_else(String::new, |(least, most)| {
            format!(" CHECK ({name} BETWEEN {least} AND {most})")
        });
        parts.push(format!("{name} {declared}{not_null}{range}"));
    }
    if !key.is_empty() {
        let key: Vec<String> = key
            .iter()
            .map(|name| quote(&crate::name::fold(name)))
            .collect();
        parts.push(format!("PRIMARY KEY ({})", key.join(", ")));
    }
    let table = located.sql();
    Ok(format!(
        "CREATE TABLE {table} ({}); COMMENT ON TABLE {table} IS {}",
        parts.join(", "),
        literal(MARK)
    ))
}

/// Refuses a copy, and what another program has made.
async fn check_own(
    client: &Client,
    table: &TableName,
    found: &Found,
    is_ours: bool,
    kind: &str,
) -> Result<()> {
    if is_ours {
        return Err(fault::copy(table));
    }
    let sql = "SELECT coalesce(obj_description($1, 'pg_class'), '')";
    let row = client
        .query_one(sql, &[&found.oid])
        .await
        .doing("looking for the table")?;
    match row.get::<_, &str>(0).contains(MARK) {
        true => Ok(()),
        false => Err(fault::foreign(table, kind)),
    }
}

/// A table whose rows may be changed.
async fn own(client: &Client, table: &TableName, candidates: &[Located]) -> Result<Readable> {
    let readable = read::first(client, candidates).await?;
    let readable = readable.ok_or_else(|| fault::nothing(table, "table"))?;
    if readable.info.view {
        return Err(fault::unchangeable(table, "view"));
    }
    let found = physical::find(client, &readable.located).await?;
    let found = found.ok_or_else(|| fault::nothing(table, "table"))?;
    check_own(client, table, &found, readable.info.ours, "table").await?;
    Ok(readable)
}

/// All rows of a table, each behind its place: where the server keeps it, and the transaction that wrote it.
pub(crate) async fn rows(
    pool: &Pool,
    table: &TableName,
    candidates: &[Located],
) -> Result<Vec<RecordBatch>> {
    let client = pool.dedicated().await?;
    let readable = own(&client, table, candidates).await?;
    let doing = format!("reading {table}");
    let fields = readable.info.schema.fields();
    let columns = readable.columns.iter().zip(fields).map(|(column, field)| {
        read_as(
            &quote(&column.name),
            ColumnType::of(field),
            &column.sql_type,
        )
    });
    let columns: Vec<String> = columns.collect();
    let sql = format!(
        "SELECT ctid::text || ' ' || xmin::text, {} FROM {}",
        columns.join(", "),
        readable.located.sql()
    );
    let mut all = vec![Arc::new(Field::new(PLACE, DataType::Utf8, false))];
    all.extend(fields.iter().cloned());
    let mut decoder = Decoder::new(Arc::new(Schema::new(all)));
    let mut batches = Vec::new();
    for row in client.query(&sql, &[]).await.doing(&doing)? {
        decoder.push(&row)?;
        if decoder.rows() == BATCH {
            batches.push(decoder.finish()?);
        }
    }
    batches.push(decoder.finish()?);
    Ok(batches)
}

/// Deletes rows, or gives them values, if they are still as they were read.
pub(crate) async fn change(
    pool: &Pool,
    table: &TableName,
    candidates: &[Located],
    rows: &RecordBatch,
    values: Option<&RecordBatch>,
) -> Result<u64> {
    let client = pool.dedicated().await?;
    begin(&client).await?;
    let readable = own(&client, table, candidates).await?;
    let doing = format!("changing {table}");
    let values = match values {
        None => None,
        Some(values) => fit(table, std::slice::from_ref(values), |given| {
            let column = find(&readable.columns, given.name())?;
            let column_type = physical::column_type(&column.sql_type);
            Some(column_type.field(&column.name, !column.not_null))
        })?
        .pop(),
    };
    let places = rows.column(0).as_string::<i32>();
    let places = (PLACE, Arc::new(places.clone()) as arrow::array::ArrayRef);
    let mut sent = vec![places];
    let schema = values.as_ref().map(RecordBatch::schema);
    if let (Some(values), Some(schema)) = (&values, &schema) {
        let columns = schema.fields().iter().zip(values.columns());
        sent.extend(columns.map(|(field, array)| (field.name().as_str(), Arc::clone(array))));
    }
    let sent = RecordBatch::try_from_iter_with_nullable(
        sent.into_iter().map(|(name, array)| (name, array, true)),
    )
    .map_err(|error| Error::new(code::DATABASE, error.to_string()))?;
    let types = match &schema {
        Some(schema) => schema
            .fields()
            .iter()
            .map(|field| ColumnType::of(field))
            .collect(),
        None => Vec::new(),
    };
    let types: Vec<ColumnType> = std::iter::once(ColumnType::Text).chain(types).collect();
    let expected = send_page(&client, &sent, &types, &doing).await?;
    let target = readable.located.sql();
    let there = "present.ctid = split_part(page.c0, ' ', 1)::tid AND present.xmin::text = split_part(page.c0, ' ', 2)";
    let sql = match &schema {
        None => {
            format!("DELETE FROM {target} AS present USING pg_temp.changed AS page WHERE {there}")
        }
        Some(schema) => {
            let set: Vec<String> = schema
                .fields()
                .iter()
                .enumerate()
                .map(|(index, field)| {
                    let value = value(index + 1, field, &readable.columns);
                    format!("{} = page.{value}", quote(field.name()))
                })
                .collect();
            format!(
                "UPDATE {target} AS present SET {} FROM pg_temp.changed AS page WHERE {there}",
                set.join(", ")
            )
        }
    };
    let changed = client.execute(&sql, &[]).await.doing(&doing)?;
    if changed != expected {
        return Err(fault::changed(table));
    }
    client.batch_execute("COMMIT").await.doing(&doing)?;
    Ok(changed)
}

/// Sends rows to a temporary table. Returns how many.
async fn send_page(
    client: &Dedicated,
    rows: &RecordBatch,
    types: &[ColumnType],
    doing: &str,
) -> Result<u64> {
    let columns: Vec<String> = types
        .iter()
        .enumerate()
        .map(|(index, column_type)| format!("c{index} {}", sql_type(*column_type)))
        .collect();
    let make = format!(
        "CREATE TEMPORARY TABLE changed (row integer, {}) ON COMMIT DROP",
        columns.join(", ")
    );
    client.batch_execute(&make).await.doing(doing)?;
    let copy = "COPY pg_temp.changed FROM STDIN (FORMAT binary)";
    let copy = client.prepare(copy).await.doing(doing)?;
    send(client, &copy, rows, (types, &[]), doing).await?;
    Ok(rows.num_rows() as u64)
}
