//! Connections as catalogs.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bucketline_source::Source;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;

use crate::Result;

/// A connection that is not a [`Source`]: a destination whose tables can be read.
#[async_trait]
pub trait Catalog: Send + Sync + fmt::Debug + 'static {
    /// What it is, for people.
    fn label(&self) -> String;

    /// Its tables are in schemas; otherwise a schema is part of the table's name.
    fn has_schemas(&self) -> bool;

    /// Its tables and views.
    async fn tables(&self) -> Result<Vec<CatalogTable>>;

    /// One table by name, compared as the catalog compares names unless `exact`.
    async fn table(
        &self,
        schema: Option<&str>,
        name: &str,
        exact: bool,
    ) -> Result<Option<CatalogEntry>>;
}

/// A table of a [`Catalog`], for the system tables.
#[derive(Debug, Clone)]
pub struct CatalogTable {
    /// Its schema, where there are schemas.
    pub schema: Option<String>,
    /// Its name.
    pub name: String,
    /// Its columns.
    pub columns: SchemaRef,
    /// Its key columns.
    pub key: Vec<String>,
    /// It is a view.
    pub view: bool,
}

impl CatalogTable {
    /// The schema that it is read in: its own, or what stands before the dot in its name where there are none.
    pub(crate) fn qualifier(&self) -> Option<&str> {
        match &self.schema {
            Some(schema) => Some(schema),
            None => self.name.split_once('.').map(|(schema, _)| schema),
        }
    }
}

/// A table of a [`Catalog`], to be read.
#[derive(Debug, Clone)]
pub struct CatalogEntry {
    /// Its name in the catalog's spelling.
    pub name: String,
    /// Its key columns.
    pub key: Vec<String>,
    /// How it is read.
    pub provider: Arc<dyn TableProvider>,
}

/// What stands behind a connection's name.
#[derive(Debug, Clone)]
pub enum Connection {
    /// A source of virtual tables.
    Source(Arc<dyn Source>),
    /// Tables that are really there.
    Catalog(Arc<dyn Catalog>),
}
