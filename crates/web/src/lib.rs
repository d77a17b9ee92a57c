//! The application's REST API, `/api/v1`.
//!
//! Handlers read a request, ask the rules (`bucketline-app`), the store or the workbench, and write the answer; they
//! decide nothing themselves. [`openapi`] is made from them.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod application;
mod connections;
mod events;
mod gate;
mod jobs;
mod list;
mod parameters;
mod plan;
mod problem;
mod request;
mod runs;
mod schedules;
mod server;
mod statements;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use utoipa::openapi::OpenApi as Description;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi};

pub use application::Application;
pub use gate::Token;
pub use problem::ProblemDetails;
pub use server::{Server, listen};

/// Bytes that a request's body may have.
const LONGEST_BODY: usize = 8 << 20;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Bucketline",
        description = "Replicates Bitbucket Cloud into a database: connections, jobs, schedules, runs. Every request brings the token that `bucketline serve` prints."
    ),
    paths(
        connections::list,
        connections::create,
        connections::read,
        connections::replace,
        connections::delete,
        connections::test,
        connections::tables,
        connections::columns,
        connections::kinds,
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
    ),
    modifiers(&Bearer),
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

fn routes() -> Router<Application> {
    let connection = get(connections::read)
        .put(connections::replace)
        .delete(connections::delete);
    let job = get(jobs::read).put(jobs::replace).delete(jobs::delete);
    let api = Router::new()
        .route(
            "/connections",
            get(connections::list).post(connections::create),
        )
        .route("/connections/{name}", connection)
        .route("/connections/{name}/test", post(connections::test))
        .route("/connections/{name}/tables", get(connections::tables))
        .route(
            "/connections/{name}/tables/{table}/columns",
            get(connections::columns),
        )
        .route("/connection-types", get(connections::kinds))
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
        .route("/vocabulary", get(statements::vocabulary));
    Router::new().nest("/api/v1", api)
}

/// The description of the API, OpenAPI 3.1.
pub fn openapi() -> Description {
    Api::openapi()
}

/// The API. Requests without the application's token, or to another host than this machine, are refused.
pub fn router(application: Application) -> Router {
    let description = openapi();
    let parameters = parameters::Known::of(&description);
    routes()
        .route_layer(axum::middleware::from_fn_with_state(
            parameters,
            parameters::check,
        ))
        .route(
            "/api/v1/openapi.json",
            get(async move || axum::Json(description.clone())),
        )
        .fallback(problem::no_route)
        .method_not_allowed_fallback(problem::no_method)
        .layer(DefaultBodyLimit::max(LONGEST_BODY))
        .layer(axum::middleware::from_fn(problem::catch))
        .layer(axum::middleware::from_fn_with_state(
            application.token.clone(),
            gate::check,
        ))
        .with_state(application)
}
