//! One attempt: a request on the wire, and its answer to the last byte.

use std::error::Error as StdError;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::RequestBuilder;
use reqwest::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, HeaderMap, HeaderValue, USER_AGENT};
use rustls::{ClientConfig as TlsConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt as _;
use tokio::sync::OnceCell;
use url::Url;

use crate::body;
use crate::error::{Error, ErrorKind};
use crate::origin::is_loopback;
use crate::proxy::{Proxy, Route};
use crate::retry::Cause;

/// Connections to one origin. Redirects and retries are off: both are decided elsewhere, and every
/// request sent must be counted.
pub(crate) struct Transport {
    /// Made with the first request: reading the system's certificates takes over 10 ms, which a
    /// program that asks nothing need not spend.
    http: OnceCell<reqwest::Client>,
    settings: Settings,
    max_body: u64,
}

struct Settings {
    base_url: Url,
    headers: HeaderMap,
    timeout: Duration,
    idle: usize,
    route: Route,
}

/// An answer, whatever its status.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// No answer, or none that is whole.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) cause: Cause,
    pub(crate) source: Option<Box<dyn StdError + Send + Sync>>,
}

/// Longest time for making a connection; the time for the whole attempt bounds it too.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);

impl Transport {
    /// Connections to the origin of `base_url`, of which `idle` are kept open.
    pub(crate) fn new(
        base_url: &Url,
        user_agent: &str,
        timeout: Duration,
        idle: usize,
        max_body: u64,
        proxy: &Proxy,
    ) -> Result<Transport, Error> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        let user_agent = HeaderValue::from_str(user_agent).map_err(|_| {
            Error::new(ErrorKind::InvalidConfig, base_url)
                .detail("the user agent contains a control character")
        })?;
        headers.insert(USER_AGENT, user_agent);
        let settings = Settings {
            base_url: base_url.clone(),
            headers,
            timeout,
            idle,
            route: route(base_url, proxy)?,
        };
        Ok(Transport {
            http: OnceCell::new(),
            settings,
            max_body,
        })
    }

    /// Sends one GET. The caller has checked that `url` is of the credential's origin.
    pub(crate) async fn get(
        &self,
        url: &Url,
        authorization: Option<HeaderValue>,
    ) -> Result<Answer, Fault> {
        self.send(|http| {
            let request = http.get(url.clone());
            match authorization {
                Some(authorization) => request.header(AUTHORIZATION, authorization),
                None => request,
            }
        })
        .await
    }

    /// Sends one POST, under the same condition.
    pub(crate) async fn post(
        &self,
        url: &Url,
        headers: HeaderMap,
        body: Vec<u8>,
    ) -> Result<Answer, Fault> {
        self.send(|http| http.post(url.clone()).headers(headers).body(body))
            .await
    }

    async fn send(
        &self,
        request: impl FnOnce(&reqwest::Client) -> RequestBuilder,
    ) -> Result<Answer, Fault> {
        let http = self
            .http
            .get_or_try_init(async || self.settings.connect())
            .await?;
        let mut response = request(http)
            .send()
            .await
            .map_err(|error| Fault::of(error, Cause::Broken))?;
        let status = response.status().as_u16();
        let mut headers = std::mem::take(response.headers_mut());
        let body = body::read(&mut response, &mut headers, self.max_body).await?;
        Ok(Answer {
            status,
            headers,
            body,
        })
    }
}

/// How requests to the origin of `base` get out.
fn route(base: &Url, proxy: &Proxy) -> Result<Route, Error> {
    if is_loopback(base) {
        // A proxy would look for the server on its own machine.
        return Ok(Route::Direct);
    }
    let host = base.host_str().unwrap_or_default();
    proxy
        .route(host, |name| std::env::var_os(name))
        .map_err(|why| Error::new(ErrorKind::InvalidConfig, base).detail(why))
}

impl Settings {
    fn connect(&self) -> Result<reqwest::Client, Fault> {
        let mut builder = reqwest::Client::builder()
            .default_headers(self.headers.clone())
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .timeout(self.timeout)
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_max_idle_per_host(self.idle)
            .tls_backend_preconfigured(tls(&self.base_url)?);
        if is_loopback(&self.base_url) {
            // "localhost" must not depend on a name server that could point it elsewhere.
            let here = [
                (Ipv4Addr::LOCALHOST, 0).into(),
                (Ipv6Addr::LOCALHOST, 0).into(),
            ];
            builder = builder.resolve_to_addrs("localhost", &here);
        }
        self.route.set(builder).build().map_err(Fault::tls)
    }
}

impl Fault {
    fn tls(error: impl Into<Box<dyn StdError + Send + Sync>>) -> Fault {
        Fault {
            cause: Cause::Tls,
            source: Some(error.into()),
        }
    }

    pub(crate) fn of(error: reqwest::Error, otherwise: Cause) -> Fault {
        let error = error.without_url();
        let cause = if is_tls(&error) {
            Cause::Tls
        } else if error.is_connect() {
            Cause::Connect
        } else if error.is_timeout() {
            Cause::Timeout
        } else {
            otherwise
        };
        Fault {
            cause,
            source: Some(Box::new(error)),
        }
    }
}

fn is_tls(error: &(dyn StdError + 'static)) -> bool {
    // The source of an I/O error is its inner error's source, not the inner error itself.
    let inner = error
        .downcast_ref::<std::io::Error>()
        .and_then(std::io::Error::get_ref);
    error.is::<rustls::Error>()
        || inner.is_some_and(|inner| is_tls(inner))
        || error.source().is_some_and(is_tls)
}

/// TLS by rustls with ring and the system's certificates, whatever the process's default provider.
fn tls(base: &Url) -> Result<TlsConfig, Fault> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = TlsConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(Fault::tls)?;
    let mut tls = if base.scheme() == "https" {
        builder
            .with_platform_verifier()
            .map_err(Fault::tls)?
            .with_no_client_auth()
    } else {
        // Never used, since the origin is http: spare the reading of the system's certificates.
        builder
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth()
    };
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(tls)
}
