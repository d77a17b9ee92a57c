//! Text to tokens with exact places, and tokens to statements' worth of tokens.

use crate::error::refused;
use std::fmt;
use std::str::Chars;
use std::sync::Arc;

use bucketline_core::unify_line_breaks;
use sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer};

use crate::dialect::BucketlineDialect;
use crate::piece::pieces;
use crate::target::{goes_on_address, join_addresses};
use crate::{Error, Position, Span, code};

/// A token that means something: no blank, no comment.
#[derive(Debug, Clone)]
pub(crate) struct Lexeme {
    pub(crate) token: Token,
    pub(crate) span: Span,
    /// Whether a blank or a comment stands before it.
    pub(crate) spaced: bool,
    /// The parameter that it is the value of.
    pub(crate) written: Option<Arc<str>>,
}

impl Lexeme {
    /// The word's text, if it is a word without quotes.
    pub(crate) fn bare_word(&self) -> Option<&str> {
        match &self.token {
            Token::Word(word) if word.quote_style.is_none() => Some(&word.value),
            _ => None,
        }
    }

    pub(crate) fn is_word(&self, word: &str) -> bool {
        self.bare_word()
            .is_some_and(|text| text.eq_ignore_ascii_case(word))
    }

    pub(crate) fn is_literal(&self) -> bool {
        is_literal(&self.token)
    }

    /// For messages. Never shows a literal: it might be a secret.
    pub(crate) fn describe(&self) -> String {
        let shown = match &self.token {
            _ if self.written.is_some() => shorten(&self.to_string()),
            Token::Word(_) | Token::Placeholder(_) => shorten(&self.to_string()),
            token if is_literal(token) => return "a literal".to_owned(),
            token => token.to_string(),
        };
        format!("`{shown}`")
    }

    pub(crate) fn to_sqlparser(&self) -> TokenWithSpan {
        use sqlparser::tokenizer::Span as Stretch;
        let place = |at: Position| Location::new(at.line.into(), at.column.into());
        let token = match &self.token {
            // `sqlparser` prints `[a]]b]` without doubling the bracket.
            Token::Word(word) if word.quote_style == Some('[') && word.value.contains(']') => {
                Token::make_word(&word.value, Some('"'))
            }
            token => token.clone(),
        };
        TokenWithSpan::new(
            token,
            Stretch::new(place(self.span.start), place(self.span.end)),
        )
    }
}

/// Prints the token so that it is read as the same token again.
impl fmt::Display for Lexeme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let doubled = |text: &str, quote: &str| text.replace(quote, &quote.repeat(2));
        if let Some(written) = &self.written {
            return f.write_str(written);
        }
        match &self.token {
            Token::Word(word) => match word.quote_style {
                Some('[') => write!(f, "[{}]", doubled(&word.value, "]")),
                Some(quote) => {
                    write!(
                        f,
                        "{quote}{}{quote}",
                        doubled(&word.value, &quote.to_string())
                    )
                }
                None => f.write_str(&word.value),
            },
            Token::SingleQuotedString(text) => write!(f, "'{}'", doubled(text, "'")),
            Token::NationalStringLiteral(text) => write!(f, "N'{}'", doubled(text, "'")),
            Token::HexStringLiteral(text) => {
                write!(f, "X'{}'", doubled(&doubled(text, "\\"), "'"))
            }
            token => write!(f, "{token}"),
        }
    }
}

fn is_literal(token: &Token) -> bool {
    matches!(
        token,
        Token::Number(..)
            | Token::SingleQuotedString(_)
            | Token::DoubleQuotedString(_)
            | Token::TripleSingleQuotedString(_)
            | Token::TripleDoubleQuotedString(_)
            | Token::DollarQuotedString(_)
            | Token::SingleQuotedByteStringLiteral(_)
            | Token::DoubleQuotedByteStringLiteral(_)
            | Token::TripleSingleQuotedByteStringLiteral(_)
            | Token::TripleDoubleQuotedByteStringLiteral(_)
            | Token::SingleQuotedRawStringLiteral(_)
            | Token::DoubleQuotedRawStringLiteral(_)
            | Token::TripleSingleQuotedRawStringLiteral(_)
            | Token::TripleDoubleQuotedRawStringLiteral(_)
            | Token::NationalStringLiteral(_)
            | Token::QuoteDelimitedStringLiteral(_)
            | Token::NationalQuoteDelimitedStringLiteral(_)
            | Token::EscapedStringLiteral(_)
            | Token::UnicodeStringLiteral(_)
            | Token::HexStringLiteral(_)
    )
}

