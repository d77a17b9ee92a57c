//! Queries within expressions and beside tables, as joins.
//!
//! DataFusion makes joins of some of them itself. This rule comes before that and takes those that DataFusion refuses
//! or answers wrongly (docs/decisions/0021): all that read columns of the query around them, all comparisons with
//! a query whose truth may be unknown, and all that stand elsewhere than among the conditions of WHERE.

mod arms;
mod attach;
mod guard;
mod multiset;
mod outside;
mod rows;
mod unnest;

use std::ops::Range;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, Result, TableReference};
use datafusion::config::ConfigOptions;
use datafusion::logical_expr::expr::{Exists, InSubquery};
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{
    Expr, Filter, Join, JoinType, LogicalPlan, LogicalPlanBuilder, Operator, Values, binary_expr,
    cast,
};
use datafusion::optimizer::AnalyzerRule;

use attach::{Site, Truth};
pub(crate) use guard::GuardAggregates;
use rows::OneRow;

use crate::error::Carry;
use crate::{Error, code};

/// Makes joins of queries within expressions.
#[derive(Debug)]
pub(crate) struct Subqueries;

impl AnalyzerRule for Subqueries {
    fn analyze(&self, plan: LogicalPlan, _options: &ConfigOptions) -> Result<LogicalPlan> {
        let mut rewriting = Rewriting::default();
        let plan = plan.transform_up_with_subqueries(|node| {
            let before = rewriting.names;
            let node = match rewriting.names {
                0 => node,
                // The columns below may be more often NULL than they were.
                _ => node.recompute_schema()?,
            };
            let node = rewriting.node(node)?;
            Ok(Transformed::new(
                node,
                rewriting.names > before,
                TreeNodeRecursion::Continue,
            ))
        })?;
        Ok(plan.data)
    }

    fn name(&self) -> &'static str {
        "subqueries"
    }
}

/// Refuses an aggregate in a query within an expression that reads columns of the query around it alone. It is one of that
/// query (SQL:2016, 6.9), which the planner does not know.
fn refuse_aggregates_of_outer_columns(node: &LogicalPlan) -> Result<()> {
    let LogicalPlan::Aggregate(aggregate) = node else {
        return Ok(());
    };
    for function in &aggregate.aggr_expr {
        let is_outer = function.exists(|it| Ok(matches!(it, Expr::OuterReferenceColumn(..))))?;
        let is_inner = function.exists(|it| Ok(matches!(it, Expr::Column(_))))?;
        if is_outer && !is_inner {
            let message = "an aggregate in a sub-query reads columns of the query around it alone";
            let error = Error::new(code::UNSUPPORTED, message)
                .with_hint("write the aggregate in the query around it");
            return Err(error.carried());
        }
    }
    Ok(())
}

/// The rewriting of one plan.
#[derive(Debug, Default)]
struct Rewriting {
    /// How many names have been given.
    names: usize,
}

impl Rewriting {
    /// A name for a relation that no query can have typed.
    fn name(&mut self) -> TableReference {
        self.names += 1;
        TableReference::bare(format!("#{}", self.names))
    }

    fn node(&mut self, node: LogicalPlan) -> Result<LogicalPlan> {
        refuse_aggregates_of_outer_columns(&node)?;
        match node {
            LogicalPlan::Filter(filter) => self.filter(filter),
            LogicalPlan::Join(join) => self.join(join),
            node => {
                if !any_expression(&node, has_own)? {
                    return Ok(node);
                }
                match node {
                    LogicalPlan::Values(values) => self.values(values),
                    node => self.expressions(node),
                }
            }
        }
    }

    /// WHERE or HAVING.
    fn filter(&mut self, filter: Filter) -> Result<LogicalPlan> {
        let conditions = split_conjunction_owned(filter.predicate);
        let mut site = Site::new(&filter.input);
        let mut others = Vec::new();
        let mut attached = false;
        for condition in conditions {
            if !is_left_to_datafusion(&condition)? && self.choose(&mut site, &condition)? {
                attached = true;
            } else {
                others.push(condition);
            }
        }
        let mut replaced = Vec::with_capacity(others.len());
        for condition in others {
            replaced.push(match is_left_to_datafusion(&condition)? {
                true => condition,
                false => {
                    attached |= has_own(&condition)?;
                    self.replace(&mut site, condition, Truth::Holds)?
                }
            });
        }
        let plan = match conjunction(replaced) {
            Some(predicate) => {
                LogicalPlan::Filter(Filter::try_new(predicate, site.plan.clone().into())?)
            }
            None => site.plan.clone(),
        };
        match attached {
            true => restored(plan, site.base().schema(), AT_THE_END),
            false => Ok(plan),
        }
    }

