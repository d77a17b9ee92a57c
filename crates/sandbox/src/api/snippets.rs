//! Snippets, their comments and commits.

use super::Call;
use super::comments::person;
use super::listing::{List, Style};
use super::parents::InWorkspace;
use super::resource::{
    Access, Family, Listed, Parent, Resource, Shape, Whereabouts, single, written,
};
use crate::clock::Timestamp;
use crate::http::reply::Reply;
use crate::http::request::Request;
use crate::http::scopes::SNIPPET;
use crate::http::sign_in::Scope;
use crate::json::write::{Digits, Object};
use crate::kind::Kind;
use crate::world::World;
use crate::world::entries::{Entry, Level, child_seed};
use crate::world::random::commit_hash;
use crate::world::text;

/// Snippets of workspaces.
pub(super) struct PerWorkspace;

impl Family for PerWorkspace {
    type Parent<'a> = InWorkspace<'a>;

    const PREFIX: &'static [&'static str] = &["snippets", "*"];
    const RESOURCES: &'static [Resource<Self>] = &[Resource {
        kind: Kind::Snippets,
        path: &[],
        scope: SNIPPET,
        access: Access::SignedIn,
        shape: Shape::list(List {
            hidden: &["values.files"],
            ..List::PLAIN
        }),
        rows: |asked| snippets(&asked.parent, asked.request),
    }];
}

/// A snippet.
#[derive(Clone, Copy)]
pub(super) struct OfSnippet<'a> {
    within: InWorkspace<'a>,
    snippet: Entry,
}

impl<'a> Parent<'a> for OfSnippet<'a> {
    fn find(call: &Call<'a>, names: &[&str], scope: Scope) -> Result<Self, Reply> {
        let within = InWorkspace::find(call, names, scope)?;
        let mut snippets = within.entries(Kind::Snippets).into_iter();
        match snippets.find(|snippet| id(snippet) == names[1]) {
            Some(snippet) => Ok(Self { within, snippet }),
            None => Err(Reply::error(404, "Snippet not found")),
        }
    }

    fn each(world: &'a World, place: usize, visit: &mut dyn FnMut(Self)) {
        let within = InWorkspace { world, place };
        for snippet in within.entries(Kind::Snippets) {
            visit(Self { within, snippet });
        }
    }

    fn whereabouts(&self) -> Whereabouts<'_> {
        Whereabouts {
            name: Some(id(&self.snippet)),
            ..self.within.whereabouts()
        }
    }
}

/// What is below snippets.
pub(super) struct PerSnippet;

impl Family for PerSnippet {
    type Parent<'a> = OfSnippet<'a>;

    const PREFIX: &'static [&'static str] = &["snippets", "*", "*"];
    const RESOURCES: &'static [Resource<Self>] = &[
        Resource {
            kind: Kind::Snippets,
            path: &[],
            scope: SNIPPET,
            access: Access::SignedIn,
            shape: Shape::Object,
            rows: |asked| {
                single(&asked.parent, |parent, (), out| {
                    write(&parent.within, &parent.snippet, out);
                })
            },
        },
        Resource {
            kind: Kind::SnippetComments,
            path: &["comments"],
            scope: SNIPPET,
            access: Access::SignedIn,
            shape: Shape::keyed("id", List::PLAIN),
            rows: |asked| {
                let entries = asked.parent.entries(Kind::SnippetComments);
                written(&asked.parent, entries, write_comment)
            },
        },
        Resource {
            kind: Kind::SnippetCommits,
            path: &["commits"],
            scope: SNIPPET,
            access: Access::SignedIn,
            shape: Shape::keyed(
                "hash",
                List {
                    style: Style::Tokens,
                    ..List::PLAIN
                },
            ),
            rows: |asked| {
                let mut entries = asked.parent.entries(Kind::SnippetCommits);
                entries.reverse();
                written(&asked.parent, entries, write_commit)
            },
        },
    ];
}

impl OfSnippet<'_> {
    fn entries(&self, kind: Kind) -> Vec<Entry> {
        let workspace = self.within.workspace().seed;
        let seed = child_seed(workspace, Level::Snippet, self.snippet.number.into());
        self.within.world.entries(kind, seed)
    }

    /// When an entry was made and changed: since the snippet was made.
    fn times(&self, entry: &Entry) -> (Timestamp, Timestamp) {
        let from = times(&self.within, &self.snippet).0;
        entry.times(from, self.within.world.clock.start().max(from))
    }

    /// Writes what names the snippet elsewhere.
    fn write_reference(&self, object: &mut Object<'_>) {
        object
            .text("type", "snippet")
            .text("id", id(&self.snippet).as_str())
            .text("title", title(&self.snippet).as_str());
    }
}

/// Snippets are named by six letters and digits.
fn id(entry: &Entry) -> String {
    commit_hash(entry.id())[..6].to_owned()
}

