//! What a command uses.
//!
//! Each command is run by a small process of its own, which waits for nothing else: the system's
//! account of its children is then the command's alone. It is small because a new process counts
//! as large as the one that started it (Linux takes over the high-water mark at exec).

use std::process::{Command, Stdio};
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::Result;

/// What a command used.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Usage {
    /// From start to end.
    pub(crate) seconds: f64,
    /// User and system time, of all threads.
    pub(crate) cpu_seconds: f64,
    /// Most memory held at once, in bytes.
    pub(crate) peak_bytes: u64,
    succeeded: bool,
}

/// Runs a command by way of a measuring process.
///
/// # Errors
///
/// The command fails; what it printed is in the message.
pub(crate) fn measure(command: &Command) -> Result<Usage> {
    let mut measuring = Command::new(std::env::current_exe()?);
    measuring
        .arg("measure")
        .arg(command.get_program())
        .args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => measuring.env(name, value),
            None => measuring.env_remove(name),
        };
    }
    let ran = measuring.stdin(Stdio::null()).output()?;
    let printed = String::from_utf8_lossy(&ran.stderr);
    let used = String::from_utf8_lossy(&ran.stdout);
    match serde_json::from_str::<Usage>(&used) {
        Ok(usage) if usage.succeeded => Ok(usage),
        _ => Err(format!("`{}` failed:\n{printed}", shown(command)).into()),
    }
}

/// The command without its environment, which holds a token.
pub(crate) fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

/// The measuring process: runs the command, whose output all goes to standard error, and prints
/// what it used to standard output.
pub(crate) fn print_usage(command: &[String]) -> Result {
    let (program, arguments) = command.split_first().ok_or("which command?")?;
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(std::io::stderr());
    let start = Instant::now();
    let status = command
        .status()
        .map_err(|error| format!("cannot run {program}: {error}"))?;
    let seconds = start.elapsed().as_secs_f64();
    let (cpu_seconds, peak_bytes) = children()?;
    let usage = Usage {
        seconds,
        cpu_seconds,
        peak_bytes,
        succeeded: status.success(),
    };
    println!("{}", serde_json::to_string(&usage)?);
    Ok(())
}

/// Processor time and peak memory of the children that have ended.
#[cfg(unix)]
fn children() -> Result<(f64, u64)> {
    use nix::sys::resource::{UsageWho, getrusage};
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    // Linux counts kibibytes, macOS bytes.
    let unit = if cfg!(target_os = "macos") { 1 } else { 1024 };
    let peak = u64::try_from(usage.max_rss())? * unit;
    Ok((cpu_seconds(&usage), peak))
}

/// Processor time of this process so far.
#[cfg(unix)]
pub(crate) fn own_cpu_seconds() -> Result<f64> {
    use nix::sys::resource::{UsageWho, getrusage};
    Ok(cpu_seconds(&getrusage(UsageWho::RUSAGE_SELF)?))
}

#[cfg(unix)]
fn cpu_seconds(usage: &nix::sys::resource::Usage) -> f64 {
    let seconds = |time: nix::sys::time::TimeVal| {
        let (whole, micros) = (time.tv_sec() as f64, time.tv_usec() as f64);
        whole + micros / 1e6
    };
    seconds(usage.user_time()) + seconds(usage.system_time())
}

#[cfg(not(unix))]
fn children() -> Result<(f64, u64)> {
    Err("the benchmark runs on Unix only: it asks the system what its children used".into())
}

#[cfg(not(unix))]
pub(crate) fn own_cpu_seconds() -> Result<f64> {
    children().map(|(seconds, _)| seconds)
}
