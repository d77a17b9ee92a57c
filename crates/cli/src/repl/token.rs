//! Words and signs of a text that is still being typed.

use std::ops::Range;

/// What a stretch of a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Letters, digits and underscores, not beginning with a digit.
    Word,
    /// A name in brackets, quotes or backquotes.
    Quoted,
    /// A text in single quotes.
    Text,
    Number,
    Comment,
    Blank,
    /// Any other character.
    Sign,
}

/// A stretch of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) range: Range<usize>,
    /// It ends because the text does.
    pub(super) is_open: bool,
}

impl Token {
    pub(super) fn text<'t>(&self, text: &'t str) -> &'t str {
        &text[self.range.clone()]
    }

    /// A name without its quotes.
    pub(super) fn name<'t>(&self, text: &'t str) -> &'t str {
        let text = self.text(text);
        match self.kind {
            Kind::Quoted if !self.is_open => &text[1..text.len() - 1],
            _ => text,
        }
    }

    pub(super) fn is_name(&self) -> bool {
        matches!(self.kind, Kind::Word | Kind::Quoted)
    }
}

/// Cuts a text into tokens, which cover all of it.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut start = 0;
    while let Some(first) = text[start..].chars().next() {
        let rest = &text[start..];
        let (kind, end) = match first {
            '-' if rest.starts_with("--") => (Kind::Comment, rest.find(['\n', '\r'])),
            '/' if rest.starts_with("/*") => (Kind::Comment, rest.find("*/").map(|at| at + 2)),
            '\'' => (Kind::Text, closed(rest, '\'')),
            '"' => (Kind::Quoted, closed(rest, '"')),
            '`' => (Kind::Quoted, closed(rest, '`')),
            '[' => (Kind::Quoted, closed(rest, ']')),
            c if c.is_whitespace() => (Kind::Blank, rest.find(|c: char| !c.is_whitespace())),
            c if c.is_ascii_digit() => {
                let other = |c: char| !(c.is_ascii_digit() || c == '.');
                (Kind::Number, rest.find(other))
            }
            c if is_word(c) => (Kind::Word, rest.find(|c| !is_word(c))),
            c => (Kind::Sign, Some(c.len_utf8())),
        };
        let length = end.unwrap_or(rest.len());
        tokens.push(Token {
            kind,
            range: start..start + length,
            is_open: end.is_none(),
        });
        start += length;
    }
    tokens
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The length up to and with the closing quote, which counts as a character where it is doubled.
fn closed(text: &str, quote: char) -> Option<usize> {
    let mut at = 1;
    loop {
        at += text[at..].find(quote)? + 1;
        if !text[at..].starts_with(quote) {
            return Some(at);
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, tokens};

    #[test]
    fn tokens_cover_any_text() {
        for text in [
            "",
            "SELECT 'it''s', [a]]b], \"c\" FROM t -- end",
            "SELECT 'open",
            "a.b /* c",
            "ä漢 1.5e3 ;\n",
        ] {
            let joined: String = tokens(text).iter().map(|token| token.text(text)).collect();
            assert_eq!(joined, text);
        }
    }

    #[test]
    fn quotes_are_left_off_names() {
        let text = "[my table].`x`";
        let names: Vec<_> = tokens(text)
            .into_iter()
            .filter(|token| token.kind == Kind::Quoted)
            .map(|token| token.name(text).to_owned())
            .collect();
        assert_eq!(names, ["my table", "x"]);
    }
}
