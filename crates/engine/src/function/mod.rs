//! The functions of the dialect. Each is declared once, with all that the planner, SHOW FUNCTIONS, completion and
//! `docs/functions.md` need of it.

mod analysis;
mod arithmetic;
mod bounded;
mod call;
mod cast;
mod clock;
mod compared;
mod date;
mod date_pattern;
mod decimal;
mod declaration;
mod document;
mod exact;
mod float;
mod formula;
mod hash;
mod joined;
mod json_path;
mod math;
mod mixed;
mod number_pattern;
mod relative;
mod size;
mod string;
mod sum;
mod table;
mod truth;
mod window;
mod xpath;

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use datafusion::common::{DataFusionError, plan_datafusion_err};
use datafusion::execution::{FunctionRegistry, SessionState};
use datafusion::logical_expr::{AggregateUDF, ScalarUDF, WindowUDF};
use datafusion::optimizer::{Analyzer, AnalyzerRule};

use self::arithmetic::CheckedArithmetic;
use self::call::Computed;
use self::cast::NamedCast;
pub(crate) use self::cast::{groups_by_cast, name_casts};
use self::clock::Clocked;
use self::compared::ComparedTexts;
use self::declaration::Body;
pub use self::declaration::{Argument, Function, Need};
use self::float::FiniteAggregate;
use self::joined::JoinedTexts;
use self::mixed::{Coalesce, TextAlternatives, TextArithmetic};
use self::relative::{Relative, RelativeDates};
pub(crate) use self::size::{LONGEST, LONGEST_TOGETHER};
use self::sum::CheckedSum;
use self::table::TableFunctions;
pub(crate) use self::table::VALUE;
use self::truth::{ListedTruthValues, TruthValues};

/// What functions belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Texts.
    String,
    /// JSON and XML documents.
    Document,
    /// Dates and times.
    Date,
    /// Stretches of days relative to today, for comparisons.
    RelativeDate,
    /// Numbers.
    Math,
    /// Aggregates and places among other rows.
    Window,
    /// Tables.
    Table,
}

impl Family {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::String,
        Self::Document,
        Self::Date,
        Self::RelativeDate,
        Self::Math,
        Self::Window,
        Self::Table,
    ];

    /// The functions that belong to it.
    pub fn functions(self) -> &'static [Function] {
        match self {
            Self::String => string::FUNCTIONS,
            Self::Document => document::FUNCTIONS,
            Self::Date => date::FUNCTIONS,
            Self::RelativeDate => relative::FUNCTIONS,
            Self::Math => math::FUNCTIONS,
            Self::Window => window::FUNCTIONS,
            Self::Table => table::FUNCTIONS,
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::String => "Strings",
            Self::Document => "JSON and XML",
            Self::Date => "Dates and times",
            Self::RelativeDate => "Relative dates",
            Self::Math => "Numbers",
            Self::Window => "Aggregates and windows",
            Self::Table => "Tables",
        })
    }
}

/// All functions, family by family.
pub fn functions() -> impl Iterator<Item = &'static Function> {
    Family::ALL.into_iter().flat_map(Family::functions)
}

/// The function of that name or alias, case apart.
pub(crate) fn find(name: &str) -> Option<&'static Function> {
    functions().find(|function| function.is_named(name))
}

/// The function that the planner knows by that name.
pub(crate) fn find_planned(name: &str) -> Option<&'static Function> {
    functions().find(|function| function.planned_name() == name)
}

/// The planner's rules of analysis, between those of the dialect that come before types are made alike and those that
/// come behind.
pub(crate) fn analyzer_rules() -> Vec<Arc<dyn AnalyzerRule + Send + Sync>> {
    let mut rules: Vec<Arc<dyn AnalyzerRule + Send + Sync>> =
        vec![Arc::new(ListedTruthValues), Arc::new(TextAlternatives)];
    rules.extend(Analyzer::new().rules);
    rules.push(Arc::new(ComparedTexts));
    rules.push(Arc::new(CheckedArithmetic));
    rules
}

