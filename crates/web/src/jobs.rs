//! Jobs and their tasks.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{ETAG, LOCATION};
use axum::response::{IntoResponse, Response};
use bucketline_app::scheduler::follow_problems;
use bucketline_app::store::{JobFilter, SlotFilter};
use bucketline_app::{Job, JobEntry, JobId, Pause, Revision, Run, RunState, Slot, Task, TaskRun};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::application::Application;
use crate::list::{Listed, Paging};
use crate::problem::{Answer, ProblemDetails, Refused};
use crate::request::{Body, IfMatch, MaybeBody, Parameters, Path, words};

/// A job, and how it fares.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct JobView {
    id: JobId,
    /// What an edit gives as `If-Match`, in quotes.
    revision: Revision,
    created_at: DateTime<Utc>,
    changed_at: DateTime<Utc>,
    changed_by: String,
    #[serde(flatten)]
    job: Job,
    /// Its schedule in words, without the zone.
    #[serde(skip_serializing_if = "Option::is_none")]
    schedule_text: Option<String>,
    /// When it is due next; absent if it does not run by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_due: Option<DateTime<Utc>>,
    /// Why its schedule stands still, if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    paused: Option<Pause>,
    /// Runs that failed since the last that succeeded.
    failures: u32,
    /// Its run that has not ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    active: Option<Run>,
    /// Its last run that ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<Run>,
}

/// Which jobs are listed.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// Part of the name.
    text: Option<String>,
    /// One of its labels.
    label: Option<String>,
    /// Its source or its destination.
    connection: Option<String>,
    /// Whether it runs by itself.
    scheduled: Option<bool>,
    /// How its last run ended: states, with commas between them.
    #[serde(default, deserialize_with = "words")]
    #[param(style = Form, explode = false)]
    last: Vec<RunState>,
}

impl JobView {
    pub(crate) fn of(application: &Application, entry: JobEntry, now: DateTime<Utc>) -> Self {
        let stored = entry.job;
        let planned = stored.value.schedule.as_ref();
        let schedule = planned.and_then(|it| it.read(application.zone).ok());
        let is_on = planned.is_some_and(|it| it.enabled) && entry.paused.is_none();
        let due = schedule.as_ref().filter(|_| is_on);
        Self {
            id: stored.id,
            revision: stored.revision,
            created_at: stored.created_at,
            changed_at: stored.changed_at,
            changed_by: stored.changed_by,
            next_due: due
                .and_then(|schedule| schedule.next_after(now))
                .map(|due| due.with_timezone(&Utc)),
            schedule_text: schedule.map(|schedule| schedule.describe()),
            job: stored.value,
            paused: entry.paused,
            failures: entry.failures,
            active: entry.active,
            last: entry.last,
        }
    }
}

/// The job with that number.
pub(crate) async fn find(application: &Application, id: JobId) -> Answer<JobEntry> {
    let found = application.store.job(id).await?;
    found.ok_or_else(|| Refused::no("job", id))
}

async fn shown(application: &Application, entry: JobEntry, status: StatusCode) -> Answer<Response> {
    let now = application.clock.now().await?;
    let view = JobView::of(application, entry, now);
    let tag = format!("\"{}\"", view.revision.0);
    let mut response = (status, [(ETAG, tag)], Json(&view)).into_response();
    if status == StatusCode::CREATED {
        let place = format!("/api/v1/jobs/{}", view.id);
        response
            .headers_mut()
            .extend(place.parse().map(|place| (LOCATION, place)));
    }
    Ok(response)
}

/// Refuses a job that cannot be saved, with all that is wrong.
async fn check(application: &Application, job: &Job, id: Option<JobId>) -> Answer<()> {
    let mut problems = application.workbench.job_problems(job).await?;
    problems.extend(follow_problems(&*application.store, job, id).await?);
    Refused::fields("the job", problems)
}

/// List jobs
///
/// By name, with the next due time and the last run.
#[utoipa::path(get, path = "/api/v1/jobs", tag = "jobs", params(Filter, Paging),
    responses((status = 200, body = Listed<JobView>), ProblemDetails))]
