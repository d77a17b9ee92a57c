//! A private PostgreSQL server on loopback, for tests and benchmarks.
//!
//! Each [`Server`] is a process of its own with a data folder of its own, so that a test may do to
//! it what it likes. That is cheap: the folder is a copy, in memory, of a template that `initdb` made
//! once, and a server is up after some 200 ms. It ends with its value, and, if the test's process is killed,
//! with that.
#![cfg(unix)]

mod account;
mod options;
mod place;
mod process;
mod programs;
mod random;
mod server;
mod template;

pub use self::options::Options;
pub use self::server::Server;

/// What a failure is told in.
pub type Result<T> = std::result::Result<T, String>;

/// Whether PostgreSQL is installed here.
pub fn is_available() -> bool {
    programs::Programs::find().is_ok()
}
