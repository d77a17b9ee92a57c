//! USING and NATURAL, written out: a condition, and columns that are one of both sides.
//!
//! The planner reads such a column from the left side, whose rows an outer join may have filled up with NULLs.

use bucketline_sql::nearest;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList,
    FunctionArguments, Ident, JoinConstraint, JoinOperator, Value,
};

use super::from_clause::{Visible, parts};
use crate::{Error, code};

/// Where the value of a merged column is.
#[derive(Clone, Copy)]
enum Kept {
    Left,
    Right,
    /// In either side, or in both.
    Some,
}

/// What a join does with the columns of its sides.
pub(super) enum Columns<'a> {
    /// It has all of them.
    All,
    /// It merges those that its constraint names.
    Merging(Merging<'a>),
    /// It has some of them.
    Few,
}

/// A join that merges columns.
pub(super) struct Merging<'a> {
    constraint: &'a mut JoinConstraint,
    kept: Kept,
}

/// What a join does with the columns of its sides.
pub(super) fn columns(operator: &mut JoinOperator) -> Columns<'_> {
    let (constraint, kept) = match operator {
        JoinOperator::Join(constraint)
        | JoinOperator::Inner(constraint)
        | JoinOperator::CrossJoin(constraint)
        | JoinOperator::Left(constraint)
        | JoinOperator::LeftOuter(constraint) => (constraint, Kept::Left),
        JoinOperator::Right(constraint) | JoinOperator::RightOuter(constraint) => {
            (constraint, Kept::Right)
        }
        JoinOperator::FullOuter(constraint) => (constraint, Kept::Some),
        JoinOperator::CrossApply | JoinOperator::OuterApply => return Columns::All,
        _ => return Columns::Few,
    };
    match constraint {
        JoinConstraint::Using(_) | JoinConstraint::Natural => {
            Columns::Merging(Merging { constraint, kept })
        }
        _ => Columns::All,
    }
}

impl Merging<'_> {
    /// Writes the constraint out, and gives the columns of the join: the merged ones first.
    pub(super) fn write_out(
        self,
        mut left: Vec<Visible>,
        mut right: Vec<Visible>,
    ) -> Result<Vec<Visible>, (Error, Option<Ident>)> {
        let names: Vec<Ident> = match &*self.constraint {
            JoinConstraint::Using(names) => {
                let last = names.iter().filter_map(|name| parts(name).pop());
                last.collect()
            }
            _ => {
                let is_right = |it: &&Visible| {
                    let name = &it.column.name;
                    right
                        .iter()
                        .any(|it| it.column.name.eq_ignore_ascii_case(name))
                };
                let both = left.iter().filter(is_right);
                both.map(|it| Ident::with_quote('"', it.column.name.as_str()))
                    .collect()
            }
        };
        let mut condition: Option<Expr> = None;
        let mut columns = Vec::with_capacity(left.len() + right.len());
        for name in names {
            let one = taken(&mut left, &name, "left");
            let one = one.map_err(|error| (error, Some(name.clone())))?;
            let other = taken(&mut right, &name, "right");
            let other = other.map_err(|error| (error, Some(name.clone())))?;
            let equal = binary(one.expr.clone(), BinaryOperator::Eq, other.expr.clone());
            condition = Some(match condition {
                Some(condition) => binary(condition, BinaryOperator::And, equal),
                None => equal,
            });
            columns.push(Visible {
                column: one.column,
                expr: match self.kept {
                    Kept::Left => one.expr,
                    Kept::Right => other.expr,
                    Kept::Some => coalesce(one.expr, other.expr),
                },
                is_merged: true,
            });
        }
        let always = || Expr::Value(Value::Boolean(true).into());
        *self.constraint = JoinConstraint::On(condition.unwrap_or_else(always));
        columns.append(&mut left);
        columns.append(&mut right);
        Ok(columns)
    }
}

/// The one column of that name, which is no longer among the others.
fn taken(columns: &mut Vec<Visible>, name: &Ident, side: &str) -> Result<Visible, Error> {
    let places = |is_it: &dyn Fn(&str) -> bool| -> Vec<usize> {
        let places = columns.iter().enumerate();
        let places = places.filter(|(_, it)| is_it(&it.column.name));
        places.map(|(place, _)| place).collect()
    };
    let places = match places(&|it| it == name.value) {
        exact if exact.is_empty() => places(&|it| it.eq_ignore_ascii_case(&name.value)),
        exact => exact,
    };
    match places.as_slice() {
        [place] => Ok(columns.remove(*place)),
        [] => {
            let names = || columns.iter().map(|it| it.column.name.as_str());
            let message = format!(
                "USING ({}): the {side} side of the join has no such column",
                name.value
            );
            Err(Error::new(code::UNKNOWN_COLUMN, message).with_hint(
                match nearest(&name.value, names()) {
                    Some(near) => format!("did you mean {near}?"),
                    None => format!("its columns are {}", names().collect::<Vec<_>>().join(", ")),
                },
            ))
        }
        _ => {
            let message = format!(
                "several columns of the {side} side of the join are named {}",
                name.value
            );
            Err(Error::new(code::AMBIGUOUS_NAME, message)
                .with_hint("join with ON, and write the table's name or alias before it"))
        }
    }
}

fn binary(left: Expr, op: BinaryOperator, right: Expr) -> Expr {
    Expr::BinaryOp {
        left: Box::new(left),
        op,
        right: Box::new(right),
    }
}

fn coalesce(one: Expr, other: Expr) -> Expr {
    let argument = |expr| FunctionArg::Unnamed(FunctionArgExpr::Expr(expr));
    Expr::Function(Function {
        name: Ident::new("COALESCE").into(),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: vec![argument(one), argument(other)],
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}
