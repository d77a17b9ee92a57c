//! What is really there.

use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use bucketline_destination::{ColumnType, Physical, Result, TableState, TableStatus};
use tokio_postgres::Client;

use crate::connection::Doing;
use crate::name::{Located, fold, quote};
use crate::state;

const DOING: &str = "looking at the table";

/// Something that has a name.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) oid: u32,
    pub(crate) kind: Kind,
}

/// What it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Table,
    View,
    MaterializedView,
    ForeignTable,
    Other,
}

impl Kind {
    pub(crate) fn of(relkind: i8) -> Self {
        match u8::try_from(relkind).unwrap_or_default() {
            b'r' | b'p' => Self::Table,
            b'v' => Self::View,
            b'm' => Self::MaterializedView,
            b'f' => Self::ForeignTable,
            _ => Self::Other,
        }
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::View => "view",
            Self::MaterializedView => "materialized view",
            Self::ForeignTable => "foreign table",
            Self::Other => "relation",
        }
    }
}

/// A column as the server has it.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    pub(crate) name: String,
    /// Its type with modifiers: `numeric(10,2)`.
    pub(crate) sql_type: String,
    pub(crate) not_null: bool,
    /// Texts that are equal are the same bytes; a collation may say otherwise.
    pub(crate) is_bytewise: bool,
}

pub(crate) async fn find(client: &Client, table: &Located) -> Result<Option<Found>> {
    let row = client
        .query_opt(
            "SELECT c.oid, c.relkind FROM pg_catalog.pg_class AS c
             JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
             WHERE n.nspname = $1 AND c.relname = $2",
            &[&table.schema, &table.name],
        )
        .await
        .doing(DOING)?;
    Ok(row.map(|row| Found {
        oid: row.get(0),
        kind: Kind::of(row.get(1)),
    }))
}

pub(crate) async fn columns(client: &Client, oid: u32) -> Result<Vec<Column>> {
    let rows = client
        .query(
            "SELECT attname::text, format_type(atttypid, atttypmod), attnotnull,
                    coalesce(collisdeterministic, TRUE)
             FROM pg_catalog.pg_attribute AS a
             LEFT JOIN pg_catalog.pg_collation AS c ON c.oid = a.attcollation
             WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
            &[&oid],
        )
        .await
        .doing(DOING)?;
    Ok(rows
        .iter()
        .map(|row| Column {
            name: row.get(0),
            sql_type: row.get(1),
            not_null: row.get(2),
            is_bytewise: row.get(3),
        })
        .collect())
}

/// The columns of the primary key, or of a unique index of columns alone that are never NULL.
pub(crate) async fn key(client: &Client, oid: u32) -> Result<Vec<String>> {
    let rows = client
        .query(
            "SELECT a.attname::text
             FROM (SELECT indexrelid, indkey, indnkeyatts FROM pg_catalog.pg_index AS i
                   WHERE indrelid = $1 AND indisunique AND indisvalid AND indpred IS NULL
                     AND indexprs IS NULL AND (indisprimary OR NOT EXISTS (
                       SELECT 1 FROM pg_catalog.pg_attribute AS b
                       WHERE b.attrelid = $1 AND b.attnum = ANY (i.indkey) AND NOT b.attnotnull))
                   ORDER BY indisprimary DESC, indexrelid LIMIT 1) AS i,
                  unnest(i.indkey[0:i.indnkeyatts - 1]) WITH ORDINALITY AS k (attnum, place)
             JOIN pg_catalog.pg_attribute AS a ON a.attrelid = $1 AND a.attnum = k.attnum
             ORDER BY k.place",
            &[&oid],
        )
        .await
        .doing(DOING)?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// The type that a column of a type of the server's is read as: text for those of which nothing better is known.
pub(crate) fn column_type(sql_type: &str) -> ColumnType {
    let (name, modifiers) = match sql_type.split_once('(') {
        Some((name, rest)) => (name, rest.split_once(')').map(|(inner, _)| inner)),
        None => (sql_type, None),
    };
    if sql_type.ends_with("[]") {
        return ColumnType::Json;
    }
    match name {
        "boolean" => ColumnType::Boolean,
        "smallint" | "integer" | "bigint" | "oid" => ColumnType::Int,
        "real" | "double precision" => ColumnType::Float,
        "numeric" => {
            let numbers = modifiers.and_then(|modifiers| modifiers.split_once(','));
            let parsed = numbers.and_then(|(precision, scale)| {
                Some((precision.parse::<u8>().ok()?, scale.parse::<i8>().ok()?))
            });
            match parsed {
                Some((precision, scale))
                    if precision <= 76 && i16::from(scale) <= i16::from(precision) =>
                {
                    ColumnType::Decimal { precision, scale }
                }
                _ => ColumnType::Text,
            }
        }
        "json" | "jsonb" => ColumnType::Json,
        "bytea" => ColumnType::Binary,
        "date" => ColumnType::Date,
        "time" if !sql_type.contains("with time zone") => ColumnType::Time,
        "time without time zone" => ColumnType::Time,
        "timestamp" if sql_type.contains("with time zone") => ColumnType::Instant,
        "timestamp with time zone" => ColumnType::Instant,
        "timestamp" | "timestamp without time zone" => ColumnType::LocalTime,
        _ => ColumnType::Text,
    }
}

/// The names of columns of ours in the order given, each as the table has it: exactly so if there is such a column,
/// else in small letters.
pub(crate) fn stored_names<'a>(
    names: impl IntoIterator<Item = &'a str>,
    present: &[Column],
) -> Vec<String> {
    let stored = |name: &str| {
        let is_exact = present.iter().any(|column| column.name == name);
        if is_exact {
            name.to_owned()
        } else {
            fold(name)
        }
    };
    names.into_iter().map(stored).collect()
}

