//! Changes to the numbered objects below a parent, and what they move elsewhere.

use super::World;
use super::change::Applied;
use super::entries::{Entry, Level, child_seed};
use super::history::Commit;
use crate::clock::Timestamp;
use crate::error::Error;
use crate::kind::Kind;

/// The parent of some numbered objects.
#[derive(Debug, Clone, Copy)]
struct Parent {
    level: Level,
    seed: u64,
    /// The workspace's place, or that of the repository where there is one.
    place: usize,
    /// The number of the parent itself, where it has one.
    number: u32,
}

/// What is done to one of them.
#[derive(Debug, Clone, Copy)]
pub(super) enum Deed {
    Add,
    Edit(u32),
    Delete(u32),
}

impl World {
    /// Adds, edits or deletes an object of a kind that is numbered below the parent of this name.
    pub(super) fn change_child(
        &mut self,
        kind: Kind,
        parent: &str,
        deed: Deed,
    ) -> Result<Applied, Error> {
        let found = self.parent(parent)?;
        if kind.level() != Some(found.level) {
            return Err(Error::NotPossible(format!("{parent} has no {kind:?}")));
        }
        let entries = self.children(kind, found)?;
        let changed = match deed {
            Deed::Add => Some(self.add_entry(kind, found.seed, entries)),
            Deed::Edit(number) => self.edit_entry(kind, found.seed, entries, number),
            Deed::Delete(number) => self.delete_entry(kind, found.seed, entries, number),
        };
        let entry =
            changed.ok_or_else(|| Error::NoSuchObject(format!("such {kind:?} of {parent}")))?;
        self.follow(kind, found, deed)?;
        Ok(Applied {
            id: Some(entry.number),
            uuid: Some(entry.uuid()),
        })
    }

    /// What there is of a kind below a parent.
    fn children(&self, kind: Kind, parent: Parent) -> Result<Vec<Entry>, Error> {
        let Parent {
            seed,
            place,
            number,
            ..
        } = parent;
        Ok(match kind {
            Kind::PullRequestComments => {
                let count = self.pull_request(place, number)?.comment_count;
                self.living_entries(kind, seed, count)
            }
            Kind::PullRequestTasks => {
                let count = self.pull_request(place, number)?.task_count;
                self.first_entries(kind, seed, count as u32)
            }
            Kind::WorkspaceMembers => {
                let count = self.workspaces[place].people.len() as u32;
                self.first_entries(kind, seed, count)
            }
            Kind::Pipelines => self.first_entries(kind, seed, self.repositories[place].pipelines),
            _ => self.entries(kind, seed),
        })
    }

    /// Moves what follows: a pull request changes with its comments and tasks, an issue with its
    /// comments.
    fn follow(&mut self, kind: Kind, parent: Parent, deed: Deed) -> Result<(), Error> {
        let Parent { place, number, .. } = parent;
        let now = self.now();
        let moved = |count: u64| match deed {
            Deed::Add => count + 1,
            Deed::Edit(_) => count,
            Deed::Delete(_) => count.saturating_sub(1),
        };
        match kind {
            Kind::PullRequestComments | Kind::PullRequestTasks => {
                let mut pull_request = self.pull_request(place, number)?;
                let count = match kind {
                    Kind::PullRequestComments => &mut pull_request.comment_count,
                    _ => &mut pull_request.task_count,
                };
                *count = moved(*count);
                pull_request.updated_on = now;
                self.repositories[place].pull_requests.put(pull_request);
            }
            Kind::IssueComments => {
                let mut issue = self.issue(place, number)?;
                issue.updated_on = now;
                self.repositories[place].issues.put(issue);
            }
            _ => {}
        }
        Ok(())
    }

    /// Notes that an issue was edited.
    pub(super) fn log_change(&mut self, place: usize, id: u32) {
        let seed = child_seed(self.repositories[place].seed, Level::Issue, u64::from(id));
        let entries = self.entries(Kind::IssueChanges, seed);
        self.add_entry(Kind::IssueChanges, seed, entries);
    }

    /// Somebody approves a pull request, or takes that back: its `updated_on` stays.
    pub(super) fn approve(
        &mut self,
        place: usize,
        id: u32,
        user: u32,
        approved: bool,
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut pull_request = self.pull_request(place, id)?;
        let person = self.person(self.repositories[place].workspace, user)?;
        let approved_on = approved.then_some(now);
        let mut reviewers = pull_request.reviewers.iter_mut();
        match reviewers.find(|(other, _)| *other == person) {
            Some((_, at)) => *at = approved_on,
            None => {
                pull_request.keep_opening();
                pull_request.reviewers.push((person, approved_on));
            }
        }
        self.repositories[place].pull_requests.put(pull_request);
        Ok(())
    }

    /// Finds a parent by name: `acme`, `acme/projects/API`, `acme/snippets/2`, `acme/api`, and
    /// below a repository `pullrequests/7`, `issues/7`, `commit/<hash>`,
    /// `commit/<hash>/reports/1`, `pipelines/3`, `environments/1`.
    fn parent(&self, name: &str) -> Result<Parent, Error> {
        let none = || Error::NoSuchObject(name.to_owned());
        let parts: Vec<&str> = name.split('/').collect();
        let numbered = |text: &str| text.parse::<u32>().map_err(|_| none());
        let below = |level, place: usize, seed, number: u32| Parent {
            level,
            seed: child_seed(seed, level, u64::from(number)),
            place,
            number,
        };
        match parts.as_slice() {
            [workspace] => {
                let place = self.workspace_place(workspace)?;
                Ok(Parent {
                    level: Level::Workspace,
                    seed: self.workspaces[place].seed,
                    place,
                    number: 0,
                })
            }
            [workspace, "projects", key] => {
                let (place, project) = self.project_place(workspace, key)?;
                let seed = self.workspaces[place].seed;
                Ok(below(Level::Project, place, seed, project as u32))
            }
            [workspace, "snippets", number] => {
                let place = self.workspace_place(workspace)?;
                let seed = self.workspaces[place].seed;
                Ok(below(Level::Snippet, place, seed, numbered(number)?))
            }
            [workspace, slug, rest @ ..] => {
                let place = self.place(&format!("{workspace}/{slug}"))?;
                let repository = &self.repositories[place];
                let level = match rest {
                    [] => {
                        return Ok(Parent {
                            level: Level::Repository,
                            seed: repository.seed,
                            place,
                            number: 0,
                        });
                    }
                    ["commit", hash] | ["commit", hash, "reports", _] => {
                        let history = repository.history();
                        let Commit { seed, .. } = history.find(hash).ok_or_else(none)?;
                        let seed = child_seed(repository.seed, Level::Commit, *seed);
                        return match rest {
                            [_, _, _, number] => {
                                Ok(below(Level::Report, place, seed, numbered(number)?))
                            }
                            _ => Ok(Parent {
                                level: Level::Commit,
                                seed,
                                place,
                                number: 0,
                            }),
                        };
                    }
                    ["pullrequests", _] => Level::PullRequest,
                    ["issues", _] => Level::Issue,
                    ["pipelines", _] => Level::Pipeline,
                    ["environments", _] => Level::Environment,
                    _ => return Err(none()),
                };
                Ok(below(level, place, repository.seed, numbered(rest[1])?))
            }
            [] => Err(none()),
        }
    }
}
