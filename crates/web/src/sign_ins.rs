//! Signing connections in by OAuth.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use bucketline_app::people::NewAuditEntry;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::application::Application;
use crate::caller;
use crate::problem::{Answer, ProblemDetails};
use crate::request::{Body, Path};

/// A sign-in that has begun.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SignInView {
    /// The page of Bitbucket on which the access is allowed.
    page: String,
}

/// What the browser was sent back with.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignInAnswer {
    /// The whole address that it came to, or the code in it.
    answer: String,
}

/// Begin to sign a connection in
///
/// For one that signs in by OAuth. Open the page, allow the access, and send what the browser is sent back with within ten
/// minutes, by the same account. The consumer's callback address is that of the connection's `CallbackURL`.
#[utoipa::path(post, path = "/api/v1/connections/{name}/sign-in", tag = "connections", params(("name" = String, Path)),
    responses((status = 200, body = SignInView), ProblemDetails))]
pub(crate) async fn begin(
    State(application): State<Application>,
    Path(name): Path<String>,
) -> Answer<Json<SignInView>> {
    let now = application.clock.now().await?;
    let page = application
        .workbench
        .begin_sign_in(&name, &whose()?, now)
        .await?;
    Ok(Json(SignInView { page }))
}

/// End the sign-in of a connection
///
/// Its tokens are sealed in the store. What was sent back can be used once.
#[utoipa::path(put, path = "/api/v1/connections/{name}/sign-in", tag = "connections", params(("name" = String, Path)),
    request_body = SignInAnswer, responses((status = 204), ProblemDetails))]
pub(crate) async fn finish(
    State(application): State<Application>,
    Path(name): Path<String>,
    Body(request): Body<SignInAnswer>,
) -> Answer<StatusCode> {
    let change = application.change().await?;
    application
        .workbench
        .finish_sign_in(&name, &whose()?, &request.answer, change.at)
        .await?;
    let entry = NewAuditEntry {
        action: "connection.sign_in".to_owned(),
        object: name,
        ..NewAuditEntry::default()
    };
    application.desk.accounts().audit(&entry, &change).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// To whom a sign-in belongs: what was begun by one cannot be ended by another.
fn whose() -> Answer<String> {
    let caller = caller::needed()?;
    Ok(caller.account.map_or_else(
        || "the process".to_owned(),
        |account| format!("account {account}"),
    ))
}
