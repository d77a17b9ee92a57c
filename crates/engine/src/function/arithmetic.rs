//! Arithmetic that fails instead of leaving the range of its type. The planner's own operators wrap around.

use crate::error::Carry;
use std::fmt::Write;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Datum, StringBuilder};
use datafusion::arrow::compute::cast as cast_array;
use datafusion::arrow::compute::kernels::numeric::{add, div, mul, neg, rem, sub};
use datafusion::arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Decimal256Type, Float64Type, Int64Type,
};
use datafusion::arrow::error::ArrowError;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, DataFusionError, ScalarValue, Span, internal_err};
use datafusion::logical_expr::expr::{Cast, ScalarFunction};
use datafusion::logical_expr::type_coercion::binary::BinaryTypeCoercer;
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, ExprSchemable, LogicalPlan, Operator, ScalarFunctionArgs,
    ScalarUDFImpl, Signature, Volatility, cast,
};
use datafusion::optimizer::AnalyzerRule;
use datafusion::physical_expr_common::datum::apply;

use super::analysis::each_expression;
use super::call::{as_value, quoted};
use super::float::{self, with_one_zero};
use super::size::Sizes;
use crate::wording::in_sql;
use crate::{Error, code};

/// Puts checked arithmetic in the place of the planner's, for numbers, and dates to which days are added. Runs when the types are settled.
#[derive(Debug)]
pub(crate) struct CheckedArithmetic;

impl AnalyzerRule for CheckedArithmetic {
    fn analyze(
        &self,
        plan: LogicalPlan,
        _options: &ConfigOptions,
    ) -> Result<LogicalPlan, DataFusionError> {
        each_expression(plan, |expression, schema| {
            expression.transform_down_up(|part| Ok(dated(part)), |part| checked(part, schema))
        })
    }

    fn name(&self) -> &'static str {
        "checked_arithmetic"
    }
}

/// A date with days added or taken away. The planner makes an interval of the days before this, which is bounded by
/// nanoseconds.
fn dated(part: Expr) -> Transformed<Expr> {
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = &part else {
        return Transformed::no(part);
    };
    let (date, days) = match (days(left), days(right), op) {
        (None, Some(days), Operator::Plus | Operator::Minus) => (left, days),
        (Some(days), None, Operator::Plus) => (right, days),
        _ => return Transformed::no(part),
    };
    let text = format!("{} {op} {}", date.human_display(), days.human_display());
    let arguments = vec![date.as_ref().clone(), cast(days.clone(), DataType::Int64)];
    Transformed::yes(call(Operation::Days(*op), text, place(&part), arguments))
}

/// The whole number that the planner has made an interval of.
fn days(interval: &Expr) -> Option<&Expr> {
    let inner = |expr| match expr {
        &Expr::Cast(Cast { ref expr, .. }) => Some(expr.as_ref()),
        _ => None,
    };
    match inner(inner(interval)?)? {
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: Operator::Multiply,
            ..
        }) => Some(left),
        _ => None,
    }
}

fn checked(part: Expr, schema: &DFSchema) -> Result<Transformed<Expr>, DataFusionError> {
    let (operation, arguments) = match &part {
        Expr::Negative(inner) if is_bounded(&inner.get_type(schema)?) => {
            (Operation::Negate, vec![inner.as_ref().clone()])
        }
        Expr::BinaryExpr(BinaryExpr { left, op, right })
            if is_arithmetic(*op)
                && is_bounded(&left.get_type(schema)?)
                && is_bounded(&right.get_type(schema)?) =>
        {
            let arguments = [left, right].map(|side| side.as_ref().clone());
            (Operation::Binary(*op), arguments.to_vec())
        }
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: Operator::StringConcat,
            right,
        }) if left.get_type(schema)? == DataType::Utf8
            && right.get_type(schema)? == DataType::Utf8 =>
        {
            let arguments = [left, right].map(|side| side.as_ref().clone());
            (Operation::Join, arguments.to_vec())
        }
        _ => return float::settled(part, schema),
    };
    let text = match (operation, arguments.as_slice()) {
        (Operation::Negate, [value]) => format!("-{}", operand(value)),
        (Operation::Binary(operator), [left, right]) => {
            format!("{} {operator} {}", operand(left), operand(right))
        }
        _ => part.human_display().to_string(),
    };
    Ok(Transformed::yes(call(
        operation,
        text,
        place(&part),
        arguments,
    )))
}

