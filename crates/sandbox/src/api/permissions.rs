//! Who belongs to a workspace, who may do what, and who reviews and watches.

use super::listing::List;
use super::parents::{InProject, InRepository, InWorkspace};
use super::repositories::{ACCOUNT, CONDENSED};
use super::resource::{Access, Family, Listed, Parent, Resource, Shape, users, written};
use super::{Call, projects, users};
use crate::config::Day;
use crate::http::reply::Reply;
use crate::http::scopes::{
    ALL_PERMISSIONS, PROJECT_PERMISSION, PROJECT_REVIEWERS, REPOSITORY_PERMISSION,
};
use crate::http::sign_in::{MEMBERSHIP, PULL_REQUEST, REPOSITORY, Scope};
use crate::json::write::Object;
use crate::kind::Kind;
use crate::query::{self, Field, Schema};
use crate::world::World;
use crate::world::entries::Entry;
use crate::world::people::encoded;
use crate::world::random::Random;
use crate::world::repository::Repository;
use crate::world::workspace::Workspace;

const MEMBERS: Schema = &[
    Field("permission", query::Kind::Text),
    Field("user", query::Kind::Object(ACCOUNT)),
];

const PERMISSIONS: Schema = &[
    // In the order of what they allow.
    Field(
        "permission",
        query::Kind::Ranked(&["read", "write", "admin"]),
    ),
    Field("user", query::Kind::Object(ACCOUNT)),
    Field("repository", query::Kind::Object(CONDENSED)),
];

/// Members of workspaces and their permissions.
pub(super) struct PerWorkspace;

impl Family for PerWorkspace {
    type Parent<'a> = InWorkspace<'a>;

    const PREFIX: &'static [&'static str] = &["workspaces", "*"];
    const RESOURCES: &'static [Resource<Self>] = &[
        Resource {
            kind: Kind::WorkspaceMembers,
            path: &["members"],
            scope: MEMBERSHIP,
            access: Access::SignedIn,
            shape: Shape::list(List::of(MEMBERS)),
            rows: |asked| members(&asked.parent),
        },
        Resource {
            kind: Kind::WorkspacePermissions,
            path: &["permissions"],
            scope: MEMBERSHIP,
            access: Access::People,
            shape: Shape::list(List::of(MEMBERS)),
            rows: |asked| members(&asked.parent),
        },
        Resource {
            kind: Kind::RepositoryPermissions,
            path: &["permissions", "repositories"],
            scope: ALL_PERMISSIONS,
            access: Access::People,
            shape: Shape::list(List::of(PERMISSIONS)),
            rows: |asked| {
                let parent = &asked.parent;
                effective(parent, &repositories(parent), &parent.members())
            },
        },
    ];
}

/// The signed-in person's permissions in a workspace.
pub(super) struct Mine;

impl Family for Mine {
    type Parent<'a> = InWorkspace<'a>;

    const PREFIX: &'static [&'static str] = &["user", "workspaces", "*"];
    const RESOURCES: &'static [Resource<Self>] = &[Resource {
        kind: Kind::RepositoryPermissions,
        path: &["permissions", "repositories"],
        scope: ALL_PERMISSIONS,
        access: Access::SignedIn,
        shape: Shape::list(List::of(PERMISSIONS)),
        rows: |asked| effective(&asked.parent, &repositories(&asked.parent), &[0]),
    }];

    /// A person is the first one of the workspace.
    fn find<'a>(call: &Call<'a>, names: &[&str], scope: Scope) -> Result<InWorkspace<'a>, Reply> {
        users::person(call, |call| call.require(scope))?;
        InWorkspace::find(call, names, scope)
    }
}

/// Everybody's permissions on one repository.
pub(super) struct OnRepository;

impl Family for OnRepository {
    type Parent<'a> = InRepository<'a>;

    const PREFIX: &'static [&'static str] =
        &["workspaces", "*", "permissions", "repositories", "*"];
    const RESOURCES: &'static [Resource<Self>] = &[Resource {
        kind: Kind::RepositoryPermissions,
        path: &[],
        scope: REPOSITORY,
        access: Access::People,
        shape: Shape::list(List::of(PERMISSIONS)),
        rows: |asked| {
            let within = InWorkspace {
                world: asked.parent.world,
                place: asked.parent.repository.workspace,
            };
            effective(&within, &[asked.parent], &within.members())
        },
    }];
}

