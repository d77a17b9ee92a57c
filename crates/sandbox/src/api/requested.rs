//! What is below pull requests, and what happened to them.

use super::comments::{self, Place};
use super::commits::{self, OPAQUE, STATUSES};
use super::listing::{List, Rows};
use super::parents::{InRepository, OfCommit, OfPullRequest};
use super::pull_requests::write_endpoints;
use super::repositories::ACCOUNT;
use super::resource::{Access, Family, Listed, Resource, Shape, written};
use crate::clock::Timestamp;
use crate::http::reply::Reply;
use crate::http::request::Request;
use crate::http::sign_in::PULL_REQUEST;
use crate::json::write::{Digits, Object};
use crate::kind::Kind;
use crate::query::{self, Field, Schema};
use crate::world::entries::Entry;
use crate::world::issue::somebody;
use crate::world::pull_request::Update;
use crate::world::shelf::Generator;
use crate::world::text;

const TASKS: Schema = &[
    Field("id", query::Kind::Number),
    Field("state", query::Kind::Text),
    Field("created_on", query::Kind::Time),
    Field("updated_on", query::Kind::Time),
    Field("resolved_on", query::Kind::Time),
    Field(
        "content",
        query::Kind::Object(&[Field("raw", query::Kind::Text)]),
    ),
    Field("creator", query::Kind::Object(ACCOUNT)),
    Field("resolved_by", query::Kind::Object(ACCOUNT)),
];

/// Feeds are at most half as long as other lists, and twice as long if nobody asks.
const FEED: List<'static> = List {
    default_pagelen: 20,
    max_pagelen: 50,
    ..OPAQUE
};

/// What is below pull requests.
pub(super) struct PerPullRequest;

impl Family for PerPullRequest {
    type Parent<'a> = OfPullRequest<'a>;

    const PREFIX: &'static [&'static str] = &["repositories", "*", "*", "pullrequests", "*"];
    const RESOURCES: &'static [Resource<Self>] = &[
        Resource {
            kind: Kind::PullRequestComments,
            path: &["comments"],
            scope: PULL_REQUEST,
            access: Access::Everybody,
            shape: Shape::keyed("id", List::of(comments::SCHEMA)),
            rows: |asked| written(&asked.parent, asked.parent.comments(), write_comment),
        },
        Resource {
            kind: Kind::PullRequestTasks,
            path: &["tasks"],
            scope: PULL_REQUEST,
            access: Access::Everybody,
            shape: Shape::keyed("id", List::of(TASKS)),
            rows: |asked| written(&asked.parent, asked.parent.tasks(), write_task),
        },
        Resource {
            kind: Kind::PullRequestCommits,
            path: &["commits"],
            scope: PULL_REQUEST,
            access: Access::Everybody,
            shape: Shape::list(OPAQUE),
            rows: |asked| commits_of(&asked.parent),
        },
        Resource {
            kind: Kind::PullRequestStatuses,
            path: &["statuses"],
            scope: PULL_REQUEST,
            access: Access::Everybody,
            shape: Shape::list(List::of(STATUSES)),
            rows: |asked| statuses(&asked.parent, asked.request),
        },
        Resource {
            kind: Kind::PullRequestActivity,
            path: &["activity"],
            scope: PULL_REQUEST,
            access: Access::Everybody,
            shape: Shape::list(FEED),
            rows: |asked| feed(vec![asked.parent.clone()]),
        },
    ];
}

/// The feed of all pull requests of a repository.
pub(super) struct Feed;

impl Family for Feed {
    type Parent<'a> = InRepository<'a>;

    const PREFIX: &'static [&'static str] = &["repositories", "*", "*", "pullrequests"];
    const RESOURCES: &'static [Resource<Self>] = &[Resource {
        kind: Kind::PullRequestActivity,
        path: &["activity"],
        scope: PULL_REQUEST,
        access: Access::Everybody,
        shape: Shape::list(FEED),
        rows: |asked| feed(OfPullRequest::all(asked.parent).collect()),
    }];
}

