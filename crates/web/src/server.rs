//! The server behind the API.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::ConnectInfo;
use axum::serve::Listener;
use bucketline_app::Result;
use bucketline_core::{Error, code};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio_rustls::TlsAcceptor;

use crate::application::Application;
use crate::gate::Reach;
use crate::router;

/// How long a client may take for the TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// How long a client may take for the head of a request.
const HEAD: Duration = Duration::from_secs(15);

/// Connections that wait to be served.
const WAITING: usize = 64;

/// Connections at a time, fewer than the files that a process may usually have open. More wait to be taken.
const MOST: usize = 512;

/// The files of a certificate and its key, as PEM.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// The certificate, and those that lead to the authority.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

impl TlsFiles {
    fn acceptor(&self) -> Result<TlsAcceptor> {
        let wrong = |path: &Path, why: &dyn std::fmt::Display| {
            let message = format!("{}: {why}", path.display());
            Error::new(code::web::TLS, message)
                .with_hint("give a certificate and its key as PEM files")
        };
        let chain = CertificateDer::pem_file_iter(&self.certificate)
            .and_then(|found| found.collect::<std::result::Result<Vec<_>, _>>())
            .map_err(|error| wrong(&self.certificate, &error))?;
        let key = PrivateKeyDer::from_pem_file(&self.key);
        // The error may quote the key.
        let key = key.map_err(|_| wrong(&self.key, &"it is not a private key that can be read"))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
            .map_err(|error| wrong(&self.certificate, &error))?;
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

/// Where a client is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// What a client is connected by, with TLS or without.
trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

/// A client's connection.
struct Connection {
    wire: Box<dyn Wire>,
    address: SocketAddr,
    /// Held while it is open.
    place: OwnedSemaphorePermit,
}

/// Takes connections of clients.
#[derive(Debug)]
pub struct Door {
    address: SocketAddr,
    connections: mpsc::Receiver<Connection>,
    accepting: tokio::task::JoinHandle<()>,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Door {
    fn of(listener: TcpListener, tls: Option<TlsAcceptor>) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let (sender, connections) = mpsc::channel(WAITING);
        let accepting = tokio::spawn(accept(listener, tls, sender));
        Ok(Self {
            address,
            connections,
            accepting,
        })
    }

    /// Where it is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Hands connections over as they are ready. A client that is slow keeps nobody else waiting.
async fn accept(
    mut listener: TcpListener,
    tls: Option<TlsAcceptor>,
    sender: mpsc::Sender<Connection>,
) {
    let places = Arc::new(Semaphore::new(MOST));
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        // That of axum goes on after errors.
        let (stream, address): (TcpStream, SocketAddr) = Listener::accept(&mut listener).await;
        let of = move |wire: Box<dyn Wire>| Connection {
            wire,
            address,
            place,
        };
        let Some(tls) = tls.clone() else {
            if sender.send(of(Box::new(stream))).await.is_err() {
                return;
            }
            continue;
        };
        let sender = sender.clone();
        tokio::spawn(async move {
            let shaken = tokio::time::timeout(HANDSHAKE, tls.accept(stream)).await;
            if let Ok(Ok(stream)) = shaken {
                drop(sender.send(of(Box::new(stream))).await);
            }
        });
    }
}

/// Listens on an address; port 0 takes a free one. Other machines reach it only by TLS, or through a stated proxy.
///
/// # Errors
/// If others would reach it in clear, the certificate cannot be used, or the address is taken.
pub async fn listen(address: SocketAddr, reach: &Reach, tls: Option<&TlsFiles>) -> Result<Door> {
    let is_safe = tls.is_some() || !reach.proxies.is_empty();
    if !address.ip().is_loopback() && !is_safe {
        let message = format!("{address}: passwords and tokens would reach this address in clear");
        return Err(Error::new(code::web::ADDRESS, message).with_hint(
            "give `--tls-certificate` and `--tls-key`, or `--trusted-proxy`; or listen on 127.0.0.1, and use a tunnel",
        ));
    }
    let tls = tls.map(TlsFiles::acceptor).transpose()?;
    let failed = |error: io::Error| {
        let message = format!("{address} cannot be listened on: {error}");
        Error::new(code::web::LISTEN, message).with_hint("choose another port; 0 takes a free one")
    };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    Door::of(listener, tls).map_err(failed)
}

/// Answers requests until it is closed.
#[derive(Debug)]
pub struct Server {
    closing: watch::Sender<bool>,
}

impl Server {
    /// A server that is not closing, and what its application hears of it.
    pub fn new() -> (Self, watch::Receiver<bool>) {
        let (closing, heard) = watch::channel(false);
        (Self { closing }, heard)
    }

    /// Serves until `closed` is done; then answers what is under way, and ends streams.
    pub async fn serve(
        self,
        mut door: Door,
        application: Application,
        closed: impl Future<Output = ()> + Send,
    ) {
        let routes = router(application);
        let mut closed = std::pin::pin!(closed);
        let under_way = GracefulShutdown::new();
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(HEAD);
        loop {
            let connection = tokio::select! {
                biased;
                () = &mut closed => break,
                Some(connection) = door.connections.recv() => connection,
            };
            let Connection {
                wire,
                address,
                place,
            } = connection;
            let routes = routes.clone().layer(Extension(ConnectInfo(Peer(address))));
            let served =
                http.serve_connection(TokioIo::new(wire), TowerToHyperService::new(routes));
            let served = under_way.watch(served);
            tokio::spawn(async move {
                // What breaks a connection off is the client's affair.
                drop(served.await);
                drop(place);
            });
        }
        drop(door);
        self.closing.send_replace(true);
        under_way.shutdown().await;
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::sync::Arc;

    use rustls::pki_types::ServerName;
    use rustls::{ClientConfig, RootCertStore};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;
    use tokio_rustls::TlsConnector;

    use super::{TlsFiles, listen};
    use crate::gate::Reach;

    fn here() -> SocketAddr {
        "127.0.0.1:0".parse().unwrap()
    }

    #[tokio::test]
    async fn other_machines_reach_it_by_tls_or_a_stated_proxy_alone() {
        let everywhere = "0.0.0.0:0".parse().unwrap();
        let refused = listen(everywhere, &Reach::default(), None).await;
        assert_eq!(refused.unwrap_err().code(), "BL0510");
        let reach = Reach {
            proxies: vec!["192.0.2.1".parse().unwrap()],
            ..Reach::default()
        };
        listen(everywhere, &reach, None).await.unwrap();
    }

    #[tokio::test]
    async fn a_client_that_says_nothing_keeps_no_other_from_tls() {
        let folder = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let files = TlsFiles {
            certificate: folder.path().join("chain.pem"),
            key: folder.path().join("key.pem"),
        };
        std::fs::write(&files.certificate, made.cert.pem()).unwrap();
        std::fs::write(&files.key, "planted-key-that-is-none").unwrap();
        let refused = listen(here(), &Reach::default(), Some(&files)).await;
        let refused = refused.unwrap_err();
        assert_eq!(refused.code(), "BL0513");
        assert!(!refused.to_string().contains("planted"), "{refused}");

        std::fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
        let mut door = listen(here(), &Reach::default(), Some(&files))
            .await
            .unwrap();
        let silent = TcpStream::connect(door.address()).await.unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let stream = TcpStream::connect(door.address()).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let connector = TlsConnector::from(Arc::new(config));
        let (client, server) =
            tokio::join!(connector.connect(name, stream), door.connections.recv());
        let (mut client, mut server) = (client.unwrap(), server.unwrap().wire);
        server.write_all(b"hello").await.unwrap();
        server.shutdown().await.unwrap();
        let mut heard = String::new();
        client.read_to_string(&mut heard).await.unwrap();
        assert_eq!(heard, "hello");
        drop(silent);
    }
}
