//! Rows that left and are kept, and versions of rows.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, TimeUnit, TimestampMicrosecondType};
use chrono::DateTime;
use serde_json::json;

use super::fixture::{
    Bench, batch, column, counts, delete, error, key_texts, plan, record, rows, staged, upsert,
};
use crate::{
    ACTIVE, Change, Counts, DELETED, END, Load, LoadPlan, Replacement, Retention, RowFilter, START,
    Scalar, Target, code,
};

/// The moment of the loads, in seconds since 1970.
const NOW: i64 = 50;

fn marking() -> LoadPlan {
    LoadPlan {
        retention: Retention::Deleted,
        ..plan()
    }
}

fn leave(text: &str) -> Change {
    Change::Leave(rows(text))
}

fn of_kind(kind: &str) -> RowFilter {
    RowFilter(vec![("Kind".into(), Scalar::Text(kind.into()))])
}

async fn commit(load: &dyn Load, change: Change) -> Counts {
    load.write("s", change).await.unwrap();
    load.commit("s", Some(json!(1))).await.unwrap()
}

/// Where nothing is kept, a row that leaves is deleted, whatever its values.
pub async fn leaving_deletes(bench: Bench) {
    bench.put("a 1 x 1, a 2 y 2").await;
    let load = bench.load(plan()).await;
    let gone = commit(&*load, leave("a 1 other 9, a 7 z 7")).await;
    assert_eq!(gone, counts(0, 0, 0, 1));
    assert_eq!(bench.rows().await, ["a 2 y 2"]);
    assert_eq!(bench.counted().await, 1);
}

/// Rows that are deleted stay, marked, and are no longer among the keys; a mark counts once, and no row less.
pub async fn deletes_mark(bench: Bench) {
    let load = bench.load(marking()).await;
    commit(&*load, upsert("a 1 x 1, a 2 y 2, b 1 z 3, b 2 w 4")).await;
    for (change, deleted) in [
        (delete("a 1, a 9"), 1),
        (delete("a 1"), 0),
        (Change::DeleteWhere(of_kind("b")), 2),
        (Change::DeleteWhere(of_kind("b")), 0),
    ] {
        assert_eq!(commit(&*load, change).await, counts(0, 0, 0, deleted));
    }
    let all = [
        "a 1 x 1 true",
        "a 2 y 2 false",
        "b 1 z 3 true",
        "b 2 w 4 true",
    ];
    assert_eq!(bench.rows().await, all);
    assert_eq!(bench.counted().await, 4);
    let keys = load.keys(&RowFilter::default()).await.unwrap();
    assert_eq!(key_texts(&keys), ["a 2"]);
}

/// A row that returns is no longer marked, and counts as updated; an equal one that is there is not written.
pub async fn returning_unmarks(bench: Bench) {
    let load = bench.load(marking()).await;
    commit(&*load, upsert("a 1 x 1, a 2 y 2")).await;
    commit(&*load, delete("a 1")).await;
    let back = commit(&*load, upsert("a 1 x 1, a 2 y 2")).await;
    assert_eq!(back, counts(0, 1, 1, 0));
    assert_eq!(bench.rows().await, ["a 1 x 1 false", "a 2 y 2 false"]);
}

/// A row that leaves is marked with the values that it has now; one that the table lacks is not added.
pub async fn leaving_marks(bench: Bench) {
    let load = bench.load(marking()).await;
    commit(&*load, upsert("a 1 x 1, a 2 y 2")).await;
    let gone = commit(&*load, leave("a 1 new 9, a 7 z 7")).await;
    assert_eq!(gone, counts(0, 0, 0, 1));
    assert_eq!(bench.rows().await, ["a 1 new 9 true", "a 2 y 2 false"]);
    let same = commit(&*load, leave("a 1 new 9")).await;
    assert_eq!(same, Counts::default());
    let again = commit(&*load, leave("a 1 newer 9")).await;
    assert_eq!(again, counts(0, 1, 0, 0));
}

