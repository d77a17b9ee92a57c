//! Tokens that processes share: in a file, or in the operating system's keyring.

use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};
use url::Url;

use super::keyring::Keyring;
use super::tokens::Tokens;
use crate::error::{Error, ErrorKind};

/// Whose tokens a file holds. A file of others is neither used nor overwritten.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Owner {
    /// The OAuth server's origin.
    pub(super) oauth_server: String,
    /// The API's origin.
    pub(super) api: String,
    pub(super) client_id: String,
    /// `authorization_code` or `client_credentials`: they act as somebody else.
    pub(super) grant: String,
}

/// Where the text with the tokens is. What its `Display` says of it is for people.
pub(super) trait Place: fmt::Debug + fmt::Display + Send + Sync {
    /// The text; `NotFound` if there is none.
    fn read(&self) -> io::Result<String>;

    /// Makes room for a new version, before there are tokens that could be lost.
    fn draft(&self) -> io::Result<Box<dyn NewVersion>>;
}

/// A new version before it has its place.
pub(super) trait NewVersion: Send {
    /// Puts the text in the place of the one before it. When this returns it is kept.
    fn save(self: Box<Self>, text: &str) -> io::Result<()>;
}

/// A token file, or what stands for it in a keyring. What is in it is changed under a lock on a file
/// beside it, since it is itself replaced on each change.
#[derive(Debug)]
pub(super) struct TokenFile {
    path: PathBuf,
    place: Box<dyn Place>,
    owner: Owner,
    /// For messages: the OAuth server.
    server: Url,
}

/// A token file that no other process uses meanwhile.
#[derive(Debug)]
pub(super) struct Locked<'a> {
    file: &'a TokenFile,
    /// Closing it unlocks, also when the process is killed.
    _lock: File,
}

/// What a file holds.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub(super) tokens: Tokens,
    /// The fingerprint of what was configured to start with when these were stored.
    pub(super) start: Option<String>,
    /// Which sign-in they come from: stays while they are renewed.
    pub(super) sign_in: Option<String>,
}

/// A new version of what a file holds, with room for it.
pub(super) struct Draft<'a> {
    file: &'a TokenFile,
    version: Box<dyn NewVersion>,
}

/// A file for its owner alone.
#[derive(Debug)]
struct PrivateFile(PathBuf);

/// A new version of a file before it has its name.
struct Unnamed {
    path: PathBuf,
    named: PathBuf,
    file: File,
}

#[derive(Serialize, Deserialize)]
struct Format {
    version: u32,
    #[serde(flatten)]
    owner: Owner,
    access_token: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<DateTime<Utc>>,
    #[serde(default)]
    scopes: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    start: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sign_in: Option<String>,
}

const VERSION: u32 = 1;
/// Longer than a process that renews can take for all its attempts.
const LOCK_PATIENCE: Duration = Duration::from_secs(5 * 60);
const LOCK_POLL: Duration = Duration::from_millis(10);

impl TokenFile {
    /// The file of this path, or the keyring's entry of that name.
    pub(super) fn new(
        path: PathBuf,
        keyring: Option<&Keyring>,
        owner: Owner,
        server: Url,
    ) -> TokenFile {
        // The file is replaced, a link to it stays.
        let path = std::fs::canonicalize(&path).unwrap_or(path);
        let place = match keyring {
            Some(keyring) => keyring.entry(path.display().to_string()),
            None => Box::new(PrivateFile(path.clone())),
        };
        TokenFile {
            path,
            place,
            owner,
            server,
        }
    }

    /// Waits until no other process uses the file.
    pub(super) async fn lock(&self) -> Result<Locked<'_>, Error> {
        let lock = self.open_lock().map_err(|error| self.failed(&error))?;
        let end = Instant::now() + LOCK_PATIENCE;
        loop {
            match lock.try_lock() {
                Ok(()) => {
                    return Ok(Locked {
                        file: self,
                        _lock: lock,
                    });
                }
                Err(TryLockError::WouldBlock) if Instant::now() < end => sleep(LOCK_POLL).await,
                Err(TryLockError::WouldBlock) => {
                    return Err(self.unusable("another process does not let go of it"));
                }
                Err(TryLockError::Error(error)) => return Err(self.failed(&error)),
            }
        }
    }

    fn open_lock(&self) -> io::Result<File> {
        if let Some(folder) = self.path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        private(&mut options).open(beside(&self.path, "lock"))
    }

    fn unusable(&self, why: &str) -> Error {
        Error::new(ErrorKind::TokenFile, &self.server).detail(format!("{self}: {why}"))
    }

    fn failed(&self, error: &io::Error) -> Error {
        self.unusable(&error.to_string())
    }
}

