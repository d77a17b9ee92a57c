//! What a statement, a connection or the configuration can fail with.

use std::error::Error as StdError;

use bucketline_destination as destination;
use bucketline_engine as engine;
use bucketline_replicate as replicate;
use bucketline_rest as rest;
use bucketline_source as source;
use bucketline_source::figures::counted;
use bucketline_sql::{self as sql, Span};

/// The result of an operation of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error with all that a person needs: what happened, where in the script, and what to do.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Error(Box<Inner>);

#[derive(Debug, thiserror::Error)]
#[error("{message}")]
struct Inner {
    code: &'static str,
    message: String,
    hint: Option<String>,
    span: Option<Span>,
    lets_go_on: bool,
    partial: bool,
    #[source]
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            code,
            message: message.into(),
            hint: None,
            span: None,
            lets_go_on: false,
            partial: false,
            source: None,
        }))
    }

    /// A file of the configuration cannot be read, or says something wrong.
    pub(crate) fn configuration(message: impl Into<String>) -> Self {
        Self::new("BL8001", message)
    }

    /// A connection's properties are wrong.
    pub(crate) fn connection(message: impl Into<String>) -> Self {
        Self::new("BL8002", message)
    }

    /// A secret cannot be found where a reference points.
    pub(crate) fn secret(message: impl Into<String>) -> Self {
        Self::new("BL8003", message)
    }

    /// Bitbucket is only read.
    pub(crate) fn read_only(message: impl Into<String>) -> Self {
        Self::new("BL8005", message)
    }

    /// The statement names too little or too much.
    pub(crate) fn statement(message: impl Into<String>) -> Self {
        Self::new("BL8006", message)
    }

    /// There is no such procedure.
    pub(crate) fn procedure(message: impl Into<String>) -> Self {
        Self::new("BL8007", message)
    }

    /// An input of a procedure is missing or wrong.
    pub(crate) fn input(message: impl Into<String>) -> Self {
        Self::new("BL8008", message)
    }

    /// The connection does not sign in as it would have to.
    pub(crate) fn sign_in(message: impl Into<String>) -> Self {
        Self::new("BL8009", message)
    }

    /// There is no such connection.
    pub(crate) fn unknown_connection(message: impl Into<String>) -> Self {
        Self::new("BL8010", message)
    }

    /// A statement names what it may not reach.
    pub(crate) fn access(message: impl Into<String>) -> Self {
        Self::new("BL8012", message)
    }

    /// The statement took longer than it may.
    pub(crate) fn timeout(seconds: u64) -> Self {
        Self::new(
            "BL8011",
            format!("the statement was cancelled after CommandTimeout = {seconds} s"),
        )
        .with_hint("what was committed stays, and a REPLICATE goes on from there; 0 is no limit")
    }

    /// Values could not be kept as the source has them, and the statement is to fail then. What it read is there.
    pub(crate) fn lost(values: u64) -> Self {
        let mut error = Self::new(
            "BL8016",
            format!(
                "{} could not be kept as the source has them, and LostValues = FAIL",
                counted(values, "value")
            ),
        )
        .with_hint("the notes say which; the other values are there");
        error.0.lets_go_on = true;
        error.0.partial = true;
        error
    }

    /// A file cannot be written.
    pub(crate) fn file(message: impl Into<String>) -> Self {
        Self::new("BL8014", message)
    }

    pub(crate) fn prefixed(mut self, prefix: &str) -> Self {
        self.0.message.insert_str(0, prefix);
        self.0.span = None;
        self
    }

    /// The same as what a test of a connection found missing; `step` says what of which connection was looked at.
    pub(crate) fn missing(self, step: &str) -> Self {
        let missing = Self::new("BL8013", format!("{step}{self}"));
        match &self.0.hint {
            Some(hint) => missing.with_hint(hint.clone()),
            None => missing,
        }
    }

    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    pub(crate) fn at(mut self, span: Span) -> Self {
        self.0.span.get_or_insert(span);
        self
    }

    pub(crate) fn with_source(
        mut self,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// The stable code, a heading of `docs/errors.md`.
    pub fn code(&self) -> &'static str {
        self.0.code
    }

    /// What the user can do, if there is something.
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// Where in the script it is, if it is anywhere.
    pub fn span(&self) -> Option<Span> {
        self.0.span
    }

    /// What failed says nothing of the statements that follow, such as the slices of a REPLICATE, each by itself;
    /// the script goes on.
    pub fn lets_go_on(&self) -> bool {
        self.0.lets_go_on
    }

    /// The statement was done in part: some slices of a REPLICATE failed, and the others did not.
    pub fn is_partial(&self) -> bool {
        self.0.partial
    }
}

fn passed_on(
    code: &'static str,
    message: String,
    hint: Option<String>,
    span: Option<Span>,
    source: impl Into<Box<dyn StdError + Send + Sync>>,
) -> Error {
    Error(Box::new(Inner {
        code,
        message,
        hint,
        span,
        lets_go_on: false,
        partial: false,
        source: Some(source.into()),
    }))
}

impl From<sql::Error> for Error {
    fn from(error: sql::Error) -> Self {
        passed_on(
            error.code(),
            error.message().to_owned(),
            error.hint(),
            Some(error.span()),
            error,
        )
    }
}

impl From<engine::Error> for Error {
    fn from(error: engine::Error) -> Self {
        let hint = error.hint().map(str::to_owned);
        passed_on(error.code(), error.to_string(), hint, error.span(), error)
    }
}

impl From<source::Error> for Error {
    fn from(error: source::Error) -> Self {
        let hint = error.hint().map(str::to_owned);
        passed_on(error.code(), error.to_string(), hint, None, error)
    }
}

impl From<destination::Error> for Error {
    fn from(error: destination::Error) -> Self {
        let hint = error.hint().map(str::to_owned);
        passed_on(error.code(), error.to_string(), hint, None, error)
    }
}

impl From<rest::Error> for Error {
    fn from(error: rest::Error) -> Self {
        passed_on(error.code(), error.to_string(), error.hint(), None, error)
    }
}

/// For a connection that turns out to be wrong when it is first used.
impl From<Error> for source::Error {
    fn from(error: Error) -> Self {
        let passed = Self::new(
            source::ErrorKind::Configuration,
            error.code(),
            error.to_string(),
        );
        match error.hint() {
            Some(hint) => passed.with_hint(hint),
            None => passed,
        }
    }
}

impl From<replicate::Error> for Error {
    fn from(error: replicate::Error) -> Self {
        let (lets_go_on, partial) = (error.is_of_slices(), error.is_partial());
        let mut read = passed_on(
            error.code(),
            error.to_string(),
            error.hint(),
            error.span(),
            error,
        );
        read.0.lets_go_on = lets_go_on;
        read.0.partial = partial;
        read
    }
}
