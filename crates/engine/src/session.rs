//! A session: connections, the current one, and the settings of its queries.

use crate::error::from_datafusion;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use bucketline_source::{ReadContext, ScanPlan, Source};
use bucketline_sql::{CsvTarget, Ident, Name, Query};
use chrono::{DateTime, Utc};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::array::timezone::Tz;
use datafusion::catalog::TableProvider;
use datafusion::execution::SessionState;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::optimizer::{Optimizer, OptimizerRule};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::prelude::SessionConfig;

use crate::catalog::{Catalog, Connection};
use crate::facts::Facts;
use crate::function;
use crate::hidden::is_row_by_row;
use crate::host::HostTable;
use crate::names::{Reach, Resolved, Resolver, Within, find_schema};
use crate::narrowing::Narrow;
use crate::padding::ForgetConstants;
use crate::query::{PlannedQuery, QueryRun};
use crate::rows::{self, Work};
use crate::scan::{PushFilters, PushTop};
use crate::subquery::{GuardAggregates, Subqueries};
use crate::system::{self, NO_SCHEMA};
use crate::types::DialectTypes;
use crate::{Error, Result, code, planner};

/// The name of the connection that is written to, unless the configuration says otherwise.
pub const DEFAULT_DESTINATION: &str = "destination";

/// The catalog and schema that one-part and two-part names are registered under while a query is planned. No
/// part of a name is empty, so nothing else is registered there.
pub(crate) const PLANNING_CATALOG: &str = "";
pub(crate) const PLANNING_SCHEMA: &str = "";

/// How many parts of a join or an aggregation run at a time. How many slices of a source are read at a time is
/// the source's to say.
const PARTITIONS: usize = 4;

/// Settings of a session's queries.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Bytes a query may hold in memory before it spills or fails, a GiB unless it is said; `None` is no limit.
    pub memory_limit: Option<usize>,
    /// Tells when a query begins.
    pub clock: Clock,
    /// The time zone of dates without one, such as `Europe/Berlin` or `+02:00`; `None` is UTC.
    pub time_zone: Option<String>,
    /// Reads the files that a query names. Without it none is read.
    pub files: Option<Arc<dyn Files>>,
    /// Tables of the program that the session is part of.
    pub host_tables: Vec<Arc<dyn HostTable>>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            memory_limit: Some(1 << 30),
            clock: Clock::default(),
            time_zone: None,
            files: None,
            host_tables: Vec::new(),
        }
    }
}

/// What tells the time.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>);

impl Clock {
    /// A clock that is asked each time.
    pub fn new(now: impl Fn() -> DateTime<Utc> + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    fn now(&self) -> DateTime<Utc> {
        (self.0)()
    }
}

/// The system's.
impl Default for Clock {
    fn default() -> Self {
        Self::new(Utc::now)
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Clock").field(&self.now()).finish()
    }
}

/// Files that queries read: `FROM csv://rows.csv`.
pub trait Files: Send + Sync + fmt::Debug {
    /// The rows of a file, all of whose columns are texts.
    ///
    /// # Errors
    /// If it may not be read, cannot be, or has no rows of one shape.
    fn table(&self, file: &CsvTarget) -> Result<Arc<dyn TableProvider>>;
}

/// A connection and its name.
#[derive(Debug, Clone)]
pub(crate) struct Registered {
    pub(crate) name: String,
    pub(crate) connection: Connection,
    pub(crate) facts: Arc<Facts>,
}

/// What unqualified names mean.
#[derive(Debug, Clone, Default)]
pub(crate) struct Current {
    pub(crate) connection: String,
    pub(crate) schema: Option<String>,
}

#[derive(Debug, Clone, Default)]
struct Names {
    connections: Vec<Registered>,
    current: Current,
}

/// Names and settings of one script or REPL.
#[derive(Debug)]
pub struct Session {
    names: Mutex<Names>,
    base: SessionState,
    clock: Clock,
    files: Option<Arc<dyn Files>>,
    host_tables: Vec<Arc<dyn HostTable>>,
}

impl Session {
    /// A session without connections.
    ///
    /// # Errors
    /// If the memory pool cannot be made, or the time zone is not known.
    pub fn new(settings: Settings) -> Result<Self> {
        let mut runtime = RuntimeEnvBuilder::new();
        if let Some(bytes) = settings.memory_limit {
            runtime = runtime.with_memory_limit(bytes, 1.0);
        }
        let runtime = runtime
            .build_arc()
            .map_err(|error| from_datafusion(error, None))?;
        let mut base = SessionStateBuilder::new_with_default_features()
            .with_config(config(settings.time_zone.as_deref())?)
            .with_runtime_env(runtime)
            .with_type_planner(Arc::new(DialectTypes))
            .with_analyzer_rules(function::analyzer_rules())
            .with_analyzer_rule(Arc::new(Subqueries))
            .with_optimizer_rules(optimizer())
            .with_physical_optimizer_rules(physical_optimizer())
            .build();
        function::register(&mut base).map_err(|error| from_datafusion(error, None))?;
        Ok(Self {
            names: Mutex::default(),
            base,
            clock: settings.clock,
            files: settings.files,
            host_tables: settings.host_tables,
        })
    }

