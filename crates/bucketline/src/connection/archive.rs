//! Connections to issue export archives.

use std::sync::Arc;

use bucketline_archive::{Archives, Limits, Settings};

use super::{Connection, ConnectionProperties, Ends, Kind, Property, Surroundings};
use crate::Result;

pub(super) const KIND: Kind = Kind {
    names: &["Archive", "IssueArchive"],
    properties: &[
        Property::plain(&["Pagesize"], "rows a page, at most the table's maximum"),
        Property::paths(
            &["Path", "Paths"],
            "archives, and folders of archives, with a semicolon between them",
        ),
        Property::plain(
            &["Repository"],
            "the slug of the repository that the one archive is of; otherwise its file's name says it",
        ),
        Property::plain(&["Workspace"], "the slug of the repositories' workspace"),
    ],
    idle: &[],
    connect,
    credential_hosts: |_| Vec::new(),
    hosts: |_| Vec::new(),
};

fn connect(properties: &ConnectionProperties, _: &Surroundings<'_>) -> Result<Connection> {
    let paths = properties.text("Path").ok_or_else(|| {
        properties
            .error("archives need Path")
            .with_hint("Path = \"api-issues.zip\", or a folder of such files")
    })?;
    let paths = paths.split(';');
    let paths = paths.map(str::trim).filter(|path| !path.is_empty());
    let archives = Archives::new(Settings {
        paths: paths.map(|path| properties.folder.join(path)).collect(),
        repository: properties.text("Repository").map(str::to_owned),
        workspace: properties.text("Workspace").map(str::to_owned),
        page_size: properties.number("Pagesize")?,
        limits: Limits::default(),
    });
    let archives = archives.map_err(|error| error.context(&properties.origin))?;
    Ok(Connection {
        kind: KIND.names[0],
        ends: Ends::Source(Arc::new(archives)),
        account: None,
        sample: &["Issues", "IssueComments"],
    })
}
