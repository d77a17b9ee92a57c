//! The types of SQL: those of CAST, and those that columns are declared with.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, FieldRef, TimeUnit};
use datafusion::common::DataFusionError;
use datafusion::logical_expr::planner::TypePlanner;
use datafusion::sql::sqlparser::ast::{
    BinaryLength, CharacterLength, DataType as SqlType, ExactNumberInfo, ObjectName, TimezoneInfo,
};

/// The type of every moment, that of the sources' columns.
pub(crate) fn moment_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into()))
}

/// What a column is declared as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnType {
    /// The type; `None` for a DECIMAL without digits, which takes numbers as they are.
    pub data_type: Option<DataType>,
    /// The most characters of a text, or bytes.
    pub length: Option<u64>,
    /// The least and the most of a whole number, if the type has fewer than BIGINT.
    pub range: Option<(i64, i64)>,
}

/// What a type of SQL means for a column: the types of CAST, those of SQL Server, PostgreSQL, MySQL and Oracle
/// included. `None` if it is not known.
pub fn column_type(declared: &SqlType) -> Option<ColumnType> {
    let data_type = match declared {
        SqlType::Decimal(info)
        | SqlType::Numeric(info)
        | SqlType::Dec(info)
        | SqlType::DecimalUnsigned(info)
        | SqlType::DecUnsigned(info)
        | SqlType::BigNumeric(info)
        | SqlType::BigDecimal(info) => match info {
            ExactNumberInfo::None => None,
            ExactNumberInfo::Precision(precision) => Some(decimal(*precision, 0)?),
            ExactNumberInfo::PrecisionAndScale(precision, scale) => {
                Some(decimal(*precision, *scale)?)
            }
        },
        SqlType::Custom(name, modifiers) => custom(name, modifiers)?,
        other => Some(plain(other)?),
    };
    Some(ColumnType {
        data_type,
        length: length(declared),
        range: range(declared),
    })
}

