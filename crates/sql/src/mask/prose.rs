//! Texts without a grammar: the insides of literals and comments. They may hold connection strings,
//! addresses, JSON, or SQL.

use percent_encoding::percent_decode_str;

use super::mask_of;
use super::url::UserInformation;
use crate::secret::is_sensitive;

/// A text without its secrets.
pub(super) struct Prose {
    pub(super) masked: String,
    /// Whether it ends behind a sensitive name and `=`: the text that follows is the value.
    pub(super) expects_value: bool,
}

/// Masks the values of sensitive names, and the user information of addresses.
pub(super) fn mask(text: &str) -> Prose {
    let mut prose = Prose {
        masked: String::with_capacity(text.len()),
        expects_value: false,
    };
    let mut addresses = UserInformation::default();
    // Up to here the text is in `masked`.
    let mut copied = 0;
    // Where the name begins that an operator would end.
    let mut name = 0;
    let mut at = 0;
    while let Some(letter) = text[at..].chars().next() {
        if let Some((start, end)) = addresses.at(text, at) {
            prose.replace(text, copied, start..end);
            (copied, at, name) = (end, end, end);
            continue;
        }
        let next = at + letter.len_utf8();
        let value = match letter {
            ';' | ',' | '{' | '(' | '?' | '&' | '\n' | '\r' => {
                (at, name) = (next, next);
                continue;
            }
            '=' | ':' => {
                let operator = text[at..].find(|c| !is_operator(c));
                let operator = operator.map_or(text.len(), |length| at + length);
                let is_name = is_sensitive_name(&text[name..at]);
                (at, name) = (operator, operator);
                is_name.then_some(operator)
            }
            // A literal right behind a name is its value, even where the `=` was forgotten.
            '\'' | '"' | '`' if follows_sensitive_word(&text[name..at]) => Some(at),
            _ => {
                at = next;
                continue;
            }
        };
        let Some(value) = value else {
            continue;
        };
        let value = value + blanks(&text[value..]);
        let length = value_length(&text[value..]);
        if length == 0 {
            prose.expects_value = value == text.len();
            at = value;
            continue;
        }
        prose.replace(text, copied, value..value + length);
        (copied, at, name) = (value + length, value + length, value + length);
    }
    prose.masked.push_str(&text[copied..]);
    prose
}

impl Prose {
    /// Adds the text from `copied` on, and the mask in place of `secret`. Its quotes stay.
    fn replace(&mut self, text: &str, copied: usize, secret: std::ops::Range<usize>) {
        let value = &text[secret.clone()];
        let quote = match value.chars().next() {
            Some('\'') => "'",
            Some('"') => "\"",
            Some('`') => "`",
            _ => "",
        };
        self.masked.push_str(&text[copied..secret.start]);
        self.masked.push_str(quote);
        self.masked.push_str(&mask_of(value));
        self.masked.push_str(quote);
    }
}

fn is_operator(c: char) -> bool {
    matches!(c, '=' | ':' | '<' | '>' | '!')
}

fn blanks(text: &str) -> usize {
    text.len() - text.trim_start().len()
}

/// Names in addresses may be percent-encoded.
fn is_sensitive_name(name: &str) -> bool {
    is_sensitive(name)
        || name.contains('%') && is_sensitive(&percent_decode_str(name).decode_utf8_lossy())
}

/// Whether `text` ends with a sensitive word and a blank. A quote without the blank closes the name.
fn follows_sensitive_word(text: &str) -> bool {
    let trimmed = text.trim_end();
    let word = trimmed.rfind(|c: char| !(c.is_alphanumeric() || c == '_'));
    let word = word.map_or(trimmed, |at| &trimmed[at..]);
    trimmed.len() < text.len() && is_sensitive(word)
}

/// The length of the value at the start of `text`; 0 if there is none.
fn value_length(text: &str) -> usize {
    match text.chars().next() {
        Some(quote @ ('\'' | '"' | '`')) => {
            let quoted = quoted_length(text, quote);
            // A quote that was not doubled ends the value too early.
            let rest = &text[quoted..];
            let end = rest.find([';', ',', '}', ')', '&']).unwrap_or(rest.len());
            match rest[..end].trim().is_empty() {
                true => quoted,
                false => quoted + end,
            }
        }
        _ => bare_length(text),
    }
}

fn quoted_length(text: &str, quote: char) -> usize {
    let mut letters = text.char_indices().skip(1).peekable();
    while let Some((index, letter)) = letters.next() {
        if letter == quote && letters.next_if(|(_, next)| *next == quote).is_none() {
            return index + 1;
        }
    }
    text.len()
}

/// The length of a value without quotes. A part behind a semicolon that has no `=` cannot be
/// another property, so it may belong to the value.
fn bare_length(text: &str) -> usize {
    let mut semicolon = None;
    for (index, letter) in text.char_indices() {
        match (letter, semicolon) {
            ('=', Some(semicolon)) => return semicolon,
            (';', _) => semicolon = Some(index),
            _ => {}
        }
    }
    match semicolon {
        Some(semicolon) if text[semicolon + 1..].trim().is_empty() => semicolon,
        _ => text.len(),
    }
}
