//! Columns that are left out early. DataFusion's rule for that mistakes columns of one name in a chain of joins for one
//! another, and notices.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::{DataFusionError, Result};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;

type Rule = Arc<dyn PhysicalOptimizerRule + Send + Sync>;

/// DataFusion's rule; a plan that it cannot narrow stays as wide as it is.
#[derive(Debug)]
pub(crate) struct Narrow {
    rule: Rule,
}

impl Narrow {
    /// Takes the place of DataFusion's rule, wherever it stands.
    pub(crate) fn replace(rules: &mut [Rule]) {
        for rule in rules {
            if rule.name() == "ProjectionPushdown" {
                *rule = Arc::new(Self {
                    rule: Arc::clone(rule),
                });
            }
        }
    }
}

impl PhysicalOptimizerRule for Narrow {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match self.rule.optimize(Arc::clone(&plan), config) {
            Err(DataFusionError::Internal(_)) => Ok(plan),
            narrowed => narrowed,
        }
    }

    fn name(&self) -> &str {
        "Narrow"
    }

    fn schema_check(&self) -> bool {
        self.rule.schema_check()
    }
}
