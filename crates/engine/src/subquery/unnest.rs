//! A query that reads columns from outside, as a plan that does not.
//!
//! Where such columns are only compared with the query's own, the comparisons become the condition of a join: its
//! *keys* (`own = outside`) and what *remains*. Where they are read elsewhere, the query is computed for all their
//! values at once: these, its *domain*, are put beside its tables.

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, Result, ScalarValue};
use datafusion::functions_window::expr_fn::row_number;
use datafusion::logical_expr::expr::{Sort as SortKey, WindowFunction};
use datafusion::logical_expr::utils::split_conjunction_owned;
use datafusion::logical_expr::{
    Aggregate, Distinct, Expr, ExprFunctionExt, FetchType, Join, JoinType, Limit, LogicalPlan,
    LogicalPlanBuilder, Operator, SkipType, Union, Window, binary_expr, lit,
};

use super::Rewriting;

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

/// The values of outside columns for which a query is computed.
#[derive(Debug)]
pub(super) struct Domain {
    plan: LogicalPlan,
    outside: Vec<Expr>,
}

impl Domain {
    /// The different values that the outside columns of a query have in `around`.
    pub(super) fn new(query: &LogicalPlan, around: &LogicalPlan) -> Result<Self> {
        let mut outside: Vec<Expr> = Vec::new();
        each_outside(query, &mut |reference, column| {
            if around.schema().has_column(column) && !outside.contains(reference) {
                outside.push(reference.clone());
            }
        })?;
        let named = outside.iter().enumerate().map(|(index, reference)| {
            let column = inside(reference).unwrap_or_else(|| reference.clone());
            column.alias(format!("k{index}"))
        });
        let named: Vec<Expr> = named.collect();
        let plan = LogicalPlanBuilder::from(around.clone())
            .project(named)?
            .distinct()?
            .build()?;
        Ok(Self { plan, outside })
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
            outputs.push(
                datafusion::logical_expr::when(marker.clone().is_null(), absent)
                    .otherwise(there)?,
            );
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
        if let Some(predicate) = datafusion::logical_expr::utils::conjunction(conditions) {
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

    fn join(&mut self, join: &Join) -> Result<Option<Unnested>> {
        use JoinType::{Full, Inner, Left, LeftAnti, LeftMark, LeftSemi, Right};
        let on = join.on.iter().map(|(left, right)| {
            let operator = match join.null_equality {
                datafusion::common::NullEquality::NullEqualsNull => Operator::IsNotDistinctFrom,
                datafusion::common::NullEquality::NullEqualsNothing => Operator::Eq,
            };
            binary_expr(left.clone(), operator, right.clone())
        });
        let conditions: Vec<Expr> = on
            .chain(
                join.filter
                    .iter()
                    .cloned()
                    .flat_map(split_conjunction_owned),
            )
            .collect();
        let is_right_plain = !self.is_correlated(&join.right)?;
        let is_left_plain = !self.is_correlated(&join.left)?;
        let reads_outside = self.is_any_outside(&conditions)?;
        let (Some(mut left), Some(mut right)) = (self.rows(&join.left)?, self.rows(&join.right)?)
        else {
            return Ok(None);
        };
        let by_left = is_right_plain
            && matches!(
                join.join_type,
                Inner | Left | LeftSemi | LeftAnti | LeftMark
            );
        let by_right = is_left_plain && matches!(join.join_type, Inner | Right);
        if self.domain.is_none() && !(by_left || by_right)
            || self.domain.is_none() && reads_outside && join.join_type != Inner
            || join.null_aware && !is_right_plain
        {
            return Ok(None);
        }
        if self.domain.is_some() {
            if by_left {
                self.with_domain(&mut left)?;
            } else if by_right {
                self.with_domain(&mut right)?;
            } else {
                self.with_domain(&mut left)?;
                self.with_domain(&mut right)?;
            }
        }
        let (left, right) = (self.sealed(left)?, self.sealed(right)?);
        // The columns of both sides as the conditions know them.
        let schema = join.left.schema().join(join.right.schema())?;
        let mut both = Unnested::plain(left.plan.clone());
        both.outputs = left.outputs.iter().chain(&right.outputs).cloned().collect();
        both.keys = match left.keys.is_empty() {
            true => right.keys.clone(),
            false => left.keys.clone(),
        };
        let mut on = Vec::new();
        let mut remains = Vec::new();
        let mut keys = Vec::new();
        for condition in &conditions {
            let condition = self.over(condition, &schema, &both)?;
            if !self.is_outside(&condition)? {
                on.push(condition);
            } else if let Some(key) = self.key(&condition)? {
                keys.push(key);
            } else {
                remains.push(condition);
            }
        }
        if self.domain.is_some() && !left.keys.is_empty() && !right.keys.is_empty() {
            let same = left.keys.iter().zip(&right.keys);
            on.extend(same.map(|(left, right)| right.condition(left.own.clone())));
        }
        let joined = LogicalPlanBuilder::from(left.plan.clone());
        let plan = match join.null_aware {
            true => joined.join_detailed_with_options(
                right.plan.clone(),
                join.join_type,
                (Vec::<Column>::new(), Vec::<Column>::new()),
                on.into_iter().reduce(Expr::and),
                join.null_equality,
                true,
            )?,
            false => joined.join_on(right.plan.clone(), join.join_type, on)?,
        };
        let plan = plan.build()?;
        let outputs = match join.join_type {
            LeftSemi | LeftAnti => left.outputs.clone(),
            LeftMark => {
                let mark = column(&plan, plan.schema().fields().len() - 1);
                left.outputs.iter().cloned().chain([mark]).collect()
            }
            _ => both.outputs,
        };
        keys.extend(match (left.keys.as_slice(), right.keys.as_slice()) {
            (left, []) => left.to_vec(),
            ([], right) => right.to_vec(),
            (_, right) if join.join_type == Right => right.to_vec(),
            (left, right) if join.join_type == Full => left
                .iter()
                .zip(right)
                .map(|(left, right)| Key {
                    own: datafusion::functions::core::expr_fn::coalesce(vec![
                        left.own.clone(),
                        right.own.clone(),
                    ]),
                    ..left.clone()
                })
                .collect(),
            (left, _) => left.to_vec(),
        });
        remains.extend(left.remains.into_iter().chain(right.remains));
        Ok(Some(Unnested {
            plan,
            outputs,
            keys,
            remains,
            order: Vec::new(),
            absent: None,
            is_single: false,
        }))
    }

    fn union(&mut self, union: &Union) -> Result<Option<Unnested>> {
        let mut arms: Vec<Unnested> = Vec::with_capacity(union.inputs.len());
        for input in &union.inputs {
            let Some(mut arm) = self.rows(input)? else {
                return Ok(None);
            };
            self.with_domain(&mut arm)?;
            let Some(arm) = self.pure(arm)? else {
                return Ok(None);
            };
            arms.push(arm);
        }
        let Some(first) = arms.first().cloned() else {
            return Ok(None);
        };
        let outside = |arm: &Unnested| -> Vec<Expr> {
            arm.keys.iter().map(|key| key.outside.clone()).collect()
        };
        if arms.iter().any(|arm| outside(arm) != outside(&first)) {
            return Ok(None);
        }
        let mut united: Option<LogicalPlanBuilder> = None;
        for arm in arms {
            let keys = arm.keys.iter().map(|key| key.own.clone());
            let all = keys.chain(arm.outputs).enumerate();
            let all: Vec<Expr> = all
                .map(|(index, expr)| expr.alias(format!("c{index}")))
                .collect();
            let plan = LogicalPlanBuilder::from(arm.plan).project(all)?.build()?;
            united = Some(match united {
                Some(before) => before.union(plan)?,
                None => LogicalPlanBuilder::from(plan),
            });
        }
        let Some(plan) = united else { return Ok(None) };
        let plan = plan.alias(self.rewriting.name())?.build()?;
        let mut own = columns(&plan);
        let outputs = own.split_off(first.keys.len());
        let keys = first.keys.into_iter().zip(own);
        Ok(Some(Unnested {
            keys: keys.map(|(key, own)| Key { own, ..key }).collect(),
            outputs,
            ..Unnested::plain(plan)
        }))
    }

    /// Puts the domain beside what does not have it yet; `false` if there is none.
    pub(super) fn with_domain(&mut self, unnested: &mut Unnested) -> Result<bool> {
        let Some(domain) = self.domain else {
            return Ok(false);
        };
        if unnested.keys.is_empty() {
            let (plan, keys) = self.domain_again(domain)?;
            unnested.plan = LogicalPlanBuilder::from(unnested.plan.clone())
                .cross_join(plan)?
                .build()?;
            unnested.keys = keys;
        }
        Ok(true)
    }

    fn domain_again(&mut self, domain: &Domain) -> Result<(LogicalPlan, Vec<Key>)> {
        let plan = LogicalPlanBuilder::from(domain.plan.clone())
            .alias(self.rewriting.name())?
            .build()?;
        let keys = columns(&plan).into_iter().zip(&domain.outside);
        let keys = keys.map(|(own, outside)| Key {
            own,
            outside: outside.clone(),
            is_null_safe: true,
        });
        Ok((plan.clone(), keys.collect()))
    }

    /// With columns of its own, each of which reads the query alone; `None` if some cannot.
    fn pure(&mut self, unnested: Unnested) -> Result<Option<Unnested>> {
        if !unnested.remains.is_empty() || self.is_any_outside(&unnested.outputs)? {
            return Ok(None);
        }
        let order: Vec<Expr> = unnested.order.iter().map(|key| key.expr.clone()).collect();
        if self.is_any_outside(&order)? {
            return Ok(None);
        }
        self.sealed(unnested).map(Some)
    }

    /// With columns of its own, under a name of its own. The first is true, so that a row that a join adds is known.
    pub(super) fn sealed(&mut self, unnested: Unnested) -> Result<Unnested> {
        let name = self.rewriting.name();
        let mut named = vec![lit(true).alias("there")];
        let mut seal = |expr: &Expr| -> Expr {
            let column = format!("c{}", named.len());
            named.push(expr.clone().alias(&column));
            Expr::Column(Column::new(Some(name.clone()), column))
        };
        let keys = unnested.keys.iter().map(|key| Key {
            own: seal(&key.own),
            ..key.clone()
        });
        let keys: Vec<Key> = keys.collect();
        let mut outputs = Vec::with_capacity(unnested.outputs.len());
        for output in &unnested.outputs {
            outputs.push(match self.is_outside(output)? {
                true => parts(output.clone(), &mut seal)?,
                false => seal(output),
            });
        }
        let remains = unnested.remains.into_iter().map(|it| parts(it, &mut seal));
        let remains: Vec<Expr> = remains.collect::<Result<_>>()?;
        let order = unnested.order.into_iter().map(|key| {
            let expr = parts(key.expr.clone(), &mut seal)?;
            Ok(SortKey { expr, ..key })
        });
        let order: Vec<SortKey> = order.collect::<Result<_>>()?;
        let plan = LogicalPlanBuilder::from(unnested.plan)
            .project(named)?
            .alias(name.clone())?
            .build()?;
        Ok(Unnested {
            plan,
            outputs,
            keys,
            remains,
            order,
            absent: unnested.absent,
            is_single: unnested.is_single,
        })
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

/// With each column by another one.
fn parts(expr: Expr, seal: &mut impl FnMut(&Expr) -> Expr) -> Result<Expr> {
    let replaced = expr.transform_down(|part| match part {
        Expr::Column(_) => Ok(Transformed::new(seal(&part), true, TreeNodeRecursion::Jump)),
        part => Ok(Transformed::no(part)),
    })?;
    Ok(replaced.data)
}

/// What an aggregate gives for no rows.
fn over_nothing(expr: &Expr, schema: &DFSchema) -> Result<Expr> {
    use datafusion::logical_expr::ExprSchemable;
    let value = match expr {
        Expr::Alias(alias) => return over_nothing(&alias.expr, schema),
        Expr::AggregateFunction(call) => call.func.default_value(&expr.get_type(schema)?)?,
        _ => ScalarValue::try_from(&expr.get_type(schema)?)?,
    };
    Ok(lit(value))
}

/// The column of an outside reference.
pub(super) fn inside(reference: &Expr) -> Option<Expr> {
    match reference {
        Expr::OuterReferenceColumn(_, column) => Some(Expr::Column(column.clone())),
        _ => None,
    }
}

fn is_outside(expr: &Expr, around: &DFSchema) -> Result<bool> {
    expr.exists(|part| {
        Ok(matches!(part, Expr::OuterReferenceColumn(_, column) if around.has_column(column)))
    })
}

/// Visits each reference to an outside column in a plan.
fn each_outside(plan: &LogicalPlan, visit: &mut dyn FnMut(&Expr, &Column)) -> Result<()> {
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|part| {
                if let Expr::OuterReferenceColumn(_, column) = part {
                    visit(part, column);
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(())
}

/// The columns that a query reads from outside it.
pub(super) fn outside_columns(plan: &LogicalPlan) -> Result<Vec<Column>> {
    let mut found = Vec::new();
    each_outside(plan, &mut |_, column| found.push(column.clone()))?;
    Ok(found)
}

pub(super) fn reads_outside(plan: &LogicalPlan) -> Result<bool> {
    Ok(!outside_columns(plan)?.is_empty())
}
