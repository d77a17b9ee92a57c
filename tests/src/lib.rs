//! End-to-end tests of Bucketline.
