//! One rule at a time.

use bucketline_app::runner::{End, Fault};
use bucketline_app::store::{CancelAnswer, EventFilter, QueueAnswer};
use bucketline_app::{JobKind, Kind, Level, Overlap, Pause, RunState, Step};
use chrono::TimeDelta;

use crate::world::{Script, World, fault, job, schedule, secs, time};

#[tokio::test]
async fn a_due_slot_becomes_a_run_of_all_tasks_in_their_order() {
    let mut world = World::new("2026-01-01T00:00:00Z").await;
    let mut job = job(
        "nightly",
        Some("30 2 * * *"),
        &["REPLICATE B", "REPLICATE A", "REPLICATE C"],
    );
    job.tasks[2].enabled = false;
    let job = world.add(&job).await.job.id;
    world.start();
    world.run_until(time("2026-01-01T12:00:00Z")).await;
    let runs = world.runs(job).await;
    assert_eq!(runs.len(), 1);
    let run = &runs[0];
    assert_eq!(
        (run.state, run.due, run.slots),
        (RunState::Succeeded, Some(time("2026-01-01T02:30:00Z")), 1)
    );
    assert_eq!(run.started_at, Some(time("2026-01-01T02:30:00Z")));
    assert_eq!(run.ended_at, Some(time("2026-01-01T02:30:20Z")));
    assert_eq!(run.totals.read, 2);
    assert_eq!(world.runner.carried(), ["REPLICATE B", "REPLICATE A"]);
    assert_eq!(world.slots(job).await.len(), 1);
}

#[tokio::test]
async fn a_slot_that_becomes_due_while_the_store_is_slow_is_taken_at_once() {
    let mut world = World::new("2026-01-01T00:00:00Z").await;
    let job = world
        .job("hourly", Some("0 * * * *"), &["REPLICATE A"])
        .await;
    world.start();
    world.run_until(time("2026-01-01T00:59:00Z")).await;
    world.slow_down_store(secs(90));
    world.handle().wake();
    world.run_until(time("2026-01-01T01:00:30Z")).await;
    assert_eq!(world.states(job).await, [RunState::Running]);
}

#[tokio::test]
async fn jitter_moves_the_start_by_a_fixed_time_and_not_the_slot() {
    let mut world = World::new("2026-01-01T00:00:30Z").await;
    let mut every_minute = job("often", Some("* * * * *"), &["REPLICATE A"]);
    every_minute.schedule.as_mut().unwrap().jitter = None;
    let job = world.add(&every_minute).await.job.id;
    let jitter = bucketline_app::schedule::jitter(&job.to_string(), secs(60));
    assert!(jitter > secs(0), "choose a job that is moved");
    // Shorter than the interval, longer than what is left of it after the jitter.
    world.runner.tell("REPLICATE A", [Script::succeeds_in(55)]);
    world.start();
    world.run_until(time("2026-01-01T00:10:30Z")).await;
    for run in world.runs(job).await.iter().take(9) {
        let late = run.started_at.unwrap() - run.due.unwrap();
        assert_eq!(
            (run.state, late.to_std().unwrap()),
            (RunState::Succeeded, jitter)
        );
    }
}

#[tokio::test]
async fn a_slot_that_is_due_during_a_run_is_skipped_and_says_why() {
    let mut world = World::new("2026-01-01T00:00:30Z").await;
    let job = world
        .job("often", Some("*/10 * * * *"), &["REPLICATE A"])
        .await;
    world
        .runner
        .tell("REPLICATE A", [Script::succeeds_in(25 * 60)]);
    world.start();
    world.run_until(time("2026-01-01T00:45:00Z")).await;
    let runs = world.runs(job).await;
    let states: Vec<RunState> = runs.iter().map(|run| run.state).collect();
    use RunState::{Running, Skipped, Succeeded};
    assert_eq!(states, [Succeeded, Skipped, Skipped, Running]);
    assert_eq!(
        runs[1].reason.as_deref(),
        Some(&*format!("run {} was still active", runs[0].id))
    );
    assert_eq!(world.slots(job).await.len(), 4);
}

