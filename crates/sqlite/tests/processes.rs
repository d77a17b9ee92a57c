//! Two processes and one table.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod support;

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use bucketline_destination::{Destination, Holder, code};
use bucketline_sqlite::SqliteDestination;
use support::{begun, count, open, rows, table};

/// Says in the environment of the child which database it is to load.
const CHILD: &str = "BUCKETLINE_LEASE_TEST_DATABASE";

const LOADING: &str = "the child is loading";

/// Not a test of its own: what the other process does. It loads until its input ends.
#[tokio::test]
async fn child() {
    let Ok(path) = std::env::var(CHILD) else {
        return;
    };
    let destination = SqliteDestination::open_file(path);
    let load = begun(&destination).await;
    load.write("s", rows(0..100)).await.unwrap();
    load.commit("s", None).await.unwrap();
    println!("\n{LOADING}");
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    load.finish(None).await.unwrap();
}

#[tokio::test]
async fn a_table_that_another_process_loads_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("copy.db");
    for kill in [false, true] {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["child", "--exact", "--nocapture"])
            .env(CHILD, &path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap());
        let loading = said.by_ref().lines().any(|line| line.unwrap() == LOADING);
        assert!(loading, "the child did not come so far");

        let destination = SqliteDestination::open_file(&path);
        let me = Holder {
            who: "bucketline (pid 18) on host-18".into(),
            since: "2026-11-22T11:00:00Z".into(),
        };
        let refused = destination.open(&table(), &me).await.map(drop).unwrap_err();
        assert_eq!(refused.code(), code::HELD);
        let Holder { who, since } = support::holder();
        let message = refused.to_string();
        assert!(
            message.contains(&who) && message.contains(&since),
            "{message}"
        );
        assert!(message.contains(support::TABLE), "{message}");
        assert_eq!(count(&path), 100);

        if kill {
            child.kill().unwrap();
        } else {
            drop(child.stdin.take());
        }
        let ended = child.wait().unwrap();
        assert_ne!(ended.success(), kill);
        drop(open(&destination).await.unwrap());
    }
}
