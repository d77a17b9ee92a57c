//! What a job would request and change.

use axum::Json;
use axum::extract::State;
use bucketline_app::{Job, JobId};
use bucketline_runner::Plan;

use crate::application::Application;
use crate::jobs::find;
use crate::problem::{Answer, ProblemDetails, Refused};
use crate::request::{Body, Path};

/// Plan a job
///
/// What its enabled tasks would request, against the budget. Requests are made only to look up names; nothing is
/// written.
#[utoipa::path(get, path = "/api/v1/jobs/{id}/plan", tag = "jobs", params(("id" = i64, Path)),
    responses((status = 200, body = Plan), ProblemDetails))]
pub(crate) async fn plan(
    State(application): State<Application>,
    Path(id): Path<i64>,
) -> Answer<Json<Plan>> {
    let job = find(&application, JobId(id)).await?.job.value;
    Ok(Json(application.workbench.plan(&job).await?))
}

/// Plan a job before it is saved
#[utoipa::path(post, path = "/api/v1/plans", tag = "jobs", request_body = Job,
    responses((status = 200, body = Plan), ProblemDetails))]
pub(crate) async fn plan_unsaved(
    State(application): State<Application>,
    Body(job): Body<Job>,
) -> Answer<Json<Plan>> {
    let problems = application.workbench.job_problems(&job).await?;
    Refused::fields("the job", problems)?;
    Ok(Json(application.workbench.plan(&job).await?))
}
