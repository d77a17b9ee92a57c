//! What a sign-in is made from.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use super::keyring::Keyring;
use super::store::TokenStore;
use super::tokens::Tokens;
use crate::proxy::Proxy;

/// Shows an address to the user: opens a browser, or prints it. The library opens nothing itself.
pub type Opener = Arc<dyn Fn(&Url) + Send + Sync>;

/// The addresses of an OAuth server, which share one origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OAuthServer {
    /// Where a user allows the access.
    pub authorize: Url,
    /// Where tokens are asked for.
    pub token: Url,
}

/// How a consumer gets its tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Grant {
    /// A user allows the access in a browser; the tokens act as that user.
    #[default]
    AuthorizationCode,
    /// The consumer's id and secret are enough; the tokens act as the consumer.
    ClientCredentials,
}

/// What may be done about tokens without being told to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum InitiateOAuth {
    /// Nothing: the access token that is there is used until it is refused.
    Off,
    /// Get them if there are none, and renew them.
    #[default]
    GetAndRefresh,
    /// Renew them alone. A consumer's own credentials and a code that was given count as such.
    Refresh,
}

/// What a sign-in begins with, until the token file holds what came of it.
#[derive(Debug, Clone)]
pub enum Start {
    /// Tokens from elsewhere.
    Tokens(Tokens),
    /// An authorization code, or the whole address that the browser was sent to with it.
    Code(SecretString),
}

/// How an [`OAuth`](super::OAuth) signs in. Start from [`OAuthSettings::new`] and change what
/// differs.
#[derive(Clone)]
pub struct OAuthSettings {
    /// The OAuth server.
    pub server: OAuthServer,
    /// The API that the tokens are for; they are sent to its origin alone.
    pub api: Url,
    /// The consumer's id, also called its key.
    pub client_id: String,
    /// The consumer's secret.
    pub client_secret: SecretString,
    /// How tokens are got.
    pub grant: Grant,
    /// What may be done without being told to.
    pub initiate: InitiateOAuth,
    /// The callback URL, in the spelling that the consumer has.
    pub callback: String,
    /// The scopes to ask for; none asks for all that the consumer has.
    pub scopes: Vec<String>,
    /// What to begin with.
    pub start: Option<Start>,
    /// Where tokens are kept. Without it they last as long as this process.
    pub token_file: Option<PathBuf>,
    /// Where tokens are kept in place of the token file, under its name. The lock between processes stays a file
    /// beside it.
    pub keyring: Option<Keyring>,
    /// Where tokens are kept in place of the token file, and under which name.
    pub tokens: Option<(Arc<dyn TokenStore>, String)>,
    /// Shows the page on which the access is allowed, when a request finds nobody signed in and
    /// [`InitiateOAuth::GetAndRefresh`] allows to begin.
    pub opener: Option<Opener>,
    /// How long such a request waits for the user.
    pub patience: Duration,
    /// The `User-Agent` header.
    pub user_agent: String,
    /// Longest time for one attempt at a request.
    pub timeout: Duration,
    /// How requests get out.
    pub proxy: Proxy,
}

impl OAuthSettings {
    /// The authorization code grant with the callback `http://localhost:33333`, five minutes for
    /// the user and 60 s for each attempt, nothing kept on disk.
    pub fn new(
        server: OAuthServer,
        api: Url,
        client_id: impl Into<String>,
        client_secret: SecretString,
        user_agent: impl Into<String>,
    ) -> Self {
        OAuthSettings {
            server,
            api,
            client_id: client_id.into(),
            client_secret,
            grant: Grant::default(),
            initiate: InitiateOAuth::default(),
            callback: "http://localhost:33333".to_owned(),
            scopes: Vec::new(),
            start: None,
            token_file: None,
            keyring: None,
            tokens: None,
            opener: None,
            patience: Duration::from_secs(5 * 60),
            user_agent: user_agent.into(),
            timeout: Duration::from_secs(60),
            proxy: Proxy::default(),
        }
    }
}

impl fmt::Debug for OAuthSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuthSettings")
            .field("token_url", &crate::redact(&self.server.token))
            .field("api", &crate::redact(&self.api))
            .field("client_id", &self.client_id)
            .field("grant", &self.grant)
            .field("initiate", &self.initiate)
            .field("callback", &self.callback)
            .field("token_file", &self.token_file)
            .field("keyring", &self.keyring)
            .finish_non_exhaustive()
    }
}
