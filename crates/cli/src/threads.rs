//! The program's threads, and whether the system has room for them.

use std::hint::black_box;
use std::io;
use std::sync::RwLock;
use std::thread::{Builder, available_parallelism};

use tokio::runtime::Runtime;

use crate::error::{Error, Result};

/// Bytes of stack of each thread, of which only what is used takes memory: a chain of thousands of conditions is
/// computed by as many nested calls.
const STACK: usize = 32 << 20;

/// The same of the one that the engine plans on.
const PLANNER: usize = 256 << 20;

/// Bytes that a small statement takes beside the stacks.
const HEAP: usize = 128 << 20;

/// More would not be used: a query computes few parts at a time.
const MOST_WORKERS: usize = 8;

/// Threads beside the workers that a statement may need: the first, and those that read and write files.
const OTHERS: usize = 4;

/// Does `work` on a thread of its own, with workers beside it.
///
/// # Errors
/// If the system does not give the threads.
pub(crate) fn with_threads<T: Send>(work: impl FnOnce(&Runtime) -> T + Send) -> Result<T> {
    let workers = available_parallelism().map_or(1, usize::from);
    let workers = workers.min(MOST_WORKERS);
    // A runtime that lacks a thread panics.
    try_out(workers + OTHERS).map_err(Error::Runtime)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .worker_threads(workers)
        .thread_stack_size(STACK)
        .build()
        .map_err(Error::Runtime)?;
    let done = std::thread::scope(|scope| {
        let thread = Builder::new().stack_size(STACK);
        let thread = thread.spawn_scoped(scope, || work(&runtime))?;
        Ok::<_, io::Error>(thread.join())
    });
    // Threads that still wait, such as for the terminal, must not keep the user waiting.
    runtime.shutdown_background();
    match done.map_err(Error::Runtime)? {
        Ok(done) => Ok(done),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// Starts as many threads as will be needed, all at a time, takes as much memory, and gives all back.
fn try_out(threads: usize) -> io::Result<()> {
    let stacks = std::iter::repeat_n(STACK, threads).chain([PLANNER]);
    let held = RwLock::new(());
    std::thread::scope(|scope| {
        let _all_are_there = held.write();
        for stack in stacks {
            let thread = Builder::new().stack_size(stack);
            thread.spawn_scoped(scope, || drop(held.read()))?;
        }
        // Where this fails later, the program is killed.
        black_box(Vec::<u8>::new())
            .try_reserve_exact(HEAP)
            .map_err(|error| io::Error::new(io::ErrorKind::OutOfMemory, error))
    })
}
