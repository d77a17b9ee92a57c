//! The program as a process, and how it is ended.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use bucketline_private_postgres::Server;
use bucketline_sandbox::Sandbox;

use super::preload::{Calls, Class, EVERY, Moment, Orders, Preload, Seen};
use crate::commands::binary;

/// How a run is ended, if it does not end by itself before.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Ending {
    /// By itself.
    Itself,
    /// Killed at a call of these classes.
    AtCall(u64, u64, Moment),
    /// Killed when the source has had so many requests, and some time behind that.
    AtRequest(usize, Duration),
    /// Killed after a time.
    After(Duration),
    /// Calls of these classes are refused from one on, with this error.
    Refused(u64, u64, i32),
    /// The server that it writes to crashes after a time, and starts again.
    Crash(Duration),
}

/// How long a run may take that nothing disturbs, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// How the longest of the last runs went, to draw endings from.
#[derive(Debug, Clone)]
pub(crate) struct Pace {
    calls: Calls,
    requests: usize,
    time: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            calls: [150, 4, 1, 1, 4, 12, 2, 15],
            requests: 20,
            time: Duration::from_millis(250),
        }
    }
}

/// A disk that is full, and one with an error.
const REFUSALS: [i32; 2] = [
    nix::errno::Errno::ENOSPC as i32,
    nix::errno::Errno::EIO as i32,
];

impl Pace {
    /// Takes a run into account that ended by itself.
    fn follow(&mut self, run: &Ran) {
        for (calls, now) in self.calls.iter_mut().zip(run.seen.calls) {
            *calls = now.max(*calls * 4 / 5);
        }
        self.requests = run.requests.max(self.requests * 4 / 5);
        self.time = run.time.max(self.time * 4 / 5);
    }

    /// An ending somewhere in the course of a run.
    pub(crate) fn ending(
        &self,
        random: &mut fastrand::Rng,
        has_calls: bool,
        has_server: bool,
    ) -> Ending {
        let time = |random: &mut fastrand::Rng| {
            let micros = u64::try_from(self.time.as_micros()).unwrap();
            Duration::from_micros(random.u64(0..=micros))
        };
        match random.u32(0..100) {
            0..8 if has_server => Ending::Crash(time(random)),
            8..14 if has_calls => self.refusal(random),
            14..20 => Ending::After(time(random)),
            20..26 => Ending::AtRequest(
                random.usize(0..=self.requests),
                Duration::from_micros(random.u64(0..3000)),
            ),
            26..30 => Ending::Itself,
            _ if has_calls => self.at_call(random),
            _ => Ending::After(time(random)),
        }
    }

    /// At any call, or at any of one class: commits have few calls among those of all rows.
    fn at_call(&self, random: &mut fastrand::Rng) -> Ending {
        let moment = match random.u32(0..10) {
            0..5 => Moment::Before,
            5..9 => Moment::After,
            _ => Moment::Halfway,
        };
        let classes = match random.u32(0..3) {
            0 => EVERY,
            _ => {
                let made = Class::ALL.iter().zip(self.calls);
                let made = made.filter(|(_, calls)| *calls > 0);
                let class = random.choice(made.collect::<Vec<_>>());
                class.map_or(EVERY, |(class, _)| class.bit())
            }
        };
        Ending::AtCall(classes, self.draw(random, classes), moment)
    }

    fn refusal(&self, random: &mut fastrand::Rng) -> Ending {
        let error = *random.choice(&REFUSALS).unwrap();
        let classes = match error {
            error if error == nix::errno::Errno::ENOSPC as i32 => [
                Class::Write,
                Class::Truncate,
                Class::Open,
                Class::MakeFolder,
            ]
            .as_slice(),
            _ => [Class::Write, Class::Sync, Class::Rename].as_slice(),
        };
        let classes = classes.iter().map(|class| class.bit()).sum();
        Ending::Refused(classes, self.draw(random, classes), error)
    }

    /// A disk that becomes read-only: what is open can still be written.
    pub(crate) fn becomes_read_only(&self, random: &mut fastrand::Rng) -> Ending {
        let classes = [Class::Open, Class::Rename, Class::Remove, Class::MakeFolder];
        let classes = classes.iter().map(|class| class.bit()).sum();
        let error = nix::errno::Errno::EROFS as i32;
        Ending::Refused(classes, self.draw(random, classes), error)
    }

    fn draw(&self, random: &mut fastrand::Rng, classes: u64) -> u64 {
        random.u64(1..=self.count(classes).max(1))
    }

