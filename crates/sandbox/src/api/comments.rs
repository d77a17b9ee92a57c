//! What comments on commits, pull requests, issues and snippets have in common.

use super::parents::InRepository;
use super::repositories::ACCOUNT;
use crate::clock::Timestamp;
use crate::json::write::{Digits, Object};
use crate::query::{Field, Kind, Schema};
use crate::world::entries::Entry;
use crate::world::issue::somebody;
use crate::world::text;
use crate::world::workspace::Workspace;

/// What comments can be searched by.
pub(super) const SCHEMA: Schema = &[
    Field("id", Kind::Number),
    Field("created_on", Kind::Time),
    Field("updated_on", Kind::Time),
    Field("deleted", Kind::Bool),
    Field("content", Kind::Object(&[Field("raw", Kind::Text)])),
    Field("user", Kind::Object(ACCOUNT)),
    Field("inline", Kind::Object(&[Field("path", Kind::Text)])),
    Field("parent", Kind::Object(&[Field("id", Kind::Number)])),
];

/// Where a comment is.
pub(super) struct Place<'a> {
    pub(super) within: InRepository<'a>,
    /// Links to it, without its number.
    pub(super) api: String,
    pub(super) html: String,
    pub(super) times: (Timestamp, Timestamp),
}

/// Writes a comment on code but for what it is on. Every other deleted one has lost its author and
/// content.
pub(super) fn write(object: &mut Object<'_>, kind: &str, place: &Place<'_>, entry: &Entry) {
    let workspace = place.within.workspace();
    let content = text::paragraph(&mut entry.random());
    // An edit leaves a comment where it is.
    let mut random = entry.lasting();
    let (created_on, updated_on) = place.times;
    let mut digits = Digits::default();
    let id = digits.of(entry.id());
    object
        .text("type", kind)
        .number("id", entry.id())
        .time("created_on", created_on)
        .time("updated_on", updated_on);
    if !entry.deleted {
        object.rendered("content", &content);
        object.raw("user", person(workspace, entry));
    } else if entry.number.is_multiple_of(2) {
        object.rendered("content", "");
        object.raw("user", person(workspace, entry));
    }
    object.boolean("deleted", entry.deleted);
    let inline = random.percent(40);
    let line = 1 + random.below(200);
    if inline {
        object.object("inline", |inline| {
            inline
                .null("from")
                .number("to", line)
                .null("start_from")
                .null("start_to")
                .text("path", super::source::path_of(random.next()));
        });
    }
    if entry.number > 1 && random.percent(30) {
        let mut digits = Digits::default();
        let first = digits.of(entry.id() - u64::from(entry.number) + 1);
        object.object("parent", |parent| {
            parent.number("id", entry.id() - u64::from(entry.number) + 1);
            parent.object("links", |links| {
                links
                    .link("self", &[&place.api, first])
                    .link("html", &[&place.html, first]);
            });
        });
    }
    object.object("links", |links| {
        links
            .link("self", &[&place.api, id])
            .link("html", &[&place.html, id]);
        if inline {
            links.link("code", &[&place.api, id, "/code"]);
        }
    });
}

/// The person who did something, made up from the entry.
pub(super) fn person<'w>(workspace: &'w Workspace, entry: &Entry) -> &'w str {
    let author = somebody(&mut entry.lasting(), workspace.founders, 95);
    workspace.person(author)
}