/// A replacement marks what it lacks, and leaves it alone where it replaces what is present only; what is marked in
/// the staging is marked in the table.
pub async fn replacements_mark(bench: Bench) {
    let load = bench.load(marking()).await;
    commit(&*load, upsert("a 1 x 1, a 2 y 2, a 3 z 3")).await;
    load.finish(None).await.unwrap();
    let stage = |load: u64| LoadPlan {
        retention: Retention::Deleted,
        ..staged(load)
    };
    let load = bench.load(stage(2)).await;
    commit(&*load, upsert("a 1 x 1, a 2 new 2, b 1 u 1")).await;
    let done = load.apply(Replacement::Rows, record(2)).await.unwrap();
    assert_eq!(done, counts(1, 1, 1, 1));
    load.finish(None).await.unwrap();
    let load = bench.load(stage(3)).await;
    commit(&*load, upsert("a 3 z 3, b 1 u 1")).await;
    commit(&*load, delete("b 1")).await;
    let done = load.apply(Replacement::Present, record(3)).await.unwrap();
    assert_eq!(done, counts(0, 2, 0, 0));
    load.finish(None).await.unwrap();
    let all = [
        "a 1 x 1 false",
        "a 2 new 2 false",
        "a 3 z 3 false",
        "b 1 u 1 true",
    ];
    assert_eq!(bench.rows().await, all);
    assert_eq!(bench.counted().await, 4);
}

/// What a replacement of the present rows lacks stays, where nothing is kept as well.
pub async fn replacements_of_the_present(bench: Bench) {
    bench.put("a 1 x 1, a 2 y 2").await;
    let load = bench.load(staged(2)).await;
    commit(&*load, upsert("a 2 new 2, a 3 z 3")).await;
    let done = load.apply(Replacement::Present, record(2)).await.unwrap();
    assert_eq!(done, counts(1, 1, 0, 0));
    assert_eq!(bench.rows().await, ["a 1 x 1", "a 2 new 2", "a 3 z 3"]);
    assert_eq!(bench.counted().await, 3);
}

/// A table begins to keep rows that left with none marked; when it keeps them no longer, those marked stay as they
/// are until they are written or deleted.
pub async fn marks_come_and_go(bench: Bench) {
    bench.put("a 1 x 1, a 2 y 2, a 3 z 3").await;
    let load = bench.load(marking()).await;
    assert_eq!(bench.rows().await.len(), 3);
    commit(&*load, delete("a 1, a 2, a 3")).await;
    load.finish(None).await.unwrap();
    let load = bench.load(plan()).await;
    let back = commit(&*load, upsert("a 1 x 1")).await;
    assert_eq!(back, counts(0, 1, 0, 0));
    let keys = load.keys(&RowFilter::default()).await.unwrap();
    assert_eq!(key_texts(&keys), ["a 1", "a 2", "a 3"]);
    assert_eq!(commit(&*load, delete("a 2")).await, counts(0, 0, 0, 1));
    assert_eq!(bench.rows().await, ["a 1 x 1 false", "a 3 z 3 true"]);
    load.finish(None).await.unwrap();
    let load = bench.load(staged(2)).await;
    commit(&*load, upsert("a 1 x 1, a 3 z 3")).await;
    let done = load.apply(Replacement::Rows, record(2)).await.unwrap();
    assert_eq!(done, counts(0, 1, 1, 0));
    assert!(bench.open().inspect(&bench.table).await.unwrap().is_ours());
}

/// What needs a key is refused without one, and names that are reserved are.
pub async fn what_cannot_be_kept(bench: Bench) {
    let mut named = marking();
    named.columns[2] = column("_CDATASYNC_DELETED", DataType::Utf8);
    let keyless = LoadPlan {
        key: Vec::new(),
        target: Target::Staging,
        ..marking()
    };
    let mut no_instant = versioned();
    no_instant.columns[3] = column("Size", DataType::Int64);
    for plan in [named, keyless, no_instant] {
        let load = bench.lease().await.unwrap();
        assert_eq!(error(load.begin(plan).await).code(), code::UNSUPPORTED);
    }
}

fn versioned() -> LoadPlan {
    let mut versioned = plan();
    versioned.columns[3] = column("Size", instant());
    versioned.retention = Retention::Versions {
        change: "Size".into(),
        now: DateTime::from_timestamp(NOW, 0).unwrap(),
    };
    versioned
}

fn instant() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into()))
}

/// Rows of `Kind Id Title Start`, the start in seconds since 1970.
fn since(text: &str) -> RecordBatch {
    let plain = rows(text);
    let seconds = plain.column(3).as_primitive::<Int64Type>();
    let micros = seconds.unary::<_, Int64Type>(|second| second * 1_000_000);
    let starts = cast(&micros, &instant()).unwrap();
    let column = |index: usize| plain.column(index).clone();
    batch(vec![
        ("Kind", column(0)),
        ("Id", column(1)),
        ("Title", column(2)),
        ("Size", starts),
    ])
}

