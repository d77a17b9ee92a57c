//! Incremental: only what changed is read, and the copy equals the source.

use bucketline_core::Reach;
use bucketline_core::code::{bitbucket, http};
use bucketline_destination::{Counts, TableName};
use bucketline_source::Operator;

use super::fake::{ID, Selection, TITLE, UUID, instant};
use super::{Bench, killed_after, outcome, with};
use crate::statement::Statement;
use crate::{Mode, Outcome, Unfinished, code};

#[tokio::test]
async fn a_second_run_reads_only_what_changed() {
    let bench = Bench::filled();
    let issues = Selection::all("Issues");
    let report = bench.replicate(&issues).await.unwrap();
    assert_eq!(report.mode, Mode::Incremental);
    assert_eq!(
        report.counts,
        Counts {
            inserted: 12,
            ..Counts::default()
        }
    );
    assert_eq!(bench.copy().await, bench.truth(None));

    bench.row_requests();
    let report = bench.replicate(&issues).await.unwrap();
    assert_eq!(bench.row_requests(), 2, "one request a slice");
    assert_eq!(report.requests, 3);
    assert_eq!((report.counts.inserted, report.counts.updated), (0, 0));

    bench.put("{a}", 4, "second", "open");
    let report = bench.replicate(&issues).await.unwrap();
    assert_eq!((report.counts.inserted, report.counts.updated), (0, 1));
    assert_eq!(bench.copy().await, bench.truth(None));
}

#[tokio::test]
async fn rows_that_change_while_pages_are_read_are_not_lost() {
    let bench = Bench::filled();
    let mut next = 0;
    bench.fake.world().before_page = Some(Box::new(move |world| {
        next += 1;
        if next <= 6 {
            world.put("{a}", next, "during", "open");
        }
    }));
    let issues = Selection::all("Issues");
    bench.replicate(&issues).await.unwrap();
    bench.fake.world().before_page = None;
    bench.replicate(&issues).await.unwrap();
    assert_eq!(bench.copy().await, bench.truth(None));
}

#[tokio::test]
async fn a_repository_that_appears_late_is_loaded_whole() {
    let bench = Bench::filled();
    let issues = Selection::all("Issues");
    bench.replicate(&issues).await.unwrap();
    bench.put("{c}", 1, "old", "open");
    bench
        .fake
        .world()
        .repository("{c}")
        .rows
        .get_mut(&1)
        .unwrap()
        .updated = 0;
    bench.replicate(&issues).await.unwrap();
    assert_eq!(bench.copy().await, bench.truth(None));
}

#[tokio::test]
async fn a_row_that_stops_matching_leaves() {
    let bench = Bench::filled();
    let open = Selection {
        state: Some("open"),
        ..Selection::all("Issues")
    };
    bench.replicate(&open).await.unwrap();
    bench.put("{a}", 5, "first", "merged");
    let report = bench.replicate(&open).await.unwrap();
    assert_eq!(report.counts.deleted, 1);
    assert_eq!(bench.copy().await, bench.truth(Some("open")));
}

#[tokio::test]
async fn a_row_that_stops_matching_during_the_first_load_leaves() {
    let bench = Bench::filled();
    let mut page = 0;
    bench.fake.world().before_page = Some(Box::new(move |world| {
        page += 1;
        if page == 3 {
            world.put("{a}", 1, "first", "merged");
            world.put("{a}", 9, "second", "open");
        }
    }));
    let open = Selection {
        state: Some("open"),
        ..Selection::all("Issues")
    };
    bench.replicate(&open).await.unwrap();
    bench.fake.world().before_page = None;
    bench.replicate(&open).await.unwrap();
    assert_eq!(bench.copy().await, bench.truth(Some("open")));
}

#[tokio::test]
async fn a_row_written_and_read_again_without_matching_leaves_in_the_same_walk() {
    let bench = Bench::filled();
    let mut page = 0;
    bench.fake.world().before_page = Some(Box::new(move |world| {
        page += 1;
        if page == 3 {
            world.put("{a}", 1, "first", "merged");
            // More rows, so that the one above is not on the last page.
            (20..30).for_each(|id| world.put("{a}", id, "late", "open"));
        }
    }));
    let open = Selection {
        state: Some("open"),
        kept: true,
        ..Selection::all("Issues")
    };
    bench.replicate(&open).await.unwrap();
    assert!(!bench.copy().await.contains_key(&("{a}".to_owned(), 1)));
}

