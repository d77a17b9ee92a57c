//! Where servers have their folders.

use std::path::{Path, PathBuf};

use nix::sys::statvfs::statvfs;
use tempfile::TempDir;

use crate::Result;
use crate::account::Account;

/// Linux's folder in memory. A data folder has a thousand files, and a disk takes ten times as
/// long to make and remove them.
const MEMORY: &str = "/dev/shm";

/// How much must be free in memory, or the disk is taken: a container may have very little.
const ROOM_BYTES: u64 = 1 << 30;

/// A temporary folder of an account, in the parent or else where that is quickest. Its name is
/// short, since that of a socket in it may have no more than about 100 bytes.
pub(crate) fn folder_of(account: Account, parent: Option<&Path>) -> Result<TempDir> {
    let parent = parent.map_or_else(quickest, Path::to_owned);
    let folder = tempfile::Builder::new()
        .prefix("bl-pg-")
        .tempdir_in(&parent)
        .map_err(|error| format!("{}: {error}", parent.display()))?;
    account.own(folder.path())?;
    Ok(folder)
}

fn quickest() -> PathBuf {
    let free = statvfs(MEMORY).map_or(0, |memory| {
        // As wide as it is depends on the system.
        #[allow(clippy::useless_conversion)]
        let blocks = u64::from(memory.blocks_available());
        blocks.saturating_mul(memory.fragment_size())
    });
    if free >= ROOM_BYTES {
        return PathBuf::from(MEMORY);
    }
    std::env::temp_dir()
}
