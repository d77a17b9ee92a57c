//! The tokens of a text that may be SQL. Unlike the lexer it accepts anything.

/// A token; its text is empty at the end.
#[derive(Clone, Copy)]
pub(super) struct Token<'t> {
    pub(super) kind: Kind<'t>,
    pub(super) text: &'t str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind<'t> {
    Blank,
    Comment,
    Quoted(Quote<'t>),
    Word,
    Sign(char),
}

/// How a quoted token opens and closes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Quote<'t> {
    pub(super) open: &'t str,
    pub(super) close: &'t str,
    is_closed: bool,
}

impl Quote<'_> {
    /// The token's text without its quotes.
    pub(super) fn inside<'a>(&self, text: &'a str) -> &'a str {
        let end = text.len() - if self.is_closed { self.close.len() } else { 0 };
        &text[self.open.len()..end]
    }

    /// An inside whose doubled quotes are single.
    pub(super) fn undoubled(&self, inside: &str) -> String {
        match self.doubles() {
            true => inside.replace(&self.close.repeat(2), self.close),
            false => inside.to_owned(),
        }
    }

    /// The reverse.
    pub(super) fn doubled(&self, inside: &str) -> String {
        match self.doubles() {
            true => inside.replace(self.close, &self.close.repeat(2)),
            false => inside.to_owned(),
        }
    }

    /// Nothing is an escape in `$$..$$`.
    fn doubles(&self) -> bool {
        !self.close.starts_with('$')
    }
}

/// Reads tokens at any place of a text. It remembers which brackets are missing, so that many that
/// nothing closes are searched for once.
pub(super) struct Tokens<'t> {
    text: &'t str,
    /// From here on no `]` closes anything.
    without_bracket: usize,
    /// From here on no backquote closes anything.
    without_backquote: usize,
}

impl<'t> Tokens<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self {
            text,
            without_bracket: usize::MAX,
            without_backquote: usize::MAX,
        }
    }

    /// The token that begins at `at`.
    pub(super) fn at(&mut self, at: usize) -> Token<'t> {
        let rest = &self.text[at..];
        let Some(first) = rest.chars().next() else {
            return Token {
                kind: Kind::Blank,
                text: "",
            };
        };
        let (kind, length) = match first {
            c if c.is_whitespace() => {
                let length = rest.len() - rest.trim_start().len();
                (Kind::Blank, length)
            }
            '-' if rest.starts_with("--") => {
                (Kind::Comment, rest.find(['\n', '\r']).unwrap_or(rest.len()))
            }
            '/' if rest.starts_with("/*") => (Kind::Comment, comment_length(rest)),
            '\'' | '"' => quoted(rest, &rest[..1], &rest[..1]),
            '[' if at < self.without_bracket => self.bracketed(at, "]"),
            '`' if at < self.without_backquote => self.bracketed(at, "`"),
            '$' => match dollar_quote(rest) {
                Some(tag) => quoted(rest, tag, tag),
                None => (Kind::Sign('$'), 1),
            },
            c if is_name_part(c) => {
                let length = rest.find(|c| !is_name_part(c)).unwrap_or(rest.len());
                (Kind::Word, length)
            }
            c => (Kind::Sign(c), c.len_utf8()),
        };
        Token {
            kind,
            text: &rest[..length],
        }
    }

    /// A quoted name, or a sign if nothing closes it.
    fn bracketed(&mut self, at: usize, close: &'static str) -> (Kind<'t>, usize) {
        let rest = &self.text[at..];
        let found = quoted(rest, &rest[..1], close);
        match found.0 {
            Kind::Quoted(quote) if !quote.is_closed => {
                match close {
                    "]" => self.without_bracket = self.without_bracket.min(at),
                    _ => self.without_backquote = self.without_backquote.min(at),
                }
                (Kind::Sign(rest.as_bytes()[0].into()), 1)
            }
            _ => found,
        }
    }
}

fn is_name_part(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The length of the comment at the start of `text`. Comments nest; one that is not closed ends
/// with the text.
fn comment_length(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut end = 0;
    while let Some(next) = text[end..].find(['/', '*']) {
        end += next;
        let rest = &text[end..];
        if rest.starts_with("/*") {
            depth += 1;
            end += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            end += 2;
        } else {
            end += 1;
        }
        if depth == 0 {
            return end;
        }
    }
    text.len()
}

/// `$$` or `$tag$` at the start of `text`.
fn dollar_quote(text: &str) -> Option<&str> {
    let tag = text[1..].find(|c| !is_name_part(c))?;
    let starts_with_digit = text[1..].starts_with(|c: char| c.is_ascii_digit());
    let is_quote = text[1 + tag..].starts_with('$') && !starts_with_digit;
    is_quote.then(|| &text[..tag + 2])
}

/// The quoted token at the start of `text`; all of it if nothing closes it.
fn quoted<'t>(text: &'t str, open: &'t str, close: &'t str) -> (Kind<'t>, usize) {
    let doubles = !close.starts_with('$');
    let mut end = open.len();
    let mut is_closed = false;
    while let Some(next) = text[end..].find(close) {
        end += next + close.len();
        if doubles && text[end..].starts_with(close) {
            end += close.len();
            continue;
        }
        is_closed = true;
        break;
    }
    let length = if is_closed { end } else { text.len() };
    let quote = Quote {
        open,
        close,
        is_closed,
    };
    (Kind::Quoted(quote), length)
}
