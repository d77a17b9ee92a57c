//! Branches.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::listing::{List, Rows, Style, page};
use super::repositories::ACCOUNT;
use super::{Answer, Call};
use crate::clock::{SECOND, Timestamp};
use crate::http::reply::Reply;
use crate::http::sign_in::REPOSITORY;
use crate::json::write::Object;
use crate::query::{Bounds, Field, Kind, Schema};
use crate::world::World;
use crate::world::random::commit_hash;
use crate::world::repository::{Branch, Repository};
use crate::world::shelf::{By, Selection};

const SCHEMA: Schema = &[
    Field("name", Kind::Natural),
    Field("default_merge_strategy", Kind::Text),
    Field(
        "target",
        Kind::Object(&[
            Field("hash", Kind::Text),
            Field("date", Kind::Time),
            Field("message", Kind::Text),
            Field(
                "author",
                Kind::Object(&[
                    Field("raw", Kind::Text),
                    Field("user", Kind::Object(ACCOUNT)),
                ]),
            ),
        ]),
    ),
];

const STRATEGIES: &[&str] = &[
    "merge_commit",
    "squash",
    "fast_forward",
    "squash_fast_forward",
    "rebase_fast_forward",
    "rebase_merge",
];

/// What is percent-encoded in the branch part of links.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/');

/// `GET .../refs/branches`: by page number, but filtered by opaque tokens and without a size.
pub(super) fn list(call: &Call<'_>, workspace: &str, repository: &str) -> Answer {
    call.require(REPOSITORY)?;
    let repository = call.repository(workspace, repository)?;
    let filtered = call
        .request
        .parameter("q")
        .is_some_and(|q| !q.trim().is_empty());
    let style = if filtered {
        Style::Tokens
    } else {
        Style::Numbered
    };
    page(
        call,
        List {
            style,
            ..List::of(SCHEMA)
        },
        &Branches::new(call.world, repository),
    )
}

/// `GET .../refs/branches/{name}`
pub(super) fn get(call: &Call<'_>, workspace: &str, repository: &str, name: &str) -> Answer {
    call.require(REPOSITORY)?;
    let repository = call.repository(workspace, repository)?;
    let branches = Branches::new(call.world, repository);
    let row = branches
        .rows
        .iter()
        .position(|(other, _)| *other == name)
        .ok_or_else(|| Reply::error(404, &format!("Branch \"{name}\" not found.")))?;
    let mut json = String::new();
    branches.write(row as u32, true, &mut json);
    let reply = call.object(json)?;
    // A conditional request was seen to work on this URL.
    if call.request.if_none_match.as_deref() == Some(&reply.etag()) {
        return Ok(Reply {
            status: 304,
            ..reply
        });
    }
    Ok(reply)
}

/// The branches of one repository.
pub(crate) struct Branches<'a> {
    world: &'a World,
    repository: &'a Repository,
    rows: Vec<(&'a str, &'a Branch)>,
}

impl<'a> Branches<'a> {
    pub(crate) fn new(world: &'a World, repository: &'a Repository) -> Self {
        let rows = repository
            .branches
            .iter()
            .map(|(name, branch)| (name.as_str(), branch));
        Self {
            world,
            repository,
            rows: rows.collect(),
        }
    }
}

impl Rows for Branches<'_> {
    /// Git's order: plain, by bytes.
    fn select(&self, _: &Bounds, _: Option<By>) -> Selection<'_> {
        Selection::Owned((0..self.rows.len() as u32).collect())
    }

    fn write(&self, row: u32, _: bool, out: &mut String) {
        let (name, branch) = self.rows[row as usize];
        let names = &self.repository.names;
        let encoded = utf8_percent_encode(name, ENCODED).to_string();
        let mut object = Object::begin(out);
        object.text("name", name);
        object.object("links", |links| {
            links
                .link("commits", &[&names.api, "/commits/", &encoded])
                .link("self", &[&names.api, "/refs/branches/", &encoded])
                .link("html", &[&names.html, "/branch/", &encoded]);
        });
        object.text("default_merge_strategy", "merge_commit");
        object.array("merge_strategies", STRATEGIES, |name, out| {
            crate::json::write::string(out, name);
        });
        object.text("type", "branch");
        object.object("target", |target| self.write_commit(target, branch));
        object.end();
    }
}

impl Branches<'_> {
    fn write_commit(&self, commit: &mut Object<'_>, branch: &Branch) {
        let names = &self.repository.names;
        let (api, html) = (names.api.as_str(), names.html.as_str());
        let hash = commit_hash(branch.commit);
        let parent = commit_hash(branch.parent);
        let workspace = &self.world.workspaces[self.repository.workspace];
        let name = branch
            .author
            .and_then(|place| workspace.people.get(place))
            .map_or("Somebody", |person| &person.display_name);
        let mail = name.to_lowercase().replace(' ', "");
        commit
            .text("type", "commit")
            .text("hash", hash.as_str())
            .text("date", local(branch.date, branch.offset).as_str());
        let raw = format!("{name} <{mail}@{}.example>", workspace.slug);
        for role in ["author", "committer"] {
            commit.object(role, |object| {
                object.text("type", role).text("raw", raw.as_str());
                if branch.author.is_some() {
                    object.raw("user", workspace.person(branch.author));
                }
            });
        }
        let message = format!("Commit {} of User work\n", &hash[..7]);
        commit
            .text("message", message.as_str())
            .rendered("summary", &message);
        commit.object("links", |links| {
            links
                .link("self", &[api, "/commit/", &hash])
                .link("html", &[html, "/commits/", &hash])
                .link("diff", &[api, "/diff/", &hash])
                .link("approve", &[api, "/commit/", &hash, "/approve"])
                .link("comments", &[api, "/commit/", &hash, "/comments"])
                .link("statuses", &[api, "/commit/", &hash, "/statuses"])
                .link("patch", &[api, "/patch/", &hash]);
        });
        commit.array("parents", [&parent], |parent, out| {
            let mut object = Object::begin(out);
            object.text("type", "commit").text("hash", parent.as_str());
            object.object("links", |links| {
                links
                    .link("self", &[api, "/commit/", parent])
                    .link("html", &[html, "/commits/", parent]);
            });
            object.end();
        });
        commit.raw("repository", &names.condensed);
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
