//! Floating-point numbers as SQL knows them: finite, and with one zero. The engine makes infinite ones of results that
//! are out of range, and its joins, groups and functions tell -0.0 from 0.0.

use std::hash::Hash;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array};
use datafusion::arrow::datatypes::{DataType, FieldRef, Float32Type, Float64Type};
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, DataFusionError, ScalarValue};
use datafusion::logical_expr::expr::{Cast, ScalarFunction, TryCast};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, ColumnarValue, EmitTo, Expr, ExprSchemable,
    GroupsAccumulator, ReversedUDAF, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
    cast, lit,
};

use super::call::{as_value, quoted};
use super::exact::read_decimal;
use super::find;
use crate::error::Carry;
use crate::{Error, code};

/// The number, and 0.0 for -0.0.
pub(super) fn one_zero(number: f64) -> f64 {
    number + 0.0
}

/// The numbers with one zero.
pub(crate) fn with_one_zero(value: ColumnarValue) -> ColumnarValue {
    match value {
        ColumnarValue::Scalar(ScalarValue::Float64(Some(number))) => {
            ColumnarValue::Scalar(ScalarValue::Float64(Some(one_zero(number))))
        }
        ColumnarValue::Scalar(ScalarValue::Float32(Some(number))) => {
            ColumnarValue::Scalar(ScalarValue::Float32(Some(number + 0.0)))
        }
        ColumnarValue::Array(array) => ColumnarValue::Array(array_with_one_zero(array)),
        other => other,
    }
}

/// The column, if it is one of numbers with one zero.
pub(crate) fn array_with_one_zero(array: ArrayRef) -> ArrayRef {
    let is_negative_zero = |number: f64| number == 0.0 && number.is_sign_negative();
    match array.data_type() {
        DataType::Float64 => {
            let numbers = array.as_primitive::<Float64Type>();
            match numbers
                .values()
                .iter()
                .any(|number| is_negative_zero(*number))
            {
                true => Arc::new(numbers.unary::<_, Float64Type>(one_zero)),
                false => array,
            }
        }
        DataType::Float32 => Arc::new(
            array
                .as_primitive::<Float32Type>()
                .unary::<_, Float32Type>(|number| number + 0.0),
        ),
        _ => array,
    }
}

/// A literal, or a cast from or to a float, as SQL knows it.
pub(super) fn settled(part: Expr, schema: &DFSchema) -> Result<Transformed<Expr>, DataFusionError> {
    match &part {
        Expr::Literal(ScalarValue::Float64(Some(number)), _) if number.is_infinite() => {
            let message = "a number is out of the range of floating-point numbers";
            Err(Error::new(code::EXECUTION, message).carried())
        }
        Expr::Literal(ScalarValue::Float64(Some(number)), metadata)
            if *number == 0.0 && number.is_sign_negative() =>
        {
            let zero = ScalarValue::Float64(Some(0.0));
            Ok(Transformed::yes(Expr::Literal(zero, metadata.clone())))
        }
        Expr::Cast(Cast { expr, field }) | Expr::TryCast(TryCast { expr, field }) => {
            let from = expr.get_type(schema)?;
            let is_text = matches!(
                from,
                DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
            );
            match field.data_type() {
                // By its text: the engine divides, which rounds twice.
                DataType::Float64 if from.is_decimal() => {
                    let text = cast(expr.as_ref().clone(), DataType::Utf8);
                    Ok(Transformed::yes(cast(text, DataType::Float64)))
                }
                DataType::Float64 if is_text => {
                    let read = ReadFloat {
                        is_tried: matches!(part, Expr::TryCast(_)),
                        signature: Signature::any(1, Volatility::Immutable),
                    };
                    let read = ScalarFunction::new_udf(Arc::new(read.into()), vec![part]);
                    Ok(Transformed::yes(Expr::ScalarFunction(read)))
                }
                DataType::Decimal128(precision, scale) if is_text || from.is_floating() => {
                    let value = expr.as_ref().clone();
                    let is_tried = matches!(part, Expr::TryCast(_));
                    let read = read_decimal(value, *precision, *scale, is_tried);
                    Ok(Transformed::yes(read))
                }
                DataType::Decimal256(_, scale) if from.is_floating() => {
                    let scale = i64::from(*scale);
                    rounded_first(part, scale)
                }
                _ => Ok(Transformed::no(part)),
            }
        }
        _ => Ok(Transformed::no(part)),
    }
}

