//! From the names in a query to tables (design, section 3).

use std::sync::Arc;

use bucketline_source::{ReadContext, Scope, Source, TableSpec};
use bucketline_sql::{Ident, Name, nearest};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;

use crate::catalog::Connection;
use crate::scan::SourceTable;
use crate::session::{Current, DEFAULT_DESTINATION, Registered};
use crate::system::SystemTable;
use crate::{Error, ErrorKind, Result};

/// What a table's name turned out to mean.
#[derive(Debug, Clone)]
pub(crate) struct Resolved {
    /// The full name, for messages: `prod.Information.Issues`.
    pub(crate) full_name: String,
    /// The canonical spelling of the name's parts, as many as were written.
    pub(crate) spelling: Vec<String>,
    pub(crate) table: Table,
}

#[derive(Debug, Clone)]
pub(crate) enum Table {
    Source(SourceTable),
    Other(Arc<dyn TableProvider>),
}

impl Resolved {
    pub(crate) fn provider(&self) -> Arc<dyn TableProvider> {
        match &self.table {
            Table::Source(table) => Arc::new(table.clone()),
            Table::Other(provider) => Arc::clone(provider),
        }
    }

    pub(crate) fn schema(&self) -> SchemaRef {
        self.provider().schema()
    }
}

/// Which tables an unqualified name may mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// A source's tables, then the destination's.
    Everything,
    /// Sources alone: the FROM of a REPLICATE without a SELECT, or an unqualified name in it.
    Sources,
}

/// Resolves the names of one statement.
pub(crate) struct Resolver<'a> {
    pub(crate) connections: &'a [Registered],
    pub(crate) current: &'a Current,
    pub(crate) context: &'a ReadContext,
    pub(crate) reach: Reach,
}

