//! Functions computed row by row from their arguments.

use crate::error::Carry;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

use bucketline_core::Code;
use chrono::{
    DateTime, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeDelta, TimeZone, Timelike, Utc,
};
use datafusion::arrow::array::timezone::Tz;
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, Date32Array, Decimal128Array, Float64Array, Int64Array, StringArray,
    StringBuilder, Time64MicrosecondArray, TimestampMicrosecondArray,
};
use datafusion::arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float64Type, Int64Type, Time64MicrosecondType, TimeUnit,
    TimestampMicrosecondType,
};
use datafusion::common::{DataFusionError, ScalarValue, plan_datafusion_err};
use datafusion::config::ConfigOptions;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};

use super::date::{self, Zoned};
use super::decimal::{DIGITS, Decimal};
use super::declaration::{Function, Kind};
use super::float;
use super::size::Sizes;
use crate::types::moment_type;
use crate::{Error, code};

/// How the result of one row is computed. NULL in any argument makes it NULL before that, unless the function takes it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Compute {
    Text(fn(&Call<'_>) -> Answer<String>),
    Int(fn(&Call<'_>) -> Answer<i64>),
    Float(fn(&Call<'_>) -> Answer<f64>),
    /// Different at each call.
    Chance(fn(&Call<'_>) -> Answer<f64>),
    /// A whole number if all numbers given are whole, else a decimal if none is a float.
    Number(fn(&Call<'_>) -> Answer<Number>),
    Moment(fn(&Call<'_>) -> Answer<DateTime<Utc>>),
    Date(fn(&Call<'_>) -> Answer<NaiveDate>),
    Time(fn(&Call<'_>) -> Answer<NaiveTime>),
}

/// A result, or NULL, or what is wrong with the arguments.
pub(super) type Answer<T> = Result<Option<T>, Complaint>;

/// What is wrong with an argument's value.
#[derive(Debug)]
pub(super) struct Complaint {
    code: Code,
    message: String,
    hint: Option<String>,
}

impl Complaint {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self {
            code: code::ARGUMENT,
            message: message.into(),
            hint: None,
        }
    }

    /// That the result would be too long.
    pub(super) fn too_long() -> Self {
        Self {
            code: code::MEMORY,
            ..Self::new("the result would be longer than 8 MiB")
        }
    }

    pub(super) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The error of a function that was called so.
    pub(super) fn of(self, function: &'static Function) -> DataFusionError {
        let message = format!("{}: {}", function.name.to_uppercase(), self.message);
        let error = Error::new(self.code, message).of_function(function);
        match self.hint {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
        .into()
    }
}

/// A user's text as a message shows it: between backquotes, and not all of a long one.
pub(super) fn quoted(text: &str) -> String {
    const SHOWN: usize = 60;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("`{}...`", &text[..end]),
        None => format!("`{text}`"),
    }
}

/// A number that keeps being whole, or a decimal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Number {
    Int(i64),
    Decimal(Decimal),
    Float(f64),
}

impl Number {
    pub(super) fn as_f64(self) -> f64 {
        match self {
            // Beyond 2^53 the nearest.
            Self::Int(value) => value as f64,
            Self::Decimal(value) => value.as_f64(),
            Self::Float(value) => value,
        }
    }

    /// The number in units of `10^-scale`.
    fn scaled(self, scale: i8) -> Option<Decimal> {
        match self {
            Self::Int(value) => Decimal::new(value.into(), 0).rescaled(scale),
            Self::Decimal(value) => value.rescaled(scale),
            Self::Float(_) => None,
        }
    }
}

/// One value of an argument.
#[derive(Debug, Clone, Copy)]
pub(super) enum Cell<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Decimal(Decimal),
    Float(f64),
    Text(&'a str),
    Moment(DateTime<Utc>),
    Date(NaiveDate),
    Time(NaiveTime),
}

/// The arguments of one row, none of which is NULL unless the function takes that. An accessor of another type than was declared is a defect.
pub(super) struct Call<'a> {
    cells: Vec<Cell<'a>>,
    zone: Tz,
}

impl<'a> Call<'a> {
    pub(super) fn len(&self) -> usize {
        self.cells.len()
    }

    /// What was given, if it was.
    pub(super) fn cell(&self, index: usize) -> Option<Cell<'a>> {
        self.cells.get(index).copied()
    }

    pub(super) fn text(&self, index: usize) -> &'a str {
        self.text_if_given(index).unwrap_or_default()
    }

    pub(super) fn text_if_given(&self, index: usize) -> Option<&'a str> {
        match self.cell(index)? {
            Cell::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn int(&self, index: usize) -> i64 {
        self.int_if_given(index).unwrap_or_default()
    }

    pub(super) fn int_if_given(&self, index: usize) -> Option<i64> {
        match self.cell(index)? {
            Cell::Int(value) => Some(value),
            _ => None,
        }
    }

    pub(super) fn float(&self, index: usize) -> f64 {
        self.number(index).as_f64()
    }

    pub(super) fn number(&self, index: usize) -> Number {
        match self.cell(index) {
            Some(Cell::Int(value)) => Number::Int(value),
            Some(Cell::Decimal(value)) => Number::Decimal(value),
            Some(Cell::Float(value)) => Number::Float(value),
            _ => Number::Int(0),
        }
    }

    /// The date and time at a place, as clocks in the session's time zone show it.
    pub(super) fn local(&self, index: usize) -> Result<NaiveDateTime, Complaint> {
        match self.cell(index) {
            Some(Cell::Moment(moment)) => Ok(self.zone.local(moment)),
            Some(Cell::Date(date)) => Ok(date.into()),
            Some(Cell::Text(text)) => match date::read(text)? {
                Zoned::Instant(moment) => Ok(self.zone.local(moment)),
                Zoned::Local(local) => Ok(local),
            },
            _ => Err(Complaint::new("a date is missing")),
        }
    }

    /// The moment at which clocks in the session's time zone show `local`.
    pub(super) fn moment(&self, local: NaiveDateTime) -> DateTime<Utc> {
        self.zone.moment(local)
    }
}

/// Clocks of a time zone.
pub(super) trait Clocks {
    /// What they show at a moment.
    fn local(&self, moment: DateTime<Utc>) -> NaiveDateTime;

    /// When they show that; the earlier of two moments, and the hour later where they were set forward over it.
    fn moment(&self, local: NaiveDateTime) -> DateTime<Utc>;
}

impl Clocks for Tz {
    fn local(&self, moment: DateTime<Utc>) -> NaiveDateTime {
        let moment = moment.naive_utc();
        let offset = self.offset_from_utc_datetime(&moment).fix();
        moment.checked_add_offset(offset).unwrap_or(moment)
    }

    fn moment(&self, local: NaiveDateTime) -> DateTime<Utc> {
        let at = |local: NaiveDateTime| local.and_local_timezone(*self).earliest();
        let later = || at(local.checked_add_signed(TimeDelta::hours(1))?);
        at(local)
            .or_else(later)
            .map_or_else(|| local.and_utc(), |moment| moment.with_timezone(&Utc))
    }
}

/// The time zone of a session.
pub(super) fn zone(options: &ConfigOptions) -> Tz {
    let name = options.execution.time_zone.as_deref().unwrap_or("+00:00");
    // A session is not made with a zone that cannot be read.
    Tz::from_str(name).unwrap_or_else(|_| utc())
}

fn utc() -> Tz {
    #[expect(clippy::unwrap_used, reason = "a constant")]
    Tz::from_str("+00:00").unwrap()
}

/// A function of the dialect for the planner.
#[derive(Debug)]
pub(super) struct Computed {
    function: &'static Function,
    compute: Compute,
    signature: Signature,
    aliases: Vec<String>,
}

impl Computed {
    pub(super) fn new(function: &'static Function, compute: Compute) -> Self {
        let volatility = match compute {
            Compute::Chance(_) => Volatility::Volatile,
            _ => Volatility::Immutable,
        };
        Self {
            function,
            compute,
            signature: match function.arguments {
                [] => Signature::nullary(volatility),
                _ => Signature::user_defined(volatility),
            },
            aliases: function
                .aliases
                .iter()
                .map(|&alias| alias.to_owned())
                .collect(),
        }
    }

    /// Computes texts that are not too long, one by one and together.
    fn texts(
        &self,
        inputs: &Inputs,
        compute: fn(&Call<'_>) -> Answer<String>,
    ) -> Result<StringArray, DataFusionError> {
        let mut texts = StringBuilder::new();
        let mut sizes = Sizes::of(self.function.name);
        for row in 0..inputs.rows {
            let text = self.one(inputs, row, compute)?;
            sizes
                .add(text.as_ref().map_or(0, String::len))
                .map_err(|error| error.of_function(self.function))?;
            texts.append_option(text);
        }
        Ok(texts.finish())
    }

    fn one<T>(
        &self,
        inputs: &Inputs,
        row: usize,
        compute: fn(&Call<'_>) -> Answer<T>,
    ) -> Result<Option<T>, DataFusionError> {
        match inputs.call(row, self.function.takes_null) {
            Some(call) => compute(&call).map_err(|complaint| complaint.of(self.function)),
            None => Ok(None),
        }
    }

    /// Computes each row by `compute`.
    fn each<T>(
        &self,
        inputs: &Inputs,
        compute: fn(&Call<'_>) -> Answer<T>,
    ) -> Result<Vec<Option<T>>, DataFusionError> {
        (0..inputs.rows)
            .map(|row| self.one(inputs, row, compute))
            .collect()
    }
}

// Two of one declaration are the same.
impl PartialEq for Computed {
    fn eq(&self, other: &Self) -> bool {
        self.function == other.function
    }
}

impl Eq for Computed {}

impl Hash for Computed {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.function.hash(state);
    }
}

impl ScalarUDFImpl for Computed {
    fn name(&self) -> &str {
        self.function.name
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>, DataFusionError> {
        let taken = given.iter().enumerate().map(|(index, given)| {
            let argument = self.function.argument(index)?;
            argument.kind.takes(given)
        });
        let taken: Option<Vec<DataType>> = taken.collect();
        taken.ok_or_else(|| plan_datafusion_err!("{} does not take such types", self.name()))
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType, DataFusionError> {
        Ok(match self.compute {
            Compute::Text(_) => DataType::Utf8,
            Compute::Int(_) => DataType::Int64,
            Compute::Float(_) | Compute::Chance(_) => DataType::Float64,
            Compute::Number(_) if given.contains(&DataType::Float64) => DataType::Float64,
            Compute::Number(_) => match given.iter().filter_map(scale).max() {
                Some(scale) => DataType::Decimal128(DIGITS, scale),
                None => DataType::Int64,
            },
            Compute::Moment(_) => moment_type(),
            Compute::Date(_) => DataType::Date32,
            Compute::Time(_) => DataType::Time64(TimeUnit::Microsecond),
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue, DataFusionError> {
        let constant = !matches!(self.compute, Compute::Chance(_))
            && args
                .args
                .iter()
                .all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let inputs = Inputs {
            columns: columns(&args.args)?,
            rows: if constant { 1 } else { args.number_rows },
            zone: zone(&args.config_options),
        };
        let array: ArrayRef = match self.compute {
            Compute::Text(compute) => Arc::new(self.texts(&inputs, compute)?),
            Compute::Int(compute) => Arc::new(Int64Array::from(self.each(&inputs, compute)?)),
            Compute::Float(compute) | Compute::Chance(compute) => {
                let numbers = self.each(&inputs, compute)?.into_iter();
                let numbers = numbers.map(|number| number.map(float::one_zero));
                Arc::new(numbers.collect::<Float64Array>())
            }
            Compute::Number(compute) => {
                let numbers = self.each(&inputs, compute)?;
                typed(&numbers, args.return_type())
                    .map_err(|complaint| complaint.of(self.function))?
            }
            Compute::Moment(compute) => {
                let moments = self.each(&inputs, compute)?.into_iter();
                let moments = moments.map(|at| at.map(|at| at.timestamp_micros()));
                Arc::new(
                    moments
                        .collect::<TimestampMicrosecondArray>()
                        .with_timezone("+00:00"),
                )
            }
            Compute::Date(compute) => {
                let dates = self.each(&inputs, compute)?.into_iter();
                let days = dates.map(|date| date.map(Date32Type::from_naive_date));
                Arc::new(days.collect::<Date32Array>())
            }
            Compute::Time(compute) => {
                let times = self.each(&inputs, compute)?.into_iter();
                let times = times.map(|time| time.map(microseconds));
                Arc::new(times.collect::<Time64MicrosecondArray>())
            }
        };
        as_value(array, constant)
    }
}

/// A result that is one value for all rows, or one for each.
pub(super) fn as_value(array: ArrayRef, is_one: bool) -> Result<ColumnarValue, DataFusionError> {
    Ok(match is_one {
        true => ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?),
        false => ColumnarValue::Array(array),
    })
}

/// Numbers as an array of the type that they were announced as.
fn typed(numbers: &[Option<Number>], kind: &DataType) -> Result<ArrayRef, Complaint> {
    Ok(match kind {
        DataType::Int64 => {
            let ints = numbers.iter().map(|number| match number {
                Some(Number::Int(value)) => Some(*value),
                _ => None,
            });
            Arc::new(ints.collect::<Int64Array>())
        }
        DataType::Decimal128(precision, scale) => {
            let units = numbers.iter().map(|number| match number {
                Some(number) => number.scaled(*scale).map(|it| Some(it.units)),
                None => Some(None),
            });
            let units: Option<Vec<Option<i128>>> = units.collect();
            let too_long = || Complaint::new("the result has more digits than a decimal can hold");
            let array = Decimal128Array::from(units.ok_or_else(too_long)?)
                .with_precision_and_scale(*precision, *scale)
                .map_err(|_| too_long())?;
            array
                .validate_decimal_precision(*precision)
                .map_err(|_| too_long())?;
            Arc::new(array)
        }
        _ => {
            let floats = numbers
                .iter()
                .map(|number| Some(float::one_zero((*number)?.as_f64())));
            Arc::new(floats.collect::<Float64Array>())
        }
    })
}

/// The scale of a type of decimals.
fn scale(kind: &DataType) -> Option<i8> {
    match kind {
        DataType::Decimal128(_, scale) => Some(*scale),
        _ => None,
    }
}

fn microseconds(time: NaiveTime) -> i64 {
    i64::from(time.num_seconds_from_midnight()) * 1_000_000 + i64::from(time.nanosecond() / 1_000)
}

impl Kind {
    /// The type that a value of the type `given` is cast to; `None` if it cannot be taken.
    fn takes(self, given: &DataType) -> Option<DataType> {
        use DataType::{
            Boolean, Date32, Date64, Float64, Int64, Null, Time32, Time64, Timestamp, Utf8,
        };
        let is_text = matches!(given, Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
        let decimal = match given {
            DataType::Decimal32(_, scale)
            | DataType::Decimal64(_, scale)
            | DataType::Decimal128(_, scale)
            | DataType::Decimal256(_, scale) => Some(DataType::Decimal128(DIGITS, *scale)),
            _ => None,
        };
        let plain = given.is_numeric() || is_text || matches!(given, Boolean | Null);
        let dated = matches!(
            given,
            Date32 | Date64 | Timestamp(..) | Time32(_) | Time64(_)
        );
        match self {
            Self::Text => (plain || dated).then_some(Utf8),
            Self::Int => plain.then_some(Int64),
            Self::Float => plain.then_some(Float64),
            Self::Number if is_text || given.is_floating() => Some(Float64),
            Self::Number => decimal.or(plain.then_some(Int64)),
            Self::Moment => match given {
                Timestamp(..) | Null => Some(moment_type()),
                Date32 | Date64 => Some(Date32),
                _ => is_text.then_some(Utf8),
            },
            Self::Any => match given {
                Timestamp(..) => Some(moment_type()),
                Date32 | Date64 => Some(Date32),
                Time32(_) | Time64(_) => Some(Time64(TimeUnit::Microsecond)),
                Boolean => Some(Boolean),
                Null => Some(Utf8),
                _ if is_text => Some(Utf8),
                _ if given.is_floating() => Some(Float64),
                _ if decimal.is_some() => decimal,
                _ => given.is_integer().then_some(Int64),
            },
        }
    }
}

/// The arguments of many rows.
struct Inputs {
    columns: Vec<(ArrayRef, bool)>,
    rows: usize,
    zone: Tz,
}

/// Each argument as an array, and whether it holds one value for all rows.
fn columns(args: &[ColumnarValue]) -> Result<Vec<(ArrayRef, bool)>, DataFusionError> {
    args.iter()
        .map(|arg| match arg {
            ColumnarValue::Array(array) => Ok((Arc::clone(array), false)),
            ColumnarValue::Scalar(value) => Ok((value.to_array()?, true)),
        })
        .collect()
}

impl Inputs {
    /// The arguments of a row; `None` if one of them is NULL, and the function does not take it.
    fn call(&self, row: usize, takes_null: bool) -> Option<Call<'_>> {
        let cells = self.columns.iter().map(|(array, constant)| {
            let row = if *constant { 0 } else { row };
            match array.is_null(row) {
                true => takes_null.then_some(Cell::Null),
                false => cell(array, row),
            }
        });
        Some(Call {
            cells: cells.collect::<Option<_>>()?,
            zone: self.zone,
        })
    }
}

fn cell(array: &dyn Array, row: usize) -> Option<Cell<'_>> {
    Some(match array.data_type() {
        DataType::Boolean => Cell::Bool(array.as_boolean().value(row)),
        DataType::Int64 => Cell::Int(array.as_primitive::<Int64Type>().value(row)),
        DataType::Float64 => Cell::Float(array.as_primitive::<Float64Type>().value(row)),
        DataType::Decimal128(_, scale) => {
            let units = array.as_primitive::<Decimal128Type>().value(row);
            Cell::Decimal(Decimal::new(units, *scale))
        }
        DataType::Utf8 => Cell::Text(array.as_string::<i32>().value(row)),
        DataType::Date32 => Cell::Date(array.as_primitive::<Date32Type>().value_as_date(row)?),
        DataType::Time64(TimeUnit::Microsecond) => Cell::Time(
            array
                .as_primitive::<Time64MicrosecondType>()
                .value_as_time(row)?,
        ),
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            let value = array.as_primitive::<TimestampMicrosecondType>().value(row);
            Cell::Moment(DateTime::from_timestamp_micros(value)?)
        }
        _ => return None,
    })
}
