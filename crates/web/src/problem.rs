//! What goes wrong, as problem details (RFC 9457).

use std::panic::AssertUnwindSafe;

use axum::extract::Request;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bucketline_app::{Problem, Problems, RunId};
use bucketline_core::{Code, Error, Kind, Position, code};
use chrono::{DateTime, Utc};
use futures::FutureExt;
use serde::Serialize;
use utoipa::{IntoResponses, ToSchema};

/// What went wrong with a request (RFC 9457).
#[derive(Debug, Clone, Serialize, ToSchema, IntoResponses)]
#[response(
    status = "default",
    description = "What went wrong",
    content_type = "application/problem+json"
)]
pub struct ProblemDetails {
    /// A name for the kind of problem, made of the code.
    #[serde(rename = "type")]
    #[schema(example = "urn:bucketline:error:BL0303")]
    pub type_uri: String,
    /// What can be done about it, in a few words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened.
    pub detail: String,
    /// The stable code, a line of `docs/errors.md`.
    #[schema(example = "BL0303")]
    pub code: String,
    /// The kind of error: `transient`, `rate_limited`, `credential`, `permission`, `configuration`, `statement`,
    /// `not_found`, `conflict` or `bug`.
    #[schema(example = "conflict")]
    pub kind: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// When trying again can succeed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<DateTime<Utc>>,
    /// Each field that is wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// The run that is in the way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
}

/// A field that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// Which one, such as `tasks[2].statement`.
    pub place: String,
    /// The stable code.
    pub code: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Where in the field's text it begins, if it is a statement.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<Place>,
    /// Where it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<Place>,
}

/// A place in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Place {
    /// Counted from 1.
    pub line: u32,
    /// In characters, counted from 1.
    pub column: u32,
    /// In bytes from the start.
    pub offset: usize,
}

impl From<Position> for Place {
    fn from(position: Position) -> Self {
        Self {
            line: position.line,
            column: position.column,
            offset: position.offset,
        }
    }
}

impl From<&Problem> for FieldError {
    fn from(problem: &Problem) -> Self {
        Self {
            place: problem.place.clone(),
            code: problem.code.to_string(),
            message: problem.message.clone(),
            hint: problem.hint.clone(),
            start: problem.span.map(|span| span.start.into()),
            end: problem.span.map(|span| span.end.into()),
        }
    }
}

/// Why a request is refused.
#[derive(Debug)]
pub(crate) struct Refused {
    status: StatusCode,
    error: Error,
    run: Option<RunId>,
}

/// The result of a handler.
pub(crate) type Answer<T> = Result<T, Refused>;

impl Refused {
    /// The caller's own credential is missing or wrong.
    pub(crate) fn caller(error: Error) -> Self {
        Self {
            status: StatusCode::UNAUTHORIZED,
            error,
            run: None,
        }
    }

    /// A request that cannot be read.
    pub(crate) fn malformed(message: impl Into<String>) -> Self {
        Self::with_status(
            StatusCode::BAD_REQUEST,
            Error::new(code::web::MALFORMED, message),
        )
    }

    /// A parameter of the address with a value that it cannot have.
    pub(crate) fn parameter(name: &str, code: Code, message: impl std::fmt::Display) -> Self {
        let problem = Problem::new(name, code, message.to_string());
        let error = Problems(vec![problem]).into_error("the address", code::web::MALFORMED);
        Self::with_status(StatusCode::BAD_REQUEST, error)
    }

    pub(crate) fn with_status(status: StatusCode, error: Error) -> Self {
        Self {
            status,
            error,
            run: None,
        }
    }

    /// The run that is in the way.
    pub(crate) fn because_of(mut self, run: RunId) -> Self {
        self.run = Some(run);
        self
    }

    /// Fields with values that they cannot have, if there are any.
    pub(crate) fn fields(what: &str, problems: Vec<Problem>) -> Answer<()> {
        Ok(Problems::check(what, problems)?)
    }

    /// The same where there are some.
    pub(crate) fn wrong(what: &str, problems: Vec<Problem>) -> Self {
        Problems(problems)
            .into_error(what, code::model::INVALID)
            .into()
    }

    /// There is no such thing.
    pub(crate) fn no(what: &str, name: impl std::fmt::Display) -> Self {
        Error::new(code::store::NOT_FOUND, format!("there is no {what} {name}")).into()
    }

    pub(crate) fn details(&self) -> ProblemDetails {
        let Self { status, error, run } = self;
        ProblemDetails {
            type_uri: format!("urn:bucketline:error:{}", error.code()),
            title: title(error.kind()).to_owned(),
            status: status.as_u16(),
            detail: error.message().to_owned(),
            code: error.code().to_string(),
            kind: error.kind().to_string(),
            hint: error.hint().map(str::to_owned),
            retry_at: error.retry_at().map(DateTime::from),
            errors: Problems::of(error).iter().map(FieldError::from).collect(),
            run: *run,
        }
    }
}

