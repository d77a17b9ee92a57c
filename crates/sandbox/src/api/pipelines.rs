//! Pipelines and their steps.

use super::Call;
use super::commits::write_reference;
use super::listing::List;
use super::parents::InRepository;
use super::resource::{Access, Family, Listed, Parent, Resource, Shape, Whereabouts, written};
use crate::clock::{SECOND, Timestamp};
use crate::http::reply::Reply;
use crate::http::request::Request;
use crate::http::scopes::PIPELINE;
use crate::http::sign_in::Scope;
use crate::json::write::Object;
use crate::kind::Kind;
use crate::world::World;
use crate::world::entries::{Entry, Level, child_seed};
use crate::world::issue::somebody;
use crate::world::random::{Random, commit_hash, mix};
use crate::world::shelf::Generator;

/// A list that needs its trailing slash.
pub(super) const fn slashed(key: &'static str, list: List<'static>) -> Shape {
    Shape::List {
        list,
        key: Some(key),
        slash: true,
    }
}

/// Pipelines of repositories.
pub(super) struct PerRepository;

impl Family for PerRepository {
    type Parent<'a> = InRepository<'a>;

    const PREFIX: &'static [&'static str] = &["repositories", "*", "*"];
    const RESOURCES: &'static [Resource<Self>] = &[Resource {
        kind: Kind::Pipelines,
        path: &["pipelines"],
        scope: PIPELINE,
        access: Access::Everybody,
        // The order is forgotten from the second page on.
        shape: slashed(
            "uuid",
            List {
                forgets: Some("sort"),
                ..List::PLAIN
            },
        ),
        rows: |asked| pipelines(&asked.parent, asked.request),
    }];
}

/// A pipeline.
#[derive(Clone)]
pub(super) struct OfPipeline<'a> {
    within: InRepository<'a>,
    pipeline: Entry,
}

impl<'a> Parent<'a> for OfPipeline<'a> {
    fn find(call: &Call<'a>, names: &[&str], scope: Scope) -> Result<Self, Reply> {
        let within = InRepository::find(call, names, scope)?;
        let pipeline = within.pipeline_entry(Kind::Pipelines, names[2])?;
        Ok(Self { within, pipeline })
    }

    fn each(world: &'a World, workspace: usize, visit: &mut dyn FnMut(Self)) {
        InRepository::each(world, workspace, &mut |within| {
            let pipelines = within.pipeline_entries(Kind::Pipelines);
            for pipeline in pipelines.unwrap_or_default() {
                visit(Self { within, pipeline });
            }
        });
    }

    fn whereabouts(&self) -> Whereabouts<'_> {
        self.within.child(self.pipeline.uuid())
    }
}

impl OfPipeline<'_> {
    fn steps(&self) -> Vec<Entry> {
        let number = self.pipeline.number.into();
        let seed = child_seed(self.within.repository.seed, Level::Pipeline, number);
        self.within.world.entries(Kind::PipelineSteps, seed)
    }
}

/// Steps of pipelines.
pub(super) struct Steps;

impl Family for Steps {
    type Parent<'a> = OfPipeline<'a>;

    const PREFIX: &'static [&'static str] = &["repositories", "*", "*", "pipelines", "*"];
    const RESOURCES: &'static [Resource<Self>] = &[Resource {
        kind: Kind::PipelineSteps,
        path: &["steps"],
        scope: PIPELINE,
        access: Access::Everybody,
        shape: slashed("uuid", List::PLAIN),
        rows: |asked| written(&asked.parent, asked.parent.steps(), write_step),
    }];
}

