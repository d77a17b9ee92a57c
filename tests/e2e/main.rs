//! End to end: the library and the binary against the sandbox.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod commands;
mod histories;
mod kills;
mod processes;
mod pushdown;
mod secrets;
mod slt;
mod world;
