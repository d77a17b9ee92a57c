//! The server: from a request on the wire to the answer on the wire.

use std::io::{ErrorKind, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderName, HeaderValue, Response, header};
use flate2::Compression;
use flate2::write::GzEncoder;
use futures::{StreamExt, stream};

use crate::api::{Call, answer};
use crate::clock::{SECOND, Timestamp};
use crate::config::Config;
use crate::connection::Reset;
use crate::control;
use crate::faults::{FaultKind, Faults};
use crate::hooks::Hooks;
use crate::http::limits::{Limits, Standing, too_many};
use crate::http::reply::Reply;
use crate::http::request::Request;
use crate::http::sign_in::{Caller, sign_in};
use crate::journal::{Journal, Logged};
use crate::oauth;
use crate::world::World;

/// Everything the server and its owner share.
#[derive(Debug)]
pub(crate) struct Shared {
    world: RwLock<World>,
    limits: Mutex<Limits>,
    faults: Mutex<Faults>,
    hooks: Mutex<Hooks>,
    journal: Mutex<Journal>,
    latency_micros: AtomicU64,
    requests_per_hour: Option<u32>,
    anonymous_requests_per_hour: Option<u32>,
    bare_429: bool,
    gzip: bool,
}

impl Shared {
    pub(crate) fn new(config: &Config, base: String) -> Self {
        Self {
            world: RwLock::new(World::new(config, base)),
            limits: Mutex::default(),
            faults: Mutex::default(),
            hooks: Mutex::default(),
            journal: Mutex::default(),
            latency_micros: AtomicU64::new(config.latency.as_micros() as u64),
            requests_per_hour: config.requests_per_hour,
            anonymous_requests_per_hour: config.anonymous_requests_per_hour,
            bare_429: config.bare_429,
            gzip: config.gzip,
        }
    }

    pub(crate) fn world(&self) -> RwLockReadGuard<'_, World> {
        self.world.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn world_mut(&self) -> RwLockWriteGuard<'_, World> {
        self.world.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn hooks(&self) -> MutexGuard<'_, Hooks> {
        self.hooks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn journal(&self) -> MutexGuard<'_, Journal> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_latency(&self, latency: Duration) {
        self.latency_micros
            .store(latency.as_micros() as u64, Ordering::Relaxed);
    }

    /// Answers a request as the service would, and lets hooks change the world after it.
    fn answer(&self, request: &Request) -> Answered {
        if oauth::serves(request) {
            let (reply, consumer) = oauth::answer(&mut self.world_mut(), request);
            let credential = consumer.unwrap_or_else(|| "unknown".to_owned());
            return Answered { reply, credential };
        }
        let (answered, listed) = self.answer_unhooked(request);
        if listed {
            let changes = self.hooks().due(&request.target);
            for change in changes {
                // A hook that no longer fits (its object is gone) changes nothing.
                let _ = self.world_mut().apply(change);
            }
        }
        answered
    }

    fn answer_unhooked(&self, request: &Request) -> (Answered, bool) {
        let world = self.world();
        let caller = match sign_in(&world, request) {
            Ok(caller) => caller,
            Err(reply) => {
                return (
                    Answered {
                        reply,
                        credential: "unknown".to_owned(),
                    },
                    false,
                );
            }
        };
        let credential = caller.name().to_owned();
        let standing = self.count(&world, request, caller);
        let call = Call {
            world: &world,
            request,
            caller,
            scope: std::cell::Cell::new(None),
            listed: std::cell::Cell::new(false),
        };
        let mut reply = match standing {
            Some(Standing { exceeded: true, .. }) => too_many(self.bare_429),
            _ => answer(&call),
        };
        if let Some(kind) = caller.credential_type()
            && let Caller::Known(holder) = caller
        {
            reply = reply
                .with("x-oauth-scopes", holder.credential.scopes.join(", "))
                .with("x-credential-type", kind);
            if let Some(scope) = call
                .scope
                .get()
                .filter(|scope| !scope.name(caller).is_empty())
            {
                reply = reply.with("x-accepted-oauth-scopes", scope.name(caller));
            }
        }
        if let Some(standing) = standing {
            reply = limit_headers(reply, caller, standing);
        }
        (Answered { reply, credential }, call.listed.get())
    }

    /// Counts a request that is answered by a fault: the service counts whatever it answers.
    fn spend(&self, request: &Request) {
        let world = self.world();
        if let Ok(caller) = sign_in(&world, request) {
            self.count(&world, request, caller);
        }
    }

    /// Counts the request against its holder's limit, where there is one.
    fn count(&self, world: &World, request: &Request, caller: Caller<'_>) -> Option<Standing> {
        let limit = match caller {
            Caller::Anonymous => self.anonymous_requests_per_hour,
            Caller::Known(_) if request.path.starts_with("/2.0/repositories") => {
                self.requests_per_hour
            }
            Caller::Known(_) => None,
        }?;
        let mut limits = self.limits.lock().unwrap_or_else(PoisonError::into_inner);
        Some(limits.count(caller.limit_holder(), limit, world.now()))
    }
}

struct Answered {
    reply: Reply,
    credential: String,
}

