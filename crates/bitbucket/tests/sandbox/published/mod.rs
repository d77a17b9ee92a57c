//! Every path, parameter and field of the tables held against the published specification.
//!
//! What is known to differ is in `differences.toml`, each with its reason.

mod facts;

use std::collections::BTreeSet;
use std::path::Path;

use bucketline_bitbucket::tables;
use bucketline_rest::Url;
use bucketline_sandbox::{Kind, Sandbox};
use bucketline_source::TableSpec;
use bucketline_source::spec::{ChildRows, ColumnKind, ColumnSpec, Walk};
use serde::Deserialize;
use serde_json::Value;

use self::facts::{Facts, Operation, is_within};
use super::{basic, bearer, connect, sandbox, walk};

/// Tables whose rows are not those of the list that their path answers with, or of which the
/// specification does not say what that is.
pub(super) const ROWS: &[(&str, &[&str])] = &[
    // The list names them, a second call each tells the rest.
    ("Workspaces", &["workspace", "workspace_access"]),
    // The published answer has no schema; these are those of `commits` and `diffstat`.
    ("PullRequestCommits", &["commit"]),
    ("PullRequestDiffstat", &["diffstat"]),
];

/// What any call takes, by the specification's pages on paging, filtering and partial answers.
const GENERAL: [&str; 3] = ["fields", "page", "pagelen"];

/// Calls beside those of the tables: look-ups of one object.
const LOOK_UPS: [&str; 3] = [
    "/workspaces/{workspace}",
    "/workspaces/{workspace}/projects/{project}",
    "/repositories/{workspace}/{repository}",
];

/// In the addresses that the diffstat of a pull request leads to, which are the service's own: the line feed between
/// two commits.
const OF_THE_SERVICE: &str = "%0D";

/// What differs, with the reason for it.
#[derive(Deserialize)]
struct Differences {
    known: Vec<Known>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Known {
    why: String,
    /// The findings, in which `*` stands for any text.
    differences: Vec<String>,
}

impl Differences {
    fn read() -> Self {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let path = here.join("tests/sandbox/published/differences.toml");
        toml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    /// The findings that are not known, and what is known and no longer found.
    fn judge(&self, found: &BTreeSet<String>) -> Vec<String> {
        let known = || self.known.iter().flat_map(|known| &known.differences);
        let new = found
            .iter()
            .filter(|finding| !known().any(|pattern| matches(pattern, finding)))
            .cloned();
        let gone = known()
            .filter(|pattern| !found.iter().any(|finding| matches(pattern, finding)))
            .map(|pattern| format!("no longer found: {pattern}"));
        let unexplained = self.known.iter().filter(|known| known.why.is_empty());
        let unexplained = unexplained.map(|known| format!("why? {:?}", known.differences));
        new.chain(gone).chain(unexplained).collect()
    }
}

fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let Some(last) = parts.next_back() else {
        return rest.is_empty();
    };
    for part in parts {
        let Some((_, after)) = rest.split_once(part) else {
            return false;
        };
        rest = after;
    }
    rest.ends_with(last)
}

/// The path of the list that has a table's rows: its own, or that of the parent that they are in.
fn path(table: &TableSpec) -> &str {
    match &table.parent {
        Some(parent) if matches!(parent.rows, ChildRows::Nested { .. }) => path(&parent.table),
        _ => &table.path,
    }
}

/// The paths of everything that is asked for.
fn paths() -> Vec<String> {
    let look_ups = LOOK_UPS.iter().map(|path| (*path).to_owned());
    let listed = tables().iter().map(|table| path(table).to_owned());
    listed.chain(look_ups).collect()
}

/// The schemas of a table's rows; none if nothing is published of them.
fn rows(facts: &Facts, table: &TableSpec) -> Vec<String> {
    if let Some((_, schemas)) = ROWS.iter().find(|(name, _)| *name == table.name) {
        return schemas.iter().map(|schema| (*schema).to_owned()).collect();
    }
    if let Some(parent) = &table.parent
        && let ChildRows::Nested { column } = &parent.rows
    {
        let at = parent.table.columns[*column].origin.paths()[0].join(".");
        let kinds = rows(facts, &parent.table).into_iter();
        let kinds = kinds.filter_map(|schema| facts.kind(&schema, &at));
        return kinds
            .filter_map(|kind| kind.strip_prefix("list of #").map(str::to_owned))
            .collect();
    }
    let operation = facts.operation(&table.path);
    let row = operation.and_then(|(_, operation)| facts.row(operation, &table.rows));
    row.into_iter().collect()
}

/// What differs between the tables and the facts.
fn differences(facts: &Facts) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let embedded = embedded(facts);
    for table in tables() {
        let mut add = |finding: String| {
            found.insert(format!("{}: {finding}", table.name));
        };
        let Some((path, operation)) = facts.operation(path(table)) else {
            add(format!("there is no {}", table.path));
            continue;
        };
        if table.path.ends_with('/') != path.ends_with('/') && !path.ends_with("{path}") {
            add("the path ends in a slash".to_owned());
        }
        check_parameters(table, operation, &mut add);
        check_scopes(table, operation, &mut add);
        let rows = rows(facts, table);
        if rows.is_empty() {
            add("the rows have no schema".to_owned());
            continue;
        }
        for column in &table.columns {
            check_column(facts, &rows, column, &mut add);
        }
        for leaf in rows
            .iter()
            .flat_map(|schema| leaves(facts, schema, &embedded))
        {
            if !has_column(table, &leaf) {
                add(format!("`{leaf}` has no column"));
            }
        }
    }
    found
}

