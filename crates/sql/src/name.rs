//! Names as they were written.

use std::fmt;
use std::hash::{Hash, Hasher};

use crate::{Position, Span};

/// One part of a name.
///
/// Two parts are equal if they differ at most in case; [`Ident::same_spelling`] is stricter.
#[derive(Debug, Clone)]
pub struct Ident {
    /// The text without quotes.
    pub text: String,
    /// Whether it was quoted: `[text]`, `"text"` or `` `text` ``.
    pub quoted: bool,
    /// Whether it was quoted as `"text"`, which is exact where other names are folded.
    pub exact: bool,
    /// Where it stands, quotes included.
    pub span: Span,
}

impl Ident {
    /// A part that comes from no text; quoted if it has to be.
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        Self {
            quoted: !is_bare(&text),
            exact: false,
            text,
            span: Span::point(Position::START),
        }
    }

    /// Whether the text is `word`, case apart.
    pub fn is(&self, word: &str) -> bool {
        same_ignoring_case(&self.text, word)
    }

    /// Whether both are spelled alike, case included.
    pub fn same_spelling(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl PartialEq for Ident {
    fn eq(&self, other: &Self) -> bool {
        same_ignoring_case(&self.text, &other.text)
    }
}

impl Eq for Ident {}

impl Hash for Ident {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.to_lowercase().hash(state);
    }
}

impl fmt::Display for Ident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.exact {
            write!(f, "\"{}\"", self.text.replace('"', "\"\""))
        } else if self.quoted {
            write!(f, "[{}]", self.text.replace(']', "]]"))
        } else {
            f.write_str(&self.text)
        }
    }
}

/// A name of one or more parts: `connection.schema.table` or less.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// At least one part, the most general first.
    pub parts: Vec<Ident>,
}

impl Name {
    /// The last part: the thing itself.
    pub fn last(&self) -> &Ident {
        // A parsed name has at least one part.
        &self.parts[self.parts.len() - 1]
    }

    /// What stands before the last part.
    pub fn qualifier(&self) -> &[Ident] {
        &self.parts[..self.parts.len() - 1]
    }

    /// Where it stands.
    pub fn span(&self) -> Span {
        self.parts[0].span.to(self.last().span)
    }

    /// The parts' texts.
    pub fn texts(&self) -> Vec<&str> {
        self.parts.iter().map(|part| part.text.as_str()).collect()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, part) in self.parts.iter().enumerate() {
            let dot = if index == 0 { "" } else { "." };
            write!(f, "{dot}{part}")?;
        }
        Ok(())
    }
}

/// Whether two identifiers are the same, case apart (beyond ASCII, too).
pub(crate) fn same_ignoring_case(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b)
        || (!(a.is_ascii() && b.is_ascii()) && a.to_lowercase() == b.to_lowercase())
}

/// Whether `text` is a name without quotes.
pub(crate) fn is_bare(text: &str) -> bool {
    let mut letters = text.chars();
    letters
        .next()
        .is_some_and(|first| first.is_alphabetic() || first == '_')
        && letters.all(|c| c.is_alphabetic() || c.is_ascii_digit() || matches!(c, '_' | '#'))
        && !is_reserved(text)
}

/// Words that are no names unless quoted.
const RESERVED: &[&str] = &[
    "AND", "AS", "BETWEEN", "BY", "CASE", "DISTINCT", "ELSE", "END", "EXISTS", "FALSE", "FROM",
    "GROUP", "HAVING", "IN", "INTO", "IS", "JOIN", "LIKE", "LIMIT", "NOT", "NULL", "ON", "OR",
    "ORDER", "PRIMARY", "SELECT", "SET", "THEN", "TRUE", "UNION", "VALUES", "WHEN", "WHERE",
    "WITH",
];

/// Whether `word` must be quoted to be a name.
pub(crate) fn is_reserved(word: &str) -> bool {
    RESERVED
        .iter()
        .any(|reserved| reserved.eq_ignore_ascii_case(word))
}
