//! The file of the keys: one a line, the first seals, the others still open.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use bucketline_core::{Error, Result, code};
use bucketline_secret::{make_folder, private};

use super::Key;

/// Bytes that a file of keys may have.
const MOST: u64 = 16 << 10;

/// What stands before the keys in a file of our own.
const HEAD: &str = "# Opens the secrets of Bucketline's store. Keep a copy elsewhere: without it they have to be entered again.\n";

pub(super) struct KeyFile {
    path: PathBuf,
    ours: bool,
}

impl KeyFile {
    pub(super) fn ours(path: PathBuf) -> Self {
        Self { path, ours: true }
    }

    pub(super) fn given(path: PathBuf) -> Self {
        Self { path, ours: false }
    }

    pub(super) fn is_ours(&self) -> bool {
        self.ours
    }

    pub(super) fn is_missing(&self) -> bool {
        matches!(self.path.try_exists(), Ok(false))
    }

    /// The keys, or why there are none.
    pub(super) fn read(&self) -> Result<Vec<Key>, String> {
        let path = self.path.display();
        let text = bucketline_files::read_text(&self.path, MOST).map_err(|error| {
            if error.kind() == io::ErrorKind::NotFound {
                format!("there is no key file {path}")
            } else {
                format!("the key file {path} cannot be read: {error}")
            }
        })?;
        if !self.ours && is_open_to_others(&self.path) {
            tracing::warn!("the key file {path} can be read by other users; make it 0600");
        }
        let lines = (1..).zip(text.lines().map(str::trim));
        let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        let keys = lines.map(|(number, line)| {
            Key::parse(line).ok_or_else(|| {
                format!(
                    "the key file {path}, line {number}: a key is 32 bytes as base64 or as hexadecimal digits"
                )
            })
        });
        let keys: Vec<Key> = keys.collect::<Result<_, _>>()?;
        match keys.is_empty() {
            true => Err(format!("the key file {path} has no key")),
            false => Ok(keys),
        }
    }

    /// Replaces the file. It is whole at any moment, and only its owner reads it.
    pub(super) fn write(&self, keys: &[Key]) -> Result<()> {
        self.replace(keys).map_err(|error| {
            let path = self.path.display();
            Error::new(
                code::store::NO_KEY,
                format!("the key file {path} cannot be written: {error}"),
            )
            .with_hint("check the folder and its permissions")
        })
    }

    fn replace(&self, keys: &[Key]) -> io::Result<()> {
        let mut text = HEAD.to_owned();
        for key in keys {
            text.push_str(&key.text());
            text.push('\n');
        }
        if let Some(folder) = self.path.parent() {
            make_folder(folder)?;
        }
        let mut new = self.path.clone().into_os_string();
        new.push(".new");
        let new = PathBuf::from(new);
        match std::fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut options = OpenOptions::new();
        let mut file = private(options.write(true).create_new(true)).open(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&new, &self.path)?;
        if let Some(folder) = self.path.parent()
            && let Ok(folder) = std::fs::File::open(folder)
        {
            // Without this a power cut may leave secrets without their key.
            drop(folder.sync_all());
        }
        Ok(())
    }
}

#[cfg(unix)]
fn is_open_to_others(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn is_open_to_others(_: &Path) -> bool {
    false
}
