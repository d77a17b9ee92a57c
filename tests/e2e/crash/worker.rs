//! What the episodes of one thread share.

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;

use bucketline_private_postgres::{Options, Server};
use tempfile::TempDir;

use super::disk::Disk;
use super::preload::Preload;

pub(crate) struct Worker {
    pub(crate) preload: Option<Preload>,
    /// One for files, and one for a server's database.
    pub(crate) disks: Option<[Disk; 2]>,
    pub(crate) server: Option<Server>,
    /// How many databases were put on the second disk.
    spaces: u32,
    folder: TempDir,
}

impl Worker {
    pub(crate) fn new(writes_to_server: bool) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("bl-crash-")
            .permissions(Permissions::from_mode(0o711))
            .tempdir()
            .unwrap();
        // Before the server starts, so that it sees them.
        let disks = Disk::mount(["disk", "space"].map(|name| folder.path().join(name)));
        let access = "local all all trust\nhost all all 127.0.0.1/32 trust";
        let server = writes_to_server.then(|| Options::default().access(access).start().unwrap());
        Self {
            preload: Preload::build(folder.path()),
            disks,
            server,
            spaces: 0,
            folder,
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The address of an empty database of the server, if there is one; on the small disk if that is wanted and there
    /// is one. Whoever is on this machine may use it, so that no password is needed.
    pub(crate) fn database(&mut self, on_disk: bool) -> Option<String> {
        let server = self.server.as_ref()?;
        let url = match &self.disks {
            Some([_, disk]) if on_disk => {
                let (last, next) = (self.spaces, self.spaces + 1);
                self.spaces = next;
                let execute = |sql: &str| server.execute("postgres", sql).unwrap();
                if last > 0 {
                    execute(&format!("DROP DATABASE small{last}"));
                    execute(&format!("DROP TABLESPACE space{last}"));
                }
                let place = disk.folder().join(format!("space{next}"));
                std::fs::create_dir(&place).unwrap();
                let owner = std::fs::metadata(server.data_folder()).unwrap();
                chown(&place, Some(owner.uid()), Some(owner.gid())).unwrap();
                let place = place.display();
                execute(&format!("CREATE TABLESPACE space{next} LOCATION '{place}'"));
                execute(&format!(
                    "CREATE DATABASE small{next} TABLESPACE space{next}"
                ));
                server.url(&format!("small{next}"))
            }
            _ => server.create_database().unwrap(),
        };
        Some(url.replace(&format!(":{}@", server.password()), "@"))
    }
}
