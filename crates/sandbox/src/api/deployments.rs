//! Deployments of pipelines, and the environments they go to.

use super::Call;
use super::commits::write_reference;
use super::listing::{List, Search};
use super::parents::InRepository;
use super::pipeline_settings::write_variable;
use super::pipelines::{Run, Stage, Trigger, slashed, zulu};
use super::resource::{Access, Family, Listed, Parent, Resource, Shape, Whereabouts, written};
use crate::http::reply::Reply;
use crate::http::scopes::PIPELINE;
use crate::http::sign_in::Scope;
use crate::json::write::Object;
use crate::kind::Kind;
use crate::world::World;
use crate::world::entries::{Entry, Level, child_seed};
use crate::world::random::{commit_hash, uuid};

/// Deployments and environments of repositories.
pub(super) struct PerRepository;

impl Family for PerRepository {
    type Parent<'a> = InRepository<'a>;

    const PREFIX: &'static [&'static str] = &["repositories", "*", "*"];
    const RESOURCES: &'static [Resource<Self>] = &[
        Resource {
            kind: Kind::Deployments,
            path: &["deployments"],
            scope: PIPELINE,
            access: Access::Everybody,
            shape: slashed(
                "uuid",
                List {
                    search: Search::SortRefused,
                    hidden: &[
                        "values.environment.name",
                        "values.environment.slug",
                        "values.environment.rank",
                        "values.environment.hidden",
                        "values.environment.environment_type",
                        "values.environment.category",
                        "values.environment.restrictions",
                        "values.environment.lock",
                        "values.environment.deployment_gate_enabled",
                        "values.environment.environment_lock_enabled",
                    ],
                    ..List::PLAIN
                },
            ),
            rows: |asked| deployments(&asked.parent),
        },
        Resource {
            kind: Kind::Environments,
            path: &["environments"],
            scope: PIPELINE,
            access: Access::Everybody,
            shape: Shape::keyed("uuid", List::PLAIN),
            rows: |asked| {
                let entries = asked.parent.pipeline_entries(Kind::Environments)?;
                written(&asked.parent, entries, |_, entry, out| {
                    let mut object = Object::begin(out);
                    write_environment(&mut object, entry);
                    object.end();
                })
            },
        },
    ];
}

/// An environment.
#[derive(Clone)]
pub(super) struct OfEnvironment<'a> {
    within: InRepository<'a>,
    environment: Entry,
}

impl<'a> Parent<'a> for OfEnvironment<'a> {
    fn find(call: &Call<'a>, names: &[&str], scope: Scope) -> Result<Self, Reply> {
        let within = InRepository::find(call, names, scope)?;
        let environment = within.pipeline_entry(Kind::Environments, names[2])?;
        Ok(Self {
            within,
            environment,
        })
    }

    fn each(world: &'a World, workspace: usize, visit: &mut dyn FnMut(Self)) {
        InRepository::each(world, workspace, &mut |within| {
            let environments = within.pipeline_entries(Kind::Environments);
            for environment in environments.unwrap_or_default() {
                visit(Self {
                    within,
                    environment,
                });
            }
        });
    }

    fn whereabouts(&self) -> Whereabouts<'_> {
        self.within.child(self.environment.uuid())
    }
}

impl OfEnvironment<'_> {
    fn variables(&self) -> Vec<Entry> {
        let number = self.environment.number.into();
        let seed = child_seed(self.within.repository.seed, Level::Environment, number);
        self.within.world.entries(Kind::EnvironmentVariables, seed)
    }
}

/// Variables of deployment environments.
pub(super) struct EnvironmentVariables;

impl Family for EnvironmentVariables {
    type Parent<'a> = OfEnvironment<'a>;

    const PREFIX: &'static [&'static str] = &[
        "repositories",
        "*",
        "*",
        "deployments_config",
        "environments",
        "*",
    ];
    const RESOURCES: &'static [Resource<Self>] = &[Resource {
        kind: Kind::EnvironmentVariables,
        path: &["variables"],
        scope: PIPELINE,
        access: Access::Everybody,
        shape: Shape::list(List::PLAIN),
        rows: |asked| {
            let entries = asked.parent.variables();
            written(&asked.parent, entries, |_, entry, out| {
                write_variable(entry, "deployment_variable", out);
            })
        },
    }];
}

const ENVIRONMENTS: &[&str] = &["Test", "Staging", "Production"];

