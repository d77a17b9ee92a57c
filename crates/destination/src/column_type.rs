//! The few types that every destination can keep, and how the many types of Arrow map to them.

use std::fmt;
use std::str::FromStr;

use arrow::datatypes::{DataType, Field, IntervalUnit, TimeUnit};

use crate::{Error, code};

/// Key and value of the field metadata that mark a text as JSON.
const JSON_METADATA: (&str, &str) = ("bucketline.type", "json");

/// The label of the zone of all stored instants.
const UTC: &str = "+00:00";

/// The type of a stored column.
///
/// | Arrow | stored |
/// | --- | --- |
/// | `Boolean` | `Boolean` |
/// | `Int8`..`Int64`, `UInt8`..`UInt64` | `Int`: 64 bits; a larger `UInt64` is refused |
/// | `Float16`, `Float32`, `Float64` | `Float` |
/// | `Decimal32`..`Decimal256` | `Decimal` |
/// | `Utf8`, `LargeUtf8`, `Utf8View`, `Null` | `Text`, or `Json` with the metadata `bucketline.type = json` |
/// | `List`, `Struct`, `Map` and their like, `Union` | `Json`, the value as JSON text |
/// | `Interval` | `Text`, ISO 8601: `P1Y2M3DT4H5M6.5S` |
/// | `Binary` and its like | `Binary` |
/// | `Date32`, `Date64` | `Date` |
/// | `Time32`, `Time64` | `Time`: microseconds, finer digits are cut |
/// | `Timestamp` | `Instant` with a zone, `LocalTime` without: microseconds, finer digits are cut |
/// | `Duration` | `Duration`: microseconds, finer digits are cut |
/// | `Dictionary`, `RunEndEncoded` | as their values |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ColumnType {
    /// True or false.
    Boolean,
    /// A whole number of 64 bits.
    Int,
    /// A floating-point number of 64 bits.
    Float,
    /// An exact decimal number.
    Decimal {
        /// Digits in all, 1 to 76.
        precision: u8,
        /// Digits after the point.
        scale: i8,
    },
    /// A text.
    Text,
    /// A JSON text.
    Json,
    /// Bytes.
    Binary,
    /// A day.
    Date,
    /// A time of day, in microseconds.
    Time,
    /// A moment, in microseconds UTC.
    Instant,
    /// A date and a time in no particular zone, in microseconds.
    LocalTime,
    /// A span of time, in microseconds.
    Duration,
}

impl ColumnType {
    /// The type that a column of this field is stored as.
    pub fn of(field: &Field) -> Self {
        let (key, json) = JSON_METADATA;
        match Self::of_data_type(field.data_type()) {
            Self::Text if field.metadata().get(key).is_some_and(|value| value == json) => {
                Self::Json
            }
            other => other,
        }
    }

    pub(crate) fn of_data_type(data_type: &DataType) -> Self {
        use DataType as D;
        match data_type {
            D::Boolean => Self::Boolean,
            D::Int8 | D::Int16 | D::Int32 | D::Int64 => Self::Int,
            D::UInt8 | D::UInt16 | D::UInt32 | D::UInt64 => Self::Int,
            D::Float16 | D::Float32 | D::Float64 => Self::Float,
            D::Decimal32(precision, scale)
            | D::Decimal64(precision, scale)
            | D::Decimal128(precision, scale)
            | D::Decimal256(precision, scale) => Self::Decimal {
                precision: *precision,
                scale: *scale,
            },
            D::Null | D::Utf8 | D::LargeUtf8 | D::Utf8View => Self::Text,
            D::Interval(
                IntervalUnit::YearMonth | IntervalUnit::DayTime | IntervalUnit::MonthDayNano,
            ) => Self::Text,
            D::Binary | D::LargeBinary | D::BinaryView | D::FixedSizeBinary(_) => Self::Binary,
            D::Date32 | D::Date64 => Self::Date,
            D::Time32(_) | D::Time64(_) => Self::Time,
            D::Timestamp(_, Some(_)) => Self::Instant,
            D::Timestamp(_, None) => Self::LocalTime,
            D::Duration(_) => Self::Duration,
            D::Dictionary(_, values) => Self::of_data_type(values),
            D::RunEndEncoded(_, values) => Self::of(values),
            D::List(_)
            | D::LargeList(_)
            | D::FixedSizeList(_, _)
            | D::ListView(_)
            | D::LargeListView(_)
            | D::Struct(_)
            | D::Map(_, _)
            | D::Union(_, _) => Self::Json,
        }
    }

