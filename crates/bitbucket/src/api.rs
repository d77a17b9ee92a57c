//! Asking Bitbucket, on behalf of someone.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use bucketline_core::code::bitbucket as code;
use bucketline_core::json::readable;
use bucketline_rest::{Client, Error as RestError, Event, Meter, RequestOptions, Response, Url};
use bucketline_source::spec::SliceKind;
use bucketline_source::{Error, Parameter, ReadContext, Result};
use serde::de::DeserializeOwned;

use crate::query;

/// Scopes of a credential that are remembered; there are some dozens.
const MOST_SCOPES: usize = 200;

/// Longest answer that is not a page of rows, in bytes: values take many times that in memory.
const LONGEST_OBJECT: usize = 4 * 1024 * 1024;

/// The client of one connection.
#[derive(Clone)]
pub(crate) struct Api {
    client: Client,
    scopes: Arc<Mutex<Vec<String>>>,
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api")
            .field("base_url", &self.client.base_url().as_str())
            .finish()
    }
}

impl Api {
    pub(crate) fn new(client: Client) -> Self {
        Self {
            client,
            scopes: Arc::default(),
        }
    }

    /// The scopes of the credential, sorted, as the last answer that named them has; empty if none has.
    pub(crate) fn scopes(&self) -> Vec<String> {
        self.scopes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// The address of a path under the base URL.
    pub(crate) fn address(&self, path: &str, parameters: &[Parameter]) -> Result<Url> {
        let base = self.client.base_url().as_str().trim_end_matches('/');
        let pairs = parameters
            .iter()
            .map(|parameter| (&*parameter.name, &*parameter.value));
        let text = format!("{base}{path}{}", query::query_string(pairs));
        Url::parse(&text).map_err(|error| {
            Error::new(code::BAD_ADDRESS, format!("{text} is no address: {error}"))
        })
    }

    /// Asks. The context counts every request that it takes, and hears of its waits.
    pub(crate) async fn get(
        &self,
        url: &Url,
        options: RequestOptions,
        context: &ReadContext,
    ) -> Result<Response, RestError> {
        let meter = Meter::new();
        let counting = Counting {
            meter: &meter,
            context,
        };
        let client = self.client.metered(&meter);
        let client = client.observed(Arc::new(Told(context.clone())));
        let answer = client.get_with(url, options).await;
        drop(counting);
        if let Ok(answer) = &answer {
            self.learn_scopes(answer);
        }
        answer
    }

    /// Decodes an answer's body. The message of a failure may quote it, so that it is made from the
    /// body without the credential, should the service or a proxy have echoed that.
    pub(crate) fn decode<T, E>(
        &self,
        body: &[u8],
        decode: impl Fn(&[u8]) -> Result<T, E>,
    ) -> Result<T, E> {
        decode(body).or_else(|error| {
            let text = String::from_utf8_lossy(body);
            match self.client.scrub(&text) {
                Cow::Borrowed(_) => Err(error),
                Cow::Owned(clean) => decode(clean.as_bytes()),
            }
        })
    }

    /// Decodes an object of few members.
    ///
    /// # Errors
    /// BL4020, which says what cannot be read, and why.
    pub(crate) fn object<T: DeserializeOwned>(&self, what: &str, body: &[u8]) -> Result<T> {
        let unreadable = |why: &str| {
            let message = format!("{what} cannot be read: {why}");
            Error::new(code::BAD_OBJECT, message)
        };
        if body.len() > LONGEST_OBJECT {
            return Err(unreadable("the answer is too long"));
        }
        let decoded = self.decode(body, |body| serde_json::from_str(&readable(body).text));
        decoded.map_err(|error| unreadable(&self.client.quote(&error.to_string())))
    }

    fn learn_scopes(&self, answer: &Response) {
        let header = answer.headers.get("x-oauth-scopes");
        let Some(text) = header.and_then(|value| value.to_str().ok()) else {
            return;
        };
        let mut scopes: Vec<_> = text
            .split([',', ' '])
            .filter(|scope| !scope.is_empty())
            .take(MOST_SCOPES)
            .map(|scope| self.client.quote(scope))
            .collect();
        scopes.sort_unstable();
        *self.scopes.lock().unwrap_or_else(PoisonError::into_inner) = scopes;
    }
}

/// Counts into a context what a meter has when it is dropped, as a cancelled request counts too.
struct Counting<'a> {
    meter: &'a Meter,
    context: &'a ReadContext,
}

impl Drop for Counting<'_> {
    fn drop(&mut self) {
        for _ in 0..self.meter.usage().requests {
            self.context.count_request();
        }
    }
}

/// Passes on what a request meets to the statement that it is made for.
struct Told(ReadContext);

impl bucketline_rest::Observer for Told {
    fn event(&self, event: &Event<'_>) {
        let Self(context) = self;
        match event {
            Event::Waiting {
                reason,
                until,
                wait,
            } => context.waiting(&reason.to_string(), *until, *wait),
            Event::Deprecation {
                url, sunset, link, ..
            } => {
                // One announcement covers URLs that differ in names alone.
                let key = format!("{} {sunset:?} {link:?}", depth(url));
                let when = sunset.map_or(String::new(), |sunset| format!(" on {sunset}"));
                let link = link.map_or(String::new(), |link| format!(", see {link}"));
                let text = format!(
                    "Bitbucket announces the removal of {}{when}{link}",
                    resource(url)
                );
                context.note_once(&key, &text);
            }
            Event::Renewed { kept: false, .. } => context.observer().note(
                "Bitbucket replaced the refresh token; without a token file the new one ends \
                 with this process, and the old one within ten minutes",
            ),
            Event::BudgetTrouble {
                path,
                reason,
                waits,
            } => {
                let path = path.display();
                context.observer().note(&match waits {
                    true => format!("requests wait for the request budget in {path}: {reason}"),
                    false => format!(
                        "the request budget in {path} is counted by this process alone: {reason}"
                    ),
                });
            }
            _ => {}
        }
    }
}

/// How many parts the path of an address has.
fn depth(url: &str) -> usize {
    url.split('?').next().unwrap_or(url).split('/').count()
}

/// What an address is about: its path without the objects that it goes through.
fn resource(url: &str) -> String {
    let words = url.split('?').next().unwrap_or(url).split('/').skip(3);
    let named = words.filter(|word| !word.starts_with("%7B"));
    named.collect::<Vec<_>>().join("/")
}

/// Where a slice's rows are, for an address.
pub(crate) fn fill(path: &str, kind: SliceKind, workspace: &str, slice: &str) -> String {
    let path = path.replace("{workspace}", &query::segment(workspace));
    match kind {
        SliceKind::Repository => path.replace("{repository}", &query::segment(slice)),
        SliceKind::Account | SliceKind::Workspace => path,
    }
}
