//! Tables and views that statements make, change and drop.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::{DataType, Field};

use super::Deed;
use super::fixture::{Bench, batch, error};
use crate::{Definition, Destination, NewColumn, Result, code};

/// The definition of a table of `Id`, its key, and `Name`, a text of three characters.
fn table(bench: &Bench, if_absent: bool) -> Definition {
    table_with(bench, if_absent, Vec::new())
}

/// The same with rows.
fn table_with(bench: &Bench, if_absent: bool, rows: Vec<RecordBatch>) -> Definition {
    let column = |name: &str, data_type, nullable, length| NewColumn {
        field: Field::new(name, data_type, nullable),
        length,
        range: None,
    };
    Definition::Table {
        name: bench.table.clone(),
        columns: vec![
            column("Id", DataType::Int64, false, None),
            column("Name", DataType::Utf8, true, Some(3)),
        ],
        key: vec!["Id".to_owned()],
        if_absent,
        rows,
    }
}

/// A destination that has such a table with the rows `1 a`, `2 b` and `3 c`; none if it makes none.
async fn filled(bench: &Bench) -> Option<Box<dyn Destination>> {
    let destination = bench.open();
    match destination.define(&table(bench, false)).await {
        Err(refused) if refused.code() == code::UNSUPPORTED => return None,
        made => assert!(made.unwrap()),
    }
    let rows = named(&[1, 2, 3], &["a", "b", "c"]);
    assert_eq!(destination.append(&bench.table, &[rows]).await.unwrap(), 3);
    Some(destination)
}

fn named(ids: &[i64], names: &[&str]) -> RecordBatch {
    let ids: ArrayRef = Arc::new(Int64Array::from(ids.to_vec()));
    let names: ArrayRef = Arc::new(StringArray::from(names.to_vec()));
    batch(vec![("Id", ids), ("Name", names)])
}

/// The rows of these ids, each behind its place.
async fn placed(destination: &dyn Destination, bench: &Bench, ids: &[i64]) -> RecordBatch {
    let batches = destination.own_rows(&bench.table).await.unwrap();
    let all = concat_batches(&batches[0].schema(), &batches).unwrap();
    let found = all.column(1).as_primitive::<arrow::datatypes::Int64Type>();
    let place = |id: &i64| found.values().iter().position(|other| other == id).unwrap() as u64;
    let places: arrow::array::UInt64Array = ids.iter().map(place).collect();
    take_record_batch(&all, &places).unwrap()
}

async fn change(
    destination: &dyn Destination,
    bench: &Bench,
    ids: &[i64],
    names: Option<&[&str]>,
) -> Result<u64> {
    let rows = placed(destination, bench, ids).await;
    let values = names.map(|names| {
        let names: ArrayRef = Arc::new(StringArray::from(names.to_vec()));
        batch(vec![("Name", names)])
    });
    destination
        .change_rows(&bench.table, &rows, values.as_ref())
        .await
}

async fn read(bench: &Bench) -> Vec<String> {
    bench.read(&["Id", "Name"], &[], None).await
}

/// A table is made with its rows, or not at all.
pub async fn made_with_its_rows(bench: Bench) {
    let destination = bench.open();
    let make = |names: &[&str; 2]| table_with(&bench, false, vec![named(&[1, 2], names)]);
    match destination.define(&make(&["a", "too long"])).await {
        Err(refused) if refused.code() == code::UNSUPPORTED => return,
        made => assert_eq!(made.unwrap_err().code(), code::BAD_VALUE),
    }
    assert!(destination.define(&make(&["a", "b"])).await.unwrap());
    assert_eq!(read(&bench).await, ["1 a", "2 b"]);
}

/// A table is made, changed row by row and dropped; a second one of its name is refused, or left alone.
pub async fn made_changed_and_dropped(bench: Bench) {
    let Some(destination) = filled(&bench).await else {
        return;
    };
    assert!(!destination.define(&table(&bench, true)).await.unwrap());
    let taken = error(destination.define(&table(&bench, false)).await);
    assert_eq!(taken.code(), code::FOREIGN);
    let changed = change(&*destination, &bench, &[3, 1], Some(&["z", "x"])).await;
    assert_eq!(changed.unwrap(), 2);
    assert_eq!(change(&*destination, &bench, &[2], None).await.unwrap(), 1);
    assert_eq!(read(&bench).await, ["1 x", "3 z"]);
    let drop = Definition::Drop {
        name: bench.table.clone(),
        view: false,
    };
    assert!(destination.define(&drop).await.unwrap());
    assert!(destination.table(&bench.table).await.unwrap().is_none());
    let absent = error(destination.define(&drop).await);
    assert_eq!(absent.code(), code::NOT_FOUND);
}

/// A value that does not fit, or a row that has changed since it was read, leaves all rows as they are.
pub async fn all_or_nothing(bench: Bench) {
    let Some(destination) = filled(&bench).await else {
        return;
    };
    let long = change(
        &*destination,
        &bench,
        &[1, 2],
        Some(&["x", "much too long"]),
    )
    .await;
    assert_eq!(error(long).code(), code::BAD_VALUE);
    let stale = placed(&*destination, &bench, &[2, 1]).await;
    change(&*destination, &bench, &[1], Some(&["y"]))
        .await
        .unwrap();
    let refused = error(destination.change_rows(&bench.table, &stale, None).await);
    assert_eq!(refused.code(), code::CHANGED);
    assert_eq!(read(&bench).await, ["1 y", "2 b", "3 c"]);
}

/// What another program made is neither changed nor dropped.
pub async fn never_to_others(bench: Bench) {
    if !bench.user(Deed::MakeThings).await {
        return;
    }
    let destination = bench.open();
    let drop = Definition::Drop {
        name: bench.table.clone(),
        view: false,
    };
    let refused = error(destination.define(&drop).await);
    if refused.code() == code::UNSUPPORTED {
        return;
    }
    assert_eq!(refused.code(), code::FOREIGN);
    let refused = error(destination.own_rows(&bench.table).await);
    assert_eq!(refused.code(), code::FOREIGN);
    assert_eq!(bench.read(&["Kind"], &[], None).await.len(), 2);
}
