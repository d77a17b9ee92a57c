//! How the sandbox behaves, as seen by a client.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod changes;
mod client;
mod control;
mod faults;
mod history;
mod lists;
mod oauth;
mod permissions;
mod pipelines;
mod requested;
mod resources;
mod sign_in;
mod spec;

use bucketline_sandbox::{Config, Sandbox};

/// A sandbox with its default data.
fn sandbox() -> Sandbox {
    Sandbox::start_blocking(Config::default()).unwrap()
}
