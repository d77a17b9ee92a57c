//! From the names in a query to tables (design, section 3).

use std::sync::Arc;

use bucketline_source::{ReadContext, Scope, Source, TableSpec};
use bucketline_sql::{CsvTarget, Ident, Name, nearest};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;

use crate::catalog::{Catalog, Connection};
use crate::host::{self, HostTable};
use crate::scan::SourceTable;
use crate::session::{Current, DEFAULT_DESTINATION, Files, Registered};
use crate::system::{NO_SCHEMA, SystemTable};
use crate::{Error, Result, code};

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
    Other {
        provider: Arc<dyn TableProvider>,
        /// Its key columns.
        key: Vec<String>,
    },
}

/// A schema of a connection.
#[derive(Debug, Clone)]
pub(crate) enum Within {
    /// Of a source.
    Scope(Scope),
    /// Of a destination.
    Named(String),
}

impl Within {
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Scope(scope) => &scope.name,
            Self::Named(name) => name,
        }
    }
}

/// A connection, or one of its schemas.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    pub(crate) registered: &'a Registered,
    pub(crate) schema: Option<Within>,
}

impl Place<'_> {
    /// The name of the connection, then that of the schema.
    pub(crate) fn name(&self) -> Vec<String> {
        let schema = self.schema.iter().map(|schema| schema.name().to_owned());
        std::iter::once(self.registered.name.clone())
            .chain(schema)
            .collect()
    }
}

impl Resolved {
    pub(crate) fn provider(&self) -> Arc<dyn TableProvider> {
        match &self.table {
            Table::Source(table) => Arc::new(table.clone()),
            Table::Other { provider, .. } => Arc::clone(provider),
        }
    }

    pub(crate) fn schema(&self) -> SchemaRef {
        self.provider().schema()
    }

    /// Its columns that `*` leaves out.
    pub(crate) fn hidden(&self) -> Vec<String> {
        let Table::Source(table) = &self.table else {
            return Vec::new();
        };
        let columns = table.table.columns.iter();
        let hidden = columns.filter(|column| column.hidden);
        hidden.map(|column| column.name.clone()).collect()
    }

    /// Puts other rows in its place.
    pub(crate) fn replace(&mut self, rows: Arc<dyn TableProvider>) {
        self.table = Table::Other {
            provider: rows,
            key: Vec::new(),
        };
    }

