//! Tokens in a file that processes share.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};
use url::Url;

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

/// A token file. What is in it is changed under a lock on a file beside it, since it is itself
/// replaced on each change.
#[derive(Debug)]
pub(super) struct TokenFile {
    path: PathBuf,
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

/// A new version of the file before it has its name.
pub(super) struct Draft<'a> {
    file: &'a TokenFile,
    path: PathBuf,
    draft: File,
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
    pub(super) fn new(path: PathBuf, owner: Owner, server: Url) -> TokenFile {
        // The file is replaced, a link to it stays.
        let path = std::fs::canonicalize(&path).unwrap_or(path);
        TokenFile {
            path,
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
        private(&mut options).open(self.beside("lock"))
    }

    /// The path of a file that goes with this one.
    fn beside(&self, what: &str) -> PathBuf {
        let mut name = self.path.as_os_str().to_owned();
        name.push(".");
        name.push(what);
        name.into()
    }

    fn unusable(&self, why: &str) -> Error {
        Error::new(ErrorKind::TokenFile, &self.server)
            .detail(format!("{}: {why}", self.path.display()))
    }

    fn failed(&self, error: &io::Error) -> Error {
        self.unusable(&error.to_string())
    }
}

impl Locked<'_> {
    /// What the file holds; `None` if there is no file.
    pub(super) fn read(&self) -> Result<Option<Stored>, Error> {
        let file = self.file;
        let text = match read_private(&file.path) {
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
                    "{} is for consumer {client_id} ({grant}) at {oauth_server}, and for {api}",
                    file.path.display()
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
        let path = file.beside("new");
        // Left by a process that was killed.
        let _ = std::fs::remove_file(&path);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        let draft = private(&mut options)
            .open(&path)
            .map_err(|error| file.failed(&error))?;
        Ok(Draft { file, path, draft })
    }
}

impl Draft<'_> {
    /// Puts this version in the place of the one before it. When this returns it is on disk.
    pub(super) fn save(mut self, stored: &Stored) -> Result<(), Error> {
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
        let written = serde_json::to_vec_pretty(&format)
            .map_err(io::Error::from)
            .and_then(|text| self.draft.write_all(&text))
            .and_then(|()| self.draft.sync_all())
            .and_then(|()| std::fs::rename(&self.path, &self.file.path))
            .and_then(|()| sync_folder(&self.file.path));
        written.map_err(|error| self.file.failed(&error))
    }
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        // Once renamed, it is not there.
        let _ = std::fs::remove_file(&self.path);
    }
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
