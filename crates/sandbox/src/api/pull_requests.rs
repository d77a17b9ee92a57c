//! Pull requests.

use std::borrow::Cow;

use super::commits::write_signature;
use super::listing::{List, Rows, page};
use super::repositories::{ACCOUNT, CONDENSED};
use super::{Answer, Call};
use crate::http::reply::Reply;
use crate::http::sign_in::PULL_REQUEST;
use crate::json::write::{Digits, Object};
use crate::query::{Bounds, Field, Kind, Schema};
use crate::world::World;
use crate::world::history::whole;
use crate::world::pull_request::{PullRequest, State};
use crate::world::random::commit_hash;
use crate::world::repository::Repository;
use crate::world::shelf::{By, Selection};

const ENDPOINT: Schema = &[
    Field("repository", Kind::Object(CONDENSED)),
    Field("branch", Kind::Object(&[Field("name", Kind::Text)])),
    Field("commit", Kind::Object(&[Field("hash", Kind::Text)])),
];

const SCHEMA: Schema = &[
    Field("id", Kind::Number),
    Field("title", Kind::Text),
    Field("description", Kind::Text),
    Field("state", Kind::Text),
    Field("draft", Kind::Bool),
    Field("author", Kind::Object(ACCOUNT)),
    Field("closed_by", Kind::Object(ACCOUNT)),
    Field("reviewers", Kind::Object(ACCOUNT)),
    Field(
        "participants",
        Kind::Object(&[
            Field("user", Kind::Object(ACCOUNT)),
            Field("role", Kind::Text),
            Field("approved", Kind::Bool),
        ]),
    ),
    Field("source", Kind::Object(ENDPOINT)),
    Field("destination", Kind::Object(ENDPOINT)),
    Field("merge_commit", Kind::Object(&[Field("hash", Kind::Text)])),
    Field("reason", Kind::Text),
    Field("comment_count", Kind::Number),
    Field("task_count", Kind::Number),
    Field("close_source_branch", Kind::Bool),
    Field("created_on", Kind::Time),
    Field("updated_on", Kind::Time),
    Field(
        "summary",
        Kind::Object(&[
            Field("raw", Kind::Unfilterable),
            Field("html", Kind::Unfilterable),
        ]),
    ),
];

/// `GET .../pullrequests`: open ones unless states are named; reviewers, participants, rendered text, the moment of
/// closing and most of the merge commit only if `fields` asks for them.
pub(super) fn list(call: &Call<'_>, workspace: &str, repository: &str) -> Answer {
    call.require(PULL_REQUEST)?;
    let repository = call.repository(workspace, repository)?;
    let mut states: Vec<State> = Vec::new();
    for name in call.request.parameters("state") {
        match State::ALL.into_iter().find(|state| state.name() == name) {
            Some(state) if states.contains(&state) => {}
            Some(state) => states.push(state),
            None => return Err(Reply::error(400, "Invalid state")),
        }
    }
    if states.is_empty() {
        states.push(State::Open);
    }
    let all = states.len() == State::ALL.len();
    let large = repository.pull_requests.len() > call.world.big_repository as usize;
    if all && large && call.request.parameter("sort").is_some() {
        return Err(Reply::error(500, "Something went wrong"));
    }
    let stateless = |q: &str| !q.trim().is_empty() && !q.contains("state");
    if call.world.q_ignores_state && call.request.parameter("q").is_some_and(stateless) {
        states = State::ALL.to_vec();
    }
    let list = List {
        max_pagelen: 50,
        hidden: &[
            "values.reviewers",
            "values.participants",
            "values.rendered",
            "values.closed_on",
            "values.merge_commit.date",
            "values.merge_commit.author",
        ],
        indexed: true,
        ..List::of(SCHEMA)
    };
    page(
        call,
        list,
        &PullRequests {
            world: call.world,
            repository,
            states: &states,
        },
    )
}

/// `GET .../pullrequests/{pull_request_id}`
pub(super) fn get(call: &Call<'_>, workspace: &str, repository: &str, id: &str) -> Answer {
    call.require(PULL_REQUEST)?;
    let repository = call.repository(workspace, repository)?;
    let pull_request = id
        .parse()
        .ok()
        .and_then(|id| repository.pull_requests.get(id))
        .ok_or_else(|| Reply::text(404, "Not Found"))?;
    let mut json = String::new();
    write(call.world, repository, &pull_request, true, &mut json);
    call.object(json)
}

/// The pull requests of one repository in some states.
pub(crate) struct PullRequests<'a> {
    pub(crate) world: &'a World,
    pub(crate) repository: &'a Repository,
    pub(crate) states: &'a [State],
}

impl Rows for PullRequests<'_> {
    fn select(&self, bounds: &Bounds, by: Option<By>) -> Selection<'_> {
        let shelf = &self.repository.pull_requests;
        let selection = shelf.select(bounds, by);
        if self.states.len() == State::ALL.len() {
            return selection;
        }
        let state = |id: u32| match shelf.changed(id) {
            Some(pull_request) => pull_request.state,
            None => shelf.generator.state(id),
        };
        Selection::Owned(
            selection
                .iter()
                .filter(|id| self.states.contains(&state(*id)))
                .collect(),
        )
    }

    fn write(&self, row: u32, full: bool, out: &mut String) {
        let pull_request: Cow<'_, PullRequest> = self.repository.pull_requests.item(row);
        write(self.world, self.repository, &pull_request, full, out);
    }
}