/// The versions as `Kind Id Title Start..End`, sorted.
async fn versions(bench: &Bench) -> Vec<String> {
    let columns = ["Kind", "Id", "Title", ACTIVE, START, END, "Size"];
    let mut texts = Vec::new();
    for batch in bench.batches(&columns, &[], None).await.unwrap() {
        let moment = |index: usize, row: usize| {
            let moments = batch
                .column(index)
                .as_primitive::<TimestampMicrosecondType>();
            moments
                .is_valid(row)
                .then(|| moments.value(row) / 1_000_000)
        };
        for row in 0..batch.num_rows() {
            let kind = batch.column(0).as_string::<i32>().value(row);
            let id = batch.column(1).as_primitive::<Int64Type>().value(row);
            let title = batch.column(2).as_string::<i32>().value(row);
            let (start, end) = (moment(4, row), moment(5, row));
            assert_eq!(start, moment(6, row));
            assert_eq!(batch.column(3).as_boolean().value(row), end.is_none());
            let end = end.map_or_else(String::new, |end| end.to_string());
            texts.push(format!("{kind} {id} {title} {:02}..{end}", start.unwrap()));
        }
    }
    texts.sort();
    texts
}

/// A changed row is another version, and the one before ends where it starts. What is equal is not written; another
/// content of the same start updates that version; an older start is inserted between.
pub async fn changes_are_versions(bench: Bench) {
    let load = bench.load(versioned()).await;
    for (text, expected) in [
        ("a 1 x 10, a 2 y 10", counts(2, 0, 0, 0)),
        ("a 1 new 20, a 2 y 10", counts(1, 0, 1, 0)),
        ("a 1 newer 20", counts(0, 1, 0, 0)),
        ("a 1 between 15, a 1 first 05", counts(2, 0, 0, 0)),
        ("a 1 past 15, a 1 newer 20", counts(0, 1, 1, 0)),
    ] {
        let done = commit(&*load, Change::Upsert(since(text))).await;
        assert_eq!(done, expected, "{text}");
    }
    let all = [
        "a 1 first 05..10",
        "a 1 newer 20..",
        "a 1 past 15..20",
        "a 1 x 10..15",
        "a 2 y 10..",
    ];
    assert_eq!(versions(&bench).await, all);
    assert_eq!(bench.counted().await, 5);
    let keys = load.keys(&of_kind("a")).await.unwrap();
    assert_eq!(key_texts(&keys), ["a 1", "a 2"]);
    assert!(bench.open().inspect(&bench.table).await.unwrap().is_ours());
}

/// A row that is no more, or leaves, closes its active version: at the moment of the load, or at the start of what it
/// is now. It never ends before it starts. If it returns, it goes on, or is another version.
pub async fn leaving_closes(bench: Bench) {
    let load = bench.load(versioned()).await;
    let first = "a 1 x 10, a 2 y 10, a 3 z 90, b 1 u 10, b 2 v 10";
    commit(&*load, Change::Upsert(since(first))).await;
    let gone = commit(&*load, delete("a 1, a 3, a 9")).await;
    assert_eq!(gone, counts(0, 0, 0, 2));
    let left = commit(&*load, Change::Leave(since("a 2 other 30, a 8 o 30"))).await;
    assert_eq!(left, counts(0, 0, 0, 1));
    let gone = commit(&*load, Change::DeleteWhere(of_kind("b"))).await;
    assert_eq!(gone, counts(0, 0, 0, 2));
    for again in [delete("a 1"), Change::Leave(since("a 2 other 40"))] {
        assert_eq!(commit(&*load, again).await, Counts::default());
    }
    assert!(load.keys(&RowFilter::default()).await.unwrap().is_empty());
    let back = "a 1 x 10, a 2 back 60, b 1 changed 10";
    let back = commit(&*load, Change::Upsert(since(back))).await;
    assert_eq!(back, counts(1, 2, 0, 0));
    let all = [
        "a 1 x 10..",
        "a 2 back 60..",
        "a 2 y 10..30",
        "a 3 z 90..90",
        "b 1 changed 10..",
        "b 2 v 10..50",
    ];
    assert_eq!(versions(&bench).await, all);
    assert_eq!(bench.counted().await, 6);
}

/// A table begins or ceases to keep versions only if it is dropped and made anew.
pub async fn versions_begin_with_the_table(bench: Bench) {
    let (mut plain, kept) = (versioned(), versioned());
    plain.retention = Retention::Nothing;
    for (before, after) in [(plain.clone(), kept.clone()), (kept, plain)] {
        let load = bench
            .load(LoadPlan {
                target: Target::Recreate,
                ..before
            })
            .await;
        commit(&*load, Change::Upsert(since("a 1 x 10"))).await;
        load.apply(Replacement::Table, record(1)).await.unwrap();
        load.finish(None).await.unwrap();
        let rows = bench.rows().await;
        for target in [Target::Table, Target::Staging] {
            let load = bench.lease().await.unwrap();
            let plan = LoadPlan {
                target,
                ..after.clone()
            };
            let refused = error(load.begin(plan).await);
            assert_eq!(refused.code(), code::INCOMPATIBLE);
            assert!(refused.hint().unwrap().contains("DropTable"));
        }
        assert_eq!(bench.rows().await, rows);
    }
}

