//! What a copy is held against: the rows of the source.

use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::TimestampMicrosecondType;
use bucketline_destination::{ColumnType, convert};
use bucketline_source::{End, Literal, Operator, Page, Predicate, Reading, ScanPlan, Slice};
use futures::TryStreamExt;

use super::copy::Copy;
use super::{Check, Difference, taken};
use crate::pages::Pages;
use crate::prepare::{Prepared, Rows, keys_plan};
use crate::probe::{is_narrowed, shows_rows};
use crate::run::Run;
use crate::work::{RowWork, WholeWork, Work};
use crate::{Error, ErrorKind, Mode, Result};

/// The source's side of a check.
pub(super) struct Source<'a> {
    pub(super) run: &'a Run<'a>,
    pub(super) work: Work<'a>,
    pub(super) prepared: &'a Prepared,
    pub(super) check: &'a Check,
}

/// Rows of the source, in the columns of the table, and which of them differ.
pub(super) struct Look {
    pub(super) rows: RecordBatch,
    pub(super) differences: Vec<(usize, Difference)>,
}

/// The rows that differ, if some do.
pub(super) fn picked(
    rows: &RecordBatch,
    differences: &[(usize, Difference)],
) -> Result<Option<RecordBatch>> {
    let numbers = differences
        .iter()
        .map(|(row, _)| u32::try_from(*row).unwrap_or(u32::MAX));
    (!differences.is_empty())
        .then(|| taken(rows, numbers.collect()))
        .transpose()
}

