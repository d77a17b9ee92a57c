//! Connections to SQLite files, which are read and written to.

use std::path::Path;
use std::sync::Arc;

use bucketline_sqlite::{SourceSettings, SqliteDestination, SqliteSource};

use super::{Connection, ConnectionProperties, Ends, Kind, Property, Surroundings, mistaken};
use crate::Result;

/// Stands for a file that is none: a database that ends with the session.
pub(super) const MEMORY: &str = ":memory:";

pub(super) const KIND: Kind = Kind {
    names: &["SQLite"],
    properties: &[
        Property::plain(
            &["AsText"],
            "columns that are read as texts whatever they hold, `Table.column` with commas between them",
        ),
        Property::plain(
            &["Cursor"],
            "the columns by which changes are found, `Table=column` with commas between them, or one name for every table that has it",
        ),
        Property::paths(
            &["Data Source", "Path", "Database"],
            "the file; `:memory:` is a database that ends with the session",
        ),
    ],
    idle: &[],
    connect,
    credential_hosts: |_| Vec::new(),
    hosts: |_| Vec::new(),
};

fn connect(properties: &ConnectionProperties, _: &Surroundings<'_>) -> Result<Connection> {
    let path = properties.text("Data Source").ok_or_else(|| {
        properties
            .error("a SQLite connection needs Data Source")
            .with_hint("\"Data Source\" = 'copy.db'")
    })?;
    if let Some(mistaken) = mistaken::as_file(path) {
        let error = properties.error(mistaken.message);
        return Err(error.with_hint(mistaken.hint));
    }
    let connection = |ends| Connection {
        kind: KIND.names[0],
        ends,
        account: None,
        sample: &[],
    };
    if path == MEMORY {
        let memory = SqliteDestination::open_file(Path::new(path));
        return Ok(connection(Ends::Destination(Arc::new(memory))));
    }
    let path = properties.folder.join(path);
    let source = SqliteSource::new(SourceSettings {
        path: path.clone(),
        cursor: properties.text("Cursor").unwrap_or_default().to_owned(),
        as_text: properties.text("AsText").unwrap_or_default().to_owned(),
    });
    let source = source.map_err(|error| error.context(&properties.origin))?;
    let destination = SqliteDestination::open_file(path);
    Ok(connection(Ends::Both(
        Arc::new(source),
        Arc::new(destination),
    )))
}