/// What projects give to whom, and who reviews in them.
pub(super) struct PerProject;

impl Family for PerProject {
    type Parent<'a> = InProject<'a>;

    const PREFIX: &'static [&'static str] = &["workspaces", "*", "projects", "*"];
    const RESOURCES: &'static [Resource<Self>] = &[
        Resource {
            kind: Kind::ProjectUserPermissions,
            path: &["permissions-config", "users"],
            scope: PROJECT_PERMISSION,
            access: Access::People,
            shape: Shape::list(List::PLAIN),
            rows: |asked| {
                let given = asked.parent.given_to_people(Kind::ProjectUserPermissions);
                written(&asked.parent, given, write_project_permission)
            },
        },
        Resource {
            kind: Kind::ProjectGroupPermissions,
            path: &["permissions-config", "groups"],
            scope: PROJECT_PERMISSION,
            access: Access::People,
            shape: Shape::list(List::PLAIN),
            rows: |asked| {
                let entries = asked.parent.entries(Kind::ProjectGroupPermissions);
                written(&asked.parent, groups(&entries), write_project_permission)
            },
        },
        Resource {
            kind: Kind::ProjectDefaultReviewers,
            path: &["default-reviewers"],
            scope: PROJECT_REVIEWERS,
            access: Access::Administrators,
            shape: Shape::list(List::PLAIN),
            rows: |asked| {
                let workspace = asked.parent.within.workspace();
                let rows = asked.parent.reviewers();
                written(
                    &asked.parent,
                    reviewers(workspace, rows, "project"),
                    |_, row, out| {
                        write_reviewer(row, out);
                    },
                )
            },
        },
    ];
}

/// What repositories give to whom, who reviews in them and who watches them.
pub(super) struct PerRepository;

impl Family for PerRepository {
    type Parent<'a> = InRepository<'a>;

    const PREFIX: &'static [&'static str] = &["repositories", "*", "*"];
    const RESOURCES: &'static [Resource<Self>] = &[
        Resource {
            kind: Kind::RepositoryUserPermissions,
            path: &["permissions-config", "users"],
            scope: REPOSITORY_PERMISSION,
            access: Access::People,
            shape: Shape::list(List::PLAIN),
            rows: |asked| {
                let given = asked.parent.people(Kind::RepositoryUserPermissions);
                let given = given.into_iter().map(|(entry, place)| Given {
                    entry,
                    to: To::Person(place),
                });
                written(&asked.parent, given.collect(), write_repository_permission)
            },
        },
        Resource {
            kind: Kind::RepositoryGroupPermissions,
            path: &["permissions-config", "groups"],
            scope: REPOSITORY_PERMISSION,
            access: Access::People,
            shape: Shape::list(List::PLAIN),
            rows: |asked| {
                let entries = asked.parent.entries(Kind::RepositoryGroupPermissions);
                written(&asked.parent, groups(&entries), write_repository_permission)
            },
        },
        Resource {
            kind: Kind::DefaultReviewers,
            path: &["default-reviewers"],
            scope: PULL_REQUEST,
            access: Access::Everybody,
            shape: Shape::list(List::PLAIN),
            rows: |asked| accounts(&asked.parent, Kind::DefaultReviewers),
        },
        Resource {
            kind: Kind::EffectiveDefaultReviewers,
            path: &["effective-default-reviewers"],
            scope: PULL_REQUEST,
            access: Access::Everybody,
            shape: Shape::list(List {
                default_pagelen: 20,
                ..List::PLAIN
            }),
            rows: |asked| {
                let parent = &asked.parent;
                let workspace = parent.workspace();
                let own = parent.people(Kind::DefaultReviewers);
                let mut inherited = parent.project().reviewers();
                inherited.retain(|(_, place)| own.iter().all(|(_, other)| other != place));
                let mut rows = reviewers(workspace, inherited, "project");
                rows.extend(reviewers(workspace, own, "repository"));
                written(parent, rows, |_, row, out| write_reviewer(row, out))
            },
        },
        Resource {
            kind: Kind::Watchers,
            path: &["watchers"],
            scope: REPOSITORY,
            access: Access::Everybody,
            shape: Shape::list(List::PLAIN),
            rows: |asked| accounts(&asked.parent, Kind::Watchers),
        },
    ];
}

