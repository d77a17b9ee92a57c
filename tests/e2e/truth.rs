//! What the tables of Bitbucket should hold, worked out from the sandbox's own objects: each column by the place
//! that its table file declares, without any of the code that reads answers.

use std::collections::{BTreeMap, BTreeSet};

use bucketline_sandbox::{Kind, Sandbox, Snapshot};
use bucketline_source::spec::{ChildRows, ColumnKind, Heads, Origin, Parent, ParentTable};
use bucketline_source::{ColumnSpec, TableSpec};
use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::world::World;

/// The columns of a row by index, as text.
pub(crate) type Row = Vec<Option<String>>;

/// Rows by key.
pub(crate) type Rows = BTreeMap<String, Row>;

/// Columns that the sandbox's objects do not tell, and why.
const UNTOLD: [(&str, &str, &str); 1] = [(
    "Workspaces",
    "Administrator",
    "it is said of the credential, in the list of its workspaces",
)];

/// Tables named otherwise than the sandbox's kind of objects.
const KINDS: [(&str, Kind); 6] = [
    ("Users", Kind::WorkspaceMembers),
    ("WorkspacePipelineVariables", Kind::WorkspaceVariables),
    ("DeploymentVariables", Kind::EnvironmentVariables),
    ("Runners", Kind::PipelineRunners),
    ("BranchingModel", Kind::BranchingModels),
    ("EffectiveBranchingModel", Kind::EffectiveBranchingModels),
];

/// The sandbox's kind of a table's objects.
fn kind(table: &TableSpec) -> Kind {
    if let Some((_, kind)) = KINDS.iter().find(|(name, _)| *name == table.name) {
        return *kind;
    }
    let mut name = String::new();
    for letter in table.name.chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.extend(letter.to_lowercase());
    }
    serde_json::from_value(Value::String(name))
        .unwrap_or_else(|_| panic!("the sandbox has no kind for {}", table.name))
}

/// The columns that are compared.
fn told(table: &TableSpec) -> Vec<usize> {
    let untold = |column: &ColumnSpec| {
        UNTOLD
            .iter()
            .any(|(of, name, _)| *of == table.name && *name == column.name)
    };
    (0..table.columns.len())
        .filter(|index| !untold(&table.columns[*index]))
        .collect()
}

/// An object of a table, with the values of the object that it hangs on.
struct Object {
    snapshot: Snapshot,
    above: Option<Row>,
}

/// The rows that a table should have.
pub(crate) fn rows(sandbox: &Sandbox, workspace: &str, table: &TableSpec) -> Rows {
    let objects = objects(sandbox, workspace, table);
    let rows = objects.iter().map(|object| row(workspace, table, object));
    // What is deleted and still listed is left out.
    let is_there = |row: &Row| {
        let deleted = table.deleted.and_then(|column| row[column].as_deref());
        deleted != Some("1")
    };
    let rows = rows.filter(is_there);
    rows.map(|row| (key(table, &row), row)).collect()
}

fn objects(sandbox: &Sandbox, workspace: &str, table: &TableSpec) -> Vec<Object> {
    let Some(parent) = &table.parent else {
        let snapshots = sandbox.snapshot(kind(table), workspace);
        let alone = |snapshot| Object {
            snapshot,
            above: None,
        };
        let mut objects: Vec<Object> = snapshots.into_iter().map(alone).collect();
        if let Some(heads) = &table.heads {
            let reached = reached(&objects, &rows(sandbox, workspace, &heads.table), heads);
            objects.retain(|object| reached.contains(&commit(&object.snapshot)));
        }
        return objects;
    };
    let parents = objects(sandbox, workspace, &parent.table);
    match &parent.rows {
        ChildRows::Nested { column } => parents
            .iter()
            .flat_map(|above| members(workspace, parent, above, *column))
            .collect(),
        ChildRows::Listed { bind } => {
            // What names the parent itself stands last in the path.
            let place = |placeholder: &str| table.path.find(&format!("{{{placeholder}}}"));
            let (_, name) = bind.iter().max_by_key(|(name, _)| place(name)).unwrap();
            let by_name: BTreeMap<_, _> = parents
                .iter()
                .map(|above| {
                    let values = row(workspace, &parent.table, above);
                    let repository = above.snapshot.repository_uuid.clone();
                    ((repository, values[*name].clone()), values)
                })
                .collect();
            let snapshots = sandbox.snapshot(kind(table), workspace).into_iter();
            snapshots
                .filter_map(|snapshot| {
                    let name = (snapshot.repository_uuid.clone(), snapshot.parent.clone());
                    let above = Some(by_name.get(&name)?.clone());
                    Some(Object { snapshot, above })
                })
                .collect()
        }
    }
}

