//! The application's store as the place where the tokens of sign-ins are kept.

use std::fmt;
use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use bucketline_app::store::TokenGuard;
use bucketline_app::vault::{Key, KeyId, Place};
use bucketline_app::{Result, Store, Vault};
use bucketline_rest::{TokenLock, TokenStore};

/// Encrypts tokens before they come into the store.
pub trait Seal: Send + Sync + fmt::Debug {
    /// The text, encrypted for this sign-in and for no other.
    ///
    /// # Errors
    /// If there is no key.
    fn seal(&self, sign_in: &str, text: &str) -> io::Result<String>;

    /// What was encrypted.
    ///
    /// # Errors
    /// If the key is another one, or it was not encrypted for this sign-in.
    fn open(&self, sign_in: &str, sealed: &str) -> io::Result<String>;
}

/// The seal of an application's vault.
#[derive(Debug, Clone)]
pub struct VaultSeal {
    vault: Vault,
    /// Whether a key may be made here if there is none. Other nodes would not have it.
    makes_key: bool,
}

impl VaultSeal {
    /// Seals by the key of `vault` for the nodes of `store`.
    pub fn new(vault: Vault, store: &dyn Store) -> Self {
        Self {
            vault,
            makes_key: !store.is_shared(),
        }
    }
}

impl Seal for VaultSeal {
    fn seal(&self, sign_in: &str, text: &str) -> io::Result<String> {
        let key = self.vault.to_seal(self.makes_key);
        let sealed = key.and_then(|key| seal(&key, sign_in, text));
        sealed.map_err(io::Error::other)
    }

    fn open(&self, sign_in: &str, sealed: &str) -> io::Result<String> {
        open(&self.vault, sign_in, sealed).ok_or_else(|| {
            io::Error::other("the key that sealed the tokens is not here: sign in again")
        })
    }
}

/// The text, sealed, behind the name of its key.
pub(crate) fn seal(key: &Key, sign_in: &str, text: &str) -> Result<String> {
    let sealed = key.seal(Place::SignIn(sign_in), text)?;
    Ok(format!("{} {sealed}", key.id()))
}

/// What was sealed, if its key is here.
pub(crate) fn open(vault: &Vault, sign_in: &str, sealed: &str) -> Option<String> {
    let (key, sealed) = sealed.split_once(' ')?;
    vault.open(Place::SignIn(sign_in), &KeyId(key.to_owned()), sealed)
}

/// Tokens that the nodes of an application share: one renews, the others take what it got.
#[derive(Debug, Clone)]
pub struct SignIns {
    store: Arc<dyn Store>,
    seal: Arc<dyn Seal>,
}

impl SignIns {
    /// The tokens of a store.
    pub fn new(store: Arc<dyn Store>, seal: Arc<dyn Seal>) -> Self {
        Self { store, seal }
    }
}

#[async_trait]
impl TokenStore for SignIns {
    fn label(&self, name: &str) -> String {
        format!("the application's store, sign-in {name}")
    }

    fn seals(&self) -> bool {
        true
    }

    async fn lock(&self, name: &str) -> io::Result<Box<dyn TokenLock>> {
        let guard = self.store.lock_tokens(name).await;
        Ok(Box::new(Locked {
            guard: guard.map_err(io::Error::other)?,
            seal: Arc::clone(&self.seal),
            name: name.to_owned(),
        }))
    }
}

struct Locked {
    guard: Box<dyn TokenGuard>,
    seal: Arc<dyn Seal>,
    name: String,
}

#[async_trait]
impl TokenLock for Locked {
    async fn read(&self) -> io::Result<String> {
        match self.guard.read().await.map_err(io::Error::other)? {
            // Nobody is signed in then. The tokens stay, in case that the key comes back.
            Some(sealed) => self.seal.open(&self.name, &sealed).map_err(|error| {
                tracing::warn!(sign_in = self.name, "{error}");
                io::ErrorKind::NotFound.into()
            }),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// Looks whether there is a key, and whether the guard still holds.
    async fn prepare(&mut self) -> io::Result<()> {
        self.seal.seal(&self.name, "")?;
        self.guard.read().await.map_err(io::Error::other)?;
        Ok(())
    }

    async fn save(&mut self, text: &str) -> io::Result<()> {
        let sealed = self.seal.seal(&self.name, text)?;
        self.guard.save(&sealed).await.map_err(io::Error::other)
    }
}
