//! Reading a whole slice by an immutable column.

use std::collections::HashSet;

use bucketline_source::spec::ColumnKind;
use bucketline_source::{End, Page};
use chrono::DateTime;

use super::fetch::Fetch;
use super::stuck;
use crate::failure::Failure;
use crate::query;
use crate::walk::{Fault, Keep, KeysetWalk, Next};

/// Reads every row once, in the order of a column.
pub(super) struct KeysetReader {
    fetch: Fetch,
    column: usize,
    unique: bool,
    walk: KeysetWalk<i64, String>,
    /// The values of the bound parameter still to be walked, once the walk is split.
    parts: Option<Vec<usize>>,
    /// The keys given out once the walk is split: a row may change its part meanwhile.
    given: HashSet<String>,
    fresh: bool,
    /// The last answer was empty where the one before promised more.
    broken_off: bool,
    link: Option<String>,
    linked_pages: usize,
}

impl KeysetReader {
    pub(super) fn new(fetch: Fetch, column: usize, unique: bool) -> Self {
        Self {
            walk: KeysetWalk::new(unique),
            parts: None,
            given: HashSet::new(),
            fresh: true,
            broken_off: false,
            link: None,
            linked_pages: 0,
            fetch,
            column,
            unique,
        }
    }

    pub(super) async fn page(&mut self) -> Result<Page, Failure> {
        loop {
            let brief = self.fresh && self.parts.is_none() && self.fetch.can_split();
            let fetched = match (self.walk.ask(), &self.link) {
                (Some(Next::Link), Some(link)) => self.fetch.next(link).await?,
                (next, _) => {
                    let spec = &self.fetch.table().columns[self.column];
                    let field = spec.filter.field.clone();
                    let text = |value: i64| match spec.kind {
                        ColumnKind::Timestamp => DateTime::from_timestamp_micros(value)
                            .map_or_else(|| value.to_string(), query::instant),
                        _ => value.to_string(),
                    };
                    let condition = match next {
                        Some(Next::Above(value)) => Some(format!("{field} > {}", text(*value))),
                        Some(Next::From(value)) => Some(format!("{field} >= {}", text(*value))),
                        _ => None,
                    };
                    let part = self.parts.as_ref().and_then(|parts| parts.last().copied());
                    match self.fetch.page(condition, Some(&field), part, brief).await {
                        Err(Failure::Overwhelmed(_)) if brief => {
                            // The last one is walked first.
                            let mut parts = self.fetch.shape().values.clone();
                            parts.reverse();
                            self.parts = Some(parts);
                            continue;
                        }
                        fetched => fetched?,
                    }
                }
            };
            self.fresh = false;
            let values = self.fetch.numbers(&fetched.rows, self.column);
            let keys = if self.unique && self.parts.is_none() {
                vec![String::new(); values.len()]
            } else {
                let none = || vec![String::new(); values.len()];
                fetched.keys.unwrap_or_else(none)
            };
            let before = self.fetch.is_scan().then(|| self.walk.clone());
            let accepted = self.walk.accept(&values, &keys, fetched.next.is_some());
            let mut keep = match (accepted, before) {
                // The last rows may have been deleted in that moment: asked once more, it is believed.
                (Err(Fault::BrokenOff), Some(_)) if self.broken_off => Keep::new(Vec::new()),
                (Err(Fault::BrokenOff), Some(before)) => {
                    self.walk = before;
                    self.broken_off = true;
                    continue;
                }
                (accepted, _) => accepted.map_err(|fault| stuck(fault, &self.fetch))?,
            };
            self.broken_off = false;
            if self.parts.is_some() {
                let flags = keep.flags().iter().zip(keys);
                let first = flags.map(|(kept, key)| *kept && self.given.insert(key));
                keep = Keep::new(first.collect());
            }
            self.link = fetched.next;
            let rows = self.fetch.wanted(&fetched.rows, Some(&keep))?;
            let ended = self.ended();
            let end = ended.then_some(End::Complete {
                unstable_pages: self.linked_pages,
            });
            return Ok(Page::new(rows, None, end));
        }
    }

    /// Whether the last part has ended; enters the next one if there is one.
    fn ended(&mut self) -> bool {
        if self.fetch.is_satisfied() {
            return true;
        }
        if self.walk.ask().is_some() {
            return false;
        }
        if self.walk.linked_pages() > 0 {
            self.linked_pages += self.walk.linked_pages() + 1;
        }
        let Some(parts) = &mut self.parts else {
            return true;
        };
        parts.pop();
        self.walk = KeysetWalk::new(self.unique);
        parts.is_empty()
    }
}
