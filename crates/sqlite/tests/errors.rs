//! What people are told when a database cannot be used.
#![allow(clippy::unwrap_used)]

mod support;

use std::path::Path;

use bucketline_core::Code;
use bucketline_destination::{Destination, Error, Query, code};
use bucketline_sqlite::SqliteDestination;
use futures::StreamExt;
use rusqlite::Connection;
use support::{begun, open, rows, table};

/// A database that cannot be used: how it is made so, and what opening a load of it says.
struct Case {
    name: &'static str,
    make: fn(&Path),
    kind: Code,
    message: &'static str,
    hint: &'static str,
    /// It cannot be read either.
    unreadable: bool,
}

const CASES: [Case; 5] = [
    Case {
        name: "missing/copy.db",
        make: |_| {},
        kind: code::UNAVAILABLE,
        message: "there is no folder",
        hint: "create the folder first",
        // There is nothing to read, which is no error.
        unreadable: false,
    },
    Case {
        name: "folder",
        make: |path| std::fs::create_dir(path).unwrap(),
        kind: code::UNAVAILABLE,
        message: "that is a folder",
        hint: "give the path of a file in it",
        unreadable: true,
    },
    Case {
        name: "letter.db",
        make: |path| std::fs::write(path, "Dear User 17,\n".repeat(1000)).unwrap(),
        kind: code::UNAVAILABLE,
        message: "not a SQLite database",
        hint: "give the path of a SQLite database, or of a file that does not exist yet",
        unreadable: true,
    },
    Case {
        name: "newer.db",
        make: |path| {
            let sql = "CREATE TABLE _bucketline_version (version); \
                       INSERT INTO _bucketline_version VALUES (99)";
            Connection::open(path).unwrap().execute_batch(sql).unwrap();
        },
        kind: code::UNSUPPORTED,
        message: "its state has version 99",
        hint: "update this program, or load into another file",
        unreadable: false,
    },
    Case {
        name: "file/copy.db",
        make: |path| std::fs::write(path.parent().unwrap(), "a file").unwrap(),
        kind: code::UNAVAILABLE,
        message: "there is no folder",
        hint: "create the folder first",
        unreadable: true,
    },
];

#[tokio::test]
async fn errors_say_where_why_and_what_to_do() {
    for case in CASES {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(case.name);
        (case.make)(&path);
        let before = std::fs::read(&path).ok();
        let destination = SqliteDestination::open_file(&path);
        let told = |error: Error| {
            let message = error.to_string();
            assert_eq!(error.code(), case.kind, "{message}");
            assert!(message.contains(case.message), "{message}");
            assert_eq!(error.hint(), Some(case.hint), "{message}");
            if case.kind == code::UNAVAILABLE {
                assert!(message.contains(path.to_str().unwrap()), "{message}");
            }
        };
        told(open(&destination).await.map(drop).unwrap_err());
        if case.unreadable && case.name != "file/copy.db" {
            told(destination.inspect(&table()).await.map(drop).unwrap_err());
            told(destination.tables().await.map(drop).unwrap_err());
        }
        assert!(std::fs::read(&path).ok() == before, "{}", case.name);
    }
}

/// A checkpoint that somebody has changed is not taken for a position.
#[tokio::test]
async fn a_damaged_state_is_told() {
    for damage in ["'text'", "x'ff'", "x''", "zeroblob(3)"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("copy.db");
        let destination = SqliteDestination::open_file(&path);
        let load = begun(&destination).await;
        load.write("s", rows(0..1)).await.unwrap();
        load.commit("s", Some(1.into())).await.unwrap();
        load.finish(None).await.unwrap();
        let sql = format!("UPDATE _bucketline_checkpoints SET checkpoint = {damage}");
        Connection::open(&path)
            .unwrap()
            .execute_batch(&sql)
            .unwrap();
        let error = open(&destination).await.map(drop).unwrap_err();
        assert_eq!(error.code(), code::DATABASE);
        assert!(error.to_string().contains("damaged"), "{error}");
        assert!(error.hint().unwrap().contains("_bucketline_"));
    }
}

