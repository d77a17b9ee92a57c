//! The API: one module for each resource. A handler gets a [`Call`] and gives a reply; a refusal
//! is a reply, too.

mod branches;
mod comments;
mod commits;
mod deployments;
mod diffs;
mod issues;
mod listing;
mod parents;
mod permissions;
mod pipeline_settings;
mod pipelines;
mod projects;
mod pull_requests;
mod removed;
mod reports;
mod repositories;
mod requested;
mod resource;
mod settings;
mod snippets;
mod source;
mod trackers;
mod users;
mod workspaces;

use std::cell::Cell;

use axum::http::Method;

use crate::http::reply::Reply;
use crate::http::request::Request;
use crate::http::sign_in::{Caller, Scope};
use crate::json::fields::Fields;
use crate::kind::Kind;
use crate::snapshot::Snapshot;
use crate::world::repository::Repository;
use crate::world::{Found, World};

use resource::Table;

pub(crate) use branches::Branches;
pub(crate) use issues::Issues;
pub(crate) use listing::Rows;
pub(crate) use projects::Projects;
pub(crate) use pull_requests::PullRequests;
pub(crate) use repositories::Repositories;
pub(crate) use workspaces::write as write_workspace;

/// What is below workspaces, projects, repositories and the rest, by tables.
const TABLES: &[Table] = &[
    Table::of::<requested::Feed>(),
    Table::of::<requested::PerPullRequest>(),
    Table::of::<commits::Tags>(),
    Table::of::<commits::Commits>(),
    Table::of::<commits::PerCommit>(),
    Table::of::<diffs::Diffs>(),
    Table::of::<diffs::OfRequests>(),
    Table::of::<source::Source>(),
    Table::of::<reports::PerCommit>(),
    Table::of::<reports::Annotations>(),
    Table::of::<pipelines::PerRepository>(),
    Table::of::<pipelines::Steps>(),
    Table::of::<pipeline_settings::PerRepository>(),
    Table::of::<pipeline_settings::PerWorkspace>(),
    Table::of::<deployments::PerRepository>(),
    Table::of::<deployments::EnvironmentVariables>(),
    Table::of::<settings::PerRepository>(),
    Table::of::<settings::PerWorkspace>(),
    Table::of::<settings::PerProject>(),
    Table::of::<permissions::PerWorkspace>(),
    Table::of::<permissions::Mine>(),
    Table::of::<permissions::OnRepository>(),
    Table::of::<permissions::PerProject>(),
    Table::of::<permissions::PerRepository>(),
    Table::of::<snippets::PerWorkspace>(),
    Table::of::<snippets::PerSnippet>(),
    Table::of::<trackers::PerTracker>(),
    Table::of::<trackers::PerIssue>(),
];

/// Calls `each` with the rows of a kind in a workspace that a table has.
pub(crate) fn visit(world: &World, kind: Kind, workspace: usize, each: &mut dyn FnMut(Snapshot)) {
    TABLES
        .iter()
        .any(|table| (table.visit)(world, kind, workspace, each));
}

/// What a handler gives.
type Answer = Result<Reply, Reply>;

/// One request being answered.
pub(crate) struct Call<'a> {
    pub(crate) world: &'a World,
    pub(crate) request: &'a Request,
    pub(crate) caller: Caller<'a>,
    /// The scope that was asked for, for `X-Accepted-OAuth-Scopes`.
    pub(crate) scope: Cell<Option<Scope>>,
    /// Whether a page of a list was served.
    pub(crate) listed: Cell<bool>,
}

/// Answers a signed-in request.
pub(crate) fn answer(call: &Call<'_>) -> Reply {
    route(call).unwrap_or_else(|refusal| refusal)
}

