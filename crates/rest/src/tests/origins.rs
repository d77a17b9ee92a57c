//! Where a credential goes, and where it never goes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::server::{Server, ok, reply};
use super::{client, config, url};
use crate::{Client, Credential, ErrorKind, Problem, Proxy, ProxyServer};

#[tokio::test]
async fn a_foreign_url_is_refused_before_anything_is_sent() {
    let server = Server::replying(vec![ok()]).await;
    let other = Server::replying(vec![ok()]).await;
    let (client, _) = client(config(&server));
    let mut https = server.url("/a");
    https.set_scheme("https").unwrap();
    let foreign = [
        other.url("/2.0/things?page=2"),
        https,
        url(&server.url("/a").as_str().replace("127.0.0.1", "localhost")),
        url("https://api.example.org/2.0"),
    ];
    for foreign in foreign {
        let error = client.get(&foreign).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.attempts()),
            (ErrorKind::ForeignOrigin, 0),
            "{foreign}"
        );
        assert_eq!(error.code(), "BL3002");
    }
    let mut named = server.url("/a");
    named.set_username("user").unwrap();
    named.set_password(Some("planted-secret")).unwrap();
    for (odd, kind) in [
        (named, ErrorKind::InvalidUrl),
        (url("file:///etc/x"), ErrorKind::InvalidUrl),
    ] {
        let error = client.get(&odd).await.unwrap_err();
        assert_eq!((error.kind(), error.attempts()), (kind, 0), "{error}");
        assert!(
            !format!("{error:?} {error}").contains("planted"),
            "{error:?}"
        );
    }
    assert!(server.requests().is_empty() && other.requests().is_empty());
    assert_eq!(client.usage().requests, 0);
}

#[tokio::test]
async fn redirects_within_the_origin_are_followed_with_the_credential() {
    for status in [301, 302, 303, 307, 308] {
        let server = Server::answering(move |_, request| match request.path.as_str() {
            "/r/old/things?x=1" => reply(status, &["location: /r/new/things"], "moved"),
            "/r/new/things" => reply(status, &["location: ../newer/things?y=%2B"], ""),
            _ => ok(),
        })
        .await;
        let (client, _) = client(config(&server));
        let response = client.get(&server.url("/r/old/things?x=1")).await.unwrap();
        assert_eq!(
            response.url,
            server.url("/r/newer/things?y=%2B"),
            "{status}"
        );
        assert_eq!(server.requests().len(), 3);
        for request in server.requests() {
            assert_eq!(
                request.header("authorization").unwrap(),
                "Bearer planted-secret"
            );
            assert_eq!(request.header("referer"), None);
        }
        assert_eq!(
            (client.usage().requests, client.usage().retries),
            (3, 0),
            "{status}"
        );
    }
}

#[tokio::test]
async fn a_redirect_to_another_origin_is_an_error_and_sends_nothing_there() {
    let other = Server::replying(vec![ok()]).await;
    let away = format!("location: {}", other.url("/stolen"));
    let server = Server::replying(vec![reply(302, &[&away], "")]).await;
    let (client, _) = client(config(&server));
    let error = client.get(&server.url("/a")).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.attempts()),
        (ErrorKind::ForeignOrigin, 1)
    );
    let (to, from) = (other.url("/stolen"), server.url("/a"));
    let expected = format!("{to} is not part of the configured API: {from} redirected there");
    assert_eq!(error.to_string(), expected);
    assert!(other.requests().is_empty());
}

#[tokio::test]
async fn redirects_end() {
    let five = Server::answering(|n, _| match n {
        0..5 => reply(307, &[&format!("location: /{n}")], ""),
        _ => ok(),
    })
    .await;
    assert!(client(config(&five)).0.get(&five.url("/a")).await.is_ok());

    let circle = Server::replying(vec![reply(307, &["location: /a"], "")]).await;
    let error = client(config(&circle))
        .0
        .get(&circle.url("/a"))
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.attempts()),
        (ErrorKind::TooManyRedirects, 6)
    );
    assert_eq!(circle.requests().len(), 6);

    let nowhere = Server::replying(vec![reply(302, &[], "")]).await;
    let error = client(config(&nowhere))
        .0
        .get(&nowhere.url("/a"))
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.status()),
        (ErrorKind::UnexpectedStatus, Some(302))
    );
}

