//! SQL for SQLite.

use std::fmt::Write as _;

use bucketline_destination::iso8601;
use bucketline_source::spec::{ColumnKind, ColumnSpec, Origin};
use bucketline_source::{Literal, Operator, Order, Predicate, Pushdown, TableSpec};
use rusqlite::types::Value;

use super::seen::EXACT;
use crate::decode::text_of;
use crate::name::quote;

/// The most values that a list of a condition may have.
const LIST: usize = 1_000;

/// A statement with its values beside it, or in it for people to read.
#[derive(Debug, Default)]
pub(super) struct Sql {
    pub(super) text: String,
    pub(super) values: Vec<Value>,
    shows_values: bool,
    has_condition: bool,
}

impl Sql {
    /// `SELECT outputs FROM table`.
    pub(super) fn select(outputs: &[String], table: &TableSpec) -> Self {
        let mut sql = Self::default();
        sql.begin(outputs, table);
        sql
    }

    /// The same to be shown, without the first word.
    pub(super) fn shown(outputs: &[String], table: &TableSpec) -> Self {
        let mut sql = Self {
            shows_values: true,
            ..Self::default()
        };
        sql.begin(outputs, table);
        sql.text.drain(.."SELECT ".len());
        sql
    }

    fn begin(&mut self, outputs: &[String], table: &TableSpec) {
        let outputs = match outputs {
            [] => "NULL".to_owned(),
            outputs => outputs.join(", "),
        };
        self.text = format!("SELECT {outputs} FROM {}", quote(&table.path));
    }

    /// `WHERE`, then `AND`.
    fn and(&mut self) {
        let word = if self.has_condition { "AND" } else { "WHERE" };
        write!(self.text, " {word} ").unwrap_or_default();
        self.has_condition = true;
    }

    fn value(&mut self, value: Value) {
        if self.shows_values {
            self.text.push_str(&literal(&value));
        } else {
            self.text.push('?');
            self.values.push(value);
        }
    }

    fn list(&mut self, values: Vec<Value>) {
        self.text.push('(');
        for (index, value) in values.into_iter().enumerate() {
            if index > 0 {
                self.text.push_str(", ");
            }
            self.value(value);
        }
        self.text.push(')');
    }

    /// A condition that SQLite [answers](pushdown). One that only narrows lets through the rows whose value is not
    /// of the column's type, so that whoever decodes them reports them.
    pub(super) fn filter(&mut self, column: &ColumnSpec, predicate: &Predicate) {
        self.and();
        let is_exact = column.filter.exact.contains(&predicate.operator);
        if !is_exact {
            self.text.push('(');
        }
        self.condition(column, predicate);
        if !is_exact {
            let misfits = misfits(column.kind, &column.filter.null_field);
            write!(self.text, " OR {misfits})").unwrap_or_default();
        }
    }

    fn condition(&mut self, column: &ColumnSpec, predicate: &Predicate) {
        let values: Vec<_> = predicate
            .values
            .iter()
            .filter_map(|value| stored(column.kind, value))
            .collect();
        let Predicate { operator, .. } = predicate;
        match operator {
            Operator::IsNull | Operator::IsNotNull => {
                write!(self.text, "{} {operator}", column.filter.null_field).unwrap_or_default();
            }
            Operator::Contains => {
                write!(self.text, "instr({}, ", column.filter.null_field).unwrap_or_default();
                values.into_iter().for_each(|value| self.value(value));
                self.text.push_str(") > 0");
            }
            Operator::In | Operator::NotIn => {
                write!(self.text, "{} {operator} ", column.filter.field).unwrap_or_default();
                self.list(values);
            }
            _ => {
                write!(self.text, "{} {operator} ", column.filter.field).unwrap_or_default();
                values.into_iter().for_each(|value| self.value(value));
            }
        }
    }

    /// Columns compared as one with values: `(a, b) > (1, 2)`.
    pub(super) fn bound(&mut self, columns: &[String], operator: &str, values: Vec<Value>) {
        self.and();
        match columns {
            [column] => {
                write!(self.text, "{column} {operator} ").unwrap_or_default();
                values.into_iter().for_each(|value| self.value(value));
            }
            columns => {
                write!(self.text, "({}) {operator} ", columns.join(", ")).unwrap_or_default();
                self.list(values);
            }
        }
    }

