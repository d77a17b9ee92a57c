//! Who may write.

use serde_json::json;

use super::Deed;
use super::fixture::{Bench, error, holder, plan, upsert};
use crate::{TableName, code};

/// A second load of a table is refused, in this process as in another, and told who has it since when.
pub async fn one_at_a_time(bench: Bench) {
    let load = bench.lease().await.unwrap();
    let refused = error(bench.lease().await);
    assert_eq!(refused.code(), code::HELD);
    let message = refused.to_string();
    assert!(
        message.contains(&holder().who) && message.contains(&holder().since),
        "{message}"
    );
    assert!(message.contains("Things") && refused.hint().is_some());
    load.begin(plan()).await.unwrap();
    assert_eq!(error(bench.lease().await).code(), code::HELD);
    let other_spelling = bench
        .open()
        .open(&TableName::bare("THINGS"), &holder())
        .await;
    assert_eq!(error(other_spelling).code(), code::HELD);
}

/// A lease is of one table; others can be loaded at the same time.
pub async fn by_table(bench: Bench) {
    let one = bench.load(plan()).await;
    let destination = bench.open();
    let two = destination
        .open(&TableName::bare("Others"), &holder())
        .await
        .unwrap();
    two.begin(plan()).await.unwrap();
    one.write("s", upsert("a 1 x 1")).await.unwrap();
    two.write("s", upsert("b 2 y 2")).await.unwrap();
    let (a, b) = futures::join!(one.commit("s", None), two.commit("s", Some(json!(1))));
    assert_eq!((a.unwrap().inserted, b.unwrap().inserted), (1, 1));
    assert_eq!(bench.rows().await, ["a 1 x 1"]);
}

/// A lease ends when the load is finished or dropped.
pub async fn end_with_the_load(bench: Bench) {
    drop(bench.lease().await.unwrap());
    drop(bench.load(plan()).await);
    bench.load(plan()).await.finish(None).await.unwrap();
    drop(bench.lease().await.unwrap());
}

/// A load that lost its lease writes nothing more.
pub async fn fenced(bench: Bench) {
    let load = bench.load(plan()).await;
    load.write("s", upsert("a 1 x 1")).await.unwrap();
    load.commit("s", Some(json!(1))).await.unwrap();
    if !bench.user(Deed::TakeLease).await {
        return;
    }
    let next = bench.load(plan()).await;
    load.write("s", upsert("a 2 y 2")).await.unwrap();
    assert_eq!(
        error(load.commit("s", Some(json!(2))).await).code(),
        code::FENCED
    );
    assert_eq!(
        error(load.finish(Some(json!("late"))).await).code(),
        code::FENCED
    );
    assert_eq!(bench.rows().await, ["a 1 x 1"]);
    assert_eq!(bench.checkpoints().await, json!({ "s": 1 }));
    next.write("s", upsert("a 3 z 3")).await.unwrap();
    next.commit("s", None).await.unwrap();
    assert_eq!(bench.rows().await, ["a 1 x 1", "a 3 z 3"]);
}
