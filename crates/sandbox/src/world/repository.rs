//! Repositories and their branches.

use super::history::Refs;
use super::issue::Issues;
use super::people::encoded;
use super::pull_request::PullRequests;
use super::shelf::Shelf;
use crate::clock::Timestamp;
use crate::config::Index;
use crate::json::write::Object;

/// A repository with everything in it.
#[derive(Debug)]
pub(crate) struct Repository {
    pub(crate) uuid: String,
    pub(crate) seed: u64,
    /// Place of its workspace and of its project there.
    pub(crate) workspace: usize,
    pub(crate) project: usize,
    pub(crate) slug: String,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) language: &'static str,
    pub(crate) is_private: bool,
    pub(crate) has_tracker: bool,
    pub(crate) has_wiki: bool,
    pub(crate) has_pipelines: bool,
    /// Pipelines it starts with.
    pub(crate) pipelines: u32,
    /// Whether it is known which pull requests a commit is in.
    pub(crate) pull_request_index: Index,
    /// Whether diffs and deep listings of files take the service too long.
    pub(crate) diffs_time_out: bool,
    pub(crate) size: u64,
    pub(crate) created_on: Timestamp,
    pub(crate) updated_on: Timestamp,
    pub(crate) main_branch: Option<String>,
    /// Deleted.
    pub(crate) gone: bool,
    /// Still there, but nobody has access any more.
    pub(crate) hidden: bool,
    /// Place among the rows of the table: grows with every write.
    pub(crate) moved: u64,
    pub(crate) issues: Shelf<Issues>,
    pub(crate) pull_requests: Shelf<PullRequests>,
    pub(crate) refs: Refs,
    pub(crate) names: Names,
}

/// Texts that change only when a repository is renamed or moved.
#[derive(Debug, Default)]
pub(crate) struct Names {
    pub(crate) full_name: String,
    /// `<base>/repositories/<workspace>/<slug>`
    pub(crate) api: String,
    /// `https://bitbucket.org/<workspace>/<slug>`
    pub(crate) html: String,
    /// The object embedded in others.
    pub(crate) condensed: String,
}

impl Repository {
    /// Recomputes the texts that depend on the names.
    pub(crate) fn rename(&mut self, base: &str, workspace_slug: &str) {
        let full_name = format!("{workspace_slug}/{}", self.slug);
        let api = format!("{base}/repositories/{full_name}");
        let html = format!("https://bitbucket.org/{full_name}");
        let mut condensed = String::new();
        let mut object = Object::begin(&mut condensed);
        object
            .text("type", "repository")
            .text("full_name", full_name.as_str());
        object.object("links", |links| {
            links.link("self", &[&api]).link("html", &[&html]).link(
                "avatar",
                &[
                    "https://bytebucket.org/ravatar/",
                    &encoded(&self.uuid),
                    "?ts=default",
                ],
            );
        });
        object
            .text("name", self.name.as_str())
            .text("uuid", self.uuid.as_str());
        object.end();
        self.names = Names {
            full_name,
            api,
            html,
            condensed,
        };
    }

    /// Whether anybody at all can see it.
    pub(crate) fn present(&self) -> bool {
        !self.gone && !self.hidden
    }
}
