//! What is set for a repository or a workspace: hooks, restrictions, keys, branching models; and
//! the downloads and forks of repositories.

use percent_encoding::utf8_percent_encode;

use super::branches::ENCODED;
use super::commits::{strings, write_members};
use super::listing::List;
use super::parents::{InProject, InRepository, InWorkspace};
use super::repositories;
use super::resource::{Access, Family, Listed, Resource, Shape, single, written};
use crate::clock::Timestamp;
use crate::http::request::Request;
use crate::http::scopes::{PROJECT_ADMIN, REPOSITORY_ADMIN, WEBHOOK};
use crate::http::sign_in::REPOSITORY;
use crate::json::write::{Digits, Object};
use crate::kind::Kind;
use crate::world::entries::Entry;
use crate::world::history::Commit;
use crate::world::issue::somebody;
use crate::world::text;

/// What is set for repositories.
pub(super) struct PerRepository;

impl Family for PerRepository {
    type Parent<'a> = InRepository<'a>;

    const PREFIX: &'static [&'static str] = &["repositories", "*", "*"];
    const RESOURCES: &'static [Resource<Self>] = &[
        Resource {
            kind: Kind::Webhooks,
            path: &["hooks"],
            scope: WEBHOOK,
            access: Access::Administrators,
            shape: Shape::keyed("uuid", List::PLAIN),
            rows: |asked| {
                let entries = asked.parent.entries(Kind::Webhooks);
                written(&asked.parent, entries, |parent, entry, out| {
                    let names = &parent.repository.names;
                    let made = parent.times(entry).0;
                    write_hook(entry, &names.condensed, made, out);
                })
            },
        },
        Resource {
            kind: Kind::BranchRestrictions,
            path: &["branch-restrictions"],
            scope: REPOSITORY_ADMIN,
            access: Access::Administrators,
            shape: Shape::keyed("id", List::PLAIN),
            rows: |asked| restrictions(&asked.parent, asked.request),
        },
        Resource {
            kind: Kind::DeployKeys,
            path: &["deploy-keys"],
            scope: REPOSITORY_ADMIN,
            access: Access::People,
            shape: Shape::keyed("id", List::PLAIN),
            rows: |asked| {
                let entries = asked.parent.entries(Kind::DeployKeys);
                written(&asked.parent, entries, write_deploy_key)
            },
        },
        Resource {
            kind: Kind::Downloads,
            path: &["downloads"],
            scope: REPOSITORY,
            access: Access::Everybody,
            shape: Shape::list(List::PLAIN),
            rows: |asked| {
                let entries = asked.parent.entries(Kind::Downloads);
                written(&asked.parent, entries, write_download)
            },
        },
        Resource {
            kind: Kind::Forks,
            path: &["forks"],
            scope: REPOSITORY,
            access: Access::Everybody,
            shape: Shape::list(List::of(repositories::SCHEMA)),
            rows: |asked| {
                let entries = asked.parent.entries(Kind::Forks);
                written(&asked.parent, entries, write_fork)
            },
        },
        Resource {
            kind: Kind::BranchingModels,
            path: &["branching-model"],
            scope: REPOSITORY,
            access: Access::Everybody,
            shape: Shape::Object,
            rows: |asked| {
                single(&asked.parent, |parent, (), out| {
                    write_model(parent, "branching_model", Some("/branching-model"), out);
                })
            },
        },
        Resource {
            kind: Kind::EffectiveBranchingModels,
            path: &["effective-branching-model"],
            scope: REPOSITORY,
            access: Access::Everybody,
            shape: Shape::Object,
            rows: |asked| {
                single(&asked.parent, |parent, (), out| {
                    let kind = "effective_repo_branching_model";
                    write_model(parent, kind, None, out);
                })
            },
        },
        Resource {
            kind: Kind::BranchingModelSettings,
            path: &["branching-model", "settings"],
            scope: REPOSITORY_ADMIN,
            access: Access::Administrators,
            shape: Shape::Object,
            rows: |asked| single(&asked.parent, write_model_settings),
        },
        Resource {
            kind: Kind::OverrideSettings,
            path: &["override-settings"],
            scope: REPOSITORY_ADMIN,
            access: Access::Administrators,
            shape: Shape::Object,
            rows: |asked| {
                single(&asked.parent, |_, (), out| {
                    let mut object = Object::begin(out);
                    object.text("type", "repository_inheritance_state");
                    object.object("override_settings", |settings| {
                        settings
                            .boolean("default_merge_strategy", true)
                            .boolean("branching_model", true);
                    });
                    object.end();
                })
            },
        },
    ];
}

