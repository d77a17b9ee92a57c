//! Loads of the whole table: staged, applied at the end.

use arrow::datatypes::DataType;
use bucketline_core::code::http;
use bucketline_destination::Counts;
use bucketline_source::Operator;
use bucketline_sql::{Position, Span};

use super::fake::{ID, STATE, Selection, TITLE, UUID};
use super::{Bench, killed_after, outcome, statement, with};
use crate::declared::{Declared, DeclaredColumn, Rule};
use crate::{Mode, Outcome, code};

fn few() -> Selection {
    Selection {
        columns: vec![UUID, ID, TITLE],
        ..Selection::all("Issues")
    }
}

fn more() -> Selection {
    Selection {
        columns: vec![UUID, ID, TITLE, STATE],
        ..Selection::all("Issues")
    }
}

#[tokio::test]
async fn a_new_column_loads_the_table_again_after_saying_so() {
    let bench = Bench::filled();
    bench.replicate(&few()).await.unwrap();
    bench.row_requests();
    let report = bench.replicate(&more()).await.unwrap();
    assert_eq!(bench.row_requests(), 5);
    let note = &report.notes[0];
    assert!(
        note.contains("State is a new column") && note.contains("about 5 requests"),
        "{note}"
    );
    assert_eq!(
        report.counts,
        Counts {
            updated: 12,
            ..Counts::default()
        }
    );
    assert!(
        bench
            .column("State")
            .await
            .values()
            .all(|state| state == "open")
    );
    bench.replicate(&more()).await.unwrap();
    assert_eq!(bench.row_requests(), 2, "incremental again");
}

#[tokio::test]
async fn a_dropped_column_needs_no_reload() {
    let bench = Bench::filled();
    bench.replicate(&more()).await.unwrap();
    bench.row_requests();
    let report = bench.replicate(&few()).await.unwrap();
    assert_eq!(bench.row_requests(), 2);
    assert!(
        report.notes[0]
            .contains("no longer selected, so that they stay and are NULL in 12 rows: State"),
        "{:?}",
        report.notes
    );
    assert!(
        bench
            .column("State")
            .await
            .values()
            .all(|state| state == "NULL")
    );
    let report = bench.replicate(&few()).await.unwrap();
    assert!(report.notes.is_empty());
}

#[tokio::test]
async fn other_conditions_replace_the_rows() {
    let bench = Bench::filled();
    bench.put("{a}", 3, "third", "merged");
    bench
        .replicate(&Selection {
            state: Some("open"),
            ..few()
        })
        .await
        .unwrap();
    assert_eq!(bench.copy().await, bench.truth(Some("open")));
    bench
        .replicate(&Selection {
            state: Some("merged"),
            ..few()
        })
        .await
        .unwrap();
    assert_eq!(bench.copy().await, bench.truth(Some("merged")));
}

#[tokio::test]
async fn a_reload_that_fails_leaves_the_table_and_goes_on_later() {
    let bench = Bench::filled();
    bench.replicate(&few()).await.unwrap();
    bench.fake.world().repository("{b}").fault = Some(http::SERVER);
    let error = bench.replicate(&more()).await.unwrap_err();
    assert_eq!(error.code(), code::PARTIAL);
    assert!(!error.is_partial(), "nothing was put in place");
    assert_eq!(bench.copy().await, bench.truth(None));
    bench.fake.world().repository("{b}").fault = None;
    bench.row_requests();
    bench.replicate(&more()).await.unwrap();
    assert_eq!(bench.row_requests(), 2, "what was staged is not read again");
    assert!(
        bench
            .column("State")
            .await
            .values()
            .all(|state| state == "open")
    );
}

#[tokio::test]
async fn a_killed_reload_goes_on() {
    for polls in 1..70 {
        let bench = Bench::filled();
        bench.replicate(&few()).await.unwrap();
        killed_after(polls, bench.replicate(&more())).await;
        assert_eq!(bench.copy().await, bench.truth(None), "after {polls} polls");
        bench.put("{a}", 1, "second", "open");
        bench.replicate(&more()).await.unwrap();
        assert_eq!(bench.copy().await, bench.truth(None), "after {polls} polls");
        assert!(
            bench
                .column("State")
                .await
                .values()
                .all(|state| state == "open")
        );
    }
}

