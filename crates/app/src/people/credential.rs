//! Texts that let somebody in: sessions, API tokens, the token of the first account.

use std::fmt;

use bucketline_core::Result;
use sha2::{Digest as _, Sha256};

use crate::vault::random;

/// What all of them begin with, so that scanners of secrets know them.
const PREFIX: &str = "bl_";

/// A text of 256 random bits that lets its bearer in.
#[derive(Clone)]
pub struct Credential(String);

/// It is a secret.
impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credential(***)")
    }
}

impl Credential {
    /// One that nobody can guess. Logs do not show it.
    ///
    /// # Errors
    /// If the system gives no random bytes.
    pub fn random() -> Result<Self> {
        let bytes: [u8; 32] = random()?;
        let mut text = PREFIX.to_owned();
        text.extend(bytes.iter().map(|byte| format!("{byte:02x}")));
        bucketline_secret::process::hide(&text);
        Ok(Self(text))
    }

    /// One that somebody chose.
    pub fn of(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, to be shown once.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What the store keeps of it.
    pub fn hash(&self) -> CredentialHash {
        CredentialHash::of(&self.0)
    }
}

/// What is kept of a credential: enough to know it again, not to use it. Comparing digests tells nothing of the text by the time
/// that it takes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CredentialHash(pub String);

impl CredentialHash {
    /// That of a text that somebody sent.
    pub fn of(text: &str) -> Self {
        let digest = Sha256::digest(text.as_bytes());
        Self(digest.iter().map(|byte| format!("{byte:02x}")).collect())
    }
}