/// A commit of a repository.
type Commit = (Option<String>, String);

fn commit(snapshot: &Snapshot) -> Commit {
    let hash = snapshot.value["hash"].as_str().unwrap();
    (snapshot.repository_uuid.clone(), hash.to_owned())
}

/// The commits that branches reach; the sandbox tells those of tags as well.
fn reached(commits: &[Object], branches: &Rows, heads: &Heads) -> BTreeSet<Commit> {
    let parents: BTreeMap<Commit, &Value> = commits
        .iter()
        .map(|object| (commit(&object.snapshot), &object.snapshot.value["parents"]))
        .collect();
    let repository = heads.table.column("RepositoryUUID").unwrap();
    let mut next: Vec<Commit> = branches
        .values()
        .map(|row| (row[repository].clone(), row[heads.hash].clone().unwrap()))
        .collect();
    let mut reached = BTreeSet::new();
    while let Some(commit) = next.pop() {
        if !reached.insert(commit.clone()) {
            continue;
        }
        let above = parents[&commit].as_array().into_iter().flatten();
        let hash = |parent: &Value| parent["hash"].as_str().unwrap().to_owned();
        next.extend(above.map(|parent| (commit.0.clone(), hash(parent))));
    }
    reached
}

/// What a member of a parent's object holds.
fn members(workspace: &str, parent: &ParentTable, above: &Object, column: usize) -> Vec<Object> {
    let Origin::Row(path) = &parent.table.columns[column].origin else {
        unreachable!("a list is at one place");
    };
    let values = row(workspace, &parent.table, above);
    let list = at(&above.snapshot.value, path).and_then(Value::as_array);
    let members = list.into_iter().flatten();
    members
        .map(|member| Object {
            snapshot: Snapshot {
                value: member.clone(),
                ..above.snapshot.clone()
            },
            above: Some(values.clone()),
        })
        .collect()
}

fn row(workspace: &str, table: &TableSpec, object: &Object) -> Row {
    let Object { snapshot, above } = object;
    let cell = |column: &ColumnSpec| {
        let found = match &column.origin {
            Origin::Parent(Parent::Workspace) => Some(workspace.to_owned()),
            Origin::Parent(Parent::Repository) => snapshot.repository.clone(),
            Origin::Parent(Parent::RepositoryUuid) => snapshot.repository_uuid.clone(),
            Origin::Up(index) => above.as_ref().and_then(|above| above[*index].clone()),
            Origin::Row(path) => text(column.kind, at(&snapshot.value, path)),
            Origin::First(paths) => {
                let mut values = paths.iter().map(|path| at(&snapshot.value, path));
                values.find_map(|value| text(column.kind, value))
            }
            Origin::Member(names) => {
                let mut names = names.iter();
                let there = names.find(|name| snapshot.value.get(name).is_some());
                there.cloned()
            }
        };
        found.or_else(|| column.otherwise.clone())
    };
    table.columns.iter().map(cell).collect()
}

fn at<'v>(value: &'v Value, path: &[String]) -> Option<&'v Value> {
    path.iter().try_fold(value, |value, name| value.get(name))
}