impl Resolver<'_> {
    /// What a name of one to three parts means.
    pub(crate) async fn resolve(&self, name: &Name) -> Result<Resolved> {
        let found = match name.parts.as_slice() {
            [table] => self.one_part(table).await,
            [first, table] => self.two_parts(first, table).await,
            [connection, schema, table] => self.three_parts(connection, schema, table).await,
            _ => Err(Error::new(
                ErrorKind::UnknownTable,
                format!("{name} has too many parts"),
            )
            .with_hint("a table is named connection.schema.table")),
        };
        let resolved = found.map_err(|error| {
            if error.span().is_none() {
                error.at(name.span())
            } else {
                error
            }
        })?;
        resolved.ok_or_else(|| self.unknown(name))
    }

    async fn one_part(&self, table: &Ident) -> Result<Option<Resolved>> {
        if let Some(system) = SystemTable::find(&table.text) {
            let provider = system.over(self.connections, self.context);
            return Ok(Some(other(
                format!("sys.{}", system.name()),
                vec![system.name().into()],
                provider,
            )));
        }
        let current = self.connection(&self.current.connection);
        let in_source = match current {
            Some(Registered {
                name,
                connection: Connection::Source(source),
            }) => match find(source, table) {
                Some(spec) => {
                    let scope = self.current_scope(source).await?;
                    Some(self.source_table(name, source, spec, scope, 1))
                }
                None => None,
            },
            _ => None,
        };
        let elsewhere = match current {
            Some(Registered {
                name,
                connection: Connection::Catalog(_),
            }) => name.as_str(),
            _ => DEFAULT_DESTINATION,
        };
        let readable = self.reach == Reach::Everything;
        let in_catalog = if readable {
            self.catalog_table(elsewhere, None, table, 1).await?
        } else {
            None
        };
        if let (Some(source), Some(copy)) = (&in_source, &in_catalog) {
            self.context.observer().note(&format!(
                "{} means {}; the copy is {}",
                table.text, source.full_name, copy.full_name
            ));
        }
        Ok(in_source.or(in_catalog))
    }

    async fn two_parts(&self, first: &Ident, table: &Ident) -> Result<Option<Resolved>> {
        let mut matches = Vec::new();
        if let Some(registered) = self.connection(&first.text) {
            match &registered.connection {
                Connection::Source(source) => {
                    if let Some(system) = SystemTable::find(&table.text) {
                        let provider = system.over(std::slice::from_ref(registered), self.context);
                        let spelling = vec![registered.name.clone(), system.name().into()];
                        return Ok(Some(other(spelling.join("."), spelling, provider)));
                    }
                    if let Some(spec) = find(source, table) {
                        let scope = source.default_scope();
                        let mut found = self.source_table(&registered.name, source, spec, scope, 2);
                        found.spelling[0].clone_from(&registered.name);
                        matches.push(found);
                    }
                }
                Connection::Catalog(_) => {
                    matches.extend(self.catalog_table(&registered.name, None, table, 2).await?);
                }
            }
        } else if let Some(found) = self
            .scope_table(&self.current.connection, first, table, 2)
            .await?
        {
            // A connection's name wins over a scope of that name without a look-up (docs/decisions/0003).
            matches.push(found);
        }
        if self.reach == Reach::Everything || matches.is_empty() {
            matches.extend(
                self.catalog_table(DEFAULT_DESTINATION, Some(first), table, 2)
                    .await?,
            );
        }
        match matches.as_slice() {
            [one, two, ..] => Err(Error::new(
                ErrorKind::AmbiguousName,
                format!(
                    "{}.{} means both {} and {}",
                    first.text, table.text, one.full_name, two.full_name
                ),
            )
            .with_hint(format!("write {} or {}", one.full_name, two.full_name))),
            _ => Ok(matches.pop()),
        }
    }

    async fn three_parts(
        &self,
        connection: &Ident,
        schema: &Ident,
        table: &Ident,
    ) -> Result<Option<Resolved>> {
        let Some(registered) = self.connection(&connection.text) else {
            return Ok(None);
        };
        match &registered.connection {
            Connection::Source(_) => self.scope_table(&registered.name, schema, table, 3).await,
            Connection::Catalog(_) => {
                self.catalog_table(&registered.name, Some(schema), table, 3)
                    .await
            }
        }
    }

    async fn scope_table(
        &self,
        connection: &str,
        schema: &Ident,
        table: &Ident,
        parts: usize,
    ) -> Result<Option<Resolved>> {
        let Some(Registered {
            name,
            connection: Connection::Source(source),
        }) = self.connection(connection)
        else {
            return Ok(None);
        };
        let Some(spec) = find(source, table) else {
            return Ok(None);
        };
        Ok(find_scope(source, schema, self.context)
            .await?
            .map(|scope| self.source_table(name, source, spec, scope, parts)))
    }

    async fn current_scope(&self, source: &Arc<dyn Source>) -> Result<Scope> {
        let Some(schema) = &self.current.schema else {
            return Ok(source.default_scope());
        };
        find_scope(
            source,
            &Ident {
                quoted: true,
                ..Ident::new(schema.as_str())
            },
            self.context,
        )
        .await?
        .ok_or_else(|| {
            Error::new(
                ErrorKind::UnknownTable,
                format!("there is no schema {schema} any more"),
            )
            .with_hint("choose another one with USE")
        })
    }

    async fn catalog_table(
        &self,
        connection: &str,
        schema: Option<&Ident>,
        table: &Ident,
        parts: usize,
    ) -> Result<Option<Resolved>> {
        let Some(Registered {
            name,
            connection: Connection::Catalog(catalog),
        }) = self.connection(connection)
        else {
            return Ok(None);
        };
        let exact = table.quoted && schema.is_none_or(|schema| schema.quoted);
        let entry = catalog
            .table(
                schema.map(|schema| schema.text.as_str()),
                &table.text,
                exact,
            )
            .await?;
        Ok(entry.map(|entry| {
            let mut full = vec![name.clone()];
            full.extend(schema.map(|schema| schema.text.clone()));
            // Where a schema is part of the table's name, the catalog's spelling holds both.
            full.push(match schema {
                Some(_) => table.text.clone(),
                None => entry.name,
            });
            let spelling = full[full.len().saturating_sub(parts)..].to_vec();
            other(full.join("."), spelling, entry.provider)
        }))
    }

    fn source_table(
        &self,
        connection: &str,
        source: &Arc<dyn Source>,
        spec: Arc<TableSpec>,
        scope: Scope,
        parts: usize,
    ) -> Resolved {
        let full = [connection.to_owned(), scope.name.clone(), spec.name.clone()];
        let table = SourceTable::new(
            connection,
            Arc::clone(source),
            spec,
            scope,
            self.context.clone(),
        );
        Resolved {
            spelling: full[full.len() - parts..].to_vec(),
            full_name: full.join("."),
            table: Table::Source(table),
        }
    }

    fn connection(&self, name: &str) -> Option<&Registered> {
        self.connections
            .iter()
            .find(|registered| registered.name.eq_ignore_ascii_case(name))
    }

    fn unknown(&self, name: &Name) -> Error {
        let error = Error::new(ErrorKind::UnknownTable, format!("there is no table {name}"))
            .at(name.span());
        let is_source =
            |registered: &Registered| matches!(registered.connection, Connection::Source(_));
        if !self.connections.iter().any(is_source) {
            return Error::new(
                ErrorKind::UnknownTable,
                format!("no connection is configured, so there is no table {name}"),
            )
            .with_hint("a connection says where to read: its address, workspace and credential")
            .at(name.span());
        }
        let tables: Vec<&str> = self
            .connections
            .iter()
            .filter_map(|registered| match &registered.connection {
                Connection::Source(source) => Some(source),
                Connection::Catalog(_) => None,
            })
            .flat_map(|source| source.tables().iter().map(|table| table.name.as_str()))
            .chain(SystemTable::names().map(|name| -> &str { name }))
            .collect();
        let wanted = &name.last().text;
        if let Some(qualifier) = name.qualifier().first()
            && tables
                .iter()
                .any(|table| table.eq_ignore_ascii_case(wanted))
        {
            let connections = self
                .connections
                .iter()
                .map(|registered| registered.name.as_str());
            let names: Vec<&str> = connections.clone().collect();
            return match nearest(&qualifier.text, connections) {
                Some(near) => error.with_hint(format!("did you mean {near}.{wanted}?")),
                None => error.with_hint(format!(
                    "{} is neither a connection ({}) nor a schema of {}; SELECT * FROM sys_schemas lists these",
                    qualifier.text,
                    names.join(", "),
                    self.current.connection
                )),
            };
        }
        match nearest(wanted, tables) {
            Some(near) => error.with_hint(format!("did you mean {near}?")),
            None => error.with_hint("SELECT TableName FROM sys_tables lists the tables"),
        }
    }
}

