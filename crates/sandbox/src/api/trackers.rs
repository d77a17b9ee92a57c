//! What belongs to issues and issue trackers, until their removal.

use super::Call;
use super::comments::{self, person};
use super::issues::write_reference;
use super::listing::List;
use super::parents::InRepository;
use super::removed::{announced, tracker};
use super::repositories::ACCOUNT;
use super::resource::{Access, Family, Listed, Parent, Resource, Shape, Whereabouts, written};
use crate::clock::Timestamp;
use crate::http::reply::Reply;
use crate::http::sign_in::{ISSUE, Scope};
use crate::json::write::{Digits, Object};
use crate::kind::Kind;
use crate::query::{self, Bounds, Field, Schema};
use crate::world::World;
use crate::world::entries::{Entry, Level, child_seed};
use crate::world::issue::{COMPONENTS, Issue, KINDS, MILESTONES, PRIORITIES, VERSIONS};
use crate::world::shelf::Generator;
use crate::world::text;

const CHANGES: Schema = &[
    Field("id", query::Kind::Number),
    Field("created_on", query::Kind::Time),
    Field("user", query::Kind::Object(ACCOUNT)),
];

/// Components, milestones and versions of trackers.
pub(super) struct PerTracker;

impl Family for PerTracker {
    type Parent<'a> = InRepository<'a>;

    const PREFIX: &'static [&'static str] = &["repositories", "*", "*"];
    const RESOURCES: &'static [Resource<Self>] = &[
        Resource {
            kind: Kind::Components,
            path: &["components"],
            scope: ISSUE,
            access: Access::Everybody,
            shape: Shape::keyed("id", List::PLAIN),
            rows: |asked| named(&asked.parent, Kind::Components, "component", COMPONENTS),
        },
        Resource {
            kind: Kind::Milestones,
            path: &["milestones"],
            scope: ISSUE,
            access: Access::Everybody,
            shape: Shape::keyed("id", List::PLAIN),
            rows: |asked| named(&asked.parent, Kind::Milestones, "milestone", MILESTONES),
        },
        Resource {
            kind: Kind::Versions,
            path: &["versions"],
            scope: ISSUE,
            access: Access::Everybody,
            shape: Shape::keyed("id", List::PLAIN),
            rows: |asked| named(&asked.parent, Kind::Versions, "version", VERSIONS),
        },
    ];

    fn find<'a>(call: &Call<'a>, names: &[&str], _: Scope) -> Result<InRepository<'a>, Reply> {
        Ok(InRepository {
            world: call.world,
            repository: tracker(call, names[0], names[1])?,
        })
    }

    fn each<'a>(world: &'a World, workspace: usize, visit: &mut dyn FnMut(InRepository<'a>)) {
        InRepository::each(world, workspace, &mut |within| {
            if within.repository.has_tracker {
                visit(within);
            }
        });
    }

    fn finish(reply: Reply) -> Reply {
        announced(reply)
    }
}

/// An issue.
#[derive(Clone)]
pub(super) struct OfIssue<'a> {
    within: InRepository<'a>,
    issue: Issue,
}

impl<'a> Parent<'a> for OfIssue<'a> {
    fn find(call: &Call<'a>, names: &[&str], scope: Scope) -> Result<Self, Reply> {
        let within = PerTracker::find(call, names, scope)?;
        let issue = names[2]
            .parse()
            .ok()
            .and_then(|id| within.repository.issues.get(id))
            .ok_or_else(|| Reply::error(404, "There is no issue with that ID."))?
            .into_owned();
        Ok(Self { within, issue })
    }

    fn each(world: &'a World, workspace: usize, visit: &mut dyn FnMut(Self)) {
        PerTracker::each(world, workspace, &mut |within| {
            let issues = &within.repository.issues;
            for id in issues.select(&Bounds::default(), None).iter() {
                let issue = issues.item(id).into_owned();
                visit(Self { within, issue });
            }
        });
    }

    fn whereabouts(&self) -> Whereabouts<'_> {
        self.within.child(self.issue.id)
    }
}

/// What belongs to issues.
pub(super) struct PerIssue;

impl Family for PerIssue {
    type Parent<'a> = OfIssue<'a>;

    const PREFIX: &'static [&'static str] = &["repositories", "*", "*", "issues", "*"];
    const RESOURCES: &'static [Resource<Self>] = &[
        Resource {
            kind: Kind::IssueComments,
            path: &["comments"],
            scope: ISSUE,
            access: Access::Everybody,
            shape: Shape::keyed("id", List::of(comments::SCHEMA)),
            rows: |asked| {
                let entries = asked.parent.entries(Kind::IssueComments);
                written(&asked.parent, entries, write_comment)
            },
        },
        Resource {
            kind: Kind::IssueChanges,
            path: &["changes"],
            scope: ISSUE,
            access: Access::Everybody,
            shape: Shape::keyed(
                "id",
                List {
                    default_pagelen: 20,
                    ..List::of(CHANGES)
                },
            ),
            rows: |asked| {
                let entries = asked.parent.entries(Kind::IssueChanges);
                written(&asked.parent, entries, write_change)
            },
        },
        Resource {
            kind: Kind::IssueAttachments,
            path: &["attachments"],
            scope: ISSUE,
            access: Access::Everybody,
            shape: Shape::list(List::PLAIN),
            rows: |asked| {
                let entries = asked.parent.entries(Kind::IssueAttachments);
                written(&asked.parent, entries, write_attachment)
            },
        },
    ];

    fn finish(reply: Reply) -> Reply {
        announced(reply)
    }
}

