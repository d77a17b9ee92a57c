//! Issues, until the tracker's removal.

use super::listing::{List, Rows, page};
use super::removed::announced;
use super::repositories::{ACCOUNT, CONDENSED};
use super::{Answer, Call};
use crate::http::reply::Reply;
use crate::json::write::{Digits, Object};
use crate::query::{Bounds, Field, Kind, Schema};
use crate::world::World;
use crate::world::issue::{COMPONENTS, Issue, MILESTONES, PRIORITIES, VERSIONS};
use crate::world::repository::Repository;
use crate::world::shelf::{By, Selection};

const NAMED: Schema = &[Field("id", Kind::Number), Field("name", Kind::Text)];

const SCHEMA: Schema = &[
    Field("id", Kind::Number),
    Field("title", Kind::Text),
    Field(
        "content",
        Kind::Object(&[Field("raw", Kind::Text), Field("html", Kind::Unfilterable)]),
    ),
    Field("state", Kind::Text),
    Field("kind", Kind::Text),
    Field("priority", Kind::Ranked(PRIORITIES)),
    Field("reporter", Kind::Object(ACCOUNT)),
    Field("assignee", Kind::Object(ACCOUNT)),
    Field("repository", Kind::Object(CONDENSED)),
    Field("component", Kind::Named(NAMED)),
    Field("milestone", Kind::Named(NAMED)),
    Field("version", Kind::Named(NAMED)),
    Field("votes", Kind::Number),
    Field("watches", Kind::Number),
    Field("created_on", Kind::Time),
    Field("updated_on", Kind::Time),
    Field("edited_on", Kind::Time),
];

/// `GET .../issues`
pub(super) fn list(call: &Call<'_>, repository: &Repository) -> Answer {
    let list = List {
        indexed: true,
        ..List::of(SCHEMA)
    };
    page(
        call,
        list,
        &Issues {
            world: call.world,
            repository,
        },
    )
    .map(announced)
}

/// `GET .../issues/{issue_id}`
pub(super) fn get(call: &Call<'_>, repository: &Repository, id: &str) -> Answer {
    let issue = id
        .parse()
        .ok()
        .and_then(|id| repository.issues.get(id))
        .ok_or_else(|| Reply::error(404, "There is no issue with that ID."))?;
    let mut json = String::new();
    write(call.world, repository, &issue, &mut json);
    call.object(json).map(announced)
}

/// The issues of one repository.
pub(crate) struct Issues<'a> {
    pub(crate) world: &'a World,
    pub(crate) repository: &'a Repository,
}

impl Rows for Issues<'_> {
    fn select(&self, bounds: &Bounds, by: Option<By>) -> Selection<'_> {
        self.repository.issues.select(bounds, by)
    }

    fn write(&self, row: u32, _: bool, out: &mut String) {
        write(
            self.world,
            self.repository,
            &self.repository.issues.item(row),
            out,
        );
    }
}

/// Writes what names an issue elsewhere.
pub(super) fn write_reference(object: &mut Object<'_>, repository: &Repository, issue: &Issue) {
    let names = &repository.names;
    let mut digits = Digits::default();
    let id = digits.of(u64::from(issue.id));
    object
        .text("type", "issue")
        .number("id", u64::from(issue.id))
        .raw("repository", &names.condensed)
        .text("title", issue.title.as_str());
    object.object("links", |links| {
        links.link("self", &[&names.api, "/issues/", id]);
    });
}

fn write(world: &World, repository: &Repository, issue: &Issue, out: &mut String) {
    let workspace = &world.workspaces[repository.workspace];
    let names = &repository.names;
    let mut digits = Digits::default();
    let id = digits.of(u64::from(issue.id));
    let api = [&names.api, "/issues/", id].concat();

    let mut object = Object::begin(out);
    object
        .text("type", "issue")
        .number("id", u64::from(issue.id))
        .raw("repository", &names.condensed);
    object.object("links", |links| {
        links
            .link("self", &[&api])
            .link("html", &[&names.html, "/issues/", id])
            .link("comments", &[&api, "/comments"])
            .link("attachments", &[&api, "/attachments"])
            .link("watch", &[&api, "/watch"])
            .link("vote", &[&api, "/vote"]);
    });
    object
        .text("title", issue.title.as_str())
        .rendered("content", &issue.content);
    for (key, person) in [("reporter", issue.reporter), ("assignee", issue.assignee)] {
        workspace.write_person(&mut object, key, person, issue.id);
    }
    object
        .time("created_on", issue.created_on)
        .time("edited_on", issue.edited_on)
        .time("updated_on", issue.updated_on)
        .text("state", issue.state)
        .text("kind", issue.kind)
        .text("priority", issue.priority);
    for (key, collection, place, from) in [
        ("milestone", "/milestones/", issue.milestone, MILESTONES),
        ("component", "/components/", issue.component, COMPONENTS),
        ("version", "/versions/", issue.version, VERSIONS),
    ] {
        match place {
            Some(place) => object.object(key, |object| {
                let number = place as u64 + 1;
                let mut digits = Digits::default();
                object
                    .text("type", key)
                    .text("name", from[place])
                    .number("id", number);
                object.object("links", |links| {
                    links.link("self", &[&names.api, collection, digits.of(number)]);
                });
            }),
            None => object.null(key),
        };
    }
    object
        .number("votes", issue.votes)
        .number("watches", issue.watches);
    object.end();
}
