//! What is in the file, whoever made it.

use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use bucketline_destination::{ColumnType, Physical, Result, TableState, TableStatus};
use rusqlite::{Connection, OptionalExtension};

use crate::cell::declaration;
use crate::error::Doing;
use crate::name::{self, quote};
use crate::state;

const DOING: &str = "reading the tables of the file";

/// A column as SQLite describes it.
#[derive(Debug, Clone)]
pub(crate) struct Declared {
    pub(crate) name: String,
    /// The type as it was declared, in upper case; empty if none was.
    pub(crate) declared: String,
    pub(crate) not_null: bool,
    /// Its place in the primary key, from 1; 0 if it is not in it.
    pub(crate) key: i64,
    /// It is computed and cannot be written.
    pub(crate) generated: bool,
}

/// A table or view.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    /// `table`, `view`, `index` or `virtual table`.
    pub(crate) kind: String,
    /// Its name as it was spelled when it was made.
    pub(crate) name: String,
    /// The statement that made it.
    pub(crate) sql: String,
}

/// What has a name; ASCII case is ignored.
pub(crate) fn find(connection: &Connection, name: &str) -> Result<Option<Found>> {
    connection
        .query_row(
            "SELECT type, name, coalesce(sql, '') FROM sqlite_master
             WHERE name = ?1 COLLATE NOCASE AND type IN ('table', 'view', 'index')",
            [name],
            |row| {
                let (kind, name, sql): (String, String, String) =
                    (row.get(0)?, row.get(1)?, row.get(2)?);
                let is_virtual = sql
                    .get(..14)
                    .is_some_and(|s| s.eq_ignore_ascii_case("CREATE VIRTUAL"));
                let kind = if is_virtual {
                    String::from("virtual table")
                } else {
                    kind
                };
                Ok(Found { kind, name, sql })
            },
        )
        .optional()
        .doing(DOING)
}

/// The columns of a table or view.
pub(crate) fn columns(connection: &Connection, name: &str) -> Result<Vec<Declared>> {
    let mut query = connection
        .prepare(
            "SELECT name, upper(type), \"notnull\", pk, hidden FROM pragma_table_xinfo(?1)
             WHERE hidden <> 1 ORDER BY cid",
        )
        .doing(DOING)?;
    let columns = query.query_map([name], |row| {
        Ok(Declared {
            name: row.get(0)?,
            declared: row.get(1)?,
            not_null: row.get(2)?,
            key: row.get(3)?,
            generated: row.get::<_, i64>(4)? != 0,
        })
    });
    columns.and_then(Iterator::collect).doing(DOING)
}

/// The columns of the primary key, else of the first unique index of whole columns that has no WHERE.
pub(crate) fn key(
    connection: &Connection,
    name: &str,
    columns: &[Declared],
) -> Result<Vec<String>> {
    let mut primary: Vec<&Declared> = columns.iter().filter(|column| column.key > 0).collect();
    if !primary.is_empty() {
        primary.sort_by_key(|column| column.key);
        return Ok(primary
            .into_iter()
            .map(|column| column.name.clone())
            .collect());
    }
    let mut query = connection
        .prepare(
            "SELECT (SELECT json_group_array(name) FROM (
                 SELECT name FROM pragma_index_info(list.name) ORDER BY seqno))
             FROM pragma_index_list(?1) AS list WHERE \"unique\" AND NOT partial ORDER BY seq DESC",
        )
        .doing(DOING)?;
    let mut rows = query.query([name]).doing(DOING)?;
    while let Some(row) = rows.next().doing(DOING)? {
        let names: String = row.get(0).doing(DOING)?;
        let names: Vec<Option<String>> = serde_json::from_str(&names).unwrap_or_default();
        if let Some(names) = names.into_iter().collect::<Option<Vec<String>>>() {
            return Ok(names);
        }
    }
    Ok(Vec::new())
}

/// The type that a declared type stands for. `None` where only the values can tell.
pub(crate) fn declared_type(declared: &str) -> Option<ColumnType> {
    let has = |part: &str| declared.contains(part);
    if declared.starts_with("BOOL") {
        Some(ColumnType::Boolean)
    } else if has("INT") {
        Some(ColumnType::Int)
    } else if has("JSON") {
        Some(ColumnType::Json)
    } else if has("CHAR") || has("CLOB") || has("TEXT") || has("DATE") || has("TIME") {
        Some(ColumnType::Text)
    } else if has("BLOB") {
        Some(ColumnType::Binary)
    } else if has("REAL") || has("FLOA") || has("DOUB") {
        Some(ColumnType::Float)
    } else {
        None
    }
}

/// The type that we declare in these words.
pub(crate) fn exact_type(declared: &str) -> Option<ColumnType> {
    const TYPES: [ColumnType; 9] = [
        ColumnType::Boolean,
        ColumnType::Int,
        ColumnType::Float,
        ColumnType::Text,
        ColumnType::Json,
        ColumnType::Binary,
        ColumnType::Date,
        ColumnType::Time,
        ColumnType::Instant,
    ];
    let simple = TYPES.into_iter().find(|it| declaration(*it) == declared);
    simple.or_else(|| {
        let digits = declared.strip_prefix("TEXT ").unwrap_or(declared);
        let digits = digits.strip_prefix("DECIMAL(")?.strip_suffix(')')?;
        let (precision, scale) = digits.split_once(',')?;
        Some(ColumnType::Decimal {
            precision: precision.parse().ok()?,
            scale: scale.parse().ok()?,
        })
    })
}

/// Fact and state of a table.
pub(crate) fn status(connection: &Connection, name: &str, folded: &str) -> Result<TableStatus> {
    let state = state::read(connection, folded)?.map(|remembered| remembered.state);
    let mut state = state.filter(|state| state.record != state::ADOPTING);
    if let Some(state) = state.as_mut().filter(|state| state.staged.is_some())
        && find(connection, &name::staging(folded))?.is_none()
    {
        // Somebody dropped it.
        state.staged = None;
    }
    let physical = fact(connection, name, state.as_ref())?;
    Ok(TableStatus { state, physical })
}

/// What is there, in the types that our state says its columns have.
pub(crate) fn fact(
    connection: &Connection,
    name: &str,
    state: Option<&TableState>,
) -> Result<Physical> {
    Ok(match find(connection, name)? {
        None => Physical::Absent,
        Some(found) if found.kind == "table" => {
            let columns = columns(connection, &found.name)?;
            let key = key(connection, &found.name, &columns)?;
            let sql = format!("SELECT NOT EXISTS (SELECT 1 FROM {})", quote(&found.name));
            let empty = connection
                .query_row(&sql, [], |row| row.get(0))
                .doing(DOING)?;
            let ours = state.map(|state| &state.columns);
            Physical::Table {
                columns: schema(&columns, ours),
                key,
                empty,
            }
        }
        Some(found) => Physical::Other { kind: found.kind },
    })
}

fn schema(columns: &[Declared], ours: Option<&SchemaRef>) -> SchemaRef {
    let field = |column: &Declared| {
        let known = ours.and_then(|ours| {
            ours.fields()
                .iter()
                .find(|field| field.name().eq_ignore_ascii_case(&column.name))
        });
        let column_type = match known {
            Some(field) => ColumnType::of(field),
            None => exact_type(&column.declared)
                .or_else(|| declared_type(&column.declared))
                .unwrap_or(ColumnType::Text),
        };
        column_type.field(&column.name, !column.not_null)
    };
    Arc::new(Schema::new(
        columns.iter().map(field).collect::<Vec<Field>>(),
    ))
}
