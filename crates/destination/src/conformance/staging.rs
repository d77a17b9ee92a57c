//! Loads that replace the content of a table as a whole.

use arrow::datatypes::DataType;
use serde_json::json;

use super::Deed;
use super::fixture::{
    Bench, column, counts, delete, error, key_texts, plan, record, rows, staged, upsert,
};
use crate::{Change, Counts, Load, LoadPlan, Replacement, RowFilter, Scalar, Target, code};

async fn stage(load: &dyn Load, rows: &str) -> Counts {
    load.write("s", upsert(rows)).await.unwrap();
    load.commit("s", Some(json!("staged"))).await.unwrap()
}

/// What is staged is not seen in the table, nor are its checkpoints, until it is applied.
pub async fn apart_until_applied(bench: Bench) {
    bench.put("a 1 x 1, a 2 y 2").await;
    let load = bench.load(staged(2)).await;
    assert_eq!(
        stage(&*load, "a 2 new 2, a 3 z 3").await,
        counts(2, 0, 0, 0)
    );
    assert_eq!(bench.rows().await, ["a 1 x 1", "a 2 y 2"]);
    assert_eq!(bench.checkpoints().await, json!({ "s": 1 }));
    let state = bench
        .open()
        .inspect(&bench.table)
        .await
        .unwrap()
        .state
        .unwrap();
    assert_eq!(state.record, json!({ "load": 1 }));
    assert_eq!(
        load.apply(Replacement::Rows, record(3)).await.unwrap(),
        counts(1, 1, 0, 1)
    );
    assert_eq!(bench.rows().await, ["a 2 new 2", "a 3 z 3"]);
    assert_eq!(bench.checkpoints().await, json!({ "s": "staged" }));
    let state = bench
        .open()
        .inspect(&bench.table)
        .await
        .unwrap()
        .state
        .unwrap();
    assert_eq!(
        (state.record, state.rows, state.staged),
        (record(3), 2, None)
    );
    assert_eq!(bench.open().tables().await.unwrap().len(), 1);
}

/// A staging goes on where it was, also in another process, of a new table, with another record and with its
/// columns in another order.
pub async fn resumed(bench: Bench) {
    let load = bench.load(staged(2)).await;
    stage(&*load, "a 1 x 1").await;
    load.write("s", upsert("a 9 lost 9")).await.unwrap();
    drop(load);
    let load = bench.lease().await.unwrap();
    let state = load.status().state.clone().unwrap();
    let found = state.staged.unwrap();
    assert_eq!(
        (found.record, json!(found.checkpoints)),
        (record(2), json!({ "s": "staged" }))
    );
    assert_eq!((state.rows, state.checkpoints.len()), (0, 0));
    let mut plan = LoadPlan {
        resumes: true,
        ..staged(3)
    };
    plan.columns.swap(2, 3);
    load.begin(plan).await.unwrap();
    let state = bench.open().inspect(&bench.table).await.unwrap().state;
    assert_eq!(state.unwrap().staged.unwrap().record, record(3));
    let row = rows("a 2 y 2").project(&[0, 1, 3, 2]).unwrap();
    load.write("s", Change::Upsert(row)).await.unwrap();
    load.commit("s", None).await.unwrap();
    assert_eq!(
        load.apply(Replacement::Rows, record(2)).await.unwrap(),
        counts(2, 0, 0, 0)
    );
    assert_eq!(bench.rows().await, ["a 1 x 1", "a 2 y 2"]);
}

/// A staging of other columns, or one that is gone, cannot be resumed.
pub async fn resumed_with_other_columns(bench: Bench) {
    let mut wider = LoadPlan {
        resumes: true,
        ..staged(2)
    };
    let load = bench.lease().await.unwrap();
    let refused = error(load.begin(wider.clone()).await);
    assert_eq!(refused.code(), code::INCOMPATIBLE);
    drop(load);
    let load = bench.load(staged(2)).await;
    stage(&*load, "a 1 x 1").await;
    drop(load);
    wider.columns.push(column("Extra", DataType::Utf8));
    let load = bench.lease().await.unwrap();
    let refused = error(load.begin(wider).await);
    assert_eq!(refused.code(), code::INCOMPATIBLE);
}

