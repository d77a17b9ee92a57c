//! A planned query in words: its requests, then the operators above them.

use std::sync::Arc;

use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_plan::{ExecutionPlan, displayable};

use crate::scan::SourceScan;

/// The lines of EXPLAIN. Makes no request.
pub(crate) fn lines(plan: &Arc<dyn ExecutionPlan>) -> Vec<String> {
    let mut lines = Vec::new();
    each_scan(plan, &mut |scan| {
        let request = &scan.plan().request;
        lines.push(format!(
            "{}.{}.{}",
            scan.connection(),
            request.scope.name,
            request.table.name
        ));
        lines.extend(
            scan.plan()
                .explain(None)
                .into_iter()
                .map(|line| format!("  {line}")),
        );
    });
    lines.push("operators".to_owned());
    let operators = displayable(plan.as_ref()).indent(false).to_string();
    lines.extend(operators.lines().map(|line| format!("  {line}")));
    lines
}

fn each_scan(plan: &Arc<dyn ExecutionPlan>, visit: &mut dyn FnMut(&SourceScan)) {
    if let Some(scan) = plan
        .downcast_ref::<DataSourceExec>()
        .and_then(|source| source.data_source().downcast_ref::<SourceScan>())
    {
        visit(scan);
    }
    for child in plan.children() {
        each_scan(child, visit);
    }
}
