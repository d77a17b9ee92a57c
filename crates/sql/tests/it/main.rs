//! The dialect, tested by its grammar's examples and by properties.
#![allow(clippy::unwrap_used)]

mod grammar;
mod long;
mod masking;
mod nesting;
mod place;
mod property;
mod query;

use bucketline_sql::{Statement, parse_statement};

/// Parses `text`, prints it, parses that again: both must be equal, and the print must be final.
fn round_trip(text: &str) -> Statement {
    let first = parse_statement(text)
        .unwrap_or_else(|error| panic!("{text}\n{error:?}"))
        .statement;
    let printed = first.to_string();
    let again = parse_statement(&printed)
        .unwrap_or_else(|error| panic!("{printed}\n{error:?}"))
        .statement;
    assert_eq!(first, again, "{text}\n{printed}");
    assert_eq!(again.to_string(), printed);
    again
}

/// Checks that `text` is printed as `canonical`.
fn prints(text: &str, canonical: &str) {
    assert_eq!(round_trip(text).to_string(), canonical);
}