#[tokio::test]
async fn a_slice_that_is_proved_unchanged_costs_no_request() {
    let bench = Bench::filled();
    let commits = Selection::all("Commits");
    bench.replicate(&commits).await.unwrap();
    bench.row_requests();
    bench.put("{b}", 3, "new", "open");
    let report = bench.replicate(&commits).await.unwrap();
    assert_eq!(bench.row_requests(), 1);
    assert_eq!(*outcome(&report, "acme/slug-{a}"), Outcome::Unchanged);
    assert_eq!(bench.copy().await, bench.truth(None));
}

#[tokio::test]
async fn a_resumed_walk_proves_only_what_was_listed_before_its_start() {
    let bench = Bench::filled();
    bench.fake.world().concurrency = 1;
    let commits = Selection::all("Commits");
    let mut page = 0;
    bench.fake.world().before_page = Some(Box::new(move |world| {
        page += 1;
        if page == 2 {
            (20..24).for_each(|id| world.put("{a}", id, "during", "open"));
        }
    }));
    // Broken off after it has met rows later than its start, so that its end is settled.
    bench.fake.world().repository("{a}").cut = Some(4);
    bench.replicate(&commits).await.unwrap_err();
    bench.fake.world().before_page = None;
    bench.fake.world().repository("{a}").cut = None;
    (30..40).for_each(|id| bench.put("{a}", id, "later", "open"));
    bench.replicate(&commits).await.unwrap();
    bench.replicate(&commits).await.unwrap();
    assert_eq!(bench.copy().await, bench.truth(None));
}

#[tokio::test]
async fn a_row_that_stops_matching_between_an_interruption_and_the_resumption_leaves() {
    for polls in 1..60 {
        let bench = Bench::filled();
        let open = Selection {
            state: Some("open"),
            ..Selection::all("Issues")
        };
        killed_after(polls, bench.replicate(&open)).await;
        bench.put("{a}", 1, "first", "merged");
        bench.put("{a}", 2, "second", "open");
        bench.replicate(&open).await.unwrap();
        bench.replicate(&open).await.unwrap();
        assert_eq!(
            bench.copy().await,
            bench.truth(Some("open")),
            "after {polls} polls"
        );
    }
}

#[tokio::test]
async fn a_killed_load_goes_on_and_fetches_at_most_two_pages_twice() {
    for polls in 1..60 {
        let bench = Bench::new();
        for id in 1..=30 {
            bench.put("{a}", id, "first", "open");
        }
        let issues = Selection::all("Issues");
        let ended = killed_after(polls, bench.replicate(&issues)).await;
        let before = bench.row_requests();
        bench.replicate(&issues).await.unwrap();
        assert_eq!(bench.copy().await, bench.truth(None));
        if !ended {
            let all = before + bench.row_requests();
            assert!(
                all <= 12,
                "10 pages took {all} requests after {polls} polls"
            );
        }
    }
}

#[tokio::test]
async fn windows_cost_nothing_and_a_killed_first_load_goes_on_at_its_page() {
    let windows = with(|options| {
        options.windows = true;
        options.start = Some(instant(6));
    });
    for polls in 1..60 {
        let bench = Bench::new();
        (1..=30).for_each(|id| bench.put("{a}", id, "first", "open"));
        let issues = Selection::all("Issues");
        let ended = killed_after(polls, bench.run(&issues, &windows)).await;
        let before = bench.row_requests();
        let report = bench.run(&issues, &windows).await.unwrap();
        assert_eq!(bench.copy().await.len(), 25, "from the sixth on");
        assert!(
            report.notes[0].starts_with("ReplicateInterval has no effect"),
            "{:?}",
            report.notes
        );
        if !ended {
            let all = before + bench.row_requests();
            assert!(
                all <= 12,
                "10 pages took {all} requests after {polls} polls"
            );
        }
    }
}

