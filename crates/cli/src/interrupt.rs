//! Ctrl-C: the first stops what runs, the second ends the process.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot::{Receiver, Sender, channel};

use crate::ending::Ending;

/// Hears Ctrl-C.
#[derive(Debug, Clone, Default)]
pub(crate) struct Interrupts {
    armed: Arc<Mutex<Option<Sender<()>>>>,
}

impl Interrupts {
    /// Begins to listen. Ctrl-C while nothing is [armed](Self::arm) ends the process.
    pub(crate) fn listen() -> Self {
        let interrupts = Self::default();
        let heard = interrupts.clone();
        tokio::spawn(async move {
            while tokio::signal::ctrl_c().await.is_ok() {
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

    fn take(&self) -> Option<Sender<()>> {
        self.armed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}
