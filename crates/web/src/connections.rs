//! Connections: create, edit, delete, test, look into.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::header::{ETAG, LOCATION};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use bucketline_app::store::ConnectionFilter;
use bucketline_app::{
    Connection, ConnectionEntry, ConnectionId, ConnectionTest, Failure, Revision,
};
use bucketline_core::{Error, code};
use bucketline_runner::{Check, Column, Configured, Table};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::unbounded_channel;
use utoipa::{IntoParams, ToSchema};

use crate::application::Application;
use crate::list::{Listed, Paging};
use crate::problem::{Answer, ProblemDetails, Refused};
use crate::request::{Body, IfMatch, MaybeBody, Parameters, Path};
use crate::stream::{answer, event, is_wanted};

/// A connection of the store.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ConnectionView {
    id: ConnectionId,
    /// What an edit gives as `If-Match`, in quotes.
    revision: Revision,
    created_at: DateTime<Utc>,
    changed_at: DateTime<Utc>,
    changed_by: String,
    #[serde(flatten)]
    connection: Connection,
    /// Its last test, if its properties have not changed since.
    #[serde(skip_serializing_if = "Option::is_none")]
    tested: Option<ConnectionTest>,
    /// Its secrets that cannot be opened, and have to be entered again.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    to_enter: Vec<String>,
    /// What the user should know, such as properties that change nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
}

/// A connection of the configuration. The application only reads it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ConfiguredView {
    name: String,
    /// Its properties, secrets masked.
    properties: BTreeMap<String, String>,
}

/// Connections of the store, and those of the configuration.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ConnectionList {
    #[serde(flatten)]
    listed: Listed<ConnectionView>,
    /// Those of `bucketline.toml`, the environment and the command line: all of them, on each page.
    configured: Vec<ConfiguredView>,
}

/// Which connections are listed.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// Part of the name.
    text: Option<String>,
    /// One of its labels.
    label: Option<String>,
}

impl ConnectionView {
    fn of(application: &Application, entry: ConnectionEntry) -> Self {
        let stored = entry.connection;
        Self {
            id: stored.id,
            revision: stored.revision,
            created_at: stored.created_at,
            changed_at: stored.changed_at,
            changed_by: stored.changed_by,
            notes: application.workbench.connection_notes(&stored.value),
            connection: stored.value,
            tested: entry.tested,
            to_enter: entry.to_enter,
        }
    }

    fn response(self, status: StatusCode) -> Response {
        let tag = format!("\"{}\"", self.revision.0);
        (status, [(ETAG, tag)], Json(self)).into_response()
    }
}

impl ConfiguredView {
    fn of(configured: &Configured) -> Self {
        let properties = configured.properties.masked();
        Self {
            name: configured.name.clone(),
            properties: properties
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        }
    }
}

/// The connection of the store with that name.
async fn find(application: &Application, name: &str) -> Answer<ConnectionEntry> {
    if application
        .workbench
        .connections()
        .configured_as(name)
        .is_some()
    {
        return Err(configured(name));
    }
    let found = application.store.connection(name).await?;
    found.ok_or_else(|| Refused::no("connection", name))
}

fn configured(name: &str) -> Refused {
    let message = format!("{name} is a connection of the configuration, which is only read here");
    Error::new(code::web::CONFIGURED, message)
        .with_hint("change it in `bucketline.toml` or the environment")
        .into()
}

/// List connections
///
/// By name. Connections of the configuration are listed beside those of the store.
#[utoipa::path(get, path = "/api/v1/connections", tag = "connections", params(Filter, Paging),
    responses((status = 200, body = ConnectionList), ProblemDetails))]
pub(crate) async fn list(
    State(application): State<Application>,
    Parameters(filter): Parameters<Filter>,
    Parameters(paging): Parameters<Paging>,
) -> Answer<Json<ConnectionList>> {
    let wanted = ConnectionFilter {
        text: filter.text,
        label: filter.label,
    };
    let page = application
        .store
        .connections(&wanted, &paging.request()?)
        .await?;
    let configured = application.workbench.connections().configured();
    Ok(Json(ConnectionList {
        listed: Listed::of(page, |entry| ConnectionView::of(&application, entry)),
        configured: configured.iter().map(ConfiguredView::of).collect(),
    }))
}

