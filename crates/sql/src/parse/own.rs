//! Tables and views of the user's own: CREATE, DROP and TRUNCATE.

use super::Cursor;
use crate::{CreateTable, CreateView, DropOwn, Error, OwnKind, Statement, TableContent};

impl Cursor<'_> {
    /// CREATE of a table, a view or a connection.
    pub(super) fn create(&mut self) -> Result<Statement, Error> {
        if self.at_words(&["CREATE", "TABLE"]) {
            return self.create_table();
        }
        let is_view = self.at_words(&["CREATE", "VIEW"])
            || self.at_words(&["CREATE", "OR", "REPLACE", "VIEW"]);
        match is_view {
            true => self.create_view(),
            false => self.create_connection(),
        }
    }

    fn create_table(&mut self) -> Result<Statement, Error> {
        self.expect_word("CREATE")?;
        self.expect_word("TABLE")?;
        let if_absent = self.eat_words(&["IF", "NOT", "EXISTS"]);
        let table = self.name("the table's name", 3)?;
        let content = if self.eat_word("AS") {
            TableContent::Query(Box::new(self.query()?))
        } else {
            TableContent::Columns(self.column_list()?)
        };
        Ok(Statement::CreateTable(CreateTable {
            table,
            if_absent,
            content,
        }))
    }

    fn create_view(&mut self) -> Result<Statement, Error> {
        self.expect_word("CREATE")?;
        let or_replace = self.eat_words(&["OR", "REPLACE"]);
        self.expect_word("VIEW")?;
        let view = self.name("the view's name", 3)?;
        self.expect_word("AS")?;
        if !self.at_query() {
            return Err(self.unexpected("a query"));
        }
        Ok(Statement::CreateView(CreateView {
            view,
            or_replace,
            query: Box::new(self.query()?),
        }))
    }

    /// DROP of a table, a view or a connection.
    pub(super) fn drop_object(&mut self) -> Result<Statement, Error> {
        let kind = if self.at_words(&["DROP", "TABLE"]) {
            OwnKind::Table
        } else if self.at_words(&["DROP", "VIEW"]) {
            OwnKind::View
        } else {
            return self.drop_connection();
        };
        self.advance();
        self.advance();
        let if_exists = self.eat_words(&["IF", "EXISTS"]);
        Ok(Statement::DropOwn(DropOwn {
            kind,
            if_exists,
            name: self.name("a name", 3)?,
        }))
    }

    pub(super) fn truncate(&mut self) -> Result<Statement, Error> {
        self.expect_word("TRUNCATE")?;
        self.eat_word("TABLE");
        Ok(Statement::Truncate(self.name("the table's name", 3)?))
    }
}