/// Access tokens are told their limit, people are not, and strangers in an odd form of their own.
fn limit_headers(reply: Reply, caller: Caller<'_>, standing: Standing) -> Reply {
    let Standing {
        limit,
        remaining,
        reset,
        ..
    } = standing;
    match caller {
        Caller::Anonymous => reply
            .with("x-ratelimit-limit", format!("{limit}, {limit};w=3600"))
            .with("x-ratelimit-remaining", remaining.to_string())
            .with("x-ratelimit-reset", reset.to_string()),
        Caller::Known(_) if caller.is_access_token() => reply
            .with("x-ratelimit-limit", limit.to_string())
            .with("x-ratelimit-resource", "api:repositories")
            .with("x-ratelimit-nearlimit", (remaining < limit / 5).to_string()),
        Caller::Known(_) => reply,
    }
}

/// The routes of the server.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .nest("/_sandbox", control::router())
        .fallback(serve)
        .with_state(shared)
}

async fn serve(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(reset): ConnectInfo<Reset>,
    request: axum::extract::Request,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let mut request = Request::new(&parts.method, &parts.uri, &parts.headers);
    if let Ok(body) = to_bytes(body, MAX_FORM).await {
        request = request.with_body(&parts.headers, &body);
    }
    let latency = Duration::from_micros(shared.latency_micros.load(Ordering::Relaxed));
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    let fault = shared.faults().take(&request.target);
    match &fault {
        Some(FaultKind::Slow { millis }) => {
            tokio::time::sleep(Duration::from_millis(*millis)).await;
        }
        Some(FaultKind::Hang) => {
            shared.spend(&request);
            log(&shared, &request, 0, "unknown", true);
            std::future::pending::<()>().await;
        }
        Some(FaultKind::Reset) => {
            shared.spend(&request);
            log(&shared, &request, 0, "unknown", true);
            reset.pull();
            return Response::new(Body::empty());
        }
        _ => {}
    }
    let now = shared.world().now();
    let instead = fault
        .as_ref()
        .and_then(|fault| fault.reply(&request, now, shared.bare_429));
    let mut answered = match instead {
        Some(reply) => {
            shared.spend(&request);
            Answered {
                reply,
                credential: "unknown".to_owned(),
            }
        }
        None => shared.answer(&request),
    };
    if let Some(fault) = &fault {
        let origin = shared.world().origin().to_owned();
        fault.spoil(&mut answered.reply, &origin, &request.target);
    }
    log(
        &shared,
        &request,
        answered.reply.status,
        &answered.credential,
        fault.is_some(),
    );
    let compress = shared.gzip && request.accepts_gzip;
    let cut = matches!(fault, Some(FaultKind::CutBody));
    let date = match fault {
        Some(FaultKind::BadDate) => "some day".to_owned(),
        Some(FaultKind::DateOff { seconds }) => Timestamp(now.0 + seconds * SECOND).http_date(),
        _ => now.http_date(),
    };
    respond(answered.reply, date, compress, cut)
}

fn log(shared: &Shared, request: &Request, status: u16, credential: &str, faulted: bool) {
    let at = shared.world().now().to_utc();
    shared.journal().add(Logged {
        at,
        method: request.method.to_string(),
        target: request.target.clone(),
        status,
        credential: credential.to_owned(),
        faulted,
    });
}

/// Bytes that a form may have.
const MAX_FORM: usize = 1 << 20;

/// Bodies below this many bytes are not worth compressing.
const SMALL: usize = 512;

fn respond(reply: Reply, date: String, compress: bool, cut: bool) -> Response<Body> {
    let mut builder = Response::builder()
        .status(reply.status)
        .header(header::DATE, date)
        .header(header::CONTENT_TYPE, reply.content_type)
        .header(header::VARY, "Authorization, Accept-Encoding");
    if matches!(reply.status, 200 | 304) {
        builder = builder
            .header(header::ETAG, reply.etag())
            .header(header::CACHE_CONTROL, "max-age=900");
    }
    for (name, value) in &reply.headers {
        if let (Ok(name), Ok(value)) = (
            HeaderName::try_from(*name),
            HeaderValue::try_from(value.as_str()),
        ) {
            builder = builder.header(name, value);
        }
    }
    let mut body = if reply.status == 304 {
        Vec::new()
    } else {
        reply.body.into_bytes()
    };
    if compress && body.len() >= SMALL {
        let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::fast());
        if encoder.write_all(&body).is_ok()
            && let Ok(compressed) = encoder.finish()
        {
            body = compressed;
            builder = builder.header(header::CONTENT_ENCODING, "gzip");
        }
    }
    let response = if cut {
        let length = body.len();
        body.truncate(length / 2);
        // The pause lets the first half leave before the connection breaks.
        let end = stream::once(async {
            tokio::time::sleep(Duration::from_millis(10)).await;
            Err(std::io::Error::from(ErrorKind::ConnectionAborted))
        });
        let chunks = stream::once(async { Ok(body) }).chain(end);
        builder
            .header(header::CONTENT_LENGTH, length)
            .body(Body::from_stream(chunks))
    } else {
        builder.body(Body::from(body))
    };
    response.unwrap_or_else(|_| Response::new(Body::empty()))
}
