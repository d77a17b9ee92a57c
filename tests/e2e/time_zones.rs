//! The session's clock and time zone: what today is, and where days begin.

use arrow::util::display::array_value_to_string;
use bucketline::{Event, Session};
use chrono::{DateTime, Utc};
use futures::StreamExt;

use crate::world::{World, small};

async fn row(session: &Session, query: &str) -> Vec<String> {
    let mut row = Vec::new();
    let mut events = session.run(query);
    while let Some(event) = events.next().await {
        match event {
            Event::Rows(batch) => {
                let columns = batch.columns().iter();
                row = columns
                    .map(|column| array_value_to_string(column, 0).unwrap())
                    .collect();
            }
            Event::Failed(error) => panic!("{query}: {error}"),
            _ => {}
        }
    }
    row
}

fn session(world: &World, zone: &str, now: &str) -> Session {
    let now: DateTime<Utc> = now.parse().unwrap();
    Session::builder()
        .connection("acme", world.properties("acme"))
        .time_zone(zone)
        .clock(move || now)
        .build()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn today_is_what_clocks_of_the_time_zone_show() {
    let world = World::start(small()).await;
    for (zone, today) in [
        ("+00:00", "2026-08-09"),
        ("Europe/Berlin", "2026-08-10"),
        ("-05:00", "2026-08-09"),
    ] {
        let session = session(&world, zone, "2026-08-09T22:30:00Z");
        assert_eq!(
            row(&session, "SELECT CURRENT_DATE()").await,
            [today],
            "{zone}"
        );
        assert_eq!(
            row(&session, "SELECT GETDATE()").await,
            ["2026-08-09T22:30:00Z"],
            "{zone}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parts_and_sums_of_dates_follow_the_clocks_of_the_time_zone() {
    let world = World::start(small()).await;
    let session = session(&world, "Europe/Berlin", "2026-08-09T22:30:00Z");
    let query = "SELECT HOUR('2026-08-09T22:30:00Z'), DAY('2026-08-09T22:30:00Z'), \
                 DATEADD('d', 1, '2026-03-28 12:00'), DATEADD('d', 0, '2026-03-29 02:30'), \
                 FDWEEK('2026-08-09T22:30:00Z'), DATE_TRUNC('2026-08-09T22:30:00Z', 'dd')";
    let expected = [
        "0",
        "10",
        // Noon is noon, an hour earlier in UTC since clocks were set forward that night.
        "2026-03-29T10:00:00Z",
        // Clocks never showed this time.
        "2026-03-29T01:30:00Z",
        "2026-08-09",
        "2026-08-09T22:00:00Z",
    ];
    assert_eq!(row(&session, query).await, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn relative_days_begin_at_midnight_of_the_time_zone() {
    let world = World::start(small()).await;
    let session = session(&world, "Europe/Berlin", "2026-08-09T22:30:00Z");
    let query = "SELECT COUNT(*) FROM Issues WHERE Repository = 'api' AND UpdatedOn = L_TODAY()";
    row(&session, query).await;
    let requests = world.sandbox.requests();
    let asked = requests.last().unwrap().target.as_str();
    let bounds = "q=updated_on%20%3E%3D%202026-08-09T22%3A00%3A00.000000%2B00%3A00\
                  %20AND%20updated_on%20%3C%202026-08-10T22%3A00%3A00.000000%2B00%3A00";
    assert!(asked.contains(bounds), "{asked}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn texts_compared_with_moments_follow_the_clocks_of_the_time_zone() {
    let world = World::start(small()).await;
    let session = session(&world, "Europe/Berlin", "2026-08-09T22:30:00Z");
    let asked = async |condition: &str| {
        let query = format!("SELECT COUNT(*) FROM Issues WHERE Repository = 'api' AND {condition}");
        let counted = row(&session, &query).await;
        let requests = world.sandbox.requests();
        (counted, requests.last().unwrap().target.clone())
    };
    // What is sent to the API, in summer and in winter; a zone of the text's own counts.
    for (condition, bound) in [
        ("UpdatedOn > '2026-08-01'", "2026-07-31T22%3A00%3A00"),
        ("'2026-01-15 12:00' < UpdatedOn", "2026-01-15T11%3A00%3A00"),
        (
            "UpdatedOn > '2026-08-01T00:00:00Z'",
            "2026-08-01T00%3A00%3A00",
        ),
        (
            "UpdatedOn BETWEEN '2026-08-01' AND '2026-08-02'",
            "2026-08-01T22%3A00%3A00",
        ),
    ] {
        let (_, asked) = asked(condition).await;
        assert!(asked.contains(bound), "{condition}: {asked}");
    }
    // What is evaluated here means the same, in all that compares.
    for condition in [
        "At > '2026-08-01'",
        "At IN ('2026-08-01 01:00')",
        "At BETWEEN '2026-08-01' AND '2026-08-01 01:00'",
        "NOT At < CAST('2026-08-01' AS DATETIME)",
        "At >= CAST('2026-08-01' AS DATE)",
        "NOT At < DATEFROMPARTS(2026, 8, 1)",
        "At < CURRENT_DATE()",
        "CAST(At AS DATE) = '2026-08-01'",
        "CAST(At AS DATE) = CAST('2026-08-01' AS DATE)",
        "DATEADD('hh', -1, At) = CAST(CAST('2026-08-01' AS DATE) AS DATETIME)",
    ] {
        let query = format!(
            "SELECT COUNT(*) FROM (SELECT CAST('2026-07-31T23:00:00Z' AS DATETIME) AS At) t WHERE {condition}"
        );
        assert_eq!(row(&session, &query).await, ["1"], "{condition}");
    }
}

#[test]
fn a_time_zone_that_is_none_is_told() {
    let error = Session::builder()
        .time_zone("Mars/Olympus")
        .build()
        .unwrap_err();
    assert_eq!(error.to_string(), "`Mars/Olympus` is no time zone");
}
