//! Names, and what others have made under them.

use std::sync::Arc;

use arrow::array::{Int64Array, StringArray};
use arrow::datatypes::DataType;
use serde_json::json;

use super::Deed;
use super::fixture::{Bench, batch, column, error, holder, plan, record, staged};
use crate::{Change, LoadPlan, Replacement, RowFilter, Scalar, TableName, Target, code};

/// A table that no load of ours made is never written or dropped.
pub async fn foreign_tables(bench: Bench) {
    if !bench.user(Deed::MakeTable).await {
        return;
    }
    let recreate = LoadPlan {
        target: Target::Recreate,
        ..plan()
    };
    for plan in [plan(), staged(1), recreate] {
        let load = bench.lease().await.unwrap();
        assert!(!load.status().is_ours() && load.status().state.is_none());
        let refused = error(load.begin(plan).await);
        assert_eq!(refused.code(), code::NOT_OURS);
        assert!(refused.hint().is_some());
        drop(load);
    }
    assert_eq!(bench.rows().await, ["mine"]);
    let info = bench.open().table(&bench.table).await.unwrap().unwrap();
    assert!(!info.ours);
}

/// So is a view.
pub async fn views_in_the_way(bench: Bench) {
    if !bench.user(Deed::MakeView).await {
        return;
    }
    let load = bench.lease().await.unwrap();
    let refused = error(load.begin(plan()).await);
    assert_eq!(refused.code(), code::NOT_OURS);
    assert!(refused.to_string().contains("view"), "{refused}");
    assert!(
        bench
            .open()
            .table(&bench.table)
            .await
            .unwrap()
            .unwrap()
            .view
    );
}

/// Names that fold to the same are one table, which keeps its first spelling.
pub async fn folding(bench: Bench) {
    bench.put("a 1 x 1").await;
    let destination = bench.open();
    for (name, same) in [
        ("things", true),
        ("THINGS", true),
        ("Thing", false),
        ("Thingß", false),
    ] {
        let other = TableName::bare(name);
        let folds = destination.fold(&other) == destination.fold(&bench.table);
        assert_eq!(folds, same, "{name}");
        let status = destination.inspect(&other).await.unwrap();
        assert_eq!(status.is_ours(), same, "{name}");
    }
    let load = destination
        .open(&TableName::bare("tHINGS"), &holder())
        .await
        .unwrap();
    load.begin(plan()).await.unwrap();
    load.write("s", super::fixture::upsert("a 2 y 2"))
        .await
        .unwrap();
    load.commit("s", None).await.unwrap();
    load.finish(None).await.unwrap();
    let tables = destination.tables().await.unwrap();
    let folded: Vec<String> = tables
        .iter()
        .map(|info| destination.fold(&info.name))
        .collect();
    assert_eq!(folded, [destination.fold(&bench.table)]);
    assert_eq!(bench.rows().await.len(), 2);
}

/// Any name works for tables and columns, in every kind of change, in stagings and readings.
pub async fn quoting(bench: Bench) {
    let names = [
        "PROD.Issues",
        "two words",
        "a\"b",
        "it's",
        "[x]",
        "`y`",
        "select",
        "été",
        "名前",
        "semi;colon",
        "percent%",
        "back\\slash",
        "a/b",
        "new\nline",
        "?1",
        ":name",
        "--",
        "Ä",
        "0",
        ".",
    ];
    let destination = bench.open();
    for name in names {
        let table = TableName::bare(name);
        let value = format!("{name} Value");
        let columns = vec![
            column(name, DataType::Int64),
            column(&value, DataType::Utf8),
        ];
        let rows = |id: i64, text: &str| {
            batch(vec![
                (name, Arc::new(Int64Array::from(vec![id]))),
                (&value, Arc::new(StringArray::from(vec![text]))),
            ])
        };
        for target in [Target::Table, Target::Staging] {
            let load = destination.open(&table, &holder()).await.unwrap();
            let (columns, key) = (columns.clone(), vec![name.to_owned()]);
            load.begin(LoadPlan {
                columns,
                key,
                target,
                ..plan()
            })
            .await
            .unwrap();
            load.write(name, Change::Upsert(rows(1, "x")))
                .await
                .unwrap();
            load.commit(name, None).await.unwrap();
            load.write(name, Change::Upsert(rows(1, "y")))
                .await
                .unwrap();
            load.write(name, Change::Upsert(rows(2, "z")))
                .await
                .unwrap();
            let text = |text: &str| Scalar::Text(text.to_owned());
            let two = RowFilter(vec![(value.clone(), text("z"))]);
            load.write(name, Change::DeleteWhere(two.clone()))
                .await
                .unwrap();
            let set = vec![(value.clone(), text("'w\""))];
            let rows = RowFilter(vec![(name.to_owned(), Scalar::Int(1))]);
            load.write(name, Change::Assign { rows, set })
                .await
                .unwrap();
            load.commit(name, Some(json!(name))).await.unwrap();
            assert!(load.keys(&two).await.unwrap().is_empty());
            if target == Target::Staging {
                load.apply(Replacement::Rows, record(2)).await.unwrap();
            }
            load.finish(None).await.unwrap();
        }
        let status = destination.inspect(&table).await.unwrap();
        assert_eq!(
            json!(status.state.unwrap().checkpoints),
            json!({ name: name })
        );
        let bench = bench.other(table);
        assert_eq!(bench.rows().await, ["1 'w\""], "{name}");
    }
    assert_eq!(destination.tables().await.unwrap().len(), names.len());
    let schema = TableName::qualified("PROD", "Issues");
    if !destination.capabilities().schemas {
        assert_eq!(
            destination.fold(&schema),
            destination.fold(&TableName::bare("PROD.Issues"))
        );
        assert!(destination.inspect(&schema).await.unwrap().is_ours());
    }
}

/// Names that nothing can have are refused before anything is made.
pub async fn refused(bench: Bench) {
    for name in ["", "a\0b"] {
        let opened = bench.open().open(&TableName::bare(name), &holder()).await;
        assert_eq!(error(opened).code(), code::UNSUPPORTED, "{name:?}");
    }
    let columns = |names: &[&str]| -> LoadPlan {
        let columns = names
            .iter()
            .map(|name| column(name, DataType::Int64))
            .collect();
        LoadPlan {
            columns,
            key: vec![names.first().map_or("", |n| n).to_string()],
            ..plan()
        }
    };
    for names in [&["Id", ""][..], &["Id", "a\0"], &["Id", "ID"], &[]] {
        let load = bench.lease().await.unwrap();
        assert_eq!(
            error(load.begin(columns(names)).await).code(),
            code::UNSUPPORTED
        );
    }
    let load = bench.lease().await.unwrap();
    let keyless = LoadPlan {
        key: vec![],
        ..plan()
    };
    assert_eq!(error(load.begin(keyless).await).code(), code::UNSUPPORTED);
    let unknown_key = LoadPlan {
        key: vec!["Nope".into()],
        ..plan()
    };
    assert_eq!(
        error(load.begin(unknown_key).await).code(),
        code::UNSUPPORTED
    );
    assert!(bench.open().table(&bench.table).await.unwrap().is_none());
}