#[tokio::test]
async fn with_queue_one_a_single_run_waits_for_its_turn() {
    let mut world = World::new("2026-01-01T00:00:30Z").await;
    let mut queued = job("often", None, &["REPLICATE A"]);
    let mut every_ten = schedule("*/10 * * * *");
    every_ten.overlap = Overlap::QueueOne;
    queued.schedule = Some(every_ten);
    let job = world.add(&queued).await.job.id;
    world
        .runner
        .tell("REPLICATE A", [Script::succeeds_in(25 * 60)]);
    world.start();
    world.run_until(time("2026-01-01T00:59:00Z")).await;
    use RunState::{Queued, Running, Skipped, Succeeded};
    // 00:10 runs to 00:35; 00:20 waits for it; 00:30 is skipped; 00:40 waits behind 00:20, which runs to 01:00.
    assert_eq!(
        world.states(job).await,
        [Succeeded, Running, Skipped, Queued, Skipped]
    );
}

#[tokio::test]
async fn after_three_days_off_one_run_stands_for_all_that_was_missed() {
    let mut world = World::new("2026-01-01T00:05:00Z").await;
    let job = world
        .job("often", Some("*/10 * * * *"), &["REPLICATE A"])
        .await;
    world.start();
    world.run_until(time("2026-01-01T00:15:00Z")).await;
    world.shut_down().await;
    world.clock.set(time("2026-01-04T00:16:00Z"));
    world.start();
    world.run_until(time("2026-01-04T00:18:00Z")).await;
    let runs = world.runs(job).await;
    assert_eq!(runs.len(), 2);
    assert_eq!(
        (runs[1].state, runs[1].slots),
        (RunState::Succeeded, 3 * 144)
    );
    assert_eq!(runs[1].due, Some(time("2026-01-04T00:10:00Z")));
    let slots = world.slots(job).await;
    assert_eq!(slots.len(), 1 + 3 * 144);
    assert!(slots[1..].iter().all(|slot| slot.run == runs[1].id));
}

#[tokio::test]
async fn what_was_missed_longer_ago_than_the_window_is_not_caught_up() {
    let mut world = World::new("2026-01-04T00:00:00Z").await;
    // Sunday; caught up for a day by default.
    let weekly = world
        .job("weekly", Some("0 6 * * 0"), &["REPLICATE A"])
        .await;
    let mut patient = job("patient", Some("0 6 * * 0"), &["REPLICATE B"]);
    patient.schedule.as_mut().unwrap().catch_up = Some(3 * 86_400);
    let patient = world.add(&patient).await.job.id;
    world.clock.set(time("2026-01-06T12:00:00Z"));
    world.start();
    world.run_for(TimeDelta::minutes(5)).await;
    let runs = world.runs(weekly).await;
    assert_eq!((runs.len(), runs[0].state), (1, RunState::Missed));
    let reason =
        "nothing could start it within 24 hours: Bucketline was not running, or its clock was set";
    assert_eq!(runs[0].reason.as_deref(), Some(reason));
    assert_eq!(world.states(patient).await, [RunState::Succeeded]);
}

#[tokio::test]
async fn nothing_is_caught_up_after_a_pause() {
    let mut world = World::new("2026-01-01T00:05:00Z").await;
    let job = world
        .job("often", Some("*/10 * * * *"), &["REPLICATE A"])
        .await;
    world.start();
    let pause = Pause {
        at: world.now(),
        why: "a weekend off".to_owned(),
    };
    world
        .store
        .pause_job(job, Some(&pause), &world.change())
        .await
        .unwrap();
    world.run_for(TimeDelta::hours(5)).await;
    assert!(world.runs(job).await.is_empty());
    world
        .store
        .pause_job(job, None, &world.change())
        .await
        .unwrap();
    world.run_until(time("2026-01-01T05:15:00Z")).await;
    let runs = world.runs(job).await;
    assert_eq!((runs.len(), runs[0].slots), (1, 1));
}

