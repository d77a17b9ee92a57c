//! Rate limits: rolling windows of one hour.

use std::collections::{HashMap, VecDeque};

use super::reply::Reply;
use crate::clock::{SECOND, Timestamp};

const WINDOW: i64 = 3600 * SECOND;

/// Requests counted for each limit holder: a user, an access token, or everybody without
/// credentials.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    windows: HashMap<String, VecDeque<Timestamp>>,
}

/// Where a holder stands after a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standing {
    pub(crate) limit: u32,
    pub(crate) remaining: u32,
    /// Seconds until the oldest counted request leaves the window.
    pub(crate) reset: i64,
    /// Whether this request was one too many.
    pub(crate) exceeded: bool,
}

impl Limits {
    /// Counts a request, unless it is one too many.
    pub(crate) fn count(&mut self, holder: &str, limit: u32, now: Timestamp) -> Standing {
        let window = self.windows.entry(holder.to_owned()).or_default();
        while window.front().is_some_and(|at| at.0 <= now.0 - WINDOW) {
            window.pop_front();
        }
        let exceeded = window.len() >= limit as usize;
        if !exceeded {
            window.push_back(now);
        }
        let oldest = window.front().copied().unwrap_or(now);
        Standing {
            limit,
            remaining: limit.saturating_sub(window.len() as u32),
            reset: (oldest.0 + WINDOW - now.0) / SECOND,
            exceeded,
        }
    }
}

/// 429. `Retry-After` is not sent: the service does not promise it.
pub(crate) fn too_many(bare: bool) -> Reply {
    let message = "Rate limit for this resource has been exceeded";
    if bare {
        Reply::text(429, message)
    } else {
        Reply::error(429, message)
    }
}
