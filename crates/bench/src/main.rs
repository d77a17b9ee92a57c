//! The hand-written loop that Bucketline is measured against, and the measurement.
//!
//! One program in several roles, so that nothing which is measured shares a process with anything
//! else: it serves the data, it is the loop, it measures one command, and it directs the others.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program that people watch"
)]

mod budgets;
mod contender;
mod copy;
mod hand_written;
mod machine;
mod measure;
mod report;
mod scenarios;
mod server;
mod start_up;
mod store;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::scenarios::Scale;
use crate::store::Store;

/// Every failure ends the program with a message.
type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Measures Bucketline against a hand-written loop on the same pages of the same server.
#[derive(Debug, Parser)]
#[command(name = "cargo x bench", args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    role: Option<Role>,
    /// Issues, in 20 repositories; the large load has ten times as many.
    #[arg(long, default_value_t = 100_000)]
    rows: u64,
    /// Milliseconds that the server waits before it answers, in the scenario with a slow server.
    #[arg(long, default_value_t = 150)]
    latency_ms: u64,
    /// A twentieth of the rows and one round: shows that everything works, not how fast.
    #[arg(long)]
    quick: bool,
    /// Rounds of the scenarios without latency; the one of median time is reported.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Also writes the report to docs/performance.md.
    #[arg(long, conflicts_with = "quick")]
    write: bool,
    /// The program to measure; by default the one built beside this.
    #[arg(long)]
    bucketline: Option<PathBuf>,
    /// Where the databases are made, some gigabytes at a million rows; by default the system's
    /// folder for temporary files.
    #[arg(long)]
    folder: Option<PathBuf>,
}

/// What this program does in a process of its own.
#[derive(Debug, Subcommand)]
#[command(hide = true)]
enum Role {
    /// Serves issues until its input ends, and does what the lines of that input ask for.
    #[command(hide = true)]
    Serve { issues: u64 },
    /// The hand-written loop.
    #[command(hide = true)]
    Load { base_url: String, store: Store },
    /// Runs a command and prints what it used.
    #[command(hide = true, trailing_var_arg = true)]
    Measure {
        #[arg(allow_hyphen_values = true, required = true)]
        command: Vec<String>,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match arguments.role {
        Some(Role::Serve { issues }) => server::serve(issues),
        Some(Role::Load { base_url, store }) => hand_written::load(&base_url, &store),
        Some(Role::Measure { command }) => measure::print_usage(&command),
        None => direct(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn direct(arguments: &Arguments) -> Result {
    let folder = match &arguments.folder {
        Some(folder) => tempfile::tempdir_in(folder)?,
        None => tempfile::tempdir()?,
    };
    let bucketline = contender::Bucketline::find(arguments.bucketline.as_deref())?;
    let scale = Scale {
        rows: if arguments.quick {
            arguments.rows / 20
        } else {
            arguments.rows
        },
        latency_ms: arguments.latency_ms,
        rounds: if arguments.quick {
            1
        } else {
            arguments.rounds.max(1)
        },
    };
    let results = scenarios::run(&scale, &bucketline, folder.path())?;
    let page = report::page(&results, &bucketline.version()?)?;
    print!("{page}");
    if arguments.write {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/performance.md");
        std::fs::write(path, page).map_err(|error| format!("cannot write {path}: {error}"))?;
    }
    Ok(())
}
