//! A small disk in memory that can be filled and made read-only.

use std::io::Write;
use std::path::{Path, PathBuf};

/// A disk of a worker. It is mounted for its thread and what that starts alone, and goes with them.
pub(crate) struct Disk {
    folder: PathBuf,
}

impl Disk {
    /// Mounts disks in the folders for this thread; none where that is not allowed.
    pub(crate) fn mount<const N: usize>(folders: [PathBuf; N]) -> Option<[Self; N]> {
        for folder in &folders {
            std::fs::create_dir_all(folder).unwrap();
        }
        let mounted = system::mount(&folders);
        match mounted {
            Ok(()) => Some(folders.map(|folder| Self { folder })),
            Err(error) => {
                eprintln!(
                    "\n\n######## LEFT OUT: full and read-only disks, since none can be mounted ({error}); calls are \
                     refused instead ########\n\n"
                );
                None
            }
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Fills it but for so many bytes.
    pub(crate) fn fill(&self, left: u64) {
        let state = nix::sys::statvfs::statvfs(&self.folder).unwrap();
        let free = state.blocks_available() as u64 * state.fragment_size() as u64;
        let mut ballast = std::fs::File::create(self.ballast()).unwrap();
        let zeros = vec![0; 4096];
        for _ in 0..free.saturating_sub(left) / 4096 {
            ballast.write_all(&zeros).unwrap();
        }
    }

    /// Makes room again.
    pub(crate) fn free(&self) {
        let _ = std::fs::remove_file(self.ballast());
    }

    fn ballast(&self) -> PathBuf {
        self.folder.join("ballast")
    }

    /// Lets nothing be written, or lets it again.
    pub(crate) fn set_read_only(&self, on: bool) {
        system::set_read_only(&self.folder, on);
    }
}

#[cfg(target_os = "linux")]
mod system {
    use std::path::{Path, PathBuf};

    use nix::mount::{MsFlags, mount as mount_one};
    use nix::sched::{CloneFlags, unshare};

    /// Room for a small copy with its logs, or for a server's small database.
    const SIZE: &str = "size=24m";

    const NONE: Option<&str> = None;

    pub(super) fn mount(folders: &[PathBuf]) -> nix::Result<()> {
        let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
        unshare(CloneFlags::CLONE_NEWNS)?;
        mount_one(NONE, "/", NONE, private, NONE)?;
        let kind = Some("tmpfs");
        folders
            .iter()
            .try_for_each(|folder| mount_one(kind, folder, kind, MsFlags::empty(), Some(SIZE)))
    }

    pub(super) fn set_read_only(folder: &Path, on: bool) {
        let mut flags = MsFlags::MS_REMOUNT;
        flags.set(MsFlags::MS_RDONLY, on);
        mount_one(NONE, folder, NONE, flags, Some(SIZE)).unwrap();
    }
}

/// Systems on which a thread has no mounts of its own.
#[cfg(not(target_os = "linux"))]
mod system {
    use std::path::{Path, PathBuf};

    pub(super) fn mount(_: &[PathBuf]) -> Result<(), &'static str> {
        Err("this is not Linux")
    }

    pub(super) fn set_read_only(_: &Path, _: bool) {
        unreachable!("no disk is mounted");
    }
}
