//! `cargo x bench`.

use std::path::PathBuf;
use std::process::Command;

use crate::process::{cargo, run as run_command};
use crate::{Result, root};

/// Builds for release and measures; the options are those of crates/bench.
pub(crate) fn run(options: &[&str]) -> Result {
    run_command(&mut cargo(&["build", "--release", "--workspace", "--bins"]))?;
    let program = target_folder().join("release").join("bucketline-bench");
    run_command(Command::new(program).args(options).current_dir(root()))
}

/// This program lies in the folder of its profile within the target folder.
fn target_folder() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    program
        .ancestors()
        .nth(2)
        .map_or_else(|| root().join("target"), PathBuf::from)
}
