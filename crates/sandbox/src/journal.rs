//! What was asked, and what was answered.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::pattern;

/// One request that was answered, or was not (a fault).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logged {
    /// The server's time.
    pub at: DateTime<Utc>,
    /// The method.
    pub method: String,
    /// Path and query as sent.
    pub target: String,
    /// The status; 0 if no answer was sent.
    pub status: u16,
    /// The credential's name; `anonymous` without one, `unknown` for a wrong one.
    pub credential: String,
    /// Whether a scripted fault hit it.
    pub faulted: bool,
}

/// The requests since the last reset, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Journal(Vec<Logged>);

impl Journal {
    pub(crate) fn add(&mut self, logged: Logged) {
        self.0.push(logged);
    }

    pub(crate) fn all(&self) -> Vec<Logged> {
        self.0.clone()
    }

    /// How many requests matched `path`.
    pub(crate) fn count(&self, path: &str) -> usize {
        self.0
            .iter()
            .filter(|logged| pattern::matches(path, &logged.target))
            .count()
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}
