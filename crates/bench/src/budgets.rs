//! What Bucketline promises, held against what was measured.

use crate::report::{count, megabytes, times};
use crate::scenarios::{Destination, Kind, Results, Scenario};

/// Requests beside the pages: the workspace's name is looked up.
const LOOK_UPS: u64 = 2;

/// Repositories read at once.
const CONCURRENCY: f64 = 4.0;

/// A promise.
pub(crate) struct Budget {
    pub(crate) promise: String,
    pub(crate) measured: String,
    pub(crate) kept: bool,
}

/// All of them, of the scenarios that were run.
pub(crate) fn held(results: &Results) -> Vec<Budget> {
    let mut budgets = Vec::new();
    let scenario = |kind| results.of(Destination::Sqlite, kind);
    if let Some(full) = scenario(Kind::Full) {
        budgets.extend([speed(full), memory(full), requests(full, "full load")]);
    }
    if let Some(slow) = scenario(Kind::Slow) {
        budgets.push(latency(slow, results.scale.latency_ms));
    }
    if let (Some(full), Some(large)) = (scenario(Kind::Full), scenario(Kind::Large)) {
        budgets.extend([memory(large), steady_memory(full, large)]);
    }
    if let Some(unchanged) = scenario(Kind::Unchanged) {
        budgets.push(requests(unchanged, "nothing changed"));
    }
    if let Some(changed) = scenario(Kind::Changed) {
        budgets.push(requests(changed, "1 % changed"));
    }
    budgets.extend(into_postgres(results));
    let start_up = results.start_up;
    budgets.extend([
        soon("`bucketline --version`", start_up.version, 10.0),
        soon("`bucketline -e \"SELECT 1\"`", start_up.select, 60.0),
        soon(
            "first request of a REPLICATE",
            start_up.first_request,
            100.0,
        ),
    ]);
    budgets
}

fn into_postgres(results: &Results) -> Vec<Budget> {
    let mut budgets = Vec::new();
    let scenario = |kind| results.of(Destination::Postgres, kind);
    if let Some(full) = scenario(Kind::Full) {
        budgets.extend([speed(full), memory(full), requests(full, "full load")]);
    }
    if let Some(unchanged) = scenario(Kind::Unchanged) {
        budgets.push(requests(unchanged, "nothing changed"));
    }
    if let Some(changed) = scenario(Kind::Changed) {
        budgets.push(requests(changed, "1 % changed"));
    }
    for budget in &mut budgets {
        budget.promise.insert_str(0, "PostgreSQL, ");
    }
    budgets
}

fn speed(full: &Scenario) -> Budget {
    let ratio = full.hand_written.used.seconds / full.bucketline.used.seconds;
    Budget {
        promise: "full load: no slower than the loop; twice as fast is the aim".into(),
        measured: format!("{} as fast", times(ratio)),
        kept: ratio >= 1.0,
    }
}

fn latency(slow: &Scenario, millis: u64) -> Budget {
    let ideal = (slow.bucketline.served.requests * millis) as f64 / 1e3 / CONCURRENCY;
    let took = slow.bucketline.used.seconds;
    Budget {
        promise: format!(
            "{millis} ms a request: within 15 % of requests × {millis} ms / {CONCURRENCY}"
        ),
        measured: format!(
            "{took:.1} s, ideal {ideal:.1} s: {:+.0} %",
            (took / ideal - 1.0) * 100.0
        ),
        kept: took <= ideal * 1.15,
    }
}

fn memory(scenario: &Scenario) -> Budget {
    let peak = scenario.bucketline.used.peak_bytes;
    Budget {
        promise: format!("peak memory of {} rows under 100 MB", count(scenario.rows)),
        measured: megabytes(peak),
        kept: peak < 100_000_000,
    }
}

fn steady_memory(full: &Scenario, large: &Scenario) -> Budget {
    let growth = large.bucketline.used.peak_bytes as f64 / full.bucketline.used.peak_bytes as f64;
    Budget {
        promise: format!(
            "peak memory of {} rows within 10 % of that of {}",
            count(large.rows),
            count(full.rows)
        ),
        measured: format!("{:+.0} %", (growth - 1.0) * 100.0),
        kept: growth <= 1.1,
    }
}

fn requests(scenario: &Scenario, what: &str) -> Budget {
    let (made, least) = (scenario.bucketline.served.requests, scenario.least_requests);
    Budget {
        promise: format!(
            "{what}: {} requests, and at most {LOOK_UPS} to look names up",
            count(least)
        ),
        measured: count(made),
        kept: made <= least + LOOK_UPS,
    }
}

fn soon(what: &str, millis: f64, limit: f64) -> Budget {
    Budget {
        promise: format!("{what} within {limit:.0} ms"),
        measured: format!("{millis:.1} ms"),
        kept: millis <= limit,
    }
}
