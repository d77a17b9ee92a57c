//! The process dies at any operation on the store, and the next one goes on.

use std::collections::{BTreeMap, BTreeSet};

use bucketline_app::{
    FollowStep, FollowUp, FollowWhen, JobId, Kind, Overlap, Pause, RunState, Step,
};
use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

use crate::store::Death;
use crate::world::{Script, World, job, schedule, secs, time};

/// Each run has ended, each step of one that succeeded has succeeded once, and each slot belongs to a run that counts it.
async fn is_whole(world: &World, job: JobId) {
    assert_eq!(world.runner.offences(), Vec::<String>::new());
    let runs = world.runs(job).await;
    let mut slots_of: BTreeMap<_, u32> = BTreeMap::new();
    for slot in world.slots(job).await {
        *slots_of.entry(slot.run).or_default() += 1;
    }
    for run in &runs {
        assert!(run.state.is_final(), "run {} is {}", run.id, run.state);
        assert_eq!(
            slots_of.get(&run.id).copied().unwrap_or(0),
            run.slots,
            "slots of run {}",
            run.id
        );
        let mut successes: Vec<Step> = Vec::new();
        for tried in world.store.task_runs(run.id).await.unwrap() {
            assert!(
                tried.state.is_final(),
                "a try of run {} is {}",
                run.id,
                tried.state
            );
            if tried.state == RunState::Succeeded {
                assert!(
                    !successes.contains(&tried.step),
                    "{:?} succeeded twice in run {}",
                    tried.step,
                    run.id
                );
                successes.push(tried.step);
            }
        }
        if run.state == RunState::Succeeded {
            assert!(!successes.is_empty(), "run {} did nothing", run.id);
        }
    }
}

async fn small_world() -> (World, JobId, JobId) {
    let mut world = World::new("2026-01-01T00:09:50Z").await;
    world.settings.grace = secs(5);
    let second = world.job("second", None, &["REPLICATE D"]).await;
    let mut first = job(
        "first",
        Some("*/10 * * * *"),
        &["REPLICATE A", "REPLICATE B", "REPLICATE C"],
    );
    first.limits.parallel_tasks = 2;
    first.after = vec![
        FollowUp {
            when: FollowWhen::Succeeded,
            step: FollowStep::Sql("CREATE VIEW v AS SELECT 1".to_owned()),
        },
        FollowUp {
            when: FollowWhen::Ended,
            step: FollowStep::Job("second".to_owned()),
        },
    ];
    world.runner.tell(
        "REPLICATE B",
        [Script::fails_in(5, Kind::Transient), Script::succeeds_in(5)],
    );
    let first = world.add(&first).await.job.id;
    (world, first, second)
}

/// The life of a run: taken, claimed, tried, tried again, followed. Whichever operation is the last of a process, the next
/// process brings it to the same end.
#[tokio::test]
async fn whatever_operation_is_the_last_the_run_comes_to_its_end() {
    for how in [Death::Before, Death::After] {
        for last in 0.. {
            let (mut world, first, second) = small_world().await;
            world.start_to_die(Some((last, how)));
            world.run_until(time("2026-01-01T00:15:00Z")).await;
            let has_died = world.is_dead();
            world.kill().await;
            world.start();
            world.run_until(time("2026-01-01T00:19:00Z")).await;
            let states = (world.states(first).await, world.states(second).await);
            let ended = vec![RunState::Succeeded];
            assert_eq!(
                states,
                (ended.clone(), ended),
                "died at operation {last} ({how:?})"
            );
            assert_eq!(world.slots(first).await.len(), 1);
            is_whole(&world, first).await;
            is_whole(&world, second).await;
            if !has_died {
                assert!(last > 40, "only {last} operations");
                break;
            }
        }
    }
}

/// A process dies at its n-th operation, and is started again after a while.
fn death() -> impl Strategy<Value = (u64, Death, i64)> {
    let how = prop_oneof![Just(Death::Before), Just(Death::After)];
    (0u64..300, how, 0i64..100)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn random_deaths_lose_and_double_no_slot_and_leave_no_run(deaths in prop::collection::vec(death(), 1..8)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut world = World::new("2026-01-01T00:00:30Z").await;
            // It dies more often than a run survives.
            world.settings.interruptions = 100;
            world.settings.limits.application = Some(2);
            let mut often = job("often", Some("*/10 * * * *"), &["REPLICATE A", "REPLICATE B"]);
            often.pause_after = 0;
            let mut queues = job("queues", None, &["REPLICATE C"]);
            let mut every_seven = schedule("*/7 * * * *");
            every_seven.overlap = Overlap::QueueOne;
            every_seven.catch_up = Some(0);
            queues.schedule = Some(every_seven);
            let mut flaky = job("flaky", Some("5 * * * *"), &["REPLICATE D"]);
            flaky.after = vec![FollowUp { when: FollowWhen::Ended, step: FollowStep::Job("second".to_owned()) }];
            world.runner.tell("REPLICATE A", [Script::succeeds_in(217)]);
            world.runner.tell("REPLICATE C", [Script::succeeds_in(611)]);
            let fails = Script::fails_in(31, Kind::Transient);
            world.runner.tell("REPLICATE D", [fails.clone(), fails.clone(), Script::succeeds_in(3), fails]);
            let second = world.job("second", None, &["REPLICATE E"]).await;
            let mut jobs = Vec::new();
            for (job, minutes) in [(often, 10), (queues, 7), (flaky, 60)] {
                jobs.push((world.add(&job).await.job.id, minutes));
            }
            for (operation, how, minutes) in deaths {
                world.start_to_die(Some((operation, how)));
                world.run_for(TimeDelta::hours(2)).await;
                world.kill().await;
                world.clock.advance(secs(60 * minutes.unsigned_abs()));
            }
            world.start();
            world.run_for(TimeDelta::minutes(47)).await;
            let end = world.now();
            for (job, _) in &jobs {
                let pause = Pause { at: end, why: "the end".to_owned() };
                world.store.pause_job(*job, Some(&pause), &world.change()).await.unwrap();
            }
            world.run_for(TimeDelta::hours(2)).await;
            for (job, minutes) in jobs {
                is_whole(&world, job).await;
                let due: BTreeSet<DateTime<Utc>> = world.slots(job).await.iter().map(|slot| slot.due).collect();
                assert_eq!(due, multiples(minutes, end), "slots of every {minutes} minutes");
            }
            is_whole(&world, second).await;
            world.shut_down().await;
            assert!(world.store.nodes().await.unwrap().is_empty());
        });
    }
}

/// The due times of `*/minutes`, or of minute 5 for 60, from the beginning to `end`.
fn multiples(minutes: i64, end: DateTime<Utc>) -> BTreeSet<DateTime<Utc>> {
    let start = time("2026-01-01T00:00:00Z");
    (1..=(end - start).num_minutes())
        .filter(|minute| match minutes {
            60 => minute % 60 == 5,
            _ => minute % 60 % minutes == 0,
        })
        .map(|minute| start + TimeDelta::minutes(minute))
        .collect()
}