/// Answers a request in which a defect of ours came to light. The panic itself is told by the program.
pub(crate) async fn catch(request: Request, next: Next) -> Response {
    let answer = AssertUnwindSafe(next.run(request)).catch_unwind().await;
    answer.unwrap_or_else(|_| {
        let error = Error::new(code::web::PANIC, "a defect ended the request");
        let error = error.with_hint("report what `serve` printed to its standard error");
        Refused::from(error).into_response()
    })
}

/// The status of an error: the one place that decides it.
fn status(error: &Error) -> StatusCode {
    match (error.code(), error.kind()) {
        (code::store::CHANGED, _) => StatusCode::PRECONDITION_FAILED,
        (code::web::NO_REVISION, _) => StatusCode::PRECONDITION_REQUIRED,
        (code::web::METHOD, _) => StatusCode::METHOD_NOT_ALLOWED,
        (code::store::BAD_CURSOR, _) => StatusCode::BAD_REQUEST,
        (_, Kind::Transient) => StatusCode::SERVICE_UNAVAILABLE,
        (_, Kind::RateLimited) => StatusCode::TOO_MANY_REQUESTS,
        (_, Kind::Permission) => StatusCode::FORBIDDEN,
        (_, Kind::NotFound) => StatusCode::NOT_FOUND,
        (_, Kind::Conflict) => StatusCode::CONFLICT,
        // The credential is that of a connection.
        (_, Kind::Credential | Kind::Configuration | Kind::Statement) => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn title(kind: Kind) -> &'static str {
    match kind {
        Kind::Transient => "Try again later",
        Kind::RateLimited => "Wait for the request budget",
        Kind::Credential => "Sign in, or give another credential",
        Kind::Permission => "Not allowed",
        Kind::Configuration => "Correct the request or the configuration",
        Kind::Statement => "Correct the statement",
        Kind::NotFound => "Not found",
        Kind::Conflict => "Something else is in the way",
        _ => "A defect of the program",
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::with_status(status(&error), error)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        if self.status.is_server_error() {
            tracing::error!(code = %self.error.code(), "{}", self.error);
        }
        let mut response = axum::Json(self.details()).into_response();
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(moment) = self.error.retry_at() {
            let wait = moment
                .elapsed()
                .err()
                .map_or(0, |left| left.duration().as_secs() + 1);
            headers.insert(RETRY_AFTER, wait.into());
        }
        response
    }
}

/// Nothing is at this address.
pub(crate) async fn no_route(uri: Uri) -> Refused {
    let message = format!("there is nothing at {}", uri.path());
    Error::new(code::web::NO_ROUTE, message)
        .with_hint("see /api/v1/openapi.json")
        .into()
}

/// The address takes other methods.
pub(crate) async fn no_method(method: Method, uri: Uri) -> Refused {
    let message = format!("{} does not take {method}", uri.path());
    Error::new(code::web::METHOD, message)
        .with_hint("see /api/v1/openapi.json")
        .into()
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::http::StatusCode;
    use axum::routing::get;
    use bucketline_core::{Code, Error, Kind, code};

    use tokio::net::{TcpListener, TcpStream};

    use super::{Refused, status};

    #[test]
    fn every_code_has_a_status_that_says_whose_fault_it_is() {
        for code in Code::all() {
            let status = status(&Error::new(code, "x"));
            let is_servers = matches!(code.kind(), Kind::Bug | Kind::Transient);
            assert_eq!(status.is_server_error(), is_servers, "{code}: {status}");
            assert!(status.is_server_error() || status.is_client_error());
        }
    }

    #[tokio::test]
    async fn a_defect_of_a_handler_is_answered_as_one() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};

        let handler = async || -> &'static str { panic!("planted") };
        let router = Router::new()
            .route("/", get(handler))
            .layer(axum::middleware::from_fn(super::catch));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut stream = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let serving = tokio::spawn(axum::serve(listener, router).into_future());
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        serving.abort();
        assert!(answer.starts_with("HTTP/1.0 500 "), "{answer}");
        assert!(answer.contains("\"code\":\"BL0599\""), "{answer}");
        assert!(answer.contains("content-type: application/problem+json"));
    }

    #[test]
    fn an_old_revision_is_a_failed_precondition() {
        let refused = Refused::from(Error::new(code::store::CHANGED, "somebody changed it"));
        assert_eq!(refused.status, StatusCode::PRECONDITION_FAILED);
        assert_eq!(refused.details().code, "BL0303");
    }
}
