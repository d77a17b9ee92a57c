//! Relative dates: stretches of days that a date is compared with. `UpdatedOn = L_LAST_WEEK()` is two comparisons
//! with moments, which a source can answer.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use chrono::{Days as Count, NaiveDate};
use datafusion::arrow::datatypes::{DataType, Date32Type};
use datafusion::common::{DFSchema, DataFusionError, ScalarValue, internal_err};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExprSchemable, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
    lit,
};
use datafusion::sql::sqlparser::ast::BinaryOperator;

use super::call::{Clocks, Complaint};
use super::clock::{Clocked, scalar, today};
use super::date::{Part, first_of};
use super::declaration::{Argument, Body, Function, function, int};
use crate::types::moment_type;

/// The days meant, as the first one and the one behind the last, by today and the count given.
pub(super) type Days = fn(NaiveDate, i64) -> Option<(NaiveDate, NaiveDate)>;

const N: &[Argument] = &[int("n")];

const fn relative(
    name: &'static str,
    arguments: &'static [Argument],
    days: Days,
    description: &'static str,
) -> Function {
    function(name, arguments, Body::Relative(days), description)
}

pub(super) const FUNCTIONS: &[Function] = &[
    relative(
        "l_today",
        &[],
        |today, _| days(today, 0, 1),
        "Today.",
    )
    .noting("TODAY() without L_ is a date, and in `=` and `<>` with a date and time the same as this."),
    relative(
        "l_yesterday",
        &[],
        |today, _| days(today, -1, 0),
        "Yesterday.",
    )
    .or(&["yesterday"]),
    relative(
        "l_tomorrow",
        &[],
        |today, _| days(today, 1, 2),
        "Tomorrow.",
    )
    .or(&["tomorrow"]),
    relative(
        "l_last_week",
        &[],
        |today, _| parts(Part::Week, today, -1, 0),
        "Last week, from Sunday to Saturday.",
    )
    .noting("LAST_WEEK() without L_ is the moment a week ago, and only in `=` and `<>` the same as this."),
    relative(
        "l_this_week",
        &[],
        |today, _| parts(Part::Week, today, 0, 1),
        "This week.",
    )
    .or(&["this_week"]),
    relative(
        "l_next_week",
        &[],
        |today, _| parts(Part::Week, today, 1, 2),
        "Next week.",
    )
    .or(&["next_week"]),
    relative(
        "l_last_month",
        &[],
        |today, _| parts(Part::Month, today, -1, 0),
        "Last month.",
    )
    .noting("LAST_MONTH() without L_ is the moment a month ago, and only in `=` and `<>` the same as this."),
    relative(
        "l_this_month",
        &[],
        |today, _| parts(Part::Month, today, 0, 1),
        "This month.",
    )
    .or(&["this_month"]),
    relative(
        "l_next_month",
        &[],
        |today, _| parts(Part::Month, today, 1, 2),
        "Next month.",
    )
    .or(&["next_month"]),
    relative(
        "l_last_quarter",
        &[],
        |today, _| parts(Part::Quarter, today, -1, 0),
        "Last quarter.",
    )
    .or(&["last_quarter"]),
    relative(
        "l_this_quarter",
        &[],
        |today, _| parts(Part::Quarter, today, 0, 1),
        "This quarter.",
    )
    .or(&["this_quarter"]),
    relative(
        "l_next_quarter",
        &[],
        |today, _| parts(Part::Quarter, today, 1, 2),
        "Next quarter.",
    )
    .or(&["next_quarter"]),
    relative(
        "l_last_year",
        &[],
        |today, _| parts(Part::Year, today, -1, 0),
        "Last year.",
    )
    .noting("LAST_YEAR() without L_ is the moment a year ago, and only in `=` and `<>` the same as this."),
    relative(
        "l_this_year",
        &[],
        |today, _| parts(Part::Year, today, 0, 1),
        "This year.",
    )
    .or(&["this_year"]),
    relative(
        "l_next_year",
        &[],
        |today, _| parts(Part::Year, today, 1, 2),
        "Next year.",
    )
    .or(&["next_year"]),
    relative(
        "l_last_90_days",
        &[],
        |today, _| days(today, -90, 0),
        "The 90 days before today.",
    )
    .or(&["last_90_days"]),
    relative(
        "l_next_90_days",
        &[],
        |today, _| days(today, 0, 90),
        "90 days from today on.",
    )
    .or(&["next_90_days"]),
    relative(
        "l_last_n_days",
        N,
        |today, n| days(today, -n, 0),
        "The `n` days before today.",
    )
    .or(&["last_n_days"]),
    relative(
        "l_next_n_days",
        N,
        |today, n| days(today, 0, n),
        "`n` days from today on.",
    )
    .or(&["next_n_days"])
    .noting("Today is the first of them, while L_LAST_N_DAYS leaves today out, as CData's do."),
    relative(
        "l_last_n_weeks",
        N,
        |today, n| parts(Part::Week, today, -n, 0),
        "The `n` weeks before this one.",
    )
    .or(&["last_n_weeks"]),
    relative(
        "l_next_n_weeks",
        N,
        |today, n| parts(Part::Week, today, 1, n.saturating_add(1)),
        "The `n` weeks after this one.",
    )
    .or(&["next_n_weeks"]),
    relative(
        "l_last_n_months",
        N,
        |today, n| parts(Part::Month, today, -n, 0),
        "The `n` months before this one.",
    )
    .or(&["last_n_months"]),
    relative(
        "l_next_n_months",
        N,
        |today, n| parts(Part::Month, today, 1, n.saturating_add(1)),
        "The `n` months after this one.",
    )
    .or(&["next_n_months"]),
    relative(
        "l_last_n_quarters",
        N,
        |today, n| parts(Part::Quarter, today, -n, 0),
        "The `n` quarters before this one.",
    )
    .or(&["last_n_quarters"]),
    relative(
        "l_next_n_quarters",
        N,
        |today, n| parts(Part::Quarter, today, 1, n.saturating_add(1)),
        "The `n` quarters after this one.",
    )
    .or(&["next_n_quarters"]),
    relative(
        "l_last_n_years",
        N,
        |today, n| parts(Part::Year, today, -n, 0),
        "The `n` years before this one.",
    )
    .or(&["last_n_years"]),
    relative(
        "l_next_n_years",
        N,
        |today, n| parts(Part::Year, today, 1, n.saturating_add(1)),
        "The `n` years after this one.",
    )
    .or(&["next_n_years"]),
];

