//! What a copy is held against: the rows of the source.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::TimestampMicrosecondType;
use bucketline_destination::{ColumnType, convert};
use bucketline_source::{End, Literal, Operator, Page, Predicate, Reading, ScanPlan, Slice};
use futures::{StreamExt, TryStreamExt, stream};

use super::copy::{Copy, Place};
use super::{Check, Difference, taken};
use crate::arms::Arm;
use crate::pages::Pages;
use crate::prepare::{Prepared, Rows, keys_plan};
use crate::probe::{is_narrowed, shows_rows};
use crate::run::Run;
use crate::work::{RowWork, WholeWork, Work};
use crate::{Error, Mode, Result, code};

/// The source's side of a check.
pub(super) struct Source<'a> {
    pub(super) run: &'a Run<'a>,
    pub(super) work: Work<'a>,
    pub(super) prepared: &'a Prepared,
    pub(super) check: &'a Check,
}

/// Rows of the source, in the columns of the table, and which of them differ.
pub(super) struct Look {
    /// The number of their slice.
    pub(super) slice: usize,
    pub(super) rows: RecordBatch,
    pub(super) differences: Vec<(usize, Difference)>,
}

/// What was read of a slice.
#[derive(Default)]
struct Seen {
    rows: usize,
    /// Some of it could not be read.
    unread: bool,
    end: Option<End>,
}

impl Seen {
    fn add(&mut self, page: &Page) {
        self.rows += page.rows.num_rows();
        self.unread |= !page.unread.is_empty();
        self.end.clone_from(&page.end);
    }
}

