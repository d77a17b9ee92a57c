//! How a query's table is read, from a start date on if the statement sets one.

use std::sync::Arc;

use arrow::array::{BooleanArray, RecordBatch, Scalar, TimestampMicrosecondArray};
use arrow::compute::{filter_record_batch, kernels::cmp};
use bucketline_source::{Literal, Operator, Predicate, ScanPlan, ScanRequest};
use chrono::{DateTime, Utc};

use crate::work::RowWork;
use crate::{Error, Result, code};

/// A scan, with the start date that a statement may set.
#[derive(Debug, Clone)]
pub(crate) struct Scan {
    plan: Arc<ScanPlan>,
    start: Option<Start>,
}

#[derive(Debug, Clone, Copy)]
struct Start {
    /// Earlier rows, and rows without a date, are left out.
    at: DateTime<Utc>,
    /// Index of the cursor column in a page.
    column: usize,
    /// The page has that column only for this.
    extra: bool,
}

impl Scan {
    pub(crate) fn new(work: &dyn RowWork, start: Option<DateTime<Utc>>) -> Result<Self> {
        let plan = Arc::clone(work.scan());
        let (Some(at), Some(cursor)) = (start, &work.table().cursor) else {
            return Ok(Self { plan, start: None });
        };
        let mut request = plan.request.clone();
        let found = request
            .columns
            .iter()
            .position(|&column| column == cursor.column);
        let column = found.unwrap_or(request.columns.len());
        if found.is_none() {
            request.columns.push(cursor.column);
        }
        request.predicates.push(Predicate {
            column: cursor.column,
            operator: Operator::GtEq,
            values: vec![Literal::Timestamp(at)],
        });
        let start = Some(Start {
            at,
            column,
            extra: found.is_none(),
        });
        Ok(Self {
            plan: Arc::new(work.source().plan(request)?),
            start,
        })
    }

    /// How the table is read.
    pub(crate) fn plan(&self) -> &Arc<ScanPlan> {
        &self.plan
    }

    /// Earlier rows are left out, as the statement says.
    pub(crate) fn has_start(&self) -> bool {
        self.start.is_some()
    }

    /// A page as the statement's query expects it, less the rows before the start date.
    ///
    /// Such a row has not changed since before that date, so it never was in the copy: it is
    /// dropped, not deleted.
    pub(crate) fn admit(&self, page: RecordBatch) -> Result<RecordBatch> {
        let Some(Start { at, column, extra }) = self.start else {
            return Ok(page);
        };
        let broken = |error: arrow::error::ArrowError| {
            Error::new(code::INCOMPLETE, format!("a page cannot be read: {error}"))
        };
        let cursor = page.column(column);
        let bound = TimestampMicrosecondArray::from(vec![at.timestamp_micros()])
            .with_data_type(cursor.data_type().clone());
        let keep: BooleanArray = cmp::gt_eq(cursor, &Scalar::new(bound)).map_err(broken)?;
        let kept = filter_record_batch(&page, &keep).map_err(broken)?;
        if !extra {
            return Ok(kept);
        }
        let columns: Vec<_> = (0..kept.num_columns())
            .filter(|&index| index != column)
            .collect();
        kept.project(&columns).map_err(broken)
    }

    /// The same scan over everything that the source lists; `None` if that is no more.
    pub(crate) fn widest(&self, work: &dyn RowWork) -> Result<Option<ScanPlan>> {
        let request = &self.plan.request;
        let chooses = self
            .plan
            .predicates
            .iter()
            .map(|planned| planned.chooses_slices);
        let scope = work.source().default_scope();
        if request.scope == scope && !chooses.clone().any(|chooses| chooses) {
            return Ok(None);
        }
        let predicates = request.predicates.iter().zip(chooses);
        let predicates = predicates
            .filter(|(_, chooses)| !chooses)
            .map(|(p, _)| p.clone())
            .collect();
        let request = ScanRequest {
            scope,
            predicates,
            ..request.clone()
        };
        Ok(Some(work.source().plan(request)?))
    }
}