/// Create a connection
///
/// A secret is stored sealed, and no request gives it back: it is shown as `***`. References, `env:NAME` or `file:PATH`, are
/// shown as they are.
#[utoipa::path(post, path = "/api/v1/connections", tag = "connections", request_body = Connection,
    responses((status = 201, body = ConnectionView, headers(("ETag" = String), ("Location" = String))), ProblemDetails))]
pub(crate) async fn create(
    State(application): State<Application>,
    Body(connection): Body<Connection>,
) -> Answer<Response> {
    check(&application, &connection)?;
    let change = application.change().await?;
    let entry = application
        .store
        .create_connection(&connection, &change)
        .await?;
    application.scheduler.wake();
    let place = format!("/api/v1/connections/{}", segment(&connection.name));
    let view = ConnectionView::of(&application, entry);
    let mut response = view.response(StatusCode::CREATED);
    response
        .headers_mut()
        .extend(place.parse().map(|place| (LOCATION, place)));
    Ok(response)
}

/// Refuses a connection that cannot be saved.
fn check(application: &Application, connection: &Connection) -> Answer<()> {
    if application
        .workbench
        .connections()
        .configured_as(&connection.name)
        .is_some()
    {
        return Err(configured(&connection.name));
    }
    let problems = application.workbench.connection_problems(connection);
    Refused::fields("the connection", problems)
}

/// A text as a part of a path.
fn segment(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                char::from(byte).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect()
}

/// Read a connection
#[utoipa::path(get, path = "/api/v1/connections/{name}", tag = "connections", params(("name" = String, Path)),
    responses((status = 200, body = ConnectionView, headers(("ETag" = String))), ProblemDetails))]
pub(crate) async fn read(
    State(application): State<Application>,
    Path(name): Path<String>,
) -> Answer<Response> {
    let entry = find(&application, &name).await?;
    Ok(ConnectionView::of(&application, entry).response(StatusCode::OK))
}

/// Replace a connection
///
/// Under another name it is renamed, and jobs name it so from then on. A secret that is `***` stays as it is stored; where the
/// connection's address changes, it has to be entered again (BL0015).
#[utoipa::path(put, path = "/api/v1/connections/{name}", tag = "connections", request_body = Connection,
    params(("name" = String, Path), ("If-Match" = String, Header, description = "The ETag that the edit was made from")),
    responses((status = 200, body = ConnectionView, headers(("ETag" = String))), ProblemDetails))]
pub(crate) async fn replace(
    State(application): State<Application>,
    Path(name): Path<String>,
    if_match: IfMatch,
    Body(connection): Body<Connection>,
) -> Answer<Response> {
    let old = find(&application, &name).await?.connection;
    check(&application, &connection)?;
    let revision = if_match.or(old.revision);
    let change = application.change().await?;
    let changed = application
        .store
        .replace_connection(old.id, &connection, revision, &change);
    let entry = changed.await?;
    application.scheduler.wake();
    Ok(ConnectionView::of(&application, entry).response(StatusCode::OK))
}

/// Delete a connection
///
/// Refused while a job names it.
#[utoipa::path(delete, path = "/api/v1/connections/{name}", tag = "connections",
    params(("name" = String, Path), ("If-Match" = String, Header, description = "The ETag that the edit was made from")),
    responses((status = 204), ProblemDetails))]
pub(crate) async fn delete(
    State(application): State<Application>,
    Path(name): Path<String>,
    if_match: IfMatch,
) -> Answer<StatusCode> {
    let old = find(&application, &name).await?.connection;
    let change = application.change().await?;
    let revision = if_match.or(old.revision);
    application
        .store
        .delete_connection(old.id, revision, &change)
        .await?;
    application.scheduler.wake();
    Ok(StatusCode::NO_CONTENT)
}

/// What a test reads.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TestRequest {
    /// Tables to read a row of; a few, if there are none; `all` are those that the service has.
    #[serde(default)]
    tables: Vec<String>,
}

/// How a test went.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Tested {
    /// The steps, in their order.
    checks: Vec<Check>,
    /// What is missing first; absent if all is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<Failure>,
}

