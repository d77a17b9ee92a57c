//! The system tables: what can be read, as tables. Their columns follow the CData driver's.

use std::sync::Arc;

use bucketline_source::spec::{ColumnKind, LOGICAL_TYPE};
use bucketline_source::{
    ColumnSpec, ErrorKind as SourceErrorKind, ReadContext, ScanRequest, Scope, Source, TableSpec,
};
use datafusion::arrow::array::{ArrayRef, BooleanArray, Int32Array, RecordBatch, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::TableProvider;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use futures::{FutureExt, TryFutureExt, stream};

use crate::catalog::{Catalog, CatalogTable, Connection};
use crate::names::{Table, Within};
use crate::session::Registered;
use crate::{Error, Result};

/// One system table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SystemTable {
    Catalogs,
    Schemas,
    Tables,
    TableColumns,
}

const ALL: [SystemTable; 4] = [
    SystemTable::Catalogs,
    SystemTable::Schemas,
    SystemTable::Tables,
    SystemTable::TableColumns,
];

/// The schema name under which tables of a destination without schemas are listed.
pub(crate) const NO_SCHEMA: &str = "main";

/// What DESCRIBE says of a column.
const DESCRIBED: [&str; 5] = [
    "ColumnName",
    "DataTypeName",
    "IsNullable",
    "IsKey",
    "Description",
];

impl SystemTable {
    pub(crate) fn find(name: &str) -> Option<Self> {
        ALL.into_iter()
            .find(|table| table.name().eq_ignore_ascii_case(name))
    }

    pub(crate) fn names() -> impl Iterator<Item = &'static str> {
        ALL.into_iter().map(Self::name)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Catalogs => "sys_catalogs",
            Self::Schemas => "sys_schemas",
            Self::Tables => "sys_tables",
            Self::TableColumns => "sys_tablecolumns",
        }
    }

    /// The table over some connections, its tables and columns those of one schema if that is given. Its rows are
    /// made when it is read; only `sys_schemas` needs requests.
    pub(crate) fn over(
        self,
        connections: &[Registered],
        within: Option<Within>,
        context: &ReadContext,
    ) -> Arc<dyn TableProvider> {
        let partition = SystemPartition {
            table: self,
            connections: connections.to_vec(),
            within,
            context: context.clone(),
            schema: Arc::new(self.schema()),
        };
        let schema = Arc::clone(&partition.schema);
        match StreamingTable::try_new(schema, vec![Arc::new(partition)]) {
            Ok(table) => Arc::new(table),
            Err(error) => unreachable!("the partition has the table's schema: {error}"),
        }
    }

    fn schema(self) -> Schema {
        let text = |name: &str| Field::new(name, DataType::Utf8, true);
        let number = |name: &str| Field::new(name, DataType::Int32, true);
        let flag = |name: &str| Field::new(name, DataType::Boolean, true);
        Schema::new(match self {
            Self::Catalogs => vec![text("CatalogName")],
            Self::Schemas => vec![text("CatalogName"), text("SchemaName")],
            Self::Tables => vec![
                text("CatalogName"),
                text("SchemaName"),
                text("TableName"),
                text("TableType"),
                text("Description"),
                flag("IsUpdateable"),
            ],
            Self::TableColumns => vec![
                text("CatalogName"),
                text("SchemaName"),
                text("TableName"),
                text("ColumnName"),
                text("DataTypeName"),
                number("DataType"),
                number("Length"),
                number("DisplaySize"),
                number("NumericPrecision"),
                number("NumericScale"),
                flag("IsNullable"),
                text("Description"),
                number("Ordinal"),
                text("IsAutoIncrement"),
                text("IsGeneratedColumn"),
                flag("IsHidden"),
                flag("IsArray"),
                flag("IsReadOnly"),
                flag("IsKey"),
                text("ColumnType"),
                text("FieldControl"),
            ],
        })
    }
}

