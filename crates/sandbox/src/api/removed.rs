//! Calls that the service has removed, or removes on the later day.

use super::Call;
use crate::config::Day;
use crate::http::reply::Reply;
use crate::http::sign_in::ISSUE;
use crate::world::repository::Repository;

/// Lists across workspaces, removed on 2026-04-14.
pub(super) fn cross_workspace() -> Reply {
    Reply::removed("CHANGE-2770")
}

/// The repository of an issue tracker call, if trackers still answer and this one is on.
pub(super) fn tracker<'a>(
    call: &Call<'a>,
    workspace: &str,
    repository: &str,
) -> Result<&'a Repository, Reply> {
    if call.world.day == Day::AfterRemoval {
        return Err(Reply::removed("CHANGE-3071"));
    }
    call.require(ISSUE)?;
    let repository = call.repository(workspace, repository)?;
    if repository.has_tracker {
        Ok(repository)
    } else {
        Err(announced(Reply::error(
            404,
            "Repository has no issue tracker.",
        )))
    }
}

/// Adds the headers that announced the removal.
pub(super) fn announced(reply: Reply) -> Reply {
    reply
        .with("deprecation", "@1771545600")
        .with("sunset", "Fri, 21 Aug 2026 00:00:00 UTC")
        .with(
            "link",
            "<https://developer.atlassian.com/cloud/bitbucket/changelog#CHANGE-3071>; \
             rel=\"deprecation\"",
        )
}
