//! Tokens as a text with their owner, under the lock of their place.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use url::Url;

use super::private::put_aside;
use super::store::{TokenLock, TokenStore};
use super::tokens::Tokens;
use crate::error::{Error, ErrorKind};

/// Whose tokens are kept. Those of others are neither used nor overwritten.
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

/// The tokens of one name in a store.
#[derive(Debug)]
pub(super) struct KeptTokens {
    store: Arc<dyn TokenStore>,
    name: String,
    owner: Owner,
    /// For messages: the OAuth server.
    server: Url,
}

/// Tokens that nobody else uses meanwhile.
pub(super) struct Locked<'a> {
    kept: &'a KeptTokens,
    lock: Box<dyn TokenLock>,
}

/// What is kept.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub(super) tokens: Tokens,
    /// The fingerprint of what was configured to start with when these were stored.
    pub(super) start: Option<String>,
    /// Which sign-in they come from: stays while they are renewed.
    pub(super) sign_in: Option<String>,
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

impl KeptTokens {
    pub(super) fn new(
        store: Arc<dyn TokenStore>,
        name: String,
        owner: Owner,
        server: Url,
    ) -> KeptTokens {
        KeptTokens {
            store,
            name,
            owner,
            server,
        }
    }

    /// Waits until nobody else uses the tokens.
    pub(super) async fn lock(&self) -> Result<Locked<'_>, Error> {
        let lock = self.store.lock(&self.name).await;
        let lock = lock.map_err(|error| self.failed(&error))?;
        Ok(Locked { kept: self, lock })
    }

    fn unusable(&self, why: &str) -> Error {
        Error::new(ErrorKind::TokenFile, &self.server).detail(format!("{self}: {why}"))
    }

    fn failed(&self, error: &io::Error) -> Error {
        self.unusable(&error.to_string())
    }

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

impl fmt::Display for KeptTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.store.label(&self.name))
    }
}

impl Locked<'_> {
    /// What is kept; `None` if there is none.
    pub(super) async fn read(&self) -> Result<Option<Stored>, Error> {
        let file = self.kept;
        let text = match self.lock.read().await {
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

    /// Makes sure that new tokens can be kept, before there are some that could be lost.
    pub(super) async fn prepare(&mut self) -> Result<(), Error> {
        let prepared = self.lock.prepare().await;
        prepared.map_err(|error| {
            self.kept
                .unusable(&format!("{error}; so no new tokens were asked for"))
        })
    }

    /// Puts tokens in the place of those before them. When this returns they are kept; if that fails, they are put aside.
    pub(super) async fn save(&mut self, stored: &Stored) -> Result<(), Box<Unsaved>> {
        let text = self.kept.text(stored);
        self.lock.save(&text).await.map_err(|error| {
            Box::new(Unsaved {
                stored: stored.clone(),
                server: self.kept.server.clone(),
                why: format!("{}: {error}", self.kept),
                aside: match self.kept.store.seals() {
                    true => None,
                    false => put_aside(&text),
                },
            })
        })
    }
}

impl Unsaved {
    /// Puts the tokens where they belong, if that is possible by now.
    pub(super) async fn save_at_last(&self, locked: &mut Locked<'_>) -> Result<(), Error> {
        locked.lock.prepare().await.map_err(|_| self.error())?;
        let text = locked.kept.text(&self.stored);
        locked.lock.save(&text).await.map_err(|_| self.error())?;
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

/// A time as far as it has a year.
fn moment(time: SystemTime) -> Option<DateTime<Utc>> {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    DateTime::from_timestamp(since.as_secs().try_into().ok()?, since.subsec_nanos())
}