#[derive(Debug)]
struct SystemPartition {
    table: SystemTable,
    connections: Vec<Registered>,
    within: Option<Within>,
    context: ReadContext,
    schema: SchemaRef,
}

impl PartitionStream for SystemPartition {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let (table, schema) = (self.table, Arc::clone(&self.schema));
        let (connections, context) = (self.connections.clone(), self.context.clone());
        let within = self.within.clone();
        let rows =
            async move { rows(table, schema, &connections, within.as_ref(), &context).await };
        let batches = stream::once(rows.map_err(Into::into).boxed());
        Box::pin(RecordBatchStreamAdapter::new(
            Arc::clone(&self.schema),
            batches,
        ))
    }
}

async fn rows(
    table: SystemTable,
    schema: SchemaRef,
    connections: &[Registered],
    within: Option<&Within>,
    context: &ReadContext,
) -> Result<RecordBatch> {
    let mut rows = Vec::new();
    for Registered { name, connection } in connections {
        match (table, connection) {
            (SystemTable::Catalogs, _) => rows.push(vec![text(name)]),
            (SystemTable::Schemas, Connection::Source(source)) => {
                let scopes = source.scopes(context).await?;
                rows.extend(
                    scopes
                        .iter()
                        .map(|scope| vec![text(name), text(&scope.name)]),
                );
            }
            (SystemTable::Schemas, Connection::Catalog(catalog)) => {
                let mut schemas: Vec<String> = catalog
                    .tables()
                    .await?
                    .iter()
                    .map(|table| schema_of(table).to_owned())
                    .collect();
                schemas.sort();
                schemas.dedup();
                rows.extend(schemas.iter().map(|schema| vec![text(name), text(schema)]));
            }
            (SystemTable::Tables, Connection::Source(source)) => {
                rows.extend(source_tables(name, source, &scope(source, within)));
            }
            (SystemTable::Tables, Connection::Catalog(catalog)) => {
                rows.extend(catalog_tables(catalog, within).await?.iter().map(|table| {
                    let kind = if table.view { "VIEW" } else { "TABLE" };
                    let place = [text(name), text(schema_of(table)), text(&table.name)];
                    place
                        .into_iter()
                        .chain([text(kind), Cell::Null, Cell::Flag(false)])
                        .collect()
                }));
            }
            (SystemTable::TableColumns, Connection::Source(source)) => {
                rows.extend(source_columns(name, source, &scope(source, within)));
            }
            (SystemTable::TableColumns, Connection::Catalog(catalog)) => {
                rows.extend(
                    catalog_tables(catalog, within)
                        .await?
                        .iter()
                        .flat_map(|table| {
                            let place = [name.as_str(), schema_of(table), &table.name];
                            field_rows(&table.columns, &table.key, place)
                        }),
                );
            }
        }
    }
    batch(schema, rows)
}

/// The scope whose tables are listed.
fn scope(source: &Arc<dyn Source>, within: Option<&Within>) -> Scope {
    match within {
        Some(Within::Scope(scope)) => scope.clone(),
        _ => source.default_scope(),
    }
}

/// The tables that a scope has.
fn tables_in<'a>(
    source: &'a Arc<dyn Source>,
    scope: &'a Scope,
) -> impl Iterator<Item = &'a Arc<TableSpec>> {
    source.tables().iter().filter(|table| {
        let request = ScanRequest {
            table: Arc::clone(table),
            scope: scope.clone(),
            columns: Vec::new(),
            predicates: Vec::new(),
            order: None,
            limit: None,
            page_size: None,
        };
        let planned = source.plan(request);
        !matches!(planned, Err(error) if error.kind() == SourceErrorKind::Name)
    })
}

/// The tables of a catalog, or of one of its schemas.
async fn catalog_tables(
    catalog: &Arc<dyn Catalog>,
    within: Option<&Within>,
) -> Result<Vec<CatalogTable>> {
    let mut tables = catalog.tables().await?;
    if let Some(Within::Named(schema)) = within {
        tables.retain(|table| schema_of(table) == schema || table.qualifier() == Some(schema));
    }
    Ok(tables)
}

