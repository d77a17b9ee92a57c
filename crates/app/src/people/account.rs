//! Accounts, and what they sign in by.

use bucketline_core::code;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{CredentialHash, Role};
use crate::{AccountId, Problem, Stored, TokenId, name};

/// What the audit calls the process and its parts. A token is `NAME (token TOKEN)` there.
const RESERVED: [&str; 4] = ["api", "command line", "scheduler", "start"];

/// Somebody who may sign in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// The name that is typed in to sign in, such as an e-mail address. The case of letters does not count.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Whether it may sign in.
    #[serde(default = "yes")]
    pub enabled: bool,
}

fn yes() -> bool {
    true
}

impl Account {
    /// What is wrong with it.
    pub fn problems(&self) -> Vec<Problem> {
        let problem = name::problem("name", &self.name);
        let reserved = || {
            let key = name::key(&self.name);
            let is_reserved = RESERVED.contains(&key.as_str()) || key.contains("(token ");
            is_reserved.then(|| {
                let message = "the audit calls something else by this name";
                Problem::new("name", code::model::BAD_NAME, message)
            })
        };
        problem.or_else(reserved).into_iter().collect()
    }
}

/// An account as the store has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountEntry {
    /// The account.
    pub account: Stored<AccountId, Account>,
    /// Whether it has a password.
    pub has_password: bool,
    /// When it signed in last.
    pub signed_in_at: Option<DateTime<Utc>>,
}

/// A session that begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSession {
    /// What is kept of the text in the cookie.
    pub hash: CredentialHash,
    /// Whose it is.
    pub account: AccountId,
    /// Where it was begun from.
    pub from: String,
    /// The browser, as it calls itself.
    pub agent: String,
}

/// A session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// What is kept of the text in the cookie.
    pub hash: CredentialHash,
    /// Whose it is.
    pub account: AccountId,
    /// Where it was begun from.
    pub from: String,
    /// The browser, as it called itself.
    pub agent: String,
    /// When it began.
    pub begun_at: DateTime<Utc>,
    /// When it was used last, to a minute.
    pub seen_at: DateTime<Utc>,
}

/// Whoever a session or a token belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedIn {
    /// The account.
    pub account: AccountId,
    /// Its name.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Whether it may sign in.
    pub enabled: bool,
}

/// An API token that is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewApiToken {
    /// What it is for.
    pub name: String,
    /// What it may do at most; no more than its account.
    pub role: Role,
    /// When it ends.
    pub ends_at: DateTime<Utc>,
    /// Whose it is.
    pub account: AccountId,
    /// What is kept of it.
    pub hash: CredentialHash,
}

/// An API token. Its text was shown once, when it was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ApiToken {
    /// Its number.
    pub id: TokenId,
    /// What it is for.
    pub name: String,
    /// Whose it is.
    pub account: AccountId,
    /// What it may do at most; no more than its account.
    pub role: Role,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it ends.
    pub ends_at: DateTime<Utc>,
    /// When it was used last, to a minute.
    pub used_at: Option<DateTime<Utc>>,
}
