//! What was done by whom.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use bucketline_app::people::{AuditEntry, AuditFilter};
use bucketline_app::store::PageRequest;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::application::Application;
use crate::list::{Listed, Paging};
use crate::problem::{Answer, ProblemDetails};
use crate::request::Parameters;

/// Which entries are listed.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// By whom.
    by: Option<String>,
    /// What was done: all actions that begin so, such as `connection`.
    action: Option<String>,
    /// To what, such as the connection's name.
    object: Option<String>,
    /// At this time or later.
    since: Option<DateTime<Utc>>,
}

impl From<Filter> for AuditFilter {
    fn from(filter: Filter) -> Self {
        Self {
            by: filter.by,
            action: filter.action,
            object: filter.object,
            since: filter.since,
        }
    }
}

/// List the audit
///
/// The last entry first. Entries are kept a year.
#[utoipa::path(get, path = "/api/v1/audit", tag = "people", params(Filter, Paging),
    responses((status = 200, body = Listed<AuditEntry>), ProblemDetails))]
pub(crate) async fn list(
    State(application): State<Application>,
    Parameters(filter): Parameters<Filter>,
    Parameters(paging): Parameters<Paging>,
) -> Answer<Json<Listed<AuditEntry>>> {
    let accounts = application.desk.accounts();
    let (filter, request) = (filter.into(), paging.request()?);
    let page = accounts.audit_entries(&filter, &request).await?;
    Ok(Json(Listed::of(page, |entry| entry)))
}

/// Export the audit
///
/// All entries that fit, each a line of JSON, the last first.
#[utoipa::path(get, path = "/api/v1/audit/export", tag = "people", params(Filter),
    responses((status = 200, content((String = "application/x-ndjson"))), ProblemDetails))]
pub(crate) async fn export(
    State(application): State<Application>,
    Parameters(filter): Parameters<Filter>,
) -> Answer<Response> {
    let accounts = application.desk.accounts();
    let filter = AuditFilter::from(filter);
    let mut text = String::new();
    let mut page = PageRequest::first(PageRequest::MOST);
    loop {
        let found = accounts.audit_entries(&filter, &page).await?;
        for entry in &found.items {
            text.push_str(&serde_json::to_string(entry).unwrap_or_default());
            text.push('\n');
        }
        match found.next {
            Some(cursor) => page = PageRequest::after(cursor, PageRequest::MOST),
            None => break,
        }
    }
    let headers = [
        (CONTENT_TYPE, "application/x-ndjson"),
        (CONTENT_DISPOSITION, "attachment; filename=\"audit.ndjson\""),
    ];
    Ok((headers, Body::from(text)).into_response())
}
