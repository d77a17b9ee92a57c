//! The command line of Bucketline
fn main() {}