impl OfIssue<'_> {
    fn entries(&self, kind: Kind) -> Vec<Entry> {
        let repository = self.within.repository.seed;
        let seed = child_seed(repository, Level::Issue, self.issue.id.into());
        self.within.world.entries(kind, seed)
    }

    /// When an entry was made and changed: while the issue was at first.
    fn times(&self, entry: &Entry) -> (Timestamp, Timestamp) {
        let from = self.issue.created_on;
        let to = self
            .within
            .repository
            .issues
            .generator
            .updated_on(self.issue.id);
        entry.times(from, to.max(from))
    }

    /// `<repository>/issues/<id>`
    fn api(&self) -> String {
        format!(
            "{}/issues/{}",
            self.within.repository.names.api, self.issue.id
        )
    }

    fn html(&self) -> String {
        format!(
            "{}/issues/{}",
            self.within.repository.names.html, self.issue.id
        )
    }
}

/// A component, milestone or version: what it is, its name, and its number.
type Named = (&'static str, String, Entry);

fn named<'a>(
    parent: &InRepository<'a>,
    of: Kind,
    kind: &'static str,
    names: &'static [&'static str],
) -> Listed<'a> {
    let entries = parent.entries(of).into_iter();
    let rows: Vec<Named> = entries
        .map(|entry| {
            let name = names.get(entry.number as usize - 1);
            match name.filter(|_| entry.edited_on().is_none()) {
                Some(name) => (kind, (*name).to_owned(), entry),
                None => (kind, text::title(&mut entry.random()), entry),
            }
        })
        .collect();
    written(parent, rows, |parent, (kind, name, entry), out| {
        let mut digits = Digits::default();
        let number = u64::from(entry.number);
        let mut object = Object::begin(out);
        object
            .text("type", *kind)
            .text("name", name.as_str())
            .number("id", number);
        object.object("links", |links| {
            let api = &parent.repository.names.api;
            links.link("self", &[api, "/", kind, "s/", digits.of(number)]);
        });
        object.end();
    })
}

fn write_comment(parent: &OfIssue<'_>, entry: &Entry, out: &mut String) {
    let (created_on, updated_on) = parent.times(entry);
    let workspace = parent.within.workspace();
    let mut digits = Digits::default();
    let id = digits.of(entry.id());
    let mut object = Object::begin(out);
    object
        .text("type", "issue_comment")
        .number("id", entry.id())
        .time("created_on", created_on)
        .time("updated_on", updated_on);
    object
        .rendered("content", &text::paragraph(&mut entry.random()))
        .raw("user", person(workspace, entry));
    object.object("issue", |issue| {
        write_reference(issue, parent.within.repository, &parent.issue);
    });
    object.object("links", |links| {
        links
            .link("self", &[&parent.api(), "/comments/", id])
            .link("html", &[&parent.html(), "#comment-", id]);
    });
    object.end();
}

fn write_change(parent: &OfIssue<'_>, entry: &Entry, out: &mut String) {
    let mut random = entry.random();
    let workspace = parent.within.workspace();
    let mut digits = Digits::default();
    let id = digits.of(entry.id());
    let (field, values) = random.pick(&[("kind", KINDS), ("priority", PRIORITIES)]);
    let old = random.below(values.len() as u64) as usize;
    let new = (old + 1) % values.len();
    let mut object = Object::begin(out);
    object
        .text("type", "issue_change")
        .number("id", entry.id())
        .time("created_on", parent.times(entry).0)
        .raw("user", person(workspace, entry));
    object.object("changes", |changes| {
        changes.object(field, |change| {
            change.text("old", values[old]).text("new", values[new]);
        });
    });
    object.rendered("message", &text::paragraph(&mut random));
    object.object("issue", |issue| {
        write_reference(issue, parent.within.repository, &parent.issue);
    });
    object.object("links", |links| {
        links
            .link("self", &[&parent.api(), "/changes/", id])
            .link("issue", &[&parent.api()]);
    });
    object.end();
}

fn write_attachment(parent: &OfIssue<'_>, entry: &Entry, out: &mut String) {
    let name = format!("log-{}.txt", entry.number);
    let mut object = Object::begin(out);
    object
        .text("type", "issue_attachment")
        .text("name", name.as_str());
    object.object("links", |links| {
        links.link("self", &[&parent.api(), "/attachments/", &name]);
    });
    object.end();
}
