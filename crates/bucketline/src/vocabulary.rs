//! The names that can stand in a statement, for completion.

use arrow::datatypes::Schema;
use bucketline_engine::{Connection, functions, system_tables};

use crate::{Session, procedure};

/// The names that can stand in a statement, as far as they are known without asking a service.
#[derive(Debug, Clone, Default)]
pub struct Vocabulary {
    /// The connections.
    pub connections: Vec<ConnectionNames>,
    /// The system tables, which are in every schema.
    pub system_tables: Vec<TableNames>,
    /// The functions.
    pub functions: Vec<String>,
    /// The procedures.
    pub procedures: Vec<String>,
}

/// The names in a connection.
#[derive(Debug, Clone)]
pub struct ConnectionNames {
    /// The connection's.
    pub name: String,
    /// Those of schemas that were listed already.
    pub schemas: Vec<String>,
    /// The tables of its default schema; all, if it is a destination.
    pub tables: Vec<TableNames>,
}

/// A table's name and those of its columns.
#[derive(Debug, Clone)]
pub struct TableNames {
    /// The table's.
    pub name: String,
    /// The columns'.
    pub columns: Vec<String>,
}

/// Collects them. A destination that cannot be looked into has none.
pub(crate) async fn vocabulary(session: &Session) -> Vocabulary {
    let engine = &session.engine;
    let mut connections = Vec::new();
    for name in engine.connections() {
        let (schemas, tables) = match engine.connection(&name) {
            Some(Connection::Source(source)) => {
                let schemas = source.known_scopes().into_iter().map(|scope| scope.name);
                let table = |table: &std::sync::Arc<bucketline_source::TableSpec>| TableNames {
                    name: table.name.clone(),
                    columns: table.columns.iter().map(|it| it.name.clone()).collect(),
                };
                (
                    schemas.collect(),
                    source.tables().iter().map(table).collect(),
                )
            }
            Some(Connection::Catalog(catalog)) => {
                let tables = catalog.tables().await.unwrap_or_default();
                let mut schemas: Vec<_> =
                    tables.iter().filter_map(|it| it.schema.clone()).collect();
                schemas.sort();
                schemas.dedup();
                let table =
                    |table: bucketline_engine::CatalogTable| names(&table.name, &table.columns);
                (schemas, tables.into_iter().map(table).collect())
            }
            None => continue,
        };
        connections.push(ConnectionNames {
            name,
            schemas,
            tables,
        });
    }
    Vocabulary {
        connections,
        system_tables: system_tables()
            .map(|(name, schema)| names(name, &schema))
            .chain(
                engine
                    .host_tables()
                    .iter()
                    .map(|table| names(table.name(), &table.columns())),
            )
            .collect(),
        functions: functions()
            .flat_map(|function| std::iter::once(&function.name).chain(function.aliases))
            .map(|name| name.to_uppercase())
            .collect(),
        procedures: procedure::facts().into_iter().map(|it| it.name).collect(),
    }
}

fn names(table: &str, schema: &Schema) -> TableNames {
    TableNames {
        name: table.to_owned(),
        columns: schema.fields().iter().map(|it| it.name().clone()).collect(),
    }
}
