//! The page that the browser comes back to.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use oauth2::{CsrfToken, RedirectUrl};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use url::{Host, Url};

use super::authorization::{Authorization, Returned};
use crate::error::{Error, ErrorKind};
use crate::origin::is_loopback;

/// Listens where the callback URL points to, on this machine alone.
pub(super) struct Callback {
    listeners: Vec<TcpListener>,
    path: String,
}

/// A browser that waits for its page.
pub(super) struct Browser(TcpStream);

/// What the connections of one sign-in share.
struct Expected {
    path: String,
    state: CsrfToken,
    /// Whether somebody came with another state.
    strangers: AtomicBool,
    found: mpsc::Sender<(Returned, Browser)>,
}

/// Longest head of a request: codes are short.
const MAX_HEAD: usize = 16 * 1024;
/// Browsers open connections that they may not use.
const HEAD_TIME: Duration = Duration::from_secs(30);
const REST_AFTER_ERROR: Duration = Duration::from_millis(100);

impl Callback {
    /// Takes the callback's port, for `localhost` in both protocols: a browser may choose either,
    /// and must not meet another program.
    pub(super) async fn listen(url: &RedirectUrl) -> Result<Callback, Error> {
        let url = url.url();
        let failed = |detail: String| Error::new(ErrorKind::CallbackPort, url).detail(detail);
        if url.scheme() != "http" || !is_loopback(url) {
            let hint = "it is not a plain http address of this machine".to_owned();
            return Err(failed(hint));
        }
        let addresses: &[IpAddr] = match url.host() {
            Some(Host::Ipv4(address)) => &[IpAddr::V4(address)],
            Some(Host::Ipv6(address)) => &[IpAddr::V6(address)],
            _ => &[
                IpAddr::V4(Ipv4Addr::LOCALHOST),
                IpAddr::V6(Ipv6Addr::LOCALHOST),
            ],
        };
        let port = url.port_or_known_default().unwrap_or_default();
        let mut listeners = Vec::new();
        for address in addresses {
            match TcpListener::bind(SocketAddr::new(*address, port)).await {
                Ok(listener) => listeners.push(listener),
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                    return Err(
                        failed(format!("port {port} is used by another program")).because(error)
                    );
                }
                // A machine without IPv6 has a `localhost` all the same.
                Err(_) if address.is_ipv6() && !listeners.is_empty() => {}
                Err(error) => return Err(failed(error.to_string()).because(error)),
            }
        }
        Ok(Callback {
            listeners,
            path: url.path().to_owned(),
        })
    }

    /// Waits until the browser comes back with the answer to `authorization`. Whoever comes with
    /// another state is turned away and changes nothing.
    pub(super) async fn wait(
        self,
        authorization: &Authorization,
        patience: Duration,
    ) -> Result<(Returned, Browser), Error> {
        let (found, mut arrived) = mpsc::channel(1);
        let expected = Arc::new(Expected {
            path: self.path,
            state: CsrfToken::new(authorization.state.secret().clone()),
            strangers: AtomicBool::new(false),
            found,
        });
        let mut listening = JoinSet::new();
        for listener in self.listeners {
            listening.spawn(accept(listener, expected.clone()));
        }
        let arrived = timeout(patience, arrived.recv()).await;
        listening.shutdown().await;
        match arrived {
            Ok(Some(found)) => Ok(found),
            Ok(None) | Err(_) => {
                let kind = if expected.strangers.load(Relaxed) {
                    ErrorKind::ForeignState
                } else {
                    ErrorKind::SignInTimeout
                };
                Err(Error::new(kind, &without_parameters(&authorization.url)))
            }
        }
    }
}

/// A sign-in page's address as messages show it.
pub(super) fn without_parameters(url: &Url) -> Url {
    let mut url = url.clone();
    url.set_query(None);
    url
}

async fn accept(listener: TcpListener, expected: Arc<Expected>) {
    let mut visits = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    visits.spawn(visit(stream, expected.clone()));
                }
                Err(_) => sleep(REST_AFTER_ERROR).await,
            },
            Some(_) = visits.join_next(), if !visits.is_empty() => {}
        }
    }
}

async fn visit(mut stream: TcpStream, expected: Arc<Expected>) {
    let Ok(Ok(Some(target))) = timeout(HEAD_TIME, read_target(&mut stream)).await else {
        return;
    };
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let returned = Returned::from_query(query).filter(|_| path == expected.path);
    match returned {
        None => respond(stream, "404 Not Found", "There is nothing here", "").await,
        Some(returned) if returned.state.as_ref() == Some(&expected.state) => {
            // If somebody was faster, this sign-in is answered already.
            let _ = expected.found.try_send((returned, Browser(stream)));
        }
        Some(_) => {
            expected.strangers.store(true, Relaxed);
            let text = "This page belongs to another sign-in. Use the newest one that was opened.";
            respond(stream, "400 Bad Request", "Not this sign-in", text).await;
        }
    }
}

/// The target of a GET request; `None` for anything else.
async fn read_target(stream: &mut TcpStream) -> io::Result<Option<String>> {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if head.len() > MAX_HEAD || stream.read_buf(&mut head).await? == 0 {
            return Ok(None);
        }
    }
    let head = String::from_utf8_lossy(&head);
    let mut line = head.lines().next().unwrap_or_default().split(' ');
    Ok(match (line.next(), line.next()) {
        (Some("GET"), Some(target)) => Some(target.to_owned()),
        _ => None,
    })
}

impl Browser {
    /// Shows what came of the sign-in.
    pub(super) async fn show(self, signed_in: bool) {
        let (title, text) = if signed_in {
            ("Signed in", "You can close this window.")
        } else {
            (
                "Not signed in",
                "The program that you came from says why. You can close this window.",
            )
        };
        respond(self.0, "200 OK", title, text).await;
    }
}

/// A page of fixed text: nothing of the request is in it.
async fn respond(mut stream: TcpStream, status: &str, title: &str, text: &str) {
    let page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title></head>\n\
         <body><h1>{title}</h1><p>{text}</p></body></html>\n"
    );
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/html; charset=utf-8\r\ncontent-length: {}\r\n\
         cache-control: no-store\r\ncontent-security-policy: default-src 'none'\r\n\
         referrer-policy: no-referrer\r\nconnection: close\r\n\r\n",
        page.len()
    );
    // A browser that is gone needs no page.
    let _ = stream.write_all((head + &page).as_bytes()).await;
    let _ = stream.shutdown().await;
}
