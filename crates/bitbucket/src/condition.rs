//! Evaluating conditions here, on values that have been read.

use std::cmp::Ordering;

use arrow::array::{Array, AsArray as _};
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimestampMicrosecondType};
use bucketline_source::{Literal, Operator, Predicate};
use chrono::DateTime;

/// The value of a row, unless it is NULL.
pub(crate) fn cell(array: &dyn Array, row: usize) -> Option<Literal> {
    if array.is_null(row) {
        return None;
    }
    Some(match array.data_type() {
        DataType::Boolean => Literal::Bool(array.as_boolean().value(row)),
        DataType::Int64 => Literal::Int(array.as_primitive::<Int64Type>().value(row)),
        DataType::Float64 => Literal::Float(array.as_primitive::<Float64Type>().value(row)),
        DataType::Timestamp(..) => {
            let micros = array.as_primitive::<TimestampMicrosecondType>().value(row);
            Literal::Timestamp(DateTime::from_timestamp_micros(micros)?)
        }
        _ => Literal::Text(array.as_string_opt::<i32>()?.value(row).to_owned()),
    })
}

/// Whether a condition holds for a value as SQL says, texts compared by code points; a NULL matches nothing
/// but `IS NULL`. What cannot be compared is left to the caller of the source and passes.
pub(crate) fn holds(predicate: &Predicate, value: Option<&Literal>) -> bool {
    let Some(value) = value else {
        return predicate.operator == Operator::IsNull;
    };
    let against = |test: &dyn Fn(Ordering) -> bool| match predicate.values.first() {
        Some(other) => compare(value, other).is_none_or(test),
        None => true,
    };
    let among = || predicate.values.iter().map(|other| compare(value, other));
    match predicate.operator {
        Operator::IsNull => false,
        Operator::IsNotNull => true,
        Operator::In => among().any(|order| order.is_none_or(Ordering::is_eq)),
        Operator::NotIn => among().all(|order| order.is_none_or(Ordering::is_ne)),
        Operator::Eq => against(&Ordering::is_eq),
        Operator::NotEq => against(&Ordering::is_ne),
        Operator::Lt => against(&Ordering::is_lt),
        Operator::LtEq => against(&Ordering::is_le),
        Operator::Gt => against(&Ordering::is_gt),
        Operator::GtEq => against(&Ordering::is_ge),
        Operator::Contains => match (value, predicate.values.first()) {
            (Literal::Text(text), Some(Literal::Text(part))) => text.contains(part),
            _ => true,
        },
    }
}

fn compare(value: &Literal, other: &Literal) -> Option<Ordering> {
    match (value, other) {
        (Literal::Bool(value), Literal::Bool(other)) => Some(value.cmp(other)),
        (Literal::Int(value), Literal::Int(other)) => Some(value.cmp(other)),
        (Literal::Text(value), Literal::Text(other)) => Some(value.cmp(other)),
        (Literal::Timestamp(value), Literal::Timestamp(other)) => Some(value.cmp(other)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Operator::{Contains, Eq, Gt, In, IsNotNull, IsNull, Lt, NotEq, NotIn};

    #[test]
    fn conditions_hold_as_in_sql() {
        let text = |value: &str| Literal::Text(value.to_owned());
        let cases: [(Operator, Vec<Literal>, Option<Literal>, bool); 16] = [
            (Eq, vec![text("a")], Some(text("a")), true),
            (Eq, vec![text("a")], Some(text("A")), false),
            (Eq, vec![text("a")], None, false),
            (NotEq, vec![text("a")], Some(text("b")), true),
            (NotEq, vec![text("a")], None, false),
            (
                In,
                vec![Literal::Int(1), Literal::Int(2)],
                Some(Literal::Int(2)),
                true,
            ),
            (In, vec![], Some(Literal::Int(2)), false),
            (NotIn, vec![Literal::Int(1)], Some(Literal::Int(2)), true),
            (NotIn, vec![Literal::Int(1)], None, false),
            (Lt, vec![Literal::Int(3)], Some(Literal::Int(3)), false),
            (Gt, vec![Literal::Int(3)], Some(Literal::Int(4)), true),
            (IsNull, vec![], None, true),
            (IsNull, vec![], Some(text("a")), false),
            (IsNotNull, vec![], Some(text("a")), true),
            (Contains, vec![text("b")], Some(text("abc")), true),
            // Not comparable here, so it is left to others.
            (Eq, vec![text("3")], Some(Literal::Int(4)), true),
        ];
        for (operator, values, value, expected) in cases {
            let predicate = Predicate {
                column: 0,
                operator,
                values,
            };
            let held = holds(&predicate, value.as_ref());
            assert_eq!(held, expected, "{value:?} {predicate:?}");
        }
    }
}
