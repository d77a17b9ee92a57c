//! Plans that differ from the table.

use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray, Float64Array, StringArray};
use arrow::datatypes::DataType;
use serde_json::json;

use super::Deed;
use super::fixture::{Bench, batch, column, counts, error, plan, staged, upsert};
use crate::{Change, LoadPlan, RowFilter, Scalar, code};

fn with_size(data_type: DataType) -> LoadPlan {
    let mut plan = plan();
    plan.columns[3] = column("Size", data_type);
    plan
}

fn sized(id: i64, size: ArrayRef) -> Change {
    Change::Upsert(batch(vec![
        ("Kind", Arc::new(StringArray::from(vec!["a"]))),
        ("Id", Arc::new(arrow::array::Int64Array::from(vec![id]))),
        ("Title", Arc::new(StringArray::from(vec!["x"]))),
        ("Size", size),
    ]))
}

/// A column that the table lacks is added, and NULL in the rows there are. Rows and checkpoints stay.
pub async fn columns_are_added(bench: Bench) {
    bench.put("a 1 x 1").await;
    let mut wider = plan();
    wider.columns.insert(1, column("Extra", DataType::Utf8));
    let load = bench.load(wider).await;
    let names: Vec<String> = load
        .columns()
        .await
        .unwrap()
        .fields()
        .iter()
        .map(|f| f.name().clone())
        .collect();
    assert_eq!(names, ["Kind", "Id", "Title", "Size", "Extra"]);
    let row = batch(vec![
        ("Kind", Arc::new(StringArray::from(vec!["a"])) as ArrayRef),
        ("Extra", Arc::new(StringArray::from(vec!["e"]))),
        ("Id", Arc::new(arrow::array::Int64Array::from(vec![2]))),
        ("Title", Arc::new(StringArray::from(vec!["y"]))),
        ("Size", Arc::new(arrow::array::Int64Array::from(vec![2]))),
    ]);
    load.write("s", Change::Upsert(row)).await.unwrap();
    assert_eq!(load.commit("s", None).await.unwrap(), counts(1, 0, 0, 0));
    assert_eq!(bench.rows().await, ["a 1 x 1 -", "a 2 y 2 e"]);
    assert_eq!(bench.checkpoints().await, json!({ "s": 1 }));
}

/// A column that the plan drops stays, and becomes NULL in all rows; a later plan can have it again.
pub async fn columns_are_dropped(bench: Bench) {
    bench.put("a 1 x 1, a 2 y 2").await;
    let mut narrower = plan();
    narrower.columns.remove(2);
    // Of a column that was dropped before nothing is looked at again.
    bench
        .load(narrower.clone())
        .await
        .finish(None)
        .await
        .unwrap();
    assert_eq!(bench.rows().await, ["a 1 x 1", "a 2 y 2"]);
    narrower.dropped.push("title".into());
    let load = bench.load(narrower).await;
    assert_eq!(load.columns().await.unwrap().fields().len(), 4);
    let rows = super::fixture::rows("a 2 - 2, a 3 - 3")
        .project(&[0, 1, 3])
        .unwrap();
    load.write("s", Change::Upsert(rows)).await.unwrap();
    assert_eq!(load.commit("s", None).await.unwrap(), counts(1, 0, 1, 0));
    load.finish(None).await.unwrap();
    assert_eq!(bench.rows().await, ["a 1 - 1", "a 2 - 2", "a 3 - 3"]);
    assert!(bench.open().inspect(&bench.table).await.unwrap().is_ours());
    assert_eq!(bench.put("a 1 x 1").await, counts(0, 1, 0, 0));
    assert_eq!(bench.rows().await, ["a 1 x 1", "a 2 - 2", "a 3 - 3"]);
}

