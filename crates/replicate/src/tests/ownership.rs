//! Whose table it is.

use arrow::array::{Int64Array, RecordBatch};
use bucketline_core::code::bitbucket;
use std::sync::Arc;

use bucketline_destination::TableName;

use super::fake::{ID, Selection, TITLE, UUID};
use super::{Bench, statement, with};
use crate::{RunOptions, ScriptRun, code};

fn issues() -> Selection {
    Selection::all("Issues")
}

#[tokio::test]
async fn a_table_that_someone_else_made_is_left_alone() {
    let bench = Bench::filled();
    let column: Arc<dyn arrow::array::Array> = Arc::new(Int64Array::from(vec![1, 2]));
    let rows = RecordBatch::try_from_iter([("Id", column)]).unwrap();
    bench
        .memory
        .put(&TableName::bare("Copy"), &rows, &[])
        .unwrap();
    for statement in [statement(), with(|options| options.drop_table = true)] {
        let error = bench.run(&issues(), &statement).await.unwrap_err();
        assert_eq!(error.code(), "BL7001");
        assert!(error.hint().is_some());
    }
    assert_eq!(bench.row_requests(), 0);
}

#[tokio::test]
async fn another_workspace_is_refused_with_the_ways_out() {
    let bench = Bench::filled();
    bench.replicate(&issues()).await.unwrap();
    bench.fake.world().workspace = "{other}".to_owned();
    bench.row_requests();
    let error = bench.replicate(&issues()).await.unwrap_err();
    assert_eq!(error.code(), code::OTHER_WORKSPACE);
    let hint = error.hint().unwrap();
    assert!(hint.contains("prefix") && hint.contains("schema"), "{hint}");
    assert_eq!(bench.row_requests(), 0);
}

#[tokio::test]
async fn a_first_run_to_which_everything_is_refused_leaves_nothing_behind() {
    for fault in [bitbucket::FORBIDDEN, bitbucket::REMOVED] {
        let bench = Bench::filled();
        for repository in ["{a}", "{b}"] {
            bench.fake.world().repository(repository).fault = Some(fault);
        }
        bench.replicate(&issues()).await.unwrap_err();
        let name = TableName::bare("Copy");
        assert!(bench.destination.table(&name).await.unwrap().is_none());
        for repository in ["{a}", "{b}"] {
            bench.fake.world().repository(repository).fault = None;
        }
        bench.fake.world().workspace = "{other}".to_owned();
        bench.replicate(&issues()).await.unwrap();
        assert_eq!(bench.copy().await, bench.truth(None));
    }
}

#[tokio::test]
async fn a_run_over_nothing_makes_the_table() {
    let bench = Bench::new();
    bench.replicate(&issues()).await.unwrap();
    assert!(bench.copy().await.is_empty());
}

#[tokio::test]
async fn two_statements_of_one_script_do_not_share_a_table() {
    let bench = Bench::filled();
    let script = ScriptRun::new(RunOptions::default());
    bench
        .run_in(&script, &issues(), &statement())
        .await
        .unwrap();
    bench
        .run_in(&script, &issues(), &statement())
        .await
        .unwrap();
    let other = Selection {
        columns: vec![UUID, ID, TITLE],
        ..issues()
    };
    let mut lower = statement();
    lower.table = TableName::bare("COPY");
    let error = bench.run_in(&script, &other, &lower).await.unwrap_err();
    assert_eq!(error.code(), code::ONE_TARGET);
}

#[tokio::test]
async fn a_table_that_is_being_loaded_is_refused_naming_who_loads_it() {
    let bench = Bench::filled();
    let holder = bucketline_destination::Holder {
        who: "another program".to_owned(),
        since: "2026-11-22T10:00:00Z".to_owned(),
    };
    let lease = bench
        .destination
        .open(&TableName::bare("Copy"), &holder)
        .await
        .unwrap();
    let error = bench.replicate(&issues()).await.unwrap_err();
    assert_eq!(error.code(), "BL6002");
    assert!(error.to_string().contains("another program"), "{error}");
    drop(lease);
    bench.replicate(&issues()).await.unwrap();
}

#[tokio::test]
async fn a_table_dropped_or_emptied_is_loaded_whole() {
    let name = TableName::bare("Copy");
    for table in ["Issues", "Branches"] {
        let bench = Bench::filled();
        let all = Selection::all(table);
        bench.replicate(&all).await.unwrap();
        assert!(bench.memory.empty_table(&name));
        bench.replicate(&all).await.unwrap();
        assert_eq!(bench.copy().await, bench.truth(None));
        assert!(bench.memory.drop_table(&name));
        bench.replicate(&all).await.unwrap();
        assert_eq!(bench.copy().await, bench.truth(None));
    }
}

#[tokio::test]
async fn a_run_that_lost_its_lease_writes_nothing_more() {
    let bench = Bench::filled();
    let memory = bench.memory.clone();
    let mut page = 0;
    bench.fake.world().before_page = Some(Box::new(move |_| {
        page += 1;
        if page == 3 {
            memory.revoke(&TableName::bare("Copy"));
        }
    }));
    let error = bench.replicate(&issues()).await.unwrap_err();
    assert_eq!(error.code(), "BL6004");
    bench.fake.world().before_page = None;
    bench.replicate(&issues()).await.unwrap();
    assert_eq!(bench.copy().await, bench.truth(None));
}

#[tokio::test]
async fn a_table_that_fits_is_taken_over_and_any_other_is_left_alone() {
    use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};

    let bench = Bench::filled();
    let texts = |text| -> ArrayRef { Arc::new(StringArray::from(vec![text])) };
    let id = |id| -> ArrayRef { Arc::new(Int64Array::from(vec![id])) };
    let rows = RecordBatch::try_from_iter([
        ("Id", id(77)),
        ("RepositoryUUID", texts("{a}")),
        ("Title", texts("theirs")),
    ])
    .unwrap();
    let copy = TableName::bare("Copy");
    let key = ["RepositoryUUID", "Id"];
    bench.memory.put(&copy, &rows, &key).unwrap();
    let few = Selection {
        columns: vec![UUID, ID, TITLE],
        ..Selection::all("Issues")
    };
    let adopt = with(|options| options.adopt = true);

    let error = bench
        .run(&Selection::all("Issues"), &adopt)
        .await
        .unwrap_err();
    assert_eq!(error.code(), "BL6011");
    for name in ["Workspace", "State", "UpdatedOn"] {
        assert!(error.to_string().contains(name), "{error}");
    }
    for repository in ["{a}", "{b}"] {
        bench.fake.world().repository(repository).hidden = true;
    }
    let report = bench.run(&few, &adopt).await.unwrap();
    assert!(
        report
            .notes
            .iter()
            .any(|note| note.contains("not taken over"))
    );
    for repository in ["{a}", "{b}"] {
        bench.fake.world().repository(repository).hidden = false;
    }
    bench.fake.world().repository("{b}").fault = Some(bitbucket::FORBIDDEN);
    bench.run(&few, &adopt).await.unwrap_err();
    assert_eq!(bench.copy().await.len(), 1, "it is as it was");
    bench.fake.world().repository("{b}").fault = None;
    assert_eq!(
        bench.run(&few, &statement()).await.unwrap_err().code(),
        "BL7001"
    );

    bench.run(&few, &adopt).await.unwrap();
    assert_eq!(bench.copy().await, bench.truth(None));
    bench.put("{a}", 3, "second", "open");
    let report = bench.run(&few, &adopt).await.unwrap();
    assert_eq!((report.counts.updated, report.counts.inserted), (1, 0));
}
