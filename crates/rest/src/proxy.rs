//! The way to the service through somebody else's server.

use std::fmt;

use bucketline_secret::Scrubber;
use reqwest::{ClientBuilder, NoProxy};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

/// How requests get out. A service on this machine is asked directly whatever this says.
#[derive(Debug, Clone, Default)]
pub enum Proxy {
    /// As the environment says: `HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`, in capitals or small.
    #[default]
    System,
    /// Directly, whatever the environment says.
    None,
    /// Through this server.
    Server(ProxyServer),
}

/// An HTTP or SOCKS proxy.
#[derive(Clone)]
pub struct ProxyServer {
    /// Its address, of one of [`ProxyServer::SCHEMES`].
    pub url: Url,
    /// User and password, if it asks for them; in place of those in the address.
    pub sign_in: Option<(String, SecretString)>,
    /// Hosts that are asked directly: `example.org` with all below it, or `10.0.0.0/8`.
    pub exceptions: Vec<String>,
}

impl ProxyServer {
    /// The kinds of proxies. `socks5h` and `socks4a` resolve the service's name themselves.
    pub const SCHEMES: [&str; 6] = ["http", "https", "socks4", "socks4a", "socks5", "socks5h"];
}

impl fmt::Debug for ProxyServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProxyServer")
            .field("url", &crate::redact(&self.url))
            .field("exceptions", &self.exceptions)
            .finish_non_exhaustive()
    }
}

/// A proxy that can be used, and the hosts that are asked directly.
#[derive(Clone)]
pub(crate) enum Route {
    /// As the system's settings say.
    System,
    Direct,
    Through(Box<reqwest::Proxy>),
}

/// Where the environment names a proxy, the first that is set counts.
const VARIABLES: [[&str; 2]; 2] = [["HTTPS_PROXY", "https_proxy"], ["ALL_PROXY", "all_proxy"]];

impl Proxy {
    /// The way that this says, with the environment's variables from `variable`. The error says
    /// why there is none, without a password.
    pub(crate) fn route(
        &self,
        host: &str,
        variable: impl Fn(&str) -> Option<std::ffi::OsString>,
    ) -> Result<Route, String> {
        match self {
            Self::None => Ok(Route::Direct),
            Self::Server(server) => {
                let exceptions = NoProxy::from_string(&server.exceptions.join(","));
                through(server.url.clone(), server.sign_in.as_ref(), exceptions)
                    .map_err(|why| format!("the proxy {}: {why}", crate::redact(&server.url)))
            }
            // A CGI program gets `HTTP_PROXY` from whoever asks it, so no variable is believed.
            Self::System if variable("REQUEST_METHOD").is_some() => Ok(Route::Direct),
            Self::System => {
                let first = |names: [&str; 2]| {
                    let mut set = names
                        .into_iter()
                        .filter_map(|name| Some((name.to_owned(), variable(name)?)));
                    set.next().filter(|(_, value)| !value.is_empty())
                };
                let Some((name, value)) = VARIABLES.into_iter().find_map(first) else {
                    return Ok(Route::System);
                };
                let direct = first(["NO_PROXY", "no_proxy"]).map(|(_, hosts)| hosts);
                let direct = direct.map(|hosts| hosts.to_string_lossy().into_owned());
                let direct = direct.unwrap_or_default();
                if is_listed(host, &direct) {
                    return Ok(Route::Direct);
                }
                let value = value
                    .to_str()
                    .ok_or_else(|| format!("the proxy in {name} is not UTF-8"))?;
                let url = address(value).ok_or_else(|| format!("{name} names no proxy"))?;
                through(url, None, NoProxy::from_string(&direct))
                    .map_err(|why| format!("the proxy in {name}: {why}"))
            }
        }
    }

    /// The scrubber, which takes out the proxy's password, too.
    pub(crate) fn hidden_by(&self, scrubber: Scrubber) -> Scrubber {
        let Self::Server(server) = self else {
            return scrubber;
        };
        let scrubber = match &server.sign_in {
            Some((user, password)) => scrubber.with_pair(user, password.expose_secret()),
            None => scrubber,
        };
        match server.url.password() {
            Some(password) => scrubber.with_pair(server.url.username(), password),
            None => scrubber,
        }
    }
}

impl Route {
    pub(crate) fn set(&self, builder: ClientBuilder) -> ClientBuilder {
        match self {
            Self::System => builder,
            Self::Direct => builder.no_proxy(),
            Self::Through(proxy) => builder.no_proxy().proxy((**proxy).clone()),
        }
    }
}

/// A proxy's address; a host alone is one of HTTP.
fn address(text: &str) -> Option<Url> {
    let url = if text.contains("://") {
        Url::parse(text)
    } else {
        Url::parse(&format!("http://{text}"))
    };
    url.ok().filter(Url::has_host)
}

fn through(
    mut url: Url,
    sign_in: Option<&(String, SecretString)>,
    exceptions: Option<NoProxy>,
) -> Result<Route, String> {
    let scheme = url.scheme().to_owned();
    if !ProxyServer::SCHEMES.contains(&&*scheme) {
        return Err(format!(
            "`{scheme}` is no kind of proxy; there are {} (HTTP), and {} (SOCKS)",
            ProxyServer::SCHEMES[..2].join(", "),
            ProxyServer::SCHEMES[2..].join(", "),
        ));
    }
    if let Some((user, password)) = sign_in {
        let set = url
            .set_username(user)
            .and_then(|()| url.set_password(Some(password.expose_secret())));
        set.map_err(|()| "its address takes no user".to_owned())?;
    }
    if scheme.starts_with("socks4") && url.password().is_some() {
        return Err("SOCKS 4 has no passwords: use socks5 or socks5h".to_owned());
    }
    let proxy = reqwest::Proxy::all(url).map_err(|error| error.without_url().to_string())?;
    Ok(Route::Through(Box::new(proxy.no_proxy(exceptions))))
}

/// Whether a list of hosts as in `NO_PROXY` names this one, or a domain above it.
fn is_listed(host: &str, list: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    list.split(',').map(str::trim).any(|listed| {
        let listed = listed.trim_start_matches('.').to_ascii_lowercase();
        let above = host.strip_suffix(&listed);
        listed == "*"
            || (!listed.is_empty()
                && above.is_some_and(|rest| rest.is_empty() || rest.ends_with('.')))
    })
}