    /// The Arrow type of its values when they are read.
    pub fn data_type(self) -> DataType {
        match self {
            Self::Boolean => DataType::Boolean,
            Self::Int => DataType::Int64,
            Self::Float => DataType::Float64,
            Self::Decimal { precision, scale } if precision <= 38 => {
                DataType::Decimal128(precision, scale)
            }
            Self::Decimal { precision, scale } => DataType::Decimal256(precision, scale),
            Self::Text | Self::Json => DataType::Utf8,
            Self::Binary => DataType::Binary,
            Self::Date => DataType::Date32,
            Self::Time => DataType::Time64(TimeUnit::Microsecond),
            Self::Instant => DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into())),
            Self::LocalTime => DataType::Timestamp(TimeUnit::Microsecond, None),
            Self::Duration => DataType::Duration(TimeUnit::Microsecond),
        }
    }

    /// A field of this type.
    pub fn field(self, name: &str, nullable: bool) -> Field {
        let field = Field::new(name, self.data_type(), nullable);
        match self {
            Self::Json => {
                let (key, json) = JSON_METADATA;
                field.with_metadata([(key.to_owned(), json.to_owned())].into())
            }
            _ => field,
        }
    }

    /// The narrowest type that holds the values of both, or `None` if there is none: a column of this type
    /// that is to take values of `other` becomes that type.
    ///
    /// Whole numbers widen to decimals and to floating-point numbers, decimals to wider decimals and to
    /// floating-point numbers, dates and local times to instants (in UTC), JSON to text, and everything but
    /// bytes becomes text where one of both is text. A column never narrows: what is text stays text.
    #[must_use]
    pub fn widen(self, other: Self) -> Option<Self> {
        use ColumnType as T;
        Some(match (self, other) {
            (a, b) if a == b => a,
            (T::Binary, _) | (_, T::Binary) => return None,
            (T::Text | T::Json, _) | (_, T::Text | T::Json) => T::Text,
            (T::Int, T::Float) | (T::Float, T::Int) => T::Float,
            (T::Float, T::Decimal { .. }) | (T::Decimal { .. }, T::Float) => T::Float,
            (T::Int, decimal @ T::Decimal { .. }) | (decimal @ T::Decimal { .. }, T::Int) => {
                decimal.widen(T::Decimal {
                    precision: 19,
                    scale: 0,
                })?
            }
            (
                T::Decimal {
                    precision: p1,
                    scale: s1,
                },
                T::Decimal {
                    precision: p2,
                    scale: s2,
                },
            ) => {
                let scale = s1.max(s2);
                let whole = (i16::from(p1) - i16::from(s1)).max(i16::from(p2) - i16::from(s2));
                let precision = u8::try_from(whole + i16::from(scale)).ok()?;
                if precision > 76 {
                    return Some(T::Text);
                }
                T::Decimal { precision, scale }
            }
            (T::Date | T::LocalTime | T::Instant, T::Instant)
            | (T::Instant, T::Date | T::LocalTime) => T::Instant,
            (T::Date, T::LocalTime) | (T::LocalTime, T::Date) => T::LocalTime,
            _ => return None,
        })
    }
}

/// The spelling in which a column's type is kept in a destination's state.
impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Boolean => "boolean",
            Self::Int => "int",
            Self::Float => "float",
            Self::Decimal { precision, scale } => return write!(f, "decimal({precision},{scale})"),
            Self::Text => "text",
            Self::Json => "json",
            Self::Binary => "binary",
            Self::Date => "date",
            Self::Time => "time",
            Self::Instant => "instant",
            Self::LocalTime => "local time",
            Self::Duration => "duration",
        })
    }
}

impl FromStr for ColumnType {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let unknown = || Error::new(code::DATABASE, format!("unknown column type `{text}`"));
        Ok(match text {
            "boolean" => Self::Boolean,
            "int" => Self::Int,
            "float" => Self::Float,
            "text" => Self::Text,
            "json" => Self::Json,
            "binary" => Self::Binary,
            "date" => Self::Date,
            "time" => Self::Time,
            "instant" => Self::Instant,
            "local time" => Self::LocalTime,
            "duration" => Self::Duration,
            _ => {
                let (precision, scale) = text
                    .strip_prefix("decimal(")
                    .and_then(|rest| rest.strip_suffix(')'))
                    .and_then(|rest| rest.split_once(','))
                    .ok_or_else(unknown)?;
                Self::Decimal {
                    precision: precision.parse().map_err(|_| unknown())?,
                    scale: scale.parse().map_err(|_| unknown())?,
                }
            }
        })
    }
}
