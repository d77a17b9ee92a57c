//! Truth values that are written as numbers or texts: `IsPrivate = 1`, `IsPrivate IN ('true')`.

use crate::error::Carry;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, DataFusionError, ScalarValue};
use datafusion::logical_expr::expr::{Between, InList};
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{
    Case, Expr, ExprSchemable, LogicalPlan, Operator, binary_expr, cast, lit, not,
};
use datafusion::optimizer::AnalyzerRule;
use datafusion::sql::sqlparser::ast::BinaryOperator;

use super::analysis::each_expression;
use super::call::quoted;
use crate::{Error, code};

/// Reads what a truth value is compared with.
#[derive(Debug)]
pub(crate) struct TruthValues;

impl ExprPlanner for TruthValues {
    fn plan_binary_op(
        &self,
        mut operation: RawBinaryExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>, DataFusionError> {
        use BinaryOperator::{And, Eq, Gt, GtEq, Lt, LtEq, NotEq, Or};
        let kinds = [&operation.left, &operation.right].map(|side| side.get_type(schema));
        let [Ok(left), Ok(right)] = kinds else {
            return Ok(PlannerResult::Original(operation));
        };
        match (&operation.op, left, right) {
            (Eq | NotEq | Lt | LtEq | Gt | GtEq, DataType::Boolean, other) => {
                align(&mut operation.left, &mut operation.right, &other)?;
            }
            (Eq | NotEq | Lt | LtEq | Gt | GtEq, other, DataType::Boolean) => {
                align(&mut operation.right, &mut operation.left, &other)?;
            }
            (And | Or, left, right) => {
                for (side, kind) in [(&mut operation.left, left), (&mut operation.right, right)] {
                    if kind.is_integer() {
                        *side = side.clone().not_eq(lit(0_i64));
                    }
                }
            }
            _ => {}
        }
        Ok(PlannerResult::Original(operation))
    }
}

/// Makes a truth value and what it is compared with one type.
fn align(truth: &mut Expr, other: &mut Expr, kind: &DataType) -> Result<(), DataFusionError> {
    if let Some(read) = read(other)? {
        *other = lit(read);
    } else if kind.is_numeric() {
        *truth = cast(truth.clone(), DataType::Int64);
    } else if is_text(kind) {
        *other = cast(other.clone(), DataType::Boolean);
    }
    Ok(())
}

fn is_text(kind: &DataType) -> bool {
    matches!(
        kind,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
    )
}

/// The truth value that a constant stands for. Other numbers than 0 and 1 stand for none.
fn read(constant: &Expr) -> Result<Option<bool>, DataFusionError> {
    let Expr::Literal(value, _) = constant else {
        return Ok(None);
    };
    if let Some(Some(text)) = value.try_as_str() {
        return match text.trim().to_ascii_lowercase().as_str() {
            "true" | "t" | "yes" | "y" | "on" | "1" => Ok(Some(true)),
            "false" | "f" | "no" | "n" | "off" | "0" => Ok(Some(false)),
            _ => {
                let message = format!("{} is neither true nor false", quoted(text));
                Err(Error::new(code::INVALID, message)
                    .with_hint("compare with TRUE, FALSE, 1, 0, 'true' or 'false'")
                    .carried())
            }
        };
    }
    Ok(match value {
        ScalarValue::Int64(Some(0)) => Some(false),
        ScalarValue::Int64(Some(1)) => Some(true),
        _ => None,
    })
}

/// The same in the lists of IN, the bounds of BETWEEN and the branches of CASE, whose types only the analyzer knows. Runs before types are
/// made alike.
#[derive(Debug)]
pub(crate) struct ListedTruthValues;

impl AnalyzerRule for ListedTruthValues {
    fn analyze(
        &self,
        plan: LogicalPlan,
        _options: &ConfigOptions,
    ) -> Result<LogicalPlan, DataFusionError> {
        each_expression(plan, |expression, schema| {
            expression.transform_up(|part| listed(part, schema))
        })
    }

    fn name(&self) -> &'static str {
        "listed_truth_values"
    }
}

