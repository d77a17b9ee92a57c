//! Files that users name: read within bounds, written whole or not at all.
//!
//! A path can lead to a pipe that nobody writes to, to a device without end, or to a file of many gigabytes. What is
//! read here is a regular file of a bounded size, unless the caller also takes streams. What is written keeps the
//! links, the mode and the owner of the file that was there.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod read;
mod unfinished;
mod write;

pub use self::read::{open, read, read_stream, read_text, read_to_limit, regular_file, text};
pub use self::write::{NewFile, create, keep_owner};
