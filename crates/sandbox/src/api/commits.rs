//! Commits and tags, and what is told about commits.

use std::rc::Rc;

use percent_encoding::utf8_percent_encode;

use super::branches::ENCODED;
use super::comments::{self, Place};
use super::listing::{List, Search, Style, page};
use super::parents::{InRepository, OfCommit, OfPullRequest};
use super::pull_requests;
use super::repositories::ACCOUNT;
use super::resource::{Access, Family, Listed, Parent, Resource, Shape, single, written};
use super::{Answer, Call};
use crate::clock::{DAY, SECOND, Timestamp};
use crate::config::Index;
use crate::http::reply::Reply;
use crate::http::request::Request;
use crate::http::sign_in::{PULL_REQUEST, REPOSITORY};
use crate::json::write::{Object, string};
use crate::kind::Kind;
use crate::query::{self, Field, Schema};
use crate::world::entries::Entry;
use crate::world::history::{Commit, History, Tag};
use crate::world::random::commit_hash;
use crate::world::repository::Repository;
use crate::world::workspace::Workspace;

const AUTHOR: Schema = &[
    Field("raw", query::Kind::Text),
    Field("user", query::Kind::Object(ACCOUNT)),
];

/// What a commit embedded in a branch or tag can be searched by.
pub(super) const TARGET: Schema = &[
    Field("hash", query::Kind::Text),
    Field("date", query::Kind::Time),
    Field("message", query::Kind::Text),
    Field("author", query::Kind::Object(AUTHOR)),
];

const TAGS: Schema = &[
    Field("name", query::Kind::Natural),
    Field("message", query::Kind::Text),
    Field("date", query::Kind::Time),
    Field("target", query::Kind::Object(TARGET)),
];

pub(super) const STATUSES: Schema = &[
    Field("key", query::Kind::Text),
    Field("name", query::Kind::Text),
    Field("refname", query::Kind::Text),
    Field("state", query::Kind::Text),
    Field("description", query::Kind::Text),
    Field("url", query::Kind::Text),
    Field("created_on", query::Kind::Time),
    Field("updated_on", query::Kind::Time),
];

/// Tags of repositories.
pub(super) struct Tags;

impl Family for Tags {
    type Parent<'a> = InRepository<'a>;

    const PREFIX: &'static [&'static str] = &["repositories", "*", "*"];
    const RESOURCES: &'static [Resource<Self>] = &[Resource {
        kind: Kind::Tags,
        path: &["refs", "tags"],
        scope: REPOSITORY,
        access: Access::Everybody,
        shape: Shape::keyed(
            "name",
            List {
                style: Style::TokensIfFiltered,
                ..List::of(TAGS)
            },
        ),
        rows: |asked| tags(&asked.parent),
    }];
}

/// Commits of repositories.
pub(super) struct Commits;

impl Family for Commits {
    type Parent<'a> = InRepository<'a>;

    const PREFIX: &'static [&'static str] = &["repositories", "*", "*"];
    const RESOURCES: &'static [Resource<Self>] = &[Resource {
        kind: Kind::Commits,
        path: &["commits"],
        scope: REPOSITORY,
        access: Access::Everybody,
        shape: Shape::list(OPAQUE),
        rows: |asked| commits(&asked.parent, asked.request, &[]),
    }];
}

/// What is told about commits.
pub(super) struct PerCommit;

impl Family for PerCommit {
    type Parent<'a> = OfCommit<'a>;

    const PREFIX: &'static [&'static str] = &["repositories", "*", "*", "commit", "*"];
    const RESOURCES: &'static [Resource<Self>] = &[
        Resource {
            kind: Kind::Commits,
            path: &[],
            scope: REPOSITORY,
            access: Access::Everybody,
            shape: Shape::Object,
            rows: |asked| {
                let parent = &asked.parent;
                single(parent, |parent, (), out| {
                    write(&parent.within, &parent.commit, out);
                })
            },
        },
        Resource {
            kind: Kind::CommitComments,
            path: &["comments"],
            scope: REPOSITORY,
            access: Access::Everybody,
            shape: Shape::keyed("id", List::of(comments::SCHEMA)),
            rows: |asked| {
                let parent = &asked.parent;
                let entries = parent.entries(Kind::CommitComments);
                written(parent, entries, write_comment)
            },
        },
        Resource {
            kind: Kind::CommitStatuses,
            path: &["statuses"],
            scope: REPOSITORY,
            access: Access::Everybody,
            shape: Shape::list(List::of(STATUSES)),
            rows: |asked| statuses(&asked.parent, asked.request),
        },
        Resource {
            kind: Kind::CommitStatuses,
            path: &["statuses", "build"],
            scope: REPOSITORY,
            access: Access::Everybody,
            shape: Shape::keyed("key", List::of(STATUSES)),
            rows: |asked| statuses(&asked.parent, asked.request),
        },
        Resource {
            kind: Kind::PullRequests,
            path: &["pullrequests"],
            scope: PULL_REQUEST,
            access: Access::Everybody,
            shape: Shape::list(List {
                default_pagelen: 30,
                ..List::PLAIN
            }),
            rows: |asked| pull_requests_of(&asked.parent),
        },
    ];
}