#[tokio::test]
async fn rows_that_cannot_be_read_again_stay_through_a_reload() {
    let bench = Bench::filled();
    bench.put("{c}", 1, "first", "open");
    bench.put("{d}", 1, "first", "open");
    bench.replicate(&few()).await.unwrap();
    let before = bench.copy().await;
    let vanished = bench.fake.world().repositories.remove("{b}").unwrap();
    bench.fake.world().repository("{c}").applicable = false;
    bench.fake.world().repository("{d}").hidden = true;
    let report = bench.replicate(&more()).await.unwrap();
    assert_eq!(*outcome(&report, "acme/slug-{b}"), Outcome::Vanished);
    assert_eq!(bench.copy().await, before);
    let states = bench.column("State").await;
    assert!(
        states
            .iter()
            .all(|((uuid, _), state)| (uuid == "{a}") == (state == "open"))
    );
    bench.replicate(&more()).await.unwrap();
    assert_eq!(
        bench.copy().await,
        before,
        "nor does the next run remove them"
    );

    bench
        .fake
        .world()
        .repositories
        .insert("{b}".to_owned(), vanished);
    bench.fake.world().repository("{b}").rows.remove(&2);
    bench.fake.world().repository("{c}").applicable = true;
    bench.fake.world().repository("{d}").hidden = false;
    bench.replicate(&more()).await.unwrap();
    assert_eq!(bench.copy().await, bench.truth(None), "read whole again");
    assert!(
        bench
            .column("State")
            .await
            .values()
            .all(|state| state == "open")
    );
}

#[tokio::test]
async fn rows_that_stay_through_a_reload_show_the_new_name_of_their_repository() {
    let bench = Bench::filled();
    bench.replicate(&Selection::all("Issues")).await.unwrap();
    bench.fake.world().repository("{b}").applicable = false;
    bench.fake.world().repository("{b}").slug = "renamed".to_owned();
    let truncate = with(|options| options.truncate_table = true);
    bench
        .run(&Selection::all("Issues"), &truncate)
        .await
        .unwrap();
    bench.replicate(&Selection::all("Issues")).await.unwrap();
    let names = bench.column("Repository").await;
    assert_eq!(names[&("{b}".to_owned(), 1)], "renamed");
}

#[tokio::test]
async fn a_condition_that_no_row_meets_any_more_empties_the_table() {
    let bench = Bench::filled();
    let wanted = |state| Selection {
        state: Some(state),
        ..few()
    };
    bench.replicate(&wanted("open")).await.unwrap();
    let report = bench.replicate(&wanted("wontfix")).await.unwrap();
    assert_eq!(report.counts.deleted, 12);
    assert!(bench.copy().await.is_empty());
    let report = bench.replicate(&wanted("wontfix")).await.unwrap();
    assert!(report.notes.is_empty(), "loaded once: {:?}", report.notes);
}

#[tokio::test]
async fn a_slice_without_a_matching_row_leaves_through_a_reload_and_one_with_an_empty_list_stays() {
    for kept in [false, true] {
        let bench = Bench::filled();
        bench.put("{c}", 1, "first", "open");
        let open = Selection {
            state: Some("open"),
            kept,
            ..few()
        };
        bench.replicate(&open).await.unwrap();
        for id in 1..=2 {
            bench.put("{b}", id, "first", "merged");
        }
        bench.fake.world().repository("{c}").hidden = true;
        let truncate = with(|options| options.truncate_table = true);
        bench.run(&open, &truncate).await.unwrap();
        assert_eq!(bench.copy().await, bench.truth(Some("open")), "{kept}");
    }
}

#[tokio::test]
async fn a_reload_goes_on_whatever_does_not_change_its_rows() {
    let bench = Bench::filled();
    bench.replicate(&few()).await.unwrap();
    bench.fake.world().repository("{b}").fault = Some(http::SERVER);
    bench.replicate(&more()).await.unwrap_err();
    bench.fake.world().repository("{b}").fault = None;
    bench.fake.world().credential = "token 2".to_owned();
    bench.row_requests();
    let mut spelled = statement();
    spelled.text = "REPLICATE  Copy".to_owned();
    let swapped = Selection {
        columns: vec![STATE, UUID, TITLE, ID],
        ..more()
    };
    bench.run(&swapped, &spelled).await.unwrap();
    assert_eq!(bench.row_requests(), 2, "what was staged is not read again");
    assert_eq!(bench.copy().await, bench.truth(None));
    assert!(
        bench
            .column("State")
            .await
            .values()
            .all(|state| state == "open")
    );
}

#[tokio::test]
async fn repositories_that_the_statement_does_not_want_any_more_are_no_news() {
    let bench = Bench::filled();
    bench.replicate(&few()).await.unwrap();
    let one = Selection {
        slices: Some((Operator::Eq, "slug-{a}")),
        ..few()
    };
    let report = bench.replicate(&one).await.unwrap();
    assert_eq!(report.slices.len(), 1, "{report:?}");
    assert!(
        report.notes.iter().all(|note| !note.contains("listed")),
        "{:?}",
        report.notes
    );
    assert_eq!(bench.copy().await.len(), 10);
}

