//! JSON as text: rows are written straight into strings, and partial responses and `q` read them
//! back without building a tree.

pub(crate) mod fields;
pub(crate) mod scan;
pub(crate) mod write;
