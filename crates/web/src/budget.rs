//! What is left of the hours.

use axum::Json;
use axum::extract::State;
use bucketline_runner::Budget;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::application::Application;
use crate::problem::{Answer, ProblemDetails};
use crate::request::Parameters;

/// Which budgets.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct BudgetParameters {
    /// Only this connection's.
    connection: Option<String>,
}

/// List request budgets
///
/// How the hour of each connection stands: the limit, what is used, reserved and free, when more comes free, and who
/// has it or waits for it. Makes no request.
#[utoipa::path(get, path = "/api/v1/budget", tag = "connections", params(BudgetParameters),
    responses((status = 200, body = [Budget]), ProblemDetails))]
pub(crate) async fn list(
    State(application): State<Application>,
    Parameters(parameters): Parameters<BudgetParameters>,
) -> Answer<Json<Vec<Budget>>> {
    let connection = parameters.connection.as_deref();
    Ok(Json(application.workbench.budgets(connection).await?))
}
