//! The hand-written loop that Bucketline is measured against, and the measurement
fn main() {}
