//! Repositories.

use super::listing::{List, Rows, page};
use super::{Answer, Call, projects};
use crate::clock::Timestamp;
use crate::config::Day;
use crate::http::reply::Reply;
use crate::http::sign_in::{Caller, REPOSITORY};
use crate::json::write::Object;
use crate::query::{Bounds, Field, Kind, Schema};
use crate::world::World;
use crate::world::people::encoded;
use crate::world::repository::Repository;
use crate::world::shelf::{By, Selection};

/// What a repository embedded in another object can be searched by.
pub(super) const CONDENSED: Schema = &[
    Field("uuid", Kind::Text),
    Field("full_name", Kind::Text),
    Field("name", Kind::Text),
];

/// What any account can be searched by. Search by user name is gone.
pub(super) const ACCOUNT: Schema = &[
    Field("uuid", Kind::Text),
    Field("account_id", Kind::Text),
    Field("nickname", Kind::Text),
    Field("display_name", Kind::Text),
];

const NAMED: Schema = &[
    Field("uuid", Kind::Text),
    Field("slug", Kind::Text),
    Field("key", Kind::Text),
    Field("name", Kind::Text),
];

pub(super) const SCHEMA: Schema = &[
    Field("uuid", Kind::Text),
    Field("full_name", Kind::Text),
    Field("slug", Kind::Text),
    Field("name", Kind::Text),
    Field("description", Kind::Text),
    Field("language", Kind::Text),
    Field("scm", Kind::Text),
    Field("fork_policy", Kind::Text),
    Field("website", Kind::Text),
    Field("is_private", Kind::Bool),
    Field("has_issues", Kind::Bool),
    Field("has_wiki", Kind::Bool),
    Field("size", Kind::Number),
    Field("created_on", Kind::Time),
    Field("updated_on", Kind::Time),
    Field("owner", Kind::Object(ACCOUNT)),
    Field("workspace", Kind::Object(NAMED)),
    Field("project", Kind::Object(NAMED)),
    Field("parent", Kind::Object(CONDENSED)),
    Field("mainbranch", Kind::Object(&[Field("name", Kind::Text)])),
];

/// `GET /repositories/{workspace}`: strangers get an empty list, not a refusal.
pub(super) fn list(call: &Call<'_>, id: &str) -> Answer {
    call.require(REPOSITORY)?;
    let workspace = call.workspace(id)?;
    let role = match call.request.parameter("role") {
        None | Some("") => None,
        Some("member") => Some(Role::Member),
        Some("contributor") => Some(Role::Contributor),
        Some("admin") => Some(Role::Admin),
        Some("owner") => Some(Role::Owner),
        Some(_) => return Err(Reply::error(400, "Invalid role")),
    };
    let rows = Repositories {
        world: call.world,
        workspace,
        caller: Some(call.caller),
        role,
    };
    let path = format!(
        "/2.0/repositories/{}",
        encoded(&call.world.workspaces[workspace].uuid)
    );
    page(
        call,
        List {
            path: Some(&path),
            ..List::of(SCHEMA)
        },
        &rows,
    )
}

/// `GET /repositories/{workspace}/{repo_slug}`
pub(super) fn get(call: &Call<'_>, workspace: &str, id: &str) -> Answer {
    call.require(REPOSITORY)?;
    let repository = call.repository(workspace, id)?;
    let mut json = String::new();
    write(call.world, repository, &mut json);
    call.object(json)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    Member,
    Contributor,
    Admin,
    Owner,
}

/// The repositories of one workspace, all or those a caller sees.
pub(crate) struct Repositories<'a> {
    pub(crate) world: &'a World,
    pub(crate) workspace: usize,
    pub(crate) caller: Option<Caller<'a>>,
    pub(crate) role: Option<Role>,
}

impl Repositories<'_> {
    fn includes(&self, repository: &Repository) -> bool {
        repository.workspace == self.workspace
            && repository.present()
            && self
                .caller
                .is_none_or(|caller| caller.sees(self.world, repository))
            && self
                .role
                .is_none_or(|role| self.role_in(repository).is_some_and(|has| has >= role))
    }

    /// The caller's explicit role: administrators have every one, others one that differs from
    /// repository to repository, and some none.
    fn role_in(&self, repository: &Repository) -> Option<Role> {
        match self.caller {
            Some(Caller::Known(holder)) if holder.workspaces.contains(&self.workspace) => {
                if holder.credential.administrator {
                    return Some(Role::Owner);
                }
                [
                    None,
                    Some(Role::Member),
                    Some(Role::Contributor),
                    Some(Role::Admin),
                ][repository.seed as usize % 4]
            }
            _ => None,
        }
    }
}

impl Rows for Repositories<'_> {
    fn select(&self, _: &Bounds, _: Option<By>) -> Selection<'_> {
        let all = &self.world.repositories;
        let mut rows: Vec<u32> = (0..all.len() as u32)
            .filter(|row| self.includes(&all[*row as usize]))
            .collect();
        rows.sort_by_key(|row| all[*row as usize].moved);
        Selection::Owned(rows)
    }

    fn write(&self, row: u32, _: bool, out: &mut String) {
        write(self.world, &self.world.repositories[row as usize], out);
    }
}

