//! Queries, expressions and data types: read by `sqlparser` from the tokens that follow, with its
//! mistakes told in our words.

use crate::error::refused;
use sqlparser::ast;
use sqlparser::parser::ParserError;
use sqlparser::tokenizer::Token;

use super::Cursor;
use crate::lexer::Lexeme;
use crate::name::is_reserved;
use crate::query::Tokens;
use crate::rewrite::rewrite;
use crate::{CsvTarget, DataType, Error, Expression, Query, Span, code};

impl Cursor<'_> {
    /// Whether a query begins here: SELECT, VALUES, `(` of a query, or WITH of a CTE.
    pub(crate) fn at_query(&self) -> bool {
        let mut ahead = 0;
        while self
            .peek_at(ahead)
            .is_some_and(|lexeme| lexeme.token == Token::LParen)
        {
            ahead += 1;
        }
        let first = |word: &str| {
            self.peek_at(ahead)
                .is_some_and(|lexeme| lexeme.is_word(word))
        };
        first("SELECT") || first("VALUES") || self.at_cte(ahead)
    }

    /// Whether `WITH` of a CTE stands `ahead` tokens further on: `WITH x AS (`, `WITH x (a) AS`,
    /// `WITH RECURSIVE x`. Any other WITH introduces options.
    fn at_cte(&self, ahead: usize) -> bool {
        let word = |at: usize, word: &str| {
            self.peek_at(ahead + at)
                .is_some_and(|lexeme| lexeme.is_word(word))
        };
        let is = |at: usize, token: &Token| {
            self.peek_at(ahead + at)
                .is_some_and(|lexeme| lexeme.token == *token)
        };
        let is_name = |at: usize| {
            self.peek_at(ahead + at)
                .is_some_and(|lexeme| matches!(lexeme.token, Token::Word(_)))
        };
        // `x (a, b) AS`, but not the option and the query of `WITH DropTable (SELECT ...)`.
        let columns = || {
            let close =
                (3..).find(|at| self.peek_at(ahead + at).is_none() || is(*at, &Token::RParen));
            is(2, &Token::LParen) && close.is_some_and(|close| word(close + 1, "AS"))
        };
        word(0, "WITH")
            && is_name(1)
            && (word(2, "AS") || columns() || (word(1, "RECURSIVE") && is_name(2)))
    }

    /// Reads a query whose rows go on to something else.
    pub(crate) fn query(&mut self) -> Result<Query, Error> {
        let query = self.query_with_target()?;
        match query.target() {
            None => Ok(query),
            Some(_) => {
                let message = "a query inside of a statement is not written into a file";
                Err(refused(code::UNSUPPORTED, message, query.span())
                    .with_hint("leave INTO out; SELECT ... INTO is a statement of its own"))
            }
        }
    }

    /// Reads a query that may be written into a file.
    pub(crate) fn query_with_target(&mut self) -> Result<Query, Error> {
        self.refuse_subscripts()?;
        let first = self.index();
        let mut ast = self
            .parser
            .parse_query()
            .map_err(|error| self.foreign(error))?;
        let tokens = self.read_since(first);
        let target = target(&mut ast, &tokens)?;
        let rewritten = rewrite(&mut ast);
        let query = Query::new(tokens, ast, target);
        match rewritten {
            Ok(()) => Ok(query),
            Err(refusal) => {
                let span = query.locate(refusal.at);
                Err(refused(code::UNSUPPORTED, refusal.message, span).with_hint(refusal.hint))
            }
        }
    }

    /// Reads an expression.
    pub(crate) fn expression(&mut self) -> Result<Expression, Error> {
        self.refuse_subscripts()?;
        let first = self.index();
        let ast = self
            .parser
            .parse_expr()
            .map_err(|error| self.foreign(error))?;
        Ok(Expression::new(self.read_since(first), ast))
    }

    /// Reads a data type.
    pub(crate) fn data_type(&mut self) -> Result<DataType, Error> {
        let first = self.index();
        let ast = self
            .parser
            .parse_data_type()
            .map_err(|error| self.foreign(error))?;
        Ok(DataType::new(self.read_since(first), ast))
    }

    fn read_since(&self, first: usize) -> Tokens {
        Tokens::new(&self.lexemes[first..self.index()])
    }

    /// In this dialect `[` opens a name, so `a[1]` would silently be `a AS [1]`.
    fn refuse_subscripts(&mut self) -> Result<(), Error> {
        let from = self.index();
        while self.subscript.is_some_and(|found| found <= from) {
            self.subscript = next_subscript(self.lexemes, from);
        }
        let Some(found) = self.subscript else {
            return Ok(());
        };
        let bracket = &self.lexemes[found];
        let message = "array indexing is not supported: brackets quote names";
        Err(
            refused(code::UNSUPPORTED, message, bracket.span).with_hint(format!(
                "if `{bracket}` is meant as an alias, put AS before it"
            )),
        )
    }

    /// An error of `sqlparser` as one of ours. Its place is only in its text.
    fn foreign(&self, error: ParserError) -> Error {
        let text = match error {
            ParserError::ParserError(text) | ParserError::TokenizerError(text) => text,
            ParserError::RecursionLimitExceeded => {
                let message = "nested too deeply";
                return refused(code::TOO_DEEP, message, self.here())
                    .with_hint("split it, for example with WITH");
            }
        };
        let (text, place) = match text.rsplit_once(" at Line: ") {
            Some((text, place)) => (text, parse_place(place)),
            None => (text.as_str(), None),
        };
        let index = match place {
            Some(place) => self.lexemes.partition_point(|lexeme| {
                (
                    u64::from(lexeme.span.start.line),
                    u64::from(lexeme.span.start.column),
                ) < place
            }),
            None if text.ends_with("found: EOF") => self.lexemes.len(),
            None => self.index().saturating_sub(1),
        };
        let expected = text
            .strip_prefix("Expected: ")
            .and_then(|text| text.rsplit_once(", found: "))
            .map(|(expected, _)| plain(expected));
        match (expected, self.unclosed_parenthesis()) {
            // `sqlparser` then blames a token further back.
            (Some(expected), Some(open)) if expected == "`)`" => self
                .unexpected_at(self.lexemes.len(), &expected)
                .with_hint(format!("the `(` at {} is not closed", open.start)),
            (Some(expected), _) => self.unexpected_at(index, &expected),
            (None, _) if self.may_be_secret(index) => self.unexpected_at(index, "something else"),
            (None, _) if text.starts_with("No infix parser") => {
                self.unexpected_at(index, "an operator")
            }
            (None, _) => {
                let span = self
                    .lexemes
                    .get(index)
                    .map_or(self.end, |lexeme| lexeme.span);
                refused(code::UNEXPECTED_TOKEN, text, span)
            }
        }
    }

    /// The last `(` of the statement without its `)`.
    fn unclosed_parenthesis(&self) -> Option<Span> {
        let mut open = Vec::new();
        for lexeme in self.lexemes {
            match lexeme.token {
                Token::LParen => open.push(lexeme.span),
                Token::RParen => drop(open.pop()),
                _ => {}
            }
        }
        open.pop()
    }
}

