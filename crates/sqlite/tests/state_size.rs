//! The room that the state takes.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod support;

use bucketline_destination::Destination;
use bucketline_sqlite::SqliteDestination;
use rusqlite::Connection;
use serde_json::{Value, json};
use support::begun;

const SLICES: u64 = 10_000;

/// What an executor keeps of a repository: slugs, mark and proof; while it walks, the walk's position, too.
fn checkpoint(random: &mut fastrand::Rng, number: u64, walking: bool) -> Value {
    let mut moment = || {
        let (day, hour) = (random.u8(1..29), random.u8(0..24));
        let (minute, fraction) = (random.u8(0..60), random.u32(0..1_000_000));
        format!("2026-10-{day:02}T{hour:02}:{minute:02}:07.{fraction:06}")
    };
    let mut checkpoint = json!({
        "in": ["example-team", format!("repository-{number}"), "="],
        "mark": format!("{}Z", moment()),
        "proof": format!("{}+00:00", moment()),
    });
    if walking {
        let time = format!("{}Z", moment());
        checkpoint["walk"] = json!({
            "started": time, "highest": time, "after": time, "part": 0, "seen": [number],
        });
    }
    checkpoint
}

/// The state of 10,000 repositories takes less than 1 MB of the file, and a repository's part of it is
/// written alone.
#[tokio::test]
async fn ten_thousand_slices_fit_in_a_megabyte() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("copy.db");
    let destination = SqliteDestination::open_file(&path);
    let size = || -> u64 {
        let other = Connection::open(&path).unwrap();
        let pragma = |sql: &str| {
            other
                .query_row(sql, [], |row| row.get::<_, i64>(0))
                .unwrap()
                .unsigned_abs()
        };
        pragma("PRAGMA page_count") * pragma("PRAGMA page_size")
    };
    let load = begun(&destination).await;
    let empty = size();
    let mut random = fastrand::Rng::with_seed(17);
    let mut last = (String::new(), Value::Null);
    for number in 0..SLICES {
        let uuid = format!(
            "{{{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}}}",
            random.u32(..),
            random.u16(..),
            random.u16(..0x1000),
            random.u16(..0x1000),
            random.u64(..1 << 48),
        );
        for walking in [true, false] {
            last = (uuid.clone(), checkpoint(&mut random, number, walking));
            load.commit(&uuid, Some(last.1.clone())).await.unwrap();
        }
    }
    let grown = size() - empty;
    assert!(grown < 1_000_000, "{grown} bytes");

    let other = Connection::open(&path).unwrap();
    let watch = "CREATE TABLE written (slice); CREATE TRIGGER watch AFTER INSERT ON _bucketline_checkpoints \
                 BEGIN INSERT INTO written VALUES (NEW.slice); END";
    other.execute_batch(watch).unwrap();
    load.commit(&last.0, Some(json!("another"))).await.unwrap();
    load.commit(&last.0, Some(last.1.clone())).await.unwrap();
    let written = "SELECT count(*), count(DISTINCT slice) FROM written";
    let written: (u32, u32) = other
        .query_row(written, [], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap();
    assert_eq!(written, (2, 1));

    load.finish(None).await.unwrap();
    let status = destination.inspect(&support::table()).await.unwrap();
    let checkpoints = status.state.unwrap().checkpoints;
    assert_eq!(checkpoints.len() as u64, SLICES);
    assert_eq!(checkpoints[&last.0], last.1);
    println!("{grown} bytes for {SLICES} slices");
}