/// Test a connection
///
/// Step by step. With `Accept: text/event-stream` each step is sent as it ends, as an event `check`, and the end of the
/// test as an event `end`.
#[utoipa::path(post, path = "/api/v1/connections/{name}/test", tag = "connections",
    params(("name" = String, Path)), request_body(content = Option<TestRequest>),
    responses((status = 200, content((Tested = "application/json"), (String = "text/event-stream"))), ProblemDetails))]
pub(crate) async fn test(
    State(application): State<Application>,
    Path(name): Path<String>,
    headers: HeaderMap,
    MaybeBody(request): MaybeBody<Option<TestRequest>>,
) -> Answer<Response> {
    let request = request.unwrap_or_default();
    known(&application, &name).await?;
    if !is_wanted(&headers) {
        let mut checks = Vec::new();
        let failure = tested(&application, &name, &request.tables, |check| {
            checks.push(check)
        })
        .await?;
        return Ok(Json(Tested { checks, failure }).into_response());
    }
    let (sender, mut receiver) = unbounded_channel();
    let closed = application.closed();
    tokio::spawn(async move {
        let heard = |check: Check| drop(sender.send(event("check", &check)));
        let end = tested(&application, &name, &request.tables, heard).await;
        let last = match end {
            Ok(failure) => event("end", &serde_json::json!({ "failure": failure })),
            Err(refused) => event("error", &refused.details()),
        };
        drop(sender.send(last));
    });
    let events = futures::stream::poll_fn(move |context| receiver.poll_recv(context));
    Ok(answer(events, closed))
}

/// Tests a connection, and keeps how it ended if it is one of the store.
async fn tested(
    application: &Application,
    name: &str,
    tables: &[String],
    heard: impl FnMut(Check) + Send,
) -> Answer<Option<Failure>> {
    let before = application.store.connection(name).await?;
    let failure = application.workbench.test(name, tables, heard).await?;
    if let Some(entry) = before {
        let test = ConnectionTest {
            at: application.clock.now().await?,
            failure: failure.clone(),
        };
        let stored = entry.connection;
        application
            .store
            .note_test(stored.id, stored.revision, &test)
            .await?;
    }
    Ok(failure)
}

/// List the tables of a connection
#[utoipa::path(get, path = "/api/v1/connections/{name}/tables", tag = "connections",
    params(("name" = String, Path)), responses((status = 200, body = Vec<Table>), ProblemDetails))]
pub(crate) async fn tables(
    State(application): State<Application>,
    Path(name): Path<String>,
) -> Answer<Json<Vec<Table>>> {
    known(&application, &name).await?;
    Ok(Json(application.workbench.tables(&name).await?))
}

/// List the columns of a table
#[utoipa::path(get, path = "/api/v1/connections/{name}/tables/{table}/columns", tag = "connections",
    params(("name" = String, Path), ("table" = String, Path)),
    responses((status = 200, body = Vec<Column>), ProblemDetails))]
pub(crate) async fn columns(
    State(application): State<Application>,
    Path((name, table)): Path<(String, String)>,
) -> Answer<Json<Vec<Column>>> {
    known(&application, &name).await?;
    Ok(Json(application.workbench.columns(&name, &table).await?))
}

/// Refuses a name in the path that nothing has.
async fn known(application: &Application, name: &str) -> Answer<()> {
    if application
        .workbench
        .connections()
        .configured_as(name)
        .is_none()
    {
        find(application, name).await?;
    }
    Ok(())
}

/// A type of connection.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ConnectionType {
    /// What `Type` is.
    name: &'static str,
    /// Its properties.
    properties: Vec<PropertyView>,
}

/// A property of a connection.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PropertyView {
    /// Its name.
    name: &'static str,
    /// What it says.
    description: &'static str,
}

/// List the types of connections
#[utoipa::path(get, path = "/api/v1/connection-types", tag = "connections",
    responses((status = 200, body = Vec<ConnectionType>), ProblemDetails))]
pub(crate) async fn kinds() -> Json<Vec<ConnectionType>> {
    let mut types: Vec<ConnectionType> = Vec::new();
    for (kind, name, description) in bucketline::connection_properties() {
        if types.last().is_none_or(|last| last.name != kind) {
            types.push(ConnectionType {
                name: kind,
                properties: Vec::new(),
            });
        }
        if let Some(last) = types.last_mut() {
            last.properties.push(PropertyView { name, description });
        }
    }
    Json(types)
}
