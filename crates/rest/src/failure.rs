//! An attempt that failed, before it is known whether another one follows.

use std::error::Error as StdError;
use std::time::{Duration, SystemTime};

use bucketline_secret::Scrubber;
use reqwest::header::HeaderMap;

use crate::body::MAX_REFUSAL;
use crate::error::Error;
use crate::problem::{Problem, ProblemReader};
use crate::retry::{Cause, told_wait};
use crate::transport::{Answer, Fault};

/// An attempt that did not succeed.
pub(crate) struct Failure {
    pub(crate) cause: Cause,
    answer: Option<(u16, HeaderMap, Problem)>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Failure {
        Failure {
            cause: fault.cause,
            answer: None,
            source: fault.source,
        }
    }
}

impl Failure {
    /// An answer other than success, as the service's problem reader understands it, without the
    /// secrets of `scrubber`.
    pub(crate) fn refused(answer: Answer, read: ProblemReader, scrubber: &Scrubber) -> Failure {
        let Answer {
            status,
            headers,
            body,
        } = answer;
        let mut problem = if (body.len() as u64) < MAX_REFUSAL {
            read(status, &headers, &body)
        } else {
            // The rest was not read: half of a secret may stand at the end.
            let text = String::from_utf8_lossy(&body);
            let whole = scrubber.without_torn(text.trim_end_matches(char::REPLACEMENT_CHARACTER));
            read(status, &headers, whole.as_bytes())
        };
        problem.map_text(|text| scrubber.quote(text));
        let limited = status == 429 || (problem.rate_limited && (400..500).contains(&status));
        let cause = if limited {
            Cause::RateLimited
        } else {
            Cause::Status(status)
        };
        Failure {
            cause,
            answer: Some((status, headers, problem)),
            source: None,
        }
    }

    /// The pause that the service asks for.
    pub(crate) fn told_wait(&self, now: SystemTime) -> Option<Duration> {
        let (_, headers, _) = self.answer.as_ref()?;
        told_wait(headers, self.cause == Cause::RateLimited, now)
    }

    /// `error` with what is known of this failure.
    pub(crate) fn explain(self, mut error: Error, max_body: u64) -> Error {
        if let Some((status, _, problem)) = self.answer {
            error = error.answered(status, problem);
        }
        match (self.cause, &self.source) {
            (Cause::TooLarge, _) => {
                error = error.detail(format!("the limit is {max_body} bytes"));
            }
            (Cause::Coding, Some(why)) => error = error.detail(why.to_string()),
            _ => {}
        }
        match self.source {
            Some(source) => error.because(source),
            None => error,
        }
    }
}
