//! Changes to everything that the sandbox can change.

use std::collections::BTreeSet;

use bucketline_sandbox::{Change, IssueEdit, Kind, PullRequestEdit, Sandbox};

/// What numbered objects hang on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum On {
    Workspace,
    Project,
    Snippet,
    Repository,
    PullRequest,
    Issue,
    Commit,
    Report,
    Pipeline,
    Environment,
}

/// The numbered kinds. Members are not among them: they come and go with their accounts.
const NUMBERED: [(Kind, On); 38] = [
    (Kind::WorkspaceWebhooks, On::Workspace),
    (Kind::WorkspaceVariables, On::Workspace),
    (Kind::WorkspaceRunners, On::Workspace),
    (Kind::Snippets, On::Workspace),
    (Kind::SnippetComments, On::Snippet),
    (Kind::SnippetCommits, On::Snippet),
    (Kind::ProjectUserPermissions, On::Project),
    (Kind::ProjectGroupPermissions, On::Project),
    (Kind::ProjectDefaultReviewers, On::Project),
    (Kind::ProjectDeployKeys, On::Project),
    (Kind::CommitComments, On::Commit),
    (Kind::CommitStatuses, On::Commit),
    (Kind::CommitReports, On::Commit),
    (Kind::ReportAnnotations, On::Report),
    (Kind::PullRequestComments, On::PullRequest),
    (Kind::PullRequestTasks, On::PullRequest),
    (Kind::DefaultReviewers, On::Repository),
    (Kind::IssueComments, On::Issue),
    (Kind::IssueChanges, On::Issue),
    (Kind::IssueAttachments, On::Issue),
    (Kind::Components, On::Repository),
    (Kind::Milestones, On::Repository),
    (Kind::Versions, On::Repository),
    (Kind::Pipelines, On::Repository),
    (Kind::PipelineSteps, On::Pipeline),
    (Kind::PipelineSchedules, On::Repository),
    (Kind::PipelineVariables, On::Repository),
    (Kind::PipelineRunners, On::Repository),
    (Kind::Environments, On::Repository),
    (Kind::EnvironmentVariables, On::Environment),
    (Kind::RepositoryUserPermissions, On::Repository),
    (Kind::RepositoryGroupPermissions, On::Repository),
    (Kind::BranchRestrictions, On::Repository),
    (Kind::DeployKeys, On::Repository),
    (Kind::Webhooks, On::Repository),
    (Kind::Downloads, On::Repository),
    (Kind::Forks, On::Repository),
    (Kind::Watchers, On::Repository),
];

const REPOSITORIES: [&str; 3] = ["api", "web", "tools"];

/// Random changes; the order of the calls is that of the random numbers, so that a seed is a history.
pub(crate) struct Changes<'s> {
    pub(crate) random: fastrand::Rng,
    sandbox: &'s Sandbox,
    added: u32,
    /// Pull requests and issues below which something changed that does not move them.
    silent: BTreeSet<(String, u32)>,
    /// UUIDs of the pipelines that changed when they were finished.
    pub(crate) reruns: BTreeSet<String>,
}

impl<'s> Changes<'s> {
    pub(crate) fn new(seed: u64, sandbox: &'s Sandbox) -> Self {
        Self {
            random: fastrand::Rng::with_seed(seed),
            sandbox,
            added: 0,
            silent: BTreeSet::new(),
            reruns: BTreeSet::new(),
        }
    }

    /// One random change, and some time that passes. A change of what is not there (a merged pull request merged
    /// again) is refused, as it would be.
    pub(crate) fn one(&mut self) {
        let change = match self.random.u32(0..10) {
            0..5 => self.numbered(),
            5..7 => self.of_requests(),
            7 => self.of_branches(),
            8 => self.of_issues(),
            _ => self.of_places(),
        };
        self.apply(change);
        self.pass();
    }

