//! Reading ahead: the next page is fetched and decoded while the current one is written.

use std::pin::Pin;
use std::task::{Context, Poll};

use bucketline_source::{Page, PageStream, Result};
use futures::{Stream, StreamExt};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// The pages of one slice, read by a task of their own. Dropping it stops the task.
///
/// At most one page is fetched beyond the one in use, so that after a kill at most two pages of a
/// slice are fetched twice.
pub(crate) struct Pages {
    receiver: mpsc::Receiver<Result<Page>>,
    task: JoinHandle<()>,
}

impl Pages {
    pub(crate) fn read(mut stream: PageStream) -> Self {
        let (sender, receiver) = mpsc::channel(1);
        let task = tokio::spawn(async move {
            // The place is reserved before the page is asked for: one page waits, none more is fetched.
            while let Ok(place) = sender.reserve().await {
                match stream.next().await {
                    Some(page) => place.send(page),
                    None => break,
                }
            }
        });
        Self { receiver, task }
    }
}

impl Stream for Pages {
    type Item = Result<Page>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.receiver.poll_recv(context)
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        self.task.abort();
    }
}
