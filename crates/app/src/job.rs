//! What is replicated, from where to where, and when.

use std::collections::BTreeMap;

use bucketline_core::code;
use bucketline_sql::{
    Ident, OptionName, Options, Parameters, Position, ReplicateOption, Span, Statement, Value,
    parse_script_with,
};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::schedule::{self, Cron, Schedule};
use crate::task::written_table;
use crate::{JobId, Problem, Run, Stored, Task, TaskId, name};

/// Tasks that a job may have.
const MOST_TASKS: usize = 1000;

/// Ordered tasks between one source and one destination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// What people call it.
    pub name: String,
    /// The connection that the tasks read.
    pub source: String,
    /// The connection that they write.
    pub destination: String,
    /// Whether new tables of the source become tasks.
    #[serde(default)]
    pub kind: JobKind,
    /// In the order in which they run.
    #[serde(default)]
    pub tasks: Vec<Task>,
    /// When it runs by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<JobSchedule>,
    /// Options of REPLICATE that count where a task does not give them, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, String>,
    /// What people sort jobs by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// How often a run that did not succeed is tried again.
    #[serde(default)]
    pub retry: Retry,
    /// What a run may use.
    #[serde(default)]
    pub limits: JobLimits,
    /// What follows a run, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<FollowUp>,
    /// Failed runs in a row after which the schedule pauses; 0 is never.
    #[serde(default = "pause_after")]
    pub pause_after: u32,
    /// How long its history is kept, where that differs from the application's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep: Option<Keep>,
}

fn pause_after() -> u32 {
    10
}

/// Whether a job's tasks are only those that people gave it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum JobKind {
    /// Its tasks are those that people gave it.
    #[default]
    Standard,
    /// Each run first looks for tables of the source that have no task, and appends one for each.
    SyncAll {
        /// Tables of the source that get no task, the case of letters apart.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        exclude: Vec<String>,
    },
}

/// When a job runs by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct JobSchedule {
    /// Cron text.
    pub cron: String,
    /// The IANA zone that the cron text is read in; the application's, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// What becomes of a slot that is due while a run is active.
    #[serde(default)]
    pub overlap: Overlap,
    /// Seconds for which a missed slot is caught up; the job's interval, at most a day, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub catch_up: Option<u32>,
    /// Most seconds by which runs start later than due, fixed for each job; if absent, 60 for presets and 0 for other
    /// cron texts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jitter: Option<u32>,
    /// Whether it is switched on.
    #[serde(default = "yes")]
    pub enabled: bool,
}

fn yes() -> bool {
    true
}

/// What becomes of a slot that is due while a run is active.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// It is skipped, and a run in that state says so.
    #[default]
    Skip,
    /// One run waits for its turn; further slots are skipped.
    QueueOne,
}

/// How often a run that did not succeed is tried again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Retry {
    /// Seconds before each try after the first; empty for no retries.
    pub waits: Vec<u32>,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            waits: vec![60, 300, 1500],
        }
    }
}

/// What a run may use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct JobLimits {
    /// Tasks that run at once.
    pub parallel_tasks: u32,
    /// Seconds that the tasks of one try may take; then they are stopped and the run fails. 0 is no limit.
    pub timeout: u32,
    /// Its share of the source's request budget beside other jobs: one with 2 gets twice what one with 1 gets.
    pub share: u32,
}

impl Default for JobLimits {
    fn default() -> Self {
        Self {
            parallel_tasks: 1,
            timeout: 0,
            share: 1,
        }
    }
}

/// What follows a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct FollowUp {
    /// After which runs.
    #[serde(default)]
    pub when: FollowWhen,
    /// What is done.
    #[serde(flatten)]
    pub step: FollowStep,
}

/// After which runs something follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum FollowWhen {
    /// After one that succeeded.
    #[default]
    Succeeded,
    /// After one that did not, once its retries are used up.
    Failed,
    /// After every run that was not cancelled.
    Ended,
}

