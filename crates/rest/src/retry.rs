//! Which failures are worth another attempt, and when: the one place where that is decided.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

use crate::config::ClientConfig;
use crate::error::ErrorKind;

/// What went wrong with an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The service asked to slow down: 429, or a problem that says so.
    RateLimited,
    /// Another status that is not a success.
    Status(u16),
    /// No connection was made: name not resolved, refused, unreachable.
    Connect,
    /// TLS failed: the certificate, or the handshake.
    Tls,
    /// The connection broke before an answer came.
    Broken,
    /// The body came incomplete, or cannot be decompressed.
    CutBody,
    /// No whole answer came in time.
    Timeout,
    /// The body is longer than accepted.
    TooLarge,
    /// The body is compressed in a way that was not asked for.
    Coding,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::RateLimited => f.write_str("the service asked to slow down"),
            Cause::Status(status) => write!(f, "the service answered {status}"),
            Cause::Connect => f.write_str("no connection"),
            Cause::Tls => f.write_str("no trusted connection"),
            Cause::Broken => f.write_str("the connection broke"),
            Cause::CutBody => f.write_str("the body came incomplete"),
            Cause::Timeout => f.write_str("no complete answer in time"),
            Cause::TooLarge => f.write_str("the body is too long"),
            Cause::Coding => f.write_str("the body cannot be decompressed"),
        }
    }
}

/// What a cause calls for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// Another attempt after a pause that grows; the server's own wish goes first.
    Backoff,
    /// Everybody waits until the service takes requests again. Not a failed attempt.
    Pause,
    /// Asking again would give the same answer.
    Fail,
}

/// The table: what each cause calls for, and the error if that is, or comes to, a failure.
pub(crate) fn remedy(cause: Cause) -> (Remedy, ErrorKind) {
    match cause {
        Cause::RateLimited => (Remedy::Pause, ErrorKind::RateLimited),
        Cause::Status(500 | 502 | 503 | 504) => (Remedy::Backoff, ErrorKind::Server),
        // Of these, 555 says that the answer takes too long to compute, which it would again.
        Cause::Status(500..=599) => (Remedy::Fail, ErrorKind::Server),
        Cause::Status(401) => (Remedy::Fail, ErrorKind::Unauthorized),
        Cause::Status(403) => (Remedy::Fail, ErrorKind::Forbidden),
        Cause::Status(404) => (Remedy::Fail, ErrorKind::NotFound),
        Cause::Status(410) => (Remedy::Fail, ErrorKind::Gone),
        Cause::Status(408) => (Remedy::Backoff, ErrorKind::Timeout),
        Cause::Status(400..=499) => (Remedy::Fail, ErrorKind::BadRequest),
        Cause::Status(_) => (Remedy::Fail, ErrorKind::UnexpectedStatus),
        Cause::Connect | Cause::Broken | Cause::CutBody => (Remedy::Backoff, ErrorKind::Network),
        Cause::Timeout => (Remedy::Backoff, ErrorKind::Timeout),
        Cause::Tls => (Remedy::Fail, ErrorKind::Tls),
        Cause::TooLarge => (Remedy::Fail, ErrorKind::BodyTooLarge),
        Cause::Coding => (Remedy::Fail, ErrorKind::Coding),
    }
}

/// What bounds the attempts at one request.
#[derive(Debug, Clone)]
pub(crate) struct Policy {
    pub(crate) max_attempts: u32,
    pub(crate) max_server_retries: Option<u32>,
    pub(crate) max_wait: Duration,
    pub(crate) backoff: Duration,
}

impl Policy {
    pub(crate) fn new(config: &ClientConfig, max_server_retries: Option<u32>) -> Policy {
        Policy {
            max_attempts: config.max_attempts.max(1),
            max_server_retries,
            max_wait: config.max_wait,
            backoff: config.backoff,
        }
    }
}

/// The failures of one request so far.
#[derive(Debug, Default)]
pub(crate) struct History {
    failures: u32,
    server_failures: u32,
    /// Rate-limited answers in a row, and the time given to them.
    limited: u32,
    limited_wait: Duration,
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Try again after this request alone has waited.
    Retry(Duration),
    /// Try again after everybody has waited.
    PauseAll(Duration),
    /// Give up. If the reason is a wait that is not accepted, everybody else has to know of it.
    Fail(ErrorKind, Option<Duration>),
}

