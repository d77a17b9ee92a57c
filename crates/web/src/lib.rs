//! The application's REST API, `/api/v1`.
//!
//! Handlers read a request, ask the rules (`bucketline-app`), the store or the workbench, and write the answer; they
//! decide nothing themselves. [`openapi`] is made from them.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod application;
mod audit;
mod budget;
mod caller;
mod columns;
mod connections;
mod events;
mod gate;
mod jobs;
mod list;
mod parameters;
mod people;
mod plan;
mod problem;
mod request;
mod rights;
mod runs;
mod schedules;
mod secrets;
mod server;
mod sign_ins;
mod statements;
mod stream;

use std::collections::BTreeMap;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{delete, get, post, put};
use utoipa::openapi::schema::{ArrayItems, Object, Schema};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{OpenApi as Description, RefOr};
use utoipa::{Modify, OpenApi};

pub use application::Application;
pub use gate::Reach;
pub use problem::ProblemDetails;
pub use rights::table as rights_table;
pub use server::{Door, Server, TlsFiles, listen};

/// Bytes that a request's body may have.
const LONGEST_BODY: usize = 8 << 20;

/// The same of a request that anybody may make.
const LONGEST_OPEN_BODY: usize = 16 << 10;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Bucketline",
        description = "Replicates Bitbucket Cloud into a database: connections, jobs, schedules, runs. Every request brings the cookie of a session, an API token, or the token that `bucketline serve` prints."
    ),
    paths(
        budget::list,
        connections::list,
        connections::create,
        connections::read,
        connections::replace,
        connections::delete,
        connections::test,
        sign_ins::begin,
        sign_ins::finish,
        connections::tables,
        connections::columns,
        connections::kinds,
        secrets::state,
        jobs::list,
        jobs::create,
        jobs::read,
        jobs::replace,
        jobs::delete,
        jobs::copy,
        jobs::pause,
        jobs::resume,
        jobs::slots,
        jobs::last_tries,
        jobs::add_tasks,
        plan::plan,
        plan::plan_unsaved,
        runs::start,
        runs::list,
        runs::read,
        runs::cancel,
        runs::retry,
        runs::tries,
        runs::slices,
        events::events,
        schedules::preview,
        statements::parse,
        statements::explain,
        statements::vocabulary,
        columns::columns,
        people::sign_in,
        people::who,
        people::sign_out,
        people::sessions,
        people::set_up,
        people::accounts,
        people::create_account,
        people::read_account,
        people::replace_account,
        people::delete_account,
        people::change_password,
        people::tokens,
        people::create_token,
        people::delete_token,
        audit::list,
        audit::export,
    ),
    modifiers(&Bearer, &Views),
    security(("token" = []))
)]
struct Api;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, openapi: &mut Description) {
        let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        let components = openapi.components.get_or_insert_default();
        components.add_security_scheme("token", scheme);
    }
}

/// A view has all fields of a thing, and more. That a thing has no others is so only in requests.
struct Views;

impl Modify for Views {
    fn modify(&self, openapi: &mut Description) {
        let schemas = &mut openapi.components.get_or_insert_default().schemas;
        let opened = schemas.iter().filter_map(|(name, schema)| {
            let RefOr::T(Schema::Object(object)) = schema else {
                return None;
            };
            let mut object = object.clone();
            object.additional_properties.take()?;
            Some((format!("#/components/schemas/{name}"), object))
        });
        let opened = opened.collect();
        for schema in schemas.values_mut() {
            open_views(schema, &opened);
        }
    }
}

/// Lets the parts of views have more fields, wherever in a schema views are.
fn open_views(schema: &mut RefOr<Schema>, opened: &BTreeMap<String, Object>) {
    let RefOr::T(schema) = schema else { return };
    match schema {
        Schema::AllOf(all) => {
            for part in &mut all.items {
                match part {
                    RefOr::Ref(reference) => {
                        if let Some(object) = opened.get(&reference.ref_location) {
                            *part = RefOr::T(Schema::Object(object.clone()));
                        }
                    }
                    part => open_views(part, opened),
                }
            }
        }
        Schema::Object(object) => {
            for property in object.properties.values_mut() {
                open_views(property, opened);
            }
        }
        Schema::Array(array) => {
            if let ArrayItems::RefOrSchema(items) = &mut array.items {
                open_views(items, opened);
            }
        }
        _ => {}
    }
}

