//! Operations at random against a simple model.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Deed;
use super::fixture::{Bench, counts, delete, plan, record, staged, upsert};
use crate::{Change, Counts, Load, LoadPlan, Replacement, RowFilter, Scalar};

type Rows = BTreeMap<(String, i64), (String, i64)>;

/// What the store should hold.
#[derive(Clone, Default)]
struct Model {
    rows: Rows,
    checkpoints: BTreeMap<String, Value>,
}

impl Model {
    fn texts(&self) -> Vec<String> {
        let mut texts: Vec<String> = self
            .rows
            .iter()
            .map(|((kind, id), (title, size))| format!("{kind} {id} {title} {size}"))
            .collect();
        texts.sort();
        texts
    }

    fn upsert(&mut self, rows: &[(String, i64, String, i64)]) -> Counts {
        let last: BTreeMap<(String, i64), (String, i64)> = rows
            .iter()
            .map(|(kind, id, title, size)| ((kind.clone(), *id), (title.clone(), *size)))
            .collect();
        let mut done = Counts::default();
        for (key, row) in last {
            done += match self.rows.insert(key, row.clone()) {
                None => counts(1, 0, 0, 0),
                Some(old) if old == row => counts(0, 0, 1, 0),
                Some(_) => counts(0, 1, 0, 0),
            };
        }
        done
    }

    fn delete(&mut self, gone: impl Fn(&(String, i64)) -> bool) -> Counts {
        let before = self.rows.len();
        self.rows.retain(|key, _| !gone(key));
        counts(0, 0, 0, (before - self.rows.len()) as u64)
    }
}

/// One slice's uncommitted changes, as done to the model when they are committed.
type Work = Vec<Box<dyn Fn(&mut Model) -> Counts>>;

const SLICES: [&str; 3] = ["one", "two", "three"];

/// Whatever is written, committed, discarded, dropped, staged, applied and emptied, in any order: rows,
/// counts and checkpoints are those of a model that does the same.
///
/// A seed is named by a failure; the sequence of each is always the same.
pub async fn operations(bench: Bench) {
    for seed in 0..12 {
        let bench = bench.other(crate::TableName::bare(format!("Random {seed}")));
        run(&bench, seed).await;
    }
}

async fn run(bench: &Bench, seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut table = Model::default();
    for number in 0..6_u64 {
        let is_staged = random.u8(0..3) == 0;
        let mut plan = if is_staged { staged(number) } else { plan() };
        plan.forget_checkpoints = random.u8(0..5) == 0;
        if plan.forget_checkpoints && !is_staged {
            table.checkpoints.clear();
        }
        let load = bench
            .load(LoadPlan {
                record: json!(number),
                ..plan
            })
            .await;
        let mut written = if is_staged {
            Model::default()
        } else {
            table.clone()
        };
        let mut open: BTreeMap<&str, Work> = BTreeMap::new();
        for step in 0..40 {
            let at = format!("seed {seed}, load {number}, step {step}");
            act(&*load, &mut random, &mut written, &mut open, &at).await;
            if !is_staged && random.u8(0..8) == 0 {
                assert_eq!(bench.rows().await, written.texts(), "{at}");
                assert_eq!(
                    bench.checkpoints().await,
                    json!(written.checkpoints),
                    "{at}"
                );
            }
        }
        if is_staged {
            assert_eq!(
                bench.rows().await,
                table.texts(),
                "seed {seed}, load {number}"
            );
            if random.bool() {
                let done = load.apply(Replacement::Rows, record(2)).await.unwrap();
                assert_eq!(
                    done,
                    replaced(&table.rows, &written.rows),
                    "seed {seed}, load {number}"
                );
                table = written;
            }
        } else {
            table = written;
        }
        if random.bool() {
            drop(load)
        } else {
            load.finish(None).await.unwrap()
        }
        let at = format!("seed {seed}, after load {number}");
        assert_eq!(bench.rows().await, table.texts(), "{at}");
        assert_eq!(bench.checkpoints().await, json!(table.checkpoints), "{at}");
        assert_eq!(bench.counted().await, table.rows.len() as u64, "{at}");
        if random.u8(0..4) == 0 && !table.rows.is_empty() {
            let deed = if random.bool() {
                Deed::EmptyTable
            } else {
                Deed::DropTable
            };
            if bench.user(deed).await {
                table = Model::default();
            }
        }
    }
}

fn replaced(old: &Rows, new: &Rows) -> Counts {
    let mut done = counts(
        0,
        0,
        0,
        old.keys().filter(|key| !new.contains_key(*key)).count() as u64,
    );
    for (key, row) in new {
        done += match old.get(key) {
            None => counts(1, 0, 0, 0),
            Some(other) if other == row => counts(0, 0, 1, 0),
            Some(_) => counts(0, 1, 0, 0),
        };
    }
    done
}

async fn act(
    load: &dyn Load,
    random: &mut fastrand::Rng,
    model: &mut Model,
    open: &mut BTreeMap<&str, Work>,
    at: &str,
) {
    let slice = SLICES[random.usize(0..SLICES.len())];
    let kind = |random: &mut fastrand::Rng| ["a", "b", "c"][random.usize(0..3)].to_owned();
    let work = open.entry(slice).or_default();
    match random.u8(0..10) {
        0..=3 => {
            let rows: Vec<(String, i64, String, i64)> = (0..random.usize(0..8))
                .map(|_| {
                    let title = ["x", "y", "z"][random.usize(0..3)].to_owned();
                    (kind(random), random.i64(0..10), title, random.i64(0..3))
                })
                .collect();
            let text: Vec<String> = rows
                .iter()
                .map(|(k, id, title, size)| format!("{k} {id} {title} {size}"))
                .collect();
            load.write(slice, upsert(&text.join(","))).await.unwrap();
            work.push(Box::new(move |model| model.upsert(&rows)));
        }
        4 => {
            let key = (kind(random), random.i64(0..10));
            load.write(slice, delete(&format!("{} {}", key.0, key.1)))
                .await
                .unwrap();
            work.push(Box::new(move |model| model.delete(|k| *k == key)));
        }
        5 => {
            let kind = kind(random);
            let filter = RowFilter(vec![("Kind".into(), Scalar::Text(kind.clone()))]);
            load.write(slice, Change::DeleteWhere(filter))
                .await
                .unwrap();
            work.push(Box::new(move |model| model.delete(|k| k.0 == kind)));
        }
        6 => {
            let (kind, size) = (kind(random), random.i64(0..3));
            let rows = RowFilter(vec![("Kind".into(), Scalar::Text(kind.clone()))]);
            let set = vec![("Size".into(), Scalar::Int(size))];
            load.write(slice, Change::Assign { rows, set })
                .await
                .unwrap();
            work.push(Box::new(move |model| {
                let mut done = Counts::default();
                for (_, row) in model.rows.iter_mut().filter(|(key, _)| key.0 == kind) {
                    done.updated += u64::from(row.1 != size);
                    row.1 = size;
                }
                done
            }));
        }
        7 => {
            load.discard(slice).await.unwrap();
            work.clear();
        }
        _ => {
            let checkpoint = random.bool().then(|| json!(random.u32(..)));
            let mut expected = Counts::default();
            for change in std::mem::take(work) {
                expected += change(model);
            }
            if let Some(checkpoint) = &checkpoint {
                model
                    .checkpoints
                    .insert(slice.to_owned(), checkpoint.clone());
            }
            assert_eq!(
                load.commit(slice, checkpoint).await.unwrap(),
                expected,
                "{at}"
            );
        }
    }
}