impl InRepository<'_> {
    /// Its entries of a kind that is not there while pipelines are off.
    pub(super) fn pipeline_entries(&self, kind: Kind) -> Result<Vec<Entry>, Reply> {
        if !self.repository.has_pipelines {
            return Err(Reply::error(
                404,
                "Bitbucket Pipelines is not enabled for this repository.",
            ));
        }
        let (seed, first) = (self.repository.seed, self.repository.pipelines);
        Ok(match kind {
            Kind::Pipelines => self.world.first_entries(kind, seed, first),
            _ => self.entries(kind),
        })
    }

    /// The one of them with a UUID.
    pub(super) fn pipeline_entry(&self, kind: Kind, uuid: &str) -> Result<Entry, Reply> {
        let mut entries = self.pipeline_entries(kind)?.into_iter();
        entries
            .find(|entry| entry.uuid() == uuid)
            .ok_or_else(|| Reply::text(404, "Not Found"))
    }
}

/// How a pipeline goes.
pub(super) struct Run {
    pub(super) created_on: Timestamp,
    /// Until then it waits.
    pub(super) started_on: Timestamp,
    pub(super) completed_on: Timestamp,
    stopped: bool,
    failed: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Pending,
    Running,
    Completed,
}

impl Run {
    /// Generated ones were created evenly over a hundred days, but the last two a minute before the
    /// clock started, so that they are still to end.
    pub(super) fn of(within: &InRepository<'_>, entry: &Entry) -> Self {
        let start = within.world.clock.start();
        let mut random = Random::new(&[entry.seed, entry.number.into(), 80]);
        let count = within.repository.pipelines;
        let from_end = i64::from(count.saturating_sub(entry.number));
        let generated = if from_end < 2 {
            Timestamp(start.0 - (60 + from_end) * SECOND)
        } else {
            let step = 100 * 86_400 * SECOND / i64::from(count);
            Timestamp(start.0 - from_end * step - random.below(step as u64 / 2) as i64)
        };
        let (created_on, edited_on) = entry.times(generated, Timestamp(generated.0 + 1));
        let created_on = entry.added_on().unwrap_or(created_on);
        let started_on = Timestamp(created_on.0 + 10 * SECOND);
        let lasts = 300 + random.below(1500) as i64;
        let stopped = edited_on.0 > created_on.0 + 1;
        let completed_on = if stopped {
            edited_on
        } else {
            Timestamp(started_on.0 + lasts * SECOND)
        };
        Self {
            created_on,
            started_on,
            completed_on,
            stopped,
            failed: random.percent(20),
        }
    }

    pub(super) fn stage(&self, now: Timestamp) -> Stage {
        if now >= self.completed_on {
            Stage::Completed
        } else if now >= self.started_on {
            Stage::Running
        } else {
            Stage::Pending
        }
    }

    pub(super) fn result(&self) -> &'static str {
        match (self.stopped, self.failed) {
            (true, _) => "STOPPED",
            (false, true) => "FAILED",
            (false, false) => "SUCCESSFUL",
        }
    }
}

/// What is random about a pipeline besides its times.
pub(super) struct Trigger {
    pub(super) creator: Option<usize>,
    manual: bool,
    branch: String,
    pub(super) commit: u64,
}

impl Trigger {
    /// It ran for one of the pull requests that there were at first, or for the first commit.
    pub(super) fn of(within: &InRepository<'_>, entry: &Entry) -> Self {
        let mut random = Random::new(&[entry.seed, entry.number.into(), 81]);
        let people = within.workspace().founders;
        let generator = &within.repository.pull_requests.generator;
        let creator = somebody(&mut random, people, 95);
        let manual = random.percent(30);
        let (branch, commit) = match u64::from(generator.timeline.count) {
            0 => {
                let first = within.repository.refs.pushed.first();
                let commit = first.map_or(mix(entry.seed), |commit| commit.seed);
                ("main".to_owned(), commit)
            }
            count => {
                let pull_request = generator.item(1 + random.below(count) as u32);
                (pull_request.source_branch, pull_request.source_commit)
            }
        };
        Self {
            creator,
            manual,
            branch,
            commit,
        }
    }
}