/// Makes the functions known to a session. What DataFusion has under one of their names goes altogether, since a
/// session that is made from another registers all functions again, in any order. Its other functions stay.
pub(crate) fn register(state: &mut SessionState) -> Result<(), DataFusionError> {
    state.register_udf(Arc::new(ScalarUDF::from(Coalesce::new())))?;
    state.register_udf(Arc::new(ScalarUDF::from(NamedCast::new())))?;
    for name in float::FUNCTIONS {
        let found = state.scalar_functions().get(*name).cloned();
        let found = found.ok_or_else(|| missing(name))?;
        state.register_udf(Arc::new(bounded::finite(found)))?;
    }
    for function in bounded::bounded(|name| state.scalar_functions().get(name).cloned()) {
        state.register_udf(Arc::new(function))?;
    }
    let mut scalars = Vec::new();
    for function in functions() {
        match function.body {
            Body::Computed(compute) => scalars.push(Computed::new(function, compute).into()),
            Body::Clock(reading) => scalars.push(Clocked::new(function, reading).into()),
            Body::Relative(days) => scalars.push(Relative::new(function, days).into()),
            Body::Planner(name) => scalars.push(aliased_scalar(state, function, name)?),
            // Called by the planner's name alone: an alias of an aggregate cannot take rows back, as a moving window must.
            Body::Aggregate(name) if state.aggregate_functions().contains_key(name) => {}
            Body::Aggregate(name) => return Err(missing(name)),
            Body::Window(name) => alias_window(state, function, name)?,
            Body::Syntax | Body::Table(_) => {}
        }
    }
    let displaced = displaced_by(&scalars, state);
    for name in displaced.iter().map(String::as_str).chain(OF_THE_ENGINE) {
        state.deregister_udf(name)?;
    }
    for scalar in scalars {
        state.register_udf(Arc::new(scalar))?;
    }
    state.register_udaf(Arc::new(AggregateUDF::from(CheckedSum::new())))?;
    state.register_udaf(Arc::new(AggregateUDF::from(JoinedTexts::new())))?;
    for name in ["avg", "stddev", "stddev_pop", "var", "var_pop"] {
        let found = state.aggregate_functions().get(name).cloned();
        let found = FiniteAggregate::new(found.ok_or_else(|| missing(name))?);
        state.register_udaf(Arc::new(AggregateUDF::from(found)))?;
    }
    state.register_expr_planner(Arc::new(RelativeDates))?;
    state.register_expr_planner(Arc::new(TruthValues))?;
    state.register_expr_planner(Arc::new(TextArithmetic))?;
    state.register_relation_planner(Arc::new(TableFunctions))?;
    Ok(())
}

/// Functions that tell of DataFusion and Arrow rather than of data.
const OF_THE_ENGINE: [&str; 6] = [
    "arrow_cast",
    "arrow_field",
    "arrow_metadata",
    "arrow_try_cast",
    "arrow_typeof",
    "version",
];

/// The functions of a session that share a name or an alias with one of these.
fn displaced_by(scalars: &[ScalarUDF], state: &SessionState) -> Vec<String> {
    let taken: HashSet<String> = scalars.iter().flat_map(names).collect();
    let present = state.scalar_functions().values();
    present
        .filter(|function| names(function).any(|name| taken.contains(&name)))
        .map(|function| function.name().to_owned())
        .collect()
}

fn names(function: &ScalarUDF) -> impl Iterator<Item = String> {
    let aliases = function.aliases().iter().cloned();
    std::iter::once(function.name().to_owned()).chain(aliases)
}

/// The function for the planner, if it is computed row by row.
fn scalar(function: &'static Function) -> Option<ScalarUDF> {
    match function.body {
        Body::Computed(compute) => Some(Computed::new(function, compute).into()),
        _ => None,
    }
}

fn missing(name: &str) -> DataFusionError {
    plan_datafusion_err!("the planner has no function {name}")
}

/// DataFusion's function under the dialect's names, too.
fn aliased_scalar(
    state: &SessionState,
    function: &Function,
    name: &str,
) -> Result<ScalarUDF, DataFusionError> {
    let found = state.scalar_functions().get(name);
    let found = found.ok_or_else(|| missing(name))?.as_ref().clone();
    Ok(found.with_aliases(function.names()))
}

fn alias_window(
    state: &mut SessionState,
    function: &Function,
    name: &str,
) -> Result<(), DataFusionError> {
    let found = state
        .window_functions()
        .get(name)
        .ok_or_else(|| missing(name))?;
    let named: WindowUDF = found.as_ref().clone().with_aliases(function.names());
    state.register_udwf(Arc::new(named)).map(drop)
}
