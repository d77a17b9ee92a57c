//! Commits: what was pushed is held, the rest follows from the pull requests.
//!
//! The main line of a repository consists of the destination commits of its generated pull requests
//! and of the merges of those that were merged; each pull request has some commits of its own in
//! front of its destination commit. A commit that no branch, tag or pull request leads to is gone.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::pull_request::{PullRequest, State};
use super::random::{Random, commit_hash, mix};
use super::repository::Repository;
use super::shelf::Generator;
use crate::clock::{DAY, SECOND, Timestamp};

/// A commit. People are places in the workspace's list, parents are seeds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Commit {
    pub(crate) seed: u64,
    pub(crate) parents: Vec<u64>,
    /// Whole seconds.
    pub(crate) date: Timestamp,
    /// The author's own offset from UTC in minutes.
    pub(crate) offset: i32,
    pub(crate) author: Option<usize>,
    /// The pull request that it merges.
    pub(crate) merges: Option<u32>,
}

/// Stands for the newest commit of the main line that is not newer than the child.
pub(crate) const MAIN_LINE: u64 = 0;

/// A tag.
#[derive(Debug, Clone)]
pub(crate) struct Tag {
    pub(crate) commit: u64,
    /// What annotated tags say, by whom and when; none of it for others.
    pub(crate) annotation: Option<Annotation>,
}

/// What an annotated tag adds.
#[derive(Debug, Clone)]
pub(crate) struct Annotation {
    pub(crate) message: String,
    pub(crate) tagger: Option<usize>,
    pub(crate) date: Timestamp,
}

/// All commits of a repository.
#[derive(Debug)]
pub(crate) struct History {
    commits: HashMap<u64, Commit>,
    /// Reached by a branch or a tag.
    heads: Vec<u64>,
    /// Reached by a pull request.
    requested: Vec<u64>,
}

/// What a repository has of commits besides those of its pull requests.
#[derive(Debug, Default)]
pub(crate) struct Refs {
    /// Tips by branch name.
    pub(crate) branches: BTreeMap<String, Commit>,
    pub(crate) tags: BTreeMap<String, Tag>,
    /// Everything that was pushed, tips included.
    pub(crate) pushed: Vec<Commit>,
    /// Branches that were deleted.
    pub(crate) deleted: HashSet<String>,
}

pub(crate) fn whole(at: i64) -> Timestamp {
    Timestamp(at.div_euclid(SECOND) * SECOND)
}

impl PullRequest {
    /// Its own commits, oldest first, which end at its source commit.
    fn own_commits(&self) -> Vec<Commit> {
        let mut random = Random::new(&[self.source_commit, 60]);
        let count = 1 + random.below(3);
        let mut parent = self.destination_commit;
        (1..=count)
            .map(|n| {
                let seed = match n {
                    _ if n == count => self.source_commit,
                    n => mix(self.source_commit ^ n),
                };
                let commit = Commit {
                    seed,
                    parents: vec![parent],
                    date: whole(self.created_on.0 - ((count - n + 1) * 3600) as i64 * SECOND),
                    offset: 0,
                    author: self.author,
                    merges: None,
                };
                parent = seed;
                commit
            })
            .collect()
    }

    /// Whether its source branch is gone: with its fork, with its merge, or by itself.
    pub(crate) fn source_branch_gone(&self, refs: &Refs) -> bool {
        let merged = self.state == State::Merged && self.close_source_branch;
        let exists = refs.branches.contains_key(&self.source_branch);
        self.source_gone || !exists && (merged || refs.deleted.contains(&self.source_branch))
    }
}

