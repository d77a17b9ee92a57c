//! End to end: the library and the binary against the sandbox.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod all_tables;
mod blind_spots;
mod changes;
mod clients;
mod commands;
mod connections;
mod histories;
mod issue_tables;
mod kills;
mod mock;
mod processes;
mod pushdown;
mod secrets;
mod slt;
mod table_pages;
mod terminal;
mod truth;
mod world;
