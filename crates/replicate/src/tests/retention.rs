//! Rows that leave: marked, skipped, or kept as versions.

use bucketline_core::code::bitbucket;
use bucketline_destination::{Counts, DELETED};
use bucketline_sql as sql;

use super::fake::{ID, STATE, Selection, TITLE, UPDATED, UUID};
use super::{Bench, statement, with};
use crate::statement::{Deletes, Statement};
use crate::{Outcome, code};

fn soft() -> Statement {
    with(|options| options.deletes = Deletes::Mark)
}

fn skip() -> Statement {
    with(|options| options.deletes = Deletes::Skip)
}

fn history() -> Statement {
    with(|options| options.history = true)
}

fn open(table: &'static str) -> Selection {
    Selection {
        state: Some("open"),
        ..Selection::all(table)
    }
}

/// Ids and titles in `{a}` of the rows that are marked.
async fn marked(bench: &Bench) -> Vec<String> {
    let rows = bench
        .rows(&["RepositoryUUID", DELETED, "Id", "Title"])
        .await;
    let marked = rows.iter().filter_map(|row| row.strip_prefix("{a} true "));
    marked.map(str::to_owned).collect()
}

#[tokio::test]
async fn a_deleted_row_stays_marked_and_is_no_longer_when_it_returns() {
    let bench = Bench::filled();
    let branches = Selection::all("Branches");
    bench.run(&branches, &soft()).await.unwrap();
    assert!(marked(&bench).await.is_empty());
    bench.fake.world().remove("{a}", 4);
    let report = bench.run(&branches, &soft()).await.unwrap();
    assert_eq!(report.counts.deleted, 1);
    assert_eq!(marked(&bench).await, ["4 first"]);
    assert_eq!(bench.copy().await.len(), 12);

    // What is marked is not missed again.
    bench.fake.world().unstable = true;
    bench.put("{a}", 5, "second", "open");
    bench.row_requests();
    let report = bench.run(&branches, &soft()).await.unwrap();
    assert_eq!(report.counts.deleted, 0);
    assert_eq!(
        bench.row_requests(),
        3,
        "the list is not read a second time"
    );

    bench.put("{a}", 4, "back", "open");
    let report = bench.run(&branches, &soft()).await.unwrap();
    assert_eq!((report.counts.updated, report.counts.inserted), (1, 0));
    assert!(marked(&bench).await.is_empty());
    assert_eq!(bench.copy().await, bench.truth(None));
}

#[tokio::test]
async fn a_row_that_stops_matching_is_marked_with_its_new_values() {
    for table in ["Issues", "Branches"] {
        let bench = Bench::filled();
        bench.run(&open(table), &soft()).await.unwrap();
        bench.put("{a}", 5, "done", "merged");
        bench.put("{a}", 99, "never seen", "merged");
        let report = bench.run(&open(table), &soft()).await.unwrap();
        assert_eq!(report.counts.deleted, 1, "{table}");
        assert_eq!(marked(&bench).await, ["5 done"]);
        assert_eq!(bench.copy().await.len(), 12);
        bench.put("{a}", 5, "again", "open");
        bench.run(&open(table), &soft()).await.unwrap();
        assert!(marked(&bench).await.is_empty());
        assert_eq!(bench.copy().await, bench.truth(Some("open")));
    }
}

#[tokio::test]
async fn where_deletes_are_skipped_only_what_stops_matching_leaves() {
    let bench = Bench::filled();
    bench.run(&open("Branches"), &skip()).await.unwrap();
    bench.fake.world().remove("{a}", 4);
    bench.put("{a}", 5, "done", "merged");
    let report = bench.run(&open("Branches"), &skip()).await.unwrap();
    assert_eq!(report.counts.deleted, 1);
    let copy = bench.copy().await;
    assert!(copy.contains_key(&("{a}".to_owned(), 4)));
    assert!(!copy.contains_key(&("{a}".to_owned(), 5)));
}