/// The service's form for all times of pipelines: up to nine digits, without zeros at the end.
pub(super) fn zulu(at: Timestamp) -> String {
    let mut text = String::new();
    at.write_seconds(&mut text);
    let micros = at.0.rem_euclid(SECOND);
    let nanos = micros * 1000 + (mix(at.0 as u64) % 1000) as i64;
    let fraction = format!("{nanos:09}");
    let fraction = fraction.trim_end_matches('0');
    if !fraction.is_empty() {
        text.push('.');
        text.push_str(fraction);
    }
    text.push('Z');
    text
}

fn pipelines<'a>(parent: &InRepository<'a>, request: &Request) -> Listed<'a> {
    let mut entries = parent.pipeline_entries(Kind::Pipelines)?;
    let now = parent.world.now();
    let sort = request.parameter("sort").unwrap_or_default();
    let creator = |entry: &Entry| {
        let place = Trigger::of(parent, entry).creator;
        let people = &parent.workspace().people;
        place
            .and_then(|place| people.get(place))
            .map(|one| one.uuid.clone())
    };
    match sort.trim_start_matches('-') {
        "" => {}
        "created_on" | "run_creation_date" => {
            entries.sort_by_key(|entry| Run::of(parent, entry).created_on);
        }
        "creator.uuid" => entries.sort_by_key(creator),
        _ => return Err(Reply::error(400, "Invalid sort attribute")),
    }
    if sort.starts_with('-') {
        entries.reverse();
    }
    entries.retain(|entry| {
        let run = Run::of(parent, entry);
        let trigger = Trigger::of(parent, entry);
        let status = match run.stage(now) {
            Stage::Pending => "PENDING",
            Stage::Running => "BUILDING",
            Stage::Completed => match run.result() {
                "SUCCESSFUL" => "PASSED",
                other => other,
            },
        };
        let created_on = zulu(run.created_on);
        let kind = if trigger.manual { "MANUAL" } else { "PUSH" };
        let hash = commit_hash(trigger.commit);
        let creator = creator(entry).unwrap_or_default();
        [
            ("status", status),
            ("created_on", &created_on),
            ("trigger_type", kind),
            ("target.branch", &trigger.branch),
            ("target.ref_name", &trigger.branch),
            ("target.ref_type", "BRANCH"),
            ("target.commit.hash", &hash),
            ("creator.uuid", &creator),
        ]
        .iter()
        .all(|(name, value)| {
            let mut wanted = request.parameters(name).peekable();
            wanted.peek().is_none() || wanted.any(|one| one.eq_ignore_ascii_case(value))
        })
    });
    written(parent, entries, write_pipeline)
}

fn write_pipeline(parent: &InRepository<'_>, entry: &Entry, out: &mut String) {
    let names = &parent.repository.names;
    let run = Run::of(parent, entry);
    let trigger = Trigger::of(parent, entry);
    let now = parent.world.now();
    let stage = run.stage(now);
    let uuid = entry.uuid();
    let api = [&names.api, "/pipelines/", &uuid].concat();
    let mut object = Object::begin(out);
    object
        .text("type", "pipeline")
        .text("uuid", uuid.as_str())
        .number("build_number", entry.number.into())
        .raw("repository", &names.condensed)
        .raw("creator", parent.person(trigger.creator));
    object.object("target", |target| {
        target
            .text("type", "pipeline_ref_target")
            .text("ref_type", "branch")
            .text("ref_name", trigger.branch.as_str());
        target.object("selector", |selector| {
            selector
                .text("type", "branches")
                .text("pattern", trigger.branch.as_str());
        });
        target.object("commit", |commit| {
            write_reference(
                commit,
                &names.api,
                &names.html,
                &commit_hash(trigger.commit),
            );
        });
    });
    object.object("trigger", |object| {
        object.text(
            "type",
            if trigger.manual {
                "pipeline_trigger_manual"
            } else {
                "pipeline_trigger_push"
            },
        );
    });
    let terminator = parent.person(trigger.creator);
    object.object("state", |state| {
        write_state(state, "pipeline", stage, run.result(), terminator)
    });
    object
        .number("run_number", 1)
        .boolean("expired", false)
        .raw("variables", "[]")
        .text("created_on", zulu(run.created_on).as_str());
    let completed_on = (stage == Stage::Completed).then(|| zulu(run.completed_on));
    let until = now.min(run.completed_on);
    let seconds = (until.0 - run.started_on.0).max(0) / SECOND;
    object
        .text("completed_on", completed_on.as_deref())
        .number("duration_in_seconds", seconds as u64)
        .number("build_seconds_used", seconds as u64);
    object.array("configuration_sources", [()], |(), out| {
        let mut source = Object::begin(out);
        let uri = format!("{}/src/main/bitbucket-pipelines.yml", names.api);
        source
            .text("source", "repository")
            .text("uri", uri.as_str());
        source.end();
    });
    object.object("links", |links| {
        links
            .text("type", "pipelines_pipeline_links")
            .link("self", &[&api])
            .link("steps", &[&api, "/steps/"]);
    });
    object.end();
}

