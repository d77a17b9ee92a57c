//! A request taken apart.

use axum::http::{HeaderMap, Method, Uri, header};
use percent_encoding::percent_decode_str;

/// What the API looks at in a request.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: Method,
    /// Path as sent.
    pub(crate) path: String,
    /// The path's segments, decoded, without the leading `2.0` and without one trailing slash.
    pub(crate) segments: Vec<String>,
    /// Query parameters, decoded: `+` is a space.
    pub(crate) query: Vec<(String, String)>,
    /// Path and query as sent.
    pub(crate) target: String,
    pub(crate) authorization: Option<String>,
    pub(crate) accepts_gzip: bool,
    pub(crate) if_none_match: Option<String>,
    /// The fields of a form-encoded body.
    form: Vec<(String, String)>,
}

impl Request {
    pub(crate) fn new(method: &Method, uri: &Uri, headers: &HeaderMap) -> Self {
        let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let path = uri.path().to_owned();
        let mut segments: Vec<String> = path
            .strip_prefix("/2.0/")
            .map(|rest| rest.split('/').map(decode).collect())
            .unwrap_or_default();
        // `/repositories/` names an empty workspace; elsewhere one trailing slash means nothing.
        if segments.len() > 2 && segments.last().is_some_and(String::is_empty) {
            segments.pop();
        }
        Self {
            method: method.clone(),
            segments,
            query: uri.query().map(parameters).unwrap_or_default(),
            target: uri
                .path_and_query()
                .map_or_else(|| path.clone(), ToString::to_string),
            path,
            authorization: header(header::AUTHORIZATION).map(str::to_owned),
            accepts_gzip: header(header::ACCEPT_ENCODING)
                .is_some_and(|value| value.split(',').any(|one| one.trim().starts_with("gzip"))),
            if_none_match: header(header::IF_NONE_MATCH).map(str::to_owned),
            form: Vec::new(),
        }
    }

    /// The same with the fields of its body, if that is a form by its type.
    pub(crate) fn with_body(mut self, headers: &HeaderMap, body: &[u8]) -> Self {
        let kind = headers.get(header::CONTENT_TYPE);
        if kind.is_some_and(|kind| kind.as_bytes().starts_with(FORM)) {
            self.form = parameters(&String::from_utf8_lossy(body));
        }
        self
    }

    /// A request for nothing in particular with a query.
    pub(crate) fn plain(query: &str) -> Self {
        Self {
            query: parameters(query),
            ..Self::new(&Method::GET, &Uri::default(), &HeaderMap::new())
        }
    }

    /// The value of a form field.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        value(&self.form, name)
    }

    /// The first value of a query parameter.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        value(&self.query, name)
    }

    /// All values of a parameter that may be sent as a field of a form, too.
    pub(crate) fn parameters<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.sent()
            .filter(move |(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// The query's parameters, then the form's fields.
    pub(crate) fn sent(&self) -> impl Iterator<Item = &(String, String)> {
        self.query.iter().chain(&self.form)
    }
}

const FORM: &[u8] = b"application/x-www-form-urlencoded";

fn value<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs
        .iter()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.as_str())
}

fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

fn parameters(query: &str) -> Vec<(String, String)> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (
                decode(&key.replace('+', " ")),
                decode(&value.replace('+', " ")),
            )
        })
        .collect()
}
