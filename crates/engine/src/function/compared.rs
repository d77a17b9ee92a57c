//! Texts that stand for moments where they are compared with one.

use datafusion::arrow::array::timezone::Tz;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, DataFusionError, ScalarValue};
use datafusion::logical_expr::expr::Cast;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, cast, lit};
use datafusion::optimizer::AnalyzerRule;

use super::analysis::each_expression;
use super::call::{self, Clocks, Compute};
use super::date::{self, Zoned};
use super::declaration::{Function, computed, moment};
use super::{clock, scalar};
use crate::types::moment_type;

/// Reads `'2026-01-01'` in `UpdatedOn > '2026-01-01'` by the clocks of the session's time zone, as functions read it. The
/// planner casts such a text to a moment, which without this is one of UTC; so does it with dates, and with moments that
/// are cast to dates.
#[derive(Debug)]
pub(crate) struct ComparedTexts;

/// What a moment cast to a date is where days do not begin with those of UTC, and a date cast to a moment.
static LOCAL_DATE: Function = computed(
    "local_date",
    &[moment("moment")],
    Compute::Date(|call| Ok(Some(call.local(0)?.date()))),
    "The day of the moment.",
);
static MIDNIGHT: Function = computed(
    "midnight",
    &[moment("date")],
    Compute::Moment(|call| Ok(Some(call.moment(call.local(0)?)))),
    "The moment at which the day begins.",
);

impl AnalyzerRule for ComparedTexts {
    fn analyze(
        &self,
        plan: LogicalPlan,
        options: &ConfigOptions,
    ) -> Result<LogicalPlan, DataFusionError> {
        let zone = call::zone(options);
        let zone_name = options.execution.time_zone.as_deref();
        let is_utc = zone_name.is_none_or(|name| matches!(name, "+00:00" | "UTC" | "Z"));
        each_expression(plan, |expression, schema| {
            expression.transform_up(|part| {
                let read = moment_of_text(part, &zone);
                match read.transformed || is_utc {
                    true => Ok(read),
                    false => zoned(read.data, schema),
                }
            })
        })
    }

    fn name(&self) -> &'static str {
        "compared_texts"
    }
}

/// A cast between moments and dates by the session's time zone.
fn zoned(part: Expr, schema: &DFSchema) -> Result<Transformed<Expr>, DataFusionError> {
    let Expr::Cast(Cast { expr, field }) = &part else {
        return Ok(Transformed::no(part));
    };
    let argument = expr.as_ref().clone();
    let (function, argument) = match (expr.get_type(schema)?, field.data_type()) {
        (DataType::Timestamp(_, Some(_)), DataType::Date32) => {
            (&LOCAL_DATE, cast(argument, moment_type()))
        }
        // The planner compares moments with dates as times of UTC.
        (DataType::Date32, DataType::Timestamp(..)) => (&MIDNIGHT, argument),
        _ => return Ok(Transformed::no(part)),
    };
    let kind = field.data_type().clone();
    Ok(match scalar(function) {
        Some(function) => Transformed::yes(cast(function.call(vec![argument]), kind)),
        None => Transformed::no(part),
    })
}

/// The moment that a text is cast to, if the text names no zone of its own.
fn moment_of_text(expression: Expr, zone: &Tz) -> Transformed<Expr> {
    let read = match &expression {
        Expr::Cast(Cast { expr, field })
            if matches!(field.data_type(), DataType::Timestamp(_, Some(_))) =>
        {
            text(expr)
                .and_then(|text| date::read(text).ok())
                .map(|read| (read, field))
        }
        _ => None,
    };
    let Some((Zoned::Local(local), field)) = read else {
        return Transformed::no(expression);
    };
    let moment = lit(clock::scalar(Some(zone.moment(local))));
    Transformed::yes(Expr::Cast(Cast::new(
        Box::new(moment),
        field.data_type().clone(),
    )))
}

fn text(expression: &Expr) -> Option<&str> {
    match expression {
        Expr::Literal(
            ScalarValue::Utf8(text) | ScalarValue::LargeUtf8(text) | ScalarValue::Utf8View(text),
            _,
        ) => text.as_deref(),
        _ => None,
    }
}