fn source_tables(catalog: &str, source: &Arc<dyn Source>, scope: &Scope) -> Vec<Vec<Cell>> {
    let tables =
        tables_in(source, scope).map(|table| (table.name.as_str(), "TABLE", table.doc.as_str()));
    let system =
        SystemTable::names().map(|table| (table, "SYSTABLE", "What can be read, as a table."));
    let row = |(table, kind, doc)| {
        vec![
            text(catalog),
            text(&scope.name),
            text(table),
            text(kind),
            text(doc),
            Cell::Flag(false),
        ]
    };
    tables.chain(system).map(row).collect()
}

fn source_columns(catalog: &str, source: &Arc<dyn Source>, scope: &Scope) -> Vec<Vec<Cell>> {
    tables_in(source, scope)
        .flat_map(|table| spec_rows(table, [catalog, &scope.name, &table.name]))
        .collect()
}

/// The columns of a source's table, which is at a place: connection, schema, table.
fn spec_rows(table: &TableSpec, place: [&str; 3]) -> Vec<Vec<Cell>> {
    let row = |(index, column): (usize, &ColumnSpec)| {
        let facts = Facts {
            nullable: column.nullable,
            doc: Some(&column.doc),
            key: table.key.contains(&index),
        };
        facts.row(place, &column.name, SqlType::of_kind(column.kind), index)
    };
    table.columns.iter().enumerate().map(row).collect()
}

/// The columns of any other table.
fn field_rows(schema: &Schema, key: &[String], place: [&str; 3]) -> Vec<Vec<Cell>> {
    let row = |(index, field): (usize, &Arc<Field>)| {
        let facts = Facts {
            nullable: field.is_nullable(),
            doc: None,
            key: key
                .iter()
                .any(|column| column.eq_ignore_ascii_case(field.name())),
        };
        facts.row(place, field.name(), SqlType::of_field(field), index)
    };
    schema.fields().iter().enumerate().map(row).collect()
}

/// The columns of a table, a row each.
pub(crate) fn describe(table: &Table) -> Result<RecordBatch> {
    let rows = match table {
        Table::Source(table) => spec_rows(&table.table, [""; 3]),
        Table::Other { provider, key } => field_rows(&provider.schema(), key, [""; 3]),
    };
    let schema = Arc::new(SystemTable::TableColumns.schema());
    let described: Vec<usize> = DESCRIBED
        .iter()
        .filter_map(|name| schema.index_of(name).ok())
        .collect();
    batch(schema, rows)?
        .project(&described)
        .map_err(|error| Error::from_datafusion(error.into(), None))
}

fn schema_of(table: &CatalogTable) -> &str {
    table.schema.as_deref().unwrap_or(NO_SCHEMA)
}

struct Facts<'a> {
    nullable: bool,
    doc: Option<&'a str>,
    key: bool,
}

impl Facts<'_> {
    fn row(&self, place: [&str; 3], column: &str, kind: SqlType, index: usize) -> Vec<Cell> {
        let ordinal = i32::try_from(index + 1).unwrap_or(i32::MAX);
        place
            .map(text)
            .into_iter()
            .chain([
                text(column),
                text(kind.name),
                Cell::Number(kind.code),
                kind.length.map_or(Cell::Null, Cell::Number),
                kind.length.map_or(Cell::Null, Cell::Number),
                kind.precision.map_or(Cell::Null, Cell::Number),
                kind.precision.map_or(Cell::Null, |_| Cell::Number(0)),
                Cell::Flag(self.nullable),
                self.doc.map_or(Cell::Null, text),
                Cell::Number(ordinal),
                text("NO"),
                text("NO"),
                Cell::Flag(false),
                Cell::Flag(false),
                Cell::Flag(true),
                Cell::Flag(self.key),
                Cell::Null,
                Cell::Null,
            ])
            .collect()
    }
}

