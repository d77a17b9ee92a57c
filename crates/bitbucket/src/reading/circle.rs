//! Noticing that a list leads in a circle.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher as _};

use crate::walk::MAX_BARREN;

/// The pages of a list that came so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Circle {
    pages: HashSet<u64>,
    /// Pages in a row that had come before.
    repeated: usize,
}

impl Circle {
    /// Takes in a page that was asked for by its conditions: another list may begin with it.
    pub(crate) fn begin(&mut self, page: impl Hash) {
        self.repeated = 0;
        self.pages.insert(hash(page));
    }

    /// Takes in a page that the one before led to; says whether the list is to be left.
    pub(crate) fn is_closed_by(&mut self, page: impl Hash) -> bool {
        self.repeated = if self.pages.insert(hash(page)) {
            0
        } else {
            self.repeated + 1
        };
        self.repeated >= MAX_BARREN
    }
}

fn hash(page: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    page.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::Circle;

    #[test]
    fn a_list_is_left_once_it_goes_round() {
        let follow = |pages: &[u32]| {
            let mut circle = Circle::default();
            circle.begin(0);
            pages.iter().position(|page| circle.is_closed_by(page))
        };
        assert_eq!(follow(&[0, 0, 0, 0]), Some(2));
        assert_eq!(follow(&[1, 2, 0, 1, 2, 0]), Some(4));
        // Rows that came in front move pages back by as much.
        assert_eq!(follow(&[0, 0, 1, 1, 2, 2, 3]), None);
    }
}