/// What a fork does not share with the repository it was made from.
pub(super) struct Fork {
    pub(super) uuid: String,
    /// Slug of the workspace it is in.
    pub(super) owner: String,
    pub(super) full_name: String,
    pub(super) created_on: Timestamp,
    pub(super) updated_on: Timestamp,
}

/// Writes a fork of a repository.
pub(super) fn write_fork(world: &World, repository: &Repository, fork: &Fork, out: &mut String) {
    let base = &world.base;
    let mut workspace = String::new();
    let mut object = Object::begin(&mut workspace);
    object
        .text("type", "workspace")
        .text("slug", fork.owner.as_str())
        .text("name", fork.owner.as_str());
    object.object("links", |links| {
        links.link("self", &[base, "/workspaces/", &fork.owner]);
    });
    object.end();
    let face = Face {
        uuid: &fork.uuid,
        full_name: &fork.full_name,
        api: &format!("{base}/repositories/{}", fork.full_name),
        html: &format!("https://bitbucket.org/{}", fork.full_name),
        owner: "null",
        workspace: &workspace,
        project: "null",
        parent: &repository.names.condensed,
        created_on: fork.created_on,
        updated_on: fork.updated_on,
    };
    write_face(world, repository, &face, out);
}

/// Writes the whole object.
fn write(world: &World, repository: &Repository, out: &mut String) {
    let workspace = &world.workspaces[repository.workspace];
    let mut project = String::new();
    projects::write_condensed(world, workspace, world.project_of(repository), &mut project);
    let face = Face {
        uuid: &repository.uuid,
        full_name: &repository.names.full_name,
        api: &repository.names.api,
        html: &repository.names.html,
        owner: &workspace.owner,
        workspace: &workspace.condensed,
        project: &project,
        parent: "null",
        created_on: repository.created_on,
        updated_on: repository.updated_on,
    };
    write_face(world, repository, &face, out);
}

/// What a repository and its forks do not share; objects as JSON.
struct Face<'a> {
    uuid: &'a str,
    full_name: &'a str,
    api: &'a str,
    html: &'a str,
    owner: &'a str,
    workspace: &'a str,
    project: &'a str,
    parent: &'a str,
    created_on: Timestamp,
    updated_on: Timestamp,
}

fn write_face(world: &World, repository: &Repository, face: &Face<'_>, out: &mut String) {
    let Face { api, html, .. } = *face;
    let before = world.day == Day::BeforeRemoval;

    let mut object = Object::begin(out);
    object
        .text("type", "repository")
        .text("full_name", face.full_name);
    object.object("links", |links| {
        links
            .link("self", &[api])
            .link("html", &[html])
            .link(
                "avatar",
                &[
                    "https://bytebucket.org/ravatar/",
                    &encoded(face.uuid),
                    "?ts=default",
                ],
            )
            .link("pullrequests", &[api, "/pullrequests"])
            .link("commits", &[api, "/commits"])
            .link("forks", &[api, "/forks"])
            .link("watchers", &[api, "/watchers"])
            .link("branches", &[api, "/refs/branches"])
            .link("tags", &[api, "/refs/tags"])
            .link("downloads", &[api, "/downloads"])
            .link("source", &[api, "/src"]);
        links.array(
            "clone",
            [
                (format!("{html}.git"), "https"),
                (format!("git@bitbucket.org:{}.git", face.full_name), "ssh"),
            ],
            |(href, name), out| {
                let mut link = Object::begin(out);
                link.text("name", name).text("href", href.as_str());
                link.end();
            },
        );
        links.link("hooks", &[api, "/hooks"]);
        if before && repository.has_tracker {
            links.link("issues", &[api, "/issues"]);
        }
    });
    object
        .text("name", repository.name.as_str())
        .text("slug", repository.slug.as_str())
        .text("description", repository.description.as_str())
        .text("scm", "git")
        .text("website", "")
        .raw("owner", face.owner)
        .raw("workspace", face.workspace)
        .boolean("is_private", repository.is_private)
        .raw("project", face.project)
        .text(
            "fork_policy",
            if repository.is_private {
                "no_public_forks"
            } else {
                "allow_forks"
            },
        )
        .time("created_on", face.created_on)
        .time("updated_on", face.updated_on)
        .number("size", repository.size)
        .text("language", repository.language)
        .text("uuid", face.uuid);
    match &repository.main_branch {
        Some(name) => object.object("mainbranch", |branch| {
            branch.text("name", name.as_str()).text("type", "branch");
        }),
        None => object.null("mainbranch"),
    };
    object.object("override_settings", |settings| {
        settings
            .boolean("default_merge_strategy", true)
            .boolean("branching_model", true);
    });
    object
        .raw("parent", face.parent)
        .null("enforced_signed_commits");
    if before {
        object
            .boolean("has_issues", repository.has_tracker)
            .boolean("has_wiki", repository.has_wiki);
    }
    object.end();
}