fn days(today: NaiveDate, from: i64, to: i64) -> Option<(NaiveDate, NaiveDate)> {
    let day = |count: i64| {
        let step = Count::new(count.unsigned_abs());
        if count < 0 {
            today.checked_sub_days(step)
        } else {
            today.checked_add_days(step)
        }
    };
    day(from).zip(day(to))
}

/// Whole weeks, months, quarters or years, counted from the one that today is in.
fn parts(part: Part, today: NaiveDate, from: i64, to: i64) -> Option<(NaiveDate, NaiveDate)> {
    let this = first_of(part, today);
    let first = |count: i64| part.add(this.into(), count).map(|first| first.date());
    first(from).zip(first(to))
}

/// One end of a stretch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum End {
    First,
    Behind,
}

/// A relative date for the planner: as it is called, or one of its ends.
#[derive(Debug, Clone)]
pub(super) struct Relative {
    function: &'static Function,
    days: Days,
    end: Option<End>,
    /// Whether its ends are dates, rather than the moments at which these begin.
    dated: bool,
    name: String,
    signature: Signature,
}

impl Relative {
    pub(super) fn new(function: &'static Function, days: Days) -> Self {
        Self {
            function,
            days,
            end: None,
            dated: false,
            name: function.name.to_owned(),
            signature: match function.arguments {
                [] => Signature::nullary(Volatility::Stable),
                _ => Signature::exact(vec![DataType::Int64], Volatility::Stable),
            },
        }
    }

    fn end(&self, end: End, dated: bool) -> Self {
        let which = match end {
            End::First => "first",
            End::Behind => "behind",
        };
        let kind = if dated { "day" } else { "moment" };
        Self {
            end: Some(end),
            dated,
            name: format!("{}_{which}_{kind}", self.name),
            ..self.clone()
        }
    }

    /// Calls that give the first moment or day and the one behind the last.
    fn ends(&self, count: &[Expr], dated: bool) -> [Expr; 2] {
        [End::First, End::Behind].map(|end| {
            let function = Arc::new(self.end(end, dated).into());
            Expr::ScalarFunction(ScalarFunction::new_udf(function, count.to_vec()))
        })
    }

    fn error(&self, message: &str, hint: &str) -> DataFusionError {
        Complaint::new(message).with_hint(hint).of(self.function)
    }
}

// Two of one declaration and end are the same.
impl PartialEq for Relative {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Relative {}

impl Hash for Relative {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for Relative {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _given: &[DataType]) -> Result<DataType, DataFusionError> {
        Ok(match self.dated {
            true => DataType::Date32,
            false => moment_type(),
        })
    }

