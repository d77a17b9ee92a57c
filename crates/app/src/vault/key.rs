//! A key, and what it seals.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bucketline_core::{Error, Result, code};
use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305, XNonce};
use sha2::{Digest as _, Sha256};

use crate::ConnectionId;

/// Bytes of a key.
const LENGTH: usize = 32;
/// Bytes of what makes each sealing another one.
const NONCE: usize = 24;

/// Tells keys apart, and nothing about them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyId(pub String);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is sealed is bound to its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place<'a> {
    /// A known text, which tells whether a key is the one that it should be.
    Canary,
    /// A property of a connection, its name in small letters.
    Property(ConnectionId, &'a str),
    /// The tokens of a sign-in.
    SignIn(&'a str),
}

/// A key for secrets: 256 bits.
#[derive(Clone)]
pub struct Key {
    id: KeyId,
    bytes: [u8; LENGTH],
}

/// The key itself is shown to nobody.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Key").field(&self.id.0).finish()
    }
}

impl Key {
    /// A key that nobody can guess.
    ///
    /// # Errors
    /// If the system gives no random bytes.
    pub fn random() -> Result<Self> {
        Ok(Self::of(random()?))
    }

    fn of(bytes: [u8; LENGTH]) -> Self {
        let mut digest = Sha256::new();
        digest.update(b"bucketline key id\0");
        digest.update(bytes);
        let digest = digest.finalize();
        let id = digest[..8].iter().map(|byte| format!("{byte:02x}"));
        Self {
            id: KeyId(id.collect()),
            bytes,
        }
    }

    /// A key of 64 hexadecimal digits or 44 letters of base64.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let bytes = if text.len() == 2 * LENGTH && text.is_ascii() {
            let digits = (0..LENGTH).map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16));
            digits.collect::<Result<Vec<_>, _>>().ok()?
        } else {
            STANDARD.decode(text).ok()?
        };
        bytes.try_into().ok().map(Self::of)
    }

    /// The text that [`Key::parse`] reads.
    pub(crate) fn text(&self) -> String {
        STANDARD.encode(self.bytes)
    }

    /// Its name.
    pub fn id(&self) -> &KeyId {
        &self.id
    }

    /// Seals a secret for a place.
    ///
    /// # Errors
    /// If the system gives no random bytes.
    pub fn seal(&self, place: Place<'_>, secret: &str) -> Result<String> {
        let nonce: [u8; NONCE] = random()?;
        let place = self.bound(place);
        let payload = Payload {
            msg: secret.as_bytes(),
            aad: place.as_bytes(),
        };
        let sealed = self.cipher().encrypt(&XNonce::from(nonce), payload);
        let sealed =
            sealed.map_err(|_| Error::new(code::store::DEFECT, "a secret could not be sealed"))?;
        Ok(STANDARD.encode([&nonce[..], &sealed].concat()))
    }

    /// The secret that was sealed for a place.
    pub fn open(&self, place: Place<'_>, sealed: &str) -> Option<String> {
        let bytes = STANDARD.decode(sealed).ok()?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE>()?;
        let place = self.bound(place);
        let payload = Payload {
            msg: sealed,
            aad: place.as_bytes(),
        };
        let secret = self.cipher().decrypt(&XNonce::from(*nonce), payload);
        String::from_utf8(secret.ok()?).ok()
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&self.bytes.into())
    }

    /// The associated data: no two places have the same, since NUL is in no name.
    fn bound(&self, place: Place<'_>) -> String {
        let Self { id, .. } = self;
        match place {
            Place::Canary => format!("bucketline 1\0canary\0{id}"),
            Place::Property(ConnectionId(row), property) => {
                format!("bucketline 1\0connection\0{row}\0{property}\0{id}")
            }
            Place::SignIn(name) => format!("bucketline 1\0sign-in\0{name}\0{id}"),
        }
    }
}

/// Bytes of the system's generator.
///
/// # Errors
/// If it gives none.
pub(crate) fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| {
        let message = format!("the system gives no random bytes: {error}");
        Error::new(code::store::UNAVAILABLE, message)
    })?;
    Ok(bytes)
}
