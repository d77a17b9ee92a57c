//! CREATE, DROP and TEST CONNECTION.

use sqlparser::tokenizer::Token;

use super::Cursor;
use crate::error::refuse_twice;
use crate::{
    ConnectionSettings, ConnectionString, CreateConnection, DropConnection, Error, Property, Span,
    Statement,
};

impl Cursor<'_> {
    pub(super) fn create_connection(&mut self) -> Result<Statement, Error> {
        self.expect_word("CREATE")?;
        let or_replace = self.eat_words(&["OR", "REPLACE"]);
        self.expect_connection_word()?;
        let name = self.ident("the connection's name")?;
        let kind = match self.eat_word("TYPE") {
            true => Some(self.ident("the connection's type")?),
            false => None,
        };
        let settings = if self.eat_word("WITH") {
            ConnectionSettings::Properties(self.properties()?)
        } else if self.eat_word("FROM") {
            ConnectionSettings::Text(self.connection_string()?)
        } else {
            return Err(self
                .unexpected("WITH or FROM")
                .with_hint("write `WITH (name = value, ...)` or `FROM 'name=value;...'`"));
        };
        let create = CreateConnection {
            name,
            or_replace,
            kind,
            settings,
        };
        Ok(Statement::CreateConnection(create))
    }

    fn properties(&mut self) -> Result<Vec<Property>, Error> {
        self.expect(&Token::LParen)?;
        if self.eat(&Token::RParen) {
            return Ok(Vec::new());
        }
        let properties = self.comma_separated(Self::property)?;
        refuse_twice("property", properties.iter().map(|property| &property.name))?;
        if !self.eat(&Token::RParen) {
            return Err(self
                .unexpected("`,` or `)`")
                .with_hint("a value with blanks or signs in it is written in quotes"));
        }
        Ok(properties)
    }

    fn property(&mut self) -> Result<Property, Error> {
        let name = self.ident("a property's name")?;
        self.expect(&Token::Eq).map_err(|error| {
            error.with_hint("write `name = value`, a name with blanks in brackets")
        })?;
        let (value, value_span) = self.value("a value")?;
        Ok(Property {
            name,
            value,
            value_span,
        })
    }

    fn connection_string(&mut self) -> Result<ConnectionString, Error> {
        let literal = self.here();
        let text = self.string("a connection string in quotes")?;
        ConnectionString::parse(&text).map_err(|error| {
            let Some(inside) = error.span() else {
                return error;
            };
            error.at(Span {
                start: inside_literal(literal, &text, inside.start.offset),
                end: inside_literal(literal, &text, inside.end.offset),
            })
        })
    }

    pub(super) fn drop_connection(&mut self) -> Result<Statement, Error> {
        self.expect_word("DROP")?;
        self.expect_connection_word()?;
        let if_exists = self.eat_words(&["IF", "EXISTS"]);
        let name = self.ident("the connection's name")?;
        Ok(Statement::DropConnection(DropConnection {
            name,
            if_exists,
        }))
    }

    pub(super) fn test_connection(&mut self) -> Result<Statement, Error> {
        self.expect_word("TEST")?;
        self.expect_connection_word()?;
        Ok(Statement::TestConnection(
            self.ident("the connection's name")?,
        ))
    }

    fn expect_connection_word(&mut self) -> Result<(), Error> {
        self.expect_word("CONNECTION").map_err(|error| {
            error.with_hint(
                "tables, views and connections are created and dropped; connections are tested",
            )
        })
    }
}

/// Where byte `offset` of `text` stands in the script, if `text` is the content of the string
/// literal at `literal`, in which quotes are doubled.
fn inside_literal(literal: Span, text: &str, offset: usize) -> crate::Position {
    let written = text[..text.floor_char_boundary(offset)].replace('\'', "''");
    literal.start.after("'").after(&written)
}
