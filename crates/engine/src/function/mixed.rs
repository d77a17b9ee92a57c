//! Texts beside other values: `'a' + 'b'`, `'1' + 1`, `ISNULL(Id, 'none')`.

use crate::error::Carry;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, DataFusionError};
use datafusion::functions::core::coalesce;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExprSchemable, LogicalPlan, ReturnFieldArgs, ScalarFunctionArgs,
    ScalarUDF, ScalarUDFImpl, Signature, Volatility, cast, lit,
};
use datafusion::optimizer::AnalyzerRule;
use datafusion::sql::sqlparser::ast::BinaryOperator;

use super::analysis::each_expression;
use super::call::quoted;
use super::date;
use crate::{Error, code};

/// Plans `+` between texts as `||`, and arithmetic with the text of a number as that with the number.
#[derive(Debug)]
pub(crate) struct TextArithmetic;

impl ExprPlanner for TextArithmetic {
    fn plan_binary_op(
        &self,
        mut operation: RawBinaryExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>, DataFusionError> {
        use BinaryOperator::{Divide, Minus, Modulo, Multiply, Plus};
        let kinds = [&operation.left, &operation.right].map(|side| side.get_type(schema));
        let [Ok(left), Ok(right)] = kinds else {
            return Ok(PlannerResult::Original(operation));
        };
        let is_text = [&left, &right].map(is_text);
        match (&operation.op, is_text) {
            (Plus, [true, true]) => operation.op = BinaryOperator::StringConcat,
            (Plus, [true, false]) if right == DataType::Null => {
                operation.op = BinaryOperator::StringConcat;
            }
            (Plus, [false, true]) if left == DataType::Null => {
                operation.op = BinaryOperator::StringConcat;
            }
            (Plus | Minus | Multiply | Divide | Modulo, [true, false]) if right.is_numeric() => {
                operation.left = number(&operation.left)?;
            }
            (Plus | Minus | Multiply | Divide | Modulo, [false, true]) if left.is_numeric() => {
                operation.right = number(&operation.right)?;
            }
            _ => {}
        }
        Ok(PlannerResult::Original(operation))
    }
}

fn is_text(kind: &DataType) -> bool {
    matches!(
        kind,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
    )
}

fn literal(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Literal(value, _) => value.try_as_str().flatten(),
        _ => None,
    }
}

/// The number that a text says.
fn number(text: &Expr) -> Result<Expr, DataFusionError> {
    let Some(digits) = literal(text) else {
        return Ok(cast(text.clone(), DataType::Float64));
    };
    if let Ok(whole) = digits.trim().parse::<i64>() {
        return Ok(lit(whole));
    }
    match digits.trim().parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(lit(number)),
        _ => {
            let message = format!("{} is no number to calculate with", quoted(digits));
            Err(Error::new(code::INVALID, message)
                .with_hint("|| puts values of any type together, and so does CONCAT")
                .carried())
        }
    }
}

/// COALESCE, whose result is a text where only some of its arguments are.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Coalesce {
    inner: Arc<ScalarUDF>,
    signature: Signature,
}

impl Coalesce {
    pub(super) fn new() -> Self {
        Self {
            inner: coalesce(),
            signature: Signature::user_defined(Volatility::Immutable),
        }
    }
}

impl ScalarUDFImpl for Coalesce {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>, DataFusionError> {
        let is_other = |kind: &DataType| !is_text(kind) && *kind != DataType::Null;
        // 1 and 0 beside a truth value have become one by the time that this counts.
        if given.contains(&DataType::Boolean) && given.iter().any(DataType::is_integer) {
            return Ok(vec![DataType::Int64; given.len()]);
        }
        match given.iter().any(is_text) && given.iter().any(is_other) {
            true => Ok(vec![DataType::Utf8; given.len()]),
            false => self.inner.coerce_types(given),
        }
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType, DataFusionError> {
        self.inner.return_type(given)
    }

    fn return_field_from_args(
        &self,
        args: ReturnFieldArgs<'_>,
    ) -> Result<FieldRef, DataFusionError> {
        self.inner.return_field_from_args(args)
    }

    fn simplify(
        &self,
        args: Vec<Expr>,
        context: &SimplifyContext,
    ) -> Result<ExprSimplifyResult, DataFusionError> {
        self.inner.simplify(args, context)
    }

    fn conditional_arguments<'a>(
        &self,
        args: &'a [Expr],
    ) -> Option<(Vec<&'a Expr>, Vec<&'a Expr>)> {
        self.inner.conditional_arguments(args)
    }

    fn short_circuits(&self) -> bool {
        self.inner.short_circuits()
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue, DataFusionError> {
        self.inner.invoke_with_args(args)
    }
}

/// Reads a constant text among the arguments of COALESCE that says a value of the others' type, as in
/// `COALESCE(Id, '0')`. Runs before types are made alike.
#[derive(Debug)]
pub(crate) struct TextAlternatives;

impl AnalyzerRule for TextAlternatives {
    fn analyze(
        &self,
        plan: LogicalPlan,
        _options: &ConfigOptions,
    ) -> Result<LogicalPlan, DataFusionError> {
        each_expression(plan, |expression, schema| {
            expression.transform_up(|part| Ok(alternatives(part, schema)))
        })
    }

    fn name(&self) -> &'static str {
        "text_alternatives"
    }
}

fn alternatives(part: Expr, schema: &DFSchema) -> Transformed<Expr> {
    let Expr::ScalarFunction(call) = &part else {
        return Transformed::no(part);
    };
    if call.func.name() != "coalesce" {
        return Transformed::no(part);
    }
    let kinds = call.args.iter().map(|argument| argument.get_type(schema));
    let Ok(kinds) = kinds.collect::<Result<Vec<_>, _>>() else {
        return Transformed::no(part);
    };
    let other = kinds
        .iter()
        .find(|kind| !is_text(kind) && **kind != DataType::Null);
    let Some(other) = other else {
        return Transformed::no(part);
    };
    let read = call.args.iter().zip(&kinds).map(|(argument, kind)| {
        match (is_text(kind), literal(argument)) {
            (false, _) => Some(argument.clone()),
            (true, Some(text)) if says(text, other) => Some(cast(argument.clone(), other.clone())),
            (true, _) => None,
        }
    });
    match read.collect::<Option<Vec<Expr>>>() {
        Some(read) => {
            let call = ScalarFunction::new_udf(Arc::clone(&call.func), read);
            Transformed::yes(Expr::ScalarFunction(call))
        }
        None => Transformed::no(part),
    }
}

/// Whether a text says a value of the type.
fn says(text: &str, kind: &DataType) -> bool {
    let text = text.trim();
    match kind {
        DataType::Boolean => matches!(text.to_ascii_lowercase().as_str(), "true" | "false"),
        kind if kind.is_integer() => text.parse::<i64>().is_ok(),
        kind if kind.is_numeric() => text.parse::<f64>().is_ok(),
        kind if kind.is_temporal() => date::read(text).is_ok(),
        _ => false,
    }
}