/// Hooks of workspaces.
pub(super) struct PerWorkspace;

impl Family for PerWorkspace {
    type Parent<'a> = InWorkspace<'a>;

    const PREFIX: &'static [&'static str] = &["workspaces", "*"];
    const RESOURCES: &'static [Resource<Self>] = &[Resource {
        kind: Kind::WorkspaceWebhooks,
        path: &["hooks"],
        scope: WEBHOOK,
        access: Access::Administrators,
        shape: Shape::keyed("uuid", List::PLAIN),
        rows: |asked| {
            let entries = asked.parent.entries(Kind::WorkspaceWebhooks);
            written(&asked.parent, entries, |parent, entry, out| {
                let workspace = parent.workspace();
                let made = entry
                    .times(workspace.created_on, parent.world.clock.start())
                    .0;
                write_hook(entry, &workspace.condensed, made, out);
            })
        },
    }];
}

/// Deploy keys of projects.
pub(super) struct PerProject;

impl Family for PerProject {
    type Parent<'a> = InProject<'a>;

    const PREFIX: &'static [&'static str] = &["workspaces", "*", "projects", "*"];
    const RESOURCES: &'static [Resource<Self>] = &[Resource {
        kind: Kind::ProjectDeployKeys,
        path: &["deploy-keys"],
        scope: PROJECT_ADMIN,
        access: Access::People,
        shape: Shape::keyed("id", List::PLAIN),
        rows: |asked| {
            let entries = asked.parent.entries(Kind::ProjectDeployKeys);
            written(&asked.parent, entries, write_project_key)
        },
    }];
}

impl InRepository<'_> {
    /// When an entry was made and changed: since the repository was made.
    pub(super) fn times(&self, entry: &Entry) -> (Timestamp, Timestamp) {
        entry.times(self.repository.created_on, self.world.clock.start())
    }
}

const EVENTS: &[&str] = &[
    "repo:push",
    "repo:updated",
    "pullrequest:created",
    "pullrequest:updated",
    "pullrequest:fulfilled",
    "pullrequest:comment_created",
];

/// Writes a hook as the service does; the published schema has `subject_type` in place of what is in `subject`, and
/// lacks the rest.
fn write_hook(entry: &Entry, subject: &str, created_at: Timestamp, out: &mut String) {
    let mut random = entry.random();
    let mut object = Object::begin(out);
    object
        .text("type", "webhook_subscription")
        .text("uuid", entry.uuid().as_str())
        .text(
            "url",
            format!("https://hooks.example/{}", entry.number).as_str(),
        )
        .text("description", text::title(&mut random).as_str())
        .raw("subject", subject)
        .boolean("active", random.percent(80))
        .time("created_at", created_at);
    let events = EVENTS.iter().copied().filter(|_| random.percent(50));
    let events: Vec<&str> = events.collect();
    strings(&mut object, "events", events);
    object
        .boolean("secret_set", random.percent(50))
        .boolean("skip_cert_verification", random.percent(10))
        .boolean("history_enabled", random.percent(50))
        .boolean("read_only", false)
        .text("source", "USER");
    object.end();
}

