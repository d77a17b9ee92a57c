//! What names mean in the parts of a query, from the inside out.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{self, Expr, Ident, VisitMut, VisitorMut};

use super::Namer;
use super::from_clause::{Columns, FromClause, Meaning};
use crate::{Error, Result};

/// The CTEs that a query sees, the innermost last.
pub(super) type Ctes = Vec<(String, Columns)>;

/// What a part of a query sees.
#[derive(Clone, Copy)]
pub(super) struct Scope<'s> {
    pub(super) ctes: &'s Ctes,
    around: Option<&'s Around<'s>>,
}

/// The FROM of a query, and those of the queries around it.
pub(super) struct Around<'s> {
    from: &'s FromClause,
    outer: Option<&'s Around<'s>>,
}

impl<'s> Scope<'s> {
    pub(super) fn of(ctes: &'s Ctes) -> Self {
        Self { ctes, around: None }
    }

    pub(super) fn with_ctes(self, ctes: &'s Ctes) -> Self {
        Self { ctes, ..self }
    }

    pub(super) fn around(self, from: &'s FromClause) -> Around<'s> {
        Around {
            from,
            outer: self.around,
        }
    }

    pub(super) fn within(self, around: &'s Around<'s>) -> Self {
        Self {
            around: Some(around),
            ..self
        }
    }

    /// What a name without a qualifier is, if a join made it of two columns.
    pub(super) fn merged(self, name: &str) -> Option<&'s Expr> {
        let mut around = self.around;
        while let Some(Around { from, outer }) = around {
            match from.meaning(name) {
                Meaning::Merged(expr) => return Some(expr),
                Meaning::Column => return None,
                Meaning::Absent => around = *outer,
            }
        }
        None
    }

    /// How the one column is spelled that a name means but for its case; nothing if one is spelled like it. Two
    /// tables may spell a name differently, such as a source's and the destination's.
    fn spelling(self, qualifier: &[Ident], name: &Ident) -> Option<String> {
        let mut around = self.around;
        while let Some(Around { from, outer }) = around {
            let relations = from.relations.iter().filter(|it| it.is_named(qualifier));
            let mut columns = relations.flat_map(|it| &it.columns).peekable();
            if columns.peek().is_some() {
                let columns: Option<Vec<_>> = columns.map(Option::as_ref).collect();
                let mut alike = columns?;
                alike.retain(|it| it.name.eq_ignore_ascii_case(&name.value));
                match alike.as_slice() {
                    [] => {}
                    [one] if one.name != name.value => return Some(one.name.clone()),
                    _ => return None,
                }
            }
            around = *outer;
        }
        None
    }
}

impl Namer<'_> {
    /// Names the outputs of the queries inside of expressions, and reads the columns that joins made of two.
    pub(super) fn expressions(&self, part: &mut impl VisitMut, scope: Scope<'_>) -> Result<()> {
        let mut visitor = Expressions {
            namer: self,
            scope,
            depth: 0,
        };
        match part.visit(&mut visitor) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(error) => Err(error),
        }
    }
}

/// Finds the names and the outermost queries of a part of the tree.
struct Expressions<'a> {
    namer: &'a Namer<'a>,
    scope: Scope<'a>,
    depth: usize,
}

impl VisitorMut for Expressions<'_> {
    type Break = Error;

    fn pre_visit_query(&mut self, query: &mut ast::Query) -> ControlFlow<Error> {
        self.depth += 1;
        if self.depth == 1
            && let Err(error) = self.namer.query(query, self.scope)
        {
            return ControlFlow::Break(error);
        }
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut ast::Query) -> ControlFlow<Error> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        if self.depth > 0 {
            return ControlFlow::Continue(());
        }
        match expr {
            Expr::Identifier(name) => {
                if let Some(merged) = self.scope.merged(&name.value) {
                    *expr = merged.clone();
                } else if let Some(spelling) = self.scope.spelling(&[], name) {
                    name.value = spelling;
                }
            }
            Expr::CompoundIdentifier(parts) => {
                if let Some((name, qualifier)) = parts.split_last_mut()
                    && let Some(spelling) = self.scope.spelling(qualifier, name)
                {
                    name.value = spelling;
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}