#[tokio::test]
async fn a_run_is_tried_again_after_1_5_and_25_minutes_with_what_did_not_succeed() {
    let mut world = World::new("2026-01-01T00:00:00Z").await;
    let job = world
        .job("manual", None, &["REPLICATE A", "REPLICATE B"])
        .await;
    world
        .runner
        .tell("REPLICATE B", [Script::fails_in(10, Kind::Transient)]);
    world.start();
    let QueueAnswer::Queued(run) = world.queue(job).await else {
        panic!()
    };
    world.run_for(TimeDelta::hours(2)).await;
    let began: Vec<(String, i64)> = world
        .runner
        .log()
        .into_iter()
        .map(|step| {
            (
                step.what,
                (step.began - time("2026-01-01T00:00:00Z")).num_seconds(),
            )
        })
        .collect();
    let b = |at| ("REPLICATE B".to_owned(), at);
    let ends = [20, 20 + 60 + 10, 90 + 300 + 10];
    assert_eq!(
        began,
        [
            ("REPLICATE A".to_owned(), 0),
            b(10),
            b(ends[0] + 60),
            b(ends[1] + 300),
            b(ends[2] + 1500)
        ]
    );
    let run = world.run(run.id).await;
    assert_eq!((run.state, run.attempt), (RunState::Partial, 4));
    assert_eq!(run.failure.unwrap().code, "BL3107");
    let events = EventFilter {
        after: None,
        before: None,
        level: Some(Level::Error),
        text: None,
        limit: 100,
    };
    assert_eq!(world.store.events(run.id, &events).await.unwrap().len(), 4);
}

#[tokio::test]
async fn a_run_that_recovers_has_succeeded() {
    let mut world = World::new("2026-01-01T00:00:00Z").await;
    let job = world
        .job("manual", None, &["REPLICATE A", "REPLICATE B"])
        .await;
    world.runner.tell(
        "REPLICATE A",
        [
            Script {
                end: End::Partial(fault(Kind::Conflict)),
                ..Script::succeeds_in(5)
            },
            Script::succeeds_in(5),
        ],
    );
    world.start();
    world.queue(job).await;
    world.run_for(TimeDelta::minutes(5)).await;
    assert_eq!(
        world.runner.carried(),
        ["REPLICATE A", "REPLICATE B", "REPLICATE A"]
    );
    assert_eq!(world.states(job).await, [RunState::Succeeded]);
    assert_eq!(world.store.job(job).await.unwrap().unwrap().failures, 0);
}

#[tokio::test]
async fn what_a_person_must_see_to_is_not_tried_again() {
    for kind in [
        Kind::Credential,
        Kind::Permission,
        Kind::Configuration,
        Kind::Statement,
        Kind::NotFound,
        Kind::Bug,
    ] {
        let mut world = World::new("2026-01-01T00:00:00Z").await;
        let job = world
            .job("manual", None, &["REPLICATE A", "REPLICATE B"])
            .await;
        world
            .runner
            .tell("REPLICATE A", [Script::fails_in(1, kind)]);
        world.runner.tell(
            "REPLICATE B",
            [Script::fails_in(1, Kind::Transient), Script::succeeds_in(1)],
        );
        world.start();
        world.queue(job).await;
        world.run_for(TimeDelta::hours(2)).await;
        // The other task is tried again alone.
        assert_eq!(
            world.runner.carried(),
            ["REPLICATE A", "REPLICATE B", "REPLICATE B"],
            "{kind}"
        );
        let run = &world.runs(job).await[0];
        assert_eq!(
            (run.state, run.failure.as_ref().unwrap().kind),
            (RunState::Partial, kind)
        );
    }
}

#[tokio::test]
async fn another_try_waits_until_it_can_be_of_use() {
    let mut world = World::new("2026-01-01T00:00:00Z").await;
    let job = world.job("manual", None, &["REPLICATE A"]).await;
    let limited = Fault {
        retry_at: Some(time("2026-01-01T01:00:00Z")),
        ..fault(Kind::RateLimited)
    };
    world.runner.tell(
        "REPLICATE A",
        [
            Script {
                end: End::Failed(limited),
                ..Script::succeeds_in(5)
            },
            Script::succeeds_in(5),
        ],
    );
    world.start();
    world.queue(job).await;
    world.run_for(TimeDelta::hours(2)).await;
    assert_eq!(world.runner.log()[1].began, time("2026-01-01T01:00:00Z"));
}

