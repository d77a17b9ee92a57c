//! Parameters behind the question mark: those of the description, and no others.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use bucketline_app::{Problem, Problems};
use bucketline_core::{Error, code};
use utoipa::openapi::OpenApi;
use utoipa::openapi::path::{Operation, ParameterIn};

use crate::problem::Refused;

/// The names of the parameters of each operation.
#[derive(Debug, Clone)]
pub(crate) struct Known(Arc<HashMap<(Method, String), Vec<String>>>);

impl Known {
    pub(crate) fn of(description: &OpenApi) -> Self {
        let mut known = HashMap::new();
        for (path, item) in &description.paths.paths {
            let operations = [
                (Method::GET, &item.get),
                (Method::POST, &item.post),
                (Method::PUT, &item.put),
                (Method::DELETE, &item.delete),
            ];
            for (method, operation) in operations {
                if let Some(operation) = operation {
                    known.insert((method, path.clone()), names(operation));
                }
            }
        }
        Self(Arc::new(known))
    }
}

fn names(operation: &Operation) -> Vec<String> {
    let parameters = operation.parameters.iter().flatten();
    parameters
        .filter(|it| it.parameter_in == ParameterIn::Query)
        .map(|it| it.name.clone())
        .collect()
}

/// Refuses a request with a parameter that its operation does not have: a filter with a slip of the pen would list
/// everything.
pub(crate) async fn check(
    State(known): State<Known>,
    path: MatchedPath,
    request: Request,
    next: Next,
) -> Result<Response, Refused> {
    let method = match request.method() {
        &Method::HEAD => Method::GET,
        method => method.clone(),
    };
    if let Some(names) = known.0.get(&(method, path.as_str().to_owned())) {
        let query = request.uri().query().unwrap_or_default();
        let given = form_urlencoded::parse(query.as_bytes()).map(|(name, _)| name);
        let foreign = given.filter(|name| !names.iter().any(|known| known == name.as_ref()));
        let problems: Vec<_> = foreign.map(|name| unknown(&name, names)).collect();
        if let Some(first) = problems.first() {
            let error = Error::new(code::web::MALFORMED, format!("the address: {first}"));
            let error = error.with_source(Problems(problems));
            return Err(Refused::with_status(StatusCode::BAD_REQUEST, error));
        }
    }
    Ok(next.run(request).await)
}

fn unknown(name: &str, names: &[String]) -> Problem {
    let problem = Problem::new(name, code::web::MALFORMED, "there is no such parameter");
    match names {
        [] => problem.with_hint("this request has none"),
        names => problem.with_hint(format!("there are: {}", names.join(", "))),
    }
}
