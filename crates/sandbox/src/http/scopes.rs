//! The scopes of what lies below workspaces, projects, repositories and pull requests.

use super::sign_in::Scope;

pub(crate) const PIPELINE: Scope = Scope {
    new: "read:pipeline:bitbucket",
    old: "pipeline",
};
pub(crate) const RUNNER: Scope = Scope {
    new: "read:runner:bitbucket",
    old: "runner",
};
pub(crate) const WEBHOOK: Scope = Scope {
    new: "read:webhook:bitbucket",
    old: "webhook",
};
pub(crate) const SNIPPET: Scope = Scope {
    new: "read:snippet:bitbucket",
    old: "snippet",
};
pub(crate) const REPOSITORY_ADMIN: Scope = Scope {
    new: "admin:repository:bitbucket",
    old: "repository:admin",
};
pub(crate) const PROJECT_ADMIN: Scope = Scope {
    new: "admin:project:bitbucket",
    old: "project:admin",
};
/// Who has which permission on a repository: read with one style, administered with the other.
pub(crate) const REPOSITORY_PERMISSION: Scope = Scope {
    new: "read:repository:bitbucket",
    old: "repository:admin",
};
/// The same of a project.
pub(crate) const PROJECT_PERMISSION: Scope = Scope {
    new: "read:project:bitbucket",
    old: "project:admin",
};
/// The default reviewers of a project.
pub(crate) const PROJECT_REVIEWERS: Scope = Scope {
    new: "read:pullrequest:bitbucket",
    old: "project:admin",
};
/// Everybody's permissions on all repositories.
pub(crate) const ALL_PERMISSIONS: Scope = Scope {
    new: "read:repository:bitbucket",
    old: "account",
};
