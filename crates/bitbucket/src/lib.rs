//! Bitbucket Cloud as a source.
//!
//! The tables are data, see `specs/*.toml` and [`tables()`]. [`Bitbucket`] turns scan requests into
//! REST requests: conditions into `q`, columns into `fields`, slices into paths, and walks lists by
//! key instead of by page, because Bitbucket's page numbers shift while data changes.

mod api;
mod bitbucket;
mod choice;
mod condition;
mod failure;
mod listing;
mod names;
mod parents;
mod plan;
mod problem;
mod query;
mod reading;
mod settings;
mod shape;
mod sign_in;
mod tables;
mod walk;
mod workspaces;

pub use bitbucket::Bitbucket;
pub use names::whole;
pub use problem::read_problem;
pub use settings::{BASE_URL, Settings};
pub use sign_in::oauth_server;
pub use tables::{tables, tables_with};
