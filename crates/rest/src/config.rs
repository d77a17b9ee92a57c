//! What a client is made from.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use crate::budget::{BudgetStore, Claimant};
use crate::credential::Credential;
use crate::problem::ProblemReader;
use crate::proxy::Proxy;

/// How a [`Client`](crate::Client) signs in and behaves. Start from [`ClientConfig::new`] and
/// change what differs.
#[derive(Clone)]
pub struct ClientConfig {
    /// The API's address, e.g. `https://api.example.org/2.0`. Its origin (scheme, host, port) is
    /// the only one that is ever asked. Plain http is for loopback hosts.
    pub base_url: Url,
    /// Who asks.
    pub credential: Credential,
    /// A stable, non-secret name of whom the service counts requests for, where
    /// [`Credential::holder`] is not: for a credential whose token rotates.
    pub limit_holder: Option<String>,
    /// The `User-Agent` header.
    pub user_agent: String,
    /// Requests that the service allows in any hour; `None` keeps no budget.
    pub requests_per_hour: Option<u32>,
    /// A higher limit that the service names in its answers takes the place of
    /// [`requests_per_hour`](Self::requests_per_hour).
    pub limit_may_rise: bool,
    /// Requests of that hour left to the user's other tools.
    pub reserve: u32,
    /// Requests under way at once, at least 1.
    pub concurrency: usize,
    /// Longest time for one attempt, from connecting to the last byte.
    pub timeout: Duration,
    /// Longest pause accepted, for a budget or because a service says so; a longer one is an
    /// error that says until when.
    pub max_wait: Duration,
    /// Attempts at one request before a passing failure is an error, at least 1. Being told to
    /// slow down is not a failed attempt; `max_wait` bounds that.
    pub max_attempts: u32,
    /// The pause before the second attempt; it doubles with each further one.
    pub backoff: Duration,
    /// Longest body accepted, in bytes after decompression.
    pub max_body: u64,
    /// Folder for the budgets, made if missing. `None` keeps the budget in memory, for this client
    /// and its clones.
    pub state_dir: Option<PathBuf>,
    /// Where budgets are kept in place of the folder.
    pub budgets: Option<Arc<dyn BudgetStore>>,
    /// Who asks for requests of the budget.
    pub claimant: Claimant,
    /// How requests get out.
    pub proxy: Proxy,
    /// Reads the service's error answers.
    pub read_problem: ProblemReader,
    /// Credentials that the service takes no more: refused before anything is sent.
    pub retired: &'static [RetiredCredential],
}

/// A kind of credential that a service has done away with, known by how its secrets begin.
#[derive(Debug, Clone, Copy)]
pub struct RetiredCredential {
    /// How its secrets begin.
    pub prefix: &'static str,
    /// What it is and since when it is refused, for the message.
    pub what: &'static str,
    /// What to use instead, for the hint.
    pub instead: &'static str,
}

impl ClientConfig {
    /// A polite configuration: no budget, 4 requests at once, 60 s and 5 attempts each, pauses of
    /// at most an hour and five minutes, bodies up to 64 MiB, nothing kept on disk.
    pub fn new(
        base_url: Url,
        credential: Credential,
        user_agent: impl Into<String>,
        read_problem: ProblemReader,
    ) -> Self {
        ClientConfig {
            base_url,
            credential,
            limit_holder: None,
            user_agent: user_agent.into(),
            requests_per_hour: None,
            limit_may_rise: false,
            reserve: 0,
            concurrency: 4,
            timeout: Duration::from_secs(60),
            max_wait: Duration::from_secs(65 * 60),
            max_attempts: 5,
            backoff: Duration::from_millis(500),
            max_body: 64 * 1024 * 1024,
            state_dir: None,
            budgets: None,
            claimant: Claimant::person("a session"),
            proxy: Proxy::default(),
            read_problem,
            retired: &[],
        }
    }
}

impl fmt::Debug for ClientConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientConfig")
            .field("base_url", &crate::redact(&self.base_url))
            .field("credential", &self.credential)
            .field("requests_per_hour", &self.requests_per_hour)
            .field("reserve", &self.reserve)
            .field("concurrency", &self.concurrency)
            .field("timeout", &self.timeout)
            .field("max_wait", &self.max_wait)
            .field("max_attempts", &self.max_attempts)
            .field("state_dir", &self.state_dir)
            .field("budgets", &self.budgets)
            .field("claimant", &self.claimant)
            .finish_non_exhaustive()
    }
}
