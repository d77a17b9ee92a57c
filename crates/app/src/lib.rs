//! The rules of the application: which jobs there are, when they run, and what becomes of a run.
//!
//! There is no SQL and no HTTP here, and neither the interpreter nor DataFusion is linked, so that the rules are
//! tested in seconds, on a simulated clock.

pub mod schedule;