/// Fact and state of a table.
pub(crate) async fn status(client: &Client, table: &Located) -> Result<TableStatus> {
    let remembered = state::read(client, &table.sql()).await?;
    let id = remembered.as_ref().map(|remembered| remembered.id);
    let state = remembered.map(|remembered| remembered.state);
    let mut state = state.filter(|state| state.record != state::ADOPTING);
    if let (Some(state), Some(id)) = (state.as_mut().filter(|state| state.staged.is_some()), id)
        && find(client, &Located::staging(id)).await?.is_none()
    {
        // Somebody dropped it.
        state.staged = None;
    }
    let physical = fact(client, table, state.as_ref()).await?;
    Ok(TableStatus { state, physical })
}

/// What is there, in the names and types that our state says its columns have.
pub(crate) async fn fact(
    client: &Client,
    table: &Located,
    state: Option<&TableState>,
) -> Result<Physical> {
    let Some(found) = find(client, table).await? else {
        return Ok(Physical::Absent);
    };
    if found.kind != Kind::Table {
        return Ok(Physical::Other {
            kind: found.kind.word().to_owned(),
        });
    }
    let columns = columns(client, found.oid).await?;
    let ours = state.map(|state| &state.columns);
    let key = key(client, found.oid).await?;
    let sql = format!("SELECT NOT EXISTS (SELECT 1 FROM {})", table.sql());
    let empty = client.query_one(&sql, &[]).await.doing(DOING)?.get(0);
    Ok(Physical::Table {
        key: key.iter().map(|name| shown(name, ours)).collect(),
        columns: schema(&columns, ours),
        empty,
    })
}

/// The spelling in which our state knows a column, or its own.
pub(crate) fn shown(name: &str, ours: Option<&SchemaRef>) -> String {
    let mut known = ours.into_iter().flat_map(|ours| ours.fields());
    let known = known.find(|field| field.name() == name || fold(field.name()) == name);
    known.map_or_else(|| name.to_owned(), |field| field.name().clone())
}

pub(crate) fn schema(columns: &[Column], ours: Option<&SchemaRef>) -> SchemaRef {
    let field = |column: &Column| {
        let name = shown(&column.name, ours);
        let known = ours.and_then(|ours| ours.field_with_name(&name).ok());
        let column_type = known.map_or_else(|| column_type(&column.sql_type), ColumnType::of);
        column_type.field(&name, !column.not_null)
    };
    Arc::new(Schema::new(
        columns.iter().map(field).collect::<Vec<Field>>(),
    ))
}

/// A column cast to what it is read as, as SQL. JSON is read as text: a value of the type `json` may be one that
/// `jsonb` has no place for.
pub(crate) fn read_as(sql: &str, column_type: ColumnType, declared: &str) -> String {
    match column_type {
        ColumnType::Json if declared != "json" && declared != "jsonb" => {
            format!("to_jsonb({sql})::text")
        }
        ColumnType::Json => format!("{sql}::text"),
        column_type => format!("{sql}::{}", crate::encode::sql_type(column_type)),
    }
}

/// Names as SQL, separated by commas.
pub(crate) fn quote_all<'a>(names: impl IntoIterator<Item = &'a String>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| quote(name)).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_of_the_server() {
        for (sql, expected) in [
            ("boolean", ColumnType::Boolean),
            ("integer", ColumnType::Int),
            ("real", ColumnType::Float),
            (
                "numeric(10,2)",
                ColumnType::Decimal {
                    precision: 10,
                    scale: 2,
                },
            ),
            ("numeric", ColumnType::Text),
            ("numeric(3,5)", ColumnType::Text),
            ("numeric(100,2)", ColumnType::Text),
            ("character varying(20)", ColumnType::Text),
            ("uuid", ColumnType::Text),
            ("integer[]", ColumnType::Json),
            ("jsonb", ColumnType::Json),
            ("bytea", ColumnType::Binary),
            ("time without time zone", ColumnType::Time),
            ("time(3) without time zone", ColumnType::Time),
            ("time with time zone", ColumnType::Text),
            ("timestamp(3) with time zone", ColumnType::Instant),
            ("timestamp with time zone", ColumnType::Instant),
            ("timestamp without time zone", ColumnType::LocalTime),
            ("timestamp(0) without time zone", ColumnType::LocalTime),
            ("interval", ColumnType::Text),
        ] {
            assert_eq!(column_type(sql), expected, "{sql}");
        }
    }
}