    /// Calls of some classes.
    pub(crate) fn count(&self, classes: u64) -> u64 {
        let calls = Class::ALL.iter().zip(self.calls);
        calls
            .filter(|(class, _)| classes & class.bit() != 0)
            .map(|(_, calls)| calls)
            .sum()
    }
}

/// A run that has ended.
pub(crate) struct Ran {
    pub(crate) status: ExitStatus,
    /// The standard error.
    pub(crate) told: String,
    pub(crate) seen: Seen,
    requests: usize,
    time: Duration,
}

impl Ran {
    pub(crate) fn is_killed(&self) -> bool {
        use std::os::unix::process::ExitStatusExt;
        self.status.signal() == Some(nix::sys::signal::Signal::SIGKILL as i32)
    }

    /// The codes of its errors.
    pub(crate) fn codes(&self) -> Vec<String> {
        let errors = self.told.split("error[").skip(1);
        errors
            .filter_map(|text| Some(text.split_once(']')?.0.to_owned()))
            .collect()
    }
}

/// What a run is started with.
pub(crate) struct Start<'s> {
    pub(crate) preload: Option<&'s Preload>,
    pub(crate) orders: Orders,
    /// The current folder.
    pub(crate) home: &'s Path,
    pub(crate) state: PathBuf,
    /// A folder of the run's own, with the configuration.
    pub(crate) scratch: &'s Path,
    pub(crate) destination: String,
    pub(crate) script: &'s str,
}

impl Start<'_> {
    /// Starts the program.
    pub(crate) fn spawn(&self) -> Child {
        let told = std::fs::File::create(self.scratch.join("told")).unwrap();
        let mut command = Command::new(binary());
        command
            .arg("--config")
            .arg(self.scratch.join("bucketline.toml"))
            .args(["--destination", &self.destination, "-e", self.script])
            .current_dir(self.home)
            .env_clear()
            .env("HOME", self.scratch)
            .env("TMPDIR", self.scratch)
            .env("TEST_TOKEN", "sandbox-api-token-acme")
            .env("CONSUMER_SECRET", "sandbox-consumer-secret-acme")
            .env("BUCKETLINE_STATE", &self.state)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(told);
        if let Some(preload) = self.preload {
            preload.apply(&mut command, &self.orders, self.scratch);
        }
        command.spawn().unwrap()
    }

    /// Starts it and ends it; an error if it does not end.
    pub(crate) fn run(
        mut self,
        ending: Ending,
        sandbox: &Sandbox,
        server: Option<&mut Server>,
        pace: &mut Pace,
    ) -> Result<Ran, String> {
        match ending {
            Ending::AtCall(classes, at, moment) => self.orders.kill = Some((classes, at, moment)),
            Ending::Refused(classes, from, error) => {
                self.orders.refuse = Some((classes, from, error));
            }
            _ => {}
        }
        sandbox.reset_requests();
        let started = Instant::now();
        let mut child = self.spawn();
        match ending {
            Ending::AtRequest(requests, more) => {
                while sandbox.requests().len() < requests {
                    if child.try_wait().unwrap().is_some() || started.elapsed() > PATIENCE {
                        break;
                    }
                    std::thread::sleep(Duration::from_micros(200));
                }
                std::thread::sleep(more);
                child.kill().unwrap();
            }
            Ending::After(time) => {
                std::thread::sleep(time);
                child.kill().unwrap();
            }
            Ending::Crash(time) => {
                std::thread::sleep(time);
                if let Some(server) = server {
                    server.kill().unwrap();
                    server.restart().unwrap();
                }
            }
            Ending::Itself | Ending::AtCall(..) | Ending::Refused(..) => {}
        }
        let status = wait(&mut child)?;
        let told = std::fs::read(self.scratch.join("told")).unwrap();
        let ran = Ran {
            status,
            told: String::from_utf8_lossy(&told).into_owned(),
            seen: match self.preload {
                Some(_) => Preload::seen(self.scratch),
                None => Seen::default(),
            },
            requests: sandbox.requests().len(),
            time: started.elapsed(),
        };
        if ran.status.success() {
            pace.follow(&ran);
        }
        Ok(ran)
    }
}

/// Waits for a process; one that hangs is killed, and that is an error.
pub(crate) fn wait(child: &mut Child) -> Result<ExitStatus, String> {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return Ok(status);
        }
        if started.elapsed() > PATIENCE {
            child.kill().unwrap();
            child.wait().unwrap();
            return Err(format!("it did not end within {PATIENCE:?}"));
        }
        std::thread::sleep(Duration::from_micros(500));
    }
}