impl OfPullRequest<'_> {
    fn comments(&self) -> Vec<Entry> {
        let count = self.pull_request.comment_count;
        let world = self.within.world;
        world.living_entries(Kind::PullRequestComments, self.seed(), count)
    }

    fn tasks(&self) -> Vec<Entry> {
        let count = self.pull_request.task_count;
        let world = self.within.world;
        world.first_entries(Kind::PullRequestTasks, self.seed(), count as u32)
    }

    /// When an entry was made and changed: while the pull request was at first. One that a change
    /// opened came with its entries.
    fn times(&self, entry: &Entry) -> (Timestamp, Timestamp) {
        let generator = &self.within.repository.pull_requests.generator;
        let (id, from) = (self.pull_request.id, self.pull_request.created_on);
        let to = if from == generator.created_on(id) {
            generator.updated_on(id).max(from)
        } else {
            from
        };
        entry.times(from, to)
    }

    /// `<repository>/pullrequests/<id>`
    fn api(&self) -> String {
        format!(
            "{}/pullrequests/{}",
            self.within.repository.names.api, self.pull_request.id
        )
    }

    fn html(&self) -> String {
        format!(
            "{}/pull-requests/{}",
            self.within.repository.names.html, self.pull_request.id
        )
    }

    /// Writes what names the pull request elsewhere.
    fn write_reference(&self, object: &mut Object<'_>) {
        object
            .text("type", "pullrequest")
            .number("id", self.pull_request.id.into())
            .text("title", self.pull_request.title.as_str());
        object.object("links", |links| {
            links
                .link("self", &[&self.api()])
                .link("html", &[&self.html()]);
        });
    }
}

fn write_comment(parent: &OfPullRequest<'_>, entry: &Entry, out: &mut String) {
    let mut object = Object::begin(out);
    write_comment_members(&mut object, parent, entry);
    object.end();
}

fn write_comment_members(object: &mut Object<'_>, parent: &OfPullRequest<'_>, entry: &Entry) {
    let place = Place {
        within: parent.within,
        api: [&parent.api(), "/comments/"].concat(),
        html: [&parent.html(), "/_/diff#comment-"].concat(),
        times: parent.times(entry),
    };
    comments::write(object, "pullrequest_comment", &place, entry);
    object.object("pullrequest", |one| parent.write_reference(one));
    let mut random = entry.random();
    let resolved = !entry.deleted && random.percent(15);
    if resolved {
        let people = parent.within.workspace().founders;
        let user = somebody(&mut random, people, 95);
        object.object("resolution", |resolution| {
            resolution
                .text("type", "comment_resolution")
                .raw("user", parent.within.person(user))
                .time("created_on", place.times.1);
        });
    } else {
        object.null("resolution");
    }
    object.boolean("pending", false);
}

fn write_task(parent: &OfPullRequest<'_>, entry: &Entry, out: &mut String) {
    let workspace = parent.within.workspace();
    let people = workspace.founders;
    let mut random = entry.random();
    let (created_on, updated_on) = parent.times(entry);
    let creator = somebody(&mut random, people, 95);
    let content = text::title(&mut random);
    let resolved = random.percent(50);
    let resolver = somebody(&mut random, people, 95).filter(|_| resolved);
    let mut digits = Digits::default();
    let id = digits.of(entry.id());
    let mut object = Object::begin(out);
    object
        .number("id", entry.id())
        .text("state", if resolved { "RESOLVED" } else { "UNRESOLVED" });
    object
        .rendered("content", &content)
        .raw("creator", workspace.person(creator))
        .time("created_on", created_on)
        .time("updated_on", updated_on)
        .time("resolved_on", resolved.then_some(updated_on))
        .raw("resolved_by", workspace.person(resolver))
        .boolean("pending", false);
    let comments = parent.comments();
    match comments.first().filter(|_| random.percent(60)) {
        Some(comment) => object.object("comment", |object| {
            let mut digits = Digits::default();
            let number = digits.of(comment.id());
            object
                .text("type", "pullrequest_comment")
                .number("id", comment.id());
            object.object("links", |links| {
                links
                    .link("self", &[&parent.api(), "/comments/", number])
                    .link("html", &[&parent.html(), "/_/diff#comment-", number]);
            });
        }),
        None => object.null("comment"),
    };
    object.object("links", |links| {
        links
            .link("self", &[&parent.api(), "/tasks/", id])
            .link("html", &[&parent.html(), "#task-", id]);
    });
    object.end();
}

