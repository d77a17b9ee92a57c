//! Literals of a query that parses. Unlike in text, only they are hidden, so that it parses again.

use std::fmt::Write;

use sqlparser::tokenizer::Token;

use super::{compares, mask_source};
use crate::lexer::Lexeme;
use crate::secret::{MASK, is_sensitive};

/// The tokens as text, with `'***'` for each literal that is compared with something sensitive, and
/// with the secrets inside of other literals masked.
pub(crate) fn masked(lexemes: &[Lexeme]) -> String {
    let mut text = String::new();
    let mut comparison = Comparison::default();
    for (index, lexeme) in lexemes.iter().enumerate() {
        comparison.follow(lexeme);
        if index > 0 && lexeme.spaced {
            text.push(' ');
        }
        let is_secret =
            lexeme.is_literal() && (comparison.hides || precedes_sensitive(&lexemes[index + 1..]));
        // Writing to a String cannot fail.
        let _ = match is_secret {
            true => write!(text, "'{MASK}'"),
            false if lexeme.is_literal() => write!(text, "{}", mask_source(&lexeme.to_string())),
            false => write!(text, "{lexeme}"),
        };
    }
    text
}

/// Follows the tokens of a condition.
#[derive(Default)]
struct Comparison {
    depth: usize,
    /// The depth at which a sensitive name was read.
    named: Option<usize>,
    /// Whether an operator came behind it: literals are secrets.
    hides: bool,
    /// Whether the next AND belongs to a BETWEEN.
    between: bool,
}

impl Comparison {
    fn follow(&mut self, lexeme: &Lexeme) {
        match &lexeme.token {
            Token::LParen => self.depth += 1,
            Token::RParen => {
                self.depth = self.depth.saturating_sub(1);
                if self.named.is_some_and(|depth| self.depth < depth) {
                    self.end();
                }
            }
            Token::Comma if self.named == Some(self.depth) => self.end(),
            Token::Word(word) if is_sensitive(&word.value) => {
                self.end();
                self.named = Some(self.depth);
            }
            Token::Word(_) if self.named.is_some() => self.word(lexeme),
            token if self.named.is_some() && is_comparison(token) => self.hides = true,
            _ => {}
        }
    }

    fn word(&mut self, lexeme: &Lexeme) {
        let is = |words: &[&str]| words.iter().any(|word| lexeme.is_word(word));
        if lexeme.bare_word().is_some_and(compares) {
            self.hides = true;
            self.between |= is(&["BETWEEN"]);
        } else if self.between && is(&["AND"]) {
            self.between = false;
        } else if self.named == Some(self.depth) && ends(&is) {
            self.end();
        }
    }

    fn end(&mut self) {
        (self.named, self.hides, self.between) = (None, false, false);
    }
}

/// Whether the word, which `is` compares, ends a condition.
fn ends(is: &dyn Fn(&[&str]) -> bool) -> bool {
    is(&[
        "AND",
        "OR",
        "WHERE",
        "GROUP",
        "ORDER",
        "HAVING",
        "LIMIT",
        "FROM",
        "JOIN",
        "ON",
        "UNION",
        "EXCEPT",
        "INTERSECT",
        "WHEN",
        "THEN",
        "ELSE",
        "END",
        "AS",
    ])
}

fn is_comparison(token: &Token) -> bool {
    matches!(
        token,
        Token::Eq
            | Token::DoubleEq
            | Token::Neq
            | Token::Lt
            | Token::Gt
            | Token::LtEq
            | Token::GtEq
            | Token::Spaceship
            | Token::Tilde
    )
}

/// Whether a comparison with something sensitive follows, or a sensitive alias: `'x' = t.Token`.
fn precedes_sensitive(lexemes: &[Lexeme]) -> bool {
    let [operator, operand @ ..] = lexemes else {
        return false;
    };
    let name =
        |lexeme: &&Lexeme| matches!(lexeme.token, Token::Word(_) | Token::Period | Token::AtSign);
    (is_comparison(&operator.token) || operator.is_word("AS"))
        && operand
            .iter()
            .take_while(name)
            .any(|lexeme| match &lexeme.token {
                Token::Word(word) => is_sensitive(&word.value),
                _ => false,
            })
}
