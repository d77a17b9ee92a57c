//! From compiled conditions to what a source may be able to answer.

use std::sync::Arc;

use bucketline_source::{Literal, Operator, Predicate};
use chrono::{DateTime, Utc};
use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::Operator as Op;
use datafusion::physical_expr::expressions::Literal as Constant;
use datafusion::physical_expr::expressions::{
    BinaryExpr, CastExpr, Column, InListExpr, IsNotNullExpr, IsNullExpr, LikeExpr, NotExpr,
};
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr, split_conjunction};

/// Translates the conditions joined by AND in `expr`; `columns` maps its column indices to the table's.
/// The flag says whether the predicates together mean exactly what `expr` means.
pub(crate) fn translate(expr: &Arc<dyn PhysicalExpr>, columns: &[usize]) -> (Vec<Predicate>, bool) {
    let mut complete = true;
    let mut predicates = Vec::new();
    for part in split_conjunction(expr) {
        match one(part, columns) {
            Some(predicate) => predicates.push(predicate),
            None if is_true(part) => {}
            None => complete = false,
        }
    }
    (predicates, complete)
}

fn one(expr: &Arc<dyn PhysicalExpr>, columns: &[usize]) -> Option<Predicate> {
    if let Some(binary) = expr.downcast_ref::<BinaryExpr>() {
        return match binary.op() {
            Op::Or => any_of(expr, columns),
            _ => comparison(binary, columns),
        };
    }
    let build = |column, operator, values| {
        Some(Predicate {
            column,
            operator,
            values,
        })
    };
    if let Some(test) = expr.downcast_ref::<IsNullExpr>() {
        return build(column(test.arg(), columns)?, Operator::IsNull, vec![]);
    }
    if let Some(test) = expr.downcast_ref::<IsNotNullExpr>() {
        return build(column(test.arg(), columns)?, Operator::IsNotNull, vec![]);
    }
    if let Some(list) = expr.downcast_ref::<InListExpr>() {
        let values: Option<Vec<Literal>> = list.list().iter().map(literal).collect();
        let operator = if list.negated() {
            Operator::NotIn
        } else {
            Operator::In
        };
        return build(column(list.expr(), columns)?, operator, values?);
    }
    if let Some(like) = expr.downcast_ref::<LikeExpr>() {
        if like.negated() || like.case_insensitive() {
            return None;
        }
        let Some(Literal::Text(pattern)) = literal(like.pattern()) else {
            return None;
        };
        let inner = text_within(&pattern)?;
        return build(
            column(like.expr(), columns)?,
            Operator::Contains,
            vec![Literal::Text(inner)],
        );
    }
    if let Some(not) = expr.downcast_ref::<NotExpr>() {
        return build(
            column(not.arg(), columns)?,
            Operator::Eq,
            vec![Literal::Bool(false)],
        );
    }
    build(
        column(expr, columns)?,
        Operator::Eq,
        vec![Literal::Bool(true)],
    )
}

/// The text that a pattern looks for, if it stands anywhere in what matches.
fn text_within(pattern: &str) -> Option<String> {
    let mut characters = pattern.strip_prefix('%')?.chars();
    let mut text = String::new();
    loop {
        match characters.next()? {
            '%' => return (characters.next().is_none() && !text.is_empty()).then_some(text),
            '_' => return None,
            '\\' => text.push(characters.next()?),
            c => text.push(c),
        }
    }
}

