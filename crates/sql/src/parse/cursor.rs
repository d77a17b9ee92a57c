//! Reading the tokens of one statement one after another: words, signs, names, values.

use crate::error::refused;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::Token;

use super::query::next_subscript;
use crate::dialect::BucketlineDialect;
use crate::lexer::Lexeme;
use crate::name::is_reserved;
use crate::nesting::DEEPEST;
use crate::secret::is_sensitive;
use crate::table_function::for_parser;
use crate::{Error, Ident, Name, Span, Value, code, nearest};

/// A place in the tokens of one statement.
pub(crate) struct Cursor<'l> {
    pub(super) lexemes: &'l [Lexeme],
    /// The semicolon, or the point behind the last token.
    pub(super) end: Span,
    pub(super) parser: Parser<'l>,
    /// For each token of the parser, how many lexemes stand before it.
    origins: Vec<usize>,
    /// The first bracketed name that looks like a subscript, and is not passed yet.
    pub(super) subscript: Option<usize>,
}

impl<'l> Cursor<'l> {
    /// The dialect is the one for these tokens, which no other cursor may share.
    pub(crate) fn new(lexemes: &'l [Lexeme], end: Span, dialect: &'l BucketlineDialect) -> Self {
        let (tokens, origins) = for_parser(lexemes);
        let parser = Parser::new(dialect)
            .with_recursion_limit(DEEPEST)
            .with_tokens_with_locations(tokens);
        Self {
            lexemes,
            end,
            parser,
            origins,
            subscript: next_subscript(lexemes, 0),
        }
    }

    /// Over tokens of which none follows; there must be one.
    pub(crate) fn over(lexemes: &'l [Lexeme], dialect: &'l BucketlineDialect) -> Self {
        let end = Span::point(lexemes[lexemes.len() - 1].span.end);
        Self::new(lexemes, end, dialect)
    }

    /// How many tokens have been read.
    pub(crate) fn index(&self) -> usize {
        let origin = self.origins.get(self.parser.index());
        origin.copied().unwrap_or(self.lexemes.len())
    }

