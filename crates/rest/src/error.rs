//! The one error of this crate.

use std::error::Error as StdError;
use std::fmt;
use std::time::SystemTime;

use bucketline_core::Code;
use bucketline_core::code::{http, sign_in};
use chrono::{DateTime, SecondsFormat, Utc};
use url::Url;

use crate::problem::Problem;
use crate::redact::redact;

/// Why a request failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The URL is not one to ask: another scheme, or a user name in it.
    InvalidUrl,
    /// The URL, or a redirect, leads away from the origin that the credential is bound to.
    /// Nothing was sent there.
    ForeignOrigin,
    /// Plain http to a host that is not this machine.
    InsecureScheme,
    /// The credential cannot be sent as it is.
    InvalidCredential,
    /// Another part of the configuration makes no sense.
    InvalidConfig,
    /// The service has done away with this kind of credential.
    RetiredCredential,
    /// 401: the credential is not accepted.
    Unauthorized,
    /// 403: the credential is known, but may not do this.
    Forbidden,
    /// 404: not there, or hidden from this credential.
    NotFound,
    /// 410: removed for good.
    Gone,
    /// 400, or another 4xx that says the request is wrong.
    BadRequest,
    /// The service asked to slow down for longer than is accepted.
    RateLimited,
    /// 5xx, after the attempts that are worth it.
    Server,
    /// A status that a read should not get.
    UnexpectedStatus,
    /// More redirects than is sane.
    TooManyRedirects,
    /// The connection failed or broke, or the body came incomplete.
    Network,
    /// No connection is made at all, whatever is asked for.
    Unreachable,
    /// The server's certificate or the TLS handshake is not acceptable.
    Tls,
    /// No complete answer in time.
    Timeout,
    /// The body is longer than is accepted.
    BodyTooLarge,
    /// The body is compressed in a way that was not asked for.
    Coding,
    /// The hour's budget is spent, and the wait is longer than is accepted.
    BudgetWait,
    /// The budget's file could not be made.
    State,
    /// There is no token, and none may be asked for without the user.
    NotSignedIn,
    /// The refresh token is no longer accepted: too long unused, replaced, or revoked.
    SignInEnded,
    /// The user or the OAuth server refused the sign-in in the browser.
    SignInDenied,
    /// The callback does not belong to the sign-in that was begun.
    ForeignState,
    /// The callback's port cannot be listened on.
    CallbackPort,
    /// Nobody came back from the browser in time.
    SignInTimeout,
    /// The OAuth server does not accept the consumer's id and secret.
    ConsumerRefused,
    /// The authorization code is wrong, expired or used.
    CodeRefused,
    /// The token file could not be read, written or locked.
    TokenFile,
    /// New tokens could not be written to the token file, and are in another one.
    TokensAside,
    /// The token file belongs to another server, API or consumer.
    ForeignTokens,
    /// The OAuth server answered something else than a token or a known refusal.
    SignInAnswer,
}

/// A request that failed, with the place, the cause and, through [`hint`](Error::hint), what to do.
///
/// URLs in it are [redacted](crate::redact), and the credential is cut out of the service's texts.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: ErrorKind,
    url: String,
    status: Option<u16>,
    problem: Option<Problem>,
    detail: Option<String>,
    attempts: u32,
    until: Option<SystemTime>,
    instead: Option<&'static str>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// The status of a diff, or of a tree of files, that Bitbucket gives up on.
const TOO_LONG_TO_COMPUTE: u16 = 555;

impl Error {
    pub(crate) fn new(kind: ErrorKind, url: &Url) -> Error {
        Error(Box::new(Inner {
            kind,
            url: redact(url),
            status: None,
            problem: None,
            detail: None,
            attempts: 0,
            until: None,
            instead: None,
            source: None,
        }))
    }

    pub(crate) fn detail(mut self, detail: impl Into<String>) -> Error {
        self.0.detail = Some(detail.into());
        self
    }

    pub(crate) fn answered(mut self, status: u16, problem: Problem) -> Error {
        self.0.status = Some(status);
        self.0.problem = Some(problem);
        self
    }

    pub(crate) fn after(mut self, attempts: u32) -> Error {
        self.0.attempts = attempts;
        self
    }

