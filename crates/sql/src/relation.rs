//! Which relations a query reads.

use std::collections::HashMap;
use std::ops::ControlFlow;

use sqlparser::ast::{ObjectName, Query, TableFactor, Visit, Visitor};

use crate::name::same_ignoring_case;

/// The relations of `query` that are neither CTEs visible where they are named nor functions.
pub(crate) fn relations(query: &Query) -> Vec<ObjectName> {
    let mut finder = Finder::default();
    let _ = query.visit(&mut finder);
    finder.found
}

#[derive(Default)]
struct Finder {
    found: Vec<ObjectName>,
    /// The CTE names visible in each query being visited, the innermost last.
    visible: Vec<Vec<String>>,
    /// What a CTE's own query may see, by the query's address: the CTEs before it, and itself
    /// only if recursive. `WITH t AS (SELECT * FROM t)` reads a table `t`.
    bodies: HashMap<*const Query, Vec<String>>,
}

impl Visitor for Finder {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let outer = self.visible.last().cloned().unwrap_or_default();
        let mut names = self
            .bodies
            .remove(&std::ptr::from_ref(query))
            .unwrap_or(outer);
        if let Some(with) = &query.with {
            for cte in &with.cte_tables {
                let before = names.clone();
                names.push(cte.alias.name.value.clone());
                let seen = if with.recursive {
                    names.clone()
                } else {
                    before
                };
                self.bodies
                    .insert(std::ptr::from_ref(cte.query.as_ref()), seen);
            }
        }
        self.visible.push(names);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _query: &Query) -> ControlFlow<()> {
        self.visible.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        let TableFactor::Table {
            name, args: None, ..
        } = factor
        else {
            return ControlFlow::Continue(());
        };
        let is_cte = |name: &ObjectName| match name.0.as_slice() {
            [part] => part.as_ident().is_some_and(|ident| {
                let names = self.visible.iter().rev().take(1).flatten();
                names
                    .into_iter()
                    .any(|cte| same_ignoring_case(cte, &ident.value))
            }),
            _ => false,
        };
        if !is_cte(name) {
            self.found.push(name.clone());
        }
        ControlFlow::Continue(())
    }
}
