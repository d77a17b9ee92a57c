//! Reading tables and views, ours and others'.

use std::collections::HashMap;

use arrow::datatypes::SchemaRef;
use bucketline_destination::{
    BatchStream, ColumnType, Condition, Error, Physical, Query, Result, Scalar, TableInfo,
    TableName, TableStatus, code,
};
use futures::{StreamExt, TryStreamExt, stream};
use tokio_postgres::Client;
use tokio_postgres::types::ToSql;

use crate::connection::{Doing, Pool};
use crate::decode::Decoder;
use crate::name::{Located, is_internal, quote};
use crate::physical::{self, Column, Found, Kind, read_as};
use crate::state;

/// Rows a batch.
const BATCH: usize = 8192;

const DOING: &str = "reading a table";

/// A table or view as a reader sees it.
pub(crate) struct Readable {
    pub(crate) info: TableInfo,
    pub(crate) located: Located,
    pub(crate) columns: Vec<Column>,
}

/// All tables and views that this user can read.
pub(crate) async fn tables(client: &Client) -> Result<Vec<TableInfo>> {
    let remembered: HashMap<String, _> = state::read_tables(client).await?.into_iter().collect();
    let rows = client
        .query(
            "SELECT n.nspname::text, c.relname::text, c.oid, c.relkind
             FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
             WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
               AND n.nspname <> '_bucketline' AND n.nspname <> 'information_schema'
               AND NOT starts_with(n.nspname::text, 'pg_')
               AND has_schema_privilege(n.oid, 'USAGE') AND has_any_column_privilege(c.oid, 'SELECT')
             ORDER BY n.nspname, c.relname",
            &[],
        )
        .await
        .doing(DOING)?;
    let mut tables = Vec::with_capacity(rows.len());
    for row in rows {
        let located = Located {
            schema: row.get(0),
            name: row.get(1),
        };
        let found = Found {
            oid: row.get(2),
            kind: Kind::of(row.get(3)),
        };
        let state = remembered.get(&located.sql()).map(|it| it.state.clone());
        tables.push(readable(client, located, found, state).await?.info);
    }
    Ok(tables)
}

/// One table or view, of those that a query may mean.
pub(crate) async fn table(client: &Client, candidates: &[Located]) -> Result<Option<TableInfo>> {
    Ok(first(client, candidates)
        .await?
        .map(|readable| readable.info))
}

/// The first table that is there.
pub(crate) async fn first(client: &Client, candidates: &[Located]) -> Result<Option<Readable>> {
    for located in candidates {
        if let Some(readable) = look(client, located).await? {
            return Ok(Some(readable));
        }
    }
    Ok(None)
}

async fn look(client: &Client, located: &Located) -> Result<Option<Readable>> {
    if is_internal(&located.schema) {
        return Ok(None);
    }
    let found = physical::find(client, located).await?;
    let Some(found) = found.filter(|found| found.kind != Kind::Other) else {
        return Ok(None);
    };
    let remembered = state::read_table(client, &located.sql()).await?;
    let state = remembered.map(|remembered| remembered.state);
    readable(client, located.clone(), found, state)
        .await
        .map(Some)
}

async fn readable(
    client: &Client,
    located: Located,
    found: Found,
    state: Option<bucketline_destination::TableState>,
) -> Result<Readable> {
    let columns = physical::columns(client, found.oid).await?;
    let key = physical::key(client, found.oid).await?;
    let state = state.filter(|state| found.kind == Kind::Table && state.record != state::ADOPTING);
    let ours = state.as_ref().map(|state| state.columns.clone());
    let shown = |names: &[String], ours: Option<&SchemaRef>| -> Vec<String> {
        names
            .iter()
            .map(|name| physical::shown(name, ours))
            .collect()
    };
    let status = TableStatus {
        physical: Physical::Table {
            columns: physical::schema(&columns, ours.as_ref()),
            key: shown(&key, ours.as_ref()),
            empty: false,
        },
        state,
    };
    let is_ours = status.is_ours();
    let ours = ours.filter(|_| is_ours);
    let info = TableInfo {
        name: located.table_name(),
        schema: physical::schema(&columns, ours.as_ref()),
        key: shown(&key, ours.as_ref()),
        ours: is_ours,
        view: found.kind != Kind::Table,
    };
    Ok(Readable {
        info,
        located,
        columns,
    })
}

/// A reading that starts when it is first polled.
pub(crate) fn stream(pool: Pool, candidates: Vec<Located>, query: Query) -> BatchStream {
    stream::once(start(pool, candidates, query))
        .try_flatten()
        .boxed()
}

