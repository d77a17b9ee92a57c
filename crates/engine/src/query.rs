//! A query from its text to its rows.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bucketline_source::{ScanPlan, Source};
use bucketline_sql::Query;
use chrono::{DateTime, Utc};
use datafusion::arrow::array::timezone::Tz;
use datafusion::arrow::array::{RecordBatch, RecordBatchOptions};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::{
    CatalogProvider, CatalogProviderList, MemoryCatalogProvider, MemoryCatalogProviderList,
    MemorySchemaProvider, SchemaProvider,
};
use datafusion::common::{DataFusionError, TableReference};
use datafusion::datasource::provider_as_source;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::execution::{SendableRecordBatchStream, SessionState};
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::sql::parser::Statement;
use futures::StreamExt;

use crate::dialect::{has_table_function, prepared};
use crate::error::{from_datafusion, is_ambiguous_name};
use crate::explain;
use crate::function::{VALUE, groups_by_cast, name_casts};
use crate::hidden::{Hidden, hide};
use crate::names::Resolved;
use crate::outputs::{Headings, NamedTable, name_outputs};
use crate::session::{PLANNING_CATALOG, PLANNING_SCHEMA};
use crate::yielding::interruptible;
use crate::{Error, Result, code, planner};

/// A query whose names are resolved.
#[derive(Debug)]
pub(crate) struct PlannedQuery {
    pub(crate) state: SessionState,
    pub(crate) plan: Arc<LogicalPlan>,
    headings: Headings,
    query: Option<Query>,
}

/// A query that has been started.
pub struct QueryRun {
    /// The columns under their headings, of which several may be the same.
    pub schema: SchemaRef,
    /// The rows. Errors in it are read with [`QueryRun::error`].
    pub rows: SendableRecordBatchStream,
    query: Option<Query>,
}

impl QueryRun {
    /// Reads an error of the stream.
    pub fn error(&self, error: DataFusionError) -> Error {
        from_datafusion(error, self.query.as_ref())
    }
}

impl std::fmt::Debug for QueryRun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("QueryRun")
            .field("schema", &self.schema)
            .finish_non_exhaustive()
    }
}

impl PlannedQuery {
    /// Plans a query; `resolved` says what each of its table names means, in their order, and `hides` whether `*` leaves
    /// [hidden columns](hide) out.
    pub(crate) async fn new(
        base: SessionState,
        now: DateTime<Utc>,
        query: Query,
        resolved: Vec<Resolved>,
        hides: bool,
    ) -> Result<Self> {
        planner::plan(Self::plan(base, now, query, resolved, hides)).await
    }

    async fn plan(
        base: SessionState,
        now: DateTime<Utc>,
        query: Query,
        resolved: Vec<Resolved>,
        hides: bool,
    ) -> Result<Self> {
        let spelled = respell(&query, &resolved)?;
        let catalogs = MemoryCatalogProviderList::new();
        catalogs.register_catalog(
            PLANNING_CATALOG.to_owned(),
            Arc::new(MemoryCatalogProvider::new()),
        );
        for (name, resolved) in spelled.table_names().iter().zip(&resolved) {
            register(&catalogs, &name.texts(), resolved)
                .map_err(|error| from_datafusion(error, None))?;
        }
        let mut state = SessionStateBuilder::new_from_existing(base)
            .with_catalog_list(Arc::new(catalogs))
            .build();
        state.mark_start_execution();
        state.execution_props_mut().query_execution_start_time = Some(now);
        let hidden: Vec<Hidden> = std::iter::zip(spelled.table_names(), &resolved)
            .map(|(name, table)| {
                let columns = if hides { table.hidden() } else { Vec::new() };
                let parts = name.parts.into_iter().map(|part| part.text);
                (parts.collect(), columns)
            })
            .collect();
        let tables: Vec<NamedTable> = std::iter::zip(&hidden, &resolved)
            .map(|((name, hidden), table)| (name.clone(), visible(&table.schema(), hidden)))
            .collect();
        // Made anew where it is needed again: a long list makes a large tree.
        let tree = |names: bool| -> Result<(Statement, Headings, bool)> {
            let mut tree = spelled.ast().clone();
            let headings = name_outputs(&mut tree, &query, &tables)?;
            hide(&mut tree, &hidden);
            let has_named = (names || groups_by_cast(&tree)) && name_casts(&mut tree);
            let statement = Statement::Statement(Box::new(prepared(tree, &spelled)?));
            Ok((statement, headings, has_named))
        };
        let (statement, headings, has_named) = tree(false)?;
        let mut planned = state.statement_to_plan(statement).await;
        if planned.as_ref().is_err_and(is_ambiguous_name) && !has_named {
            let (statement, _, has_named) = tree(true)?;
            if has_named {
                planned = state.statement_to_plan(statement).await.or(planned);
            }
        }
        let plan = planned.map_err(|error| from_datafusion(error, Some(&query)))?;
        Ok(Self {
            state,
            plan: Arc::new(plan),
            headings,
            query: Some(query),
        })
    }