/// What follows a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum FollowStep {
    /// Another job, by name, runs.
    Job(String),
    /// Statements that are carried out in the destination, for views and derived tables.
    Sql(String),
    /// An address that gets a POST request.
    Webhook(String),
}

/// How long history is kept. State lives in the destination, so removing history changes no later run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Keep {
    /// Days for which runs are kept.
    pub days: u32,
    /// Runs of one job that are kept.
    pub runs: u32,
    /// Days for which the events of runs are kept.
    pub event_days: u32,
}

impl Default for Keep {
    fn default() -> Self {
        Self {
            days: 90,
            runs: 1000,
            event_days: 14,
        }
    }
}

impl Job {
    /// A standard job without tasks.
    pub fn new(
        name: impl Into<String>,
        source: impl Into<String>,
        destination: impl Into<String>,
    ) -> Self {
        Self {
            name: name.into(),
            source: source.into(),
            destination: destination.into(),
            kind: JobKind::Standard,
            tasks: Vec::new(),
            schedule: None,
            options: BTreeMap::new(),
            labels: Vec::new(),
            retry: Retry::default(),
            limits: JobLimits::default(),
            after: Vec::new(),
            pause_after: pause_after(),
            keep: None,
        }
    }

    /// The same job under another name, to be changed and created. Its tasks are new ones.
    #[must_use]
    pub fn cloned_as(&self, name: impl Into<String>) -> Self {
        let mut clone = Self {
            name: name.into(),
            ..self.clone()
        };
        clone.tasks.iter_mut().for_each(|task| task.id = None);
        clone
    }

    /// The task with this number.
    pub fn task(&self, id: TaskId) -> Option<&Task> {
        self.tasks.iter().find(|task| task.id == Some(id))
    }

    /// What is wrong with a choice of tasks for a run.
    pub fn choice_problems(&self, tasks: &[TaskId]) -> Vec<Problem> {
        let unknown = |(index, id): (usize, &TaskId)| {
            let message = format!("the job has no task {id}");
            let place = format!("tasks[{index}]");
            self.task(*id)
                .is_none()
                .then(|| Problem::new(place, code::model::BAD_REFERENCE, message))
        };
        let mut problems: Vec<Problem> = tasks.iter().enumerate().filter_map(unknown).collect();
        if tasks.is_empty() {
            problems.push(
                Problem::new("tasks", code::model::BAD_REFERENCE, "no task is chosen")
                    .with_hint("leave `tasks` out to run all that are enabled"),
            );
        }
        problems
    }