    /// VALUES: each row by itself.
    fn values(&mut self, values: Values) -> Result<LogicalPlan> {
        let mut rows: Option<LogicalPlanBuilder> = None;
        for row in values.values {
            let cells = row.into_iter().zip(values.schema.fields());
            let cells = cells
                .map(|(cell, field)| cast(cell, field.data_type().clone()).alias(field.name()));
            let row = LogicalPlanBuilder::empty(true).project(cells)?.build()?;
            let row = self.node(row)?;
            rows = Some(match rows {
                Some(rows) => rows.union(row)?,
                None => LogicalPlanBuilder::from(row),
            });
        }
        rows.ok_or_else(attach::refusal)?.build()
    }

    /// Any other node: its expressions read what is attached to its one input.
    fn expressions(&mut self, node: LogicalPlan) -> Result<LogicalPlan> {
        let schema = node.schema().clone();
        let [input] = node.inputs()[..] else {
            return Err(attach::refusal());
        };
        let mut site = Site::new(input);
        let mut replaced = Vec::new();
        for expression in node.expressions() {
            let name = expression.schema_name().to_string();
            let is_own = has_own(&expression)?;
            let expression = self.replace(&mut site, expression, Truth::Asked)?;
            let is_named = matches!(node, LogicalPlan::Projection(_));
            replaced.push(
                match is_own && is_named && !matches!(expression, Expr::Alias(_)) {
                    true => expression.alias(name),
                    false => expression,
                },
            );
        }
        let gap = site.gap();
        let node = node.with_new_exprs(replaced, vec![site.plan])?;
        match node {
            LogicalPlan::Projection(_) => Ok(node),
            LogicalPlan::Window(_) => restored(node, &schema, gap),
            node => restored(node, &schema, AT_THE_END),
        }
    }

    /// The expression with a column in the place of each query in it, which is attached to the plan.
    fn replace(&mut self, site: &mut Site, expr: Expr, truth: Truth) -> Result<Expr> {
        if !has_own(&expr)? {
            return Ok(expr);
        }
        // What is joined by AND and OR alone may be false where it is unknown.
        if let (Truth::Holds, Expr::BinaryExpr(binary)) = (truth, &expr)
            && matches!(binary.op, Operator::And | Operator::Or)
        {
            let left = self.replace(site, binary.left.as_ref().clone(), truth)?;
            let right = self.replace(site, binary.right.as_ref().clone(), truth)?;
            return Ok(binary_expr(left, binary.op, right));
        }
        if let Some(replaced) = self.attach(site, &expr, truth)? {
            return Ok(replaced);
        }
        let replaced = expr.map_children(|child| {
            let child = self.replace(site, child, Truth::Asked)?;
            Ok(Transformed::yes(child))
        })?;
        Ok(replaced.data)
    }

    /// A join: queries in its condition, and a query beside a table that reads this table's columns.
    fn join(&mut self, join: Join) -> Result<LogicalPlan> {
        if let Some(plan) = multiset::counted(self, &join)? {
            return Ok(plan);
        }
        if let Some((query, alias)) = lateral(&join.right) {
            let (query, alias) = (query.clone(), alias.cloned());
            return self.lateral(join, &query, alias);
        }
        let Some(condition) = join.filter.clone() else {
            return Ok(LogicalPlan::Join(join));
        };
        if !holds_subquery(&condition)? {
            return Ok(LogicalPlan::Join(join));
        }
        if arms::is_needed(&join)? {
            return self.outer_join(&join);
        }
        let schema = join.schema.clone();
        let mut sides = [Site::new(&join.left), Site::new(&join.right)];
        let mut above = Vec::new();
        let mut kept = Vec::new();
        for part in split_conjunction_owned(condition) {
            if !holds_subquery(&part)? {
                kept.push(part);
            } else if join.join_type == JoinType::Inner {
                above.push(part);
            } else {
                kept.push(self.replace_beside(&mut sides, part)?);
            }
        }
        let gap = sides[0].gap();
        let [left, right] = sides.map(|side| side.plan);
        let on = join
            .on
            .into_iter()
            .map(|(left, right)| binary_expr(left, Operator::Eq, right));
        let joined = LogicalPlanBuilder::from(left)
            .join_on(right, join.join_type, on.chain(kept))?
            .build()?;
        let joined = restored(joined, &schema, gap)?;
        match conjunction(above) {
            Some(predicate) => self.filter(Filter::try_new(predicate, joined.into())?),
            None => Ok(joined),
        }
    }