fn routes() -> Router<Application> {
    let connection = get(connections::read)
        .put(connections::replace)
        .delete(connections::delete);
    let job = get(jobs::read).put(jobs::replace).delete(jobs::delete);
    let session = get(people::who)
        .post(people::sign_in)
        .delete(people::sign_out);
    let account = get(people::read_account)
        .put(people::replace_account)
        .delete(people::delete_account);
    let short = DefaultBodyLimit::max(LONGEST_OPEN_BODY);
    let api = Router::new()
        .route("/session", session.layer(short))
        .route("/sessions", get(people::sessions))
        .route("/set-up", post(people::set_up).layer(short))
        .route(
            "/accounts",
            get(people::accounts).post(people::create_account),
        )
        .route("/accounts/{id}", account)
        .route("/accounts/{id}/password", put(people::change_password))
        .route("/tokens", get(people::tokens).post(people::create_token))
        .route("/tokens/{id}", delete(people::delete_token))
        .route("/audit", get(audit::list))
        .route("/audit/export", get(audit::export))
        .route(
            "/connections",
            get(connections::list).post(connections::create),
        )
        .route("/connections/{name}", connection)
        .route("/connections/{name}/test", post(connections::test))
        .route(
            "/connections/{name}/sign-in",
            post(sign_ins::begin).put(sign_ins::finish),
        )
        .route("/connections/{name}/tables", get(connections::tables))
        .route(
            "/connections/{name}/tables/{table}/columns",
            get(connections::columns),
        )
        .route("/budget", get(budget::list))
        .route("/connection-types", get(connections::kinds))
        .route("/secrets", get(secrets::state))
        .route("/jobs", get(jobs::list).post(jobs::create))
        .route("/jobs/{id}", job)
        .route("/jobs/{id}/clone", post(jobs::copy))
        .route("/jobs/{id}/pause", post(jobs::pause))
        .route("/jobs/{id}/resume", post(jobs::resume))
        .route("/jobs/{id}/slots", get(jobs::slots))
        .route(
            "/jobs/{id}/tasks",
            get(jobs::last_tries).post(jobs::add_tasks),
        )
        .route("/jobs/{id}/plan", get(plan::plan))
        .route("/plans", post(plan::plan_unsaved))
        .route("/jobs/{id}/runs", post(runs::start))
        .route("/runs", get(runs::list))
        .route("/runs/{id}", get(runs::read))
        .route("/runs/{id}/cancel", post(runs::cancel))
        .route("/runs/{id}/retry", post(runs::retry))
        .route("/runs/{id}/tasks", get(runs::tries))
        .route("/runs/{id}/tasks/{try}/slices", get(runs::slices))
        .route("/runs/{id}/events", get(events::events))
        .route("/schedules/preview", post(schedules::preview))
        .route("/statements/parse", post(statements::parse))
        .route("/statements/explain", post(statements::explain))
        .route("/statements/columns", post(columns::columns))
        .route("/vocabulary", get(statements::vocabulary));
    Router::new().nest("/api/v1", api)
}

/// The description of the API, OpenAPI 3.1.
pub fn openapi() -> Description {
    Api::openapi()
}

/// The API. Requests of unknown callers, to another host, or from a page of another origin are refused.
pub fn router(application: Application) -> Router {
    let description = openapi();
    let parameters = parameters::Known::of(&description);
    routes()
        .route_layer(axum::middleware::from_fn_with_state(
            parameters,
            parameters::check,
        ))
        .route_layer(axum::middleware::from_fn(rights::check))
        .route(
            "/api/v1/openapi.json",
            get(async move || axum::Json(description.clone())),
        )
        .fallback(problem::no_route)
        .method_not_allowed_fallback(problem::no_method)
        .layer(DefaultBodyLimit::max(LONGEST_BODY))
        .layer(axum::middleware::from_fn(problem::catch))
        .layer(axum::middleware::from_fn_with_state(
            application.clone(),
            gate::check,
        ))
        .layer(axum::middleware::from_fn_with_state(
            application.clone(),
            gate::headers,
        ))
        .with_state(application)
}
