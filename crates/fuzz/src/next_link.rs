//! The `next` of a page, which decides where the next request, and with it the credential, goes.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use bucketline_bitbucket::{Bitbucket, Settings};
use bucketline_rest::{Credential, Url};
use bucketline_source::Source;

use crate::target::rows;

/// Requests that one input may cause: a list that goes round ends after a few.
const MOST_REQUESTS: usize = 50;

/// Reads a list whose first page says that it goes on at the input. No request may reach another server.
pub(crate) fn read(input: &[u8]) {
    let Some(service) = service() else {
        return;
    };
    let link = String::from_utf8_lossy(input)
        .replace("{api}", &service.api)
        .replace("{stranger}", &service.stranger);
    *service.link.lock().unwrap_or_else(PoisonError::into_inner) = link;
    service.requests.store(0, Ordering::SeqCst);
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    else {
        return;
    };
    let token = "ATATT-planted";
    let text = runtime.block_on(async {
        let Ok(base) = Url::parse(&format!("http://{}/2.0", service.api)) else {
            return None;
        };
        let mut settings = Settings::new(base, Credential::Bearer(token.into()));
        settings.workspace = Some("acme".into());
        settings.client.backoff = Duration::ZERO;
        settings.client.requests_per_hour = None;
        settings.client.max_attempts = 1;
        let source: Arc<dyn Source> = Arc::new(Bitbucket::new(settings).ok()?);
        let table = source.find_table("Projects").await.ok().flatten()?;
        rows(&source, table)
            .await
            .err()
            .map(|error| error.to_string())
    });
    let strangers = service.visits.load(Ordering::SeqCst);
    assert_eq!(strangers, 0, "a request went to another server");
    let requests = service.requests.load(Ordering::SeqCst);
    assert!(requests <= MOST_REQUESTS, "{requests} requests");
    if let Some(text) = text {
        assert!(text.len() < 10_000, "a message of {} bytes", text.len());
        assert!(!text.contains(token), "{text}");
    }
}

pub(crate) const CORPUS: &[&str] = &[
    "http://{api}/2.0/workspaces/acme/projects?page=2",
    "http://{api}/2.0/workspaces/acme/projects?page=2&pagelen=50&fields=%2Bvalues.%2A",
    "http://{stranger}/2.0/workspaces/acme/projects?page=2",
    "http://user:password@{api}/2.0/workspaces/acme/projects?page=2",
    "http://{api}@{stranger}/2.0/x",
    "http://{api}#@{stranger}/2.0/x",
    "http://{stranger}\\@{api}/2.0/x",
    "//{stranger}/2.0/x",
    "/2.0/workspaces/acme/projects?page=2",
    "?page=2",
    "https://{api}/2.0/x",
    "http://localhost.example/2.0/x",
    "file:///etc/passwd",
    "http://[::ffff:127.0.0.1]/2.0/x",
];

/// The API, and a server that must not be asked anything.
struct Service {
    api: String,
    stranger: String,
    /// The `next` of the API's first page.
    link: Mutex<String>,
    requests: AtomicUsize,
    visits: AtomicUsize,
}

/// The one of this process; `None` where loopback cannot be listened on.
fn service() -> Option<&'static Service> {
    static SERVICE: OnceLock<Option<&'static Service>> = OnceLock::new();
    *SERVICE.get_or_init(|| {
        let api = TcpListener::bind("127.0.0.1:0").ok()?;
        let stranger = TcpListener::bind("127.0.0.1:0").ok()?;
        let service: &'static Service = Box::leak(Box::new(Service {
            api: api.local_addr().ok()?.to_string(),
            stranger: stranger.local_addr().ok()?.to_string(),
            link: Mutex::default(),
            requests: AtomicUsize::new(0),
            visits: AtomicUsize::new(0),
        }));
        std::thread::spawn(move || {
            for stream in api.incoming().flatten() {
                // The client notices a broken connection by itself.
                let _ = service.answer(&stream);
            }
        });
        std::thread::spawn(move || {
            for _ in stranger.incoming() {
                service.visits.fetch_add(1, Ordering::SeqCst);
            }
        });
        Some(service)
    })
}

impl Service {
    fn answer(&self, mut stream: &TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        while reader.read_line(&mut line)? > 2 {
            line.clear();
        }
        let first = self.requests.fetch_add(1, Ordering::SeqCst) == 0;
        let link = self.link.lock().unwrap_or_else(PoisonError::into_inner);
        let page = if first {
            serde_json::json!({"pagelen": 10, "next": *link, "values": []})
        } else {
            serde_json::json!({"pagelen": 10, "values": []})
        };
        let body = page.to_string();
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
    }
}
