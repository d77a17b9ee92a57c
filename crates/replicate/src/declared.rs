//! A declared list of columns: their types, and how values become theirs.
//!
//! A value is kept exactly or refused, with the row and the column that it belongs to. Digits behind the point beyond
//! those of a declared DECIMAL are rounded, as SQL has it.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, new_null_array};
use arrow::compute::kernels::substring::substring_by_char;
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, Int64Type};
use bucketline_destination::{
    ColumnType as StoredType, by_digits, describe_row, describe_value as shown, lost, whole_days,
};
use bucketline_engine::{ColumnType, type_name};
use bucketline_sql as sql;

use crate::{Error, Result, code};

/// A declared column list.
#[derive(Debug, Clone)]
pub(crate) struct Declared {
    pub(crate) columns: Vec<DeclaredColumn>,
    /// PRIMARY KEY; empty without.
    pub(crate) key: Vec<String>,
    /// Columns are matched by name instead of by position.
    pub(crate) by_name: bool,
    /// Where it stands.
    pub(crate) span: sql::Span,
}

/// One of its columns.
#[derive(Debug, Clone)]
pub(crate) struct DeclaredColumn {
    pub(crate) name: String,
    /// The type; `None` is a DECIMAL without digits, which takes numbers as they are.
    pub(crate) data_type: Option<DataType>,
    pub(crate) rule: Rule,
}

/// What its values must be like, beside their type.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Rule {
    /// The type as it was written, for errors.
    pub(crate) written: String,
    /// The most characters of a text, or bytes.
    pub(crate) length: Option<u64>,
    /// The least and the most of a whole number.
    pub(crate) range: Option<(i64, i64)>,
    /// Longer texts are cut instead of refused.
    pub(crate) cuts: bool,
    pub(crate) not_null: bool,
}

impl Declared {
    pub(crate) fn read(list: &sql::ColumnList, by_name: bool, cuts: bool) -> Result<Self> {
        let column = |column: &sql::Column| {
            let name = column.name.text.clone();
            let ColumnType { data_type, length, range } =
                bucketline_engine::column_type(column.data_type.ast()).ok_or_else(|| {
                    let message =
                        format!("column {name}: the type {} is not known here", column.data_type);
                    Error::new(code::COLUMNS, message)
                        .with_hint(
                            "known are BOOLEAN, INT, BIGINT, DECIMAL, FLOAT, DOUBLE, CHAR, VARCHAR, TEXT, DATE, TIME, \
                             DATETIME, TIMESTAMP, JSON, BINARY, and the names that other databases have for them",
                        )
                        .at(column.data_type.span())
                })?;
            Ok(DeclaredColumn {
                name,
                data_type,
                rule: Rule {
                    written: column.data_type.to_string(),
                    length,
                    range,
                    cuts,
                    not_null: column.not_null,
                },
            })
        };
        Ok(Self {
            columns: list.columns.iter().map(column).collect::<Result<_>>()?,
            key: list
                .primary_key
                .iter()
                .map(|name| name.text.clone())
                .collect(),
            by_name,
            span: list.span,
        })
    }
}

impl DeclaredColumn {
    /// The column's type for values of a type.
    pub(crate) fn data_type(&self, given: &DataType) -> DataType {
        match &self.data_type {
            Some(data_type) => data_type.clone(),
            None if given.is_numeric() => given.clone(),
            None => DataType::Float64,
        }
    }
}

impl Rule {
    /// How many characters are kept of a text, if longer ones are cut.
    pub(crate) fn cut(&self) -> Option<u64> {
        self.length.filter(|_| self.cuts)
    }
}

/// Why a value of a column is refused, and in which row.
struct Refusal {
    row: usize,
    why: String,
    hint: &'static str,
}

const CONVERT: &str = "declare another type for the column, or convert it in the SELECT";

/// The values of one column of a batch as its field wants them.
///
/// # Errors
/// [`code::BAD_VALUE`](crate::code::BAD_VALUE), naming row and column; `key` are the columns by which a row is named.
pub(crate) fn fit(
    array: ArrayRef,
    field: &Field,
    rule: Option<&Rule>,
    key: &RecordBatch,
) -> Result<ArrayRef> {
    let name = |refusal: Refusal| {
        let row = describe_row(key, refusal.row);
        let message = format!("column `{}` of row {row}: {}", field.name(), refusal.why);
        Error::new(code::BAD_VALUE, message).with_hint(refusal.hint)
    };
    fitted(array, field, rule).map_err(|fault| match fault {
        Fault::Value(refusal) => name(refusal),
        Fault::Column(why) => {
            let message = format!("column `{}`: {why}", field.name());
            Error::new(code::BAD_VALUE, message).with_hint(CONVERT)
        }
    })
}

enum Fault {
    Value(Refusal),
    /// No value of the column can be converted.
    Column(String),
}

