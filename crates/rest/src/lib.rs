//! Polite HTTP for REST sources: sign-in, budget, retry, origin checks.
//!
//! A [`Client`] reads JSON from one API. It sends its credential to that API's origin and nowhere
//! else, spends no more requests an hour than its limit holder may, decides in one place which
//! failures are worth another attempt, and tells an [`Observer`] about everything it does.
//! What a service's error bodies mean comes in through a [`ProblemReader`]; nothing here knows a
//! particular service.
//!
//! ```no_run
//! # use bucketline_rest::{Client, ClientConfig, Credential, Problem, Url};
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let base = Url::parse("https://api.example.org/2.0")?;
//! let config = ClientConfig::new(base, Credential::Anonymous, "example/1.0", Problem::from_text);
//! let client = Client::new(config)?;
//! let page = client.get(&Url::parse("https://api.example.org/2.0/things")?).await?;
//! assert_eq!(page.status, 200);
//! # Ok(())
//! # }
//! ```

mod body;
mod budget;
mod client;
mod clock;
mod config;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod credential;
mod deprecation;
mod error;
mod failure;
mod oauth;
mod observer;
mod origin;
mod problem;
mod proxy;
mod redact;
mod response;
mod retry;
mod transport;
mod usage;

#[cfg(test)]
mod tests;

pub use budget::{
    Ask, BothBudgets, BudgetBook, BudgetFiles, BudgetStore, Claimant, ClaimantStanding, Kept,
    Ledger, Lot, LotId, Rank, Settled, Standing, Taken, Trouble,
};
pub use client::{Client, RequestOptions};
pub use clock::Clock;
pub use config::{ClientConfig, RetiredCredential};
pub use credential::{Credential, CredentialKind};
pub use error::{Error, ErrorKind};
pub use oauth::{
    Authorization, Grant, InitiateOAuth, Keyring, OAuth, OAuthServer, OAuthSettings, Opener, Start,
    TokenFiles, TokenLock, TokenStore, Tokens,
};
pub use observer::{Event, Observer, WaitReason};
pub use problem::{Problem, ProblemReader};
pub use proxy::{Proxy, ProxyServer};
pub use redact::redact;
pub use response::Response;
pub use retry::Cause;
pub use usage::{Meter, Usage};

pub use reqwest::header::HeaderMap;
pub use secrecy::SecretString;
pub use url::Url;
