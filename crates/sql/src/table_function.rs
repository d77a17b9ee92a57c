//! The columns of table functions. `sqlparser` does not know `JSONTABLE(json, path) WITH (name type, ...)`, so it is
//! given the columns as one more argument, a text.

use sqlparser::tokenizer::{Token, TokenWithSpan};

use crate::lexer::Lexeme;

/// The functions whose call may be followed by WITH, and whether their path may be left out.
const FUNCTIONS: &[(&str, bool)] = &[("JSONTABLE", true), ("XMLTABLE", false)];

/// The tokens as the parser takes them, and for each how many lexemes stand before it.
pub(crate) fn for_parser(lexemes: &[Lexeme]) -> (Vec<TokenWithSpan>, Vec<usize>) {
    let mut tokens = Vec::with_capacity(lexemes.len());
    let mut index = 0;
    while index < lexemes.len() {
        match Call::at(lexemes, index) {
            Some(call) => {
                let inner = index..call.close;
                tokens.extend(inner.map(|at| (plain(lexemes, at), at)));
                let span = lexemes[call.close + 1].span.to(lexemes[call.end - 1].span);
                for token in call.columns(lexemes) {
                    let lexeme = Lexeme {
                        token,
                        span,
                        spaced: false,
                        written: None,
                    };
                    tokens.push((lexeme.to_sqlparser(), call.close));
                }
                tokens.push((lexemes[call.close].to_sqlparser(), call.close));
                index = call.end;
            }
            None => {
                tokens.push((plain(lexemes, index), index));
                index += 1;
            }
        }
    }
    tokens.into_iter().unzip()
}

/// A token by itself. `XMLTABLE(` would begin a construct of standard SQL, so it is given as a quoted name.
fn plain(lexemes: &[Lexeme], index: usize) -> TokenWithSpan {
    let mut lexeme = lexemes[index].clone();
    let called = lexemes
        .get(index + 1)
        .is_some_and(|next| next.token == Token::LParen);
    if called && lexeme.is_word("XMLTABLE") {
        lexeme.token = Token::make_word("XMLTABLE", Some('"'));
    }
    lexeme.to_sqlparser()
}

/// A call that is followed by WITH and columns.
struct Call {
    /// The parenthesis that closes the arguments.
    close: usize,
    /// Behind the one that closes the columns.
    end: usize,
    path_missing: bool,
}

impl Call {
    fn at(lexemes: &[Lexeme], index: usize) -> Option<Self> {
        let named = |(name, _): &&(&str, bool)| lexemes[index].is_word(name);
        let (_, may_lack_path) = FUNCTIONS.iter().find(named)?;
        let close = closing(lexemes, index + 1)?;
        if !lexemes.get(close + 1)?.is_word("WITH") {
            return None;
        }
        let end = closing(lexemes, close + 2)? + 1;
        let has_path = lexemes[index..close]
            .iter()
            .any(|lexeme| lexeme.token == Token::Comma);
        Some(Self {
            close,
            end,
            path_missing: *may_lack_path && !has_path,
        })
    }

    /// What is put before the closing parenthesis: the columns, behind the path of the whole document if there is
    /// none.
    fn columns(&self, lexemes: &[Lexeme]) -> Vec<Token> {
        let columns = &lexemes[self.close + 3..self.end - 1];
        let words: Vec<String> = columns.iter().map(ToString::to_string).collect();
        let mut tokens = Vec::new();
        if self.path_missing {
            tokens.extend([Token::Comma, Token::SingleQuotedString("$".to_owned())]);
        }
        tokens.extend([Token::Comma, Token::SingleQuotedString(words.join(" "))]);
        tokens
    }
}

/// The parenthesis that closes the one at `open`.
fn closing(lexemes: &[Lexeme], open: usize) -> Option<usize> {
    if lexemes.get(open)?.token != Token::LParen {
        return None;
    }
    let mut depth = 0;
    let rest = lexemes.iter().enumerate().skip(open);
    for (index, lexeme) in rest {
        match lexeme.token {
            Token::LParen => depth += 1,
            Token::RParen if depth == 1 => return Some(index),
            Token::RParen => depth -= 1,
            _ => {}
        }
    }
    None
}
