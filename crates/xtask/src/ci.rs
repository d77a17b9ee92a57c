//! `cargo x ci`.

use std::time::Instant;

use crate::process::{cargo, run as run_command};
use crate::totals::Totals;
use crate::{Failure, Result, docs, fuzz, licences, records, test};

/// Takes every step, also after one has failed, so that one run shows all there is to mend. The
/// quickest come first; the totals of the tests close the output.
pub(crate) fn run() -> Result {
    let mut totals = Totals::default();
    let mut steps = Steps::default();
    steps.take("format", || {
        run_command(&mut cargo(&["fmt", "--all", "--check"]))
    });
    steps.take("docs", docs::check);
    steps.take("records", records::check);
    steps.take("licences", licences::check);
    steps.take("advisories", licences::advisories);
    steps.take("clippy", || {
        let arguments = [
            "clippy",
            "--workspace",
            "--all-targets",
            "--",
            "--deny",
            "warnings",
        ];
        run_command(&mut cargo(&arguments))
    });
    steps.take("keyring", || run_command(&mut cargo(&KEYRING)));
    steps.take("fuzz", || fuzz(&["--seconds", "60"]));
    steps.take("test", || test::count(None, &mut totals));
    let outcome = steps.outcome();
    println!("{totals}");
    outcome
}

/// The tests of what the workspace's own build leaves out (docs/decisions/0004).
const KEYRING: [&str; 7] = [
    "test",
    "--package",
    "bucketline-rest",
    "--features",
    "keyring",
    "--lib",
    "keyring",
];

#[derive(Default)]
struct Steps {
    failed: Vec<&'static str>,
}

impl Steps {
    fn take(&mut self, name: &'static str, step: impl FnOnce() -> Result) {
        eprintln!("\n== {name}");
        let start = Instant::now();
        let outcome = step();
        let word = match &outcome {
            Ok(()) => "ok",
            Err(failure) => {
                failure.tell();
                self.failed.push(name);
                "failed"
            }
        };
        eprintln!("== {name}: {word}, {:.1} s", start.elapsed().as_secs_f64());
    }

    fn outcome(self) -> Result {
        if self.failed.is_empty() {
            return Ok(());
        }
        eprintln!("\nerror: these steps failed: {}", self.failed.join(", "));
        Err(Failure::Told)
    }
}