    /// Adds a source. The first connection that is a source becomes the current one.
    ///
    /// # Errors
    /// If the name is taken.
    pub fn add_source(&self, name: &str, source: Arc<dyn Source>) -> Result<()> {
        self.add(name, Connection::Source(source))
    }

    /// Adds tables that are really there, such as a destination's.
    ///
    /// # Errors
    /// If the name is taken.
    pub fn add_catalog(&self, name: &str, catalog: Arc<dyn Catalog>) -> Result<()> {
        self.add(name, Connection::Catalog(catalog))
    }

    /// Puts a connection in the place of the one of that name, if there is one.
    pub fn replace(&self, name: &str, connection: Connection) {
        let mut names = self.names();
        let mut all = names.connections.iter_mut();
        if let Some(there) = all.find(|other| other.name.eq_ignore_ascii_case(name)) {
            there.connection = connection;
        }
    }

    /// Takes a connection away. If it was the current one, the first source that is left is.
    pub fn remove(&self, name: &str) {
        let mut names = self.names();
        names
            .connections
            .retain(|other| !other.name.eq_ignore_ascii_case(name));
        if names.current.connection.eq_ignore_ascii_case(name) {
            let mut rest = names.connections.iter();
            let first = rest.find(|other| matches!(other.connection, Connection::Source(_)));
            names.current = Current {
                connection: first.map_or_else(String::new, |first| first.name.clone()),
                schema: None,
            };
        }
    }

    /// Adds a connection. The first that is a source becomes the current one.
    ///
    /// # Errors
    /// If the name is taken.
    pub fn add(&self, name: &str, connection: Connection) -> Result<()> {
        let mut names = self.names();
        if let Some(taken) = names
            .connections
            .iter()
            .find(|other| other.name.eq_ignore_ascii_case(name))
        {
            return Err(Error::new(
                code::DUPLICATE_CONNECTION,
                format!("there is a connection {} already", taken.name),
            ));
        }
        if names.current.connection.is_empty() && matches!(connection, Connection::Source(_)) {
            names.current.connection = name.to_owned();
        }
        names.connections.push(Registered {
            name: name.to_owned(),
            connection,
            facts: Arc::default(),
        });
        Ok(())
    }

    /// What the system tables say of a connection beside its tables, from now on.
    pub fn state_facts(&self, connection: &str, facts: Facts) {
        let mut names = self.names();
        let mut all = names.connections.iter_mut();
        let found = all.find(|other| other.name.eq_ignore_ascii_case(connection));
        if let Some(registered) = found {
            registered.facts = Arc::new(facts);
        }
    }

    /// The tables of the program that the session is part of.
    pub fn host_tables(&self) -> &[Arc<dyn HostTable>] {
        &self.host_tables
    }

    /// The names of the connections, in the order in which they were added.
    pub fn connections(&self) -> Vec<String> {
        self.names()
            .connections
            .iter()
            .map(|registered| registered.name.clone())
            .collect()
    }

    /// What stands behind a connection's name.
    pub fn connection(&self, name: &str) -> Option<Connection> {
        let names = self.names();
        let found = names
            .connections
            .iter()
            .find(|registered| registered.name.eq_ignore_ascii_case(name));
        found.map(|registered| registered.connection.clone())
    }

    /// The current connection and schema.
    pub fn current(&self) -> (String, Option<String>) {
        let current = self.names().current.clone();
        (current.connection, current.schema)
    }