impl fmt::Display for TokenFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.place.fmt(f)
    }
}

impl Locked<'_> {
    /// What the file holds; `None` if there is none.
    pub(super) fn read(&self) -> Result<Option<Stored>, Error> {
        let file = self.file;
        let text = match file.place.read() {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(file.failed(&error)),
        };
        // Its own message could quote a token.
        let format: Format = serde_json::from_str(&text).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            file.unusable(&format!(
                "it is no token file, see line {line}, column {column}"
            ))
        })?;
        if format.version != VERSION {
            let version = format.version;
            return Err(file.unusable(&format!("it has version {version}, not {VERSION}")));
        }
        if format.owner != file.owner {
            let Owner {
                oauth_server,
                api,
                client_id,
                grant,
            } = format.owner;
            return Err(
                Error::new(ErrorKind::ForeignTokens, &file.server).detail(format!(
                    "{file} is for consumer {client_id} ({grant}) at {oauth_server}, and for {api}"
                )),
            );
        }
        Ok(Some(Stored {
            tokens: Tokens {
                access_token: format.access_token.into(),
                refresh_token: format.refresh_token.map(SecretString::from),
                expires_at: format.expires_at.map(SystemTime::from),
                scopes: format.scopes,
            },
            start: format.start,
            sign_in: format.sign_in,
        }))
    }

    /// Makes room for a new version, before there are tokens that could be lost.
    pub(super) fn draft(&self) -> Result<Draft<'_>, Error> {
        let file = self.file;
        let version = file.place.draft().map_err(|error| file.failed(&error))?;
        Ok(Draft { file, version })
    }
}

impl Draft<'_> {
    /// Puts this version in the place of the one before it. When this returns it is kept.
    pub(super) fn save(self, stored: &Stored) -> Result<(), Error> {
        let tokens = &stored.tokens;
        let format = Format {
            version: VERSION,
            owner: self.file.owner.clone(),
            access_token: tokens.access_token.expose_secret().to_owned(),
            refresh_token: tokens
                .refresh_token
                .as_ref()
                .map(|token| token.expose_secret().to_owned()),
            expires_at: tokens.expires_at.map(DateTime::from),
            scopes: tokens.scopes.clone(),
            start: stored.start.clone(),
            sign_in: stored.sign_in.clone(),
        };
        let written = serde_json::to_string_pretty(&format)
            .map_err(io::Error::from)
            .and_then(|text| self.version.save(&text));
        written.map_err(|error| self.file.failed(&error))
    }
}

impl Place for PrivateFile {
    fn read(&self) -> io::Result<String> {
        read_private(&self.0)
    }

    fn draft(&self) -> io::Result<Box<dyn NewVersion>> {
        let path = beside(&self.0, "new");
        // Left by a process that was killed.
        let _ = std::fs::remove_file(&path);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        let file = private(&mut options).open(&path)?;
        let named = self.0.clone();
        Ok(Box::new(Unnamed { path, named, file }))
    }
}

impl fmt::Display for PrivateFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.display().fmt(f)
    }
}

impl NewVersion for Unnamed {
    fn save(mut self: Box<Self>, text: &str) -> io::Result<()> {
        self.file.write_all(text.as_bytes())?;
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

/// The path of a file that goes with another one.
fn beside(path: &Path, what: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(what);
    name.into()
}

/// For its owner alone, where systems have modes.
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options
}

/// Reads a file that others must not be able to read.
fn read_private(path: &Path) -> io::Result<String> {
    let file = File::open(path)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = file.metadata()?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            let reason = format!("others may use it, its mode is {mode:03o}");
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, reason));
        }
    }
    io::read_to_string(file)
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