/// A column that the table has from the user is not taken over, which is said before anything is staged.
pub async fn users_columns(bench: Bench) {
    bench.put("a 1 x 1").await;
    if !bench.user(Deed::AddColumn).await {
        return;
    }
    let mut plan = staged(2);
    plan.columns.push(column("mine", DataType::Utf8));
    let refused = error(bench.lease().await.unwrap().begin(plan).await);
    assert_eq!(refused.code(), code::NOT_OURS);
}

/// A staging that the next load does not resume is removed when that begins.
pub async fn not_resumed(bench: Bench) {
    let mut wider = staged(2);
    wider.columns.push(column("Extra", DataType::Utf8));
    let into_table = plan();
    for next in [
        staged(3),
        wider,
        into_table,
        LoadPlan {
            forget_checkpoints: true,
            ..staged(2)
        },
    ] {
        let load = bench.load(staged(2)).await;
        stage(&*load, "a 1 x 1").await;
        drop(load);
        let is_staged = next.target == Target::Staging;
        let load = bench.load(next).await;
        let state = bench
            .open()
            .inspect(&bench.table)
            .await
            .unwrap()
            .state
            .unwrap();
        let staged = state.staged.map(|staged| staged.checkpoints.len());
        assert_eq!(staged, is_staged.then_some(0));
        if is_staged {
            assert_eq!(
                load.apply(Replacement::Rows, record(2)).await.unwrap(),
                Counts::default()
            );
        }
        assert!(bench.rows().await.is_empty());
    }
}

/// With a key, absent rows are deleted and differing ones written, the others not.
pub async fn replaces_with_key(bench: Bench) {
    bench.put("a 1 x 1, a 2 - 2, a 3 z 3, a 4 w -").await;
    let counting = bench.user(Deed::AddTrigger).await;
    let load = bench.load(staged(2)).await;
    stage(&*load, "a 1 x 1, a 2 - 2, a 3 - 3, b 1 new 1").await;
    load.write("s", delete("a 1")).await.unwrap();
    load.commit("s", None).await.unwrap();
    stage(&*load, "a 1 x 1").await;
    assert_eq!(
        load.apply(Replacement::Rows, record(2)).await.unwrap(),
        counts(1, 1, 2, 1)
    );
    assert_eq!(
        bench.rows().await,
        ["a 1 x 1", "a 2 - 2", "a 3 - 3", "b 1 new 1"]
    );
    if counting {
        assert_eq!(bench.writes().await, 3);
    }
    load.finish(None).await.unwrap();
    let load = bench.load(staged(3)).await;
    assert_eq!(
        load.apply(Replacement::Rows, record(2)).await.unwrap(),
        counts(0, 0, 0, 4)
    );
    assert!(bench.rows().await.is_empty());
}

/// Without a key all rows are exchanged, doubles included.
pub async fn replaces_without_key(bench: Bench) {
    for (load, expected) in [(1, counts(3, 0, 0, 0)), (2, counts(3, 0, 0, 3))] {
        let load = bench
            .load(LoadPlan {
                key: vec![],
                ..staged(load)
            })
            .await;
        stage(&*load, "a 1 x 1, a 1 x 1").await;
        stage(&*load, "- - - -").await;
        assert_eq!(
            load.apply(Replacement::Rows, record(2)).await.unwrap(),
            expected
        );
        load.finish(None).await.unwrap();
        assert_eq!(bench.rows().await, ["- - - -", "a 1 x 1", "a 1 x 1"]);
    }
}

/// Upserts of one key merge in a staging, too: a walk that is resumed reads rows twice.
pub async fn duplicates_merge(bench: Bench) {
    let load = bench.load(staged(1)).await;
    stage(&*load, "a 1 x 1").await;
    assert_eq!(stage(&*load, "a 1 y 1").await, counts(0, 1, 0, 0));
    load.apply(Replacement::Rows, record(2)).await.unwrap();
    assert_eq!(bench.rows().await, ["a 1 y 1"]);
}