fn shorten(text: &str) -> String {
    const LONGEST: usize = 40;
    match text.char_indices().nth(LONGEST) {
        Some((cut, _)) => format!("{}...", &text[..cut]),
        None => text.to_owned(),
    }
}

/// The most tokens of one statement: planned, each takes about a kilobyte.
const MOST_TOKENS: usize = 80_000;

/// The most bytes of one statement, blanks and comments not counted: a query holds several copies of a literal.
const MOST_BYTES: usize = 1 << 20;

/// How many tokens are held at a time, if their statement is no longer.
const PART: usize = 4_096;

/// The tokens of `text`, and the error that ended the reading early, if one did. An empty statement has no tokens.
pub(crate) fn tokenize(text: &str) -> (Vec<Lexeme>, Option<Error>) {
    let (mut all, mut failure) = (Vec::new(), None);
    tokenize_in_parts(text, Position::START, |mut lexemes, error| {
        all.append(&mut lexemes);
        failure = error;
    });
    (all, failure)
}

/// The same part by part, none of which ends within a statement, for a text that begins at `at` of a longer one.
pub(crate) fn tokenize_in_parts(
    written: &str,
    mut at: Position,
    mut take: impl FnMut(Vec<Lexeme>, Option<Error>),
) {
    // For `sqlparser` a `\r` alone ends no line, so a comment would go on to the end of the text.
    let text = unify_line_breaks(written);
    let text = text.as_ref();
    let base = at.offset;
    let dialect = BucketlineDialect::for_tokens(0);
    let mut lexemes: Vec<Lexeme> = Vec::new();
    let mut raw = Vec::new();
    let (mut tokens, mut bytes) = (0, 0);
    for piece in pieces(text) {
        let mut spaced = piece.start > at.offset - base;
        at = at.after(&text[at.offset - base..piece.start]);
        // Only a single literal, name or open comment makes so long a piece.
        if piece.len() > MOST_BYTES {
            let span = Span { start: at, end: at };
            return take(lexemes, Some(too_long(span)));
        }
        let mut walk = Walk::new(&text[piece.clone()], at);
        let failure = Tokenizer::new(&dialect, &text[piece])
            .tokenize_with_location_into_buf(&mut raw)
            .err();
        for TokenWithSpan { mut token, span } in raw.drain(..) {
            let start = walk.at;
            walk.to(span.end);
            keep_line_ends(
                &mut token,
                &written[start.offset - base..walk.at.offset - base],
            );
            let is_empty = || {
                lexemes
                    .last()
                    .is_none_or(|last| last.token == Token::SemiColon)
            };
            match token {
                Token::Whitespace(_) => {
                    spaced = true;
                    continue;
                }
                Token::SemiColon if is_empty() => continue,
                Token::SemiColon => (tokens, bytes) = (0, 0),
                _ => {
                    tokens += 1;
                    bytes += walk.at.offset - start.offset;
                }
            }
            let span = Span {
                start,
                end: walk.at,
            };
            if tokens > MOST_TOKENS || bytes > MOST_BYTES {
                return take(lexemes, Some(too_long(span)));
            }
            let lexeme = Lexeme {
                token,
                span,
                spaced,
                written: None,
            };
            let ends_before = lexemes
                .last()
                .is_some_and(|last| last.token == Token::SemiColon);
            if lexemes.len() >= PART && ends_before && !goes_on_address(&lexeme) {
                take(
                    join_addresses(text, base, std::mem::take(&mut lexemes)),
                    None,
                );
            }
            lexemes.push(lexeme);
            spaced = false;
        }
        at = walk.at;
        if let Some(failure) = failure {
            // Tokens touch, so the one that failed begins where the last good one ended.
            let error = lexical_error(&text[at.offset - base..], at, &failure.message);
            return take(join_addresses(text, base, lexemes), Some(error));
        }
    }
    take(join_addresses(text, base, lexemes), None);
}

