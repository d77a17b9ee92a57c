//! Queries that are joined to the plan whose expressions hold them.

use crate::error::Carry;
use std::ops::Range;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{
    Column, DataFusionError, NullEquality, Result, ScalarValue, TableReference,
};
use datafusion::functions_aggregate::expr_fn::{count, first_value};
use datafusion::logical_expr::expr::{Exists, InSubquery, SetComparison, SetQuantifier};
use datafusion::logical_expr::{
    Expr, ExprSchemable, Join, JoinType, LogicalPlan, LogicalPlanBuilder, Operator, ScalarUDF,
    binary_expr, lit, not, when,
};

use super::outside::inside;
use super::unnest::{self, Domain, Unnested, Unnesting, column};
use super::{OneRow, Rewriting, needs_us};
use crate::{Error, code};

/// A plan that queries are joined to.
#[derive(Debug)]
pub(super) struct Site {
    /// As it was: what its queries read.
    base: LogicalPlan,
    /// With what has been joined to it. The columns of `base` come first.
    pub(super) plan: LogicalPlan,
}

impl Site {
    pub(super) fn new(plan: &LogicalPlan) -> Self {
        Self {
            base: plan.clone(),
            plan: plan.clone(),
        }
    }

    pub(super) fn base(&self) -> &LogicalPlan {
        &self.base
    }

    /// Where the columns stand that have been joined to it.
    pub(super) fn gap(&self) -> Range<usize> {
        self.base.schema().fields().len()..self.plan.schema().fields().len()
    }

    /// On what a query is joined with it.
    fn conditions(&self, unnested: &Unnested) -> Result<Vec<Expr>> {
        let keys = unnested.keys.iter();
        let keys = keys.map(|key| Ok(key.condition(self.inside(key.outside.clone())?)));
        let remains = unnested.remains.iter().cloned();
        keys.chain(remains.map(|it| self.inside(it))).collect()
    }

    /// With the plan's columns in the place of references to them. Those to columns further outside stay.
    fn inside(&self, expr: Expr) -> Result<Expr> {
        let replaced = expr.transform_up(|part| match inside(&part) {
            Some(Expr::Column(column)) if self.base.schema().has_column(&column) => {
                Ok(Transformed::yes(Expr::Column(column)))
            }
            _ => Ok(Transformed::no(part)),
        })?;
        Ok(replaced.data)
    }

    fn join(&mut self, (other, on): (LogicalPlan, Vec<Expr>), kind: JoinType) -> Result<()> {
        let on = match on.is_empty() {
            true => vec![lit(true)],
            false => on,
        };
        self.plan = LogicalPlanBuilder::from(self.plan.clone())
            .join_on(other, kind, on)?
            .build()?;
        Ok(())
    }

    /// Whether rows of another plan match a row of this one, as a column of this one.
    fn mark(&mut self, other: (LogicalPlan, Vec<Expr>)) -> Result<Expr> {
        self.join(other, JoinType::LeftMark)?;
        Ok(column(&self.plan, self.plan.schema().fields().len() - 1))
    }
}

/// How much an expression says of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Truth {
    /// Only whether it holds: it may be false where it is unknown.
    Holds,
    /// True, false or unknown.
    Asked,
}

/// A value that is compared with the rows of a query.
struct Comparison<'e> {
    value: &'e Expr,
    operator: Operator,
    query: &'e LogicalPlan,
    /// It is asked whether there is no such row.
    negated: bool,
}

impl<'e> Comparison<'e> {
    fn of(expr: &'e Expr) -> Option<Self> {
        match expr {
            Expr::InSubquery(InSubquery {
                expr,
                subquery,
                negated,
            }) => Some(Self {
                value: expr,
                operator: Operator::Eq,
                query: &subquery.subquery,
                negated: *negated,
            }),
            Expr::SetComparison(SetComparison {
                expr,
                subquery,
                op,
                quantifier,
            }) => {
                let is_all = *quantifier == SetQuantifier::All;
                Some(Self {
                    value: expr,
                    // It is true of all where there is none of which the opposite is.
                    operator: match is_all {
                        true => op.negate()?,
                        false => *op,
                    },
                    query: &subquery.subquery,
                    negated: is_all,
                })
            }
            _ => None,
        }
    }
}

