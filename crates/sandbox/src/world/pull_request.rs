//! Pull requests.

use super::issue::{Timeline, somebody};
use super::random::Random;
use super::shelf::{Generator, Item};
use super::text;
use crate::clock::{DAY, Timestamp};

/// Where a pull request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum State {
    Open,
    Merged,
    Declined,
    Superseded,
}

impl State {
    pub(crate) const ALL: [Self; 4] = [Self::Open, Self::Merged, Self::Declined, Self::Superseded];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Open => "OPEN",
            Self::Merged => "MERGED",
            Self::Declined => "DECLINED",
            Self::Superseded => "SUPERSEDED",
        }
    }
}

/// One pull request. People are places in the workspace's list, commits are seeds.
#[derive(Debug, Clone)]
pub(crate) struct PullRequest {
    pub(crate) id: u32,
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) state: State,
    pub(crate) draft: bool,
    pub(crate) author: Option<usize>,
    pub(crate) closed_by: Option<usize>,
    pub(crate) reason: String,
    pub(crate) source_branch: String,
    pub(crate) source_commit: u64,
    /// The fork it came from is deleted.
    pub(crate) source_gone: bool,
    pub(crate) destination_branch: String,
    pub(crate) destination_commit: u64,
    pub(crate) merge_commit: Option<u64>,
    pub(crate) close_source_branch: bool,
    pub(crate) comment_count: u64,
    pub(crate) task_count: u64,
    /// Each with when they approved.
    pub(crate) reviewers: Vec<(usize, Option<Timestamp>)>,
    pub(crate) created_on: Timestamp,
    pub(crate) updated_on: Timestamp,
    pub(crate) closed_on: Option<Timestamp>,
    /// How it was opened and edited; empty if it was never edited.
    pub(crate) updates: Vec<Update>,
}

impl Item for PullRequest {
    fn id(&self) -> u32 {
        self.id
    }

    fn created_on(&self) -> Timestamp {
        self.created_on
    }

    fn updated_on(&self) -> Timestamp {
        self.updated_on
    }
}

/// What a pull request said from some time on.
#[derive(Debug, Clone)]
pub(crate) struct Update {
    pub(crate) date: Timestamp,
    pub(crate) title: String,
    pub(crate) description: String,
    /// Who was asked to review it.
    pub(crate) reviewers: Vec<usize>,
}

impl PullRequest {
    /// What it says since `date`.
    pub(crate) fn said(&self, date: Timestamp) -> Update {
        Update {
            date,
            title: self.title.clone(),
            description: self.description.clone(),
            reviewers: self.reviewers.iter().map(|(person, _)| *person).collect(),
        }
    }

    /// Keeps what it said when it was opened, before something changes.
    pub(crate) fn keep_opening(&mut self) {
        if self.updates.is_empty() {
            let opened = self.said(self.created_on);
            self.updates.push(opened);
        }
    }

    /// What it said when it was closed, if it was.
    pub(crate) fn last_said(&self) -> Option<Update> {
        let at = self.closed_on?;
        let last = self.updates.iter().rfind(|update| update.date <= at);
        Some(last.cloned().unwrap_or_else(|| self.said(at)))
    }
}

/// Makes pull requests.
#[derive(Debug)]
pub(crate) struct PullRequests {
    pub(crate) timeline: Timeline,
    pub(crate) people: usize,
    pub(crate) main_branch: String,
}

impl PullRequests {
    /// The state alone, cheaply: recent ones are mostly open, older ones mostly merged.
    pub(crate) fn state(&self, id: u32) -> State {
        let mut random = Random::new(&[self.timeline.seed, u64::from(id), 20]);
        let recent = self.timeline.last.0 - self.timeline.created_on(id).0 < 90 * DAY;
        let roll = random.below(100);
        match roll {
            0..70 if recent => State::Open,
            0..6 => State::Open,
            6..84 => State::Merged,
            84..95 => State::Declined,
            _ => State::Superseded,
        }
    }

    /// When it was closed, if it was; comments may have followed.
    pub(crate) fn merged_on(&self, id: u32) -> Timestamp {
        let (created_on, updated_on) = (self.created_on(id), self.updated_on(id));
        Timestamp(created_on.0 + (updated_on.0 - created_on.0) / 2)
    }
}

impl Generator for PullRequests {
    type Item = PullRequest;

    fn created_on(&self, id: u32) -> Timestamp {
        self.timeline.created_on(id)
    }

    fn updated_on(&self, id: u32) -> Timestamp {
        self.timeline.updated_on(id)
    }

    fn item(&self, id: u32) -> PullRequest {
        let mut random = Random::new(&[self.timeline.seed, u64::from(id), 21]);
        let people = self.people as u64;
        let state = self.state(id);
        let closed = state != State::Open;
        let author = somebody(&mut random, people, 96);
        let approved_on = self.merged_on(id);
        let mut reviewers: Vec<(usize, Option<Timestamp>)> = Vec::new();
        for _ in 0..random.below(4) {
            if let Some(person) = somebody(&mut random, people, 100)
                && Some(person) != author
                && reviewers.iter().all(|(other, _)| *other != person)
            {
                reviewers.push((person, random.percent(50).then_some(approved_on)));
            }
        }
        PullRequest {
            id,
            title: text::title(&mut random),
            description: text::paragraph(&mut random),
            state,
            draft: !closed && random.percent(10),
            author,
            closed_by: if closed {
                somebody(&mut random, people, 95)
            } else {
                None
            },
            reason: if state == State::Declined && random.percent(50) {
                text::title(&mut random)
            } else {
                String::new()
            },
            source_branch: format!("feature/{id}"),
            source_commit: random.next(),
            source_gone: random.percent(3),
            destination_branch: self.main_branch.clone(),
            destination_commit: random.next(),
            merge_commit: (state == State::Merged).then(|| random.next()),
            close_source_branch: random.percent(50),
            comment_count: random.below(12),
            task_count: random.below(3),
            reviewers,
            created_on: self.created_on(id),
            updated_on: self.updated_on(id),
            closed_on: closed.then(|| self.merged_on(id)),
            updates: Vec::new(),
        }
    }
}
