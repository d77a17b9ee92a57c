//! What happened in a run: a page of it, or live.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::Event as Sent;
use axum::response::{IntoResponse, Response};
use bucketline_app::store::EventFilter;
use bucketline_app::{Event, Level, RunId};
use futures::{Stream, StreamExt};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::application::Application;
use crate::list::limit;
use crate::problem::{Answer, ProblemDetails, Refused};
use crate::request::{Parameters, Path};
use crate::runs::{LOOK_EVERY, find};
use crate::stream::{answer, event, is_wanted};

/// Events of an answer, unless something else is asked for, and of a step of a stream.
const USUAL: u32 = 100;

/// Which events are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// Only those behind the event with this number, the first ones.
    after: Option<u64>,
    /// Only those before the event with this number; without `after`, the last ones.
    before: Option<u64>,
    /// At least this level: `debug`, `info`, `warning` or `error`.
    level: Option<Level>,
    /// Part of the text.
    text: Option<String>,
    /// Events at most, 1 to 1000; 100 if absent.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
}

/// List the events of a run
///
/// In their order; the last ones, unless `after` says where to go on. With `Accept: text/event-stream` they are sent as
/// they happen: each as an event with its number as the id, then the run as an event `end`. `Last-Event-ID` goes on
/// behind an event.
#[utoipa::path(get, path = "/api/v1/runs/{id}/events", tag = "runs",
    params(("id" = i64, Path), Filter, ("Last-Event-ID" = Option<u64>, Header)),
    responses((status = 200, content((Vec<Event> = "application/json"), (String = "text/event-stream"))), ProblemDetails))]
pub(crate) async fn events(
    State(application): State<Application>,
    Path(id): Path<i64>,
    Parameters(wanted): Parameters<Filter>,
    headers: HeaderMap,
) -> Answer<Response> {
    let limit = limit(wanted.limit.unwrap_or(USUAL))?;
    let run = find(&application, RunId(id)).await?;
    let mut filter = EventFilter {
        after: wanted.after,
        before: wanted.before,
        level: wanted.level,
        text: wanted.text,
        limit,
    };
    if !is_wanted(&headers) {
        return Ok(Json(application.store.events(run.id, &filter).await?).into_response());
    }
    let last = headers.get("last-event-id").and_then(|it| it.to_str().ok());
    let last = last.and_then(|it| it.trim().parse().ok());
    filter.after = Some(last.or(wanted.after).unwrap_or(0));
    filter.before = None;
    let closed = application.closed();
    Ok(answer(follow(application, run.id, filter), closed))
}

/// The events of a run as they happen, up to its end.
fn follow(application: Application, run: RunId, filter: EventFilter) -> impl Stream<Item = Sent> {
    let start = Some((application, filter));
    let steps = futures::stream::unfold(start, move |state| async move {
        let (application, mut filter) = state?;
        // Looked at first: what a run that has ended says is complete.
        let now = match find(&application, run).await {
            Ok(now) => now,
            Err(refused) => return Some((vec![event("error", &refused.details())], None)),
        };
        let events = match application.store.events(run, &filter).await {
            Ok(events) => events,
            Err(error) => {
                let refused = Refused::from(error);
                return Some((vec![event("error", &refused.details())], None));
            }
        };
        let mut sent: Vec<Sent> = events
            .iter()
            .map(|it| event(&it.content.kind, it).id(it.number.to_string()))
            .collect();
        match events.last() {
            Some(last) => filter.after = Some(last.number),
            None if now.state.is_final() => {
                sent.push(event("end", &now));
                return Some((sent, None));
            }
            None => tokio::time::sleep(LOOK_EVERY).await,
        }
        Some((sent, Some((application, filter))))
    });
    steps.flat_map(futures::stream::iter)
}