    /// The job's options of REPLICATE.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn defaults(&self) -> Result<Options, Vec<Problem>> {
        let nowhere = Span::point(Position::START);
        let mut options = Options::default();
        let mut problems = Vec::new();
        for (name, value) in &self.options {
            let place = format!("options.{name}");
            let value = Value::Text(value.clone());
            match ReplicateOption::read(Ident::new(name), &value, nowhere) {
                Ok(option) if options.get(option.name).is_some() => problems.push(
                    Problem::new(place, code::model::GIVEN_TWICE, "the option is given twice")
                        .with_hint("keep one of its names"),
                ),
                Ok(option) => options.set(option),
                Err(error) => problems.push(Problem {
                    span: None,
                    ..Problem::of(place, &error)
                }),
            }
        }
        let listed = options
            .get(OptionName::OtherCacheOptions)
            .map(|option| option.written.text.clone());
        match options.expanded() {
            Ok(options) if problems.is_empty() => Ok(options),
            Ok(_) => Err(problems),
            Err(error) => {
                let place = format!("options.{}", listed.unwrap_or_default());
                problems.push(Problem {
                    span: None,
                    ..Problem::of(place, &error)
                });
                Err(problems)
            }
        }
    }

    /// What is wrong with it by itself. Whether the connections and jobs that it names exist is for the store and the
    /// configuration to say.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let names = [
            ("name", &self.name),
            ("source", &self.source),
            ("destination", &self.destination),
        ];
        problems.extend(
            names
                .iter()
                .filter_map(|(place, name)| name::problem(place, name)),
        );
        if name::key(&self.source) == name::key(&self.destination) {
            problems.push(
                Problem::new(
                    "destination",
                    code::model::BAD_REFERENCE,
                    "the destination is the source",
                )
                .with_hint("name another connection"),
            );
        }
        let defaults = self.defaults().unwrap_or_else(|wrong| {
            problems.extend(wrong);
            Options::default()
        });
        self.check_tasks(&defaults, &mut problems);
        if let JobKind::SyncAll { exclude } = &self.kind {
            for (index, table) in exclude.iter().enumerate() {
                problems.extend(name::problem(&format!("kind.exclude[{index}]"), table));
            }
        }
        if let Some(schedule) = &self.schedule {
            schedule.check(&mut problems);
        }
        self.check_numbers(&mut problems);
        problems.extend(name::label_problems(&self.labels));
        self.check_after(&mut problems);
        problems
    }

    fn check_tasks(&self, defaults: &Options, problems: &mut Vec<Problem>) {
        if self.tasks.len() > MOST_TASKS {
            problems.push(
                Problem::new(
                    "tasks",
                    code::model::OUT_OF_RANGE,
                    "there are more than 1,000 tasks",
                )
                .with_hint("split the job"),
            );
        }
        let mut written: Vec<(String, usize)> = Vec::new();
        for (index, task) in self.tasks.iter().enumerate() {
            if task.id.is_some() && self.tasks[..index].iter().any(|other| other.id == task.id) {
                let place = format!("tasks[{index}].id");
                problems.push(Problem::new(
                    place,
                    code::model::GIVEN_TWICE,
                    "the task is given twice",
                ));
            }
            let statement = match task.parse() {
                Ok(statement) => statement,
                Err(mut problem) => {
                    problem.place = format!("tasks[{index}].{}", problem.place);
                    problems.push(*problem);
                    continue;
                }
            };
            let Some(table) = written_table(&statement, defaults) else {
                continue;
            };
            match written.iter().find(|(other, _)| *other == table) {
                Some((_, other)) => problems.push(
                    Problem::new(
                        format!("tasks[{index}].statement"),
                        code::model::GIVEN_TWICE,
                        format!("it replicates into the same table as tasks[{other}]"),
                    )
                    .with_hint("name another table, or remove one of the tasks"),
                ),
                None => written.push((table, index)),
            }
        }
    }

    fn check_numbers(&self, problems: &mut Vec<Problem>) {
        let mut most = |place: &str, value: u32, most: u32| {
            if value > most {
                let message = format!("{value} is more than {most}");
                problems.push(Problem::new(place, code::model::OUT_OF_RANGE, message));
            }
        };
        most(
            "retry.waits",
            u32::try_from(self.retry.waits.len()).unwrap_or(u32::MAX),
            20,
        );
        for (index, wait) in self.retry.waits.iter().enumerate() {
            most(&format!("retry.waits[{index}]"), *wait, 7 * 86_400);
        }
        most("limits.parallel_tasks", self.limits.parallel_tasks, 64);
        most("limits.timeout", self.limits.timeout, 30 * 86_400);
        most("limits.share", self.limits.share, 100);
        if self.limits.share == 0 {
            problems.push(Problem::new(
                "limits.share",
                code::model::OUT_OF_RANGE,
                "a job with a share of 0 would never end",
            ));
        }
        if self.limits.parallel_tasks == 0 {
            problems.push(Problem::new(
                "limits.parallel_tasks",
                code::model::OUT_OF_RANGE,
                "0 tasks would never end",
            ));
        }
        if self.keep.as_ref().is_some_and(|keep| keep.runs == 0) {
            problems.push(
                Problem::new(
                    "keep.runs",
                    code::model::OUT_OF_RANGE,
                    "a job keeps at least its last run",
                )
                .with_hint("give 1 or more"),
            );
        }
    }

    fn check_after(&self, problems: &mut Vec<Problem>) {
        for (index, follow) in self.after.iter().enumerate() {
            let place = |field| format!("after[{index}].{field}");
            match &follow.step {
                FollowStep::Job(name) if name::key(name) == name::key(&self.name) => {
                    let message = "the job would follow itself for ever";
                    problems.push(Problem::new(
                        place("job"),
                        code::model::BAD_REFERENCE,
                        message,
                    ));
                }
                FollowStep::Job(name) => problems.extend(name::problem(&place("job"), name)),
                FollowStep::Sql(text) => {
                    let script = parse_script_with(text, &Parameters::new());
                    if script.is_empty() {
                        problems.push(Problem::new(
                            place("sql"),
                            code::model::NOT_ONE_STATEMENT,
                            "there is no statement",
                        ));
                    }
                    let errors = script
                        .iter()
                        .filter_map(|statement| statement.as_ref().err());
                    problems.extend(errors.map(|error| Problem::of(place("sql"), error)));
                    let statements = script.iter().filter_map(|read| read.as_ref().ok());
                    let is_secret =
                        |statement: &Statement| statement.to_string() != statement.masked();
                    if statements.map(|located| &located.statement).any(is_secret) {
                        problems.push(
                            Problem::new(
                                place("sql"),
                                code::model::LITERAL_SECRET,
                                "a statement holds a secret, which everybody would see here",
                            )
                            .with_hint("make the connection under Connections, where it is sealed"),
                        );
                    }
                }
                FollowStep::Webhook(address) => {
                    let rest = address
                        .strip_prefix("https://")
                        .or_else(|| address.strip_prefix("http://"));
                    if rest.is_none_or(|rest| rest.is_empty() || rest.starts_with(['/', '?', '#']))
                    {
                        problems.push(
                            Problem::new(
                                place("webhook"),
                                code::model::BAD_ADDRESS,
                                "this is no web address",
                            )
                            .with_hint("give one that begins with `https://`"),
                        );
                    } else if bucketline_sql::mask_source(address) != *address {
                        problems.push(
                            Problem::new(
                                place("webhook"),
                                code::model::LITERAL_SECRET,
                                "the address holds a secret, which is not stored",
                            )
                            .with_hint("give an address without it"),
                        );
                    }
                }
            }
        }
    }
}

