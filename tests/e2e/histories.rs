//! Random histories: whatever happens at the source and on the way, the copy ends as the source is.

use bucketline_bitbucket::tables;
use bucketline_sandbox::{Count, Fault, FaultKind, RetryAfter};
use bucketline_source::TableSpec;

use crate::all_tables::statement;
use crate::blind_spots::surprises;
use crate::changes::Changes;
use crate::truth::rows;
use crate::world::{World, one};

const OPEN: &str = "REPLICATE Open SELECT * FROM PullRequests WHERE State = 'OPEN';";

/// Each row is of one of its queries, and goes from one to the other.
const BOTH: &str = "REPLICATE Both \
    SELECT 'open' AS Kind, * FROM PullRequests WHERE State = 'OPEN' \
    UNION ALL SELECT 'closed', * FROM PullRequests WHERE State <> 'OPEN';";

/// Commits of before have no rows in the tables that are bounded.
const SINCE: &str = "2026-07-01";

/// Tables of what no change makes another: the settings of workspaces and repositories, and branching models, which
/// show the branches that they name.
const SETTINGS: [&str; 5] = [
    "Workspaces",
    "BranchingModel",
    "BranchingModelSettings",
    "EffectiveBranchingModel",
    "OverrideSettings",
];

/// How often an hour is replicated.
const ROUNDS: usize = 12;

fn fault(random: &mut fastrand::Rng) -> Fault {
    // Answers that a list is believed by are those of lists that are asked for on each run.
    let lists = [
        "*/issues",
        "*/pullrequests",
        "*/refs/branches",
        "*/hooks",
        "*/projects",
        "*/members",
        "*/permissions",
        "/2.0/repositories/*",
        "/2.0/snippets/*",
    ];
    let kind = match random.u32(0..7) {
        0 => FaultKind::ServerError { status: 503 },
        1 => FaultKind::CutBody,
        2 => FaultKind::Reset,
        3 => FaultKind::TooManyRequests {
            retry_after: Some(RetryAfter::Seconds(0)),
        },
        4 => FaultKind::NotFound,
        5 => FaultKind::Forbidden,
        _ => FaultKind::WrongJson,
    };
    // What one parent's own list is refused with is believed until the parent changes.
    let (path, skip) = match kind {
        FaultKind::NotFound | FaultKind::Forbidden => (random.choice(lists).unwrap(), 6),
        _ => ("*", 1000),
    };
    Fault::once(path, kind).after(random.u32(0..skip))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_copies_end_as_the_source_is() {
    let seeds = std::env::var("HISTORIES")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(1);
    let mut script: Vec<_> = tables()
        .iter()
        .map(|table| statement(table, SINCE))
        .collect();
    script.extend([OPEN, BOTH].map(str::to_owned));
    let script = script.join("\n");
    for seed in 0..seeds {
        let mut config = one(|it| {
            it.repositories(3)
                .trackers_off(0)
                .issues(Count::PerRepository(8))
                .pull_requests(Count::PerRepository(8))
                .branches(3)
        });
        for workspace in &mut config.workspaces {
            workspace.pipelines = 4;
            workspace.pipelines_off = Some(0);
        }
        let world = World::start(config).await;
        let truth = |table: &TableSpec| rows(&world.sandbox, "acme", table);
        let mut unmoved: Vec<_> = tables()
            .iter()
            .filter(|table| !SETTINGS.contains(&table.name.as_str()))
            .map(|table| (table, truth(table)))
            .collect();
        let mut changes = Changes::new(seed, &world.sandbox);
        for round in 0..ROUNDS {
            if round == ROUNDS / 2 {
                changes.each_kind();
            }
            for _ in 0..changes.random.u32(0..20) {
                changes.one();
            }
            unmoved.retain(|(table, before)| truth(table) == *before);
            for _ in 0..changes.random.u32(0..4) {
                world.sandbox.fault(fault(&mut changes.random));
            }
            // A statement may fail under a fault; nothing may be lost by it.
            world.run(&script).await;
            world.sandbox.clear_faults();
        }
        changes.settle();
        for _ in 0..2 {
            let outcome = world.run(&script).await;
            assert!(
                outcome.errors.is_empty(),
                "seed {seed}: {:?}",
                outcome.errors
            );
        }
        eprintln!(
            "history {seed}: {} requests",
            world.sandbox.requests().len()
        );
        let unmoved: Vec<_> = unmoved.iter().map(|(table, _)| &table.name).collect();
        assert!(unmoved.is_empty(), "seed {seed}: {unmoved:?} never changed");
        let wrong: Vec<_> = tables()
            .iter()
            .flat_map(|table| surprises(&world, table, SINCE, &changes.reruns))
            .collect();
        assert!(wrong.is_empty(), "seed {seed}:\n{}", wrong.join("\n"));
        world.assert_pull_requests("Open", "acme", Some("OPEN"));
        world.assert_pull_requests("Both", "acme", None);
        let astray = "SELECT 1 FROM \"Both\" WHERE (\"Kind\" = 'open') <> (\"State\" = 'OPEN')";
        assert_eq!(world.store.rows(astray), Ok(Vec::new()), "seed {seed}");
    }
}
