//! The error value.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use crate::{Code, Kind, Span};

/// The result of a fallible operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// How much of the work under way an error ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reach {
    /// One slice of a REPLICATE: its other slices can succeed.
    Slice,
    /// The statement. The error tells nothing about those that follow, so a script goes on.
    Statement,
    /// The script.
    Script,
}

/// What happened, where, why, and what to do about it.
///
/// [`Display`](fmt::Display) writes the message alone: no code, no hint, and nothing of the
/// [`source`](StdError::source), which tells the cause. A clone shares that source.
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    code: Code,
    kind: Kind,
    reach: Reach,
    message: String,
    hint: Option<String>,
    span: Option<Span>,
    retry_at: Option<SystemTime>,
    is_partial: bool,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error with the kind and the reach of its code. The message starts in lower case and has no full stop.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            code,
            kind: code.kind(),
            reach: code.reach(),
            message: message.into(),
            hint: None,
            span: None,
            retry_at: None,
            is_partial: false,
            source: None,
        }))
    }

    /// Says what was being done or what it is about: `context: message`.
    #[must_use]
    pub fn context(mut self, context: impl fmt::Display) -> Self {
        self.0.message = format!("{context}: {}", self.0.message);
        self
    }

    /// Replaces the message.
    #[must_use]
    pub fn with_message(mut self, message: impl Into<String>) -> Self {
        self.0.message = message.into();
        self
    }

    /// Adds what the user can do.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Says where in the script it is.
    #[must_use]
    pub fn at(mut self, span: Span) -> Self {
        self.0.span = Some(span);
        self
    }

    /// Says where in the script it is, unless it says so already.
    #[must_use]
    pub fn or_at(mut self, span: Span) -> Self {
        self.0.span.get_or_insert(span);
        self
    }

    /// Forgets its place, for an error of a text that is not the script.
    #[must_use]
    pub fn without_span(mut self) -> Self {
        self.0.span = None;
        self
    }

    /// Gives it a narrower kind than its code has: a database that is locked, say, and not configured wrongly.
    #[must_use]
    pub fn with_kind(mut self, kind: Kind) -> Self {
        self.0.kind = kind;
        self
    }

    /// Changes how much of the work it ends.
    #[must_use]
    pub fn with_reach(mut self, reach: Reach) -> Self {
        self.0.reach = reach;
        self
    }

    /// Says when trying again can succeed.
    #[must_use]
    pub fn with_retry_at(mut self, moment: SystemTime) -> Self {
        self.0.retry_at = Some(moment);
        self
    }

    /// Says that a part of the work was done and committed.
    #[must_use]
    pub fn partial(mut self) -> Self {
        self.0.is_partial = true;
        self
    }

    /// Adds the cause. The message must not repeat it.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(Arc::from(source.into()));
        self
    }

    /// What can be done about it.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// The stable code, a line of `docs/errors.md`.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// How much of the work under way it ends.
    pub fn reach(&self) -> Reach {
        self.0.reach
    }

    /// Whether a part of the work was done and committed.
    pub fn is_partial(&self) -> bool {
        self.0.is_partial
    }

    /// What happened, without code, hint, place and cause. Contains no secret.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What the user can do, if there is something.
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// Where in the script it is, if it is anywhere.
    pub fn span(&self) -> Option<Span> {
        self.0.span
    }

    /// When trying again can succeed, if that is known.
    pub fn retry_at(&self) -> Option<SystemTime> {
        self.0.retry_at
    }

    /// The first cause of a type, however deep.
    pub fn find_source<T: StdError + 'static>(&self) -> Option<&T> {
        let mut next = self.source();
        while let Some(cause) = next {
            if let Some(found) = cause.downcast_ref() {
                return Some(found);
            }
            next = cause.source();
        }
        None
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner {
            code,
            kind,
            reach,
            message,
            hint,
            span,
            retry_at,
            is_partial,
            source,
        } = &*self.0;
        let mut shown = f.debug_struct("Error");
        shown.field("code", code).field("kind", kind);
        shown.field("message", message);
        if let Some(hint) = hint {
            shown.field("hint", hint);
        }
        if let Some(span) = span {
            shown.field("span", span);
        }
        if let Some(moment) = retry_at {
            shown.field("retry_at", moment);
        }
        if *reach != Reach::Script {
            shown.field("reach", reach);
        }
        if *is_partial {
            shown.field("is_partial", is_partial);
        }
        if let Some(source) = source {
            shown.field("source", source);
        }
        shown.finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        let source: &(dyn StdError + 'static) = self.0.source.as_deref()?;
        Some(source)
    }
}

