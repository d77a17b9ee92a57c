//! The server behind the API.

use std::net::SocketAddr;

use bucketline_app::Result;
use bucketline_core::{Error, code};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::application::Application;
use crate::router;

/// Listens on an address of this machine; port 0 takes a free one.
///
/// # Errors
/// If other machines could reach the address, or it is taken.
pub async fn listen(address: SocketAddr) -> Result<TcpListener> {
    if !address.ip().is_loopback() {
        let message = format!("{address}: other machines could reach this address");
        return Err(Error::new(code::web::ADDRESS, message)
            .with_hint("there are no accounts yet: listen on 127.0.0.1, and use a tunnel"));
    }
    TcpListener::bind(address).await.map_err(|error| {
        Error::new(
            code::web::LISTEN,
            format!("{address} cannot be listened on: {error}"),
        )
        .with_hint("choose another port; 0 takes a free one")
    })
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
    ///
    /// # Errors
    /// If the listener breaks.
    pub async fn serve(
        self,
        listener: TcpListener,
        application: Application,
        closed: impl Future<Output = ()> + Send + 'static,
    ) -> std::io::Result<()> {
        let closing = self.closing;
        let served = axum::serve(listener, router(application));
        served
            .with_graceful_shutdown(async move {
                closed.await;
                closing.send_replace(true);
            })
            .await
    }
}
