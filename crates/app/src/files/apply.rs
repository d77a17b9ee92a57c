//! How a store is brought to what files say.

use std::fmt;

use bucketline_core::{Error, Result, code};

use super::{Application, without_numbers};
use crate::store::Change;
use crate::{Connection, Job, Revision, Store, Task, name};

/// What differs between files and a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What would be done, or was.
    pub kind: DifferenceKind,
    /// `connection` or `job`.
    pub what: &'static str,
    /// Its name.
    pub name: String,
}

/// What is done about a difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DifferenceKind {
    /// It is only in the files, and is added.
    Add,
    /// It differs in these fields, and is changed.
    Change(Vec<String>),
    /// It is only in the store, and is removed.
    Remove,
    /// It is only in the store, and stays.
    Keep,
}

/// `change job Nightly: schedule, tasks[2]`
impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, what, name } = self;
        match kind {
            DifferenceKind::Add => write!(f, "add {what} {name}"),
            DifferenceKind::Change(fields) => {
                write!(f, "change {what} {name}: {}", fields.join(", "))
            }
            DifferenceKind::Remove => write!(f, "remove {what} {name}"),
            DifferenceKind::Keep => write!(f, "keep {what} {name}, which is not in the files"),
        }
    }
}

/// What [`apply`] would do. `removes` says whether it removes what the files do not have.
///
/// # Errors
/// If the store cannot be read.
pub async fn plan(
    store: &dyn Store,
    wanted: &Application,
    removes: bool,
) -> Result<Vec<Difference>> {
    Ok(differences(&Application::of(store).await?, wanted, removes))
}

/// Brings a store to what files say. Tasks that stay keep their history: those with the same statement, else those that
/// write the same table. Returns what was done; nothing, if it is applied again.
///
/// # Errors
/// If the store refuses a change. What was changed before stays so, and applying it again does the rest.
pub async fn apply(
    store: &dyn Store,
    wanted: &Application,
    removes: bool,
    change: &Change,
) -> Result<Vec<Difference>> {
    let differences = plan(store, wanted, removes).await?;
    let of = |what: &'static str| differences.iter().filter(move |it| it.what == what);
    for difference in of("connection") {
        let found = wanted
            .connections
            .iter()
            .find(|it| same(&it.name, &difference.name));
        match (&difference.kind, found) {
            (DifferenceKind::Add, Some(connection)) => {
                store.create_connection(connection, change).await?;
            }
            (DifferenceKind::Change(_), Some(connection)) => {
                change_connection(store, connection, change).await?;
            }
            _ => {}
        }
    }
    for difference in of("job") {
        let found = wanted
            .jobs
            .iter()
            .find(|it| same(&it.name, &difference.name));
        match (&difference.kind, found) {
            (DifferenceKind::Add, Some(job)) => drop(store.create_job(job, change).await?),
            (DifferenceKind::Change(_), Some(job)) => change_job(store, job, change).await?,
            _ => {}
        }
    }
    let removed = of("job").filter(|it| it.kind == DifferenceKind::Remove);
    remove_jobs(store, removed.map(|it| it.name.as_str()).collect(), change).await?;
    // Last, since jobs used them.
    for difference in of("connection").filter(|it| it.kind == DifferenceKind::Remove) {
        let found = store.connection(&difference.name).await?;
        let found = found
            .ok_or_else(|| gone("connection", &difference.name))?
            .connection;
        store
            .delete_connection(found.id, found.revision, change)
            .await?;
    }
    Ok(differences)
}

/// Removes jobs, those first that no other names as what follows it.
async fn remove_jobs(store: &dyn Store, mut names: Vec<&str>, change: &Change) -> Result<()> {
    while !names.is_empty() {
        let mut left = Vec::new();
        let mut refusal = None;
        for name in &names {
            let found = store
                .job_named(name)
                .await?
                .ok_or_else(|| gone("job", name))?
                .job;
            match store.delete_job(found.id, found.revision, change).await {
                Ok(()) => {}
                Err(error) if error.code() == code::store::IN_USE => {
                    left.push(*name);
                    refusal = Some(error);
                }
                Err(error) => return Err(error),
            }
        }
        match refusal {
            Some(refusal) if left.len() == names.len() => return Err(refusal),
            _ => names = left,
        }
    }
    Ok(())
}

fn gone(what: &str, name: &str) -> Error {
    let message = format!("the {what} `{name}` was removed meanwhile");
    Error::new(code::store::CHANGED, message).with_hint("apply the files again")
}

fn same(one: &str, other: &str) -> bool {
    name::key(one) == name::key(other)
}

