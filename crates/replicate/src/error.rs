//! What can go wrong in a REPLICATE.

use std::error::Error as StdError;
use std::fmt;

use bucketline_destination as destination;
use bucketline_source as source;
use bucketline_sql::Span;

use crate::Report;

/// The result of an operation of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of failure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// A table of that name exists which no REPLICATE has made, or which lost its key or columns.
    NotOurs,
    /// The table holds the rows of another service, workspace or set of workspaces.
    OtherWorkspace,
    /// Another statement of the same script writes the table in another way.
    OneTarget,
    /// A scope or slug of the statement means another object than it did, or none.
    NameMoved,
    /// Two queries of a UNION ALL read the same slice, so that its rows would come twice.
    Overlap,
    /// Some slices failed; the others were replicated.
    Partial,
    /// Every slice failed.
    AllFailed,
    /// An option, or a value of it, is understood but cannot be carried out yet.
    Unsupported,
    /// The declared columns or key do not fit what the source gives.
    Columns,
    /// A value cannot be converted to its declared type.
    BadValue,
    /// The table would have to change, and `AlterSchema = FALSE` forbids it.
    SchemaFixed,
    /// Versions, or rows that left, cannot be kept in this table or of this query.
    Retention,
    /// A table cannot be compared with what it is to be held against.
    Check,
    /// The source does not tell which rows it has deleted.
    DeletesUnknown,
    /// What the destination remembers of the table cannot be understood.
    State,
    /// The source broke its contract: an answer ended without an end.
    Incomplete,
    /// A source failed; its own code stands.
    Source,
    /// The destination failed; its own code stands.
    Destination,
    /// The query could not be planned or computed; the engine's code stands.
    Engine,
}

/// An error of this crate.
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: ErrorKind,
    code: &'static str,
    message: String,
    hint: Option<String>,
    span: Option<Span>,
    common: bool,
    of_slices: bool,
    in_part: bool,
    cause: Option<Box<dyn StdError + Send + Sync>>,
    report: Option<Box<Report>>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        let code = match kind {
            ErrorKind::NotOurs => "BL7001",
            ErrorKind::OtherWorkspace => "BL7002",
            ErrorKind::OneTarget => "BL7003",
            ErrorKind::NameMoved => "BL7004",
            ErrorKind::Overlap => "BL7017",
            ErrorKind::Partial => "BL7005",
            ErrorKind::AllFailed => "BL7013",
            ErrorKind::Unsupported => "BL7006",
            ErrorKind::Columns => "BL7007",
            ErrorKind::BadValue => "BL7008",
            ErrorKind::SchemaFixed => "BL7009",
            ErrorKind::Retention => "BL7014",
            ErrorKind::Check => "BL7015",
            ErrorKind::DeletesUnknown => "BL7016",
            ErrorKind::State => "BL7010",
            ErrorKind::Incomplete => "BL7011",
            ErrorKind::Source | ErrorKind::Destination | ErrorKind::Engine => "BL7012",
        };
        Self(Box::new(Inner {
            kind,
            code,
            message: message.into(),
            hint: None,
            span: None,
            common: !matches!(kind, ErrorKind::BadValue | ErrorKind::Incomplete),
            of_slices: false,
            in_part: false,
            cause: None,
            report: None,
        }))
    }

    /// An error of something underneath, which keeps its own code.
    pub(crate) fn wrapped(
        kind: ErrorKind,
        code: &'static str,
        hint: Option<&str>,
        common: bool,
        cause: impl StdError + Send + Sync + 'static,
    ) -> Self {
        let mut error = Self::new(kind, cause.to_string());
        error.0.code = code;
        error.0.hint = hint.map(str::to_owned);
        error.0.common = common;
        error.0.cause = Some(Box::new(cause));
        error
    }

    #[must_use]
    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    #[must_use]
    pub(crate) fn at(mut self, span: Span) -> Self {
        self.0.span = Some(span);
        self
    }

    #[must_use]
    pub(crate) fn with_report(mut self, report: Report) -> Self {
        self.0.report = Some(Box::new(report));
        self
    }

    #[must_use]
    pub(crate) fn with_cause(mut self, cause: Self) -> Self {
        self.0.cause = Some(Box::new(cause));
        self
    }

    /// The error of slices that failed each by itself; `in_part` if others were replicated.
    #[must_use]
    pub(crate) fn of_slices(mut self, in_part: bool) -> Self {
        self.0.of_slices = true;
        self.0.in_part = in_part;
        self
    }

    /// Whether every slice would meet it, so that the statement ends at once.
    pub(crate) fn is_common(&self) -> bool {
        self.0.common
    }

    /// Whether a source failed, and neither the statement nor the destination.
    pub(crate) fn is_of_source(&self) -> bool {
        self.0.kind == ErrorKind::Source
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The stable code, a heading of `docs/errors.md`: `BL7xxx`, or the code of the source's,
    /// destination's or engine's error that it passes on.
    pub fn code(&self) -> &'static str {
        self.0.code
    }

    /// What the user can do, if there is something.
    pub fn hint(&self) -> Option<String> {
        self.0.hint.clone()
    }

    /// Where in the script it is, if it is anywhere.
    pub fn span(&self) -> Option<Span> {
        self.0.span
    }

    /// Whether it is that of slices which failed each by itself, even if all did: the statements that follow may
    /// well succeed, and a script goes on.
    pub fn is_of_slices(&self) -> bool {
        self.0.of_slices
    }

    /// Whether the statement was done in part: some slices failed, and the others were replicated.
    pub fn is_partial(&self) -> bool {
        self.0.in_part
    }

    /// What the statement did before it failed, if it came to reading slices.
    pub fn report(&self) -> Option<&Report> {
        self.0.report.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        let cause = self.0.cause.as_deref()?;
        match self.0.kind {
            // The message is the cause's own already; go on with what caused that.
            ErrorKind::Source | ErrorKind::Destination | ErrorKind::Engine => cause.source(),
            _ => Some(cause),
        }
    }
}

impl From<source::Error> for Error {
    fn from(error: source::Error) -> Self {
        let (code, hint) = (error.code(), error.hint().map(str::to_owned));
        let common = error.kind().is_common();
        Self::wrapped(ErrorKind::Source, code, hint.as_deref(), common, error)
    }
}

impl From<destination::Error> for Error {
    fn from(error: destination::Error) -> Self {
        let (code, hint) = (error.code(), error.hint().map(str::to_owned));
        Self::wrapped(ErrorKind::Destination, code, hint.as_deref(), true, error)
    }
}
