//! What can go wrong between a query's text and its rows.

use std::collections::HashSet;
use std::error::Error as StdError;
use std::fmt;

use bucketline_source as source;
use bucketline_sql::{self as sql, Query, Span};
use datafusion::arrow::error::ArrowError;
use datafusion::common::{DataFusionError, SchemaError};
use datafusion::sql::sqlparser::tokenizer::{Location, Span as Stretch};

use crate::dialect::{place_of_call, place_of_node};
use crate::function::{self, Function};
use crate::outputs::unmarked;
use crate::wording::{Wording, in_sql, in_words, known_wording, shown, unsupported_node};

/// The result of an engine's operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of failure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The text is not a query.
    Syntax,
    /// A connection, schema or table is not known.
    UnknownTable,
    /// A name means several things.
    AmbiguousName,
    /// A column is not known.
    UnknownColumn,
    /// A function is not known.
    UnknownFunction,
    /// A function is given too few, too many or the wrong arguments.
    Argument,
    /// The query makes no sense otherwise: types, grouping.
    Invalid,
    /// The query is understood and cannot be run here.
    Unsupported,
    /// Computing the rows failed: a division by zero, a cast.
    Execution,
    /// The memory limit was reached.
    Memory,
    /// A source failed.
    Source,
    /// A destination failed while it was read.
    Destination,
    /// A connection of that name exists.
    DuplicateConnection,
    /// A defect of the program.
    Internal,
}

