//! Limits hold under whatever load.

use std::collections::BTreeMap;

use bucketline_app::{Connection, Kind, RunState};
use chrono::TimeDelta;
use proptest::prelude::*;

use crate::world::{Script, World, job, time};

#[tokio::test]
async fn a_sqlite_destination_takes_one_run_at_a_time_and_the_other_says_what_it_waits_for() {
    let mut world = World::new("2026-01-01T00:00:00Z").await;
    let file = Connection {
        name: "File".to_owned(),
        properties: BTreeMap::from([
            ("Type".to_owned(), "SQLite".to_owned()),
            ("Data Source".to_owned(), "copy.db".to_owned()),
        ]),
        labels: Vec::new(),
    };
    world
        .store
        .create_connection(&file, &world.change())
        .await
        .unwrap();
    let mut jobs = Vec::new();
    for name in ["one", "two"] {
        let mut job = job(name, None, &[&format!("REPLICATE {name}")]);
        job.destination = "file".to_owned();
        jobs.push(world.add(&job).await.job.id);
    }
    world.start();
    for job in &jobs {
        world.queue(*job).await;
    }
    world.run_for(TimeDelta::seconds(5)).await;
    let waiting = &world.runs(jobs[1]).await[0];
    assert_eq!(waiting.state, RunState::Waiting);
    assert_eq!(
        waiting.reason.as_deref(),
        Some("the limit of 1 run for the destination `file` is reached")
    );
    world.run_for(TimeDelta::minutes(1)).await;
    assert_eq!(world.states(jobs[1]).await, [RunState::Succeeded]);
    assert_eq!(world.runner.most("destination file"), 1);
}

#[tokio::test]
async fn tasks_of_a_run_go_on_at_once_as_far_as_the_job_says() {
    let mut world = World::new("2026-01-01T00:00:00Z").await;
    let statements: Vec<String> = (0..10).map(|n| format!("REPLICATE T{n}")).collect();
    let statements: Vec<&str> = statements.iter().map(String::as_str).collect();
    let mut wide = job("wide", None, &statements);
    wide.limits.parallel_tasks = 3;
    let job = world.add(&wide).await.job.id;
    world.start();
    world.queue(job).await;
    world.run_for(TimeDelta::seconds(41)).await;
    assert_eq!(world.states(job).await, [RunState::Succeeded]);
    assert_eq!(world.runner.most("tasks of wide"), 3);
}

/// A job of a random load.
#[derive(Debug, Clone)]
struct Load {
    source: u8,
    destination: u8,
    every: u32,
    takes: u64,
    parallel: u32,
    fails: bool,
}

fn load() -> impl Strategy<Value = Load> {
    (0u8..3, 0u8..3, 1u32..6, 5u64..400, 1u32..4, any::<bool>()).prop_map(
        |(source, destination, every, takes, parallel, fails)| Load {
            source,
            destination,
            every,
            takes,
            parallel,
            fails,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn no_limit_is_exceeded_and_everybody_gets_a_turn(
        loads in prop::collection::vec(load(), 2..12),
        application in 1u32..6,
        sources in prop::collection::vec(1u32..4, 3),
        destinations in prop::collection::vec(1u32..3, 3),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut world = World::new("2026-01-01T00:00:30Z").await;
            world.settings.limits.application = Some(application);
            let named = |kind: &str, limits: &[u32]| {
                limits.iter().enumerate().map(|(n, limit)| (format!("{kind} {n}"), *limit)).collect()
            };
            world.settings.limits.sources = named("source", &sources);
            world.settings.limits.destinations = named("destination", &destinations);
            let mut jobs = Vec::new();
            for (n, load) in loads.iter().enumerate() {
                let statements = [format!("REPLICATE A{n}"), format!("REPLICATE B{n}"), format!("REPLICATE C{n}")];
                let cron = format!("*/{} * * * *", load.every);
                let mut job = job(&format!("job {n}"), Some(&cron), &statements.each_ref().map(String::as_str));
                job.source = format!("source {}", load.source);
                job.destination = format!("destination {}", load.destination);
                job.limits.parallel_tasks = load.parallel;
                job.pause_after = 0;
                if load.fails {
                    world.runner.tell(&statements[1], [Script::fails_in(load.takes, Kind::Transient)]);
                }
                world.runner.tell(&statements[0], [Script::succeeds_in(load.takes)]);
                jobs.push(world.add(&job).await.job.id);
            }
            world.start();
            world.run_until(time("2026-01-01T04:00:00Z")).await;
            let runner = &world.runner;
            assert_eq!(runner.offences(), Vec::<String>::new());
            assert!(runner.most("runs") <= application as usize);
            for n in 0..3 {
                assert!(runner.most(&format!("source source {n}")) <= sources[n] as usize);
                assert!(runner.most(&format!("destination destination {n}")) <= destinations[n] as usize);
            }
            for (n, load) in loads.iter().enumerate() {
                assert!(runner.most(&format!("tasks of job {n}")) <= load.parallel as usize);
                let runs = world.runs(jobs[n]).await;
                assert!(runs.iter().any(|run| run.started_at.is_some()), "job {n} never had a turn");
            }
        });
    }
}
