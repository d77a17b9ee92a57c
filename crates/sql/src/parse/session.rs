//! USE, SET, RESET, SHOW, DESCRIBE, EXPLAIN and EXEC.

use sqlparser::tokenizer::Token;

use super::Cursor;
use crate::error::refuse_twice;
use crate::lexer::Lexeme;
use crate::{
    Argument, Error, Execute, Explain, Set, SetParameter, Show, ShowKind, Statement, Use, Value,
    code, nearest,
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
        // A parameter that has no value yet is one that is bound later.
        if self.eat(&Token::AtSign) {
            self.ident("a parameter's name")?;
            let value = Value::Null;
            return Ok(Statement::SetParameter(SetParameter { name, value }));
        }
        let literal = "a number, a text in quotes, TRUE, FALSE or NULL";
        let is_word = self.peek().is_some_and(|lexeme| match &lexeme.token {
            Token::Word(word) => {
                let is_plain = |known: &&str| known.eq_ignore_ascii_case(&word.value);
                word.quote_style.is_some() || !["NULL", "TRUE", "FALSE"].iter().any(is_plain)
            }
            _ => false,
        });
        if is_word {
            return Err(self.unexpected(literal));
        }
        let (value, _) = self.value(literal)?;
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