/// Kinds of restrictions; the last ones have a number.
const RESTRICTIONS: &[&str] = &[
    "push",
    "delete",
    "force",
    "restrict_merges",
    "require_passing_builds_to_merge",
    "require_approvals_to_merge",
];
const PATTERNS: &[&str] = &["main", "release/*", "*"];

fn restrictions<'a>(parent: &InRepository<'a>, request: &Request) -> Listed<'a> {
    let mut entries = parent.entries(Kind::BranchRestrictions);
    let wants = |name: &str, value: &str| {
        let wanted = request.parameter(name);
        wanted.is_none_or(|wanted| wanted.is_empty() || wanted == value)
    };
    entries.retain(|entry| {
        let (kind, pattern) = restriction(entry);
        wants("kind", kind) && wants("pattern", pattern)
    });
    written(parent, entries, write_restriction)
}

fn restriction(entry: &Entry) -> (&'static str, &'static str) {
    let kind = RESTRICTIONS[(entry.number as usize - 1) % RESTRICTIONS.len()];
    (kind, entry.random().pick(PATTERNS))
}

fn write_restriction(parent: &InRepository<'_>, entry: &Entry, out: &mut String) {
    let workspace = parent.workspace();
    let (kind, pattern) = restriction(entry);
    let counted = kind.starts_with("require_");
    let mut random = entry.random();
    let mut digits = Digits::default();
    let mut object = Object::begin(out);
    object
        .text("type", "branchrestriction")
        .number("id", entry.id())
        .text("kind", kind)
        .text("branch_match_kind", "glob")
        .text("pattern", pattern);
    if counted {
        object.number("value", 1 + random.below(3));
    } else {
        object.null("value");
    }
    let person = somebody(&mut random, workspace.founders, 60);
    let people = person.filter(|_| !counted).into_iter();
    object.array("users", people, |place, out| {
        out.push_str(workspace.person(Some(place)));
    });
    let groups = (!counted && random.percent(40)).then_some(0);
    object.array("groups", groups, |place, out| {
        super::permissions::write_group(parent.world, workspace, place, out);
    });
    object.object("links", |links| {
        let id = digits.of(entry.id());
        links.link(
            "self",
            &[&parent.repository.names.api, "/branch-restrictions/", id],
        );
    });
    object.end();
}

fn write_deploy_key(parent: &InRepository<'_>, entry: &Entry, out: &mut String) {
    let names = &parent.repository.names;
    let mut object = Object::begin(out);
    let times = parent.times(entry);
    write_key(&mut object, "deploy_key", entry, times, &names.api);
    object.raw("repository", &names.condensed);
    object.end();
}

fn write_project_key(parent: &InProject<'_>, entry: &Entry, out: &mut String) {
    let workspace = parent.within.workspace();
    let world = parent.within.world;
    let project = parent.project();
    let api = [
        &world.base,
        "/workspaces/",
        &workspace.slug,
        "/projects/",
        &project.key,
    ]
    .concat();
    let times = entry.times(project.created_on, world.clock.start());
    let mut condensed = String::new();
    super::projects::write_condensed(world, workspace, project, &mut condensed);
    let creator = super::comments::person(workspace, entry);
    let mut object = Object::begin(out);
    write_key(&mut object, "project_deploy_key", entry, times, &api);
    object.raw("project", &condensed).raw("created_by", creator);
    object.end();
}

/// Writes what deploy keys of repositories and of projects have in common.
fn write_key(
    object: &mut Object<'_>,
    kind: &str,
    entry: &Entry,
    (created_on, used_on): (Timestamp, Timestamp),
    api: &str,
) {
    let mut random = entry.random();
    let mut digits = Digits::default();
    let key = format!("ssh-ed25519 {:016X}{:016X}", random.next(), random.next());
    object
        .text("type", kind)
        .number("id", entry.id())
        .text("key", key.as_str())
        .text("label", format!("key {}", entry.number).as_str())
        .text("comment", "deploy@builds.example")
        .time("created_on", created_on)
        .time("last_used", random.percent(60).then_some(used_on));
    object.object("links", |links| {
        links.link("self", &[api, "/deploy-keys/", digits.of(entry.id())]);
    });
}

