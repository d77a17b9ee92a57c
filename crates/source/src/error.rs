//! What can go wrong in a source.

use std::error::Error as StdError;

/// The result of a source's operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of failure it is; decides how far it reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// A table file is wrong. A defect of the program or of a user's own table file.
    Spec,
    /// The connection lacks a setting that this table needs.
    Configuration,
    /// The credential was refused; the same answer would come for every slice.
    Unauthorized,
    /// The credential lacks scopes; the same answer would come for every slice.
    MissingScope,
    /// This object may not be read with this credential.
    Forbidden,
    /// The object is not there, or not visible: no proof that it was deleted.
    NotFound,
    /// The service removed the operation (410 with an announcement).
    Removed,
    /// The service stayed unavailable, or its answer was unusable, after the retries.
    Unavailable,
    /// No connection to the service can be made; the same would come for every slice.
    Unreachable,
    /// The request budget or a rate limit would have to be waited for longer than allowed.
    RateLimited,
    /// The service refused a request as malformed.
    Rejected,
    /// An answer could not be decoded.
    Decode,
    /// A name means nothing, or several things.
    Name,
}

impl ErrorKind {
    /// Whether every slice would meet this error, so that the statement ends at once.
    pub fn is_common(self) -> bool {
        matches!(
            self,
            Self::Spec
                | Self::Configuration
                | Self::Unauthorized
                | Self::MissingScope
                | Self::Removed
                | Self::Unreachable
                | Self::RateLimited
        )
    }
}

/// An error of a source.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    kind: ErrorKind,
    code: &'static str,
    message: String,
    hint: Option<String>,
    #[source]
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error with a stable code (`BL2xxx` here, `BL3xxx`/`BL4xxx` from what stands on this crate).
    pub fn new(kind: ErrorKind, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            kind,
            code,
            message: message.into(),
            hint: None,
            source: None,
        }
    }

    /// Adds what the user can do.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Says what it is about, before the message.
    #[must_use]
    pub fn about(mut self, subject: impl std::fmt::Display) -> Self {
        self.message = format!("{subject}: {}", self.message);
        self
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The stable code, a heading of `docs/errors.md`.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// What the user can do, if there is something.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}
