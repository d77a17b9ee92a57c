//! What runs leave behind: tries, slices, events; and how that is kept short.

use std::sync::Arc;

use bucketline_app::store::{Claimed, EventFilter, PageRequest, PruneRequest};
use bucketline_app::{
    Job, Keep, Level, NewEvent, NewTaskRun, RunState, SliceResult, Step, Store, TaskEnding, TaskId,
    Totals,
};

use super::{at, cases, change, claimed, ending, failure, job, new_job, node, queued, ran};

cases! {
    tries_add_up_to_their_run
    tries_that_were_not_ended_end_with_their_run
    slices_say_what_became_of_them
    the_last_try_of_each_task_is_known
    events_are_numbered_and_read_from_the_end
    errors_outlive_the_cap
    events_are_found_by_level_and_text
    history_goes_when_it_is_old
    history_goes_when_there_is_too_much
    events_go_before_their_runs
    a_job_says_how_long_its_history_stays
    history_goes_in_small_steps
    a_deleted_job_goes_with_its_history
}

const DAY: i64 = 86_400;

fn totals(read: u64) -> Totals {
    Totals {
        read,
        inserted: 1,
        updated: 2,
        deleted: 3,
        requests: 4,
        waited_ms: 5,
    }
}

fn try_of(task: TaskId, seconds: i64) -> NewTaskRun {
    NewTaskRun {
        step: Step::Task { task },
        statement: "REPLICATE Issues".to_owned(),
        table: Some("Issues".to_owned()),
        at: at(seconds),
    }
}

fn task_ending(state: RunState, read: u64, seconds: i64) -> TaskEnding {
    TaskEnding {
        state,
        totals: totals(read),
        failure: (state == RunState::Failed).then(|| failure("BL3107")),
        at: at(seconds),
    }
}

/// A held run of a new job.
async fn held(store: &dyn Store, name: &str) -> Claimed {
    let node = node(store, name).await;
    let id = job(store, name).await.job.id;
    queued(store, id, 1).await;
    claimed(store, node, 2).await.unwrap()
}

async fn tries_add_up_to_their_run(store: Arc<dyn Store>) {
    let held = held(&*store, "Nightly").await;
    let claim = &held.claim;
    let task = held.job.value.tasks[0].id.unwrap();
    let first = store.begin_task(claim, &try_of(task, 3)).await.unwrap();
    let end = task_ending(RunState::Failed, 10, 4);
    store.end_task(claim, first, &end).await.unwrap();
    // The answer was lost, and it is said again.
    store.end_task(claim, first, &end).await.unwrap();
    let after = NewTaskRun {
        step: Step::After { place: 0 },
        statement: "CREATE VIEW v AS SELECT 1".to_owned(),
        table: None,
        at: at(5),
    };
    let second = store.begin_task(claim, &after).await.unwrap();
    store
        .end_task(claim, second, &task_ending(RunState::Succeeded, 20, 6))
        .await
        .unwrap();
    let run = store.run(claim.run).await.unwrap().unwrap();
    let mut sum = totals(10);
    sum += totals(20);
    assert_eq!(run.totals, sum);
    let tries = store.task_runs(claim.run).await.unwrap();
    let [one, two] = tries.as_slice() else {
        panic!("{tries:?}")
    };
    assert_eq!(
        (one.id, &one.step, one.attempt),
        (first, &Step::Task { task }, 1)
    );
    assert_eq!(
        (one.state, one.failure.clone()),
        (RunState::Failed, Some(failure("BL3107")))
    );
    assert_eq!(
        (one.started_at, one.ended_at, one.totals),
        (at(3), Some(at(4)), totals(10))
    );
    assert_eq!(
        (two.step.clone(), two.table.clone()),
        (Step::After { place: 0 }, None)
    );
    let other = super::history::held(&*store, "Other").await.claim;
    let error = store.end_task(&other, first, &end).await.unwrap_err();
    assert_eq!(error.code(), "BL0301");
}

