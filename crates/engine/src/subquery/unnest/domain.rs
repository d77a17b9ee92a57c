//! The values that a query is computed for, and the columns under which others read it.

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, Result};
use datafusion::logical_expr::expr::Sort as SortKey;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, lit};

use super::super::outside::{each_outside, inside};
use super::{Key, Unnested, Unnesting, columns};

/// The values of outside columns for which a query is computed.
#[derive(Debug)]
pub(in crate::subquery) struct Domain {
    plan: LogicalPlan,
    outside: Vec<Expr>,
}

impl Domain {
    /// The different values that the outside columns of a query have in `around`.
    pub(in crate::subquery) fn new(query: &LogicalPlan, around: &LogicalPlan) -> Result<Self> {
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

impl Unnesting<'_> {
    /// Puts the domain beside what does not have it yet; `false` if there is none.
    pub(in crate::subquery) fn with_domain(&mut self, unnested: &mut Unnested) -> Result<bool> {
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

    pub(super) fn domain_again(&mut self, domain: &Domain) -> Result<(LogicalPlan, Vec<Key>)> {
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
    pub(super) fn pure(&mut self, unnested: Unnested) -> Result<Option<Unnested>> {
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
    pub(in crate::subquery) fn sealed(&mut self, unnested: Unnested) -> Result<Unnested> {
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
}

/// With each column by another one.
fn parts(expr: Expr, seal: &mut impl FnMut(&Expr) -> Expr) -> Result<Expr> {
    let replaced = expr.transform_down(|part| match part {
        Expr::Column(_) => Ok(Transformed::new(seal(&part), true, TreeNodeRecursion::Jump)),
        part => Ok(Transformed::no(part)),
    })?;
    Ok(replaced.data)
}
