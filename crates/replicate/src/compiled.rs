//! The engine's result as the executor's work.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::Field;
use async_trait::async_trait;
use bucketline_engine as engine;
use bucketline_source::{ReadContext, ScanPlan, Source};
use bucketline_sql as sql;
use futures::{StreamExt, TryStreamExt};

use crate::Result;
use crate::work::{Applied, Batches, Output, RowWork, WholeWork, Work};

/// A statement's query, planned by the engine.
pub(crate) enum Compiled {
    Rows(Vec<Box<dyn RowWork>>),
    Whole(CompiledWhole),
}

impl Compiled {
    /// Plans what a statement reads. Makes no request but look-ups of names.
    pub(crate) async fn new(
        session: &engine::Session,
        statement: &sql::Replicate,
        context: &ReadContext,
    ) -> Result<Self> {
        let work = match &statement.source {
            sql::Source::Query(query) => {
                let renamed = statement.columns.is_some();
                session.work(query, renamed, context).await?
            }
            sql::Source::Table(table) => session.work_of_table(table, context).await?,
            sql::Source::SameName => {
                let name = sql::Name {
                    parts: vec![statement.destination.last().clone()],
                };
                session.work_of_table(&name, context).await?
            }
        };
        Ok(Self::of_work(work))
    }

    /// Plans a query that reads sources.
    pub(crate) async fn of_query(
        session: &engine::Session,
        query: &sql::Query,
        context: &ReadContext,
    ) -> Result<Self> {
        Ok(Self::of_work(session.work(query, false, context).await?))
    }

    fn of_work(work: engine::Work) -> Self {
        match work {
            engine::Work::Rows(plans) => {
                let work = |plan| Box::new(CompiledRows::new(plan)) as Box<dyn RowWork>;
                Self::Rows(plans.into_iter().map(work).collect())
            }
            engine::Work::Whole(plan) => Self::Whole(CompiledWhole(plan.into())),
        }
    }

    pub(crate) fn work(&self) -> Work<'_> {
        match self {
            Self::Rows(rows) => Work::Rows(rows),
            Self::Whole(whole) => Work::Whole(whole),
        }
    }
}

struct CompiledRows {
    plan: engine::RowPlan,
    outputs: Vec<Output>,
}

impl CompiledRows {
    fn new(plan: engine::RowPlan) -> Self {
        let output = |output: &engine::Output| Output {
            field: output.field.clone(),
            expression: output.expression.clone(),
            plain: output.plain,
            reads: output.reads.clone(),
            constant: output.constant.clone(),
            doc: output.doc.clone(),
        };
        let outputs = plan.outputs().iter().map(output).collect();
        Self { plan, outputs }
    }
}

impl RowWork for CompiledRows {
    fn connection(&self) -> &str {
        self.plan.connection()
    }

    fn source(&self) -> &Arc<dyn Source> {
        self.plan.source()
    }

    fn scan(&self) -> &Arc<ScanPlan> {
        self.plan.scan()
    }

    fn outputs(&self) -> &[Output] {
        &self.outputs
    }

    fn key(&self) -> &[usize] {
        self.plan.key()
    }

    fn condition(&self) -> Option<&str> {
        self.plan.condition()
    }

    fn condition_reads(&self) -> &[usize] {
        self.plan.condition_reads()
    }

    fn slice_column(&self) -> Option<usize> {
        self.plan.slice_column()
    }

    fn notes(&self) -> &[String] {
        self.plan.notes()
    }

    fn apply(&self, rows: &RecordBatch, whole: bool) -> Result<Applied> {
        let engine::Applied { matching, leaving } = self.plan.apply(rows, whole)?;
        Ok(Applied { matching, leaving })
    }
}

pub(crate) struct CompiledWhole(Arc<engine::WholePlan>);

#[async_trait]
impl WholeWork for CompiledWhole {
    fn why(&self) -> &str {
        self.0.why()
    }

    fn outputs(&self) -> &[Field] {
        self.0.outputs()
    }

    fn key(&self) -> &[usize] {
        self.0.key().unwrap_or_default()
    }

    fn sources(&self) -> Vec<Arc<dyn Source>> {
        self.0
            .sources()
            .iter()
            .map(|(_, source)| Arc::clone(source))
            .collect()
    }

    async fn lists(&self) -> Result<Vec<(Arc<dyn Source>, Arc<ScanPlan>)>> {
        Ok(self.0.lists().await?)
    }

    fn is_selective(&self) -> bool {
        self.0.is_selective()
    }

    fn notes(&self) -> &[String] {
        self.0.notes()
    }

    fn text(&self) -> Result<String> {
        self.0.text()
    }

    async fn execute(&self) -> Result<Batches> {
        let plan = Arc::clone(&self.0);
        let batches = self.0.execute().await?;
        Ok(batches.map_err(move |error| plan.error(error)).boxed())
    }

    async fn explain(&self) -> Result<Vec<String>> {
        Ok(self.0.explain().await?)
    }
}
