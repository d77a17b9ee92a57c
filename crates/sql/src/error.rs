//! Errors of this crate: each has a place.

use std::collections::HashSet;

use bucketline_core::{Code, Error};

use crate::{Ident, Span, code};

/// What went wrong, and where in the text.
pub(crate) fn refused(code: Code, message: impl Into<String>, span: Span) -> Error {
    Error::new(code, message).at(span)
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
    refused(code::DUPLICATE, message, name.span).with_hint("keep one of them")
}