pub(super) fn refusal() -> DataFusionError {
    Error::new(
        code::UNSUPPORTED,
        "a query within this one reads its columns in a way that cannot be planned",
    )
    .with_hint("write it as a join, or give the inner query as a table in WITH")
    .carried()
}

impl Rewriting {
    /// Takes the query out of its surroundings, and does with it what `join` does.
    fn taken_out(
        &mut self,
        site: &Site,
        query: &LogicalPlan,
        only_which: bool,
        fits: impl Fn(&Unnested) -> bool,
    ) -> Result<Unnested> {
        let around = site.base.schema().clone();
        let mut unnesting = Unnesting {
            rewriting: self,
            around: &around,
            domain: None,
            only_which,
        };
        if let Some(unnested) = unnesting.query(query)?
            && fits(&unnested)
        {
            return Ok(unnested);
        }
        let domain = Domain::new(query, &site.base)?;
        unnesting.domain = Some(&domain);
        let found = match unnesting.query(query)? {
            Some(unnested) if fits(&unnested) => Some(unnested),
            _ => unnesting.rows(query)?.filter(|unnested| fits(unnested)),
        };
        let mut unnested = found.ok_or_else(refusal)?;
        unnesting.with_domain(&mut unnested)?;
        Ok(unnested)
    }

    fn sealed(&mut self, site: &Site, unnested: Unnested) -> Result<Unnested> {
        let around = site.base.schema().clone();
        let mut unnesting = Unnesting {
            rewriting: self,
            around: &around,
            domain: None,
            only_which: false,
        };
        unnesting.sealed(unnested)
    }

    /// Chooses the rows of a plan for which a condition of WHERE holds; `false` if it is no query.
    pub(super) fn choose(&mut self, site: &mut Site, condition: &Expr) -> Result<bool> {
        let (condition, negated) = match condition {
            Expr::Not(inner) => (inner.as_ref(), true),
            condition => (condition, false),
        };
        if let Expr::Exists(exists) = condition {
            let on = self.existence(site, exists)?;
            let kind = join_kind(exists.negated != negated);
            site.join(on, kind)?;
            return Ok(true);
        }
        let Some(mut comparison) = Comparison::of(condition) else {
            return Ok(false);
        };
        comparison.negated ^= negated;
        let value = self.replace(site, comparison.value.clone(), Truth::Asked)?;
        let unnested = self.taken_out(site, comparison.query, true, |it| it.absent.is_none())?;
        let unnested = self.sealed(site, unnested)?;
        let found = site.inside(unnested.outputs[0].clone())?;
        let holds = binary_expr(value.clone(), comparison.operator, found.clone());
        let is_surely_known =
            !is_nullable(&value, &site.plan)? && !is_nullable(&found, &unnested.plan)?;
        let mut on = site.conditions(&unnested)?;
        if !comparison.negated || is_surely_known {
            on.push(holds);
        } else if on.is_empty() && comparison.operator == Operator::Eq {
            // A NULL among the rows leaves nothing. This join knows, if it has columns on both sides: a condition
            // with a constant would be moved below it.
            let value = match value {
                Expr::Column(_) => value,
                value => self.computed(site, &value)?,
            };
            let holds = binary_expr(value, Operator::Eq, found);
            site.plan = LogicalPlanBuilder::from(site.plan.clone())
                .join_detailed_with_options(
                    unnested.plan,
                    JoinType::LeftAnti,
                    (Vec::<Column>::new(), Vec::<Column>::new()),
                    Some(holds),
                    NullEquality::NullEqualsNothing,
                    true,
                )?
                .build()?;
            return Ok(true);
        } else {
            on.push(binary_expr(holds, Operator::IsDistinctFrom, lit(false)));
        }
        site.join((unnested.plan, on), join_kind(comparison.negated))?;
        Ok(true)
    }