fn route(call: &Call<'_>) -> Answer {
    let segments: Vec<&str> = call.request.segments.iter().map(String::as_str).collect();
    let reads = match call.request.method {
        Method::GET | Method::HEAD => true,
        // Commits are also asked for by a form, as their hashes may be too many for a URL.
        Method::POST => matches!(segments.as_slice(), ["repositories", _, _, "commits", ..]),
        _ => false,
    };
    if !reads {
        return Err(Reply::error(405, "Method not allowed"));
    }
    if let Some(answer) = TABLES
        .iter()
        .find_map(|table| (table.route)(call, &segments))
    {
        return answer;
    }
    match segments.as_slice() {
        ["user"] => users::current(call),
        ["user", "workspaces"] => workspaces::mine(call),
        ["user", "workspaces", workspace, "permission"] => workspaces::permission(call, workspace),
        ["user", "permissions", ..]
        | ["workspaces" | "repositories"]
        | ["snippets"]
        | ["workspaces" | "repositories" | "snippets", "", ..] => Err(removed::cross_workspace()),
        ["workspaces", workspace] => workspaces::get(call, workspace),
        ["workspaces", workspace, "projects"] => projects::list(call, workspace),
        ["workspaces", workspace, "projects", key] => projects::get(call, workspace, key),
        ["repositories", workspace] => repositories::list(call, workspace),
        ["repositories", workspace, repository] => repositories::get(call, workspace, repository),
        ["repositories", workspace, repository, rest @ ..] => match rest {
            ["refs", "branches"] => branches::list(call, workspace, repository),
            ["refs", "branches", name @ ..] => {
                branches::get(call, workspace, repository, &name.join("/"))
            }
            ["commits", revision] => commits::of_revision(call, workspace, repository, revision),
            ["diffstat", spec @ ..] => diffs::get(call, workspace, repository, &spec.join("/")),
            ["src", commit, path @ ..] => {
                source::get(call, workspace, repository, commit, &path.join("/"))
            }
            ["pullrequests"] => pull_requests::list(call, workspace, repository),
            ["pullrequests", id] => pull_requests::get(call, workspace, repository, id),
            ["issues" | "components" | "milestones" | "versions", ..] => {
                let tracker = removed::tracker(call, workspace, repository)?;
                match rest {
                    ["issues"] => issues::list(call, tracker),
                    ["issues", id] => issues::get(call, tracker, id),
                    _ => Err(Reply::no_such_path()),
                }
            }
            _ => Err(Reply::no_such_path()),
        },
        _ => Err(Reply::no_such_path()),
    }
}

impl<'a> Call<'a> {
    /// Refuses callers without the scope.
    fn require(&self, scope: Scope) -> Result<(), Reply> {
        self.scope.set(Some(scope));
        self.caller.require(scope)
    }

    /// A workspace by slug or UUID, whoever calls.
    fn workspace(&self, id: &str) -> Result<usize, Reply> {
        self.world
            .workspace(id)
            .ok_or_else(|| Reply::no_workspace(id))
    }

    /// A repository that the caller sees; a former slug redirects.
    fn repository(&self, workspace: &str, id: &str) -> Result<&'a Repository, Reply> {
        let place = match workspace {
            "{}" => None,
            _ => Some(
                self.world
                    .workspace(workspace)
                    .ok_or_else(Reply::no_repository)?,
            ),
        };
        match self.world.repository(place, id) {
            Found::Here(_, repository) if self.caller.sees(self.world, repository) => {
                Ok(repository)
            }
            Found::Renamed(repository) if self.caller.sees(self.world, repository) => {
                // `/2.0/repositories/{workspace}/{slug}` is followed by what stays the same.
                let rest = self.request.target.splitn(6, '/').nth(5);
                let (tail, query) = match rest {
                    Some(rest) => (format!("/{rest}"), String::new()),
                    None => {
                        let query = self.request.target.split_once('?').map(|(_, query)| query);
                        (
                            String::new(),
                            query.map(|q| format!("?{q}")).unwrap_or_default(),
                        )
                    }
                };
                let location = format!("{}{tail}{query}", repository.names.api);
                Err(Reply {
                    status: 301,
                    ..Reply::json(String::new())
                }
                .with("location", location))
            }
            _ => Err(Reply::no_repository()),
        }
    }

    /// 200 with one object, cut down to `fields`.
    fn object(&self, json: String) -> Answer {
        Ok(Reply::json(self.partial(json, &[])))
    }

    /// `json` cut down to what `fields` asks for.
    fn partial(&self, json: String, hidden: &[&str]) -> String {
        match self.request.parameter("fields").unwrap_or_default() {
            "" if hidden.is_empty() => json,
            fields => Fields::parse(fields, hidden).apply(&json),
        }
    }
}
