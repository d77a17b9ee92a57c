//! Changes, as the service's users make them: what can be asked. [`super::apply`] does it.

use serde::{Deserialize, Serialize};

use crate::config::{Day, Index};
use crate::kind::Kind;
use crate::oauth::Consent;

/// One change to what the sandbox holds.
///
/// In JSON, as `POST /_sandbox/changes` takes it: `{"change": "update_issue", "repository":
/// "acme/api", "id": 3, "title": "New"}`. Repositories are named `workspace/slug` or by UUID in
/// braces. `updated_on` moves as the real service moves it: a repository's only with its commits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Change {
    /// Adds an issue with the next number.
    AddIssue {
        /// Where.
        repository: String,
        /// What differs from a generated issue.
        #[serde(flatten)]
        edit: IssueEdit,
    },
    /// Edits an issue; its `updated_on` becomes now, even if nothing else changes.
    UpdateIssue {
        /// Where.
        repository: String,
        /// Its number.
        id: u32,
        /// What changes.
        #[serde(flatten)]
        edit: IssueEdit,
    },
    /// Deletes an issue without a trace.
    DeleteIssue {
        /// Where.
        repository: String,
        /// Its number.
        id: u32,
    },
    /// Opens a pull request with the next number.
    AddPullRequest {
        /// Where.
        repository: String,
        /// What differs from a generated pull request.
        #[serde(flatten)]
        edit: PullRequestEdit,
    },
    /// Edits a pull request.
    UpdatePullRequest {
        /// Where.
        repository: String,
        /// Its number.
        id: u32,
        /// What changes.
        #[serde(flatten)]
        edit: PullRequestEdit,
    },
    /// Merges an open pull request: also pushes to its destination branch, and deletes its source
    /// branch if it says so.
    MergePullRequest {
        /// Where.
        repository: String,
        /// Its number.
        id: u32,
    },
    /// Declines an open pull request.
    DeclinePullRequest {
        /// Where.
        repository: String,
        /// Its number.
        id: u32,
        /// Why.
        #[serde(default)]
        reason: String,
    },
    /// Somebody approves a pull request, as its reviewer from then on, or takes that back. This
    /// leaves its `updated_on` alone.
    ApprovePullRequest {
        /// Where.
        repository: String,
        /// Its number.
        id: u32,
        /// The `n` of `User n`.
        user: u32,
        /// Whether they approve.
        approved: bool,
    },
    /// Adds an object of a kind that is numbered below its parent, such as a comment, a build
    /// status, a pipeline or a webhook.
    Add {
        /// What.
        kind: Kind,
        /// Below what: `acme`, `acme/projects/API`, `acme/snippets/2`, `acme/api`, or in a
        /// repository `acme/api/pullrequests/7`, `issues/7`, `commit/<hash>`,
        /// `commit/<hash>/reports/1`, `pipelines/3` or `environments/1`.
        parent: String,
    },
    /// Edits such an object: what it says is made up anew. Edited pipelines are stopped ones.
    Edit {
        /// What.
        kind: Kind,
        /// Below what.
        parent: String,
        /// Its place in the list as it was at first, from 1; for an added one what that answered.
        number: u32,
    },
    /// Deletes such an object. Comments on code stay in their list as deleted.
    Delete {
        /// What.
        kind: Kind,
        /// Below what.
        parent: String,
        /// See [`Change::Edit`].
        number: u32,
    },
    /// Creates a branch, or pushes a commit to the one of that name.
    Push {
        /// Where.
        repository: String,
        /// The branch's name.
        branch: String,
    },
    /// Replaces the tip of a branch. What no branch, tag or pull request leads to any more is gone.
    ForcePush {
        /// Where.
        repository: String,
        /// The branch's name.
        branch: String,
    },
    /// Tags the tip of a branch. This leaves the repository's `updated_on` alone.
    AddTag {
        /// Where.
        repository: String,
        /// The tag's name.
        name: String,
        /// The branch's name.
        branch: String,
        /// What an annotated tag says; other tags have no date.
        message: Option<String>,
    },
    /// Deletes a tag.
    DeleteTag {
        /// Where.
        repository: String,
        /// The tag's name.
        name: String,
    },
    /// Switches a repository's pipelines.
    SetPipelines {
        /// Which.
        repository: String,
        /// On or off.
        on: bool,
    },
    /// Sets whether a repository knows which pull requests a commit is in.
    SetPullRequestIndex {
        /// Which.
        repository: String,
        /// What it knows.
        index: Index,
    },
    /// Makes diffs of a repository, and deep listings of its files, time out with 555, or not.
    SetDiffsTimeOut {
        /// Which.
        repository: String,
        /// Whether they do.
        on: bool,
    },
    /// Deletes a branch, be it that of a pull request.
    DeleteBranch {
        /// Where.
        repository: String,
        /// The branch's name.
        branch: String,
    },
    /// Adds a project.
    AddProject {
        /// The workspace's slug.
        workspace: String,
        /// Its key.
        key: String,
        /// Its name.
        name: String,
    },
    /// Edits a project.
    UpdateProject {
        /// The workspace's slug.
        workspace: String,
        /// Its key.
        key: String,
        /// A new name.
        name: Option<String>,
        /// A new key.
        new_key: Option<String>,
        /// A new description.
        description: Option<String>,
    },
    /// Deletes a project that has no repositories.
    DeleteProject {
        /// The workspace's slug.
        workspace: String,
        /// Its key.
        key: String,
    },
    /// Gives a workspace another slug; nothing is at the old one.
    RenameWorkspace {
        /// Its slug.
        workspace: String,
        /// The new slug.
        slug: String,
    },
    /// Creates a repository.
    AddRepository {
        /// The workspace's slug.
        workspace: String,
        /// Its slug.
        slug: String,
        /// Its project's key; the first project if left out.
        project: Option<String>,
        /// Issues it starts with.
        #[serde(default)]
        issues: u32,
        /// Pull requests it starts with.
        #[serde(default)]
        pull_requests: u32,
        /// Branches it starts with.
        #[serde(default)]
        branches: u32,
    },
    /// Gives a repository another slug and name; the old slug redirects.
    RenameRepository {
        /// Which.
        repository: String,
        /// The new slug.
        slug: String,
    },
    /// Edits a repository's description. This leaves its `updated_on` alone.
    DescribeRepository {
        /// Which.
        repository: String,
        /// The new description.
        description: String,
    },
    /// Deletes a repository.
    DeleteRepository {
        /// Which.
        repository: String,
    },
    /// Takes everybody's access away: the repository leaves lists and answers 404.
    HideRepository {
        /// Which.
        repository: String,
    },
    /// Gives access back.
    ShowRepository {
        /// Which; by UUID, or by the names it had.
        repository: String,
    },
    /// Moves a repository to another project of its workspace.
    MoveRepository {
        /// Which.
        repository: String,
        /// The project's key.
        project: String,
    },
    /// Moves a repository to another workspace, into its first project.
    TransferRepository {
        /// Which.
        repository: String,
        /// The other workspace's slug.
        workspace: String,
    },
    /// Switches a repository's issue tracker.
    SetTracker {
        /// Which.
        repository: String,
        /// On or off.
        on: bool,
    },
    /// Adds a member with the next number.
    AddUser {
        /// The workspace's slug.
        workspace: String,
    },
    /// Deletes an account: in its place objects show `null`, and every other one nothing.
    DeleteUser {
        /// The workspace's slug.
        workspace: String,
        /// The `n` of `User n`.
        user: u32,
    },
    /// Makes a credential invalid. With a consumer's name, its tokens and the access that a user
    /// allowed it.
    RevokeCredential {
        /// Its name.
        credential: String,
    },
    /// Replaces a credential's scopes.
    SetScopes {
        /// Its name.
        credential: String,
        /// The new scopes.
        scopes: Vec<String>,
    },
    /// Decides what becomes of those who come to a consumer's page.
    SetConsent {
        /// The consumer's name.
        consumer: String,
        /// What becomes of them.
        consent: Consent,
    },
    /// Plays another day. If the clock stands before 2026-08-20 it moves to that day's noon.
    SetDay {
        /// Which.
        day: Day,
    },
    /// Moves the clock forward.
    AdvanceClock {
        /// By so many seconds.
        seconds: f64,
    },
}