fn fitted(array: ArrayRef, field: &Field, rule: Option<&Rule>) -> Result<ArrayRef, Fault> {
    let array = match array.data_type() {
        DataType::Null => new_null_array(field.data_type(), array.len()),
        _ => array,
    };
    if rule.is_some_and(|rule| rule.not_null)
        && let Some(row) = (0..array.len()).find(|row| array.is_null(*row))
    {
        return Err(Fault::Value(Refusal {
            row,
            why: "NULL, and the column is declared NOT NULL".to_owned(),
            hint: "declare it without NOT NULL, or leave such rows out with WHERE",
        }));
    }
    let array = converted(array, field.data_type(), rule)?;
    if let Some(rule) = rule {
        in_range(&array, rule)?;
    }
    match rule.and_then(|rule| Some((rule, rule.length?))) {
        Some((rule, length)) => within(array, length, rule),
        None => Ok(array),
    }
}

/// Values in another type.
fn converted(array: ArrayRef, to: &DataType, rule: Option<&Rule>) -> Result<ArrayRef, Fault> {
    let from = array.data_type();
    if from == to {
        return Ok(array);
    }
    let written = || match rule {
        Some(rule) if !rule.written.is_empty() => rule.written.clone(),
        _ => type_name(to),
    };
    if is_number(from) && to.is_temporal() || from.is_temporal() && is_number(to) {
        return Err(Fault::Column(format!(
            "{} cannot become {}: a number names no moment by itself",
            type_name(from),
            written()
        )));
    }
    let refused = |row: usize, why: String| {
        let hint = CONVERT;
        Err(Fault::Value(Refusal { row, why, hint }))
    };
    let column_type = StoredType::of(&Field::new("", to.clone(), true));
    let days = whole_days(&array, column_type).map_err(|row| {
        Fault::Value(Refusal {
            row,
            why: format!("{} has a time, and a date has none", shown(&array, row)),
            hint: "CAST it AS DATE in the SELECT, or declare DATETIME",
        })
    })?;
    // What cannot be converted becomes NULL, by which it is found.
    let result = match by_digits(&days, to) {
        Some(result) => result,
        None => cast_with_options(&days, to, &CastOptions::default()).map_err(|_| {
            let from = type_name(from);
            Fault::Column(format!("{from} cannot become {}", written()))
        })?,
    };
    if result.null_count() != array.null_count() {
        let lost = (0..array.len()).find(|&row| result.is_null(row) && array.is_valid(row));
        let row = lost.unwrap_or_default();
        let why = format!("{} does not fit {}", shown(&array, row), written());
        return refused(row, why);
    }
    let lost = lost(&array, &result).map_err(|error| Fault::Column(error.to_string()))?;
    if let Some(row) = lost {
        let why = format!(
            "{} would become {} in a column of type {}",
            shown(&array, row),
            shown(&result, row),
            written()
        );
        return refused(row, why);
    }
    Ok(result)
}

/// Whole numbers of the declared type.
fn in_range(array: &ArrayRef, rule: &Rule) -> Result<(), Fault> {
    let (Some((least, most)), Some(numbers)) = (rule.range, array.as_primitive_opt::<Int64Type>())
    else {
        return Ok(());
    };
    let outside =
        |row: &usize| numbers.is_valid(*row) && !(least..=most).contains(&numbers.value(*row));
    let Some(row) = (0..numbers.len()).find(outside) else {
        return Ok(());
    };
    Err(Fault::Value(Refusal {
        row,
        why: format!(
            "{} is outside of {}, which goes from {least} to {most}",
            shown(array, row),
            rule.written
        ),
        hint: "declare BIGINT",
    }))
}

fn is_number(data_type: &DataType) -> bool {
    data_type.is_numeric()
}

