//! Secrets that are typed in: sealed by a key that the store does not have.
//!
//! Each is sealed by XChaCha20-Poly1305 for its place alone, so that one that is copied to another place of the store cannot
//! be opened there. The key is in a file: one that the administrator names, or one of our own.

mod file;
mod key;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bucketline_core::{Error, Result, code};

use self::file::KeyFile;
pub(crate) use self::key::random;
pub use self::key::{Key, KeyId, Place};
use crate::ConnectionId;

/// Stands for a secret that is stored, wherever a connection is shown. Given back, it keeps what is stored.
pub const KEPT: &str = bucketline_secret::MASK;

/// Opens and seals secrets. Clones are the same.
#[derive(Clone)]
pub struct Vault(Arc<Mutex<State>>);

struct State {
    file: Option<KeyFile>,
    /// The first one seals.
    keys: Vec<Key>,
    /// Why the file gives no keys.
    trouble: Option<String>,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Vault").field(&self.current()).finish()
    }
}

impl Vault {
    /// One without a key, which neither opens nor seals anything.
    pub fn closed() -> Self {
        Self::of(None)
    }

    /// One with the keys of a file of our own, which is made when something is sealed for the first time.
    pub fn beside(path: impl Into<PathBuf>) -> Self {
        Self::of(Some(KeyFile::ours(path.into())))
    }

    /// One with the keys of a file that the administrator gives, such as a credential of systemd. It is only read.
    pub fn of_file(path: impl Into<PathBuf>) -> Self {
        Self::of(Some(KeyFile::given(path.into())))
    }

    fn of(file: Option<KeyFile>) -> Self {
        let mut state = State {
            file,
            keys: Vec::new(),
            trouble: None,
        };
        state.read();
        Self(Arc::new(Mutex::new(state)))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The key that seals, if there is one.
    pub fn current(&self) -> Option<KeyId> {
        self.state().keys.first().map(|key| key.id().clone())
    }

    /// Why there is no key although a file should have one.
    pub fn trouble(&self) -> Option<String> {
        self.state().trouble.clone()
    }

    /// The key that seals. If there is none, and `may_be_made` says so, a file of our own gets one.
    ///
    /// # Errors
    /// If there is none.
    pub fn to_seal(&self, may_be_made: bool) -> Result<Key> {
        let mut state = self.state();
        if state.keys.is_empty() {
            state.read();
        }
        if let Some(key) = state.keys.first() {
            return Ok(key.clone());
        }
        let why = state.trouble.clone();
        match &mut state.file {
            Some(file) if file.is_ours() && file.is_missing() && may_be_made => {
                let key = Key::random()?;
                file.write(std::slice::from_ref(&key))?;
                state.keys = vec![key.clone()];
                Ok(key)
            }
            _ => {
                let why = why.unwrap_or_else(|| "this machine does not have the key".to_owned());
                Err(Error::new(
                    code::store::NO_KEY,
                    format!("the secret cannot be stored: {why}"),
                )
                .with_hint("give the key with `--key-file`, or a reference in place of the secret"))
            }
        }
    }

    /// What was sealed for a place by a key; `None` if the key is not here, or it is not what was sealed.
    pub fn open(&self, place: Place<'_>, key: &KeyId, sealed: &str) -> Option<String> {
        let mut state = self.state();
        if !state.keys.iter().any(|it| it.id() == key) {
            // Another process may have changed it.
            state.read();
        }
        let key = state.keys.iter().find(|it| it.id() == key)?;
        key.open(place, sealed)
    }

    /// Puts a new key before the others of a file of our own. It seals from now on.
    ///
    /// # Errors
    /// If the file is not ours, or cannot be written.
    pub fn renew(&self) -> Result<KeyId> {
        let mut state = self.state();
        state.read();
        if let (Some(why), true) = (&state.trouble, state.keys.is_empty())
            && !state.file.as_ref().is_some_and(KeyFile::is_missing)
        {
            return Err(Error::new(code::store::NO_KEY, why.clone()));
        }
        let State { file, keys, .. } = &mut *state;
        let Some(file) = file.as_mut().filter(|file| file.is_ours()) else {
            let message = "the file of the key is given by `--key-file`, and is not changed here";
            return Err(Error::new(code::store::NO_KEY, message)
                .with_hint("put the new key on a line before the old one, and run this again"));
        };
        let key = Key::random()?;
        let mut wanted = vec![key.clone()];
        wanted.append(keys);
        file.write(&wanted)?;
        *keys = wanted;
        Ok(key.id().clone())
    }

    /// Whether [`Vault::renew`] can be used: the file is ours.
    pub fn is_ours(&self) -> bool {
        self.state().file.as_ref().is_some_and(KeyFile::is_ours)
    }

    /// Removes the keys that nothing is sealed by from a file of our own.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn forget_others(&self, used: &[KeyId]) -> Result<()> {
        let mut state = self.state();
        let State { file, keys, .. } = &mut *state;
        let Some(file) = file.as_mut().filter(|file| file.is_ours()) else {
            return Ok(());
        };
        let mut left = keys.clone();
        left.retain(|key| used.contains(key.id()));
        if left.len() != keys.len() && !left.is_empty() {
            file.write(&left)?;
            *keys = left;
        }
        Ok(())
    }
}

impl State {
    fn read(&mut self) {
        let Some(file) = &self.file else { return };
        match file.read() {
            Ok(keys) => {
                self.keys = keys;
                self.trouble = None;
            }
            // Keys that were read before stay good.
            Err(why) => self.trouble = Some(why),
        }
    }
}

/// A connection with its secrets, for whoever uses it.
#[derive(Clone, PartialEq, Eq)]
pub struct Revealed {
    /// The connection.
    pub id: ConnectionId,
    /// The connection's name.
    pub name: String,
    /// Its properties. Those of `to_enter` have [`KEPT`].
    pub properties: BTreeMap<String, String>,
    /// The secrets that have to be entered again.
    pub to_enter: Vec<String>,
}

/// Shows no value.
impl fmt::Debug for Revealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Revealed")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("properties", &self.properties.keys().collect::<Vec<_>>())
            .field("to_enter", &self.to_enter)
            .finish()
    }
}

/// Which secrets of a store can be opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SecretsState {
    /// Those that have to be entered again, as `connection: property`.
    pub to_enter: Vec<String>,
    /// Whether secrets were sealed before, and never by the key that is here now, or none is here.
    pub key_is_other: bool,
}

/// What became of the secrets when the key was changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resealed {
    /// Secrets that the current key seals now.
    pub sealed: u64,
    /// Those that no key here opens, as `connection: property`. They stay as they are.
    pub left: Vec<String>,
    /// The keys that something is sealed by now.
    pub used: Vec<KeyId>,
}

#[cfg(test)]
mod tests;
