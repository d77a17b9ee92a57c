//! Codes and tokens that were given out.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::consumer::Consumer;
use crate::clock::{DAY, SECOND, Timestamp};

/// Seconds that an access token is good for: what recorded answers say, not the documentation.
pub(super) const EXPIRES_IN: i64 = 7200;
const CODE_LIFE: i64 = 10 * 60 * SECOND;
/// How long a refresh token is taken after its first use.
const GRACE: i64 = 10 * 60 * SECOND;
/// How long one lives unused: three months.
const UNUSED_LIFE: i64 = 90 * DAY;
/// Tokens may be longer than 2,500 characters, so these are.
const TOKEN_LENGTH: usize = 2600;

/// The consumers, and what they were given.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(super) consumers: Vec<Registered>,
    codes: HashMap<String, Code>,
    access_tokens: HashMap<String, AccessToken>,
    refresh_tokens: HashMap<String, RefreshToken>,
    renewals: Vec<Renewal>,
}

/// A refresh token that was brought, and the one that was given for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renewal {
    /// What was brought.
    pub spent: String,
    /// What was given; none if it was refused.
    pub given: Option<String>,
}

/// A consumer with the places of the two holders that its tokens act as.
#[derive(Debug)]
pub(super) struct Registered {
    pub(super) consumer: Consumer,
    pub(super) user: usize,
    pub(super) app: usize,
}

/// What a code was asked for with.
#[derive(Debug)]
pub(super) struct Code {
    pub(super) consumer: usize,
    pub(super) redirect_uri: Option<String>,
    pub(super) challenge: Option<Challenge>,
    pub(super) given: Timestamp,
}

/// A PKCE challenge (RFC 7636).
#[derive(Debug)]
pub(super) struct Challenge {
    pub(super) value: String,
    pub(super) hashed: bool,
}

#[derive(Debug)]
struct AccessToken {
    holder: usize,
    expires: Timestamp,
}

#[derive(Debug)]
struct RefreshToken {
    consumer: usize,
    given: Timestamp,
    first_used: Option<Timestamp>,
}

/// A pair as an answer shows it.
pub(super) struct Given {
    pub(super) access_token: String,
    pub(super) refresh_token: Option<String>,
}

impl Challenge {
    fn meets(&self, verifier: Option<&str>) -> bool {
        let Some(verifier) = verifier else {
            return false;
        };
        if self.hashed {
            self.value == URL_SAFE_NO_PAD.encode(Sha256::digest(verifier))
        } else {
            self.value == verifier
        }
    }
}

impl Ledger {
    /// The renewals so far, oldest first.
    pub(crate) fn renewals(&self) -> &[Renewal] {
        &self.renewals
    }

    pub(super) fn note_renewal(&mut self, spent: String, given: Option<String>) {
        self.renewals.push(Renewal { spent, given });
    }

    pub(crate) fn register(&mut self, consumer: Consumer, user: usize, app: usize) {
        self.consumers.push(Registered {
            consumer,
            user,
            app,
        });
    }

    pub(crate) fn consumer_mut(&mut self, name: &str) -> Option<&mut Consumer> {
        let mut registered = self.consumers.iter_mut();
        registered
            .find(|registered| registered.consumer.name == name)
            .map(|registered| &mut registered.consumer)
    }

    /// Whom an access token acts as, while it lasts.
    pub(crate) fn holder(&self, access_token: &str, now: Timestamp) -> Option<usize> {
        let token = self.access_tokens.get(access_token)?;
        (now < token.expires).then_some(token.holder)
    }

    pub(super) fn add_code(&mut self, code: Code, number: u64) -> String {
        let name = format!("sandbox-code-{number:016x}");
        self.codes.insert(name.clone(), code);
        name
    }

    /// Uses a code up; whether it is one of this consumer's, asked for and used alike, and in time.
    pub(super) fn take_code(
        &mut self,
        name: &str,
        consumer: usize,
        redirect_uri: Option<&str>,
        verifier: Option<&str>,
        now: Timestamp,
    ) -> bool {
        self.codes.remove(name).is_some_and(|code| {
            code.consumer == consumer
                && code.redirect_uri.as_deref() == redirect_uri
                && code
                    .challenge
                    .is_none_or(|challenge| challenge.meets(verifier))
                && now.0 < code.given.0 + CODE_LIFE
        })
    }

    /// Marks a refresh token as used; whether it is still one of this consumer's.
    pub(super) fn use_refresh_token(
        &mut self,
        name: &str,
        consumer: usize,
        now: Timestamp,
    ) -> bool {
        let Some(token) = self.refresh_tokens.get_mut(name) else {
            return false;
        };
        let end = match token.first_used {
            Some(first_used) => first_used.0 + GRACE,
            None => token.given.0 + UNUSED_LIFE,
        };
        let good = token.consumer == consumer && now.0 < end;
        if good {
            token.first_used.get_or_insert(now);
        }
        good
    }

    /// New tokens. Only those that act as a user come with a refresh token.
    pub(super) fn give(
        &mut self,
        consumer: usize,
        as_user: bool,
        number: u64,
        now: Timestamp,
    ) -> Given {
        let Registered { user, app, .. } = self.consumers[consumer];
        let access_token = format!(
            "{:x<TOKEN_LENGTH$}",
            format!("sandbox-oauth-{number:016x}-")
        );
        let expires = Timestamp(now.0 + EXPIRES_IN * SECOND);
        let holder = if as_user { user } else { app };
        self.access_tokens
            .insert(access_token.clone(), AccessToken { holder, expires });
        let refresh_token = as_user.then(|| {
            let name = format!("sandbox-refresh-{number:016x}");
            let token = RefreshToken {
                consumer,
                given: now,
                first_used: None,
            };
            self.refresh_tokens.insert(name.clone(), token);
            name
        });
        Given {
            access_token,
            refresh_token,
        }
    }
}
