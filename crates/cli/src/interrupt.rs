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

impl Interrupts {
    /// Begins to listen. Ctrl-C while nothing is [armed](Self::arm) ends the process.
    pub(crate) fn listen() -> Self {
        let interrupts = Self::default();
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