    pub(crate) fn until(mut self, until: SystemTime) -> Error {
        self.0.until = Some(until);
        self
    }

    /// What to use instead of what no longer works.
    pub(crate) fn instead(mut self, instead: &'static str) -> Error {
        self.0.instead = Some(instead);
        self
    }

    pub(crate) fn because(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
        self.0.source = Some(source.into());
        self
    }

    /// Changes everything in it that others may have written.
    pub(crate) fn map_text(mut self, change: impl Fn(&str) -> String) -> Error {
        self.0.url = change(&self.0.url);
        self.0.detail = self.0.detail.as_deref().map(&change);
        if let Some(problem) = &mut self.0.problem {
            problem.map_text(&change);
        }
        self
    }

    /// Why it failed.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What was asked for, redacted.
    pub fn url(&self) -> &str {
        &self.0.url
    }

    /// The HTTP status, if there was an answer.
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// What the service said, if there was an answer.
    pub fn problem(&self) -> Option<&Problem> {
        self.0.problem.as_ref()
    }

    /// Attempts made, redirects included; 0 if it was refused before.
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// When asking again may succeed, for [`ErrorKind::RateLimited`] and [`ErrorKind::BudgetWait`].
    pub fn retry_at(&self) -> Option<SystemTime> {
        self.0.until
    }

    /// The stable code, `BL3xxx`.
    pub fn code(&self) -> Code {
        match self.0.kind {
            ErrorKind::InvalidUrl => http::INVALID_URL,
            ErrorKind::ForeignOrigin => http::FOREIGN_ORIGIN,
            ErrorKind::InsecureScheme => http::INSECURE_SCHEME,
            ErrorKind::InvalidCredential => http::INVALID_CREDENTIAL,
            ErrorKind::InvalidConfig => http::INVALID_CONFIG,
            ErrorKind::RetiredCredential => http::RETIRED_CREDENTIAL,
            ErrorKind::Unauthorized => http::UNAUTHORIZED,
            ErrorKind::Forbidden => http::FORBIDDEN,
            ErrorKind::NotFound => http::NOT_FOUND,
            ErrorKind::Gone => http::GONE,
            ErrorKind::BadRequest => http::BAD_REQUEST,
            ErrorKind::RateLimited => http::RATE_LIMITED,
            ErrorKind::Server => http::SERVER,
            ErrorKind::UnexpectedStatus => http::UNEXPECTED_STATUS,
            ErrorKind::TooManyRedirects => http::TOO_MANY_REDIRECTS,
            ErrorKind::Network => http::NETWORK,
            ErrorKind::Tls => http::TLS,
            ErrorKind::Timeout => http::TIMEOUT,
            ErrorKind::BodyTooLarge => http::BODY_TOO_LARGE,
            ErrorKind::Unreachable => http::UNREACHABLE,
            ErrorKind::Coding => http::CODING,
            ErrorKind::BudgetWait => http::BUDGET_WAIT,
            ErrorKind::State => http::STATE,
            ErrorKind::NotSignedIn => sign_in::NOT_SIGNED_IN,
            ErrorKind::SignInEnded => sign_in::ENDED,
            ErrorKind::SignInDenied => sign_in::DENIED,
            ErrorKind::ForeignState => sign_in::FOREIGN_STATE,
            ErrorKind::CallbackPort => sign_in::CALLBACK_PORT,
            ErrorKind::SignInTimeout => sign_in::TIMEOUT,
            ErrorKind::ConsumerRefused => sign_in::CONSUMER_REFUSED,
            ErrorKind::CodeRefused => sign_in::CODE_REFUSED,
            ErrorKind::TokenFile => sign_in::TOKEN_FILE,
            ErrorKind::ForeignTokens => sign_in::FOREIGN_TOKENS,
            ErrorKind::SignInAnswer => sign_in::UNEXPECTED_ANSWER,
            ErrorKind::TokensAside => sign_in::TOKENS_ASIDE,
        }
    }

