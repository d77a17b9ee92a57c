//! Who is let in: requests to a name of this server, not made by a page of somebody else, of a caller that is known.

use std::net::IpAddr;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{AUTHORIZATION, COOKIE, HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use axum::middleware::Next;
use axum::response::Response;
use bucketline_app::people::Caller;
use bucketline_core::{Error, code};

use crate::application::Application;
use crate::caller;
use crate::problem::{Answer, Refused};
use crate::rights;
use crate::server::Peer;

/// By which names and ways the server is reached.
#[derive(Debug, Clone, Default)]
pub struct Reach {
    /// Names of the server beside those of this machine, without a port.
    pub hosts: Vec<String>,
    /// Proxies whose headers tell who asks.
    pub proxies: Vec<IpAddr>,
    /// Whether the server itself speaks TLS.
    pub tls: bool,
}

/// Where a request comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Way {
    /// The caller's address.
    pub(crate) from: String,
    /// Whether the caller's connection is encrypted.
    pub(crate) is_secure: bool,
}

impl Reach {
    /// The caller's address and connection. Only a stated proxy is believed, and the last address that is none.
    fn way(&self, peer: IpAddr, headers: &HeaderMap) -> Way {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        if !self.proxies.contains(&peer) {
            return Way {
                from: peer.to_string(),
                is_secure: self.tls,
            };
        }
        let mut from = peer;
        let named = headers.get_all("x-forwarded-for").iter();
        let named: Vec<&str> = named
            .flat_map(|value| value.to_str().unwrap_or_default().split(','))
            .collect();
        for address in named.into_iter().rev() {
            let Ok(address) = address.trim().parse() else {
                break;
            };
            from = address;
            if !self.proxies.contains(&address) {
                break;
            }
        }
        Way {
            from: from.to_string(),
            is_secure: text("x-forwarded-proto") == Some("https"),
        }
    }

    /// Whether each name that the request gives its server is one of ours: a page of somebody else whose name was pointed here
    /// names itself.
    fn is_ours(&self, headers: &HeaderMap, uri: &Uri) -> bool {
        let mut hosts = headers
            .get_all(HOST)
            .iter()
            .map(|host| host.to_str().unwrap_or_default())
            .chain(uri.authority().map(|authority| authority.as_str()))
            .peekable();
        hosts.peek().is_some() && hosts.all(|host| self.knows(host))
    }

    fn knows(&self, host: &str) -> bool {
        let name = without_port(host);
        matches!(name, "127.0.0.1" | "[::1]")
            || name.eq_ignore_ascii_case("localhost")
            || self
                .hosts
                .iter()
                .any(|known| known.eq_ignore_ascii_case(name))
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.parse::<u16>().is_ok() => name,
        _ => host,
    }
}

/// Refuses a request that a page of another origin may have made. Browsers say where such a request comes from; programs
/// that say nothing are not browsers. A token in the request is none that a browser adds by itself.
fn refuse_foreign_origin(method: &Method, headers: &HeaderMap) -> Answer<()> {
    if method.is_safe() || headers.contains_key(AUTHORIZATION) {
        return Ok(());
    }
    let text = |name: HeaderName| headers.get(name).map(|it| it.to_str().unwrap_or_default());
    let host = text(HOST).unwrap_or_default();
    let is_own = match (
        text(HeaderName::from_static("sec-fetch-site")),
        text(ORIGIN),
    ) {
        (Some(site), None) => matches!(site, "same-origin" | "none"),
        (site, Some(origin)) => {
            let is_here = origin
                .split_once("://")
                .is_some_and(|(_, there)| there.eq_ignore_ascii_case(host));
            is_here && site.is_none_or(|site| site == "same-origin")
        }
        (None, None) => true,
    };
    if is_own {
        return Ok(());
    }
    let message = "the request comes from a page of another origin";
    Err(Error::new(code::people::FOREIGN_ORIGIN, message).into())
}

/// The cookie of a session. Over TLS its name makes browsers hold it to this host.
pub(crate) fn cookie_name(way: &Way) -> &'static str {
    match way.is_secure {
        true => "__Host-bucketline",
        false => "bucketline",
    }
}

/// The session's text in the cookies.
pub(crate) fn cookie(headers: &HeaderMap, way: &Way) -> Option<String> {
    let cookies = headers.get_all(COOKIE).iter();
    let mut pairs = cookies
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    let found = pairs.find(|(name, _)| *name == cookie_name(way));
    found.map(|(_, value)| value.to_owned())
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let given = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, given) = given.split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then(|| given.trim())
}

/// Who asks; none if the request brings nothing.
async fn asking(
    application: &Application,
    headers: &HeaderMap,
    way: &Way,
) -> Answer<Option<Caller>> {
    if headers.contains_key(AUTHORIZATION) {
        let given = bearer(headers).unwrap_or_default();
        let caller = application.desk.of_token(given, &way.from).await?;
        return match caller {
            Some(caller) => Ok(Some(caller)),
            None => Err(unknown("the token is wrong, or has ended")),
        };
    }
    match cookie(headers, way) {
        Some(session) => Ok(application.desk.of_session(&session, &way.from).await?),
        None => Ok(None),
    }
}

fn unknown(message: &str) -> Refused {
    let error = Error::new(code::web::NO_TOKEN, message);
    Refused::caller(error.with_hint(
        "sign in, or send `Authorization: Bearer TOKEN` with an API token or the token that `bucketline serve` prints",
    ))
}