/// Adds context to the error of a result.
pub trait Context<T> {
    /// Says what was being done or what it is about: `context: message`.
    fn context(self, context: impl fmt::Display) -> Result<T>;
}

impl<T> Context<T> for Result<T> {
    fn context(self, context: impl fmt::Display) -> Self {
        self.map_err(|error| error.context(context))
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::time::Duration;

    use super::*;
    use crate::{Position, code};

    #[test]
    fn an_error_is_as_small_as_a_pointer() {
        assert_eq!(size_of::<Error>(), size_of::<usize>());
        assert_eq!(size_of::<Result<()>>(), size_of::<usize>());
    }

    #[test]
    fn display_writes_the_message_and_source_the_cause() {
        let cause = io::Error::other("disk on fire");
        let error = Error::new(code::destination::UNAVAILABLE, "the file cannot be written")
            .context("copy.db")
            .with_hint("put it out")
            .with_source(cause);
        assert_eq!(error.to_string(), "copy.db: the file cannot be written");
        assert_eq!(error.message(), error.to_string());
        assert_eq!(error.source().unwrap().to_string(), "disk on fire");
        assert!(error.find_source::<io::Error>().is_some());
        assert_eq!(error.hint(), Some("put it out"));
    }

    #[test]
    fn a_cause_is_found_below_other_errors() {
        let deep = Error::new(code::http::NETWORK, "no answer").with_source(io::Error::other("x"));
        let error = Error::new(code::replicate::PARTIAL, "one of two failed").with_source(deep);
        assert!(error.find_source::<io::Error>().is_some());
        assert_eq!(
            error.find_source::<Error>().map(Error::code),
            Some(code::http::NETWORK)
        );
    }

    #[test]
    fn kind_and_reach_come_from_the_code_and_can_be_narrowed() {
        let error = Error::new(code::bitbucket::FORBIDDEN, "no");
        assert_eq!(
            (error.kind(), error.reach()),
            (Kind::Permission, Reach::Slice)
        );
        let error = error
            .with_kind(Kind::Transient)
            .with_reach(Reach::Statement);
        assert_eq!(
            (error.kind(), error.reach()),
            (Kind::Transient, Reach::Statement)
        );
        assert_eq!(error.code(), code::bitbucket::FORBIDDEN);
    }

    #[test]
    fn a_clone_says_the_same_and_shares_the_cause() {
        let moment = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
        let error = Error::new(code::http::RATE_LIMITED, "slow down")
            .at(Span::point(Position::START))
            .with_retry_at(moment)
            .with_source(io::Error::other("429"))
            .partial();
        let clone = error.clone();
        assert_eq!(format!("{error:?}"), format!("{clone:?}"));
        assert_eq!(clone.retry_at(), Some(moment));
        assert!(clone.is_partial() && clone.span().is_some());
    }

    #[test]
    fn the_first_place_stays() {
        let (first, second) = (Position::START, Position::START.after("ab"));
        let error = Error::new(code::sql::UNEXPECTED_TOKEN, "x").or_at(Span::point(first));
        let error = error.or_at(Span::point(second));
        assert_eq!(error.span(), Some(Span::point(first)));
        assert_eq!(error.without_span().span(), None);
    }

    #[test]
    fn context_goes_before_the_message_of_a_result() {
        let result: Result<()> = Err(Error::new(code::sql::UNEXPECTED_END, "too short"));
        assert_eq!(
            result.context("job.sql").unwrap_err().to_string(),
            "job.sql: too short"
        );
    }
}
