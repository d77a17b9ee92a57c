//! Who asks.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bucketline_secret::MASK;
use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use crate::oauth::OAuth;

/// What a client signs its requests with. `Debug` shows the kind alone.
#[derive(Clone, Default)]
pub enum Credential {
    /// Nothing is sent.
    #[default]
    Anonymous,
    /// HTTP Basic (RFC 7617).
    Basic {
        /// The user name; it may not contain a colon.
        user: String,
        /// The password or token.
        password: SecretString,
    },
    /// A bearer token (RFC 6750).
    Bearer(SecretString),
    /// An OAuth 2.0 consumer (RFC 6749), whose bearer tokens expire and are renewed.
    OAuth(OAuth),
}

/// The kinds of [`Credential`], without what is secret in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CredentialKind {
    /// See [`Credential::Anonymous`].
    Anonymous,
    /// See [`Credential::Basic`].
    Basic,
    /// See [`Credential::Bearer`].
    Bearer,
    /// See [`Credential::OAuth`].
    OAuth,
}

impl fmt::Display for CredentialKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CredentialKind::Anonymous => "anonymous",
            CredentialKind::Basic => "basic",
            CredentialKind::Bearer => "bearer",
            CredentialKind::OAuth => "oauth",
        })
    }
}

impl Credential {
    /// Which kind this is.
    pub fn kind(&self) -> CredentialKind {
        match self {
            Credential::Anonymous => CredentialKind::Anonymous,
            Credential::Basic { .. } => CredentialKind::Basic,
            Credential::Bearer(_) => CredentialKind::Bearer,
            Credential::OAuth(_) => CredentialKind::OAuth,
        }
    }

    /// A stable fingerprint of whom a service counts these requests for: 16 hex digits of a
    /// SHA-256. Tokens of one Basic user and of one OAuth consumer share it; every bearer token has
    /// its own.
    pub fn holder(&self) -> String {
        match self {
            Credential::Anonymous => fingerprint(&["anonymous"]),
            Credential::Basic { user, .. } => fingerprint(&["basic", &user.to_lowercase()]),
            Credential::Bearer(token) => fingerprint(&["bearer", token.expose_secret()]),
            Credential::OAuth(oauth) => fingerprint(&["consumer", oauth.client_id()]),
        }
    }

    /// Whether it is a user's: an access token, a consumer by itself and no credential are nobody's.
    pub fn is_of_user(&self) -> bool {
        match self {
            Credential::Basic { .. } => true,
            Credential::Anonymous | Credential::Bearer(_) => false,
            Credential::OAuth(oauth) => oauth.is_of_user(),
        }
    }

    /// The secret that the user entered, where it is one that is sent as it is.
    pub(crate) fn entered(&self) -> Option<&SecretString> {
        match self {
            Credential::Basic { password, .. } => Some(password),
            Credential::Bearer(token) => Some(token),
            Credential::Anonymous | Credential::OAuth(_) => None,
        }
    }

    /// The `Authorization` header where it is always the same, marked sensitive; `Err` says in
    /// words, without the secret, why there can be none.
    pub(crate) fn authorization(&self) -> Result<Option<HeaderValue>, &'static str> {
        let text = match self {
            Credential::Anonymous | Credential::OAuth(_) => return Ok(None),
            Credential::Basic { user, .. } if user.contains(':') => {
                return Err("the user name contains a colon");
            }
            Credential::Basic { user, password } => {
                if password.expose_secret().is_empty() {
                    return Err("the password is empty");
                }
                format!("Basic {}", basic_pair(user, password))
            }
            Credential::Bearer(token) if token.expose_secret().is_empty() => {
                return Err("the token is empty");
            }
            Credential::Bearer(token) => return bearer(token).map(Some),
        };
        sensitive(&text).map(Some)
    }
}

/// The `Authorization` header of a bearer token.
pub(crate) fn bearer(token: &SecretString) -> Result<HeaderValue, &'static str> {
    sensitive(&format!("Bearer {}", token.expose_secret()))
}

fn sensitive(text: &str) -> Result<HeaderValue, &'static str> {
    let mut value = HeaderValue::from_str(text)
        .map_err(|_| "it contains a line break or another control character")?;
    value.set_sensitive(true);
    Ok(value)
}

fn basic_pair(user: &str, password: &SecretString) -> String {
    STANDARD.encode(format!("{user}:{}", password.expose_secret()))
}

/// 16 hex digits over parts that cannot run into each other.
pub(crate) fn fingerprint(parts: &[&str]) -> String {
    let mut hash = Sha256::new_with_prefix("limit holder");
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize()
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Credential::Anonymous => f.write_str("Anonymous"),
            Credential::Basic { .. } => write!(f, "Basic({MASK})"),
            Credential::Bearer(_) => write!(f, "Bearer({MASK})"),
            Credential::OAuth(_) => write!(f, "OAuth({MASK})"),
        }
    }
}