/// Longest pause for a server or network failure without instructions.
const LONGEST_BACKOFF: Duration = Duration::from_secs(30);
/// First and longest pause after a rate limit without instructions.
const FIRST_LIMITED: Duration = Duration::from_secs(10);
const LONGEST_LIMITED: Duration = Duration::from_secs(5 * 60);
/// First further pause when a service limits again right after the pause it asked for.
const FIRST_REPEATED: Duration = Duration::from_secs(1);

impl Policy {
    /// Decides after a failed attempt. `told` is the pause that the service asked for, `jitter`
    /// lies between 0 and 1 and spreads the pauses that nobody asked for.
    pub(crate) fn decide(
        &self,
        history: &mut History,
        cause: Cause,
        told: Option<Duration>,
        jitter: f64,
    ) -> Decision {
        let (remedy, kind) = remedy(cause);
        match remedy {
            Remedy::Fail => Decision::Fail(kind, None),
            Remedy::Pause => {
                let repeats = history.limited;
                history.limited += 1;
                let wait = match told {
                    Some(told) if repeats == 0 => told,
                    // Whoever says "now" or "in a second" again and again is not taken at his word.
                    Some(told) => told.max(doubled(FIRST_REPEATED, repeats - 1, LONGEST_LIMITED)),
                    None => spread(doubled(FIRST_LIMITED, repeats, LONGEST_LIMITED), jitter),
                };
                history.limited_wait = history.limited_wait.saturating_add(wait);
                if history.limited_wait > self.max_wait {
                    Decision::Fail(kind, Some(wait))
                } else {
                    Decision::PauseAll(wait)
                }
            }
            Remedy::Backoff => {
                history.limited = 0;
                history.limited_wait = Duration::ZERO;
                history.failures += 1;
                let mut spent = history.failures >= self.max_attempts;
                if kind == ErrorKind::Server {
                    history.server_failures += 1;
                    spent |= self
                        .max_server_retries
                        .is_some_and(|max| history.server_failures > max);
                }
                if spent {
                    return Decision::Fail(kind, None);
                }
                match told.filter(|told| !told.is_zero()) {
                    Some(told) if told > self.max_wait => {
                        Decision::Fail(ErrorKind::RateLimited, Some(told))
                    }
                    Some(told) => Decision::PauseAll(told),
                    None => {
                        let wait = doubled(self.backoff, history.failures - 1, LONGEST_BACKOFF);
                        Decision::Retry(spread(wait, jitter).min(self.max_wait))
                    }
                }
            }
        }
    }
}

fn doubled(first: Duration, times: u32, longest: Duration) -> Duration {
    first
        .saturating_mul(2_u32.saturating_pow(times))
        .min(longest)
}

/// Between half of `wait` and all of it.
fn spread(wait: Duration, jitter: f64) -> Duration {
    wait.mul_f64(0.5 + 0.5 * jitter.clamp(0.0, 1.0))
}

/// Larger numbers in `X-RateLimit-Reset` are seconds since the epoch, smaller ones from now.
const EPOCH_FROM: u64 = 1_000_000;
/// Whoever asks for a longer pause is asked again after this one.
const LONGEST_TOLD: Duration = Duration::from_secs(24 * 60 * 60);

/// The pause that a service asks for: `Retry-After` in seconds or as an HTTP date (RFC 9110,
/// section 10.2.3), and if `limited`, `X-RateLimit-Reset`, which is seconds from now or an epoch.
/// Moments are the service's, so that its `Date` says how far off they are, and `now` without one.
pub(crate) fn told_wait(headers: &HeaderMap, limited: bool, now: SystemTime) -> Option<Duration> {
    let text = |name: &str| Some(headers.get(name)?.to_str().ok()?.trim());
    let date = text(DATE.as_str()).and_then(|value| httpdate::parse_http_date(value).ok());
    let answered = date.unwrap_or(now);
    let until = |time: SystemTime| time.duration_since(answered).unwrap_or_default();
    let retry_after = text(RETRY_AFTER.as_str()).and_then(|value| match value.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => httpdate::parse_http_date(value).ok().map(until),
    });
    let reset = || {
        let value = text("x-ratelimit-reset").filter(|_| limited)?;
        // A service with several limits sends a list; the first is the nearest.
        let seconds = value.split([',', ';']).next()?.trim().parse().ok()?;
        Some(if seconds < EPOCH_FROM {
            Duration::from_secs(seconds)
        } else {
            until(UNIX_EPOCH.checked_add(Duration::from_secs(seconds))?)
        })
    };
    retry_after
        .or_else(reset)
        .map(|wait| wait.min(LONGEST_TOLD))
}

#[cfg(test)]
mod tests;