/// A staging has versions, too, and they are the table's once it is applied.
pub async fn versions_are_staged(bench: Bench) {
    let load = bench
        .load(LoadPlan {
            target: Target::Recreate,
            ..versioned()
        })
        .await;
    commit(&*load, Change::Upsert(since("a 1 x 10, a 2 y 10"))).await;
    commit(&*load, Change::Upsert(since("a 1 new 20"))).await;
    commit(&*load, delete("a 2")).await;
    let done = load.apply(Replacement::Table, record(1)).await.unwrap();
    assert_eq!(done.inserted, 3);
    let all = ["a 1 new 20..", "a 1 x 10..20", "a 2 y 10..50"];
    assert_eq!(versions(&bench).await, all);
    assert_eq!(bench.counted().await, 3);
}

/// Versions that come in any order, and rows that leave and return: the table is that of a model that does the same.
pub async fn versions_at_random(bench: Bench) {
    type Versions = BTreeMap<i64, (String, Option<i64>)>;
    let mut random = fastrand::Rng::with_seed(7);
    let mut model: BTreeMap<i64, Versions> = BTreeMap::new();
    let load = bench.load(versioned()).await;
    for step in 0..300 {
        let (id, start) = (random.i64(1..4), random.i64(10..90));
        let of_row = model.entry(id).or_default();
        let mut close = |at: i64| {
            if let Some((start, (_, end))) = of_row.iter_mut().next_back() {
                *end = end.or(Some(at.max(*start)));
            }
        };
        let change = match random.u8(0..8) {
            0 => {
                close(NOW);
                delete(&format!("a {id}"))
            }
            1 => {
                close(start);
                Change::Leave(since(&format!("a {id} gone {start}")))
            }
            _ => {
                let title = ["x", "y", "z"][random.usize(0..3)];
                let next = of_row.range(start + 1..).next().map(|(start, _)| *start);
                let end = match of_row.get(&start) {
                    Some((_, end)) if next.is_some() => *end,
                    _ => next,
                };
                if !of_row.contains_key(&start)
                    && let Some((_, (_, end))) = of_row.range_mut(..start).next_back()
                {
                    *end = Some(end.map_or(start, |end| end.min(start)));
                }
                of_row.insert(start, (title.to_owned(), end));
                Change::Upsert(since(&format!("a {id} {title} {start}")))
            }
        };
        commit(&*load, change).await;
        let mut expected = Vec::new();
        for (id, of_row) in &model {
            for (start, (title, end)) in of_row {
                let end = end.map_or_else(String::new, |end| end.to_string());
                expected.push(format!("a {id} {title} {start:02}..{end}"));
            }
        }
        expected.sort();
        assert_eq!(versions(&bench).await, expected, "step {step}");
        assert_eq!(bench.counted().await, expected.len() as u64, "step {step}");
    }
}

/// Rows that come, leave and return under marks: the table is that of a model that does the same.
pub async fn marks_at_random(bench: Bench) {
    let mut random = fastrand::Rng::with_seed(11);
    let mut model: BTreeMap<i64, (String, bool)> = BTreeMap::new();
    let load = bench.load(marking()).await;
    for step in 0..300 {
        let id = random.i64(1..5);
        let title = ["x", "y", "z"][random.usize(0..3)];
        let row = format!("a {id} {title} 1");
        let change = match random.u8(0..4) {
            0 => {
                if let Some((_, left)) = model.get_mut(&id) {
                    *left = true;
                }
                delete(&format!("a {id}"))
            }
            1 => {
                if let Some(row) = model.get_mut(&id) {
                    *row = (title.to_owned(), true);
                }
                leave(&row)
            }
            _ => {
                model.insert(id, (title.to_owned(), false));
                upsert(&row)
            }
        };
        commit(&*load, change).await;
        let expected: Vec<String> = model
            .iter()
            .map(|(id, (title, left))| format!("a {id} {title} 1 {left}"))
            .collect();
        let columns = ["Kind", "Id", "Title", "Size", DELETED];
        assert_eq!(
            bench.read(&columns, &[], None).await,
            expected,
            "step {step}"
        );
    }
}