#[tokio::test]
async fn a_failed_slice_keeps_its_rows_and_the_others_go_on() {
    for fault in [bitbucket::FORBIDDEN, bitbucket::NOT_FOUND, http::SERVER] {
        let bench = Bench::filled();
        let issues = Selection::all("Issues");
        bench.replicate(&issues).await.unwrap();
        bench.fake.world().repository("{a}").fault = Some(fault);
        bench.put("{b}", 3, "new", "open");
        let Unfinished { error, report } = bench.unfinished(&issues).await;
        assert_eq!(error.code(), code::PARTIAL);
        assert!(error.is_partial());
        assert!(
            error
                .to_string()
                .contains("1 of 2 slices failed (acme/slug-{a}): the service refused"),
            "{error}"
        );
        let report = report.unwrap();
        assert_eq!(report.failed().count(), 1);
        assert_eq!(*outcome(&report, "acme/slug-{b}"), Outcome::Done);
        assert_eq!(bench.copy().await, bench.truth(None));
    }
}

#[tokio::test]
async fn slices_that_fail_by_themselves_let_a_script_go_on_even_if_all_do() {
    for (repositories, kind) in [
        (&["{a}"][..], http::SERVER),
        (&["{a}", "{b}"], code::ALL_FAILED),
    ] {
        for (fault, kind, goes_on) in [
            (http::SERVER, kind, true),
            (http::UNAUTHORIZED, http::UNAUTHORIZED, false),
        ] {
            let bench = Bench::new();
            for repository in repositories {
                bench.put(repository, 1, "first", "open");
                bench.fake.world().repository(repository).fault = Some(fault);
            }
            let error = bench.replicate(&Selection::all("Issues")).await;
            let error = error.unwrap_err();
            assert_eq!(
                (error.code(), error.reach() == Reach::Statement),
                (kind, goes_on)
            );
            assert!(!error.is_partial(), "nothing was done");
        }
    }
}

#[tokio::test]
async fn a_batch_size_that_means_nothing_is_told() {
    let bench = Bench::filled();
    let batches = with(|options| options.batch_size = Some(5));
    let report = bench
        .run(&Selection::all("Issues"), &batches)
        .await
        .unwrap();
    assert!(report.notes[0].starts_with("BatchSize has no effect: memory"));
}

