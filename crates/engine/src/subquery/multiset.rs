//! EXCEPT ALL and INTERSECT ALL: how often a row is there counts.

use datafusion::common::{NullEquality, Result};
use datafusion::functions_window::expr_fn::row_number;
use datafusion::logical_expr::{
    Distinct, Expr, ExprFunctionExt, Join, JoinType, LogicalPlan, LogicalPlanBuilder, Operator,
    binary_expr,
};

use super::unnest::columns;
use super::{AT_THE_END, Rewriting, restored};

/// The plan of EXCEPT ALL or INTERSECT ALL, which DataFusion plans like the forms without ALL, less the DISTINCT before
/// them: each row is joined by how many like it come before, too.
pub(super) fn counted(rewriting: &mut Rewriting, join: &Join) -> Result<Option<LogicalPlan>> {
    let is_of_sets = matches!(join.join_type, JoinType::LeftAnti | JoinType::LeftSemi)
        && join.null_equality == NullEquality::NullEqualsNull;
    // With doubles left out both forms are the same.
    if !is_of_sets || matches!(join.left.as_ref(), LogicalPlan::Distinct(Distinct::All(_))) {
        return Ok(None);
    }
    // The keys are all columns, each cast to the type that both sides have in common.
    let (one, other): (Vec<Expr>, Vec<Expr>) = join.on.iter().cloned().unzip();
    let (left, left_keys) = numbered(rewriting, &join.left, one)?;
    let (right, right_keys) = numbered(rewriting, &join.right, other)?;
    let on = left_keys.into_iter().zip(right_keys);
    let on: Vec<Expr> = on
        .map(|(left, right)| binary_expr(left, Operator::IsNotDistinctFrom, right))
        .collect();
    let plan = LogicalPlanBuilder::from(left)
        .join_on(right, join.join_type, on)?
        .build()?;
    restored(plan, join.left.schema(), AT_THE_END).map(Some)
}

/// The rows, behind them the keys, and the number of the row among those of equal keys; the keys and the number.
fn numbered(
    rewriting: &mut Rewriting,
    plan: &LogicalPlan,
    keys: Vec<Expr>,
) -> Result<(LogicalPlan, Vec<Expr>)> {
    let own = columns(plan);
    let width = own.len();
    let named = own.into_iter().chain(keys).enumerate();
    let named = named.map(|(index, column)| column.alias(format!("c{index}")));
    let named: Vec<Expr> = named.collect();
    let plan = LogicalPlanBuilder::from(plan.clone())
        .project(named)?
        .alias(rewriting.name())?
        .build()?;
    let number = row_number()
        .partition_by(columns(&plan).split_off(width))
        .build()?;
    let plan = LogicalPlanBuilder::from(plan).window([number])?.build()?;
    let mut all = columns(&plan);
    if let Some(number) = all.pop() {
        all.push(number.alias("n"));
    }
    let plan = LogicalPlanBuilder::from(plan)
        .project(all)?
        .alias(rewriting.name())?
        .build()?;
    let keys = columns(&plan).split_off(width);
    Ok((plan, keys))
}
