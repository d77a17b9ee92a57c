//! A field with a value that it cannot have.

use std::fmt;

use bucketline_sql::Span;

/// One thing that is wrong with a connection, a job or a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The field, such as `name` or `tasks[2].statement`.
    pub place: String,
    /// The stable code: `BL0xxx`, or `BL1xxx` for the text of a statement.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to do about it, if there is something to do.
    pub hint: Option<String>,
    /// Where in the field's text, if it is a statement.
    pub span: Option<Span>,
}

impl Problem {
    /// A problem of the field at `place`.
    pub fn new(place: impl Into<String>, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            place: place.into(),
            code,
            message: message.into(),
            hint: None,
            span: None,
        }
    }

    /// What `error` says of the text at `place`.
    pub fn of(place: impl Into<String>, error: &bucketline_core::Error) -> Self {
        Self {
            hint: error.hint().map(str::to_owned),
            span: error.span(),
            ..Self::new(place, error.code().as_str(), error.message())
        }
    }

    /// What the parser says of the text at `place`.
    pub fn of_sql(place: impl Into<String>, error: &bucketline_sql::Error) -> Self {
        Self {
            hint: error.hint(),
            span: Some(error.span()),
            ..Self::new(place, error.code(), error.message())
        }
    }

    /// Adds what the user can do.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds where in the field's text it is.
    #[must_use]
    pub fn at(mut self, span: Span) -> Self {
        self.span = Some(span);
        self
    }
}

/// `tasks[2].statement, 1:8: ...`
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.span {
            Some(span) => write!(f, "{}, {}: {}", self.place, span.start, self.message),
            None => write!(f, "{}: {}", self.place, self.message),
        }
    }
}
