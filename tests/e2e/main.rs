//! End to end: the library and the binary against the sandbox.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod against_sqlite;
mod all_tables;
mod blind_spots;
mod changes;
mod clients;
mod commands;
mod connections;
mod examples;
mod function_page;
mod histories;
mod issue_tables;
mod kills;
mod mock;
mod parameters;
mod processes;
mod pushdown;
mod secrets;
mod slt;
mod sqlite_source;
mod store;
mod table_pages;
mod terminal;
mod time_zones;
mod truth;
mod world;
