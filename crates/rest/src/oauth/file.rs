//! Tokens that processes share: in a file, or in the operating system's keyring.

use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use bucketline_secret::{make_folder, private, tighten};
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};
use url::Url;

use super::keyring::Keyring;
use super::private::{PrivateFile, put_aside};
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

/// Tokens that could not be put where they belong.
pub(super) struct Unsaved {
    stored: Stored,
    server: Url,
    /// Where they belong, and why they are not there.
    why: String,
    /// Where they are until then; none if nothing can be written anywhere.
    aside: Option<PathBuf>,
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
            make_folder(folder)?;
        }
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        let lock = private(&mut options).open(beside(&self.path, "lock"))?;
        // Who may open it may hold it for ever.
        tighten(&lock);
        Ok(lock)
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
        let version = file
            .place
            .draft()
            .map_err(|error| file.unusable(&format!("{error}; so no new tokens were asked for")))?;
        Ok(Draft { file, version })
    }
}

impl Draft<'_> {
    /// Puts this version in the place of the one before it. When this returns it is kept; if that
    /// fails, it is put aside.
    pub(super) fn save(self, stored: &Stored) -> Result<(), Box<Unsaved>> {
        let text = self.file.text(stored);
        self.version.save(&text).map_err(|error| {
            Box::new(Unsaved {
                stored: stored.clone(),
                server: self.file.server.clone(),
                why: format!("{}: {error}", self.file),
                aside: put_aside(&text),
            })
        })
    }
}

impl Unsaved {
    /// Puts the tokens where they belong, if that is possible by now.
    pub(super) fn save_at_last(&self, locked: &Locked<'_>) -> Result<(), Error> {
        let file = locked.file;
        let version = file.place.draft().map_err(|_| self.error())?;
        version
            .save(&file.text(&self.stored))
            .map_err(|_| self.error())?;
        if let Some(aside) = &self.aside {
            // What is left there would be taken for the newest.
            let _ = std::fs::remove_file(aside);
        }
        Ok(())
    }

    pub(super) fn error(&self) -> Error {
        let why = &self.why;
        match &self.aside {
            Some(aside) => Error::new(ErrorKind::TokensAside, &self.server)
                .detail(format!("{why}; they are in {}", aside.display())),
            None => Error::new(ErrorKind::TokenFile, &self.server).detail(why),
        }
    }
}

impl TokenFile {
    /// What is written of some tokens.
    fn text(&self, stored: &Stored) -> String {
        let tokens = &stored.tokens;
        let format = Format {
            version: VERSION,
            owner: self.owner.clone(),
            access_token: tokens.access_token.expose_secret().to_owned(),
            refresh_token: tokens
                .refresh_token
                .as_ref()
                .map(|token| token.expose_secret().to_owned()),
            expires_at: tokens.expires_at.and_then(moment),
            scopes: tokens.scopes.clone(),
            start: stored.start.clone(),
            sign_in: stored.sign_in.clone(),
        };
        serde_json::to_string_pretty(&format).expect("texts and times are JSON")
    }
}

/// A time as far as it has a year.
fn moment(time: SystemTime) -> Option<DateTime<Utc>> {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    DateTime::from_timestamp(since.as_secs().try_into().ok()?, since.subsec_nanos())
}

/// The path of a file that goes with another one.
pub(super) fn beside(path: &Path, what: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(what);
    name.into()
}
