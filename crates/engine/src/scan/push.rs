//! Filters on their way down to the scans of sources.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{JoinSide, JoinType, Result};
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr_common::physical_expr::is_volatile;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::filter_pushdown::{
    ChildPushdownResult, FilterPushdownPhase, PushedDownPredicate,
};
use datafusion::physical_plan::joins::HashJoinExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::union::UnionExec;
use datafusion::physical_plan::{ChildrenPropertiesMode, ExecutionPlan, ReplaceChildrenOptions};

use super::SourceScan;
use crate::padding::Padded;

/// Hands filters down to scans. It stands in for DataFusion's `FilterPushdown`, which finds the columns of a filter
/// among those of the node below by their names, and so takes the wrong one where both sides of a join have a column
/// of that name (docs/decisions/0018).
#[derive(Debug)]
pub(crate) struct PushFilters {
    phase: FilterPushdownPhase,
}

impl PushFilters {
    /// Takes the place of each of DataFusion's rules.
    pub(crate) fn replace(rules: &mut [Arc<dyn PhysicalOptimizerRule + Send + Sync>]) {
        for rule in rules {
            let phase = match rule.name() {
                "FilterPushdown" => FilterPushdownPhase::Pre,
                "FilterPushdown(Post)" => FilterPushdownPhase::Post,
                _ => continue,
            };
            *rule = Arc::new(Self { phase });
        }
    }
}

impl PhysicalOptimizerRule for PushFilters {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(push(&plan, &[], self.phase, config)?.plan)
    }

    fn name(&self) -> &str {
        "PushFilters"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

type Filter = Arc<dyn PhysicalExpr>;

struct Pushed {
    plan: Arc<dyn ExecutionPlan>,
    /// Of each filter whether no row passes it by.
    taken: Vec<bool>,
}

/// The plan after `filters` over its columns, and those that its nodes have themselves, have gone down.
fn push(
    plan: &Arc<dyn ExecutionPlan>,
    filters: &[Filter],
    phase: FilterPushdownPhase,
    config: &ConfigOptions,
) -> Result<Pushed> {
    if let Some(scan) = scan(plan) {
        let scan = match filters {
            [] => None,
            filters => scan.with_filters(filters)?,
        };
        return Ok(Pushed {
            taken: vec![scan.is_some(); filters.len()],
            plan: scan.map_or_else(
                || Arc::clone(plan),
                |it| DataSourceExec::from_data_source(it),
            ),
        });
    }
    let own = plan
        .gather_filters_for_pushdown(phase, Vec::new(), config)?
        .self_filters();
    let routes = Routes::through(plan);
    let mut children = Vec::with_capacity(own.len());
    let mut own_results = Vec::with_capacity(own.len());
    let mut takers = vec![0; filters.len()];
    let mut has_changed = false;
    for (index, (child, own)) in plan.children().into_iter().zip(own).enumerate() {
        let mut moved: Vec<Filter> = Vec::new();
        let mut places = Vec::new();
        for (place, filter) in own.iter().enumerate() {
            if !changes_from_row_to_row(filter)? {
                moved.push(Arc::clone(filter));
                places.push(Place::Own(place));
            }
        }
        for (place, filter) in filters.iter().enumerate() {
            if let Some(filter) = routes.to(index, filter, child)? {
                moved.push(filter);
                places.push(Place::FromAbove(place));
            }
        }
        let pushed = push(child, &moved, phase, config)?;
        let mut own_taken = vec![false; own.len()];
        for (place, taken) in places.into_iter().zip(pushed.taken) {
            match place {
                Place::Own(place) => own_taken[place] = taken,
                Place::FromAbove(place) => takers[place] += usize::from(taken),
            }
        }
        has_changed |= !Arc::ptr_eq(child, &pushed.plan);
        children.push(pushed.plan);
        let results = own.into_iter().zip(own_taken);
        own_results.push(
            results
                .map(|(filter, taken)| match taken {
                    true => PushedDownPredicate::supported(filter),
                    false => PushedDownPredicate::unsupported(filter),
                })
                .collect::<Vec<_>>(),
        );
    }
    let mut plan = match has_changed {
        true => Arc::clone(plan).replace_children(
            children,
            ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute),
        )?,
        false => Arc::clone(plan),
    };
    if own_results.iter().any(|results| !results.is_empty()) {
        let results = ChildPushdownResult {
            parent_filters: Vec::new(),
            self_filters: own_results,
        };
        let answer = plan.handle_child_pushdown_result(phase, results, config)?;
        plan = answer.updated_node.unwrap_or(plan);
    }
    let needed = routes.takers_needed();
    let taken = takers.into_iter().map(|takers| takers >= needed).collect();
    Ok(Pushed { plan, taken })
}

enum Place {
    Own(usize),
    FromAbove(usize),
}

fn scan(plan: &Arc<dyn ExecutionPlan>) -> Option<&SourceScan> {
    plan.downcast_ref::<DataSourceExec>()?
        .data_source()
        .downcast_ref::<SourceScan>()
}

