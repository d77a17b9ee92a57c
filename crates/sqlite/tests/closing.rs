//! What a load leaves behind when it ends, however it ends.
#![allow(clippy::unwrap_used)]

mod support;

use std::path::{Path, PathBuf};

use bucketline_destination::{Destination, Query, TableName};
use bucketline_sqlite::SqliteDestination;
use futures::{FutureExt, StreamExt};
use rusqlite::Connection;
use support::{begun, count, open, rows, table};

/// The files in the folder of a database, folders left out.
fn files(database: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(database.parent().unwrap()).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_type().unwrap().is_file())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// The number of rows in a copy of the database's file alone.
fn count_in_a_copy(database: &Path) -> i64 {
    let elsewhere = tempfile::tempdir().unwrap();
    let copy = elsewhere.path().join("alone.db");
    std::fs::copy(database, &copy).unwrap();
    count(&copy)
}

struct File {
    _folder: tempfile::TempDir,
    path: PathBuf,
    destination: SqliteDestination,
}

fn file() -> File {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("copy.db");
    let destination = SqliteDestination::open_file(&path);
    File {
        _folder: folder,
        path,
        destination,
    }
}

fn everything() -> Query {
    Query {
        table: table(),
        columns: vec!["Id".into(), "Text".into()],
        conditions: Vec::new(),
        limit: None,
    }
}

#[tokio::test]
async fn a_finished_load_leaves_one_file() {
    let file = file();
    let load = begun(&file.destination).await;
    load.write("s", rows(0..5000)).await.unwrap();
    load.commit("s", None).await.unwrap();
    load.finish(None).await.unwrap();
    assert_eq!(files(&file.path), ["copy.db"]);
    assert_eq!(count_in_a_copy(&file.path), 5000);
}

#[tokio::test]
async fn a_dropped_load_leaves_one_file_with_what_was_committed() {
    let file = file();
    let load = begun(&file.destination).await;
    load.write("s", rows(0..5000)).await.unwrap();
    load.commit("s", None).await.unwrap();
    load.write("s", rows(5000..6000)).await.unwrap();
    drop(load);
    assert_eq!(files(&file.path), ["copy.db"]);
    assert_eq!(count_in_a_copy(&file.path), 5000);
}

#[tokio::test]
async fn the_file_is_whole_while_others_have_it_open() {
    let file = file();
    let load = begun(&file.destination).await;
    let (others, holder) = (TableName::bare("Others"), support::holder());
    let other = file.destination.open(&others, &holder).await.unwrap();
    let reader = Connection::open(&file.path).unwrap();
    load.write("s", rows(0..5000)).await.unwrap();
    load.commit("s", None).await.unwrap();
    load.finish(None).await.unwrap();
    assert_eq!(count_in_a_copy(&file.path), 5000);
    drop(other);
    drop(reader);
    assert_eq!(files(&file.path), ["copy.db"]);
}

#[tokio::test]
async fn a_reader_does_not_keep_a_load_from_finishing() {
    let file = file();
    let load = begun(&file.destination).await;
    load.write("s", rows(0..10)).await.unwrap();
    load.commit("s", None).await.unwrap();
    let reader = Connection::open(&file.path).unwrap();
    reader.execute_batch("BEGIN").unwrap();
    let seen = || -> i64 {
        let sql = format!("SELECT count(*) FROM {}", support::TABLE);
        reader.query_row(&sql, [], |row| row.get(0)).unwrap()
    };
    assert_eq!(seen(), 10);
    load.write("s", rows(10..20)).await.unwrap();
    load.commit("s", None).await.unwrap();
    load.finish(None).await.unwrap();
    assert_eq!(seen(), 10);
    drop(reader);
    assert_eq!(count(&file.path), 20);
}

/// A load that goes away in the midst of a commit: rows and position are there together or not at all, and the
/// lease is free at once, also where another load keeps the thread that may still be at it.
#[tokio::test]
async fn a_cancelled_commit_frees_the_lease() {
    const ROWS: i64 = 2000;
    for shared in [false, true] {
        let file = file();
        let mut others = Vec::new();
        for round in 0..20 {
            let load = begun(&file.destination).await;
            let state = load.status().state.as_ref();
            let position = state.and_then(|state| state.checkpoints.get("s"));
            let done = position.map_or(0, |position| position.as_i64().unwrap());
            if shared {
                assert!(done <= round);
            } else {
                assert_eq!(done, round);
            }
            assert_eq!(count(&file.path), done * ROWS);
            if shared {
                let name = TableName::bare(format!("Other{round}"));
                let other = file.destination.open(&name, &support::holder()).await;
                others.push(other.unwrap());
            }
            let new = rows(done * ROWS..(done + 1) * ROWS);
            load.write("s", new).await.unwrap();
            // Polled once, the commit is on its way.
            let commit = load.commit("s", Some((done + 1).into()));
            let _ = commit.now_or_never();
            drop(load);
        }
    }
}

#[tokio::test]
async fn a_cancelled_open_frees_the_lease() {
    let file = file();
    for polls in 0..20 {
        let mut opening = Box::pin(open(&file.destination));
        for _ in 0..polls {
            if futures::poll!(&mut opening).is_ready() {
                break;
            }
            std::thread::yield_now();
        }
        drop(opening);
        drop(open(&file.destination).await.unwrap());
    }
}

#[tokio::test]
async fn a_reading_can_be_dropped_early() {
    let file = file();
    let load = begun(&file.destination).await;
    for part in 0..10 {
        load.write("s", rows(part * 10_000..(part + 1) * 10_000))
            .await
            .unwrap();
        load.commit("s", None).await.unwrap();
    }
    load.finish(None).await.unwrap();
    let never_polled = file.destination.read(&everything()).await.unwrap();
    drop(never_polled);
    let mut reading = file.destination.read(&everything()).await.unwrap();
    assert!(reading.next().await.unwrap().unwrap().num_rows() > 0);
    drop(reading);
    assert_eq!(files(&file.path), ["copy.db"]);
    // A view that would be computed for hours.
    let other = Connection::open(&file.path).unwrap();
    let view = "CREATE VIEW slow AS SELECT count(*) AS n FROM Things a, Things b, Things c";
    other.execute_batch(view).unwrap();
    drop(other);
    let slow = Query {
        table: TableName::bare("slow"),
        columns: vec!["n".into()],
        conditions: Vec::new(),
        limit: None,
    };
    // Whatever the thread is about when it is told to stop.
    for polls in 0..20 {
        let mut reading = file.destination.read(&slow).await.unwrap();
        for _ in 0..polls {
            assert!(reading.next().now_or_never().is_none());
            tokio::task::yield_now().await;
            std::thread::yield_now();
        }
        drop(reading);
    }
    assert_eq!(files(&file.path), ["copy.db"]);
}

#[tokio::test]
async fn a_reading_that_was_read_to_its_end_has_closed_the_file() {
    let file = file();
    let load = begun(&file.destination).await;
    load.write("s", rows(0..10)).await.unwrap();
    load.commit("s", None).await.unwrap();
    load.finish(None).await.unwrap();
    let mut reading = file.destination.read(&everything()).await.unwrap();
    while let Some(batch) = reading.next().await {
        batch.unwrap();
    }
    assert_eq!(files(&file.path), ["copy.db"]);
}
