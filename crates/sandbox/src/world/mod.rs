//! Everything that exists: generated from a seed, changed by [`change`].

mod apply;
pub(crate) mod change;
mod children;
mod edit;
pub(crate) mod entries;
pub(crate) mod history;
pub(crate) mod issue;
pub(crate) mod people;
mod populate;
pub(crate) mod pull_request;
pub(crate) mod random;
pub(crate) mod repository;
pub(crate) mod shelf;
pub(crate) mod text;
pub(crate) mod workspace;

use std::collections::HashMap;

use crate::clock::{Timepiece, Timestamp};
use crate::config::{Config, Credential, Day};
use crate::oauth::Ledger;
use entries::Lists;
use repository::Repository;
use workspace::{Project, Workspace};

/// The state behind the API.
#[derive(Debug)]
pub(crate) struct World {
    /// `http://127.0.0.1:<port>/2.0`
    pub(crate) base: String,
    pub(crate) seed: u64,
    pub(crate) day: Day,
    pub(crate) clock: Timepiece,
    pub(crate) big_repository: u32,
    pub(crate) q_ignores_state: bool,
    pub(crate) workspaces: Vec<Workspace>,
    pub(crate) repositories: Vec<Repository>,
    /// Repository by workspace and slug.
    slugs: HashMap<(usize, String), usize>,
    /// Renamed repositories by their former slugs.
    former_slugs: HashMap<(usize, String), usize>,
    pub(crate) credentials: Vec<Holder>,
    pub(crate) oauth: Ledger,
    /// Numbered objects below a parent, where they were changed.
    lists: Lists,
    /// Counts writes; gives rows their places.
    writes: u64,
    /// Feeds what changes make up (hashes, UUIDs).
    inventions: u64,
}

/// A credential with what it reaches found.
#[derive(Debug)]
pub(crate) struct Holder {
    pub(crate) credential: Credential,
    pub(crate) workspaces: Vec<usize>,
    /// UUID of the one project or repository it is limited to.
    pub(crate) only: Option<String>,
    pub(crate) revoked: bool,
}

/// Where a slug leads.
pub(crate) enum Found<'a> {
    Here(usize, &'a Repository),
    /// The repository now has another slug.
    Renamed(&'a Repository),
    Nowhere,
}

impl World {
    /// A populated world whose links start with `base`.
    pub(crate) fn new(config: &Config, base: String) -> Self {
        let seeded = match config.day {
            Day::BeforeRemoval => "2026-08-10T09:00:00Z",
            Day::AfterRemoval => "2026-11-20T09:00:00Z",
        };
        let clock = Timepiece::new(config.clock, Timestamp::parse(seeded).unwrap_or_default());
        let mut world = Self {
            base,
            seed: config.seed,
            day: config.day,
            clock,
            big_repository: config.big_repository,
            q_ignores_state: config.q_ignores_state,
            workspaces: Vec::new(),
            repositories: Vec::new(),
            slugs: HashMap::new(),
            former_slugs: HashMap::new(),
            credentials: Vec::new(),
            oauth: Ledger::default(),
            lists: Lists::new(),
            writes: 0,
            inventions: 0,
        };
        populate::populate(&mut world, config);
        world
    }

    /// `http://127.0.0.1:<port>`
    pub(crate) fn origin(&self) -> &str {
        self.base.strip_suffix("/2.0").unwrap_or(&self.base)
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A workspace by slug or UUID.
    pub(crate) fn workspace(&self, id: &str) -> Option<usize> {
        self.workspaces
            .iter()
            .position(|workspace| workspace.slug == id || workspace.uuid == id)
    }

    /// A repository by slug, former slug or UUID, within a workspace; in the empty workspace `{}`
    /// by UUID only.
    pub(crate) fn repository(&self, workspace: Option<usize>, id: &str) -> Found<'_> {
        if id.starts_with('{') {
            let here = |repository: &Repository| {
                repository.uuid == id
                    && !repository.gone
                    && workspace.is_none_or(|place| place == repository.workspace)
            };
            return match self.repositories.iter().position(here) {
                Some(place) => Found::Here(place, &self.repositories[place]),
                None => Found::Nowhere,
            };
        }
        let Some(workspace) = workspace else {
            return Found::Nowhere;
        };
        let key = (workspace, id.to_lowercase());
        if let Some(place) = self.slugs.get(&key) {
            return Found::Here(*place, &self.repositories[*place]);
        }
        match self
            .former_slugs
            .get(&key)
            .map(|place| &self.repositories[*place])
        {
            Some(repository) if !repository.gone && repository.workspace == workspace => {
                Found::Renamed(repository)
            }
            _ => Found::Nowhere,
        }
    }

    /// A project by key, within a workspace.
    pub(crate) fn project(&self, workspace: usize, key: &str) -> Option<usize> {
        self.workspaces[workspace]
            .projects
            .iter()
            .position(|project| !project.gone && project.key == key)
    }

    /// The project a repository is in.
    pub(crate) fn project_of(&self, repository: &Repository) -> &Project {
        &self.workspaces[repository.workspace].projects[repository.project]
    }

    /// A number that was not there before.
    pub(crate) fn invent(&mut self) -> u64 {
        self.inventions += 1;
        random::mix(self.seed ^ random::mix(0xc0ff_ee00 + self.inventions))
    }

    fn next_write(&mut self) -> u64 {
        self.writes += 1;
        self.writes
    }

    /// Registers a repository that was just made under its slug.
    fn add_repository(&mut self, mut repository: Repository) -> usize {
        repository.rename(&self.base, &self.workspaces[repository.workspace].slug);
        let place = self.repositories.len();
        let key = (repository.workspace, repository.slug.clone());
        self.former_slugs.remove(&key);
        self.slugs.insert(key, place);
        self.repositories.push(repository);
        place
    }
}
