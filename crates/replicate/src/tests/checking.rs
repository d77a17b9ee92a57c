//! CHECKCACHE: what differs is found and mended, and nothing else is touched.

use bucketline_core::code::http;

use super::fake::{Selection, instant};
use super::{Bench, select, statement, with};
use crate::check::{Check, Comparison, Difference, compare};
use crate::events::Voice;
use crate::run::Run;
use crate::statement::{Deletes, Statement};
use crate::work::Work;
use crate::{Result, ScriptRun, code};

pub(super) async fn check(
    bench: &Bench,
    selection: &Selection,
    statement: &Statement,
    check: &Check,
) -> Result<Comparison> {
    let works = select(&bench.fake, selection);
    let script = ScriptRun::default();
    let run = Run::new(&script, Voice::new(std::sync::Arc::new(crate::Silent)));
    let status = bench.destination.inspect(&statement.table).await.unwrap();
    let load = match check.repair {
        true => Some(
            bench
                .destination
                .open(&statement.table, &script.holder())
                .await?,
        ),
        false => None,
    };
    let work = Work::Rows(&works);
    compare(
        &run,
        work,
        &bench.destination,
        &status,
        load,
        statement,
        check,
    )
    .await
}

fn repair() -> Check {
    Check {
        repair: true,
        ..Check::default()
    }
}

/// Ids and how they differ, in the order found.
fn found(comparison: &Comparison) -> Vec<(&str, Difference)> {
    let ids = comparison.findings.iter().map(|(key, difference)| {
        let id = key.strip_prefix("RepositoryUUID={a}, Id=");
        (id.unwrap_or(key), *difference)
    });
    ids.collect()
}

/// A copy of which the cursor does not see what differs: ids 1 and 2 missing, 3 and 4 modified, 5 and 6 deleted.
async fn differing(selection: &Selection, statement: &Statement) -> Bench {
    let bench = Bench::filled();
    for id in [1, 2] {
        bench.fake.world().repository("{a}").rows.remove(&id);
    }
    bench.run(selection, statement).await.unwrap();
    let mut world = bench.fake.world();
    let row = super::fake::Row {
        title: "first".to_owned(),
        state: "open",
        updated: 1,
    };
    let rows = &mut world.repository("{a}").rows;
    for id in [1, 2] {
        rows.insert(id, row.clone());
    }
    for id in [3, 4] {
        rows.get_mut(&id).unwrap().title = "changed".to_owned();
    }
    for id in [5, 6] {
        rows.remove(&id);
    }
    drop(world);
    bench
}

const ALL: [(&str, Difference); 6] = [
    ("1", Difference::Missing),
    ("2", Difference::Missing),
    ("3", Difference::Modified),
    ("4", Difference::Modified),
    ("5", Difference::Deleted),
    ("6", Difference::Deleted),
];

#[tokio::test]
async fn differences_are_found_and_mended() {
    for table in ["Issues", "Branches"] {
        let selection = Selection::all(table);
        let bench = differing(&selection, &statement()).await;
        let before = bench.copy().await;
        let comparison = check(&bench, &selection, &statement(), &Check::default())
            .await
            .unwrap();
        assert_eq!(found(&comparison), ALL);
        assert!(!comparison.repaired);
        assert_eq!(bench.copy().await, before, "nothing is mended unasked");
        let comparison = check(&bench, &selection, &statement(), &repair())
            .await
            .unwrap();
        assert_eq!(found(&comparison), ALL);
        assert!(comparison.repaired);
        assert_eq!(bench.copy().await, bench.truth(None));
        let comparison = check(&bench, &selection, &statement(), &repair())
            .await
            .unwrap();
        assert!(comparison.findings.is_empty() && !comparison.repaired);
        // The marks are as they were.
        bench.row_requests();
        bench.put("{a}", 7, "later", "open");
        bench.run(&selection, &statement()).await.unwrap();
        assert_eq!(bench.copy().await, bench.truth(None));
    }
}

