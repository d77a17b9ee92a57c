//! SQLite as a destination, and its tables as something to read.
//!
//! One thread per open database does all writing; a load hands it whole transactions, so that none is open
//! between calls and a caller that goes away leaves nothing half done. Readings have connections and threads
//! of their own.
//!
//! What is ours in a file: the tables of the loads, their stagings (`_bucketline_staging_…`) and the state
//! (`_bucketline_…`), all made by [`open`](bucketline_destination::Destination::open) and what follows it,
//! never by looking. Beside the file stands a folder `<file>-bucketline` with one lock file a table.

mod append;
mod cell;
mod connect;
mod database;
mod decode;
mod destination;
mod error;
mod evolve;
mod file;
mod lease;
mod load;
mod merge;
mod name;
mod own;
mod physical;
mod read;
mod source;
mod state;
mod stream;

pub use destination::SqliteDestination;
pub use source::{SourceSettings, SqliteSource};
