//! Errors of the planner and the executor in our words, with their places.

use std::collections::HashSet;
use std::error::Error as StdError;
use std::fmt;

use bucketline_core::{Code, Error};
use bucketline_sql::{self as sql, Query, Span};
use datafusion::arrow::error::ArrowError;
use datafusion::common::{DataFusionError, SchemaError};
use datafusion::sql::sqlparser::tokenizer::{Location, Span as Stretch};

use crate::code;
use crate::dialect::{place_of_call, place_of_node};
use crate::function::{self, Function};
use crate::outputs::unmarked;
use crate::wording::{Wording, in_sql, in_words, known_wording, shown, unsupported_node};

/// An error that is on its way through the planner, which knows its query's text, to where the script is known.
#[derive(Debug)]
pub(crate) struct Unplaced {
    error: Error,
    stretch: Option<Stretch>,
    function: Option<&'static Function>,
}

impl Unplaced {
    /// Says which function was called wrongly; its place is that of the first such call.
    pub(crate) fn of_function(mut self, function: &'static Function) -> Self {
        self.function = Some(function);
        self
    }

    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.error = self.error.with_hint(hint);
        self
    }

    /// Where it is in a query.
    fn place(&self, query: &Query) -> Option<Span> {
        match self.stretch {
            Some(stretch) => Some(query.locate(stretch)),
            None => place_of_call(query, self.function?),
        }
    }
}

impl From<Error> for Unplaced {
    fn from(error: Error) -> Self {
        Self {
            error,
            stretch: None,
            function: None,
        }
    }
}

impl fmt::Display for Unplaced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl StdError for Unplaced {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.error.source()
    }
}

impl From<Unplaced> for DataFusionError {
    fn from(error: Unplaced) -> Self {
        Self::External(Box::new(error))
    }
}

/// How an error of ours goes through the planner.
pub(crate) trait Carry {
    /// Says which function was called wrongly; its place is that of the first such call.
    fn of_function(self, function: &'static Function) -> Unplaced;

    /// Says which stretch of the query it is about, by the planner's lines and columns.
    fn within(self, span: Option<datafusion::common::Span>) -> Unplaced;

    /// As an error of the planner; [`from_datafusion`] takes it out again.
    fn carried(self) -> DataFusionError;
}

impl Carry for Error {
    fn of_function(self, function: &'static Function) -> Unplaced {
        Unplaced::from(self).of_function(function)
    }

    fn within(self, span: Option<datafusion::common::Span>) -> Unplaced {
        Unplaced {
            stretch: span.map(stretch),
            ..Unplaced::from(self)
        }
    }