#[tokio::test]
async fn the_schedule_pauses_with_a_note_after_failures_in_a_row() {
    let mut world = World::new("2026-01-01T00:05:00Z").await;
    let mut failing = job("often", Some("*/10 * * * *"), &["REPLICATE A"]);
    failing.pause_after = 3;
    let job = world.add(&failing).await.job.id;
    world
        .runner
        .tell("REPLICATE A", [Script::fails_in(5, Kind::Credential)]);
    world.start();
    world.run_for(TimeDelta::hours(3)).await;
    assert_eq!(world.states(job).await, [RunState::Failed; 3]);
    let entry = world.store.job(job).await.unwrap().unwrap();
    assert_eq!(entry.failures, 3);
    assert_eq!(entry.paused.unwrap().why, "3 runs in a row did not succeed");
    // A person may still run it, and lets it go on.
    world.runner.tell("REPLICATE A", [Script::succeeds_in(5)]);
    world.queue(job).await;
    world
        .store
        .pause_job(job, None, &world.change())
        .await
        .unwrap();
    world.run_for(TimeDelta::minutes(11)).await;
    assert_eq!(world.states(job).await[3..], [RunState::Succeeded; 2]);
}

#[tokio::test]
async fn a_second_run_of_a_job_gets_the_one_that_is_active() {
    let mut world = World::new("2026-01-01T00:00:00Z").await;
    let job = world.job("manual", None, &["REPLICATE A"]).await;
    world.start();
    let QueueAnswer::Queued(first) = world.queue(job).await else {
        panic!()
    };
    let QueueAnswer::Active(active) = world.queue(job).await else {
        panic!()
    };
    assert_eq!(active.id, first.id);
    world.run_for(TimeDelta::minutes(1)).await;
    assert!(matches!(world.queue(job).await, QueueAnswer::Queued(_)));
}

#[tokio::test]
async fn a_cancelled_run_ends_at_once_and_its_later_tasks_do_not_begin() {
    let mut world = World::new("2026-01-01T00:00:00Z").await;
    let job = world
        .job("manual", None, &["REPLICATE A", "REPLICATE B"])
        .await;
    world
        .runner
        .tell("REPLICATE A", [Script::succeeds_in(3600)]);
    world.start();
    let QueueAnswer::Queued(run) = world.queue(job).await else {
        panic!()
    };
    world.run_for(TimeDelta::seconds(100)).await;
    assert_eq!(
        world
            .handle()
            .cancel(run.id, &world.change())
            .await
            .unwrap(),
        CancelAnswer::Asked
    );
    world.run_for(TimeDelta::seconds(1)).await;
    let run = world.run(run.id).await;
    assert_eq!(
        (run.state, run.reason.as_deref()),
        (RunState::Cancelled, Some("cancelled by User 17"))
    );
    assert_eq!(world.runner.carried(), ["REPLICATE A"]);
    assert_eq!(world.store.job(job).await.unwrap().unwrap().failures, 0);
}

#[tokio::test]
async fn a_step_that_does_not_stop_is_dropped_after_the_grace() {
    let mut world = World::new("2026-01-01T00:00:00Z").await;
    let job = world.job("manual", None, &["REPLICATE A"]).await;
    world.runner.tell(
        "REPLICATE A",
        [Script {
            is_deaf: true,
            ..Script::succeeds_in(3600)
        }],
    );
    world.start();
    let QueueAnswer::Queued(run) = world.queue(job).await else {
        panic!()
    };
    world.run_for(TimeDelta::seconds(100)).await;
    world
        .handle()
        .cancel(run.id, &world.change())
        .await
        .unwrap();
    world.run_for(TimeDelta::seconds(29)).await;
    assert_eq!(world.run(run.id).await.state, RunState::Running);
    world.run_for(TimeDelta::seconds(2)).await;
    assert_eq!(world.run(run.id).await.state, RunState::Cancelled);
}

