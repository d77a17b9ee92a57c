//! The thread that plans.

use std::cell::Cell;
use std::thread::Builder;

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::{Error, Result, code};

/// Bytes of its stack, of which only what is used takes memory: a chain of thousands of conditions is planned by as
/// many nested calls.
const STACK: usize = 256 << 20;

thread_local! {
    static IS_PLANNING: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread plans, and so computes constants to put them into a plan, which is copied often.
pub(crate) fn is_planning() -> bool {
    IS_PLANNING.get()
}

/// Plans on a thread of its own: whoever calls needs no more stack than usual, and can go away while a plan takes long.
/// What is planned then has no reader, and ends with the process at the latest.
pub(crate) async fn plan<T, F>(planning: F) -> Result<T>
where
    T: Send + 'static,
    F: Future<Output = Result<T>> + Send + 'static,
{
    let runtime = Handle::current();
    let (done, answer) = oneshot::channel();
    let thread = Builder::new()
        .name("bucketline-planner".into())
        .stack_size(STACK);
    let started = thread.spawn(move || {
        IS_PLANNING.set(true);
        // Nobody waits any more if this fails.
        drop(done.send(runtime.block_on(planning)));
    });
    started.map_err(|error| {
        let message = format!("the system gives no thread to plan on: {error}");
        Error::new(code::MEMORY, message)
            .with_hint("raise the limit of memory (`ulimit -v`), or end other programs")
    })?;
    answer
        .await
        .map_err(|_| Error::new(code::INTERNAL, "planning has broken off"))?
}
