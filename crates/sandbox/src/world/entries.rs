//! Numbered objects below a parent: comments, statuses, hooks and the like. They follow from the
//! parent's seed; once one of them is changed, the parent's list is held.

use std::collections::HashMap;

use super::World;
use super::random::{Random, mix, uuid};
use crate::clock::Timestamp;
use crate::kind::Kind;

/// One of them. What it says follows from its number and how often it was edited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) kind: Kind,
    /// The parent's.
    pub(crate) seed: u64,
    /// From 1, in the order of the list.
    pub(crate) number: u32,
    revision: u32,
    /// When a change added it.
    added_on: Option<Timestamp>,
    /// When a change edited it.
    edited_on: Option<Timestamp>,
    /// A comment that was deleted stays in its list.
    pub(crate) deleted: bool,
}

/// The lists that were changed, by kind and parent.
pub(crate) type Lists = HashMap<(Kind, u64), List>;

/// A list that was changed.
#[derive(Debug)]
pub(crate) struct List {
    entries: Vec<Entry>,
    last_number: u32,
}

/// What a kind of objects belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    Workspace,
    Project,
    Repository,
    PullRequest,
    Commit,
    Report,
    Pipeline,
    Environment,
    Issue,
    Snippet,
}

/// What each kind belongs to, and the least and the greatest number that a parent starts with.
///
/// Comments and tasks of pull requests start with as many as the pull request says, members with
/// the workspace's people, pipelines with what is configured.
const KINDS: &[(Kind, Level, u64, u64)] = &[
    (Kind::WorkspaceMembers, Level::Workspace, 0, 0),
    (Kind::WorkspaceWebhooks, Level::Workspace, 1, 2),
    (Kind::WorkspaceVariables, Level::Workspace, 2, 4),
    (Kind::WorkspaceRunners, Level::Workspace, 1, 2),
    (Kind::Snippets, Level::Workspace, 4, 6),
    (Kind::SnippetComments, Level::Snippet, 0, 3),
    (Kind::SnippetCommits, Level::Snippet, 1, 3),
    (Kind::ProjectUserPermissions, Level::Project, 1, 4),
    (Kind::ProjectGroupPermissions, Level::Project, 1, 3),
    (Kind::ProjectDefaultReviewers, Level::Project, 1, 2),
    (Kind::ProjectDeployKeys, Level::Project, 1, 2),
    (Kind::CommitComments, Level::Commit, 0, 2),
    (Kind::CommitStatuses, Level::Commit, 0, 3),
    (Kind::CommitReports, Level::Commit, 0, 1),
    (Kind::ReportAnnotations, Level::Report, 1, 6),
    (Kind::PullRequestComments, Level::PullRequest, 0, 0),
    (Kind::PullRequestTasks, Level::PullRequest, 0, 0),
    (Kind::DefaultReviewers, Level::Repository, 1, 3),
    (Kind::IssueComments, Level::Issue, 0, 4),
    (Kind::IssueChanges, Level::Issue, 0, 3),
    (Kind::IssueAttachments, Level::Issue, 0, 1),
    (Kind::Components, Level::Repository, 4, 4),
    (Kind::Milestones, Level::Repository, 3, 3),
    (Kind::Versions, Level::Repository, 3, 3),
    (Kind::Pipelines, Level::Repository, 0, 0),
    (Kind::PipelineSteps, Level::Pipeline, 1, 4),
    (Kind::PipelineSchedules, Level::Repository, 1, 2),
    (Kind::PipelineVariables, Level::Repository, 1, 4),
    (Kind::PipelineRunners, Level::Repository, 1, 2),
    (Kind::Environments, Level::Repository, 3, 3),
    (Kind::EnvironmentVariables, Level::Environment, 1, 3),
    (Kind::RepositoryUserPermissions, Level::Repository, 2, 5),
    (Kind::RepositoryGroupPermissions, Level::Repository, 1, 3),
    (Kind::BranchRestrictions, Level::Repository, 3, 6),
    (Kind::DeployKeys, Level::Repository, 1, 2),
    (Kind::Webhooks, Level::Repository, 1, 3),
    (Kind::Downloads, Level::Repository, 1, 3),
    (Kind::Forks, Level::Repository, 1, 2),
    (Kind::Watchers, Level::Repository, 2, 8),
];

impl Kind {
    /// What objects of this kind belong to, where they are numbered.
    pub(crate) fn level(self) -> Option<Level> {
        let (_, level, ..) = KINDS.iter().find(|(kind, ..)| *kind == self)?;
        Some(*level)
    }

    /// How many the parent with this seed starts with.
    fn count(self, seed: u64) -> u32 {
        let known = KINDS.iter().find(|(kind, ..)| *kind == self);
        known.map_or(0, |(_, _, least, greatest)| {
            let more = Random::new(&[seed, self as u64, 50]).below(greatest - least + 1);
            (least + more) as u32
        })
    }
}

/// The seed of the child with this number (or seed) at a level.
pub(crate) fn child_seed(parent: u64, level: Level, child: u64) -> u64 {
    mix(mix(parent ^ mix(level as u64 + 200)) ^ mix(child))
}

impl Entry {
    fn generated(kind: Kind, seed: u64, number: u32) -> Self {
        Self {
            kind,
            seed,
            number,
            revision: 0,
            added_on: None,
            edited_on: None,
            deleted: false,
        }
    }

