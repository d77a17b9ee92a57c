//! What a REPLICATE reads, as the executor sees it.
//!
//! The engine compiles the statement's query; these traits are the part of its result that the
//! executor stands on, so that the rules of replication are written, and tested, without a query
//! engine.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::Field;
use async_trait::async_trait;
use bucketline_source::{ScanPlan, SliceChoice, Source, TableSpec};
use futures::stream::BoxStream;

use crate::Result;

/// One source table, row by row.
pub(crate) trait RowWork: Send + Sync {
    /// The name of the connection that it reads.
    fn connection(&self) -> &str;
    /// The source.
    fn source(&self) -> &Arc<dyn Source>;
    /// How its table is read.
    fn scan(&self) -> &Arc<ScanPlan>;
    /// The output columns.
    fn outputs(&self) -> &[Output];
    /// Indices of the outputs that make up the source's key, less what the scope or an equality
    /// fixes. Empty if that leaves a single row.
    fn key(&self) -> &[usize];
    /// The whole WHERE in a canonical spelling.
    fn condition(&self) -> Option<&str>;
    /// Indices of the table columns that the WHERE reads.
    fn condition_reads(&self) -> &[usize];
    /// Index of the output that is the column naming a row's slice; `None` if there is one slice.
    fn slice_column(&self) -> Option<usize>;
    /// What the reader of the statement should know.
    fn notes(&self) -> &[String];
    /// Computes the outputs of the rows of a page that match, and the keys of those that do not, or all their
    /// outputs if they are wanted `whole`.
    fn apply(&self, rows: &RecordBatch, whole: bool) -> Result<Applied>;

    /// The table read.
    fn table(&self) -> &TableSpec {
        &self.scan().request.table
    }

    /// The plan reads one slice that is fixed by the statement.
    fn is_one_slice(&self) -> bool {
        match &self.scan().slices {
            SliceChoice::One => true,
            SliceChoice::Named(names) => names.len() == 1,
            SliceChoice::Listed => false,
        }
    }
}

/// One output column of a [`RowWork`].
#[derive(Debug, Clone)]
pub(crate) struct Output {
    /// Name, type, nullability, metadata.
    pub(crate) field: Field,
    /// The expression in a canonical spelling.
    pub(crate) expression: String,
    /// The table column that it simply is.
    pub(crate) plain: Option<usize>,
    /// The table columns that it reads.
    pub(crate) reads: Vec<usize>,
    /// The text that it is in every row.
    pub(crate) constant: Option<String>,
    /// One line about it.
    pub(crate) doc: Option<String>,
}

/// A page after the query.
#[derive(Debug)]
pub(crate) struct Applied {
    /// The outputs of the rows that match.
    pub(crate) matching: RecordBatch,
    /// The key outputs, in the order of [`RowWork::key`], of those that do not; or all outputs.
    pub(crate) leaving: RecordBatch,
}

/// Batches of a [`WholeWork`].
pub(crate) type Batches = BoxStream<'static, Result<RecordBatch>>;

/// Any query that can only be executed as a whole.
#[async_trait]
pub(crate) trait WholeWork: Send + Sync {
    /// Why it is not read row by row, a clause: "it has an aggregate".
    fn why(&self) -> &str;
    /// The output columns.
    fn outputs(&self) -> &[Field];
    /// Indices of the outputs that are the key of the only table it reads, if they are.
    fn key(&self) -> &[usize];
    /// The sources that it reads.
    fn sources(&self) -> Vec<Arc<dyn Source>>;
    /// The sources' tables that it reads, and how.
    async fn lists(&self) -> Result<Vec<(Arc<dyn Source>, Arc<ScanPlan>)>>;
    /// Conditions, joins or limits may leave nothing of lists that have rows.
    fn is_selective(&self) -> bool;
    /// What the reader of the statement should know.
    fn notes(&self) -> &[String];
    /// The query in a canonical spelling.
    fn text(&self) -> Result<String>;
    /// Runs it. Nothing is requested before the batches are polled.
    async fn execute(&self) -> Result<Batches>;
    /// How it would be run, for people.
    async fn explain(&self) -> Result<Vec<String>>;
}

/// What a statement reads.
#[derive(Clone, Copy)]
pub(crate) enum Work<'a> {
    /// Row by row: a query, or those that a UNION ALL puts together.
    Rows(&'a [Box<dyn RowWork>]),
    Whole(&'a dyn WholeWork),
}
