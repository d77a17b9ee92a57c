//! What can be done about an error.

use std::fmt;
use std::str::FromStr;

/// What can be done about an error, for a program that has to decide: whether to try again, and whom to ask.
///
/// Each kind below names the HTTP status that a REST layer answers with. What a scheduler does is
/// [`is_retryable`](Self::is_retryable).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// A service, network, disk or database failed in a way that passes by itself. Retry later, with back-off. HTTP 503.
    Transient,
    /// A rate limit or a request budget is used up. Wait until [`Error::retry_at`](crate::Error::retry_at), then retry.
    /// HTTP 429, with `Retry-After`.
    RateLimited,
    /// A credential is missing, refused, expired or lacks a scope. Sign in, or give another one. HTTP 401 for the
    /// caller's own credential; 422 for that of a connection.
    Credential,
    /// The credential is good, but its owner may not do this. An administrator has to grant it. HTTP 403.
    Permission,
    /// A connection, file, setting or argument is wrong. Fix the configuration. HTTP 422.
    Configuration,
    /// The statement is wrong, does not fit its table, or cannot be run here. Fix the statement. HTTP 422, or 400 where
    /// it cannot be parsed.
    Statement,
    /// What was named does not exist, or this credential does not see it. HTTP 404.
    NotFound,
    /// Another writer is or was at the same thing. Nothing is wrong: retry when it is done. HTTP 409.
    Conflict,
    /// A defect of the program. Report it. HTTP 500.
    Bug,
}

impl Kind {
    /// All kinds, in the order of their declaration.
    pub const ALL: &'static [Self] = &[
        Self::Transient,
        Self::RateLimited,
        Self::Credential,
        Self::Permission,
        Self::Configuration,
        Self::Statement,
        Self::NotFound,
        Self::Conflict,
        Self::Bug,
    ];

    /// Whether the same work may succeed later, although nobody changes anything. A scheduler retries these kinds and no
    /// others.
    pub const fn is_retryable(self) -> bool {
        matches!(self, Self::Transient | Self::RateLimited | Self::Conflict)
    }

    /// The name in logs, tables and APIs: lower case, words joined by underscores. It does not change between versions.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Transient => "transient",
            Self::RateLimited => "rate_limited",
            Self::Credential => "credential",
            Self::Permission => "permission",
            Self::Configuration => "configuration",
            Self::Statement => "statement",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::Bug => "bug",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text is not the name of a [`Kind`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownKind;

impl fmt::Display for UnknownKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unknown kind of error")
    }
}

impl std::error::Error for UnknownKind {}

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(name: &str) -> Result<Self, UnknownKind> {
        let mut kinds = Self::ALL.iter().copied();
        kinds.find(|kind| kind.as_str() == name).ok_or(UnknownKind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_found_by_its_name() {
        for kind in Kind::ALL {
            assert_eq!(kind.to_string().parse(), Ok(*kind));
        }
        assert_eq!("Transient".parse::<Kind>(), Err(UnknownKind));
    }

    #[test]
    fn only_what_passes_by_itself_is_retried() {
        let retried: Vec<_> = Kind::ALL
            .iter()
            .filter(|kind| kind.is_retryable())
            .collect();
        assert_eq!(
            retried,
            [&Kind::Transient, &Kind::RateLimited, &Kind::Conflict]
        );
    }
}