    /// What to do about it, where there is something to do.
    pub fn hint(&self) -> Option<String> {
        let hint = match self.0.kind {
            ErrorKind::ForeignOrigin => {
                "the credential is sent to the configured address alone; if the API moved, \
                 configure its new address"
            }
            ErrorKind::InsecureScheme => {
                "use https; plain http is accepted for localhost, 127.0.0.0/8 and [::1] only"
            }
            ErrorKind::InvalidUrl => "configure user and password apart from the address",
            ErrorKind::InvalidCredential => "enter the user name and the token again",
            ErrorKind::Unauthorized => {
                "check that the user name and the token belong together, and that the token has \
                 not expired or been revoked"
            }
            ErrorKind::Forbidden => return self.missing_scopes_hint(),
            ErrorKind::NotFound => {
                "things that a credential may not see are often answered like this too: check \
                 the spelling and the access rights"
            }
            ErrorKind::Gone => {
                let announcement = self.0.problem.as_ref()?.announcement.as_deref()?;
                return Some(format!("see {announcement}"));
            }
            ErrorKind::RateLimited | ErrorKind::BudgetWait => {
                "run again after that time, or accept a longer wait"
            }
            ErrorKind::Server if self.status() == Some(TOO_LONG_TO_COMPUTE) => {
                "the service takes too long to put this answer together, and would again: ask for less"
            }
            ErrorKind::Server => "the fault is the service's: try again later",
            ErrorKind::Network | ErrorKind::Unreachable => {
                "check the network connection, the address and the proxy"
            }
            ErrorKind::Tls => {
                "check the system's clock and certificates; a proxy that inspects TLS needs its \
                 certificate in the system's store"
            }
            ErrorKind::Timeout => "try again later, or accept a longer time for one request",
            ErrorKind::State => "check that the folder exists and can be written",
            ErrorKind::RetiredCredential => self.0.instead?,
            ErrorKind::NotSignedIn => "sign in, or give an access token or a refresh token",
            ErrorKind::SignInEnded => {
                "sign in again; a refresh token ends when it is not used for months, and when the \
                 access is revoked"
            }
            ErrorKind::SignInDenied => "sign in again, and allow the access",
            ErrorKind::ForeignState => {
                "begin the sign-in anew, and use the newest page that it opens"
            }
            ErrorKind::CallbackPort => {
                "end the program that uses the port, or sign in by pasting the code; another port \
                 must be the consumer's callback URL, too"
            }
            ErrorKind::SignInTimeout => "sign in again, or by pasting the code",
            ErrorKind::ConsumerRefused => {
                "check the consumer's key and secret, and that it is allowed this way of signing in"
            }
            ErrorKind::CodeRefused => {
                "a code is for one use within minutes, and for the callback URL that it was asked \
                 for with: begin the sign-in anew"
            }
            ErrorKind::TokenFile => {
                "the file must be readable and writable by you alone (mode 0600), in a folder that \
                 you may write to, or the keyring be open"
            }
            ErrorKind::TokensAside => {
                "make room, then move them there: the tokens that they replace are used up"
            }
            ErrorKind::Coding => "a proxy on the way may change answers: ask the service directly",
            ErrorKind::ForeignTokens => {
                "keep the tokens of each consumer and address in a file of their own"
            }
            ErrorKind::BodyTooLarge
            | ErrorKind::InvalidConfig
            | ErrorKind::BadRequest
            | ErrorKind::SignInAnswer
            | ErrorKind::TooManyRedirects
            | ErrorKind::UnexpectedStatus => return None,
        };
        Some(hint.to_owned())
    }

    fn missing_scopes_hint(&self) -> Option<String> {
        let missing: Vec<&str> = self.0.problem.as_ref()?.missing_scopes().collect();
        match missing.as_slice() {
            [] => None,
            [scope] => Some(format!(
                "the credential lacks the scope {scope}: give it that scope"
            )),
            scopes => Some(format!(
                "the credential lacks the scopes {}: give it these scopes",
                scopes.join(", ")
            )),
        }
    }
}

/// The public error, with this one as its cause.
impl From<Error> for bucketline_core::Error {
    fn from(error: Error) -> Self {
        let (hint, retry_at) = (error.hint(), error.retry_at());
        let mut public = Self::new(error.code(), error.to_string());
        if let Some(hint) = hint {
            public = public.with_hint(hint);
        }
        if let Some(moment) = retry_at {
            public = public.with_retry_at(moment);
        }
        public.with_source(error)
    }
}