/// Lets a request through, or refuses it.
pub(crate) async fn check(
    State(application): State<Application>,
    mut request: Request,
    next: Next,
) -> Result<Response, Refused> {
    let headers = request.headers();
    if !application.reach.is_ours(headers, request.uri()) {
        let message = "the request is for a host that this server is not";
        return Err(Error::new(code::web::FOREIGN_HOST, message)
            .with_hint(
                "use the address that `bucketline serve` prints, or name the host with `--host`",
            )
            .into());
    }
    refuse_foreign_origin(request.method(), headers)?;
    let peer = request.extensions().get::<ConnectInfo<Peer>>();
    let peer = peer.map_or(IpAddr::from([0, 0, 0, 0]), |peer| peer.0.0.ip());
    let way = application.reach.way(peer, headers);
    let caller = asking(&application, headers, &way).await?;
    if caller.is_none() && !rights::is_open(request.method(), request.uri().path()) {
        return Err(unknown(
            "the request brings no token, and nobody is signed in",
        ));
    }
    request.extensions_mut().insert(way);
    Ok(caller::scope(caller, next.run(request)).await)
}

/// What browsers are told about every answer.
pub(crate) async fn headers(
    State(application): State<Application>,
    request: Request,
    next: Next,
) -> Response {
    const HEADERS: [(&str, &str); 7] = [
        (
            "content-security-policy",
            "default-src 'self'; script-src 'self'; style-src 'self'; object-src 'none'; base-uri 'none'; \
             form-action 'self'; frame-ancestors 'none'",
        ),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("cache-control", "no-store"),
    ];
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers
            .entry(HeaderName::from_static(name))
            .or_insert(HeaderValue::from_static(value));
    }
    if application.reach.tls {
        headers.insert(
            "strict-transport-security",
            HeaderValue::from_static("max-age=31536000"),
        );
    }
    response
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue, Method};

    use super::{Reach, cookie, refuse_foreign_origin};

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn only_names_of_this_server_are_let_in() {
        let reach = Reach {
            hosts: vec!["jobs.acme.example".to_owned()],
            ..Reach::default()
        };
        for host in [
            "127.0.0.1",
            "127.0.0.1:7979",
            "localhost:1",
            "LocalHost",
            "[::1]:80",
            "[::1]",
            "Jobs.Acme.example:443",
        ] {
            assert!(reach.knows(host), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "127.0.0.1.evil.example",
            "localhost.evil.example:80",
            "127.0.0.1:80:80",
            "127.0.0.1:x",
            "0.0.0.0:80",
            "127.0.0.2",
            "acme.example",
        ] {
            assert!(!reach.knows(host), "{host}");
        }
        let foreign = headers(&[("host", "127.0.0.1"), ("host", "evil.example")]);
        assert!(!reach.is_ours(&foreign, &"/".parse().unwrap()));
        assert!(!reach.is_ours(&HeaderMap::new(), &"/".parse().unwrap()));
    }

    #[test]
    fn only_a_stated_proxy_says_who_asks() {
        let reach = Reach {
            proxies: vec!["10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap()],
            ..Reach::default()
        };
        let said = headers(&[
            ("x-forwarded-for", "6.6.6.6, 192.0.2.7"),
            ("x-forwarded-for", "10.0.0.2"),
            ("x-forwarded-proto", "https"),
        ]);
        let way = reach.way("10.0.0.1".parse().unwrap(), &said);
        assert_eq!((way.from.as_str(), way.is_secure), ("192.0.2.7", true));
        let way = reach.way("192.0.2.9".parse().unwrap(), &said);
        assert_eq!((way.from.as_str(), way.is_secure), ("192.0.2.9", false));
        let nonsense = headers(&[("x-forwarded-for", "<script>")]);
        let way = reach.way("10.0.0.1".parse().unwrap(), &nonsense);
        assert_eq!((way.from.as_str(), way.is_secure), ("10.0.0.1", false));
        // A cookie that was set without TLS is not taken for one of TLS.
        let both = headers(&[("cookie", "bucketline=a; __Host-bucketline=b")]);
        assert_eq!(cookie(&both, &way).as_deref(), Some("a"));
    }

    #[test]
    fn a_page_of_another_origin_changes_nothing() {
        const HERE: (&str, &str) = ("host", "127.0.0.1:7979");
        for (pairs, is_let_in) in [
            (&[HERE][..], true),
            (&[HERE, ("origin", "http://127.0.0.1:7979")], true),
            (&[HERE, ("sec-fetch-site", "same-origin")], true),
            (&[HERE, ("origin", "http://127.0.0.1:8080")], false),
            (&[HERE, ("origin", "https://evil.example")], false),
            (&[HERE, ("origin", "null")], false),
            (&[HERE, ("sec-fetch-site", "cross-site")], false),
            (&[HERE, ("sec-fetch-site", "same-site")], false),
            (
                &[
                    HERE,
                    ("origin", "http://127.0.0.1:7979"),
                    ("sec-fetch-site", "cross-site"),
                ],
                false,
            ),
            // No browser adds a token by itself.
            (
                &[
                    HERE,
                    ("origin", "https://evil.example"),
                    ("authorization", "Bearer x"),
                ],
                true,
            ),
        ] {
            let headers = headers(pairs);
            let answer = refuse_foreign_origin(&Method::POST, &headers);
            assert_eq!(answer.is_ok(), is_let_in, "{pairs:?}");
            assert!(refuse_foreign_origin(&Method::GET, &headers).is_ok());
        }
    }
}
