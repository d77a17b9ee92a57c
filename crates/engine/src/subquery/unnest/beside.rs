//! Joins and unions within a query that is taken out.

use datafusion::common::{Column, NullEquality, Result};
use datafusion::functions::core::expr_fn::coalesce;
use datafusion::logical_expr::utils::split_conjunction_owned;
use datafusion::logical_expr::{
    Expr, Join, JoinType, LogicalPlanBuilder, Operator, Union, binary_expr,
};

use super::{Key, Unnested, Unnesting, column, columns};

impl Unnesting<'_> {
    pub(super) fn join(&mut self, join: &Join) -> Result<Option<Unnested>> {
        use JoinType::{Full, Inner, Left, LeftAnti, LeftMark, LeftSemi, Right};
        let on = join.on.iter().map(|(left, right)| {
            let operator = match join.null_equality {
                NullEquality::NullEqualsNull => Operator::IsNotDistinctFrom,
                NullEquality::NullEqualsNothing => Operator::Eq,
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
                    own: coalesce(vec![left.own.clone(), right.own.clone()]),
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

    pub(super) fn union(&mut self, union: &Union) -> Result<Option<Unnested>> {
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
}
