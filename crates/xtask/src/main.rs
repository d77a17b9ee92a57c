//! Development tasks: cargo x ci, test, bench, docs
fn main() {}
