//! Files and directories. Every commit has the same tree; sizes and contents follow from the commit.

use percent_encoding::utf8_percent_encode;

use super::branches::ENCODED;
use super::commits::write_reference;
use super::listing::{List, Style, page};
use super::parents::{InRepository, OfCommit};
use super::resource::{Access, Family, Listed, Parent, Resource, Shape, written};
use super::{Answer, Call};
use crate::http::reply::Reply;
use crate::http::request::Request;
use crate::http::sign_in::{REPOSITORY, Scope};
use crate::json::write::Object;
use crate::kind::Kind;
use crate::query::{self, Field, Schema};
use crate::world::random::{Random, commit_hash, mix};

/// All files, in the order of their listing.
const FILES: &[&str] = &[
    "README.md",
    "docs/guide.md",
    "docs/images/logo.svg",
    "src/api/client.rs",
    "src/api/server.rs",
    "src/lib.rs",
    "src/main.rs",
    "tests/größe.rs",
];

const SCHEMA: Schema = &[
    Field("path", query::Kind::Text),
    Field("type", query::Kind::Text),
    Field("size", query::Kind::Number),
];

/// The file that a number leads to.
pub(super) fn path_of(number: u64) -> &'static str {
    FILES[number as usize % FILES.len()]
}

/// The files that a commit changed.
pub(super) fn changed(seed: u64) -> Vec<&'static str> {
    let mut random = Random::new(&[seed, 70]);
    let chosen = FILES.iter().copied().filter(|_| random.percent(35));
    let mut files: Vec<&str> = chosen.collect();
    if files.is_empty() {
        files.push(path_of(seed));
    }
    files
}

/// The tree of a commit.
pub(super) struct Source;

impl Family for Source {
    type Parent<'a> = OfCommit<'a>;

    const PREFIX: &'static [&'static str] = &["repositories", "*", "*", "src", "*"];
    const RESOURCES: &'static [Resource<Self>] = &[Resource {
        kind: Kind::SourceFiles,
        path: &[],
        scope: REPOSITORY,
        access: Access::Everybody,
        shape: Shape::List {
            list: LIST,
            key: None,
            slash: true,
        },
        rows: |asked| directory(&asked.parent, asked.request, ""),
    }];
    const EVERYTHING: &'static str = "max_depth=9";

    /// A branch with a slash in its name cannot be named here.
    fn find<'a>(call: &Call<'a>, names: &[&str], scope: Scope) -> Result<OfCommit<'a>, Reply> {
        let within = InRepository::find(call, names, scope)?;
        let name = names[2];
        let tip = within.repository.refs.branches.get(name);
        let commit = match tip.filter(|_| !name.contains('/')) {
            Some(tip) => commit_hash(tip.seed),
            None => name.to_owned(),
        };
        OfCommit::find(call, &[names[0], names[1], &commit], scope)
    }
}

const LIST: List<'static> = List {
    style: Style::Tokens,
    ..List::of(SCHEMA)
};

/// `.../src/{commit}/{path}`: a directory's entries, or a file.
pub(super) fn get(
    call: &Call<'_>,
    workspace: &str,
    repository: &str,
    commit: &str,
    path: &str,
) -> Answer {
    let parent = Source::find(call, &[workspace, repository, commit], REPOSITORY)?;
    if FILES.contains(&path) {
        let entry = Entry {
            path,
            is_file: true,
        };
        if call.request.parameter("format") == Some("meta") {
            let mut json = String::new();
            write(&parent, &entry, &mut json);
            return call.object(json);
        }
        return Ok(
            Reply::text(200, &contents(&parent, path)).with("content-disposition", "attachment")
        );
    }
    let rows = directory(&parent, call.request, path)?;
    page(call, LIST, rows.as_ref())
}

/// The entries of a directory, and of those in it down to `max_depth`.
fn directory<'a>(parent: &OfCommit<'a>, request: &Request, path: &str) -> Listed<'a> {
    let depth = match request.parameter("max_depth") {
        Some(depth) => depth
            .parse::<usize>()
            .map_err(|_| Reply::error(400, "Invalid max_depth"))?,
        None => 1,
    };
    if depth > 1 && parent.within.repository.diffs_time_out {
        return Err(Reply::error(555, "The request took too long."));
    }
    let entries = entries(path, depth);
    if entries.is_empty() {
        return Err(Reply::error(
            404,
            &format!("No such file or directory: {path}"),
        ));
    }
    written(parent, entries, write)
}

/// A file or a directory.
struct Entry<'p> {
    path: &'p str,
    is_file: bool,
}

fn entries(directory: &str, depth: usize) -> Vec<Entry<'static>> {
    let mut entries: Vec<Entry<'static>> = Vec::new();
    for file in FILES {
        let below = match directory {
            "" => *file,
            _ => match file
                .strip_prefix(directory)
                .and_then(|rest| rest.strip_prefix('/'))
            {
                Some(below) => below,
                None => continue,
            },
        };
        let start = file.len() - below.len();
        let ends = below.match_indices('/').map(|(at, _)| (start + at, false));
        for (end, is_file) in ends.chain([(file.len(), true)]).take(depth) {
            let path = &file[..end];
            if entries.iter().all(|entry| entry.path != path) {
                entries.push(Entry { path, is_file });
            }
        }
    }
    entries
}

fn contents(parent: &OfCommit<'_>, path: &str) -> String {
    let seed = mix(parent.commit.seed) ^ path.len() as u64;
    format!("{path}\n{seed:016x}\n").repeat(1 + seed as usize % 40)
}

fn write(parent: &OfCommit<'_>, entry: &Entry<'_>, out: &mut String) {
    let names = &parent.within.repository.names;
    let escaped = utf8_percent_encode(entry.path, ENCODED).to_string();
    let below = [&names.api, "/src/", &parent.hash, "/", &escaped].concat();
    let mut object = Object::begin(out);
    object.text("path", entry.path).text(
        "type",
        if entry.is_file {
            "commit_file"
        } else {
            "commit_directory"
        },
    );
    object.object("commit", |commit| {
        write_reference(commit, &names.api, &names.html, &parent.hash);
    });
    if entry.is_file {
        object
            .text("escaped_path", escaped.as_str())
            .number("size", contents(parent, entry.path).len() as u64)
            .raw("attributes", "[]");
    }
    object.object("links", |links| {
        let slash = if entry.is_file { "" } else { "/" };
        links
            .link("self", &[&below, slash])
            .link("meta", &[&below, slash, "?format=meta"]);
        if entry.is_file {
            links.link(
                "history",
                &[&names.api, "/filehistory/", &parent.hash, "/", &escaped],
            );
        }
    });
    object.end();
}
