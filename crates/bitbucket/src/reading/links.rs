//! Reading a list by its `next` links, and single pages.

use std::collections::HashSet;

use arrow::array::RecordBatch;
use arrow::compute::{SortOptions, concat_batches, sort_to_indices, take_record_batch};
use bucketline_source::{End, Error, ErrorKind, Page};

use super::fetch::{Fetch, Fetched};
use crate::failure::Failure;
use crate::shape::Paging;
use crate::walk::Keep;

/// Reads pages by following links; doubles are dropped by key.
pub(super) struct LinksReader {
    fetch: Fetch,
    sort: Option<String>,
    paging: Paging,
    link: Option<String>,
    given: HashSet<String>,
    pages: usize,
}

impl LinksReader {
    pub(super) fn new(fetch: Fetch, sort: Option<String>, paging: Paging) -> Self {
        Self {
            fetch,
            sort,
            paging,
            link: None,
            given: HashSet::new(),
            pages: 0,
        }
    }

    pub(super) async fn page(&mut self) -> Result<Page, Failure> {
        let brief = self.pages == 0 && self.sort.is_some() && self.fetch.can_split();
        let answer = match self.link.take() {
            Some(link) => self.fetch.at(&self.fetch.link(&link)?).await,
            None => {
                self.fetch
                    .page(None, self.sort.as_deref(), None, brief)
                    .await
            }
        };
        let fetched = match answer {
            Err(Failure::Overwhelmed(_)) if brief => return self.page_by_parts().await,
            Err(Failure::Error(error)) if self.fetch.unresolved() && is_absent(&error) => {
                self.fetch.note(&format!(
                    "there is no repository {}, or this credential may not see it",
                    self.fetch.place().label
                ));
                let rows = RecordBatch::new_empty(self.fetch.plan().schema.clone());
                return Ok(Page {
                    rows,
                    checkpoint: None,
                    end: Some(End::Complete { unstable_pages: 0 }),
                });
            }
            answer => answer?,
        };
        self.pages += 1;
        let keep = self.keep(&fetched);
        let rows = self.fetch.wanted(&fetched.rows, keep.as_ref())?;
        self.link = fetched.next.filter(|_| self.paging == Paging::Links);
        let ended = self.link.is_none() || self.fetch.is_satisfied();
        let end = ended.then_some(End::Complete {
            unstable_pages: self.pages,
        });
        Ok(Page {
            rows,
            checkpoint: None,
            end,
        })
    }

    /// Which rows came for the first time; `None` if all did.
    fn keep(&mut self, fetched: &Fetched) -> Option<Keep> {
        if self.paging != Paging::Links || (self.pages == 1 && fetched.next.is_none()) {
            return None;
        }
        let keys = self.fetch.keys(&fetched.rows);
        Some(Keep::new(
            keys.into_iter().map(|key| self.given.insert(key)).collect(),
        ))
    }

    /// The first rows of each part, sorted together here: what an ordered scan wants when the
    /// service cannot sort all values at once.
    async fn page_by_parts(&mut self) -> Result<Page, Failure> {
        let plan = self.fetch.plan();
        let limit = plan.request.limit.unwrap_or(usize::MAX);
        let mut batches = Vec::new();
        for part in self.fetch.shape().values.clone() {
            let mut count = 0;
            let mut fetched = self
                .fetch
                .page(None, self.sort.as_deref(), Some(part), false)
                .await?;
            loop {
                count += fetched.rows.num_rows();
                batches.push(fetched.rows);
                match fetched.next.filter(|_| count < limit) {
                    Some(next) => fetched = self.fetch.at(&self.fetch.link(&next)?).await?,
                    None => break,
                }
            }
        }
        let rows = self.merged(&batches).map_err(|error| {
            Error::new(ErrorKind::Decode, "BL4023", error.to_string()).with_source(error)
        })?;
        let rows = self.fetch.wanted(&rows, None)?;
        Ok(Page {
            rows,
            checkpoint: None,
            end: Some(End::Complete { unstable_pages: 0 }),
        })
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

fn is_absent(error: &Error) -> bool {
    error.kind() == ErrorKind::NotFound
}
