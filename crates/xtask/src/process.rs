//! Commands that a task runs.

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::thread;

use crate::{Failure, Result, root};

/// A cargo command in the workspace's folder.
///
/// `cargo run`, by which this program was started, describes its package in the environment.
/// Build scripts that watch those variables, ring's for one, would run again if they came through,
/// and most of the workspace would be built again after them.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(arguments).current_dir(root());
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    command
}

/// The command as a person would type it.
pub(crate) fn shown(command: &Command) -> String {
    let program = command.get_program().to_string_lossy();
    let name = program.rsplit(['/', '\\']).next().unwrap_or(&program);
    let words = command
        .get_args()
        .map(|word| word.to_string_lossy().into_owned());
    std::iter::once(name.to_owned())
        .chain(words)
        .collect::<Vec<_>>()
        .join(" ")
}

/// Prints the command and runs it.
pub(crate) fn run(command: &mut Command) -> Result {
    eprintln!("$ {}", shown(command));
    let status = command
        .status()
        .map_err(|error| not_started(command, &error))?;
    if status.success() {
        Ok(())
    } else {
        Err(Failure::Failed(format!(
            "`{}` failed ({status})",
            shown(command)
        )))
    }
}

/// Runs the command out of sight and tells whether it succeeded.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    let silent = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    silent.status().is_ok_and(|status| status.success())
}

/// What the command prints; its errors are passed on.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    command.stderr(Stdio::inherit());
    let ended = command
        .output()
        .map_err(|error| not_started(command, &error))?;
    if ended.status.success() {
        Ok(String::from_utf8_lossy(&ended.stdout).into_owned())
    } else {
        Err(Failure::Failed(format!("`{}` failed", shown(command))))
    }
}

/// What a command printed, and whether it succeeded.
pub(crate) struct Watched {
    pub(crate) succeeded: bool,
    /// Both streams, one after the other.
    pub(crate) output: String,
}

/// Prints the command and runs it, and keeps what it prints while passing it on.
pub(crate) fn watch(command: &mut Command) -> Result<Watched> {
    eprintln!("$ {}", shown(command));
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command
        .spawn()
        .map_err(|error| not_started(command, &error))?;
    let errors = child.stderr.take();
    let errors = thread::spawn(move || errors.map(|from| pass_on(from, std::io::stderr())));
    let mut output = child
        .stdout
        .take()
        .map(|from| pass_on(from, std::io::stdout()))
        .unwrap_or_default();
    let status = child.wait().map_err(|error| not_started(command, &error))?;
    if let Ok(Some(errors)) = errors.join() {
        output.extend(errors);
    }
    let output = String::from_utf8_lossy(&output).into_owned();
    Ok(Watched {
        succeeded: status.success(),
        output,
    })
}

fn pass_on(mut from: impl Read, mut to: impl Write) -> Vec<u8> {
    let mut kept = Vec::new();
    let mut chunk = [0; 8192];
    while let Ok(read @ 1..) = from.read(&mut chunk) {
        kept.extend_from_slice(&chunk[..read]);
        // Nobody may be looking any more; what is kept counts.
        let _ = to.write_all(&chunk[..read]).and_then(|()| to.flush());
    }
    kept
}

fn not_started(command: &Command, error: &std::io::Error) -> Failure {
    Failure::Failed(format!("cannot run `{}`: {error}", shown(command)))
}
