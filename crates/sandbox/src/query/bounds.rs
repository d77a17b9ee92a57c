//! The part of a filter that an index answers.

use std::ops::RangeInclusive;

use super::bind::{Accepted, Check, Key, Test};
use crate::clock::Timestamp;

/// Inclusive ranges of the three indexed fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub(crate) id: RangeInclusive<u64>,
    pub(crate) created: RangeInclusive<Timestamp>,
    pub(crate) updated: RangeInclusive<Timestamp>,
}

impl Default for Bounds {
    fn default() -> Self {
        let ever = Timestamp(i64::MIN)..=Timestamp(i64::MAX);
        Self {
            id: 0..=u64::MAX,
            created: ever.clone(),
            updated: ever,
        }
    }
}

impl Bounds {
    /// Narrows by `check` if it is one that an index can answer; whether it was.
    pub(super) fn take(&mut self, check: &Check) -> bool {
        let ([field], false) = (check.path.as_slice(), check.negated) else {
            return false;
        };
        match (field.as_str(), &check.test) {
            ("id", Test::Order(accepted, Key::Number(number)))
                if number.fract() == 0.0 && (1.0..9e15).contains(number) =>
            {
                let id = *number as u64;
                narrow(&mut self.id, *accepted, id, id - 1, id + 1);
            }
            ("created_on", Test::Order(accepted, Key::Time(at))) => {
                let (below, above) = (Timestamp(at.0 - 1), Timestamp(at.0 + 1));
                narrow(&mut self.created, *accepted, *at, below, above);
            }
            ("updated_on", Test::Order(accepted, Key::Time(at))) => {
                let (below, above) = (Timestamp(at.0 - 1), Timestamp(at.0 + 1));
                narrow(&mut self.updated, *accepted, *at, below, above);
            }
            _ => return false,
        }
        true
    }
}

fn narrow<T: Ord + Copy>(
    range: &mut RangeInclusive<T>,
    accepted: Accepted,
    at: T,
    below: T,
    above: T,
) {
    let (mut low, mut high) = (*range.start(), *range.end());
    match accepted {
        Accepted::Equal => (low, high) = (low.max(at), high.min(at)),
        Accepted::Greater => low = low.max(above),
        Accepted::GreaterOrEqual => low = low.max(at),
        Accepted::Less => high = high.min(below),
        Accepted::LessOrEqual => high = high.min(at),
    }
    *range = low..=high;
}