fn listed(part: Expr, schema: &DFSchema) -> Result<Transformed<Expr>, DataFusionError> {
    let is_truth = |expr: &Expr| matches!(expr.get_type(schema), Ok(DataType::Boolean));
    let truth = |expr: &Expr| -> Result<Expr, DataFusionError> {
        Ok(read(expr)?.map_or_else(|| expr.clone(), lit))
    };
    match part {
        Expr::InList(list) if is_truth(&list.expr) => {
            let values: Result<Vec<Expr>, DataFusionError> = list.list.iter().map(truth).collect();
            Ok(Transformed::yes(Expr::InList(InList {
                list: values?,
                ..list
            })))
        }
        Expr::Case(Case {
            expr: Some(subject),
            when_then_expr,
            else_expr,
        }) if is_truth(&subject) => {
            let branches: Result<Vec<_>, DataFusionError> = when_then_expr
                .into_iter()
                .map(|(when, then)| Ok((Box::new(truth(&when)?), then)))
                .collect();
            Ok(Transformed::yes(Expr::Case(Case {
                expr: Some(subject),
                when_then_expr: branches?,
                else_expr,
            })))
        }
        Expr::Case(Case {
            expr: None,
            when_then_expr,
            else_expr,
        }) if when_then_expr
            .iter()
            .map(|(_, then)| then)
            .chain(&else_expr)
            .any(|result| is_truth(result)) =>
        {
            let branches: Result<Vec<_>, DataFusionError> = when_then_expr
                .into_iter()
                .map(|(when, then)| Ok((when, Box::new(truth(&then)?))))
                .collect();
            let otherwise = else_expr.map(|it| truth(&it).map(Box::new)).transpose()?;
            Ok(Transformed::yes(Expr::Case(Case {
                expr: None,
                when_then_expr: branches?,
                else_expr: otherwise,
            })))
        }
        Expr::ScalarFunction(mut call)
            if call.name() == "coalesce" && call.args.iter().any(is_truth) =>
        {
            let arguments: Result<Vec<Expr>, DataFusionError> =
                call.args.iter().map(truth).collect();
            call.args = arguments?;
            Ok(Transformed::yes(Expr::ScalarFunction(call)))
        }
        Expr::InSubquery(mut list) if is_truth(&list.expr) => {
            let values = list.subquery.subquery.schema();
            if !values.field(0).data_type().is_numeric() {
                return Ok(Transformed::no(Expr::InSubquery(list)));
            }
            *list.expr = cast(*list.expr, DataType::Int64);
            Ok(Transformed::yes(Expr::InSubquery(list)))
        }
        Expr::Between(between) => {
            let kinds = [&between.expr, &between.low, &between.high].map(|it| it.get_type(schema));
            let [Ok(kind), Ok(low), Ok(high)] = kinds else {
                return Ok(Transformed::no(Expr::Between(between)));
            };
            let are_alike = low == high || low.is_numeric() && high.is_numeric();
            let any_truth = [&kind, &low, &high].contains(&&DataType::Boolean);
            if are_alike && !any_truth || between.expr.is_volatile() {
                return Ok(Transformed::no(Expr::Between(between)));
            }
            bounded(between, &kind, [&low, &high]).map(Transformed::yes)
        }
        other => Ok(Transformed::no(other)),
    }
}

/// BETWEEN as the two comparisons that it stands for. The planner would make all three values one type.
fn bounded(
    between: Between,
    kind: &DataType,
    [low, high]: [&DataType; 2],
) -> Result<Expr, DataFusionError> {
    let compared = |operator, mut bound: Expr, other: &DataType| -> Result<_, DataFusionError> {
        let mut value = between.expr.as_ref().clone();
        match (kind, other) {
            (DataType::Boolean, other) => align(&mut value, &mut bound, other)?,
            (kind, DataType::Boolean) => align(&mut bound, &mut value, kind)?,
            _ => {}
        }
        Ok(binary_expr(value, operator, bound))
    };
    let both = compared(Operator::GtEq, *between.low, low)?.and(compared(
        Operator::LtEq,
        *between.high,
        high,
    )?);
    Ok(if between.negated { not(both) } else { both })
}
