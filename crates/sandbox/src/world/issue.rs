//! Issues.

use super::random::Random;
use super::shelf::{Generator, Item};
use super::text;
use crate::clock::{SECOND, Timestamp};

/// States, kinds and priorities; priorities from the lowest.
pub(crate) const STATES: &[&str] = &[
    "submitted",
    "new",
    "open",
    "resolved",
    "on hold",
    "invalid",
    "duplicate",
    "wontfix",
    "closed",
];
pub(crate) const KINDS: &[&str] = &["bug", "enhancement", "proposal", "task"];
pub(crate) const PRIORITIES: &[&str] = &["trivial", "minor", "major", "critical", "blocker"];
pub(crate) const COMPONENTS: &[&str] = &["API", "UI", "Docs", "Build"];
pub(crate) const MILESTONES: &[&str] = &["M1", "M2", "M3"];
pub(crate) const VERSIONS: &[&str] = &["1.0", "1.1", "2.0"];

/// One issue. People are places in the workspace's list; component, milestone and version are
/// places in the lists above.
#[derive(Debug, Clone)]
pub(crate) struct Issue {
    pub(crate) id: u32,
    pub(crate) title: String,
    pub(crate) content: String,
    pub(crate) state: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) priority: &'static str,
    pub(crate) reporter: Option<usize>,
    pub(crate) assignee: Option<usize>,
    pub(crate) component: Option<usize>,
    pub(crate) milestone: Option<usize>,
    pub(crate) version: Option<usize>,
    pub(crate) votes: u64,
    pub(crate) watches: u64,
    pub(crate) created_on: Timestamp,
    pub(crate) updated_on: Timestamp,
    pub(crate) edited_on: Option<Timestamp>,
}

impl Item for Issue {
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

/// When the generated objects of a repository were made and changed: spread evenly from `first`
/// on, each changed at some time before `last`.
#[derive(Debug, Clone)]
pub(crate) struct Timeline {
    pub(crate) seed: u64,
    pub(crate) first: Timestamp,
    pub(crate) last: Timestamp,
    pub(crate) count: u32,
}

impl Timeline {
    pub(crate) fn created_on(&self, id: u32) -> Timestamp {
        let step = ((self.last.0 - self.first.0) / (i64::from(self.count) + 1)).max(1);
        let jitter = Random::new(&[self.seed, u64::from(id), 10]).below(step as u64) as i64;
        Timestamp(self.first.0 + (i64::from(id) - 1) * step + jitter)
    }

    /// Most objects change soon after they were made, some much later.
    pub(crate) fn updated_on(&self, id: u32) -> Timestamp {
        let created = self.created_on(id);
        let mut random = Random::new(&[self.seed, u64::from(id), 11]);
        let share = random.below(1 << 20) as f64 / f64::from(1 << 20);
        Timestamp(created.0 + ((self.last.0 - created.0) as f64 * share.powi(4)) as i64)
    }
}

/// Makes issues.
#[derive(Debug)]
pub(crate) struct Issues {
    pub(crate) timeline: Timeline,
    pub(crate) people: usize,
    /// This many, from the first on, share one time of last change.
    pub(crate) same_updated_on: u32,
}

impl Generator for Issues {
    type Item = Issue;

    fn created_on(&self, id: u32) -> Timestamp {
        self.timeline.created_on(id)
    }

    fn updated_on(&self, id: u32) -> Timestamp {
        if id <= self.same_updated_on {
            return Timestamp(self.timeline.last.0 / SECOND * SECOND);
        }
        self.timeline.updated_on(id)
    }

    fn item(&self, id: u32) -> Issue {
        let mut random = Random::new(&[self.timeline.seed, u64::from(id), 12]);
        let people = self.people as u64;
        let (created_on, updated_on) = (self.created_on(id), self.updated_on(id));
        Issue {
            id,
            title: text::title(&mut random),
            content: text::paragraph(&mut random),
            state: random.pick(STATES),
            kind: random.pick(KINDS),
            priority: random.pick(PRIORITIES),
            reporter: somebody(&mut random, people, 97),
            assignee: somebody(&mut random, people, 65),
            component: random
                .percent(40)
                .then(|| random.below(COMPONENTS.len() as u64) as usize),
            milestone: random
                .percent(20)
                .then(|| random.below(MILESTONES.len() as u64) as usize),
            version: random
                .percent(20)
                .then(|| random.below(VERSIONS.len() as u64) as usize),
            votes: random.below(6),
            watches: 1 + random.below(9),
            created_on,
            updated_on,
            edited_on: random.percent(15).then_some(updated_on),
        }
    }
}

/// Somebody with the given chance in percent.
pub(crate) fn somebody(random: &mut Random, people: u64, chance: u64) -> Option<usize> {
    let person = random.below(people) as usize;
    (random.percent(chance) && people > 0).then_some(person)
}
