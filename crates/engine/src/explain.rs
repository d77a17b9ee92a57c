//! A planned query in words: its requests, then the operators above them.

use std::sync::Arc;

use bucketline_source::{ScanPlan, Source};
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_plan::{ExecutionPlan, displayable};

use crate::scan::SourceScan;

/// The lines of EXPLAIN. Makes no request.
pub(crate) fn lines(plan: &Arc<dyn ExecutionPlan>) -> Vec<String> {
    let mut lines = Vec::new();
    each_scan(plan, &mut |scan| {
        let request = &scan.plan().request;
        let address = scan.address().map(|address| format!(" at {address}"));
        lines.push(format!(
            "{}.{}.{}{}",
            scan.connection(),
            request.scope.name,
            request.table.name,
            address.unwrap_or_default()
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

/// The sources' tables that a plan reads, and how.
pub(crate) fn scans(plan: &Arc<dyn ExecutionPlan>) -> Vec<(Arc<dyn Source>, Arc<ScanPlan>)> {
    let mut scans = Vec::new();
    each_scan(plan, &mut |scan| {
        scans.push((Arc::clone(scan.source()), Arc::clone(scan.plan())));
    });
    scans
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