impl StdError for Inner {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl fmt::Display for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The parameters matter only where the service objects to them.
        let url = match self.kind {
            ErrorKind::BadRequest => self.url.as_str(),
            _ => self.url.split('?').next().unwrap_or(&self.url),
        };
        match self.kind {
            ErrorKind::InvalidUrl => write!(f, "{url} cannot be asked"),
            ErrorKind::ForeignOrigin => write!(f, "{url} is not part of the configured API"),
            ErrorKind::InsecureScheme => {
                write!(
                    f,
                    "{url} is not encrypted: credentials are not sent over plain http"
                )
            }
            ErrorKind::InvalidCredential => write!(f, "the credential for {url} cannot be used"),
            ErrorKind::InvalidConfig => write!(f, "the settings for {url} cannot be used"),
            ErrorKind::Unauthorized => write!(f, "{url} does not accept the credential"),
            ErrorKind::Forbidden => write!(f, "the credential may not read {url}"),
            ErrorKind::NotFound => write!(f, "{url} was not found"),
            ErrorKind::Gone => write!(f, "{url} was removed by the service"),
            ErrorKind::BadRequest => write!(f, "the service rejected the request {url}"),
            ErrorKind::RateLimited => write!(f, "the service asked to slow down at {url}"),
            ErrorKind::Server => write!(f, "the service failed at {url}"),
            ErrorKind::UnexpectedStatus => write!(f, "unexpected answer from {url}"),
            ErrorKind::TooManyRedirects => write!(f, "{url} was redirected too often"),
            ErrorKind::Network => write!(f, "no complete answer from {url}"),
            ErrorKind::Unreachable => write!(f, "no connection for {url}"),
            ErrorKind::Tls => write!(f, "no trusted connection to {url}"),
            ErrorKind::Timeout => write!(f, "no complete answer from {url} in time"),
            ErrorKind::BodyTooLarge => write!(f, "the answer from {url} is too long"),
            ErrorKind::BudgetWait => write!(f, "the hour's request budget is spent before {url}"),
            ErrorKind::State => write!(f, "the request budget of {url} cannot be kept"),
            ErrorKind::RetiredCredential => write!(f, "{url} no longer accepts this credential"),
            ErrorKind::NotSignedIn => write!(f, "not signed in at {url}"),
            ErrorKind::SignInEnded => write!(f, "the sign-in at {url} has ended"),
            ErrorKind::SignInDenied => write!(f, "the sign-in at {url} was refused"),
            ErrorKind::ForeignState => {
                write!(f, "the callback does not belong to this sign-in at {url}")
            }
            ErrorKind::CallbackPort => write!(f, "the callback {url} cannot be received"),
            ErrorKind::SignInTimeout => write!(f, "nobody came back from {url} in time"),
            ErrorKind::ConsumerRefused => write!(f, "{url} does not accept the OAuth consumer"),
            ErrorKind::CodeRefused => write!(f, "{url} does not accept the authorization code"),
            ErrorKind::TokenFile => write!(f, "the tokens for {url} cannot be kept"),
            ErrorKind::TokensAside => {
                write!(f, "the new tokens for {url} are not where they belong")
            }
            ErrorKind::Coding => write!(f, "the answer from {url} cannot be decompressed"),
            ErrorKind::ForeignTokens => write!(f, "the token file is not for {url}"),
            ErrorKind::SignInAnswer => write!(f, "unexpected answer to the sign-in at {url}"),
        }?;
        if let Some(status) = self.status {
            write!(f, " ({status})")?;
        }
        if self.attempts > 1 {
            write!(f, ", {} attempts", self.attempts)?;
        }
        if let Some(until) = self.until {
            let until = DateTime::<Utc>::from(until).to_rfc3339_opts(SecondsFormat::Secs, true);
            write!(f, ", wait until {until}")?;
        }
        let problem = self
            .problem
            .as_ref()
            .map(|problem| problem.message.as_str());
        for text in [problem, self.detail.as_deref()].into_iter().flatten() {
            if !text.is_empty() {
                write!(f, ": {text}")?;
            }
        }
        Ok(())
    }
}
