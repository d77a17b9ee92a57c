//! Runs: start, follow, cancel, retry, look back.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use bucketline_app::people::Means;
use bucketline_app::scheduler::failed_tasks;
use bucketline_app::store::{CancelAnswer, QueueAnswer, RunFilter};
use bucketline_app::{
    JobId, Origin, OriginKind, Run, RunId, RunState, SliceResult, TaskId, TaskRun, TaskRunId,
};
use bucketline_core::{Error, code};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use tokio::time::{Instant, sleep};
use utoipa::{IntoParams, ToSchema};

use crate::application::Application;
use crate::caller;
use crate::jobs;
use crate::list::{Listed, Paging};
use crate::problem::{Answer, ProblemDetails, Refused};
use crate::request::{IdempotencyKey, MaybeBody, Parameters, Path, words};

/// How often a run that somebody waits for is looked at.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(200);

/// The longest that a request waits for a run, in seconds.
const LONGEST_WAIT: u64 = 300;

/// How long to wait for the end of the run.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wait {
    /// Seconds to wait for the run to end, at most 300. The answer is the run as it is then.
    #[param(minimum = 0, maximum = 300)]
    wait: Option<u64>,
}

/// What is run.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RunRequest {
    /// The tasks, whether enabled or not; all enabled ones, if absent.
    #[serde(default)]
    tasks: Option<Vec<TaskId>>,
}

/// Which runs are listed.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// Of this job.
    job: Option<i64>,
    /// In one of these states, with commas between them.
    #[serde(default, deserialize_with = "words")]
    #[param(style = Form, explode = false)]
    state: Vec<RunState>,
    /// Of one of these origins, with commas between them.
    #[serde(default, deserialize_with = "words")]
    #[param(style = Form, explode = false)]
    origin: Vec<OriginKind>,
    /// Queued at this time or later.
    from: Option<DateTime<Utc>>,
    /// Queued before this time.
    until: Option<DateTime<Utc>>,
    /// Part of the job's name, or of the error's code or message.
    text: Option<String>,
}

impl Wait {
    fn length(&self) -> Answer<Duration> {
        match self.wait.unwrap_or(0) {
            seconds if seconds > LONGEST_WAIT => {
                let message = "it is a number of seconds from 0 to 300";
                Err(Refused::parameter("wait", code::web::MALFORMED, message))
            }
            seconds => Ok(Duration::from_secs(seconds)),
        }
    }

    /// The run when it has ended, or when the time is over.
    async fn for_end(&self, application: &Application, run: Run) -> Answer<Run> {
        let until = Instant::now() + self.length()?;
        let mut closed = std::pin::pin!(application.closed());
        let mut run = run;
        while !run.state.is_final() && Instant::now() < until {
            tokio::select! {
                () = sleep(LOOK_EVERY) => {}
                () = &mut closed => break,
            }
            run = find(application, run.id).await?;
        }
        Ok(run)
    }
}

/// The run with that number.
pub(crate) async fn find(application: &Application, id: RunId) -> Answer<Run> {
    let found = application.store.run(id).await?;
    found.ok_or_else(|| Refused::no("run", id))
}

/// Start a run
///
/// It takes its turn within the limits. A job has one run at a time: while one has not ended, the answer is 409 and
/// names it. The same `Idempotency-Key` gives the same run.
#[utoipa::path(post, path = "/api/v1/jobs/{id}/runs", tag = "runs",
    params(("id" = i64, Path), Wait, ("Idempotency-Key" = Option<String>, Header)),
    request_body(content = Option<RunRequest>),
    responses((status = 201, body = Run, description = "A new run", headers(("Location" = String))),
        (status = 200, body = Run, description = "The run of an earlier request with this key"), ProblemDetails))]
pub(crate) async fn start(
    State(application): State<Application>,
    Path(id): Path<i64>,
    Parameters(wait): Parameters<Wait>,
    IdempotencyKey(key): IdempotencyKey,
    MaybeBody(request): MaybeBody<Option<RunRequest>>,
) -> Answer<Response> {
    wait.length()?;
    let tasks = request.unwrap_or_default().tasks;
    let job = jobs::find(&application, JobId(id)).await?.job;
    if let Some(tasks) = &tasks {
        Refused::fields("the run", job.value.choice_problems(tasks))?;
    }
    queue(&application, job.id, tasks, key, &wait).await
}

async fn queue(
    application: &Application,
    job: JobId,
    tasks: Option<Vec<TaskId>>,
    key: Option<String>,
    wait: &Wait,
) -> Answer<Response> {
    let caller = caller::needed()?;
    let name = caller.name;
    let key = key.map(|key| format!("{name} {job} {key}"));
    let origin = match caller.means {
        Means::Session(_) => Origin::Person { name },
        Means::Process | Means::Token(_) => Origin::Api { token: name },
    };
    let (status, run) = match application.scheduler.run(job, origin, tasks, key).await? {
        QueueAnswer::Queued(run) => (StatusCode::CREATED, run),
        QueueAnswer::Repeated(run) => (StatusCode::OK, run),
        QueueAnswer::Active(run) => {
            let message = format!(
                "{} has run {}, which is {}",
                run.job_name, run.id, run.state
            );
            let error =
                Error::new(code::web::ACTIVE, message).with_hint("wait for it, or cancel it");
            return Err(Refused::from(error).because_of(run.id));
        }
    };
    let place = format!("/api/v1/runs/{}", run.id);
    let run = wait.for_end(application, run).await?;
    Ok((status, [(LOCATION, place)], Json(run)).into_response())
}