#[tokio::test]
async fn what_is_skipped_is_neither_found_nor_mended() {
    let selection = Selection::all("Issues");
    for (skip, expected) in [
        (
            Check {
                skip_modified: true,
                ..repair()
            },
            [0, 1, 4, 5],
        ),
        (
            Check {
                skip_deleted: true,
                ..repair()
            },
            [0, 1, 2, 3],
        ),
    ] {
        let bench = differing(&selection, &statement()).await;
        let comparison = check(&bench, &selection, &statement(), &skip)
            .await
            .unwrap();
        assert_eq!(found(&comparison), expected.map(|index| ALL[index]));
    }
    // Without values the keys do.
    let bench = differing(&selection, &statement()).await;
    bench.fake.world().columns.clear();
    let skip = Check {
        skip_modified: true,
        ..Check::default()
    };
    let comparison = check(&bench, &selection, &statement(), &skip)
        .await
        .unwrap();
    assert_eq!(comparison.findings.len(), 4);
    assert!(bench.fake.world().columns.iter().all(|it| it.len() == 2));
}

#[tokio::test]
async fn bounds_limit_the_check_to_what_changed_between_them() {
    let selection = Selection::all("Issues");
    let bench = Bench::filled();
    bench.run(&selection, &statement()).await.unwrap();
    let at = |clock| Some(instant(clock));
    {
        let mut world = bench.fake.world();
        let rows = &mut world.repository("{a}").rows;
        for id in [2, 5] {
            rows.remove(&id);
        }
        for id in [3, 6] {
            rows.get_mut(&id).unwrap().title = "changed".to_owned();
        }
        // Changed since, beyond the bounds.
        rows.get_mut(&7).unwrap().updated = 90;
    }
    let bounded = Check {
        start: at(5),
        end: at(8),
        ..repair()
    };
    let comparison = check(&bench, &selection, &statement(), &bounded)
        .await
        .unwrap();
    assert_eq!(
        found(&comparison),
        [("6", Difference::Modified), ("5", Difference::Deleted)]
    );
    let from = Check {
        start: at(3),
        ..Check::default()
    };
    let comparison = check(&bench, &selection, &statement(), &from)
        .await
        .unwrap();
    let expected = [("3", Difference::Modified), ("7", Difference::Modified)];
    assert_eq!(found(&comparison), expected);
    let error = check(&bench, &Selection::all("Branches"), &statement(), &from).await;
    assert_eq!(error.unwrap_err().code(), "BL7015");
}

#[tokio::test]
async fn rows_that_do_not_match_do_not_belong_to_the_copy() {
    for kept in [false, true] {
        let selection = Selection {
            state: Some("open"),
            kept,
            ..Selection::all("Issues")
        };
        let bench = Bench::filled();
        bench.run(&selection, &statement()).await.unwrap();
        bench
            .fake
            .world()
            .repository("{a}")
            .rows
            .get_mut(&4)
            .unwrap()
            .state = "merged";
        let comparison = check(&bench, &selection, &statement(), &repair())
            .await
            .unwrap();
        assert_eq!(found(&comparison), [("4", Difference::Deleted)]);
        assert_eq!(bench.copy().await, bench.truth(Some("open")));
    }
}

