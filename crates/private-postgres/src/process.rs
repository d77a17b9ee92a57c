//! The server's process, and what ends it if nobody else does.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::Result;
use crate::account::Account;
use crate::programs::{Programs, in_plain_environment};

/// Becomes the server after leaving a guard behind, which waits for a line from the process that
/// started it. If that ends without one, the guard ends the server and removes the folder. The
/// shell's own process becomes the server, so that none is ever without its guard.
const SCRIPT: &str = r#"
exec 3<&0 </dev/null
(
    {
        read -r released <&3 || {
            kill -QUIT $$
            while kill -0 $$ && [ -e "$0/data/postmaster.pid" ]; do sleep 0.1; done
            rm -rf "$0"
        }
    } 2>/dev/null &
)
exec "$@" 3<&-
"#;

/// How long a server may take to start or to end; a crashed one on a busy machine takes its time.
const PATIENCE: Duration = Duration::from_secs(60);

/// How a server ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Sessions are broken off, what is in memory is written.
    Orderly,
    /// Every process of the server quits where it stands, as in a crash.
    Crash,
}

/// A running server.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    guard: ChildStdin,
}

impl Process {
    /// Starts the server in its folder.
    pub(crate) fn start(
        programs: &Programs,
        account: Account,
        folder: &Path,
        arguments: &[String],
    ) -> Result<Self> {
        let failed = |error| format!("starting the server in {}: {error}", folder.display());
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(folder.join("log"))
            .map_err(failed)?;
        let mut command = Command::new("/bin/sh");
        in_plain_environment(&mut command);
        command
            .args(["-c", SCRIPT])
            .arg(folder)
            .arg(programs.path("postgres"))
            .arg("-D")
            .arg(folder.join("data"))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(log.try_clone().map_err(failed)?)
            .stderr(log)
            // Out of reach of what is sent to the test's group, lest the guard be killed with it.
            .process_group(0);
        account.run(&mut command);
        let mut child = command.spawn().map_err(failed)?;
        let guard = child.stdin.take().ok_or("the guard has no pipe")?;
        Ok(Self { child, guard })
    }

    /// Waits until clients can connect.
    pub(crate) fn wait_until_ready(&mut self, folder: &Path) -> Result<Readiness> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(status) = self.exit_status()? {
                return Ok(Readiness::Ended(status));
            }
            if is_ready(folder, self.child.id()) {
                return Ok(Readiness::Ready);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Err(format!("the server was not ready within {PATIENCE:?}"))
    }

    /// Ends the server with all its processes and waits for that.
    pub(crate) fn end(mut self, end: End) -> Result<()> {
        let signal = match end {
            End::Orderly => Signal::SIGINT,
            End::Crash => Signal::SIGQUIT,
        };
        if self.exit_status()?.is_none() {
            let pid = i32::try_from(self.child.id()).map_err(|error| error.to_string())?;
            kill(Pid::from_raw(pid), signal).map_err(|error| format!("{signal}: {error}"))?;
            self.child.wait().map_err(|error| error.to_string())?;
        }
        // The guard may be gone only if somebody killed it.
        let _ = self.guard.write_all(b"\n");
        Ok(())
    }

    fn exit_status(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().map_err(|error| error.to_string())
    }
}

/// How waiting for a server ended.
#[derive(Debug)]
pub(crate) enum Readiness {
    Ready,
    Ended(ExitStatus),
}

/// Whether the server of this process says so in its own file: the first line is its process,
/// the eighth its state.
fn is_ready(folder: &Path, process: u32) -> bool {
    let Ok(text) = std::fs::read_to_string(folder.join("data/postmaster.pid")) else {
        return false;
    };
    let mut lines = text.lines().map(str::trim);
    lines.next() == Some(process.to_string().as_str()) && lines.nth(6) == Some("ready")
}

/// Empties the log, so that what is in it is about the next start.
pub(crate) fn clear_log(folder: &Path) -> Result<()> {
    File::create(folder.join("log")).map_err(|error| format!("the server's log: {error}"))?;
    Ok(())
}