/// Inserts of one key are refused, naming both rows, and the table is as it was.
pub async fn duplicates_are_refused(bench: Bench) {
    bench.put("a 1 x 1").await;
    let load = bench.load(staged(2)).await;
    load.write("s", Change::Insert(rows("a 1 first 1")))
        .await
        .unwrap();
    load.write("t", Change::Insert(rows("a 1 second 2")))
        .await
        .unwrap();
    let committed = match load.commit("s", None).await {
        Ok(_) => load.commit("t", None).await,
        error => error,
    };
    let refused = match committed {
        Ok(_) => error(load.apply(Replacement::Rows, record(2)).await),
        Err(error) => error,
    };
    assert_eq!(refused.code(), code::DUPLICATE_KEY);
    let message = refused.to_string();
    assert!(
        message.contains("first") && message.contains("second"),
        "{message}"
    );
    assert_eq!(bench.rows().await, ["a 1 x 1"]);
}

/// A view, an index, a trigger and a column of the user's survive a replacement; so do the column's values
/// in the rows that stay.
pub async fn users_things_survive(bench: Bench) {
    bench.put("a 1 x 1, a 2 y 2").await;
    let mut done = Vec::new();
    for deed in [
        Deed::AddView,
        Deed::AddIndex,
        Deed::AddColumn,
        Deed::AddTrigger,
    ] {
        if bench.user(deed).await {
            done.push(deed);
        }
    }
    let load = bench.load(staged(2)).await;
    stage(&*load, "a 1 new 1, a 2 y 2").await;
    load.apply(Replacement::Rows, record(2)).await.unwrap();
    load.finish(None).await.unwrap();
    for deed in done {
        assert!(bench.survives(deed).await, "{deed:?}");
    }
    assert!(bench.open().inspect(&bench.table).await.unwrap().is_ours());
}

/// A replacement may have another key; what the user added to the table survives, but for values.
pub async fn another_key(bench: Bench) {
    bench.put("a 1 x 1, b 1 y 2").await;
    let mut done = Vec::new();
    for deed in [Deed::AddView, Deed::AddIndex] {
        if bench.user(deed).await {
            done.push(deed);
        }
    }
    let load = bench
        .load(LoadPlan {
            key: vec!["Title".into()],
            ..staged(2)
        })
        .await;
    stage(&*load, "a 1 x 1, - - y 2").await;
    assert_eq!(
        load.apply(Replacement::Rows, record(2)).await.unwrap(),
        counts(2, 0, 0, 2)
    );
    load.finish(None).await.unwrap();
    assert_eq!(bench.rows().await, ["- - y 2", "a 1 x 1"]);
    for deed in done {
        assert!(bench.survives(deed).await, "{deed:?}");
    }
    let status = bench.open().inspect(&bench.table).await.unwrap();
    assert!(status.is_ours());
    assert_eq!(status.state.unwrap().key, ["Title"]);
    let load = bench
        .load(LoadPlan {
            key: vec!["title".into()],
            ..plan()
        })
        .await;
    load.write("s", upsert("a 5 x 1")).await.unwrap();
    assert_eq!(load.commit("s", None).await.unwrap(), counts(0, 1, 0, 0));
}