/// Writes the whole object; `full` shows what lists hide by default.
pub(super) fn write(
    world: &World,
    repository: &Repository,
    pull_request: &PullRequest,
    full: bool,
    out: &mut String,
) {
    let workspace = &world.workspaces[repository.workspace];
    let names = &repository.names;
    let mut digits = Digits::default();
    let id = digits.of(u64::from(pull_request.id));
    let api = [&names.api, "/pullrequests/", id].concat();

    let mut object = Object::begin(out);
    object
        .number("comment_count", pull_request.comment_count)
        .number("task_count", pull_request.task_count)
        .text("type", "pullrequest")
        .number("id", u64::from(pull_request.id))
        .text("title", pull_request.title.as_str())
        .text("description", pull_request.description.as_str());
    if full {
        object.object("rendered", |rendered| {
            rendered
                .rendered("title", &pull_request.title)
                .rendered("description", &pull_request.description)
                .rendered("reason", &pull_request.reason);
        });
    }
    object
        .text("state", pull_request.state.name())
        .boolean("draft", pull_request.draft)
        .boolean("queued", false);
    match pull_request.merge_commit {
        Some(seed) => object.object("merge_commit", |commit| {
            write_commit(commit, repository, seed);
            if full {
                commit.time("date", pull_request.closed_on.map(|at| whole(at.0)));
                commit.object("author", |author| {
                    write_signature(author, "author", workspace, pull_request.closed_by);
                });
            }
        }),
        None => object.null("merge_commit"),
    };
    object.boolean("close_source_branch", pull_request.close_source_branch);
    let people = [
        ("closed_by", pull_request.closed_by),
        ("author", pull_request.author),
    ];
    for (key, person) in people {
        workspace.write_person(&mut object, key, person, pull_request.id);
    }
    object
        .text("reason", pull_request.reason.as_str())
        .time("created_on", pull_request.created_on)
        .time("updated_on", pull_request.updated_on);
    let strategies = r#"["merge_commit","rebase"]"#;
    write_endpoints(&mut object, repository, pull_request, Some(strategies));
    if full {
        object.time("closed_on", pull_request.closed_on);
        let reviewers = &pull_request.reviewers;
        object.array("reviewers", reviewers, |(person, _), out| {
            out.push_str(workspace.person(Some(*person)));
        });
        object.array("participants", reviewers, |(person, approved_on), out| {
            let mut participant = Object::begin(out);
            participant
                .text("type", "participant")
                .raw("user", workspace.person(Some(*person)))
                .text("role", "REVIEWER")
                .boolean("approved", approved_on.is_some())
                .text("state", approved_on.map(|_| "approved"))
                .time("participated_on", *approved_on);
            participant.end();
        });
    }
    object.object("links", |links| {
        links
            .link("self", &[&api])
            .link("html", &[&names.html, "/pull-requests/", id])
            .link("commits", &[&api, "/commits"])
            .link("approve", &[&api, "/approve"])
            .link("request-changes", &[&api, "/request-changes"])
            .link("diff", &[&api, "/diff"])
            .link("diffstat", &[&api, "/diffstat"])
            .link("comments", &[&api, "/comments"])
            .link("activity", &[&api, "/activity"])
            .link("merge", &[&api, "/merge"])
            .link("decline", &[&api, "/decline"])
            .link("statuses", &[&api, "/statuses"]);
    });
    object.rendered("summary", &pull_request.description);
    object.end();
}

/// Writes where a pull request comes from, with how that can be brought up to date, and where it goes.
pub(super) fn write_endpoints(
    object: &mut Object<'_>,
    repository: &Repository,
    pull_request: &PullRequest,
    sync_strategies: Option<&str>,
) {
    let names = &repository.names;
    for (key, branch, seed, gone) in [
        (
            "destination",
            &pull_request.destination_branch,
            pull_request.destination_commit,
            false,
        ),
        (
            "source",
            &pull_request.source_branch,
            pull_request.source_commit,
            pull_request.source_gone,
        ),
    ] {
        object.object(key, |endpoint| {
            endpoint.object("branch", |object| {
                object.text("name", branch.as_str());
                if let Some(strategies) = sync_strategies.filter(|_| key == "source") {
                    object.raw("sync_strategies", strategies);
                }
            });
            endpoint.object("commit", |commit| write_commit(commit, repository, seed));
            endpoint.raw("repository", if gone { "null" } else { &names.condensed });
        });
    }
}

/// Commits of pull requests are named by 12 characters.
fn write_commit(commit: &mut Object<'_>, repository: &Repository, seed: u64) {
    let hash = commit_hash(seed);
    let short = &hash[..12];
    commit.text("hash", short);
    commit.object("links", |links| {
        links
            .link("self", &[&repository.names.api, "/commit/", short])
            .link("html", &[&repository.names.html, "/commits/", short]);
    });
    commit.text("type", "commit");
}
