//! Conditions in Bitbucket's query language, and addresses.

use std::fmt::Write as _;

use bucketline_source::spec::ColumnKind;
use bucketline_source::{ColumnSpec, Literal, Operator, Predicate, Pushdown};
use chrono::{DateTime, SecondsFormat, Utc};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// The longest list that is sent; a longer one would make an address that servers refuse.
const LIST_LIMIT: usize = 50;
/// The longest text that is sent, in bytes.
const TEXT_LIMIT: usize = 500;

/// What the service can do with a condition on a column of its rows.
pub(crate) fn pushdown(column: &ColumnSpec, predicate: &Predicate) -> Pushdown {
    let operator = predicate.operator;
    if !sendable(column, operator, &predicate.values) {
        return Pushdown::Kept;
    }
    let null_safe = column.required || !matches!(operator, Operator::NotEq | Operator::NotIn);
    if column.filter.exact.contains(&operator) && null_safe {
        Pushdown::Exact
    } else if column.filter.exact.contains(&operator) || column.filter.narrowing.contains(&operator)
    {
        // Whether `!=` matches a null is not documented, so it may return more than SQL's.
        Pushdown::Narrowing
    } else {
        Pushdown::Kept
    }
}

/// Whether the values can be written in the query language without a doubt about their meaning.
fn sendable(column: &ColumnSpec, operator: Operator, values: &[Literal]) -> bool {
    let known = &column.filter.values;
    let count = match operator {
        Operator::IsNull | Operator::IsNotNull => values.is_empty(),
        Operator::In | Operator::NotIn => (1..=LIST_LIMIT).contains(&values.len()),
        _ => values.len() == 1,
    };
    count
        && values.iter().all(|value| match (column.kind, value) {
            (ColumnKind::Text, Literal::Text(text)) => {
                // How quotes, backslashes and control characters are escaped is not documented;
                // `~ ""` means nothing.
                let doubtful = |c: char| c.is_control() || matches!(c, '"' | '\\');
                text.len() <= TEXT_LIMIT
                    && !text.contains(doubtful)
                    && !(operator == Operator::Contains && text.is_empty())
                    && (known.is_empty() || known.contains(text))
            }
            (ColumnKind::Int, Literal::Int(_))
            | (ColumnKind::Bool, Literal::Bool(_))
            | (ColumnKind::Timestamp, Literal::Timestamp(_)) => true,
            _ => false,
        })
}

/// A condition that [`pushdown`] does not keep, as text.
pub(crate) fn condition(column: &ColumnSpec, predicate: &Predicate) -> String {
    let field = &column.filter.field;
    let list = || {
        predicate
            .values
            .iter()
            .map(literal)
            .collect::<Vec<_>>()
            .join(", ")
    };
    match predicate.operator {
        Operator::IsNull => format!("{} = null", column.filter.null_field),
        Operator::IsNotNull => format!("{} != null", column.filter.null_field),
        Operator::In => format!("{field} IN ({})", list()),
        Operator::NotIn => format!("{field} NOT IN ({})", list()),
        Operator::Eq => format!("{field} = {}", list()),
        Operator::NotEq => format!("{field} != {}", list()),
        Operator::Lt => format!("{field} < {}", list()),
        Operator::LtEq => format!("{field} <= {}", list()),
        Operator::Gt => format!("{field} > {}", list()),
        Operator::GtEq => format!("{field} >= {}", list()),
        Operator::Contains => format!("{field} ~ {}", list()),
    }
}

fn literal(value: &Literal) -> String {
    match value {
        Literal::Bool(value) => value.to_string(),
        Literal::Int(value) => value.to_string(),
        Literal::Float(value) => value.to_string(),
        Literal::Text(value) => quoted(value),
        Literal::Timestamp(value) => instant(*value),
    }
}

/// A text in double quotes; a backslash goes before quotes and backslashes.
pub(crate) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// An instant as the service writes them, unquoted.
pub(crate) fn instant(value: DateTime<Utc>) -> String {
    value.to_rfc3339_opts(SecondsFormat::Micros, false)
}

/// One condition that holds where all of these do.
pub(crate) fn all(conditions: &[String]) -> Option<String> {
    (!conditions.is_empty()).then(|| conditions.join(" AND "))
}

/// What needs no encoding in any part of an address (RFC 3986, unreserved).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// One segment of a path, encoded.
pub(crate) fn segment(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// The query of an address, encoded.
pub(crate) fn query_string<'a>(parameters: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut text = String::new();
    for (name, value) in parameters {
        let separator = if text.is_empty() { '?' } else { '&' };
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "{separator}{name}={}",
            utf8_percent_encode(value, RESERVED)
        );
    }
    text
}

#[cfg(test)]
mod tests;
