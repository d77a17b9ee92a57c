//! Outer joins whose condition has a query that reads columns of both sides: the rows that match, then those of each
//! side that match none.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result, ScalarValue, Spans};
use datafusion::logical_expr::expr::Exists;
use datafusion::logical_expr::utils::{conjunction, split_conjunction};
use datafusion::logical_expr::{
    Expr, Filter, Join, JoinType, LogicalPlan, LogicalPlanBuilder, Operator, Subquery, Union,
    binary_expr, lit,
};

use super::{AT_THE_END, Rewriting, is_subquery, reads_only, restored, unnest};

/// Whether a join keeps rows without a match, and its condition has a query that reads columns of both sides.
pub(super) fn is_needed(join: &Join) -> Result<bool> {
    let Some(condition) = &join.filter else {
        return Ok(false);
    };
    if !matches!(
        join.join_type,
        JoinType::Left | JoinType::Right | JoinType::Full
    ) {
        return Ok(false);
    }
    let mut found = false;
    for part in split_conjunction(condition) {
        found |= part.exists(|part| {
            Ok(is_subquery(part)
                && !reads_only(part, join.left.schema())?
                && !reads_only(part, join.right.schema())?)
        })?;
    }
    Ok(found)
}

impl Rewriting {
    /// The join as the union of the rows that match and those that do not.
    pub(super) fn outer_join(&mut self, join: &Join) -> Result<LogicalPlan> {
        let names: Vec<String> = (0..join.schema.fields().len())
            .map(|_| self.name().table().to_owned())
            .collect();
        let width = join.left.schema().fields().len();
        let matched = Join::try_new(
            Arc::clone(&join.left),
            Arc::clone(&join.right),
            join.on.clone(),
            join.filter.clone(),
            JoinType::Inner,
            join.join_constraint,
            join.null_equality,
            join.null_aware,
        )?;
        let matched = self.join(matched)?;
        let columns = unnest::columns(&matched);
        let mut arms = vec![named(matched, columns, &names)?];
        let nulls = |side: &LogicalPlan| -> Result<Vec<Expr>> {
            let fields = side.schema().fields().iter();
            fields
                .map(|field| Ok(lit(ScalarValue::try_from(field.data_type())?)))
                .collect()
        };
        if join.join_type != JoinType::Right {
            let alone = self.alone(join, &join.left, &join.right)?;
            let mut columns = unnest::columns(&alone);
            columns.truncate(width);
            columns.extend(nulls(&join.right)?);
            arms.push(named(alone, columns, &names)?);
        }
        if join.join_type != JoinType::Left {
            let alone = self.alone(join, &join.right, &join.left)?;
            let mut columns = nulls(&join.left)?;
            columns.extend(
                unnest::columns(&alone)
                    .into_iter()
                    .take(names.len() - width),
            );
            arms.push(named(alone, columns, &names)?);
        }
        let arms = arms.into_iter().map(Arc::new).collect();
        let union = LogicalPlan::Union(Union::try_new(arms)?);
        restored(union, &join.schema, AT_THE_END)
    }

    /// The rows of one side of a join that match no row of the other.
    fn alone(
        &mut self,
        join: &Join,
        side: &LogicalPlan,
        other: &LogicalPlan,
    ) -> Result<LogicalPlan> {
        let equal = join
            .on
            .iter()
            .map(|(left, right)| binary_expr(left.clone(), Operator::Eq, right.clone()));
        let condition = conjunction(equal.chain(join.filter.clone())).unwrap_or(lit(true));
        let condition = read_from_outside(condition, side.schema())?;
        let matches = self.filter(Filter::try_new(condition, Arc::new(other.clone()))?)?;
        let matches = LogicalPlanBuilder::from(matches)
            .project([lit(1_i64)])?
            .build()?;
        let exists = Expr::Exists(Exists {
            subquery: Subquery {
                outer_ref_columns: matches.all_out_ref_exprs(),
                subquery: Arc::new(matches),
                spans: Spans::new(),
            },
            negated: true,
        });
        self.filter(Filter::try_new(exists, Arc::new(side.clone()))?)
    }
}

/// The expression as a query within reads it: columns of `around` come from outside.
fn read_from_outside(expr: Expr, around: &DFSchema) -> Result<Expr> {
    let read = expr.transform_up(|part| match part {
        Expr::Column(column) if around.has_column(&column) => {
            let (_, field) = around.qualified_field_from_column(&column)?;
            let field = Arc::clone(field);
            Ok(Transformed::yes(Expr::OuterReferenceColumn(field, column)))
        }
        part => Ok(Transformed::no(part)),
    })?;
    Ok(read.data)
}

fn named(plan: LogicalPlan, columns: Vec<Expr>, names: &[String]) -> Result<LogicalPlan> {
    let columns = columns
        .into_iter()
        .zip(names)
        .map(|(column, name)| column.alias(name));
    LogicalPlanBuilder::from(plan).project(columns)?.build()
}
