//! Counting what was spent.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// What was spent so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Requests sent, further attempts and redirects included: what the service counts.
    pub requests: u64,
    /// Those of them that were sent again after a failure.
    pub retries: u64,
    /// Bytes of bodies received, after decompression.
    pub bytes: u64,
    /// Time spent in pauses, summed over the requests that waited.
    pub waited: Duration,
}

/// A counter that clients add to; cheap to clone, and clones count together.
/// See [`Client::metered`](crate::Client::metered).
#[derive(Debug, Clone, Default)]
pub struct Meter(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    requests: AtomicU64,
    retries: AtomicU64,
    bytes: AtomicU64,
    waited_nanos: AtomicU64,
}

impl Meter {
    /// A meter at zero.
    pub fn new() -> Meter {
        Meter::default()
    }

    /// What was counted so far.
    pub fn usage(&self) -> Usage {
        Usage {
            requests: self.0.requests.load(Relaxed),
            retries: self.0.retries.load(Relaxed),
            bytes: self.0.bytes.load(Relaxed),
            waited: Duration::from_nanos(self.0.waited_nanos.load(Relaxed)),
        }
    }

    pub(crate) fn add(&self, spent: Usage) {
        self.0.requests.fetch_add(spent.requests, Relaxed);
        self.0.retries.fetch_add(spent.retries, Relaxed);
        self.0.bytes.fetch_add(spent.bytes, Relaxed);
        let nanos = u64::try_from(spent.waited.as_nanos()).unwrap_or(u64::MAX);
        self.0.waited_nanos.fetch_add(nanos, Relaxed);
    }
}
