//! PostgreSQL as a destination, and its tables as something to read.

mod connection;
mod decode;
mod destination;
mod encode;
mod evolve;
mod load;
mod merge;
mod name;
mod numeric;
mod physical;
mod read;
mod session;
mod state;

pub use connection::Settings;
pub use destination::PostgresDestination;