fn title(entry: &Entry) -> String {
    text::title(&mut entry.random())
}

fn times(parent: &InWorkspace<'_>, entry: &Entry) -> (Timestamp, Timestamp) {
    entry.times(parent.workspace().created_on, parent.world.clock.start())
}

/// The snippets, or with `role` those of the caller, who is the first person: every other one.
fn snippets<'a>(parent: &InWorkspace<'a>, request: &Request) -> Listed<'a> {
    let mut entries = parent.entries(Kind::Snippets);
    match request.parameter("role") {
        None | Some("" | "member") => {}
        Some("owner" | "contributor") => entries.retain(|entry| entry.number % 2 == 1),
        Some(_) => return Err(Reply::error(400, "Invalid role")),
    }
    written(parent, entries, write)
}

fn write(parent: &InWorkspace<'_>, entry: &Entry, out: &mut String) {
    let workspace = parent.workspace();
    let (created_on, updated_on) = times(parent, entry);
    let id = id(entry);
    let api = [&parent.world.base, "/snippets/", &workspace.slug, "/", &id].concat();
    let mut object = Object::begin(out);
    object
        .text("type", "snippet")
        .text("id", id.as_str())
        .text("title", title(entry).as_str())
        .text("scm", "git")
        .time("created_on", created_on)
        .time("updated_on", updated_on)
        .raw("owner", &workspace.owner);
    object
        .raw("creator", person(workspace, entry))
        .boolean("is_private", workspace.is_private)
        .boolean("is_unlisted", false);
    object.object("files", |files| {
        let name = format!("snippet-{}.txt", entry.number);
        files.object(&name, |file| {
            file.object("links", |links| {
                links.link("self", &[&api, "/files/", &name]);
            });
        });
    });
    object.object("links", |links| {
        links
            .link("self", &[&api])
            .link("comments", &[&api, "/comments"])
            .link("commits", &[&api, "/commits"]);
    });
    object.end();
}

fn write_comment(parent: &OfSnippet<'_>, entry: &Entry, out: &mut String) {
    let workspace = parent.within.workspace();
    let (created_on, updated_on) = parent.times(entry);
    let base = &parent.within.world.base;
    let mut digits = Digits::default();
    let number = digits.of(entry.id());
    let id = id(&parent.snippet);
    let mut object = Object::begin(out);
    object
        .text("type", "snippet_comment")
        .number("id", entry.id())
        .time("created_on", created_on)
        .time("updated_on", updated_on);
    object
        .rendered("content", &text::paragraph(&mut entry.random()))
        .raw("user", person(workspace, entry))
        .boolean("deleted", entry.deleted);
    object.object("snippet", |snippet| parent.write_reference(snippet));
    let slug = workspace.slug.as_str();
    object.object("links", |links| {
        links
            .link(
                "self",
                &[base, "/snippets/", slug, "/", &id, "/comments/", number],
            )
            .link(
                "html",
                &[
                    "https://bitbucket.org/snippets/",
                    slug,
                    "/",
                    &id,
                    "#comment-",
                    number,
                ],
            );
    });
    object.end();
}

fn write_commit(parent: &OfSnippet<'_>, entry: &Entry, out: &mut String) {
    let workspace = parent.within.workspace();
    let base = &parent.within.world.base;
    let hash = commit_hash(entry.id());
    let id = id(&parent.snippet);
    let mut date = String::new();
    parent.times(entry).0.write_seconds(&mut date);
    date.push_str("+00:00");
    let message = format!("Revision {}\n", entry.number);
    let author = person(workspace, entry);
    let signature = |object: &mut Object<'_>, kind: &str| {
        object
            .text("type", kind)
            .text("raw", "User <user@snippets.example>")
            .raw("user", author);
    };
    let mut object = Object::begin(out);
    object
        .text("type", "snippet_commit")
        .text("hash", hash.as_str())
        .text("date", date.as_str());
    object.object("author", |object| signature(object, "author"));
    object.object("committer", |object| signature(object, "committer"));
    object.text("message", message.as_str());
    object.rendered("summary", &message);
    let before = entry.number.checked_sub(2);
    let parents = before.map(|_| commit_hash(entry.id() - 1));
    object.array("parents", parents, |hash, out| {
        let mut object = Object::begin(out);
        object
            .text("type", "snippet_commit")
            .text("hash", hash.as_str());
        object.end();
    });
    object.object("snippet", |snippet| parent.write_reference(snippet));
    let api = [base, "/snippets/", &workspace.slug, "/", &id, "/"].concat();
    object.object("links", |links| {
        links
            .link("self", &[&api, "commits/", &hash])
            .link(
                "html",
                &["https://bitbucket.org/snippets/", &id, "/", &hash],
            )
            .link("diff", &[&api, &hash, "/diff"]);
    });
    object.end();
}
