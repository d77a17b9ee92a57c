//! What each request needs: the one table of routes and rights. A route that is not in it is refused.

use axum::extract::{MatchedPath, Request};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;
use bucketline_app::people::{Right, Role};
use bucketline_core::{Error, code};

use crate::caller;
use crate::problem::Refused;

/// The routes below `/api/v1`, and the right that each needs.
#[rustfmt::skip]
pub(crate) const ROUTES: &[(&str, &str, Right)] = &[
    ("POST",   "/session",                                   Right::Open),
    ("POST",   "/set-up",                                    Right::Open),

    ("GET",    "/session",                                   Right::Own),
    ("DELETE", "/session",                                   Right::Own),
    ("GET",    "/sessions",                                  Right::Own),
    ("PUT",    "/accounts/{id}/password",                    Right::Own),
    ("GET",    "/tokens",                                    Right::Own),
    ("POST",   "/tokens",                                    Right::Own),
    ("DELETE", "/tokens/{id}",                               Right::Own),

    ("GET",    "/connections",                               Right::Look),
    ("GET",    "/connections/{name}",                        Right::Look),
    ("GET",    "/budget",                                    Right::Look),
    ("GET",    "/connection-types",                          Right::Look),
    ("GET",    "/jobs",                                      Right::Look),
    ("GET",    "/jobs/{id}",                                 Right::Look),
    ("GET",    "/jobs/{id}/slots",                           Right::Look),
    ("GET",    "/jobs/{id}/tasks",                           Right::Look),
    ("GET",    "/runs",                                      Right::Look),
    ("GET",    "/runs/{id}",                                 Right::Look),
    ("GET",    "/runs/{id}/tasks",                           Right::Look),
    ("GET",    "/runs/{id}/tasks/{try}/slices",              Right::Look),
    ("GET",    "/runs/{id}/events",                          Right::Look),
    ("POST",   "/schedules/preview",                         Right::Look),
    ("POST",   "/statements/parse",                          Right::Look),

    ("POST",   "/jobs/{id}/runs",                            Right::Operate),
    ("POST",   "/runs/{id}/cancel",                          Right::Operate),
    ("POST",   "/runs/{id}/retry",                           Right::Operate),
    ("POST",   "/jobs/{id}/pause",                           Right::Operate),
    ("POST",   "/jobs/{id}/resume",                          Right::Operate),
    ("GET",    "/jobs/{id}/plan",                            Right::Operate),

    ("POST",   "/jobs",                                      Right::EditJobs),
    ("PUT",    "/jobs/{id}",                                 Right::EditJobs),
    ("DELETE", "/jobs/{id}",                                 Right::EditJobs),
    ("POST",   "/jobs/{id}/clone",                           Right::EditJobs),
    ("POST",   "/jobs/{id}/tasks",                           Right::EditJobs),
    ("POST",   "/plans",                                     Right::EditJobs),
    ("POST",   "/statements/explain",                        Right::EditJobs),
    ("POST",   "/statements/columns",                        Right::EditJobs),
    ("GET",    "/vocabulary",                                Right::EditJobs),
    ("GET",    "/connections/{name}/tables",                 Right::EditJobs),
    ("GET",    "/connections/{name}/tables/{table}/columns", Right::EditJobs),

    ("POST",   "/connections",                               Right::EditConnections),
    ("PUT",    "/connections/{name}",                        Right::EditConnections),
    ("DELETE", "/connections/{name}",                        Right::EditConnections),
    ("POST",   "/connections/{name}/test",                   Right::EditConnections),
    ("POST",   "/connections/{name}/sign-in",                Right::EditConnections),
    ("PUT",    "/connections/{name}/sign-in",                Right::EditConnections),
    ("GET",    "/secrets",                                   Right::EditConnections),

    ("GET",    "/accounts",                                  Right::Administer),
    ("POST",   "/accounts",                                  Right::Administer),
    ("GET",    "/accounts/{id}",                             Right::Administer),
    ("PUT",    "/accounts/{id}",                             Right::Administer),
    ("DELETE", "/accounts/{id}",                             Right::Administer),
    ("GET",    "/audit",                                     Right::Administer),
    ("GET",    "/audit/export",                              Right::Administer),
];

