//! Every answer held against the published specification: what it sends must have the type the
//! specification says, be in it or in the list of its known holes, and leave nothing out.

use std::collections::BTreeSet;
use std::path::Path;

use bucketline_sandbox::{Change, Day, Fault, FaultKind};
use chrono::DateTime;
use serde_json::{Map, Value};

use crate::client::{access_token, basic, get, get_as};
use crate::resources::{API, lists, quiet};
use crate::{resources, sandbox};

/// What the service sends and the specification does not say: schema, property.
const HOLES: &[(&str, &str)] = &[
    ("base_commit", "links"),
    ("commit", "links"),
    ("commit.summary", "type"),
    ("error", "data"),
    ("error.error.data", "announcement_url"),
    ("error.error.data", "shas"),
    ("error.error.detail", "granted"),
    ("error.error.detail", "required"),
    ("issue", "watches"),
    ("issue.content", "type"),
    ("project", "workspace"),
    ("project.links", "repositories"),
    ("project.links", "self"),
    ("pullrequest", "closed_on"),
    ("pullrequest", "description"),
    ("pullrequest.links", "request-changes"),
    ("pullrequest.links", "statuses"),
    ("pullrequest.merge_commit", "author"),
    ("pullrequest.merge_commit", "date"),
    ("pullrequest.merge_commit", "links"),
    ("pullrequest.merge_commit", "type"),
    ("pullrequest.rendered.description", "type"),
    ("pullrequest.rendered.reason", "type"),
    ("pullrequest.rendered.title", "type"),
    ("pullrequest.summary", "type"),
    ("pullrequest_endpoint.branch", "sync_strategies"),
    ("pullrequest_endpoint.commit", "links"),
    ("pullrequest_endpoint.commit", "type"),
    ("repository", "enforced_signed_commits"),
    ("repository", "override_settings"),
    ("repository", "slug"),
    ("repository", "website"),
    ("repository", "workspace"),
    ("repository.links", "branches"),
    ("repository.links", "issues"),
    ("repository.links", "source"),
    ("repository.links", "tags"),
    ("team", "username"),
    ("user", "ai_agent"),
    ("workspace_membership", "added_on"),
    ("workspace_membership", "last_accessed"),
    ("workspace_membership", "permission"),
];

/// Schemas, and where an object of each is found.
const OBJECTS: &[(&str, &str)] = &[
    ("user", "/user"),
    ("paginated_workspace_access", "/user/workspaces"),
    ("workspace_membership", "/user/workspaces/acme/permission"),
    ("workspace", "/workspaces/acme"),
    ("paginated_projects", "/workspaces/acme/projects"),
    ("project", "/workspaces/acme/projects/API"),
    (
        "paginated_repositories",
        "/repositories/acme?pagelen=2&page=2",
    ),
    ("repository", "/repositories/acme/api"),
    ("paginated_branches", "/repositories/acme/api/refs/branches"),
    ("branch", "/repositories/acme/api/refs/branches/main"),
    (
        "paginated_pullrequests",
        "/repositories/acme/api/pullrequests?pagelen=50&state=OPEN&state=MERGED&state=DECLINED",
    ),
    ("pullrequest", "/repositories/acme/api/pullrequests/1"),
    (
        "paginated_issues",
        "/repositories/acme/api/issues?pagelen=100",
    ),
    ("issue", "/repositories/acme/api/issues/1"),
    ("error", "/repositories/acme/none"),
    ("error", "/repositories"),
];

pub(crate) struct Spec {
    schemas: Map<String, Value>,
    /// What the service sends and the specification does not say.
    holes: &'static [(&'static str, &'static str)],
    pub(crate) problems: BTreeSet<String>,
}

impl Spec {
    /// Reads `../shared/bitbucket/openapi.json` from the workspace's root, where it is.
    pub(crate) fn read(holes: &'static [(&'static str, &'static str)]) -> Option<Self> {
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/bitbucket/openapi.json");
        let Ok(text) = std::fs::read_to_string(&path) else {
            eprintln!("\n\n######## NOT HELD AGAINST THE SPECIFICATION ########");
            eprintln!("there is no {}\n\n", path.display());
            return None;
        };
        let spec: Value = serde_json::from_str(&text).unwrap();
        let schemas = spec["definitions"].as_object().unwrap().clone();
        Some(Self {
            schemas,
            holes,
            problems: BTreeSet::new(),
        })
    }

