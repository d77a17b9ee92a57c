//! Reading a whole slice by an immutable column.

use bucketline_source::spec::ColumnKind;
use bucketline_source::{End, Page};
use chrono::DateTime;

use super::fetch::Fetch;
use super::stuck;
use crate::failure::Failure;
use crate::query;
use crate::walk::{KeysetWalk, Next};

/// Reads every row once, in the order of a column.
pub(super) struct KeysetReader {
    fetch: Fetch,
    column: usize,
    unique: bool,
    walk: KeysetWalk<i64, String>,
    /// The values of the bound parameter still to be walked, once the walk is split.
    parts: Option<Vec<usize>>,
    fresh: bool,
    link: Option<String>,
    linked_pages: usize,
}

impl KeysetReader {
    pub(super) fn new(fetch: Fetch, column: usize, unique: bool) -> Self {
        Self {
            walk: KeysetWalk::new(unique),
            parts: None,
            fresh: true,
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
                (Some(Next::Link), Some(link)) => self.fetch.at(&self.fetch.link(link)?).await?,
                (next, _) => {
                    let spec = &self.fetch.table().columns[self.column];
                    let field = &spec.filter.field;
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
                    match self.fetch.page(condition, Some(field), part, brief).await {
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
            let keys = if self.unique {
                vec![String::new(); values.len()]
            } else {
                self.fetch.keys(&fetched.rows)
            };
            let keep = self
                .walk
                .accept(&values, &keys, fetched.next.is_some())
                .map_err(|fault| stuck(&fault, &self.fetch))?;
            self.link = fetched.next;
            let rows = self.fetch.wanted(&fetched.rows, Some(&keep))?;
            let ended = self.ended();
            let end = ended.then_some(End::Complete {
                unstable_pages: self.linked_pages,
            });
            return Ok(Page {
                rows,
                checkpoint: None,
                end,
            });
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