fn plain(declared: &SqlType) -> Option<DataType> {
    Some(match declared {
        SqlType::Boolean | SqlType::Bool | SqlType::Bit(None | Some(1)) => DataType::Boolean,
        SqlType::TinyInt(_)
        | SqlType::TinyIntUnsigned(_)
        | SqlType::SmallInt(_)
        | SqlType::SmallIntUnsigned(_)
        | SqlType::MediumInt(_)
        | SqlType::MediumIntUnsigned(_)
        | SqlType::Int(_)
        | SqlType::IntUnsigned(_)
        | SqlType::Integer(_)
        | SqlType::IntegerUnsigned(_)
        | SqlType::BigInt(_)
        | SqlType::BigIntUnsigned(_)
        | SqlType::Int2(_)
        | SqlType::Int2Unsigned(_)
        | SqlType::Int4(_)
        | SqlType::Int4Unsigned(_)
        | SqlType::Int8(_)
        | SqlType::Int8Unsigned(_)
        | SqlType::Int16
        | SqlType::Int32
        | SqlType::Int64
        | SqlType::Signed
        | SqlType::SignedInteger
        | SqlType::Unsigned
        | SqlType::UnsignedInteger => DataType::Int64,
        SqlType::Float(_)
        | SqlType::FloatUnsigned(_)
        | SqlType::Float4
        | SqlType::Float8
        | SqlType::Float32
        | SqlType::Float64
        | SqlType::Real
        | SqlType::RealUnsigned
        | SqlType::Double(_)
        | SqlType::DoubleUnsigned(_)
        | SqlType::DoublePrecision
        | SqlType::DoublePrecisionUnsigned => DataType::Float64,
        SqlType::Char(_)
        | SqlType::Character(_)
        | SqlType::CharVarying(_)
        | SqlType::CharacterVarying(_)
        | SqlType::CharacterLargeObject(_)
        | SqlType::CharLargeObject(_)
        | SqlType::Varchar(_)
        | SqlType::Nvarchar(_)
        | SqlType::Clob(_)
        | SqlType::Text
        | SqlType::TinyText
        | SqlType::MediumText
        | SqlType::LongText
        | SqlType::String(_)
        | SqlType::FixedString(_)
        | SqlType::Enum(..)
        | SqlType::Set(_)
        | SqlType::Uuid
        | SqlType::JSON
        | SqlType::JSONB => DataType::Utf8,
        SqlType::Binary(_)
        | SqlType::Varbinary(_)
        | SqlType::Blob(_)
        | SqlType::TinyBlob
        | SqlType::MediumBlob
        | SqlType::LongBlob
        | SqlType::Bytes(_)
        | SqlType::Bytea => DataType::Binary,
        SqlType::Date | SqlType::Date32 => DataType::Date32,
        SqlType::Time(_, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => {
            DataType::Time64(TimeUnit::Microsecond)
        }
        SqlType::Timestamp(..)
        | SqlType::TimestampNtz(_)
        | SqlType::Datetime(_)
        | SqlType::Datetime64(..) => moment_type(),
        SqlType::Nullable(inner) => plain(inner)?,
        _ => return None,
    })
}

/// A type that the parser knows by its name alone.
fn custom(name: &ObjectName, modifiers: &[String]) -> Option<Option<DataType>> {
    Some(Some(match name.to_string().to_ascii_lowercase().as_str() {
        "datetime2" | "smalldatetime" | "datetimeoffset" | "timestamp_ltz" => moment_type(),
        "nchar" | "ntext" | "nclob" | "varchar2" | "nvarchar2" | "bpchar" | "citext" | "xml"
        | "xmltype" | "guid" | "uniqueidentifier" | "sysname" | "sql_variant" | "long" => {
            DataType::Utf8
        }
        "money" => DataType::Decimal128(19, 4),
        "smallmoney" => DataType::Decimal128(10, 4),
        "number" => match modifiers {
            [] => return Some(None),
            [precision] => decimal(precision.trim().parse().ok()?, 0)?,
            [precision, scale] => {
                decimal(precision.trim().parse().ok()?, scale.trim().parse().ok()?)?
            }
            _ => return None,
        },
        "binary_float" | "binary_double" => DataType::Float64,
        "serial" | "bigserial" | "smallserial" | "year" => DataType::Int64,
        "image" | "raw" | "rowversion" => DataType::Binary,
        _ => return None,
    }))
}

fn decimal(precision: u64, scale: i64) -> Option<DataType> {
    let precision = u8::try_from(precision)
        .ok()
        .filter(|precision| (1..=38).contains(precision))?;
    let scale = i8::try_from(scale).ok()?;
    (scale.unsigned_abs() <= precision).then_some(DataType::Decimal128(precision, scale))
}

/// The most characters of a text, or bytes.
fn length(declared: &SqlType) -> Option<u64> {
    match declared {
        SqlType::Char(length)
        | SqlType::Character(length)
        | SqlType::CharVarying(length)
        | SqlType::CharacterVarying(length)
        | SqlType::Varchar(length)
        | SqlType::Nvarchar(length) => match length {
            Some(CharacterLength::IntegerLength { length, .. }) => Some(*length),
            _ => None,
        },
        SqlType::Varbinary(Some(BinaryLength::IntegerLength { length })) => Some(*length),
        SqlType::String(length) | SqlType::Binary(length) | SqlType::Bytes(length) => *length,
        SqlType::FixedString(length) => Some(*length),
        SqlType::Custom(name, modifiers) => {
            let name = name.to_string().to_ascii_lowercase();
            let has_length = ["nchar", "varchar2", "nvarchar2", "bpchar", "raw"];
            let length = modifiers
                .first()
                .filter(|_| has_length.contains(&name.as_str()));
            length?.trim().parse().ok()
        }
        _ => None,
    }
}

/// The whole numbers of a type that are fewer than those of BIGINT.
fn range(declared: &SqlType) -> Option<(i64, i64)> {
    Some(match declared {
        SqlType::TinyInt(_) => (i8::MIN.into(), i8::MAX.into()),
        SqlType::TinyIntUnsigned(_) => (0, u8::MAX.into()),
        SqlType::SmallInt(_) | SqlType::Int2(_) | SqlType::Int16 => {
            (i16::MIN.into(), i16::MAX.into())
        }
        SqlType::SmallIntUnsigned(_) | SqlType::Int2Unsigned(_) => (0, u16::MAX.into()),
        SqlType::MediumInt(_) => (-(1 << 23), (1 << 23) - 1),
        SqlType::MediumIntUnsigned(_) => (0, (1 << 24) - 1),
        SqlType::Int(_) | SqlType::Integer(_) | SqlType::Int4(_) | SqlType::Int32 => {
            (i32::MIN.into(), i32::MAX.into())
        }
        SqlType::IntUnsigned(_) | SqlType::IntegerUnsigned(_) | SqlType::Int4Unsigned(_) => {
            (0, u32::MAX.into())
        }
        SqlType::BigIntUnsigned(_)
        | SqlType::Int8Unsigned(_)
        | SqlType::Unsigned
        | SqlType::UnsignedInteger => (0, i64::MAX),
        SqlType::Nullable(inner) => range(inner)?,
        _ => return None,
    })
}

/// The most characters that CAST to a type leaves.
pub(crate) fn cast_length(declared: &SqlType) -> Option<u64> {
    let is_text = column_type(declared)?.data_type == Some(DataType::Utf8);
    length(declared).filter(|_| is_text)
}

/// Reads the types of CAST that DataFusion does not know.
#[derive(Debug)]
pub(crate) struct DialectTypes;

impl TypePlanner for DialectTypes {
    fn plan_type_field(&self, sql_type: &SqlType) -> Result<Option<FieldRef>, DataFusionError> {
        // Not TIMESTAMP: the planner's own is of nanoseconds, which end in 2262.
        let is_planned = matches!(
            sql_type,
            SqlType::Boolean
                | SqlType::Bool
                | SqlType::TinyInt(_)
                | SqlType::SmallInt(_)
                | SqlType::Int2(_)
                | SqlType::Int(_)
                | SqlType::Integer(_)
                | SqlType::Int4(_)
                | SqlType::BigInt(_)
                | SqlType::Int8(_)
                | SqlType::Numeric(_)
                | SqlType::Decimal(_)
                | SqlType::Time(None, _)
        );
        if is_planned {
            return Ok(None);
        }
        let known = column_type(sql_type).map(|known| {
            // CAST needs digits where a column does not.
            known.data_type.unwrap_or(DataType::Decimal128(38, 10))
        });
        Ok(known.map(|known| Arc::new(Field::new("", known, true))))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use datafusion::sql::sqlparser::dialect::GenericDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    use super::*;

    #[test]
    fn types_of_other_databases_are_understood() {
        let (text, moment) = (DataType::Utf8, moment_type());
        for (declared, data_type, length) in [
            ("NCHAR(3)", Some(text.clone()), Some(3)),
            ("VARCHAR2(20)", Some(text.clone()), Some(20)),
            ("NVARCHAR(MAX)", Some(text.clone()), None),
            ("XML", Some(text.clone()), None),
            ("UNIQUEIDENTIFIER", Some(text.clone()), None),
            ("GUID", Some(text.clone()), None),
            ("CHARACTER VARYING(4)", Some(text), Some(4)),
            ("DATETIME2(7)", Some(moment.clone()), None),
            ("DATETIMEOFFSET", Some(moment.clone()), None),
            ("TIMESTAMP(6) WITH TIME ZONE", Some(moment), None),
            (
                "TIME(3)",
                Some(DataType::Time64(TimeUnit::Microsecond)),
                None,
            ),
            ("MONEY", Some(DataType::Decimal128(19, 4)), None),
            ("NUMBER", None, None),
            ("DECIMAL", None, None),
            ("NUMBER(10)", Some(DataType::Decimal128(10, 0)), None),
            ("NUMBER(10, 2)", Some(DataType::Decimal128(10, 2)), None),
            ("NUMERIC(5, 2)", Some(DataType::Decimal128(5, 2)), None),
            ("INT UNSIGNED", Some(DataType::Int64), None),
            ("DOUBLE PRECISION", Some(DataType::Float64), None),
            ("FLOAT(53)", Some(DataType::Float64), None),
            ("IMAGE", Some(DataType::Binary), None),
            ("VARBINARY(8)", Some(DataType::Binary), Some(8)),
        ] {
            let mut parser = Parser::new(&GenericDialect {})
                .try_with_sql(declared)
                .unwrap();
            let found = column_type(&parser.parse_data_type().unwrap());
            let found = found.map(|found| (found.data_type, found.length));
            assert_eq!(found, Some((data_type, length)), "{declared}");
        }
        for (declared, least, most) in [
            ("TINYINT", -128, 127),
            ("SMALLINT", -32_768, 32_767),
            ("MEDIUMINT", -8_388_608, 8_388_607),
            ("INT", -2_147_483_648, 2_147_483_647),
            ("INTEGER UNSIGNED", 0, 4_294_967_295),
            ("BIGINT UNSIGNED", 0, i64::MAX),
        ] {
            let mut parser = Parser::new(&GenericDialect {})
                .try_with_sql(declared)
                .unwrap();
            let found = column_type(&parser.parse_data_type().unwrap());
            assert_eq!(found.unwrap().range, Some((least, most)), "{declared}");
        }
        let nothing = SqlType::Custom(ObjectName::from(vec!["teapot".into()]), Vec::new());
        assert_eq!(column_type(&nothing), None);
    }
}
