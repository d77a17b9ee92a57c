//! Telling others what a client does.

use std::fmt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::retry::Cause;

/// Told about everything a client does, on the thread that does it: be quick, and don't block.
pub trait Observer: Send + Sync {
    /// Something happened.
    fn event(&self, event: &Event<'_>);
}

/// What happened. URLs are [redacted](crate::redact); nothing here is secret.
///
/// Requests for access tokens are told like all others, but no budget counts them: services limit
/// their API.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A request is about to be sent.
    Request {
        /// What is asked for.
        url: &'a str,
        /// Which attempt, or hop of a redirect, this is; the first is 1.
        attempt: u32,
    },
    /// An answer was read to its end, whatever its status.
    Response {
        /// What was asked for.
        url: &'a str,
        /// The HTTP status.
        status: u16,
        /// Size of the body after decompression.
        bytes: u64,
        /// Time from sending to the last byte.
        elapsed: Duration,
    },
    /// An attempt failed and another one follows.
    Retry {
        /// What was asked for.
        url: &'a str,
        /// The attempt that failed.
        attempt: u32,
        /// The pause before the next one.
        delay: Duration,
        /// Why it failed.
        cause: Cause,
    },
    /// Requests pause, all of this limit holder's. Each request that waits tells it once, or, where the end is not known,
    /// each time it has asked in vain.
    Waiting {
        /// Why.
        reason: WaitReason,
        /// When the pause is expected to end.
        until: SystemTime,
        /// How long that is from now.
        wait: Duration,
    },
    /// The service announces that what was asked for will go away. Each answer that says so tells it.
    Deprecation {
        /// What was asked for.
        url: &'a str,
        /// The `Deprecation` header, as sent.
        deprecation: Option<&'a str>,
        /// The `Sunset` header, as sent.
        sunset: Option<&'a str>,
        /// The target of the `Link` header with `rel="deprecation"`.
        link: Option<&'a str>,
    },
    /// A new access token was obtained from the OAuth server, and is about to be used.
    Renewed {
        /// The address it came from.
        url: &'a str,
        /// Whether its refresh token outlives this process. Without a token file a rotated one is
        /// lost with it, and the one that it replaced is dead by then.
        kept: bool,
    },
    /// The budget's file or store could not be read or written.
    BudgetTrouble {
        /// The file, or the store.
        path: &'a Path,
        /// What is wrong with it.
        reason: &'a str,
        /// Whether requests wait for it; otherwise they go on, counted from here alone.
        waits: bool,
    },
}

impl Event<'_> {
    /// Writes the event to the program's log.
    pub(crate) fn log(&self) {
        match *self {
            Self::Request { url, attempt } => tracing::trace!(url, attempt, "a request is sent"),
            Self::Response {
                url,
                status,
                bytes,
                elapsed,
            } => tracing::debug!(url, status, bytes, ?elapsed, "an answer came"),
            Self::Retry {
                url,
                attempt,
                delay,
                cause,
            } => tracing::info!(url, attempt, ?delay, %cause, "a request is tried again"),
            Self::Waiting { reason, wait, .. } => {
                tracing::info!(%reason, ?wait, "requests pause");
            }
            Self::Deprecation {
                url,
                deprecation,
                sunset,
                link,
            } => tracing::warn!(url, deprecation, sunset, link, "a removal is announced"),
            Self::Renewed { url, kept } => tracing::info!(url, kept, "a token was renewed"),
            Self::BudgetTrouble { path, reason, .. } => {
                tracing::warn!(path = %path.display(), reason, "the request budget cannot be kept");
            }
        }
    }
}

/// Why requests pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitReason {
    /// The hour's budget is spent.
    Budget,
    /// The service asked to slow down.
    RateLimit,
    /// What is left of the hour is for others first.
    Turn,
    /// The budget's store does not answer.
    Store,
}

impl WaitReason {
    /// Whether its end is not known, but only when to ask again.
    pub(crate) fn has_no_end(self) -> bool {
        matches!(self, Self::Turn | Self::Store)
    }
}

impl fmt::Display for WaitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            WaitReason::Budget => "the hour's request budget is spent",
            WaitReason::RateLimit => "the service asked to slow down",
            WaitReason::Turn => "what is left of the hour's request budget is for others first",
            WaitReason::Store => "the store of the request budget does not answer",
        })
    }
}