impl Repository {
    /// All its commits that something leads to.
    pub(crate) fn history(&self) -> History {
        let mut commits: HashMap<u64, Commit> = HashMap::new();
        let mut main_line = Vec::new();
        let mut requested = Vec::new();
        let shelf = &self.pull_requests;
        for id in 1..=shelf.generator.timeline.count {
            let first = shelf.generator.item(id);
            main_line.push(Commit {
                seed: first.destination_commit,
                parents: Vec::new(),
                date: whole(first.created_on.0 - DAY),
                offset: 0,
                author: first.author,
                merges: None,
            });
            if let Some(merge) = first.merge_commit {
                main_line.push(Commit {
                    seed: merge,
                    parents: vec![first.source_commit],
                    date: whole(shelf.generator.merged_on(id).0),
                    offset: 0,
                    author: first.closed_by,
                    merges: Some(id),
                });
            }
            for commit in first.own_commits() {
                commits.insert(commit.seed, commit);
            }
        }
        main_line.sort_by_key(|commit| commit.date);
        let mut previous = None;
        for commit in &mut main_line {
            commit.parents.splice(0..0, previous);
            previous = Some(commit.seed);
        }
        for pushed in &self.refs.pushed {
            let mut commit = pushed.clone();
            let before = main_line.partition_point(|other| other.date <= commit.date);
            if let Some(at) = commit.parents.iter().position(|seed| *seed == MAIN_LINE) {
                let base = before.checked_sub(1).map(|at| main_line[at].seed);
                commit.parents.splice(at..=at, base);
            }
            commits.insert(commit.seed, commit);
        }
        commits.extend(main_line.into_iter().map(|commit| (commit.seed, commit)));
        for id in shelf.select(&crate::query::Bounds::default(), None).iter() {
            let pull_request = shelf.item(id);
            if !commits.contains_key(&pull_request.source_commit) {
                for commit in pull_request.own_commits() {
                    commits.insert(commit.seed, commit);
                }
            }
            requested.extend([pull_request.source_commit, pull_request.destination_commit]);
            requested.extend(pull_request.merge_commit);
        }
        let tips = self.refs.branches.values().map(|tip| tip.seed);
        let tags = self.refs.tags.values().map(|tag| tag.commit);
        History {
            commits,
            heads: tips.chain(tags).collect(),
            requested,
        }
    }
}

impl History {
    /// The seeds of all commits that lead to these, themselves included.
    fn ancestors(&self, of: impl IntoIterator<Item = u64>) -> HashSet<u64> {
        let mut left: Vec<u64> = of.into_iter().collect();
        let mut reached = HashSet::new();
        while let Some(seed) = left.pop() {
            if let Some(commit) = self.commits.get(&seed)
                && reached.insert(seed)
            {
                left.extend(&commit.parents);
            }
        }
        reached
    }

    /// The commit with a seed.
    pub(crate) fn get(&self, seed: u64) -> Option<&Commit> {
        self.commits.get(&seed)
    }

    /// The seeds of all commits that a commit leads to, itself included.
    pub(crate) fn descendants(&self, of: u64) -> HashSet<u64> {
        let mut children: HashMap<u64, Vec<u64>> = HashMap::new();
        for commit in self.commits.values() {
            for parent in &commit.parents {
                children.entry(*parent).or_default().push(commit.seed);
            }
        }
        let mut left = vec![of];
        let mut reached = HashSet::new();
        while let Some(seed) = left.pop() {
            if reached.insert(seed) {
                left.extend(children.get(&seed).into_iter().flatten());
            }
        }
        reached
    }

    /// The tips of all branches and tags.
    pub(crate) fn heads(&self) -> &[u64] {
        &self.heads
    }

    /// The commits that lead to `include` but not to `exclude`, newest first and children before
    /// their parents.
    pub(crate) fn between(&self, include: &[u64], exclude: &[u64]) -> Vec<Commit> {
        let excluded = self.ancestors(exclude.iter().copied());
        let included = self.ancestors(include.iter().copied());
        let mut chosen: Vec<Commit> = included
            .difference(&excluded)
            .filter_map(|seed| self.commits.get(seed).cloned())
            .collect();
        let depths = self.depths(&chosen);
        let depth = |commit: &Commit| depths.get(&commit.seed).copied().unwrap_or_default();
        chosen.sort_by_key(|commit| std::cmp::Reverse((commit.date, depth(commit), commit.seed)));
        chosen
    }

    /// How many generations lie below each commit, so that children of the same second as their
    /// parents come first.
    fn depths(&self, chosen: &[Commit]) -> HashMap<u64, u32> {
        let mut depths: HashMap<u64, u32> = HashMap::new();
        let mut by_date: Vec<&Commit> = chosen.iter().collect();
        by_date.sort_by_key(|commit| commit.date);
        let mut moved = true;
        while moved {
            moved = false;
            for commit in &by_date {
                let parents = commit.parents.iter();
                let below = parents.filter_map(|seed| depths.get(seed)).max();
                let depth = below.map_or(0, |depth| depth + 1);
                moved |= depths.insert(commit.seed, depth) != Some(depth);
            }
        }
        depths
    }

    /// The commit with a hash, or with what of it no other has; none if nothing leads to it.
    pub(crate) fn find(&self, hash: &str) -> Option<&Commit> {
        if hash.len() < 7 {
            return None;
        }
        let known = self.ancestors(self.heads.iter().chain(&self.requested).copied());
        let seed = known
            .into_iter()
            .find(|seed| commit_hash(*seed).starts_with(hash))?;
        self.commits.get(&seed)
    }
}
