//! What every session is set to.

use std::fmt::Write as _;

use super::settings::Settings;

/// What our statements rely on, whatever the role or the database is set to.
const FIXED: [(&str, &str); 7] = [
    ("DateStyle", "ISO, YMD"),
    ("IntervalStyle", "iso_8601"),
    ("TimeZone", "UTC"),
    ("client_encoding", "UTF8"),
    ("extra_float_digits", "3"),
    ("standard_conforming_strings", "on"),
    ("default_transaction_isolation", "read committed"),
];

/// What is right unless `options` says otherwise.
const DEFAULTS: [(&str, &str); 4] = [
    // Names are qualified; this keeps what others made in a schema from being taken for what is
    // PostgreSQL's own.
    ("search_path", "pg_catalog, pg_temp"),
    ("client_min_messages", "warning"),
    // What others lock for longer is told, not waited for.
    ("lock_timeout", "60s"),
    // A machine that vanished within a transaction must not hold its locks for ever.
    ("idle_in_transaction_session_timeout", "5min"),
];

/// A lease is a session in which nothing happens. Before version 14 it could not be limited.
const NO_IDLE_LIMIT: &str = "SELECT pg_catalog.set_config(name, '0', false) \
     FROM pg_catalog.pg_settings WHERE name = 'idle_session_timeout';";

/// Whether the server takes no writes.
const READ_ONLY: &str = "SHOW transaction_read_only";

/// The statements that set a session up, and end by telling whether it is read only.
pub(super) fn set_up(settings: &Settings) -> String {
    let options = settings
        .options
        .as_deref()
        .unwrap_or("")
        .to_ascii_lowercase();
    let defaults = DEFAULTS.iter().filter(|(name, _)| !options.contains(name));
    let mut sql = String::new();
    for (name, value) in FIXED.iter().chain(defaults) {
        // A list is one text for `set_config`, as it is not for SET.
        let _ = write!(
            sql,
            "SELECT pg_catalog.set_config('{name}', '{value}', false);"
        );
    }
    sql + NO_IDLE_LIMIT + READ_ONLY
}