/// After a redirect, the place it leads to is asked again, not the start.
#[tokio::test]
async fn a_failure_after_a_redirect_is_retried_there() {
    let server = Server::answering(|n, _| match n {
        0 => reply(302, &["location: /b"], ""),
        1 => reply(503, &[], ""),
        _ => ok(),
    })
    .await;
    client(config(&server))
        .0
        .get(&server.url("/a"))
        .await
        .unwrap();
    assert_eq!(server.paths(), ["/a", "/b", "/b"]);
}

#[test]
fn plain_http_is_for_this_machine() {
    let cases = [
        ("http://127.0.0.1:8080/2.0", None),
        ("http://127.8.9.10", None),
        ("http://[::1]:1/2.0", None),
        ("http://localhost", None),
        ("http://LOCALHOST:99", None),
        (
            "http://api.example.org/2.0",
            Some(ErrorKind::InsecureScheme),
        ),
        ("http://128.0.0.1", Some(ErrorKind::InsecureScheme)),
        (
            "http://localhost.example.org",
            Some(ErrorKind::InsecureScheme),
        ),
        (
            "http://127.0.0.1.example.org",
            Some(ErrorKind::InsecureScheme),
        ),
        ("http://[::ffff:8.8.8.8]", Some(ErrorKind::InsecureScheme)),
        ("http://0.0.0.0", Some(ErrorKind::InsecureScheme)),
        ("ftp://127.0.0.1", Some(ErrorKind::InvalidUrl)),
        ("http://user@127.0.0.1", Some(ErrorKind::InvalidUrl)),
        (
            "https://user:pw@api.example.org",
            Some(ErrorKind::InvalidUrl),
        ),
    ];
    for (base, expected) in cases {
        let config =
            crate::ClientConfig::new(url(base), Credential::Anonymous, "t", Problem::from_text);
        let kind = Client::new(config).err().map(|error| error.kind());
        assert_eq!(kind, expected, "{base}");
    }
}

#[tokio::test]
async fn localhost_needs_no_name_server() {
    let server = Server::replying(vec![ok()]).await;
    let base = url(&server
        .url("/2.0")
        .as_str()
        .replace("127.0.0.1", "localhost"));
    let mut config = config(&server);
    config.base_url = base.clone();
    client(config).0.get(&base).await.unwrap();
    assert_eq!(server.requests().len(), 1);
}

/// A proxy would look for a loopback address on its own machine.
#[test]
fn loopback_needs_no_proxy() {
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "tests::origins::localhost_needs_no_name_server"]);
    for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
        // Nobody listens on that port.
        child.env(name, "http://127.0.0.1:9");
    }
    for name in ["NO_PROXY", "no_proxy"] {
        child.env_remove(name);
    }
    let output = child.output().unwrap();
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
}

/// What a proxy is asked for a service elsewhere; it lets nothing through.
#[tokio::test]
async fn a_proxy_gets_its_own_credential_alone() {
    let proxy = Server::replying(vec![reply(502, &[], "")]).await;
    let mut config = config(&proxy);
    config.base_url = url("https://api.example.org/2.0");
    config.max_attempts = 1;
    config.proxy = Proxy::Server(ProxyServer {
        url: proxy.url(""),
        sign_in: Some(("user".into(), "planted-proxy".into())),
        exceptions: Vec::new(),
    });
    assert!(!format!("{config:?}").contains("planted"));
    let (client, _) = client(config);
    let error = client.get(&url("https://api.example.org/2.0/user")).await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Network);
    let asked = proxy.requests();
    assert!(
        asked[0].head.starts_with("CONNECT api.example.org:443 "),
        "{asked:?}"
    );
    let pair = STANDARD.encode("user:planted-proxy");
    assert_eq!(
        asked[0].header("proxy-authorization").unwrap(),
        format!("Basic {pair}")
    );
    assert_eq!(asked[0].header("authorization"), None);
    assert_eq!(asked.len(), 1);
}