/// Where the routes are.
const BASE: &str = "/api/v1";

fn of(method: &Method, path: &str) -> Option<Right> {
    let method = match *method {
        Method::HEAD => "GET",
        _ => method.as_str(),
    };
    let path = path.strip_prefix(BASE)?;
    let found = ROUTES
        .iter()
        .find(|(known, route, _)| *known == method && *route == path);
    found.map(|(_, _, right)| *right)
}

/// Whether nobody has to be signed in for a request.
pub(crate) fn is_open(method: &Method, path: &str) -> bool {
    of(method, path) == Some(Right::Open)
}

/// Whether a role may make a request to a route; `None` is nobody.
pub(crate) fn may(role: Option<Role>, method: &Method, route: &str) -> bool {
    match (of(method, route), role) {
        (Some(Right::Open), _) => true,
        (Some(right), Some(role)) => role.may(right),
        _ => false,
    }
}

/// Refuses what the caller may not do.
pub(crate) async fn check(
    path: MatchedPath,
    request: Request,
    next: Next,
) -> Result<Response, Refused> {
    let role = caller::known().map(|caller| caller.role);
    if may(role, request.method(), path.as_str()) {
        return Ok(next.run(request).await);
    }
    let message = match role {
        Some(role) => format!("the role {role} may not do this"),
        None => "nobody is signed in".to_owned(),
    };
    Err(Error::new(code::people::NO_RIGHT, message)
        .with_hint("ask somebody who administers for another role")
        .into())
}

/// The table as it stands in the documentation.
pub fn table() -> String {
    let mut text = String::from("| request | right | least role |\n| --- | --- | --- |\n");
    for (method, route, right) in ROUTES {
        let least = Role::ALL.iter().find(|role| role.may(*right));
        let least = match right {
            Right::Open => "nobody is signed in",
            Right::Own => "any, for oneself",
            _ => least.map_or("none", |role| role.word()),
        };
        text.push_str(&format!("| `{method} {route}` | {right} | {least} |\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{BASE, ROUTES, may};
    use axum::http::Method;
    use bucketline_app::people::{Right, Role};

    #[test]
    fn every_route_of_the_description_has_a_right() {
        let description = serde_json::to_value(crate::openapi()).unwrap();
        let mut described = BTreeSet::new();
        for (path, item) in description["paths"].as_object().unwrap() {
            let path = path.strip_prefix(BASE).unwrap().to_owned();
            for method in ["get", "post", "put", "delete", "patch"] {
                if item.get(method).is_some() {
                    described.insert((method.to_uppercase(), path.clone()));
                }
            }
        }
        let listed: BTreeSet<_> = ROUTES
            .iter()
            .map(|(method, path, _)| ((*method).to_owned(), (*path).to_owned()))
            .collect();
        assert_eq!(listed, described);
        assert_eq!(listed.len(), ROUTES.len(), "a route is listed twice");
    }

    #[test]
    fn a_role_may_do_what_its_word_says() {
        use Role::{Admin, JobCreator, JobOperator, Standard, Viewer};
        for (method, route, least) in [
            ("GET", "/api/v1/runs", Viewer),
            ("POST", "/api/v1/jobs/{id}/runs", JobOperator),
            ("POST", "/api/v1/jobs", JobCreator),
            ("POST", "/api/v1/connections", Standard),
            ("POST", "/api/v1/accounts", Admin),
            ("GET", "/api/v1/audit", Admin),
        ] {
            let method: Method = method.parse().unwrap();
            for role in Role::ALL {
                let expected = *role >= least;
                assert_eq!(may(Some(*role), &method, route), expected, "{role} {route}");
            }
            assert!(!may(None, &method, route));
        }
        for (method, route, right) in ROUTES {
            let method: Method = method.parse().unwrap();
            let route = format!("{BASE}{route}");
            assert_eq!(may(None, &method, &route), *right == Right::Open);
            assert!(may(Some(Admin), &method, &route));
        }
        assert!(!may(Some(Admin), &Method::GET, "/api/v1/unlisted"));
    }
}