impl InWorkspace<'_> {
    /// Places of the members whose accounts exist.
    fn members(&self) -> Vec<usize> {
        let workspace = self.workspace();
        let count = workspace.people.len() as u32;
        self.world
            .first_entries(Kind::WorkspaceMembers, workspace.seed, count)
            .iter()
            .map(|entry| entry.number as usize - 1)
            .filter(|place| {
                let person = workspace.people.get(*place);
                person.is_some_and(|person| person.is_user() && !person.is_deleted())
            })
            .collect()
    }
}

fn members<'a>(parent: &InWorkspace<'a>) -> Listed<'a> {
    written(parent, parent.members(), write_member)
}

/// Writes a membership: the first person owns the workspace, the others are members.
fn write_member(parent: &InWorkspace<'_>, place: &usize, out: &mut String) {
    let workspace = parent.workspace();
    let person = &workspace.people[*place];
    let mut object = Object::begin(out);
    object
        .text("type", "workspace_membership")
        .text("permission", if *place == 0 { "owner" } else { "member" });
    if parent.world.day == Day::BeforeRemoval {
        object
            .time("added_on", workspace.created_on)
            .null("last_accessed");
    }
    object
        .raw("user", &person.json)
        .raw("workspace", &workspace.condensed);
    object.object("links", |links| {
        let base = &parent.world.base;
        let id = encoded(&person.uuid);
        links.link(
            "self",
            &[base, "/workspaces/", &workspace.slug, "/members/", &id],
        );
    });
    object.end();
}

/// A person's effective permission on a repository.
struct Effective<'a> {
    repository: &'a Repository,
    place: usize,
    permission: &'static str,
}

/// All repositories of a workspace.
fn repositories<'a>(parent: &InWorkspace<'a>) -> Vec<InRepository<'a>> {
    let mut all = Vec::new();
    InRepository::each(parent.world, parent.place, &mut |within| all.push(within));
    all
}

/// The permissions of these people on some repositories; some have none.
fn effective<'a>(
    parent: &InWorkspace<'a>,
    on: &[InRepository<'a>],
    members: &[usize],
) -> Listed<'a> {
    let rows = on.iter().flat_map(|within| {
        members.iter().filter_map(|place| {
            let mut random = Random::new(&[within.repository.seed, *place as u64, 90]);
            let permission = match (*place, random.below(10)) {
                (0, _) | (_, 0) => "admin",
                (_, 1..4) => "write",
                (_, 4..7) => "read",
                _ => return None,
            };
            Some(Effective {
                repository: within.repository,
                place: *place,
                permission,
            })
        })
    });
    let rows: Vec<Effective<'a>> = rows.collect();
    written(parent, rows, |parent, row, out| {
        let mut object = Object::begin(out);
        object
            .text("type", "repository_permission")
            .text("permission", row.permission)
            .raw("user", parent.workspace().person(Some(row.place)))
            .raw("repository", &row.repository.names.condensed);
        object.end();
    })
}

/// A permission that was given explicitly.
struct Given {
    entry: Entry,
    to: To,
}

/// To a person or to a group, by their places.
#[derive(Clone, Copy)]
enum To {
    Person(usize),
    Group(usize),
}

fn groups(entries: &[Entry]) -> Vec<Given> {
    let given = entries.iter().map(|entry| Given {
        entry: *entry,
        to: To::Group(entry.number as usize - 1),
    });
    given.collect()
}

const GROUPS: &[(&str, &str)] = &[
    ("administrators", "Administrators"),
    ("developers", "Developers"),
    ("reviewers", "Reviewers"),
];

/// Writes a group of a workspace.
pub(super) fn write_group(world: &World, workspace: &Workspace, place: usize, out: &mut String) {
    let (slug, name) = match GROUPS.get(place) {
        Some((slug, name)) => ((*slug).to_owned(), (*name).to_owned()),
        None => (
            format!("group-{}", place + 1),
            format!("Group {}", place + 1),
        ),
    };
    let full_slug = format!("{}:{slug}", workspace.slug);
    let mut object = Object::begin(out);
    object
        .text("type", "group")
        .text("name", name.as_str())
        .text("slug", slug.as_str())
        .text("full_slug", full_slug.as_str())
        .raw("owner", &workspace.owner)
        .raw("workspace", &workspace.condensed);
    object.object("links", |links| {
        let id = encoded(&workspace.uuid);
        links
            .link("self", &[&world.base, "/groups/", &id, "/", &slug])
            .link(
                "html",
                &[
                    "https://bitbucket.org/",
                    &workspace.slug,
                    "/workspace/groups",
                ],
            );
    });
    object.end();
}

