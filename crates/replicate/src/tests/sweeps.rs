//! Deletes that no cursor shows, found by reading all keys.

use bucketline_core::code::http;

use super::fake::Selection;
use super::{Bench, with};
use crate::statement::Statement;

fn keys() -> Statement {
    with(|options| options.detect_deletes = true)
}

fn issues() -> Selection {
    Selection {
        state: Some("open"),
        ..Selection::all("Issues")
    }
}

#[tokio::test]
async fn a_sweep_of_the_keys_finds_what_was_deleted() {
    let bench = Bench::filled();
    bench.run(&issues(), &keys()).await.unwrap();
    assert_eq!(bench.row_requests(), 5, "the first load needs none");
    bench.fake.world().remove("{a}", 4);
    bench.put("{a}", 5, "done", "merged");
    let report = bench.run(&issues(), &keys()).await.unwrap();
    assert_eq!(report.counts.deleted, 2);
    assert_eq!(bench.copy().await, bench.truth(Some("open")));
    assert_eq!(
        bench.row_requests(),
        6,
        "a page of changes and those of the keys, a slice"
    );
    let columns = bench.fake.world().columns.clone();
    assert_eq!(
        columns.last(),
        Some(&vec![super::fake::UUID, super::fake::ID])
    );
}

#[tokio::test]
async fn a_sweep_that_is_cut_refused_or_empty_deletes_nothing() {
    let bench = Bench::filled();
    bench.run(&issues(), &keys()).await.unwrap();
    let before = bench.copy().await;
    bench.fake.world().repository("{a}").cut = Some(1);
    bench.fake.world().remove("{a}", 4);
    bench.run(&issues(), &keys()).await.unwrap_err();
    assert_eq!(bench.copy().await, before);
    bench.fake.world().repository("{a}").cut = None;
    bench.fake.world().repository("{a}").fault = Some(http::SERVER);
    bench.run(&issues(), &keys()).await.unwrap_err();
    assert_eq!(bench.copy().await, before);
    bench.fake.world().repository("{a}").fault = None;
    bench.fake.world().repository("{a}").hidden = true;
    let report = bench.run(&issues(), &keys()).await.unwrap();
    assert_eq!(bench.copy().await, before);
    let told = |note: &String| note.contains("no key is listed where 10 rows were");
    assert!(report.notes.iter().any(told), "{:?}", report.notes);
}

#[tokio::test]
async fn rows_that_come_while_the_keys_are_read_stay() {
    let bench = Bench::filled();
    bench.run(&issues(), &keys()).await.unwrap();
    bench.fake.world().concurrency = 1;
    let mut page = 0;
    bench.fake.world().before_page = Some(Box::new(move |world| {
        page += 1;
        if page > 1 {
            world.put("{a}", page, "during", "open");
            world.put("{a}", 20 + page, "during", "open");
        }
    }));
    let report = bench.run(&issues(), &keys()).await.unwrap();
    assert_eq!(report.counts.deleted, 0);
    bench.fake.world().before_page = None;
    bench.run(&issues(), &keys()).await.unwrap();
    assert_eq!(bench.copy().await, bench.truth(Some("open")));
}

#[tokio::test]
async fn keys_in_a_list_that_shifts_are_read_twice() {
    let bench = Bench::filled();
    bench.run(&issues(), &keys()).await.unwrap();
    bench.fake.world().unstable = true;
    bench.fake.world().concurrency = 1;
    let mut page = 0;
    bench.fake.world().before_page = Some(Box::new(move |world| {
        page += 1;
        // The first is of the changes, the second the first of the keys.
        if page == 3 {
            world.repository("{a}").rows.remove(&1);
        }
    }));
    let report = bench.run(&issues(), &keys()).await.unwrap();
    assert_eq!(
        report.counts.deleted, 0,
        "row 4 is only hidden, and row 1 was listed"
    );
    bench.fake.world().before_page = None;
    let report = bench.run(&issues(), &keys()).await.unwrap();
    assert_eq!(report.counts.deleted, 1);
    assert_eq!(bench.copy().await, bench.truth(Some("open")));
}

#[tokio::test]
async fn no_sweep_while_deletes_are_off() {
    let bench = Bench::filled();
    bench.run(&issues(), &keys()).await.unwrap();
    bench.fake.world().credential = "token 2".to_owned();
    bench.fake.world().remove("{a}", 4);
    bench.row_requests();
    bench.run(&issues(), &keys()).await.unwrap();
    assert_eq!((bench.row_requests(), bench.copy().await.len()), (2, 12));
    bench.run(&issues(), &keys()).await.unwrap();
    assert_eq!(bench.copy().await, bench.truth(Some("open")));
}