/// What an issue is given; what is left out stays, or is made up for a new one.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct IssueEdit {
    /// Title.
    pub title: Option<String>,
    /// Content in Markdown.
    pub content: Option<String>,
    /// State, such as `open`.
    pub state: Option<String>,
    /// Kind, such as `bug`.
    pub kind: Option<String>,
    /// Priority, such as `major`.
    pub priority: Option<String>,
    /// The `n` of `User n`; 0 for nobody.
    pub assignee: Option<u32>,
    /// The `n` of `User n`; 0 for nobody.
    pub reporter: Option<u32>,
    /// Sets `updated_on` to this ISO 8601 time instead of now.
    pub updated_on: Option<String>,
}

/// What a pull request is given; what is left out stays, or is made up for a new one.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PullRequestEdit {
    /// Title.
    pub title: Option<String>,
    /// Description in Markdown.
    pub description: Option<String>,
    /// Whether it is a draft.
    pub draft: Option<bool>,
    /// Number of comments: a comment was posted or deleted.
    pub comment_count: Option<u64>,
    /// Source branch.
    pub source_branch: Option<String>,
    /// Destination branch.
    pub destination_branch: Option<String>,
}

/// What a change made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// The number of the issue, pull request or numbered object concerned.
    pub id: Option<u32>,
    /// The UUID of the repository, project or numbered object concerned.
    pub uuid: Option<String>,
}
