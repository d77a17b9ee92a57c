//! `cargo x test`.

use std::process::Command;

use crate::process::{cargo, run as run_command, shown, succeeds, watch};
use crate::totals::Totals;
use crate::{Failure, Result, left_out};

/// Runs all tests, or those whose names contain `name`, and ends with a line of totals.
pub(crate) fn run(name: Option<&str>) -> Result {
    let mut totals = Totals::default();
    let outcome = count(name, &mut totals);
    if let Err(failure) = &outcome {
        failure.tell();
    }
    println!("{totals}");
    outcome.map_err(|_| Failure::Told)
}

/// Runs the tests and adds up how many there were.
pub(crate) fn count(name: Option<&str>, totals: &mut Totals) -> Result {
    // Cargo builds a program for the tests of its own package only, and those that start it are of another.
    run_command(&mut cargo(&["build", "--workspace", "--bin=bucketline"]))?;
    let mut failed = Vec::new();
    for Runner { mut command, again } in runners(name) {
        let ran = watch(&mut command)?;
        let counted = Totals::read(&ran.output);
        *totals += Totals {
            // What a second run leaves to the first is not left out.
            skipped: if again { 0 } else { counted.skipped },
            ..counted
        };
        if !ran.succeeded {
            failed.push(format!("`{}`", shown(&command)));
        }
    }
    if name.is_none() {
        left_out::tell();
    }
    judge(*totals, &failed, name)
}

/// The end-to-end tests that go through a session: what is promised of one destination is promised of each. The
/// others start the program in a folder that has its SQLite file, or are of one destination.
const OF_EACH_DESTINATION: [&str; 12] = [
    "all_tables",
    "blind_spots",
    "changes",
    "destinations",
    "histories",
    "issue_tables",
    "kills",
    "parameters",
    "pushdown",
    "slt",
    "time_zones",
    "truth",
];

/// A command that runs tests.
struct Runner {
    command: Command,
    /// It runs some of the tests once more, otherwise.
    again: bool,
}

impl Runner {
    fn new(arguments: &[&str]) -> Self {
        Self {
            command: cargo(arguments),
            again: false,
        }
    }
}

/// The commands that together run every test, or those of a name. All select the same packages: another selection
/// has other features, for which DataFusion is built again (docs/decisions/0004).
fn runners(name: Option<&str>) -> Vec<Runner> {
    let has_nextest = succeeds(&mut cargo(&["nextest", "--version"]));
    let (mut all, mut of_each, mut rest) = (Vec::new(), Vec::new(), Vec::new());
    if has_nextest {
        // Whether too few tests ran is judged here, over all runners.
        all.extend([
            "nextest",
            "run",
            "--workspace",
            "--no-fail-fast",
            "--no-tests=pass",
        ]);
        let modules = OF_EACH_DESTINATION.join("|");
        of_each.extend(all.iter().map(|word| (*word).to_owned()));
        of_each.push(format!("--filterset=binary(e2e) & test(/^({modules})::/)"));
        of_each.extend(name.map(str::to_owned));
        // nextest runs no doctests.
        rest.extend(["test", "--workspace", "--doc", "--no-fail-fast"]);
        rest.extend(name);
    } else {
        all.extend(["test", "--workspace", "--no-fail-fast"]);
        of_each.extend(
            ["test", "--workspace", "--no-fail-fast", "--test=e2e", "--"].map(str::to_owned),
        );
        match name {
            Some(name) => of_each.push(name.to_owned()),
            None => of_each.extend(OF_EACH_DESTINATION.map(|module| format!("{module}::"))),
        }
    }
    all.extend(name);
    let mut runners = vec![Runner::new(&all)];
    if left_out::is_postgres_installed() {
        let words: Vec<&str> = of_each.iter().map(String::as_str).collect();
        let mut command = cargo(&words);
        command.env("BUCKETLINE_TEST_DESTINATION", "postgres");
        runners.push(Runner {
            command,
            again: true,
        });
    }
    if !rest.is_empty() {
        runners.push(Runner::new(&rest));
    }
    runners
}

fn judge(totals: Totals, failed: &[String], name: Option<&str>) -> Result {
    if !failed.is_empty() {
        return Err(Failure::Failed(format!("{} failed", failed.join(" and "))));
    }
    if totals.failed > 0 {
        return Err(Failure::Failed("tests failed".into()));
    }
    if totals.passed == 0 {
        return Err(Failure::Failed(match name {
            Some(name) => format!("no test has `{name}` in its name"),
            None => "no test ran".into(),
        }));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Totals, judge};

    #[test]
    fn nothing_run_is_a_failure() {
        let ran = Totals {
            passed: 1,
            failed: 0,
            skipped: 0,
        };
        assert!(judge(ran, &[], None).is_ok());
        assert!(judge(Totals::default(), &[], None).is_err());
        assert!(
            judge(
                Totals {
                    skipped: 3,
                    ..Totals::default()
                },
                &[],
                Some("x")
            )
            .is_err()
        );
        assert!(judge(Totals { failed: 1, ..ran }, &[], None).is_err());
        assert!(judge(ran, &["`cargo test`".into()], None).is_err());
    }
}
