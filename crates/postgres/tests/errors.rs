//! What is told when something goes wrong.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod support;

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, TimeUnit};
use bucketline_destination::{Change, Column, ColumnType, Error, Load, LoadPlan, Target, code};

use self::support::{Database, batch, begun, destination, open, plan};

async fn refused(load: &dyn Load, field: Field, value: ArrayRef) -> Error {
    let fields = vec![Field::new("Id", DataType::Int64, true), field.clone()];
    let id: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let schema = arrow::datatypes::Schema::new(fields);
    let rows = arrow::array::RecordBatch::try_new(Arc::new(schema), vec![id, value]).unwrap();
    let columns = vec![plan(Target::Table).columns.remove(0), column(field)];
    load.begin(LoadPlan {
        columns,
        ..plan(Target::Table)
    })
    .await
    .unwrap();
    match load.write("s", Change::Upsert(rows)).await {
        Ok(()) => load.commit("s", None).await.unwrap_err(),
        Err(error) => error,
    }
}

fn column(field: Field) -> Column {
    Column { field, doc: None }
}

/// A value that has no place says in which column.
#[tokio::test]
async fn values_without_a_place_name_their_column() {
    let Some(database) = Database::new() else {
        return;
    };
    let text = |text: &str| -> ArrayRef { Arc::new(StringArray::from(vec![text])) };
    let moment =
        |moment: i64| -> ArrayRef { Arc::new(TimestampMicrosecondArray::from(vec![moment])) };
    let local = DataType::Timestamp(TimeUnit::Microsecond, None);
    for (field, value, word) in [
        (
            Field::new("When", local.clone(), true),
            moment(-300_000_000_000_000_000),
            "range",
        ),
        (Field::new("When", local, true), moment(i64::MIN), "first"),
        (
            Field::new("When", DataType::Utf8, true),
            text("a\0b"),
            "U+0000",
        ),
        (
            ColumnType::Json.field("When", true),
            text(r#"{"a":"x\u0000"}"#),
            "U+0000",
        ),
        (
            ColumnType::Json.field("When", true),
            text("{nothing"),
            "json",
        ),
    ] {
        database.execute("DROP TABLE IF EXISTS things");
        let load = open(&database.destination()).await.unwrap();
        let error = refused(&*load, field, value).await;
        assert_eq!(error.code(), code::BAD_VALUE, "{error}");
        let told = error.to_string();
        assert!(told.contains("`When`") && told.contains(word), "{told}");
    }
    // A backslash that is one, and four digits.
    database.execute("DROP TABLE things");
    let load = open(&database.destination()).await.unwrap();
    load.begin(LoadPlan {
        columns: vec![
            plan(Target::Table).columns.remove(0),
            column(ColumnType::Json.field("Text", true)),
        ],
        ..plan(Target::Table)
    })
    .await
    .unwrap();
    let id: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let rows = [("Id", id), ("Text", text(r#""a\\u0000""#))];
    let rows = arrow::array::RecordBatch::try_from_iter(rows).unwrap();
    load.write("s", Change::Upsert(rows)).await.unwrap();
    load.commit("s", None).await.unwrap();
    assert_eq!(database.execute("SELECT text FROM things"), r#""a\\u0000""#);
}

/// What a user's trigger misses is not the table; the search path of the session may be given.
#[tokio::test]
async fn triggers_that_rely_on_the_search_path() {
    let Some(database) = Database::new() else {
        return;
    };
    let load = begun(&database.destination()).await;
    database.execute(
        "CREATE TABLE seen (id bigint);
         CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
           $$ BEGIN INSERT INTO seen VALUES (NEW.id); RETURN NEW; END $$;
         CREATE TRIGGER note BEFORE INSERT ON things FOR EACH ROW EXECUTE FUNCTION note();",
    );
    load.write("s", Change::Upsert(batch(0..2))).await.unwrap();
    let error = load.commit("s", None).await.unwrap_err();
    assert_eq!(error.code(), code::DATABASE, "{error}");
    assert!(error.hint().unwrap().contains("search_path"), "{error}");
    drop(load);
    let url = format!("{}?options=-c%20search_path%3Dpublic", database.url);
    let load = begun(&destination(&url)).await;
    load.write("s", Change::Upsert(batch(0..2))).await.unwrap();
    load.commit("s", None).await.unwrap();
    assert_eq!(database.execute("SELECT count(*) FROM seen"), "2");
}