impl Source<'_> {
    /// Reads the rows and compares them with the copy. Afterwards the copy's unseen rows are those that the source
    /// lacks; if `deletes` are not looked for, and where a list cannot be believed, there are none.
    pub(super) async fn look(
        &self,
        copy: &mut Copy,
        deletes: bool,
        mut found: impl FnMut(Look) -> Result<()>,
    ) -> Result<()> {
        match (self.work, &self.prepared.rows) {
            (Work::Rows(work), Some(rows)) => self.rows(work, rows, copy, &mut found).await?,
            (Work::Whole(work), _) => self.whole(work, copy, &mut found).await?,
            (Work::Rows(_), None) => {}
        }
        if !deletes {
            copy.see_all(|_| true);
        }
        Ok(())
    }

    async fn whole(
        &self,
        work: &dyn WholeWork,
        copy: &mut Copy,
        found: &mut impl FnMut(Look) -> Result<()>,
    ) -> Result<()> {
        let mut batches = work.execute().await?;
        let mut read = 0;
        while let Some(batch) = batches.try_next().await? {
            read += batch.num_rows();
            let rows = self.prepared.layout.fit(&batch)?;
            self.compare(copy, &None, rows, found)?;
        }
        if read == 0 && copy.has(&None) {
            self.run
                .voice
                .note("the result is empty; the rows of the copy are not taken for deleted");
            copy.see_all(|_| true);
        }
        Ok(())
    }

    /// How rows are read: with all values, or by their keys alone where nothing else is asked for.
    pub(super) fn plan(&self, work: &dyn RowWork) -> Result<(Arc<ScanPlan>, Reading)> {
        let Some(rows) = &self.prepared.rows else {
            return Ok((Arc::clone(work.scan()), Reading::Scan));
        };
        let plan = rows.scan.plan();
        if self.is_keys_only(work) {
            return Ok((keys_plan(work)?, Reading::Listing));
        }
        let Some(cursor) = work
            .table()
            .cursor
            .as_ref()
            .filter(|_| self.check.is_bounded())
        else {
            let reading = match is_narrowed(plan) {
                true => Reading::Scan,
                false => Reading::Listing,
            };
            return Ok((Arc::clone(plan), reading));
        };
        let mut request = plan.request.clone();
        let bounds = [
            (Operator::GtEq, self.check.start),
            (Operator::LtEq, self.check.end),
        ];
        for (operator, bound) in bounds {
            request.predicates.extend(bound.map(|at| Predicate {
                column: cursor.column,
                operator,
                values: vec![Literal::Timestamp(at)],
            }));
        }
        Ok((Arc::new(work.source().plan(request)?), Reading::Scan))
    }

    fn is_keys_only(&self, work: &dyn RowWork) -> bool {
        let Check {
            repair,
            skip_modified,
            ..
        } = self.check;
        *skip_modified
            && !repair
            && !self.check.is_bounded()
            && work.condition().is_none()
            && self.prepared.mode != Mode::Replace
            && self
                .prepared
                .rows
                .as_ref()
                .is_some_and(|rows| !rows.scan.has_start())
    }

    async fn rows(
        &self,
        work: &dyn RowWork,
        rows: &Rows,
        copy: &mut Copy,
        found: &mut impl FnMut(Look) -> Result<()>,
    ) -> Result<()> {
        let slices = work
            .source()
            .slices(rows.scan.plan(), &self.run.context)
            .await?;
        let value = |slice: &Slice| {
            let (_, index) = rows.slice.as_ref()?;
            slice.parents.get(*index).cloned().flatten()
        };
        let values: Vec<Option<String>> = slices.iter().map(value).collect();
        // What is listed no more stays, as it does when it is replicated.
        copy.see_all(|slice| !values.contains(slice));
        for (slice, value) in slices.iter().zip(&values) {
            self.slice(work, rows, slice, value, copy, found).await?;
        }
        Ok(())
    }

    async fn slice(
        &self,
        work: &dyn RowWork,
        rows: &Rows,
        slice: &Slice,
        value: &Option<String>,
        copy: &mut Copy,
        found: &mut impl FnMut(Look) -> Result<()>,
    ) -> Result<()> {
        let this = |other: &Option<String>| other == value;
        let (plan, reading) = self.plan(work)?;
        let (end, read, whole) = self
            .pages(work, rows, slice, (&plan, &reading), |rows| {
                self.compare(copy, value, rows, found)
            })
            .await?;
        let label = &slice.label;
        let End::Complete { unstable_pages } = end else {
            copy.see_all(this);
            return Ok(());
        };
        if !whole {
            self.run.voice.note(format!(
                "{label}: not all of it could be read; rows of the copy are not taken for deleted"
            ));
            copy.see_all(this);
        }
        if read == 0 && copy.has_unseen(value, self.check) {
            let (source, only) = (work.source(), std::slice::from_ref(slice));
            let context = &self.run.context;
            if !(is_narrowed(&plan) && shows_rows(source, &plan, only, context).await?) {
                self.run.voice.note(format!(
                    "{label}: the list is empty; the rows of the copy are not taken for deleted"
                ));
                copy.see_all(this);
            }
        }
        if unstable_pages > 1 && copy.has_unseen(value, self.check) {
            self.pages(work, rows, slice, (&plan, &reading), |rows| {
                copy.see(value, &rows)
            })
            .await?;
        }
        if self.check.end.is_some() && copy.has_unseen(value, self.check) {
            // What changed since then is not gone.
            if self.prepared.mode == Mode::Replace {
                copy.see_all(this);
                return Ok(());
            }
            let keys = keys_plan(work)?;
            self.keys(work, rows, slice, &keys, |keys| copy.see(value, &keys))
                .await?;
        }
        Ok(())
    }

    fn compare(
        &self,
        copy: &mut Copy,
        slice: &Option<String>,
        rows: RecordBatch,
        found: &mut impl FnMut(Look) -> Result<()>,
    ) -> Result<()> {
        let differences = copy.compare(slice, &rows)?;
        found(Look { rows, differences })
    }

    /// Gives the rows of a slice that match; how it ended, how many rows were read, and whether all of it was.
    async fn pages(
        &self,
        work: &dyn RowWork,
        rows: &Rows,
        slice: &Slice,
        (plan, reading): (&Arc<ScanPlan>, &Reading),
        mut give: impl FnMut(RecordBatch) -> Result<()>,
    ) -> Result<(End, usize, bool)> {
        if self.is_keys_only(work) {
            return self.keys(work, rows, slice, plan, give).await;
        }
        let layout = &self.prepared.layout;
        let (mut read, mut whole) = (0, true);
        let mut pages = self.read(work, slice, plan, reading);
        loop {
            let Page {
                rows: page,
                unread,
                end,
                ..
            } = self.next(slice, &mut pages).await?;
            read += page.num_rows();
            whole &= unread.is_empty();
            let page = rows.scan.admit(page)?;
            if page.num_rows() > 0 {
                let matching = layout.fit(&work.apply(&page, false)?.matching)?;
                give(self.within_bounds(work, matching)?)?;
            }
            if let Some(end) = end {
                return Ok((end, read, whole));
            }
        }
    }

    /// The same for their keys alone, whether they match or not.
    async fn keys(
        &self,
        work: &dyn RowWork,
        rows: &Rows,
        slice: &Slice,
        plan: &Arc<ScanPlan>,
        mut give: impl FnMut(RecordBatch) -> Result<()>,
    ) -> Result<(End, usize, bool)> {
        let layout = &self.prepared.layout;
        let (mut read, mut whole) = (0, true);
        let mut pages = self.read(work, slice, plan, &Reading::Listing);
        loop {
            let page = self.next(slice, &mut pages).await?;
            read += page.rows.num_rows();
            whole &= page.unread.is_empty();
            give(layout.fit_keys(&page.rows, &rows.key, &slice.parents)?)?;
            if let Some(end) = page.end {
                return Ok((end, read, whole));
            }
        }
    }

    fn read(
        &self,
        work: &dyn RowWork,
        slice: &Slice,
        plan: &Arc<ScanPlan>,
        reading: &Reading,
    ) -> Pages {
        let plan = Arc::clone(plan);
        let context = &self.run.context;
        Pages::read(work.source().read(plan, slice, reading.clone(), context))
    }

    async fn next(&self, slice: &Slice, pages: &mut Pages) -> Result<Page> {
        let page = pages.next().await.ok_or_else(|| {
            let what = format!("{}: the answer stopped before its end", slice.label);
            Error::new(ErrorKind::Incomplete, what).with_hint("run the statement again")
        })?;
        Ok(page?)
    }

    /// The rows whose change column is within the bounds of the check.
    fn within_bounds(&self, work: &dyn RowWork, rows: RecordBatch) -> Result<RecordBatch> {
        let cursor = work
            .table()
            .cursor
            .as_ref()
            .filter(|_| self.check.is_bounded());
        let layout = &self.prepared.layout;
        let column = cursor.and_then(|cursor| {
            let is_it = |pick: &usize| work.outputs()[*pick].plain == Some(cursor.column);
            let column = layout.picks.iter().position(is_it)?;
            let field = &layout.columns[column].field;
            (ColumnType::of(field) == ColumnType::Instant).then_some(column)
        });
        let Some(column) = column else {
            return Ok(rows);
        };
        let moments = convert(rows.column(column), ColumnType::Instant)?;
        let moments = moments.as_primitive::<TimestampMicrosecondType>();
        let kept = moments
            .iter()
            .enumerate()
            .filter(|(_, it)| self.check.admits(*it));
        let kept = kept.map(|(row, _)| u32::try_from(row).unwrap_or(u32::MAX));
        taken(&rows, kept.collect())
    }
}
