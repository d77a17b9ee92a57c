//! What keeps accounts.

use std::fmt::Debug;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{
    Account, AccountEntry, ApiToken, AuditEntry, AuditFilter, CredentialHash, NewApiToken,
    NewAuditEntry, NewSession, Session, SignedIn,
};
use crate::store::{Change, Page, PageRequest};
use crate::{AccountId, Result, Revision, TokenId};

/// What keeps accounts, sessions, API tokens and the audit: the same database as [`Store`](crate::Store), by the same rules. What
/// changes something is in the audit, in the same transaction.
#[async_trait]
pub trait Accounts: Send + Sync + Debug {
    /// All accounts, by name.
    async fn accounts(&self) -> Result<Vec<AccountEntry>>;

    /// Whether there is one.
    async fn has_accounts(&self) -> Result<bool>;

    /// The account with that number.
    async fn account(&self, id: AccountId) -> Result<Option<AccountEntry>>;

    /// The account of that name, and the hash of its password.
    async fn account_named(&self, name: &str) -> Result<Option<(AccountEntry, Option<String>)>>;

    /// Adds an account. Fails with `NAME_TAKEN` if there is one of that name, and if it is to be the first, with `NOT_FIRST` if
    /// there is any.
    async fn create_account(
        &self,
        account: &Account,
        password: Option<&str>,
        is_first: bool,
        change: &Change,
    ) -> Result<AccountEntry>;

    /// Replaces an account. If it may do less than before, or may not sign in, its sessions end. Fails with `LAST_ADMIN` if nobody
    /// who administers would be left.
    async fn replace_account(
        &self,
        id: AccountId,
        account: &Account,
        revision: Revision,
        change: &Change,
    ) -> Result<AccountEntry>;

    /// Gives an account another password. All of its sessions but one end.
    async fn set_password(
        &self,
        id: AccountId,
        password: &str,
        but: Option<&CredentialHash>,
        change: &Change,
    ) -> Result<()>;

    /// Removes an account, its sessions and its tokens. Fails with `LAST_ADMIN` as [`Accounts::replace_account`].
    async fn delete_account(
        &self,
        id: AccountId,
        revision: Revision,
        change: &Change,
    ) -> Result<()>;

    /// Begins a session.
    async fn begin_session(&self, session: &NewSession, change: &Change) -> Result<()>;

    /// A session and whose it is.
    async fn session(&self, hash: &CredentialHash) -> Result<Option<(Session, SignedIn)>>;

    /// The sessions of an account, the last used first.
    async fn sessions(&self, account: AccountId) -> Result<Vec<Session>>;

    /// Says that a session was used.
    async fn note_session(&self, hash: &CredentialHash, at: DateTime<Utc>) -> Result<()>;

    /// Ends a session, if there is one.
    async fn end_session(&self, hash: &CredentialHash, change: &Change) -> Result<()>;

    /// Adds an API token.
    async fn create_token(&self, token: &NewApiToken, change: &Change) -> Result<ApiToken>;

    /// An API token and whose it is.
    async fn token(&self, hash: &CredentialHash) -> Result<Option<(ApiToken, SignedIn)>>;

    /// The API tokens of an account, or of all, by number.
    async fn tokens(&self, account: Option<AccountId>) -> Result<Vec<ApiToken>>;

    /// Says that a token was used.
    async fn note_token(&self, id: TokenId, at: DateTime<Utc>) -> Result<()>;

    /// Removes an API token, of this account if one is given. Fails with `NOT_FOUND` if there is none.
    async fn delete_token(
        &self,
        id: TokenId,
        account: Option<AccountId>,
        change: &Change,
    ) -> Result<()>;

    /// Adds an entry to the audit.
    async fn audit(&self, entry: &NewAuditEntry, change: &Change) -> Result<()>;

    /// The audit, the last entry first.
    async fn audit_entries(
        &self,
        filter: &AuditFilter,
        page: &PageRequest,
    ) -> Result<Page<AuditEntry>>;
}
