//! A planned query in words: its requests, then the operators above them.

use std::sync::Arc;

use bucketline_source::figures::counted;
use bucketline_source::{ScanPlan, Source};
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_plan::metrics::MetricsSet;
use datafusion::physical_plan::{ExecutionPlan, displayable};

use crate::outputs::unmarked;
use crate::scan::SourceScan;
use crate::yielding::Yielding;

/// The lines of EXPLAIN. Makes no request.
pub(crate) fn lines(plan: &Arc<dyn ExecutionPlan>) -> Vec<String> {
    let mut lines = scan_lines(plan, |_| None);
    lines.push("operators".to_owned());
    let operators = displayable(plan.as_ref()).indent(false).to_string();
    let operators = unmarked(&operators);
    lines.extend(operators.lines().map(|line| format!("  {line}")));
    lines
}

/// The lines of EXPLAIN ANALYZE, for a plan that was executed to its end.
pub(crate) fn measured_lines(plan: &Arc<dyn ExecutionPlan>) -> Vec<String> {
    let mut lines = scan_lines(plan, |scan| Some(format!("  actual: {}", scan.measured())));
    lines.push("operators".to_owned());
    measured_operators(plan, 1, &mut lines);
    lines
}

/// An operator and those below it, each with the rows that it gave and the time that it computed.
fn measured_operators(plan: &Arc<dyn ExecutionPlan>, depth: usize, lines: &mut Vec<String>) {
    if let Some(yielding) = plan.downcast_ref::<Yielding>() {
        return measured_operators(yielding.input(), depth, lines);
    }
    let operator = displayable(plan.as_ref()).one_line().to_string();
    let metrics = plan.metrics().map(|metrics| metrics.aggregate_by_name());
    let rows = metrics.as_ref().and_then(MetricsSet::output_rows);
    let time = metrics.as_ref().and_then(MetricsSet::elapsed_compute);
    let rows = rows.map(|rows| counted(rows as u64, "row"));
    let time = time.map(|nanoseconds| format!("{:.1} ms", nanoseconds as f64 / 1e6));
    let figures: Vec<String> = rows.into_iter().chain(time).collect();
    let figures = match figures.is_empty() {
        true => String::new(),
        false => format!("; {}", figures.join(", ")),
    };
    lines.push(format!(
        "{}{}{figures}",
        "  ".repeat(depth),
        unmarked(operator.trim_end())
    ));
    for child in plan.children() {
        measured_operators(child, depth + 1, lines);
    }
}

/// The scans and their requests; `more` adds a line to each.
fn scan_lines(
    plan: &Arc<dyn ExecutionPlan>,
    more: impl Fn(&SourceScan) -> Option<String>,
) -> Vec<String> {
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
        lines.extend(more(scan));
    });
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