async fn tries_that_were_not_ended_end_with_their_run(store: Arc<dyn Store>) {
    let held = held(&*store, "Nightly").await;
    let task = held.job.value.tasks[0].id.unwrap();
    store
        .begin_task(&held.claim, &try_of(task, 3))
        .await
        .unwrap();
    store.release_run(&held.claim, at(4)).await.unwrap();
    let again = claimed(&*store, held.claim.node, 5).await.unwrap().claim;
    store.begin_task(&again, &try_of(task, 6)).await.unwrap();
    store
        .finish_run(&again, &ending(RunState::Failed, 7))
        .await
        .unwrap();
    let tries = store.task_runs(again.run).await.unwrap();
    let tries: Vec<_> = tries
        .iter()
        .map(|it| (it.attempt, it.state, it.ended_at))
        .collect();
    let expected = [
        (1, RunState::Cancelled, Some(at(4))),
        (2, RunState::Failed, Some(at(7))),
    ];
    assert_eq!(tries, expected);
}

async fn slices_say_what_became_of_them(store: Arc<dyn Store>) {
    let held = held(&*store, "Nightly").await;
    let task = held.job.value.tasks[0].id.unwrap();
    let task = store
        .begin_task(&held.claim, &try_of(task, 3))
        .await
        .unwrap();
    let slice = |name: &str, outcome: &str| SliceResult {
        slice: name.to_owned(),
        outcome: outcome.to_owned(),
        totals: totals(7),
        elapsed_ms: 1_200,
        failure: (outcome == "failed").then(|| failure("BL3103")),
    };
    let first = [slice("acme/web", "failed"), slice("acme/api", "done")];
    store
        .record_slices(&held.claim, task, &first)
        .await
        .unwrap();
    store
        .record_slices(&held.claim, task, &[slice("acme/web", "done")])
        .await
        .unwrap();
    let found = store.slices(task).await.unwrap();
    assert_eq!(
        found,
        [slice("acme/api", "done"), slice("acme/web", "done")]
    );
}

async fn the_last_try_of_each_task_is_known(store: Arc<dyn Store>) {
    let node = node(&*store, "a").await;
    let mut new = new_job("Nightly");
    new.tasks = ["REPLICATE A", "REPLICATE B", "REPLICATE C"]
        .map(bucketline_app::Task::new)
        .to_vec();
    let made = store.create_job(&new, &change(0)).await.unwrap().job;
    let [a, b, _] = made.value.tasks.as_slice() else {
        panic!()
    };
    let mut last = Vec::new();
    for (second, task) in [(10, a), (20, b), (30, a)] {
        queued(&*store, made.id, second).await;
        let claim = claimed(&*store, node, second).await.unwrap().claim;
        last.push(
            store
                .begin_task(&claim, &try_of(task.id.unwrap(), second))
                .await
                .unwrap(),
        );
        store
            .finish_run(&claim, &ending(RunState::Succeeded, second))
            .await
            .unwrap();
    }
    let found = store.last_task_runs(made.id).await.unwrap();
    let found: Vec<_> = found.iter().map(|task| task.id).collect();
    assert_eq!(found, last[1..]);
}

fn event(level: Level, text: &str) -> NewEvent {
    NewEvent {
        at: at(3),
        level,
        kind: "note".to_owned(),
        task_run: None,
        slice: Some("acme/api".to_owned()),
        code: (level == Level::Error).then(|| "BL3107".to_owned()),
        text: text.to_owned(),
    }
}

fn all(limit: u32) -> EventFilter {
    EventFilter {
        after: None,
        before: None,
        level: None,
        text: None,
        limit,
    }
}

async fn events_are_numbered_and_read_from_the_end(store: Arc<dyn Store>) {
    let run = held(&*store, "Nightly").await.run.id;
    let events: Vec<_> = (1..=250)
        .map(|n| event(Level::Info, &format!("{n}")))
        .collect();
    assert_eq!(
        store
            .append_events(run, &events[..200], 1000)
            .await
            .unwrap(),
        200
    );
    assert_eq!(
        store
            .append_events(run, &events[200..], 1000)
            .await
            .unwrap(),
        250
    );
    let numbers = async |filter: EventFilter| {
        let found = store.events(run, &filter).await.unwrap();
        for event in &found {
            assert_eq!(event.content, events[event.number as usize - 1]);
        }
        found.iter().map(|event| event.number).collect::<Vec<_>>()
    };
    assert_eq!(numbers(all(3)).await, [248, 249, 250]);
    let before = EventFilter {
        before: Some(248),
        ..all(3)
    };
    assert_eq!(numbers(before).await, [245, 246, 247]);
    let after = EventFilter {
        after: Some(100),
        ..all(3)
    };
    assert_eq!(numbers(after).await, [101, 102, 103]);
    let live = EventFilter {
        after: Some(250),
        ..all(3)
    };
    assert!(numbers(live).await.is_empty());
    let unknown = store
        .append_events(bucketline_app::RunId(999), &events, 10)
        .await;
    assert_eq!(unknown.unwrap_err().code(), "BL0301");
    assert_eq!(store.append_events(run, &[], 1000).await.unwrap(), 250);
}