/// A list that is walked by tokens.
pub(super) const OPAQUE: List<'static> = List {
    style: Style::Tokens,
    search: Search::Ignored,
    ..List::PLAIN
};

/// `.../commits/{revision}`: the commits that lead to one.
pub(super) fn of_revision(
    call: &Call<'_>,
    workspace: &str,
    repository: &str,
    revision: &str,
) -> Answer {
    let parent = InRepository::find(call, &[workspace, repository], REPOSITORY)?;
    let rows = commits(&parent, call.request, &[revision])?;
    page(call, OPAQUE, rows.as_ref())
}

/// The commits that the parameters `include` and `exclude` say; all that a branch or tag reaches
/// unless something is included. With `path` only those that touch it.
fn commits<'a>(parent: &InRepository<'a>, request: &Request, revisions: &[&str]) -> Listed<'a> {
    let history = parent.repository.history();
    let mut missing = Vec::new();
    let mut find = |name: &str| match resolve(parent.repository, &history, name) {
        Some(seed) => Some(seed),
        None => {
            missing.push(name.to_owned());
            None
        }
    };
    let included = request
        .parameters("include")
        .chain(revisions.iter().copied());
    let mut include: Vec<u64> = included.filter_map(&mut find).collect();
    let exclude: Vec<u64> = request
        .parameters("exclude")
        .filter_map(&mut find)
        .collect();
    if !missing.is_empty() {
        let missing: Vec<&str> = missing.iter().map(String::as_str).collect();
        return Err(Reply::no_commit(&missing));
    }
    if include.is_empty() {
        include = history.heads().to_vec();
    }
    let mut commits = history.between(&include, &exclude);
    if let Some(path) = request.parameter("path").filter(|path| !path.is_empty()) {
        commits.retain(|commit| super::diffs::touches(commit, path));
    }
    written(parent, commits, write)
}

/// The commit that a branch, a tag or a hash names.
pub(super) fn resolve(repository: &Repository, history: &History, name: &str) -> Option<u64> {
    let refs = &repository.refs;
    let branch = refs.branches.get(name).map(|tip| tip.seed);
    branch
        .or_else(|| refs.tags.get(name).map(|tag| tag.commit))
        .or_else(|| history.find(name).map(|commit| commit.seed))
}

/// Writes a commit as lists and the call for one commit show it.
pub(super) fn write(parent: &InRepository<'_>, commit: &Commit, out: &mut String) {
    let mut object = Object::begin(out);
    write_members(&mut object, parent, commit);
    object.object("rendered", |rendered| {
        rendered.rendered("message", &message(parent, commit));
    });
    object.raw("participants", "[]");
    object.end();
}

/// Writes what is shown of a commit that a branch or tag leads to.
pub(super) fn write_members(object: &mut Object<'_>, parent: &InRepository<'_>, commit: &Commit) {
    let names = &parent.repository.names;
    let (api, html) = (names.api.as_str(), names.html.as_str());
    let hash = commit_hash(commit.seed);
    object
        .text("type", "commit")
        .text("hash", hash.as_str())
        .text("date", local(commit.date, commit.offset).as_str());
    for role in ["author", "committer"] {
        object.object(role, |signature| {
            write_signature(signature, role, parent.workspace(), commit.author);
        });
    }
    let message = message(parent, commit);
    object
        .text("message", message.as_str())
        .rendered("summary", &message);
    object.object("links", |links| {
        links
            .link("self", &[api, "/commit/", &hash])
            .link("html", &[html, "/commits/", &hash])
            .link("diff", &[api, "/diff/", &hash])
            .link("approve", &[api, "/commit/", &hash, "/approve"])
            .link("comments", &[api, "/commit/", &hash, "/comments"])
            .link("statuses", &[api, "/commit/", &hash, "/statuses"])
            .link("patch", &[api, "/patch/", &hash]);
    });
    object.array("parents", &commit.parents, |parent, out| {
        let mut object = Object::begin(out);
        write_reference(&mut object, api, html, &commit_hash(*parent));
        object.end();
    });
    object.raw("repository", &names.condensed);
}

