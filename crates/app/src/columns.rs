//! The Columns tab: the output columns of a task, read from its statement and edited in its text.
//!
//! The statement's text stays the only representation. An edit replaces the few characters that it is about, and leaves
//! comments and layout everywhere else as they are. Its result is parsed again and compared with what was wanted before it
//! is given out.

mod edit;
mod shape;

pub use self::edit::{Edit, edit};
pub use self::shape::{OutputColumn, Shape, shape};

#[cfg(test)]
mod tests;
