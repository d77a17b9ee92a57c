//! Seeing one table behind projections, filters and aliases.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, DataFusionError, Result};
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::{Expr, LogicalPlan, Volatility};

use crate::rows::each_node;
use crate::scan::SourceTable;

/// A query that is one table of a source, some conditions, and outputs that each depend on one row.
#[derive(Debug)]
pub(crate) struct Flat {
    pub(crate) table: SourceTable,
    /// Output names and their expressions over the table's columns, unqualified.
    pub(crate) outputs: Vec<(String, Expr)>,
    /// Joined by AND.
    pub(crate) conditions: Vec<Expr>,
    /// Why it still has to be executed as a whole.
    pub(crate) why: Option<String>,
    pub(crate) notes: Vec<String>,
}

struct Layers {
    table: SourceTable,
    /// What each column of the current node is, over the table's columns.
    columns: Vec<Expr>,
    conditions: Vec<Expr>,
    why: Option<String>,
    notes: Vec<String>,
}

/// Takes a query apart, or says why it cannot be. A UNION ALL gives one part for each of its queries.
pub(crate) fn flatten(plan: &LogicalPlan) -> Result<Result<Vec<Flat>, String>> {
    let arms = match layers(plan)? {
        Ok(arms) => arms,
        Err(why) => return Ok(Err(why)),
    };
    arms.into_iter().map(|arm| flat(plan, arm)).collect()
}

fn flat(plan: &LogicalPlan, layers: Layers) -> Result<Result<Flat, String>> {
    let Layers {
        table,
        columns,
        conditions,
        mut why,
        notes,
    } = layers;
    for (expr, place) in columns
        .iter()
        .map(|it| (it, "an output"))
        .chain(conditions.iter().map(|it| (it, "its WHERE")))
    {
        if let Some(reason) = not_of_the_row(expr)? {
            why.get_or_insert(format!("{place} {reason}"));
        }
        if has_subquery(expr)? {
            return Ok(Err(format!("{place} has a subquery")));
        }
    }
    let names = plan
        .schema()
        .fields()
        .iter()
        .map(|field| field.name().clone());
    Ok(Ok(Flat {
        table,
        outputs: names.zip(columns).collect(),
        conditions,
        why,
        notes,
    }))
}

/// The layers of each query that a UNION ALL puts together; mostly of one.
fn layers(plan: &LogicalPlan) -> Result<Result<Vec<Layers>, String>> {
    let below = |input: &LogicalPlan| layers(input);
    Ok(match plan {
        LogicalPlan::TableScan(scan) => {
            let provider = source_as_provider(&scan.source)?;
            match provider.downcast_ref::<SourceTable>() {
                Some(table) if scan.fetch.is_none() && scan.filters.is_empty() => {
                    let names = plan.schema().fields().iter();
                    let columns = names
                        .map(|field| Expr::Column(Column::new_unqualified(field.name().as_str())))
                        .collect();
                    Ok(vec![Layers {
                        table: table.clone(),
                        columns,
                        conditions: Vec::new(),
                        why: None,
                        notes: Vec::new(),
                    }])
                }
                Some(_) => Err("its table is read in part".to_owned()),
                None => Err(format!("{} is not a table of a source", scan.table_name)),
            }
        }
        LogicalPlan::SubqueryAlias(alias) => below(&alias.input)?,
        LogicalPlan::Projection(projection) => match below(&projection.input)? {
            Ok(mut arms) => {
                let schema = projection.input.schema();
                for arm in &mut arms {
                    let columns = projection
                        .expr
                        .iter()
                        .map(|expr| over(expr, schema, &arm.columns));
                    arm.columns = columns.collect::<Result<_>>()?;
                }
                Ok(arms)
            }
            why => why,
        },
        LogicalPlan::Filter(filter) => match below(&filter.input)? {
            Ok(mut arms) => {
                for arm in &mut arms {
                    let condition = over(&filter.predicate, filter.input.schema(), &arm.columns)?;
                    arm.conditions.push(condition);
                }
                Ok(arms)
            }
            why => why,
        },
        LogicalPlan::Sort(sort) => match below(&sort.input)? {
            Ok(mut arms) if sort.fetch.is_none() => {
                // Said once, of all of them.
                let note = "ORDER BY without LIMIT changes nothing in a table".to_owned();
                arms.iter_mut()
                    .take(1)
                    .for_each(|arm| arm.notes.push(note.clone()));
                Ok(arms)
            }
            Ok(arms) => Ok(because(arms, "it has a LIMIT")),
            why => why,
        },
        LogicalPlan::Limit(limit) => below(&limit.input)?.map(|mut arms| {
            // With a limit the order below it does change something.
            arms.iter_mut().for_each(|arm| arm.notes.clear());
            because(arms, "it has a LIMIT")
        }),
        LogicalPlan::Union(union) => {
            let mut arms = Vec::with_capacity(union.inputs.len());
            for input in &union.inputs {
                match below(input)? {
                    Ok(more) => arms.extend(more),
                    Err(why) => return Ok(Err(of_an_arm(&why))),
                }
            }
            Ok(arms)
        }
        LogicalPlan::Distinct(distinct)
            if matches!(distinct.input().as_ref(), LogicalPlan::Union(_)) =>
        {
            Err("UNION leaves out doubles, as UNION ALL does not".to_owned())
        }
        LogicalPlan::Distinct(_) => Err("it has DISTINCT".to_owned()),
        LogicalPlan::Aggregate(_) => Err("it has an aggregate".to_owned()),
        LogicalPlan::Window(_) => Err("it has a window function".to_owned()),
        LogicalPlan::Join(_) => Err("it joins tables".to_owned()),
        LogicalPlan::Unnest(_) => Err("it unnests a list".to_owned()),
        LogicalPlan::Values(_) | LogicalPlan::EmptyRelation(_) => {
            Err("it reads no table".to_owned())
        }
        other => Err(format!("it has an operator {}", other.display())),
    })
}

