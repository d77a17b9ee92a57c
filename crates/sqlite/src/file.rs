//! The file of a database that is open for writing.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use bucketline_destination::{Error, Result, code};

/// The file that a path named when the database was opened. SQLite goes on writing to it whatever becomes of its name.
#[derive(Debug)]
pub(crate) struct OpenFile {
    /// As it was given, but absolute: a link may lead elsewhere meanwhile.
    path: PathBuf,
    identity: (u64, u64),
}

impl OpenFile {
    pub(crate) fn at(path: &Path) -> std::io::Result<Self> {
        let path = std::path::absolute(path)?;
        let identity = identity(&path.metadata()?);
        Ok(Self { path, identity })
    }

    /// Fails if the path does not name the file any more.
    pub(crate) fn check(&self) -> Result<()> {
        let become_of = match self.path.metadata() {
            Ok(found) if identity(&found) == self.identity => return Ok(()),
            Ok(_) => "another file has taken its place",
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                "the file was removed or moved away"
            }
            Err(_) => "the file cannot be found any more",
        };
        let message = format!(
            "writing to SQLite {}: {become_of} while rows were written to it",
            self.path.display()
        );
        Err(Error::new(code::UNAVAILABLE, message).with_hint(
            "leave the file alone while it is written, then run this again: rows of this run may be missing",
        ))
    }
}

/// Device and inode.
fn identity(file: &Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}