    /// Makes a connection, and perhaps one of its schemas, the current one.
    ///
    /// # Errors
    /// If there is no such connection or schema.
    pub async fn use_connection(
        &self,
        connection: &Ident,
        schema: Option<&Ident>,
        context: &ReadContext,
    ) -> Result<()> {
        let Some(found) = self.connection(&connection.text) else {
            let names = self.connections();
            let error = Error::new(
                code::UNKNOWN_TABLE,
                format!("there is no connection {}", connection.text),
            )
            .at(connection.span);
            return Err(error.with_hint(format!("the connections are {}", names.join(", "))));
        };
        let schema = match schema {
            Some(schema) => Some(find_schema(&found, schema, context).await?.ok_or_else(|| {
                let text = format!("{} has no schema {}", connection.text, schema.text);
                let what = match found {
                    Connection::Source(_) => "SCHEMAS",
                    Connection::Catalog(_) => "TABLES",
                };
                Error::new(code::UNKNOWN_TABLE, text)
                    .with_hint(format!("SHOW {what} FROM {} lists them", connection.text))
                    .at(schema.span)
            })?),
            None => None,
        };
        let schema = schema.and_then(|schema| match schema {
            Within::Scope(scope) => Some(scope.name),
            // Tables that are in no schema need none before their names.
            Within::Named(name) => (name != NO_SCHEMA).then_some(name),
        });
        let mut names = self.names();
        let canonical = names
            .connections
            .iter()
            .find(|registered| registered.name.eq_ignore_ascii_case(&connection.text))
            .map_or_else(
                || connection.text.clone(),
                |registered| registered.name.clone(),
            );
        names.current = Current {
            connection: canonical,
            schema,
        };
        Ok(())
    }

    /// Plans and starts a query. Nothing but look-ups of names is requested before its stream is polled.
    ///
    /// # Errors
    /// If the query cannot be planned.
    pub async fn query(&self, query: &Query, context: &ReadContext) -> Result<QueryRun> {
        self.planned(query, context, Reach::Everything)
            .await?
            .run()
            .await
    }

    /// The same over other rows in the place of one of its tables.
    ///
    /// # Errors
    /// If the query cannot be planned.
    pub async fn query_over(
        &self,
        query: &Query,
        table: &Name,
        rows: Arc<dyn TableProvider>,
        context: &ReadContext,
    ) -> Result<QueryRun> {
        let names = query.table_names();
        let mut resolved = self.resolve(&names, context, Reach::Everything).await?;
        for (name, resolved) in names.iter().zip(&mut resolved) {
            if name == table {
                resolved.replace(Arc::clone(&rows));
            }
        }
        let (base, now) = (self.base.clone(), self.clock.now());
        let planned = PlannedQuery::new(base, now, query.clone(), resolved, true);
        planned.await?.run().await
    }

    /// What a query would request and do, as lines. Makes no request but look-ups of names.
    ///
    /// # Errors
    /// If the query cannot be planned.
    pub async fn explain(&self, query: &Query, context: &ReadContext) -> Result<Vec<String>> {
        self.planned(query, context, Reach::Everything)
            .await?
            .explain()
            .await
    }

    /// Runs a query, keeps none of its rows, and says in lines what it would say as [`Session::explain`], and what each
    /// part has done.
    ///
    /// # Errors
    /// If the query cannot be planned, or fails.
    pub async fn analyze(&self, query: &Query, context: &ReadContext) -> Result<Vec<String>> {
        self.planned(query, context, Reach::Everything)
            .await?
            .analyze()
            .await
    }

    /// The sources' tables that a query would read, and how. Makes no request but look-ups of names.
    ///
    /// # Errors
    /// If the query cannot be planned.
    pub async fn scans(
        &self,
        query: &Query,
        context: &ReadContext,
    ) -> Result<Vec<(Arc<dyn Source>, Arc<ScanPlan>)>> {
        self.planned(query, context, Reach::Everything)
            .await?
            .scans()
            .await
    }

    /// Resolves and analyses the SELECT of a REPLICATE. Makes no request but look-ups of names.
    ///
    /// # Errors
    /// If the query cannot be planned, or two of its outputs have one name and are not `renamed` by their places.
    pub async fn work(&self, query: &Query, renamed: bool, context: &ReadContext) -> Result<Work> {
        let planned = self.planned(query, context, Reach::Sources).await?;
        planner::plan(async move { rows::work(planned, renamed) }).await
    }

    /// The same for a table reference: all columns of the table, every row.
    ///
    /// # Errors
    /// If the name means no table.
    pub async fn work_of_table(&self, table: &Name, context: &ReadContext) -> Result<Work> {
        let resolved = self
            .resolve(std::slice::from_ref(table), context, Reach::Sources)
            .await?;
        rows::work(
            PlannedQuery::of_table(self.base.clone(), &resolved[0])?,
            false,
        )
    }

    /// What a table's name means. Makes no request but look-ups of names.
    ///
    /// # Errors
    /// If the name means no table.
    pub async fn table(
        &self,
        table: &Name,
        context: &ReadContext,
    ) -> Result<Arc<dyn TableProvider>> {
        let resolved = self
            .resolve(std::slice::from_ref(table), context, Reach::Everything)
            .await?;
        Ok(resolved[0].provider())
    }

