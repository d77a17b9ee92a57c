//! The last hour of a limit holder, by who made the requests, and who gets the next ones.
//!
//! A database keeps it as a text, and changes it under the lock of its row. Nothing in here waits or knows the time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::book::{Ask, Claimant, ClaimantStanding, Lot, LotId, Rank, Settled, Standing, Taken};

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
/// Requests are counted by the quarter of a minute in which they were answered, and leave an hour after its end.
const TICK: u64 = 15 * SECOND;
/// A lot that its process has not settled by then counts as sent at that time: the process is dead. Longer than a
/// request takes that is begun while the lot is fresh.
const LEASE: u64 = 2 * MINUTE;
/// Whoever has asked within this time has more to do: it may be writing what it has read.
const ACTIVE: u64 = 5 * MINUTE;
/// Whoever waits asks again within this time.
const PATIENT: u64 = MINUTE;
/// The time over which a claimant's pace is measured.
const PACE: u64 = 5 * MINUTE;
/// Where a sixth of the hour comes free within this time, requests are spread well.
const STEADY: u64 = 12 * MINUTE;
/// Whoever has to let others go first asks again after this time.
const TURN: u64 = 10 * SECOND;
/// Clocks of several machines, and waits for a lock, may differ by this much.
const SKEW: u64 = MINUTE;
/// A recorded pause further ahead than this comes from a clock that was wrong.
const LONGEST_PAUSE: u64 = 24 * HOUR;

/// Times are milliseconds since 1970, ticks are counted since then.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// The latest time that it was changed at.
    #[serde(default)]
    seen: u64,
    #[serde(default)]
    paused_until: u64,
    #[serde(default)]
    next_lot: LotId,
    #[serde(default)]
    claimants: Vec<Entry>,
    #[serde(default)]
    lots: Vec<OpenLot>,
}

/// What is written down of a claimant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    name: String,
    person: bool,
    weight: u32,
    /// Requests that it still has to make.
    left: Option<u64>,
    asked_at: u64,
    /// Since when it asks in vain.
    waits_since: Option<u64>,
    /// What it was granted for its weight, in thousandths, since it came: whoever has the least goes first.
    #[serde(default)]
    had: u64,
    /// Requests by tick, ascending, without doubles.
    ticks: Vec<(u64, u32)>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct OpenLot {
    id: LotId,
    name: String,
    open: u32,
    ends_at: u64,
}

impl Ledger {
    /// How many requests to ask for at a time: a hundredth of the hour's, between 1 and 100.
    pub fn lot(allowance: u32) -> u32 {
        (allowance / 100).clamp(1, 100)
    }

    /// Grants up to [`Ask::wanted`] requests, or says until when there are none.
    ///
    /// A large claimant leaves a few requests to small ones, and both leave a few to people, so that neither has to
    /// wait for an hour that a backfill has spent. Of the rest, whoever has had the least for its weight goes first.
    pub fn take(&mut self, ask: &Ask, now: SystemTime) -> Taken {
        let now = self.tidy(millis(now));
        let index = self.entry(&ask.claimant, ask.made, now);
        if self.paused_until > now {
            return Taken::Paused(time(self.paused_until));
        }
        let allowance = ask.allowance;
        let rank = self.rank(index, allowance);
        let limit = allowance.saturating_sub(Self::kept_for_ranks(rank, allowance));
        let free = limit.saturating_sub(self.taken());
        if free == 0 {
            self.claimants[index].waits_since.get_or_insert(now);
            let until = self.next_free(limit, now).unwrap_or(now + TURN);
            return Taken::Spent(time(until));
        }
        let free = match rank {
            Rank::Person | Rank::Small => free,
            Rank::Large => free.saturating_sub(self.kept_for_later(allowance, now)),
        };
        let wanted = ask.wanted.max(1);
        let missing = self
            .share(index, allowance, now)
            .saturating_sub(self.taken_by(index));
        let of_share = free.saturating_sub(self.kept_for_others(index, false, allowance, now));
        let beyond = free.saturating_sub(self.kept_for_others(index, true, allowance, now));
        let requests = wanted.min(missing.min(of_share).max(beyond));
        if requests == 0 {
            self.claimants[index].waits_since.get_or_insert(now);
            return Taken::Behind(time(now + TURN));
        }
        let entry = &mut self.claimants[index];
        entry.waits_since = None;
        entry.had += entry.cost(requests);
        let id = self.next_lot;
        self.next_lot += 1;
        self.lots.push(OpenLot {
            id,
            name: entry.name.clone(),
            open: requests,
            ends_at: now + LEASE,
        });
        Taken::Granted(Lot {
            id,
            requests,
            is_charged: false,
        })
    }