    fn carried(self) -> DataFusionError {
        Unplaced::from(self).into()
    }
}

/// Reads a planner's or executor's error; `query` gives it its place in the script.
pub(crate) fn from_datafusion(error: DataFusionError, query: Option<&Query>) -> Error {
    if let Some(found) = find::<Unplaced>(&error) {
        let place = query.and_then(|query| found.place(query));
        return located(found.error.clone(), place);
    }
    if let Some(found) = find::<Error>(&error) {
        return found.clone();
    }
    let span = error
        .diagnostic()
        .and_then(|diagnostic| diagnostic.span)
        .zip(query)
        .map(|(span, query)| query.locate(stretch(span)));
    let read = read(&error);
    let place = || {
        let query = query?;
        let node = || place_of_node(query, unsupported_node(&error.strip_backtrace())?);
        read.place(query).or_else(node)
    };
    let place = span.or_else(place);
    located(read.error, place).with_source(error)
}

/// Whether a name stands for several things.
pub(crate) fn is_ambiguous_name(error: &DataFusionError) -> bool {
    read(error).error.code() == code::AMBIGUOUS_NAME
}

/// Whether an operator failed since what it computes takes too much memory.
pub(crate) fn is_lack_of_memory(error: &DataFusionError) -> bool {
    match find::<Unplaced>(error) {
        Some(found) => found.error.code() == code::MEMORY,
        None => matches!(error.find_root(), DataFusionError::ResourcesExhausted(_)),
    }
}

fn located(error: Error, place: Option<Span>) -> Error {
    match place {
        Some(span) => error.or_at(span),
        None => error,
    }
}

fn read(error: &DataFusionError) -> Unplaced {
    let read = match error.find_root() {
        DataFusionError::SchemaError(schema, _) => from_schema_error(schema),
        DataFusionError::SQL(parser, _) => worded(code::SYNTAX, &parser.to_string()),
        DataFusionError::NotImplemented(text) => worded(code::UNSUPPORTED, text),
        DataFusionError::ResourcesExhausted(_) => Error::new(
            code::MEMORY,
            "the query needs more memory than it is allowed to take",
        )
        .with_hint("narrow the query with WHERE or fewer columns"),
        DataFusionError::Plan(text) => match text.strip_prefix("Invalid function '") {
            Some(rest) => return unknown_function(rest),
            None => match wrong_types(text) {
                Some(wrong) => return wrong,
                None => worded(code::INVALID, text),
            },
        },
        DataFusionError::Execution(text) => worded(code::EXECUTION, text),
        DataFusionError::ArrowError(error, _) => worded(code::EXECUTION, &error.to_string()),
        DataFusionError::Diagnostic(diagnostic, _) => worded(code::INVALID, &diagnostic.message),
        DataFusionError::Internal(text) => worded(code::INTERNAL, text),
        other => worded(code::INVALID, &other.strip_backtrace()),
    };
    read.into()
}

/// What the planner or the executor says, in our words; in general ones where they would show what it is made of.
fn worded(code: Code, text: &str) -> Error {
    if let Some(Wording {
        code,
        message,
        hint,
    }) = known_wording(text)
    {
        let error = Error::new(code, message);
        return match hint {
            Some(hint) => error.with_hint(hint),
            None => error,
        };
    }
    if let Some(node) = unsupported_node(text) {
        let message = format!("{} is not supported", in_words(node));
        return Error::new(code::UNSUPPORTED, message);
    }
    let apart = "take the query apart, with WITH or sub-queries, to find the part that it is";
    match (code, shown(text)) {
        (code::INTERNAL, _) => Error::new(code, "a defect in the planner of queries")
            .with_hint("report it, with the statement"),
        (code::UNSUPPORTED, Some(text)) if text.ends_with("not supported") => {
            Error::new(code, text)
        }
        (code::UNSUPPORTED, Some(text)) => Error::new(code, format!("not supported: {text}")),
        (_, Some(text)) => Error::new(code, text),
        (code::UNSUPPORTED, None) => {
            Error::new(code, "a part of this query is not supported").with_hint(apart)
        }
        (code::EXECUTION, None) => {
            Error::new(code, "a value of the query cannot be computed").with_hint(apart)
        }
        (_, None) => Error::new(code, "the query cannot be planned").with_hint(apart),
    }
}

fn from_schema_error(error: &SchemaError) -> Error {
    match error {
        SchemaError::FieldNotFound {
            field,
            valid_fields,
        } => {
            let names: Vec<&str> = valid_fields.iter().map(|field| field.name()).collect();
            let wanted = field.name();
            let is_doubled = |name: &&str| *name != wanted && unmarked(name) == wanted;
            if names.iter().any(is_doubled) {
                return Error::new(
                    code::AMBIGUOUS_NAME,
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
                let error = Error::new(code::UNKNOWN_TABLE, format!("FROM has no {table}"));
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
            let error = Error::new(
                code::UNKNOWN_COLUMN,
                format!("there is no column {}", field.name()),
            );
            match sql::nearest(field.name(), names.iter().copied()) {
                Some(near) => error.with_hint(format!("did you mean {near}?")),
                None if names.is_empty() => error,
                None => error.with_hint(format!("the columns are {}", shortened(&names))),
            }
        }
        SchemaError::AmbiguousReference { field } => Error::new(
            code::AMBIGUOUS_NAME,
            format!("the column {} is in several tables", unmarked(field.name())),
        )
        .with_hint("write the table's name or alias before it"),
        SchemaError::DuplicateQualifiedField { name, .. }
        | SchemaError::DuplicateUnqualifiedField { name } => Error::new(
            code::AMBIGUOUS_NAME,
            format!("the column {} appears twice", unmarked(name)),
        )
        .with_hint("give one of them another name with AS"),
    }
}

/// A function that was given arguments of other types than it takes.
fn wrong_types(text: &str) -> Option<Unplaced> {
    let marks = ["call to '", "Function '", "function '"];
    let rest = marks
        .iter()
        .find_map(|mark| Some(text.split_once(mark)?.1))?;
    let (name, _) = rest.split_once('\'')?;
    let function = function::find_planned(name)?;
    let name = function.name.to_uppercase();
    let message = format!("{name}: an argument is of a type that it does not take");
    let error = Error::new(code::ARGUMENT, message).of_function(function);
    Some(error.with_hint(format!("it is written {function}")))
}

fn unknown_function(rest: &str) -> Unplaced {
    let (name, _) = rest.split_once('\'').unwrap_or((rest, ""));
    if let Some(function) = function::find_planned(name).filter(|it| it.is_window()) {
        let name = function.name.to_uppercase();
        let message = format!("{name} needs OVER");
        return Error::new(code::ARGUMENT, message)
            .of_function(function)
            .with_hint(format!("{function} OVER (ORDER BY ...)"));
    }
    let error = Error::new(
        code::UNKNOWN_FUNCTION,
        format!("there is no function {name}"),
    );
    let names = function::functions().flat_map(Function::names);
    match sql::nearest(name, names) {
        Some(near) => error
            .with_hint(format!("did you mean {}?", near.to_uppercase()))
            .into(),
        None => error.into(),
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

/// An error of Arrow in our words: a value that cannot be converted, say.
pub fn from_arrow(error: ArrowError) -> Error {
    from_datafusion(error.into(), None)
}