pub(crate) async fn list(
    State(application): State<Application>,
    Parameters(filter): Parameters<Filter>,
    Parameters(paging): Parameters<Paging>,
) -> Answer<Json<Listed<JobView>>> {
    let wanted = JobFilter {
        text: filter.text,
        label: filter.label,
        connection: filter.connection,
        scheduled: filter.scheduled,
        last: filter.last,
    };
    let page = application.store.jobs(&wanted, &paging.request()?).await?;
    let now = application.clock.now().await?;
    Ok(Json(Listed::of(page, |entry| {
        JobView::of(&application, entry, now)
    })))
}

/// Create a job
///
/// Its statements are tried out: one that would be refused is refused here, with its place.
#[utoipa::path(post, path = "/api/v1/jobs", tag = "jobs", request_body = Job,
    responses((status = 201, body = JobView, headers(("ETag" = String), ("Location" = String))), ProblemDetails))]
pub(crate) async fn create(
    State(application): State<Application>,
    Body(job): Body<Job>,
) -> Answer<Response> {
    check(&application, &job, None).await?;
    let change = application.change().await?;
    let entry = application.store.create_job(&job, &change).await?;
    application.scheduler.wake();
    shown(&application, entry, StatusCode::CREATED).await
}

/// Read a job
#[utoipa::path(get, path = "/api/v1/jobs/{id}", tag = "jobs", params(("id" = i64, Path)),
    responses((status = 200, body = JobView, headers(("ETag" = String))), ProblemDetails))]
pub(crate) async fn read(
    State(application): State<Application>,
    Path(id): Path<i64>,
) -> Answer<Response> {
    let entry = find(&application, JobId(id)).await?;
    shown(&application, entry, StatusCode::OK).await
}

/// Replace a job
///
/// A task with its number stays the same task; one without is new; one that is missing is removed.
#[utoipa::path(put, path = "/api/v1/jobs/{id}", tag = "jobs", request_body = Job,
    params(("id" = i64, Path), ("If-Match" = String, Header, description = "The ETag that the edit was made from")),
    responses((status = 200, body = JobView, headers(("ETag" = String))), ProblemDetails))]
pub(crate) async fn replace(
    State(application): State<Application>,
    Path(id): Path<i64>,
    if_match: IfMatch,
    Body(job): Body<Job>,
) -> Answer<Response> {
    let old = find(&application, JobId(id)).await?.job;
    check(&application, &job, Some(old.id)).await?;
    save(&application, old.id, &job, if_match.or(old.revision)).await
}

async fn save(
    application: &Application,
    id: JobId,
    job: &Job,
    revision: Revision,
) -> Answer<Response> {
    let change = application.change().await?;
    let entry = application
        .store
        .replace_job(id, job, revision, &change)
        .await?;
    application.scheduler.wake();
    shown(application, entry, StatusCode::OK).await
}

/// Delete a job
///
/// Its history stays until it is too old.
#[utoipa::path(delete, path = "/api/v1/jobs/{id}", tag = "jobs",
    params(("id" = i64, Path), ("If-Match" = String, Header, description = "The ETag that the edit was made from")),
    responses((status = 204), ProblemDetails))]
pub(crate) async fn delete(
    State(application): State<Application>,
    Path(id): Path<i64>,
    if_match: IfMatch,
) -> Answer<StatusCode> {
    let old = find(&application, JobId(id)).await?.job;
    let change = application.change().await?;
    let revision = if_match.or(old.revision);
    application
        .store
        .delete_job(old.id, revision, &change)
        .await?;
    application.scheduler.wake();
    Ok(StatusCode::NO_CONTENT)
}

/// What a clone is called.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CloneRequest {
    /// The new job's name.
    name: String,
}

/// Clone a job
///
/// The clone does not run by itself before its schedule is switched on. A clone writes the same tables: change its
/// destination, schema or prefix.
#[utoipa::path(post, path = "/api/v1/jobs/{id}/clone", tag = "jobs", params(("id" = i64, Path)),
    request_body = CloneRequest,
    responses((status = 201, body = JobView, headers(("ETag" = String), ("Location" = String))), ProblemDetails))]
pub(crate) async fn copy(
    State(application): State<Application>,
    Path(id): Path<i64>,
    Body(request): Body<CloneRequest>,
) -> Answer<Response> {
    let mut job = find(&application, JobId(id))
        .await?
        .job
        .value
        .cloned_as(request.name);
    if let Some(schedule) = &mut job.schedule {
        schedule.enabled = false;
    }
    check(&application, &job, None).await?;
    let change = application.change().await?;
    let entry = application.store.create_job(&job, &change).await?;
    shown(&application, entry, StatusCode::CREATED).await
}