/// The first bracketed name behind the token with number `from` that looks like a subscript.
pub(super) fn next_subscript(lexemes: &[Lexeme], from: usize) -> Option<usize> {
    let is_subscript = |pair: &[Lexeme]| {
        let [before, bracket] = pair else {
            return false;
        };
        let Token::Word(word) = &bracket.token else {
            return false;
        };
        let operand = match &before.token {
            Token::Word(name) => name.quote_style.is_some() || !may_precede_name(&name.value),
            Token::RParen | Token::SingleQuotedString(_) => true,
            _ => false,
        };
        let is_number = || !word.value.is_empty() && word.value.chars().all(|c| c.is_ascii_digit());
        word.quote_style == Some('[') && operand && (!bracket.spaced || is_number())
    };
    let found = lexemes[from..].windows(2).position(is_subscript)?;
    Some(from + found + 1)
}

/// Takes the file that a query is written into out of its tree. INTO of anything else stays, to be refused.
fn target(query: &mut ast::Query, tokens: &Tokens) -> Result<Option<CsvTarget>, Error> {
    let ast::SetExpr::Select(select) = query.body.as_mut() else {
        return Ok(None);
    };
    let Some([part]) = select.into.as_ref().map(|into| into.name.0.as_slice()) else {
        return Ok(None);
    };
    let Some(address) = part.as_ident() else {
        return Ok(None);
    };
    let target = CsvTarget::read(&address.value, tokens.locate(address.span)).transpose()?;
    if target.is_some() {
        select.into = None;
    }
    Ok(target)
}

/// What `sqlparser` expects, in our words.
fn plain(expected: &str) -> String {
    match expected {
        "identifier" => "a name".to_owned(),
        "literal int" | "literal integer" => "a whole number".to_owned(),
        "a data type name" => "a data type".to_owned(),
        sign if sign.chars().all(|c| !c.is_alphanumeric()) => format!("`{sign}`"),
        other => other.to_owned(),
    }
}

fn parse_place(text: &str) -> Option<(u64, u64)> {
    let (line, column) = text.split_once(", Column: ")?;
    Some((line.trim().parse().ok()?, column.trim().parse().ok()?))
}

/// Whether a bracketed name may stand right behind this word, as in `SELECT[Id]FROM[Issues]`.
fn may_precede_name(word: &str) -> bool {
    const WORDS: &[&str] = &[
        "ALL",
        "ASC",
        "DESC",
        "EXCEPT",
        "INTERSECT",
        "OVER",
        "UPDATE",
        "USING",
    ];
    is_reserved(word) || WORDS.iter().any(|other| other.eq_ignore_ascii_case(word))
}
