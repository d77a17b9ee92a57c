//! Arrow values of any type as values of a stored column.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Int64Array, PrimitiveArray, StringArray, StringBuilder,
    new_null_array,
};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{
    DataType, Date32Type, DurationMicrosecondType, Field, Int64Type, IntervalDayTimeType,
    IntervalMonthDayNanoType, IntervalUnit, IntervalYearMonthType, Time64MicrosecondType, TimeUnit,
    TimestampMicrosecondType, TimestampNanosecondType,
};
use arrow::json::writer::{EncoderOptions, make_encoder};

use crate::exact::by_digits;
use crate::{ColumnType, Error, Result, Scalar, code, iso8601};

const MICROSECONDS_A_DAY: i64 = 86_400_000_000;

/// The values of an array as values of a column, whose type must be the array's own
/// ([`ColumnType::of`]) or a wider one.
///
/// # Errors
/// [`BAD_VALUE`](code::BAD_VALUE) if a value does not fit; [`UNSUPPORTED`](code::UNSUPPORTED) if
/// such values have no place in such a column.
pub fn convert(array: &ArrayRef, column: ColumnType) -> Result<ArrayRef> {
    let wanted = column.data_type();
    if array.data_type() == &wanted {
        return Ok(Arc::clone(array));
    }
    match array.data_type() {
        DataType::Null => Ok(new_null_array(&wanted, array.len())),
        DataType::Dictionary(_, values) => convert(&cast(array, values)?, column),
        DataType::RunEndEncoded(_, values) => convert(&cast(array, values.data_type())?, column),
        DataType::Timestamp(_, _) => from_moments(&microseconds(array)?, array, column),
        DataType::Date32 | DataType::Date64 => from_days(array, column),
        DataType::Time32(_) | DataType::Time64(_) if column == ColumnType::Text => {
            let times = cast(array, &ColumnType::Time.data_type())?;
            let times = times.as_primitive::<Time64MicrosecondType>();
            texts(
                times
                    .iter()
                    .map(|value| value.map(|v| iso8601::time(v).ok_or(v))),
                |text| text.as_str().to_owned(),
            )
        }
        DataType::Duration(_) if column == ColumnType::Text => {
            let spans = cast(array, &ColumnType::Duration.data_type())?;
            let spans = spans.as_primitive::<DurationMicrosecondType>();
            let nanoseconds = spans
                .iter()
                .map(|v| v.map(|v| v.checked_mul(1000).ok_or(v)));
            texts(nanoseconds, |nanoseconds| iso8601::span(0, 0, nanoseconds))
        }
        DataType::Interval(unit) if column == ColumnType::Text => Ok(intervals(array, *unit)),
        nested if nested.is_nested() => match column {
            ColumnType::Json | ColumnType::Text => json(array),
            _ => Err(no_place(nested, column)),
        },
        _ => match by_digits(array, &wanted) {
            Some(values) if values.null_count() == array.null_count() => Ok(values),
            Some(_) => Err(misfit(array.data_type(), &wanted)),
            None => cast(array, &wanted),
        },
    }
}

/// A constant as a column's value: an array of one element.
pub(crate) fn constant(value: &Scalar, column: ColumnType) -> Result<ArrayRef> {
    let array: ArrayRef = match value {
        Scalar::Null => return Ok(new_null_array(&column.data_type(), 1)),
        Scalar::Bool(value) => Arc::new(arrow::array::BooleanArray::from(vec![*value])),
        Scalar::Int(value) => Arc::new(Int64Array::from(vec![*value])),
        Scalar::Text(value) => {
            let parsed = match column {
                ColumnType::Instant => iso8601::parse_instant(value),
                ColumnType::LocalTime => iso8601::parse_local_time(value),
                _ => None,
            };
            match parsed {
                Some(moment) => cast(
                    &(Arc::new(Int64Array::from(vec![moment])) as ArrayRef),
                    &DataType::Timestamp(TimeUnit::Microsecond, None),
                )?,
                None => Arc::new(StringArray::from(vec![value.as_str()])),
            }
        }
    };
    convert(&array, column)
}

fn cast(array: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    let options = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    cast_with_options(array, to, &options).map_err(|error| {
        let kind = match error {
            arrow::error::ArrowError::NotYetImplemented(_) => code::UNSUPPORTED,
            _ => code::BAD_VALUE,
        };
        let refused = misfit(array.data_type(), to);
        Error::new(kind, refused.to_string()).with_source(error)
    })
}

fn misfit(from: &DataType, to: &DataType) -> Error {
    let (from, to) = (ColumnType::of_data_type(from), ColumnType::of_data_type(to));
    let message = format!("a {from} value does not fit a {to} column");
    Error::new(code::BAD_VALUE, message)
}

fn no_place(from: &DataType, column: ColumnType) -> Error {
    let from = ColumnType::of_data_type(from);
    Error::new(
        code::UNSUPPORTED,
        format!("a {column} column has no place for {from} values"),
    )
}

