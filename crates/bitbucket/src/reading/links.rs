//! Reading a list by its `next` links, and single pages.

use std::collections::HashSet;

use arrow::array::RecordBatch;
use arrow::compute::{SortOptions, concat_batches, sort_to_indices, take_record_batch};
use bucketline_core::code::bitbucket as code;
use bucketline_source::{End, Error, Page};
use chrono::{DateTime, Utc};

use super::fetch::Fetch;
use super::stuck;
use crate::failure::Failure;
use crate::walk::{Fault, Keep, MAX_BARREN};

/// Reads pages by following links; doubles are dropped by key.
pub(super) struct LinksReader {
    fetch: Fetch,
    sort: Option<String>,
    link: Option<String>,
    given: HashSet<String>,
    pages: usize,
    barren: usize,
    /// No row is wanted whose value of this column is before this moment, and they come newest first.
    until: Option<(usize, DateTime<Utc>)>,
}

impl LinksReader {
    pub(super) fn new(fetch: Fetch, sort: Option<String>) -> Self {
        Self {
            fetch,
            sort,
            link: None,
            given: HashSet::new(),
            pages: 0,
            barren: 0,
            until: None,
        }
    }

    /// Ends at the first page whose rows are all before a moment.
    pub(super) fn until(self, until: Option<(usize, DateTime<Utc>)>) -> Self {
        Self { until, ..self }
    }

    pub(super) async fn page(&mut self) -> Result<Page, Failure> {
        let brief = self.pages == 0 && self.sort.is_some() && self.fetch.can_split();
        let answer = match self.link.take() {
            Some(link) => self.fetch.next(&link).await,
            None => {
                self.fetch
                    .page(None, self.sort.as_deref(), None, brief)
                    .await
            }
        };
        let fetched = match answer {
            Err(Failure::Overwhelmed(_)) if brief => return self.page_by_parts().await,
            answer => answer?,
        };
        self.pages += 1;
        let only_page = self.pages == 1 && fetched.next.is_none();
        let keep = if only_page {
            None
        } else {
            self.first_seen(fetched.keys)
        };
        let rows = self.fetch.wanted(&fetched.rows, keep.as_ref())?;
        self.link = fetched.next;
        let ended = self.link.is_none() || self.fetch.is_satisfied() || self.is_past(&fetched.rows);
        let new = match &keep {
            Some(keep) => keep.flags().contains(&true),
            None => fetched.rows.num_rows() > 0,
        };
        self.barren = if new { 0 } else { self.barren + 1 };
        if !ended && self.barren == MAX_BARREN {
            return Err(stuck(Fault::Circle, &self.fetch));
        }
        let end = ended.then_some(End::Complete {
            unstable_pages: self.pages,
        });
        Ok(Page::new(rows, None, end))
    }

    /// Whether a page lies wholly before what is wanted.
    fn is_past(&self, rows: &RecordBatch) -> bool {
        self.until.is_some_and(|(column, moment)| {
            let values = self.fetch.numbers(rows, column);
            let before =
                |value: &Option<i64>| value.is_some_and(|value| value < moment.timestamp_micros());
            !values.is_empty() && values.iter().all(before)
        })
    }

    /// Which rows came for the first time; `None` if they cannot be told apart.
    fn first_seen(&mut self, keys: Option<Vec<String>>) -> Option<Keep> {
        let keys = keys?.into_iter();
        Some(Keep::new(keys.map(|key| self.given.insert(key)).collect()))
    }

    /// The first rows of each part, sorted together here: what an ordered scan wants when the
    /// service cannot sort all values at once.
    async fn page_by_parts(&mut self) -> Result<Page, Failure> {
        let limit = self.fetch.plan().request.limit.unwrap_or(usize::MAX);
        let mut batches = Vec::new();
        for part in self.fetch.shape().values.clone() {
            let mut count = 0;
            let mut fetched = self
                .fetch
                .page(None, self.sort.as_deref(), Some(part), false)
                .await?;
            loop {
                // A row that changes its part while the parts are read comes in both.
                let keep = self.first_seen(fetched.keys);
                let rows = Fetch::kept(&fetched.rows, keep.as_ref())?;
                count += rows.num_rows();
                batches.push(rows);
                match fetched.next.filter(|_| count < limit) {
                    Some(next) => fetched = self.fetch.next(&next).await?,
                    None => break,
                }
            }
        }
        let rows = self
            .merged(&batches)
            .map_err(|error| Error::new(code::BAD_PAGE, error.to_string()).with_source(error))?;
        let rows = self.fetch.wanted(&rows, None)?;
        let end = Some(End::Complete { unstable_pages: 0 });
        Ok(Page::new(rows, None, end))
    }

    fn merged(&self, batches: &[RecordBatch]) -> Result<RecordBatch, arrow::error::ArrowError> {
        let plan = self.fetch.plan();
        let rows = match batches {
            [] => return Ok(RecordBatch::new_empty(plan.schema.clone())),
            [first, ..] => concat_batches(&first.schema(), batches)?,
        };
        let sorted_by = plan.request.order.filter(|_| plan.ordered);
        let column =
            sorted_by.and_then(|order| Some((order, self.fetch.column(&rows, order.column)?)));
        match column {
            Some((order, column)) => {
                let options = SortOptions {
                    descending: order.descending,
                    nulls_first: false,
                };
                take_record_batch(&rows, &sort_to_indices(column, Some(options), None)?)
            }
            None => Ok(rows),
        }
    }
}
