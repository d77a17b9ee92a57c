//! The SQL dialect of Bucketline: scripts, statements, positions, connection strings