/// An error of the engine.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    hint: Option<String>,
    span: Option<Span>,
    stretch: Option<Stretch>,
    code: Option<&'static str>,
    function: Option<&'static Function>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of a kind.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            hint: None,
            span: None,
            stretch: None,
            code: None,
            function: None,
            source: None,
        }))
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

    /// Keeps the code of an error that is passed on.
    #[must_use]
    pub fn with_code(mut self, code: &'static str) -> Self {
        self.0.code = Some(code);
        self
    }

    /// Says which function was called wrongly; its place is that of the first such call.
    #[must_use]
    pub(crate) fn of_function(mut self, function: &'static Function) -> Self {
        self.0.function = Some(function);
        self
    }

    /// Says which stretch of the query it is about, by the planner's lines and columns.
    #[must_use]
    pub(crate) fn within(mut self, span: Option<datafusion::common::Span>) -> Self {
        self.0.stretch = span.map(stretch);
        self
    }

    /// Adds the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The stable code, a heading of `docs/errors.md`; a source's or destination's own where one failed.
    pub fn code(&self) -> &'static str {
        self.0.code.unwrap_or(match self.0.kind {
            ErrorKind::Syntax => "BL5001",
            ErrorKind::UnknownTable => "BL5002",
            ErrorKind::AmbiguousName => "BL5003",
            ErrorKind::UnknownColumn => "BL5004",
            ErrorKind::UnknownFunction => "BL5005",
            ErrorKind::Invalid => "BL5006",
            ErrorKind::Unsupported => "BL5007",
            ErrorKind::Execution => "BL5008",
            ErrorKind::Memory => "BL5009",
            ErrorKind::Source => "BL5010",
            ErrorKind::Destination => "BL5011",
            ErrorKind::DuplicateConnection => "BL5012",
            ErrorKind::Argument => "BL5013",
            ErrorKind::Internal => "BL5099",
        })
    }

    /// What the user can do, if there is something.
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// Where in the script it is, if it is anywhere.
    pub fn span(&self) -> Option<Span> {
        self.0.span
    }

    /// The source's error, if a source failed.
    pub fn source_error(&self) -> Option<&source::Error> {
        let source: &(dyn StdError + 'static) = self.0.source.as_deref()?;
        find(source)
    }

    /// Reads a planner's or executor's error; `query` gives it its place in the script.
    pub(crate) fn from_datafusion(error: DataFusionError, query: Option<&Query>) -> Self {
        if let Some(found) = find::<source::Error>(&error) {
            return Self::passed_on(
                ErrorKind::Source,
                found.code(),
                found.to_string(),
                found.hint(),
            )
            .with_source(error);
        }
        if let Some(found) = find::<Self>(&error) {
            let mut copy = Self::passed_on(
                found.0.kind,
                found.code(),
                found.0.message.clone(),
                found.hint(),
            );
            copy.0.span = found.0.span.or_else(|| found.place(query?));
            return copy.with_source(error);
        }
        let span = error
            .diagnostic()
            .and_then(|diagnostic| diagnostic.span)
            .zip(query)
            .map(|(span, query)| query.locate(stretch(span)));
        let mut read = Self::read(&error);
        read.0.span = span
            .or_else(|| read.place(query?))
            .or_else(|| place_of_node(query?, unsupported_node(&error.strip_backtrace())?));
        read.with_source(error)
    }

    /// Where it is in a query.
    fn place(&self, query: &Query) -> Option<Span> {
        match self.0.stretch {
            Some(stretch) => Some(query.locate(stretch)),
            None => place_of_call(query, self.0.function?),
        }
    }

    fn passed_on(kind: ErrorKind, code: &'static str, message: String, hint: Option<&str>) -> Self {
        let error = Self::new(kind, message).with_code(code);
        match hint {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }

    fn read(error: &DataFusionError) -> Self {
        match error.find_root() {
            DataFusionError::SchemaError(schema, _) => Self::from_schema_error(schema),
            DataFusionError::SQL(parser, _) => Self::worded(ErrorKind::Syntax, &parser.to_string()),
            DataFusionError::NotImplemented(text) => Self::worded(ErrorKind::Unsupported, text),
            DataFusionError::ResourcesExhausted(_) => Self::new(
                ErrorKind::Memory,
                "the query needs more memory than it is allowed to take",
            )
            .with_hint("narrow the query with WHERE or fewer columns"),
            DataFusionError::Plan(text) => match text.strip_prefix("Invalid function '") {
                Some(rest) => Self::unknown_function(rest),
                None => Self::wrong_types(text)
                    .unwrap_or_else(|| Self::worded(ErrorKind::Invalid, text)),
            },
            DataFusionError::Execution(text) => Self::worded(ErrorKind::Execution, text),
            DataFusionError::ArrowError(error, _) => {
                Self::worded(ErrorKind::Execution, &error.to_string())
            }
            DataFusionError::Diagnostic(diagnostic, _) => {
                Self::worded(ErrorKind::Invalid, &diagnostic.message)
            }
            DataFusionError::Internal(text) => Self::worded(ErrorKind::Internal, text),
            other => Self::worded(ErrorKind::Invalid, &other.strip_backtrace()),
        }
    }

    /// What the planner or the executor says, in our words; in general ones where they would show what it is made of.
    fn worded(kind: ErrorKind, text: &str) -> Self {
        if let Some(Wording {
            kind,
            message,
            hint,
        }) = known_wording(text)
        {
            let error = Self::new(kind, message);
            return match hint {
                Some(hint) => error.with_hint(hint),
                None => error,
            };
        }
        if let Some(node) = unsupported_node(text) {
            let message = format!("{} is not supported", in_words(node));
            return Self::new(ErrorKind::Unsupported, message);
        }
        let apart = "take the query apart, with WITH or sub-queries, to find the part that it is";
        match (kind, shown(text)) {
            (ErrorKind::Internal, _) => Self::new(kind, "a defect in the planner of queries")
                .with_hint("report it, with the statement"),
            (ErrorKind::Unsupported, Some(text)) if text.ends_with("not supported") => {
                Self::new(kind, text)
            }
            (ErrorKind::Unsupported, Some(text)) => {
                Self::new(kind, format!("not supported: {text}"))
            }
            (_, Some(text)) => Self::new(kind, text),
            (ErrorKind::Unsupported, None) => {
                Self::new(kind, "a part of this query is not supported").with_hint(apart)
            }
            (ErrorKind::Execution, None) => {
                Self::new(kind, "a value of the query cannot be computed").with_hint(apart)
            }
            (_, None) => Self::new(kind, "the query cannot be planned").with_hint(apart),
        }
    }

    fn from_schema_error(error: &SchemaError) -> Self {
        match error {
            SchemaError::FieldNotFound {
                field,
                valid_fields,
            } => {
                let names: Vec<&str> = valid_fields.iter().map(|field| field.name()).collect();
                let wanted = field.name();
                let is_doubled = |name: &&str| *name != wanted && unmarked(name) == wanted;
                if names.iter().any(is_doubled) {
                    return Self::new(
                        ErrorKind::AmbiguousName,
                        format!("several columns are named {wanted}"),
                    )
                    .with_hint("give them names of their own with AS where they are selected");
                }
                if let Some(table) = &field.relation
                    && !valid_fields
                        .iter()
                        .any(|it| it.relation.as_ref() == Some(table))
                {
                    let mut tables: Vec<&str> = valid_fields
                        .iter()
                        .filter_map(|field| Some(field.relation.as_ref()?.table()))
                        .collect();
                    tables.dedup();
                    let table = table.table();
                    let error = Self::new(ErrorKind::UnknownTable, format!("FROM has no {table}"));
                    return match sql::nearest(table, tables.iter().copied()) {
                        Some(near) => error.with_hint(format!("did you mean {near}?")),
                        None if tables.is_empty() => error,
                        None => error.with_hint(format!("it has {}", shortened(&tables))),
                    };
                }
                let names: Vec<String> = names.into_iter().map(in_sql).collect();
                let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
                let mut seen = HashSet::new();
                names.retain(|name| seen.insert(*name));
                let error = Self::new(
                    ErrorKind::UnknownColumn,
                    format!("there is no column {}", field.name()),
                );
                match sql::nearest(field.name(), names.iter().copied()) {
                    Some(near) => error.with_hint(format!("did you mean {near}?")),
                    None if names.is_empty() => error,
                    None => error.with_hint(format!("the columns are {}", shortened(&names))),
                }
            }
            SchemaError::AmbiguousReference { field } => Self::new(
                ErrorKind::AmbiguousName,
                format!("the column {} is in several tables", unmarked(field.name())),
            )
            .with_hint("write the table's name or alias before it"),
            SchemaError::DuplicateQualifiedField { name, .. }
            | SchemaError::DuplicateUnqualifiedField { name } => Self::new(
                ErrorKind::AmbiguousName,
                format!("the column {} appears twice", unmarked(name)),
            )
            .with_hint("give one of them another name with AS"),
        }
    }

    /// A function that was given arguments of other types than it takes.
    fn wrong_types(text: &str) -> Option<Self> {
        let marks = ["call to '", "Function '", "function '"];
        let rest = marks
            .iter()
            .find_map(|mark| Some(text.split_once(mark)?.1))?;
        let (name, _) = rest.split_once('\'')?;
        let function = function::find_planned(name)?;
        let name = function.name.to_uppercase();
        let message = format!("{name}: an argument is of a type that it does not take");
        let error = Self::new(ErrorKind::Argument, message).of_function(function);
        Some(error.with_hint(format!("it is written {function}")))
    }

    fn unknown_function(rest: &str) -> Self {
        let (name, _) = rest.split_once('\'').unwrap_or((rest, ""));
        if let Some(function) = function::find_planned(name).filter(|it| it.is_window()) {
            let name = function.name.to_uppercase();
            let message = format!("{name} needs OVER");
            return Self::new(ErrorKind::Argument, message)
                .of_function(function)
                .with_hint(format!("{function} OVER (ORDER BY ...)"));
        }
        let error = Self::new(
            ErrorKind::UnknownFunction,
            format!("there is no function {name}"),
        );
        let names = function::functions().flat_map(Function::names);
        match sql::nearest(name, names) {
            Some(near) => error.with_hint(format!("did you mean {}?", near.to_uppercase())),
            None => error,
        }
    }
}

/// The first error of a type in a chain of causes; DataFusion's wrappers are looked through.
fn find<'a, E: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a E> {
    if let Some(found) = error.downcast_ref::<E>() {
        return Some(found);
    }
    match error.downcast_ref::<DataFusionError>() {
        Some(DataFusionError::External(inner)) => find(inner.as_ref()),
        Some(DataFusionError::Shared(inner)) => find(inner.as_ref()),
        Some(DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner)) => {
            find(inner.as_ref())
        }
        _ => find(error.source()?),
    }
}

