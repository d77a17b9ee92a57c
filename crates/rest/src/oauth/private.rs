//! A file of tokens, which is replaced as a whole, and never lost with the tokens in it.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use bucketline_secret::private;
use serde::de::IgnoredAny;

use super::file::{NewVersion, Place, beside};

/// A file for its owner alone.
#[derive(Debug)]
pub(super) struct PrivateFile(pub(super) PathBuf);

/// A new version of a file before it has its name.
struct Unnamed {
    path: PathBuf,
    named: PathBuf,
    file: File,
}

/// Room for a new version, unless the one before it is long. Access tokens have some thousand
/// letters.
const ROOM: usize = 16 * 1024;

/// Bytes that a token file may have.
const MOST: u64 = 1 << 20;

impl Place for PrivateFile {
    fn read(&self) -> io::Result<String> {
        let new = beside(&self.0, "new");
        if read_private(&new).is_ok_and(|text| serde_json::from_str::<IgnoredAny>(&text).is_ok()) {
            // Written whole by a process that was killed before it was named: what it replaces is
            // used up.
            std::fs::rename(&new, &self.0)?;
            sync_folder(&self.0)?;
        }
        read_private(&self.0)
    }

    /// Takes the room on the disk, too.
    fn draft(&self) -> io::Result<Box<dyn NewVersion>> {
        let path = beside(&self.0, "new");
        // Left by a process that was killed before it had anything to write.
        let _ = std::fs::remove_file(&path);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        let file = private(&mut options).open(&path)?;
        bucketline_files::keep_owner(&file, &self.0);
        let named = self.0.clone();
        let mut version = Box::new(Unnamed { path, named, file });
        let length = std::fs::metadata(&self.0).map_or(0, |file| file.len());
        let length = usize::try_from(length).unwrap_or_default();
        version.file.write_all(&vec![b' '; ROOM.max(4 * length)])?;
        version.file.sync_all()?;
        Ok(version)
    }
}

impl fmt::Display for PrivateFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.display().fmt(f)
    }
}

impl NewVersion for Unnamed {
    fn save(mut self: Box<Self>, text: &str) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(text.as_bytes())?;
        self.file.set_len(text.len() as u64)?;
        self.file.sync_all()?;
        std::fs::rename(&self.path, &self.named)?;
        sync_folder(&self.named)
    }
}

impl Drop for Unnamed {
    fn drop(&mut self) {
        // Once renamed, it is not there.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Writes tokens that cannot be kept in their place where that is possible: this user's folder of
/// the session, the folders for what lasts shortly, the home folder, the current one.
pub(super) fn put_aside(text: &str) -> Option<PathBuf> {
    let variable = |name| std::env::var_os(name).map(PathBuf::from);
    let folders = [
        variable("XDG_RUNTIME_DIR"),
        Some(std::env::temp_dir()),
        cfg!(unix).then(|| PathBuf::from("/var/tmp")),
        std::env::home_dir(),
        std::env::current_dir().ok(),
    ];
    let name = format!("bucketline-tokens-{:016x}.json", fastrand::u64(..));
    let paths = folders
        .into_iter()
        .flatten()
        .map(|folder| folder.join(&name));
    paths.into_iter().find(|path| {
        let written = write_new(path, text);
        if written.is_err() {
            let _ = std::fs::remove_file(path);
        }
        written.is_ok()
    })
}

/// Writes a file that is not there yet: others may put links into folders that all may use.
fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    let mut file = private(&mut options).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Reads a file that others must not be able to read.
fn read_private(path: &Path) -> io::Result<String> {
    let file = bucketline_files::open(path)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = file.metadata()?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            let reason = format!("others may use it, its mode is {mode:03o}");
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, reason));
        }
    }
    bucketline_files::text(bucketline_files::read_to_limit(file, MOST)?)
}

/// A new name is on disk when its folder is.
fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) if cfg!(unix) => {
            let here = folder.as_os_str().is_empty();
            File::open(if here { Path::new(".") } else { folder })?.sync_all()
        }
        _ => Ok(()),
    }
}