    /// Ends what hides things: switches everything on, and moves what changed without moving.
    pub(crate) fn settle(&mut self) {
        for slug in REPOSITORIES {
            let repository = || format!("acme/{slug}");
            for change in [
                Change::SetTracker {
                    repository: repository(),
                    on: true,
                },
                Change::SetPipelines {
                    repository: repository(),
                    on: true,
                },
            ] {
                self.sandbox.apply(change).unwrap();
            }
        }
        for (parent, id) in std::mem::take(&mut self.silent) {
            let repository = parent.rsplit_once('/').unwrap().0.to_owned();
            let change = if parent.ends_with("/issues") {
                let edit = IssueEdit::default();
                Change::UpdateIssue {
                    repository,
                    id,
                    edit,
                }
            } else {
                let edit = PullRequestEdit::default();
                Change::UpdatePullRequest {
                    repository,
                    id,
                    edit,
                }
            };
            drop(self.sandbox.apply(change));
        }
        self.pass();
    }

    fn apply(&mut self, change: Change) {
        let silent = match &change {
            Change::ApprovePullRequest { repository, id, .. } => {
                Some((format!("{repository}/pullrequests"), *id))
            }
            Change::Add { kind, parent }
            | Change::Edit { kind, parent, .. }
            | Change::Delete { kind, parent, .. }
                if matches!(kind, Kind::IssueChanges | Kind::IssueAttachments) =>
            {
                let (list, id) = parent.rsplit_once('/').unwrap();
                Some((list.to_owned(), id.parse().unwrap()))
            }
            _ => None,
        };
        let rerun = match &change {
            Change::Edit {
                kind: Kind::Pipelines,
                parent,
                number,
            } => self.finished(parent, *number),
            Change::Add { kind, parent }
            | Change::Edit { kind, parent, .. }
            | Change::Delete { kind, parent, .. }
                if *kind == Kind::PipelineSteps =>
            {
                let (list, number) = parent.rsplit_once('/').unwrap();
                let repository = list.strip_suffix("/pipelines").unwrap();
                self.finished(repository, number.parse().unwrap())
            }
            _ => None,
        };
        if self.sandbox.apply(change).is_ok() {
            self.silent.extend(silent);
            self.reruns.extend(rerun);
        }
    }

    /// The UUID of a pipeline that is finished.
    fn finished(&self, repository: &str, number: u32) -> Option<String> {
        let pipelines = self.sandbox.snapshot(Kind::Pipelines, "acme");
        let found = pipelines.iter().find(|pipeline| {
            pipeline.repository.as_deref() == repository.split('/').next_back()
                && pipeline.value["build_number"] == number
        })?;
        let value = &found.value;
        let is_finished = value["state"]["name"] == "COMPLETED";
        value["uuid"]
            .as_str()
            .filter(|_| is_finished)
            .map(str::to_owned)
    }

    /// Adds an object of each numbered kind, edits and deletes some that were there, and makes a few of all other
    /// changes.
    pub(crate) fn each_kind(&mut self) {
        for (kind, on) in NUMBERED {
            // What is added last is not deleted again.
            for deed in [0, 1, 2, 0] {
                let parent = self.parent(on);
                let change = self.deed(kind, parent, deed);
                self.apply(change);
            }
            self.pass();
        }
        for _ in 0..20 {
            for change in [
                self.of_requests(),
                self.of_branches(),
                self.of_issues(),
                self.of_places(),
            ] {
                self.apply(change);
            }
            self.pass();
        }
    }

    fn pass(&mut self) {
        let seconds = f64::from(self.random.u32(1..60));
        self.sandbox
            .apply(Change::AdvanceClock { seconds })
            .unwrap();
    }

    fn numbered(&mut self) -> Change {
        let (kind, on) = self.random.choice(NUMBERED).unwrap();
        let parent = self.parent(on);
        let deed = self.random.u32(0..3);
        self.deed(kind, parent, deed)
    }

    fn deed(&mut self, kind: Kind, parent: String, deed: u32) -> Change {
        let number = self.random.u32(1..5);
        match deed {
            0 => Change::Add { kind, parent },
            1 => Change::Edit {
                kind,
                parent,
                number,
            },
            _ => Change::Delete {
                kind,
                parent,
                number,
            },
        }
    }

    fn repository(&mut self) -> String {
        format!("acme/{}", self.random.choice(REPOSITORIES).unwrap())
    }

