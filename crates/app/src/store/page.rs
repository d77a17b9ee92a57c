//! Lists, a page at a time.

use std::fmt;
use std::str::FromStr;

use bucketline_core::code;
use chrono::{DateTime, Utc};

use crate::{Error, JobId, Level, OriginKind, RunState};

/// Which part of a list is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRequest {
    /// Behind which place; the beginning, if absent.
    pub after: Option<Cursor>,
    /// Items at most.
    pub limit: u32,
}

impl PageRequest {
    /// Items that a page has at most, whatever is asked for.
    pub const MOST: u32 = 1000;

    /// The first page.
    pub fn first(limit: u32) -> Self {
        Self { after: None, limit }
    }

    /// The page behind `cursor`.
    pub fn after(cursor: Cursor, limit: u32) -> Self {
        Self {
            after: Some(cursor),
            limit,
        }
    }

    /// The items wanted: between 1 and [`Self::MOST`].
    pub fn size(&self) -> u32 {
        self.limit.clamp(1, Self::MOST)
    }
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Where the next page begins; absent on the last.
    pub next: Option<Cursor>,
    /// Items of the whole list that fit the filter.
    pub total: Count,
}

/// How many items there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// So many.
    Exactly(u64),
    /// So many or more: counting on would take too long.
    AtLeast(u64),
}

/// A place in a list: opaque to all but the store that made it. A list that grows or shrinks meanwhile neither repeats
/// nor loses an item that was there all the time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// The list, so that a cursor of another one is refused.
    list: &'static str,
    /// The values that the list is sorted by, of the last item seen.
    keys: Vec<String>,
}

/// The lists that have cursors.
const LISTS: &[&str] = &["audit", "connections", "jobs", "runs", "slots"];

impl Cursor {
    /// The place behind the item with these sort keys in `list`, which is one of the lists of the trait.
    pub fn new(list: &'static str, keys: Vec<String>) -> Self {
        Self { list, keys }
    }

    /// The sort keys, if it is a place in `list` and has `N` of them.
    ///
    /// # Errors
    /// If it belongs to another list.
    pub fn keys<const N: usize>(&self, list: &str) -> Result<[&str; N], Error> {
        let keys: Vec<&str> = self.keys.iter().map(String::as_str).collect();
        match <[&str; N]>::try_from(keys) {
            Ok(keys) if self.list == list => Ok(keys),
            _ => Err(Self::bad()),
        }
    }

    /// The error for a cursor that means nothing.
    pub fn bad() -> Error {
        Error::new(
            code::store::BAD_CURSOR,
            "the cursor belongs to no page of this list",
        )
        .with_hint("begin with the first page")
    }
}

/// Letters, digits and hyphens only, so that it needs no quoting anywhere.
impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.list)?;
        for key in &self.keys {
            f.write_str("-")?;
            for byte in key.bytes() {
                write!(f, "{byte:02x}")?;
            }
        }
        Ok(())
    }
}

impl FromStr for Cursor {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let mut parts = text.split('-');
        let named = parts.next().unwrap_or_default();
        let list = LISTS.iter().find(|list| **list == named);
        let list = list.ok_or_else(Self::bad)?;
        let keys = parts.map(|part| unhex(part).ok_or_else(Self::bad));
        Ok(Self {
            list,
            keys: keys.collect::<Result<_, _>>()?,
        })
    }
}

fn unhex(text: &str) -> Option<String> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let byte = |pair: &[u8]| match pair {
        [high, low] => u8::try_from(digit(high)? * 16 + digit(low)?).ok(),
        _ => None,
    };
    let bytes = text.as_bytes().chunks(2).map(byte);
    String::from_utf8(bytes.collect::<Option<_>>()?).ok()
}

/// Which connections are listed. What is absent keeps none out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConnectionFilter {
    /// Part of the name, the case of letters apart.
    pub text: Option<String>,
    /// One of its labels.
    pub label: Option<String>,
}

/// Which jobs are listed. What is absent keeps none out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JobFilter {
    /// Part of the name, the case of letters apart.
    pub text: Option<String>,
    /// One of its labels.
    pub label: Option<String>,
    /// Its source or its destination.
    pub connection: Option<String>,
    /// Whether it runs by itself: it has a schedule that is switched on and not paused.
    pub scheduled: Option<bool>,
    /// How its last run ended: one of these states.
    pub last: Vec<RunState>,
}

/// Which runs are listed. What is absent or empty keeps none out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RunFilter {
    /// Of one job.
    pub job: Option<JobId>,
    /// In one of these states.
    pub states: Vec<RunState>,
    /// Of one of these origins.
    pub origins: Vec<OriginKind>,
    /// Queued at this time or later.
    pub from: Option<DateTime<Utc>>,
    /// Queued before this time.
    pub until: Option<DateTime<Utc>>,
    /// Part of the job's name, or of the code or message of the run's error; the case of letters apart.
    pub text: Option<String>,
}

/// Which slots are listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotFilter {
    /// Of this job.
    pub job: JobId,
    /// Due at this time or later.
    pub from: Option<DateTime<Utc>>,
    /// Due before this time.
    pub until: Option<DateTime<Utc>>,
}

/// Which events of a run are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventFilter {
    /// Only those behind the event with this number: what follows a run live asks for.
    pub after: Option<u64>,
    /// Only those before the event with this number: how a page goes back. Without `after` the last ones are wanted,
    /// with it the first ones.
    pub before: Option<u64>,
    /// At least this level.
    pub level: Option<Level>,
    /// Part of the text, the case of letters apart.
    pub text: Option<String>,
    /// Events at most.
    pub limit: u32,
}

#[cfg(test)]
mod tests {
    use super::Cursor;

    #[test]
    fn a_cursor_comes_back_from_its_text_and_others_are_refused() {
        let cursor = Cursor::new("jobs", vec!["düne 7".to_owned(), "-1".to_owned()]);
        let again: Cursor = cursor.to_string().parse().unwrap();
        assert_eq!(again, cursor);
        assert_eq!(again.keys::<2>("jobs").unwrap(), ["düne 7", "-1"]);
        for text in [
            "", "jobs-1", "jobs-+1", "jobs-é", "jobs-ff", "stars-31", "jobs-3",
        ] {
            let read = text.parse::<Cursor>();
            assert_eq!(read.unwrap_err().code(), "BL0307", "{text}");
        }
        assert_eq!(again.keys::<2>("runs").unwrap_err().code(), "BL0307");
    }
}
