//! What a commit does to the rows.

use std::sync::Arc;

use arrow::array::{Array, Int64Array, RecordBatch, StringArray};
use serde_json::json;

use super::Deed;
use super::fixture::{Bench, batch, counts, delete, error, plan, rows, upsert};
use crate::{Change, Counts, LoadPlan, RowFilter, Scalar, code};

/// Changes of a slice are applied in the order in which they were written, and each counts by itself.
pub async fn order(bench: Bench) {
    let load = bench.load(plan()).await;
    for change in [
        upsert("a 1 first 1"),
        delete("a 1"),
        upsert("a 1 second 2, a 2 other -"),
        upsert("a 1 third 3"),
        delete("a 2"),
    ] {
        load.write("s", change).await.unwrap();
    }
    assert_eq!(load.commit("s", None).await.unwrap(), counts(3, 1, 0, 2));
    assert_eq!(bench.rows().await, ["a 1 third 3"]);
    assert_eq!(bench.counted().await, 1);
}

/// Of the rows of a batch that have one key the last alone counts.
pub async fn duplicates_in_a_batch(bench: Bench) {
    let load = bench.load(plan()).await;
    load.write("s", upsert("a 1 x 1, a 2 y 2, a 1 z 3"))
        .await
        .unwrap();
    assert_eq!(load.commit("s", None).await.unwrap(), counts(2, 0, 0, 0));
    load.write("s", upsert("a 1 other 9, a 1 z 3"))
        .await
        .unwrap();
    assert_eq!(load.commit("s", None).await.unwrap(), counts(0, 0, 1, 0));
    assert_eq!(bench.rows().await, ["a 1 z 3", "a 2 y 2"]);
}

/// A row is inserted, updated or unchanged; NULL equals NULL and differs from all else.
pub async fn updates_and_counts(bench: Bench) {
    bench.put("a 1 x 1, a 2 - 2, a 3 z -").await;
    let again = bench
        .put("a 1 x 1, a 2 - 2, a 3 z 3, a 4 new 4, b 1 x 1")
        .await;
    assert_eq!(again, counts(2, 1, 2, 0));
    let nulls = bench.put("a 1 - 1, a 2 - -, a 4 new 4").await;
    assert_eq!(nulls, counts(0, 2, 1, 0));
    let all = ["a 1 - 1", "a 2 - -", "a 3 z 3", "a 4 new 4", "b 1 x 1"];
    assert_eq!(bench.rows().await, all);
    assert_eq!(bench.counted().await, 5);
}

/// A row that is there and equal is not written: no trigger sees it.
pub async fn unchanged_rows_are_not_written(bench: Bench) {
    bench.put("a 1 x 1, a 2 - 2").await;
    if !bench.user(Deed::AddTrigger).await {
        return;
    }
    bench.put("a 1 x 1, a 2 - 2").await;
    assert_eq!(bench.writes().await, 0);
    bench.put("a 1 x 1, a 2 y 2, a 3 z 3").await;
    assert_eq!(bench.writes().await, 2);
    bench.put("a 4 new 4, a 1 x 1, a 2 y 2").await;
    assert_eq!(bench.writes().await, 3);
}

/// Deletes name keys; one that is not there is no error and does not count.
pub async fn deletes(bench: Bench) {
    bench.put("a 1 x 1, a 2 y 2, b 1 z 3").await;
    let load = bench.load(plan()).await;
    load.write("s", delete("a 1, a 9, b 1")).await.unwrap();
    assert_eq!(load.commit("s", None).await.unwrap(), counts(0, 0, 0, 2));
    assert_eq!(bench.rows().await, ["a 2 y 2"]);
    assert_eq!(bench.counted().await, 1);
}

/// `DeleteWhere` compares columns with constants; NULL equals NULL; no condition means all rows.
pub async fn deletes_where(bench: Bench) {
    bench.put("a 1 x 1, a 2 - 2, b 1 x -, b 2 y -").await;
    let load = bench.load(plan()).await;
    for (filter, left) in [
        (
            vec![("kind", Scalar::Text("a".into())), ("Id", Scalar::Int(1))],
            3,
        ),
        (vec![("Title", Scalar::Null)], 2),
        (
            vec![("Size", Scalar::Null), ("Title", Scalar::Text("y".into()))],
            1,
        ),
        (vec![("Title", Scalar::Text("nothing".into()))], 1),
        (vec![], 0),
    ] {
        let filter = filter
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        load.write("s", Change::DeleteWhere(RowFilter(filter)))
            .await
            .unwrap();
        load.commit("s", None).await.unwrap();
        assert_eq!(bench.rows().await.len(), left);
    }
    let unknown = RowFilter(vec![("Nope".into(), Scalar::Null)]);
    let refused = load.write("s", Change::DeleteWhere(unknown)).await;
    assert_eq!(error(refused).code(), code::NOT_FOUND);
}