#[tokio::test]
async fn tasks_that_take_too_long_fail_the_run() {
    let mut world = World::new("2026-01-01T00:00:00Z").await;
    let mut slow = job(
        "manual",
        None,
        &["REPLICATE A", "REPLICATE B", "REPLICATE C"],
    );
    slow.limits.timeout = 60;
    let job = world.add(&slow).await.job.id;
    world
        .runner
        .tell("REPLICATE B", [Script::succeeds_in(3600)]);
    world.start();
    world.queue(job).await;
    world.run_for(TimeDelta::hours(2)).await;
    let run = &world.runs(job).await[0];
    assert_eq!(
        (run.state, run.ended_at),
        (RunState::Partial, Some(time("2026-01-01T00:01:00Z")))
    );
    assert_eq!(run.failure.as_ref().unwrap().code, "BL0201");
    assert_eq!(world.runner.carried(), ["REPLICATE A", "REPLICATE B"]);
}

#[tokio::test]
async fn a_shutdown_marks_what_is_left_and_the_next_start_goes_on_with_it() {
    let mut world = World::new("2026-01-01T00:00:00Z").await;
    let job = world
        .job("manual", None, &["REPLICATE A", "REPLICATE B"])
        .await;
    world.runner.tell("REPLICATE B", [Script::succeeds_in(100)]);
    world.start();
    let QueueAnswer::Queued(run) = world.queue(job).await else {
        panic!()
    };
    world.run_for(TimeDelta::seconds(15)).await;
    world.shut_down().await;
    assert_eq!(world.run(run.id).await.state, RunState::Queued);
    assert!(world.store.nodes().await.unwrap().is_empty());
    world.start();
    world.run_for(TimeDelta::minutes(5)).await;
    let run = world.run(run.id).await;
    assert_eq!((run.state, run.attempt), (RunState::Succeeded, 2));
    assert_eq!(
        world.runner.carried(),
        ["REPLICATE A", "REPLICATE B", "REPLICATE B"]
    );
}

#[tokio::test]
async fn after_a_kill_no_run_stays_running_and_it_goes_on() {
    let mut world = World::new("2026-01-01T00:00:00Z").await;
    let job = world
        .job("manual", None, &["REPLICATE A", "REPLICATE B"])
        .await;
    world.start();
    let QueueAnswer::Queued(run) = world.queue(job).await else {
        panic!()
    };
    world.run_for(TimeDelta::seconds(15)).await;
    world.kill().await;
    assert_eq!(world.run(run.id).await.state, RunState::Running);
    world.start();
    world.run_for(TimeDelta::minutes(5)).await;
    assert_eq!(world.run(run.id).await.state, RunState::Succeeded);
    assert_eq!(
        world.runner.carried(),
        ["REPLICATE A", "REPLICATE B", "REPLICATE B"]
    );
    let steps = world.store.task_runs(run.id).await.unwrap();
    let states: Vec<RunState> = steps.iter().map(|step| step.state).collect();
    assert_eq!(
        states,
        [
            RunState::Succeeded,
            RunState::Cancelled,
            RunState::Succeeded
        ]
    );
}

#[tokio::test]
async fn a_run_that_ends_the_program_again_and_again_fails() {
    let mut world = World::new("2026-01-01T00:00:00Z").await;
    let job = world.job("manual", None, &["REPLICATE A"]).await;
    world.queue(job).await;
    for _ in 0..=world.settings.interruptions {
        world.start();
        world.run_for(TimeDelta::seconds(5)).await;
        assert_eq!(world.states(job).await, [RunState::Running]);
        world.kill().await;
    }
    world.start();
    world.run_for(TimeDelta::minutes(5)).await;
    let run = &world.runs(job).await[0];
    assert_eq!(
        (run.state, run.failure.as_ref().unwrap().code.as_str()),
        (RunState::Failed, "BL0202")
    );
}

