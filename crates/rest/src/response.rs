//! A whole answer.

use std::fmt;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use reqwest::header::{DATE, HeaderMap};
use url::Url;

use crate::redact::redact;
use crate::transport::Answer;

/// A successful (2xx) answer, read to its end.
#[derive(Clone)]
pub struct Response {
    /// Where it came from, after redirects.
    pub url: Url,
    /// The HTTP status, 200 to 299.
    pub status: u16,
    /// The response headers.
    pub headers: HeaderMap,
    /// The service's time, from the `Date` header; precise to the second.
    pub server_time: Option<DateTime<Utc>>,
    /// The body, decompressed.
    pub body: Bytes,
}

impl Response {
    pub(crate) fn new(url: Url, answer: Answer) -> Response {
        let Answer {
            status,
            headers,
            body,
        } = answer;
        let date = headers.get(DATE).and_then(|value| value.to_str().ok());
        let server_time = date.and_then(|date| httpdate::parse_http_date(date).ok());
        Response {
            url,
            status,
            server_time: server_time.map(Into::into),
            headers,
            body,
        }
    }
}

/// Without the body, which may hold anything.
impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("url", &redact(&self.url))
            .field("status", &self.status)
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}