fn changes_from_row_to_row(filter: &Filter) -> Result<bool> {
    filter.exists(|part| Ok(is_volatile(part)))
}

/// Where the columns of a node come from, for each of its children: the place among the child's. Nothing at all goes
/// to a child without columns here, not even a filter that reads none.
struct Routes {
    children: Vec<Vec<Option<usize>>>,
    /// All children have to take a filter so that no row passes it by.
    all: bool,
}

impl Routes {
    fn through(plan: &Arc<dyn ExecutionPlan>) -> Self {
        let width = plan.schema().fields().len();
        let children = plan.children().len();
        if plan.fetch().is_some() {
            // What is limited has chosen its rows already.
            return Self::none(children);
        }
        let straight = plan.is::<RepartitionExec>()
            || plan.is::<CoalescePartitionsExec>()
            || plan.is::<CooperativeExec>()
            || plan.is::<SortExec>()
            || plan.is::<Padded>()
            || plan.is::<UnionExec>();
        if straight {
            return Self {
                children: vec![(0..width).map(Some).collect(); children],
                all: true,
            };
        }
        if let Some(filter) = plan.downcast_ref::<FilterExec>() {
            let all = 0..filter.input().schema().fields().len();
            return Self::one(match filter.projection() {
                Some(projection) => projection.iter().map(|&index| Some(index)).collect(),
                None => all.map(Some).collect(),
            });
        }
        if let Some(projection) = plan.downcast_ref::<ProjectionExec>() {
            let outputs = projection.expr().iter();
            return Self::one(outputs.map(|output| place(&output.expr)).collect());
        }
        if let Some(aggregate) = plan.downcast_ref::<AggregateExec>() {
            let groups = aggregate.group_expr();
            if groups.is_single() && aggregate.limit_options().is_none() {
                let groups = groups.expr().iter();
                return Self::one(groups.map(|(group, _)| place(group)).collect());
            }
        }
        if let Some(join) = plan.downcast_ref::<HashJoinExec>() {
            return Self::of_join(join);
        }
        Self::none(children)
    }

    fn none(children: usize) -> Self {
        Self {
            children: vec![Vec::new(); children],
            all: true,
        }
    }

    fn one(columns: Vec<Option<usize>>) -> Self {
        Self {
            children: vec![columns],
            all: true,
        }
    }

    /// A filter goes to a side whose every row is in the result, or that a row without a match is not.
    fn of_join(join: &HashJoinExec) -> Self {
        let (left, right) = match join.join_type() {
            JoinType::Inner => (true, true),
            JoinType::Left | JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark => {
                (true, false)
            }
            JoinType::Right | JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => {
                (false, true)
            }
            JoinType::Full => (false, false),
        };
        let widths = [join.left(), join.right()].map(|side| side.schema().fields().len());
        let left_columns = (0..widths[0]).map(|index| (JoinSide::Left, index));
        let right_columns = (0..widths[1]).map(|index| (JoinSide::Right, index));
        let columns: Vec<(JoinSide, usize)> = match join.join_type() {
            JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark => left_columns.collect(),
            JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => {
                right_columns.collect()
            }
            _ => left_columns.chain(right_columns).collect(),
        };
        // The mark, which is of neither side, comes last.
        let all = 0..join.join_schema().fields().len();
        let outputs: Vec<usize> = match &join.projection {
            Some(projection) => projection.to_vec(),
            None => all.collect(),
        };
        let of_side = |side, is_open: bool| -> Vec<Option<usize>> {
            if !is_open {
                return Vec::new();
            }
            let place = |output: &usize| match columns.get(*output) {
                Some(&(found, index)) if found == side => Some(index),
                _ => None,
            };
            outputs.iter().map(place).collect()
        };
        Self {
            children: vec![
                of_side(JoinSide::Left, left),
                of_side(JoinSide::Right, right),
            ],
            all: false,
        }
    }

    /// The filter over a child's columns, if these have all that it reads.
    fn to(
        &self,
        index: usize,
        filter: &Filter,
        child: &Arc<dyn ExecutionPlan>,
    ) -> Result<Option<Filter>> {
        let columns = &self.children[index];
        let schema = child.schema();
        let mut found_all = true;
        let moved = Arc::clone(filter).transform_down(|part| {
            let Some(column) = part.downcast_ref::<Column>() else {
                return Ok(Transformed::no(part));
            };
            let Some(place) = columns.get(column.index()).copied().flatten() else {
                found_all = false;
                return Ok(Transformed::new(part, false, TreeNodeRecursion::Stop));
            };
            let column = Column::new(schema.field(place).name(), place);
            Ok(Transformed::new(
                Arc::new(column),
                true,
                TreeNodeRecursion::Jump,
            ))
        })?;
        Ok((found_all && !columns.is_empty()).then_some(moved.data))
    }

    fn takers_needed(&self) -> usize {
        match self.all {
            true => self.children.len().max(1),
            false => 1,
        }
    }
}

fn place(expr: &Filter) -> Option<usize> {
    expr.downcast_ref::<Column>().map(Column::index)
}
