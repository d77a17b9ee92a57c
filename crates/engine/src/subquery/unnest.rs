//! A query that reads columns from outside, as a plan that does not.
//!
//! Where such columns are only compared with the query's own, the comparisons become the condition of a join: its
//! *keys* (`own = outside`) and what *remains*. Where they are read elsewhere, the query is computed for all their
//! values at once: these, its *domain*, are put beside its tables.

mod beside;
mod domain;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, Result, ScalarValue};
use datafusion::functions_window::expr_fn::row_number;
use datafusion::logical_expr::expr::{Sort as SortKey, WindowFunction};
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{
    Aggregate, Distinct, Expr, ExprFunctionExt, ExprSchemable, FetchType, JoinType, Limit,
    LogicalPlan, LogicalPlanBuilder, Operator, SkipType, Window, binary_expr, lit, when,
};

use super::Rewriting;
use super::outside::{each_outside, is_outside};
pub(super) use domain::Domain;

/// An own column of the query that has the value of an outside one.
#[derive(Debug, Clone)]
pub(super) struct Key {
    pub(super) own: Expr,
    pub(super) outside: Expr,
    /// NULL equals NULL.
    pub(super) is_null_safe: bool,
}

impl Key {
    pub(super) fn condition(&self, outside: Expr) -> Expr {
        let operator = match self.is_null_safe {
            true => Operator::IsNotDistinctFrom,
            false => Operator::Eq,
        };
        binary_expr(outside, operator, self.own.clone())
    }
}

/// A query taken out of the one around it. All expressions are over the columns of `plan`.
#[derive(Debug, Clone)]
pub(super) struct Unnested {
    pub(super) plan: LogicalPlan,
    /// What each column of the query is. May still read outside columns.
    pub(super) outputs: Vec<Expr>,
    pub(super) keys: Vec<Key>,
    /// Conditions that read outside columns.
    pub(super) remains: Vec<Expr>,
    order: Vec<SortKey>,
    /// The outputs where there is no row of these keys: those of an aggregate over nothing.
    pub(super) absent: Option<Vec<Expr>>,
    /// There is at most one row of the same keys.
    pub(super) is_single: bool,
}

impl Unnested {
    fn plain(plan: LogicalPlan) -> Self {
        Self {
            outputs: columns(&plan),
            plan,
            keys: Vec::new(),
            remains: Vec::new(),
            order: Vec::new(),
            absent: None,
            is_single: false,
        }
    }
}

/// Takes queries out of what is around them.
pub(super) struct Unnesting<'r> {
    pub(super) rewriting: &'r mut Rewriting,
    /// The columns around the query.
    pub(super) around: &'r DFSchema,
    pub(super) domain: Option<&'r Domain>,
    /// Only whether there are rows, and which, matters: not how often each is there.
    pub(super) only_which: bool,
}