/// The rows come as they are asked for. The connection is the reading's own and ends with it, whatever is still to come.
async fn start(pool: Pool, candidates: Vec<Located>, query: Query) -> Result<BatchStream> {
    let client = pool.dedicated().await?;
    let readable = first(&client, &candidates).await?;
    let readable = readable.ok_or_else(|| no_table(&query.table))?;
    let schema = readable.projected(&query)?;
    let (sql, values) = readable.select(&query, &schema);
    let values: Vec<&(dyn ToSql + Sync)> = values
        .iter()
        .map(|value| value.as_ref() as &(dyn ToSql + Sync))
        .collect();
    let statement = client.prepare(&sql).await.doing(DOING)?;
    let rows = client.query_raw(&statement, values).await.doing(DOING)?;
    let rows = Box::pin(rows.ready_chunks(BATCH));
    let reading = (rows, Decoder::new(schema), client);
    let batches = stream::try_unfold(reading, |(mut rows, mut decoder, client)| async move {
        while decoder.rows() < BATCH {
            let Some(chunk) = rows.next().await else {
                break;
            };
            for row in chunk {
                decoder.push(&row.doing(DOING)?)?;
            }
        }
        if decoder.rows() == 0 {
            return Ok(None);
        }
        Ok(Some((decoder.finish()?, (rows, decoder, client))))
    });
    Ok(batches.boxed())
}

fn no_table(table: &TableName) -> Error {
    Error::new(code::NOT_FOUND, format!("there is no table {table}"))
}

impl Readable {
    /// The columns that a query wants.
    fn projected(&self, query: &Query) -> Result<SchemaRef> {
        let schema = &self.info.schema;
        let index = |name: &String| {
            let mut fields = schema.fields().iter();
            fields
                .position(|field| field.name().eq_ignore_ascii_case(name))
                .ok_or_else(|| {
                    let message = format!("{} has no column {name}", query.table);
                    Error::new(code::NOT_FOUND, message)
                })
        };
        let places = query
            .columns
            .iter()
            .map(index)
            .collect::<Result<Vec<_>>>()?;
        let projected = schema.project(&places);
        let projected = projected
            .map_err(|error| Error::new(code::DATABASE, error.to_string()).with_source(error))?;
        Ok(projected.into())
    }

    /// The table's column of a name as readers know it.
    fn column(&self, name: &str) -> Option<(&Column, ColumnType)> {
        let mut fields = self.info.schema.fields().iter().zip(&self.columns);
        let (field, column) = fields.find(|(field, _)| field.name().eq_ignore_ascii_case(name))?;
        Some((column, ColumnType::of(field)))
    }

    fn select(
        &self,
        query: &Query,
        schema: &SchemaRef,
    ) -> (String, Vec<Box<dyn ToSql + Sync + Send>>) {
        let columns = schema.fields().iter().filter_map(|field| {
            let (column, column_type) = self.column(field.name())?;
            Some(read_as(&quote(&column.name), column_type, &column.sql_type))
        });
        let columns: Vec<String> = columns.collect();
        let mut sql = format!("SELECT {} FROM {}", columns.join(", "), self.located.sql());
        let mut values: Vec<Box<dyn ToSql + Sync + Send>> = Vec::new();
        let conditions: Vec<String> = query
            .conditions
            .iter()
            .filter_map(|condition| {
                let (condition, value) = self.condition(condition, values.len() + 1)?;
                values.push(value);
                Some(condition)
            })
            .collect();
        if !conditions.is_empty() {
            sql.push_str(&format!(" WHERE {}", conditions.join(" AND ")));
        }
        // What is left out here is evaluated by the reader, who may then need more rows.
        if let Some(limit) = query
            .limit
            .filter(|_| conditions.len() == query.conditions.len())
        {
            sql.push_str(&format!(" LIMIT {limit}"));
        }
        (sql, values)
    }

    /// A condition as SQL, with its value, if the server means the same by it: texts are compared byte by byte.
    fn condition(
        &self,
        condition: &Condition,
        number: usize,
    ) -> Option<(String, Box<dyn ToSql + Sync + Send>)> {
        let (column, column_type) = self.column(&condition.column)?;
        let name = quote(&column.name);
        let operator = match condition.operator {
            known @ ("=" | "<>" | "<" | "<=" | ">" | ">=") => known,
            _ => return None,
        };
        match (&condition.value, column_type) {
            (Scalar::Int(value), ColumnType::Int) => Some((
                format!("{name} {operator} ${number}::bigint"),
                Box::new(*value),
            )),
            (Scalar::Bool(value), ColumnType::Boolean) => Some((
                format!("{name} {operator} ${number}::boolean"),
                Box::new(*value),
            )),
            (Scalar::Text(value), ColumnType::Text) if !value.contains('\0') => {
                let value: Box<dyn ToSql + Sync + Send> = Box::new(value.clone());
                let plain = column.sql_type == "text" && column.is_bytewise;
                Some(match (plain, operator) {
                    (true, "=" | "<>") => (format!("{name} {operator} ${number}::text"), value),
                    (true, _) => (
                        format!("{name} COLLATE \"C\" {operator} ${number}::text"),
                        value,
                    ),
                    // Of another type, such as `character(5)`, or a collation that compares otherwise.
                    (false, _) => (
                        format!("{name}::text COLLATE \"C\" {operator} ${number}::text"),
                        value,
                    ),
                })
            }
            _ => None,
        }
    }
}