impl JobSchedule {
    /// What it says, with `zone` where it names none.
    ///
    /// # Errors
    /// What is wrong with the cron text and the zone.
    pub fn read(&self, zone: Tz) -> Result<Schedule, Vec<Problem>> {
        let cron = Cron::parse(&self.cron).map_err(|error| Problem::of("schedule.cron", &error));
        let zone = match &self.zone {
            Some(name) => {
                schedule::zone(name).map_err(|error| Problem::of("schedule.zone", &error))
            }
            None => Ok(zone),
        };
        match (cron, zone) {
            (Ok(cron), Ok(zone)) => Ok(Schedule::of(cron, zone)),
            (cron, zone) => Err(cron.err().into_iter().chain(zone.err()).collect()),
        }
    }

    fn check(&self, problems: &mut Vec<Problem>) {
        problems.extend(self.read(Tz::UTC).err().into_iter().flatten());
    }
}

/// Why a job's schedule stands still.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Pause {
    /// Since when.
    pub at: DateTime<Utc>,
    /// Why, a sentence.
    pub why: String,
}

/// A job as the store has it, and how it fares.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobEntry {
    /// The job.
    pub job: Stored<JobId, Job>,
    /// Why its schedule stands still, if it does.
    pub paused: Option<Pause>,
    /// Runs that failed since the last that succeeded.
    pub failures: u32,
    /// Slots due after this instant are owed; earlier ones have their row, or never get one.
    pub owed_from: DateTime<Utc>,
    /// Its run that is queued or runs, if there is one. The one that runs, if there are both.
    pub active: Option<Run>,
    /// Its last run that ended: neither skipped nor missed.
    pub last: Option<Run>,
}
