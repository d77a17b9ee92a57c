//! Checkpoints and what is kept with a table.

use serde_json::{Value, json};

use super::Deed;
use super::fixture::{Bench, counts, plan, upsert};
use crate::{Counts, LoadPlan};

/// A checkpoint is committed with its slice's rows, and not before.
pub async fn with_the_rows(bench: Bench) {
    let load = bench.load(plan()).await;
    load.write("s", upsert("a 1 x 1")).await.unwrap();
    assert_eq!(bench.checkpoints().await, json!({}));
    load.commit("s", Some(json!({ "at": [1, "é", null] })))
        .await
        .unwrap();
    assert_eq!(
        bench.checkpoints().await,
        json!({ "s": { "at": [1, "é", null] } })
    );
    assert_eq!(bench.rows().await, ["a 1 x 1"]);
}

/// A checkpoint can be committed without a change.
pub async fn alone(bench: Bench) {
    let load = bench.load(plan()).await;
    assert_eq!(
        load.commit("007", Some(json!(null))).await.unwrap(),
        Counts::default()
    );
    assert_eq!(
        load.commit("7", Some(json!("x"))).await.unwrap(),
        Counts::default()
    );
    assert_eq!(bench.checkpoints().await, json!({ "007": null, "7": "x" }));
}

/// A commit without a checkpoint keeps the one there is.
pub async fn kept(bench: Bench) {
    let load = bench.load(plan()).await;
    load.commit("s", Some(json!(1))).await.unwrap();
    load.write("s", upsert("a 1 x 1")).await.unwrap();
    load.commit("s", None).await.unwrap();
    assert_eq!(bench.checkpoints().await, json!({ "s": 1 }));
}

/// `forget` removes a checkpoint with the next commit of its slice.
pub async fn forgotten(bench: Bench) {
    let load = bench.load(plan()).await;
    load.commit("s", Some(json!(1))).await.unwrap();
    load.commit("t", Some(json!(2))).await.unwrap();
    load.forget("s").await.unwrap();
    load.commit("t", None).await.unwrap();
    assert_eq!(bench.checkpoints().await, json!({ "s": 1, "t": 2 }));
    load.commit("s", None).await.unwrap();
    assert_eq!(bench.checkpoints().await, json!({ "t": 2 }));
}

/// `forget_checkpoints` removes all of them before the first row; the rows stay.
pub async fn forgotten_by_the_plan(bench: Bench) {
    bench.put("a 1 x 1").await;
    let load = bench
        .load(LoadPlan {
            forget_checkpoints: true,
            ..plan()
        })
        .await;
    assert_eq!(bench.checkpoints().await, json!({}));
    load.write("s", upsert("a 1 x 1")).await.unwrap();
    assert_eq!(load.commit("s", None).await.unwrap(), counts(0, 0, 1, 0));
}

/// The next process finds checkpoints, record, columns and number of rows.
pub async fn survive_the_process(bench: Bench) {
    bench.put("a 1 x 1, a 2 y 2").await;
    let load = bench.lease().await.unwrap();
    let state = load.status().state.clone().unwrap();
    assert_eq!(json!(state.checkpoints), json!({ "s": 1 }));
    assert_eq!(state.record, json!({ "load": 1 }));
    assert_eq!(
        (state.rows, state.key),
        (2, vec!["Kind".to_owned(), "Id".to_owned()])
    );
    let names: Vec<&String> = state
        .columns
        .fields()
        .iter()
        .map(|field| field.name())
        .collect();
    assert_eq!(names, ["Kind", "Id", "Title", "Size"]);
    assert!(load.status().is_ours() && !load.status().is_void());
}

/// A table that was dropped or emptied by others is void: its checkpoints are gone when a load begins.
pub async fn void_tables(bench: Bench) {
    for deed in [Deed::EmptyTable, Deed::DropTable] {
        bench.put("a 1 x 1").await;
        if !bench.user(deed).await {
            continue;
        }
        let load = bench.lease().await.unwrap();
        assert!(load.status().is_void(), "{deed:?}");
        load.begin(plan()).await.unwrap();
        assert_eq!(bench.checkpoints().await, json!({}), "{deed:?}");
        assert_eq!(bench.counted().await, 0);
        load.write("s", upsert("a 1 x 1")).await.unwrap();
        assert_eq!(load.commit("s", None).await.unwrap(), counts(1, 0, 0, 0));
        drop(load);
        assert!(!bench.open().inspect(&bench.table).await.unwrap().is_void());
    }
}

/// Thousands of slices.
pub async fn many_slices(bench: Bench) {
    let load = bench.load(plan()).await;
    for slice in 0..1000 {
        load.commit(&format!("{{slice-{slice}}}"), Some(json!(slice)))
            .await
            .unwrap();
    }
    load.commit("{slice-7}", Some(json!("changed")))
        .await
        .unwrap();
    let Value::Object(checkpoints) = bench.checkpoints().await else {
        panic!("no checkpoints")
    };
    assert_eq!(checkpoints.len(), 1000);
    assert_eq!(checkpoints["{slice-7}"], json!("changed"));
    assert_eq!(checkpoints["{slice-999}"], json!(999));
}

/// The record is the plan's, unless `finish` gives another.
pub async fn records(bench: Bench) {
    let record = async || {
        bench
            .open()
            .inspect(&bench.table)
            .await
            .unwrap()
            .state
            .unwrap()
            .record
    };
    bench
        .load(plan())
        .await
        .finish(Some(json!({ "done": true })))
        .await
        .unwrap();
    assert_eq!(record().await, json!({ "done": true }));
    let load = bench
        .load(LoadPlan {
            record: json!([2]),
            ..plan()
        })
        .await;
    assert_eq!(record().await, json!([2]));
    load.finish(None).await.unwrap();
    assert_eq!(record().await, json!([2]));
}