    fn simplify(
        &self,
        args: Vec<Expr>,
        context: &SimplifyContext,
    ) -> Result<ExprSimplifyResult, DataFusionError> {
        let Some(end) = self.end else {
            return Err(self.error(
                "a relative date stands for several days, so it has no value of its own",
                "compare a column with it by =, <>, <, <=, > or >=",
            ));
        };
        let Some((today, zone)) = today(context) else {
            return Ok(ExprSimplifyResult::Original(args));
        };
        let count = match args.as_slice() {
            [] => 0,
            [Expr::Literal(ScalarValue::Int64(Some(count)), _)] if *count >= 0 => *count,
            _ => return Err(self.error("n has to be a whole number from 0 on", "such as 3")),
        };
        let (first, behind) = (self.days)(today, count)
            .ok_or_else(|| self.error("there are no such dates", "give a smaller number"))?;
        let date = match end {
            End::First => first,
            End::Behind => behind,
        };
        let value = match self.dated {
            true => ScalarValue::Date32(Some(Date32Type::from_naive_date(date))),
            false => scalar(Some(zone.moment(date.into()))),
        };
        Ok(ExprSimplifyResult::Simplified(Expr::Literal(value, None)))
    }

    fn invoke_with_args(
        &self,
        _args: ScalarFunctionArgs,
    ) -> Result<ColumnarValue, DataFusionError> {
        internal_err!("the planner left {}() in place", self.name)
    }
}

/// Turns comparisons with relative dates into comparisons with their ends.
#[derive(Debug)]
pub(crate) struct RelativeDates;

impl ExprPlanner for RelativeDates {
    fn plan_binary_op(
        &self,
        comparison: RawBinaryExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>, DataFusionError> {
        let RawBinaryExpr { op, left, right } = &comparison;
        let ends = |expr: &Expr, subject: &Expr| {
            let kind = subject.get_type(schema).ok()?;
            let dated = kind == DataType::Date32;
            let nothing_else_equals = matches!(op, BinaryOperator::Eq | BinaryOperator::NotEq)
                && matches!(kind, DataType::Timestamp(..));
            match nothing_else_equals {
                true => ends(expr, dated).or_else(|| of_moment(expr)),
                false => ends(expr, dated),
            }
        };
        let turned = match (ends(left, right), ends(right, left)) {
            (None, Some(ends)) => compared(left, op, ends),
            (Some(ends), None) => swapped(op).and_then(|op| compared(right, &op, ends)),
            _ => None,
        };
        Ok(match turned {
            Some(turned) => PlannerResult::Planned(turned),
            None => PlannerResult::Original(comparison),
        })
    }
}

/// The first moment or day of a relative date and the one behind its last.
fn ends(expr: &Expr, dated: bool) -> Option<[Expr; 2]> {
    let Expr::ScalarFunction(call) = expr else {
        return None;
    };
    let relative = call.func.inner().downcast_ref::<Relative>()?;
    let count = match call.args.as_slice() {
        [Expr::Literal(ScalarValue::Int64(_), _)] | [] => call.args.clone(),
        // Texts of numbers are numbers to CData.
        [Expr::Literal(ScalarValue::Utf8(Some(text)), _)] => {
            vec![lit(text.trim().parse::<i64>().ok()?)]
        }
        _ => return None,
    };
    Some(relative.ends(&count, dated))
}

/// The ends of L_TODAY() for TODAY(), of L_LAST_WEEK() for LAST_WEEK() and the like, which are a moment each.
fn of_moment(expr: &Expr) -> Option<[Expr; 2]> {
    let Expr::ScalarFunction(call) = expr else {
        return None;
    };
    let clocked = call.func.inner().downcast_ref::<Clocked>()?;
    let is_meant = |function: &&Function| {
        let name = function.name.strip_prefix("l_").unwrap_or_default();
        clocked.is_named(name)
    };
    let relative = FUNCTIONS.iter().find(is_meant)?;
    match relative.body {
        Body::Relative(days) => Some(Relative::new(relative, days).ends(&[], false)),
        _ => None,
    }
}

fn compared(subject: &Expr, op: &BinaryOperator, [first, behind]: [Expr; 2]) -> Option<Expr> {
    let subject = subject.clone();
    Some(match op {
        BinaryOperator::Eq => subject.clone().gt_eq(first).and(subject.lt(behind)),
        BinaryOperator::NotEq => subject.clone().lt(first).or(subject.gt_eq(behind)),
        BinaryOperator::Lt => subject.lt(first),
        BinaryOperator::LtEq => subject.lt(behind),
        BinaryOperator::Gt => subject.gt_eq(behind),
        BinaryOperator::GtEq => subject.gt_eq(first),
        _ => return None,
    })
}

fn swapped(op: &BinaryOperator) -> Option<BinaryOperator> {
    Some(match op {
        BinaryOperator::Eq | BinaryOperator::NotEq => op.clone(),
        BinaryOperator::Lt => BinaryOperator::Gt,
        BinaryOperator::LtEq => BinaryOperator::GtEq,
        BinaryOperator::Gt => BinaryOperator::Lt,
        BinaryOperator::GtEq => BinaryOperator::LtEq,
        _ => return None,
    })
}
