//! The walk of a list that comes newest first and cannot be asked for less.

use std::time::Duration;

use bucketline_source::{Checkpoint, FeedPosition};
use chrono::{DateTime, Utc};

use super::{Fault, Keep, Moment};

/// What a walk goes by; fixed while it lasts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FeedRules {
    /// Read again before the mark.
    pub(crate) look_back: Duration,
    /// An unfinished row that is older is waited for no longer.
    pub(crate) within: Duration,
    /// The list says that it goes on where it may not.
    pub(crate) may_promise_too_much: bool,
}

/// What an answer held, newest first.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entries<'a> {
    /// The rows' moments, where the answer has them.
    pub(crate) moments: &'a [Option<DateTime<Utc>>],
    /// Which rows will still change.
    pub(crate) unfinished: &'a [bool],
    /// The page has a successor.
    pub(crate) more: bool,
    /// When it was given.
    pub(crate) moment: Moment,
}

/// A walk from the newest row back to what is known. The mark moves at its end, and never beyond the oldest row that
/// is unfinished: the next walk goes back to that one.
#[derive(Debug, Clone)]
pub(crate) struct FeedWalk {
    rules: FeedRules,
    mark: Option<DateTime<Utc>>,
    /// Where an interrupted walk stood: what it committed is passed over.
    resumed: Option<FeedPosition>,
    position: Option<FeedPosition>,
    /// No later than the first answer. A row of a later date says nothing of what comes until then.
    started: Option<DateTime<Utc>>,
    /// The oldest unfinished row that is waited for.
    waiting: Option<DateTime<Utc>>,
    /// An unfinished row at the end of the last page came without its moment, and no row behind it has shown one.
    dangling: bool,
    promised: bool,
    ended: bool,
}

