//! The walks against a service in memory that changes while it is read.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bucketline_source::Checkpoint;
use chrono::{DateTime, Utc};
use proptest::prelude::*;

use super::changes::Ask;
use super::*;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Row {
    /// Microseconds; `None` for a row without a cursor value.
    cursor: Option<i64>,
    part: usize,
}

/// A service that sorts and filters as Bitbucket does.
#[derive(Debug, Clone)]
struct Service {
    rows: BTreeMap<i64, Row>,
    now: i64,
    page: usize,
    requests: usize,
    clocks: Clocks,
}

/// How far two clocks are off, in microseconds.
#[derive(Debug, Clone, Copy, Default)]
struct Clocks {
    /// The service's; `None` if its answers have no date.
    service: Option<i64>,
    own: i64,
}

impl Clocks {
    const RIGHT: Self = Self {
        service: Some(0),
        own: 0,
    };
}

/// An answer's moment by clocks that are right.
fn given(time: DateTime<Utc>) -> Moment {
    Moment::new(Some(time), time)
}

/// A change at the service; numbers pick a row and a part.
#[derive(Debug, Clone, Copy)]
enum Mutation {
    Touch(u8),
    Move(u8, u8),
    Add(u8),
}

const SECOND: i64 = 1_000_000;
const PARTS: usize = 3;

fn instant(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros).unwrap()
}

impl Service {
    fn apply(&mut self, mutation: Mutation) {
        self.now += 300_000;
        let now = Some(self.now);
        match mutation {
            Mutation::Touch(_) | Mutation::Move(..) if self.rows.is_empty() => {}
            Mutation::Touch(row) => {
                let id = self.pick(row);
                self.rows.get_mut(&id).unwrap().cursor = now;
            }
            Mutation::Move(row, part) => {
                let id = self.pick(row);
                let row = self.rows.get_mut(&id).unwrap();
                *row = Row {
                    cursor: now,
                    part: usize::from(part) % PARTS,
                };
            }
            Mutation::Add(part) => {
                let id = self.rows.keys().next_back().map_or(1, |last| last + 1);
                self.rows.insert(
                    id,
                    Row {
                        cursor: now,
                        part: usize::from(part) % PARTS,
                    },
                );
            }
        }
    }

    fn pick(&self, number: u8) -> i64 {
        *self
            .rows
            .keys()
            .nth(usize::from(number) % self.rows.len())
            .unwrap()
    }

    /// Rows, whether there are more, and when that was.
    fn answer(&mut self, ask: &Ask, only: Option<usize>) -> (Vec<(i64, Row)>, bool, Moment) {
        self.requests += 1;
        let micros = |value: DateTime<Utc>| value.timestamp_micros();
        let mut found: Vec<(i64, Row)> = self
            .rows
            .iter()
            .map(|(id, row)| (*id, *row))
            .filter(|(_, row)| ask.part.is_none_or(|part| row.part == part))
            .filter(|(_, row)| only.is_none_or(|part| row.part == part))
            .filter(|(id, row)| match (ask.rows, row.cursor) {
                (Rows::All, cursor) => cursor.is_some(),
                (Rows::From(bound), Some(cursor)) => cursor >= micros(bound),
                (Rows::Above(bound), Some(cursor)) => cursor > micros(bound),
                (Rows::At(value, after), Some(cursor)) => {
                    cursor == micros(value) && after.is_none_or(|after| *id > after)
                }
                (Rows::Nulls(after), None) => after.is_none_or(|after| *id > after),
                _ => false,
            })
            .collect();
        match ask.rows {
            Rows::At(..) | Rows::Nulls(_) => found.sort_by_key(|(id, _)| *id),
            // Rows of one cursor value come in no particular order, another one each time.
            _ => {
                let salt = self.requests as i64;
                found.sort_by_key(|(id, row)| (row.cursor, (id * 7_919 + salt * 104_729) % 1_009));
            }
        }
        let more = found.len() > self.page;
        found.truncate(self.page);
        // A `Date` header has whole seconds.
        let second = |micros: i64| instant(micros.div_euclid(SECOND) * SECOND);
        let service = self.clocks.service.map(|off| second(self.now + off));
        self.now += 50_000;
        let moment = Moment::new(service, instant(self.now + self.clocks.own));
        (found, more, moment)
    }
}

