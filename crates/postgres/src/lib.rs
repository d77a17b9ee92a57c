//! PostgreSQL as a destination, and its tables as something to read.
//!
//! A load has one session, which holds the lease of its table and does all its writing: rows come by binary COPY into
//! a temporary table, and from there into the table, in one transaction with the slice's position. Readings have
//! connections of their own.
//!
//! What is ours in a database: the tables of the loads, and the schema `_bucketline` with the state and the stagings,
//! made by [`open`](bucketline_destination::Destination::open) and what follows it, never by looking.

mod append;
mod connection;
mod decode;
mod destination;
mod encode;
mod evolve;
mod load;
mod merge;
mod name;
mod numeric;
mod own;
mod physical;
mod read;
mod session;
mod state;

pub use connection::{Borrowed, Connections, Environment, Session, Settings, names_file};
pub use destination::PostgresDestination;