    /// Counts answered requests of a lot from now on, and gives those back that were never sent. A lot that has ended
    /// has been counted.
    pub fn settle(&mut self, lot: LotId, settled: Settled, now: SystemTime) {
        let now = self.tidy(millis(now));
        let Some(open) = self.lots.iter_mut().find(|open| open.id == lot) else {
            return;
        };
        let answered = settled.answered.min(open.open);
        open.open -= answered;
        let returned = settled.returned.min(open.open);
        open.open -= returned;
        let name = open.name.clone();
        self.lots.retain(|lot| lot.open > 0);
        if let Some(entry) = self.claimants.iter_mut().find(|it| it.name == name) {
            entry.had = entry.had.saturating_sub(entry.cost(returned));
        }
        self.count(&name, answered, now);
    }

    /// Makes everybody wait until then, at least.
    pub fn pause(&mut self, until: SystemTime, now: SystemTime) {
        let now = self.tidy(millis(now));
        let until = millis(until).min(now + LONGEST_PAUSE);
        self.paused_until = self.paused_until.max(until);
    }

    /// How the hour stands.
    pub fn standing(&mut self, allowance: u32, now: SystemTime) -> Standing {
        let now = self.tidy(millis(now));
        let reserved = self.lots.iter().map(|lot| lot.open).sum();
        let used = self.taken() - reserved;
        let standing = |(index, entry): (usize, &Entry)| {
            let left = entry.left.filter(|left| *left > 0 && entry.is_active(now));
            let share = u64::from(self.share(index, allowance, now)).max(1);
            let lasts = left.map(|left| left.saturating_mul(HOUR) / share);
            ClaimantStanding {
                name: entry.name.clone(),
                rank: self.rank(index, allowance),
                weight: entry.weight,
                used: entry.used(),
                reserved: self.reserved(&entry.name),
                waits_since: entry.waits_since.map(time),
                left,
                done_at: lasts.map(|lasts| time(now.saturating_add(lasts))),
            }
        };
        let mut claimants: Vec<_> = self.claimants.iter().enumerate().map(standing).collect();
        claimants.sort_by_key(|claimant| std::cmp::Reverse(claimant.used + claimant.reserved));
        Standing {
            allowance,
            used,
            reserved,
            next_free: self.next_free(allowance, now).map(time),
            paused_until: (self.paused_until > now).then(|| time(self.paused_until)),
            claimants,
        }
    }

    /// Requests of the last hour, those in open lots included, as of the last change.
    pub fn taken(&self) -> u32 {
        let used: u32 = self.claimants.iter().map(Entry::used).sum();
        let open: u32 = self.lots.iter().map(|lot| lot.open).sum();
        used.saturating_add(open)
    }

    /// The ticks of all claimants.
    fn ticks(&self) -> Vec<(u64, u32)> {
        let ticks = self.claimants.iter().flat_map(|entry| &entry.ticks);
        ticks.copied().collect()
    }

    fn reserved(&self, name: &str) -> u32 {
        let of_it = self.lots.iter().filter(|lot| lot.name == name);
        of_it.map(|lot| lot.open).sum()
    }

    /// Used and reserved by one claimant.
    fn taken_by(&self, index: usize) -> u32 {
        let entry = &self.claimants[index];
        entry.used() + self.reserved(&entry.name)
    }

    /// The claimant's entry, brought up to date.
    fn entry(&mut self, claimant: &Claimant, made: u64, now: u64) -> usize {
        let left = claimant.forecast.map(|all| all.saturating_sub(made));
        let there = self
            .claimants
            .iter()
            .position(|it| it.name == claimant.name);
        let index = there.unwrap_or_else(|| {
            self.claimants.push(Entry::new(&claimant.name));
            self.claimants.len() - 1
        });
        // Whoever comes, or comes back, begins with those who have had the least.
        let others = self.active(now).filter(|(other, _)| *other != index);
        let least = others.map(|(_, entry)| entry.had).min();
        let entry = &mut self.claimants[index];
        if !entry.is_active(now) {
            entry.had = entry.had.max(least.unwrap_or(0));
        }
        entry.person = claimant.is_person;
        entry.weight = claimant.weight.max(1);
        entry.left = left;
        entry.asked_at = now;
        index
    }