/// Writes a permission of a project or a repository, but for what it is on.
fn write_given(
    object: &mut Object<'_>,
    on: &str,
    (world, workspace): (&World, &Workspace),
    permissions: &[&'static str],
    given: &Given,
    api: &str,
) {
    let permission = given.entry.random().pick(permissions);
    let (kind, path) = match given.to {
        To::Person(_) => ("user", "/permissions-config/users/"),
        To::Group(_) => ("group", "/permissions-config/groups/"),
    };
    object
        .text("type", format!("{on}_{kind}_permission").as_str())
        .text("permission", permission);
    let id = match given.to {
        To::Person(place) => {
            object.raw("user", workspace.person(Some(place)));
            encoded(&workspace.people[place].uuid)
        }
        To::Group(place) => {
            let mut group = String::new();
            write_group(world, workspace, place, &mut group);
            object.raw("group", &group);
            GROUPS.get(place).map_or_else(
                || format!("group-{}", place + 1),
                |(slug, _)| (*slug).to_owned(),
            )
        }
    };
    object.object("links", |links| {
        links.link("self", &[api, path, &id]);
    });
}

fn write_repository_permission(parent: &InRepository<'_>, given: &Given, out: &mut String) {
    let names = &parent.repository.names;
    let mut object = Object::begin(out);
    let within = (parent.world, parent.workspace());
    write_given(
        &mut object,
        "repository",
        within,
        &["read", "write", "admin"],
        given,
        &names.api,
    );
    object.raw("repository", &names.condensed);
    object.end();
}

fn write_project_permission(parent: &InProject<'_>, given: &Given, out: &mut String) {
    let world = parent.within.world;
    let workspace = parent.within.workspace();
    let project = parent.project();
    let mut condensed = String::new();
    projects::write_condensed(world, workspace, project, &mut condensed);
    let api = [
        &world.base,
        "/workspaces/",
        &workspace.slug,
        "/projects/",
        &project.key,
    ]
    .concat();
    let mut object = Object::begin(out);
    write_given(
        &mut object,
        "project",
        (world, workspace),
        &["read", "write", "create-repo", "admin"],
        given,
        &api,
    );
    object.raw("project", &condensed);
    object.end();
}

impl InProject<'_> {
    fn given_to_people(&self, kind: Kind) -> Vec<Given> {
        let people = &self.within.workspace().people;
        let given = users(&self.entries(kind), people).into_iter();
        given
            .map(|(entry, place)| Given {
                entry,
                to: To::Person(place),
            })
            .collect()
    }

    /// Its default reviewers.
    fn reviewers(&self) -> Vec<(Entry, usize)> {
        let people = &self.within.workspace().people;
        users(&self.entries(Kind::ProjectDefaultReviewers), people)
    }
}

impl InRepository<'_> {
    /// The people that its entries of a kind are about.
    fn people(&self, kind: Kind) -> Vec<(Entry, usize)> {
        users(&self.entries(kind), &self.workspace().people)
    }
}

/// The accounts of the people that the entries of a kind are about, but for deleted ones.
fn accounts<'a>(parent: &InRepository<'a>, kind: Kind) -> Listed<'a> {
    let mut people = parent.people(kind);
    people.retain(|(_, place)| !parent.workspace().people[*place].is_deleted());
    written(parent, people, |parent, (_, place), out| {
        out.push_str(parent.person(Some(*place)));
    })
}

/// A default reviewer's account, and whether the project or the repository says so.
type Reviewer<'a> = (&'a str, &'static str);

fn reviewers<'a>(
    workspace: &'a Workspace,
    of: Vec<(Entry, usize)>,
    set_by: &'static str,
) -> Vec<Reviewer<'a>> {
    of.into_iter()
        .map(|(_, place)| &workspace.people[place])
        .filter(|person| !person.is_deleted())
        .map(|person| (person.json.as_str(), set_by))
        .collect()
}

fn write_reviewer((account, set_by): &Reviewer<'_>, out: &mut String) {
    let mut object = Object::begin(out);
    object
        .text("type", "default_reviewer")
        .text("reviewer_type", *set_by)
        .raw("user", account);
    object.end();
}
