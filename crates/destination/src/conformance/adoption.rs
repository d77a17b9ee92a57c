//! Tables of others that are taken over.

use arrow::datatypes::DataType;
use serde_json::json;

use super::Deed;
use super::fixture::{Bench, column, error, plan, record, staged, upsert};
use crate::{Load, LoadPlan, Replacement, Retention, code};

fn adopting() -> LoadPlan {
    LoadPlan {
        adopts: true,
        ..staged(1)
    }
}

async fn stage(load: &dyn Load, rows: &str) {
    load.write("s", upsert(rows)).await.unwrap();
    load.commit("s", Some(json!("staged"))).await.unwrap();
}

async fn read(bench: &Bench) -> Vec<String> {
    bench
        .read(&["Kind", "Id", "Title", "Size"], &[], None)
        .await
}

/// A table whose columns and key fit is as it was until what is staged is applied; then it is ours and has those
/// rows, and what the user has in columns of theirs stays in the rows that stay.
pub async fn taken_over(bench: Bench) {
    if !bench.user(Deed::MakeThings).await {
        return;
    }
    let load = bench
        .load(LoadPlan {
            retention: Retention::Deleted,
            ..adopting()
        })
        .await;
    stage(&*load, "a 1 new 1, b 1 x 2").await;
    assert_eq!(read(&bench).await, ["a 1 old 1", "a 9 old 9"]);
    let status = bench.open().inspect(&bench.table).await.unwrap();
    assert!(
        status.state.is_none()
            && !bench
                .open()
                .table(&bench.table)
                .await
                .unwrap()
                .unwrap()
                .ours
    );
    load.apply(Replacement::Rows, record(2)).await.unwrap();
    load.finish(None).await.unwrap();
    assert_eq!(read(&bench).await, ["a 1 new 1", "a 9 old 9", "b 1 x 2"]);
    let status = bench.open().inspect(&bench.table).await.unwrap();
    assert!(status.is_ours());
    assert_eq!(status.state.unwrap().record, record(2));
    assert_eq!(bench.checkpoints().await, json!({ "s": "staged" }));
    assert_eq!(bench.counted().await, 3);
    assert!(bench.survives(Deed::MakeThings).await);
    let load = bench.load(plan()).await;
    load.write("s", upsert("b 1 y 2")).await.unwrap();
    assert_eq!(load.commit("s", None).await.unwrap().updated, 1);
}

/// What does not fit is told all at once, and the table is not touched.
pub async fn other_columns_and_keys(bench: Bench) {
    if !bench.user(Deed::MakeThings).await {
        return;
    }
    let mut other = adopting();
    other.columns[3] = column("Size", DataType::Utf8);
    other.columns.push(column("Extra", DataType::Int64));
    other.key = vec!["Id".into()];
    let refused = error(bench.lease().await.unwrap().begin(other).await);
    assert_eq!(refused.code(), code::MISFIT);
    for part in ["`Size`", "`Extra`", "where Id is needed"] {
        assert!(refused.to_string().contains(part), "{refused}");
    }
    let refused = error(bench.lease().await.unwrap().begin(plan()).await);
    assert_eq!(refused.code(), code::NOT_OURS);
    assert_eq!(read(&bench).await, ["a 1 old 1", "a 9 old 9"]);
}

/// A load that ends before it has taken the table over leaves it to its user; the next one begins anew.
pub async fn begun_and_left(bench: Bench) {
    if !bench.user(Deed::MakeThings).await {
        return;
    }
    let load = bench.load(adopting()).await;
    stage(&*load, "a 1 lost 1").await;
    drop(load);
    let refused = error(bench.lease().await.unwrap().begin(staged(2)).await);
    assert_eq!(refused.code(), code::NOT_OURS);
    let load = bench.load(adopting()).await;
    stage(&*load, "b 1 x 2").await;
    load.apply(Replacement::Rows, record(2)).await.unwrap();
    assert_eq!(read(&bench).await, ["b 1 x 2"]);
}
