//! A scan of a source's table, which takes filters, an order and a limit upon itself.

use crate::error::Carry;
use std::any::Any;
use std::fmt;
use std::sync::Arc;

use bucketline_source::{Order, Predicate, ScanPlan, ScanRequest, SliceChoice, Source};
use datafusion::arrow::compute::SortOptions;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, Statistics};
use datafusion::datasource::source::{DataSource, OpenArgs};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::{Column, DynamicFilterPhysicalExpr};
use datafusion::physical_expr::projection::ProjectionExprs;
use datafusion::physical_expr::{
    EquivalenceProperties, Partitioning, PhysicalExpr, PhysicalSortExpr,
};
use datafusion::physical_plan::DisplayFormatType;

use super::measured::Measured;
use super::reader::{Reader, SliceQueue};
use super::{SourceTable, translate};

/// A scan. Filters that arrive are evaluated here on every page, whatever the service does with them.
#[derive(Debug, Clone)]
pub(crate) struct SourceScan {
    table: SourceTable,
    /// Indices of the table's columns that the scan returns.
    columns: Vec<usize>,
    schema: SchemaRef,
    filters: Vec<Arc<dyn PhysicalExpr>>,
    /// Of each slice only so many rows are wanted, in this order.
    top: Option<(Order, usize)>,
    /// At most so many rows of a partition are wanted.
    fetch: Option<usize>,
    plan: Arc<ScanPlan>,
    /// The same for all that this scan becomes while the query is planned.
    measured: Arc<Measured>,
}

impl SourceScan {
    pub(super) fn try_new(
        table: SourceTable,
        columns: Vec<usize>,
        fetch: Option<usize>,
    ) -> Result<Self> {
        let plan = make_plan(&table, &columns, Vec::new(), None, fetch)?;
        let schema = Arc::clone(&plan.schema);
        let measured = Arc::new(Measured::new(&table.context));
        Ok(Self {
            table,
            columns,
            schema,
            filters: Vec::new(),
            top: None,
            fetch,
            plan: Arc::new(plan),
            measured,
        })
    }

    /// What will be requested.
    pub(crate) fn plan(&self) -> &Arc<ScanPlan> {
        &self.plan
    }

    /// What it has done so far.
    pub(crate) fn measured(&self) -> &Measured {
        &self.measured
    }

    /// The source it reads.
    pub(crate) fn source(&self) -> &Arc<dyn Source> {
        &self.table.source
    }

    /// The name of the connection it reads.
    pub(crate) fn connection(&self) -> &str {
        &self.table.connection
    }

    /// The address that its requests go to.
    pub(crate) fn address(&self) -> Option<String> {
        self.table.source.address()
    }

    /// The conditions evaluated here, as text.
    pub(crate) fn filters(&self) -> impl Iterator<Item = String> + '_ {
        self.filters.iter().map(ToString::to_string)
    }

    /// The same scan, giving of each slice only the first rows in the order of one scanned column; `None` if the
    /// service cannot do that, with all filters, or the scan is limited already: which rows those are is decided.
    pub(crate) fn with_top(
        &self,
        column: usize,
        options: SortOptions,
        rows: usize,
    ) -> Result<Option<Self>> {
        if self.is_limited() {
            return Ok(None);
        }
        let mut scan = self.clone();
        scan.top = Some((
            Order {
                column: self.columns[column],
                descending: options.descending,
                nulls_first: options.nulls_first,
            },
            rows,
        ));
        let scan = scan.replanned()?;
        Ok((scan.plan.ordered && scan.plan.limited).then_some(scan))
    }

    /// The same scan, giving only rows that pass more filters over its columns; `None` if it is limited already.
    pub(super) fn with_filters(&self, filters: &[Arc<dyn PhysicalExpr>]) -> Result<Option<Self>> {
        if self.is_limited() {
            return Ok(None);
        }
        let mut scan = self.clone();
        scan.filters.extend_from_slice(filters);
        scan.replanned().map(Some)
    }

    /// Whether only some of the rows are given, so that nothing that chooses among all of them may be added.
    fn is_limited(&self) -> bool {
        self.top.is_some() || self.fetch.is_some()
    }

    /// Whether all rows come from one slice that is known beforehand, so that the slice's order is the scan's.
    pub(crate) fn has_one_slice(&self) -> bool {
        match &self.plan.slices {
            SliceChoice::One => true,
            SliceChoice::Named(names) => names.len() == 1,
            SliceChoice::Listed => false,
        }
    }

    fn replanned(mut self) -> Result<Self> {
        let (predicates, complete) = self.predicates();
        let order = self.top.map(|(order, _)| order);
        let limit = self
            .top
            .map(|(_, rows)| rows)
            .or(self.fetch)
            .filter(|_| complete);
        self.plan = Arc::new(make_plan(
            &self.table,
            &self.columns,
            predicates,
            order,
            limit,
        )?);
        Ok(self)
    }

    /// The filters as predicates, and whether these mean exactly the same. Filters that are only found out while
    /// the query runs are left out: they spare work and never decide what is in the result.
    fn predicates(&self) -> (Vec<Predicate>, bool) {
        let mut all = Vec::new();
        let mut complete = true;
        for filter in self
            .filters
            .iter()
            .filter(|filter| !filter.is::<DynamicFilterPhysicalExpr>())
        {
            let (predicates, whole) = translate(filter, &self.columns);
            all.extend(predicates);
            complete &= whole;
        }
        (all, complete)
    }

    /// The plan with what joins have found out since planning: their filters are as complete as they will be when
    /// the first row is asked for. Never waits for them.
    fn plan_now(&self) -> Result<Arc<ScanPlan>> {
        let mut learnt = Vec::new();
        for filter in &self.filters {
            if let Some(dynamic) = filter.downcast_ref::<DynamicFilterPhysicalExpr>() {
                learnt.extend(translate(&dynamic.current()?, &self.columns).0);
            }
        }
        if learnt.is_empty() || self.plan.limited {
            return Ok(Arc::clone(&self.plan));
        }
        let mut predicates = self.predicates().0;
        predicates.extend(learnt);
        make_plan(&self.table, &self.columns, predicates, None, None).map(Arc::new)
    }

    /// At most so many rows of a partition.
    fn limit(&self) -> Option<usize> {
        let top = self
            .top
            .filter(|_| self.has_one_slice())
            .map(|(_, rows)| rows);
        [top, self.fetch].into_iter().flatten().min()
    }

    /// Slices are read one after the other where a single page is likely to be enough.
    fn partitions(&self) -> usize {
        let one_page = self.fetch.is_some_and(|fetch| fetch <= self.plan.page_size);
        if self.has_one_slice() || one_page {
            1
        } else {
            self.table.source.concurrency().max(1)
        }
    }
}

