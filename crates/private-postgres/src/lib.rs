//! A private PostgreSQL server on loopback, for tests and benchmarks.
