//! A field with a value that it cannot have.

use std::fmt;

use bucketline_core::{Code, Error, Result, code};
use bucketline_sql::Span;

/// One thing that is wrong with a connection, a job or a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The field, such as `name` or `tasks[2].statement`.
    pub place: String,
    /// The stable code: `BL0xxx`, or `BL1xxx` for the text of a statement.
    pub code: Code,
    /// What is wrong.
    pub message: String,
    /// What to do about it, if there is something to do.
    pub hint: Option<String>,
    /// Where in the field's text, if it is a statement.
    pub span: Option<Span>,
}

impl Problem {
    /// A problem of the field at `place`.
    pub fn new(place: impl Into<String>, code: Code, message: impl Into<String>) -> Self {
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

/// All that is wrong with something: the cause of an error with the code BL0001.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// `Ok` if there are none, else an error that says so of `what`.
    ///
    /// # Errors
    /// If there are problems.
    pub fn check(what: &str, problems: Vec<Problem>) -> Result<()> {
        match problems.is_empty() {
            true => Ok(()),
            false => Err(Self(problems).into_error(what, code::model::INVALID)),
        }
    }

    /// The error that says so of `what`: the first in full, the others by their number.
    pub fn into_error(self, what: &str, code: Code) -> Error {
        let message = match self.0.as_slice() {
            [] => what.to_owned(),
            [only] => format!("{what}: {only}"),
            [first, others @ ..] => format!("{what}: {first} (and {} more)", others.len()),
        };
        let hint = self.0.first().and_then(|first| first.hint.clone());
        let error = Error::new(code, message).with_source(self);
        match hint {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }

    /// What is wrong according to an error; empty if that is about something else.
    pub fn of(error: &Error) -> &[Problem] {
        error.find_source::<Self>().map_or(&[], |found| &found.0)
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { "\n" })?;
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
