//! Branches.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::commits::{TARGET, write_members};
use super::listing::{List, Rows, Style, page};
use super::parents::InRepository;
use super::{Answer, Call};
use crate::http::reply::Reply;
use crate::http::sign_in::REPOSITORY;
use crate::json::write::Object;
use crate::query::{Bounds, Field, Kind, Schema};
use crate::world::World;
use crate::world::history::Commit;
use crate::world::repository::Repository;
use crate::world::shelf::{By, Selection};

const SCHEMA: Schema = &[
    Field("name", Kind::Natural),
    Field("default_merge_strategy", Kind::Text),
    Field("target", Kind::Object(TARGET)),
];

const STRATEGIES: &[&str] = &[
    "merge_commit",
    "squash",
    "fast_forward",
    "squash_fast_forward",
    "rebase_fast_forward",
    "rebase_merge",
];

/// What is percent-encoded in the parts of links that are names of branches and tags.
pub(super) const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/');

/// `GET .../refs/branches`: by page number, but filtered by opaque tokens and without a size.
pub(super) fn list(call: &Call<'_>, workspace: &str, repository: &str) -> Answer {
    call.require(REPOSITORY)?;
    let repository = call.repository(workspace, repository)?;
    page(
        call,
        List {
            style: Style::TokensIfFiltered,
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
    rows: Vec<(&'a str, &'a Commit)>,
}

impl<'a> Branches<'a> {
    pub(crate) fn new(world: &'a World, repository: &'a Repository) -> Self {
        let rows = repository
            .refs
            .branches
            .iter()
            .map(|(name, tip)| (name.as_str(), tip));
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
        let (name, tip) = self.rows[row as usize];
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
        let within = InRepository {
            world: self.world,
            repository: self.repository,
        };
        object.object("target", |target| write_members(target, &within, tip));
        object.end();
    }
}
