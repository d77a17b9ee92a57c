//! What resources belong to: how each parent is found, and how all are visited.

use std::rc::Rc;

use super::Call;
use super::resource::{Parent, Whereabouts};
use crate::http::reply::Reply;
use crate::http::sign_in::Scope;
use crate::kind::Kind;
use crate::query::Bounds;
use crate::world::World;
use crate::world::entries::{Entry, Level, child_seed};
use crate::world::history::{Commit, History};
use crate::world::pull_request::PullRequest;
use crate::world::random::commit_hash;
use crate::world::repository::Repository;
use crate::world::workspace::{Project, Workspace};

/// A workspace.
#[derive(Clone, Copy)]
pub(super) struct InWorkspace<'a> {
    pub(super) world: &'a World,
    pub(super) place: usize,
}

impl<'a> InWorkspace<'a> {
    pub(super) fn workspace(&self) -> &'a Workspace {
        &self.world.workspaces[self.place]
    }

    /// Its entries of a kind.
    pub(super) fn entries(&self, kind: Kind) -> Vec<Entry> {
        self.world.entries(kind, self.workspace().seed)
    }
}

/// A project.
#[derive(Clone, Copy)]
pub(super) struct InProject<'a> {
    pub(super) within: InWorkspace<'a>,
    place: usize,
}

impl<'a> InProject<'a> {
    pub(super) fn project(&self) -> &'a Project {
        &self.within.workspace().projects[self.place]
    }

    pub(super) fn seed(&self) -> u64 {
        let workspace = self.within.workspace().seed;
        child_seed(workspace, Level::Project, self.place as u64)
    }

    /// Its entries of a kind.
    pub(super) fn entries(&self, kind: Kind) -> Vec<Entry> {
        self.within.world.entries(kind, self.seed())
    }
}

/// A repository.
#[derive(Clone, Copy)]
pub(super) struct InRepository<'a> {
    pub(super) world: &'a World,
    pub(super) repository: &'a Repository,
}

impl<'a> InRepository<'a> {
    pub(super) fn workspace(&self) -> &'a Workspace {
        &self.world.workspaces[self.repository.workspace]
    }

    /// Its entries of a kind.
    pub(super) fn entries(&self, kind: Kind) -> Vec<Entry> {
        self.world.entries(kind, self.repository.seed)
    }

    /// The project that it is in.
    pub(super) fn project(&self) -> InProject<'a> {
        InProject {
            within: InWorkspace {
                world: self.world,
                place: self.repository.workspace,
            },
            place: self.repository.project,
        }
    }

    /// Where something of this name in the repository is.
    pub(super) fn child(&self, name: impl ToString) -> Whereabouts<'_> {
        Whereabouts {
            name: Some(name.to_string()),
            ..self.whereabouts()
        }
    }

    /// The account object of a person, or `null`.
    pub(super) fn person(&self, place: Option<usize>) -> &'a str {
        self.workspace().person(place)
    }
}

/// A pull request.
#[derive(Clone)]
pub(super) struct OfPullRequest<'a> {
    pub(super) within: InRepository<'a>,
    pub(super) pull_request: PullRequest,
}

impl<'a> OfPullRequest<'a> {
    pub(super) fn seed(&self) -> u64 {
        let repository = self.within.repository.seed;
        child_seed(repository, Level::PullRequest, self.pull_request.id.into())
    }

    /// All pull requests of a repository.
    pub(super) fn all(within: InRepository<'a>) -> impl Iterator<Item = Self> {
        let shelf = &within.repository.pull_requests;
        let ids: Vec<u32> = shelf.select(&Bounds::default(), None).iter().collect();
        ids.into_iter().map(move |id| Self {
            within,
            pull_request: shelf.item(id).into_owned(),
        })
    }
}

/// A commit.
#[derive(Clone)]
pub(super) struct OfCommit<'a> {
    pub(super) within: InRepository<'a>,
    pub(super) history: Rc<History>,
    pub(super) commit: Commit,
    pub(super) hash: String,
}

impl<'a> OfCommit<'a> {
    pub(super) fn new(within: InRepository<'a>, history: Rc<History>, commit: Commit) -> Self {
        Self {
            within,
            history,
            hash: commit_hash(commit.seed),
            commit,
        }
    }

    pub(super) fn seed(&self) -> u64 {
        child_seed(self.within.repository.seed, Level::Commit, self.commit.seed)
    }

    /// The source commit of a pull request.
    pub(super) fn source(of: &OfPullRequest<'a>) -> Option<Self> {
        let history = Rc::new(of.within.repository.history());
        let commit = history.get(of.pull_request.source_commit)?.clone();
        Some(Self::new(of.within, history, commit))
    }