/// A cast of a float to a decimal of more than 38 digits goes by the digits that the float is written with, as ROUND does.
fn rounded_first(part: Expr, scale: i64) -> Result<Transformed<Expr>, DataFusionError> {
    let Some(round) = find("round").and_then(super::scalar) else {
        return Ok(Transformed::no(part));
    };
    let rounded = |inner: Box<Expr>| {
        let arguments = vec![*inner, lit(scale)];
        Box::new(Expr::ScalarFunction(ScalarFunction::new_udf(
            Arc::new(round),
            arguments,
        )))
    };
    Ok(Transformed::yes(match part {
        Expr::Cast(Cast { expr, field }) => Expr::Cast(Cast {
            expr: rounded(expr),
            field,
        }),
        Expr::TryCast(TryCast { expr, field }) => Expr::TryCast(TryCast {
            expr: rounded(expr),
            field,
        }),
        other => other,
    }))
}

/// A float that was read from a text. One that is out of range is an error, or NULL if that was only tried.
#[derive(Debug, PartialEq, Eq, Hash)]
struct ReadFloat {
    is_tried: bool,
    signature: Signature,
}

impl ScalarUDFImpl for ReadFloat {
    fn name(&self) -> &'static str {
        "read_float"
    }

    fn display_name(&self, arguments: &[Expr]) -> Result<String, DataFusionError> {
        Ok(arguments.iter().map(Expr::to_string).collect())
    }

    fn schema_name(&self, arguments: &[Expr]) -> Result<String, DataFusionError> {
        let names = arguments.iter().map(|it| it.schema_name().to_string());
        Ok(names.collect())
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType, DataFusionError> {
        Ok(DataType::Float64)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue, DataFusionError> {
        let Some(read) = args.args.into_iter().next() else {
            return Ok(ColumnarValue::Scalar(ScalarValue::Float64(None)));
        };
        let is_one = matches!(read, ColumnarValue::Scalar(_));
        let array = read.into_array(args.number_rows)?;
        let numbers = array.as_primitive::<Float64Type>();
        let kept: Result<Float64Array, Error> = numbers
            .iter()
            .map(|number| match number {
                Some(number) if number.is_finite() => Ok(Some(one_zero(number))),
                Some(_) if !self.is_tried => Err(Error::new(
                    code::EXECUTION,
                    "a text is out of the range of floating-point numbers",
                )),
                _ => Ok(None),
            })
            .collect();
        let kept: ArrayRef = Arc::new(kept.map_err(Error::carried)?);
        as_value(kept, is_one)
    }
}

/// Whether all numbers of the columns that hold floats are finite.
fn are_finite(columns: &[ArrayRef]) -> bool {
    columns.iter().all(|column| match column.data_type() {
        DataType::Float64 => {
            let numbers = column.as_primitive::<Float64Type>();
            numbers.iter().flatten().all(f64::is_finite)
        }
        _ => true,
    })
}

/// An aggregate of DataFusion whose result is out of range where it would be infinite.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct FiniteAggregate {
    inner: Arc<AggregateUDF>,
}

impl FiniteAggregate {
    pub(super) fn new(inner: Arc<AggregateUDF>) -> Self {
        Self { inner }
    }
}