/// A replacement may have wider types than the table, or narrower ones; the wider are kept.
pub async fn another_type(bench: Bench) {
    bench.put("a 1 x 1, a 2 y 2").await;
    let mut text = staged(2);
    text.columns[3] = column("Size", DataType::Utf8);
    let load = bench.load(text).await;
    let mut batch = rows("a 1 x 1, a 2 y 5");
    let size = arrow::compute::cast(batch.column(3), &DataType::Utf8).unwrap();
    let mut columns: Vec<(&str, arrow::array::ArrayRef)> = ["Kind", "Id", "Title", "Size"]
        .into_iter()
        .zip(batch.columns().iter().cloned())
        .collect();
    columns[3].1 = size;
    batch = super::fixture::batch(columns);
    load.write("s", Change::Upsert(batch)).await.unwrap();
    load.commit("s", None).await.unwrap();
    assert_eq!(
        load.apply(Replacement::Rows, record(2)).await.unwrap(),
        counts(0, 1, 1, 0)
    );
    load.finish(None).await.unwrap();
    let load = bench.load(staged(3)).await;
    stage(&*load, "a 1 x 1, a 2 y 6").await;
    assert_eq!(
        load.apply(Replacement::Rows, record(2)).await.unwrap(),
        counts(0, 1, 1, 0)
    );
    assert_eq!(
        load.columns().await.unwrap().field(3).data_type(),
        &DataType::Utf8
    );
    load.finish(None).await.unwrap();
    assert_eq!(bench.rows().await, ["a 1 x 1", "a 2 y 6"]);
}

/// [`Replacement::Table`] makes the table anew, whatever its types and key were.
pub async fn recreates(bench: Bench) {
    bench.put("a 1 x 1, a 2 y 2").await;
    bench.user(Deed::AddColumn).await;
    let mut other = LoadPlan {
        target: Target::Recreate,
        key: vec!["Id".into()],
        ..staged(2)
    };
    other.columns[3] = column("Size", DataType::Binary);
    other.columns.remove(2);
    let load = bench.load(other).await;
    let mut batch = rows("a 7 - -").project(&[0, 1, 3]).unwrap();
    let nulls = arrow::array::new_null_array(&DataType::Binary, 1);
    let kind = batch.column(0).clone();
    let id = batch.column(1).clone();
    batch = super::fixture::batch(vec![("Kind", kind), ("Id", id), ("Size", nulls)]);
    load.write("s", Change::Upsert(batch)).await.unwrap();
    load.commit("s", Some(json!("new"))).await.unwrap();
    assert_eq!(bench.checkpoints().await, json!({ "s": 1 }));
    assert_eq!(
        load.apply(Replacement::Table, record(2)).await.unwrap(),
        counts(1, 0, 0, 2)
    );
    load.finish(None).await.unwrap();
    assert_eq!(bench.rows().await, ["a 7 -"]);
    let status = bench.open().inspect(&bench.table).await.unwrap();
    assert!(status.is_ours());
    assert_eq!(status.state.unwrap().columns.fields().len(), 3);
    assert_eq!(bench.checkpoints().await, json!({ "s": "new" }));
}

/// A load that lost its lease applies nothing.
pub async fn fenced_applies(bench: Bench) {
    bench.put("a 1 x 1").await;
    let load = bench.load(staged(2)).await;
    stage(&*load, "b 1 y 2").await;
    if !bench.user(Deed::TakeLease).await {
        return;
    }
    let next = bench.lease().await.unwrap();
    assert_eq!(
        error(load.apply(Replacement::Rows, record(2)).await).code(),
        code::FENCED
    );
    assert_eq!(bench.rows().await, ["a 1 x 1"]);
    drop(next);
}

/// In a staged load `keys` are those of the staging, and nothing can be applied twice or unstaged.
pub async fn keys_of_the_staging(bench: Bench) {
    bench.put("a 1 x 1").await;
    let load = bench.load(staged(2)).await;
    stage(&*load, "b 1 y 2, b 2 z 3").await;
    let all = load.keys(&RowFilter::default()).await.unwrap();
    assert_eq!(key_texts(&all), ["b 1", "b 2"]);
    let one = RowFilter(vec![("Title".into(), Scalar::Text("z".into()))]);
    assert_eq!(key_texts(&load.keys(&one).await.unwrap()), ["b 2"]);
    load.apply(Replacement::Rows, record(2)).await.unwrap();
    assert!(load.apply(Replacement::Rows, record(2)).await.is_err());
    load.finish(None).await.unwrap();
    let load = bench.load(plan()).await;
    assert!(load.apply(Replacement::Rows, record(2)).await.is_err());
}