/// A table that a user drops is missed by name, when it is read and when it is written.
#[tokio::test]
async fn a_dropped_table_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("copy.db");
    let destination = SqliteDestination::open_file(&path);
    let load = begun(&destination).await;
    let drop_it = format!("DROP TABLE {}", support::TABLE);
    Connection::open(&path)
        .unwrap()
        .execute_batch(&drop_it)
        .unwrap();
    load.write("s", rows(0..1)).await.unwrap();
    let written = load.commit("s", None).await.unwrap_err();
    let query = Query {
        table: table(),
        columns: vec!["Id".into()],
        conditions: Vec::new(),
        limit: None,
    };
    let mut reading = destination.read(&query).await.unwrap();
    let read = reading.next().await.unwrap().unwrap_err();
    for error in [written, read] {
        assert_eq!(error.code(), code::NOT_FOUND);
        assert!(error.to_string().contains(support::TABLE), "{error}");
    }
}

/// What becomes of the file in the middle of a load.
type Accident = fn(&Path);

const ACCIDENTS: [(Accident, &str); 3] = [
    (
        |path| std::fs::remove_file(path).unwrap(),
        "the file was removed or moved away",
    ),
    (
        |path| std::fs::rename(path, path.with_extension("moved")).unwrap(),
        "the file was removed or moved away",
    ),
    (
        |path| {
            let other = path.with_extension("other");
            let made = Connection::open(&other).unwrap();
            made.execute_batch("CREATE TABLE mine (a); INSERT INTO mine VALUES (17)")
                .unwrap();
            drop(made);
            std::fs::rename(path, path.with_extension("moved")).unwrap();
            std::fs::rename(&other, path).unwrap();
        },
        "another file has taken its place",
    ),
];

/// Nothing is said to be written that is not where the user looks for it. A file that was moved is whole, and one
/// that took its place is left as it is.
#[tokio::test]
async fn a_file_that_is_moved_during_a_load_ends_it() {
    for (accident, said) in ACCIDENTS {
        for last in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("copy.db");
            let destination = SqliteDestination::open_file(&path);
            let load = begun(&destination).await;
            load.write("s", rows(0..100)).await.unwrap();
            load.commit("s", None).await.unwrap();
            load.write("s", rows(100..200)).await.unwrap();
            accident(&path);
            let error = if last {
                load.finish(None).await.unwrap_err()
            } else {
                load.commit("s", None).await.unwrap_err()
            };
            assert_eq!(error.code(), code::UNAVAILABLE);
            assert!(error.to_string().contains(said), "{error}");
            assert!(
                error.to_string().contains(path.to_str().unwrap()),
                "{error}"
            );
            drop(destination);

            let moved = path.with_extension("moved");
            if moved.exists() {
                assert!(support::count(&moved) >= 100);
            }
            if path.exists() {
                let other = Connection::open(&path).unwrap();
                let mine: i64 = other
                    .query_row("SELECT a FROM mine", [], |row| row.get(0))
                    .unwrap();
                let sound: String = other
                    .query_row("PRAGMA integrity_check", [], |row| row.get(0))
                    .unwrap();
                assert_eq!((mine, sound.as_str()), (17, "ok"));
            }
        }
    }
}

/// A lease that cannot be noted, as on a full disk, is not taken: the cause is told at once, and not later that
/// another process has the lease.
#[tokio::test]
async fn a_lease_that_is_not_committed_is_not_taken() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("copy.db");
    let destination = SqliteDestination::open_file(&path);
    begun(&destination).await.finish(None).await.unwrap();
    // What is missing is only found at the commit.
    let sql = "CREATE TABLE parent (id INTEGER PRIMARY KEY);
               CREATE TABLE child (id REFERENCES parent DEFERRABLE INITIALLY DEFERRED);
               CREATE TRIGGER fails AFTER UPDATE ON _bucketline_leases BEGIN INSERT INTO child VALUES (1); END";
    Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    let error = open(&destination).await.map(drop).unwrap_err();
    assert_eq!(error.code(), code::BAD_VALUE, "{error}");
}