/// The commits of a pull request: none once its source branch is gone.
fn commits_of<'a>(parent: &OfPullRequest<'a>) -> Listed<'a> {
    let repository = parent.within.repository;
    let pull_request = &parent.pull_request;
    let commits = if pull_request.source_branch_gone(&repository.refs) {
        Vec::new()
    } else {
        repository.history().between(
            &[pull_request.source_commit],
            &[pull_request.destination_commit],
        )
    };
    written(&parent.within, commits, commits::write)
}

fn statuses<'a>(parent: &OfPullRequest<'a>, request: &Request) -> Listed<'a> {
    match OfCommit::source(parent) {
        Some(commit) => commits::statuses(&commit, request),
        None => Err(Reply::text(404, "Not Found")),
    }
}

/// Something that happened to a pull request.
struct Event<'a> {
    date: Timestamp,
    to: OfPullRequest<'a>,
    what: What,
}

enum What {
    /// It was opened or edited, and said this.
    Edited(Update),
    /// It was closed, and said this.
    Closed(Update),
    Commented(Entry),
    /// By the person at this place.
    Approved(usize),
}

/// What happened to pull requests, newest first.
fn feed<'a>(of: Vec<OfPullRequest<'a>>) -> Listed<'a> {
    let mut events = Vec::new();
    for parent in of {
        let pull_request = &parent.pull_request;
        let mut add = |date, what| {
            events.push(Event {
                date,
                to: parent.clone(),
                what,
            });
        };
        if pull_request.updates.is_empty() {
            let said = pull_request.said(pull_request.created_on);
            add(said.date, What::Edited(said));
        }
        for update in &pull_request.updates {
            add(update.date, What::Edited(update.clone()));
        }
        if let (Some(at), Some(said)) = (pull_request.closed_on, pull_request.last_said()) {
            add(at, What::Closed(said));
        }
        for (person, approved_on) in &pull_request.reviewers {
            if let Some(at) = approved_on {
                add(*at, What::Approved(*person));
            }
        }
        for comment in parent.comments() {
            add(parent.times(&comment).0, What::Commented(comment));
        }
    }
    events.sort_by_key(|event| std::cmp::Reverse(event.date));
    let rows: Box<dyn Rows + 'a> = Box::new(super::resource::Written {
        parent: (),
        items: events,
        write: |(), event, out| write_event(event, out),
    });
    Ok(rows)
}

fn write_event(event: &Event<'_>, out: &mut String) {
    let parent = &event.to;
    let pull_request = &parent.pull_request;
    let mut object = Object::begin(out);
    object.object("pull_request", |one| parent.write_reference(one));
    match &event.what {
        What::Edited(said) | What::Closed(said) => object.object("update", |update| {
            let closed = matches!(event.what, What::Closed(_));
            let (state, reason, by) = if closed {
                let reason = pull_request.reason.as_str();
                (pull_request.state.name(), reason, pull_request.closed_by)
            } else {
                ("OPEN", "", pull_request.author)
            };
            update
                .text("state", state)
                .text("title", said.title.as_str())
                .text("description", said.description.as_str())
                .text("reason", reason)
                .raw("author", parent.within.person(by))
                .time("date", event.date);
            update.array("reviewers", &said.reviewers, |person, out| {
                out.push_str(parent.within.person(Some(*person)));
            });
            write_endpoints(update, parent.within.repository, pull_request, None);
        }),
        What::Commented(entry) => object.object("comment", |comment| {
            write_comment_members(comment, parent, entry);
        }),
        What::Approved(person) => object.object("approval", |approval| {
            approval
                .time("date", event.date)
                .raw("user", parent.within.person(Some(*person)));
            approval.object("pullrequest", |one| parent.write_reference(one));
        }),
    };
    object.end();
}