fn too_long(span: Span) -> Error {
    let message = format!(
        "the statement is too long: it has more than {MOST_TOKENS} words and signs, or more than {} MiB",
        MOST_BYTES >> 20
    );
    let hint = "split it; to load many rows, use INSERT INTO .. SELECT * FROM csv://..";
    refused(code::TOO_DEEP, message, span).with_hint(hint)
}

/// Gives a literal or a quoted name the line ends that it was `written` with.
fn keep_line_ends(token: &mut Token, written: &str) {
    let text = match token {
        Token::SingleQuotedString(text)
        | Token::NationalStringLiteral(text)
        | Token::HexStringLiteral(text) => text,
        Token::Word(word) => &mut word.value,
        _ => return,
    };
    if !written.contains('\r') {
        return;
    }
    let mut ends = written.chars().filter(|it| matches!(it, '\n' | '\r'));
    *text = text
        .chars()
        .map(|character| match character {
            '\n' | '\r' => ends.next().unwrap_or(character),
            other => other,
        })
        .collect();
}

/// Turns lines and columns of a piece, which only grow, into places in the whole text.
struct Walk<'t> {
    rest: Chars<'t>,
    reached: Location,
    at: Position,
}

impl<'t> Walk<'t> {
    fn new(piece: &'t str, at: Position) -> Self {
        Self {
            rest: piece.chars(),
            reached: Location::new(1, 1),
            at,
        }
    }

    fn to(&mut self, goal: Location) {
        while self.reached < goal {
            let Some(character) = self.rest.next() else {
                return;
            };
            self.at.offset += character.len_utf8();
            if character == '\n' {
                self.reached = Location::new(self.reached.line + 1, 1);
                self.at.line += 1;
                self.at.column = 1;
            } else {
                self.reached.column += 1;
                self.at.column += 1;
            }
        }
    }
}

/// Why a token cannot be read that `rest` begins with.
fn lexical_error(rest: &str, start: Position, message: &str) -> Error {
    let unterminated = |opening: &str, what: &str, closing: &str| {
        let span = Span {
            start,
            end: start.after(opening),
        };
        let hint = match closing {
            "`" => "close it with a backquote".to_owned(),
            closing => format!("close it with `{closing}`"),
        };
        refused(code::UNTERMINATED, format!("{what} is not closed"), span).with_hint(hint)
    };
    match rest.chars().next() {
        Some('\'') => unterminated("'", "the string", "'"),
        Some(prefix @ ('N' | 'n' | 'X' | 'x')) if rest[1..].starts_with('\'') => {
            unterminated(&format!("{prefix}'"), "the string", "'")
        }
        Some('[') => unterminated("[", "the bracketed name", "]"),
        Some(quote @ ('"' | '`')) => {
            unterminated(&quote.to_string(), "the quoted name", &quote.to_string())
        }
        Some('/') if rest.starts_with("/*") => unterminated("/*", "the comment", "*/"),
        Some(other) => {
            let span = Span {
                start,
                end: start.after(&other.to_string()),
            };
            let message = format!("cannot read `{other}` here: {}", message.to_lowercase());
            refused(code::UNEXPECTED_CHARACTER, message, span)
        }
        None => refused(code::UNEXPECTED_END, message, Span::point(start)),
    }
}

/// The tokens of one statement, without its semicolon.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cut<'l> {
    /// At least one.
    pub(crate) lexemes: &'l [Lexeme],
    /// The semicolon; without one, the point behind the last token.
    pub(crate) end: Span,
    pub(crate) terminated: bool,
}

/// Cuts at semicolons and drops empty statements.
pub(crate) fn split(lexemes: &[Lexeme]) -> Vec<Cut<'_>> {
    let mut cuts = Vec::new();
    let mut rest = lexemes;
    while let Some(first) = rest.first() {
        let semicolon = rest
            .iter()
            .position(|lexeme| lexeme.token == Token::SemiColon);
        let statement = &rest[..semicolon.unwrap_or(rest.len())];
        let end = match semicolon {
            Some(index) => rest[index].span,
            None => Span::point(statement.last().unwrap_or(first).span.end),
        };
        if !statement.is_empty() {
            cuts.push(Cut {
                lexemes: statement,
                end,
                terminated: semicolon.is_some(),
            });
        }
        rest = semicolon.map_or(&[], |index| &rest[index + 1..]);
    }
    cuts
}