#[tokio::test]
async fn a_reload_marks_what_is_gone_and_keeps_what_was_marked() {
    let bench = Bench::filled();
    let few = Selection {
        columns: vec![UUID, ID, TITLE],
        ..Selection::all("Branches")
    };
    bench.run(&few, &soft()).await.unwrap();
    bench.fake.world().remove("{a}", 3);
    bench.fake.world().remove("{b}", 1);
    bench.run(&few, &soft()).await.unwrap();
    bench.fake.world().remove("{a}", 4);
    bench.fake.world().repositories.remove("{b}");
    let more = Selection {
        columns: vec![UUID, ID, TITLE, STATE],
        ..few.clone()
    };
    bench.run(&more, &soft()).await.unwrap();
    assert_eq!(marked(&bench).await, ["3 first", "4 first"]);
    assert_eq!(bench.copy().await.len(), 12, "those of the vanished stay");
    let vanished = bench.rows(&["RepositoryUUID", "Id", DELETED]).await;
    assert_eq!(vanished[10..], ["{b} 1 true", "{b} 2 false"]);
    let skips = Selection {
        columns: vec![UUID, ID, TITLE, STATE, UPDATED],
        ..few
    };
    bench.fake.world().remove("{a}", 5);
    bench.run(&skips, &skip()).await.unwrap();
    assert_eq!(bench.copy().await.len(), 12);
    assert_eq!(marked(&bench).await, ["3 first", "4 first"]);
}

#[tokio::test]
async fn a_reload_that_keeps_otherwise_does_not_go_on_with_what_is_staged() {
    let bench = Bench::filled();
    let few = Selection {
        columns: vec![UUID, ID, TITLE],
        ..Selection::all("Issues")
    };
    bench.replicate(&few).await.unwrap();
    bench.fake.world().repository("{b}").fault = Some(bitbucket::FORBIDDEN);
    bench
        .replicate(&Selection::all("Issues"))
        .await
        .unwrap_err();
    bench.fake.world().repository("{b}").fault = None;
    let report = bench.run(&Selection::all("Issues"), &soft()).await.unwrap();
    assert_eq!(report.read, 12);
    assert_eq!(bench.copy().await, bench.truth(None));
    assert!(marked(&bench).await.is_empty());
}

#[tokio::test]
async fn repositories_that_leave_are_marked_as_well() {
    let bench = Bench::filled();
    bench.run(&Selection::all("Issues"), &soft()).await.unwrap();
    bench.fake.world().repositories.remove("{a}");
    let drop = with(|options| {
        options.deletes = Deletes::Mark;
        options.drop_missing = true;
    });
    let report = bench.run(&Selection::all("Issues"), &drop).await.unwrap();
    assert_eq!(report.counts.deleted, 10);
    assert_eq!(marked(&bench).await.len(), 10);
    assert!(
        report
            .slices
            .iter()
            .any(|it| it.outcome == Outcome::Dropped)
    );
}

#[tokio::test]
async fn marks_are_a_change_of_the_table_that_can_be_forbidden() {
    let bench = Bench::filled();
    bench.replicate(&Selection::all("Branches")).await.unwrap();
    let fixed = with(|options| {
        options.deletes = Deletes::Mark;
        options.alter_schema = false;
    });
    let error = bench
        .run(&Selection::all("Branches"), &fixed)
        .await
        .unwrap_err();
    assert_eq!(error.code(), code::SCHEMA_FIXED);
    bench
        .run(&Selection::all("Branches"), &soft())
        .await
        .unwrap();
    assert!(marked(&bench).await.is_empty());
    bench
        .run(&Selection::all("Branches"), &fixed)
        .await
        .unwrap();
}

/// Versions in `{a}` as `Id Title start..end`, in seconds of the fake's clock.
async fn versions(bench: &Bench, id: i64) -> Vec<String> {
    let rows = bench.versions().await;
    let of_row = rows
        .into_iter()
        .filter(|it| (it.uuid.as_str(), it.id) == ("{a}", id));
    of_row.map(|version| version.title).collect()
}

