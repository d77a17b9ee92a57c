//! Reading what changed in a slice.

use bucketline_core::code::bitbucket as code;
use bucketline_source::spec::Cursor;
use bucketline_source::{Checkpoint, End, Error, Page};
use chrono::DateTime;

use super::fetch::Fetch;
use super::stuck;
use crate::failure::Failure;
use crate::query;
use crate::walk::{ChangeWalk, Rows, Seen, WalkRules};

/// Reads the rows changed since a checkpoint, in ascending cursor order.
pub(super) struct ChangesReader {
    fetch: Fetch,
    walk: ChangeWalk,
    cursor: usize,
    tie: usize,
    nullable: bool,
    /// The position before the last page.
    before: Checkpoint,
    /// Nothing has been read yet: the moment at which a sort across all values may fail.
    fresh: bool,
}

impl ChangesReader {
    pub(super) fn new(fetch: Fetch, cursor: &Cursor, checkpoint: Checkpoint) -> Self {
        let shape = fetch.shape();
        let parts = if fetch.can_split() || checkpoint.split {
            shape.values.clone()
        } else {
            vec![0]
        };
        let rules = WalkRules {
            look_back: cursor.look_back,
            nullable: cursor.nullable,
            parts: if parts.is_empty() { vec![0] } else { parts },
        };
        Self {
            walk: ChangeWalk::new(rules, checkpoint),
            cursor: cursor.column,
            tie: cursor.tie,
            nullable: cursor.nullable,
            before: Checkpoint::default(),
            fresh: true,
            fetch,
        }
    }

    pub(super) fn before(&self) -> Checkpoint {
        self.before.clone()
    }

    pub(super) async fn page(&mut self) -> Result<Page, Failure> {
        loop {
            let Some(ask) = self.walk.ask() else {
                // The walk ends with a page, so nobody asks again.
                return Err(Failure::Error(Error::new(
                    code::WALK_FINISHED,
                    "the walk has ended already",
                )));
            };
            let (condition, sort) = self.request(ask.rows);
            let brief = self.fresh && self.walk.can_split();
            let fetched = match self
                .fetch
                .page(condition, Some(&sort), ask.part, brief)
                .await
            {
                Err(Failure::Overwhelmed(_)) if brief => {
                    self.walk.split();
                    continue;
                }
                fetched => fetched?,
            };
            self.fresh = false;
            let instant = |value: Option<i64>| value.and_then(DateTime::from_timestamp_micros);
            let cursors: Vec<_> = self
                .fetch
                .numbers(&fetched.rows, self.cursor)
                .into_iter()
                .map(instant)
                .collect();
            // The decoder has seen to it that the key is there.
            let ids: Vec<_> = self
                .fetch
                .numbers(&fetched.rows, self.tie)
                .into_iter()
                .map(Option::unwrap_or_default)
                .collect();
            let seen = Seen {
                cursors: &cursors,
                ids: &ids,
                more: fetched.next.is_some(),
                moment: fetched.moment,
            };
            self.before = self.walk.opened(seen.moment);
            let keep = self
                .walk
                .accept(seen)
                .map_err(|fault| stuck(&fault, &self.fetch))?;
            let ended = self.walk.ask().is_none();
            return Ok(Page::new(
                self.fetch.wanted(&fetched.rows, Some(&keep))?,
                Some(self.walk.checkpoint()),
                ended.then_some(End::Complete { unstable_pages: 0 }),
            ));
        }
    }

    /// Condition and sort of a page.
    fn request(&self, rows: Rows) -> (Option<String>, String) {
        let columns = &self.fetch.table().columns;
        let cursor = &columns[self.cursor].filter;
        let id = &columns[self.tie].filter.field;
        let field = &cursor.field;
        let after = |start: String, last: Option<i64>| match last {
            Some(last) => format!("{start} AND {id} > {last}"),
            None => start,
        };
        match rows {
            Rows::All if self.nullable => (
                Some(format!("{} != null", cursor.null_field)),
                field.clone(),
            ),
            Rows::All => (None, field.clone()),
            Rows::From(value) => (
                Some(format!("{field} >= {}", query::instant(value))),
                field.clone(),
            ),
            Rows::Above(value) => (
                Some(format!("{field} > {}", query::instant(value))),
                field.clone(),
            ),
            Rows::At(value, last) => (
                Some(after(format!("{field} = {}", query::instant(value)), last)),
                id.clone(),
            ),
            Rows::Nulls(last) => (
                Some(after(format!("{} = null", cursor.null_field), last)),
                id.clone(),
            ),
        }
    }
}