impl Unnesting<'_> {
    /// The query by itself, or nothing if it cannot be taken out this way.
    pub(super) fn query(&mut self, plan: &LogicalPlan) -> Result<Option<Unnested>> {
        if !self.is_correlated(plan)? {
            return Ok(Some(Unnested::plain(plan.clone())));
        }
        match plan {
            LogicalPlan::SubqueryAlias(named) => self.query(&named.input),
            LogicalPlan::Subquery(query) => self.query(&query.subquery),
            LogicalPlan::Filter(filter) => {
                let Some(unnested) = self.rows(&filter.input)? else {
                    return Ok(None);
                };
                self.filtered(unnested, filter.predicate.clone(), filter.input.schema())
            }
            LogicalPlan::Projection(projection) => {
                let schema = projection.input.schema();
                let Some(mut unnested) = self.query(&projection.input)? else {
                    return Ok(None);
                };
                if self.is_any_outside(&projection.expr)? && !self.with_domain(&mut unnested)? {
                    return Ok(None);
                }
                let outputs = projection.expr.iter();
                let outputs = outputs.map(|it| self.over(it, schema, &unnested));
                let outputs: Vec<Expr> = outputs.collect::<Result<_>>()?;
                if let Some(absent) = &unnested.absent {
                    let absent = projection.expr.iter().map(|it| over(it, schema, absent));
                    unnested.absent = Some(absent.collect::<Result<_>>()?);
                }
                unnested.outputs = outputs;
                Ok(Some(unnested))
            }
            LogicalPlan::Sort(sort) => {
                let schema = sort.input.schema();
                let input = match sort.fetch {
                    Some(_) => self.counted_rows(&sort.input)?,
                    None => self.query(&sort.input)?,
                };
                let Some(mut unnested) = input else {
                    return Ok(None);
                };
                let keys: Vec<Expr> = sort.expr.iter().map(|key| key.expr.clone()).collect();
                if self.is_any_outside(&keys)? && !self.with_domain(&mut unnested)? {
                    return Ok(None);
                }
                let order = sort.expr.iter().map(|key| {
                    let expr = self.over(&key.expr, schema, &unnested)?;
                    Ok(SortKey {
                        expr,
                        ..key.clone()
                    })
                });
                unnested.order = order.collect::<Result<_>>()?;
                match sort.fetch {
                    Some(fetch) => self.limited(unnested, 0, Some(fetch)),
                    None => Ok(Some(unnested)),
                }
            }
            LogicalPlan::Limit(limit) => self.limit(limit),
            LogicalPlan::Distinct(Distinct::All(input)) => {
                let Some(unnested) = self.rows(input)? else {
                    return Ok(None);
                };
                if self.only_which {
                    return Ok(Some(unnested));
                }
                let Some(mut sealed) = self.pure(unnested)? else {
                    return Ok(None);
                };
                sealed.plan = LogicalPlanBuilder::from(sealed.plan).distinct()?.build()?;
                sealed.order = Vec::new();
                Ok(Some(sealed))
            }
            LogicalPlan::Aggregate(aggregate) => self.aggregate(aggregate),
            LogicalPlan::Window(window) => self.window(window),
            LogicalPlan::Join(join) => self.join(join),
            LogicalPlan::Union(union) => self.union(union),
            _ => Ok(None),
        }
    }

    /// The same with the row of an aggregate over nothing among the rows.
    pub(super) fn rows(&mut self, plan: &LogicalPlan) -> Result<Option<Unnested>> {
        let Some(unnested) = self.query(plan)? else {
            return Ok(None);
        };
        let (Some(absent), Some(domain)) = (unnested.absent.clone(), self.domain) else {
            return Ok(Some(unnested).filter(|unnested| unnested.absent.is_none()));
        };
        let Some(sealed) = self.pure(Unnested {
            absent: None,
            ..unnested
        })?
        else {
            return Ok(None);
        };
        let (all, keys) = self.domain_again(domain)?;
        let on = sealed
            .keys
            .iter()
            .zip(&keys)
            .map(|(key, all)| key.condition(all.own.clone()));
        let marker = column(&sealed.plan, 0);
        let on: Vec<Expr> = on.collect();
        let plan = LogicalPlanBuilder::from(all)
            .join_on(sealed.plan.clone(), JoinType::Left, on)?
            .build()?;
        let mut outputs = Vec::with_capacity(absent.len());
        for (there, absent) in sealed.outputs.into_iter().zip(absent) {
            let absent = with_keys(absent, &keys)?;
            outputs.push(when(marker.clone().is_null(), absent).otherwise(there)?);
        }
        Ok(Some(Unnested {
            plan,
            outputs,
            keys,
            remains: Vec::new(),
            order: Vec::new(),
            absent: None,
            is_single: sealed.is_single,
        }))
    }

    /// The same where it matters how often each row is there.
    fn counted_rows(&mut self, plan: &LogicalPlan) -> Result<Option<Unnested>> {
        let only_which = std::mem::replace(&mut self.only_which, false);
        let rows = self.rows(plan);
        self.only_which = only_which;
        rows
    }

    fn filtered(
        &mut self,
        mut unnested: Unnested,
        predicate: Expr,
        schema: &DFSchema,
    ) -> Result<Option<Unnested>> {
        let mut conditions = Vec::new();
        for part in split_conjunction_owned(predicate) {
            if !self.is_outside(&part)? {
                conditions.push(self.over(&part, schema, &unnested)?);
                continue;
            }
            if self.with_domain(&mut unnested)? {
                conditions.push(self.over(&part, schema, &unnested)?);
                continue;
            }
            let part = self.over(&part, schema, &unnested)?;
            match self.key(&part)? {
                Some(key) => unnested.keys.push(key),
                None => unnested.remains.push(part),
            }
        }
        if let Some(predicate) = conjunction(conditions) {
            if self.is_outside(&predicate)? {
                return Ok(None);
            }
            unnested.plan = LogicalPlanBuilder::from(unnested.plan)
                .filter(predicate)?
                .build()?;
        }
        Ok(Some(unnested))
    }

    /// `own = outside`, either way round.
    fn key(&self, condition: &Expr) -> Result<Option<Key>> {
        let Expr::BinaryExpr(binary) = condition else {
            return Ok(None);
        };
        if binary.op != Operator::Eq {
            return Ok(None);
        }
        for (own, outside) in [(&binary.left, &binary.right), (&binary.right, &binary.left)] {
            let is_outside = outside.column_refs().is_empty() && self.is_outside(outside)?;
            if is_outside && !self.is_outside(own)? && !own.column_refs().is_empty() {
                return Ok(Some(Key {
                    own: own.as_ref().clone(),
                    outside: outside.as_ref().clone(),
                    is_null_safe: false,
                }));
            }
        }
        Ok(None)
    }

    fn limit(&mut self, limit: &Limit) -> Result<Option<Unnested>> {
        let Some(unnested) = self.counted_rows(&limit.input)? else {
            return Ok(None);
        };
        let (SkipType::Literal(skip), FetchType::Literal(fetch)) =
            (limit.get_skip_type()?, limit.get_fetch_type()?)
        else {
            return Ok(None);
        };
        self.limited(unnested, skip, fetch)
    }

    /// The first rows of each key.
    fn limited(
        &mut self,
        unnested: Unnested,
        skip: usize,
        fetch: Option<usize>,
    ) -> Result<Option<Unnested>> {
        let Some(mut unnested) = self.pure(unnested)? else {
            return Ok(None);
        };
        let keys: Vec<Expr> = unnested.keys.iter().map(|key| key.own.clone()).collect();
        let number = row_number()
            .partition_by(keys)
            .order_by(unnested.order.clone())
            .build()?;
        let plan = LogicalPlanBuilder::from(unnested.plan)
            .window([number])?
            .build()?;
        let place = column(&plan, plan.schema().fields().len() - 1);
        let mut conditions = Vec::new();
        if skip > 0 {
            conditions.push(place.clone().gt(lit(skip as u64)));
        }
        if let Some(fetch) = fetch {
            conditions.push(place.lt_eq(lit(skip.saturating_add(fetch) as u64)));
        }
        unnested.plan = match conditions.into_iter().reduce(Expr::and) {
            Some(predicate) => LogicalPlanBuilder::from(plan).filter(predicate)?.build()?,
            None => plan,
        };
        unnested.is_single |= fetch.is_some_and(|fetch| fetch <= 1);
        Ok(Some(unnested))
    }

    fn aggregate(&mut self, aggregate: &Aggregate) -> Result<Option<Unnested>> {
        let is_plain = |expr: &Expr| !matches!(expr, Expr::GroupingSet(_));
        if !aggregate.group_expr.iter().all(is_plain) {
            return Ok(None);
        }
        let Some(mut unnested) = self.counted_rows(&aggregate.input)? else {
            return Ok(None);
        };
        let schema = aggregate.input.schema();
        let all = aggregate.group_expr.iter().chain(&aggregate.aggr_expr);
        let all: Vec<Expr> = all.cloned().collect();
        if self.is_any_outside(&all)? && !self.with_domain(&mut unnested)? {
            return Ok(None);
        }
        let Some(sealed) = self.pure(unnested)? else {
            return Ok(None);
        };
        let mut groups: Vec<Expr> = sealed.keys.iter().map(|key| key.own.clone()).collect();
        for group in &aggregate.group_expr {
            groups.push(self.over(group, schema, &sealed)?);
        }
        let mut values = Vec::new();
        let mut absent = Vec::new();
        for value in &aggregate.aggr_expr {
            values.push(self.over(value, schema, &sealed)?);
            absent.push(over_nothing(value, schema)?);
        }
        let plan = LogicalPlanBuilder::from(sealed.plan)
            .aggregate(groups, values)?
            .build()?;
        let mut all = columns(&plan);
        let outputs = all.split_off(sealed.keys.len());
        let keys = sealed.keys.into_iter().zip(all);
        let is_single = aggregate.group_expr.is_empty();
        Ok(Some(Unnested {
            keys: keys.map(|(key, own)| Key { own, ..key }).collect(),
            outputs,
            absent: is_single.then_some(absent),
            is_single,
            ..Unnested::plain(plan)
        }))
    }

    fn window(&mut self, window: &Window) -> Result<Option<Unnested>> {
        let Some(mut unnested) = self.counted_rows(&window.input)? else {
            return Ok(None);
        };
        if self.is_any_outside(&window.window_expr)? && !self.with_domain(&mut unnested)? {
            return Ok(None);
        }
        let Some(mut sealed) = self.pure(unnested)? else {
            return Ok(None);
        };
        let keys: Vec<Expr> = sealed.keys.iter().map(|key| key.own.clone()).collect();
        let mut expressions = Vec::with_capacity(window.window_expr.len());
        for expr in &window.window_expr {
            let expr = self.over(expr, window.input.schema(), &sealed)?;
            let expr = expr.transform_up(|part| match part {
                Expr::WindowFunction(mut call) => {
                    let WindowFunction { params, .. } = call.as_mut();
                    params.partition_by.extend(keys.iter().cloned());
                    Ok(Transformed::yes(Expr::WindowFunction(call)))
                }
                other => Ok(Transformed::no(other)),
            })?;
            expressions.push(expr.data);
        }
        let before = sealed.plan.schema().fields().len();
        sealed.plan = LogicalPlanBuilder::from(sealed.plan)
            .window(expressions)?
            .build()?;
        sealed
            .outputs
            .extend(columns(&sealed.plan).split_off(before));
        Ok(Some(sealed))
    }

    /// An expression over a node's input as one over what the input became.
    fn over(&self, expr: &Expr, schema: &DFSchema, unnested: &Unnested) -> Result<Expr> {
        let expr = over(expr, schema, &unnested.outputs)?;
        match self.domain {
            Some(_) => with_keys(expr, &unnested.keys),
            None => Ok(expr),
        }
    }

    fn is_outside(&self, expr: &Expr) -> Result<bool> {
        is_outside(expr, self.around)
    }

    fn is_any_outside(&self, exprs: &[Expr]) -> Result<bool> {
        for expr in exprs {
            if self.is_outside(expr)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub(super) fn is_correlated(&self, plan: &LogicalPlan) -> Result<bool> {
        let mut found = false;
        each_outside(plan, &mut |_, column| {
            found |= self.around.has_column(column)
        })?;
        Ok(found)
    }
}

/// The columns of a plan as expressions.
pub(super) fn columns(plan: &LogicalPlan) -> Vec<Expr> {
    (0..plan.schema().fields().len())
        .map(|index| column(plan, index))
        .collect()
}

pub(super) fn column(plan: &LogicalPlan, index: usize) -> Expr {
    Expr::Column(Column::from(plan.schema().qualified_field(index)))
}

fn over(expr: &Expr, schema: &DFSchema, columns: &[Expr]) -> Result<Expr> {
    let replaced = expr.clone().transform_up(|part| match part {
        Expr::Column(column) => {
            let index = schema.index_of_column(&column)?;
            Ok(Transformed::yes(columns[index].clone()))
        }
        Expr::Alias(alias) => Ok(Transformed::yes(*alias.expr)),
        part => Ok(Transformed::no(part)),
    })?;
    Ok(replaced.data)
}

/// With the keys in the place of the outside columns whose values they have.
fn with_keys(expr: Expr, keys: &[Key]) -> Result<Expr> {
    let replaced = expr.transform_up(|part| match keys.iter().find(|key| key.outside == part) {
        Some(key) => Ok(Transformed::yes(key.own.clone())),
        None => Ok(Transformed::no(part)),
    })?;
    Ok(replaced.data)
}

/// What an aggregate gives for no rows.
fn over_nothing(expr: &Expr, schema: &DFSchema) -> Result<Expr> {
    let value = match expr {
        Expr::Alias(alias) => return over_nothing(&alias.expr, schema),
        Expr::AggregateFunction(call) => call.func.default_value(&expr.get_type(schema)?)?,
        _ => ScalarValue::try_from(&expr.get_type(schema)?)?,
    };
    Ok(lit(value))
}