fn make_plan(
    table: &SourceTable,
    columns: &[usize],
    predicates: Vec<Predicate>,
    order: Option<Order>,
    limit: Option<usize>,
) -> Result<ScanPlan> {
    let request = ScanRequest {
        table: Arc::clone(&table.table),
        scope: table.scope.clone(),
        columns: columns.to_vec(),
        predicates,
        order,
        limit,
        page_size: None,
    };
    table.source.plan(request).map_err(|error| error.carried())
}

impl DataSource for SourceScan {
    fn open(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let queue = self.create_sibling_state(context.session_config().options());
        self.open_with_args(OpenArgs::new(partition, context).with_shared_state(queue))
    }

    fn create_sibling_state(&self, _config: &ConfigOptions) -> Option<Arc<dyn Any + Send + Sync>> {
        Some(Arc::new(SliceQueue::default()))
    }

    fn open_with_args(&self, args: OpenArgs) -> Result<SendableRecordBatchStream> {
        let queue = args
            .sibling_state
            .and_then(|state| state.downcast::<SliceQueue>().ok())
            .unwrap_or_default();
        // A limit chose how many partitions have work; the plan above keeps the number it was made with.
        let idle = args.partition >= self.partitions();
        let scan = self.clone();
        Ok(Reader {
            source: Arc::clone(&self.table.source),
            measured: Arc::clone(&self.measured),
            schema: Arc::clone(&self.schema),
            filters: self.filters.clone(),
            fetch: if idle { Some(0) } else { self.limit() },
            queue,
            plan: Box::new(move || scan.plan_now()),
        }
        .into_stream())
    }

    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}.{}.{}",
            self.table.connection, self.table.scope.name, self.table.table.name
        )?;
        if let Some(request) = self.plan.requests.last() {
            write!(f, ", {} {}", request.method, request.path)?;
        }
        let filters: Vec<String> = self.filters().collect();
        if !filters.is_empty() {
            write!(f, ", filter=[{}]", filters.join(" AND "))?;
        }
        if let Some((order, rows)) = self.top {
            let direction = if order.descending { "DESC" } else { "ASC" };
            let column = &self.table.table.columns[order.column].name;
            write!(f, ", top={rows} of each slice by {column} {direction}")?;
        }
        match self.fetch {
            Some(fetch) => write!(f, ", fetch={fetch}"),
            None => Ok(()),
        }
    }

    fn output_partitioning(&self) -> Partitioning {
        Partitioning::UnknownPartitioning(self.partitions())
    }

    fn eq_properties(&self) -> EquivalenceProperties {
        let ordering = self
            .top
            .filter(|_| self.has_one_slice())
            .and_then(|(order, _)| {
                let index = self
                    .columns
                    .iter()
                    .position(|column| *column == order.column)?;
                let column = Column::new(self.schema.field(index).name(), index);
                Some(PhysicalSortExpr::new(Arc::new(column), sort_options(order)))
            });
        match ordering {
            Some(ordering) => {
                EquivalenceProperties::new_with_orderings(Arc::clone(&self.schema), [[ordering]])
            }
            None => EquivalenceProperties::new(Arc::clone(&self.schema)),
        }
    }

    fn partition_statistics(&self, _partition: Option<usize>) -> Result<Arc<Statistics>> {
        Ok(Arc::new(Statistics::new_unknown(&self.schema)))
    }

    fn with_fetch(&self, limit: Option<usize>) -> Option<Arc<dyn DataSource>> {
        let mut scan = self.clone();
        scan.fetch = limit;
        scan.replanned().ok().map(|scan| Arc::new(scan) as _)
    }

    fn fetch(&self) -> Option<usize> {
        self.fetch
    }

    fn try_swapping_with_projection(
        &self,
        _projection: &ProjectionExprs,
    ) -> Result<Option<Arc<dyn DataSource>>> {
        Ok(None)
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        for filter in &self.filters {
            if f(filter)? == TreeNodeRecursion::Stop {
                return Ok(TreeNodeRecursion::Stop);
            }
        }
        Ok(TreeNodeRecursion::Continue)
    }
}

fn sort_options(order: Order) -> SortOptions {
    SortOptions {
        descending: order.descending,
        nulls_first: order.nulls_first,
    }
}
