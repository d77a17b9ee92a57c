//! Queries that are short to write and cannot be planned: CUBE of forty columns, a thousand joins.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{Expr, GroupByExpr, GroupByWithModifier, Select, Spanned};

use crate::dialect::Refusal;
use crate::{Error, code};

/// How often a query may group its rows, and how many tables it may join. The time to plan grows with the first, and
/// with the third power of the second.
const GROUPINGS: u64 = 4_096;
const JOINS: usize = 100;

/// How many tables a SELECT joins, subqueries apart.
pub(crate) fn joins(select: &Select) -> usize {
    let tables = select.from.iter().map(|table| 1 + table.joins.len());
    tables.sum::<usize>().saturating_sub(1)
}

/// Refuses a SELECT that groups too often, or is of a query that joins too many tables.
pub(crate) fn within_bounds(select: &Select, joins: usize) -> ControlFlow<Refusal> {
    let groupings = groupings(&select.group_by);
    let message = if groupings > GROUPINGS {
        format!(
            "the query needs more memory than allowed: it groups its rows in more than {GROUPINGS} ways"
        )
    } else if joins > JOINS {
        format!("the query needs more memory than allowed: it joins more than {JOINS} tables")
    } else {
        return ControlFlow::Continue(());
    };
    let hint = match groupings > GROUPINGS {
        true => "name fewer columns in CUBE, or the groups that are wanted in GROUPING SETS",
        false => "join in several steps, each into a table of its own",
    };
    let error = Error::new(code::MEMORY, message).with_hint(hint);
    ControlFlow::Break((error, select.span()))
}

fn groupings(group_by: &GroupByExpr) -> u64 {
    let power = |columns: usize| {
        u32::try_from(columns)
            .ok()
            .and_then(|it| 2_u64.checked_pow(it))
    };
    let count = |it: usize| u64::try_from(it).unwrap_or(u64::MAX);
    let (columns, modifiers) = match group_by {
        GroupByExpr::All(modifiers) => (0, modifiers),
        GroupByExpr::Expressions(expressions, modifiers) => (expressions.len(), modifiers),
    };
    let of_expressions = match group_by {
        GroupByExpr::All(_) => 1,
        GroupByExpr::Expressions(expressions, _) => expressions
            .iter()
            .map(|expression| match expression {
                Expr::Cube(sets) => power(sets.len()).unwrap_or(u64::MAX),
                Expr::Rollup(sets) => count(sets.len()).saturating_add(1),
                Expr::GroupingSets(sets) => count(sets.len()).max(1),
                _ => 1,
            })
            .fold(1, u64::saturating_mul),
    };
    modifiers
        .iter()
        .map(|modifier| match modifier {
            GroupByWithModifier::Cube => power(columns).unwrap_or(u64::MAX),
            GroupByWithModifier::Rollup => count(columns).saturating_add(1),
            _ => 1,
        })
        .fold(of_expressions, u64::saturating_mul)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::ops::ControlFlow;

    use bucketline_sql::{Statement, parse_statement};
    use datafusion::sql::sqlparser::ast::SetExpr;

    use super::{JOINS, joins, within_bounds};

    #[test]
    fn a_query_joins_so_many_tables_and_no_more() {
        for (tables, is_refused) in [(1, false), (JOINS + 1, false), (JOINS + 2, true)] {
            let commas = vec!["a"; tables].join(", ");
            let joined = vec!["a"; tables].join(" CROSS JOIN ");
            for from in [commas, joined] {
                let parsed = parse_statement(&format!("SELECT 1 FROM {from}")).unwrap();
                let Statement::Query(query) = parsed.statement else {
                    panic!("it is a query");
                };
                let SetExpr::Select(select) = query.ast().body.as_ref() else {
                    panic!("it is a SELECT");
                };
                let checked = within_bounds(select, joins(select));
                assert_eq!(
                    matches!(checked, ControlFlow::Break(_)),
                    is_refused,
                    "{tables}"
                );
            }
        }
    }
}
