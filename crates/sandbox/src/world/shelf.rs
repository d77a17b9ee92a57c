//! The numbered objects of one repository (issues, pull requests).
//!
//! Objects are computed from their number when they are read. Held are only those that were
//! changed, and three orders of the numbers: 24 bytes an object.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::RangeInclusive;

use crate::clock::Timestamp;
use crate::query::Bounds;

/// Makes the objects that nobody has touched.
pub(crate) trait Generator {
    /// The object.
    type Item: Item;

    /// The whole object.
    fn item(&self, id: u32) -> Self::Item;
    /// Its time of creation, which never falls as numbers grow.
    fn created_on(&self, id: u32) -> Timestamp;
    /// Its time of last change.
    fn updated_on(&self, id: u32) -> Timestamp;
}

/// An object with a number and two times.
pub(crate) trait Item: Clone {
    fn id(&self) -> u32;
    fn created_on(&self) -> Timestamp;
    fn updated_on(&self) -> Timestamp;
}

/// Numbered objects with indexes over number, time of last change, and place in the table.
#[derive(Debug)]
pub(crate) struct Shelf<G: Generator> {
    pub(crate) generator: G,
    changed: HashMap<u32, G::Item>,
    /// Ascending.
    ids: Vec<u32>,
    /// Ascending; numbers are scattered so that objects of one time come in no useful order.
    by_update: Vec<(Timestamp, u32)>,
    /// The order of a list that is not sorted: where the rows lie. A changed row moves to the end.
    heap: Vec<u32>,
    /// When each changed row moved.
    moved: HashMap<u32, u64>,
    moves: u64,
    next_id: u32,
}

/// Scatters numbers reversibly: multiplication by an odd number modulo 2^32.
fn scatter(id: u32) -> u32 {
    id.wrapping_mul(0x9e37_79b1)
}

fn gather(scattered: u32) -> u32 {
    scattered.wrapping_mul(INVERSE)
}

/// The inverse of the factor above modulo 2^32, by Newton's iteration.
const INVERSE: u32 = {
    let factor: u32 = 0x9e37_79b1;
    let mut inverse = factor;
    let mut n = 0;
    while n < 5 {
        inverse = inverse.wrapping_mul(2_u32.wrapping_sub(factor.wrapping_mul(inverse)));
        n += 1;
    }
    inverse
};

/// The orders an index can give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// By number, which is also by time of creation.
    Id,
    /// By time of last change.
    Update,
}

/// Numbers in some order.
#[derive(Debug)]
pub(crate) enum Selection<'a> {
    Ids(&'a [u32]),
    Updates(&'a [(Timestamp, u32)]),
    Owned(Vec<u32>),
}

impl Selection<'_> {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Ids(ids) => ids.len(),
            Self::Updates(updates) => updates.len(),
            Self::Owned(ids) => ids.len(),
        }
    }

    pub(crate) fn get(&self, at: usize) -> u32 {
        match self {
            Self::Ids(ids) => ids[at],
            Self::Updates(updates) => gather(updates[at].1),
            Self::Owned(ids) => ids[at],
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> {
        (0..self.len()).map(|at| self.get(at))
    }
}

impl<G: Generator> Shelf<G> {
    /// A shelf of the generator's objects 1 to `count`.
    pub(crate) fn new(generator: G, count: u32) -> Self {
        let ids: Vec<u32> = (1..=count).collect();
        let mut by_update: Vec<_> = ids
            .iter()
            .map(|id| (generator.updated_on(*id), scatter(*id)))
            .collect();
        by_update.sort_unstable();
        Self {
            generator,
            changed: HashMap::new(),
            heap: ids.clone(),
            ids,
            by_update,
            moved: HashMap::new(),
            moves: 0,
            next_id: count + 1,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    /// The number the next object gets.
    pub(crate) fn next_id(&self) -> u32 {
        self.next_id
    }

    pub(crate) fn get(&self, id: u32) -> Option<Cow<'_, G::Item>> {
        self.ids.binary_search(&id).ok().map(|_| self.item(id))
    }

    /// The object with a number known to exist.
    pub(crate) fn item(&self, id: u32) -> Cow<'_, G::Item> {
        match self.changed.get(&id) {
            Some(item) => Cow::Borrowed(item),
            None => Cow::Owned(self.generator.item(id)),
        }
    }

    /// The changed form of an object, if it was ever changed or added.
    pub(crate) fn changed(&self, id: u32) -> Option<&G::Item> {
        self.changed.get(&id)
    }

    fn created_on(&self, id: u32) -> Timestamp {
        self.changed
            .get(&id)
            .map_or_else(|| self.generator.created_on(id), Item::created_on)
    }

    fn updated_on(&self, id: u32) -> Timestamp {
        self.changed
            .get(&id)
            .map_or_else(|| self.generator.updated_on(id), Item::updated_on)
    }

    /// Adds an object, or replaces the one with its number.
    pub(crate) fn put(&mut self, item: G::Item) {
        let id = item.id();
        self.remove(id);
        if let Err(at) = self.ids.binary_search(&id) {
            self.ids.insert(at, id);
        }
        let entry = (item.updated_on(), scatter(id));
        let at = self.by_update.partition_point(|other| *other < entry);
        self.by_update.insert(at, entry);
        self.heap.push(id);
        self.moves += 1;
        self.moved.insert(id, self.moves);
        self.next_id = self.next_id.max(id + 1);
        self.changed.insert(id, item);
    }

    /// Removes an object; whether there was one.
    pub(crate) fn remove(&mut self, id: u32) -> bool {
        let Ok(at) = self.ids.binary_search(&id) else {
            return false;
        };
        self.ids.remove(at);
        let entry = (self.updated_on(id), scatter(id));
        if let Ok(at) = self.by_update.binary_search(&entry) {
            self.by_update.remove(at);
        }
        if let Some(at) = self.heap.iter().position(|other| *other == id) {
            self.heap.remove(at);
        }
        self.moved.remove(&id);
        self.changed.remove(&id);
        true
    }

    /// The numbers of the objects within `bounds`, in the order asked for, lowest first; without
    /// one, as they lie.
    pub(crate) fn select(&self, bounds: &Bounds, by: Option<By>) -> Selection<'_> {
        let ids = self.within_ids(bounds);
        let updates = within(&self.by_update, &bounds.updated, |(at, _)| *at);
        let all_ids = ids.len() == self.ids.len();
        let all_updates = updates.len() == self.by_update.len();
        match by {
            Some(By::Update) if all_ids => return Selection::Updates(updates),
            Some(By::Id) if all_updates => return Selection::Ids(ids),
            None if all_ids && all_updates => return Selection::Ids(&self.heap),
            _ => {}
        }
        let mut chosen: Vec<u32> = if updates.len() <= ids.len() {
            let (low, high) = match (ids.first(), ids.last()) {
                (Some(low), Some(high)) => (*low, *high),
                _ => return Selection::Owned(Vec::new()),
            };
            let numbers = updates.iter().map(|(_, scattered)| gather(*scattered));
            numbers.filter(|id| (low..=high).contains(id)).collect()
        } else {
            let matching = |id: &u32| bounds.updated.contains(&self.updated_on(*id));
            ids.iter().copied().filter(matching).collect()
        };
        match by {
            Some(By::Id) => chosen.sort_unstable(),
            Some(By::Update) => {
                chosen.sort_unstable_by_key(|id| (self.updated_on(*id), scatter(*id)));
            }
            None => {
                chosen.sort_unstable_by_key(|id| (self.moved.get(id).copied().unwrap_or(0), *id));
            }
        }
        Selection::Owned(chosen)
    }

    fn within_ids(&self, bounds: &Bounds) -> &[u32] {
        let ids = within(&self.ids, &bounds.id, |id| u64::from(*id));
        within(ids, &bounds.created, |id| self.created_on(*id))
    }
}

