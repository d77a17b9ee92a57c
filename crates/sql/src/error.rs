//! The one error of this crate.

use std::collections::HashSet;

use crate::{Ident, Span};

/// What went wrong, and where in the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    kind: ErrorKind,
    message: String,
    span: Span,
    hint: Option<String>,
}

/// The kinds of [`Error`], one for each code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A string, comment or quoted name has no end.
    Unterminated,
    /// A word or sign stands where the grammar has no place for it.
    UnexpectedToken,
    /// The statement ends too early.
    UnexpectedEnd,
    /// The first word begins no statement.
    UnknownStatement,
    /// A WITH option of that name does not exist.
    UnknownOption,
    /// An option's value has the wrong type or is out of range.
    BadOptionValue,
    /// An option, property, clause or column is given twice.
    Duplicate,
    /// A name is empty, reserved, or has too many parts.
    InvalidName,
    /// A connection string is malformed.
    ConnectionString,
    /// A character or a combination of characters that is no token.
    UnexpectedCharacter,
    /// Understood, but not part of this dialect.
    Unsupported,
    /// Expressions or queries are nested too deeply.
    TooDeep,
    /// A parameter or variable has no value.
    Unbound,
    /// The file that a query is written into is given wrongly.
    BadTarget,
}

impl ErrorKind {
    /// The stable code, `BL1xxx`.
    pub fn code(self) -> &'static str {
        match self {
            Self::Unterminated => "BL1001",
            Self::UnexpectedToken => "BL1002",
            Self::UnexpectedEnd => "BL1003",
            Self::UnknownStatement => "BL1004",
            Self::UnknownOption => "BL1005",
            Self::BadOptionValue => "BL1006",
            Self::Duplicate => "BL1007",
            Self::InvalidName => "BL1008",
            Self::ConnectionString => "BL1009",
            Self::UnexpectedCharacter => "BL1010",
            Self::Unsupported => "BL1011",
            Self::TooDeep => "BL1012",
            Self::Unbound => "BL1013",
            Self::BadTarget => "BL1014",
        }
    }
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>, span: Span) -> Self {
        Self {
            kind,
            message: message.into(),
            span,
            hint: None,
        }
    }

    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn with_span(mut self, span: Span) -> Self {
        self.span = span;
        self
    }

    /// The kind.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The stable code, `BL1xxx`.
    pub fn code(&self) -> &'static str {
        self.kind.code()
    }

    /// What happened, in one sentence without its place. Contains no literal of the text.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Where in the parsed text.
    pub fn span(&self) -> Span {
        self.span
    }

    /// What to do about it, if there is something to do.
    pub fn hint(&self) -> Option<String> {
        self.hint.clone()
    }
}

/// Fails at the first name that was given before.
pub(crate) fn refuse_twice<'n>(
    what: &str,
    names: impl IntoIterator<Item = &'n Ident>,
) -> Result<(), Error> {
    let mut seen = HashSet::new();
    match names.into_iter().find(|name| !seen.insert(*name)) {
        Some(again) => Err(duplicate(what, again)),
        None => Ok(()),
    }
}

/// What is given twice where once is enough.
pub(crate) fn duplicate(what: &str, name: &Ident) -> Error {
    let message = format!("the {what} `{name}` is given twice");
    Error::new(ErrorKind::Duplicate, message, name.span).with_hint("keep one of them")
}
