//! Hides the secrets in a text, even in one that does not parse.

mod code;
mod literal;
mod prose;
mod token;
mod url;

use bucketline_core::unify_line_breaks;

pub(crate) use self::literal::masked;

/// `text` with `***` in place of each secret: the values of sensitive names in properties,
/// arguments, settings and conditions, in connection strings inside literals, and in comments; the
/// user information of addresses (`postgres://***@host`); and arguments of EXEC without a name.
///
/// Works on any text in linear time. Line breaks are kept, so that places on other lines stay
/// right. If in doubt, it hides too much: from a secret's literal on, everything up to the next
/// comma, closing bracket or semicolon is hidden, since a quote that was not doubled ends a literal
/// too early. A place on the line of a secret is found behind the masked text that precedes it:
/// `mask_source(&text[..offset])`. Mask the whole text, then take the line: a single line does not
/// show the literal or comment that it is part of.
pub fn mask_source(text: &str) -> String {
    code::mask(text)
}

/// The mask, with the line breaks of the value that it replaces.
fn mask_of(value: &str) -> String {
    let breaks = unify_line_breaks(value).matches('\n').count();
    format!("{}{}", crate::secret::MASK, "\n".repeat(breaks))
}

/// Whether the word compares a name with a value, or gives it one.
fn compares(word: &str) -> bool {
    const WORDS: &[&str] = &[
        "BETWEEN", "CONTAINS", "ILIKE", "IN", "LIKE", "REGEXP", "RLIKE", "SIMILAR", "TO",
    ];
    WORDS.iter().any(|other| word.eq_ignore_ascii_case(other))
}

#[cfg(test)]
mod tests;