async fn errors_outlive_the_cap(store: Arc<dyn Store>) {
    let run = held(&*store, "Nightly").await.run.id;
    for number in 1..=40_u32 {
        let level = if number % 8 == 0 {
            Level::Error
        } else {
            Level::Info
        };
        store
            .append_events(run, &[event(level, &number.to_string())], 10)
            .await
            .unwrap();
    }
    let found = store.events(run, &all(100)).await.unwrap();
    let numbers: Vec<_> = found.iter().map(|event| event.number).collect();
    assert_eq!(numbers, [8, 16, 24, 32, 35, 36, 37, 38, 39, 40]);
    assert_eq!(store.run(run).await.unwrap().unwrap().events_dropped, 30);
    // Errors alone may be more than the cap.
    let errors: Vec<_> = (0..15).map(|_| event(Level::Error, "again")).collect();
    store.append_events(run, &errors, 10).await.unwrap();
    let found = store.events(run, &all(100)).await.unwrap();
    assert_eq!(found.len(), 20);
    assert!(
        found
            .iter()
            .all(|event| event.content.level == Level::Error)
    );
}

async fn events_are_found_by_level_and_text(store: Arc<dyn Store>) {
    let run = held(&*store, "Nightly").await.run.id;
    let events = [
        event(Level::Debug, "50% of acme_api"),
        event(Level::Info, "100 of ACME-API"),
        event(Level::Warning, "a value was lost"),
        event(Level::Error, "no answer"),
    ];
    store.append_events(run, &events, 100).await.unwrap();
    let numbers = async |filter: EventFilter| {
        let found = store.events(run, &filter).await.unwrap();
        found.iter().map(|event| event.number).collect::<Vec<_>>()
    };
    let level = |level| EventFilter {
        level: Some(level),
        ..all(10)
    };
    assert_eq!(numbers(level(Level::Debug)).await, [1, 2, 3, 4]);
    assert_eq!(numbers(level(Level::Warning)).await, [3, 4]);
    let text = |text: &str| EventFilter {
        text: Some(text.to_owned()),
        ..all(10)
    };
    assert_eq!(numbers(text("acme")).await, [1, 2]);
    assert_eq!(numbers(text("50%")).await, [1]);
    assert_eq!(numbers(text("e_a")).await, [1]);
    assert!(numbers(text("\\")).await.is_empty());
}

fn request(days: u32, runs: u32, event_days: u32, most: u32) -> PruneRequest {
    PruneRequest {
        keep: Keep {
            days,
            runs,
            event_days,
        },
        most,
    }
}

async fn left(store: &dyn Store) -> Vec<i64> {
    let page = store
        .runs(&Default::default(), &PageRequest::first(1000))
        .await
        .unwrap();
    let mut left: Vec<_> = page.items.iter().map(|run| run.id.0).collect();
    left.sort_unstable();
    left
}

async fn history_goes_when_it_is_old(store: Arc<dyn Store>) {
    let node = node(&*store, "a").await;
    let id = job(&*store, "Nightly").await.job.id;
    let mut runs = Vec::new();
    let states = [
        RunState::Succeeded,
        RunState::Failed,
        RunState::Failed,
        RunState::Failed,
    ];
    for (day, state) in (0..).zip(states) {
        runs.push(ran(&*store, node, id, state, day * DAY).await.id.0);
    }
    let pruned = store
        .prune(&request(1, 1000, 1, 100), at(10 * DAY))
        .await
        .unwrap();
    // The last run and the last that succeeded stay.
    assert_eq!(left(&*store).await, [runs[0], runs[3]]);
    assert_eq!((pruned.runs.len(), pruned.more), (2, false));
    let again = store
        .prune(&request(1, 1000, 1, 100), at(11 * DAY))
        .await
        .unwrap();
    assert_eq!(again, Default::default());
}

