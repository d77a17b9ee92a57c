//! Development tasks, as `cargo x TASK`.
//!
//! Only the standard library is used: a task must start at once, also on a clean checkout.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program that people watch"
)]

mod bench;
mod ci;
mod codes;
mod crash;
mod docs;
mod hours;
mod left_out;
mod licences;
mod links;
mod notices;
mod process;
mod records;
mod specs;
mod test;
mod totals;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

const USAGE: &str = "\
Usage: cargo x TASK

  ci                 everything that must hold before a change lands: format, docs, clippy, tests
  test [NAME]        all tests, doctests included, or those whose names contain NAME;
                     by cargo-nextest if it is installed
  bench [OPTION...]  builds for release, then measures Bucketline against a hand-written loop;
                     --quick, --rows N, --latency-ms N, --write; see `cargo x bench --help`
  crash [OPTION...]  kills the program at any moment of its work, and holds what it leaves against the source;
                     --kills N (10,000), --minutes M, --destination sqlite|postgres, and to play one episode
                     again what a failure says: --seed S, --runs N; the word `serve` in front kills servers of the
                     application, and `nodes` the leaders of those that share a store
  hours [OPTION...]  kills processes that share the hour and the sign-in of one credential through PostgreSQL:
                     --hours N and --kills N of simulated time, --expiries N of the access token
  docs [--check]     writes the generated pages of docs/ and the notices of the program's dependencies,
                     or only says which are out of date
  fuzz [OPTION...]   damages input for every reader of foreign bytes, a minute each or as long as
                     --minutes N or --seconds N say; see `cargo x fuzz --help`
  specs [--update]   holds the tables against the facts kept of Bitbucket's published specification, or
                     first takes these anew from ../shared

Exit codes: 0 all is well, 1 something failed, 2 the command line is wrong.
";

/// Why a task ended early.
enum Failure {
    /// The command line makes no sense.
    Usage(String),
    /// Something did not work, or does not hold.
    Failed(String),
    /// The same, and it has been said already.
    Told,
}

impl Failure {
    fn tell(&self) {
        match self {
            Self::Usage(message) => eprint!("error: {message}\n\n{USAGE}"),
            Self::Failed(message) => eprintln!("error: {message}"),
            Self::Told => {}
        }
    }

    fn exit_code(&self) -> ExitCode {
        ExitCode::from(if matches!(self, Self::Usage(_)) { 2 } else { 1 })
    }
}

type Result<T = ()> = std::result::Result<T, Failure>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.tell();
            failure.exit_code()
        }
    }
}

fn run(arguments: &[String]) -> Result {
    let Some((task, rest)) = arguments.split_first() else {
        return Err(Failure::Usage("which task?".into()));
    };
    let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
    match (task.as_str(), rest.as_slice()) {
        ("ci", []) => ci::run(),
        ("test", []) => test::run(None),
        ("test", [name]) if !name.starts_with('-') => test::run(Some(name)),
        ("bench", options) => bench::run(options),
        ("crash", options) => crash::run(options),
        ("hours", options) => hours::run(options),
        ("fuzz", options) => fuzz(options),
        ("docs", []) => docs::write(),
        ("docs", ["--check"]) => docs::check(),
        ("specs", []) => specs::check(),
        ("specs", ["--update"]) => specs::update(),
        ("help" | "--help" | "-h", _) => {
            print!("{USAGE}");
            Ok(())
        }
        ("ci" | "test" | "docs" | "specs", rest) => Err(Failure::Usage(format!(
            "`{task}` does not take `{}`",
            rest.join(" ")
        ))),
        _ => Err(Failure::Usage(format!("there is no task `{task}`"))),
    }
}

/// Damages input for readers of foreign bytes.
fn fuzz(options: &[&str]) -> Result {
    let mut arguments = vec!["run", "--quiet", "--package", "bucketline-fuzz", "--"];
    arguments.extend(options);
    process::run(&mut process::cargo(&arguments))
}

/// The folder of the workspace.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

/// Reads a file of the workspace.
fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path)
        .map_err(|error| Failure::Failed(format!("cannot read {}: {error}", path.display())))
}

/// What is directly in a folder, sorted by name.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let unreadable = |error| Failure::Failed(format!("cannot list {}: {error}", folder.display()));
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        paths.push(entry.map_err(unreadable)?.path());
    }
    paths.sort();
    Ok(paths)
}

/// All files below a folder that have the extension, sorted by path.
fn files(folder: &Path, extension: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in entries(folder)? {
        if path.is_dir() {
            found.extend(files(&path, extension)?);
        } else if path.extension().is_some_and(|it| it == extension) {
            found.push(path);
        }
    }
    Ok(found)
}
