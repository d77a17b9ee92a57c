//! Texts that stand for moments where they are compared with one.

use datafusion::arrow::array::timezone::Tz;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DataFusionError, ScalarValue};
use datafusion::logical_expr::expr::Cast;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{Expr, LogicalPlan, lit};
use datafusion::optimizer::AnalyzerRule;

use super::call::{self, Clocks};
use super::clock::scalar;
use super::date::{self, Zoned};

/// Reads `'2026-01-01'` in `UpdatedOn > '2026-01-01'` by the clocks of the session's time zone, as functions read it.
/// The planner casts such a text to a moment, which without this is one of UTC.
#[derive(Debug)]
pub(crate) struct ComparedTexts;

impl AnalyzerRule for ComparedTexts {
    fn analyze(
        &self,
        plan: LogicalPlan,
        options: &ConfigOptions,
    ) -> Result<LogicalPlan, DataFusionError> {
        let zone = call::zone(options);
        let read = plan.transform_up_with_subqueries(|node| {
            let names = NamePreserver::new(&node);
            node.map_expressions(|expression| {
                let name = names.save(&expression);
                let read = expression.transform_up(|part| Ok(moment(part, &zone)))?;
                Ok(read.update_data(|expression| name.restore(expression)))
            })
        });
        Ok(read?.data)
    }

    fn name(&self) -> &'static str {
        "compared_texts"
    }
}

/// The moment that a text is cast to, if the text names no zone of its own.
fn moment(expression: Expr, zone: &Tz) -> Transformed<Expr> {
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
    let moment = lit(scalar(Some(zone.moment(local))));
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