/// An operand as it can be written.
fn operand(expr: &Expr) -> String {
    if let Expr::ScalarFunction(call) = expr
        && let Some(inner) = call.func.inner().downcast_ref::<Checked>()
    {
        return format!("({})", inner.text);
    }
    expr.human_display().to_string()
}

fn call(operation: Operation, text: String, span: Option<Span>, arguments: Vec<Expr>) -> Expr {
    let function = Checked {
        operation,
        text,
        span,
        signature: Signature::any(arguments.len(), Volatility::Immutable),
    };
    Expr::ScalarFunction(ScalarFunction::new_udf(
        Arc::new(function.into()),
        arguments,
    ))
}

fn is_arithmetic(operator: Operator) -> bool {
    use Operator::{Divide, Minus, Modulo, Multiply, Plus};
    matches!(operator, Plus | Minus | Multiply | Divide | Modulo)
}

/// Whether a number of the type has bounds that a result can pass unseen.
fn is_bounded(kind: &DataType) -> bool {
    kind.is_numeric()
}

/// The stretch of the script between the first and the last column of an expression.
fn place(expr: &Expr) -> Option<Span> {
    let mut spans = Vec::new();
    let collected = expr.apply(|part| {
        if let Expr::Column(column) = part {
            spans.extend(column.spans.first());
        }
        Ok(TreeNodeRecursion::Continue)
    });
    collected.ok()?;
    Span::union_iter(spans)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Operation {
    Binary(Operator),
    /// A date and the number of days that are added to it or taken from it.
    Days(Operator),
    /// Two texts, one behind the other.
    Join,
    Negate,
}

/// An operation as a function for the planner, which shows it as it was written.
#[derive(Debug)]
struct Checked {
    operation: Operation,
    text: String,
    span: Option<Span>,
    signature: Signature,
}

// The same operation on the same arguments is the same, wherever it is written.
impl PartialEq for Checked {
    fn eq(&self, other: &Self) -> bool {
        self.operation == other.operation
    }
}

impl Eq for Checked {}

impl Hash for Checked {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.operation.hash(state);
    }
}

impl Checked {
    fn shown<T: std::fmt::Display>(&self, arguments: &[T]) -> Result<String, DataFusionError> {
        match (self.operation, arguments) {
            (Operation::Negate, [value]) => Ok(format!("(- {value})")),
            (Operation::Binary(operator) | Operation::Days(operator), [left, right]) => {
                Ok(format!("{left} {operator} {right}"))
            }
            (Operation::Join, [left, right]) => Ok(format!("{left} || {right}")),
            _ => internal_err!("{} has other arguments than it takes", self.text),
        }
    }

    fn error(&self, cause: ArrowError) -> DataFusionError {
        let text = quoted(&in_sql(&self.text));
        let message = match &cause {
            ArrowError::DivideByZero => format!("division by zero in {text}"),
            ArrowError::ArithmeticOverflow(values) => {
                let values = values.trim_start_matches("Overflow happened on: ");
                match *values == *self.text {
                    true => format!("{text} is out of range"),
                    false => format!("{text} is out of range: {values}"),
                }
            }
            ArrowError::InvalidArgumentError(_) => {
                format!("{text} is out of range: it has more digits than a decimal can hold")
            }
            _ => return cause.into(),
        };
        let error = Error::new(code::EXECUTION, message).within(self.span);
        match (cause, self.operation) {
            (ArrowError::DivideByZero, _) => error.with_hint("NULLIF(divisor, 0) makes it NULL"),
            (_, Operation::Days(_)) => error,
            // Only floating-point numbers are written with an exponent, and none has a wider range.
            (ArrowError::ArithmeticOverflow(values), _) if values.contains('e') => error,
            _ => {
                error.with_hint("CAST an operand AS DECIMAL(38, 0) or AS DOUBLE for a wider range")
            }
        }
        .into()
    }
}

impl ScalarUDFImpl for Checked {
    fn name(&self) -> &str {
        match self.operation {
            Operation::Negate => "negative",
            Operation::Days(_) => "days",
            Operation::Binary(_) => "arithmetic",
            Operation::Join => "join_texts",
        }
    }

