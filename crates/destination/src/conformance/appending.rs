//! Rows that INSERT gives to tables of the user's own.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};

use super::Deed;
use super::fixture::{Bench, batch, error};
use crate::{Result, TableName, code};

/// Rows of `Size`, `KIND` and `id`: neither all columns nor in the order or spelling of the table.
fn rows(text: &str) -> RecordBatch {
    let rows: Vec<Vec<&str>> = text
        .split(',')
        .map(|row| row.split_whitespace().collect())
        .filter(|row: &Vec<&str>| !row.is_empty())
        .collect();
    let texts = |index: usize| -> ArrayRef {
        let cells = rows
            .iter()
            .map(|row| Some(row[index]).filter(|cell| *cell != "-"));
        Arc::new(cells.collect::<StringArray>())
    };
    let ids: Int64Array = rows.iter().map(|row| row[2].parse::<i64>().ok()).collect();
    batch(vec![
        ("Size", texts(0)),
        ("KIND", texts(1)),
        ("id", Arc::new(ids)),
    ])
}

async fn append(bench: &Bench, batches: &[RecordBatch]) -> Result<u64> {
    bench.open().append(&bench.table, batches).await
}

async fn read(bench: &Bench) -> Vec<String> {
    bench
        .read(&["Kind", "Id", "Title", "Size"], &[], None)
        .await
}

/// Columns are found by name and values converted; what is not given is NULL.
pub async fn by_name(bench: Bench) {
    if !bench.user(Deed::MakeThings).await {
        return;
    }
    let batches = [rows("7 b 1, - b 2"), rows(""), rows("8 a 2")];
    assert_eq!(append(&bench, &batches).await.unwrap(), 3);
    assert_eq!(append(&bench, &[]).await.unwrap(), 0);
    let expected = ["a 1 old 1", "a 2 - 8", "a 9 old 9", "b 1 - 7", "b 2 - -"];
    assert_eq!(read(&bench).await, expected);
}

/// A value that does not fit is named with its column and its row; nothing of what came before it is there.
pub async fn all_or_nothing(bench: Bench) {
    if !bench.user(Deed::MakeThings).await {
        return;
    }
    let refused = error(append(&bench, &[rows("7 b 1, 7 b 2"), rows("7 b 3, much b 4")]).await);
    assert_eq!(refused.code(), code::BAD_VALUE);
    let text = refused.to_string();
    assert!(
        text.to_lowercase().starts_with("row 4, column `size`"),
        "{text}"
    );
    let refused = error(append(&bench, &[rows("7 b 1"), rows("7 - 2")]).await);
    assert_eq!(refused.code(), code::BAD_VALUE, "{refused}");
    for doubled in ["7 b 1, 7 a 9", "7 b 1, 8 b 1"] {
        let refused = error(append(&bench, &[rows(doubled)]).await);
        let kinds = [code::BAD_VALUE, code::DUPLICATE_KEY];
        assert!(kinds.contains(&refused.code()), "{refused}");
    }
    assert_eq!(read(&bench).await, ["a 1 old 1", "a 9 old 9"]);
}

/// Nothing but a load writes to a table of ours.
pub async fn never_to_ours(bench: Bench) {
    bench.put("a 1 x 1").await;
    let refused = error(append(&bench, &[rows("7 b 1")]).await);
    assert_eq!(refused.code(), code::OURS);
    assert_eq!(read(&bench).await, ["a 1 x 1"]);
}

/// A table or a column that is not there is named, a view is none to append to, and nothing is made.
pub async fn what_is_not_there(bench: Bench) {
    let refused = error(append(&bench, &[rows("7 b 1")]).await);
    assert_eq!(refused.code(), code::NOT_FOUND);
    assert!(bench.open().tables().await.unwrap().is_empty());
    if bench.user(Deed::MakeTable).await {
        let refused = error(append(&bench, &[rows("7 b 1")]).await);
        assert_eq!(refused.code(), code::NOT_FOUND);
        assert!(refused.to_string().contains("`Size`"), "{refused}");
    }
    let view = bench.other(TableName::bare("Seen"));
    if view.user(Deed::MakeView).await {
        let refused = error(append(&view, &[rows("7 b 1")]).await);
        assert_eq!(refused.code(), code::UNSUPPORTED);
    }
}
