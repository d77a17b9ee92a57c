//! The way out.

use std::ffi::OsString;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::url;
use crate::proxy::{Proxy, ProxyServer, Route};
use crate::{Client, ClientConfig, Credential, ErrorKind, Problem};

/// The route for `api.example` in an environment of these variables.
fn route(variables: &[(&str, &str)]) -> Result<Route, String> {
    Proxy::System.route("api.example", |wanted| {
        let found = variables.iter().find(|(name, _)| *name == wanted);
        found.map(|(_, value)| OsString::from(value))
    })
}

#[test]
fn a_proxy_of_the_environment_is_used_or_refused_never_passed_over() {
    for variables in [
        &[("HTTPS_PROXY", "http://proxy.example:3128")][..],
        &[("https_proxy", "proxy.example:3128")],
        &[("ALL_PROXY", "socks5h://127.0.0.1:1080")],
        &[("all_proxy", "socks5://proxy.example")],
        &[("ALL_PROXY", "socks4a://proxy.example:1080")],
        &[("ALL_PROXY", "SOCKS5H://user:p@ss@proxy.example:1080")],
        &[
            ("HTTPS_PROXY", ""),
            ("ALL_PROXY", "socks5h://proxy.example"),
        ],
        &[
            ("NO_PROXY", "other.example"),
            ("ALL_PROXY", "http://p.example"),
        ],
    ] {
        let route = route(variables);
        assert!(matches!(route, Ok(Route::Through(_))), "{variables:?}");
    }
    for (variables, why) in [
        (
            &[("ALL_PROXY", "socks://u:planted@proxy.example")][..],
            "the proxy in ALL_PROXY: `socks` is no kind of proxy; there are http, https (HTTP), \
             and socks4, socks4a, socks5, socks5h (SOCKS)",
        ),
        (
            &[("https_proxy", "ftp://u:planted@proxy.example")],
            "the proxy in https_proxy: `ftp` is no kind of proxy; there are http, https (HTTP), \
             and socks4, socks4a, socks5, socks5h (SOCKS)",
        ),
        (
            &[("HTTPS_PROXY", "http://u:planted@proxy.example:port")],
            "HTTPS_PROXY names no proxy",
        ),
        (
            &[("ALL_PROXY", "socks4://u:planted@proxy.example")],
            "the proxy in ALL_PROXY: SOCKS 4 has no passwords: use socks5 or socks5h",
        ),
    ] {
        assert_eq!(route(variables).err().as_deref(), Some(why));
    }
    for variables in [
        &[("NO_PROXY", ".example"), ("ALL_PROXY", "ftp://p.example")][..],
        &[
            ("no_proxy", "a, API.example"),
            ("ALL_PROXY", "ftp://p.example"),
        ],
        &[("NO_PROXY", "*"), ("ALL_PROXY", "http://p.example")],
    ] {
        let route = route(variables);
        assert!(matches!(route, Ok(Route::Direct)), "{variables:?}");
    }
    assert!(matches!(route(&[]), Ok(Route::System)));
}

/// A client of `api.example` through a proxy.
fn client(proxy: &str, sign_in: Option<(&str, &str)>) -> Result<Client, crate::Error> {
    let base = url("https://api.example/2.0");
    let mut config = ClientConfig::new(base, Credential::Anonymous, "test/1", Problem::from_text);
    config.max_attempts = 1;
    config.proxy = Proxy::Server(ProxyServer {
        url: url(proxy),
        sign_in: sign_in.map(|(user, password)| (user.to_owned(), password.into())),
        exceptions: Vec::new(),
    });
    Client::new(config)
}

async fn some(stream: &mut TcpStream, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).await.unwrap();
    bytes
}

/// SOCKS 5 (RFC 1928) with a user (RFC 1929): the name is the proxy's to look up.
#[tokio::test]
async fn a_socks_proxy_is_asked_by_the_services_name() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = format!("socks5h://{}", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let greeting = some(&mut stream, 2).await;
        some(&mut stream, greeting[1].into()).await;
        stream.write_all(&[5, 2]).await.unwrap();
        let user = some(&mut stream, 2).await;
        let user = some(&mut stream, user[1].into()).await;
        let password = some(&mut stream, 1).await;
        let password = some(&mut stream, password[0].into()).await;
        stream.write_all(&[1, 0]).await.unwrap();
        let head = some(&mut stream, 5).await;
        assert_eq!(head[..4], [5, 1, 0, 3]);
        let host = some(&mut stream, head[4].into()).await;
        let port = some(&mut stream, 2).await;
        // Refused: nobody in a test answers for such a host.
        stream
            .write_all(&[5, 5, 0, 1, 0, 0, 0, 0, 0, 0])
            .await
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (text(user), text(password), text(host), port)
    });
    let client = client(&proxy, Some(("user17", "p@ss/word"))).unwrap();
    let error = client.get(&url("https://api.example/2.0/user")).await;
    let error = error.unwrap_err();
    assert!(!format!("{error:?}").contains("p@ss"), "{error:?}");
    let (user, password, host, port) = serving.await.unwrap();
    assert_eq!((&*user, &*password), ("user17", "p@ss/word"));
    assert_eq!((&*host, &*port), ("api.example", &[1, 187][..]));
}

#[test]
fn what_is_no_proxy_is_refused_before_anything_is_sent() {
    let error = client("ftp://user17:planted@proxy.example", None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfig);
    let text = format!("{error} {error:?}");
    assert!(
        text.contains("SOCKS") && !text.contains("planted"),
        "{text}"
    );
}