async fn history_goes_when_there_is_too_much(store: Arc<dyn Store>) {
    let node = node(&*store, "a").await;
    let id = job(&*store, "Nightly").await.job.id;
    let mut runs = Vec::new();
    for second in 1..=6 {
        runs.push(
            ran(&*store, node, id, RunState::Succeeded, second)
                .await
                .id
                .0,
        );
    }
    // One that has not ended is not history.
    runs.push(queued(&*store, id, 7).await.id.0);
    store.prune(&request(90, 3, 14, 100), at(8)).await.unwrap();
    assert_eq!(left(&*store).await, runs[4..]);
}

async fn events_go_before_their_runs(store: Arc<dyn Store>) {
    let node = node(&*store, "a").await;
    let id = job(&*store, "Nightly").await.job.id;
    let old = ran(&*store, node, id, RunState::Succeeded, 0).await.id;
    let new = ran(&*store, node, id, RunState::Succeeded, 5 * DAY)
        .await
        .id;
    for run in [old, new] {
        store
            .append_events(run, &[event(Level::Error, "x")], 10)
            .await
            .unwrap();
    }
    let pruned = store
        .prune(&request(90, 1000, 2, 100), at(6 * DAY))
        .await
        .unwrap();
    assert_eq!(
        (pruned.events_of, pruned.runs.len(), pruned.more),
        (1, 0, false)
    );
    assert_eq!(store.events(old, &all(10)).await.unwrap(), []);
    assert_eq!(store.events(new, &all(10)).await.unwrap().len(), 1);
    // A number is never given again.
    assert_eq!(
        store
            .append_events(old, &[event(Level::Info, "y")], 10)
            .await
            .unwrap(),
        2
    );
}

async fn a_job_says_how_long_its_history_stays(store: Arc<dyn Store>) {
    let node = node(&*store, "a").await;
    let longer = Job {
        keep: Some(Keep {
            days: 365,
            runs: 2,
            event_days: 365,
        }),
        ..new_job("Audit")
    };
    let longer = store.create_job(&longer, &change(0)).await.unwrap().job.id;
    let other = job(&*store, "Nightly").await.job.id;
    let mut kept = Vec::new();
    for day in 0..3 {
        let run = ran(&*store, node, longer, RunState::Succeeded, day * DAY)
            .await
            .id
            .0;
        ran(&*store, node, other, RunState::Succeeded, day * DAY + 1).await;
        if day > 0 {
            kept.push(run);
        }
    }
    kept.push(
        ran(&*store, node, other, RunState::Succeeded, 3 * DAY)
            .await
            .id
            .0,
    );
    store
        .prune(&request(1, 1000, 1, 100), at(30 * DAY))
        .await
        .unwrap();
    assert_eq!(left(&*store).await, kept);
}

async fn history_goes_in_small_steps(store: Arc<dyn Store>) {
    let node = node(&*store, "a").await;
    for name in ["A", "B", "C"] {
        let id = job(&*store, name).await.job.id;
        for second in 1..=4 {
            ran(&*store, node, id, RunState::Succeeded, second).await;
        }
    }
    let request = request(1, 1000, 1, 2);
    let mut steps = Vec::new();
    loop {
        let pruned = store.prune(&request, at(9 * DAY)).await.unwrap();
        steps.push(pruned.runs.len());
        if !pruned.more {
            break;
        }
    }
    assert!(steps.iter().all(|step| *step <= 2), "{steps:?}");
    assert_eq!(steps.iter().sum::<usize>(), 9);
    assert_eq!(left(&*store).await.len(), 3);
}

async fn a_deleted_job_goes_with_its_history(store: Arc<dyn Store>) {
    let node = node(&*store, "a").await;
    let made = job(&*store, "Nightly").await.job;
    ran(&*store, node, made.id, RunState::Succeeded, 1).await;
    store
        .delete_job(made.id, made.revision, &change(2))
        .await
        .unwrap();
    store
        .prune(&request(1, 1000, 1, 100), at(DAY / 2))
        .await
        .unwrap();
    assert_eq!(left(&*store).await.len(), 1);
    for _ in 0..2 {
        store
            .prune(&request(1, 1000, 1, 100), at(9 * DAY))
            .await
            .unwrap();
    }
    assert!(left(&*store).await.is_empty());
}