/// Types widen in place, whole numbers to floating-point numbers to text; the rows stay, equal rows are
/// found equal, and a plan of a narrower type writes into the wider column.
pub async fn types_widen(bench: Bench) {
    bench.put("a 1 x 1, a 2 y 2, a 3 z -").await;
    let load = bench.load(with_size(DataType::Float64)).await;
    load.write("s", sized(1, Arc::new(Float64Array::from(vec![1.0]))))
        .await
        .unwrap();
    load.write("s", sized(4, Arc::new(Float64Array::from(vec![0.5]))))
        .await
        .unwrap();
    assert_eq!(load.commit("s", None).await.unwrap(), counts(1, 0, 1, 0));
    load.finish(None).await.unwrap();
    assert_eq!(
        bench.rows().await,
        ["a 1 x 1.0", "a 2 y 2.0", "a 3 z -", "a 4 x 0.5"]
    );
    let load = bench.load(with_size(DataType::Utf8)).await;
    load.write("s", sized(4, Arc::new(StringArray::from(vec!["0.5"]))))
        .await
        .unwrap();
    load.write("s", sized(5, Arc::new(StringArray::from(vec!["007"]))))
        .await
        .unwrap();
    assert_eq!(load.commit("s", None).await.unwrap(), counts(1, 0, 1, 0));
    load.finish(None).await.unwrap();
    let all = [
        "a 1 x 1.0",
        "a 2 y 2.0",
        "a 3 z -",
        "a 4 x 0.5",
        "a 5 x 007",
    ];
    assert_eq!(bench.rows().await, all);
    let load = bench.load(plan()).await;
    load.write("s", upsert("a 6 new 12")).await.unwrap();
    load.commit("s", None).await.unwrap();
    let schema = load.columns().await.unwrap();
    assert_eq!(schema.field(3).data_type(), &DataType::Utf8);
    let keys = load
        .keys(&RowFilter(vec![("Size".into(), Scalar::Text("12".into()))]))
        .await
        .unwrap();
    assert_eq!(super::fixture::key_texts(&keys), ["a 6"]);
    assert_eq!(bench.checkpoints().await, json!({ "s": 1 }));
}

/// A type that cannot become the wanted one is refused before anything is written.
pub async fn incompatible_types(bench: Bench) {
    bench.put("a 1 x 1").await;
    for plan in [with_size(DataType::Binary), with_size(DataType::Boolean)] {
        let mut plan = plan;
        plan.columns.insert(0, column("Another", DataType::Utf8));
        plan.forget_checkpoints = true;
        let load = bench.lease().await.unwrap();
        let refused = error(load.begin(plan).await);
        assert_eq!(refused.code(), code::INCOMPATIBLE);
        assert!(refused.to_string().contains("`Size`") && refused.hint().is_some());
        assert_eq!(bench.rows().await, ["a 1 x 1"]);
        assert_eq!(bench.checkpoints().await, json!({ "s": 1 }));
    }
    let load = bench.lease().await.unwrap();
    let binary = LoadPlan {
        columns: with_size(DataType::Binary).columns,
        ..staged(2)
    };
    assert_eq!(error(load.begin(binary).await).code(), code::INCOMPATIBLE);
    drop(load);
    let load = bench.load(plan()).await;
    let bytes = sized(1, Arc::new(BinaryArray::from(vec![&b"x"[..]])));
    assert!(load.write("s", bytes).await.is_err());
}

/// Another key is refused for a load into the table itself; in another order it is the same.
pub async fn other_keys(bench: Bench) {
    bench.put("a 1 x 1").await;
    let load = bench.lease().await.unwrap();
    let other = LoadPlan {
        key: vec!["Id".into()],
        ..plan()
    };
    assert_eq!(error(load.begin(other).await).code(), code::INCOMPATIBLE);
    load.begin(LoadPlan {
        key: vec!["id".into(), "KIND".into()],
        ..plan()
    })
    .await
    .unwrap();
    load.write("s", upsert("a 1 y 1")).await.unwrap();
    assert_eq!(load.commit("s", None).await.unwrap(), counts(0, 1, 0, 0));
}

/// A view, an index, a trigger and a column of the user's survive a column added and a type widened.
pub async fn users_things_survive(bench: Bench) {
    bench.put("a 1 x 1, a 2 y 2").await;
    let deeds = [
        Deed::AddView,
        Deed::AddIndex,
        Deed::AddColumn,
        Deed::AddTrigger,
    ];
    let mut done = Vec::new();
    for deed in deeds {
        if bench.user(deed).await {
            done.push(deed);
        }
    }
    let mut other = with_size(DataType::Utf8);
    other.columns.push(column("Extra", DataType::Utf8));
    bench.load(other).await.finish(None).await.unwrap();
    for deed in done {
        assert!(bench.survives(deed).await, "{deed:?}");
    }
    assert!(bench.open().inspect(&bench.table).await.unwrap().is_ours());
}
