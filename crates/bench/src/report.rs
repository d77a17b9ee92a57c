//! The report, as a page of Markdown.

use std::fmt::Write;

use crate::scenarios::{Destination, Kind, Results, Run, Scenario};
use crate::{Result, budgets, machine};

/// Writes the page. `version` is what the measured program says of itself.
pub(crate) fn page(results: &Results, version: &str) -> Result<String> {
    let mut page = String::new();
    let date = chrono::Utc::now().format("%Y-%m-%d");
    write!(
        page,
        "# Performance\n\n<!-- Written by `cargo x bench --write`. -->\n\n\
         Measured {date} with {version} on {}.\n\n{METHOD}\n",
        machine::description()
    )?;
    page.push_str("## Loads\n\n");
    page.push_str(
        "| situation | who | time | rows/s | CPU | server's CPU | peak memory | requests |\n\
         | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |\n",
    );
    for scenario in &results.scenarios {
        let what = situation(scenario, results.scale.latency_ms);
        line(&mut page, &what, "loop", scenario, &scenario.hand_written)?;
        line(&mut page, "", "Bucketline", scenario, &scenario.bucketline)?;
    }
    page.push_str("\n## Promises\n\n| promise | measured | |\n| --- | ---: | --- |\n");
    for budget in budgets::held(results) {
        let verdict = if budget.kept { "kept" } else { "**missed**" };
        writeln!(
            page,
            "| {} | {} | {verdict} |",
            budget.promise, budget.measured
        )?;
    }
    Ok(page)
}

const METHOD: &str = "\
`cargo x bench` repeats it. Server, loop and Bucketline are processes of their own and share the
machine's cores; the server is the sandbox, with neither budget nor compression. The loop
(`crates/bench/src/hand_written`) is what one writes in an afternoon without Bucketline: reqwest and
serde_json, one page after the other, one transaction a page, into SQLite with rusqlite (WAL mode,
the default page size) or into PostgreSQL with tokio-postgres (binary COPY into a temporary table,
one `INSERT ... ON CONFLICT` out of it); it reads everything each time. PostgreSQL is a private server
on the same machine, `fsync` off; its time is in the first column alone, and both tables have an
index on `UpdatedOn` there. Both read the same issues, 100 a page, and write the same 46 columns
under the same key. After each round the two tables are compared value by value, and a difference
ends the benchmark. Where there are several rounds, the one of median time is given. CPU is user and
system time, memory the largest resident set.
";

fn situation(scenario: &Scenario, latency_ms: u64) -> String {
    let rows = count(scenario.rows);
    let empty = match scenario.destination {
        Destination::Sqlite => "an empty file",
        Destination::Postgres => "an empty PostgreSQL database",
    };
    let what = match scenario.kind {
        Kind::Full => format!("{rows} issues into {empty}"),
        Kind::Unchanged => String::from("again, nothing changed"),
        Kind::Changed => String::from("again, 1 % changed"),
        Kind::Slow => format!("{rows} issues into {empty}, {latency_ms} ms a request"),
        Kind::Large => format!("{rows} issues into {empty}"),
    };
    match scenario.rounds {
        1 => what,
        rounds => format!("{what} ({rounds} rounds)"),
    }
}

fn line(page: &mut String, what: &str, who: &str, scenario: &Scenario, run: &Run) -> Result {
    let seconds = run.used.seconds;
    let full = !matches!(scenario.kind, Kind::Unchanged | Kind::Changed);
    let rate = if full {
        count((scenario.rows as f64 / seconds) as u64)
    } else {
        String::new()
    };
    writeln!(
        page,
        "| {what} | {who} | {seconds:.2} s | {rate} | {:.2} s | {:.2} s | {} | {} |",
        run.used.cpu_seconds,
        run.served.cpu_seconds,
        megabytes(run.used.peak_bytes),
        count(run.served.requests),
    )?;
    Ok(())
}

/// `1.8 times`.
pub(crate) fn times(ratio: f64) -> String {
    format!("{ratio:.2} times")
}

/// Millions of bytes.
pub(crate) fn megabytes(bytes: u64) -> String {
    let megabytes = bytes as f64 / 1e6;
    format!("{megabytes:.0} MB")
}

/// `1,204`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn thousands_are_set_apart() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1_204, "1,204"),
            (100_000, "100,000"),
            (1_000_000, "1,000,000"),
        ] {
            assert_eq!(count(number), text);
        }
    }
}