/// What was copied, and how it goes on.
#[derive(Debug, Default)]
struct Copy {
    rows: BTreeMap<i64, Row>,
    checkpoint: Checkpoint,
    /// Rows given out, doubles too.
    given: usize,
}

/// How a walk is set up.
#[derive(Debug, Clone, Copy)]
struct Setup {
    split: bool,
    nullable: bool,
    /// Only rows of this part are wanted.
    only: Option<usize>,
    /// That condition is pushed down in the first load.
    pushes: bool,
}

/// Walks to the end. Before each page comes a mutation, if one is left; at the pages named in
/// `crashes` the program dies, with or without the page committed; those in `faults` are empty.
fn walk(
    service: &mut Service,
    copy: &mut Copy,
    setup: Setup,
    mutations: &[Mutation],
    crashes: &BTreeMap<usize, bool>,
    faults: &BTreeSet<usize>,
) {
    let mut mutations = mutations.iter();
    let start = |checkpoint: &Checkpoint| {
        let first = checkpoint.mark.is_none();
        let pushed = setup.only.filter(|_| first && setup.pushes);
        let rules = WalkRules {
            look_back: Duration::from_secs(2),
            nullable: setup.nullable,
            parts: pushed.map_or_else(|| (0..PARTS).collect(), |part| vec![part]),
        };
        (ChangeWalk::new(rules, checkpoint.clone()), pushed)
    };
    copy.checkpoint.split |= setup.split;
    let (mut machine, mut pushed) = start(&copy.checkpoint);
    let is_first = copy.checkpoint.walk.is_none() && copy.checkpoint.mark.is_none();
    let is_first = is_first && !setup.nullable;
    for page in 0.. {
        assert!(page < 5_000, "the walk does not end: {:?}", copy.checkpoint);
        let Some(ask) = machine.ask() else { break };
        let (mut rows, mut more, moment) = service.answer(&ask, pushed);
        if faults.contains(&page) {
            (rows, more) = (Vec::new(), false);
        }
        let cursors: Vec<_> = rows
            .iter()
            .map(|(_, row)| row.cursor.map(instant))
            .collect();
        let ids: Vec<_> = rows.iter().map(|(id, _)| *id).collect();
        let keep = machine
            .accept(Seen {
                cursors: &cursors,
                ids: &ids,
                more,
                moment,
            })
            .unwrap();
        if crashes.get(&page) == Some(&false) {
            (machine, pushed) = start(&copy.checkpoint);
        } else {
            // What is early comes for the first time, so that nothing of it can be there.
            let is_early = is_first
                && machine
                    .checkpoint()
                    .walk
                    .is_some_and(|position| position.passed.is_none());
            for ((id, row), kept) in rows.iter().zip(keep.flags()) {
                if !kept {
                    continue;
                }
                copy.given += 1;
                if setup.only.is_none_or(|part| row.part == part) {
                    copy.rows.insert(*id, *row);
                } else if !is_early {
                    copy.rows.remove(id);
                }
            }
            let json = serde_json::to_string(&machine.checkpoint()).unwrap();
            copy.checkpoint = serde_json::from_str(&json).unwrap();
            if crashes.contains_key(&page) && machine.ask().is_some() {
                (machine, pushed) = start(&copy.checkpoint);
            }
        }
        if let Some(mutation) = mutations.next() {
            service.apply(*mutation);
        }
    }
    assert!(copy.checkpoint.walk.is_none());
    // Only a walk that saw nothing leaves no mark.
    assert!(copy.checkpoint.mark.is_some() || copy.rows.is_empty());
}

fn any_mutation() -> impl Strategy<Value = Mutation> {
    prop_oneof![
        any::<u8>().prop_map(Mutation::Touch),
        (any::<u8>(), any::<u8>()).prop_map(|(row, part)| Mutation::Move(row, part)),
        any::<u8>().prop_map(Mutation::Add),
    ]
}

