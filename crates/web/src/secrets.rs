//! Secrets that are stored: which of them can be used.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::application::Application;
use crate::problem::{Answer, ProblemDetails};

/// Which stored secrets can be used.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SecretsView {
    /// Those that have to be entered again, as `connection: property`.
    to_enter: Vec<String>,
    /// Whether the key that is here is another one than sealed them, or none is here.
    key_is_other: bool,
}

/// Look at the stored secrets
///
/// Which of them cannot be opened. None is given back.
#[utoipa::path(get, path = "/api/v1/secrets", tag = "connections",
    responses((status = 200, body = SecretsView), ProblemDetails))]
pub(crate) async fn state(State(application): State<Application>) -> Answer<Json<SecretsView>> {
    let state = application.store.secrets_state().await?;
    Ok(Json(SecretsView {
        to_enter: state.to_enter,
        key_is_other: state.key_is_other,
    }))
}
