//! What a sign-in gives.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use secrecy::{ExposeSecret as _, SecretString};

use crate::error::Error;

/// Renewed this long before the end, so that no request under way meets it.
const MARGIN: Duration = Duration::from_secs(60);

/// Tokens of one sign-in. `Debug` masks them.
#[derive(Debug, Clone)]
pub struct Tokens {
    /// What requests are signed with. May be longer than 2,500 characters.
    pub access_token: SecretString,
    /// What the next access token is asked for with, where the server gives one.
    pub refresh_token: Option<SecretString>,
    /// When the access token ends, if that is known.
    pub expires_at: Option<SystemTime>,
    /// The scopes that were granted, if the server names them.
    pub scopes: Vec<String>,
}

/// What an answer issued.
pub(super) struct Issued {
    pub(super) tokens: Tokens,
    /// Why the access token cannot be used, which is empty then. What comes with it is kept first,
    /// since it takes the place of what was spent for it.
    pub(super) fault: Option<Error>,
}

impl Issued {
    pub(super) fn whole(tokens: Tokens) -> Issued {
        Issued {
            tokens,
            fault: None,
        }
    }

    /// A refresh token, with an access token that cannot be used.
    pub(super) fn without_access(tokens: Tokens, fault: Error) -> Issued {
        Issued {
            tokens: Tokens {
                access_token: SecretString::from(""),
                expires_at: Some(UNIX_EPOCH),
                ..tokens
            },
            fault: Some(fault),
        }
    }
}

impl Tokens {
    /// How long the access token is good for; `None` if that is not known.
    pub fn expires_in(&self, now: SystemTime) -> Option<Duration> {
        Some(self.expires_at?.duration_since(now).unwrap_or_default())
    }

    /// Whether the access token may be used for another request.
    pub(super) fn last(&self, now: SystemTime) -> bool {
        self.expires_in(now).is_none_or(|left| left > MARGIN)
    }

    /// Whether this is that access token.
    pub(super) fn sign_with(&self, access_token: &str) -> bool {
        self.access_token.expose_secret() == access_token
    }
}
