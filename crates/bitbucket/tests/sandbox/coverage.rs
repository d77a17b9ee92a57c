//! Nothing that the service sends is forgotten: each leaf is a column, lies inside a JSON column, or
//! is left out on purpose.

use std::collections::BTreeSet;
use std::path::Path;

use bucketline_bitbucket::tables;
use bucketline_sandbox::{Count, Kind};
use bucketline_source::TableSpec;
use bucketline_source::spec::{ColumnKind, Origin};
use serde_json::{Map, Value};

use super::sandbox;

/// Tables, what they are in the specification and in the sandbox.
const TABLES: [(&str, &str, Kind); 6] = [
    ("Workspaces", "workspace", Kind::Workspaces),
    ("Projects", "project", Kind::Projects),
    ("Repositories", "repository", Kind::Repositories),
    ("Issues", "issue", Kind::Issues),
    ("PullRequests", "pullrequest", Kind::PullRequests),
    ("Branches", "branch", Kind::Branches),
];

/// Members of every account that say nothing of the work: of the person alone, or of no one but
/// oneself.
const OF_ACCOUNTS: [&str; 6] = [
    "account_status",
    "created_on",
    "has_2fa_enabled",
    "is_staff",
    "kind",
    "username",
];

const ACCOUNTS: [&str; 8] = [
    "assignee",
    "author",
    "closed_by",
    "owner",
    "reporter",
    "target.author.user",
    "target.committer.user",
    "mainbranch.target.author.user",
];

/// What is left out, with all that lies in it: a table and a path.
const LEFT_OUT: [(&str, &str); 24] = [
    // Rows of the table Repositories; found by the UUID or the full name that stays.
    ("Repositories", "parent"),
    ("Issues", "repository"),
    ("PullRequests", "source.repository"),
    ("PullRequests", "destination.repository"),
    ("Branches", "target.repository"),
    // Rows of Branches, Projects and Workspaces.
    ("Repositories", "mainbranch"),
    ("Repositories", "project"),
    ("Repositories", "workspace"),
    ("Projects", "workspace"),
    // Always the same words.
    ("Issues", "component.type"),
    ("Issues", "milestone.type"),
    ("Issues", "version.type"),
    ("Issues", "content.type"),
    ("PullRequests", "summary.type"),
    ("PullRequests", "rendered.title.type"),
    ("PullRequests", "rendered.description.type"),
    ("PullRequests", "rendered.reason.type"),
    ("Branches", "target.summary.type"),
    ("Branches", "target.author.type"),
    ("Branches", "target.committer.type"),
    // Commits of pull requests are 12 characters of their hash, and links made from it.
    ("PullRequests", "source.commit"),
    ("PullRequests", "destination.commit"),
    ("PullRequests", "merge_commit"),
    // How to merge into a source branch concerns nobody.
    ("PullRequests", "source.branch"),
];

/// Links of a commit are made from its hash.
const LINKS_LEFT_OUT: [&str; 5] = ["approve", "comments", "diff", "patch", "statuses"];

fn is_covered(table: &TableSpec, leaf: &str) -> bool {
    let inside = |path: &str| {
        let rest = leaf.strip_prefix(path);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    let column = table.columns.iter().any(|column| {
        let Origin::Row(path) = &column.origin else {
            return false;
        };
        let path = path.join(".");
        leaf == path || (column.kind == ColumnKind::Json && inside(&path))
    });
    let left_out = LEFT_OUT
        .iter()
        .any(|(name, path)| *name == table.name && inside(path));
    let of_account = ACCOUNTS.iter().any(|account| {
        let member = leaf.strip_prefix(account);
        member
            .and_then(|rest| rest.strip_prefix('.'))
            .is_some_and(|member| OF_ACCOUNTS.contains(&member))
    });
    // A link's name is that of its member, or of nothing.
    let of_link = leaf.ends_with(".name") && leaf.contains("links.");
    let of_commit = table.name == "Branches"
        && LINKS_LEFT_OUT
            .iter()
            .any(|link| inside(&format!("target.links.{link}")));
    column || left_out || of_account || of_link || of_commit
}

fn forgotten(table: &str, leaves: &BTreeSet<String>) -> Vec<String> {
    let spec = tables().iter().find(|spec| spec.name == table).unwrap();
    let open = leaves.iter().filter(|leaf| !is_covered(spec, leaf));
    open.map(|leaf| format!("{table}: {leaf}")).collect()
}

/// The leaves of an object as it was sent.
fn sent(value: &Value, path: &str, leaves: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (name, member) in members {
                sent(member, &joined(path, name), leaves);
            }
        }
        // What a missing object would hold is seen where there is one.
        Value::Null | Value::Object(_) => {}
        _ => {
            leaves.insert(path.to_owned());
        }
    }
}

