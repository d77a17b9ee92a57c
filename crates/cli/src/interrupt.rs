//! Ctrl-C: the first stops what runs, the second ends the process.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot::{Receiver, Sender, channel};

use crate::ending::Ending;

/// Hears Ctrl-C.
#[derive(Debug, Clone, Default)]
pub(crate) struct Interrupts {
    armed: Arc<Mutex<Option<Sender<()>>>>,
    unheard: Arc<AtomicBool>,
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

impl Interrupts {
    /// Begins to listen. Ctrl-C while nothing is [armed](Self::arm) ends the process.
    pub(crate) fn listen() -> Self {
        let interrupts = Self::default();
        #[cfg(unix)]
        writing_too_long_is_an_error();
        let heard = interrupts.clone();
        tokio::spawn(async move {
            while tokio::signal::ctrl_c().await.is_ok() {
                if heard.unheard.load(Ordering::Relaxed) {
                    continue;
                }
                if heard.take().is_none_or(|waiting| waiting.send(()).is_err()) {
                    std::process::exit(Ending::Interrupted.code().into());
                }
            }
        });
        interrupts
    }

    /// What completes at the next Ctrl-C, once.
    pub(crate) fn arm(&self) -> Receiver<()> {
        let (sender, receiver) = channel();
        *self.armed.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender);
        receiver
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