    /// The properties of a schema with those of the schemas it is made from, and its name.
    fn properties(&self, schema: &Value, name: &str) -> (String, Map<String, Value>) {
        if let Some(reference) = schema["$ref"].as_str() {
            let name = reference.rsplit('/').next().unwrap();
            return self.properties(&self.schemas[name], name);
        }
        let mut all = schema["properties"]
            .as_object()
            .cloned()
            .unwrap_or_default();
        for part in schema["allOf"].as_array().into_iter().flatten() {
            all.extend(self.properties(part, name).1);
        }
        (name.to_owned(), all)
    }

    pub(crate) fn check(&mut self, schema: &Value, name: &str, value: &Value) {
        let (mut name, mut properties) = self.properties(schema, name);
        // An account is one of several kinds, as is what has a type and nothing else.
        let open = name == "account" || properties.keys().all(|key| key == "type");
        if open
            && let Some(kind) = value["type"].as_str()
            && self.schemas.contains_key(kind)
        {
            let kind = kind.to_owned();
            (name, properties) = self.properties(&self.schemas[&kind].clone(), &kind);
        }
        match value {
            Value::Null => {}
            Value::Object(members) => {
                for (key, member) in members {
                    match properties.get(key) {
                        Some(schema) => {
                            let schema = schema.clone();
                            self.check(&schema, &format!("{name}.{key}"), member);
                        }
                        None if self.holes.contains(&(name.as_str(), key)) => {}
                        None => {
                            self.problems
                                .insert(format!("not specified: (\"{name}\", \"{key}\"),"));
                        }
                    }
                }
            }
            Value::Array(items) => {
                let schema = schema["items"].clone();
                for item in items {
                    self.check(&schema, &name, item);
                }
            }
            scalar => self.check_scalar(schema, &name, scalar),
        }
    }

    fn check_scalar(&mut self, schema: &Value, name: &str, value: &Value) {
        let typed = match schema["type"].as_str() {
            Some("string") => value.is_string(),
            Some("integer") => value.is_u64(),
            Some("boolean") => value.is_boolean(),
            _ => false,
        };
        let listed = schema["enum"]
            .as_array()
            .is_none_or(|allowed| allowed.contains(value));
        let dated = schema["format"] != "date-time"
            || value
                .as_str()
                .is_some_and(|text| DateTime::parse_from_rfc3339(text).is_ok());
        if !typed || !listed || !dated {
            self.problems
                .insert(format!("{name}: {value} is not {schema}"));
        }
    }

    /// Every property of the schema is sent.
    pub(crate) fn check_complete(&mut self, schema: &str, object: &Value) {
        let (name, properties) = self.properties(&self.schemas[schema], schema);
        for key in properties.keys().filter(|key| object.get(key).is_none()) {
            self.problems.insert(format!("not sent: {key} of {name}"));
        }
    }
}