#[tokio::test]
async fn an_error_that_every_slice_would_get_ends_the_statement() {
    for fault in [
        http::UNAUTHORIZED,
        bitbucket::MISSING_SCOPE,
        bitbucket::REMOVED,
    ] {
        let bench = Bench::filled();
        bench.fake.world().concurrency = 1;
        let issues = Selection::all("Issues");
        bench.replicate(&issues).await.unwrap();
        let before = bench.copy().await;
        bench.row_requests();
        bench.fake.world().repository("{a}").fault = Some(fault);
        let error = bench.replicate(&issues).await.unwrap_err();
        assert_eq!(error.code(), fault);
        assert_eq!(bench.row_requests(), 1, "no other slice was asked");
        assert_eq!(bench.copy().await, before);
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_has_not_ended() {
    let bench = Bench::filled();
    bench.fake.world().repository("{a}").cut = Some(2);
    let issues = Selection::all("Issues");
    let error = bench.replicate(&issues).await.unwrap_err();
    assert_eq!(error.code(), code::PARTIAL);
    bench.fake.world().repository("{a}").cut = None;
    bench.replicate(&issues).await.unwrap();
    assert_eq!(bench.copy().await, bench.truth(None));
}

#[tokio::test]
async fn a_slice_without_the_table_keeps_its_rows() {
    let bench = Bench::filled();
    let issues = Selection::all("Issues");
    bench.replicate(&issues).await.unwrap();
    let before = bench.copy().await;
    bench.fake.world().repository("{a}").applicable = false;
    let report = bench.replicate(&issues).await.unwrap();
    assert!(matches!(
        outcome(&report, "acme/slug-{a}"),
        Outcome::NotApplicable(_)
    ));
    assert_eq!(report.notes.len(), 1);
    assert_eq!(bench.copy().await, before);
}

#[tokio::test]
async fn a_renamed_repository_keeps_its_rows_and_they_show_the_new_name() {
    let bench = Bench::filled();
    let issues = Selection::all("Issues");
    bench.replicate(&issues).await.unwrap();
    bench.row_requests();
    bench.fake.world().repository("{a}").slug = "renamed".to_owned();
    let report = bench.replicate(&issues).await.unwrap();
    assert_eq!(bench.row_requests(), 2, "no request more than without it");
    assert_eq!(report.counts.updated, 10);
    let names = bench.column("Repository").await;
    assert!(
        names
            .iter()
            .all(|((uuid, _), name)| (uuid == "{a}") == (name == "renamed"))
    );
}

#[tokio::test]
async fn a_renamed_repository_is_computed_again_where_an_expression_shows_its_name() {
    let bench = Bench::filled();
    let issues = Selection {
        label: true,
        ..Selection::all("Issues")
    };
    bench.replicate(&issues).await.unwrap();
    bench.fake.world().repository("{a}").slug = "renamed".to_owned();
    bench.replicate(&issues).await.unwrap();
    let labels = bench.column("Label").await;
    assert_eq!(labels[&("{a}".to_owned(), 7)], "renamed#7");
    assert_eq!(labels[&("{b}".to_owned(), 1)], "slug-{b}#1");
    bench.row_requests();
    bench.replicate(&issues).await.unwrap();
    assert_eq!(bench.row_requests(), 2, "computed again only once");
}

#[tokio::test]
async fn a_vanished_repository_keeps_its_rows_until_it_is_dropped() {
    let bench = Bench::filled();
    let issues = Selection::all("Issues");
    bench.replicate(&issues).await.unwrap();
    let before = bench.copy().await;
    bench.fake.world().repositories.remove("{b}");
    for _ in 0..2 {
        let report = bench.replicate(&issues).await.unwrap();
        assert_eq!(*outcome(&report, "acme/slug-{b}"), Outcome::Vanished);
        assert_eq!(bench.copy().await, before);
    }
    let drop = with(|options| options.drop_missing = true);
    let report = bench.run(&issues, &drop).await.unwrap();
    assert_eq!(*outcome(&report, "acme/slug-{b}"), Outcome::Dropped);
    assert_eq!(report.counts.deleted, 2);
    assert_eq!(bench.copy().await, bench.truth(None));
    assert_eq!(bench.run(&issues, &drop).await.unwrap().slices.len(), 1);
}

#[tokio::test]
async fn nothing_is_dropped_because_nothing_is_listed() {
    let bench = Bench::filled();
    let issues = Selection::all("Issues");
    bench.replicate(&issues).await.unwrap();
    let before = bench.copy().await;
    bench.fake.world().repositories.clear();
    let drop = with(|options| options.drop_missing = true);
    bench.run(&issues, &drop).await.unwrap();
    assert_eq!(bench.copy().await, before);
}

#[tokio::test]
async fn a_repository_that_no_longer_fits_leaves_with_its_rows() {
    let bench = Bench::filled();
    bench.fake.world().repository("{a}").slug = "team-one".to_owned();
    bench.fake.world().repository("{b}").slug = "team-two".to_owned();
    let team = Selection {
        slices: Some((Operator::Contains, "team")),
        ..Selection::all("Issues")
    };
    bench.replicate(&team).await.unwrap();
    bench.fake.world().repository("{b}").slug = "other".to_owned();
    let report = bench.replicate(&team).await.unwrap();
    assert_eq!(*outcome(&report, "acme/team-two"), Outcome::Left);
    assert!(bench.copy().await.keys().all(|(uuid, _)| uuid == "{a}"));
    bench.fake.world().repository("{b}").slug = "team-three".to_owned();
    bench.replicate(&team).await.unwrap();
    assert_eq!(bench.copy().await, bench.truth(None));
}

#[tokio::test]
async fn a_name_that_means_another_repository_or_none_is_refused() {
    let bench = Bench::filled();
    let one = Selection {
        slices: Some((Operator::Eq, "slug-{a}")),
        ..Selection::all("Issues")
    };
    bench.replicate(&one).await.unwrap();
    let before = bench.copy().await;
    bench.fake.world().repository("{a}").slug = "renamed".to_owned();
    let error = bench.replicate(&one).await.unwrap_err();
    assert_eq!(error.code(), code::NAME_MOVED);
    bench.fake.world().repository("{b}").slug = "slug-{a}".to_owned();
    let error = bench.replicate(&one).await.unwrap_err();
    assert_eq!(error.code(), code::NAME_MOVED);
    assert_eq!(bench.copy().await, before);
    let other = Selection {
        slices: Some((Operator::Eq, "renamed")),
        ..Selection::all("Issues")
    };
    bench.replicate(&other).await.unwrap();
    assert_eq!(bench.copy().await, before);
}

#[tokio::test]
async fn a_name_is_guarded_however_the_statement_compares_with_it() {
    for operator in [Operator::In, Operator::NotEq] {
        let bench = Bench::filled();
        let chosen = Selection {
            slices: Some((operator, "slug-{a}")),
            ..Selection::all("Issues")
        };
        bench.replicate(&chosen).await.unwrap();
        let before = bench.copy().await;
        bench.fake.world().repository("{a}").slug = "renamed".to_owned();
        for other in ["slug-{b}", "slug-{a}"] {
            bench.fake.world().repository("{b}").slug = other.to_owned();
            let error = bench.replicate(&chosen).await.unwrap_err();
            assert_eq!(error.code(), code::NAME_MOVED, "{operator:?}");
            assert_eq!(bench.copy().await, before, "{operator:?}");
        }
    }
}

#[tokio::test]
async fn a_renamed_workspace_that_the_statement_names_takes_no_row() {
    let bench = Bench::filled();
    let mine = Selection {
        in_workspace: Some("acme"),
        ..Selection::all("Issues")
    };
    bench.replicate(&mine).await.unwrap();
    let before = bench.copy().await;
    bench.fake.world().slug = "renamed";
    let error = bench.replicate(&mine).await.unwrap_err();
    assert_eq!(error.code(), code::NAME_MOVED);
    assert_eq!(bench.copy().await, before);
}

#[tokio::test]
async fn the_start_date_bounds_the_first_load_and_later_ones() {
    let bench = Bench::filled();
    let issues = Selection::all("Issues");
    let start = with(|options| options.start = Some(instant(6)));
    let report = bench.run(&issues, &start).await.unwrap();
    assert_eq!(
        report.counts.inserted, 7,
        "5 of 10 and both of the other repository"
    );
    bench.put("{a}", 1, "changed", "open");
    bench.run(&issues, &start).await.unwrap();
    assert_eq!(bench.copy().await.len(), 8);
}

#[tokio::test]
async fn columns_may_be_few_as_long_as_the_key_is_among_them() {
    let bench = Bench::filled();
    let few = Selection {
        columns: vec![ID, TITLE, UUID],
        ..Selection::all("Issues")
    };
    let report = bench.replicate(&few).await.unwrap();
    assert_eq!(report.mode, Mode::Incremental);
    bench.fake.world().repository("{a}").slug = "renamed".to_owned();
    bench.put("{a}", 2, "second", "open");
    let report = bench.replicate(&few).await.unwrap();
    assert_eq!(report.counts.updated, 1);
    assert_eq!(bench.copy().await, bench.truth(None));
}

#[tokio::test]
async fn the_change_column_can_be_named_and_no_other() {
    let bench = Bench::filled();
    let naming = |columns: &[&str]| {
        with(|options| options.check_columns = columns.iter().map(|it| (*it).to_owned()).collect())
    };
    let issues = Selection::all("Issues");
    let report = bench
        .run(&issues, &naming(&["Nope", "updatedon"]))
        .await
        .unwrap();
    assert!(report.notes.is_empty(), "{:?}", report.notes);
    for (selection, columns) in [
        (&issues, ["Nope"]),
        (&Selection::all("Branches"), ["UpdatedOn"]),
    ] {
        let statement = Statement {
            table: TableName::bare(selection.table),
            ..naming(&columns)
        };
        let report = bench.run(selection, &statement).await.unwrap();
        assert!(report.notes[0].contains("no effect"), "{:?}", report.notes);
    }
    let error = bench.run(&issues, &naming(&["Title"])).await.unwrap_err();
    assert_eq!(error.code(), "BL7006");
    assert!(error.hint().unwrap().contains("UpdatedOn"));
}