/// Texts and bytes of a length, cut or refused.
fn within(array: ArrayRef, length: u64, rule: &Rule) -> Result<ArrayRef, Fault> {
    let most = usize::try_from(length).unwrap_or(usize::MAX);
    let (long, unit) = match array.data_type() {
        DataType::Utf8 => {
            let texts = array.as_string::<i32>();
            let is_long = |row: &usize| {
                let text = texts.value(*row);
                texts.is_valid(*row) && text.len() > most && text.chars().count() > most
            };
            ((0..texts.len()).find(is_long), "characters")
        }
        DataType::Binary => {
            let bytes = array.as_binary::<i32>();
            let is_long = |row: &usize| bytes.is_valid(*row) && bytes.value(*row).len() > most;
            ((0..bytes.len()).find(is_long), "bytes")
        }
        _ => (None, ""),
    };
    let Some(row) = long else {
        return Ok(array);
    };
    if rule.cuts && array.data_type() == &DataType::Utf8 {
        let texts = substring_by_char(array.as_string::<i32>(), 0, Some(length));
        return match texts {
            Ok(texts) => Ok(Arc::new(texts)),
            Err(error) => Err(Fault::Column(error.to_string())),
        };
    }
    let has = match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().value(row).chars().count(),
        _ => array.as_binary::<i32>().value(row).len(),
    };
    Err(Fault::Value(Refusal {
        row,
        why: format!(
            "{} has {has} {unit}, and {} takes {length}",
            shown(&array, row),
            rule.written
        ),
        hint: match unit {
            "characters" => "declare a longer type, or cut texts: WITH AutoTruncateStrings",
            _ => "declare a longer type",
        },
    }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use arrow::array::{BinaryArray, Decimal128Array, Float64Array, Int64Array, StringArray};
    use arrow::datatypes::{Schema, TimeUnit};

    use super::*;

    /// Two values in a column of a type, as text, or what is said of the one that does not fit.
    fn fit_two(array: ArrayRef, to: DataType, rule: &Rule) -> Result<String, String> {
        let keys: ArrayRef = Arc::new(Int64Array::from(vec![7, 8]));
        let schema = Schema::new(vec![Field::new("Id", DataType::Int64, false)]);
        let key = RecordBatch::try_new(Arc::new(schema), vec![keys]).unwrap();
        let field = Field::new("c", to, true);
        let fitted = fit(array, &field, Some(rule), &key);
        let fitted = fitted.map_err(|error| error.to_string())?;
        Ok(format!("{}, {}", shown(&fitted, 0), shown(&fitted, 1)))
    }

    fn rule(written: &str, length: Option<u64>) -> Rule {
        Rule {
            written: written.to_owned(),
            length,
            ..Rule::default()
        }
    }

    #[test]
    fn a_value_is_kept_exactly_or_refused_by_row_and_column() {
        let floats = |values: [f64; 2]| Arc::new(Float64Array::from(values.to_vec())) as ArrayRef;
        let texts = |values: [&str; 2]| Arc::new(StringArray::from(values.to_vec())) as ArrayRef;
        let whole = |values: [i64; 2]| Arc::new(Int64Array::from(values.to_vec())) as ArrayRef;
        let decimals = Decimal128Array::from(vec![200, 250]);
        let decimals = Arc::new(decimals.with_precision_and_scale(5, 2).unwrap()) as ArrayRef;
        let moment = DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into()));
        let bytes: ArrayRef = Arc::new(BinaryArray::from(vec![&b"a"[..], b"abc"]));
        for (array, to, rule, expected) in [
            (
                floats([2.0, -3.0]),
                DataType::Int64,
                rule("int", None),
                Ok("2, -3"),
            ),
            (
                floats([2.0, 1.5]),
                DataType::Int64,
                rule("int", None),
                Err("column `c` of row {Id: 8}: 1.5 would become 1 in a column of type int"),
            ),
            (
                floats([1e30, 1.0]),
                DataType::Int64,
                rule("int", None),
                Err("column `c` of row {Id: 7}: 1e30 does not fit int"),
            ),
            (
                decimals,
                DataType::Int64,
                rule("bigint", None),
                Err("column `c` of row {Id: 8}: 2.50 would become 2 in a column of type bigint"),
            ),
            (
                whole([1, 2]),
                DataType::Boolean,
                rule("bit", None),
                Err("column `c` of row {Id: 8}: 2 would become true in a column of type bit"),
            ),
            (
                whole([1, 9_007_199_254_740_993]),
                DataType::Float64,
                rule("float", None),
                Err("9007199254740992.0 in a column of type float"),
            ),
            (
                whole([1, 2]),
                moment,
                rule("datetime", None),
                Err("a number names no moment"),
            ),
            (
                texts(["1", "one"]),
                DataType::Int64,
                rule("int", None),
                Err("column `c` of row {Id: 8}: 'one' does not fit int"),
            ),
            (
                floats([1.0, 1234.0]),
                DataType::Decimal128(5, 2),
                rule("decimal(5, 2)", None),
                Err("1234.0 does not fit decimal(5, 2)"),
            ),
            (
                floats([1.0, 1.239]),
                DataType::Decimal128(5, 2),
                rule("decimal(5, 2)", None),
                Ok("1.00, 1.24"),
            ),
            (
                texts(["öp", "o"]),
                DataType::Utf8,
                rule("varchar(2)", Some(2)),
                Ok("'öp', 'o'"),
            ),
            (
                texts(["öp", "öpe"]),
                DataType::Utf8,
                rule("varchar(2)", Some(2)),
                Err("column `c` of row {Id: 8}: 'öpe' has 3 characters, and varchar(2) takes 2"),
            ),
            (
                bytes,
                DataType::Binary,
                rule("varbinary(2)", Some(2)),
                Err("616263 has 3 bytes, and varbinary(2) takes 2"),
            ),
        ] {
            match (fit_two(array, to, &rule), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected),
                (Err(found), Err(expected)) => assert!(
                    found.ends_with(expected) || found.contains(expected),
                    "{found}"
                ),
                (found, expected) => panic!("{found:?} instead of {expected:?}"),
            }
        }
        let cuts = Rule {
            cuts: true,
            ..rule("varchar(2)", Some(2))
        };
        let cut = fit_two(texts(["öpe", "o"]), DataType::Utf8, &cuts);
        assert_eq!(cut, Ok("'öp', 'o'".to_owned()));
        let not_null = Rule {
            not_null: true,
            ..rule("int", None)
        };
        let nulls = Arc::new(Int64Array::from(vec![Some(1), None])) as ArrayRef;
        let refused = fit_two(nulls, DataType::Int64, &not_null).unwrap_err();
        assert_eq!(
            refused,
            "column `c` of row {Id: 8}: NULL, and the column is declared NOT NULL"
        );
    }
}