impl AggregateUDFImpl for FiniteAggregate {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>, DataFusionError> {
        self.inner.coerce_types(given)
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType, DataFusionError> {
        self.inner.return_type(given)
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>, DataFusionError> {
        self.inner.state_fields(args)
    }

    fn accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn Accumulator>, DataFusionError> {
        Ok(Finite::of(self.name(), self.inner.accumulator(args)?))
    }

    fn create_sliding_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn Accumulator>, DataFusionError> {
        let inner = self.inner.create_sliding_accumulator(args)?;
        Ok(Finite::of(self.name(), inner))
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
        self.inner.groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn GroupsAccumulator>, DataFusionError> {
        let inner = self.inner.create_groups_accumulator(args)?;
        Ok(Finite::of(self.name(), inner))
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }
}

/// An accumulator whose result is finite unless it was given a number that is not.
#[derive(Debug)]
pub(super) struct Finite<A: ?Sized> {
    function: String,
    is_given_others: bool,
    inner: Box<A>,
}

impl<A: ?Sized> Finite<A> {
    pub(super) fn of(function: &str, inner: Box<A>) -> Box<Self> {
        Box::new(Self {
            function: function.to_owned(),
            is_given_others: false,
            inner,
        })
    }

    fn take(&mut self, values: &[ArrayRef]) {
        self.is_given_others |= !are_finite(values);
    }

    fn checked(&self, results: Vec<ArrayRef>) -> Result<Vec<ArrayRef>, DataFusionError> {
        if self.is_given_others || are_finite(&results) {
            return Ok(results.into_iter().map(array_with_one_zero).collect());
        }
        let function = self.function.to_uppercase();
        let message = format!("{function}: the result is out of range");
        let error = Error::new(code::EXECUTION, message)
            .with_hint("CAST the values AS DECIMAL, or divide them by a power of ten");
        Err(match find(&self.function) {
            Some(function) => error.of_function(function).into(),
            None => error.carried(),
        })
    }

    fn checked_scalars(
        &self,
        results: Vec<ScalarValue>,
    ) -> Result<Vec<ScalarValue>, DataFusionError> {
        let arrays = results.iter().map(ScalarValue::to_array);
        self.checked(arrays.collect::<Result<_, _>>()?)?
            .iter()
            .map(|array| ScalarValue::try_from_array(array, 0))
            .collect()
    }
}

impl Accumulator for Finite<dyn Accumulator> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<(), DataFusionError> {
        self.take(values);
        self.inner.update_batch(values)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<(), DataFusionError> {
        self.inner.retract_batch(values)
    }

    fn supports_retract_batch(&self) -> bool {
        self.inner.supports_retract_batch()
    }

    fn evaluate(&mut self) -> Result<ScalarValue, DataFusionError> {
        let result = self.inner.evaluate()?;
        let checked = self.checked_scalars(vec![result])?;
        Ok(checked.into_iter().next().unwrap_or(ScalarValue::Null))
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.inner.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>, DataFusionError> {
        let state = self.inner.state()?;
        self.checked_scalars(state)
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<(), DataFusionError> {
        self.take(states);
        self.inner.merge_batch(states)
    }
}

impl GroupsAccumulator for Finite<dyn GroupsAccumulator> {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        count: usize,
    ) -> Result<(), DataFusionError> {
        self.take(values);
        self.inner.update_batch(values, groups, filter, count)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef, DataFusionError> {
        let results = self.inner.evaluate(emit_to)?;
        let mut checked = self.checked(vec![results])?;
        Ok(checked.swap_remove(0))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>, DataFusionError> {
        let state = self.inner.state(emit_to)?;
        self.checked(state)
    }

    fn merge_batch(
        &mut self,
        states: &[ArrayRef],
        groups: &[usize],
        count: usize,
    ) -> Result<(), DataFusionError> {
        self.take(states);
        self.inner.merge_batch(states, groups, count)
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>, DataFusionError> {
        self.inner.convert_to_state(values, filter)
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.inner.size()
    }
}

/// DataFusion's functions of floats, none of which the dialect declares.
pub(super) const FUNCTIONS: &[&str] = &[
    "acosh", "asinh", "atanh", "cbrt", "cosh", "log2", "nanvl", "signum", "sinh", "tanh",
];

/// The results of such a function: one zero, NULL for what is not a number, and an error where it is out of range.
pub(super) fn results(
    function: &str,
    given: &[ColumnarValue],
    result: ColumnarValue,
) -> Result<ColumnarValue, DataFusionError> {
    let is_one = matches!(result, ColumnarValue::Scalar(_));
    let array = result.into_array(1)?;
    if array.data_type() != &DataType::Float64 {
        return Ok(ColumnarValue::Array(array));
    }
    let given: Vec<ArrayRef> = given
        .iter()
        .map(|value| value.to_array(1))
        .collect::<Result<_, _>>()?;
    let is_given_finite = are_finite(&given);
    let numbers = array.as_primitive::<Float64Type>().iter();
    let kept: Result<Float64Array, Error> = numbers
        .map(|number| match number {
            Some(number) if number.is_nan() => Ok(None),
            Some(number) if number.is_infinite() && is_given_finite => {
                let function = quoted(&function.to_uppercase());
                let message = format!("{function}: the result is out of range");
                Err(Error::new(code::EXECUTION, message))
            }
            number => Ok(number.map(one_zero)),
        })
        .collect();
    let kept: ArrayRef = Arc::new(kept.map_err(Error::carried)?);
    as_value(kept, is_one)
}
