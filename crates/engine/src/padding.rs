//! Columns that are the same in all rows below an outer join, and not above it; and columns that are equal in one arm of a
//! UNION, and not in another.

use std::fmt;
use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{JoinType, Result, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::execution_plan::CardinalityEffect;
use datafusion::physical_plan::joins::{HashJoinExec, NestedLoopJoinExec};
use datafusion::physical_plan::union::UnionExec;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties,
    PlanProperties, ReplaceChildrenOptions,
};

/// Makes outer joins forget which columns of the side that they fill up with NULLs are constant. DataFusion takes such
/// a column for constant above the join, too, and leaves it out where rows are sorted. Makes unions forget which columns of
/// an arm are equal: DataFusion sorts such an arm by one of them, and then finds the union not sorted by both.
#[derive(Debug)]
pub(crate) struct ForgetConstants;

impl PhysicalOptimizerRule for ForgetConstants {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
            let forgets = forgetful(&node);
            if !forgets.contains(&true) {
                return Ok(Transformed::no(node));
            }
            let children = node.children().into_iter().zip(forgets);
            let children = children.map(|(child, forgets)| match forgets {
                true => Arc::new(Padded::new(Arc::clone(child))) as _,
                false => Arc::clone(child),
            });
            let children: Vec<Arc<dyn ExecutionPlan>> = children.collect();
            let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
            Ok(Transformed::yes(node.replace_children(children, options)?))
        })
        .data()
    }

    fn name(&self) -> &str {
        "ForgetConstants"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// Of each input of an operator whether something that holds in it may not be taken to hold in the result.
fn forgetful(node: &Arc<dyn ExecutionPlan>) -> Vec<bool> {
    let children = node.children();
    if node.downcast_ref::<UnionExec>().is_some() {
        return children.into_iter().map(has_equals).collect();
    }
    let Some(is_filled_up) = filled_up(node) else {
        return Vec::new();
    };
    let sides = children.iter().zip(is_filled_up);
    let is_constant =
        |child: &Arc<dyn ExecutionPlan>| !child.equivalence_properties().constants().is_empty();
    sides
        .map(|(child, is_filled_up)| is_filled_up && is_constant(child))
        .collect()
}

fn has_equals(plan: &Arc<dyn ExecutionPlan>) -> bool {
    let group = plan.equivalence_properties().eq_group();
    group.iter().any(|class| class.len() > 1)
}

/// Of each side of a join whether its columns are NULL in some rows.
fn filled_up(plan: &Arc<dyn ExecutionPlan>) -> Option<[bool; 2]> {
    let kind = match plan.downcast_ref::<HashJoinExec>() {
        Some(join) => join.join_type(),
        None => plan.downcast_ref::<NestedLoopJoinExec>()?.join_type(),
    };
    match kind {
        JoinType::Left => Some([false, true]),
        JoinType::Right => Some([true, false]),
        JoinType::Full => Some([true, true]),
        _ => None,
    }
}

/// The rows of its input, of whose columns none is said to be constant or equal to another.
#[derive(Debug)]
pub(crate) struct Padded {
    input: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
    has_equals: bool,
}

impl Padded {
    fn new(input: Arc<dyn ExecutionPlan>) -> Self {
        // What is asked to be sorted is sorted above this: below, it would be by one of two columns that are equal there.
        let has_equals = has_equals(&input);
        let orderings = input.output_ordering().filter(|_| !has_equals).cloned();
        let known = EquivalenceProperties::new_with_orderings(input.schema(), orderings);
        let properties = PlanProperties::new(
            known,
            input.output_partitioning().clone(),
            input.pipeline_behavior(),
            input.boundedness(),
        );
        Self {
            input,
            properties: Arc::new(properties),
            has_equals,
        }
    }
}

impl DisplayAs for Padded {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PaddedExec")
    }
}

impl ExecutionPlan for Padded {
    fn name(&self) -> &str {
        "PaddedExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![!self.has_equals]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match (children.pop(), children.pop()) {
            (Some(input), None) => Ok(Arc::new(Self::new(input))),
            _ => internal_err!("PaddedExec has one input"),
        }
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(
            children,
            ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute),
        )
    }

    fn apply_expressions(
        &self,
        _f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        self.input.execute(partition, context)
    }

    fn supports_limit_pushdown(&self) -> bool {
        true
    }

    fn cardinality_effect(&self) -> CardinalityEffect {
        CardinalityEffect::Equal
    }
}
