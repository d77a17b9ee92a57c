//! The way to the service through somebody else's server.

use std::fmt;

use reqwest::{ClientBuilder, NoProxy};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

/// How requests get out. A service on this machine is asked directly whatever this says.
#[derive(Debug, Clone, Default)]
pub enum Proxy {
    /// As the environment says: `HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`.
    #[default]
    System,
    /// Directly, whatever the environment says.
    None,
    /// Through this server.
    Server(ProxyServer),
}

/// An HTTP proxy.
#[derive(Clone)]
pub struct ProxyServer {
    /// Its address, `http` or `https`.
    pub url: Url,
    /// User and password, if it asks for them.
    pub sign_in: Option<(String, SecretString)>,
    /// Hosts that are asked directly: `example.org` with all below it, or `10.0.0.0/8`.
    pub exceptions: Vec<String>,
}

impl fmt::Debug for ProxyServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProxyServer")
            .field("url", &crate::redact(&self.url))
            .field("exceptions", &self.exceptions)
            .finish_non_exhaustive()
    }
}

impl Proxy {
    pub(crate) fn set(&self, builder: ClientBuilder) -> reqwest::Result<ClientBuilder> {
        Ok(match self {
            Self::System => builder,
            Self::None => builder.no_proxy(),
            Self::Server(server) => {
                let mut proxy = reqwest::Proxy::all(server.url.clone())?
                    .no_proxy(NoProxy::from_string(&server.exceptions.join(",")));
                if let Some((user, password)) = &server.sign_in {
                    proxy = proxy.basic_auth(user, password.expose_secret());
                }
                builder.proxy(proxy)
            }
        })
    }
}