#[tokio::test]
async fn each_change_of_a_row_is_a_version() {
    let bench = Bench::filled();
    bench.run(&open("Issues"), &history()).await.unwrap();
    bench.put("{a}", 5, "second", "open");
    let report = bench.run(&open("Issues"), &history()).await.unwrap();
    assert_eq!((report.counts.inserted, report.counts.updated), (1, 0));
    assert_eq!(versions(&bench, 5).await, ["first", "second"]);
    let report = bench.run(&open("Issues"), &history()).await.unwrap();
    assert_eq!(
        report.counts,
        Counts {
            unchanged: report.counts.unchanged,
            ..Counts::default()
        }
    );

    // It leaves, and its last version ends when it did.
    bench.put("{a}", 5, "third", "merged");
    let left = bench.fake.world().clock;
    let report = bench.run(&open("Issues"), &history()).await.unwrap();
    assert_eq!(report.counts.deleted, 1);
    let last = bench
        .versions()
        .await
        .into_iter()
        .find(|it| it.title == "second")
        .unwrap();
    assert_eq!((last.end, last.active), (Some(left), false));

    bench.put("{a}", 5, "fourth", "open");
    bench.run(&open("Issues"), &history()).await.unwrap();
    assert_eq!(versions(&bench, 5).await, ["first", "second", "fourth"]);
}

#[tokio::test]
async fn history_begins_and_ends_with_the_table() {
    let bench = Bench::filled();
    let issues = Selection::all("Issues");
    bench.replicate(&issues).await.unwrap();
    let before = bench.copy().await;
    let error = bench.run(&issues, &history()).await.unwrap_err();
    assert_eq!(error.code(), "BL7014");
    assert!(error.hint().unwrap().contains("DropTable"));
    assert_eq!(bench.copy().await, before);

    let anew = with(|options| {
        options.history = true;
        options.drop_table = true;
    });
    bench.run(&issues, &anew).await.unwrap();
    bench.put("{a}", 5, "second", "open");
    bench.run(&issues, &history()).await.unwrap();
    assert_eq!(versions(&bench, 5).await, ["first", "second"]);

    let error = bench.run(&issues, &statement()).await.unwrap_err();
    assert_eq!(error.code(), code::RETENTION);
    let error = bench.run(&open("Issues"), &history()).await.unwrap_err();
    assert_eq!(
        error.code(),
        code::RETENTION,
        "a reload would lose the versions"
    );
    assert_eq!(versions(&bench, 5).await, ["first", "second"]);
    let plain = with(|options| options.drop_table = true);
    bench.run(&issues, &plain).await.unwrap();
    assert_eq!(bench.copy().await, bench.truth(None));
}

#[tokio::test]
async fn history_begins_anew_where_the_table_was_emptied() {
    let bench = Bench::filled();
    let issues = Selection::all("Issues");
    bench.replicate(&issues).await.unwrap();
    assert!(bench.memory.empty_table(&statement().table));
    bench.run(&issues, &history()).await.unwrap_err();
    let anew = with(|options| {
        options.history = true;
        options.drop_table = true;
    });
    bench.run(&issues, &anew).await.unwrap();
    assert_eq!(bench.versions().await.len(), 12);
}

#[tokio::test]
async fn history_needs_a_change_column_among_the_output() {
    let bench = Bench::filled();
    let without = Selection {
        columns: vec![UUID, ID, TITLE],
        ..Selection::all("Issues")
    };
    for selection in [without, Selection::all("Branches")] {
        let error = bench.run(&selection, &history()).await.unwrap_err();
        assert_eq!(error.code(), "BL7014");
    }
    assert!(bench.fake.world().listings == 0, "nothing was requested");
}

#[test]
fn skipping_wins_and_versions_need_no_mark() {
    let read = |text: &str| match sql::parse_statement(text).unwrap().statement {
        sql::Statement::Replicate(statement) => Statement::read(&statement).unwrap().options,
        other => panic!("{other:?} is no REPLICATE"),
    };
    for (options, deletes) in [
        ("DeleteOption = SoftDelete", Deletes::Mark),
        ("DeleteOption = HardDelete", Deletes::Remove),
        ("DeleteOption = Skip", Deletes::Skip),
        ("SkipDeleted, DeleteOption = SoftDelete", Deletes::Skip),
        (
            "SkipDeleted = false, DeleteOption = SoftDelete",
            Deletes::Mark,
        ),
        (
            "EnableHistoryMode, DeleteOption = SoftDelete",
            Deletes::Remove,
        ),
    ] {
        let read = read(&format!("REPLICATE Issues WITH {options}"));
        assert_eq!(read.deletes, deletes, "{options}");
    }
}
