//! How connections and jobs are laid out in texts.

use std::collections::BTreeMap;

use bucketline_core::{Error, Result, code};
use serde::{Deserialize, Serialize};

use super::{Application, Texts};
use crate::{Connection, Job, Problem, Problems, Task, name};

/// Stands above connections whose secrets are in the store.
const KEPT_SECRETS: &str = "# \"***\" stands for a secret that only the store has. In another store it has to be entered again.\n\n";

/// `application.toml`.
#[derive(Serialize, Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    connections: BTreeMap<String, toml::Table>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    labels: BTreeMap<String, Vec<String>>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    jobs: BTreeMap<String, toml::Table>,
}

/// A task in `application.toml`: its statement is there, or in a file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileTask {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    statement: Option<String>,
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    enabled: bool,
}

fn yes() -> bool {
    true
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands out references"
)]
fn is_yes(value: &bool) -> bool {
    *value
}

impl Application {
    /// The texts of its files.
    ///
    /// # Errors
    /// If a connection holds a secret itself, which no file may.
    pub fn to_texts(&self) -> Result<Texts> {
        let mut file = File::default();
        let mut sql = BTreeMap::new();
        for connection in &self.connections {
            let problems = connection.file_problems();
            Problems::check(&format!("connection {}", connection.name), problems)?;
            let properties = connection.properties.iter();
            let table = properties.map(|(name, value)| (name.clone(), value.clone().into()));
            file.connections
                .insert(connection.name.clone(), table.collect());
            if !connection.labels.is_empty() {
                file.labels
                    .insert(connection.name.clone(), connection.labels.clone());
            }
        }
        for job in &self.jobs {
            file.jobs
                .insert(job.name.clone(), job_table(job, &mut sql)?);
        }
        let mut toml = toml::to_string(&file).map_err(unwritable)?;
        if self
            .connections
            .iter()
            .any(|it| it.kept_secrets().next().is_some())
        {
            toml.insert_str(0, KEPT_SECRETS);
        }
        Ok(Texts { toml, sql })
    }
}

fn unwritable(error: toml::ser::Error) -> Error {
    Error::new(
        code::store::DEFECT,
        "the application cannot be written as TOML",
    )
    .with_source(error)
}

/// What a job says that is not so anyway.
fn job_table(job: &Job, sql: &mut BTreeMap<String, String>) -> Result<toml::Table> {
    let table = |job: &Job| toml::Table::try_from(job).map_err(unwritable);
    let mut own = table(job)?;
    let usual = table(&Job::new("", "", ""))?;
    own.retain(|key, value| usual.get(key) != Some(value));
    own.remove("name");
    own.remove("tasks");
    let folder = folder_name(&job.name, sql);
    let mut tasks = Vec::new();
    for (number, task) in (1..).zip(&job.tasks) {
        let subject = task.table().unwrap_or_default();
        let path = format!("{folder}/{number}-{}.sql", file_name(&subject));
        sql.insert(path.clone(), task.statement.clone());
        let task = FileTask {
            file: Some(path),
            statement: None,
            enabled: task.enabled,
        };
        tasks.push(toml::Value::try_from(task).map_err(unwritable)?);
    }
    if !tasks.is_empty() {
        own.insert("tasks".to_owned(), tasks.into());
    }
    Ok(own)
}

/// The name of a job as that of a folder, which no other job has: also where the case of letters does not count.
fn folder_name(job: &str, sql: &BTreeMap<String, String>) -> String {
    let name = file_name(job);
    let is_taken = |name: &str| {
        let start = name::key(&format!("{name}/"));
        sql.keys().any(|path| name::key(path).starts_with(&start))
    };
    let mut number = 1;
    let mut free = name.clone();
    while is_taken(&free) {
        number += 1;
        free = format!("{name}-{number}");
    }
    free
}

/// A name as every file system takes it.
fn file_name(name: &str) -> String {
    let letters = name.chars().map(|letter| match letter {
        letter if letter.is_ascii_alphanumeric() || "-_".contains(letter) => letter,
        _ => '_',
    });
    let name: String = letters.take(60).collect();
    if name.is_empty() {
        "_".to_owned()
    } else {
        name
    }
}

impl Texts {
    /// The paths of the `.sql` files that `application.toml` names.
    ///
    /// # Errors
    /// If it cannot be read, or names a file outside its folder.
    pub fn sql_paths(toml: &str) -> Result<Vec<String>> {
        let mut problems = Vec::new();
        let mut paths = Vec::new();
        for (name, table) in parse(toml)?.jobs {
            for (index, task) in file_tasks(&name, &table)?.into_iter().enumerate() {
                let Some(path) = task.file else { continue };
                match is_below(&path) {
                    true => paths.push(path),
                    false => problems.push(
                        Problem::new(
                            format!("jobs.{name}.tasks[{index}].file"),
                            code::model::BAD_NAME,
                            format!("`{path}` is not a file below the folder"),
                        )
                        .with_hint("give a relative path without `..`"),
                    ),
                }
            }
        }
        Problems::check("application.toml", problems)?;
        Ok(paths)
    }

