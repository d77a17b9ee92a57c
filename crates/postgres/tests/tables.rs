//! What a user of the server sees of the tables.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod support;

use bucketline_destination::{
    Change, Counts, Destination, Exact, LoadPlan, Replacement, TableName, Target, code,
};
use serde_json::json;

use self::support::{Database, batch, begun, holder, open, plan};

/// How many rows there are, and how many that are dead or were written over.
fn dead(database: &Database) -> String {
    database.execute(
        "CREATE EXTENSION IF NOT EXISTS pgstattuple;
         SELECT tuple_count, dead_tuple_count FROM pgstattuple('public.things')",
    )
}

#[tokio::test]
async fn unchanged_rows_are_not_written_and_leave_nothing_behind() {
    let Some(database) = Database::new() else {
        return;
    };
    let load = begun(&database.destination()).await;
    load.write("s", Change::Upsert(batch(0..1000)))
        .await
        .unwrap();
    load.commit("s", None).await.unwrap();
    let writers = || database.execute("SELECT string_agg(DISTINCT xmin::text, ',') FROM things");
    let before = writers();
    for _ in 0..3 {
        load.write("s", Change::Upsert(batch(0..1000)))
            .await
            .unwrap();
        let counts = load.commit("s", None).await.unwrap();
        assert_eq!(
            counts,
            Counts {
                unchanged: 1000,
                ..Counts::default()
            }
        );
    }
    load.finish(None).await.unwrap();
    let staged = open(&database.destination()).await.unwrap();
    staged.begin(plan(Target::Staging)).await.unwrap();
    staged
        .write("s", Change::Upsert(batch(0..1000)))
        .await
        .unwrap();
    staged.commit("s", None).await.unwrap();
    let counts = staged.apply(Replacement::Rows, json!(2)).await.unwrap();
    assert_eq!(counts.unchanged, 1000);
    staged.finish(None).await.unwrap();
    assert_eq!(writers(), before);
    // No row lock either, which would leave a mark in each row.
    let locked = database.execute("SELECT count(*) FROM things WHERE xmax::text <> '0'");
    assert_eq!(locked, "0");
    assert_eq!(dead(&database), "1000|0");
}

#[tokio::test]
async fn columns_have_types_and_comments() {
    let Some(database) = Database::new() else {
        return;
    };
    let load = open(&database.destination()).await.unwrap();
    load.begin(LoadPlan {
        indexes: vec!["Text".into()],
        ..plan(Target::Table)
    })
    .await
    .unwrap();
    load.finish(None).await.unwrap();
    let columns = database.execute(
        "SELECT attname, format_type(atttypid, atttypmod), attnotnull, col_description(attrelid, attnum)
         FROM pg_attribute WHERE attrelid = 'public.things'::regclass AND attnum > 0 ORDER BY attnum",
    );
    assert_eq!(
        columns,
        "id|bigint|t|What a thing's Id is.\ntext|text|f|What a thing's Text is."
    );
    let key = database.execute(
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'public.things'::regclass",
    );
    assert_eq!(key, "PRIMARY KEY (id)");
    let index = database.execute(
        "SELECT indexdef FROM pg_indexes WHERE tablename = 'things' AND indexdef NOT LIKE '%UNIQUE%'",
    );
    let doc = database.execute("SELECT obj_description('public.things'::regclass)");
    assert_eq!(doc, "Things of a test.");
    assert_eq!(
        index,
        "CREATE INDEX things_text_idx ON public.things USING btree (text)"
    );
}

#[tokio::test]
async fn a_name_in_double_quotes_is_exact_and_others_are_folded() {
    let Some(database) = Database::new() else {
        return;
    };
    let destination = database.destination();
    let exact = TableName {
        exact: Exact {
            schema: false,
            name: true,
        },
        ..TableName::qualified("PROD", "Things")
    };
    for table in [TableName::qualified("PROD", "Things"), exact] {
        let load = destination.open(&table, &holder()).await.unwrap();
        load.begin(plan(Target::Table)).await.unwrap();
        load.write("s", Change::Upsert(batch(0..2))).await.unwrap();
        load.commit("s", None).await.unwrap();
        load.finish(None).await.unwrap();
    }
    let names = database.execute(
        "SELECT schemaname, tablename FROM pg_tables WHERE schemaname = 'prod' ORDER BY tablename COLLATE \"C\"",
    );
    assert_eq!(names, "prod|Things\nprod|things");
    // What is read is what a load of that name writes.
    for (name, exact, found) in [
        ("Things", true, "Things"),
        ("Things", false, "things"),
        ("THINGS", false, "things"),
    ] {
        let table = TableName {
            exact: Exact {
                schema: false,
                name: exact,
            },
            ..TableName::qualified("prod", name)
        };
        let info = destination.table(&table).await.unwrap().unwrap();
        assert_eq!(info.name.name, found);
        assert!(info.ours);
    }
    let long = TableName::bare("x".repeat(80));
    let load = destination.open(&long, &holder()).await.unwrap();
    load.begin(plan(Target::Table)).await.unwrap();
    load.finish(None).await.unwrap();
    assert!(destination.table(&long).await.unwrap().is_some());
}

