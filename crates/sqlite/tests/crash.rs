//! A process that is killed at any moment leaves rows and checkpoint that belong together.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod support;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use bucketline_destination::{Change, Load, Target};
use bucketline_sqlite::SqliteDestination;
use serde_json::json;
use support::{batch, plan};

const CHILD: &str = "BUCKETLINE_CRASH_TEST_DATABASE";
const ROWS: i64 = 200;

/// A line by which the child tells how far it is.
const STEP: &str = "a step is done";

fn rows(round: i64) -> arrow::array::RecordBatch {
    batch(round * ROWS..(round + 1) * ROWS)
}

async fn open(path: &str) -> Box<dyn Load> {
    let destination = SqliteDestination::open_file(path);
    support::open(&destination).await.unwrap()
}

fn rounds(status: &bucketline_destination::TableStatus) -> i64 {
    let state = status.state.as_ref();
    state
        .and_then(|state| state.checkpoints.get("s"))
        .map_or(0, |c| c.as_i64().unwrap())
}

/// Not a test of its own: what the process does that is killed.
#[tokio::test]
async fn child() {
    let Ok(path) = std::env::var(CHILD) else {
        return;
    };
    step();
    let load = open(&path).await;
    let mut round = rounds(load.status());
    load.begin(plan(Target::Table)).await.unwrap();
    loop {
        step();
        load.write("s", Change::Upsert(rows(round))).await.unwrap();
        if round > 0 {
            let old = rows(round - 1).project(&[0]).unwrap().slice(0, 10);
            load.write("s", Change::Delete(old)).await.unwrap();
        }
        step();
        round += 1;
        load.commit("s", Some(json!(round))).await.unwrap();
    }
}

/// Starts the child and kills it after so many of its steps, or in the midst of the next.
fn killed_after(steps: usize, path: &str) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["child", "--exact", "--nocapture"])
        .env(CHILD, path)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let told = BufReader::new(child.stdout.take().unwrap());
    let told = told.lines().map(Result::unwrap);
    let seen = told.filter(|line| line == STEP).take(steps).count();
    assert_eq!(seen, steps, "the child ended by itself");
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Says that a step is done.
fn step() {
    println!("{STEP}");
}

#[tokio::test]
async fn rows_equal_checkpoint_after_every_kill() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("crash.db");
    let path = path.to_str().unwrap();
    let mut random = fastrand::Rng::with_seed(7);
    let mut highest = 0;
    for kill in 0..25_u32 {
        // The first ones meet it while it opens the file.
        let steps = if kill < 4 { 1 } else { random.usize(1..40) };
        killed_after(steps, path);
        // The lease ended with the process.
        let load = open(path).await;
        let round = rounds(load.status());
        if load.status().state.is_some() {
            let kept = if round == 0 {
                0
            } else {
                round * (ROWS - 10) + 10
            };
            let counted = load.status().state.as_ref().unwrap().rows;
            assert_eq!(i64::try_from(counted).unwrap(), kept, "kill {kill}");
            let connection = rusqlite::Connection::open(path).unwrap();
            assert_eq!(support::count(Path::new(path)), kept, "kill {kill}");
            let check: String = connection
                .query_row("PRAGMA integrity_check", [], |row| row.get(0))
                .unwrap();
            assert_eq!(check, "ok");
        }
        assert!(round >= highest, "a commit was lost");
        highest = round;
        drop(load);
    }
    assert!(highest > 0, "no process lived long enough to commit");
}
