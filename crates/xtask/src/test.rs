//! `cargo x test`.

use crate::process::{cargo, succeeds, watch};
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
    let mut failed = Vec::new();
    for mut arguments in runners() {
        arguments.extend(name);
        let ran = watch(&mut cargo(&arguments))?;
        *totals += Totals::read(&ran.output);
        if !ran.succeeded {
            failed.push(format!("`cargo {}`", arguments.join(" ")));
        }
    }
    if name.is_none() {
        left_out::tell();
    }
    judge(*totals, &failed, name)
}

/// The commands that together run every test. All name the same packages: another selection has
/// other features, for which DataFusion is built again (docs/decisions/0004).
fn runners() -> Vec<Vec<&'static str>> {
    if succeeds(&mut cargo(&["nextest", "--version"])) {
        // Whether too few tests ran is judged here, over both runners.
        let nextest = [
            "nextest",
            "run",
            "--workspace",
            "--no-fail-fast",
            "--no-tests=pass",
        ];
        // nextest runs no doctests.
        let doctests = ["test", "--workspace", "--doc", "--no-fail-fast"];
        vec![nextest.to_vec(), doctests.to_vec()]
    } else {
        vec![vec!["test", "--workspace", "--no-fail-fast"]]
    }
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