async fn change_connection(store: &dyn Store, wanted: &Connection, change: &Change) -> Result<()> {
    let found = store.connection(&wanted.name).await?;
    let found = found
        .ok_or_else(|| gone("connection", &wanted.name))?
        .connection;
    let revision: Revision = found.revision;
    store
        .replace_connection(found.id, wanted, revision, change)
        .await?;
    Ok(())
}

async fn change_job(store: &dyn Store, wanted: &Job, change: &Change) -> Result<()> {
    let found = store.job_named(&wanted.name).await?;
    let found = found.ok_or_else(|| gone("job", &wanted.name))?.job;
    let mut job = wanted.clone();
    number_tasks(&mut job.tasks, &found.value.tasks);
    store
        .replace_job(found.id, &job, found.revision, change)
        .await?;
    Ok(())
}

/// Gives tasks the numbers of those that they were.
fn number_tasks(tasks: &mut [Task], before: &[Task]) {
    type Likeness = fn(&Task, &Task) -> bool;
    let likenesses: [Likeness; 2] = [
        |one, other| one.statement == other.statement,
        |one, other| {
            let table = one.table().map(|table| name::key(&table));
            table.is_some() && table == other.table().map(|table| name::key(&table))
        },
    ];
    for is_like in likenesses {
        for index in 0..tasks.len() {
            let is_free = |known: &&Task| !tasks.iter().any(|task| task.id == known.id);
            if tasks[index].id.is_none() {
                let mut known = before.iter().filter(is_free);
                tasks[index].id = known
                    .find(|known| is_like(known, &tasks[index]))
                    .and_then(|it| it.id);
            }
        }
    }
}

fn differences(found: &Application, wanted: &Application, removes: bool) -> Vec<Difference> {
    let mut differences = Vec::new();
    let mut add = |what, name: &str, kind| {
        differences.push(Difference {
            kind,
            what,
            name: name.to_owned(),
        });
    };
    let surplus = match removes {
        true => DifferenceKind::Remove,
        false => DifferenceKind::Keep,
    };
    for connection in &wanted.connections {
        match found
            .connections
            .iter()
            .find(|it| same(&it.name, &connection.name))
        {
            None => add("connection", &connection.name, DifferenceKind::Add),
            Some(known) if known == connection => {}
            Some(known) => {
                let fields = connection_fields(known, connection);
                add(
                    "connection",
                    &connection.name,
                    DifferenceKind::Change(fields),
                );
            }
        }
    }
    for connection in &found.connections {
        if !wanted
            .connections
            .iter()
            .any(|it| same(&it.name, &connection.name))
        {
            add("connection", &connection.name, surplus.clone());
        }
    }
    for job in &wanted.jobs {
        let job = without_numbers(job.clone());
        match found.jobs.iter().find(|it| same(&it.name, &job.name)) {
            None => add("job", &job.name, DifferenceKind::Add),
            Some(known) if *known == job => {}
            Some(known) => add(
                "job",
                &job.name,
                DifferenceKind::Change(job_fields(known, &job)),
            ),
        }
    }
    for job in &found.jobs {
        if !wanted.jobs.iter().any(|it| same(&it.name, &job.name)) {
            add("job", &job.name, surplus.clone());
        }
    }
    differences
}

/// The fields in which two connections differ. Values are not told.
fn connection_fields(one: &Connection, other: &Connection) -> Vec<String> {
    let mut fields = Vec::new();
    if one.name != other.name {
        fields.push("name".to_owned());
    }
    let names = one.properties.keys().chain(other.properties.keys());
    let mut names: Vec<_> = names
        .filter(|name| one.properties.get(*name) != other.properties.get(*name))
        .collect();
    names.sort();
    names.dedup();
    fields.extend(names.into_iter().cloned());
    if one.labels != other.labels {
        fields.push("labels".to_owned());
    }
    fields
}

/// The fields in which two jobs differ.
fn job_fields(one: &Job, other: &Job) -> Vec<String> {
    let same = [
        ("name", one.name == other.name),
        ("source", one.source == other.source),
        ("destination", one.destination == other.destination),
        ("kind", one.kind == other.kind),
        ("schedule", one.schedule == other.schedule),
        ("options", one.options == other.options),
        ("labels", one.labels == other.labels),
        ("retry", one.retry == other.retry),
        ("limits", one.limits == other.limits),
        ("after", one.after == other.after),
        ("pause_after", one.pause_after == other.pause_after),
        ("keep", one.keep == other.keep),
    ];
    let mut fields: Vec<String> = Vec::new();
    fields.extend(
        same.iter()
            .filter(|(_, same)| !same)
            .map(|(field, _)| (*field).to_owned()),
    );
    for index in 0..one.tasks.len().max(other.tasks.len()) {
        if one.tasks.get(index) != other.tasks.get(index) {
            fields.push(format!("tasks[{index}]"));
        }
    }
    fields
}