/// `Assign` sets columns in the rows that match and differ, and counts those. A key cannot be assigned.
pub async fn assigns(bench: Bench) {
    bench.put("a 1 x 1, a 2 new 2, b 1 x 3").await;
    let load = bench.load(plan()).await;
    let assign = |set: Vec<(&str, Scalar)>| Change::Assign {
        rows: RowFilter(vec![("Kind".into(), Scalar::Text("a".into()))]),
        set: set
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
    };
    load.write("s", assign(vec![("Title", Scalar::Text("new".into()))]))
        .await
        .unwrap();
    assert_eq!(load.commit("s", None).await.unwrap(), counts(0, 1, 0, 0));
    let both = vec![("Title", Scalar::Null), ("Size", Scalar::Int(2))];
    load.write("s", assign(both.clone())).await.unwrap();
    assert_eq!(load.commit("s", None).await.unwrap(), counts(0, 2, 0, 0));
    load.write("s", assign(both)).await.unwrap();
    assert_eq!(load.commit("s", None).await.unwrap(), Counts::default());
    assert_eq!(bench.rows().await, ["a 1 - 2", "a 2 - 2", "b 1 x 3"]);
    assert!(
        load.write("s", assign(vec![("Id", Scalar::Int(1))]))
            .await
            .is_err()
    );
}

/// `Insert` is refused for a key that is there, or twice in the batch; the message names both rows.
pub async fn inserts_must_be_new(bench: Bench) {
    bench.put("a 1 present 1").await;
    let load = bench.load(plan()).await;
    for twice in ["a 2 x 2, a 1 newcomer 3", "b 1 present 1, b 1 newcomer 2"] {
        load.write("s", Change::Insert(rows(twice))).await.unwrap();
        let refused = error(load.commit("s", Some(json!(9))).await);
        assert_eq!(refused.code(), code::DUPLICATE_KEY);
        let message = refused.to_string();
        assert!(
            message.contains("present") && message.contains("newcomer"),
            "{message}"
        );
        load.discard("s").await.unwrap();
        assert_eq!(bench.rows().await, ["a 1 present 1"]);
    }
    load.write("s", Change::Insert(rows("a 2 x 2, a 3 y 3")))
        .await
        .unwrap();
    assert_eq!(load.commit("s", None).await.unwrap(), counts(2, 0, 0, 0));
}

/// A load without rows makes the table; a batch without rows does nothing.
pub async fn empty_loads(bench: Bench) {
    let load = bench.load(plan()).await;
    assert_eq!(load.commit("s", None).await.unwrap(), Counts::default());
    load.write(
        "s",
        Change::Upsert(RecordBatch::new_empty(rows("").schema())),
    )
    .await
    .unwrap();
    assert_eq!(
        load.commit("s", Some(json!("end"))).await.unwrap(),
        Counts::default()
    );
    load.finish(None).await.unwrap();
    assert!(bench.rows().await.is_empty());
    assert_eq!(bench.checkpoints().await, json!({ "s": "end" }));
}

/// A commit applies what was written for its slice, and nothing of another.
pub async fn slices_are_apart(bench: Bench) {
    let load = bench.load(plan()).await;
    load.write("one", upsert("a 1 x 1")).await.unwrap();
    load.write("two", upsert("b 1 y 2")).await.unwrap();
    load.commit("one", Some(json!(1))).await.unwrap();
    assert_eq!(bench.rows().await, ["a 1 x 1"]);
    assert_eq!(bench.checkpoints().await, json!({ "one": 1 }));
    load.write("one", upsert("a 2 x 1")).await.unwrap();
    let (one, two) = futures::join!(load.commit("one", None), load.commit("two", Some(json!(2))));
    assert_eq!((one.unwrap().inserted, two.unwrap().inserted), (1, 1));
    assert_eq!(bench.checkpoints().await, json!({ "one": 1, "two": 2 }));
    assert_eq!(bench.rows().await.len(), 3);
}

/// A commit that fails changes neither rows nor checkpoint, and its changes are still there.
pub async fn failures_change_nothing(bench: Bench) {
    bench.put("a 1 x 1").await;
    let load = bench.load(plan()).await;
    load.write("s", upsert("a 2 y 2")).await.unwrap();
    load.write("s", delete("a 1")).await.unwrap();
    load.write("s", Change::Insert(rows("a 2 again 3")))
        .await
        .unwrap();
    assert!(load.commit("s", Some(json!(2))).await.is_err());
    assert_eq!(bench.rows().await, ["a 1 x 1"]);
    assert_eq!(bench.checkpoints().await, json!({ "s": 1 }));
    assert_eq!(bench.counted().await, 1);
    assert!(
        load.commit("s", Some(json!(2))).await.is_err(),
        "the changes are still there"
    );
}