    /// All columns and rows of one table.
    pub(crate) fn of_table(mut state: SessionState, resolved: &Resolved) -> Result<Self> {
        state.mark_start_execution();
        let name = resolved.spelling.last().cloned().unwrap_or_default();
        let plan = LogicalPlanBuilder::scan(
            TableReference::bare(name),
            provider_as_source(resolved.provider()),
            None,
        )
        .and_then(LogicalPlanBuilder::build)
        .map_err(|error| from_datafusion(error, None))?;
        Ok(Self {
            state,
            plan: Arc::new(plan),
            headings: Headings::default(),
            query: None,
        })
    }

    pub(crate) fn error(&self, error: DataFusionError) -> Error {
        from_datafusion(error, self.query.as_ref())
    }

    /// What the columns of the result are called, in their order; several may be called the same.
    pub(crate) fn headings(&self) -> Vec<String> {
        self.headings.over(self.plan.schema().as_arrow())
    }

    /// Starts it. Its columns have the names of the headings.
    pub(crate) async fn stream(&self) -> Result<SendableRecordBatchStream> {
        let plan = self.runnable().await?;
        let rows = execute_stream(Arc::clone(&plan), self.state.task_ctx())
            .map_err(|error| self.error(error))?;
        let columns = plan.schema();
        let columns = columns.fields().iter().zip(self.headings());
        let fields: Vec<Field> = columns
            .map(|(field, heading)| field.as_ref().clone().with_name(heading))
            .collect();
        refuse_unknown_zones(&fields)?;
        let schema = Arc::new(Schema::new(fields));
        let renamed = Arc::clone(&schema);
        let rows = rows.map(move |batch| {
            let batch = batch?;
            let (_, columns, rows) = batch.into_parts();
            let options = RecordBatchOptions::new().with_row_count(Some(rows));
            let schema = Arc::clone(&renamed);
            Ok(RecordBatch::try_new_with_options(
                schema, columns, &options,
            )?)
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
    }

    /// The plan after analysis: types are coerced, nothing is folded or optimised yet.
    pub(crate) fn analysed(&self) -> Result<LogicalPlan> {
        self.state
            .analyzer()
            .execute_and_check(
                self.plan.as_ref().clone(),
                self.state.config_options(),
                |_, _| {},
            )
            .map_err(|error| self.error(error))
    }

    pub(crate) async fn physical(&self) -> Result<Arc<dyn ExecutionPlan>> {
        let (state, plan) = (self.state.clone(), Arc::clone(&self.plan));
        let query = self.query.clone();
        planner::plan(async move {
            let planned = state.create_physical_plan(&plan).await;
            planned.map_err(|error| from_datafusion(error, query.as_ref()))
        })
        .await
    }

    /// The plan as it is executed.
    pub(crate) async fn runnable(&self) -> Result<Arc<dyn ExecutionPlan>> {
        interruptible(self.physical().await?).map_err(|error| self.error(error))
    }

    pub(crate) async fn run(self) -> Result<QueryRun> {
        let rows = self.stream().await?;
        Ok(QueryRun {
            schema: rows.schema(),
            rows,
            query: self.query,
        })
    }

    /// Executes the plan to its end, keeps no row, and says what its parts have done.
    pub(crate) async fn analyze(&self) -> Result<Vec<String>> {
        let plan = self.runnable().await?;
        let rows = execute_stream(Arc::clone(&plan), self.state.task_ctx());
        let mut rows = rows.map_err(|error| self.error(error))?;
        while let Some(batch) = rows.next().await {
            batch.map_err(|error| self.error(error))?;
        }
        Ok(explain::measured_lines(&plan))
    }

    /// The sources' tables that are read, and how.
    pub(crate) async fn scans(&self) -> Result<Vec<(Arc<dyn Source>, Arc<ScanPlan>)>> {
        Ok(explain::scans(&self.physical().await?))
    }

    pub(crate) async fn explain(&self) -> Result<Vec<String>> {
        Ok(explain::lines(&self.physical().await?))
    }
}

/// Times in a zone that there is not could be computed with, but not shown.
fn refuse_unknown_zones(fields: &[Field]) -> Result<()> {
    let zones = fields.iter().filter_map(|field| match field.data_type() {
        DataType::Timestamp(_, zone) => zone.as_deref(),
        _ => None,
    });
    match zones.into_iter().find(|zone| zone.parse::<Tz>().is_err()) {
        Some(zone) => Err(
            Error::new(code::INVALID, format!("`{zone}` is not a time zone"))
                .with_hint("such as 'Europe/Berlin' or '+02:00'"),
        ),
        None => Ok(()),
    }
}

/// Gives every word that names a table or a column of the query's tables the catalog's spelling, and every other
/// unquoted one its first spelling in the query, so that case does not matter. A word that is spelled exactly like
/// one of several names stays.
fn respell(query: &Query, resolved: &[Resolved]) -> Result<Query> {
    let mut spellings: HashMap<String, Vec<String>> = HashMap::new();
    // Names of one table that case alone tells apart.
    let mut twins: HashSet<String> = HashSet::new();
    for table in resolved {
        let mut own: HashSet<String> = HashSet::new();
        for field in table.schema().fields() {
            let key = field.name().to_lowercase();
            if !own.insert(key.clone()) {
                twins.insert(key.clone());
            }
            let known = spellings.entry(key).or_default();
            if !known.contains(field.name()) {
                known.push(field.name().clone());
            }
        }
    }
    for (alias, column) in resolved.iter().flat_map(Resolved::aliases) {
        spellings
            .entry(alias.to_lowercase())
            .or_insert_with(|| vec![column]);
    }
    for (name, table) in query.table_names().iter().zip(resolved) {
        for (written, spelling) in name.parts.iter().zip(&table.spelling) {
            if !written.quoted {
                spellings
                    .entry(spelling.to_lowercase())
                    .or_insert_with(|| vec![spelling.clone()]);
            }
        }
    }
    if has_table_function(query) {
        spellings
            .entry(VALUE.to_lowercase())
            .or_insert_with(|| vec![VALUE.to_owned()]);
    }
    let mut clash = None;
    let spelled = query.respelled(&mut |word, quoted| {
        let key = word.to_lowercase();
        let is_twin = twins.contains(&key);
        let known = match spellings.get(&key) {
            Some(known) => known,
            // A name of the query's own: quoted it stays as it is, else its first spelling is every one's.
            None if quoted => return None,
            None => spellings
                .entry(key)
                .or_insert_with(|| vec![word.to_owned()]),
        };
        if known.iter().any(|spelling| spelling == word) {
            return None;
        }
        if let [one, two, ..] = known.as_slice()
            && is_twin
        {
            clash.get_or_insert_with(|| [one.clone(), two.clone()]);
        }
        known.first().cloned()
    })?;
    match clash {
        Some([one, two]) => Err(Error::new(
            code::AMBIGUOUS_NAME,
            format!(
                "{one} and {two} differ only by case, and both are columns of this query's tables"
            ),
        )
        .with_hint(format!("write {one} or {two}, exactly so"))
        .at(query.span())),
        None => Ok(spelled),
    }
}

/// The columns of a table but for some.
fn visible(schema: &SchemaRef, hidden: &[String]) -> SchemaRef {
    if hidden.is_empty() {
        return Arc::clone(schema);
    }
    let fields = schema.fields().iter();
    let fields = fields.filter(|field| !hidden.contains(field.name()));
    Arc::new(Schema::new(fields.cloned().collect::<Vec<_>>()))
}

fn register(
    catalogs: &MemoryCatalogProviderList,
    parts: &[&str],
    resolved: &Resolved,
) -> Result<(), DataFusionError> {
    let (catalog, schema, table) = match *parts {
        [catalog, schema, table] => (catalog, schema, table),
        [schema, table] => (PLANNING_CATALOG, schema, table),
        [table] => (PLANNING_CATALOG, PLANNING_SCHEMA, table),
        _ => return Ok(()),
    };
    let catalog = match catalogs.catalog(catalog) {
        Some(found) => found,
        None => {
            let made: Arc<dyn CatalogProvider> = Arc::new(MemoryCatalogProvider::new());
            catalogs.register_catalog(catalog.to_owned(), Arc::clone(&made));
            made
        }
    };
    let schema = match catalog.schema(schema) {
        Some(found) => found,
        None => {
            let made: Arc<dyn SchemaProvider> = Arc::new(MemorySchemaProvider::new());
            catalog.register_schema(schema, Arc::clone(&made))?;
            made
        }
    };
    if !schema.table_exist(table) {
        schema.register_table(table.to_owned(), resolved.provider())?;
    }
    Ok(())
}
