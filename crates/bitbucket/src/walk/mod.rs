//! How the pages of a slice follow each other: state machines that say what to ask next and take in
//! what was answered. No I/O here.

mod changes;
mod feed;
mod heads;
mod keyset;
mod moment;

#[cfg(test)]
mod tests;

pub(crate) use changes::{ChangeWalk, Rows, Seen, WalkRules};
pub(crate) use feed::{Entries, FeedRules, FeedWalk};
pub(crate) use heads::{HeadsWalk, Reach};
pub(crate) use keyset::{KeysetWalk, Next};
pub(crate) use moment::Moment;

/// Pages in a row that may bring nothing new: rows may have moved by as much, or be hidden.
pub(crate) const MAX_BARREN: usize = 3;

/// Why a walk cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    /// Rows came in another order than asked for, or before the asked-for start.
    #[error("the rows did not come in the order asked for")]
    Disorder,
    /// A page without rows had a successor; asked again, it would be the same.
    #[error("a page without rows promised another page")]
    EmptyPage,
    /// The page before promised more rows, and none came. Rows may have been deleted in that moment; to
    /// believe it would take the rest of the list for gone.
    #[error("the list ended where the page before promised more rows")]
    BrokenOff,
    /// Page after page is one that came before.
    #[error("its pages bring nothing new")]
    Circle,
    /// A value that the walk goes by was missing.
    #[error("a row lacks the value that the list is sorted by")]
    MissingValue,
}

/// Which rows of a page are new.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Keep(Vec<bool>);

impl Keep {
    pub(crate) fn new(flags: Vec<bool>) -> Self {
        Self(flags)
    }

    /// Whether each row is kept, in the page's order.
    pub(crate) fn flags(&self) -> &[bool] {
        &self.0
    }

    /// How many rows are kept if they are one run, and where it starts.
    pub(crate) fn run(&self) -> Option<(usize, usize)> {
        let start = self.0.iter().position(|kept| *kept).unwrap_or(self.0.len());
        let length = self.0[start..].iter().take_while(|kept| **kept).count();
        let rest = &self.0[start + length..];
        rest.iter().all(|kept| !kept).then_some((start, length))
    }
}