    /// What the files say.
    ///
    /// # Errors
    /// All that is wrong with them.
    pub fn read(&self) -> Result<Application> {
        let mut file = parse(&self.toml)?;
        let mut application = Application::default();
        let mut problems = Vec::new();
        for (name, table) in file.connections {
            let place = format!("connections.{name}");
            let mut properties = BTreeMap::new();
            for (property, value) in table {
                match scalar(value) {
                    Some(value) => drop(properties.insert(property, value)),
                    None => problems.push(Problem::new(
                        format!("{place}.{property}"),
                        code::model::BAD_FILE,
                        "the value is not a text, a number or a boolean",
                    )),
                }
            }
            let connection = Connection {
                labels: file.labels.remove(&name).unwrap_or_default(),
                name,
                properties,
            };
            problems.extend(below(&place, connection.file_problems()));
            application.connections.push(connection);
        }
        for name in file.labels.keys() {
            let message = "there is no such connection in the file";
            problems.push(Problem::new(
                format!("labels.{name}"),
                code::model::BAD_REFERENCE,
                message,
            ));
        }
        for (name, table) in file.jobs {
            match self.job(&name, table) {
                Ok(job) => {
                    problems.extend(below(&format!("jobs.{name}"), job.problems()));
                    application.jobs.push(job);
                }
                Err(problem) => problems.push(*problem),
            }
        }
        problems.extend(doubles(
            "connections",
            application.connections.iter().map(|it| &it.name),
        ));
        problems.extend(doubles("jobs", application.jobs.iter().map(|it| &it.name)));
        Problems::check("application.toml", problems)?;
        Ok(application)
    }

    fn job(&self, name: &str, mut table: toml::Table) -> Result<Job, Box<Problem>> {
        let place = format!("jobs.{name}");
        let wrong = |place: String, message: String| {
            Box::new(Problem::new(place, code::model::BAD_FILE, message))
        };
        let tasks =
            file_tasks(name, &table).map_err(|error| wrong(place.clone(), error.to_string()))?;
        table.remove("tasks");
        if table.insert("name".to_owned(), name.into()).is_some() {
            let message = "the job's name stands in the table's head".to_owned();
            return Err(wrong(format!("{place}.name"), message));
        }
        let mut job: Job = table
            .try_into()
            .map_err(|error: toml::de::Error| wrong(place.clone(), error.message().to_owned()))?;
        for (index, task) in tasks.into_iter().enumerate() {
            let place = format!("{place}.tasks[{index}]");
            let statement = match (task.statement, task.file) {
                (Some(statement), None) => statement,
                (None, Some(path)) => match self.sql.get(&path) {
                    Some(text) => text.clone(),
                    None => {
                        return Err(wrong(
                            format!("{place}.file"),
                            format!("there is no file `{path}`"),
                        ));
                    }
                },
                _ => {
                    let message = "a task has a file or a statement, one of them".to_owned();
                    return Err(wrong(place, message));
                }
            };
            job.tasks.push(Task {
                enabled: task.enabled,
                ..Task::new(statement)
            });
        }
        Ok(job)
    }
}

fn parse(toml: &str) -> Result<File> {
    toml::from_str(toml).map_err(|error| {
        let line = error
            .span()
            .map_or(1, |span| toml[..span.start].matches('\n').count() + 1);
        // The parser's message quotes values, which may be secrets; its first line does not, but for types.
        let message =
            format!("application.toml, line {line}: this is not the TOML that is expected");
        Error::new(code::model::INVALID, message)
            .with_hint("it has the tables connections, labels and jobs")
            .with_source(error)
    })
}

fn file_tasks(job: &str, table: &toml::Table) -> Result<Vec<FileTask>> {
    let Some(tasks) = table.get("tasks") else {
        return Ok(Vec::new());
    };
    tasks.clone().try_into().map_err(|error: toml::de::Error| {
        let message = format!("the tasks of `{job}` are not a list of files and statements");
        Error::new(code::model::INVALID, message).with_source(error)
    })
}

/// Whether a path leads to a file below the folder that it is relative to.
fn is_below(path: &str) -> bool {
    let mut parts = path.split('/');
    !path.contains(['\\', ':', '\0'])
        && path.ends_with(".sql")
        && parts.all(|part| !part.is_empty() && part != "." && part != "..")
}

fn below(place: &str, problems: Vec<Problem>) -> impl Iterator<Item = Problem> {
    let place = place.to_owned();
    problems.into_iter().map(move |problem| Problem {
        place: format!("{place}.{}", problem.place),
        ..problem
    })
}

/// Names that differ in the case of letters at most.
fn doubles<'a>(table: &str, names: impl Iterator<Item = &'a String>) -> Vec<Problem> {
    let mut seen: Vec<String> = Vec::new();
    let mut problems = Vec::new();
    for name in names {
        let key = name::key(name);
        if seen.contains(&key) {
            let message = "the name is given twice; the case of letters does not count";
            problems.push(Problem::new(
                format!("{table}.{name}"),
                code::model::GIVEN_TWICE,
                message,
            ));
        }
        seen.push(key);
    }
    problems
}

fn scalar(value: toml::Value) -> Option<String> {
    Some(match value {
        toml::Value::String(text) => text,
        toml::Value::Integer(number) => number.to_string(),
        toml::Value::Float(number) => number.to_string(),
        toml::Value::Boolean(value) => value.to_string(),
        _ => return None,
    })
}
