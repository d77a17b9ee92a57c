//! The walk of a whole slice by an immutable column.

use std::collections::HashSet;
use std::hash::Hash;

use super::{Fault, Keep, MAX_BARREN};

/// What to ask for next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Next<V> {
    /// From the beginning.
    Start,
    /// `column > value`.
    Above(V),
    /// `column >= value`.
    From(V),
    /// The `next` link of the last answer: one value fills more than a page.
    Link,
}

/// A walk by a column whose values never change; rows are told apart by `K`.
#[derive(Debug, Clone)]
pub(crate) struct KeysetWalk<V, K> {
    unique: bool,
    next: Option<Next<V>>,
    last: Option<V>,
    /// Keys of the rows at `last`.
    seen: HashSet<K>,
    /// Keys of the rows without a value, which may have one the next time.
    unplaced: HashSet<K>,
    linked: usize,
    /// Pages in a row that brought nothing new.
    barren: usize,
}

impl<V: Ord + Clone, K: Eq + Hash + Clone> KeysetWalk<V, K> {
    /// A walk from the beginning. In a column that is not `unique` doubles are dropped by key.
    pub(crate) fn new(unique: bool) -> Self {
        Self {
            unique,
            next: Some(Next::Start),
            last: None,
            seen: HashSet::new(),
            unplaced: HashSet::new(),
            linked: 0,
            barren: 0,
        }
    }

    /// What to ask for; `None` once the walk has ended.
    pub(crate) fn ask(&self) -> Option<&Next<V>> {
        self.next.as_ref()
    }

    /// Pages that were reached by a link, in an order that may have shifted.
    pub(crate) fn linked_pages(&self) -> usize {
        self.linked
    }

    /// Takes in a page: the rows' values and keys in its order, and whether it has a successor.
    pub(crate) fn accept(
        &mut self,
        values: &[Option<V>],
        keys: &[K],
        more: bool,
    ) -> Result<Keep, Fault> {
        let asked = self.next.take();
        if values.is_empty() && more {
            return Err(Fault::EmptyPage);
        }
        if values.is_empty() && asked != Some(Next::Start) {
            return Err(Fault::BrokenOff);
        }
        if asked == Some(Next::Link) {
            self.linked += 1;
        }
        let mut keep = Vec::with_capacity(values.len());
        let first = self.last.clone();
        for (value, key) in values.iter().zip(keys) {
            let Some(value) = value else {
                // In a walk by a unique column no keys are given.
                keep.push(self.unique || self.unplaced.insert(key.clone()));
                continue;
            };
            match &self.last {
                Some(last) if value < last => return Err(Fault::Disorder),
                Some(last) if value == last => {
                    if self.unique {
                        return Err(Fault::Disorder);
                    }
                }
                _ => {
                    self.last = Some(value.clone());
                    self.seen.clear();
                }
            }
            let is_new = self.unique || self.seen.insert(key.clone());
            keep.push(is_new && !self.unplaced.contains(key));
        }
        self.barren = if keep.contains(&true) {
            0
        } else {
            self.barren + 1
        };
        if more && self.barren == MAX_BARREN {
            return Err(Fault::Circle);
        }
        // Nobody knows what comes after a row without a value but the list itself.
        if more && values.contains(&None) {
            self.next = Some(Next::Link);
        } else if more && let Some(last) = &self.last {
            let stuck = !self.unique
                && first.is_none_or(|first| first == *last)
                && values.iter().flatten().all(|value| value == last);
            self.next = Some(match (self.unique, stuck) {
                (true, _) => Next::Above(last.clone()),
                (false, true) => Next::Link,
                (false, false) => Next::From(last.clone()),
            });
        }
        Ok(Keep(keep))
    }
}