/// The scope that a schema's name means.
pub(crate) async fn find_scope(
    source: &Arc<dyn Source>,
    schema: &Ident,
    context: &ReadContext,
) -> Result<Option<Scope>> {
    let default = source.default_scope();
    if default.name.eq_ignore_ascii_case(&schema.text) {
        return Ok(Some(default));
    }
    let mut scopes = source
        .find_scopes(&schema.text, schema.quoted, context)
        .await?;
    if scopes.len() > 1 {
        let spellings: Vec<String> = scopes
            .iter()
            .map(|scope| format!("[{}]", scope.name))
            .collect();
        return Err(Error::new(
            ErrorKind::AmbiguousName,
            format!(
                "the schema {} means several: {}",
                schema.text,
                spellings.join(" and ")
            ),
        )
        .with_hint("quote it in the spelling that you mean")
        .at(schema.span));
    }
    Ok(scopes.pop())
}

fn find(source: &Arc<dyn Source>, table: &Ident) -> Option<Arc<TableSpec>> {
    source
        .tables()
        .iter()
        .find(|spec| spec.name.eq_ignore_ascii_case(&table.text))
        .cloned()
}

fn other(full_name: String, spelling: Vec<String>, provider: Arc<dyn TableProvider>) -> Resolved {
    Resolved {
        full_name,
        spelling,
        table: Table::Other(provider),
    }
}
