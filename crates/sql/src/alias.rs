//! The names that a query gives itself.

use std::collections::HashSet;
use std::ops::ControlFlow;

use sqlparser::ast::{Ident, Query, Select, SelectItem, TableAlias, TableFactor, Visit, Visitor};

/// The quoted aliases of a query: of its columns, tables and CTEs.
pub(crate) fn quoted_aliases(query: &Query) -> HashSet<String> {
    let mut finder = Finder::default();
    let _ = query.visit(&mut finder);
    finder.found
}

#[derive(Default)]
struct Finder {
    found: HashSet<String>,
}

impl Finder {
    fn add(&mut self, alias: &Ident) {
        if alias.quote_style.is_some() {
            self.found.insert(alias.value.clone());
        }
    }

    fn add_table(&mut self, alias: &TableAlias) {
        self.add(&alias.name);
        alias
            .columns
            .iter()
            .for_each(|column| self.add(&column.name));
    }
}

impl Visitor for Finder {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let ctes = query.with.iter().flat_map(|with| &with.cte_tables);
        ctes.for_each(|cte| self.add_table(&cte.alias));
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        for item in &select.projection {
            if let SelectItem::ExprWithAlias { alias, .. } = item {
                self.add(alias);
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        let alias = match factor {
            TableFactor::Table { alias, .. }
            | TableFactor::Derived { alias, .. }
            | TableFactor::TableFunction { alias, .. }
            | TableFactor::Function { alias, .. }
            | TableFactor::UNNEST { alias, .. }
            | TableFactor::NestedJoin { alias, .. } => alias,
            _ => &None,
        };
        alias.iter().for_each(|alias| self.add_table(alias));
        ControlFlow::Continue(())
    }
}
