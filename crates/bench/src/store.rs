//! Where the rows go.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use bucketline_private_postgres::Server;

use crate::{Result, copy};

/// The schema of the loop's table in a database that both write to.
pub(crate) const LOOP_SCHEMA: &str = "hand_written";

/// A SQLite file, or a database of a PostgreSQL server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Store {
    File(PathBuf),
    /// By its URL.
    Database(String),
}

impl FromStr for Store {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        Ok(match text.starts_with("postgres://") {
            true => Self::Database(text.to_owned()),
            false => Self::File(text.into()),
        })
    }
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Database(url) => f.write_str(url),
        }
    }
}

/// Where the loop and Bucketline write, apart from each other.
pub(crate) enum Stores<'a> {
    /// Two SQLite files in a folder.
    Files(&'a Path),
    /// Two schemas of one database.
    Database { server: &'a Server, url: String },
}

impl<'a> Stores<'a> {
    /// Those of a server, empty.
    pub(crate) fn on(server: &'a Server) -> Result<Self> {
        let url = server.create_database()?;
        Ok(Self::Database { server, url })
    }

    pub(crate) fn of_loop(&self) -> Store {
        self.store("loop.db")
    }

    pub(crate) fn of_bucketline(&self) -> Store {
        self.store("bucketline.db")
    }

    fn store(&self, file: &str) -> Store {
        match self {
            Self::Files(folder) => Store::File(folder.join(file)),
            Self::Database { url, .. } => Store::Database(url.clone()),
        }
    }

    /// Makes both empty.
    pub(crate) fn clear(&mut self) -> Result {
        match self {
            Self::Files(folder) => ["loop.db", "bucketline.db"]
                .iter()
                .try_for_each(|file| remove(&folder.join(file))),
            Self::Database { server, url } => {
                *url = server.create_database()?;
                Ok(())
            }
        }
    }

    /// Both have `rows` rows, and the same value in every column of every row.
    ///
    /// # Errors
    ///
    /// They do not; the message says how many rows differ in which columns.
    pub(crate) fn check(&self, rows: u64) -> Result {
        match self {
            Self::Files(folder) => {
                let [of_loop, of_bucketline] =
                    ["loop.db", "bucketline.db"].map(|file| folder.join(file));
                copy::check_files(&of_loop, &of_bucketline, rows)
            }
            Self::Database { url, .. } => copy::check_database(url, rows),
        }
    }
}

/// Removes a database and what lies beside it.
fn remove(file: &Path) -> Result {
    for suffix in ["", "-wal", "-shm", ".lock"] {
        let mut path = file.as_os_str().to_owned();
        path.push(suffix);
        match std::fs::remove_file(PathBuf::from(path)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    Ok(())
}