impl FeedWalk {
    pub(crate) fn new(rules: FeedRules, checkpoint: &Checkpoint) -> Self {
        Self {
            rules,
            mark: checkpoint.mark,
            resumed: checkpoint.feed.clone(),
            position: None,
            started: None,
            waiting: None,
            dangling: false,
            promised: false,
            ended: false,
        }
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Takes in a page: which of its rows are to be given out.
    pub(crate) fn accept(&mut self, page: Entries<'_>) -> Result<Keep, Fault> {
        if page.moments.is_empty() && page.more {
            return Err(Fault::EmptyPage);
        }
        if page.moments.is_empty() && self.promised && !self.rules.may_promise_too_much {
            return Err(Fault::BrokenOff);
        }
        self.promised = page.more;
        let passed_over = |moment: DateTime<Utc>| {
            self.resumed.as_ref().is_some_and(|known| {
                moment <= known.newest
                    && moment > known.reached
                    && known
                        .unfinished
                        .is_none_or(|unfinished| moment < unfinished)
            })
        };
        let known = || page.moments.iter().copied().flatten();
        let bound = self.mark.map(|mark| before(mark, self.rules.look_back));
        let started = *self.started.get_or_insert(page.moment.earliest);
        let is_old = |moment: DateTime<Utc>| bound.is_some_and(|bound| moment < bound);
        let is_known = |moment| is_old(moment) || passed_over(moment);
        let rows = page.moments.iter().zip(page.unfinished);
        let keep = rows.map(|(moment, unfinished)| *unfinished || !moment.is_some_and(is_known));
        let keep = Keep::new(keep.collect());
        let placed = placed(page.moments);
        let unfinished = placed.iter().zip(page.unfinished);
        let unfinished = unfinished.filter(|(_, unfinished)| **unfinished);
        let mut pending: Vec<_> = unfinished.map(|(moment, _)| *moment).collect();
        if self.dangling {
            pending.push(placed.first().copied().flatten());
        }
        self.dangling = pending.contains(&None);
        let pending: Vec<_> = pending.into_iter().flatten().collect();
        let limit = before(page.moment.earliest, self.rules.within);
        let waited = pending
            .iter()
            .filter(|moment| **moment >= limit)
            .min()
            .copied();
        self.waiting = earlier(self.waiting, waited);
        if let (Some(newest), Some(oldest)) = (known().max(), known().min()) {
            let newest = newest.min(started);
            let position = self.position.get_or_insert(FeedPosition {
                newest,
                reached: oldest,
                unfinished: None,
            });
            position.newest = position.newest.max(newest);
            position.reached = position.reached.min(oldest);
            position.unfinished = earlier(position.unfinished, pending.iter().min().copied());
        }
        // Should the order be a little off, the look-back makes up for it.
        let is_enough = known().last().is_some_and(is_old);
        if !page.more || is_enough {
            self.end();
        }
        Ok(keep)
    }

    fn end(&mut self) {
        self.ended = true;
        self.resumed = None;
        // A walk that saw nothing proves nothing, nor does one that does not know what it waits for.
        if let Some(position) = self.position.take().filter(|_| !self.dangling) {
            let reached = self
                .waiting
                .map_or(position.newest, |waiting| waiting.min(position.newest));
            self.mark = Some(reached);
        }
    }

    /// Where the walk stands.
    pub(crate) fn checkpoint(&self) -> Checkpoint {
        Checkpoint {
            mark: self.mark,
            feed: self.standing(),
            ..Checkpoint::default()
        }
    }

    /// What is committed so far, in one piece. What came since an interrupted walk began is none with what that
    /// committed until this one has come down to it.
    fn standing(&self) -> Option<FeedPosition> {
        match (&self.position, &self.resumed) {
            (Some(now), Some(known)) if now.reached <= known.newest => {
                let unfinished = known
                    .unfinished
                    .filter(|unfinished| now.reached > *unfinished);
                Some(FeedPosition {
                    newest: now.newest,
                    reached: now.reached.min(known.reached),
                    unfinished: earlier(now.unfinished, unfinished),
                })
            }
            (_, Some(known)) => Some(known.clone()),
            (now, None) => now.clone(),
        }
    }
}

/// The moments of rows that come newest first. One that lacks its own is no older than the next that has one.
fn placed(moments: &[Option<DateTime<Utc>>]) -> Vec<Option<DateTime<Utc>>> {
    let mut next = None;
    let mut placed: Vec<_> = moments
        .iter()
        .rev()
        .map(|moment| {
            next = moment.or(next);
            next
        })
        .collect();
    placed.reverse();
    placed
}

fn before(moment: DateTime<Utc>, span: Duration) -> DateTime<Utc> {
    chrono::Duration::from_std(span)
        .ok()
        .and_then(|span| moment.checked_sub_signed(span))
        .unwrap_or(DateTime::<Utc>::MIN_UTC)
}

fn earlier(one: Option<DateTime<Utc>>, other: Option<DateTime<Utc>>) -> Option<DateTime<Utc>> {
    one.into_iter().chain(other).min()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// A service whose list grows at its top; by moment, the state that a row is in.
    #[derive(Debug, Clone, Default)]
    struct Service {
        rows: BTreeMap<i64, (bool, u32)>,
        now: i64,
    }

    #[derive(Debug, Clone, Copy)]
    enum Mutation {
        Add {
            unfinished: bool,
        },
        /// An unfinished row changes, for the last time or not.
        Move {
            row: usize,
            finishes: bool,
        },
    }

    fn instant(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(second, 0).unwrap_or_default()
    }

    fn now(second: i64) -> Moment {
        Moment::new(Some(instant(second)), instant(second))
    }

    impl Service {
        fn apply(&mut self, mutation: Mutation) {
            self.now += 1;
            match mutation {
                Mutation::Add { unfinished } => {
                    self.rows.insert(self.now, (unfinished, 0));
                }
                Mutation::Move { row, finishes } => {
                    let mut open: Vec<_> = self.rows.values_mut().filter(|row| row.0).collect();
                    let count = open.len().max(1);
                    if let Some(row) = open.get_mut(row % count) {
                        **row = (!finishes, row.1 + 1);
                    }
                }
            }
        }
    }

    const RULES: FeedRules = FeedRules {
        look_back: Duration::from_secs(2),
        within: Duration::from_secs(1_000_000),
        may_promise_too_much: false,
    };

    /// Walks to the end; dies at the pages named, with or without the page committed. Gives the pages asked for.
    fn walk(
        service: &mut Service,
        copy: &mut (BTreeMap<i64, (bool, u32)>, Checkpoint),
        size: usize,
        mutations: &[Mutation],
        crashes: &BTreeMap<usize, bool>,
    ) -> usize {
        let mut mutations = mutations.iter();
        let mut machine = FeedWalk::new(RULES, &copy.1);
        let mut below = i64::MAX;
        for page in 0..5_000 {
            if machine.has_ended() {
                return page;
            }
            let rest = service.rows.range(..below).rev();
            let rows: Vec<_> = rest
                .clone()
                .take(size)
                .map(|(moment, row)| (*moment, *row))
                .collect();
            let more = rest.count() > size;
            // Now and then an answer lacks one.
            let moments: Vec<_> = rows
                .iter()
                .map(|(moment, _)| (moment % 5 != 3).then(|| instant(*moment)))
                .collect();
            let unfinished: Vec<_> = rows.iter().map(|(_, row)| row.0).collect();
            let keep = machine.accept(Entries {
                moments: &moments,
                unfinished: &unfinished,
                more,
                moment: now(service.now),
            });
            let keep = keep.unwrap_or_else(|fault| panic!("{fault}"));
            below = rows.last().map_or(below, |(moment, _)| *moment);
            let crash = crashes.get(&page);
            if crash != Some(&false) {
                let kept = rows.iter().zip(keep.flags()).filter(|(_, kept)| **kept);
                copy.0.extend(kept.map(|(row, _)| *row));
                copy.1 = machine.checkpoint();
            }
            if crash.is_some() && !(crash == Some(&true) && machine.has_ended()) {
                machine = FeedWalk::new(RULES, &copy.1);
                below = i64::MAX;
            }
            if let Some(mutation) = mutations.next() {
                service.apply(*mutation);
            }
        }
        panic!("the walk does not end");
    }

    fn any_mutation() -> impl Strategy<Value = Mutation> {
        prop_oneof![
            any::<bool>().prop_map(|unfinished| Mutation::Add { unfinished }),
            (any::<usize>(), any::<bool>())
                .prop_map(|(row, finishes)| Mutation::Move { row, finishes }),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        /// Whatever comes and finishes while pages are read, and wherever the program dies: once nothing changes any
        /// more, one more walk makes the copy equal the source.
        #[test]
        fn the_copy_becomes_the_source(
            before in prop::collection::vec(any_mutation(), 0..60),
            first in prop::collection::vec(any_mutation(), 0..30),
            second in prop::collection::vec(any_mutation(), 0..30),
            crashes in prop::collection::btree_map(0_usize..20, any::<bool>(), 0..6),
            size in 1_usize..8,
        ) {
            let mut service = Service::default();
            for mutation in before {
                service.apply(mutation);
            }
            let mut copy = Default::default();
            walk(&mut service, &mut copy, size, &first, &crashes);
            walk(&mut service, &mut copy, size, &second, &crashes);
            walk(&mut service, &mut copy, size, &[], &BTreeMap::new());
            prop_assert_eq!(copy.0, service.rows);
        }

        /// A quiet second walk reads no further than the look-back.
        #[test]
        fn a_quiet_walk_is_short(count in 1_i64..200, size in 1_usize..20) {
            let rows = (1..=count).map(|moment| (moment, (false, 0))).collect();
            let mut service = Service { rows, now: count };
            let mut copy = Default::default();
            walk(&mut service, &mut copy, size, &[], &BTreeMap::new());
            let pages = walk(&mut service, &mut copy, size, &[], &BTreeMap::new());
            // One of the rows may lack its moment.
            prop_assert!(pages <= 5_usize.div_ceil(size), "{}", pages);
        }
    }

    #[test]
    fn a_row_that_never_finishes_is_waited_for_only_so_long() {
        let rules = FeedRules {
            within: Duration::from_secs(100),
            ..RULES
        };
        for (second, mark) in [(150, 90), (300, 120)] {
            let mut walk = FeedWalk::new(rules, &Checkpoint::default());
            let page = Entries {
                moments: &[Some(instant(120)), Some(instant(90))],
                unfinished: &[false, true],
                more: false,
                moment: now(second),
            };
            assert!(walk.accept(page).is_ok());
            assert_eq!(walk.checkpoint().mark, Some(instant(mark)));
        }
    }

    #[test]
    fn a_row_from_the_future_hides_none_that_comes_before_it() {
        let mut walk = FeedWalk::new(RULES, &Checkpoint::default());
        let page = |walk: &mut FeedWalk, seconds: [i64; 2], more| {
            walk.accept(Entries {
                moments: &seconds.map(|second| Some(instant(second))),
                unfinished: &[false, false],
                more,
                moment: now(100),
            })
        };
        assert!(page(&mut walk, [500, 90], true).is_ok());
        let mut resumed = FeedWalk::new(RULES, &walk.checkpoint());
        let keep = page(&mut resumed, [500, 101], false);
        assert_eq!(keep, Ok(Keep::new(vec![true, true])));
        assert_eq!(resumed.checkpoint().mark, Some(instant(100)));
    }

    #[test]
    fn faults() {
        let page = |moments, more| Entries {
            moments,
            unfinished: &[false],
            more,
            moment: now(9),
        };
        let mut walk = FeedWalk::new(RULES, &Checkpoint::default());
        let one = [Some(instant(5))];
        assert_eq!(walk.accept(page(&[], true)), Err(Fault::EmptyPage));
        assert!(walk.accept(page(&one, true)).is_ok());
        assert_eq!(walk.accept(page(&[], false)), Err(Fault::BrokenOff));
        // An empty list proves nothing.
        let mut walk = FeedWalk::new(RULES, &Checkpoint::default());
        assert!(walk.accept(page(&[], false)).is_ok());
        assert_eq!(walk.checkpoint(), Checkpoint::default());
    }
}