/// A value as SQLite holds it.
fn text(kind: ColumnKind, value: Option<&Value>) -> Option<String> {
    Some(match (kind, value?) {
        (_, Value::Null) => return None,
        (ColumnKind::Bool, Value::Bool(value)) => u8::from(*value).to_string(),
        (ColumnKind::Timestamp, Value::String(text)) => {
            let time: DateTime<Utc> = text.parse().unwrap();
            time.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
        }
        (ColumnKind::Text, Value::String(text)) => text.clone(),
        (_, value) => {
            let mut value = value.clone();
            value.sort_all_objects();
            value.to_string()
        }
    })
}

/// What tells a row apart.
pub(crate) fn key(table: &TableSpec, row: &Row) -> String {
    let parts = table.key.iter().map(|index| row[*index].clone());
    let parts: Vec<_> = parts.map(Option::unwrap_or_default).collect();
    parts.join(" ")
}

/// The rows of a table's copy of that name.
pub(crate) fn copy(world: &World, table: &TableSpec, name: &str) -> Rows {
    let select = format!("SELECT {} FROM \"{name}\"", columns(table));
    let mut rows = Rows::new();
    for record in world.store.rows(&select).unwrap() {
        let row = copied(table, record);
        let key = key(table, &row);
        let double = rows.insert(key.clone(), row);
        assert!(double.is_none(), "{name} holds {key} twice");
    }
    rows
}

/// The columns of a table, as a query of its copy names them.
pub(crate) fn columns(table: &TableSpec) -> String {
    let columns = table.columns.iter();
    let columns: Vec<_> = columns
        .map(|column| format!("\"{}\"", column.name))
        .collect();
    columns.join(", ")
}

/// A row that a destination holds, with the same value written in the same way.
pub(crate) fn copied(table: &TableSpec, record: Row) -> Row {
    let cell = |(column, text): (&ColumnSpec, Option<String>)| match column.kind {
        ColumnKind::Json => text.map(|text| {
            let mut value: Value = serde_json::from_str(&text).unwrap();
            value.sort_all_objects();
            value.to_string()
        }),
        _ => text,
    };
    table.columns.iter().zip(record).map(cell).collect()
}

/// One way in which a table is not as it should be.
#[derive(Debug, Clone)]
pub(crate) struct Difference {
    /// The row as it should be, or as it is if it should not be.
    pub(crate) row: Row,
    pub(crate) what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    Lacks,
    /// The source has no such row.
    Leftover,
    /// The value of a column is another.
    Differs(usize),
}

impl Difference {
    /// It in words.
    pub(crate) fn of(&self, table: &TableSpec) -> String {
        let (name, key) = (&table.name, key(table, &self.row));
        match self.what {
            What::Lacks => format!("{name} lacks {key}"),
            What::Leftover => format!("{name} has {key}, which the source does not"),
            What::Differs(column) => {
                let (column, value) = (&table.columns[column].name, &self.row[column]);
                format!("{name} {key}: {column} should be {value:?}")
            }
        }
    }
}

/// How a table's rows differ from those it should have.
pub(crate) fn differences(table: &TableSpec, copy: &Rows, truth: &Rows) -> Vec<Difference> {
    let told = told(table);
    let mut differences = Vec::new();
    for (key, row) in truth {
        let mut add = |what| {
            let row = row.clone();
            differences.push(Difference { row, what });
        };
        match copy.get(key) {
            None => add(What::Lacks),
            Some(found) => {
                let others = told.iter().filter(|index| found[**index] != row[**index]);
                others.for_each(|index| add(What::Differs(*index)));
            }
        }
    }
    let more = copy.iter().filter(|(key, _)| !truth.contains_key(*key));
    differences.extend(more.map(|(_, row)| Difference {
        row: row.clone(),
        what: What::Leftover,
    }));
    differences
}
