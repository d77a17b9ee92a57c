//! Bitbucket's issue export archives as a source.
//!
//! Until 2026-08-20 a repository's "Import & export" page made a ZIP of its issue tracker; since that day
//! it is the only place that issues can be read from. [`Archives`] reads one such file or folders of
//! them: an archive is a slice, and its tables are data, see `specs/issues.toml` and [`tables()`].
//!
//! An archive may be damaged, made by other software, or made to do harm. Nothing is unpacked to disk, the
//! names inside are only data, and memory stays bounded whatever the archive says of itself: its
//! directory and its document are streamed, and [`Limits`] bound the rest.

mod archives;
mod document;
mod entry;
mod fault;
mod keys;
mod listing;
mod plan;
mod reading;
mod settings;
mod tables;
mod zip;

pub use archives::Archives;
pub use settings::{Limits, Settings};
pub use tables::tables;