#[tokio::test]
async fn a_store_that_is_gone_for_a_while_is_waited_for() {
    let mut world = World::new("2026-01-01T00:05:00Z").await;
    let job = world
        .job("often", Some("*/10 * * * *"), &["REPLICATE A"])
        .await;
    world.start();
    world.run_until(time("2026-01-01T00:10:05Z")).await;
    world.set_store_away(true);
    world.run_until(time("2026-01-01T00:25:00Z")).await;
    world.set_store_away(false);
    world.run_until(time("2026-01-01T00:35:00Z")).await;
    let runs = world.runs(job).await;
    assert_eq!(runs[0].state, RunState::Succeeded);
    let slots: u32 = runs.iter().map(|run| run.slots).sum();
    assert_eq!((slots, world.slots(job).await.len()), (3, 3));
}

#[tokio::test]
async fn a_clock_that_is_set_loses_and_doubles_no_slot() {
    let mut world = World::new("2026-01-01T00:05:00Z").await;
    let job = world
        .job("often", Some("*/10 * * * *"), &["REPLICATE A"])
        .await;
    world.start();
    world.run_until(time("2026-01-01T02:05:00Z")).await;
    world.clock.set(time("2026-01-01T01:05:00Z"));
    world.run_until(time("2026-01-01T02:25:00Z")).await;
    let due: Vec<_> = world
        .slots(job)
        .await
        .into_iter()
        .map(|slot| slot.due)
        .collect();
    let expected: Vec<_> = (1..=14)
        .map(|n| time("2026-01-01T00:00:00Z") + TimeDelta::minutes(10 * n))
        .collect();
    assert_eq!(due, expected);
    // Forward, over two slots: one run for both.
    world.clock.set(time("2026-01-01T02:45:00Z"));
    world.run_until(time("2026-01-01T02:46:00Z")).await;
    let runs = world.runs(job).await;
    assert_eq!(
        (runs.last().unwrap().slots, world.slots(job).await.len()),
        (2, 16)
    );
}

#[tokio::test]
async fn a_sync_all_job_gets_a_task_for_each_new_table() {
    let mut world = World::new("2026-01-01T00:00:00Z").await;
    let mut all = job("all", None, &["REPLICATE Issues"]);
    all.kind = JobKind::SyncAll {
        exclude: Vec::new(),
    };
    let job = world.add(&all).await.job.id;
    let found = ["PullRequests", "Commits"].map(str::to_owned).to_vec();
    world.runner.tell(
        "discovery",
        [
            Script {
                tables: found,
                ..Script::succeeds_in(1)
            },
            Script::succeeds_in(1),
        ],
    );
    world.start();
    world.queue(job).await;
    world.run_for(TimeDelta::minutes(5)).await;
    let replicated = [
        "discovery",
        "REPLICATE Issues",
        "REPLICATE PullRequests",
        "REPLICATE Commits",
    ];
    assert_eq!(world.runner.carried(), replicated);
    world.queue(job).await;
    world.run_for(TimeDelta::minutes(5)).await;
    assert_eq!(world.runner.carried()[4..], replicated);
    assert_eq!(world.states(job).await, [RunState::Succeeded; 2]);
    let steps = world
        .store
        .task_runs(world.runs(job).await[0].id)
        .await
        .unwrap();
    assert_eq!(steps[0].step, Step::Discovery);
}

#[tokio::test]
async fn history_is_removed_in_small_steps_while_runs_go_on() {
    let mut world = World::new("2026-01-01T00:00:30Z").await;
    world.settings.keep.runs = 20;
    world.settings.prune_step = 7;
    let job = world
        .job("often", Some("* * * * *"), &["REPLICATE A"])
        .await;
    world.start();
    world.run_until(time("2026-01-01T05:00:05Z")).await;
    let runs = world.runs(job).await;
    // It is looked through once an hour.
    assert!((20..=20 + 61).contains(&runs.len()), "{} runs", runs.len());
    assert!(
        runs.iter()
            .rev()
            .skip(1)
            .all(|run| run.state == RunState::Succeeded)
    );
    assert_eq!(world.runner.carried().len(), 300);
}
