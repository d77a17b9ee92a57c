//! The system tables: what can be read, as tables. Their columns follow the CData driver's.

mod connections;
mod keys;
mod product;

use crate::error::{Carry, from_datafusion};
use std::sync::Arc;

use bucketline_core::Kind;
use bucketline_source::spec::{ColumnKind, LOGICAL_TYPE};
use bucketline_source::{ColumnSpec, ReadContext, ScanRequest, Scope, Source, TableSpec};
use datafusion::arrow::array::{ArrayRef, BooleanArray, Int32Array, RecordBatch, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::TableProvider;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use futures::{FutureExt, TryFutureExt, stream};

use self::keys::KeyOf;
use crate::Result;
use crate::catalog::{Catalog, CatalogTable, Connection};
use crate::names::{Table, Within};
use crate::session::Registered;

/// One system table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SystemTable {
    Catalogs,
    Schemas,
    Tables,
    TableColumns,
    KeyColumns,
    PrimaryKeys,
    ForeignKeys,
    Indexes,
    Procedures,
    ProcedureParameters,
    ConnectionProps,
    Sqlinfo,
    Identity,
    Information,
}

const ALL: [SystemTable; 14] = [
    SystemTable::Catalogs,
    SystemTable::Schemas,
    SystemTable::Tables,
    SystemTable::TableColumns,
    SystemTable::KeyColumns,
    SystemTable::PrimaryKeys,
    SystemTable::ForeignKeys,
    SystemTable::Indexes,
    SystemTable::Procedures,
    SystemTable::ProcedureParameters,
    SystemTable::ConnectionProps,
    SystemTable::Sqlinfo,
    SystemTable::Identity,
    SystemTable::Information,
];

