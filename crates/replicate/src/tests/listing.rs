//! Listing: read whole, believed only with care.

use bucketline_core::code::bitbucket;

use super::fake::Selection;
use super::{Bench, killed_after, outcome};
use crate::{Mode, Outcome};

fn branches() -> Selection {
    Selection::all("Branches")
}

#[tokio::test]
async fn a_deleted_row_leaves() {
    let bench = Bench::filled();
    let report = bench.replicate(&branches()).await.unwrap();
    assert_eq!(report.mode, Mode::Listing);
    bench.fake.world().repository("{a}").rows.remove(&4);
    let report = bench.replicate(&branches()).await.unwrap();
    assert_eq!((report.counts.deleted, report.counts.updated), (1, 0));
    assert_eq!(bench.copy().await, bench.truth(None));
}

#[tokio::test]
async fn an_unchanged_slice_costs_no_request() {
    let bench = Bench::filled();
    bench.replicate(&branches()).await.unwrap();
    bench.row_requests();
    let report = bench.replicate(&branches()).await.unwrap();
    assert_eq!(bench.row_requests(), 0);
    assert_eq!(*outcome(&report, "acme/slug-{a}"), Outcome::Unchanged);
    bench.fake.world().repository("{a}").slug = "renamed".to_owned();
    let report = bench.replicate(&branches()).await.unwrap();
    assert_eq!((bench.row_requests(), report.counts.updated), (0, 10));
}

#[tokio::test]
async fn a_change_during_the_walk_is_seen_by_the_next_run() {
    let bench = Bench::filled();
    let mut page = 0;
    bench.fake.world().before_page = Some(Box::new(move |world| {
        page += 1;
        if page == 4 {
            world.put("{a}", 1, "during", "open");
        }
    }));
    bench.replicate(&branches()).await.unwrap();
    bench.fake.world().before_page = None;
    bench.replicate(&branches()).await.unwrap();
    assert_eq!(bench.copy().await, bench.truth(None));
}

#[tokio::test]
async fn an_empty_listing_is_not_believed() {
    let bench = Bench::filled();
    bench.replicate(&branches()).await.unwrap();
    let before = bench.copy().await;
    bench.put("{a}", 11, "new", "open");
    bench.fake.world().repository("{a}").hidden = true;
    for _ in 0..2 {
        let report = bench.replicate(&branches()).await.unwrap();
        assert_eq!(report.counts.deleted, 0);
        assert!(report.notes[0].contains("empty"), "{:?}", report.notes);
        assert_eq!(bench.copy().await, before);
    }
    bench.fake.world().repository("{a}").hidden = false;
    bench.replicate(&branches()).await.unwrap();
    assert_eq!(bench.copy().await, bench.truth(None));
}

#[tokio::test]
async fn an_empty_first_answer_proves_nothing() {
    for table in ["Branches", "Commits"] {
        let bench = Bench::filled();
        let all = Selection::all(table);
        bench.fake.world().repository("{a}").hidden = true;
        bench.replicate(&all).await.unwrap();
        bench.fake.world().repository("{a}").hidden = false;
        bench.replicate(&all).await.unwrap();
        assert_eq!(bench.copy().await, bench.truth(None), "{table}");
        bench.row_requests();
        bench.replicate(&all).await.unwrap();
        assert_eq!(bench.row_requests(), 0, "{table}");
    }
}

#[tokio::test]
async fn rows_that_stay_although_the_listing_is_empty_show_the_new_name() {
    let bench = Bench::filled();
    bench.replicate(&branches()).await.unwrap();
    bench.put("{a}", 11, "new", "open");
    bench.fake.world().repository("{a}").hidden = true;
    bench.fake.world().repository("{a}").slug = "renamed".to_owned();
    bench.replicate(&branches()).await.unwrap();
    let names = bench.column("Repository").await;
    assert_eq!(names[&("{a}".to_owned(), 1)], "renamed");
}