fn joined(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_the_sandbox_sends_has_its_column() {
    let sandbox = sandbox(|workspace| {
        workspace.issues = Count::PerRepository(40);
        workspace.pull_requests = Count::PerRepository(40);
    })
    .await;
    let mut open = Vec::new();
    for (table, _, kind) in TABLES {
        let mut leaves = BTreeSet::new();
        for row in sandbox.snapshot(kind, "acme") {
            sent(&row.value, "", &mut leaves);
        }
        assert!(leaves.len() > 10, "{table}: {leaves:?}");
        open.extend(forgotten(table, &leaves));
    }
    assert!(open.is_empty(), "\n{}", open.join("\n"));
}

/// The schemas of the specification.
struct Published(Map<String, Value>);

impl Published {
    /// Reads `../shared/bitbucket/openapi.json` from the workspace's root, where it is.
    fn read() -> Option<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
        let path = root.join("shared/bitbucket/openapi.json");
        let Ok(text) = std::fs::read_to_string(&path) else {
            eprintln!("\n\n######## NOT HELD AGAINST THE SPECIFICATION ########");
            eprintln!("there is no {}\n\n", path.display());
            return None;
        };
        let spec: Value = serde_json::from_str(&text).unwrap();
        Some(Self(spec["definitions"].as_object().unwrap().clone()))
    }

    /// The properties of a schema with those of the schemas it is made from.
    fn properties(&self, schema: &Value) -> Map<String, Value> {
        if let Some(name) = name_of(schema) {
            return self.properties(&self.0[name]);
        }
        let own = schema["properties"].as_object().cloned();
        let mut all = Map::new();
        for part in schema["allOf"].as_array().into_iter().flatten() {
            all.extend(self.properties(part));
        }
        all.extend(own.unwrap_or_default());
        all
    }

    /// The leaves of a schema; one that holds itself ends there.
    fn leaves(&self, schema: &Value, path: &str, within: &[&str], leaves: &mut BTreeSet<String>) {
        let name = name_of(schema);
        let mut properties = self.properties(schema);
        if name == Some("account") {
            // Its type says which of these it is.
            for kind in ["user", "team", "app_user"] {
                properties.extend(self.properties(&self.0[kind]));
            }
        }
        if properties.is_empty() || name.is_some_and(|name| within.contains(&name)) {
            leaves.insert(path.to_owned());
            return;
        }
        let within: Vec<_> = within.iter().copied().chain(name).collect();
        for (member, schema) in &properties {
            self.leaves(schema, &joined(path, member), &within, leaves);
        }
    }
}

fn name_of(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str()?.rsplit('/').next()
}

#[test]
fn all_that_is_published_has_its_column() {
    let Some(published) = Published::read() else {
        return;
    };
    let mut open = Vec::new();
    for (table, schema, _) in TABLES {
        let schema = serde_json::json!({ "$ref": format!("#/definitions/{schema}") });
        let mut leaves = BTreeSet::new();
        published.leaves(&schema, "", &[], &mut leaves);
        open.extend(forgotten(table, &leaves));
    }
    assert!(open.is_empty(), "\n{}", open.join("\n"));
}

/// Columns are read by name in other people's statements: none goes, moves or is renamed unnoticed.
/// `UPDATE_COLUMNS=1` writes the list anew.
#[test]
fn the_columns_are_those_of_the_list() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sandbox/columns.txt");
    let mut list = String::new();
    for table in tables() {
        for column in &table.columns {
            let origin = match &column.origin {
                Origin::Parent(_) => "the slice".to_owned(),
                Origin::Up(above) => match &table.parent {
                    Some(parent) => {
                        let above = &parent.table.columns[*above].name;
                        format!("{} of {}", above, parent.table.name)
                    }
                    None => unreachable!("{} hangs on no table", table.name),
                },
                own => {
                    let paths = own.paths();
                    let paths: Vec<_> = paths.iter().map(|path| path.join(".")).collect();
                    paths.join(" or ")
                }
            };
            list += &format!("{}.{}: {origin}\n", table.name, column.name);
        }
    }
    if std::env::var_os("UPDATE_COLUMNS").is_some() {
        std::fs::write(&path, &list).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap(), list);
}
