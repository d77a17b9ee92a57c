//! Changes made while somebody reads.

use serde::{Deserialize, Serialize};

use crate::pattern;
use crate::world::change::Change;

/// Changes that are made when the `page`th list page matching `path` was served, counted from when
/// the hook was set. The page itself still shows the old state; the reader learns nothing of it.
///
/// In JSON: `{"path": "*/issues", "page": 2, "changes": [...]}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hook {
    /// Which lists, see the crate's documentation on patterns.
    pub path: String,
    /// After which page, from 1.
    pub page: u32,
    /// What happens.
    pub changes: Vec<Change>,
}

/// The hooks still to come.
#[derive(Debug, Default)]
pub(crate) struct Hooks(Vec<Hook>);

impl Hooks {
    pub(crate) fn add(&mut self, hook: Hook) {
        self.0.push(hook);
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Counts a page that was served; the changes that are due now.
    pub(crate) fn due(&mut self, target: &str) -> Vec<Change> {
        let mut due = Vec::new();
        self.0.retain_mut(|hook| {
            if !pattern::matches(&hook.path, target) {
                return true;
            }
            hook.page = hook.page.saturating_sub(1);
            if hook.page > 0 {
                return true;
            }
            due.append(&mut hook.changes);
            false
        });
        due
    }
}