    /// The same where rows without a match stay: each query is attached to the side whose columns it reads.
    fn replace_beside(&mut self, sides: &mut [Site; 2], expr: Expr) -> Result<Expr> {
        if is_subquery(&expr) {
            for side in sides.iter_mut() {
                if reads_only(&expr, side.base().schema())? {
                    let replaced = match needs_us(&expr)? {
                        true => self.attach(side, &expr, Truth::Asked)?,
                        false => Some(self.computed(side, &expr)?),
                    };
                    return replaced.ok_or_else(attach::refusal);
                }
            }
            return Err(attach::refusal());
        }
        let replaced = expr.map_children(|child| {
            let child = self.replace_beside(sides, child)?;
            Ok(Transformed::yes(child))
        })?;
        Ok(replaced.data)
    }
}

/// The columns that a plan had before others were attached to it, which are those at `gap`.
fn restored(plan: LogicalPlan, schema: &DFSchema, gap: Range<usize>) -> Result<LogicalPlan> {
    let columns = schema
        .iter()
        .enumerate()
        .map(|(index, (qualifier, field))| {
            let place = match index < gap.start {
                true => index,
                false => index + gap.len(),
            };
            let (found, there) = plan.schema().qualified_field(place);
            let column = Expr::Column(Column::from((found, there)));
            match found == qualifier && there.name() == field.name() {
                true => column,
                false => column.alias_qualified(qualifier.cloned(), field.name()),
            }
        });
    let columns: Vec<Expr> = columns.collect();
    LogicalPlanBuilder::from(plan).project(columns)?.build()
}

/// All attached columns come last.
const AT_THE_END: Range<usize> = usize::MAX..usize::MAX;

fn any_expression(node: &LogicalPlan, holds: impl Fn(&Expr) -> Result<bool>) -> Result<bool> {
    let mut found = false;
    node.apply_expressions(|expr| {
        found |= holds(expr)?;
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}

fn is_subquery(expr: &Expr) -> bool {
    matches!(
        expr,
        Expr::Exists(_) | Expr::InSubquery(_) | Expr::SetComparison(_) | Expr::ScalarSubquery(_)
    )
}

fn holds_subquery(expr: &Expr) -> Result<bool> {
    expr.exists(|part| Ok(is_subquery(part)))
}

/// A query that DataFusion would not do, or not well.
fn needs_us(expr: &Expr) -> Result<bool> {
    match expr {
        Expr::ScalarSubquery(subquery) => {
            let query = &subquery.subquery;
            // DataFusion takes the value of a query without rows, which is NULL, for one of its column, which may
            // turn out never to be NULL when its constants are computed.
            Ok(!has_one_row(query) || outside::reads_outside(query)?)
        }
        expr => Ok(is_subquery(expr)),
    }
}

/// An aggregate over all rows.
fn has_one_row(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Projection(projection) => has_one_row(&projection.input),
        LogicalPlan::SubqueryAlias(named) => has_one_row(&named.input),
        LogicalPlan::Aggregate(aggregate) => aggregate.group_expr.is_empty(),
        _ => false,
    }
}

fn has_own(expr: &Expr) -> Result<bool> {
    expr.exists(needs_us)
}

/// A condition of WHERE by itself that holds a query without columns from outside it: DataFusion makes a join of it.
fn is_left_to_datafusion(condition: &Expr) -> Result<bool> {
    Ok(match condition {
        Expr::Exists(Exists { subquery, .. }) => !outside::reads_outside(&subquery.subquery)?,
        Expr::InSubquery(InSubquery {
            expr,
            subquery,
            negated: false,
        }) => !has_own(expr)? && !outside::reads_outside(&subquery.subquery)?,
        _ => false,
    })
}

/// Whether all columns of an expression, those that its queries read from outside included, are among these.
fn reads_only(expr: &Expr, schema: &DFSchema) -> Result<bool> {
    let mut all = expr
        .column_refs()
        .into_iter()
        .all(|column| schema.has_column(column));
    expr.apply(|part| {
        let subquery = match part {
            Expr::Exists(it) => &it.subquery,
            Expr::InSubquery(it) => &it.subquery,
            Expr::SetComparison(it) => &it.subquery,
            Expr::ScalarSubquery(it) => it,
            _ => return Ok(TreeNodeRecursion::Continue),
        };
        let mut columns = outside::outside_columns(&subquery.subquery)?.into_iter();
        all &= columns.all(|column| schema.has_column(&column));
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(all)
}

/// A query that is joined and reads columns of what it is joined with.
fn lateral(plan: &LogicalPlan) -> Option<(&LogicalPlan, Option<&TableReference>)> {
    match plan {
        LogicalPlan::Subquery(query) => Some((&query.subquery, None)),
        LogicalPlan::SubqueryAlias(named) => match named.input.as_ref() {
            LogicalPlan::Subquery(query) => Some((&query.subquery, Some(&named.alias))),
            _ => None,
        },
        _ => None,
    }
}