/// Writes what names a commit elsewhere.
pub(super) fn write_reference(object: &mut Object<'_>, api: &str, html: &str, hash: &str) {
    object.text("type", "commit").text("hash", hash);
    object.object("links", |links| {
        links
            .link("self", &[api, "/commit/", hash])
            .link("html", &[html, "/commits/", hash]);
    });
}

/// Writes who made a commit, or committed it.
pub(super) fn write_signature(
    object: &mut Object<'_>,
    kind: &str,
    workspace: &Workspace,
    author: Option<usize>,
) {
    let name = author
        .and_then(|place| workspace.people.get(place))
        .map_or("Somebody", |person| &person.display_name);
    let mail = name.to_lowercase().replace(' ', "");
    object.text("type", kind).text(
        "raw",
        format!("{name} <{mail}@{}.example>", workspace.slug).as_str(),
    );
    if author.is_some() {
        object.raw("user", workspace.person(author));
    }
}

fn message(parent: &InRepository<'_>, commit: &Commit) -> String {
    let merged = commit
        .merges
        .and_then(|id| parent.repository.pull_requests.get(id));
    let said = merged.as_ref().and_then(|merged| merged.last_said());
    match (merged, said) {
        (Some(pull_request), Some(said)) => format!(
            "Merged in {} (pull request #{})\n\n{}\n",
            pull_request.source_branch, pull_request.id, said.title
        ),
        _ => format!("Commit {} of User work\n", &commit_hash(commit.seed)[..7]),
    }
}

/// A commit's date: whole seconds, with the author's own offset.
fn local(at: Timestamp, offset: i32) -> String {
    let mut text = String::new();
    Timestamp(at.0 + i64::from(offset) * 60 * SECOND).write_seconds(&mut text);
    text.push(if offset < 0 { '-' } else { '+' });
    let minutes = offset.abs();
    text.push_str(&format!("{:02}:{:02}", minutes / 60, minutes % 60));
    text
}

/// The tags in git's order: plain, by bytes.
fn tags<'a>(parent: &InRepository<'a>) -> Listed<'a> {
    let history = Rc::new(parent.repository.history());
    let tags = parent.repository.refs.tags.iter();
    let rows = tags.map(|(name, tag)| TagRow {
        name,
        tag,
        history: Rc::clone(&history),
    });
    written(parent, rows.collect(), write_tag)
}

struct TagRow<'a> {
    name: &'a str,
    tag: &'a Tag,
    history: Rc<History>,
}

fn write_tag(parent: &InRepository<'_>, row: &TagRow<'_>, out: &mut String) {
    let names = &parent.repository.names;
    let encoded = utf8_percent_encode(row.name, ENCODED).to_string();
    let mut object = Object::begin(out);
    object.text("name", row.name).text("type", "tag");
    match &row.tag.annotation {
        Some(annotation) => {
            object
                .text("message", annotation.message.as_str())
                .text("date", local(annotation.date, 0).as_str());
            object.object("tagger", |tagger| {
                write_signature(tagger, "author", parent.workspace(), annotation.tagger);
            });
        }
        None => {
            object.null("message").null("date").null("tagger");
        }
    }
    object.object("links", |links| {
        links
            .link("self", &[&names.api, "/refs/tags/", &encoded])
            .link("commits", &[&names.api, "/commits/", &encoded])
            .link("html", &[&names.html, "/commits/tag/", &encoded]);
    });
    match row.history.get(row.tag.commit) {
        Some(commit) => object.object("target", |target| {
            write_members(target, parent, commit);
        }),
        None => object.null("target"),
    };
    object.end();
}

