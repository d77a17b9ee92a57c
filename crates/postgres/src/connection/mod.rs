//! How one connects: what people write, what the environment adds, TLS, and the pool.

mod borrowed;
mod error;
mod method;
mod notation;
mod parameters;
mod passfile;
mod pool;
mod session;
mod settings;
mod socket;
mod tls;

#[cfg(test)]
mod tests;

pub use self::borrowed::{Borrowed, Connections, Session};
pub(crate) use self::error::{Cause, Doing, Recovery, failed, is_of_a_value, refusal, scrubbed};
pub use self::parameters::names_file;
pub(crate) use self::pool::{Dedicated, Pool};
pub use self::settings::Settings;

/// The variables of an environment, by name.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;