/// The part of a sorted slice whose keys lie in `range`.
fn within<'a, T, K: Ord>(
    sorted: &'a [T],
    range: &RangeInclusive<K>,
    key: impl Fn(&T) -> K,
) -> &'a [T] {
    let low = sorted.partition_point(|item| key(item) < *range.start());
    let high = sorted.partition_point(|item| key(item) <= *range.end());
    &sorted[low..high.max(low)]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[derive(Debug)]
    struct Plain;

    #[derive(Debug, Clone)]
    struct Thing(u32, Timestamp, Timestamp);

    impl Item for Thing {
        fn id(&self) -> u32 {
            self.0
        }
        fn created_on(&self) -> Timestamp {
            self.1
        }
        fn updated_on(&self) -> Timestamp {
            self.2
        }
    }

    impl Generator for Plain {
        type Item = Thing;
        fn item(&self, id: u32) -> Thing {
            Thing(id, self.created_on(id), self.updated_on(id))
        }
        fn created_on(&self, id: u32) -> Timestamp {
            Timestamp(i64::from(id) * 10)
        }
        fn updated_on(&self, id: u32) -> Timestamp {
            Timestamp(i64::from(id) * 10 + i64::from(id * 7 % 5) * 30)
        }
    }

    proptest! {
        #[test]
        fn scattering_is_reversible(id in any::<u32>()) {
            prop_assert_eq!(gather(scatter(id)), id);
        }

        #[test]
        fn selections_are_what_a_scan_finds(
            count in 0u32..30,
            puts in prop::collection::vec((1u32..40, 0i64..500), 0..10),
            removes in prop::collection::vec(1u32..40, 0..10),
            (low, high) in (0i64..400, 0i64..400),
            (first, last) in (0u64..40, 0u64..40),
        ) {
            let mut shelf = Shelf::new(Plain, count);
            let mut model: Vec<Thing> = (1..=count).map(|id| Plain.item(id)).collect();
            for (id, at) in puts {
                let thing = Thing(id, Plain.created_on(id), Timestamp(at));
                shelf.put(thing.clone());
                model.retain(|other| other.0 != id);
                model.push(thing);
            }
            for id in removes {
                prop_assert_eq!(shelf.remove(id), model.iter().any(|thing| thing.0 == id));
                model.retain(|other| other.0 != id);
            }
            let bounds = Bounds {
                id: first..=last,
                updated: Timestamp(low)..=Timestamp(high),
                ..Bounds::default()
            };
            for bounds in [bounds, Bounds::default()] {
                let mut expected: Vec<&Thing> = model.iter().filter(|thing| {
                    bounds.id.contains(&u64::from(thing.0)) && bounds.updated.contains(&thing.2)
                }).collect();
                let ids = |by| shelf.select(&bounds, by).iter().collect::<Vec<_>>();
                let plain: Vec<u32> = expected.iter().map(|thing| thing.0).collect();
                prop_assert_eq!(ids(None), plain);
                expected.sort_by_key(|thing| thing.0);
                let by_id: Vec<u32> = expected.iter().map(|thing| thing.0).collect();
                prop_assert_eq!(ids(Some(By::Id)), by_id);
                expected.sort_by_key(|thing| thing.2);
                let times = |ids: Vec<u32>| ids.into_iter()
                    .map(|id| shelf.item(id).2).collect::<Vec<_>>();
                let by_update: Vec<Timestamp> = expected.iter().map(|thing| thing.2).collect();
                prop_assert_eq!(times(ids(Some(By::Update))), by_update);
            }
        }
    }
}