/// The parameters that a table's requests have beside the [`GENERAL`] ones.
fn sent(table: &TableSpec) -> BTreeSet<&str> {
    let mut sent: BTreeSet<&str> = table
        .parameters
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    if table.columns.iter().any(is_filtered) {
        sent.insert("q");
    }
    let sorted = match &table.walk {
        Walk::Keyset { .. } => true,
        Walk::Pages { sort, .. } => sort.is_some(),
    };
    if sorted || table.columns.iter().any(|column| column.sort) {
        sent.insert("sort");
    }
    if table.heads.is_some() {
        sent.extend(["include", "exclude"]);
    }
    sent.extend(table.parameter.iter().map(|bound| bound.name.as_str()));
    sent
}

/// The service is asked for rows by the column.
fn is_filtered(column: &ColumnSpec) -> bool {
    let filter = &column.filter;
    column.origin.is_own() && !(filter.exact.is_empty() && filter.narrowing.is_empty())
}

fn check_parameters(table: &TableSpec, operation: &Operation, add: &mut impl FnMut(String)) {
    if let Some(bound) = &table.parameter {
        let taken = operation.parameters.get(&bound.name);
        for value in &bound.values {
            if taken.is_some_and(|values| !values.contains(value)) {
                add(format!("`{}` does not take {value}", bound.name));
            }
        }
    }
    for name in sent(table) {
        if !operation.parameters.contains_key(name) {
            add(format!("there is no parameter `{name}`"));
        }
    }
    if let Some(largest) = operation.page_size
        && largest != table.page_size as u64
    {
        add(format!("`pagelen` goes to {largest}"));
    }
}

fn check_scopes(table: &TableSpec, operation: &Operation, add: &mut impl FnMut(String)) {
    for (own, published) in [
        (&table.scopes.token, &operation.token),
        (&table.scopes.oauth, &operation.oauth),
    ] {
        if *published != [own.clone()] {
            add(format!("needs the scope {}", published.join(" and ")));
        }
    }
}