#[tokio::test]
async fn a_start_date_means_nothing_for_a_listing_and_changes_nothing() {
    let bench = Bench::filled();
    bench.replicate(&branches()).await.unwrap();
    let before = bench.copy().await;
    bench.fake.world().repositories.remove("{b}");
    let start = super::with(|options| options.start = Some(super::fake::instant(6)));
    let report = bench.run(&branches(), &start).await.unwrap();
    assert_eq!(*outcome(&report, "acme/slug-{b}"), Outcome::Vanished);
    assert_eq!(bench.copy().await, before);
}

#[tokio::test]
async fn a_listing_that_breaks_off_deletes_nothing() {
    let bench = Bench::filled();
    bench.replicate(&branches()).await.unwrap();
    bench.put("{a}", 10, "second", "open");
    bench.fake.world().repository("{a}").cut = Some(2);
    bench.replicate(&branches()).await.unwrap_err();
    assert_eq!(bench.copy().await.len(), 12);
}

#[tokio::test]
async fn a_list_that_shifts_between_pages_is_read_twice_before_anything_is_deleted() {
    let bench = Bench::filled();
    bench.fake.world().unstable = true;
    bench.replicate(&branches()).await.unwrap();
    // Deleting row 1 after the first page was read hides row 4 from the second.
    let mut page = 0;
    bench.fake.world().before_page = Some(Box::new(move |world| {
        page += 1;
        if page == 2 {
            world.repository("{a}").rows.remove(&1);
        }
    }));
    bench.fake.world().repository("{b}").rows.clear();
    bench.fake.world().put("{b}", 1, "first", "open");
    bench.fake.world().concurrency = 1;
    bench.put("{a}", 10, "touched", "open");
    let report = bench.replicate(&branches()).await.unwrap();
    assert_eq!(report.counts.deleted, 1, "row 2 of the other list");
    assert!(
        bench.copy().await.contains_key(&("{a}".to_owned(), 4)),
        "only hidden by the shift"
    );
    bench.replicate(&branches()).await.unwrap();
    assert_eq!(bench.copy().await, bench.truth(None));
}

#[tokio::test]
async fn deletes_stay_off_after_the_credential_changed_until_a_whole_run() {
    let bench = Bench::filled();
    bench.replicate(&branches()).await.unwrap();
    bench.fake.world().credential = "token 2".to_owned();
    bench.fake.world().repository("{a}").rows.remove(&4);
    bench.fake.world().repository("{b}").fault = Some(bitbucket::FORBIDDEN);
    for _ in 0..2 {
        bench.replicate(&branches()).await.unwrap_err();
        assert_eq!(
            bench.copy().await.len(),
            12,
            "not every slice was completed"
        );
    }
    bench.fake.world().repository("{b}").fault = None;
    let report = bench.replicate(&branches()).await.unwrap();
    assert_eq!((bench.copy().await.len(), report.counts.deleted), (12, 0));
    bench.replicate(&branches()).await.unwrap();
    assert_eq!(bench.copy().await, bench.truth(None));
}

#[tokio::test]
async fn a_missing_repository_keeps_deletes_off_until_it_is_dropped() {
    let bench = Bench::filled();
    bench.replicate(&branches()).await.unwrap();
    bench.fake.world().credential = "token 2".to_owned();
    bench.fake.world().repository("{a}").rows.remove(&4);
    bench.fake.world().repositories.remove("{b}");
    for _ in 0..2 {
        let report = bench.replicate(&branches()).await.unwrap();
        assert_eq!(bench.copy().await.len(), 12);
        let told = |note: &String| {
            note.contains("acme/slug-{b} was not read with it")
                && note.contains("DropMissingRepositories")
        };
        assert!(report.notes.iter().any(told), "{:?}", report.notes);
    }
    let drop = super::with(|options| options.drop_missing = true);
    bench.run(&branches(), &drop).await.unwrap();
    bench.replicate(&branches()).await.unwrap();
    assert_eq!(bench.copy().await, bench.truth(None));
}

#[tokio::test]
async fn a_killed_listing_is_read_again() {
    for polls in 1..60 {
        let bench = Bench::filled();
        killed_after(polls, bench.replicate(&branches())).await;
        bench.fake.world().repository("{a}").rows.remove(&1);
        bench.replicate(&branches()).await.unwrap();
        assert_eq!(bench.copy().await, bench.truth(None), "after {polls} polls");
    }
}
