//! Leases: who may write to a table.
//!
//! The lease is the system's lock on a small file, so that it ends with the process that has it, however
//! that ends. The row in `_bucketline_leases` only says who and since when, and has the epoch which every
//! transaction checks: a process that lost its lock (a deleted folder, a network drive that forgot) is
//! stopped before it writes.

use std::collections::HashSet;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use bucketline_destination::{Error, Holder, Result, TableName, code, fault};
use rusqlite::{Connection, OptionalExtension, params};

use crate::error::Doing;
use crate::name;

/// A lease that was taken. It is held as long as its [`Lock`] is; what is still queued under it later is stopped
/// by the epoch once another has taken the lease.
#[derive(Debug)]
pub(crate) struct Lease {
    pub(crate) folded: String,
    epoch: i64,
}

/// Keeps a lease from others until it is dropped.
#[derive(Debug)]
pub(crate) enum Lock {
    File(#[expect(dead_code, reason = "closing it gives the lock back")] File),
    /// Of a database in memory, which no other process sees.
    Process(String),
}

impl Drop for Lock {
    fn drop(&mut self) {
        if let Self::Process(key) = self {
            held_in_memory(|held| held.remove(key));
        }
    }
}

fn held_in_memory<T>(work: impl FnOnce(&mut HashSet<String>) -> T) -> T {
    static HELD: Mutex<Option<HashSet<String>>> = Mutex::new(None);
    let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
    work(held.get_or_insert_default())
}

/// The folder of a database's lock files.
pub(crate) fn folder(database: &Path) -> PathBuf {
    let mut folder = database.as_os_str().to_owned();
    folder.push("-bucketline");
    folder.into()
}

impl Lease {
    /// Takes the lease of a table, in a transaction of the caller's. The state's tables must be there.
    ///
    /// `file` is the database's file, or `None` in memory, where `instance` tells databases apart.
    pub(crate) fn take(
        connection: &Connection,
        file: Option<&Path>,
        instance: usize,
        table: &TableName,
        holder: &Holder,
    ) -> Result<(Self, Lock)> {
        let folded = name::folded(table);
        let lock = match file {
            Some(file) => lock_file(file, &folded)?.map(Lock::File),
            None => {
                let key = format!("{instance}/{folded}");
                held_in_memory(|held| held.insert(key.clone())).then(|| Lock::Process(key))
            }
        };
        let Some(lock) = lock else {
            return Err(fault::held(table, present(connection, &folded)?.as_ref()));
        };
        let epoch = connection
            .query_row(
                "INSERT INTO _bucketline_leases (name, epoch, who, since) VALUES (?1, 1, ?2, ?3)
                 ON CONFLICT (name) DO UPDATE SET epoch = epoch + 1, who = ?2, since = ?3
                 RETURNING epoch",
                params![folded, holder.who, holder.since],
                |row| row.get(0),
            )
            .doing("taking the lease")?;
        Ok((Self { folded, epoch }, lock))
    }

    /// Fails if another has taken the lease since. Called inside every transaction that writes.
    pub(crate) fn check(&self, connection: &Connection, table: &TableName) -> Result<()> {
        let epoch: Option<i64> = connection
            .prepare_cached("SELECT epoch FROM _bucketline_leases WHERE name = ?1")
            .and_then(|mut query| query.query_row([&self.folded], |row| row.get(0)).optional())
            .doing("checking the lease")?;
        if epoch == Some(self.epoch) {
            Ok(())
        } else {
            Err(fault::fenced(table))
        }
    }

    /// Notes that the lease is given back, for those who look.
    pub(crate) fn give_back(&self, connection: &Connection) -> Result<()> {
        connection
            .execute(
                "UPDATE _bucketline_leases SET who = NULL, since = NULL
                 WHERE name = ?1 AND epoch = ?2",
                params![self.folded, self.epoch],
            )
            .doing("giving the lease back")?;
        Ok(())
    }
}

fn present(connection: &Connection, folded: &str) -> Result<Option<Holder>> {
    connection
        .query_row(
            "SELECT who, since FROM _bucketline_leases
             WHERE name = ?1 AND who IS NOT NULL AND since IS NOT NULL",
            [folded],
            |row| {
                Ok(Holder {
                    who: row.get(0)?,
                    since: row.get(1)?,
                })
            },
        )
        .optional()
        .doing("reading the lease")
}

fn lock_file(database: &Path, folded: &str) -> Result<Option<File>> {
    let folder = folder(database);
    let path = folder.join(name::lock_file(folded));
    let failed = |error: std::io::Error| {
        let message = format!("locking {}: {error}", path.display());
        Error::new(code::UNAVAILABLE, message)
            .with_hint(format!("allow this user to write to {}", folder.display()))
            .with_source(error)
    };
    let file = open_lock(database, &folder, &path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

/// Opens a lock file, making it and its folder if missing. The file has the database's mode, and
/// whoever may not write the database has no way into the folder: who may open a file may lock it
/// for ever.
fn open_lock(database: &Path, folder: &Path, path: &Path) -> std::io::Result<File> {
    std::fs::create_dir_all(folder)?;
    #[cfg(unix)]
    let modes = modes::of(database)?;
    #[cfg(unix)]
    modes::set(folder, modes.folder, &modes)?;
    let file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)?;
    #[cfg(unix)]
    modes::set(path, modes.file, &modes)?;
    Ok(file)
}

#[cfg(unix)]
mod modes {
    use std::fs::{Permissions, metadata, set_permissions};
    use std::io;
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
    use std::path::Path;

    /// What the locks of a database have.
    pub(super) struct Modes {
        pub(super) folder: u32,
        pub(super) file: u32,
        owner: (u32, u32),
    }

    pub(super) fn of(database: &Path) -> io::Result<Modes> {
        let database = metadata(database)?;
        let may_write = database.mode() & 0o222;
        Ok(Modes {
            folder: may_write | may_write << 1 | may_write >> 1,
            file: database.mode() & 0o666,
            owner: (database.uid(), database.gid()),
        })
    }

    /// Gives a file or folder its mode and the database's owner, where this user may.
    pub(super) fn set(path: &Path, mode: u32, modes: &Modes) -> io::Result<()> {
        let found = metadata(path)?;
        if (found.uid(), found.gid()) != modes.owner {
            // Root works on a database of somebody else, as SQLite does with its own files; or
            // it is somebody else's already.
            let _ = chown(path, Some(modes.owner.0), Some(modes.owner.1));
        }
        if found.mode() & 0o777 != mode {
            // Only who owns it may, and who owns it has done so.
            let _ = set_permissions(path, Permissions::from_mode(mode));
        }
        Ok(())
    }
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn only_who_may_write_the_database_may_lock_it() {
        let home = tempfile::tempdir().unwrap();
        let database = home.path().join("copy.db");
        fs::write(&database, "").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        for (given, at_folder) in [
            (0o644, 0o700),
            (0o600, 0o700),
            (0o664, 0o770),
            (0o660, 0o770),
            (0o666, 0o777),
            (0o644, 0o700),
        ] {
            fs::set_permissions(&database, Permissions::from_mode(given)).unwrap();
            assert!(lock_file(&database, "t").unwrap().is_some());
            let folder = folder(&database);
            assert_eq!(mode(&folder), at_folder, "{given:o}");
            let lock = folder.join(name::lock_file("t"));
            assert_eq!(mode(&lock), given, "{given:o}");
        }
    }
}