/// `column op constant`, either way round.
fn comparison(binary: &BinaryExpr, columns: &[usize]) -> Option<Predicate> {
    let (subject, constant, op) = match binary.right().downcast_ref::<Constant>() {
        Some(constant) => (binary.left(), constant, *binary.op()),
        None => {
            let constant = binary.left().downcast_ref::<Constant>()?;
            (binary.right(), constant, binary.op().swap()?)
        }
    };
    let operator = match op {
        Op::Eq => Operator::Eq,
        Op::NotEq => Operator::NotEq,
        Op::Lt => Operator::Lt,
        Op::LtEq => Operator::LtEq,
        Op::Gt => Operator::Gt,
        Op::GtEq => Operator::GtEq,
        _ => return None,
    };
    if let Some(column) = column(subject, columns) {
        return Some(Predicate {
            column,
            operator,
            values: vec![scalar(constant.value())?],
        });
    }
    if let Some(call) = subject.downcast_ref::<ScalarFunctionExpr>() {
        let holds = operator == Operator::Eq && *constant.value() == ScalarValue::Int64(Some(1));
        return holds.then(|| contained(call, columns)).flatten();
    }
    // A constant of a finer time unit (now() has nanoseconds) widens the column instead.
    let cast = subject.downcast_ref::<CastExpr>()?;
    let column = column(cast.expr(), columns)?;
    let ScalarValue::TimestampNanosecond(Some(nanoseconds), Some(_)) = constant.value() else {
        return None;
    };
    if !matches!(
        cast.cast_type(),
        DataType::Timestamp(TimeUnit::Nanosecond, Some(_))
    ) {
        return None;
    }
    let floor = nanoseconds.div_euclid(1_000);
    let whole = nanoseconds.rem_euclid(1_000) == 0;
    let (operator, microseconds) = match operator {
        _ if whole => (operator, floor),
        Operator::Gt | Operator::GtEq => (Operator::GtEq, floor + 1),
        Operator::Lt | Operator::LtEq => (Operator::LtEq, floor),
        _ => return None,
    };
    Some(Predicate {
        column,
        operator,
        values: vec![timestamp(microseconds)?],
    })
}

/// `CONTAINS(column, 'text')`, which is 1 where it holds.
fn contained(call: &ScalarFunctionExpr, columns: &[usize]) -> Option<Predicate> {
    let ("contains", [subject, text]) = (call.name(), call.args()) else {
        return None;
    };
    let text =
        literal(text).filter(|text| matches!(text, Literal::Text(text) if !text.is_empty()))?;
    Some(Predicate {
        column: column(subject, columns)?,
        operator: Operator::Contains,
        values: vec![text],
    })
}

/// `a = 1 OR a = 2 OR ...` of one column, as the optimizer writes short IN lists.
fn any_of(expr: &Arc<dyn PhysicalExpr>, columns: &[usize]) -> Option<Predicate> {
    fn gather(
        expr: &Arc<dyn PhysicalExpr>,
        columns: &[usize],
        into: &mut Vec<Predicate>,
    ) -> Option<()> {
        if let Some(binary) = expr.downcast_ref::<BinaryExpr>()
            && *binary.op() == Op::Or
        {
            gather(binary.left(), columns, into)?;
            return gather(binary.right(), columns, into);
        }
        let predicate = one(expr, columns)?;
        matches!(predicate.operator, Operator::Eq | Operator::In).then(|| into.push(predicate))
    }
    let mut parts = Vec::new();
    gather(expr, columns, &mut parts)?;
    let column = parts.first()?.column;
    parts
        .iter()
        .all(|part| part.column == column)
        .then(|| Predicate {
            column,
            operator: Operator::In,
            values: parts.into_iter().flat_map(|part| part.values).collect(),
        })
}

fn column(expr: &Arc<dyn PhysicalExpr>, columns: &[usize]) -> Option<usize> {
    columns.get(expr.downcast_ref::<Column>()?.index()).copied()
}

fn literal(expr: &Arc<dyn PhysicalExpr>) -> Option<Literal> {
    scalar(expr.downcast_ref::<Constant>()?.value())
}

fn is_true(expr: &Arc<dyn PhysicalExpr>) -> bool {
    expr.downcast_ref::<Constant>()
        .is_some_and(|constant| *constant.value() == ScalarValue::Boolean(Some(true)))
}

fn scalar(value: &ScalarValue) -> Option<Literal> {
    Some(match value {
        ScalarValue::Boolean(Some(value)) => Literal::Bool(*value),
        ScalarValue::Int8(Some(value)) => Literal::Int((*value).into()),
        ScalarValue::Int16(Some(value)) => Literal::Int((*value).into()),
        ScalarValue::Int32(Some(value)) => Literal::Int((*value).into()),
        ScalarValue::Int64(Some(value)) => Literal::Int(*value),
        ScalarValue::Float64(Some(value)) => Literal::Float(*value),
        ScalarValue::Utf8(Some(value))
        | ScalarValue::LargeUtf8(Some(value))
        | ScalarValue::Utf8View(Some(value)) => Literal::Text(value.clone()),
        ScalarValue::TimestampMicrosecond(Some(value), Some(_)) => return timestamp(*value),
        _ => return None,
    })
}

fn timestamp(microseconds: i64) -> Option<Literal> {
    DateTime::<Utc>::from_timestamp_micros(microseconds).map(Literal::Timestamp)
}