    /// `column IS NULL`, or its opposite.
    pub(super) fn null(&mut self, column: &str, is_null: bool) {
        self.and();
        let not = if is_null { "" } else { "NOT " };
        write!(self.text, "{column} IS {not}NULL").unwrap_or_default();
    }

    /// `ORDER BY column`.
    pub(super) fn order(&mut self, table: &TableSpec, order: Order) {
        let column = &table.columns[order.column];
        let direction = if order.descending { "DESC" } else { "ASC" };
        let field = &column.filter.field;
        write!(self.text, " ORDER BY {field} {direction}").unwrap_or_default();
        if column.nullable {
            let nulls = if order.nulls_first { "FIRST" } else { "LAST" };
            write!(self.text, " NULLS {nulls}").unwrap_or_default();
        }
    }

    /// Rows by these columns, so many at most.
    pub(super) fn page(&mut self, columns: &[String], rows: usize) {
        write!(self.text, " ORDER BY {}", columns.join(", ")).unwrap_or_default();
        self.limit(rows);
    }

    pub(super) fn limit(&mut self, rows: usize) {
        write!(self.text, " LIMIT {rows}").unwrap_or_default();
    }
}

/// The column's name in SQL.
pub(super) fn name(column: &ColumnSpec) -> String {
    match &column.origin {
        Origin::Row(path) => quote(&path.concat()),
        _ => quote(&column.name),
    }
}

/// What SQLite does with a condition.
pub(super) fn pushdown(column: &ColumnSpec, predicate: &Predicate) -> Pushdown {
    let mut values = predicate.values.iter();
    let is_said =
        predicate.values.len() <= LIST && values.all(|it| stored(column.kind, it).is_some());
    match is_said {
        true if column.filter.exact.contains(&predicate.operator) => Pushdown::Exact,
        true if column.filter.narrowing.contains(&predicate.operator) => Pushdown::Narrowing,
        _ => Pushdown::Kept,
    }
}

/// The rows whose value is not one that SQLite compares as we do.
fn misfits(kind: ColumnKind, column: &str) -> String {
    match kind {
        ColumnKind::Bool => format!("{column} NOT IN (0, 1)"),
        ColumnKind::Int => format!("typeof({column}) NOT IN ('integer', 'null')"),
        ColumnKind::Float => format!(
            "typeof({column}) NOT IN ('real', 'integer', 'null') \
             OR typeof({column}) = 'integer' AND abs({column} / 2) > {}",
            EXACT / 2
        ),
        ColumnKind::Timestamp => {
            let digits = |count| "[0-9]".repeat(count);
            format!(
                "{column} NOT GLOB '{}-{}-{}T{}:{}:{}.{}Z'",
                digits(4),
                digits(2),
                digits(2),
                digits(2),
                digits(2),
                digits(2),
                digits(6)
            )
        }
        _ => format!("typeof({column}) NOT IN ('text', 'null')"),
    }
}

/// A constant as a column of this type stores it; `None` if the two compare otherwise in Arrow.
fn stored(kind: ColumnKind, literal: &Literal) -> Option<Value> {
    Some(match (kind, literal) {
        (ColumnKind::Bool, Literal::Bool(value)) => Value::Integer(i64::from(*value)),
        (ColumnKind::Int, Literal::Int(number)) => Value::Integer(*number),
        // Arrow tells the two zeros apart, and has an order for what is no number.
        (ColumnKind::Float, Literal::Float(number)) if *number != 0.0 && !number.is_nan() => {
            Value::Real(*number)
        }
        (ColumnKind::Text, Literal::Text(text)) => Value::Text(text.clone()),
        (ColumnKind::Timestamp, Literal::Timestamp(moment)) => {
            let text = iso8601::instant(moment.timestamp_micros())?;
            Value::Text(text.as_str().to_owned())
        }
        _ => return None,
    })
}

/// A value as SQL.
fn literal(value: &Value) -> String {
    match value {
        Value::Text(text) => format!("'{}'", text.replace('\'', "''")),
        Value::Blob(bytes) => format!("x'{}'", text_of(bytes.as_slice().into())),
        other => text_of(other.into()),
    }
}
