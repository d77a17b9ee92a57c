//! INSERT, UPSERT, UPDATE and DELETE.

use sqlparser::tokenizer::Token;

use super::Cursor;
use crate::{Delete, Error, Expression, Ident, Insert, Statement, Update};

impl Cursor<'_> {
    pub(super) fn insert(&mut self) -> Result<Statement, Error> {
        let upsert = self.at_word("UPSERT");
        self.advance();
        self.expect_word("INTO")?;
        let table = self.name("the table's name", 3)?;
        let mut columns = Vec::new();
        if !self.at_query() && self.eat(&Token::LParen) {
            columns = self.comma_separated(|cursor| cursor.ident("a column name"))?;
            self.expect(&Token::RParen)?;
        }
        if !self.at_query() {
            return Err(self.unexpected("VALUES or a query"));
        }
        let query = Box::new(self.query()?);
        Ok(Statement::Insert(Insert {
            upsert,
            table,
            columns,
            query,
        }))
    }

    pub(super) fn update(&mut self) -> Result<Statement, Error> {
        self.expect_word("UPDATE")?;
        let table = self.name("the table's name", 3)?;
        self.expect_word("SET")?;
        let assignments = self.comma_separated(Self::assignment)?;
        Ok(Statement::Update(Update {
            table,
            assignments,
            condition: self.condition()?,
        }))
    }

    fn assignment(&mut self) -> Result<(Ident, Expression), Error> {
        let column = self.ident("a column name")?;
        self.expect(&Token::Eq)?;
        Ok((column, self.expression()?))
    }

    pub(super) fn delete(&mut self) -> Result<Statement, Error> {
        self.expect_word("DELETE")?;
        self.expect_word("FROM")?;
        let table = self.name("the table's name", 3)?;
        Ok(Statement::Delete(Delete {
            table,
            condition: self.condition()?,
        }))
    }

    fn condition(&mut self) -> Result<Option<Expression>, Error> {
        if self.eat_word("WHERE") {
            self.expression().map(Some)
        } else {
            Ok(None)
        }
    }
}