    /// The columns of a table, a row each: name, type, whether it may be NULL or is of the key, and a line about it.
    /// Makes no request but look-ups of names.
    ///
    /// # Errors
    /// If the name means no table.
    pub async fn describe(&self, table: &Name, context: &ReadContext) -> Result<RecordBatch> {
        let resolved = self
            .resolve(std::slice::from_ref(table), context, Reach::Everything)
            .await?;
        system::describe(&resolved[0].table)
    }

    /// The full name of a connection or of one of its schemas.
    ///
    /// # Errors
    /// If the name means neither.
    pub async fn full_schema(&self, name: &Name, context: &ReadContext) -> Result<Name> {
        let Names {
            connections,
            current,
        } = self.names().clone();
        let resolver = Resolver {
            connections: &connections,
            current: &current,
            context,
            files: self.files.as_deref(),
            host_tables: &self.host_tables,
            reach: Reach::Everything,
        };
        let parts = resolver.known_place(name).await?.name().into_iter();
        let quoted = |text| Ident {
            quoted: true,
            ..Ident::new(text)
        };
        Ok(Name {
            parts: parts.map(quoted).collect(),
        })
    }

    async fn planned(
        &self,
        query: &Query,
        context: &ReadContext,
        reach: Reach,
    ) -> Result<PlannedQuery> {
        let resolved = self.resolve(&query.table_names(), context, reach).await?;
        // A copy of a table's rows has what tells them apart.
        let hides = reach == Reach::Everything || !is_row_by_row(query.ast());
        PlannedQuery::new(
            self.base.clone(),
            self.clock.now(),
            query.clone(),
            resolved,
            hides,
        )
        .await
    }

    async fn resolve(
        &self,
        tables: &[Name],
        context: &ReadContext,
        reach: Reach,
    ) -> Result<Vec<Resolved>> {
        let Names {
            connections,
            current,
        } = self.names().clone();
        let resolver = Resolver {
            connections: &connections,
            current: &current,
            context,
            files: self.files.as_deref(),
            host_tables: &self.host_tables,
            reach,
        };
        let mut resolved: Vec<Resolved> = Vec::with_capacity(tables.len());
        for (index, name) in tables.iter().enumerate() {
            // One look-up for a table that is read twice.
            let same = tables[..index]
                .iter()
                .position(|earlier| earlier.texts() == name.texts());
            let table = match same {
                Some(earlier) => resolved[earlier].clone(),
                None => resolver.resolve(name).await?,
            };
            resolved.push(table);
        }
        Ok(resolved)
    }

    fn names(&self) -> std::sync::MutexGuard<'_, Names> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ours, then DataFusion's rules.
fn optimizer() -> Vec<Arc<dyn OptimizerRule + Send + Sync>> {
    let mut rules = Optimizer::new().rules;
    rules.insert(0, Arc::new(GuardAggregates));
    rules
}

/// DataFusion's rules, and ours where sorts have found their place and nothing has been found out yet.
fn physical_optimizer() -> Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> {
    let mut rules = PhysicalOptimizer::new().rules;
    PushFilters::replace(&mut rules);
    Narrow::replace(&mut rules);
    rules.insert(0, Arc::new(ForgetConstants));
    let place = rules
        .iter()
        .position(|rule| rule.name() == "PushdownSort")
        .unwrap_or(rules.len());
    rules.insert(place, Arc::new(PushTop));
    rules
}

/// Settings under which a paged REST source is read page by page and no further than needed.
fn config(time_zone: Option<&str>) -> Result<SessionConfig> {
    let time_zone = time_zone.unwrap_or("+00:00");
    if Tz::from_str(time_zone).is_err() {
        return Err(
            Error::new(code::INVALID, format!("`{time_zone}` is no time zone"))
                .with_hint("such as `Europe/Berlin` or `+02:00`"),
        );
    }
    let mut config = SessionConfig::new()
        .with_default_catalog_and_schema(PLANNING_CATALOG, PLANNING_SCHEMA)
        .with_create_default_catalog_and_schema(false)
        .with_target_partitions(PARTITIONS)
        .with_batch_size(1_000)
        .with_round_robin_repartition(false);
    let options = config.options_mut();
    options.sql_parser.enable_ident_normalization = false;
    options.sql_parser.collect_spans = true;
    options.sql_parser.map_string_types_to_utf8view = false;
    options.execution.sort_pushdown_buffer_capacity = 64 * 1024;
    // It refuses plans whose columns are said to be never NULL in the logical plan alone.
    options.execution.skip_physical_aggregate_schema_check = true;
    options.execution.time_zone = Some(time_zone.to_owned());
    Ok(config)
}