impl OfCommit<'_> {
    /// Its entries of a kind.
    pub(super) fn entries(&self, kind: Kind) -> Vec<Entry> {
        self.within.world.entries(kind, self.seed())
    }

    /// When an entry was made and changed: soon after the commit.
    pub(super) fn times(&self, entry: &Entry) -> (Timestamp, Timestamp) {
        let from = self.commit.date;
        let start = self.within.world.clock.start();
        let to = Timestamp((from.0 + 2 * DAY).min(start.0));
        entry.times(from, to.max(from))
    }

    /// `<repository>/commit/<hash>`
    pub(super) fn api(&self) -> String {
        [&self.within.repository.names.api, "/commit/", &self.hash].concat()
    }
}

fn write_comment(parent: &OfCommit<'_>, entry: &Entry, out: &mut String) {
    let names = &parent.within.repository.names;
    let place = Place {
        within: parent.within,
        api: [&parent.api(), "/comments/"].concat(),
        html: [&names.html, "/commits/", &parent.hash, "#comment-"].concat(),
        times: parent.times(entry),
    };
    let mut object = Object::begin(out);
    comments::write(&mut object, "commit_comment", &place, entry);
    object.object("commit", |commit| {
        write_reference(commit, &names.api, &names.html, &parent.hash);
    });
    object.end();
}

/// The build statuses of a commit; with `refname` only those of one branch.
pub(super) fn statuses<'a>(parent: &OfCommit<'a>, request: &Request) -> Listed<'a> {
    let mut entries = parent.entries(Kind::CommitStatuses);
    if let Some(name) = request.parameter("refname").filter(|name| !name.is_empty()) {
        entries.retain(|entry| refname(parent, entry) == Some(name));
    }
    written(parent, entries, write_status)
}

/// The branch that a build was of, where it was of one.
fn refname<'p>(parent: &'p OfCommit<'_>, entry: &Entry) -> Option<&'p str> {
    let branch = parent.within.repository.main_branch.as_deref();
    branch.filter(|_| entry.number % 2 == 1)
}

fn write_status(parent: &OfCommit<'_>, entry: &Entry, out: &mut String) {
    const STATES: &[&str] = &[
        "SUCCESSFUL",
        "SUCCESSFUL",
        "FAILED",
        "INPROGRESS",
        "STOPPED",
    ];
    let mut random = entry.random();
    let (created_on, updated_on) = parent.times(entry);
    let key = format!("build-{}", entry.number);
    let mut object = Object::begin(out);
    object
        .text("type", "build")
        .text("key", key.as_str())
        .text("refname", refname(parent, entry))
        .text("state", random.pick(STATES))
        .text("name", format!("Build {}", entry.number).as_str())
        .text(
            "description",
            format!("{} tests", random.below(900)).as_str(),
        )
        .text(
            "url",
            format!("https://builds.example/{}/{key}", &parent.hash[..12]).as_str(),
        )
        .time("created_on", created_on)
        .time("updated_on", updated_on);
    let names = &parent.within.repository.names;
    object.object("commit", |commit| {
        write_reference(commit, &names.api, &names.html, &parent.hash);
    });
    let api = parent.api();
    object.object("links", |links| {
        links
            .link("self", &[&api, "/statuses/build/", &key])
            .link("commit", &[&api]);
    });
    object.end();
}

/// The pull requests that a commit is in, as far as that is known.
fn pull_requests_of<'a>(parent: &OfCommit<'a>) -> Listed<'a> {
    let within = parent.within;
    let found: Vec<OfPullRequest<'a>> = match within.repository.pull_request_index {
        Index::Missing => return Err(Reply::text(404, "Not Found")),
        Index::Building => {
            return Err(Reply {
                status: 202,
                ..Reply::json(r#"{"values":[],"pagelen":30,"size":0,"page":1}"#.to_owned())
            });
        }
        Index::Ready => {
            let commit = parent.commit.seed;
            let led_to = parent.history.descendants(commit);
            OfPullRequest::all(within)
                .filter(|OfPullRequest { pull_request, .. }| {
                    pull_request.merge_commit == Some(commit)
                        || led_to.contains(&pull_request.source_commit)
                            && !led_to.contains(&pull_request.destination_commit)
                })
                .collect()
        }
    };
    written(&within, found, |within, one, out| {
        pull_requests::write(
            within.world,
            within.repository,
            &one.pull_request,
            false,
            out,
        );
    })
}

/// Writes a list of strings.
pub(super) fn strings<'s>(
    object: &mut Object<'_>,
    key: &str,
    texts: impl IntoIterator<Item = &'s str>,
) {
    object.array(key, texts, |text, out| string(out, text));
}