/// Writes the state of a pipeline or of a step, which `terminator` stopped if anyone did.
fn write_state(state: &mut Object<'_>, of: &str, stage: Stage, result: &str, terminator: &str) {
    match stage {
        Stage::Pending => {
            let kind = format!("{of}_state_pending");
            state.text("type", kind.as_str()).text("name", "PENDING");
        }
        Stage::Running => {
            let kind = format!("{of}_state_in_progress");
            state
                .text("type", kind.as_str())
                .text("name", "IN_PROGRESS");
            if of == "pipeline" {
                state.object("stage", |stage| {
                    stage
                        .text("type", "pipeline_state_in_progress_running")
                        .text("name", "RUNNING");
                });
            }
        }
        Stage::Completed => {
            let kind = format!("{of}_state_completed");
            state.text("type", kind.as_str()).text("name", "COMPLETED");
            state.object("result", |object| {
                let kind = format!("{of}_state_completed_{}", result.to_lowercase());
                object.text("type", kind.as_str()).text("name", result);
                if result == "STOPPED" {
                    object.raw("terminator", terminator);
                }
            });
        }
    }
}

fn write_step(parent: &OfPipeline<'_>, entry: &Entry, out: &mut String) {
    let run = Run::of(&parent.within, &parent.pipeline);
    let steps = parent.steps().len() as i64;
    let length = (run.completed_on.0 - run.started_on.0) / steps.max(1);
    let before = i64::from(entry.number) - 1;
    let started_on = Timestamp(run.started_on.0 + before * length);
    let last = before + 1 == steps;
    let completed_on = if last {
        run.completed_on
    } else {
        Timestamp(started_on.0 + length)
    };
    let now = parent.within.world.now();
    let stage = Run {
        started_on,
        completed_on,
        ..run
    }
    .stage(now);
    let result = if last { run.result() } else { "SUCCESSFUL" };
    let mut object = Object::begin(out);
    object
        .text("type", "pipeline_step")
        .text("uuid", entry.uuid().as_str());
    let started = (stage != Stage::Pending).then(|| zulu(started_on));
    let completed = (stage == Stage::Completed).then(|| zulu(completed_on));
    object
        .text("started_on", started.as_deref())
        .text("completed_on", completed.as_deref());
    let until = now.min(completed_on);
    let seconds = (until.0 - started_on.0).max(0) / SECOND;
    object
        .number("duration_in_seconds", seconds as u64)
        .number("build_seconds_used", seconds as u64)
        .number("run_number", 1)
        .number("maxTime", 120);
    let trigger = Trigger::of(&parent.within, &parent.pipeline);
    let terminator = parent.within.person(trigger.creator);
    object.object("state", |state| {
        write_state(state, "pipeline_step", stage, result, terminator)
    });
    object.object("image", |image| {
        image.text("name", "atlassian/default-image:4");
    });
    for (key, command) in [
        ("setup_commands", "git clone"),
        ("script_commands", "make test"),
    ] {
        object.array(key, [command], |command, out| {
            let mut object = Object::begin(out);
            object.text("name", command).text("command", command);
            object.end();
        });
    }
    object.end();
}
