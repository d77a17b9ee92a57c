//! A client or a server that ends at any moment leaves rows and checkpoint that belong together.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod support;

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use bucketline_destination::{Change, Load, TableStatus};
use serde_json::json;

use self::support::{Database, batch, begun, destination, open, opened};

const CHILD: &str = "BUCKETLINE_CRASH_TEST_DATABASE";
const ROWS: i64 = 200;

/// A line by which the child tells how far it is.
const STEP: &str = "a step is done";

/// How often what is killed is killed.
const KILLS: u64 = 50;

fn rows(round: i64) -> arrow::array::RecordBatch {
    batch(round * ROWS..(round + 1) * ROWS)
}

fn rounds(status: &TableStatus) -> i64 {
    let state = status.state.as_ref();
    state
        .and_then(|state| state.checkpoints.get("s"))
        .map_or(0, |checkpoint| checkpoint.as_i64().unwrap())
}

/// How many rows there are after so many rounds.
fn kept(round: i64) -> i64 {
    match round {
        0 => 0,
        round => round * (ROWS - 10) + 10,
    }
}

/// Adds rows, takes some of the round before away, and moves the checkpoint.
async fn load_round(load: &dyn Load, round: i64) {
    load.write("s", Change::Upsert(rows(round))).await.unwrap();
    if round > 0 {
        let old = rows(round - 1).project(&[0]).unwrap().slice(0, 10);
        load.write("s", Change::Delete(old)).await.unwrap();
    }
    step();
    let counts = load.commit("s", Some(json!(round + 1))).await.unwrap();
    assert_eq!(
        counts.inserted,
        u64::try_from(ROWS).unwrap(),
        "round {round}"
    );
    assert_eq!(
        counts.deleted,
        if round > 0 { 10 } else { 0 },
        "round {round}"
    );
}

/// Not a test of its own: what the process does that is killed.
#[tokio::test]
async fn child() {
    let Ok(url) = std::env::var(CHILD) else {
        return;
    };
    step();
    let load = begun(&destination(&url)).await;
    let mut round = rounds(load.status());
    loop {
        step();
        load_round(&*load, round).await;
        round += 1;
    }
}

/// Starts the child and kills it after so many of its steps, or in the midst of the next.
fn killed_after(steps: usize, url: &str) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["child", "--exact", "--nocapture"])
        .env(CHILD, url)
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

// A thread of its own closes the connection of a dropped load while this one waits for the child.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_equal_checkpoint_after_every_kill_of_the_client() {
    let Some(database) = Database::new() else {
        return;
    };
    let mut random = fastrand::Rng::with_seed(7);
    let mut highest = 0;
    for kill in 0..KILLS {
        // The first ones meet it while it connects.
        let steps = if kill < 4 { 1 } else { random.usize(1..40) };
        killed_after(steps, &database.url);
        // The lease ends with the process, as soon as the server sees that the connection is closed.
        let load = opened(&database.destination()).await;
        let round = rounds(load.status());
        if let Some(state) = &load.status().state {
            assert_eq!(
                i64::try_from(state.rows).unwrap(),
                kept(round),
                "kill {kill}"
            );
            let count = database.execute("SELECT count(*) FROM things");
            assert_eq!(count, kept(round).to_string(), "kill {kill}");
        }
        assert!(round >= highest, "a commit was lost");
        highest = round;
        drop(load);
    }
    assert!(highest > 0, "no process lived long enough to commit");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_load_outlives_every_crash_of_the_server() {
    let Some(mut database) = Database::new() else {
        return;
    };
    let url = database.url.clone();
    let (told, mut done) = tokio::sync::watch::channel(0);
    let loading = tokio::spawn(async move {
        let load = begun(&destination(&url)).await;
        let mut round = 0;
        while !told.is_closed() {
            // Counts that are right show that no commit was carried out twice or taken for carried out.
            load_round(&*load, round).await;
            round += 1;
            let _ = told.send(round);
        }
        load.finish(None).await.unwrap();
        round
    });
    let mut random = fastrand::Rng::with_seed(11);
    for _ in 0..KILLS {
        done.changed().await.unwrap();
        tokio::time::sleep(Duration::from_micros(random.u64(0..20_000))).await;
        database.server.kill().unwrap();
        database.server.restart().unwrap();
    }
    drop(done);
    let round = loading.await.unwrap();
    let count = database.execute("SELECT count(*) FROM things");
    assert_eq!(count, kept(round).to_string());
    let load = open(&database.destination()).await.unwrap();
    assert_eq!(rounds(load.status()), round);
}
