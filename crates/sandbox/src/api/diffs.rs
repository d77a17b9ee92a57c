//! Which files differ, between two commits or a commit and its parent. Nothing of it ever changes.

use percent_encoding::utf8_percent_encode;

use super::branches::ENCODED;
use super::commits::resolve;
use super::listing::{List, page};
use super::parents::{InRepository, OfCommit, OfPullRequest};
use super::resource::{Access, Family, Listed, Parent, Resource, Shape, written};
use super::{Answer, Call, source};
use crate::http::reply::Reply;
use crate::http::sign_in::{PULL_REQUEST, REPOSITORY, Scope};
use crate::json::write::Object;
use crate::kind::Kind;
use crate::world::history::Commit;
use crate::world::random::{Random, commit_hash, mix};

const LIST: List<'static> = List {
    default_pagelen: 500,
    max_pagelen: 500,
    ..List::PLAIN
};

/// The files that each commit changed; the lists of requests name any two commits.
pub(super) struct Diffs;

impl Family for Diffs {
    type Parent<'a> = OfCommit<'a>;

    const PREFIX: &'static [&'static str] = &["repositories", "*", "*", "diffstat", "*"];
    const RESOURCES: &'static [Resource<Self>] = &[Resource {
        kind: Kind::Diffstat,
        path: &[],
        scope: REPOSITORY,
        access: Access::Everybody,
        shape: Shape::list(LIST),
        rows: |asked| {
            let parent = &asked.parent;
            let before = parent.commit.parents.first().copied();
            rows(parent.within, before, parent.commit.seed)
        },
    }];
}

/// Whether a commit changed something at or below a path.
pub(super) fn touches(commit: &Commit, path: &str) -> bool {
    source::changed(commit.seed).iter().any(|file| {
        file.strip_prefix(path.trim_end_matches('/'))
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

/// `.../diffstat/{spec}`: a commit, or `after..before`, or with the repository in front and a
/// carriage return between the two, as pull requests refer to it.
pub(super) fn get(call: &Call<'_>, workspace: &str, repository: &str, spec: &str) -> Answer {
    let within = InRepository::find(call, &[workspace, repository], REPOSITORY)?;
    let spec = spec.rsplit(':').next().unwrap_or(spec);
    let names: Vec<&str> = match spec.split_once('\r').or_else(|| spec.split_once("..")) {
        Some((after, before)) => vec![after, before],
        None => vec![spec],
    };
    let history = within.repository.history();
    let found: Vec<Option<u64>> = names
        .iter()
        .map(|name| resolve(within.repository, &history, name))
        .collect();
    let rows = match (found.as_slice(), names.as_slice()) {
        ([Some(after)], _) => {
            let parents = history.get(*after).map(|commit| commit.parents.as_slice());
            rows(
                within,
                parents.and_then(|seeds| seeds.first().copied()),
                *after,
            )
        }
        ([Some(after), Some(before)], _) => rows(within, Some(*before), *after),
        (_, names) => Err(Reply::no_commit(names)),
    }?;
    page(call, LIST, rows.as_ref())
}

/// The files that pull requests change: what their addresses lead to is the repository's.
pub(super) struct OfRequests;

impl Family for OfRequests {
    type Parent<'a> = OfPullRequest<'a>;

    const PREFIX: &'static [&'static str] = &["repositories", "*", "*", "pullrequests", "*"];
    const RESOURCES: &'static [Resource<Self>] = &[Resource {
        kind: Kind::PullRequestDiffstat,
        path: &["diffstat"],
        scope: PULL_REQUEST,
        access: Access::Everybody,
        shape: Shape::list(LIST),
        rows: |asked| {
            let OfPullRequest {
                within,
                pull_request,
            } = &asked.parent;
            let before = Some(pull_request.destination_commit);
            rows(*within, before, pull_request.source_commit)
        },
    }];

    fn find<'a>(call: &Call<'a>, names: &[&str], scope: Scope) -> Result<OfPullRequest<'a>, Reply> {
        let parent: OfPullRequest<'a> = Parent::find(call, names, scope)?;
        let names = &parent.within.repository.names;
        let pull_request = &parent.pull_request;
        let location = format!(
            "{}/diffstat/{}:{}%0D{}?from_pullrequest_id={}",
            names.api,
            names.full_name,
            &commit_hash(pull_request.source_commit)[..12],
            &commit_hash(pull_request.destination_commit)[..12],
            pull_request.id,
        );
        Err(Reply {
            status: 302,
            ..Reply::json(String::new())
        }
        .with("location", location))
    }
}

/// A file that differs.
struct Difference {
    path: &'static str,
    before: Option<u64>,
    after: u64,
}

fn rows(within: InRepository<'_>, before: Option<u64>, after: u64) -> Listed<'_> {
    if within.repository.diffs_time_out {
        return Err(Reply::error(555, "The request took too long."));
    }
    let files = source::changed(mix(after ^ mix(before.unwrap_or_default())));
    let differences = files.into_iter().map(|path| Difference {
        path,
        before,
        after,
    });
    written(&within, differences.collect(), write)
}

fn write(within: &InRepository<'_>, difference: &Difference, out: &mut String) {
    let Difference {
        path,
        before,
        after,
    } = *difference;
    let mut random = Random::new(&[after, before.unwrap_or_default(), path.len() as u64, 71]);
    let status = match before {
        None => "added",
        Some(_) => random.pick(&["modified", "modified", "modified", "added", "removed"]),
    };
    let lines = |random: &mut Random, shown: bool| if shown { random.below(80) } else { 0 };
    let mut object = Object::begin(out);
    object
        .text("type", "diffstat")
        .number("lines_added", lines(&mut random, status != "removed"))
        .number("lines_removed", lines(&mut random, status != "added"))
        .text("status", status);
    for (key, commit) in [
        ("old", before.filter(|_| status != "added")),
        ("new", Some(after).filter(|_| status != "removed")),
    ] {
        let Some(commit) = commit else {
            object.null(key);
            continue;
        };
        let escaped = utf8_percent_encode(path, ENCODED).to_string();
        object.object(key, |file| {
            file.text("type", "commit_file")
                .text("path", path)
                .text("escaped_path", escaped.as_str());
            file.object("links", |links| {
                let hash = commit_hash(commit);
                links.link(
                    "self",
                    &[&within.repository.names.api, "/src/", &hash, "/", &escaped],
                );
            });
        });
    }
    object.end();
}
