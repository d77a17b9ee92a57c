//! What can go wrong in the application.

use std::error::Error as StdError;

use crate::Problem;

/// The result of an operation of the application.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What happened, and where and why; what to do about it is the hint.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    kind: ErrorKind,
    message: String,
    hint: Option<String>,
    problems: Vec<Problem>,
    #[source]
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// The kinds of [`Error`], one for each code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Fields of a connection, a job or a request are wrong; [`Error::problems`] lists them.
    Invalid,
    /// There is no such connection, job or run.
    NotFound,
    /// The name is taken.
    NameTaken,
    /// Somebody else changed it since it was read.
    Changed,
    /// Something else still needs it.
    InUse,
    /// The run is over, or runs, where the operation needs the opposite.
    WrongState,
    /// The run or the node was given up and taken over by another node.
    Fenced,
    /// A page's cursor was not made by this application, or belongs to another list.
    BadCursor,
    /// The store cannot be reached; trying again later may work.
    StoreUnavailable,
    /// Another process holds the store.
    StoreHeld,
    /// The disk that holds the store is full.
    StoreFull,
    /// The store takes no writes.
    StoreReadOnly,
    /// A newer version of the program made the store's schema.
    StoreNewer,
    /// The store's file is no store, or damaged.
    StoreDamaged,
    /// The store could not be brought to this version's schema.
    StoreMigration,
    /// The store refused what it should have taken: a defect of the program.
    StoreDefect,
}

impl ErrorKind {
    /// The stable code, `BL0xxx`.
    pub fn code(self) -> &'static str {
        match self {
            Self::Invalid => "BL0001",
            Self::NotFound => "BL0301",
            Self::NameTaken => "BL0302",
            Self::Changed => "BL0303",
            Self::InUse => "BL0304",
            Self::WrongState => "BL0305",
            Self::Fenced => "BL0306",
            Self::BadCursor => "BL0307",
            Self::StoreUnavailable => "BL0310",
            Self::StoreHeld => "BL0311",
            Self::StoreFull => "BL0312",
            Self::StoreReadOnly => "BL0313",
            Self::StoreNewer => "BL0314",
            Self::StoreDamaged => "BL0315",
            Self::StoreMigration => "BL0316",
            Self::StoreDefect => "BL0317",
        }
    }

    /// Whether the same operation may succeed later without anybody doing anything else.
    pub fn is_passing(self) -> bool {
        matches!(
            self,
            Self::StoreUnavailable | Self::StoreFull | Self::StoreReadOnly
        )
    }
}

impl Error {
    /// An error of `kind`.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            hint: None,
            problems: Vec::new(),
            source: None,
        }
    }

    /// The fields of `what` that are wrong; `Ok` if `problems` is empty.
    ///
    /// # Errors
    /// If there are problems.
    pub fn unless_valid(what: &str, problems: Vec<Problem>) -> Result<()> {
        let message = match problems.as_slice() {
            [] => return Ok(()),
            [only] => format!("{what}: {only}"),
            [first, others @ ..] => format!("{what}: {first} (and {} more)", others.len()),
        };
        Err(Self {
            hint: problems.first().and_then(|first| first.hint.clone()),
            problems,
            ..Self::new(ErrorKind::Invalid, message)
        })
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

    /// Says what was being done, before the message.
    #[must_use]
    pub fn context(mut self, doing: impl std::fmt::Display) -> Self {
        self.message = format!("{doing}: {}", self.message);
        self
    }

    /// The kind.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The stable code, `BL0xxx`.
    pub fn code(&self) -> &'static str {
        self.kind.code()
    }

    /// What the user can do, if there is something.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// The fields that are wrong, if [`ErrorKind::Invalid`].
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}
