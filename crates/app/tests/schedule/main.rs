//! Schedules: what texts are read, what they say, and when they are due.
#![allow(clippy::unwrap_used)]

mod clock_changes;
mod model;
mod presets;
mod texts;
mod two_years;