/// The names of the system tables and of their columns.
pub fn system_tables() -> impl Iterator<Item = (&'static str, SchemaRef)> {
    ALL.into_iter()
        .map(|table| (table.name(), Arc::new(table.schema())))
}

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
            Self::KeyColumns => "sys_keycolumns",
            Self::PrimaryKeys => "sys_primarykeys",
            Self::ForeignKeys => "sys_foreignkeys",
            Self::Indexes => "sys_indexes",
            Self::Procedures => "sys_procedures",
            Self::ProcedureParameters => "sys_procedureparameters",
            Self::ConnectionProps => "sys_connection_props",
            Self::Sqlinfo => "sys_sqlinfo",
            Self::Identity => "sys_identity",
            Self::Information => "sys_information",
        }
    }

    fn doc(self) -> &'static str {
        match self {
            Self::Catalogs => "The connections.",
            Self::Schemas => "The schemas of the connections.",
            Self::Tables => "The tables.",
            Self::TableColumns => "The columns of the tables.",
            Self::KeyColumns => "The columns of keys and references.",
            Self::PrimaryKeys => "The columns of keys.",
            Self::ForeignKeys => "The columns that name a row of another table.",
            Self::Indexes => "The columns of indexes, which are those of keys.",
            Self::Procedures => "The procedures that EXEC calls.",
            Self::ProcedureParameters => {
                "The inputs of the procedures and the columns of their results."
            }
            Self::ConnectionProps => "The properties of the connections; secrets are masked.",
            Self::Sqlinfo => "What the dialect can do.",
            Self::Identity => "The outcome of the last statement that wrote.",
            Self::Information => "The program.",
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
            Self::KeyColumns => vec![
                text("CatalogName"),
                text("SchemaName"),
                text("TableName"),
                text("ColumnName"),
                flag("IsKey"),
                flag("IsForeignKey"),
                text("PrimaryKeyName"),
                text("ForeignKeyName"),
                text("ReferencedCatalogName"),
                text("ReferencedSchemaName"),
                text("ReferencedTableName"),
                text("ReferencedColumnName"),
            ],
            Self::PrimaryKeys => vec![
                text("CatalogName"),
                text("SchemaName"),
                text("TableName"),
                text("ColumnName"),
                number("KeySeq"),
                text("KeyName"),
            ],
            Self::ForeignKeys => vec![
                text("CatalogName"),
                text("SchemaName"),
                text("TableName"),
                text("ColumnName"),
                text("PrimaryKeyName"),
                text("ForeignKeyName"),
                text("ReferencedCatalogName"),
                text("ReferencedSchemaName"),
                text("ReferencedTableName"),
                text("ReferencedColumnName"),
                text("ForeignKeyType"),
            ],
            Self::Indexes => vec![
                text("CatalogName"),
                text("SchemaName"),
                text("TableName"),
                text("IndexName"),
                text("ColumnName"),
                flag("IsUnique"),
                flag("IsPrimary"),
                text("Type"),
                text("SortOrder"),
                number("OrdinalPosition"),
            ],
            Self::Procedures => vec![
                text("CatalogName"),
                text("SchemaName"),
                text("ProcedureName"),
                text("Description"),
                text("ProcedureType"),
            ],
            Self::ProcedureParameters => vec![
                text("CatalogName"),
                text("SchemaName"),
                text("ProcedureName"),
                text("ColumnName"),
                number("Direction"),
                text("DataTypeName"),
                number("DataType"),
                number("Length"),
                number("NumericPrecision"),
                number("NumericScale"),
                flag("IsNullable"),
                flag("IsRequired"),
                flag("IsArray"),
                text("Description"),
                number("Ordinal"),
                text("Values"),
                flag("SupportsStreams"),
                flag("IsPath"),
                text("Default"),
            ],
            Self::ConnectionProps => vec![
                text("CatalogName"),
                text("Name"),
                text("ShortDescription"),
                text("Type"),
                text("Default"),
                text("Values"),
                text("Value"),
                flag("Required"),
                text("Category"),
                text("IsSessionProperty"),
                text("Sensitivity"),
                text("PropertyName"),
                number("Ordinal"),
                number("CatOrdinal"),
                text("Hierarchy"),
                flag("Visible"),
                text("ETC"),
            ],
            Self::Sqlinfo => vec![text("NAME"), text("VALUE")],
            Self::Identity => vec![
                text("Id"),
                number("Batch"),
                text("Operation"),
                text("Message"),
            ],
            Self::Information => vec![
                text("Product"),
                text("Version"),
                text("DatasourceName"),
                text("NodeId"),
                text("HostName"),
                text("ApplicationName"),
                text("MachineName"),
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
        let rows = async move {
            if table == SystemTable::Sqlinfo {
                let columns = keys::change_columns(&connections);
                return batch(schema, product::abilities(&columns));
            }
            rows(table, schema, &connections, within.as_ref(), &context).await
        };
        let batches = stream::once(rows.map_err(Carry::carried).boxed());
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
    for registered in connections {
        let Registered {
            name, connection, ..
        } = registered;
        match (table, connection) {
            (SystemTable::Sqlinfo, _) => {}
            (SystemTable::Procedures, _) => rows.extend(connections::procedures(registered)),
            (SystemTable::ProcedureParameters, _) => {
                rows.extend(connections::parameters(registered));
            }
            (SystemTable::ConnectionProps, _) => rows.extend(connections::properties(registered)),
            (SystemTable::Identity, _) => rows.extend(connections::written(registered)),
            (SystemTable::Information, _) => rows.push(product::information(name)),
            (
                SystemTable::KeyColumns
                | SystemTable::PrimaryKeys
                | SystemTable::ForeignKeys
                | SystemTable::Indexes,
                Connection::Source(source),
            ) => {
                let scope = scope(source, within);
                for spec in &tables_in(source, &scope).await? {
                    let place = [name.as_str(), &scope.name, &spec.name];
                    rows.extend(key_rows(table, &KeyOf::of_spec(place, spec)));
                    match table {
                        SystemTable::KeyColumns => {
                            rows.extend(keys::referring_columns(place, spec))
                        }
                        SystemTable::ForeignKeys => rows.extend(keys::foreign(place, spec)),
                        _ => {}
                    }
                }
            }
            (
                SystemTable::KeyColumns
                | SystemTable::PrimaryKeys
                | SystemTable::ForeignKeys
                | SystemTable::Indexes,
                Connection::Catalog(catalog),
            ) => {
                for entry in catalog_tables(catalog, within).await? {
                    let place = [name.as_str(), schema_of(&entry), &entry.name];
                    let columns = entry.key.iter().map(String::as_str).collect();
                    rows.extend(key_rows(table, &KeyOf { place, columns }));
                }
            }
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
                rows.extend(source_tables(name, source, &scope(source, within)).await?);
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
                rows.extend(source_columns(name, source, &scope(source, within)).await?);
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

fn key_rows(table: SystemTable, key: &KeyOf<'_>) -> Vec<Vec<Cell>> {
    match table {
        SystemTable::KeyColumns => key.columns(),
        SystemTable::PrimaryKeys => key.primary(),
        SystemTable::Indexes => key.index(),
        _ => Vec::new(),
    }
}

/// The scope whose tables are listed.
fn scope(source: &Arc<dyn Source>, within: Option<&Within>) -> Scope {
    match within {
        Some(Within::Scope(scope)) => scope.clone(),
        _ => source.default_scope(),
    }
}

/// The tables that a scope has.
async fn tables_in(source: &Arc<dyn Source>, scope: &Scope) -> Result<Vec<Arc<TableSpec>>> {
    let mut tables = source.list_tables().await?;
    tables.retain(|table| {
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
        !matches!(planned, Err(error) if error.kind() == Kind::NotFound)
    });
    Ok(tables)
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

async fn source_tables(
    catalog: &str,
    source: &Arc<dyn Source>,
    scope: &Scope,
) -> Result<Vec<Vec<Cell>>> {
    let tables = tables_in(source, scope).await?;
    let tables = tables
        .iter()
        .map(|table| (table.name.as_str(), "TABLE", table.doc.as_str()));
    let system = ALL
        .into_iter()
        .map(|table| (table.name(), "SYSTABLE", table.doc()));
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
    Ok(tables.chain(system).map(row).collect())
}

async fn source_columns(
    catalog: &str,
    source: &Arc<dyn Source>,
    scope: &Scope,
) -> Result<Vec<Vec<Cell>>> {
    let tables = tables_in(source, scope).await?;
    let rows = tables
        .iter()
        .flat_map(|table| spec_rows(table, [catalog, &scope.name, &table.name]));
    Ok(rows.collect())
}

/// The columns of a source's table, which is at a place: connection, schema, table.
fn spec_rows(table: &TableSpec, place: [&str; 3]) -> Vec<Vec<Cell>> {
    let row = |(index, column): (usize, &ColumnSpec)| {
        let facts = Facts {
            nullable: column.nullable,
            doc: Some(&column.doc),
            key: table.key.contains(&index),
            hidden: column.hidden,
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
            hidden: false,
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
        .map_err(|error| from_datafusion(error.into(), None))
}

fn schema_of(table: &CatalogTable) -> &str {
    table.schema.as_deref().unwrap_or(NO_SCHEMA)
}

struct Facts<'a> {
    nullable: bool,
    doc: Option<&'a str>,
    key: bool,
    hidden: bool,
}

impl Facts<'_> {
    fn row(&self, place: [&str; 3], column: &str, kind: SqlType, index: usize) -> Vec<Cell> {
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
                kind.precision
                    .map_or(Cell::Null, |_| Cell::Number(kind.scale)),
                Cell::Flag(self.nullable),
                self.doc.map_or(Cell::Null, text),
                number(index + 1),
                text("NO"),
                text("NO"),
                Cell::Flag(self.hidden),
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
    /// Of a number: digits behind the point.
    scale: i32,
}

impl SqlType {
    const BOOLEAN: Self = Self {
        name: "BOOLEAN",
        code: 16,
        length: Some(1),
        precision: None,
        scale: 0,
    };
    const BIGINT: Self = Self {
        name: "BIGINT",
        code: -5,
        length: Some(19),
        precision: Some(19),
        scale: 0,
    };
    const DOUBLE: Self = Self {
        name: "DOUBLE",
        code: 8,
        length: Some(15),
        precision: Some(15),
        scale: 0,
    };
    const VARCHAR: Self = Self {
        name: "VARCHAR",
        code: 12,
        length: None,
        precision: None,
        scale: 0,
    };
    const JSON: Self = Self {
        name: "JSON",
        code: 12,
        length: None,
        precision: None,
        scale: 0,
    };
    const DATE: Self = Self {
        name: "DATE",
        code: 91,
        length: Some(10),
        precision: None,
        scale: 0,
    };
    const TIMESTAMP: Self = Self {
        name: "TIMESTAMP",
        code: 93,
        length: Some(27),
        precision: None,
        scale: 0,
    };
    const TIME: Self = Self {
        name: "TIME",
        code: 92,
        length: Some(15),
        precision: None,
        scale: 0,
    };
    const BINARY: Self = Self {
        name: "VARBINARY",
        code: -3,
        length: None,
        precision: None,
        scale: 0,
    };
    const OTHER: Self = Self {
        name: "OTHER",
        code: 1111,
        length: None,
        precision: None,
        scale: 0,
    };

    fn of_kind(kind: ColumnKind) -> Self {
        match kind {
            ColumnKind::Bool => Self::BOOLEAN,
            ColumnKind::Int => Self::BIGINT,
            ColumnKind::Float => Self::DOUBLE,
            ColumnKind::Text => Self::VARCHAR,
            ColumnKind::Timestamp => Self::TIMESTAMP,
            ColumnKind::Json => Self::JSON,
            ColumnKind::Plain(_) => Self::of_field(&Field::new("", kind.data_type(), true)),
        }
    }

    fn of_field(field: &Field) -> Self {
        match field.data_type() {
            DataType::Boolean => Self::BOOLEAN,
            kind if kind.is_integer() => Self::BIGINT,
            kind if kind.is_floating() => Self::DOUBLE,
            DataType::Decimal32(precision, scale)
            | DataType::Decimal64(precision, scale)
            | DataType::Decimal128(precision, scale)
            | DataType::Decimal256(precision, scale) => Self {
                name: "DECIMAL",
                code: 3,
                length: Some(i32::from(*precision)),
                precision: Some(i32::from(*precision)),
                scale: i32::from(*scale),
            },
            DataType::Time32(_) | DataType::Time64(_) => Self::TIME,
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

fn number(value: usize) -> Cell {
    Cell::Number(i32::try_from(value).unwrap_or(i32::MAX))
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
    RecordBatch::try_new(schema, arrays).map_err(|error| from_datafusion(error.into(), None))
}