fn write_environment(object: &mut Object<'_>, entry: &Entry) {
    let number = entry.number as usize - 1;
    let place = number % ENVIRONMENTS.len();
    let kind = ENVIRONMENTS[place];
    let name = match ENVIRONMENTS.get(number) {
        Some(name) => (*name).to_owned(),
        None => format!("Environment {}", entry.number),
    };
    object
        .text("type", "deployment_environment")
        .text("uuid", entry.uuid().as_str())
        .text("name", name.as_str())
        .text("slug", name.to_lowercase().replace(' ', "-").as_str())
        .number("rank", place as u64)
        .boolean("hidden", false)
        .boolean("deployment_gate_enabled", false)
        .boolean("environment_lock_enabled", true);
    object.object("environment_type", |of| {
        of.text("type", "deployment_environment_type")
            .text("name", kind)
            .number("rank", place as u64);
    });
    object.object("category", |category| {
        category.text("name", kind);
    });
    object.object("restrictions", |restrictions| {
        restrictions
            .text("type", "deployment_restrictions_configuration")
            .boolean("admin_only", kind == "Production");
    });
    object.object("lock", |lock| {
        lock.text("type", "deployment_environment_lock_open")
            .text("name", "OPEN");
    });
}

/// Every third pipeline that has ended, or runs, is deployed to an environment.
fn deployments<'a>(parent: &InRepository<'a>) -> Listed<'a> {
    let now = parent.world.now();
    let pipelines = parent.pipeline_entries(Kind::Pipelines)?.into_iter();
    let deployed = pipelines
        .filter(|entry| entry.number.is_multiple_of(3))
        .filter(|entry| Run::of(parent, entry).stage(now) != Stage::Pending)
        .collect();
    written(parent, deployed, write_deployment)
}

fn write_deployment(parent: &InRepository<'_>, entry: &Entry, out: &mut String) {
    let names = &parent.repository.names;
    let run = Run::of(parent, entry);
    let trigger = Trigger::of(parent, entry);
    let completed = run.stage(parent.world.now()) == Stage::Completed;
    let parts = [entry.seed, entry.number.into()];
    let environments = parent.entries(Kind::Environments);
    let number = 1 + entry.number / 3 % ENVIRONMENTS.len() as u32;
    let mut environments = environments.iter();
    let url = format!("{}/deployments", names.html);
    let mut object = Object::begin(out);
    object
        .text("type", "deployment")
        .text("uuid", uuid(&[parts[0], parts[1], 82]).as_str());
    object.object("state", |state| {
        let kind = if completed {
            "deployment_state_completed"
        } else {
            "deployment_state_in_progress"
        };
        let name = if completed {
            "COMPLETED"
        } else {
            "IN_PROGRESS"
        };
        state
            .text("type", kind)
            .text("name", name)
            .text("url", url.as_str())
            .raw("deployer", parent.person(trigger.creator))
            .text("start_date", zulu(run.started_on).as_str());
        if completed {
            let result = run.result();
            state.text("completion_date", zulu(run.completed_on).as_str());
            state.object("status", |status| {
                let kind = format!(
                    "deployment_state_completed_status_{}",
                    result.to_lowercase()
                );
                status.text("type", kind.as_str()).text("name", result);
            });
        }
    });
    match environments.find(|environment| environment.number == number) {
        Some(environment) => object.object("environment", |object| {
            write_environment(object, environment);
        }),
        None => object.null("environment"),
    };
    let hash = commit_hash(trigger.commit);
    object.object("step", |step| {
        step.text("type", "pipeline_step")
            .text("uuid", uuid(&[parts[0], parts[1], 84]).as_str());
    });
    object.object("commit", |commit| {
        write_reference(commit, &names.api, &names.html, &hash);
    });
    object.object("release", |release| {
        release
            .text("type", "deployment_release")
            .text("uuid", uuid(&[parts[0], parts[1], 83]).as_str())
            .text("key", format!("{}", entry.number).as_str())
            .text("name", format!("#{}", entry.number).as_str())
            .text("url", format!("{}/commits/{hash}", names.html).as_str())
            .text("created_on", zulu(run.created_on).as_str());
        release.object("pipeline", |pipeline| {
            pipeline
                .text("type", "pipeline")
                .text("uuid", entry.uuid().as_str());
        });
        release.object("commit", |commit| {
            write_reference(commit, &names.api, &names.html, &hash);
        });
    });
    let last = if completed {
        run.completed_on
    } else {
        run.started_on
    };
    object.text("last_update_time", zulu(last).as_str());
    object.end();
}
