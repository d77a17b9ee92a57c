//! Streams that a thread of their own fills.

use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures::Stream;
use rusqlite::{Connection, InterruptHandle};
use tokio::sync::mpsc;

use crate::database::{self, Thread};

/// Items that wait for the reader.
const AHEAD: usize = 2;

/// Starts a thread that does `work`, and gives what it gives, an error at last if it ends in one. Whoever sees the
/// end of the stream finds all closed that the work had opened.
pub(crate) fn from_thread<T, E>(
    work: impl FnOnce(&Giver<T, E>) -> Result<(), E> + Send + 'static,
) -> bucketline_destination::Result<impl Stream<Item = Result<T, E>> + Send>
where
    T: Send + 'static,
    E: Send + 'static,
{
    let (items, receiver) = mpsc::channel(AHEAD);
    let interrupt = Arc::new(OnceLock::new());
    let giver = Giver {
        items,
        interrupt: Arc::clone(&interrupt),
    };
    let thread = Thread::spawn(move || {
        if let Err(error) = work(&giver) {
            // A reader that has gone needs no error.
            let _ = giver.items.blocking_send(Err(error));
        }
    })?;
    Ok(Filled {
        receiver,
        interrupt,
        thread,
    })
}

/// What a thread gives its items to.
pub(crate) struct Giver<T, E> {
    items: mpsc::Sender<Result<T, E>>,
    interrupt: Arc<OnceLock<InterruptHandle>>,
}

impl<T, E> Giver<T, E> {
    /// Gives an item once there is room; `false` if nobody reads any more.
    pub(crate) fn give(&self, item: T) -> bool {
        self.items.blocking_send(Ok(item)).is_ok()
    }

    /// What runs on this connection is interrupted when nobody reads any more.
    pub(crate) fn interrupts(&self, connection: &Connection) {
        self.interrupt
            .get_or_init(|| connection.get_interrupt_handle());
    }
}

/// Items from a thread, which stops when this is dropped.
struct Filled<T, E> {
    receiver: mpsc::Receiver<Result<T, E>>,
    /// There once the file is open.
    interrupt: Arc<OnceLock<InterruptHandle>>,
    thread: Thread,
}

impl<T, E> Stream for Filled<T, E> {
    type Item = Result<T, E>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.receiver.poll_recv(context)
    }
}

impl<T, E> Drop for Filled<T, E> {
    fn drop(&mut self) {
        /// An interruption ends what runs at that moment, and the thread may be about to run something.
        const AGAIN: Duration = Duration::from_millis(20);
        self.receiver.close();
        let started = Instant::now();
        loop {
            if let Some(interrupt) = self.interrupt.get() {
                interrupt.interrupt();
            }
            if self.thread.wait(AGAIN) || started.elapsed() > database::ENDING {
                return;
            }
        }
    }
}
