//! Who the server runs as: PostgreSQL refuses to be root.

use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use nix::unistd::{User, geteuid};

use crate::Result;

/// A user of this machine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Account {
    /// The user and the group to change to; none where the process itself is not root.
    ids: Option<(u32, u32)>,
}

impl Account {
    /// The user of this process; of root's, the one of PostgreSQL's package, or the least there is.
    pub(crate) fn find() -> Result<Self> {
        if !geteuid().is_root() {
            return Ok(Self::of_this_process());
        }
        let find = |name| User::from_name(name).ok().flatten();
        let user = find("postgres")
            .or_else(|| find("nobody"))
            .ok_or("PostgreSQL does not run as root, and there is no other user")?;
        Ok(Self {
            ids: Some((user.uid.as_raw(), user.gid.as_raw())),
        })
    }

    /// The user of this process, be it root.
    pub(crate) fn of_this_process() -> Self {
        Self { ids: None }
    }

    /// Has a command run as this user.
    pub(crate) fn run(self, command: &mut Command) {
        if let Some((user, group)) = self.ids {
            command.uid(user).gid(group);
        }
    }

    /// Gives a file or folder to this user, and to nobody else.
    pub(crate) fn own(self, path: &Path) -> Result<()> {
        let mode = if path.is_dir() { 0o700 } else { 0o600 };
        std::fs::set_permissions(path, Permissions::from_mode(mode))
            .and_then(|()| match self.ids {
                Some((user, group)) => chown(path, Some(user), Some(group)),
                None => Ok(()),
            })
            .map_err(|error| format!("{}: {error}", path.display()))
    }

    /// Copies a folder with all that is in it for this user.
    pub(crate) fn copy(self, from: &Path, to: &Path) -> Result<()> {
        let failed = |error| format!("copying {} to {}: {error}", from.display(), to.display());
        std::fs::create_dir(to).map_err(failed)?;
        for entry in std::fs::read_dir(from).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let target = to.join(entry.file_name());
            if entry.file_type().map_err(failed)?.is_dir() {
                self.copy(&entry.path(), &target)?;
            } else {
                std::fs::copy(entry.path(), &target).map_err(failed)?;
                self.own(&target)?;
            }
        }
        self.own(to)
    }
}