fn write_download(parent: &InRepository<'_>, entry: &Entry, out: &mut String) {
    let mut random = entry.random();
    let name = format!("release {}.zip", entry.number);
    let encoded = utf8_percent_encode(&name, ENCODED).to_string();
    let mut object = Object::begin(out);
    object
        .text("type", "download")
        .text("name", name.as_str())
        .number("size", random.below(90_000_000))
        .number("downloads", random.below(4000))
        .raw("user", super::comments::person(parent.workspace(), entry))
        .time("created_on", parent.times(entry).0);
    object.object("links", |links| {
        links.link(
            "self",
            &[&parent.repository.names.api, "/downloads/", &encoded],
        );
    });
    object.end();
}

/// A fork belongs to one of the people, in a workspace of their own.
fn write_fork(parent: &InRepository<'_>, entry: &Entry, out: &mut String) {
    let (created_on, updated_on) = parent.times(entry);
    let owner = format!("user-{}-home", entry.number);
    let fork = repositories::Fork {
        uuid: entry.uuid(),
        full_name: format!("{owner}/{}", parent.repository.slug),
        owner,
        created_on,
        updated_on,
    };
    repositories::write_fork(parent.world, parent.repository, &fork, out);
}

/// The branch types, each with what their names begin with.
const TYPES: &[&str] = &["release", "hotfix", "feature", "bugfix"];

fn write_model(parent: &InRepository<'_>, kind: &str, path: Option<&str>, out: &mut String) {
    let main = parent.repository.main_branch.as_ref();
    let tip = main.and_then(|main| parent.repository.refs.branches.get(main));
    let branch = main.zip(tip);
    let mut object = Object::begin(out);
    object.text("type", kind);
    object.array("branch_types", TYPES, |name, out| {
        let mut object = Object::begin(out);
        object
            .text("kind", *name)
            .text("prefix", format!("{name}/").as_str());
        object.end();
    });
    object.object("development", |development| {
        development
            .text("name", main.map(String::as_str))
            .boolean("use_mainbranch", true);
        write_branch(development, parent, branch);
    });
    object.object("production", |production| {
        production
            .text("name", "production")
            .boolean("use_mainbranch", false);
        write_branch(production, parent, None);
    });
    if let Some(path) = path {
        object.object("links", |links| {
            links.link("self", &[&parent.repository.names.api, path]);
        });
    }
    object.end();
}

fn write_branch(
    object: &mut Object<'_>,
    parent: &InRepository<'_>,
    branch: Option<(&String, &Commit)>,
) {
    let Some((name, tip)) = branch else {
        object.null("branch");
        return;
    };
    object.object("branch", |branch| {
        branch.text("type", "branch").text("name", name.as_str());
        branch.object("target", |target| write_members(target, parent, tip));
    });
}

fn write_model_settings(parent: &InRepository<'_>, (): &(), out: &mut String) {
    let mut object = Object::begin(out);
    object.text("type", "branching_model_settings");
    object.array("branch_types", TYPES, |name, out| {
        let mut object = Object::begin(out);
        object
            .text("kind", *name)
            .boolean("enabled", *name != "bugfix")
            .text("prefix", format!("{name}/").as_str());
        object.end();
    });
    object.object("development", |development| {
        development
            .boolean("is_valid", true)
            .null("name")
            .boolean("use_mainbranch", true);
    });
    object.object("production", |production| {
        production
            .boolean("is_valid", true)
            .text("name", "production")
            .boolean("use_mainbranch", false)
            .boolean("enabled", false);
    });
    object.text("default_branch_deletion", "false");
    object.object("links", |links| {
        links.link(
            "self",
            &[&parent.repository.names.api, "/branching-model/settings"],
        );
    });
    object.end();
}
