//! The log of `--log` and `BUCKETLINE_LOG`.

use bucketline_sandbox::{Fault, FaultKind};
use serde_json::Value;

use crate::commands::{Run, start};
use crate::world::small;

const TOKEN: &str = "sandbox-api-token-acme";

fn told(run: &Run<'_>, variables: &[(&str, &str)]) -> String {
    let output = run.command().envs(variables.iter().copied()).output();
    String::from_utf8(output.unwrap().stderr).unwrap()
}

#[test]
fn a_log_shows_statements_tables_and_answers() {
    let world = start(small());
    let run = Run::new(&world, &["--log", "debug", "-e", "REPLICATE Projects"]);
    let log = told(&run, &[]);
    for part in [
        " INFO bucketline::event: a statement begins number=1 total=1 statement=\"REPLICATE Projects\"",
        "DEBUG bucketline_rest::observer: an answer came url=\"http://127.0.0.1:",
        " INFO bucketline::event: a table was replicated table=\"Projects\"",
    ] {
        assert!(log.contains(part), "{part}:\n{log}");
    }
    assert!(!log.contains("TRACE"), "{log}");
    // The report of the run is there all the same.
    assert!(log.contains("Projects: "), "{log}");
}

#[test]
fn a_log_may_be_json_and_set_by_the_environment() {
    let world = start(small());
    let run = Run::new(
        &world,
        &["--log-format", "json", "-e", "SELECT Nothing FROM Projects"],
    );
    let log = told(&run, &[("BUCKETLINE_LOG", "info")]);
    let entries: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}")))
        .collect();
    let failed = entries.iter().find(|entry| entry["level"] == "error");
    let failed = failed.unwrap_or_else(|| panic!("{log}"));
    assert_eq!(failed["code"], "BL5004");
    assert_eq!(failed["kind"], "statement");
    assert!(entries.iter().all(|entry| entry["event"].is_string()));
}

#[test]
fn no_log_is_written_unless_one_is_wanted() {
    let world = start(small());
    let run = Run::new(&world, &["-e", "SELECT COUNT(*) FROM Projects"]);
    for off in ["", "off"] {
        let log = told(&run, &[("BUCKETLINE_LOG", off)]);
        assert!(
            !log.contains("bucketline_rest") && !log.contains("INFO"),
            "{log}"
        );
    }
    let refused = Run::new(&world, &["--log", "loud", "-e", "SELECT 1"]).output();
    assert!(
        refused.contains("off, error, warn, info, debug or trace"),
        "{refused}"
    );
    assert!(refused.contains("exit code 2"), "{refused}");
}

#[test]
fn a_log_of_everything_shows_no_secret() {
    let world = start(small());
    let echo = format!(r#"{{"type": "error", "error": {{"message": "no such token {TOKEN}"}}}}"#);
    world
        .sandbox
        .fault(Fault::always("*/issues", FaultKind::Body { body: echo }));
    let everything = "trace,hyper=trace,hyper_util=trace,reqwest=trace,rustls=trace,h2=trace";
    let run = Run::new(
        &world,
        &[
            "--continue",
            "--log",
            everything,
            "-e",
            "REPLICATE Projects; REPLICATE Issues",
        ],
    );
    let log = told(&run, &[]);
    assert!(log.contains("TRACE") && log.contains("hyper"), "{log}");
    let pair = "dXNlcjFAYWNtZS5leGFtcGxlOnNhbmRib3gtYXBpLXRva2VuLWFjbWU";
    assert!(!log.contains(TOKEN) && !log.contains(pair), "{log}");
}
