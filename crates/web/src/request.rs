//! Reading requests.

use std::time::Duration;

use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::header::{CONTENT_TYPE, IF_MATCH};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use bucketline_app::{Problem, Revision};
use bucketline_core::{Code, Error, code};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

use crate::problem::Refused;

/// How long a client may take for the body of a request.
const BODY: Duration = Duration::from_secs(30);

/// The code of a field whose value has the wrong type.
const MALFORMED: Code = code::web::MALFORMED;

/// A body of JSON. What does not fit says which field it is.
pub(crate) struct Body<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Refused;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refused> {
        if !is_json(request.headers()) {
            return Err(not_json());
        }
        read(request, state)
            .await
            .and_then(|bytes| json(&bytes))
            .map(Self)
    }
}

/// A body of JSON, or none.
pub(crate) struct MaybeBody<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned + Default> FromRequest<S> for MaybeBody<T> {
    type Rejection = Refused;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refused> {
        let is_json = is_json(request.headers());
        let bytes = read(request, state).await?;
        match (bytes.is_empty(), is_json) {
            (true, _) => Ok(Self(T::default())),
            (false, true) => json(&bytes).map(Self),
            (false, false) => Err(not_json()),
        }
    }
}

fn not_json() -> Refused {
    let error = Error::new(code::web::MALFORMED, "the body is not declared as JSON")
        .with_hint("send `Content-Type: application/json`");
    Refused::with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE, error)
}

async fn read<S: Send + Sync>(request: Request, state: &S) -> Result<axum::body::Bytes, Refused> {
    let refused = |status, message: &str| {
        Refused::with_status(status, Error::new(code::web::MALFORMED, message))
    };
    let bytes = axum::body::Bytes::from_request(request, state);
    let Ok(bytes) = tokio::time::timeout(BODY, bytes).await else {
        let message = format!("the body was not there within {} s", BODY.as_secs());
        return Err(refused(StatusCode::REQUEST_TIMEOUT, &message));
    };
    bytes.map_err(|rejection: BytesRejection| match rejection.status() {
        status @ StatusCode::PAYLOAD_TOO_LARGE => refused(status, "the body is too long"),
        status => refused(status, "the body cannot be read"),
    })
}

fn is_json(headers: &HeaderMap) -> bool {
    let declared = headers.get(CONTENT_TYPE).and_then(|it| it.to_str().ok());
    let kind = declared.and_then(|it| it.split(';').next()).map(str::trim);
    kind.is_some_and(|kind| {
        kind.eq_ignore_ascii_case("application/json") || kind.ends_with("+json")
    })
}

fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refused> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let place = error.path().to_string();
        let inner = error.into_inner();
        if inner.is_syntax() || inner.is_eof() {
            return Refused::malformed(format!("the body is no JSON: {inner}"));
        }
        let place = if place == "." {
            "body".to_owned()
        } else {
            place
        };
        let problem = Problem::new(place, MALFORMED, inner.to_string());
        Refused::wrong("the request", vec![problem])
    })?;
    match reader.end() {
        Ok(()) => Ok(value),
        Err(error) => Err(Refused::malformed(format!("the body is no JSON: {error}"))),
    }
}

/// The parameters behind the question mark.
pub(crate) struct Parameters<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Parameters<T> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refused> {
        let query = parts.uri.query().unwrap_or_default();
        let pairs = serde_urlencoded::Deserializer::new(form_urlencoded::parse(query.as_bytes()));
        let parameters = serde_path_to_error::deserialize(pairs).map_err(|error| {
            let place = error.path().to_string();
            Refused::parameter(&place, code::web::MALFORMED, error.into_inner())
        })?;
        Ok(Self(parameters))
    }
}

/// A part of the path.
pub(crate) struct Path<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        match axum::extract::Path::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            // What is no number is nobody's.
            Err(rejection) if rejection.status() == StatusCode::BAD_REQUEST => {
                Err(crate::problem::no_route(parts.uri.clone()).await)
            }
            Err(rejection) => Err(Refused::malformed(
                rejection.into_response().status().to_string(),
            )),
        }
    }
}

/// The revision that an edit was made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IfMatch {
    /// Whichever there is.
    Any,
    /// This one.
    Revision(Revision),
}

impl IfMatch {
    /// The revision to edit, `current` being that of the store.
    pub(crate) fn or(self, current: Revision) -> Revision {
        match self {
            Self::Any => current,
            Self::Revision(revision) => revision,
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refused> {
        let Some(given) = parts.headers.get(IF_MATCH) else {
            let message = "the request does not say which revision it changes";
            return Err(Error::new(code::web::NO_REVISION, message)
                .with_hint("send the `ETag` that you read as `If-Match`")
                .into());
        };
        let given = given.to_str().unwrap_or_default().trim();
        if given == "*" {
            return Ok(Self::Any);
        }
        let bare = given.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
        let revision = bare.and_then(|it| it.parse().ok());
        let revision = revision.ok_or_else(|| {
            Refused::malformed("`If-Match` is no `ETag` of this API, such as `\"3\"`")
        })?;
        Ok(Self::Revision(Revision(revision)))
    }
}

/// A key that makes a request safe to repeat.
pub(crate) struct IdempotencyKey(pub(crate) Option<String>);

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refused> {
        let Some(given) = parts.headers.get("idempotency-key") else {
            return Ok(Self(None));
        };
        match given.to_str() {
            Ok(key) if (1..=200).contains(&key.len()) => Ok(Self(Some(key.to_owned()))),
            _ => Err(Refused::malformed(
                "`Idempotency-Key` has 1 to 200 visible ASCII characters",
            )),
        }
    }
}

/// Words with commas between them.
pub(crate) fn words<'de, D, T>(from: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    let text = String::deserialize(from)?;
    let words = text
        .split(',')
        .map(str::trim)
        .filter(|word| !word.is_empty());
    words
        .map(|word| word.parse().map_err(serde::de::Error::custom))
        .collect()
}
