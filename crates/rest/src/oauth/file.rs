//! Tokens that the processes of one machine share: in a file, or in the operating system's keyring.

use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use bucketline_secret::{make_folder, private, tighten};
use tokio::time::{Instant, sleep};

use super::keyring::Keyring;
use super::private::PrivateFile;
use super::store::{TokenLock, TokenStore};

/// Where the text with the tokens is. What its `Display` says of it is for people.
pub(super) trait Place: fmt::Debug + fmt::Display + Send + Sync {
    /// The text; `NotFound` if there is none.
    fn read(&self) -> io::Result<String>;

    /// Makes room for a new version, before there are tokens that could be lost.
    fn draft(&self) -> io::Result<Box<dyn NewVersion>>;
}

/// A new version before it has its place.
pub(super) trait NewVersion: Send + Sync {
    /// Puts the text in the place of the one before it. When this returns it is kept.
    fn save(self: Box<Self>, text: &str) -> io::Result<()>;
}

/// Longer than a process that renews can take for all its attempts.
const LOCK_PATIENCE: Duration = Duration::from_secs(5 * 60);
const LOCK_POLL: Duration = Duration::from_millis(10);

/// Token files, or what stands for them in a keyring, each named by its path. What is in one is changed under a lock on a
/// file beside it, since it is itself replaced on each change.
#[derive(Debug, Clone, Default)]
pub struct TokenFiles {
    keyring: Option<Keyring>,
}

impl TokenFiles {
    /// Files, private to their owner.
    pub fn new() -> Self {
        Self::default()
    }

    /// Entries of a keyring.
    pub fn in_keyring(keyring: Keyring) -> Self {
        Self {
            keyring: Some(keyring),
        }
    }

    fn place(&self, path: &Path) -> Box<dyn Place> {
        match &self.keyring {
            Some(keyring) => keyring.entry(path.display().to_string()),
            None => Box::new(PrivateFile(path.to_owned())),
        }
    }
}

/// The file is replaced, a link to it stays.
fn path_of(name: &str) -> PathBuf {
    std::fs::canonicalize(name).unwrap_or_else(|_| name.into())
}

#[async_trait]
impl TokenStore for TokenFiles {
    fn label(&self, name: &str) -> String {
        self.place(&path_of(name)).to_string()
    }

    async fn lock(&self, name: &str) -> io::Result<Box<dyn TokenLock>> {
        let path = path_of(name);
        let lock = open_lock(&path)?;
        let end = Instant::now() + LOCK_PATIENCE;
        loop {
            match lock.try_lock() {
                Ok(()) => {
                    return Ok(Box::new(LockedFile {
                        place: self.place(&path),
                        draft: None,
                        _lock: lock,
                    }));
                }
                Err(TryLockError::WouldBlock) if Instant::now() < end => sleep(LOCK_POLL).await,
                Err(TryLockError::WouldBlock) => {
                    return Err(io::Error::other("another process does not let go of it"));
                }
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
    }
}

fn open_lock(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        make_folder(folder)?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    let lock = private(&mut options).open(beside(path, "lock"))?;
    // Who may open it may hold it for ever.
    tighten(&lock);
    Ok(lock)
}

/// A token file that no other process uses meanwhile.
struct LockedFile {
    place: Box<dyn Place>,
    draft: Option<Box<dyn NewVersion>>,
    /// Closing it unlocks, also when the process is killed. Dropped last.
    _lock: File,
}

#[async_trait]
impl TokenLock for LockedFile {
    async fn read(&self) -> io::Result<String> {
        self.place.read()
    }

    async fn prepare(&mut self) -> io::Result<()> {
        self.draft = Some(self.place.draft()?);
        Ok(())
    }

    async fn save(&mut self, text: &str) -> io::Result<()> {
        let draft = match self.draft.take() {
            Some(draft) => draft,
            None => self.place.draft()?,
        };
        draft.save(text)
    }
}

/// The path of a file that goes with another one.
pub(super) fn beside(path: &Path, what: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(what);
    name.into()
}