    /// All commits that a branch or tag of a repository reaches.
    pub(super) fn all(within: InRepository<'a>) -> impl Iterator<Item = Self> {
        let history = Rc::new(within.repository.history());
        let commits = history.between(history.heads(), &[]);
        commits
            .into_iter()
            .map(move |commit| Self::new(within, Rc::clone(&history), commit))
    }
}

impl<'a> Parent<'a> for InWorkspace<'a> {
    fn find(call: &Call<'a>, names: &[&str], scope: Scope) -> Result<Self, Reply> {
        call.require(scope)?;
        let place = call.workspace(names[0])?;
        if call.world.workspaces[place].is_private && !call.caller.member_of(place) {
            return Err(Reply::no_workspace(names[0]));
        }
        Ok(Self {
            world: call.world,
            place,
        })
    }

    fn each(world: &'a World, place: usize, visit: &mut dyn FnMut(Self)) {
        visit(Self { world, place });
    }

    fn whereabouts(&self) -> Whereabouts<'_> {
        Whereabouts {
            workspace: self.place,
            repository: None,
            name: None,
        }
    }
}

impl<'a> Parent<'a> for InProject<'a> {
    fn find(call: &Call<'a>, names: &[&str], scope: Scope) -> Result<Self, Reply> {
        let within = InWorkspace::find(call, names, scope)?;
        let place = call
            .world
            .project(within.place, names[1])
            .ok_or_else(|| Reply::error(404, &format!("No project with key '{}'.", names[1])))?;
        Ok(Self { within, place })
    }

    fn each(world: &'a World, workspace: usize, visit: &mut dyn FnMut(Self)) {
        let within = InWorkspace {
            world,
            place: workspace,
        };
        for (place, project) in within.workspace().projects.iter().enumerate() {
            if !project.gone {
                visit(Self { within, place });
            }
        }
    }

    fn whereabouts(&self) -> Whereabouts<'_> {
        Whereabouts {
            name: Some(self.project().key.clone()),
            ..self.within.whereabouts()
        }
    }
}

impl<'a> Parent<'a> for InRepository<'a> {
    fn find(call: &Call<'a>, names: &[&str], scope: Scope) -> Result<Self, Reply> {
        call.require(scope)?;
        Ok(Self {
            world: call.world,
            repository: call.repository(names[0], names[1])?,
        })
    }

    fn each(world: &'a World, workspace: usize, visit: &mut dyn FnMut(Self)) {
        for repository in &world.repositories {
            if repository.workspace == workspace && repository.present() {
                visit(Self { world, repository });
            }
        }
    }

    fn whereabouts(&self) -> Whereabouts<'_> {
        Whereabouts {
            workspace: self.repository.workspace,
            repository: Some(self.repository),
            name: None,
        }
    }
}

impl<'a> Parent<'a> for OfPullRequest<'a> {
    fn find(call: &Call<'a>, names: &[&str], scope: Scope) -> Result<Self, Reply> {
        let within = InRepository::find(call, names, scope)?;
        let pull_request = names[2]
            .parse()
            .ok()
            .and_then(|id| within.repository.pull_requests.get(id))
            .ok_or_else(|| Reply::text(404, "Not Found"))?
            .into_owned();
        Ok(Self {
            within,
            pull_request,
        })
    }

    fn each(world: &'a World, workspace: usize, visit: &mut dyn FnMut(Self)) {
        InRepository::each(world, workspace, &mut |within| {
            Self::all(within).for_each(&mut *visit);
        });
    }

    fn whereabouts(&self) -> Whereabouts<'_> {
        self.within.child(self.pull_request.id)
    }
}

impl<'a> Parent<'a> for OfCommit<'a> {
    fn find(call: &Call<'a>, names: &[&str], scope: Scope) -> Result<Self, Reply> {
        let within = InRepository::find(call, names, scope)?;
        let history = Rc::new(within.repository.history());
        let commit = history
            .find(names[2])
            .ok_or_else(|| Reply::no_commit(&[names[2]]))?
            .clone();
        Ok(Self::new(within, history, commit))
    }

    fn each(world: &'a World, workspace: usize, visit: &mut dyn FnMut(Self)) {
        InRepository::each(world, workspace, &mut |within| {
            Self::all(within).for_each(&mut *visit);
        });
    }

    fn whereabouts(&self) -> Whereabouts<'_> {
        self.within.child(&self.hash)
    }
}
