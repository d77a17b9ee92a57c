//! People: accounts and their roles, sessions, API tokens, and what was done by whom.

mod account;
mod attempts;
mod audit;
mod credential;
mod desk;
mod password;
mod role;
mod store;

pub use self::account::{
    Account, AccountEntry, ApiToken, NewApiToken, NewSession, Session, SignedIn,
};
pub use self::attempts::Attempts;
pub use self::audit::{AuditEntry, AuditFilter, NewAuditEntry};
pub use self::credential::{Credential, CredentialHash};
pub use self::desk::{Caller, Claimant, Desk, Means, SESSION_IDLE, SESSION_LONGEST, SET_UP_LASTS};
pub use self::role::{Right, Role};
pub use self::store::Accounts;

#[cfg(test)]
mod tests;