/// Why a UNION ALL is executed as a whole, if that is because of one of its queries.
pub(crate) fn of_an_arm(why: &str) -> String {
    format!("of a query that it unites: {why}")
}

fn because(mut arms: Vec<Layers>, why: &str) -> Vec<Layers> {
    for arm in &mut arms {
        arm.why.get_or_insert_with(|| why.to_owned());
    }
    arms
}

/// An expression over `schema` as one over the table: each column replaced by what it is.
fn over(expr: &Expr, schema: &DFSchema, columns: &[Expr]) -> Result<Expr> {
    let replaced = expr.clone().transform_up(|expr| match &expr {
        Expr::Column(column) => {
            let index = schema.index_of_column(column)?;
            Ok(Transformed::yes(columns[index].clone()))
        }
        Expr::Alias(alias) => Ok(Transformed::yes(alias.expr.as_ref().clone())),
        _ => Ok(Transformed::no(expr)),
    })?;
    Ok(replaced.data)
}

/// Says why an expression depends on more than the row: the clock, chance.
fn not_of_the_row(expr: &Expr) -> Result<Option<String>> {
    let mut reason = None;
    expr.apply(|expr| {
        if let Expr::ScalarFunction(call) = expr {
            let name = call.func.name();
            match call.func.signature().volatility {
                Volatility::Immutable => {}
                Volatility::Stable => {
                    reason = Some(format!("depends on the clock or the session: {name}()"))
                }
                Volatility::Volatile => reason = Some(format!("is different each time: {name}()")),
            }
        }
        Ok(if reason.is_some() {
            TreeNodeRecursion::Stop
        } else {
            TreeNodeRecursion::Continue
        })
    })?;
    Ok(reason)
}

fn has_subquery(expr: &Expr) -> Result<bool> {
    expr.exists(|expr| {
        Ok(matches!(
            expr,
            Expr::ScalarSubquery(_)
                | Expr::Exists(_)
                | Expr::InSubquery(_)
                | Expr::SetComparison(_)
        ))
    })
}

/// The tables of sources that a query reads, each connection once.
pub(crate) fn source_tables(plan: &LogicalPlan) -> Result<Vec<SourceTable>, DataFusionError> {
    let mut found: Vec<SourceTable> = Vec::new();
    let mut failed = None;
    each_node(plan, |node| {
        if let LogicalPlan::TableScan(scan) = node {
            match source_as_provider(&scan.source) {
                Ok(provider) => {
                    let provider = Arc::clone(&provider);
                    if let Some(table) = provider.downcast_ref::<SourceTable>()
                        && !found
                            .iter()
                            .any(|other| other.connection == table.connection)
                    {
                        found.push(table.clone());
                    }
                }
                Err(error) => failed = Some(error),
            }
        }
    })?;
    match failed {
        Some(error) => Err(error),
        None => Ok(found),
    }
}