    fn rank(&self, index: usize, allowance: u32) -> Rank {
        let entry = &self.claimants[index];
        let most = u64::from(allowance / 10);
        if entry.person {
            Rank::Person
        } else if u64::from(self.taken_by(index)) <= most && entry.left.unwrap_or(0) <= most {
            Rank::Small
        } else {
            Rank::Large
        }
    }

    /// Requests that a claimant of that rank never takes: a hundredth of the hour's is for people, two for small claimants.
    fn kept_for_ranks(rank: Rank, allowance: u32) -> u32 {
        match rank {
            Rank::Person => 0,
            Rank::Small => allowance / 100,
            Rank::Large => allowance / 100 + allowance / 50,
        }
    }

    /// Requests that large claimants do not take yet, up to a sixth of the hour's: where they have spent the hour at once,
    /// nothing comes free for long, and others still come. The longer that takes, the more is kept.
    fn kept_for_later(&self, allowance: u32, now: u64) -> u32 {
        let most = allowance / 6;
        let dry = self.dry(allowance, now).saturating_sub(STEADY);
        let kept = u64::from(most) * dry / (HOUR - STEADY);
        u32::try_from(kept).unwrap_or(most)
    }

    /// How long it takes until a sixth of the hour's requests has come free.
    fn dry(&self, allowance: u32, now: u64) -> u64 {
        let mut ticks = self.ticks();
        ticks.sort_unstable();
        let mut freed = 0;
        let mut leaving = ticks.into_iter().filter_map(|(tick, count)| {
            freed += count;
            (freed >= allowance / 6).then(|| leaves(tick))
        });
        let until = leaving.next();
        until.map_or(HOUR, |until| until.saturating_sub(now).min(HOUR))
    }

    /// The part of the hour that is a claimant's as long as all ask that have asked of late.
    fn share(&self, index: usize, allowance: u32, now: u64) -> u32 {
        let weights: u32 = self.active(now).map(|(_, entry)| entry.weight).sum();
        let weight = u64::from(self.claimants[index].weight);
        let share = u64::from(allowance) * weight / u64::from(weights.max(1));
        u32::try_from(share).unwrap_or(u32::MAX)
    }

    /// Requests that others may want before this claimant gets more: a lot for each that waits; where it `has_its_share`,
    /// what they have not had of theirs, as far as they use it before more comes free.
    fn kept_for_others(&self, index: usize, has_its_share: bool, allowance: u32, now: u64) -> u32 {
        let lot = Self::lot(allowance);
        let mine = self.order(index, allowance);
        let before = self
            .active(now)
            .filter(|(other, _)| *other != index && self.order(*other, allowance) < mine);
        let dry = self.dry(allowance, now);
        let kept = before.map(|(other, entry)| {
            let waiting = if entry.waits_since.is_some() { lot } else { 0 };
            let share = self.share(other, allowance, now);
            let missing = share.saturating_sub(self.taken_by(other));
            let wanted = match has_its_share {
                true => missing.min(entry.pace(now, dry).max(2 * lot)).max(waiting),
                false => waiting,
            };
            match entry.left {
                Some(left) => wanted.min(u32::try_from(left).unwrap_or(u32::MAX)),
                None => wanted,
            }
        });
        kept.sum()
    }

    /// Who goes first: by rank, then by what it has had.
    fn order(&self, index: usize, allowance: u32) -> (Rank, u64) {
        (self.rank(index, allowance), self.claimants[index].had)
    }

    fn active(&self, now: u64) -> impl Iterator<Item = (usize, &Entry)> {
        let all = self.claimants.iter().enumerate();
        all.filter(move |(_, entry)| entry.is_active(now))
    }

    /// When fewer than `limit` requests are taken, as far as those go that were answered; `None` if they are now.
    fn next_free(&self, limit: u32, now: u64) -> Option<u64> {
        let mut taken = self.taken();
        if taken < limit {
            return None;
        }
        let mut ticks = self.ticks();
        ticks.sort_unstable();
        for (tick, count) in ticks {
            taken = taken.saturating_sub(count);
            if taken < limit {
                return Some(leaves(tick));
            }
        }
        // The rest is in lots, which are settled one by one.
        Some(now + TURN)
    }

