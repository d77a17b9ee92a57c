//! Faults on request.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::clock::{SECOND, Timestamp};
use crate::http::limits::too_many;
use crate::http::reply::Reply;
use crate::http::request::Request;
use crate::pattern;

/// A scripted fault. Faults are tried in the order they were added; the first that matches a
/// request and is not used up is taken.
///
/// In JSON: `{"path": "*/issues", "skip": 1, "times": 2, "fault": "server_error", "status": 503}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// Which requests, see the crate's documentation on patterns.
    pub path: String,
    /// Lets this many matching requests pass first.
    #[serde(default)]
    pub skip: u32,
    /// How many requests it hits; none: every one, until faults are cleared.
    #[serde(default = "once")]
    pub times: Option<u32>,
    /// What happens.
    #[serde(flatten)]
    pub kind: FaultKind,
}

fn once() -> Option<u32> {
    Some(1)
}

/// What a [`Fault`] does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "snake_case")]
pub enum FaultKind {
    /// 429 with the recorded message.
    TooManyRequests {
        /// `Retry-After`; none sends no such header.
        #[serde(default)]
        retry_after: Option<RetryAfter>,
    },
    /// An error status with an HTML page, as from a proxy.
    ServerError {
        /// 500, 502, 503, 504 ...
        status: u16,
    },
    /// Half of the body, then the connection ends although `Content-Length` promised all of it.
    CutBody,
    /// The connection is reset without an answer.
    Reset,
    /// The right answer, late.
    Slow {
        /// By so many milliseconds.
        millis: u64,
    },
    /// No answer, ever.
    Hang,
    /// 404 as for a repository without access.
    NotFound,
    /// 403 without scopes: not an administrator.
    Forbidden,
    /// 403 with the text of a rate limit, as some clients have met it.
    LimitedForbidden,
    /// 410 naming the change that removed the issue tracker.
    Gone,
    /// 410 with a message of another kind, such as `This workspace has been deleted`.
    GoneBecause {
        /// The message.
        message: String,
    },
    /// 401.
    Unauthorized,
    /// 200 with an empty list.
    EmptyList,
    /// 200 with a body that is not JSON although its type says so.
    WrongJson,
    /// 200 with this body.
    Body {
        /// Sent as it is.
        body: String,
    },
    /// 202 without a body: the service is still building what was asked for.
    Accepted,
    /// A redirect to the same path of another origin, or, without one, to where it comes from.
    Redirect {
        /// Such as `http://127.0.0.1:9`.
        #[serde(default)]
        origin: Option<String>,
    },
    /// 400 for pages of more rows than this; shorter ones are answered as ever.
    MaxPagelen {
        /// The most rows.
        rows: usize,
    },
    /// The right page without its rows, and with a `next` link, to itself if it was the last.
    EmptyPage,
    /// The right page with a `next` link to itself.
    RepeatedPage,
    /// The right answer with a `Date` header that is no date.
    BadDate,
    /// The right answer with a `Date` header that is off.
    DateOff {
        /// How far ahead it is; negative ones are behind.
        seconds: i64,
    },
    /// The right answer with a `next` link that leads to another origin.
    ForeignNext {
        /// Such as `http://127.0.0.1:9`.
        origin: String,
    },
}

/// Forms of the `Retry-After` header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetryAfter {
    /// A number of seconds.
    Seconds(u64),
    /// An HTTP date, this many seconds from the server's time.
    Date(u64),
}

impl Fault {
    /// A fault that hits the next request to match.
    pub fn once(path: impl Into<String>, kind: FaultKind) -> Self {
        Self {
            path: path.into(),
            skip: 0,
            times: Some(1),
            kind,
        }
    }

    /// A fault that hits every request that matches.
    pub fn always(path: impl Into<String>, kind: FaultKind) -> Self {
        Self {
            path: path.into(),
            skip: 0,
            times: None,
            kind,
        }
    }

    /// Lets this many matching requests pass first.
    #[must_use]
    pub fn after(mut self, requests: u32) -> Self {
        self.skip = requests;
        self
    }

    /// Hits this many requests.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }
}

/// The faults still to come.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<Fault>);

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// The fault that hits this request, if any does.
    pub(crate) fn take(&mut self, target: &str) -> Option<FaultKind> {
        for fault in &mut self.0 {
            if fault.times == Some(0) || !pattern::matches(&fault.path, target) {
                continue;
            }
            if fault.skip > 0 {
                fault.skip -= 1;
                continue;
            }
            if let Some(times) = &mut fault.times {
                *times -= 1;
            }
            return Some(fault.kind.clone());
        }
        None
    }
}

impl FaultKind {
    /// The answer in place of the right one, where the fault needs none of that.
    pub(crate) fn reply(&self, request: &Request, now: Timestamp, bare_429: bool) -> Option<Reply> {
        Some(match self {
            Self::TooManyRequests { retry_after } => {
                let reply = too_many(bare_429);
                match retry_after {
                    None => reply,
                    Some(RetryAfter::Seconds(seconds)) => {
                        reply.with("retry-after", seconds.to_string())
                    }
                    Some(RetryAfter::Date(seconds)) => {
                        let at = Timestamp(now.0 + *seconds as i64 * SECOND);
                        reply.with("retry-after", at.http_date())
                    }
                }
            }
            Self::ServerError { status } => Reply::html(*status, "Something went wrong"),
            Self::NotFound => Reply::no_repository(),
            Self::Forbidden => Reply::not_administrator(),
            Self::LimitedForbidden => Reply {
                status: 403,
                ..too_many(bare_429)
            },
            Self::Gone => Reply::removed("CHANGE-3071"),
            Self::GoneBecause { message } => Reply::error(410, message),
            Self::Unauthorized => Reply::unauthorized(),
            Self::EmptyList => {
                Reply::json(r#"{"values":[],"pagelen":10,"size":0,"page":1}"#.to_owned())
            }
            Self::WrongJson => Reply::json("{\"values\": [{\"type\": <!-- oops -->".to_owned()),
            Self::Body { body } => Reply::json(body.clone()),
            Self::Accepted => Reply {
                status: 202,
                ..Reply::json(String::new())
            },
            Self::Redirect { origin } => {
                let origin = origin.as_deref().unwrap_or_default();
                Reply {
                    status: 302,
                    ..Reply::json(String::new())
                }
                .with("location", format!("{origin}{}", request.target))
            }
            Self::MaxPagelen { rows } => {
                let asked = request.parameter("pagelen")?.parse::<usize>().ok()?;
                if asked <= *rows {
                    return None;
                }
                Reply::error(400, "Invalid pagelen")
            }
            Self::CutBody
            | Self::Reset
            | Self::Slow { .. }
            | Self::Hang
            | Self::EmptyPage
            | Self::RepeatedPage
            | Self::BadDate
            | Self::DateOff { .. }
            | Self::ForeignNext { .. } => return None,
        })
    }

    /// Spoils the right answer, where the fault does that to its text.
    pub(crate) fn spoil(&self, reply: &mut Reply, own: &str, target: &str) {
        let Ok(Value::Object(mut page)) = serde_json::from_str(&reply.body) else {
            return;
        };
        let next = match self {
            Self::ForeignNext { origin } => format!("{origin}{target}").into(),
            Self::RepeatedPage => format!("{own}{target}").into(),
            Self::EmptyPage => {
                page.insert("values".to_owned(), Value::Array(Vec::new()));
                let next = page.remove("next");
                next.unwrap_or_else(|| format!("{own}{target}").into())
            }
            _ => return,
        };
        page.insert("next".to_owned(), next);
        reply.body = Value::Object(page).to_string();
    }
}