    /// Other names of its columns, each with the column's own.
    pub(crate) fn aliases(&self) -> Vec<(String, String)> {
        let Table::Source(table) = &self.table else {
            return Vec::new();
        };
        table.table.aliases().collect()
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
    pub(crate) files: Option<&'a dyn Files>,
    pub(crate) host_tables: &'a [Arc<dyn HostTable>],
    pub(crate) reach: Reach,
}

impl Resolver<'_> {
    /// What a name of one to three parts means.
    pub(crate) async fn resolve(&self, name: &Name) -> Result<Resolved> {
        if let [part] = name.parts.as_slice()
            && let Some(file) = CsvTarget::read(&part.text, part.span)
        {
            return self.file(part, &file?);
        }
        let found = match name.parts.as_slice() {
            [table] => self.one_part(table).await,
            [first, table] => self.two_parts(first, table).await,
            [connection, schema, table] => self.three_parts(connection, schema, table).await,
            _ => Err(
                Error::new(code::UNKNOWN_TABLE, format!("{name} has too many parts"))
                    .with_hint("a table is named connection.schema.table"),
            ),
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

    fn file(&self, name: &Ident, file: &CsvTarget) -> Result<Resolved> {
        let files = self.files.ok_or_else(|| {
            let message = format!("queries of this session may not read {}", file.path);
            Error::new(code::UNSUPPORTED, message)
        });
        let provider = files.and_then(|files| files.table(file));
        let provider = provider.map_err(|error| error.at(name.span))?;
        let spelling = vec![name.text.clone()];
        Ok(other(file.path.clone(), spelling, provider, Vec::new()))
    }

    async fn one_part(&self, table: &Ident) -> Result<Option<Resolved>> {
        if let Some(system) = SystemTable::find(&table.text) {
            let provider = system.over(self.connections, None, self.context);
            return Ok(Some(other(
                format!("sys.{}", system.name()),
                vec![system.name().into()],
                provider,
                Vec::new(),
            )));
        }
        let mut host_tables = self.host_tables.iter();
        if let Some(host) = host_tables.find(|it| it.name().eq_ignore_ascii_case(&table.text)) {
            let name = host.name().to_owned();
            let provider = host::provider(host);
            return Ok(Some(other(
                format!("sys.{name}"),
                vec![name],
                provider,
                Vec::new(),
            )));
        }
        let current = self.connection(&self.current.connection);
        let in_source = match current {
            Some(Registered {
                name,
                connection: Connection::Source(source),
                ..
            }) => match source.find_table(&table.text).await? {
                Some(spec) => {
                    let scope = self.current_scope(source).await?;
                    Some(self.source_table(name, source, spec, scope, 1))
                }
                None => None,
            },
            _ => None,
        };
        if self.reach == Reach::Sources {
            return Ok(in_source);
        }
        if let Some(source) = in_source {
            if let Some(copy) = self.copy_beside(&source, None, table).await {
                self.context.observer().note(&format!(
                    "{} means {}; the copy is {}",
                    table.text, source.full_name, copy.full_name
                ));
            }
            return Ok(Some(source));
        }
        match current {
            Some(Registered {
                name,
                connection: Connection::Catalog(_),
                ..
            }) => {
                let schema = self.current.schema.as_deref().map(Ident::new);
                self.catalog_table(name, schema.as_ref(), table, 1).await
            }
            _ => {
                self.catalog_table(DEFAULT_DESTINATION, None, table, 1)
                    .await
            }
        }
    }

    /// The destination's table that a name of a source's table means as well. A destination that cannot be looked
    /// into is no reason not to read the source.
    async fn copy_beside(
        &self,
        source: &Resolved,
        schema: Option<&Ident>,
        table: &Ident,
    ) -> Option<Resolved> {
        let parts = 1 + usize::from(schema.is_some());
        let found = self
            .catalog_table(DEFAULT_DESTINATION, schema, table, parts)
            .await;
        found.unwrap_or_else(|error| {
            self.context.observer().note(&format!(
                "{} is read; whether the destination has such a table, too, is unknown: {error}",
                source.full_name
            ));
            None
        })
    }

    async fn two_parts(&self, first: &Ident, table: &Ident) -> Result<Option<Resolved>> {
        if let Some(system) = SystemTable::find(&table.text) {
            return self.system_table(system, std::slice::from_ref(first)).await;
        }
        let mut matches = Vec::new();
        if let Some(registered) = self.connection(&first.text) {
            match &registered.connection {
                Connection::Source(source) => {
                    if let Some(spec) = source.find_table(&table.text).await? {
                        let scope = self.home_scope(&registered.name, source).await?;
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
        if self.reach == Reach::Everything {
            matches.extend(match matches.first() {
                Some(found) => self.copy_beside(found, Some(first), table).await,
                None => {
                    self.catalog_table(DEFAULT_DESTINATION, Some(first), table, 2)
                        .await?
                }
            });
        }
        match matches.as_slice() {
            [one, two, ..] => Err(Error::new(
                code::AMBIGUOUS_NAME,
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
        if let Some(system) = SystemTable::find(&table.text) {
            let place = [connection.clone(), schema.clone()];
            return self.system_table(system, &place).await;
        }
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

    /// A system table of one connection, or of one of its schemas.
    async fn system_table(&self, system: SystemTable, place: &[Ident]) -> Result<Option<Resolved>> {
        let Some(place) = self.place(place).await? else {
            return Ok(None);
        };
        let name = place.name();
        let provider = system.over(
            std::slice::from_ref(place.registered),
            place.schema,
            self.context,
        );
        let full = [name, vec![system.name().to_owned()]].concat();
        Ok(Some(other(full.join("."), full, provider, Vec::new())))
    }

    /// What `connection`, `connection.schema` or a schema of the current connection is.
    async fn place(&self, name: &[Ident]) -> Result<Option<Place<'_>>> {
        let (connection, schema) = match name {
            [connection, schema] => (self.connection(&connection.text), Some(schema)),
            [first] => match self.connection(&first.text) {
                Some(registered) => (Some(registered), None),
                None => (self.connection(&self.current.connection), Some(first)),
            },
            _ => (None, None),
        };
        let Some(registered) = connection else {
            return Ok(None);
        };
        let Some(schema) = schema else {
            return Ok(Some(Place {
                registered,
                schema: None,
            }));
        };
        let found = find_schema(&registered.connection, schema, self.context).await?;
        Ok(found.map(|schema| Place {
            registered,
            schema: Some(schema),
        }))
    }

    /// The same for a name that must mean one.
    pub(crate) async fn known_place(&self, name: &Name) -> Result<Place<'_>> {
        if let Some(place) = self.place(&name.parts).await? {
            return Ok(place);
        }
        let connections = self.connections.iter().map(|it| it.name.as_str());
        let hint = match (
            name.parts.as_slice(),
            nearest(&name.parts[0].text, connections),
        ) {
            ([_], Some(near)) => format!("did you mean {near}?"),
            _ => "SHOW CONNECTIONS and SHOW SCHEMAS list what there is".to_owned(),
        };
        let text = format!("there is no connection or schema {name}");
        Err(Error::new(code::UNKNOWN_TABLE, text)
            .with_hint(hint)
            .at(name.span()))
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
            ..
        }) = self.connection(connection)
        else {
            return Ok(None);
        };
        let Some(spec) = source.find_table(&table.text).await? else {
            return Ok(None);
        };
        Ok(find_scope(source, schema, self.context)
            .await?
            .map(|scope| self.source_table(name, source, spec, scope, parts)))
    }

    async fn current_scope(&self, source: &Arc<dyn Source>) -> Result<Scope> {
        let Some(schema) = &self.current.schema else {
            return self.home_scope(&self.current.connection, source).await;
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
                code::UNKNOWN_TABLE,
                format!("there is no schema {schema} any more"),
            )
            .with_hint("choose another one with USE")
        })
    }

    /// The scope of a name without a schema.
    async fn home_scope(&self, connection: &str, source: &Arc<dyn Source>) -> Result<Scope> {
        let Some(schema) = source.schema() else {
            return Ok(source.default_scope());
        };
        // In the exact spelling first, which means one at most.
        for quoted in [true, false] {
            let schema = Ident {
                quoted,
                ..Ident::new(schema)
            };
            if let Some(scope) = find_scope(source, &schema, self.context).await? {
                return Ok(scope);
            }
        }
        Err(Error::new(
            code::UNKNOWN_TABLE,
            format!(
                "there is no schema {schema}, which the connection {connection} names as its own"
            ),
        )
        .with_hint(format!(
            "SHOW SCHEMAS FROM {connection} lists them; the connection's property Schema names one"
        )))
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
            ..
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
            other(full.join("."), spelling, entry.provider, entry.key)
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
        let error =
            Error::new(code::UNKNOWN_TABLE, format!("there is no table {name}")).at(name.span());
        let is_source =
            |registered: &Registered| matches!(registered.connection, Connection::Source(_));
        if !self.connections.iter().any(is_source) {
            return Error::new(
                code::UNKNOWN_TABLE,
                format!("no connection is configured, so there is no table {name}"),
            )
            .with_hint("a connection says where to read: its address, workspace and credential")
            .at(name.span());
        }
        let known: Vec<_> = self
            .connections
            .iter()
            .filter_map(|registered| match &registered.connection {
                Connection::Source(source) => Some(source),
                Connection::Catalog(_) => None,
            })
            .map(|source| source.tables())
            .collect();
        let tables: Vec<&str> = known
            .iter()
            .flat_map(|tables| tables.iter().map(|table| table.name.as_str()))
            .chain(SystemTable::names().map(|name| -> &str { name }))
            .chain(self.host_tables.iter().map(|table| table.name()))
            .collect();
        let wanted = &name.last().text;
        let is_table = tables
            .iter()
            .any(|table| table.eq_ignore_ascii_case(wanted));
        let near = || nearest(wanted, tables.iter().copied());
        let hint = match (name.qualifier(), self.qualifying(name)) {
            ([], _) => match near() {
                Some(near) => format!("did you mean {near}?"),
                None => "SELECT TableName FROM sys_tables lists the tables".to_owned(),
            },
            (
                qualifier,
                Some(Registered {
                    name,
                    connection: Connection::Catalog(_),
                    ..
                }),
            ) => {
                let made = match qualifier {
                    [_] if is_table => format!("REPLICATE {wanted} makes it; "),
                    _ => String::new(),
                };
                format!("{made}SHOW TABLES FROM {name} lists what there is")
            }
            ([_, schema], Some(Registered { name, .. })) if is_table => format!(
                "{name} has no schema {}; SHOW SCHEMAS FROM {name} lists them",
                schema.text
            ),
            (_, Some(Registered { name, .. })) => match near() {
                Some(near) => format!("did you mean {near}?"),
                None => format!("SHOW TABLES FROM {name} lists the tables"),
            },
            ([qualifier, ..], None) if is_table => {
                let connections = || self.connections.iter().map(|it| it.name.as_str());
                match nearest(&qualifier.text, connections()) {
                    Some(near) => format!("did you mean {near}.{wanted}?"),
                    None => format!(
                        "{} is neither a connection ({}) nor a schema of {}; SHOW SCHEMAS lists these",
                        qualifier.text,
                        connections().collect::<Vec<_>>().join(", "),
                        self.current.connection
                    ),
                }
            }
            (_, None) => match near() {
                Some(near) => format!("did you mean {near}?"),
                None => "SELECT TableName FROM sys_tables lists the tables".to_owned(),
            },
        };
        error.with_hint(hint)
    }

    /// The connection that a name of several parts begins with.
    fn qualifying(&self, name: &Name) -> Option<&Registered> {
        self.connection(&name.qualifier().first()?.text)
    }
}

/// The schema of a connection that a name means.
pub(crate) async fn find_schema(
    connection: &Connection,
    schema: &Ident,
    context: &ReadContext,
) -> Result<Option<Within>> {
    Ok(match connection {
        Connection::Source(source) => find_scope(source, schema, context)
            .await?
            .map(Within::Scope),
        Connection::Catalog(catalog) => catalog_schema(catalog, &schema.text)
            .await?
            .map(Within::Named),
    })
}

/// The schema of a catalog in its own spelling; one without tables is not known.
async fn catalog_schema(catalog: &Arc<dyn Catalog>, schema: &str) -> Result<Option<String>> {
    if !catalog.has_schemas() && schema.eq_ignore_ascii_case(NO_SCHEMA) {
        return Ok(Some(NO_SCHEMA.to_owned()));
    }
    let tables = catalog.tables().await?;
    let mut schemas = tables.iter().filter_map(|table| table.qualifier());
    let found = schemas.find(|known| known.eq_ignore_ascii_case(schema));
    Ok(found.map(str::to_owned))
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
            code::AMBIGUOUS_NAME,
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

fn other(
    full_name: String,
    spelling: Vec<String>,
    provider: Arc<dyn TableProvider>,
    key: Vec<String>,
) -> Resolved {
    Resolved {
        full_name,
        spelling,
        table: Table::Other { provider, key },
    }
}
