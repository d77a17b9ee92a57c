//! Rows of JSON into Arrow batches.