fn check_column(facts: &Facts, rows: &[String], column: &ColumnSpec, add: &mut impl FnMut(String)) {
    for path in column.origin.paths() {
        let path = path.join(".");
        let kinds: Vec<_> = rows
            .iter()
            .filter_map(|schema| facts.kind(schema, &path))
            .collect();
        let fits = |kind: &String| match column.kind {
            ColumnKind::Bool => kind == "boolean",
            ColumnKind::Int => kind == "integer",
            ColumnKind::Float => kind == "number" || kind == "integer",
            ColumnKind::Text => kind == "string",
            ColumnKind::Timestamp => kind == "date-time",
            ColumnKind::Json => !["string", "integer", "boolean"].contains(&kind.as_str()),
            ColumnKind::Plain(_) => false,
        };
        if kinds.is_empty() {
            add(format!("`{path}` of {} is not published", column.name));
        } else if !kinds.iter().any(fits) {
            add(format!(
                "`{path}` of {} is {}",
                column.name,
                kinds.join(" or ")
            ));
        }
    }
    let named = is_filtered(column) || column.sort;
    for field in [&column.filter.field, &column.filter.null_field] {
        if named
            && !rows
                .iter()
                .any(|schema| facts.kind(schema, field).is_some())
        {
            add(format!("`{field}` of `q` is not published"));
        }
    }
}

/// The schemas of which an embedded object is told by a column or two: the rows of other tables, and people.
fn embedded(facts: &Facts) -> BTreeSet<String> {
    let of_tables = tables().iter().flat_map(|table| rows(facts, table));
    let of_kinds = ["account", "base_commit", "comment"].into_iter();
    let of_kinds = of_kinds.flat_map(|name| {
        let kinds = facts.schemas[name].kinds.iter().cloned();
        kinds.chain([name.to_owned()])
    });
    of_tables.chain(of_kinds).collect()
}

/// The places of everything that an object of a schema holds; what is embedded counts as one place.
fn leaves(facts: &Facts, schema: &str, embedded: &BTreeSet<String>) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for (member, kind) in facts.members(schema) {
        match kind.strip_prefix('#') {
            Some(inner) if !embedded.contains(inner) && inner != schema => {
                let inner = leaves(facts, inner, embedded).into_iter();
                all.extend(inner.map(|leaf| format!("{member}.{leaf}")));
            }
            _ => {
                all.insert(member.to_owned());
            }
        }
    }
    all
}

/// Whether a leaf is a column, or lies inside a JSON column or around one.
fn has_column(table: &TableSpec, leaf: &str) -> bool {
    table.columns.iter().any(|column| {
        let mut paths = column.origin.paths().into_iter().map(|path| path.join("."));
        paths.any(|path| {
            leaf == path
                || is_within(&path, leaf)
                || (column.kind == ColumnKind::Json && is_within(leaf, &path))
        })
    })
}

/// What the sandbox sends of a table's rows beyond what is published, and no column reads.
fn unread(facts: &Facts, table: &TableSpec, sandbox: &Sandbox) -> BTreeSet<String> {
    let Some(kind) = kind(table) else {
        return BTreeSet::new();
    };
    let embedded = embedded(facts);
    let rows = rows(facts, table);
    let published: BTreeSet<_> = rows
        .iter()
        .flat_map(|schema| leaves(facts, schema, &embedded))
        .collect();
    let is_published = |leaf: &str| {
        let mut published = published.iter();
        published.any(|known| leaf == known || is_within(leaf, known))
    };
    let mut sent = BTreeSet::new();
    for row in sandbox.snapshot(kind, "acme") {
        add_sent(&row.value, "", &mut sent);
    }
    assert!(
        !sent.is_empty(),
        "the sandbox has no rows of {}",
        table.name
    );
    let unread = sent
        .iter()
        .filter(|leaf| !is_published(leaf) && !has_column(table, leaf));
    unread
        .map(|leaf| format!("{}: `{leaf}` has no column", table.name))
        .collect()
}

