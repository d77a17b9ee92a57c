//! USE, SET, RESET, SHOW, DESCRIBE, EXPLAIN and EXEC.

use sqlparser::tokenizer::Token;

use super::Cursor;
use crate::error::refuse_twice;
use crate::lexer::Lexeme;
use crate::{
    Argument, Error, Execute, Explain, Given, Set, SetParameter, Show, ShowKind, Statement, Use,
    Value, code, nearest,
};

impl Cursor<'_> {
    pub(super) fn use_connection(&mut self) -> Result<Statement, Error> {
        self.expect_word("USE")?;
        let what = "the connection's name";
        // Alone it is the connection of that name.
        let is_named = |lexeme: &Lexeme| matches!(lexeme.token, Token::Word(_));
        if self.at_words(&["DESTINATION"]) && self.peek_at(1).is_some_and(is_named) {
            self.advance();
            return Ok(Statement::Use(Use::Destination(self.ident(what)?)));
        }
        Ok(Statement::Use(Use::Connection(self.name(what, 2)?)))
    }

    pub(super) fn set(&mut self) -> Result<Statement, Error> {
        self.expect_word("SET")?;
        if self.eat(&Token::AtSign) {
            return self.set_parameter();
        }
        let name = self.name("a setting's name", 4)?;
        if !self.eat_word("TO") {
            self.expect(&Token::Eq)?;
        }
        let (value, value_span) = self.value("a value")?;
        Ok(Statement::Set(Set {
            name,
            value,
            value_span,
        }))
    }

    fn set_parameter(&mut self) -> Result<Statement, Error> {
        let name = self.ident("the parameter's name")?;
        self.expect(&Token::Eq)?;
        let is_one = self.peek_at(1).is_none();
        let is_signed = self.peek_at(2).is_none()
            && self
                .peek()
                .is_some_and(|it| matches!(it.token, Token::Minus | Token::Plus));
        let word = self
            .peek()
            .and_then(Lexeme::bare_word)
            .unwrap_or_default()
            .to_ascii_uppercase();
        let is_literal = matches!(word.as_str(), "" | "NULL" | "TRUE" | "FALSE");
        // The functions that need no parentheses, such as CURRENT_DATE.
        let is_word = is_one && !is_literal && !word.starts_with("CURRENT_");
        if is_word || self.peek().is_none() {
            return Err(self.unexpected("a value"));
        }
        let is_parameter = self.peek().is_some_and(|it| it.token == Token::AtSign);
        let value = match (is_one && is_literal || is_signed) && !is_parameter {
            true => Given::Value(self.value("a value")?.0),
            false => Given::Expression(self.expression()?),
        };
        Ok(Statement::SetParameter(SetParameter { name, value }))
    }

    /// `RESET name` is another way to write `SET name = DEFAULT`.
    pub(super) fn reset(&mut self) -> Result<Statement, Error> {
        self.expect_word("RESET")?;
        if self.eat_word("ALL") {
            return Ok(Statement::ResetAll);
        }
        let name = self.name("a setting's name, or ALL", 4)?;
        let value_span = name.span();
        Ok(Statement::Set(Set {
            name,
            value: Value::Word("DEFAULT".to_owned()),
            value_span,
        }))
    }

    pub(super) fn show(&mut self) -> Result<Statement, Error> {
        self.expect_word("SHOW")?;
        let words = || ShowKind::ALL.iter().map(|(word, _)| *word);
        let known = ShowKind::ALL.iter().find(|(word, _)| self.eat_word(word));
        let Some((_, what)) = known else {
            let listed: Vec<&str> = words().collect();
            let error = self.unexpected(&format!("one of {}", listed.join(", ")));
            let meant = self
                .peek()
                .and_then(|lexeme| nearest(lexeme.bare_word()?, words()));
            return Err(match meant {
                Some(meant) => error.with_hint(format!("did you mean `{meant}`?")),
                None => error,
            });
        };
        let mut show = Show {
            what: *what,
            from: None,
            like: None,
        };
        loop {
            if show.from.is_none() && (self.eat_word("FROM") || self.eat_word("IN")) {
                show.from = Some(self.name("a name", 3)?);
            } else if show.like.is_none() && self.eat_word("LIKE") {
                show.like = Some(self.string("a pattern in quotes")?);
            } else {
                return Ok(Statement::Show(show));
            }
        }
    }

    pub(super) fn describe(&mut self) -> Result<Statement, Error> {
        self.advance();
        Ok(Statement::Describe(self.name("the table's name", 3)?))
    }

    pub(super) fn explain(&mut self) -> Result<Statement, Error> {
        self.expect_word("EXPLAIN")?;
        let analyze = self.eat_word("ANALYZE");
        if self.at_word("EXPLAIN") {
            return Err(self.unexpected("the statement to explain"));
        }
        Ok(Statement::Explain(Explain {
            analyze,
            statement: Box::new(self.statement()?),
        }))
    }

    pub(super) fn execute(&mut self) -> Result<Statement, Error> {
        self.advance();
        let procedure = self.name("the procedure's name", 3)?;
        let arguments = match self.peek() {
            Some(_) => self.comma_separated(Self::argument)?,
            None => Vec::new(),
        };
        refuse_twice("argument", arguments.iter().map(|argument| &argument.name))?;
        Ok(Statement::Execute(Execute {
            procedure,
            arguments,
        }))
    }

    fn argument(&mut self) -> Result<Argument, Error> {
        self.eat(&Token::AtSign);
        let name = self
            .ident("an argument: `@name = value`")
            .map_err(|error| match error.code() {
                code::UNEXPECTED_TOKEN => error.with_hint("arguments are given by name"),
                _ => error,
            })?;
        self.expect(&Token::Eq)?;
        Ok(Argument {
            name,
            value: self.expression()?,
        })
    }
}