fn stretch(span: datafusion::common::Span) -> Stretch {
    let place = |at: datafusion::common::Location| Location {
        line: at.line,
        column: at.column,
    };
    Stretch {
        start: place(span.start),
        end: place(span.end),
    }
}

fn shortened(names: &[&str]) -> String {
    const SHOWN: usize = 12;
    match names.len() {
        0..=SHOWN => names.join(", "),
        more => format!("{} and {} more", names[..SHOWN].join(", "), more - SHOWN),
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("code", &self.code())
            .field("message", &self.0.message)
            .field("hint", &self.0.hint)
            .field("span", &self.0.span)
            .field("source", &self.0.source)
            .finish()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0
            .source
            .as_deref()
            .map(|source| source as &(dyn StdError + 'static))
    }
}

/// A value that cannot be converted, say.
impl From<ArrowError> for Error {
    fn from(error: ArrowError) -> Self {
        Self::from_datafusion(error.into(), None)
    }
}

impl From<source::Error> for Error {
    fn from(error: source::Error) -> Self {
        Self::passed_on(
            ErrorKind::Source,
            error.code(),
            error.to_string(),
            error.hint(),
        )
        .with_source(error)
    }
}

impl From<sql::Error> for Error {
    fn from(error: sql::Error) -> Self {
        let read = Self::passed_on(
            ErrorKind::Syntax,
            error.code(),
            error.message().to_owned(),
            error.hint().as_deref(),
        );
        read.at(error.span()).with_source(error)
    }
}

impl From<Error> for DataFusionError {
    fn from(error: Error) -> Self {
        Self::External(Box::new(error))
    }
}