/// A column's type in the terms of JDBC (`java.sql.Types`), which the driver's users know.
struct SqlType {
    name: &'static str,
    code: i32,
    length: Option<i32>,
    precision: Option<i32>,
}

impl SqlType {
    const BOOLEAN: Self = Self {
        name: "BOOLEAN",
        code: 16,
        length: Some(1),
        precision: None,
    };
    const BIGINT: Self = Self {
        name: "BIGINT",
        code: -5,
        length: Some(19),
        precision: Some(19),
    };
    const DOUBLE: Self = Self {
        name: "DOUBLE",
        code: 8,
        length: Some(15),
        precision: Some(15),
    };
    const VARCHAR: Self = Self {
        name: "VARCHAR",
        code: 12,
        length: None,
        precision: None,
    };
    const JSON: Self = Self {
        name: "JSON",
        code: 12,
        length: None,
        precision: None,
    };
    const DATE: Self = Self {
        name: "DATE",
        code: 91,
        length: Some(10),
        precision: None,
    };
    const TIMESTAMP: Self = Self {
        name: "TIMESTAMP",
        code: 93,
        length: Some(27),
        precision: None,
    };
    const BINARY: Self = Self {
        name: "VARBINARY",
        code: -3,
        length: None,
        precision: None,
    };
    const OTHER: Self = Self {
        name: "OTHER",
        code: 1111,
        length: None,
        precision: None,
    };

    fn of_kind(kind: ColumnKind) -> Self {
        match kind {
            ColumnKind::Bool => Self::BOOLEAN,
            ColumnKind::Int => Self::BIGINT,
            ColumnKind::Float => Self::DOUBLE,
            ColumnKind::Text => Self::VARCHAR,
            ColumnKind::Timestamp => Self::TIMESTAMP,
            ColumnKind::Json => Self::JSON,
        }
    }

    fn of_field(field: &Field) -> Self {
        match field.data_type() {
            DataType::Boolean => Self::BOOLEAN,
            kind if kind.is_integer() => Self::BIGINT,
            kind if kind.is_floating() => Self::DOUBLE,
            DataType::Utf8
                if field
                    .metadata()
                    .get(LOGICAL_TYPE)
                    .is_some_and(|it| it == "json") =>
            {
                Self::JSON
            }
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Self::VARCHAR,
            DataType::Timestamp(..) => Self::TIMESTAMP,
            DataType::Date32 | DataType::Date64 => Self::DATE,
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView => Self::BINARY,
            _ => Self::OTHER,
        }
    }
}

#[derive(Debug, Clone)]
enum Cell {
    Null,
    Text(String),
    Number(i32),
    Flag(bool),
}

fn text(value: &str) -> Cell {
    Cell::Text(value.to_owned())
}

fn batch(schema: SchemaRef, rows: Vec<Vec<Cell>>) -> Result<RecordBatch> {
    let arrays = schema
        .fields()
        .iter()
        .enumerate()
        .map(|(index, field)| -> ArrayRef {
            let cells = rows.iter().map(|row| &row[index]);
            match field.data_type() {
                DataType::Int32 => Arc::new(Int32Array::from_iter(cells.map(|cell| match cell {
                    Cell::Number(value) => Some(*value),
                    _ => None,
                }))),
                DataType::Boolean => {
                    Arc::new(BooleanArray::from_iter(cells.map(|cell| match cell {
                        Cell::Flag(value) => Some(*value),
                        _ => None,
                    })))
                }
                _ => Arc::new(StringArray::from_iter(cells.map(|cell| match cell {
                    Cell::Text(value) => Some(value),
                    _ => None,
                }))),
            }
        });
    let arrays = arrays.collect();
    RecordBatch::try_new(schema, arrays).map_err(|error| Error::from_datafusion(error.into(), None))
}