/// Why a schedule pauses.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PauseRequest {
    /// A sentence for others.
    #[serde(default)]
    #[schema(max_length = 1000)]
    why: Option<String>,
}

/// Pause a job's schedule
///
/// What is due in the pause is not made up for.
#[utoipa::path(post, path = "/api/v1/jobs/{id}/pause", tag = "jobs", params(("id" = i64, Path)),
    request_body(content = Option<PauseRequest>),
    responses((status = 200, body = JobView, headers(("ETag" = String))), ProblemDetails))]
pub(crate) async fn pause(
    State(application): State<Application>,
    Path(id): Path<i64>,
    MaybeBody(request): MaybeBody<Option<PauseRequest>>,
) -> Answer<Response> {
    let job = find(&application, JobId(id)).await?.job.id;
    let change = application.change().await?;
    let why = request.unwrap_or_default().why;
    let pause = Pause {
        at: change.at,
        why: why.unwrap_or_else(|| "somebody paused it".to_owned()),
    };
    let entry = application
        .store
        .pause_job(job, Some(&pause), &change)
        .await?;
    application.scheduler.wake();
    shown(&application, entry, StatusCode::OK).await
}

/// Let a paused schedule go on
#[utoipa::path(post, path = "/api/v1/jobs/{id}/resume", tag = "jobs", params(("id" = i64, Path)),
    responses((status = 200, body = JobView, headers(("ETag" = String))), ProblemDetails))]
pub(crate) async fn resume(
    State(application): State<Application>,
    Path(id): Path<i64>,
) -> Answer<Response> {
    let job = find(&application, JobId(id)).await?.job.id;
    let change = application.change().await?;
    let entry = application.store.pause_job(job, None, &change).await?;
    application.scheduler.wake();
    shown(&application, entry, StatusCode::OK).await
}

/// From when to when.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Period {
    /// Due at this time or later.
    from: Option<DateTime<Utc>>,
    /// Due before this time.
    until: Option<DateTime<Utc>>,
}

/// List the due times of a job, and the run that each became
///
/// The latest first.
#[utoipa::path(get, path = "/api/v1/jobs/{id}/slots", tag = "jobs",
    params(("id" = i64, Path), Period, Paging), responses((status = 200, body = Listed<Slot>), ProblemDetails))]
pub(crate) async fn slots(
    State(application): State<Application>,
    Path(id): Path<i64>,
    Parameters(period): Parameters<Period>,
    Parameters(paging): Parameters<Paging>,
) -> Answer<Json<Listed<Slot>>> {
    let filter = SlotFilter {
        job: find(&application, JobId(id)).await?.job.id,
        from: period.from,
        until: period.until,
    };
    let page = application.store.slots(&filter, &paging.request()?).await?;
    Ok(Json(Listed::of(page, |slot| slot)))
}

/// Add tasks to a job
///
/// At its end. Statements that it has already are passed over.
#[utoipa::path(post, path = "/api/v1/jobs/{id}/tasks", tag = "jobs", request_body = Vec<Task>,
    params(("id" = i64, Path), ("If-Match" = String, Header, description = "The ETag that the edit was made from")),
    responses((status = 200, body = JobView, headers(("ETag" = String))), ProblemDetails))]
pub(crate) async fn add_tasks(
    State(application): State<Application>,
    Path(id): Path<i64>,
    if_match: IfMatch,
    Body(tasks): Body<Vec<Task>>,
) -> Answer<Response> {
    let old = find(&application, JobId(id)).await?.job;
    let mut job = old.value;
    for task in tasks {
        if !job
            .tasks
            .iter()
            .any(|known| known.statement == task.statement)
        {
            job.tasks.push(Task { id: None, ..task });
        }
    }
    check(&application, &job, Some(old.id)).await?;
    save(&application, old.id, &job, if_match.or(old.revision)).await
}

/// List the last try of each task of a job
#[utoipa::path(get, path = "/api/v1/jobs/{id}/tasks", tag = "jobs", params(("id" = i64, Path)),
    responses((status = 200, body = Vec<TaskRun>), ProblemDetails))]
pub(crate) async fn last_tries(
    State(application): State<Application>,
    Path(id): Path<i64>,
) -> Answer<Json<Vec<TaskRun>>> {
    let job = find(&application, JobId(id)).await?.job.id;
    Ok(Json(application.store.last_task_runs(job).await?))
}
