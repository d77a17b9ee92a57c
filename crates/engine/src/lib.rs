//! Names and SELECT: catalogs, scans, EXPLAIN, on DataFusion