    pub(crate) fn peek(&self) -> Option<&'l Lexeme> {
        self.peek_at(0)
    }

    /// The token `ahead` tokens further on.
    pub(crate) fn peek_at(&self, ahead: usize) -> Option<&'l Lexeme> {
        self.lexemes.get(self.index() + ahead)
    }

    pub(crate) fn advance(&mut self) {
        self.parser.advance_token();
    }

    /// Where the next token stands, or the statement's end.
    pub(crate) fn here(&self) -> Span {
        self.peek().map_or(self.end, |lexeme| lexeme.span)
    }

    /// From the token with number `first` to the last one read.
    pub(crate) fn span_from(&self, first: usize) -> Span {
        let last = self
            .index()
            .saturating_sub(1)
            .max(first)
            .min(self.lexemes.len() - 1);
        self.lexemes[first].span.to(self.lexemes[last].span)
    }

    pub(crate) fn at_word(&self, word: &str) -> bool {
        self.at_words(&[word])
    }

    pub(crate) fn at_words(&self, words: &[&str]) -> bool {
        let follows = |(ahead, word): (usize, &&str)| {
            self.peek_at(ahead)
                .is_some_and(|lexeme| lexeme.is_word(word))
        };
        words.iter().enumerate().all(follows)
    }

    /// Reads `words` if they follow.
    pub(crate) fn eat_words(&mut self, words: &[&str]) -> bool {
        let follow = self.at_words(words);
        if follow {
            words.iter().for_each(|_| self.advance());
        }
        follow
    }

    pub(crate) fn eat_word(&mut self, word: &str) -> bool {
        self.eat_words(&[word])
    }

    pub(crate) fn expect_word(&mut self, word: &str) -> Result<(), Error> {
        if self.eat_word(word) {
            Ok(())
        } else {
            Err(self.unexpected(&format!("`{word}`")))
        }
    }

    pub(crate) fn at(&self, token: &Token) -> bool {
        self.peek().is_some_and(|lexeme| lexeme.token == *token)
    }

    pub(crate) fn eat(&mut self, token: &Token) -> bool {
        let follows = self.at(token);
        if follows {
            self.advance();
        }
        follows
    }

    pub(crate) fn expect(&mut self, token: &Token) -> Result<(), Error> {
        if self.eat(token) {
            Ok(())
        } else {
            Err(self.unexpected(&format!("`{token}`")))
        }
    }

    /// Nothing may follow.
    pub(crate) fn expect_end(&self) -> Result<(), Error> {
        let Some(left_over) = self.peek() else {
            return Ok(());
        };
        let found = self.describe_token(self.index());
        let message = format!("unexpected {}", found.trim_start_matches("a "));
        let error = refused(code::UNEXPECTED_TOKEN, message, left_over.span);
        Err(match self.misread_keyword() {
            Some((word, keyword)) => error.with_hint(format!(
                "`{word}` was read as an alias; did you mean `{keyword}`?"
            )),
            None => error.with_hint("the statement could end before it; is a `;` missing?"),
        })
    }

    /// The token for a message.
    fn describe_token(&self, index: usize) -> String {
        match self.may_be_secret(index) {
            true => "something else".to_owned(),
            false => self.lexemes[index].describe(),
        }
    }

    /// Whether the token stands behind a secret's name and may be a part of the secret.
    pub(super) fn may_be_secret(&self, index: usize) -> bool {
        self.lexemes[..index]
            .iter()
            .rev()
            .take_while(|lexeme| !matches!(lexeme.token, Token::Comma | Token::LParen))
            .any(|lexeme| matches!(&lexeme.token, Token::Word(word) if is_sensitive(&word.value)))
    }

    /// `SELECT id FORM t`: the word before the left-over token, if it looks like a keyword.
    fn misread_keyword(&self) -> Option<(&'l str, &'static str)> {
        const KEYWORDS: &[&str] = &[
            "FROM", "WHERE", "GROUP", "ORDER", "HAVING", "LIMIT", "OFFSET", "UNION", "JOIN", "WITH",
        ];
        if self.may_be_secret(self.index()) {
            return None;
        }
        let word = self.lexemes[self.index().checked_sub(1)?].bare_word()?;
        let keyword = nearest(word, KEYWORDS.iter().copied())?;
        (!keyword.eq_ignore_ascii_case(word)).then_some((word, keyword))
    }

    /// The error that the next token is not what had to follow.
    pub(crate) fn unexpected(&self, expected: &str) -> Error {
        self.unexpected_at(self.index(), expected)
    }

    pub(super) fn unexpected_at(&self, index: usize, expected: &str) -> Error {
        match self.lexemes.get(index) {
            Some(found) => {
                let message = format!("expected {expected}, found {}", self.describe_token(index));
                refused(code::UNEXPECTED_TOKEN, message, found.span)
            }
            None => {
                let message = format!("expected {expected}, but the statement ends here");
                refused(code::UNEXPECTED_END, message, self.end)
            }
        }
    }

    /// Reads an item, and more of them after commas.
    pub(crate) fn comma_separated<T>(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        let mut items = vec![item(self)?];
        while self.eat(&Token::Comma) {
            items.push(item(self)?);
        }
        Ok(items)
    }

    /// Reads one part of a name; `what` it names is for the error.
    pub(crate) fn ident(&mut self, what: &str) -> Result<Ident, Error> {
        let Some(lexeme) = self.peek() else {
            return Err(self.unexpected(what));
        };
        let Token::Word(word) = &lexeme.token else {
            return Err(self.unexpected(what));
        };
        let quoted = word.quote_style.is_some();
        if !quoted && is_reserved(&word.value) {
            return Err(self.unexpected(what).with_hint(format!(
                "a name that is a keyword is written `[{}]`",
                word.value
            )));
        }
        if word.value.is_empty() {
            let message = "a name cannot be empty";
            return Err(refused(code::INVALID_NAME, message, lexeme.span));
        }
        self.advance();
        Ok(Ident {
            text: word.value.clone(),
            quoted,
            exact: word.quote_style == Some('"'),
            span: lexeme.span,
        })
    }

    /// Reads a name of one to `most` parts.
    pub(crate) fn name(&mut self, what: &str, most: usize) -> Result<Name, Error> {
        let mut parts = vec![self.ident(what)?];
        while self.eat(&Token::Period) {
            parts.push(self.ident("the rest of the name")?);
        }
        let name = Name { parts };
        if name.parts.len() > most {
            let parts = if most == 1 {
                "one part"
            } else {
                &format!("at most {most} parts")
            };
            let message = format!("{what} has {parts}, not {}", name.parts.len());
            return Err(refused(code::INVALID_NAME, message, name.span())
                .with_hint("a dot inside a name needs brackets: `[a.b]`"));
        }
        Ok(name)
    }

    /// Reads a literal or a word, and says where it stood.
    pub(crate) fn value(&mut self, what: &str) -> Result<(Value, Span), Error> {
        let first = self.index();
        let negative = match self.peek().map(|lexeme| &lexeme.token) {
            Some(Token::Minus) => "-",
            _ => "",
        };
        if !negative.is_empty() || self.at(&Token::Plus) {
            self.advance();
        }
        let signed = self.index() > first;
        let value = match self.peek().map(|lexeme| &lexeme.token) {
            Some(Token::Number(digits, _)) => Value::Number(format!("{negative}{digits}")),
            _ if signed => return Err(self.unexpected("a number")),
            Some(Token::SingleQuotedString(text) | Token::NationalStringLiteral(text)) => {
                Value::Text(text.clone())
            }
            Some(Token::Word(word)) if word.quote_style.is_some() => {
                Value::Text(word.value.clone())
            }
            Some(Token::Word(word)) => match word.value.to_ascii_uppercase().as_str() {
                "NULL" => Value::Null,
                "TRUE" => Value::Bool(true),
                "FALSE" => Value::Bool(false),
                _ if is_reserved(&word.value) => return Err(self.unexpected(what)),
                _ => Value::Word(word.value.clone()),
            },
            _ => return Err(self.unexpected(what)),
        };
        self.advance();
        Ok((value, self.span_from(first)))
    }

    /// Reads a string literal.
    pub(crate) fn string(&mut self, what: &str) -> Result<String, Error> {
        match self.peek().map(|lexeme| &lexeme.token) {
            Some(Token::SingleQuotedString(text)) => {
                self.advance();
                Ok(text.clone())
            }
            _ => Err(self.unexpected(what)),
        }
    }
}
