//! The truth, to hold copies against.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::api::{
    self, Branches, Issues, Projects, PullRequests, Repositories, Rows, write_workspace,
};
use crate::kind::Kind;
use crate::query::Bounds;
use crate::world::World;
use crate::world::pull_request::State;
use crate::world::shelf::By;

/// One object and where it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The repository's slug, for what is in one.
    pub repository: Option<String>,
    /// The repository's UUID, in braces.
    pub repository_uuid: Option<String>,
    /// What names the parent within its repository or workspace, for what is below more than
    /// that: a pull request's number, a commit's hash.
    pub parent: Option<String>,
    /// The object as the API would show it.
    pub value: Value,
}

/// Calls `each` with every object of a kind in a workspace, in no promised order; whether there is
/// such a workspace.
pub(crate) fn visit(
    world: &World,
    kind: Kind,
    workspace: &str,
    each: &mut dyn FnMut(Snapshot),
) -> bool {
    let Some(place) = world.workspace(workspace) else {
        return false;
    };
    let mut text = String::new();
    let mut emit = |text: &str, repository: Option<(&str, &str)>| {
        each(Snapshot {
            repository: repository.map(|(slug, _)| slug.to_owned()),
            repository_uuid: repository.map(|(_, uuid)| uuid.to_owned()),
            parent: None,
            value: serde_json::from_str(text).unwrap_or_default(),
        });
    };
    let mut rows = |rows: &dyn Rows, repository: Option<(&str, &str)>| {
        for row in rows.select(&Bounds::default(), Some(By::Id)).iter() {
            text.clear();
            rows.write(row, true, &mut text);
            emit(&text, repository);
        }
    };
    match kind {
        Kind::Workspaces => {
            let mut text = String::new();
            write_workspace(world, &world.workspaces[place], &mut text);
            emit(&text, None);
        }
        Kind::Projects => rows(
            &Projects {
                world,
                workspace: place,
            },
            None,
        ),
        Kind::Repositories => {
            rows(
                &Repositories {
                    world,
                    workspace: place,
                    caller: None,
                    role: None,
                },
                None,
            );
        }
        Kind::Issues | Kind::PullRequests | Kind::Branches => {
            for repository in &world.repositories {
                if repository.workspace != place || !repository.present() {
                    continue;
                }
                let at = Some((repository.slug.as_str(), repository.uuid.as_str()));
                match kind {
                    Kind::Issues if repository.has_tracker => {
                        rows(&Issues { world, repository }, at);
                    }
                    Kind::PullRequests => {
                        rows(
                            &PullRequests {
                                world,
                                repository,
                                states: &State::ALL,
                            },
                            at,
                        );
                    }
                    Kind::Branches => rows(&Branches::new(world, repository), at),
                    _ => {}
                }
            }
        }
        _ => api::visit(world, kind, place, each),
    }
    true
}