/// Microseconds since 1970; finer digits are cut towards the past.
fn microseconds(array: &ArrayRef) -> Result<PrimitiveArray<Int64Type>> {
    let moments = match array.data_type() {
        DataType::Timestamp(TimeUnit::Microsecond, _) => Arc::clone(array),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            let fine = array.as_primitive::<TimestampNanosecondType>();
            return Ok(fine.unary(|nanoseconds| nanoseconds.div_euclid(1000)));
        }
        DataType::Timestamp(_, zone) => cast(
            array,
            &DataType::Timestamp(TimeUnit::Microsecond, zone.clone()),
        )?,
        other => return Err(no_place(other, ColumnType::Instant)),
    };
    Ok(moments
        .as_primitive::<TimestampMicrosecondType>()
        .unary(|moment| moment))
}

fn from_moments(
    moments: &PrimitiveArray<Int64Type>,
    array: &ArrayRef,
    column: ColumnType,
) -> Result<ArrayRef> {
    match column {
        ColumnType::Instant | ColumnType::LocalTime => {
            let labelled = moments.reinterpret_cast::<TimestampMicrosecondType>();
            Ok(Arc::new(labelled.with_data_type(column.data_type())))
        }
        ColumnType::Text if matches!(array.data_type(), DataType::Timestamp(_, Some(_))) => {
            let moments = moments
                .iter()
                .map(|v| v.map(|v| iso8601::instant(v).ok_or(v)));
            texts(moments, |text| text.as_str().to_owned())
        }
        ColumnType::Text => {
            let moments = moments
                .iter()
                .map(|v| v.map(|v| iso8601::local_time(v).ok_or(v)));
            texts(moments, |text| text.as_str().to_owned())
        }
        _ => Err(no_place(array.data_type(), column)),
    }
}

fn from_days(array: &ArrayRef, column: ColumnType) -> Result<ArrayRef> {
    let days = cast(array, &DataType::Date32)?;
    let dates = days.as_primitive::<Date32Type>();
    match column {
        ColumnType::Date => Ok(days),
        ColumnType::Instant | ColumnType::LocalTime => {
            let moments = dates.unary::<_, Int64Type>(|day| i64::from(day) * MICROSECONDS_A_DAY);
            from_moments(&moments, array, column)
        }
        ColumnType::Text => {
            let dates = dates
                .iter()
                .map(|v| v.map(|v| iso8601::date(v).ok_or(i64::from(v))));
            texts(dates, |text| text.as_str().to_owned())
        }
        _ => Err(no_place(array.data_type(), column)),
    }
}

/// Texts of values; an error carries the number that has no text.
fn texts<T>(
    values: impl Iterator<Item = Option<Result<T, i64>>>,
    text: impl Fn(T) -> String,
) -> Result<ArrayRef> {
    let texts: StringArray = values
        .map(|value| value.map(|value| value.map(&text)).transpose())
        .collect::<Result<_, i64>>()
        .map_err(|number| {
            let message = format!("the date or time {number} is outside the years 0 to 9999");
            Error::new(code::BAD_VALUE, message)
        })?;
    Ok(Arc::new(texts))
}

fn intervals(array: &ArrayRef, unit: IntervalUnit) -> ArrayRef {
    let texts: StringArray = match unit {
        IntervalUnit::YearMonth => array
            .as_primitive::<IntervalYearMonthType>()
            .iter()
            .map(|value| value.map(|months| iso8601::span(months, 0, 0)))
            .collect(),
        IntervalUnit::DayTime => array
            .as_primitive::<IntervalDayTimeType>()
            .iter()
            .map(|value| {
                value.map(|v| iso8601::span(0, v.days, i64::from(v.milliseconds) * 1_000_000))
            })
            .collect(),
        IntervalUnit::MonthDayNano => array
            .as_primitive::<IntervalMonthDayNanoType>()
            .iter()
            .map(|value| value.map(|v| iso8601::span(v.months, v.days, v.nanoseconds)))
            .collect(),
    };
    Arc::new(texts)
}

fn json(array: &ArrayRef) -> Result<ArrayRef> {
    let field = Arc::new(Field::new("value", array.data_type().clone(), true));
    let options = EncoderOptions::default().with_explicit_nulls(true);
    let mut encoder = make_encoder(&field, array.as_ref(), &options).map_err(|error| {
        let message = "values of this type cannot be written as JSON";
        Error::new(code::UNSUPPORTED, message).with_source(error)
    })?;
    let mut texts = StringBuilder::with_capacity(array.len(), 0);
    let mut buffer = Vec::new();
    for row in 0..array.len() {
        if array.is_null(row) || encoder.is_null(row) {
            texts.append_null();
            continue;
        }
        buffer.clear();
        encoder.encode(row, &mut buffer);
        let text = std::str::from_utf8(&buffer).map_err(|error| {
            Error::new(code::BAD_VALUE, "a nested value is not UTF-8").with_source(error)
        })?;
        texts.append_value(text);
    }
    Ok(Arc::new(texts.finish()))
}
