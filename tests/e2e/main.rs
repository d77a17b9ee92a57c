//! End to end: the library and the binary against the sandbox.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod against_sqlite;
mod all_tables;
mod application;
mod attacks;
mod blind_spots;
mod changes;
mod clients;
mod commands;
mod connections;
mod crash;
mod destinations;
mod examples;
mod first_job_page;
mod first_steps_page;
mod function_page;
mod histories;
mod issue_tables;
mod kills;
mod library_page;
mod log;
// Only Linux counts in KiB.
#[cfg(target_os = "linux")]
mod memory;
mod mock;
mod parameters;
mod processes;
mod pushdown;
mod random_queries;
mod secrets;
mod serving;
mod sign_ins;
mod slt;
mod special_files;
mod sqlite_source;
mod store;
mod table_pages;
mod terminal;
mod time_zones;
mod truth;
mod world;