/// List runs
///
/// The last queued first.
#[utoipa::path(get, path = "/api/v1/runs", tag = "runs", params(Filter, Paging),
    responses((status = 200, body = Listed<Run>), ProblemDetails))]
pub(crate) async fn list(
    State(application): State<Application>,
    Parameters(filter): Parameters<Filter>,
    Parameters(paging): Parameters<Paging>,
) -> Answer<Json<Listed<Run>>> {
    let wanted = RunFilter {
        job: filter.job.map(JobId),
        states: filter.state,
        origins: filter.origin,
        from: filter.from,
        until: filter.until,
        text: filter.text,
    };
    let page = application.store.runs(&wanted, &paging.request()?).await?;
    Ok(Json(Listed::of(page, |run| run)))
}

/// Read a run
#[utoipa::path(get, path = "/api/v1/runs/{id}", tag = "runs", params(("id" = i64, Path), Wait),
    responses((status = 200, body = Run), ProblemDetails))]
pub(crate) async fn read(
    State(application): State<Application>,
    Path(id): Path<i64>,
    Parameters(wait): Parameters<Wait>,
) -> Answer<Json<Run>> {
    let run = find(&application, RunId(id)).await?;
    Ok(Json(wait.for_end(&application, run).await?))
}

/// Cancel a run
///
/// At once if it has not started; else its statement ends between two commits, and what was committed stays.
#[utoipa::path(post, path = "/api/v1/runs/{id}/cancel", tag = "runs", params(("id" = i64, Path), Wait),
    responses((status = 200, body = Run), ProblemDetails))]
pub(crate) async fn cancel(
    State(application): State<Application>,
    Path(id): Path<i64>,
    Parameters(wait): Parameters<Wait>,
) -> Answer<Json<Run>> {
    let run = find(&application, RunId(id)).await?;
    let change = application.change().await?;
    match application.scheduler.cancel(run.id, &change).await? {
        CancelAnswer::Cancelled | CancelAnswer::Asked => {}
        CancelAnswer::Over(RunState::Cancelled) => {}
        CancelAnswer::Over(state) => {
            let message = format!("run {id} has ended: it is {state}");
            return Err(Error::new(code::store::WRONG_STATE, message).into());
        }
    }
    let run = find(&application, run.id).await?;
    Ok(Json(wait.for_end(&application, run).await?))
}

/// Run again what did not succeed in a run
///
/// A new run of the same job, limited to the tasks that failed, were cancelled, or were not reached.
#[utoipa::path(post, path = "/api/v1/runs/{id}/retry", tag = "runs",
    params(("id" = i64, Path), Wait, ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 201, body = Run, description = "A new run", headers(("Location" = String))),
        (status = 200, body = Run, description = "The run of an earlier request with this key"), ProblemDetails))]
pub(crate) async fn retry(
    State(application): State<Application>,
    Path(id): Path<i64>,
    Parameters(wait): Parameters<Wait>,
    IdempotencyKey(key): IdempotencyKey,
) -> Answer<Response> {
    wait.length()?;
    let run = find(&application, RunId(id)).await?;
    let job = jobs::find(&application, run.job).await?.job;
    let tasks = failed_tasks(&*application.store, &run, &job.value).await?;
    queue(&application, job.id, tasks, key, &wait).await
}

/// List the tries of a run's tasks
#[utoipa::path(get, path = "/api/v1/runs/{id}/tasks", tag = "runs", params(("id" = i64, Path)),
    responses((status = 200, body = Vec<TaskRun>), ProblemDetails))]
pub(crate) async fn tries(
    State(application): State<Application>,
    Path(id): Path<i64>,
) -> Answer<Json<Vec<TaskRun>>> {
    let run = find(&application, RunId(id)).await?;
    Ok(Json(application.store.task_runs(run.id).await?))
}

/// List what became of the slices of a try
///
/// Such as repositories. While one is read its outcome is `reading`.
#[utoipa::path(get, path = "/api/v1/runs/{id}/tasks/{try}/slices", tag = "runs",
    params(("id" = i64, Path), ("try" = i64, Path)),
    responses((status = 200, body = Vec<SliceResult>), ProblemDetails))]
pub(crate) async fn slices(
    State(application): State<Application>,
    Path((id, tried)): Path<(i64, i64)>,
) -> Answer<Json<Vec<SliceResult>>> {
    let run = find(&application, RunId(id)).await?;
    let tries = application.store.task_runs(run.id).await?;
    if !tries.iter().any(|it| it.id == TaskRunId(tried)) {
        return Err(Refused::no("try", tried));
    }
    Ok(Json(application.store.slices(TaskRunId(tried)).await?))
}
