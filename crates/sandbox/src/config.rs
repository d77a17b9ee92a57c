//! What a sandbox is started with.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Clock;
use crate::oauth::Consumer;

/// Which of the service's days is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Day {
    /// Before 2026-08-20: issue trackers answer.
    #[default]
    BeforeRemoval,
    /// After 2026-08-20: every issue call answers 410, and repositories say nothing of trackers.
    AfterRemoval,
}

/// How many objects a workspace gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// This many in all, spread evenly over the repositories that can have them.
    Total(u64),
    /// This many in each repository.
    PerRepository(u32),
}

/// Everything a sandbox is started with. The same configuration gives the same data, except with
/// [`Clock::Real`]: generated times lead up to the clock's start.
#[derive(Debug, Clone)]
pub struct Config {
    /// Port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// What the links in answers begin with, for clients that come through a proxy; none: the server's own address.
    pub base_url: Option<String>,
    /// Seed of all generated data.
    pub seed: u64,
    /// The day played.
    pub day: Day,
    /// How the server's clock runs.
    pub clock: Clock,
    /// The workspaces.
    pub workspaces: Vec<WorkspaceConfig>,
    /// The credentials that are accepted.
    pub credentials: Vec<Credential>,
    /// The OAuth consumers.
    pub consumers: Vec<Consumer>,
    /// Time that every API answer is held back.
    pub latency: Duration,
    /// Requests an hour on `/2.0/repositories/*` for each user, access token or consumer; none: no
    /// limit.
    pub requests_per_hour: Option<u32>,
    /// Requests an hour without credentials, on everything; none: no limit.
    pub anonymous_requests_per_hour: Option<u32>,
    /// Whether a 429 is bare text rather than the JSON envelope.
    pub bare_429: bool,
    /// Pull request lists of repositories with more than this many answer 500 to all four states
    /// together with `sort`.
    pub big_repository: u32,
    /// Plays an old report: on pull request lists a `q` that says nothing of the state makes the
    /// `state` parameters ignored, and all states are listed.
    pub q_ignores_state: bool,
    /// Whether answers are compressed for clients that accept gzip. Compressing costs more than
    /// everything else the server does; benchmarks may want to turn it off.
    pub gzip: bool,
}

impl Default for Config {
    /// Two workspaces, `acme` and `globex`, each with an API token, a workspace access token and an
    /// OAuth consumer.
    fn default() -> Self {
        Self {
            port: 0,
            base_url: None,
            seed: 1,
            day: Day::default(),
            clock: Clock::default(),
            workspaces: vec![WorkspaceConfig::new("acme"), WorkspaceConfig::new("globex")],
            credentials: ["acme", "globex"]
                .into_iter()
                .flat_map(|slug| {
                    [
                        Credential::api_token(slug),
                        Credential::workspace_token(slug),
                    ]
                })
                .collect(),
            consumers: vec![Consumer::new("acme"), Consumer::new("globex")],
            latency: Duration::ZERO,
            requests_per_hour: Some(1000),
            anonymous_requests_per_hour: Some(60),
            bare_429: false,
            big_repository: 2000,
            q_ignores_state: false,
            gzip: true,
        }
    }
}

impl Config {
    /// One workspace with its two default credentials and its consumer.
    pub fn single(workspace: WorkspaceConfig) -> Self {
        let credentials = vec![
            Credential::api_token(&workspace.slug),
            Credential::workspace_token(&workspace.slug),
        ];
        Self {
            consumers: vec![Consumer::new(&workspace.slug)],
            workspaces: vec![workspace],
            credentials,
            ..Self::default()
        }
    }

    /// Changes every workspace.
    #[must_use]
    pub fn each_workspace(mut self, change: impl Fn(WorkspaceConfig) -> WorkspaceConfig) -> Self {
        self.workspaces = self.workspaces.into_iter().map(change).collect();
        self
    }
}

/// One workspace's data.
#[derive(Debug, Clone)]
pub struct WorkspaceConfig {
    /// Its slug.
    pub slug: String,
    /// Its name.
    pub name: String,
    /// Whether it hides its repositories from strangers; all its projects and repositories are then
    /// private.
    pub private: bool,
    /// People, named `User 1`, `User 2`, ...
    pub users: u32,
    /// Projects, with keys `API`, `WEB`, `OPS`, then `P4`, `P5`, ...
    pub projects: u32,
    /// Repositories, with slugs `api`, `web`, `tools`, `docs`, `infra`, then `repo-6`, ...
    pub repositories: u32,
    /// Repositories whose issue tracker is off, taken from the last; none: one if there are several.
    pub trackers_off: Option<u32>,
    /// Issues.
    pub issues: Count,
    /// Pull requests.
    pub pull_requests: Count,
    /// Branches of each repository; none leaves repositories without a commit.
    pub branches: u32,
    /// Pipelines of each repository that has a commit.
    pub pipelines: u32,
    /// Repositories whose pipelines are off, taken from the last; none: one if there are several.
    pub pipelines_off: Option<u32>,
    /// This many issues of each repository share one `updated_on`.
    pub same_updated_on: u32,
}

