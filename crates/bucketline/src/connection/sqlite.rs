//! Connections to SQLite files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bucketline_sqlite::SqliteDestination;

use super::{Connection, ConnectionProperties, Ends, Kind, Property, Surroundings};
use crate::Result;

pub(super) const KIND: Kind = Kind {
    names: &["SQLite"],
    properties: &[Property::paths(
        &["Data Source", "Path", "Database"],
        "the file; `:memory:` is a database that ends with the session",
    )],
    idle: &[],
    connect,
};

fn connect(properties: &ConnectionProperties, _: &Surroundings<'_>) -> Result<Connection> {
    let path = properties.text("Data Source").ok_or_else(|| {
        properties
            .error("a SQLite connection needs Data Source")
            .with_hint("[Data Source] = 'copy.db'")
    })?;
    let path = match path {
        ":memory:" => PathBuf::from(path),
        path => properties.folder.join(Path::new(path)),
    };
    Ok(Connection {
        kind: KIND.names[0],
        ends: Ends::Destination(Arc::new(SqliteDestination::open_file(path))),
        account: None,
        sample: &[],
    })
}