    fn existence(&mut self, site: &Site, exists: &Exists) -> Result<(LogicalPlan, Vec<Expr>)> {
        let query = &exists.subquery.subquery;
        let unnested = self.taken_out(site, query, true, |it| it.absent.is_none())?;
        let unnested = self.sealed(site, unnested)?;
        Ok((unnested.plan.clone(), site.conditions(&unnested)?))
    }

    /// The value of an expression that is a query, from what is joined to the plan; `None` if it is something else.
    pub(super) fn attach(
        &mut self,
        site: &mut Site,
        expr: &Expr,
        truth: Truth,
    ) -> Result<Option<Expr>> {
        if let Expr::Exists(exists) = expr {
            let other = self.existence(site, exists)?;
            let mark = site.mark(other)?;
            return Ok(Some(if exists.negated { not(mark) } else { mark }));
        }
        if let Some(comparison) = Comparison::of(expr) {
            return self.comparison(site, &comparison, truth).map(Some);
        }
        match expr {
            Expr::ScalarSubquery(query) if needs_us(expr)? => {
                self.value(site, &query.subquery).map(Some)
            }
            _ => Ok(None),
        }
    }

    fn comparison(
        &mut self,
        site: &mut Site,
        comparison: &Comparison<'_>,
        truth: Truth,
    ) -> Result<Expr> {
        let value = self.replace(site, comparison.value.clone(), Truth::Asked)?;
        let unnested = self.taken_out(site, comparison.query, true, |it| it.absent.is_none())?;
        let holds = |found: Expr| binary_expr(value.clone(), comparison.operator, found);
        let first = self.sealed(site, unnested.clone())?;
        let found = site.inside(first.outputs[0].clone())?;
        let is_surely_known =
            !is_nullable(&value, &site.plan)? && !is_nullable(&found, &first.plan)?;
        let mut on = site.conditions(&first)?;
        on.push(holds(found));
        let is_found = site.mark((first.plan, on))?;
        let is_enough = truth == Truth::Holds && !comparison.negated;
        let found = match is_surely_known || is_enough {
            true => is_found,
            false => {
                let second = self.sealed(site, unnested)?;
                let found = site.inside(second.outputs[0].clone())?;
                let mut on = site.conditions(&second)?;
                on.push(holds(found).is_null());
                let is_unknown = site.mark((second.plan, on))?;
                let unknown = lit(ScalarValue::Boolean(None));
                when(is_found, lit(true))
                    .when(is_unknown, unknown)
                    .otherwise(lit(false))?
            }
        };
        Ok(match comparison.negated {
            true => not(found),
            false => found,
        })
    }

    /// The value of a query of one row.
    fn value(&mut self, site: &mut Site, query: &LogicalPlan) -> Result<Expr> {
        let unnested = self.taken_out(site, query, false, |it| it.remains.is_empty())?;
        let is_single = unnested.is_single
            || unnested.keys.is_empty() && unnested.plan.max_rows().is_some_and(|rows| rows <= 1);
        let absent = unnested.absent.clone();
        let mut sealed = self.sealed(site, unnested)?;
        let found = site.inside(sealed.outputs[0].clone())?;
        let kind = found.get_type(&sealed.plan.schema().join(site.base.schema())?)?;
        let missing = match absent {
            Some(absent) => site.inside(absent[0].clone())?,
            None => lit(ScalarValue::try_from(&kind)?),
        };
        let mut there = column(&sealed.plan, 0);
        let mut value = found;
        if !is_single {
            // More than one row of the same keys is an error where such a row is asked for.
            let groups: Vec<Expr> = sealed.keys.iter().map(|key| key.own.clone()).collect();
            if !sealed.outputs[0]
                .column_refs()
                .iter()
                .all(|it| sealed.plan.schema().has_column(it))
            {
                return Err(refusal());
            }
            let grouped = LogicalPlanBuilder::from(sealed.plan.clone())
                .aggregate(
                    groups,
                    [
                        count(lit(1_i64)),
                        first_value(sealed.outputs[0].clone(), Vec::new()),
                    ],
                )?
                .alias(self.name())?
                .build()?;
            let mut own = unnest::columns(&grouped);
            let results = own.split_off(sealed.keys.len());
            for (key, own) in sealed.keys.iter_mut().zip(own) {
                key.own = own;
            }
            sealed.plan = grouped;
            there = results[0].clone();
            value = ScalarUDF::from(OneRow::default()).call(results);
        }
        let on = site.conditions(&sealed)?;
        site.join((sealed.plan, on), JoinType::Left)?;
        when(there.is_null(), missing).otherwise(value)
    }

