//! A running sandbox.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{oneshot, watch};

use crate::config::Config;
use crate::connection::{Listener, Reset};
use crate::error::Error;
use crate::faults::Fault;
use crate::hooks::Hook;
use crate::journal::Logged;
use crate::kind::Kind;
use crate::oauth::Renewal;
use crate::server::{Shared, router};
use crate::snapshot::{self, Snapshot};
use crate::world::change::{Applied, Change};

/// A server on 127.0.0.1 with a thread and a runtime of its own, so that it works the same from
/// synchronous and asynchronous programs. It stops when this is dropped.
#[derive(Debug)]
pub struct Sandbox {
    origin: String,
    shared: Arc<Shared>,
    stop: watch::Sender<Stop>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    No,
    /// Answer what was asked, then stop.
    Gracefully,
    Now,
}

/// How long a graceful stop waits for open requests.
const GRACE: Duration = Duration::from_secs(2);

type Started = Result<(String, Arc<Shared>), Error>;

impl Sandbox {
    /// Makes the data, binds the port and starts serving.
    ///
    /// # Errors
    ///
    /// The port is taken, or no thread can be started.
    pub async fn start(config: Config) -> Result<Self, Error> {
        let (stop, thread, started) = launch(config)?;
        Self::started(started.await.ok(), stop, thread)
    }

    /// The same for programs without a runtime. Must not be called from asynchronous code.
    ///
    /// # Errors
    ///
    /// See [`Sandbox::start`].
    pub fn start_blocking(config: Config) -> Result<Self, Error> {
        let (stop, thread, started) = launch(config)?;
        Self::started(started.blocking_recv().ok(), stop, thread)
    }

    fn started(
        started: Option<Started>,
        stop: watch::Sender<Stop>,
        thread: JoinHandle<()>,
    ) -> Result<Self, Error> {
        let gone = || Error::Thread(std::io::Error::other("it ended before it served"));
        let (origin, shared) = started.ok_or_else(gone)??;
        Ok(Self {
            origin,
            shared,
            stop,
            thread: Some(thread),
        })
    }

    /// `http://127.0.0.1:<port>/2.0`, what a connection's `BaseURL` is set to.
    pub fn base_url(&self) -> String {
        format!("{}/2.0", self.origin)
    }

    /// `http://127.0.0.1:<port>`
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Applies a change.
    ///
    /// # Errors
    ///
    /// The change names something that is not there, or that the service would not allow.
    pub fn apply(&self, change: Change) -> Result<Applied, Error> {
        self.shared.world_mut().apply(change)
    }

    /// Makes `changes` when the `page`th list page (from 1, counted from now) that matches `path`
    /// was served.
    pub fn on_page(&self, path: &str, page: u32, changes: impl IntoIterator<Item = Change>) {
        let changes = changes.into_iter().collect();
        self.shared.hooks().add(Hook {
            path: path.to_owned(),
            page,
            changes,
        });
    }

    /// Adds a fault to the script.
    pub fn fault(&self, fault: Fault) {
        self.shared.faults().add(fault);
    }

    /// Removes all faults.
    pub fn clear_faults(&self) {
        self.shared.faults().clear();
    }

    /// Holds every answer back for so long.
    pub fn set_latency(&self, latency: Duration) {
        self.shared.set_latency(latency);
    }

    /// The requests since the start or the last reset, oldest first.
    pub fn requests(&self) -> Vec<Logged> {
        self.shared.journal().all()
    }

    /// How many of them match `path`.
    pub fn count(&self, path: &str) -> usize {
        self.shared.journal().count(path)
    }

    /// Empties the request log.
    pub fn reset_requests(&self) {
        self.shared.journal().clear();
    }

    /// The refresh tokens that were brought since the start, oldest first.
    pub fn renewals(&self) -> Vec<Renewal> {
        self.shared.world().oauth.renewals().to_vec()
    }

    /// The server's time.
    pub fn now(&self) -> DateTime<Utc> {
        self.shared.world().now().to_utc()
    }

    /// All current objects of a kind in a workspace (slug or UUID), whole; empty if there is no
    /// such workspace.
    pub fn snapshot(&self, kind: Kind, workspace: &str) -> Vec<Snapshot> {
        let mut all = Vec::new();
        self.visit(kind, workspace, |snapshot| all.push(snapshot));
        all
    }

    /// Calls `each` with the same objects one by one, for those too many to hold. Changes wait
    /// until it is done.
    pub fn visit(&self, kind: Kind, workspace: &str, mut each: impl FnMut(Snapshot)) {
        snapshot::visit(&self.shared.world(), kind, workspace, &mut each);
    }

    /// Waits until the server stops, which without [`Sandbox::shutdown`] is never: for programs
    /// that do nothing else.
    pub async fn serve_forever(&self) {
        self.stop.closed().await;
    }

    /// Lets open requests finish (for two seconds at most), then stops.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(Stop::Gracefully);
        self.stop.closed().await;
        self.join();
    }

    fn join(&mut self) {
        if let Some(thread) = self.thread.take() {
            // A panic of the server's thread was reported by its own hook.
            let _ = thread.join();
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.stop.send_replace(Stop::Now);
        self.join();
    }
}

type Launched = (
    watch::Sender<Stop>,
    JoinHandle<()>,
    oneshot::Receiver<Started>,
);

fn launch(config: Config) -> Result<Launched, Error> {
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("sandbox")
        .enable_all()
        .build()
        .map_err(Error::Thread)?;
    let (stop, stopped) = watch::channel(Stop::No);
    let (report, started) = oneshot::channel();
    let thread = std::thread::Builder::new()
        .name("sandbox".to_owned())
        .spawn(move || run(runtime, config, report, stopped))
        .map_err(Error::Thread)?;
    Ok((stop, thread, started))
}

fn run(
    runtime: Runtime,
    config: Config,
    report: oneshot::Sender<Started>,
    mut stopped: watch::Receiver<Stop>,
) {
    runtime.block_on(async {
        let (listener, shared) = match bind(&config).await {
            Ok((listener, origin, shared)) => {
                let _ = report.send(Ok((origin, Arc::clone(&shared))));
                (listener, shared)
            }
            Err(error) => {
                let _ = report.send(Err(error));
                return;
            }
        };
        let mut asked = stopped.clone();
        let service = router(shared).into_make_service_with_connect_info::<Reset>();
        let serving = axum::serve(Listener(listener), service).with_graceful_shutdown(async move {
            let _ = asked.wait_for(|stop| *stop != Stop::No).await;
        });
        let ended = async {
            let graceful = match stopped.wait_for(|stop| *stop != Stop::No).await {
                Ok(stop) => *stop == Stop::Gracefully,
                Err(_) => false,
            };
            if graceful {
                tokio::time::sleep(GRACE).await;
            }
        };
        tokio::select! {
            _ = serving => {}
            () = ended => {}
        }
    });
    drop(stopped);
    runtime.shutdown_background();
}

async fn bind(config: &Config) -> Result<(TcpListener, String, Arc<Shared>), Error> {
    let failed = |source| Error::Listen {
        port: config.port,
        source,
    };
    let listener = TcpListener::bind(("127.0.0.1", config.port))
        .await
        .map_err(failed)?;
    let origin = format!("http://{}", listener.local_addr().map_err(failed)?);
    let base = config.base_url.clone();
    let base = base.unwrap_or_else(|| format!("{origin}/2.0"));
    let shared = Arc::new(Shared::new(config, base));
    Ok((listener, origin, shared))
}
