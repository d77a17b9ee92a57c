//! Pushing work to the API never changes a result: random queries of a source's table and of its copy, which is
//! computed here alone, give the same rows.

use bucketline::{Event, Session};
use futures::StreamExt;

use crate::world::{World, small};

/// A column and constants to compare it with, as SQL.
type Subject = (&'static str, &'static [&'static str]);

const ISSUES: &[Subject] = &[
    ("Id", &["3", "11", "20", "24", "99"]),
    ("Repository", &["'api'", "'web'", "'tools'", "'nowhere'"]),
    (
        "State",
        &["'new'", "'open'", "'resolved'", "'closed'", "'no such'"],
    ),
    ("Kind", &["'bug'", "'task'", "'proposal'"]),
    ("Priority", &["'major'", "'minor'"]),
    (
        "Title",
        &[
            "'Address form rounds 0.5 down'",
            "'zzz'",
            "'a \"quoted\" \\ one'",
        ],
    ),
    ("AssigneeDisplayName", &["'User 1'", "'User 2'"]),
    (
        "UpdatedOn",
        &["'2026-01-01'", "'2026-06-15T12:00:00Z'", "'2030-01-01'"],
    ),
    ("CreatedOn", &["'2025-01-01'", "'2026-03-01'"]),
    ("Votes", &["0", "2"]),
];

const PULL_REQUESTS: &[Subject] = &[
    ("Id", &["2", "7", "12"]),
    ("Repository", &["'api'", "'web'", "'tools'"]),
    (
        "State",
        &[
            "'OPEN'",
            "'MERGED'",
            "'DECLINED'",
            "'SUPERSEDED'",
            "'OTHER'",
        ],
    ),
    ("AuthorDisplayName", &["'User 3'", "'User 4'"]),
    ("UpdatedOn", &["'2026-01-01'", "'2026-07-01'"]),
    ("DestinationBranchName", &["'main'", "'develop'"]),
];

fn condition(random: &mut fastrand::Rng, subjects: &[Subject]) -> String {
    let (column, values) = random.choice(subjects).copied().unwrap();
    let value = || random.choice(values).copied().unwrap();
    let text = values[0].starts_with('\'') && !column.ends_with("On");
    let mut value = value;
    let (one, two) = (value(), value());
    match random.u32(0..10) {
        0 => format!("{column} = {one}"),
        1 => format!("{column} <> {one}"),
        2 => format!("{column} < {one}"),
        3 => format!("{column} >= {one}"),
        4 => format!("{column} IN ({one}, {two})"),
        5 => format!("{column} NOT IN ({one}, {two})"),
        6 => format!("{column} IS NULL"),
        7 => format!("{column} IS NOT NULL"),
        8 if text => format!("{column} LIKE '%e%'"),
        _ => format!("{column} BETWEEN {one} AND {two}"),
    }
}

fn conditions(random: &mut fastrand::Rng, subjects: &[Subject]) -> String {
    let parts: Vec<String> = (0..random.usize(1..4))
        .map(|_| match random.u32(0..5) {
            0 => format!(
                "({} OR {})",
                condition(random, subjects),
                condition(random, subjects)
            ),
            1 => format!("NOT ({})", condition(random, subjects)),
            _ => condition(random, subjects),
        })
        .collect();
    parts.join(" AND ")
}

async fn rows(session: &Session, sql: &str) -> Vec<String> {
    let mut events = session.run(sql);
    let mut rows = Vec::new();
    while let Some(event) = events.next().await {
        match event {
            Event::Rows(batch) => {
                let text = arrow::util::pretty::pretty_format_batches(&[batch])
                    .unwrap()
                    .to_string();
                let lines = text.lines().skip(3).filter(|line| line.starts_with('|'));
                rows.extend(
                    lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")),
                );
            }
            Event::Failed(error) => panic!("{sql}: {error}"),
            _ => {}
        }
    }
    rows
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pushdown_changes_no_result() {
    let world = World::start(small()).await;
    world
        .replicate("REPLICATE Issues; REPLICATE PullRequests; REPLICATE Repositories;")
        .await;
    let session = world.session(&["acme"]);
    let cases = std::env::var("CASES")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(120);
    let mut found = 0;
    for seed in 0..cases {
        let mut random = fastrand::Rng::with_seed(seed);
        let (table, subjects) = if random.bool() {
            ("Issues", ISSUES)
        } else {
            ("PullRequests", PULL_REQUESTS)
        };
        let condition = conditions(&mut random, subjects);
        // Ties are broken by the key, but for a limit that the API could take upon itself.
        let (order, limit) = match random.u32(0..4) {
            0 => ("UpdatedOn DESC", format!("LIMIT {}", random.u32(1..8))),
            1 => ("Id", format!("LIMIT {}", random.u32(1..8))),
            _ => ("RepositoryUUID, Id", String::new()),
        };
        // Which of several rows with one place a limit takes is open: then only the places are compared.
        let columns = match order {
            "UpdatedOn DESC" => "UpdatedOn",
            "Id" => "Id",
            _ => "RepositoryUUID, Id, Title, State",
        };
        let (inner, outer) = (random.u32(3..12), random.u32(1..6));
        let shape = random.u32(0..6);
        let select = |from: &str| match shape {
            // A limit of a limit: the inner one decides which rows there are.
            0 => format!(
                "SELECT UpdatedOn FROM (SELECT * FROM {from}.{table} WHERE Repository = 'api' AND {condition} \
                 ORDER BY Id LIMIT {inner}) t ORDER BY UpdatedOn DESC LIMIT {outer}"
            ),
            1 => format!(
                "SELECT t.RepositoryUUID, t.Id FROM (SELECT * FROM {from}.{table} WHERE {condition}) t \
                 JOIN {from}.Repositories r ON r.UUID = t.RepositoryUUID WHERE r.Slug <> 'tools' ORDER BY 1, 2"
            ),
            _ => format!(
                "SELECT {columns} FROM {from}.{table} WHERE {condition} ORDER BY {order} {limit}"
            ),
        };
        let source = rows(&session, &select("acme")).await;
        let copy = rows(&session, &select("destination")).await;
        assert_eq!(source, copy, "seed {seed}: {}", select("acme"));
        found += source.len();
    }
    assert!(
        found > 0,
        "no query found a row: the test would not notice anything"
    );
}