    /// The value of an expression as a column of the plan.
    pub(super) fn computed(&mut self, site: &mut Site, expr: &Expr) -> Result<Expr> {
        let name = self.name();
        let mut columns = unnest::columns(&site.plan);
        columns.push(expr.clone().alias(name.table()));
        site.plan = LogicalPlanBuilder::from(site.plan.clone())
            .project(columns)?
            .build()?;
        Ok(column(&site.plan, site.plan.schema().fields().len() - 1))
    }

    /// A query that is joined with a plan whose columns it reads.
    pub(super) fn lateral(
        &mut self,
        join: Join,
        query: &LogicalPlan,
        alias: Option<TableReference>,
    ) -> Result<LogicalPlan> {
        if !matches!(join.join_type, JoinType::Inner | JoinType::Left) {
            return Err(refusal());
        }
        let is_outer = join.join_type == JoinType::Left;
        let mut site = Site::new(&join.left);
        let names = join.right.schema().clone();
        let unnested = self.taken_out(&site, query, false, |it| it.absent.is_none())?;
        let sealed = self.sealed(&site, unnested)?;
        let there = column(&sealed.plan, 0);
        let mut outputs = Vec::with_capacity(sealed.outputs.len());
        for output in &sealed.outputs {
            outputs.push(site.inside(output.clone())?);
        }
        let mut on = site.conditions(&sealed)?;
        let own = join
            .on
            .iter()
            .map(|(left, right)| binary_expr(left.clone(), Operator::Eq, right.clone()));
        for condition in own.chain(join.filter.clone()) {
            let condition = condition.transform_up(|part| match part {
                Expr::Column(column) => match names.maybe_index_of_column(&column) {
                    Some(index) => Ok(Transformed::yes(outputs[index].clone())),
                    None => Ok(Transformed::no(Expr::Column(column))),
                },
                part => Ok(Transformed::no(part)),
            })?;
            on.push(condition.data);
        }
        site.join((sealed.plan, on), join.join_type)?;
        let mut columns = unnest::columns(&site.base);
        for (output, (qualifier, field)) in outputs.into_iter().zip(names.iter()) {
            let output = match is_outer && !matches!(output, Expr::Column(_)) {
                true => {
                    let null = lit(ScalarValue::try_from(field.data_type())?);
                    when(there.clone().is_null(), null).otherwise(output)?
                }
                false => output,
            };
            let qualifier = alias.clone().or_else(|| qualifier.cloned());
            columns.push(output.alias_qualified(qualifier, field.name()));
        }
        LogicalPlanBuilder::from(site.plan)
            .project(columns)?
            .build()
    }
}

fn join_kind(negated: bool) -> JoinType {
    match negated {
        true => JoinType::LeftAnti,
        false => JoinType::LeftSemi,
    }
}

fn is_nullable(expr: &Expr, plan: &LogicalPlan) -> Result<bool> {
    // What reads columns of both sides is not looked into.
    let known = expr
        .column_refs()
        .iter()
        .all(|column| plan.schema().has_column(column));
    match known {
        true => expr.nullable(plan.schema()),
        false => Ok(true),
    }
}