    fn count(&mut self, name: &str, requests: u32, at: u64) {
        if requests == 0 {
            return;
        }
        let there = self.claimants.iter().position(|it| it.name == name);
        let index = there.unwrap_or_else(|| {
            self.claimants.push(Entry::new(name));
            self.claimants.len() - 1
        });
        self.claimants[index].count(requests, at);
    }

    /// Forgets what is over an hour old, counts the lots of the dead, and takes what lies in the future, written before
    /// a clock was put right, for now. Returns the time, which goes back only where a clock was set.
    fn tidy(&mut self, now: u64) -> u64 {
        let now = if self.seen <= now.saturating_add(SKEW) {
            now.max(self.seen)
        } else {
            now
        };
        self.seen = now;
        let lots = std::mem::take(&mut self.lots);
        let (ended, open): (Vec<_>, Vec<_>) = lots.into_iter().partition(|lot| lot.ends_at <= now);
        self.lots = open;
        for lot in &mut self.lots {
            lot.ends_at = lot.ends_at.min(now + LEASE);
        }
        for lot in ended {
            self.count(&lot.name, lot.open, lot.ends_at);
        }
        for entry in &mut self.claimants {
            entry.tidy(now);
        }
        let lots = &self.lots;
        self.claimants.retain(|entry| {
            !entry.ticks.is_empty()
                || entry.is_active(now)
                || lots.iter().any(|lot| lot.name == entry.name)
        });
        if self.paused_until <= now || self.paused_until > now + LONGEST_PAUSE {
            self.paused_until = 0;
        }
        now
    }
}

impl Entry {
    fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            person: false,
            weight: 1,
            left: None,
            asked_at: 0,
            waits_since: None,
            had: 0,
            ticks: Vec::new(),
        }
    }

    fn used(&self) -> u32 {
        self.ticks.iter().map(|(_, count)| count).sum()
    }

    fn is_active(&self, now: u64) -> bool {
        self.asked_at + ACTIVE > now && self.left != Some(0)
    }

    /// Requests that it would make within that time, at the pace of the last minutes.
    fn pace(&self, now: u64, within: u64) -> u32 {
        let requests = u64::from(self.recent(now)) * within / PACE;
        u32::try_from(requests).unwrap_or(u32::MAX)
    }

    /// Requests of the last minutes.
    fn recent(&self, now: u64) -> u32 {
        let recent = self.ticks.iter().rev();
        let recent = recent.take_while(|(tick, _)| (tick + 1) * TICK + PACE > now);
        recent.map(|(_, count)| count).sum()
    }

    /// What so many requests count for its weight, in thousandths.
    fn cost(&self, requests: u32) -> u64 {
        u64::from(requests) * 1_000 / u64::from(self.weight.max(1))
    }

    fn count(&mut self, requests: u32, at: u64) {
        let tick = at / TICK;
        match self.ticks.binary_search_by_key(&tick, |(tick, _)| *tick) {
            Ok(place) => self.ticks[place].1 += requests,
            Err(place) => self.ticks.insert(place, (tick, requests)),
        }
    }

    fn tidy(&mut self, now: u64) {
        self.ticks.retain(|(tick, _)| leaves(*tick) > now);
        let current = now / TICK;
        let ahead = self.ticks.partition_point(|(tick, _)| *tick <= current);
        let ahead: u32 = self.ticks.drain(ahead..).map(|(_, count)| count).sum();
        if ahead > 0 {
            self.count(ahead, now);
        }
        if self.asked_at > now {
            self.asked_at = now;
        }
        // Whoever stopped asking waits no longer.
        if self.asked_at + PATIENT <= now {
            self.waits_since = None;
        }
    }
}

fn leaves(tick: u64) -> u64 {
    tick.saturating_add(1)
        .saturating_mul(TICK)
        .saturating_add(HOUR)
}

pub(super) fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

pub(super) fn time(millis: u64) -> SystemTime {
    // The cap keeps damaged numbers within what every platform can represent.
    UNIX_EPOCH + Duration::from_millis(millis.min(1 << 48))
}

#[cfg(test)]
mod tests;