/// The sandbox's name of a table's rows; none of those that are nowhere by themselves.
fn kind(table: &TableSpec) -> Option<Kind> {
    let kind = match table.name.as_str() {
        "PullRequestParticipants" | "PullRequestReviewers" | "PullRequestDiffstat" => return None,
        "Users" => Kind::WorkspaceMembers,
        "WorkspacePipelineVariables" => Kind::WorkspaceVariables,
        "DeploymentVariables" => Kind::EnvironmentVariables,
        "Runners" => Kind::PipelineRunners,
        "BranchingModel" => Kind::BranchingModels,
        "EffectiveBranchingModel" => Kind::EffectiveBranchingModels,
        name => {
            let mut snake_case = String::new();
            for letter in name.chars() {
                if letter.is_ascii_uppercase() && !snake_case.is_empty() {
                    snake_case.push('_');
                }
                snake_case.push(letter.to_ascii_lowercase());
            }
            serde_json::from_value(snake_case.into()).unwrap()
        }
    };
    Some(kind)
}

/// Adds the places of an object as it was sent.
fn add_sent(value: &Value, path: &str, sent: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (name, member) in members {
                let dot = if path.is_empty() { "" } else { "." };
                add_sent(member, &format!("{path}{dot}{name}"), sent);
            }
        }
        // What a missing object would hold is seen where there is one.
        Value::Null | Value::Object(_) => {}
        _ => {
            sent.insert(path.to_owned());
        }
    }
}

/// What is published where it can be read: beside this repository, in `shared/`.
fn specification() -> Option<Value> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    let text = std::fs::read_to_string(root.join("shared/bitbucket/openapi.json")).ok()?;
    Some(serde_json::from_str(&text).unwrap())
}

/// `cargo x specs --update` takes them anew.
#[test]
fn the_facts_are_those_of_the_specification() {
    let Some(specification) = specification() else {
        eprintln!("\n\n######## THE FACTS ARE NOT HELD AGAINST THE SPECIFICATION ########");
        eprintln!("there is no ../shared/bitbucket/openapi.json; facts.json is believed\n\n");
        return;
    };
    let reduced = Facts::reduce(&specification, &paths());
    if std::env::var_os("UPDATE_SPECS").is_some() {
        reduced.write();
    }
    assert!(
        reduced == Facts::read(),
        "facts.json is not what ../shared/bitbucket/openapi.json says: `cargo x specs --update`, and look at what changed"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tables_are_what_is_published_and_sent() {
    let facts = Facts::read();
    let sandbox = sandbox(|_| {}).await;
    let mut found = differences(&facts);
    for table in tables() {
        found.extend(unread(&facts, table, &sandbox));
    }
    let problems = Differences::read().judge(&found);
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_asked_for_that_is_not_published() {
    let facts = Facts::read();
    let sandbox = walk::small().await;
    for credential in [basic(), bearer()] {
        let client = connect(&sandbox, credential);
        client
            .scan(client.request("Workspaces", &["*"]))
            .await
            .unwrap();
    }
    walk::walk(&connect(&sandbox, basic()), &sandbox, 5).await;
    let mut problems = BTreeSet::new();
    let mut asked = BTreeSet::new();
    for logged in sandbox.requests() {
        let url = Url::parse(&format!("{}{}", sandbox.origin(), logged.target)).unwrap();
        let path = url.path().strip_prefix("/2.0").unwrap();
        if logged.target.contains(OF_THE_SERVICE) {
            continue;
        }
        let Some((published, operation)) = facts.operation(path) else {
            problems.insert(format!("there is no {path}"));
            continue;
        };
        asked.insert(published.clone());
        let of_tables = tables().iter().filter(|table| {
            let of_table = facts.operation(self::path(table));
            of_table.is_some_and(|(path, _)| path == published)
        });
        let of_tables: BTreeSet<&str> = of_tables.flat_map(|table| sent(table)).collect();
        for (name, _) in url.query_pairs() {
            let name = name.as_ref();
            let known = GENERAL.contains(&name)
                || operation.parameters.contains_key(name)
                || of_tables.contains(name);
            if !known {
                problems.insert(format!("{published} has no parameter `{name}`"));
            }
        }
    }
    let unasked = facts
        .operations
        .keys()
        .filter(|path| !asked.contains(*path));
    problems.extend(unasked.map(|path| format!("{path} was never asked for")));
    assert!(problems.is_empty(), "\n{problems:#?}");
}
