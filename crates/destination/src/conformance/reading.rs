//! Reading tables.

use serde_json::json;

use super::Deed;
use super::fixture::{Bench, error, key_texts, plan, staged, texts};
use crate::{RowFilter, Scalar, TableName, code};

const ROWS: &str = "a 1 x 1, a 2 - 2, a 3 z -, b 1 Y 10, b 2 y -5";

/// Columns come in the order asked for, whatever their case; an unknown one is an error.
pub async fn projection(bench: Bench) {
    bench.put(ROWS).await;
    assert_eq!(bench.read(&["size", "KIND"], &[], None).await.len(), 5);
    assert_eq!(
        bench.read(&["Size", "Kind", "Id"], &[], None).await[0],
        "- a 3"
    );
    let batches = bench.batches(&["size"], &[], None).await.unwrap();
    assert_eq!(batches[0].schema().field(0).name(), "Size");
    let unknown = bench.batches(&["Nope"], &[], None).await;
    assert_eq!(error(unknown).code(), code::NOT_FOUND);
    let elsewhere = bench.other(TableName::bare("Nowhere"));
    assert_eq!(
        error(elsewhere.batches(&["Id"], &[], None).await).code(),
        code::NOT_FOUND
    );
}

/// Without columns only the number of rows is read.
pub async fn counting(bench: Bench) {
    bench.put(ROWS).await;
    let count = async |limit| -> usize {
        let batches = bench.batches(&[], &[], limit).await.unwrap();
        assert!(batches.iter().all(|batch| batch.num_columns() == 0));
        batches
            .iter()
            .map(arrow::array::RecordBatch::num_rows)
            .sum()
    };
    assert_eq!(
        (
            count(None).await,
            count(Some(2)).await,
            count(Some(9)).await
        ),
        (5, 2, 5)
    );
}

/// No row that meets the conditions is left out. A destination may leave others in, so the suite looks at the
/// rows that meet them.
pub async fn conditions(bench: Bench) {
    type Condition<'a> = (&'a str, &'static str, Scalar);
    bench.put(ROWS).await;
    let text = |text: &str| Scalar::Text(text.into());
    let ids =
        async |conditions: &[Condition<'_>]| bench.read(&["Kind", "Id"], conditions, None).await;
    let cases: [(&[Condition<'_>], &[&str]); 8] = [
        (&[("Kind", "=", text("a"))], &["a 1", "a 2", "a 3"]),
        (&[("Size", ">", Scalar::Int(1))], &["a 2", "b 1"]),
        (
            &[("Size", ">=", Scalar::Int(1)), ("kind", "<>", text("b"))],
            &["a 1", "a 2"],
        ),
        (&[("Size", "<", Scalar::Int(0))], &["b 2"]),
        (&[("Title", "<=", text("Z"))], &["b 1"]),
        (&[("Title", "=", text("y"))], &["b 2"]),
        (&[("Size", "=", text("10"))], &["b 1"]),
        (&[("Id", "LIKE", text("1"))], &["a 1", "b 1"]),
    ];
    for (conditions, expected) in cases {
        let found = ids(conditions).await;
        for row in expected {
            assert!(
                found.iter().any(|f| f == row),
                "{conditions:?}: {found:?} lacks {row}"
            );
        }
    }
}

/// A limit cuts only what the conditions leave.
pub async fn limits(bench: Bench) {
    bench.put(ROWS).await;
    assert_eq!(bench.read(&["Id"], &[], Some(2)).await.len(), 2);
    assert!(bench.read(&["Id"], &[], Some(0)).await.is_empty());
    let last = [("Kind", "=", Scalar::Text("b".into()))];
    let found = bench.read(&["Kind", "Id"], &last, Some(2)).await;
    assert_eq!(found.iter().filter(|row| row.starts_with('b')).count(), 2);
}

/// Listings show tables and views, with columns and key, and neither our state nor a staging.
pub async fn listing(bench: Bench) {
    assert!(bench.open().tables().await.unwrap().is_empty());
    bench.put(ROWS).await;
    let load = bench.load(staged(2)).await;
    load.commit("s", Some(json!(1))).await.unwrap();
    let tables = bench.open().tables().await.unwrap();
    assert_eq!(tables.len(), 1, "{tables:?}");
    let folded = |name| bench.open().fold(name);
    assert_eq!(folded(&tables[0].name), folded(&bench.table));
    assert!(tables[0].ours);
    assert_eq!(tables[0].key, ["Kind", "Id"]);
    assert_eq!(
        Some(&tables[0]),
        bench.open().table(&bench.table).await.unwrap().as_ref()
    );
    if bench.user(Deed::AddView).await {
        let tables = bench.open().tables().await.unwrap();
        let view = tables.iter().find(|info| info.view).unwrap();
        assert!(!view.ours);
        let view = bench.other(view.name.clone());
        assert_eq!(view.rows().await.len(), 5);
    }
}

/// Looking at what is not there makes nothing.
pub async fn looking_makes_nothing(bench: Bench) {
    let status = bench.open().inspect(&bench.table).await.unwrap();
    assert!(status.state.is_none() && status.is_void() && !status.is_ours());
    assert!(bench.open().table(&bench.table).await.unwrap().is_none());
    assert_eq!(
        error(bench.batches(&[], &[], None).await).code(),
        code::NOT_FOUND
    );
    assert!(bench.open().tables().await.unwrap().is_empty());
}

/// `keys` gives the keys of the committed rows that match.
pub async fn keys(bench: Bench) {
    bench.put(ROWS).await;
    let load = bench.load(plan()).await;
    load.write("s", super::fixture::upsert("c 1 x 1"))
        .await
        .unwrap();
    let keys = async |filter: &[(&str, Scalar)]| {
        let filter = filter
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()));
        key_texts(&load.keys(&RowFilter(filter.collect())).await.unwrap())
    };
    assert_eq!(keys(&[]).await, ["a 1", "a 2", "a 3", "b 1", "b 2"]);
    assert_eq!(
        keys(&[("kind", Scalar::Text("b".into()))]).await,
        ["b 1", "b 2"]
    );
    assert_eq!(keys(&[("Title", Scalar::Null)]).await, ["a 2"]);
    assert!(keys(&[("Kind", Scalar::Text("z".into()))]).await.is_empty());
    load.commit("s", None).await.unwrap();
    assert_eq!(
        keys(&[("Title", Scalar::Text("x".into()))]).await,
        ["a 1", "c 1"]
    );
    let batches = bench.batches(&["Kind"], &[], None).await.unwrap();
    assert_eq!(batches.iter().flat_map(texts).count(), 6);
}