#[tokio::test]
async fn a_view_is_told_of_before_anything_is_written() {
    let Some(database) = Database::new() else {
        return;
    };
    let load = begun(&database.destination()).await;
    load.write("s", Change::Upsert(batch(0..3))).await.unwrap();
    load.commit("s", None).await.unwrap();
    load.finish(None).await.unwrap();
    database.execute("CREATE VIEW seen AS SELECT id, text FROM things");
    let mut wider = plan(Target::Table);
    wider.columns[0].field =
        arrow::datatypes::Field::new("Id", arrow::datatypes::DataType::Utf8, true);
    let load = open(&database.destination()).await.unwrap();
    let error = load.begin(wider).await.unwrap_err();
    assert_eq!(error.code(), code::INCOMPATIBLE);
    assert!(error.to_string().contains("view public.seen"), "{error}");
    drop(load);
    // So is a staged load, before anything is fetched for it.
    let mut wider = plan(Target::Staging);
    wider.columns[0].field =
        arrow::datatypes::Field::new("Id", arrow::datatypes::DataType::Utf8, true);
    for (plan, word) in [(wider, "changed"), (plan(Target::Recreate), "replaced")] {
        let load = open(&database.destination()).await.unwrap();
        let error = load.begin(plan).await.unwrap_err();
        assert_eq!(error.code(), code::INCOMPATIBLE);
        let told = error.to_string();
        assert!(
            told.contains("view public.seen") && told.contains(word),
            "{told}"
        );
    }
    // Of what is made while a load runs the server tells.
    database.execute("DROP VIEW seen");
    let load = open(&database.destination()).await.unwrap();
    load.begin(plan(Target::Recreate)).await.unwrap();
    database.execute("CREATE VIEW seen AS SELECT id, text FROM things");
    load.write("s", Change::Upsert(batch(0..1))).await.unwrap();
    load.commit("s", None).await.unwrap();
    let error = load.apply(Replacement::Table, json!(2)).await.unwrap_err();
    assert_eq!(error.code(), code::INCOMPATIBLE);
    assert_eq!(database.execute("SELECT count(*) FROM seen"), "3");
}

#[tokio::test]
async fn the_state_of_many_slices_is_small_and_only_what_changed_is_written() {
    const SLICES: usize = 10_000;
    let Some(database) = Database::new() else {
        return;
    };
    let load = begun(&database.destination()).await;
    let slice = |number: usize| format!("{{{number:08x}-1111-4111-8111-111111111111}}");
    let checkpoint =
        |number: usize| json!({"mark": "2026-08-10T09:00:00.123456+00:00", "seen": number});
    for number in 0..SLICES {
        let saved = load.commit(&slice(number), Some(checkpoint(number))).await;
        saved.unwrap();
    }
    load.finish(None).await.unwrap();
    let size = database.execute("SELECT pg_total_relation_size('_bucketline.checkpoints')");
    let size: usize = size.parse().unwrap();
    assert!(size < 1_000_000, "{size} bytes");
    let load = open(&database.destination()).await.unwrap();
    let state = load.status().state.clone().unwrap();
    assert_eq!(state.checkpoints.len(), SLICES);
    assert_eq!(state.checkpoints[&slice(77)], checkpoint(77));
    load.begin(plan(Target::Table)).await.unwrap();
    load.commit(&slice(77), Some(checkpoint(78))).await.unwrap();
    let written = database.execute(
        "SELECT count(*) FROM _bucketline.checkpoints
         WHERE xmin = (SELECT xmin FROM _bucketline.leases)",
    );
    assert_eq!(written, "1");
}
