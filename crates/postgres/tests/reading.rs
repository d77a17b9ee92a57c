//! What users have made themselves is read as it is.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod support;

use arrow::array::AsArray;
use bucketline_destination::{Condition, Destination, Query, Scalar, TableName};
use futures::TryStreamExt;

use self::support::Database;

/// The texts of a column, sorted.
async fn texts(
    database: &Database,
    table: TableName,
    column: &str,
    conditions: &[(&'static str, &str)],
) -> Vec<String> {
    let condition = |(operator, text): &(&'static str, &str)| Condition {
        column: column.to_owned(),
        operator,
        value: Scalar::Text((*text).to_owned()),
    };
    let query = Query {
        table,
        columns: vec![column.to_owned()],
        conditions: conditions.iter().map(condition).collect(),
        limit: None,
    };
    let stream = database.destination().read(&query).await.unwrap();
    let batches: Vec<_> = stream.try_collect().await.unwrap();
    let mut texts: Vec<String> = batches
        .iter()
        .flat_map(|batch| batch.column(0).as_string::<i32>().iter().flatten())
        .map(str::to_owned)
        .collect();
    texts.sort();
    texts
}

#[tokio::test]
async fn names_in_capital_letters() {
    let Some(database) = Database::new() else {
        return;
    };
    database.execute(
        r#"CREATE SCHEMA "Sales";
           CREATE TABLE "Sales"."Big Orders" ("Id" text); INSERT INTO "Sales"."Big Orders" VALUES ('x');
           CREATE TABLE "Both" (id text); INSERT INTO "Both" VALUES ('exact');
           CREATE TABLE both_ (id text); ALTER TABLE both_ RENAME TO "both"; INSERT INTO "both" VALUES ('folded');"#,
    );
    let listed = database.destination().tables().await.unwrap();
    let listed: Vec<String> = listed.iter().map(|info| info.name.to_string()).collect();
    assert_eq!(listed, ["Sales.Big Orders", "public.Both", "public.both"]);
    let orders = TableName::qualified("Sales", "Big Orders");
    assert_eq!(texts(&database, orders, "id", &[]).await, ["x"]);
    // Where a load of that name writes.
    let both = texts(&database, TableName::bare("Both"), "id", &[]).await;
    assert_eq!(both, ["folded"]);
}

#[tokio::test]
async fn types_that_loads_do_not_make() {
    let Some(database) = Database::new() else {
        return;
    };
    database.execute(
        r#"CREATE TYPE mood AS ENUM ('sad', 'happy');
           CREATE TABLE odd (plain json, small numeric(3,5), feeling mood, many integer[], id uuid, span interval);
           INSERT INTO odd VALUES ('{"a":"\u0000", "a":1e2}', 0.00123, 'happy', '{1,2}',
             '11111111-1111-4111-8111-111111111111', '1 mon 2 days');"#,
    );
    for (column, text) in [
        ("plain", r#"{"a":"\u0000", "a":1e2}"#),
        ("small", "0.00123"),
        ("feeling", "happy"),
        ("many", "[1, 2]"),
        ("id", "11111111-1111-4111-8111-111111111111"),
        ("span", "P1M2D"),
    ] {
        let table = TableName::bare("odd");
        assert_eq!(texts(&database, table, column, &[]).await, [text]);
    }
}

/// A condition keeps what a reader keeps who compares bytes.
#[tokio::test]
async fn collations_change_no_condition() {
    let Some(database) = Database::new() else {
        return;
    };
    database.execute(
        "CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
         CREATE TABLE words (word text COLLATE loose, padded character(4), german text COLLATE \"de-x-icu\");
         INSERT INTO words SELECT w, w, w FROM unnest(ARRAY['a', 'A', 'b', 'B', 'é']) AS w;",
    );
    let words = || TableName::bare("words");
    for column in ["word", "padded", "german"] {
        let read = async |operator, text| {
            texts(&database, words(), column, &[(operator, text)])
                .await
                .concat()
        };
        assert_eq!(read("=", "a").await, "a", "{column}");
        assert_eq!(read("<>", "a").await, "ABbé", "{column}");
        assert_eq!(read("<", "b").await, "ABa", "{column}");
        assert_eq!(read(">=", "b").await, "bé", "{column}");
    }
}