    /// The stream that its content comes from.
    pub(crate) fn random(&self) -> Random {
        let revision = u64::from(self.revision);
        Random::new(&[self.seed, self.kind as u64, self.number.into(), revision])
    }

    /// The stream of what no edit changes.
    pub(crate) fn lasting(&self) -> Random {
        Self {
            revision: 0,
            ..*self
        }
        .random()
    }

    /// Its UUID, which no edit changes.
    pub(crate) fn uuid(&self) -> String {
        uuid(&[self.seed, self.kind as u64, self.number.into(), 51])
    }

    /// Its number across all parents.
    pub(crate) fn id(&self) -> u64 {
        (mix(self.seed) >> 24) * 1000 + u64::from(self.number)
    }

    /// When it was made and changed; generated ones between `from` and `to`.
    pub(crate) fn times(&self, from: Timestamp, to: Timestamp) -> (Timestamp, Timestamp) {
        let mut random = Random::new(&[self.seed, self.kind as u64, self.number.into(), 52]);
        let mut within = |from: Timestamp| {
            let length = (to.0 - from.0).max(1) as u64;
            Timestamp(from.0 + random.below(length) as i64)
        };
        let created_on = self.added_on.unwrap_or_else(|| within(from));
        let updated_on = match (self.edited_on, self.added_on) {
            (Some(at), _) | (None, Some(at)) => at,
            (None, None) if self.number.is_multiple_of(3) => within(created_on),
            (None, None) => created_on,
        };
        (created_on, updated_on)
    }

    /// When a change edited it, if one did.
    pub(crate) fn edited_on(&self) -> Option<Timestamp> {
        self.edited_on
    }

    /// When a change added it; none for what was there from the start.
    pub(crate) fn added_on(&self) -> Option<Timestamp> {
        self.added_on
    }

    /// The place among `people` of the person it is about: each is another one.
    pub(crate) fn person(&self, people: usize) -> Option<usize> {
        let number = (self.number as usize).checked_sub(1)?;
        (number < people).then(|| (number + self.seed as usize % people) % people)
    }
}

impl World {
    /// The entries of a kind below the parent with this seed.
    pub(crate) fn entries(&self, kind: Kind, seed: u64) -> Vec<Entry> {
        self.first_entries(kind, seed, kind.count(seed))
    }

    /// The same where the parent says how many there are at first.
    pub(crate) fn first_entries(&self, kind: Kind, seed: u64, count: u32) -> Vec<Entry> {
        match self.lists.get(&(kind, seed)) {
            Some(list) => list.entries.clone(),
            None => (1..=count)
                .map(|number| Entry::generated(kind, seed, number))
                .collect(),
        }
    }

    /// The entries of a kind of which `living` are not deleted.
    pub(crate) fn living_entries(&self, kind: Kind, seed: u64, living: u64) -> Vec<Entry> {
        if self.lists.contains_key(&(kind, seed)) {
            return self.entries(kind, seed);
        }
        let mut entries = Vec::new();
        let mut left = living;
        while left > 0 {
            let mut entry = Entry::generated(kind, seed, entries.len() as u32 + 1);
            entry.deleted = Random::new(&[seed, entry.number.into(), 53]).percent(8);
            left -= u64::from(!entry.deleted);
            entries.push(entry);
        }
        entries
    }

    /// The list to be changed, filled with `entries` if it is the first time.
    fn list(&mut self, kind: Kind, seed: u64, entries: Vec<Entry>) -> &mut List {
        self.lists.entry((kind, seed)).or_insert_with(|| List {
            last_number: entries.last().map_or(0, |entry| entry.number),
            entries,
        })
    }

    /// Adds the next one to `entries`, which are what there is.
    pub(super) fn add_entry(&mut self, kind: Kind, seed: u64, entries: Vec<Entry>) -> Entry {
        let now = self.now();
        let list = self.list(kind, seed, entries);
        list.last_number += 1;
        let entry = Entry {
            added_on: Some(now),
            ..Entry::generated(kind, seed, list.last_number)
        };
        list.entries.push(entry);
        entry
    }

    /// Edits the one with this number, if there is one that is not deleted.
    pub(super) fn edit_entry(
        &mut self,
        kind: Kind,
        seed: u64,
        entries: Vec<Entry>,
        number: u32,
    ) -> Option<Entry> {
        let now = self.now();
        let list = self.list(kind, seed, entries);
        let mut entries = list.entries.iter_mut();
        let entry = entries.find(|entry| entry.number == number && !entry.deleted)?;
        entry.revision += 1;
        entry.edited_on = Some(now);
        Some(*entry)
    }

    /// Deletes the one with this number, leaving it in the list as deleted if it is a comment of
    /// code.
    pub(super) fn delete_entry(
        &mut self,
        kind: Kind,
        seed: u64,
        entries: Vec<Entry>,
        number: u32,
    ) -> Option<Entry> {
        let now = self.now();
        let list = self.list(kind, seed, entries);
        let living = |entry: &Entry| entry.number == number && !entry.deleted;
        let at = list.entries.iter().position(living)?;
        if matches!(kind, Kind::PullRequestComments | Kind::CommitComments) {
            let entry = &mut list.entries[at];
            entry.deleted = true;
            entry.edited_on = Some(now);
            return Some(*entry);
        }
        Some(list.entries.remove(at))
    }
}
