//! Kinds of objects.

use serde::{Deserialize, Serialize};

/// What there is, as snapshots and changes name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The workspace itself.
    Workspaces,
    /// Its members.
    WorkspaceMembers,
    /// The members' permissions in it.
    WorkspacePermissions,
    /// Everybody's effective permissions on its repositories.
    RepositoryPermissions,
    /// Its webhooks.
    WorkspaceWebhooks,
    /// Its pipeline variables.
    WorkspaceVariables,
    /// Its pipeline runners.
    WorkspaceRunners,
    /// Its projects.
    Projects,
    /// Permissions that projects give to people.
    ProjectUserPermissions,
    /// Permissions that projects give to groups.
    ProjectGroupPermissions,
    /// Default reviewers of projects.
    ProjectDefaultReviewers,
    /// Deploy keys of projects.
    ProjectDeployKeys,
    /// Its snippets.
    Snippets,
    /// Their comments.
    SnippetComments,
    /// Their commits.
    SnippetCommits,
    /// Its repositories.
    Repositories,
    /// Branches.
    Branches,
    /// Tags.
    Tags,
    /// Commits that a branch or tag reaches.
    Commits,
    /// Comments on commits.
    CommitComments,
    /// Build statuses of commits.
    CommitStatuses,
    /// Reports on commits.
    CommitReports,
    /// Annotations of reports.
    ReportAnnotations,
    /// The changed files of each commit.
    Diffstat,
    /// The files and directories at each commit.
    SourceFiles,
    /// Pull requests in all states, with reviewers, participants and rendered text.
    PullRequests,
    /// Comments on pull requests, deleted ones too.
    PullRequestComments,
    /// Tasks of pull requests.
    PullRequestTasks,
    /// What happened to pull requests.
    PullRequestActivity,
    /// Commits of pull requests whose source branch is there.
    PullRequestCommits,
    /// Build statuses of pull requests.
    PullRequestStatuses,
    /// Default reviewers.
    DefaultReviewers,
    /// Default reviewers with those of the project.
    EffectiveDefaultReviewers,
    /// Issues of all repositories whose tracker is on, whatever day is played.
    Issues,
    /// Comments on issues.
    IssueComments,
    /// Changes of issues.
    IssueChanges,
    /// Attachments of issues.
    IssueAttachments,
    /// Components of issue trackers.
    Components,
    /// Milestones of issue trackers.
    Milestones,
    /// Versions of issue trackers.
    Versions,
    /// Pipelines.
    Pipelines,
    /// Their steps.
    PipelineSteps,
    /// Whether pipelines are on.
    PipelinesConfig,
    /// Pipeline schedules.
    PipelineSchedules,
    /// Pipeline variables of repositories.
    PipelineVariables,
    /// Pipeline runners of repositories.
    PipelineRunners,
    /// Deployments.
    Deployments,
    /// Deployment environments.
    Environments,
    /// Variables of deployment environments.
    EnvironmentVariables,
    /// Permissions that repositories give to people.
    RepositoryUserPermissions,
    /// Permissions that repositories give to groups.
    RepositoryGroupPermissions,
    /// Branch restrictions.
    BranchRestrictions,
    /// Branching models.
    BranchingModels,
    /// Branching models with what the project sets.
    EffectiveBranchingModels,
    /// Settings of branching models.
    BranchingModelSettings,
    /// What repositories set themselves rather than inherit.
    OverrideSettings,
    /// Deploy keys.
    DeployKeys,
    /// Webhooks of repositories.
    Webhooks,
    /// Downloads.
    Downloads,
    /// Forks.
    Forks,
    /// Watchers.
    Watchers,
    /// The files that pull requests change.
    PullRequestDiffstat,
}
