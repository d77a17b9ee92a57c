//! Schedules before they are saved.

use axum::Json;
use axum::extract::State;
use bucketline_app::Problem;
use bucketline_app::schedule::{self, Cron, Preset, Schedule};
use bucketline_core::code;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::application::Application;
use crate::problem::{Answer, ProblemDetails, Refused};
use crate::request::Body;

/// Due times that a preview has.
const TIMES: usize = 5;

/// A schedule to look at: cron text, or a preset.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PreviewRequest {
    /// Cron text: minute, hour, day of the month, month, weekday.
    #[serde(default)]
    #[schema(example = "*/10 * * * *")]
    cron: Option<String>,
    /// A preset, in place of cron text.
    #[serde(default)]
    preset: Option<Preset>,
    /// The IANA zone that it is read in; the application's, if absent.
    #[serde(default)]
    #[schema(example = "Europe/Vienna")]
    zone: Option<String>,
}

/// What a schedule means.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Preview {
    /// The cron text.
    cron: String,
    /// The preset that writes it.
    preset: Preset,
    /// In words, without the zone.
    description: String,
    /// The zone.
    zone: String,
    /// The next due times.
    next: Vec<Due>,
}

/// A due time.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Due {
    /// On the zone's clock, with the offset.
    local: String,
    /// The same moment in UTC.
    utc: DateTime<Utc>,
}

/// Preview a schedule
///
/// Its description, and the next five times in its zone and in UTC.
#[utoipa::path(post, path = "/api/v1/schedules/preview", tag = "schedules", request_body = PreviewRequest,
    responses((status = 200, body = Preview), ProblemDetails))]
pub(crate) async fn preview(
    State(application): State<Application>,
    Body(request): Body<PreviewRequest>,
) -> Answer<Json<Preview>> {
    let schedule = read(&request, &application)?;
    let now = application.clock.now().await?;
    let next = schedule.after(now).take(TIMES).map(|due| Due {
        local: due.to_rfc3339(),
        utc: due.with_timezone(&Utc),
    });
    Ok(Json(Preview {
        cron: schedule.cron().as_str().to_owned(),
        preset: Preset::of(schedule.cron()),
        description: schedule.describe(),
        zone: schedule.zone().name().to_owned(),
        next: next.collect(),
    }))
}

fn read(request: &PreviewRequest, application: &Application) -> Answer<Schedule> {
    let cron = match (&request.cron, &request.preset) {
        (Some(cron), None) => Cron::parse(cron).map_err(|error| Problem::of("cron", &error)),
        (None, Some(preset)) => preset.cron().map_err(|error| Problem::of("preset", &error)),
        _ => Err(Problem::new(
            "cron",
            code::model::BAD_NAME,
            "either cron text or a preset is needed",
        )),
    };
    let zone = match &request.zone {
        Some(zone) => schedule::zone(zone).map_err(|error| Problem::of("zone", &error)),
        None => Ok(application.zone),
    };
    match (cron, zone) {
        (Ok(cron), Ok(zone)) => Ok(Schedule::of(cron, zone)),
        (cron, zone) => {
            let problems = cron.err().into_iter().chain(zone.err()).collect();
            Err(Refused::wrong("the schedule", problems))
        }
    }
}
