//! Signals: the first Ctrl-C stops what runs, the second ends the process; a request to terminate stops it and ends the
//! program.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot::{Receiver, Sender, channel};
use tokio::sync::watch;

use crate::ending::Ending;

/// Hears Ctrl-C, and requests to terminate.
#[derive(Debug, Clone)]
pub(crate) struct Interrupts {
    armed: Arc<Mutex<Option<Sender<()>>>>,
    unheard: Arc<AtomicBool>,
    /// Somebody is at the terminal, and more statements follow.
    attended: Arc<AtomicBool>,
    /// Ctrl-C came between two of them.
    missed: Arc<AtomicBool>,
    terminated: watch::Sender<bool>,
}

/// While this lives Ctrl-C is meant for another program.
#[derive(Debug)]
pub(crate) struct Unheard(Arc<AtomicBool>);

impl Drop for Unheard {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// A file that would grow beyond the limit of files (`ulimit -f`) is an error to whoever writes
/// it, like a full disk, instead of the process's end.
#[cfg(unix)]
fn writing_too_long_is_an_error() {
    use tokio::signal::unix::{SignalKind, signal};

    // The handler stays when the stream of signals is dropped. Without it the process ends then.
    drop(signal(SignalKind::from_raw(nix::libc::SIGXFSZ)));
}

/// What stops a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Ctrl-C.
    Interrupted,
    /// A request to terminate, such as that of `docker stop`.
    Terminated,
}

impl From<Stop> for Ending {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Interrupted => Self::Interrupted,
            Stop::Terminated => Self::Terminated,
        }
    }
}

impl std::fmt::Display for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Interrupted => "interrupted",
            Self::Terminated => "terminated",
        })
    }
}

impl Interrupts {
    /// Begins to listen. Ctrl-C while nothing is [armed](Self::arm) ends the process, as a request to terminate does
    /// that nobody [waits for](Self::terminated).
    pub(crate) fn listen() -> Self {
        let interrupts = Self {
            armed: Arc::default(),
            unheard: Arc::default(),
            attended: Arc::default(),
            missed: Arc::default(),
            terminated: watch::channel(false).0,
        };
        #[cfg(unix)]
        writing_too_long_is_an_error();
        let heard = interrupts.clone();
        tokio::spawn(async move {
            while tokio::signal::ctrl_c().await.is_ok() {
                if heard.unheard.load(Ordering::Relaxed) {
                    continue;
                }
                let waiting = heard.take();
                let is_known = waiting.is_some();
                let is_heard = waiting.is_some_and(|waiting| waiting.send(()).is_ok());
                if is_known && !is_heard && heard.attended.load(Ordering::Relaxed) {
                    heard.missed.store(true, Ordering::Relaxed);
                    continue;
                }
                if !is_heard {
                    std::process::exit(Ending::Interrupted.code().into());
                }
            }
        });
        #[cfg(unix)]
        for signal in unix::requests() {
            let heard = interrupts.clone();
            tokio::spawn(async move {
                let Ok(mut signals) = tokio::signal::unix::signal(signal) else {
                    return;
                };
                while signals.recv().await.is_some() {
                    let is_awaited = heard.terminated.receiver_count() > 0;
                    let is_second = heard.terminated.send_replace(true);
                    if is_second || !is_awaited {
                        std::process::exit(Ending::Terminated.code().into());
                    }
                }
            });
        }
        interrupts
    }

    /// What completes at the next Ctrl-C while a session waits for its user: a Ctrl-C that comes when a statement has
    /// just ended must end neither the session nor the next statement.
    pub(crate) fn idle(&self) -> Receiver<()> {
        self.attended.store(true, Ordering::Relaxed);
        let idle = self.arm();
        self.missed.store(false, Ordering::Relaxed);
        idle
    }

    /// What completes at the next Ctrl-C, once.
    fn arm(&self) -> Receiver<()> {
        let (sender, receiver) = channel();
        *self.armed.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender);
        receiver
    }

    /// Waits for a request to terminate.
    pub(crate) fn terminated(&self) -> impl Future<Output = ()> + use<> {
        let mut terminated = self.terminated.subscribe();
        async move {
            // This holds a sender, so that the channel never closes.
            drop(terminated.wait_for(|terminated| *terminated).await);
        }
    }

    /// Waits for the next Ctrl-C, or a request to terminate.
    pub(crate) fn stopped(&self) -> impl Future<Output = Stop> + use<> {
        let (pressed, terminated) = (self.arm(), self.terminated());
        let missed = self.missed.swap(false, Ordering::Relaxed);
        async move {
            if missed {
                return Stop::Interrupted;
            }
            tokio::select! {
                Ok(()) = pressed => Stop::Interrupted,
                () = terminated => Stop::Terminated,
            }
        }
    }

    /// Leaves Ctrl-C to a program that has the terminal.
    pub(crate) fn unheard(&self) -> Unheard {
        self.unheard.store(true, Ordering::Relaxed);
        Unheard(Arc::clone(&self.unheard))
    }

    fn take(&self) -> Option<Sender<()>> {
        self.armed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

#[cfg(unix)]
mod unix {
    use tokio::signal::unix::SignalKind;

    /// The first process of a container or another PID namespace gets no signal that it does not ask for.
    const FIRST: u32 = 1;

    /// The signals that ask the program to end. Elsewhere than in the first process the others are left to the system,
    /// which ends it, or to `nohup`.
    pub(super) fn requests() -> Vec<SignalKind> {
        let mut requests = vec![SignalKind::terminate()];
        if std::process::id() == FIRST {
            requests.extend([SignalKind::hangup(), SignalKind::quit()]);
        }
        requests
    }
}
