//! Functions of the time at which a query began, declared among those of dates.

use std::hash::{Hash, Hasher};

use chrono::{DateTime, NaiveDate, Utc};
use datafusion::arrow::array::timezone::Tz;
use datafusion::arrow::datatypes::{DataType, Date32Type};
use datafusion::common::{DataFusionError, ScalarValue, internal_err};
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};

use super::call::{Clocks, zone};
use super::date::Part;
use super::declaration::{Body, Function, function};
use crate::types::moment_type;

/// What is read off the clock.
#[derive(Debug, Clone, Copy)]
pub(super) enum Reading {
    /// A date and time: now, or so many of a part from now on.
    Moment(Option<(Part, i64)>),
    /// Today.
    Date,
}

/// A function of the clock.
pub(super) const fn clock(
    name: &'static str,
    reading: Reading,
    description: &'static str,
) -> Function {
    function(name, &[], Body::Clock(reading), description)
}

impl Reading {
    /// The moment itself.
    pub(super) const NOW: Self = Self::Moment(None);

    /// So many of a part from now on.
    pub(super) const fn from_now(count: i64, part: Part) -> Self {
        Self::Moment(Some((part, count)))
    }

    fn at(self, now: DateTime<Utc>, zone: Tz) -> ScalarValue {
        let local = zone.local(now);
        match self {
            Self::Date => ScalarValue::Date32(Some(Date32Type::from_naive_date(local.date()))),
            Self::Moment(None) => scalar(Some(now)),
            Self::Moment(Some((part, count))) => {
                scalar(part.add(local, count).map(|local| zone.moment(local)))
            }
        }
    }
}

/// A moment as a constant.
pub(super) fn scalar(moment: Option<DateTime<Utc>>) -> ScalarValue {
    let microseconds = moment.map(|moment| moment.timestamp_micros());
    ScalarValue::TimestampMicrosecond(microseconds, Some("+00:00".into()))
}

/// Today in the session's time zone, and that zone.
pub(super) fn today(context: &SimplifyContext) -> Option<(NaiveDate, Tz)> {
    let zone = zone(context.config_options());
    let now = context.query_execution_start_time()?;
    Some((zone.local(now).date(), zone))
}

/// A function of the clock for the planner, which puts its value in.
#[derive(Debug)]
pub(super) struct Clocked {
    function: &'static Function,
    reading: Reading,
    signature: Signature,
    aliases: Vec<String>,
}

impl Clocked {
    pub(super) fn is_named(&self, name: &str) -> bool {
        self.function.is_named(name)
    }

    pub(super) fn new(function: &'static Function, reading: Reading) -> Self {
        Self {
            function,
            reading,
            signature: Signature::nullary(Volatility::Stable),
            aliases: function
                .aliases
                .iter()
                .map(|&alias| alias.to_owned())
                .collect(),
        }
    }
}

// Two of one declaration are the same.
impl PartialEq for Clocked {
    fn eq(&self, other: &Self) -> bool {
        self.function == other.function
    }
}

impl Eq for Clocked {}

impl Hash for Clocked {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.function.hash(state);
    }
}

impl ScalarUDFImpl for Clocked {
    fn name(&self) -> &str {
        self.function.name
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _given: &[DataType]) -> Result<DataType, DataFusionError> {
        Ok(match self.reading {
            Reading::Moment(_) => moment_type(),
            Reading::Date => DataType::Date32,
        })
    }

    fn simplify(
        &self,
        args: Vec<Expr>,
        context: &SimplifyContext,
    ) -> Result<ExprSimplifyResult, DataFusionError> {
        Ok(match context.query_execution_start_time() {
            Some(now) => {
                let value = self.reading.at(now, zone(context.config_options()));
                ExprSimplifyResult::Simplified(Expr::Literal(value, None))
            }
            None => ExprSimplifyResult::Original(args),
        })
    }

    fn invoke_with_args(
        &self,
        _args: ScalarFunctionArgs,
    ) -> Result<ColumnarValue, DataFusionError> {
        internal_err!("the planner left {}() in place", self.function.name)
    }
}