#[tokio::test]
async fn nothing_is_taken_for_deleted_that_may_only_be_hidden() {
    let selection = Selection::all("Issues");
    let bench = Bench::filled();
    bench.run(&selection, &statement()).await.unwrap();
    let before = bench.copy().await;
    bench.fake.world().repository("{a}").hidden = true;
    let comparison = check(&bench, &selection, &statement(), &repair())
        .await
        .unwrap();
    assert!(comparison.findings.is_empty());
    assert!(
        comparison.notes[0].contains("not taken for deleted"),
        "{:?}",
        comparison.notes
    );
    bench.fake.world().repository("{a}").hidden = false;

    bench.fake.world().repository("{a}").rows.remove(&1);
    bench.fake.world().repository("{a}").cut = Some(1);
    check(&bench, &selection, &statement(), &repair())
        .await
        .unwrap_err();
    bench.fake.world().repository("{a}").cut = None;
    bench.fake.world().repository("{a}").fault = Some(http::SERVER);
    check(&bench, &selection, &statement(), &repair())
        .await
        .unwrap_err();
    bench.fake.world().repository("{a}").fault = None;

    let gone = bench.fake.world().repositories.remove("{b}").unwrap();
    let skips = with(|options| options.deletes = Deletes::Skip);
    let comparison = check(&bench, &selection, &skips, &repair()).await.unwrap();
    assert!(comparison.findings.is_empty());
    bench.fake.world().credential = "token 2".to_owned();
    let comparison = check(&bench, &selection, &statement(), &repair())
        .await
        .unwrap();
    assert!(comparison.findings.is_empty(), "{:?}", comparison.findings);
    assert_eq!(bench.copy().await, before);

    bench.fake.world().credential = "token 1".to_owned();
    let comparison = check(&bench, &selection, &statement(), &repair())
        .await
        .unwrap();
    assert_eq!(
        found(&comparison),
        [("1", Difference::Deleted)],
        "{:?}",
        gone.slug
    );
}

#[tokio::test]
async fn a_list_that_shifts_is_read_twice_before_a_row_is_taken_for_deleted() {
    let selection = Selection::all("Branches");
    let bench = Bench::filled();
    bench.run(&selection, &statement()).await.unwrap();
    bench.fake.world().unstable = true;
    bench.fake.world().concurrency = 1;
    let mut page = 0;
    bench.fake.world().before_page = Some(Box::new(move |world| {
        page += 1;
        if page == 2 {
            world.repository("{a}").rows.remove(&1);
        }
    }));
    let comparison = check(&bench, &selection, &statement(), &repair())
        .await
        .unwrap();
    assert!(comparison.findings.is_empty(), "{:?}", comparison.findings);
}

#[tokio::test]
async fn marks_and_versions_are_mended_as_the_table_keeps_them() {
    let selection = Selection::all("Issues");
    let soft = with(|options| options.deletes = Deletes::Mark);
    let bench = differing(&selection, &soft).await;
    check(&bench, &selection, &soft, &repair()).await.unwrap();
    let marks = bench.rows(&[bucketline_destination::DELETED, "Id"]).await;
    let marked: Vec<_> = marks
        .iter()
        .filter_map(|row| row.strip_prefix("true "))
        .collect();
    assert_eq!(marked, ["5", "6"]);
    let comparison = check(&bench, &selection, &soft, &repair()).await.unwrap();
    assert!(comparison.findings.is_empty());

    let history = with(|options| options.history = true);
    let bench = differing(&selection, &history).await;
    check(&bench, &selection, &history, &repair())
        .await
        .unwrap();
    let active = bench.versions().await.into_iter().filter(|it| it.active);
    assert_eq!(active.count(), bench.truth(None).len());
    assert_eq!(bench.versions().await.len(), 12);
    let comparison = check(&bench, &selection, &history, &repair())
        .await
        .unwrap();
    assert!(comparison.findings.is_empty());
}

#[tokio::test]
async fn a_table_is_held_against_what_filled_it() {
    let bench = Bench::filled();
    let selection = Selection::all("Issues");
    let error = check(&bench, &selection, &statement(), &Check::default())
        .await
        .unwrap_err();
    assert_eq!(error.code(), "BL7015");
    bench.run(&selection, &statement()).await.unwrap();
    let open = Selection {
        state: Some("open"),
        ..selection.clone()
    };
    let error = check(&bench, &open, &statement(), &Check::default())
        .await
        .unwrap_err();
    assert_eq!(error.code(), code::CHECK);
    bench.put("{a}", 1, "first", "merged");
    let against = Check {
        against: true,
        ..Check::default()
    };
    let comparison = check(&bench, &open, &statement(), &against).await.unwrap();
    assert_eq!(found(&comparison), [("1", Difference::Deleted)]);
}