    fn display_name(&self, arguments: &[Expr]) -> Result<String, DataFusionError> {
        self.shown(arguments)
    }

    fn schema_name(&self, arguments: &[Expr]) -> Result<String, DataFusionError> {
        let names: Vec<_> = arguments.iter().map(Expr::schema_name).collect();
        self.shown(&names)
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType, DataFusionError> {
        match (self.operation, given) {
            (Operation::Binary(operator), [left, right]) => {
                BinaryTypeCoercer::new(left, &operator, right).get_result_type()
            }
            (Operation::Days(_) | Operation::Negate | Operation::Join, [first, ..]) => {
                Ok(first.clone())
            }
            _ => internal_err!("{} has other arguments than it takes", self.text),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue, DataFusionError> {
        // The optimizer tries conditions with NULLs that have no type.
        if args.args.iter().any(|it| it.data_type() == DataType::Null) {
            let null = ScalarValue::try_from(args.return_field.data_type())?;
            return Ok(ColumnarValue::Scalar(null));
        }
        let failed = |error: DataFusionError| match error {
            DataFusionError::ArrowError(cause, _) => self.error(*cause),
            other => other,
        };
        let computed = match (self.operation, args.args.as_slice()) {
            (Operation::Binary(operator), [left, right]) => apply(left, right, kernel(operator)),
            (Operation::Days(operator), [date, days]) => apply(date, days, move |date, days| {
                add_days(date, days, operator == Operator::Minus)
            }),
            (Operation::Join, [left, right]) => joined(left, right, args.number_rows),
            (Operation::Negate, [ColumnarValue::Array(array)]) => neg(array.as_ref())
                .map(ColumnarValue::Array)
                .map_err(Into::into),
            (Operation::Negate, [ColumnarValue::Scalar(value)]) => neg(&value.to_array()?)
                .map_err(DataFusionError::from)
                .and_then(|array| ScalarValue::try_from_array(&array, 0))
                .map(ColumnarValue::Scalar),
            _ => internal_err!("{} has other arguments than it takes", self.text),
        };
        let computed = computed.map_err(failed)?;
        within_precision(&computed).map_err(|cause| self.error(cause))?;
        if let Operation::Binary(operator) = self.operation {
            within_floats(operator, &args.args, &computed)?.map_err(|cause| self.error(cause))?;
        }
        Ok(with_one_zero(computed))
    }
}

type Kernel = fn(&dyn Datum, &dyn Datum) -> Result<ArrayRef, ArrowError>;

fn kernel(operator: Operator) -> Kernel {
    match operator {
        Operator::Plus => add,
        Operator::Minus => sub,
        Operator::Multiply => mul,
        Operator::Divide => div,
        _ => rem,
    }
}

fn add_days(date: &dyn Datum, days: &dyn Datum, back: bool) -> Result<ArrayRef, ArrowError> {
    let (dates, date_is_one) = date.get();
    let (counts, count_is_one) = days.get();
    let dates = dates.as_primitive::<Date32Type>();
    let counts = counts.as_primitive::<Int64Type>();
    let later = |date: i32, count: i64| {
        let day = match back {
            true => i64::from(date).checked_sub(count),
            false => i64::from(date).checked_add(count),
        };
        day.and_then(|day| i32::try_from(day).ok())
            .filter(|&day| Date32Type::to_naive_date_opt(day).is_some())
            .ok_or_else(|| {
                let sign = if back { '-' } else { '+' };
                let date = Date32Type::to_naive_date_opt(date).unwrap_or_default();
                ArrowError::ArithmeticOverflow(format!("{date} {sign} {count} days"))
            })
    };
    let length = if date_is_one {
        counts.len()
    } else {
        dates.len()
    };
    let row = |index: usize, is_one: bool| if is_one { 0 } else { index };
    let computed: Result<datafusion::arrow::array::Date32Array, ArrowError> = (0..length)
        .map(|index| {
            let (date, count) = (row(index, date_is_one), row(index, count_is_one));
            match dates.is_valid(date) && counts.is_valid(count) {
                true => later(dates.value(date), counts.value(count)).map(Some),
                false => Ok(None),
            }
        })
        .collect();
    Ok(Arc::new(computed?))
}

/// Texts one behind the other, which are not too long, one by one and together.
fn joined(
    left: &ColumnarValue,
    right: &ColumnarValue,
    rows: usize,
) -> Result<ColumnarValue, DataFusionError> {
    let one = |value: &ColumnarValue| match value {
        ColumnarValue::Scalar(value) => Ok((value.to_array()?, true)),
        ColumnarValue::Array(array) => Ok::<_, DataFusionError>((Arc::clone(array), false)),
    };
    let ((left, left_is_one), (right, right_is_one)) = (one(left)?, one(right)?);
    let (left, right) = (left.as_string::<i32>(), right.as_string::<i32>());
    let is_one = left_is_one && right_is_one;
    let rows = if is_one { 1 } else { rows };
    let mut texts = StringBuilder::new();
    let mut sizes = Sizes::of("||");
    for row in 0..rows {
        let at = |is_one: bool| if is_one { 0 } else { row };
        let (first, second) = (at(left_is_one), at(right_is_one));
        if left.is_null(first) || right.is_null(second) {
            texts.append_null();
            continue;
        }
        let (first, second) = (left.value(first), right.value(second));
        sizes
            .add(first.len() + second.len())
            .map_err(Carry::carried)?;
        // Writing to a builder cannot fail.
        let _ = texts
            .write_str(first)
            .and_then(|()| texts.write_str(second));
        texts.append_value("");
    }
    let texts: ArrayRef = Arc::new(texts.finish());
    as_value(texts, is_one)
}

/// Floating-point numbers that are divided by zero, or get too large, become infinite without complaint. Those that
/// were infinite before may stay so.
fn within_floats(
    operator: Operator,
    operands: &[ColumnarValue],
    computed: &ColumnarValue,
) -> Result<Result<(), ArrowError>, DataFusionError> {
    if !matches!(computed.data_type(), DataType::Float32 | DataType::Float64) {
        return Ok(Ok(()));
    }
    let results = float_array(&computed.to_array(1)?)?;
    let results = results.as_primitive::<Float64Type>();
    if results.iter().flatten().all(f64::is_finite) {
        return Ok(Ok(()));
    }
    let operands = ColumnarValue::values_to_arrays(operands)?;
    let operands: Vec<ArrayRef> = operands.iter().map(float_array).collect::<Result<_, _>>()?;
    let [left, right] = operands.as_slice() else {
        return internal_err!("{operator} has two operands");
    };
    let pairs = left.as_primitive::<Float64Type>().iter();
    for ((left, right), result) in pairs.zip(right.as_primitive::<Float64Type>()).zip(results) {
        let (Some(left), Some(right), Some(result)) = (left, right, result) else {
            continue;
        };
        if result.is_finite() || !left.is_finite() || !right.is_finite() {
            continue;
        }
        return Ok(Err(
            match right == 0.0 && matches!(operator, Operator::Divide | Operator::Modulo) {
                true => ArrowError::DivideByZero,
                false => ArrowError::ArithmeticOverflow(format!("{left:?} {operator} {right:?}")),
            },
        ));
    }
    Ok(Ok(()))
}

fn float_array(array: &ArrayRef) -> Result<ArrayRef, DataFusionError> {
    Ok(cast_array(array, &DataType::Float64)?)
}

/// Decimals whose digits are too many for their type are computed without complaint.
fn within_precision(value: &ColumnarValue) -> Result<(), ArrowError> {
    let array = match (value, value.data_type()) {
        (_, DataType::Decimal128(..) | DataType::Decimal256(..)) => match value {
            ColumnarValue::Array(array) => Arc::clone(array),
            ColumnarValue::Scalar(value) => value
                .to_array()
                .map_err(|error| ArrowError::ComputeError(error.to_string()))?,
        },
        _ => return Ok(()),
    };
    match array.data_type() {
        DataType::Decimal128(precision, _) => array
            .as_primitive::<Decimal128Type>()
            .validate_decimal_precision(*precision),
        DataType::Decimal256(precision, _) => array
            .as_primitive::<Decimal256Type>()
            .validate_decimal_precision(*precision),
        _ => Ok(()),
    }
}