    fn parent(&mut self, on: On) -> String {
        let repository = self.repository();
        let number = self.random.u32(1..8);
        match on {
            On::Workspace => "acme".to_owned(),
            On::Project => {
                let key = self.random.choice(["API", "WEB", "OPS"]).unwrap();
                format!("acme/projects/{key}")
            }
            On::Snippet => format!("acme/snippets/{number}"),
            On::Repository => repository,
            On::PullRequest => format!("{repository}/pullrequests/{number}"),
            On::Issue => format!("{repository}/issues/{number}"),
            On::Pipeline => format!("{repository}/pipelines/{number}"),
            On::Environment => format!("{repository}/environments/{}", number % 3 + 1),
            On::Commit => self.commit(&repository),
            On::Report => format!("{}/reports/1", self.commit(&repository)),
        }
    }

    /// A commit that a branch points to.
    fn commit(&mut self, repository: &str) -> String {
        let branches = self.sandbox.snapshot(Kind::Branches, "acme");
        let slug = repository.split('/').next_back();
        let heads: Vec<_> = branches
            .iter()
            .filter(|branch| branch.repository.as_deref() == slug)
            .filter_map(|branch| branch.value["target"]["hash"].as_str())
            .collect();
        let head = self.random.choice(heads).unwrap_or_default();
        format!("{repository}/commit/{head}")
    }

    fn title(&mut self) -> Option<String> {
        Some(format!("Title {}", self.random.u32(..)))
    }

    fn of_requests(&mut self) -> Change {
        let repository = self.repository();
        let id = self.random.u32(1..10);
        let edit = PullRequestEdit {
            title: self.title(),
            ..PullRequestEdit::default()
        };
        match self.random.u32(0..5) {
            0 => Change::UpdatePullRequest {
                repository,
                id,
                edit,
            },
            1 => Change::AddPullRequest { repository, edit },
            2 => Change::MergePullRequest { repository, id },
            3 => Change::DeclinePullRequest {
                repository,
                id,
                reason: "Not now".to_owned(),
            },
            _ => Change::ApprovePullRequest {
                repository,
                id,
                user: self.random.u32(1..9),
                approved: self.random.bool(),
            },
        }
    }

    fn of_branches(&mut self) -> Change {
        let repository = self.repository();
        let branch = format!("topic-{}", self.random.u32(0..4));
        let name = format!("tag-{}", self.random.u32(0..4));
        match self.random.u32(0..6) {
            0 | 1 => Change::Push { repository, branch },
            2 => Change::ForcePush { repository, branch },
            3 => Change::DeleteBranch { repository, branch },
            4 => Change::AddTag {
                repository,
                name,
                branch: "main".to_owned(),
                message: self.title().filter(|_| self.random.bool()),
            },
            _ => Change::DeleteTag { repository, name },
        }
    }

    fn of_issues(&mut self) -> Change {
        let repository = self.repository();
        let id = self.random.u32(1..10);
        let edit = IssueEdit {
            title: self.title(),
            ..IssueEdit::default()
        };
        match self.random.u32(0..4) {
            0 | 1 => Change::UpdateIssue {
                repository,
                id,
                edit,
            },
            2 => Change::AddIssue { repository, edit },
            _ => Change::DeleteIssue { repository, id },
        }
    }

    fn of_places(&mut self) -> Change {
        let workspace = "acme".to_owned();
        let repository = self.repository();
        let on = self.random.bool();
        let key = format!("NEW{}", self.random.u32(0..3));
        match self.random.u32(0..10) {
            0 => {
                self.added += 1;
                Change::AddRepository {
                    workspace,
                    slug: format!("new-{}", self.added),
                    project: None,
                    issues: 3,
                    pull_requests: 3,
                    branches: 2,
                }
            }
            1 => Change::DescribeRepository {
                repository,
                description: self.title().unwrap_or_default(),
            },
            2 => Change::MoveRepository {
                repository,
                project: self.random.choice(["API", "WEB"]).unwrap().to_owned(),
            },
            3 => Change::SetPipelines { repository, on },
            4 => Change::SetTracker { repository, on },
            5 => Change::AddProject {
                workspace,
                key,
                name: "New".to_owned(),
            },
            6 => Change::UpdateProject {
                workspace,
                key: key.clone(),
                name: self.title(),
                new_key: Some(format!("{key}X")).filter(|_| on),
                description: self.title(),
            },
            7 => Change::DeleteProject { workspace, key },
            8 => Change::AddUser { workspace },
            _ => Change::Delete {
                kind: Kind::WorkspaceMembers,
                parent: workspace,
                number: self.random.u32(2..30),
            },
        }
    }
}