#[tokio::test]
async fn drop_and_truncate_load_first_and_replace_then() {
    for statement in [
        with(|options| options.drop_table = true),
        with(|options| options.truncate_table = true),
    ] {
        let bench = Bench::filled();
        bench.run(&few(), &statement).await.unwrap();
        bench.fake.world().repository("{a}").rows.remove(&4);
        bench.fake.world().repository("{b}").fault = Some(http::SERVER);
        let before = bench.copy().await;
        bench.run(&few(), &statement).await.unwrap_err();
        assert_eq!(
            bench.copy().await,
            before,
            "a failed fetch leaves the old rows"
        );
        bench.fake.world().repository("{b}").fault = None;
        bench.run(&few(), &statement).await.unwrap();
        assert_eq!(bench.copy().await, bench.truth(None));
    }
}

fn declared(columns: &[(&str, DataType)], key: &[&str]) -> Declared {
    Declared {
        columns: columns
            .iter()
            .map(|(name, kind)| DeclaredColumn {
                name: (*name).to_owned(),
                data_type: Some(kind.clone()),
                rule: Rule::default(),
            })
            .collect(),
        key: key.iter().map(|name| (*name).to_owned()).collect(),
        by_name: false,
        span: Span::point(Position::START),
    }
}

#[tokio::test]
async fn a_key_that_does_not_tell_rows_apart_replaces_and_fails_at_the_first_double() {
    let bench = Bench::filled();
    let mut by_id = statement();
    by_id.declared = Some(declared(
        &[
            ("RepositoryUUID", DataType::Utf8),
            ("Id", DataType::Int64),
            ("Title", DataType::Utf8),
        ],
        &["Id"],
    ));
    let error = bench.run(&few(), &by_id).await.unwrap_err();
    assert_eq!(error.code(), "BL6005");
    bench.fake.world().repositories.remove("{b}");
    let report = bench.run(&few(), &by_id).await.unwrap();
    assert_eq!((report.mode, report.counts.inserted), (Mode::Replace, 10));
    bench.fake.world().repository("{a}").rows.remove(&4);
    let report = bench.run(&few(), &by_id).await.unwrap();
    assert_eq!(
        report.counts,
        Counts {
            deleted: 1,
            unchanged: 9,
            ..Counts::default()
        }
    );
}

#[tokio::test]
async fn declared_columns_rename_and_convert() {
    let bench = Bench::filled();
    let mut declares = statement();
    declares.declared = Some(declared(
        &[
            ("RepositoryUUID", DataType::Utf8),
            ("Id", DataType::Int64),
            ("Name", DataType::Utf8),
        ],
        &["RepositoryUUID", "Id"],
    ));
    let report = bench.run(&few(), &declares).await.unwrap();
    assert_eq!(report.mode, Mode::Incremental);
    assert!(
        bench
            .column("Name")
            .await
            .values()
            .all(|name| name == "first")
    );

    declares.declared = Some(declared(
        &[
            ("RepositoryUUID", DataType::Utf8),
            ("Id", DataType::Int64),
            ("Name", DataType::Int64),
        ],
        &[],
    ));
    let error = bench.run(&few(), &declares).await.unwrap_err();
    assert!(
        error.to_string().contains("column `Name` of row"),
        "{error}"
    );

    declares.declared = Some(declared(&[("Id", DataType::Int64)], &[]));
    let error = bench.run(&few(), &declares).await.unwrap_err();
    assert_eq!(error.code(), code::COLUMNS);
}

#[tokio::test]
async fn a_fixed_schema_refuses_new_columns() {
    let bench = Bench::filled();
    bench.replicate(&few()).await.unwrap();
    let fixed = with(|options| options.alter_schema = false);
    bench.run(&few(), &fixed).await.unwrap();
    let error = bench.run(&more(), &fixed).await.unwrap_err();
    assert_eq!(error.code(), code::SCHEMA_FIXED);
}

#[tokio::test]
async fn a_new_owner_of_the_columns_only_is_no_new_table() {
    let bench = Bench::filled();
    bench.replicate(&few()).await.unwrap();
    bench.fake.world().credential = "token 2".to_owned();
    let report = bench.replicate(&few()).await.unwrap();
    assert_eq!((report.counts.inserted, report.counts.deleted), (0, 0));
}