#[test]
fn answers_are_what_the_specification_says() {
    let Some(mut spec) = Spec::read(HOLES) else {
        return;
    };
    let sandbox = sandbox();
    for (schema, path) in OBJECTS {
        let value = get(&sandbox, path).json();
        let reference = serde_json::json!({"$ref": format!("#/definitions/{schema}")});
        spec.check(&reference, schema, &value);
        if *schema != "error" && !schema.starts_with("paginated") {
            spec.check_complete(schema, &value);
        }
    }
    sandbox
        .apply(Change::SetDay {
            day: Day::AfterRemoval,
        })
        .unwrap();
    let value = get(&sandbox, "/repositories/acme/api").json();
    let reference = serde_json::json!({"$ref": "#/definitions/repository"});
    spec.check(&reference, "repository", &value);
    let problems: Vec<String> = spec.problems.into_iter().collect();
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

/// Calls of which the specification does not say what they answer.
const WITHOUT_SCHEMA: &[&str] = &[
    // Files for download have none at all.
    "/repositories/{workspace}/{repo_slug}/downloads",
    // What its events are about has, and is checked.
    "/repositories/{workspace}/{repo_slug}/pullrequests/activity",
    // Leads to the diffstat of two commits, which is checked.
    "/repositories/{workspace}/{repo_slug}/pullrequests/{pull_request_id}/diffstat",
];

/// The calls are those that the tables are compared with.
#[test]
fn every_call_of_the_tables_is_held_against_the_specification() {
    let facts = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../bitbucket/tests/sandbox/published/facts.json");
    let facts: Value = serde_json::from_str(&std::fs::read_to_string(facts).unwrap()).unwrap();
    let sandbox = quiet();
    let mut held: Vec<String> = lists(&sandbox)
        .into_iter()
        .filter(|list| list.schemas.is_some())
        .map(|list| list.path)
        .collect();
    held.extend(OBJECTS.iter().map(|(_, path)| (*path).to_owned()));
    let of_repositories = resources::OBJECTS.iter();
    held.extend(of_repositories.map(|(_, path)| format!("{API}/{path}")));
    let is_held = |call: &str| held.iter().any(|path| is_call(path, call));
    let calls = facts["operations"].as_object().unwrap().keys();
    let open: Vec<_> = calls
        .filter(|call| is_held(call) == WITHOUT_SCHEMA.contains(&call.as_str()))
        .collect();
    assert!(open.is_empty(), "{open:#?}");
}

/// Whether a path is a call of the specification; the last place of one may be left out.
fn is_call(path: &str, call: &str) -> bool {
    let path = path.split('?').next().unwrap().trim_end_matches('/');
    let (path, call): (Vec<_>, Vec<_>) = (path.split('/').collect(), call.split('/').collect());
    let left_out = call.len() - call.len().min(path.len());
    left_out <= usize::from(call.contains(&"src"))
        && path.len() <= call.len()
        && path
            .iter()
            .zip(&call)
            .all(|(word, place)| place.starts_with('{') || word == place)
}

#[test]
fn refusals_are_errors_of_the_specification() {
    let Some(mut spec) = Spec::read(HOLES) else {
        return;
    };
    let sandbox = sandbox();
    let list = "/2.0/repositories/acme/api/pullrequests";
    for kind in [
        FaultKind::NotFound,
        FaultKind::Forbidden,
        FaultKind::Gone,
        FaultKind::Unauthorized,
        FaultKind::TooManyRequests { retry_after: None },
    ] {
        sandbox.fault(Fault::once(list, kind));
    }
    let faulted = (0..5).map(|_| get(&sandbox, "/repositories/acme/api/pullrequests"));
    let mut refusals: Vec<_> = faulted.collect();
    let wrong = basic("user1@acme.example", "wrong");
    let refused = [
        (Some(wrong), "/2.0/user"),
        (None, "/2.0/repositories/acme/api"),
        (
            Some(access_token("acme")),
            "/2.0/repositories/acme/api/issues",
        ),
        (Some(access_token("acme")), "/2.0/user"),
    ];
    refusals.extend(
        refused
            .iter()
            .map(|(credential, path)| get_as(&sandbox, credential.as_deref(), path)),
    );
    refusals.extend(
        [
            "/repositories/acme/api/refs/branches?q=(",
            "/repositories/acme/api/refs/branches?sort=links",
            "/repositories/acme/api/refs/branches?pagelen=1000",
            "/repositories/acme/api/pipelines",
            "/repositories/acme/api/commit/0000000/statuses",
            "/repositories/{}/api",
        ]
        .map(|path| get(&sandbox, path)),
    );
    let reference = serde_json::json!({"$ref": "#/definitions/error"});
    for refusal in refusals {
        assert!(refusal.status >= 400, "{refusal:?}");
        spec.check(&reference, "error", &refusal.json());
    }
    let problems: Vec<String> = spec.problems.into_iter().collect();
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}
