//! CHECKCACHE, CACHE and GETDELETED.

use crate::error::refused;
use sqlparser::ast::Expr;
use sqlparser::tokenizer::Token;

use super::Cursor;
use crate::{
    Against, Cache, CacheMode, CheckCache, Error, Expression, GetDeleted, SkipCheck, Statement,
    code,
};

const CACHE_MODES: &[(&[&str], CacheMode)] = &[
    (&["TRUNCATE"], CacheMode::Truncate),
    (&["AUTOCOMMIT"], CacheMode::Autocommit),
    (&["SCHEMA", "ONLY"], CacheMode::SchemaOnly),
    (&["DROP", "EXISTING"], CacheMode::DropExisting),
    (&["ALTER", "SCHEMA"], CacheMode::AlterSchema),
];

impl Cursor<'_> {
    /// The clauses may come in any order, each once.
    pub(super) fn check_cache(&mut self) -> Result<Statement, Error> {
        self.expect_word("CHECKCACHE")?;
        let table = self.name("the table's name", 3)?;
        let mut check = CheckCache {
            table,
            against: None,
            repair: false,
            skip: None,
            start: None,
            end: None,
        };
        while let Some(clause) = self.peek() {
            let again = if self.eat_word("AGAINST") {
                check.against.replace(self.against()?).is_some()
            } else if self.eat_word("WITH") {
                self.expect_word("REPAIR")?;
                std::mem::replace(&mut check.repair, true)
            } else if self.eat_word("SKIP") {
                check.skip.replace(self.skip_check()?).is_some()
            } else if self.eat_word("START") {
                check.start.replace(self.bound()?).is_some()
            } else if self.eat_word("END") {
                check.end.replace(self.bound()?).is_some()
            } else {
                return Err(self.unexpected("AGAINST, WITH REPAIR, SKIP, START or END"));
            };
            if again {
                let message = format!("the clause {} is given twice", clause.describe());
                return Err(
                    refused(code::DUPLICATE, message, clause.span).with_hint("keep one of them")
                );
            }
        }
        Ok(Statement::CheckCache(check))
    }

    fn against(&mut self) -> Result<Against, Error> {
        if !self.eat(&Token::LParen) {
            let bare_query = self.at_query();
            let table = self.name("a table or a query in parentheses", 3);
            return table.map(Against::Table).map_err(|error| match bare_query {
                true => error.with_hint("put the query in parentheses"),
                false => error,
            });
        }
        let query = self.query()?;
        self.expect(&Token::RParen)?;
        Ok(Against::Query(Box::new(query)))
    }

    fn skip_check(&mut self) -> Result<SkipCheck, Error> {
        if self.eat_word("MODIFIED") {
            Ok(SkipCheck::Modified)
        } else if self.eat_word("DELETED") {
            Ok(SkipCheck::Deleted)
        } else {
            Err(self.unexpected("MODIFIED or DELETED"))
        }
    }

    /// Reads a datetime or a function that gives one.
    fn bound(&mut self) -> Result<Expression, Error> {
        let bound = self.expression()?;
        let mut inner = bound.ast();
        while let Expr::Nested(nested) = inner {
            inner = nested;
        }
        match inner {
            Expr::Value(_) | Expr::TypedString(_) | Expr::Function(_) => Ok(bound),
            _ => {
                let message = "not a datetime";
                Err(refused(code::UNEXPECTED_TOKEN, message, bound.span())
                    .with_hint("write a datetime in quotes or a function such as L_LAST_WEEK()"))
            }
        }
    }

    pub(super) fn cache(&mut self) -> Result<Statement, Error> {
        self.expect_word("CACHE")?;
        let anonymous = self.at_query() || self.cache_mode_ahead().is_some();
        let table = if anonymous {
            None
        } else {
            Some(self.name("a table or a query", 2)?)
        };
        let mode = self.cache_mode_ahead().map(|(tokens, mode)| {
            (0..tokens).for_each(|_| self.advance());
            mode
        });
        if !self.at_query() {
            return Err(self.unexpected("a query"));
        }
        Ok(Statement::Cache(Cache {
            table,
            mode,
            query: Box::new(self.query()?),
        }))
    }

    /// The mode that follows, with WITH or without, and how many tokens it takes.
    fn cache_mode_ahead(&self) -> Option<(usize, CacheMode)> {
        let with = usize::from(self.at_word("WITH"));
        CACHE_MODES.iter().find_map(|(words, mode)| {
            let spelled: Vec<&str> = ["WITH"][..with]
                .iter()
                .chain(words.iter())
                .copied()
                .collect();
            self.at_words(&spelled).then_some((spelled.len(), *mode))
        })
    }

    pub(super) fn get_deleted(&mut self) -> Result<Statement, Error> {
        self.expect_word("GETDELETED")?;
        self.expect_word("FROM")?;
        let table = self.name("the table's name", 3)?;
        self.expect_word("WHERE")?;
        Ok(Statement::GetDeleted(GetDeleted {
            table,
            condition: self.expression()?,
        }))
    }
}