fn incomplete(slice: &Slice) -> Error {
    let what = format!("{}: the answer stopped before its end", slice.label);
    Error::new(code::INCOMPLETE, what).with_hint("run the statement again")
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
        match self.work {
            Work::Rows(works) => {
                let arms = self.prepared.arms(works);
                self.rows(&arms, copy, deletes, &mut found).await
            }
            Work::Whole(work) => self.whole(work, copy, deletes, &mut found).await,
        }
    }

    async fn whole(
        &self,
        work: &dyn WholeWork,
        copy: &mut Copy,
        deletes: bool,
        found: &mut impl FnMut(Look) -> Result<()>,
    ) -> Result<()> {
        let mut batches = work.execute().await?;
        let mut read = 0;
        while let Some(batch) = batches.try_next().await? {
            read += batch.num_rows();
            let rows = self.prepared.layout.fit(&batch)?;
            let differences = copy.compare(&Place::new(), &rows)?;
            found(Look {
                slice: 0,
                rows,
                differences,
            })?;
        }
        if !deletes {
            copy.see_all(|_| true);
        } else if read == 0 && copy.has_unseen(&Place::new(), self.check) {
            let voice = &self.run.voice;
            voice.note("the result is empty; the rows of the copy are not taken for deleted");
            copy.see_all(|_| true);
        }
        Ok(())
    }

    /// How rows are read: with all values, or by their keys alone where nothing else is asked for.
    pub(super) fn plan(&self, arm: &Arm<'_>) -> Result<(Arc<ScanPlan>, Reading)> {
        let Arm { work, rows, .. } = *arm;
        let plan = rows.scan.plan();
        if self.is_keys_only(arm) {
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

    fn is_keys_only(&self, arm: &Arm<'_>) -> bool {
        let Check {
            repair,
            skip_modified,
            ..
        } = self.check;
        *skip_modified
            && !repair
            && !self.check.is_bounded()
            && arm.work.condition().is_none()
            && self.prepared.mode != Mode::Replace
            && !arm.rows.scan.has_start()
    }

    /// Reads the slices of each query, several at a time.
    async fn rows(
        &self,
        arms: &[Arm<'_>],
        copy: &mut Copy,
        deletes: bool,
        found: &mut impl FnMut(Look) -> Result<()>,
    ) -> Result<()> {
        let mut parts = Vec::with_capacity(arms.len());
        for arm in arms {
            let plan = arm.rows.scan.plan();
            let slices = arm.work.source().slices(plan, &self.run.context).await?;
            let place = |slice: Slice| (arm.rows.place(&slice.parents), slice);
            parts.push(slices.into_iter().map(place).collect::<Vec<_>>());
        }
        // What is listed no more stays, as it does when it is replicated.
        let places: HashSet<&Place> = parts.iter().flatten().map(|(place, _)| place).collect();
        copy.see_all(|place| !places.contains(place));
        let mut before = 0;
        for (arm, slices) in arms.iter().zip(&parts) {
            let numbered = |look: Look| {
                found(Look {
                    slice: before + look.slice,
                    ..look
                })
            };
            self.arm(arm, slices, copy, deletes, numbered).await?;
            before += slices.len();
        }
        Ok(())
    }

    async fn arm(
        &self,
        arm: &Arm<'_>,
        slices: &[(Place, Slice)],
        copy: &mut Copy,
        deletes: bool,
        mut found: impl FnMut(Look) -> Result<()>,
    ) -> Result<()> {
        let Arm { work, rows, .. } = *arm;
        let (plan, reading) = self.plan(arm)?;
        let reader = Reader {
            source: self,
            work,
            rows,
            plan,
            reading,
            keys_only: self.is_keys_only(arm),
        };
        let read = |slice: usize| {
            reader
                .pages(&slices[slice].1)
                .map(move |page| (slice, page))
        };
        let pages = stream::iter(0..slices.len()).map(read);
        let mut pages = pages.flatten_unordered(work.source().concurrency().max(1));
        let mut seen: Vec<Seen> = slices.iter().map(|_| Seen::default()).collect();
        while let Some((number, page)) = pages.next().await {
            let page = page?;
            let (place, slice) = &slices[number];
            seen[number].add(&page);
            let rows = reader.fitted(slice, page.rows)?;
            let differences = copy.compare(place, &rows)?;
            found(Look {
                slice: number,
                rows,
                differences,
            })?;
        }
        drop(pages);
        if !deletes {
            copy.see_all(|_| true);
        }
        for ((place, slice), seen) in slices.iter().zip(seen) {
            reader.settle(slice, place, seen, copy).await?;
        }
        Ok(())
    }
}

/// A way to read the slices of a table.
struct Reader<'a> {
    source: &'a Source<'a>,
    work: &'a dyn RowWork,
    rows: &'a Rows,
    plan: Arc<ScanPlan>,
    reading: Reading,
    /// The pages have the columns of the key alone.
    keys_only: bool,
}

impl Reader<'_> {
    fn pages(&self, slice: &Slice) -> Pages {
        let (plan, context) = (Arc::clone(&self.plan), &self.source.run.context);
        let source = self.work.source();
        Pages::read(source.read(plan, slice, self.reading.clone(), context))
    }

    /// The rows of a page that match, in the columns of the table; or their keys.
    fn fitted(&self, slice: &Slice, page: RecordBatch) -> Result<RecordBatch> {
        let layout = &self.source.prepared.layout;
        if self.keys_only {
            return layout.fit_keys(&page, &self.rows.key, &slice.parents);
        }
        let page = self.rows.scan.admit(page)?;
        self.within_bounds(layout.fit(&self.work.apply(&page, false)?.matching)?)
    }

    /// Decides which unseen rows of a slice can be taken for deleted.
    async fn settle(
        &self,
        slice: &Slice,
        value: &Place,
        seen: Seen,
        copy: &mut Copy,
    ) -> Result<()> {
        let Source {
            run,
            check,
            prepared,
            ..
        } = self.source;
        let this = |other: &Place| other == value;
        let unstable_pages = match seen.end {
            None => return Err(incomplete(slice)),
            Some(End::Complete { unstable_pages }) => unstable_pages,
            Some(End::NotApplicable { .. }) => {
                copy.see_all(this);
                return Ok(());
            }
        };
        if !copy.has_unseen(value, check) {
            return Ok(());
        }
        let doubt = if seen.unread {
            Some("not all of it could be read")
        } else if seen.rows == 0 && !self.leaves_rows_out(slice).await? {
            Some("the list is empty")
        } else {
            None
        };
        if let Some(doubt) = doubt {
            run.voice.note(format!(
                "{}: {doubt}; rows of the copy are not taken for deleted",
                slice.label
            ));
            copy.see_all(this);
            return Ok(());
        }
        if unstable_pages > 1 {
            self.look_again(slice, value, copy).await?;
        }
        if check.end.is_none() || !copy.has_unseen(value, check) {
            return Ok(());
        }
        // What changed since then is not gone.
        if prepared.mode == Mode::Replace {
            copy.see_all(this);
            return Ok(());
        }
        let keys = Self {
            plan: keys_plan(self.work)?,
            reading: Reading::Listing,
            keys_only: true,
            ..*self
        };
        keys.look_again(slice, value, copy).await
    }

    /// Whether a slice that gave no row has rows, which the conditions leave out.
    async fn leaves_rows_out(&self, slice: &Slice) -> Result<bool> {
        let (source, context) = (self.work.source(), &self.source.run.context);
        let only = std::slice::from_ref(slice);
        Ok(is_narrowed(&self.plan) && shows_rows(source, &self.plan, only, context).await?)
    }

    /// Reads a slice to its end, and takes its rows for seen.
    async fn look_again(&self, slice: &Slice, value: &Place, copy: &mut Copy) -> Result<()> {
        let mut pages = self.pages(slice);
        loop {
            let page = pages.next().await.ok_or_else(|| incomplete(slice))??;
            let end = page.end.is_some();
            copy.see(value, &self.fitted(slice, page.rows)?)?;
            if end {
                return Ok(());
            }
        }
    }

    /// The rows whose change column is within the bounds of the check.
    fn within_bounds(&self, rows: RecordBatch) -> Result<RecordBatch> {
        let Source {
            check, prepared, ..
        } = self.source;
        let cursor = self.work.table().cursor.as_ref();
        let layout = &prepared.layout;
        let column = cursor.filter(|_| check.is_bounded()).and_then(|cursor| {
            let is_it = |pick: &usize| self.work.outputs()[*pick].plain == Some(cursor.column);
            layout.picks.iter().position(is_it)
        });
        let Some(column) = column else {
            return Ok(rows);
        };
        let moments = convert(rows.column(column), ColumnType::Instant)?;
        let moments = moments.as_primitive::<TimestampMicrosecondType>();
        let kept = moments
            .iter()
            .enumerate()
            .filter(|(_, it)| check.admits(*it));
        let kept = kept.map(|(row, _)| u32::try_from(row).unwrap_or(u32::MAX));
        taken(&rows, kept.collect())
    }
}
