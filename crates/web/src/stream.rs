//! Server-sent events.

use std::convert::Infallible;

use axum::http::HeaderMap;
use axum::http::header::ACCEPT;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::{Stream, StreamExt};
use serde::Serialize;

/// Whether the caller wants a stream of events.
pub(crate) fn is_wanted(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).iter();
    accepted
        .filter_map(|it| it.to_str().ok())
        .any(|it| it.contains("text/event-stream"))
}

/// One event.
pub(crate) fn event(name: &str, data: &impl Serialize) -> Event {
    let event = Event::default().event(name);
    event.json_data(data).unwrap_or_default()
}

/// An answer that sends events as they come, until the server ends.
pub(crate) fn answer(
    events: impl Stream<Item = Event> + Send + 'static,
    closed: impl Future<Output = ()> + Send + 'static,
) -> Response {
    let events = events.map(Ok::<_, Infallible>).take_until(closed);
    Sse::new(events)
        .keep_alive(KeepAlive::default())
        .into_response()
}
