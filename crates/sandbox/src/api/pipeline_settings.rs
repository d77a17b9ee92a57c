//! What configures pipelines: switches, schedules, variables and runners.

use super::commits::strings;
use super::listing::List;
use super::parents::{InRepository, InWorkspace};
use super::pipelines::zulu;
use super::resource::{Access, Family, Resource, Shape, single, written};
use crate::clock::Timestamp;
use crate::http::scopes::{PIPELINE, REPOSITORY_ADMIN, RUNNER};
use crate::json::write::Object;
use crate::kind::Kind;
use crate::world::World;
use crate::world::entries::Entry;
use crate::world::random::uuid;

/// Settings of repositories.
pub(super) struct PerRepository;

impl Family for PerRepository {
    type Parent<'a> = InRepository<'a>;

    const PREFIX: &'static [&'static str] = &["repositories", "*", "*"];
    const RESOURCES: &'static [Resource<Self>] = &[
        Resource {
            kind: Kind::PipelineSchedules,
            path: &["pipelines_config", "schedules"],
            scope: PIPELINE,
            access: Access::Everybody,
            shape: Shape::keyed("uuid", List::PLAIN),
            rows: |asked| {
                let entries = asked.parent.pipeline_entries(Kind::PipelineSchedules)?;
                written(&asked.parent, entries, write_schedule)
            },
        },
        Resource {
            kind: Kind::PipelineVariables,
            path: &["pipelines_config", "variables"],
            scope: PIPELINE,
            access: Access::Everybody,
            shape: Shape::keyed("uuid", List::PLAIN),
            rows: |asked| {
                let entries = asked.parent.pipeline_entries(Kind::PipelineVariables)?;
                written(&asked.parent, entries, |_, entry, out| {
                    write_variable(entry, "pipeline_variable", out);
                })
            },
        },
        Resource {
            kind: Kind::PipelineRunners,
            path: &["pipelines-config", "runners"],
            scope: RUNNER,
            access: Access::Administrators,
            shape: Shape::keyed("uuid", List::PLAIN),
            rows: |asked| {
                let entries = asked.parent.pipeline_entries(Kind::PipelineRunners)?;
                written(&asked.parent, entries, |parent, entry, out| {
                    write_runner(entry, parent.repository.created_on, parent.world, out);
                })
            },
        },
        Resource {
            kind: Kind::PipelinesConfig,
            path: &["pipelines_config"],
            scope: REPOSITORY_ADMIN,
            access: Access::Administrators,
            shape: Shape::Object,
            rows: |asked| {
                single(&asked.parent, |parent, (), out| {
                    let mut object = Object::begin(out);
                    object
                        .text("type", "repository_pipelines_configuration")
                        .boolean("enabled", parent.repository.has_pipelines)
                        .raw("repository", &parent.repository.names.condensed);
                    object.end();
                })
            },
        },
    ];
}

/// Variables and runners of workspaces.
pub(super) struct PerWorkspace;

impl Family for PerWorkspace {
    type Parent<'a> = InWorkspace<'a>;

    const PREFIX: &'static [&'static str] = &["workspaces", "*", "pipelines-config"];
    const RESOURCES: &'static [Resource<Self>] = &[
        Resource {
            kind: Kind::WorkspaceVariables,
            path: &["variables"],
            scope: PIPELINE,
            access: Access::SignedIn,
            shape: Shape::keyed("uuid", List::PLAIN),
            rows: |asked| {
                let entries = asked.parent.entries(Kind::WorkspaceVariables);
                written(&asked.parent, entries, |_, entry, out| {
                    write_variable(entry, "pipeline_variable", out);
                })
            },
        },
        Resource {
            kind: Kind::WorkspaceRunners,
            path: &["runners"],
            scope: RUNNER,
            access: Access::Administrators,
            shape: Shape::keyed("uuid", List::PLAIN),
            rows: |asked| {
                let entries = asked.parent.entries(Kind::WorkspaceRunners);
                written(&asked.parent, entries, |parent, entry, out| {
                    write_runner(entry, parent.workspace().created_on, parent.world, out);
                })
            },
        },
    ];
}

/// Secured variables have no value.
pub(super) fn write_variable(entry: &Entry, kind: &str, out: &mut String) {
    let mut random = entry.random();
    let secured = entry.number.is_multiple_of(2);
    let mut object = Object::begin(out);
    object
        .text("type", kind)
        .text("uuid", entry.uuid().as_str())
        .text("key", format!("VARIABLE_{}", entry.number).as_str())
        .boolean("secured", secured);
    if !secured {
        object.text("value", format!("value {}", random.below(1000)).as_str());
    }
    object.end();
}

fn write_schedule(parent: &InRepository<'_>, entry: &Entry, out: &mut String) {
    const PATTERNS: &[&str] = &["0 0 3 * * ? *", "0 30 22 ? * 2 *"];
    let mut random = entry.random();
    let (created_on, updated_on) =
        entry.times(parent.repository.created_on, parent.world.clock.start());
    let mut object = Object::begin(out);
    object
        .text("type", "pipeline_schedule")
        .text("uuid", entry.uuid().as_str())
        .boolean("enabled", random.percent(80))
        .text("cron_pattern", random.pick(PATTERNS))
        .text("created_on", zulu(created_on).as_str())
        .text("updated_on", zulu(updated_on).as_str());
    object.object("target", |target| {
        let branch = parent.repository.main_branch.as_deref().unwrap_or("main");
        target
            .text("type", "pipeline_ref_target")
            .text("ref_type", "branch")
            .text("ref_name", branch);
        target.object("selector", |selector| {
            selector.text("type", "branches").text("pattern", branch);
        });
    });
    object.end();
}

/// Writes a runner; the secret of its client was shown once, when it was made.
fn write_runner(entry: &Entry, from: Timestamp, world: &World, out: &mut String) {
    const STATES: &[&str] = &["ONLINE", "OFFLINE", "UNREGISTERED", "DISABLED"];
    let mut random = entry.random();
    let (created_on, updated_on) = entry.times(from, world.clock.start());
    let mut object = Object::begin(out);
    object
        .text("type", "pipeline_runner")
        .text("uuid", entry.uuid().as_str())
        .text("name", format!("Runner {}", entry.number).as_str());
    strings(&mut object, "labels", ["self.hosted", "linux"]);
    object.object("state", |state| {
        state
            .text("type", "pipeline_runner_state")
            .text("status", random.pick(STATES))
            .text("updated_on", zulu(updated_on).as_str())
            .boolean("cordoned", random.percent(10));
        state.object("version", |version| {
            version
                .text("type", "pipeline_runner_version")
                .text("version", "3.12.0")
                .text("current", "3.14.1");
        });
    });
    object
        .text("created_on", zulu(created_on).as_str())
        .text("updated_on", zulu(updated_on).as_str());
    object.object("oauth_client", |client| {
        client
            .text("type", "pipeline_runner_oauth_client")
            .text("id", uuid(&[entry.seed, entry.number.into(), 84]).as_str())
            .text("audience", "api.example")
            .text("token_endpoint", "https://auth.example/oauth/token");
    });
    object.end();
}
