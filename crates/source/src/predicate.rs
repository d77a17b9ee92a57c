//! Conditions a source may be able to answer.

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};

/// A constant of a [`Predicate`].
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// A boolean.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A floating-point number.
    Float(f64),
    /// A text.
    Text(String),
    /// An instant; sources compare with microsecond precision.
    Timestamp(DateTime<Utc>),
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => write!(f, "{value}"),
            Self::Int(value) => write!(f, "{value}"),
            Self::Float(value) => write!(f, "{value}"),
            Self::Text(value) => write!(f, "'{}'", value.replace('\'', "''")),
            Self::Timestamp(value) => {
                write!(
                    f,
                    "'{}'",
                    value.to_rfc3339_opts(SecondsFormat::AutoSi, true)
                )
            }
        }
    }
}

/// How a [`Predicate`] compares its column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operator {
    /// `column = value`
    Eq,
    /// `column <> value`; a NULL column does not match.
    NotEq,
    /// `column < value`
    Lt,
    /// `column <= value`
    LtEq,
    /// `column > value`
    Gt,
    /// `column >= value`
    GtEq,
    /// `column IN (values)`
    In,
    /// `column NOT IN (values)`; a NULL column does not match.
    NotIn,
    /// `column IS NULL`, no values.
    IsNull,
    /// `column IS NOT NULL`, no values.
    IsNotNull,
    /// The text holds the value somewhere, exact case (`LIKE '%value%'`).
    Contains,
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Eq => "=",
            Self::NotEq => "<>",
            Self::Lt => "<",
            Self::LtEq => "<=",
            Self::Gt => ">",
            Self::GtEq => ">=",
            Self::In => "IN",
            Self::NotIn => "NOT IN",
            Self::IsNull => "IS NULL",
            Self::IsNotNull => "IS NOT NULL",
            Self::Contains => "CONTAINS",
        })
    }
}

/// One condition on one column. A scan request holds a list of them, joined by AND.
#[derive(Debug, Clone, PartialEq)]
pub struct Predicate {
    /// The column's index in [`TableSpec::columns`](crate::TableSpec::columns).
    pub column: usize,
    /// The comparison.
    pub operator: Operator,
    /// One value for comparisons, any number for `IN` and `NOT IN`, none for the null tests.
    pub values: Vec<Literal>,
}

impl Predicate {
    /// SQL's comparison of a text, by code points; a NULL matches nothing but `IS NULL`.
    pub(crate) fn holds(&self, value: Option<&str>) -> bool {
        let Some(value) = value else {
            return self.operator == Operator::IsNull;
        };
        let mut others = self.values.iter().filter_map(|literal| match literal {
            Literal::Text(text) => Some(text.as_str()),
            _ => None,
        });
        match self.operator {
            Operator::IsNull => false,
            Operator::IsNotNull => true,
            Operator::Eq | Operator::In => others.any(|other| value == other),
            Operator::NotEq | Operator::NotIn => others.all(|other| value != other),
            Operator::Lt => others.any(|other| value < other),
            Operator::LtEq => others.any(|other| value <= other),
            Operator::Gt => others.any(|other| value > other),
            Operator::GtEq => others.any(|other| value >= other),
            Operator::Contains => others.any(|other| value.contains(other)),
        }
    }

    /// The condition as SQL, with the column's name.
    pub fn display<'a>(&'a self, column: &'a str) -> impl fmt::Display + 'a {
        Shown {
            predicate: self,
            column,
        }
    }
}

struct Shown<'a> {
    predicate: &'a Predicate,
    column: &'a str,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Predicate {
            operator, values, ..
        } = self.predicate;
        write!(f, "{} {operator}", self.column)?;
        match operator {
            Operator::IsNull | Operator::IsNotNull => Ok(()),
            Operator::In | Operator::NotIn => {
                let values: Vec<_> = values.iter().map(Literal::to_string).collect();
                write!(f, " ({})", values.join(", "))
            }
            _ => values.iter().try_for_each(|value| write!(f, " {value}")),
        }
    }
}