/// What is committed before and after a commit that failed is not touched by it.
pub async fn failures_pass(bench: Bench) {
    let load = bench.load(plan()).await;
    load.write("s", upsert("a 1 x 1")).await.unwrap();
    load.commit("s", Some(json!(1))).await.unwrap();
    for round in [2, 3] {
        load.write("s", upsert(&format!("b {round} y {round}")))
            .await
            .unwrap();
        load.write("s", delete("a 1")).await.unwrap();
        load.write("s", Change::Insert(rows("c 1 z 1, c 1 z 2")))
            .await
            .unwrap();
        assert!(load.commit("s", Some(json!(9))).await.is_err());
        load.discard("s").await.unwrap();
        load.write("s", upsert(&format!("a {round} x {round}, a 1 x 1")))
            .await
            .unwrap();
        let counted = load.commit("s", Some(json!(round))).await.unwrap();
        assert_eq!(counted, counts(1, 0, 1, 0));
        assert_eq!(bench.checkpoints().await, json!({ "s": round }));
    }
    assert_eq!(bench.rows().await, ["a 1 x 1", "a 2 x 2", "a 3 x 3"]);
}

/// What was not committed goes with the load; what was committed stays.
pub async fn dropping_discards(bench: Bench) {
    let load = bench.load(plan()).await;
    load.write("s", upsert("a 1 x 1")).await.unwrap();
    load.commit("s", Some(json!(1))).await.unwrap();
    load.write("s", upsert("a 2 y 2")).await.unwrap();
    drop(load);
    let load = bench.load(plan()).await;
    assert_eq!(
        load.commit("s", Some(json!(2))).await.unwrap(),
        Counts::default()
    );
    assert_eq!(bench.rows().await, ["a 1 x 1"]);
}

/// `discard` forgets what one slice has written since its last commit.
pub async fn discarding(bench: Bench) {
    let load = bench.load(plan()).await;
    load.write("one", upsert("a 1 x 1")).await.unwrap();
    load.write("two", upsert("b 1 y 2")).await.unwrap();
    load.discard("one").await.unwrap();
    load.commit("one", None).await.unwrap();
    load.commit("two", None).await.unwrap();
    assert_eq!(bench.rows().await, ["b 1 y 2"]);
}

/// A NULL in a key is refused, and the message names the column.
pub async fn null_keys(bench: Bench) {
    let load = bench.load(plan()).await;
    let refused = error(load.write("s", upsert("a - x 1")).await);
    assert_eq!(refused.code(), code::BAD_VALUE);
    assert!(refused.to_string().contains("`Id`"), "{refused}");
    assert!(load.write("s", upsert("- 1 x 1")).await.is_err());
    load.commit("s", None).await.unwrap();
    assert!(bench.rows().await.is_empty());
}

/// Other columns than those of the plan are refused, not misread.
pub async fn wrong_columns(bench: Bench) {
    let load = bench.load(plan()).await;
    let good = rows("a 1 x 1");
    let swapped = good.project(&[0, 1, 3, 2]).unwrap();
    for wrong in [swapped, good.project(&[0, 1, 2]).unwrap()] {
        assert_eq!(
            error(load.write("s", Change::Upsert(wrong)).await).code(),
            code::BAD_VALUE
        );
    }
    let key = batch(vec![("Id", Arc::new(Int64Array::from(vec![1])))]);
    assert!(load.write("s", Change::Delete(key)).await.is_err());
    let untyped = batch(vec![
        ("Kind", Arc::new(StringArray::from(vec!["a"]))),
        ("Id", Arc::new(StringArray::from(vec!["not a number"]))),
    ]);
    assert!(
        untyped.column(0).len() == 1 && load.write("s", Change::Delete(untyped)).await.is_err()
    );
}

/// Batches of thousands of rows, and a table of only key columns.
pub async fn many_rows(bench: Bench) {
    let table = |from: i64| {
        batch(vec![(
            "Id",
            Arc::new(Int64Array::from_iter_values(from..from + 20_000)),
        )])
    };
    let columns = vec![super::fixture::column(
        "Id",
        arrow::datatypes::DataType::Int64,
    )];
    let plan = LoadPlan {
        columns,
        key: vec!["Id".into()],
        ..plan()
    };
    let load = bench.load(plan).await;
    for (from, expected) in [
        (0, counts(20_000, 0, 0, 0)),
        (10_000, counts(10_000, 0, 10_000, 0)),
    ] {
        load.write("s", Change::Upsert(table(from))).await.unwrap();
        assert_eq!(load.commit("s", None).await.unwrap(), expected);
    }
    assert_eq!(bench.rows().await.len(), 30_000);
    assert_eq!(bench.counted().await, 30_000);
}
