//! The control API under `/_sandbox`, for programs that run the sandbox as a process.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;

use crate::error::Error;
use crate::faults::Fault;
use crate::hooks::Hook;
use crate::kind::Kind;
use crate::server::Shared;
use crate::snapshot;
use crate::world::change::Change;

/// One, or a list.
#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany<T> {
    Many(Vec<T>),
    One(T),
}

impl<T> OneOrMany<T> {
    fn into_vec(self) -> Vec<T> {
        match self {
            Self::Many(many) => many,
            Self::One(one) => vec![one],
        }
    }
}

pub(crate) fn router() -> Router<Arc<Shared>> {
    Router::new()
        .route("/changes", post(change))
        .route("/faults", post(add_faults).delete(clear_faults))
        .route("/hooks", post(add_hooks).delete(clear_hooks))
        .route("/requests", get(requests).delete(clear_requests))
        .route("/requests/count", get(count))
        .route("/snapshot/{workspace}/{kind}", get(show))
        .route("/clock", get(clock))
        .route("/latency", put(latency))
}

async fn change(
    State(shared): State<Arc<Shared>>,
    Json(changes): Json<OneOrMany<Change>>,
) -> Response {
    let mut applied = Vec::new();
    for change in changes.into_vec() {
        match shared.world_mut().apply(change) {
            Ok(one) => applied.push(one),
            Err(error) => return refused(&error),
        }
    }
    Json(applied).into_response()
}

fn refused(error: &Error) -> Response {
    let status = match error {
        Error::NoSuchObject(_) => StatusCode::NOT_FOUND,
        _ => StatusCode::CONFLICT,
    };
    (status, Json(json!({"error": error.to_string()}))).into_response()
}

async fn add_faults(
    State(shared): State<Arc<Shared>>,
    Json(faults): Json<OneOrMany<Fault>>,
) -> StatusCode {
    for fault in faults.into_vec() {
        shared.faults().add(fault);
    }
    StatusCode::NO_CONTENT
}

async fn clear_faults(State(shared): State<Arc<Shared>>) -> StatusCode {
    shared.faults().clear();
    StatusCode::NO_CONTENT
}

async fn add_hooks(
    State(shared): State<Arc<Shared>>,
    Json(hooks): Json<OneOrMany<Hook>>,
) -> StatusCode {
    for hook in hooks.into_vec() {
        shared.hooks().add(hook);
    }
    StatusCode::NO_CONTENT
}

async fn clear_hooks(State(shared): State<Arc<Shared>>) -> StatusCode {
    shared.hooks().clear();
    StatusCode::NO_CONTENT
}

async fn requests(State(shared): State<Arc<Shared>>) -> Response {
    let requests = shared.journal().all();
    Json(requests).into_response()
}

async fn clear_requests(State(shared): State<Arc<Shared>>) -> StatusCode {
    shared.journal().clear();
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
struct Counted {
    path: String,
}

async fn count(State(shared): State<Arc<Shared>>, Query(counted): Query<Counted>) -> Response {
    let count = shared.journal().count(&counted.path);
    Json(json!({"count": count})).into_response()
}

/// One JSON object a line.
async fn show(
    State(shared): State<Arc<Shared>>,
    Path((workspace, kind)): Path<(String, Kind)>,
) -> Response {
    let mut lines = String::new();
    let known = snapshot::visit(&shared.world(), kind, &workspace, &mut |snapshot| {
        lines.push_str(&serde_json::to_string(&snapshot).unwrap_or_default());
        lines.push('\n');
    });
    if known {
        ([("content-type", "application/x-ndjson")], lines).into_response()
    } else {
        refused(&Error::NoSuchObject(format!("workspace {workspace}")))
    }
}

async fn clock(State(shared): State<Arc<Shared>>) -> Response {
    let now = shared.world().now().to_string();
    Json(json!({"now": now})).into_response()
}

#[derive(Deserialize)]
struct Latency {
    millis: u64,
}

async fn latency(State(shared): State<Arc<Shared>>, Json(latency): Json<Latency>) -> StatusCode {
    shared.set_latency(Duration::from_millis(latency.millis));
    StatusCode::NO_CONTENT
}
