//! Reading a list that comes newest first, back to what is known.

use std::time::Duration;

use arrow::array::{AsArray as _, RecordBatch};
use bucketline_source::spec::{Feed, Walk};
use bucketline_source::{Checkpoint, End, Page};
use chrono::DateTime;

use super::fetch::Fetch;
use super::stuck;
use crate::failure::Failure;
use crate::walk::{Entries, FeedRules, FeedWalk};

/// Reads the rows that are new or unfinished since a checkpoint, newest first.
pub(super) struct FeedReader {
    fetch: Fetch,
    feed: Feed,
    sort: Option<String>,
    walk: FeedWalk,
    link: Option<String>,
    /// The position before the last page.
    before: Checkpoint,
}

impl FeedReader {
    pub(super) fn new(fetch: Fetch, feed: Feed, checkpoint: &Checkpoint) -> Self {
        let (sort, numbered) = match &fetch.table().walk {
            Walk::Pages { sort, numbered, .. } => (sort.clone(), *numbered),
            Walk::Keyset { .. } => (None, false),
        };
        let unfinished = feed.unfinished.as_ref();
        let rules = FeedRules {
            look_back: feed.look_back,
            within: unfinished.map_or(Duration::ZERO, |unfinished| unfinished.within),
            may_promise_too_much: numbered,
        };
        Self {
            walk: FeedWalk::new(rules, checkpoint),
            before: checkpoint.clone(),
            fetch,
            feed,
            sort,
            link: None,
        }
    }

    pub(super) fn before(&self) -> Checkpoint {
        self.before.clone()
    }

    pub(super) async fn page(&mut self) -> Result<Page, Failure> {
        let fetched = match self.link.take() {
            Some(link) => self.fetch.next(&link).await?,
            None => {
                let sort = self.sort.as_deref();
                self.fetch.page(None, sort, None, false).await?
            }
        };
        self.before = self.walk.checkpoint();
        let moments: Vec<_> = self
            .fetch
            .numbers(&fetched.rows, self.feed.column)
            .into_iter()
            .map(|value| value.and_then(DateTime::from_timestamp_micros))
            .collect();
        let page = Entries {
            moments: &moments,
            unfinished: &self.unfinished(&fetched.rows),
            more: fetched.next.is_some(),
            moment: fetched.moment,
        };
        let keep = self.walk.accept(page);
        let keep = keep.map_err(|fault| stuck(&fault, &self.fetch))?;
        self.link = fetched.next;
        let ended = self.walk.has_ended();
        Ok(Page::new(
            self.fetch.wanted(&fetched.rows, Some(&keep))?,
            Some(self.walk.checkpoint()),
            ended.then_some(End::Complete { unstable_pages: 0 }),
        ))
    }

    fn unfinished(&self, rows: &RecordBatch) -> Vec<bool> {
        let unfinished = self.feed.unfinished.as_ref();
        let found = unfinished.and_then(|unfinished| {
            let column = self.fetch.column(rows, unfinished.column)?;
            let states = column.as_string_opt::<i32>()?.iter();
            let is_one = |state: &str| unfinished.values.iter().any(|value| value == state);
            Some(states.map(|state| state.is_some_and(is_one)).collect())
        });
        found.unwrap_or_else(|| vec![false; rows.num_rows()])
    }
}
