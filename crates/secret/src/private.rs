//! Files and folders for their owner alone, where systems have modes.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::path::Path;

/// What group and others may do.
#[cfg(unix)]
const OTHERS: u32 = 0o077;
/// Folders that all may use have this, such as `/tmp`.
#[cfg(unix)]
const STICKY: u32 = 0o1000;

/// Lets files that are made with `options` be for their owner alone (0600).
pub fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

/// Makes a folder and those above it that are missing, for their owner alone (0700). One that is
/// there stays as it is.
///
/// # Errors
/// If it cannot be made, or is no folder.
pub fn make_folder(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// The same for a folder of our own: if others may use it, it is taken from them, if it is this
/// user's and neither the home folder nor one like `/tmp`.
///
/// # Errors
/// If it cannot be made, or is no folder.
pub fn private_folder(path: &Path) -> io::Result<()> {
    make_folder(path)?;
    #[cfg(unix)]
    {
        use std::fs::Permissions;
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(path)?.permissions().mode();
        let is_shared = mode & STICKY != 0 || std::env::home_dir().is_some_and(|home| home == path);
        if mode & OTHERS != 0 && !is_shared {
            // Another user's folder keeps the mode that its owner gave it.
            let _ = std::fs::set_permissions(path, Permissions::from_mode(mode & !OTHERS));
        }
    }
    Ok(())
}

/// Takes an open file from others who may use it, if it is this user's.
pub fn tighten(file: &File) {
    #[cfg(unix)]
    {
        use std::fs::Permissions;
        use std::os::unix::fs::PermissionsExt as _;
        let Ok(metadata) = file.metadata() else {
            return;
        };
        let mode = metadata.permissions().mode();
        if mode & OTHERS != 0 {
            // Another user's file keeps the mode that its owner gave it.
            let _ = file.set_permissions(Permissions::from_mode(mode & !OTHERS));
        }
    }
    #[cfg(not(unix))]
    let _ = file;
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn folders_are_made_private_and_open_ones_tightened() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("state/bucketline");
        private_folder(&folder).unwrap();
        assert_eq!([mode(&folder), mode(folder.parent().unwrap())], [0o700; 2]);
        fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
        private_folder(&folder).unwrap();
        assert_eq!(mode(&folder), 0o700);
        fs::set_permissions(&folder, Permissions::from_mode(0o1777)).unwrap();
        private_folder(&folder).unwrap();
        assert_eq!(mode(&folder), 0o777);
    }

    #[test]
    fn files_are_made_private_and_open_ones_tightened() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("file");
        let mut options = OpenOptions::new();
        options.write(true).create(true);
        let file = private(&mut options).open(&path).unwrap();
        assert_eq!(mode(&path), 0o600);
        fs::set_permissions(&path, Permissions::from_mode(0o664)).unwrap();
        tighten(&file);
        assert_eq!(mode(&path), 0o600);
    }
}
