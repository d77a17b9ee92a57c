//! Relative dates: stretches of days that a date is compared with. `UpdatedOn = L_LAST_WEEK()` is two comparisons
//! with moments, which a source can answer.

use std::hash::{Hash, Hasher};

use chrono::{Days as Count, NaiveDate};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{DFSchema, DataFusionError, ScalarValue, internal_err};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility, lit,
};
use datafusion::sql::sqlparser::ast::BinaryOperator;

use super::call::{Clocks, Complaint};
use super::clock::{scalar, today};
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
    relative("l_today", &[], |today, _| days(today, 0, 1), "Today."),
    relative(
        "l_yesterday",
        &[],
        |today, _| days(today, -1, 0),
        "Yesterday.",
    ),
    relative("l_tomorrow", &[], |today, _| days(today, 1, 2), "Tomorrow."),
    relative(
        "l_last_week",
        &[],
        |today, _| weeks(today, -1, 0),
        "Last week, from Sunday to Saturday.",
    ),
    relative(
        "l_this_week",
        &[],
        |today, _| weeks(today, 0, 1),
        "This week.",
    ),
    relative(
        "l_next_week",
        &[],
        |today, _| weeks(today, 1, 2),
        "Next week.",
    ),
    relative(
        "l_last_n_days",
        N,
        |today, n| days(today, -n, 0),
        "The `n` days before today.",
    ),
    relative(
        "l_next_n_days",
        N,
        |today, n| days(today, 0, n),
        "`n` days from today on.",
    )
    .noting("Today is the first of them, while L_LAST_N_DAYS leaves today out, as CData's do."),
    relative(
        "l_last_n_weeks",
        N,
        |today, n| weeks(today, -n, 0),
        "The `n` weeks before this one.",
    ),
    relative(
        "l_next_n_weeks",
        N,
        |today, n| weeks(today, 1, n.saturating_add(1)),
        "The `n` weeks after this one.",
    ),
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

fn weeks(today: NaiveDate, from: i64, to: i64) -> Option<(NaiveDate, NaiveDate)> {
    days(
        first_of(Part::Week, today),
        from.checked_mul(7)?,
        to.checked_mul(7)?,
    )
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
    name: String,
    signature: Signature,
}

impl Relative {
    pub(super) fn new(function: &'static Function, days: Days) -> Self {
        Self {
            function,
            days,
            end: None,
            name: function.name.to_owned(),
            signature: match function.arguments {
                [] => Signature::nullary(Volatility::Stable),
                _ => Signature::exact(vec![DataType::Int64], Volatility::Stable),
            },
        }
    }

    fn end(&self, end: End) -> Self {
        let which = match end {
            End::First => "first",
            End::Behind => "behind",
        };
        Self {
            end: Some(end),
            name: format!("{}_{which}", self.name),
            ..self.clone()
        }
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
        Ok(moment_type())
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
        let moment = scalar(Some(zone.moment(date.into())));
        Ok(ExprSimplifyResult::Simplified(Expr::Literal(moment, None)))
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
        _schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>, DataFusionError> {
        let RawBinaryExpr { op, left, right } = &comparison;
        let turned = match (ends(left), ends(right)) {
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

/// The first moment of a relative date and the one behind its last.
fn ends(expr: &Expr) -> Option<[Expr; 2]> {
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
    Some([End::First, End::Behind].map(|end| {
        let function = relative.end(end).into();
        Expr::ScalarFunction(ScalarFunction::new_udf(
            std::sync::Arc::new(function),
            count.clone(),
        ))
    }))
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
