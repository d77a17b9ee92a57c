//! The scheduler on a simulated clock: which runs there are, what becomes of them, and what a crash leaves.
#![allow(clippy::unwrap_used)]

mod crash;
mod follow;
mod limits;
mod rules;
#[allow(dead_code, reason = "the other tests use the rest")]
#[path = "../schedule/model.rs"]
mod schedule_model;
mod store;
mod two_years;
mod world;
