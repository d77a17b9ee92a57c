//! References from a query to the columns of what is around it.

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, Result};
use datafusion::logical_expr::{Expr, LogicalPlan};

/// The column of an outside reference.
pub(super) fn inside(reference: &Expr) -> Option<Expr> {
    match reference {
        Expr::OuterReferenceColumn(_, column) => Some(Expr::Column(column.clone())),
        _ => None,
    }
}

pub(super) fn is_outside(expr: &Expr, around: &DFSchema) -> Result<bool> {
    expr.exists(|part| {
        Ok(matches!(part, Expr::OuterReferenceColumn(_, column) if around.has_column(column)))
    })
}

/// Visits each reference to an outside column in a plan.
pub(super) fn each_outside(
    plan: &LogicalPlan,
    visit: &mut dyn FnMut(&Expr, &Column),
) -> Result<()> {
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|part| {
                if let Expr::OuterReferenceColumn(_, column) = part {
                    visit(part, column);
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(())
}

/// The columns that a query reads from outside it.
pub(super) fn outside_columns(plan: &LogicalPlan) -> Result<Vec<Column>> {
    let mut found = Vec::new();
    each_outside(plan, &mut |_, column| found.push(column.clone()))?;
    Ok(found)
}

pub(super) fn reads_outside(plan: &LogicalPlan) -> Result<bool> {
    Ok(!outside_columns(plan)?.is_empty())
}
