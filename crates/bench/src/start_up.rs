//! How soon Bucketline is there.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Result;
use crate::contender::{self, Bucketline};
use crate::measure::shown;
use crate::store::Store;

/// Starts of each command; the median is reported.
const STARTS: usize = 21;

/// How long a request is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// Median times from the start of the process, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StartUp {
    /// `--version`, to its end.
    pub(crate) version: f64,
    /// `-e "SELECT 1"`, to its end.
    pub(crate) select: f64,
    /// `REPLICATE Issues`, until the server sees the first request.
    pub(crate) first_request: f64,
}

/// Measures it, with nothing else going on.
pub(crate) fn measure(bucketline: &Bucketline, folder: &Path) -> Result<StartUp> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    listener.set_nonblocking(true)?;
    contender::configure(folder, &format!("http://{}/2.0", listener.local_addr()?))?;
    Ok(StartUp {
        version: median(|| to_end(&mut bucketline.command(folder, &["--version"])))?,
        select: median(|| to_end(&mut bucketline.command(folder, &["-e", "SELECT 1"])))?,
        first_request: median(|| {
            let file = Store::File(folder.join("start-up.db"));
            to_first_request(&mut bucketline.replicate(folder, &file), &listener)
        })?,
    })
}

fn median(mut measured: impl FnMut() -> Result<Duration>) -> Result<f64> {
    let mut times = (0..STARTS)
        .map(|_| measured())
        .collect::<Result<Vec<_>>>()?;
    times.sort();
    Ok(times[STARTS / 2].as_secs_f64() * 1e3)
}

fn to_end(command: &mut Command) -> Result<Duration> {
    let start = Instant::now();
    let ended = command.stdin(Stdio::null()).output()?;
    let took = start.elapsed();
    if ended.status.success() {
        return Ok(took);
    }
    Err(format!(
        "`{}` failed:\n{}",
        shown(command),
        String::from_utf8_lossy(&ended.stderr)
    )
    .into())
}

fn to_first_request(command: &mut Command, listener: &TcpListener) -> Result<Duration> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let start = Instant::now();
    let mut child = command.spawn()?;
    let took = wait_for_request(&mut child, listener, start);
    child.kill()?;
    child.wait()?;
    // Further attempts that were on their way must not count for the next start.
    while listener.accept().is_ok() {}
    took
}

fn wait_for_request(child: &mut Child, listener: &TcpListener, start: Instant) -> Result<Duration> {
    let mut connection = None;
    while start.elapsed() < PATIENCE {
        if connection.is_none()
            && let Ok((accepted, _)) = listener.accept()
        {
            accepted.set_nonblocking(true)?;
            connection = Some(accepted);
        }
        if let Some(connection) = &connection
            && connection.peek(&mut [0]).is_ok_and(|bytes| bytes > 0)
        {
            return Ok(start.elapsed());
        }
        if let Some(status) = child.try_wait()? {
            return Err(format!("REPLICATE ended without a request ({status})").into());
        }
        std::thread::sleep(Duration::from_micros(100));
    }
    Err("REPLICATE made no request".into())
}