fn any_service() -> impl Strategy<Value = Service> {
    // Few moments, so that many rows share one.
    let row = (prop::option::weighted(0.9, 0_i64..12), 0..PARTS);
    (prop::collection::vec(row, 0..60), 1_usize..8).prop_map(|(rows, page)| Service {
        rows: (1..)
            .zip(rows)
            .map(|(id, (second, part))| {
                (
                    id,
                    Row {
                        cursor: second.map(|second| second * SECOND / 4),
                        part,
                    },
                )
            })
            .collect(),
        now: 10 * SECOND,
        page,
        requests: 0,
        clocks: Clocks::RIGHT,
    })
}

/// Two clocks of which at most one is wrong; one that is not told is not wrong.
fn any_clocks() -> impl Strategy<Value = Clocks> {
    let days = 2 * 86_400 * SECOND;
    let off = || prop_oneof![-5 * SECOND..5 * SECOND, Just(days), Just(-days)];
    prop_oneof![
        Just(Clocks::RIGHT),
        off().prop_map(|off| Clocks {
            service: Some(off),
            own: 0
        }),
        off().prop_map(|own| Clocks {
            service: Some(0),
            own
        }),
        off().prop_map(|own| Clocks { service: None, own }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever changes while pages are read, wherever the program dies, whichever answers are
    /// falsely empty, and whichever of two clocks is wrong: once nothing changes any more, one more walk makes the
    /// copy equal the source.
    #[test]
    fn the_copy_becomes_the_source(
        mut service in any_service(),
        clocks in any_clocks(),
        (split, nullable, pushes) in any::<(bool, bool, bool)>(),
        only in prop::option::of(0..PARTS),
        first in prop::collection::vec(any_mutation(), 0..40),
        second in prop::collection::vec(any_mutation(), 0..20),
        crashes in prop::collection::btree_map(0_usize..30, any::<bool>(), 0..6),
        faults in prop::collection::btree_set(0_usize..20, 0..3),
    ) {
        service.clocks = clocks;
        service.rows.retain(|_, row| nullable || row.cursor.is_some());
        let setup = Setup { split, nullable, only, pushes };
        let mut copy = Copy::default();
        walk(&mut service, &mut copy, setup, &first, &crashes, &faults);
        walk(&mut service, &mut copy, setup, &second, &crashes, &faults);
        walk(&mut service, &mut copy, setup, &[], &BTreeMap::new(), &BTreeSet::new());
        let wanted: BTreeMap<_, _> = service
            .rows
            .into_iter()
            .filter(|(_, row)| only.is_none_or(|part| row.part == part))
            .collect();
        prop_assert_eq!(copy.rows, wanted);
    }

    /// A quiet load gives every row once, a quiet second walk reads only what the look-back covers,
    /// and both take no more requests than walking by key must.
    #[test]
    fn a_quiet_load_is_cheap(count in 0_usize..200, page in 2_usize..20, spacing in 1_i64..3) {
        let rows = (0..count)
            .map(|index| {
                let index = i64::try_from(index).unwrap();
                (index + 1, Row { cursor: Some(index * spacing * SECOND), part: 0 })
            })
            .collect();
        let now = i64::try_from(count).unwrap() * spacing * SECOND + SECOND;
        let mut service = Service { rows, now, page, requests: 0, clocks: Clocks::RIGHT };
        let setup = Setup { split: false, nullable: false, only: None, pushes: false };
        let mut copy = Copy::default();
        walk(&mut service, &mut copy, setup, &[], &BTreeMap::new(), &BTreeSet::new());
        prop_assert_eq!(copy.given, count, "every row once");
        prop_assert!(service.requests <= count.saturating_sub(1).div_ceil(page - 1).max(1));
        let before = (service.requests, copy.checkpoint.clone());
        walk(&mut service, &mut copy, setup, &[], &BTreeMap::new(), &BTreeSet::new());
        prop_assert!(service.requests - before.0 <= 3);
        prop_assert_eq!(copy.checkpoint, before.1);
    }

    #[test]
    fn a_keyset_walk_gives_every_row_once(
        values in prop::collection::vec(0_i64..40, 0..150),
        page in 1_usize..10,
    ) {
        let mut rows: Vec<(i64, usize)> = values.into_iter().zip(0..).collect();
        rows.sort_unstable();
        let mut walk = KeysetWalk::new(false);
        let mut given = Vec::new();
        let mut link: Vec<(i64, usize)> = Vec::new();
        while let Some(next) = walk.ask() {
            let found: Vec<_> = match next {
                Next::Start => rows.clone(),
                Next::From(value) => rows.iter().copied().filter(|row| row.0 >= *value).collect(),
                Next::Above(value) => rows.iter().copied().filter(|row| row.0 > *value).collect(),
                Next::Link => link.clone(),
            };
            let (now, later) = found.split_at(page.min(found.len()));
            link = later.to_vec();
            let (values, keys): (Vec<_>, Vec<_>) = now.iter().map(|row| (Some(row.0), row.1)).unzip();
            let keep = walk.accept(&values, &keys, !later.is_empty()).unwrap();
            given.extend(now.iter().zip(keep.flags()).filter(|(_, kept)| **kept).map(|(row, _)| *row));
        }
        prop_assert_eq!(given, rows);
    }
}

#[test]
fn a_thousand_rows_of_one_moment() {
    let rows = (1..=1_000)
        .map(|id| {
            (
                id,
                Row {
                    cursor: Some(SECOND),
                    part: 0,
                },
            )
        })
        .collect();
    let mut service = Service {
        rows,
        now: 1_000 * SECOND,
        page: 100,
        requests: 0,
        clocks: Clocks::RIGHT,
    };
    let setup = Setup {
        split: false,
        nullable: false,
        only: None,
        pushes: false,
    };
    let mut copy = Copy::default();
    walk(
        &mut service,
        &mut copy,
        setup,
        &[],
        &BTreeMap::new(),
        &BTreeSet::new(),
    );
    assert_eq!((copy.given, copy.rows.len()), (1_000, 1_000));
    // The page that showed it, ten of the moment, and one above it.
    assert_eq!(service.requests, 12);
}

/// A list that grows as fast as it is read has an end.
#[test]
fn a_walk_does_not_chase_its_tail() {
    let rows = (1..=20)
        .map(|id| {
            (
                id,
                Row {
                    cursor: Some(id * SECOND),
                    part: 0,
                },
            )
        })
        .collect();
    let mut service = Service {
        rows,
        now: 30 * SECOND,
        page: 3,
        requests: 0,
        clocks: Clocks::RIGHT,
    };
    let setup = Setup {
        split: false,
        nullable: false,
        only: None,
        pushes: false,
    };
    let mut copy = Copy::default();
    let touches: Vec<_> = (0..=255).cycle().take(4_000).map(Mutation::Touch).collect();
    walk(
        &mut service,
        &mut copy,
        setup,
        &touches,
        &BTreeMap::new(),
        &BTreeSet::new(),
    );
    assert!(service.requests < 100, "{}", service.requests);
    let ids: BTreeSet<_> = copy.rows.keys().copied().collect();
    assert_eq!(ids, (1..=20).collect());
}

/// The server's time comes in whole seconds: what changed in the second before the walk is read by it.
#[test]
fn the_second_in_which_a_walk_begins_is_read() {
    let rows: BTreeMap<_, _> = (1..=4)
        .map(|id| {
            (
                id,
                Row {
                    cursor: Some(30 * SECOND + id * SECOND / 10),
                    part: 0,
                },
            )
        })
        .collect();
    let mut service = Service {
        rows: rows.clone(),
        now: 30 * SECOND + 900_000,
        page: 1,
        requests: 0,
        clocks: Clocks::RIGHT,
    };
    let setup = Setup {
        split: false,
        nullable: false,
        only: None,
        pushes: false,
    };
    let mut copy = Copy::default();
    walk(
        &mut service,
        &mut copy,
        setup,
        &[],
        &BTreeMap::new(),
        &BTreeSet::new(),
    );
    assert_eq!(copy.rows, rows);
}

#[test]
fn faults() {
    let rules = WalkRules {
        look_back: Duration::ZERO,
        nullable: false,
        parts: vec![0],
    };
    let accept = |cursors: &[Option<i64>], more| {
        let cursors: Vec<_> = cursors.iter().map(|cursor| cursor.map(instant)).collect();
        let ids: Vec<i64> = (1..).take(cursors.len()).collect();
        let seen = Seen {
            cursors: &cursors,
            ids: &ids,
            more,
            moment: given(instant(0)),
        };
        ChangeWalk::new(rules.clone(), Checkpoint::default())
            .accept(seen)
            .map(|_| ())
    };
    assert_eq!(accept(&[Some(2), Some(1)], true), Err(Fault::Disorder));
    assert_eq!(accept(&[], true), Err(Fault::EmptyPage));
    assert_eq!(accept(&[None], false), Err(Fault::MissingValue));
    assert_eq!(accept(&[], false), Ok(()));
}

#[test]
fn a_row_without_a_value_is_given_once_and_the_list_goes_on() {
    let mut walk = KeysetWalk::<i64, &str>::new(false);
    let mut accept = |values: &[Option<i64>], keys: &[&'static str], more| {
        let keep = walk.accept(values, keys, more).unwrap();
        (keep.flags().to_vec(), walk.ask().cloned())
    };
    assert_eq!(
        accept(&[None, None], &["a", "b"], true),
        (vec![true, true], Some(Next::Link))
    );
    assert_eq!(
        accept(&[Some(1), None, Some(3)], &["c", "d", "e"], true),
        (vec![true; 3], Some(Next::Link))
    );
    assert_eq!(
        accept(&[Some(3), Some(4)], &["f", "g"], true),
        (vec![true, true], Some(Next::From(4)))
    );
    // The next answer has the value.
    assert_eq!(
        accept(&[Some(4), Some(4), None], &["g", "d", "h"], false),
        (vec![false, false, true], None)
    );
}

#[test]
fn a_list_that_breaks_off_is_not_believed() {
    let mut walk = KeysetWalk::<i64, i64>::new(false);
    walk.accept(&[Some(1), Some(2)], &[1, 2], true).unwrap();
    assert_eq!(walk.accept(&[], &[], false), Err(Fault::BrokenOff));

    // What was not seen of a first load is read by the next run, not taken for read.
    let rules = WalkRules {
        look_back: Duration::ZERO,
        nullable: false,
        parts: vec![0],
    };
    let mut walk = ChangeWalk::new(rules, Checkpoint::default());
    let page = |cursors, ids, more| Seen {
        cursors,
        ids,
        more,
        moment: given(instant(90)),
    };
    let cursors = [Some(instant(1)), Some(instant(2))];
    walk.accept(page(&cursors, &[1, 2], true)).unwrap();
    walk.accept(page(&[], &[], false)).unwrap();
    assert_eq!(walk.checkpoint().mark, Some(instant(2)));
}

/// Where a walk without more pages leaves its mark.
#[test]
fn marks() {
    let at = |second: i64| instant(second * SECOND);
    let old = |second| Checkpoint {
        mark: Some(at(second)),
        ..Checkpoint::default()
    };
    // (checkpoint, highest seen, the server's time, ours) -> mark
    let (new, now) = (Checkpoint::default, Some(90));
    let cases = [
        (new(), Some(50), now, 90, Some(50)),
        // A row from the future.
        (new(), Some(95), now, 90, Some(90)),
        // An empty answer proves nothing.
        (new(), None, now, 90, None),
        (old(60), Some(80), now, 90, Some(80)),
        // The row at the old mark is gone; going back would only read more.
        (old(60), Some(59), now, 90, Some(60)),
        (old(60), None, now, 90, Some(60)),
        // A clock that is wrong.
        (new(), Some(95), Some(200), 90, Some(90)),
        (new(), Some(95), Some(20), 90, Some(20)),
        (new(), Some(95), now, 200, Some(90)),
        (new(), Some(95), None, 90, Some(90)),
        (new(), Some(50), None, 200, Some(50)),
    ];
    for (checkpoint, highest, service, own, expected) in cases {
        let rules = WalkRules {
            look_back: Duration::from_secs(10),
            nullable: false,
            parts: vec![0],
        };
        let cursors: Vec<_> = highest.map(|second| Some(at(second))).into_iter().collect();
        let ids: Vec<i64> = (1..).take(cursors.len()).collect();
        let mut walk = ChangeWalk::new(rules, checkpoint.clone());
        let seen = Seen {
            cursors: &cursors,
            ids: &ids,
            more: false,
            moment: Moment::new(service.map(at), at(own)),
        };
        walk.accept(seen).unwrap();
        assert_eq!(walk.ask(), None);
        assert_eq!(
            walk.checkpoint().mark,
            expected.map(at),
            "{checkpoint:?} {highest:?}"
        );
    }
}

#[test]
fn a_new_walk_looks_back_and_a_resumed_one_does_not() {
    let rules = || WalkRules {
        look_back: Duration::from_secs(10),
        nullable: false,
        parts: vec![0],
    };
    let mark = Some(instant(60 * SECOND));
    let mut walk = ChangeWalk::new(
        rules(),
        Checkpoint {
            mark,
            ..Checkpoint::default()
        },
    );
    assert_eq!(walk.ask().unwrap().rows, Rows::From(instant(50 * SECOND)));
    let cursors = [Some(instant(55 * SECOND)), Some(instant(58 * SECOND))];
    let time = instant(90 * SECOND);
    walk.accept(Seen {
        cursors: &cursors,
        ids: &[1, 2],
        more: true,
        moment: given(time),
    })
    .unwrap();
    let resumed = ChangeWalk::new(rules(), walk.checkpoint());
    assert_eq!(
        resumed.ask().unwrap().rows,
        Rows::From(instant(58 * SECOND))
    );
}

/// A list may end in rows whose dates are yet to come; those that its pages part are read as well.
#[test]
fn rows_from_the_future_are_read_to_the_end() {
    let rows: BTreeMap<_, _> = (1..=20)
        .map(|id| {
            let cursor = Some((if id < 5 { id } else { 1_000 + id }) * SECOND);
            (id, Row { cursor, part: 0 })
        })
        .collect();
    let mut service = Service {
        rows: rows.clone(),
        now: 30 * SECOND,
        page: 3,
        requests: 0,
        clocks: Clocks::RIGHT,
    };
    let setup = Setup {
        split: false,
        nullable: false,
        only: None,
        pushes: false,
    };
    let mut copy = Copy::default();
    let quiet = (BTreeMap::new(), BTreeSet::new());
    walk(&mut service, &mut copy, setup, &[], &quiet.0, &quiet.1);
    assert_eq!(copy.rows, rows);
    assert_eq!(copy.checkpoint.mark, Some(instant(30 * SECOND)));
}

/// Each part of a split walk has a mark of its own: what one has shown says nothing about another.
#[test]
fn a_part_that_breaks_off_or_is_empty_is_read_on_from_its_own_mark() {
    let rules = || WalkRules {
        look_back: Duration::ZERO,
        nullable: false,
        parts: vec![0, 1, 2],
    };
    let seen = |cursors, ids, more| Seen {
        cursors,
        ids,
        more,
        moment: given(instant(90)),
    };
    let checkpoint = Checkpoint {
        split: true,
        ..Checkpoint::default()
    };
    let mut walk = ChangeWalk::new(rules(), checkpoint);
    let early = [Some(instant(10)), Some(instant(50))];
    walk.accept(seen(&early, &[1, 2], true)).unwrap();
    walk.accept(seen(&[], &[], false)).unwrap();
    // The program dies between two parts.
    let mut walk = ChangeWalk::new(rules(), walk.checkpoint());
    walk.accept(seen(&[], &[], false)).unwrap();
    let late = [Some(instant(80))];
    walk.accept(seen(&late, &[3], false)).unwrap();
    assert_eq!(walk.ask(), None);

    let mut next = ChangeWalk::new(rules(), walk.checkpoint());
    for (part, rows) in [
        (0, Rows::From(instant(50))),
        (1, Rows::All),
        (2, Rows::From(instant(80))),
    ] {
        let part = Some(part);
        assert_eq!(next.ask(), Some(Ask { rows, part }));
        next.accept(seen(&[], &[], false)).unwrap();
    }
}