impl WorkspaceConfig {
    /// A private workspace of 5 repositories with 120 issues, 60 pull requests and 6 branches each.
    pub fn new(slug: &str) -> Self {
        let mut name = slug.to_owned();
        if let Some(first) = name.get_mut(0..1) {
            first.make_ascii_uppercase();
        }
        Self {
            slug: slug.to_owned(),
            name,
            private: true,
            users: 20,
            projects: 3,
            repositories: 5,
            trackers_off: None,
            issues: Count::PerRepository(120),
            pull_requests: Count::PerRepository(60),
            branches: 6,
            pipelines: 24,
            pipelines_off: None,
            same_updated_on: 0,
        }
    }

    /// Sets the number of repositories.
    #[must_use]
    pub fn repositories(mut self, repositories: u32) -> Self {
        self.repositories = repositories;
        self
    }

    /// Sets the number of issues.
    #[must_use]
    pub fn issues(mut self, issues: Count) -> Self {
        self.issues = issues;
        self
    }

    /// Sets the number of pull requests.
    #[must_use]
    pub fn pull_requests(mut self, pull_requests: Count) -> Self {
        self.pull_requests = pull_requests;
        self
    }

    /// Sets the number of branches of each repository.
    #[must_use]
    pub fn branches(mut self, branches: u32) -> Self {
        self.branches = branches;
        self
    }

    /// Sets the number of repositories without an issue tracker.
    #[must_use]
    pub fn trackers_off(mut self, repositories: u32) -> Self {
        self.trackers_off = Some(repositories);
        self
    }
}

/// What is known of the pull requests that a commit is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Index {
    /// All of them.
    #[default]
    Ready,
    /// Nothing yet: 202 with an empty list.
    Building,
    /// Nothing, as the app that keeps the index is not installed: 404.
    Missing,
}

/// What a credential is, and what it reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CredentialKind {
    /// A person's token: HTTP Basic with the account's e-mail. New-style scopes.
    ApiToken {
        /// The user name that Basic wants.
        email: String,
    },
    /// Reaches its workspaces: Bearer. Old-style scopes, as for the two kinds below.
    WorkspaceToken,
    /// Reaches the repositories of one project of its workspace.
    ProjectToken {
        /// The project's key when the sandbox starts.
        project: String,
    },
    /// Reaches one repository of its workspace.
    RepositoryToken {
        /// The repository's slug when the sandbox starts.
        repository: String,
    },
    /// What a [`Consumer`]'s tokens act as after a user allowed it; made with the consumer, and
    /// known by those tokens alone.
    ConsumerUser {
        /// The consumer's key.
        consumer: String,
    },
    /// The same for tokens that the consumer got with its own credentials.
    ConsumerApp {
        /// The consumer's key.
        consumer: String,
    },
}

/// A credential that the sandbox accepts.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    /// Names it in the request log and in changes.
    pub name: String,
    /// What it is.
    pub kind: CredentialKind,
    /// The token. Obviously fake, and masked in `Debug` all the same.
    pub secret: String,
    /// Its scopes, in the style of its kind.
    pub scopes: Vec<String>,
    /// Slugs of the workspaces it reaches. With none it is valid and sees nothing.
    pub workspaces: Vec<String>,
    /// Whether it administers those workspaces.
    pub administrator: bool,
}

impl Credential {
    /// `User 1` of a workspace: e-mail `user1@<slug>.example`, token `sandbox-api-token-<slug>`,
    /// name `<slug>-api-token`, administrator, with every scope that something to read needs.
    pub fn api_token(workspace: &str) -> Self {
        Self {
            name: format!("{workspace}-api-token"),
            kind: CredentialKind::ApiToken {
                email: format!("user1@{workspace}.example"),
            },
            secret: format!("sandbox-api-token-{workspace}"),
            scopes: [
                "read:user:bitbucket",
                "read:workspace:bitbucket",
                "read:project:bitbucket",
                "read:repository:bitbucket",
                "read:pullrequest:bitbucket",
                "read:issue:bitbucket",
                "read:pipeline:bitbucket",
                "read:runner:bitbucket",
                "read:webhook:bitbucket",
                "read:snippet:bitbucket",
                "admin:project:bitbucket",
                "admin:repository:bitbucket",
            ]
            .map(str::to_owned)
            .to_vec(),
            workspaces: vec![workspace.to_owned()],
            administrator: true,
        }
    }

    /// Token `sandbox-access-token-<slug>`, name `<slug>-access-token`. Access tokens can have no
    /// issue scope (the published spec lists theirs), so issues answer 403 to it.
    pub fn workspace_token(workspace: &str) -> Self {
        Self {
            name: format!("{workspace}-access-token"),
            kind: CredentialKind::WorkspaceToken,
            secret: format!("sandbox-access-token-{workspace}"),
            scopes: [
                "project",
                "repository",
                "pullrequest",
                "pipeline",
                "runner",
                "webhook",
            ]
            .map(str::to_owned)
            .to_vec(),
            workspaces: vec![workspace.to_owned()],
            administrator: false,
        }
    }

    /// Replaces the scopes.
    #[must_use]
    pub fn scopes<'a>(mut self, scopes: impl IntoIterator<Item = &'a str>) -> Self {
        self.scopes = scopes.into_iter().map(str::to_owned).collect();
        self
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("name", &self.name)
            .field("kind", &self.kind)
            .field("scopes", &self.scopes)
            .field("workspaces", &self.workspaces)
            .field("administrator", &self.administrator)
            .finish_non_exhaustive()
    }
}
