//! SQLite as a destination and as a source
