//! When an answer was given.

use chrono::{DateTime, Duration, Utc};

/// A moment that no change is later than: the last second of the last year of four digits.
pub(super) const NEVER: DateTime<Utc> = match DateTime::from_timestamp(253_402_300_799, 0) {
    Some(moment) => moment,
    None => DateTime::<Utc>::MAX_UTC,
};

/// When an answer was given, as far as two clocks tell: the service's in its `Date`, and this machine's. Either may
/// be wrong. What is told by the wrong one costs requests, and hides no change as long as the other is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    /// No later than this, if a clock is right: all that was changed before is in the answer.
    pub(crate) earliest: DateTime<Utc>,
    /// No earlier than this, if a clock is right: what was changed later was changed after the answer. Without the
    /// service's own word there is no such moment.
    pub(crate) latest: Option<DateTime<Utc>>,
}

impl Moment {
    /// The moment of an answer that came by our clock at `own`, and was given at `service` by the service's, which is
    /// precise to the second, cut off.
    pub(crate) fn new(service: Option<DateTime<Utc>>, own: DateTime<Utc>) -> Self {
        let second = Duration::seconds(1);
        let latest = |service: DateTime<Utc>| {
            let service = service.checked_add_signed(second).unwrap_or(NEVER);
            service.max(own)
        };
        Self {
            earliest: service.map_or(own, |service| service.min(own)),
            latest: service.map(latest),
        }
    }
}
