//! What an editor asks about statements.

use axum::Json;
use axum::extract::State;
use bucketline_app::{Problem, Task};
use bucketline_core::{Error, code};
use bucketline_runner::Completion;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::application::Application;
use crate::problem::{Answer, FieldError, ProblemDetails, Refused};
use crate::request::{Body, Parameters};

/// A statement to read.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ParseRequest {
    /// The text.
    statement: String,
}

/// What a statement says.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Parsed {
    /// What is wrong with it as a task; empty if nothing is.
    problems: Vec<FieldError>,
    /// What it does, such as `REPLICATE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    verb: Option<String>,
    /// The table that it writes, as it names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    table: Option<String>,
    /// The statement in the usual layout, without comments.
    #[serde(skip_serializing_if = "Option::is_none")]
    formatted: Option<String>,
}

/// A statement to explain.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExplainRequest {
    /// The connection that it reads.
    source: String,
    /// The connection that it writes.
    destination: String,
    /// The text.
    statement: String,
}

/// How a statement would be carried out.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Explained {
    /// Line by line.
    lines: Vec<String>,
}

/// Between which connections.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Between {
    /// The connection that is read.
    source: String,
    /// The connection that is written.
    destination: Option<String>,
}

/// Parse a statement
///
/// As the statement of a task; what is wrong comes with its place.
#[utoipa::path(post, path = "/api/v1/statements/parse", tag = "statements", request_body = ParseRequest,
    responses((status = 200, body = Parsed), ProblemDetails))]
pub(crate) async fn parse(Body(request): Body<ParseRequest>) -> Answer<Json<Parsed>> {
    let task = Task::new(request.statement);
    let parsed = tokio::task::spawn_blocking(move || parsed(&task)).await;
    let parsed = parsed.map_err(|error| Error::new(code::session::DEFECT, error.to_string()))?;
    Ok(Json(parsed))
}

/// Takes a second for a long text.
fn parsed(task: &Task) -> Parsed {
    match task.parse() {
        Ok(statement) => Parsed {
            problems: Vec::new(),
            verb: Some(statement.verb().to_owned()),
            table: task.table(),
            formatted: Some(statement.masked()),
        },
        Err(problem) => Parsed {
            problems: vec![FieldError::from(&*problem)],
            verb: None,
            table: None,
            formatted: None,
        },
    }
}

/// Explain a statement
///
/// How it would be carried out. Requests are made only to look up names.
#[utoipa::path(post, path = "/api/v1/statements/explain", tag = "statements", request_body = ExplainRequest,
    responses((status = 200, body = Explained), ProblemDetails))]
pub(crate) async fn explain(
    State(application): State<Application>,
    Body(request): Body<ExplainRequest>,
) -> Answer<Json<Explained>> {
    let problem = Task::new(&request.statement).parse().err();
    let problems: Vec<Problem> = problem.into_iter().map(|problem| *problem).collect();
    Refused::fields("the statement", problems)?;
    let ExplainRequest {
        source,
        destination,
        statement,
    } = &request;
    let lines = application
        .workbench
        .explain(source, destination, statement)
        .await?;
    Ok(Json(Explained { lines }))
}

/// List the names that can stand in a statement
///
/// For completion, without asking a service.
#[utoipa::path(get, path = "/api/v1/vocabulary", tag = "statements", params(Between),
    responses((status = 200, body = Completion), ProblemDetails))]
pub(crate) async fn vocabulary(
    State(application): State<Application>,
    Parameters(between): Parameters<Between>,
) -> Answer<Json<Completion>> {
    let Between {
        source,
        destination,
    } = &between;
    let words = application
        .workbench
        .completion(source, destination.as_deref())
        .await?;
    Ok(Json(words))
}
