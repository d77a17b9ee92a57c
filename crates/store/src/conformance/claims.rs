//! Runs from the queue to their end.

use std::collections::BTreeMap;
use std::sync::Arc;

use bucketline_app::store::{CancelAnswer, Ending, Limits, QueueAnswer, Retrying};
use bucketline_app::{
    FollowStep, FollowUp, FollowWhen, Job, JobSchedule, Overlap, RunState, Store,
};

use super::{
    at, cases, change, claimed, ending, failure, job, new_job, new_run, node, queued, ran,
};

cases! {
    a_job_has_one_active_run
    the_same_key_gives_the_same_run
    the_run_that_waited_longest_goes_first
    a_run_does_not_start_before_it_is_ready
    a_clock_set_back_delays_no_run
    a_limit_keeps_runs_back_and_says_so
    many_nodes_share_runs_without_doubles
    a_run_that_was_given_back_starts_again
    a_retry_waits_and_counts
    only_the_holder_changes_a_run
    a_run_waits_and_goes_on
    a_run_that_has_not_started_is_cancelled_at_once
    the_holder_of_a_run_is_asked_to_cancel
    runs_follow_in_the_same_moment
    failures_in_a_row_pause_the_schedule
}

async fn a_job_has_one_active_run(store: Arc<dyn Store>) {
    let node = node(&*store, "a").await;
    let id = job(&*store, "Nightly").await.job.id;
    let first = queued(&*store, id, 1).await;
    assert_eq!(
        (first.state, first.attempt, first.job_name.as_str()),
        (RunState::Queued, 1, "Nightly")
    );
    assert_eq!(
        (first.source.as_str(), first.destination.as_str()),
        ("cloud", "copy of Nightly")
    );
    let second = store.queue_run(&new_run(id, 2), at(2)).await.unwrap();
    assert_eq!(second, QueueAnswer::Active(first.clone()));
    let claimed = claimed(&*store, node, 3).await.unwrap();
    assert_eq!(
        (claimed.run.id, claimed.run.state),
        (first.id, RunState::Running)
    );
    assert_eq!(
        (claimed.run.node.as_deref(), claimed.run.started_at),
        (Some("a"), Some(at(3)))
    );
    assert_eq!(
        claimed.job.value,
        store.job(id).await.unwrap().unwrap().job.value
    );
    let third = store.queue_run(&new_run(id, 4), at(4)).await.unwrap();
    assert_eq!(third, QueueAnswer::Active(claimed.run));
    let finished = store
        .finish_run(&claimed.claim, &ending(RunState::Partial, 5))
        .await
        .unwrap();
    assert_eq!(
        (finished.run.state, finished.run.ended_at),
        (RunState::Partial, Some(at(5)))
    );
    let entry = store.job(id).await.unwrap().unwrap();
    assert_eq!(
        (entry.active, entry.last, entry.failures),
        (None, Some(finished.run), 1)
    );
    queued(&*store, id, 6).await;
}

async fn the_same_key_gives_the_same_run(store: Arc<dyn Store>) {
    let node = node(&*store, "a").await;
    let id = job(&*store, "Nightly").await.job.id;
    let mut run = new_run(id, 1);
    run.key = Some("deploy-7".to_owned());
    let QueueAnswer::Queued(first) = store.queue_run(&run, at(1)).await.unwrap() else {
        panic!()
    };
    let again = store.queue_run(&run, at(2)).await.unwrap();
    assert_eq!(again, QueueAnswer::Repeated(first.clone()));
    let claim = claimed(&*store, node, 3).await.unwrap().claim;
    store
        .finish_run(&claim, &ending(RunState::Succeeded, 4))
        .await
        .unwrap();
    let QueueAnswer::Repeated(again) = store.queue_run(&run, at(5)).await.unwrap() else {
        panic!()
    };
    assert_eq!((again.id, again.state), (first.id, RunState::Succeeded));
    // Keys of different jobs have nothing to do with each other.
    run.job = job(&*store, "Other").await.job.id;
    assert!(matches!(
        store.queue_run(&run, at(6)).await.unwrap(),
        QueueAnswer::Queued(_)
    ));
}

async fn the_run_that_waited_longest_goes_first(store: Arc<dyn Store>) {
    let node = node(&*store, "a").await;
    let mut runs = Vec::new();
    for (name, ready) in [("A", 30), ("B", 10), ("C", 20)] {
        let id = job(&*store, name).await.job.id;
        let mut run = new_run(id, ready);
        run.ready_at = at(ready);
        store.queue_run(&run, at(1)).await.unwrap();
        runs.push(name);
    }
    let mut order = Vec::new();
    while let Some(claimed) = claimed(&*store, node, 60).await {
        order.push(claimed.run.job_name);
    }
    assert_eq!(order, ["B", "C", "A"]);
}

async fn a_run_does_not_start_before_it_is_ready(store: Arc<dyn Store>) {
    let node = node(&*store, "a").await;
    let id = job(&*store, "Nightly").await.job.id;
    let mut run = new_run(id, 1);
    run.ready_at = at(10);
    store.queue_run(&run, at(1)).await.unwrap();
    assert_eq!(claimed(&*store, node, 9).await, None);
    assert!(claimed(&*store, node, 10).await.is_some());
}

async fn a_clock_set_back_delays_no_run(store: Arc<dyn Store>) {
    let node = node(&*store, "a").await;
    let id = job(&*store, "Nightly").await.job.id;
    queued(&*store, id, 3600).await;
    assert!(claimed(&*store, node, 5).await.is_some());
}

async fn a_limit_keeps_runs_back_and_says_so(store: Arc<dyn Store>) {
    let node = node(&*store, "a").await;
    let mut ids = Vec::new();
    for (name, destination) in [("A", "file"), ("B", "FILE"), ("C", "other"), ("D", "third")] {
        let new = Job {
            destination: destination.to_owned(),
            ..new_job(name)
        };
        let id = store.create_job(&new, &change(0)).await.unwrap().job.id;
        ids.push(queued(&*store, id, 1).await.id);
    }
    let limits = Limits {
        application: Some(3),
        destinations: BTreeMap::from([("File".to_owned(), 1)]),
        ..Limits::default()
    };
    let claim = async || store.claim_run(node, &limits, at(2)).await.unwrap();
    let first = claim().await.unwrap();
    assert_eq!(first.run.id, ids[0]);
    assert_eq!(claim().await.unwrap().run.id, ids[2]);
    let kept_back = store.run(ids[1]).await.unwrap().unwrap();
    assert_eq!(kept_back.state, RunState::Waiting);
    assert_eq!(
        kept_back.reason.as_deref(),
        Some("the limit of 1 run for the destination `FILE` is reached")
    );
    assert_eq!(claim().await.unwrap().run.id, ids[3]);
    assert_eq!(claim().await, None);
    let kept_back = store.run(ids[1]).await.unwrap().unwrap();
    assert_eq!(
        kept_back.reason.as_deref(),
        Some("the application's limit of 3 runs is reached")
    );
    store
        .finish_run(&first.claim, &ending(RunState::Succeeded, 3))
        .await
        .unwrap();
    let next = claim().await.unwrap().run;
    assert_eq!(
        (next.id, next.state, next.reason),
        (ids[1], RunState::Running, None)
    );
    let other = Limits {
        node: Some(3),
        ..Limits::default()
    };
    let another = super::node(&*store, "b").await;
    let id = job(&*store, "E").await.job.id;
    queued(&*store, id, 4).await;
    assert_eq!(store.claim_run(node, &other, at(5)).await.unwrap(), None);
    assert!(
        store
            .claim_run(another, &other, at(5))
            .await
            .unwrap()
            .is_some()
    );
}

async fn many_nodes_share_runs_without_doubles(store: Arc<dyn Store>) {
    for number in 0..30 {
        let id = job(&*store, &format!("Job {number}")).await.job.id;
        queued(&*store, id, number).await;
    }
    let limits = Limits {
        application: Some(4),
        ..Limits::default()
    };
    let mut workers = Vec::new();
    for name in ["a", "b", "c", "d", "e"] {
        let node = node(&*store, name).await;
        let (store, limits) = (Arc::clone(&store), limits.clone());
        workers.push(tokio::spawn(async move {
            let mut done = Vec::new();
            let mut idle = 0;
            while idle < 3 {
                let Some(claimed) = store.claim_run(node, &limits, at(60)).await.unwrap() else {
                    idle += 1;
                    continue;
                };
                idle = 0;
                let held = store
                    .runs(&states(&[RunState::Running]), &first_page())
                    .await
                    .unwrap();
                assert!(held.items.len() <= 4, "{} at once", held.items.len());
                store
                    .finish_run(&claimed.claim, &ending(RunState::Succeeded, 61))
                    .await
                    .unwrap();
                done.push(claimed.run.id);
            }
            done
        }));
    }
    let mut done = Vec::new();
    for worker in workers {
        done.extend(worker.await.unwrap());
    }
    // Whoever ended early left the rest to nobody.
    let last = node(&*store, "f").await;
    while let Some(claimed) = claimed(&*store, last, 62).await {
        store
            .finish_run(&claimed.claim, &ending(RunState::Succeeded, 63))
            .await
            .unwrap();
        done.push(claimed.run.id);
    }
    done.sort_unstable();
    let count = done.len();
    done.dedup();
    assert_eq!((count, done.len()), (30, 30));
}

fn states(states: &[RunState]) -> bucketline_app::store::RunFilter {
    bucketline_app::store::RunFilter {
        states: states.to_vec(),
        ..Default::default()
    }
}

fn first_page() -> bucketline_app::store::PageRequest {
    bucketline_app::store::PageRequest::first(100)
}

async fn a_run_that_was_given_back_starts_again(store: Arc<dyn Store>) {
    let node = node(&*store, "a").await;
    let id = job(&*store, "Nightly").await.job.id;
    queued(&*store, id, 1).await;
    let first = claimed(&*store, node, 2).await.unwrap();
    store.release_run(&first.claim, at(3)).await.unwrap();
    let run = store.run(first.run.id).await.unwrap().unwrap();
    assert_eq!((run.state, run.started_at), (RunState::Queued, Some(at(2))));
    let second = claimed(&*store, node, 4).await.unwrap();
    assert_eq!((second.run.id, second.claim.attempt), (first.run.id, 2));
    assert_eq!(second.run.started_at, Some(at(2)));
}

async fn a_retry_waits_and_counts(store: Arc<dyn Store>) {
    let node = node(&*store, "a").await;
    let id = job(&*store, "Nightly").await.job.id;
    queued(&*store, id, 1).await;
    let claim = claimed(&*store, node, 2).await.unwrap().claim;
    let retrying = Retrying {
        failure: Some(failure("BL3107")),
        reason: "second try of 4".to_owned(),
        ready_at: at(60),
        at: at(3),
    };
    let run = store.retry_run(&claim, &retrying).await.unwrap();
    assert_eq!(
        (run.state, run.attempt, run.ready_at),
        (RunState::Waiting, 2, at(60))
    );
    assert_eq!(
        (run.failure, run.reason.as_deref()),
        (Some(failure("BL3107")), Some("second try of 4"))
    );
    // The job has not failed yet.
    assert_eq!(store.job(id).await.unwrap().unwrap().failures, 0);
    assert_eq!(claimed(&*store, node, 59).await, None);
    let claim = claimed(&*store, node, 60).await.unwrap().claim;
    let run = store
        .finish_run(&claim, &ending(RunState::Succeeded, 61))
        .await
        .unwrap()
        .run;
    assert_eq!((run.attempt, run.failure), (2, None));
}

async fn only_the_holder_changes_a_run(store: Arc<dyn Store>) {
    let (a, b) = (node(&*store, "a").await, node(&*store, "b").await);
    let id = job(&*store, "Nightly").await.job.id;
    queued(&*store, id, 1).await;
    let stale = claimed(&*store, a, 2).await.unwrap().claim;
    store.release_run(&stale, at(3)).await.unwrap();
    let current = claimed(&*store, b, 4).await.unwrap().claim;
    let end = ending(RunState::Failed, 5);
    assert_eq!(
        store.finish_run(&stale, &end).await.unwrap_err().code(),
        "BL0306"
    );
    assert_eq!(
        store.release_run(&stale, at(5)).await.unwrap_err().code(),
        "BL0306"
    );
    assert_eq!(
        store
            .set_waiting(&stale, Some("x"))
            .await
            .unwrap_err()
            .code(),
        "BL0306"
    );
    store
        .finish_run(&current, &ending(RunState::Succeeded, 6))
        .await
        .unwrap();
    // What has ended stays as it is.
    assert_eq!(
        store.finish_run(&current, &end).await.unwrap_err().code(),
        "BL0306"
    );
    let run = store.run(current.run).await.unwrap().unwrap();
    assert_eq!(
        (run.state, run.ended_at),
        (RunState::Succeeded, Some(at(6)))
    );
    let unknown = bucketline_app::NodeId(999);
    let error = store
        .claim_run(unknown, &Limits::default(), at(7))
        .await
        .unwrap_err();
    assert_eq!(error.code(), "BL0306");
    let skipped = Ending {
        state: RunState::Skipped,
        ..end
    };
    queued(&*store, id, 8).await;
    let claim = claimed(&*store, a, 9).await.unwrap().claim;
    assert_eq!(
        store.finish_run(&claim, &skipped).await.unwrap_err().code(),
        "BL0305"
    );
}

async fn a_run_waits_and_goes_on(store: Arc<dyn Store>) {
    let node = node(&*store, "a").await;
    let id = job(&*store, "Nightly").await.job.id;
    queued(&*store, id, 1).await;
    let claim = claimed(&*store, node, 2).await.unwrap().claim;
    store
        .set_waiting(&claim, Some("the budget is used up"))
        .await
        .unwrap();
    let run = store.run(claim.run).await.unwrap().unwrap();
    assert_eq!(
        (run.state, run.reason.as_deref()),
        (RunState::Waiting, Some("the budget is used up"))
    );
    // It is held all the same.
    assert_eq!(claimed(&*store, node, 3).await, None);
    store.set_waiting(&claim, None).await.unwrap();
    let run = store.run(claim.run).await.unwrap().unwrap();
    assert_eq!((run.state, run.reason), (RunState::Running, None));
}

async fn a_run_that_has_not_started_is_cancelled_at_once(store: Arc<dyn Store>) {
    let node = node(&*store, "a").await;
    let id = job(&*store, "Nightly").await.job.id;
    let run = queued(&*store, id, 1).await;
    let answer = store.cancel_run(run.id, &change(2)).await.unwrap();
    assert_eq!(answer, CancelAnswer::Cancelled);
    let run = store.run(run.id).await.unwrap().unwrap();
    assert_eq!(
        (run.state, run.ended_at),
        (RunState::Cancelled, Some(at(2)))
    );
    assert_eq!(run.reason.as_deref(), Some("cancelled by User 1"));
    let answer = store.cancel_run(run.id, &change(3)).await.unwrap();
    assert_eq!(answer, CancelAnswer::Over(RunState::Cancelled));
    assert_eq!(claimed(&*store, node, 4).await, None);
    let unknown = store
        .cancel_run(bucketline_app::RunId(999), &change(5))
        .await;
    assert_eq!(unknown.unwrap_err().code(), "BL0301");
}

async fn the_holder_of_a_run_is_asked_to_cancel(store: Arc<dyn Store>) {
    let node = node(&*store, "a").await;
    let id = job(&*store, "Nightly").await.job.id;
    queued(&*store, id, 1).await;
    let claim = claimed(&*store, node, 2).await.unwrap().claim;
    assert_eq!(store.beat(node, at(3)).await.unwrap().cancel, []);
    let answer = store.cancel_run(claim.run, &change(4)).await.unwrap();
    assert_eq!(answer, CancelAnswer::Asked);
    assert_eq!(store.beat(node, at(5)).await.unwrap().cancel, [claim.run]);
    let run = store.run(claim.run).await.unwrap().unwrap();
    assert!(run.cancel_asked && run.state == RunState::Running);
    let failures = store
        .finish_run(&claim, &ending(RunState::Cancelled, 6))
        .await
        .unwrap()
        .failures;
    assert_eq!(failures, 0);
    assert_eq!(store.beat(node, at(7)).await.unwrap().cancel, []);
    // A node that shuts down ends what was to be cancelled rather than queueing it again.
    queued(&*store, id, 8).await;
    let claim = claimed(&*store, node, 9).await.unwrap().claim;
    store.cancel_run(claim.run, &change(10)).await.unwrap();
    store.release_run(&claim, at(11)).await.unwrap();
    assert_eq!(
        store.run(claim.run).await.unwrap().unwrap().state,
        RunState::Cancelled
    );
}

async fn runs_follow_in_the_same_moment(store: Arc<dyn Store>) {
    let node = node(&*store, "a").await;
    let first = job(&*store, "First").await.job.id;
    let (second, busy) = (
        job(&*store, "Second").await.job.id,
        job(&*store, "Busy").await.job.id,
    );
    queued(&*store, first, 1).await;
    let claim = claimed(&*store, node, 2).await.unwrap().claim;
    queued(&*store, busy, 3).await;
    let follow = |job| bucketline_app::NewRun {
        origin: bucketline_app::Origin::Job { run: claim.run },
        ..new_run(job, 4)
    };
    let end = Ending {
        queue: vec![follow(busy), follow(second)],
        ..ending(RunState::Succeeded, 4)
    };
    let finished = store.finish_run(&claim, &end).await.unwrap();
    let [queued] = finished.queued.as_slice() else {
        panic!("{finished:?}")
    };
    let run = store.run(*queued).await.unwrap().unwrap();
    assert_eq!((run.job, run.queued_at), (second, at(4)));
    assert_eq!(run.origin, bucketline_app::Origin::Job { run: claim.run });
}

async fn failures_in_a_row_pause_the_schedule(store: Arc<dyn Store>) {
    let node = node(&*store, "a").await;
    let new = Job {
        pause_after: 3,
        schedule: Some(JobSchedule {
            cron: "*/10 * * * *".to_owned(),
            zone: None,
            overlap: Overlap::Skip,
            catch_up: None,
            jitter: None,
            enabled: true,
        }),
        after: vec![FollowUp {
            when: FollowWhen::Failed,
            step: FollowStep::Webhook("https://hooks.example/".to_owned()),
        }],
        ..new_job("Nightly")
    };
    let id = store.create_job(&new, &change(0)).await.unwrap().job.id;
    for (second, state) in [
        (1, RunState::Failed),
        (2, RunState::Partial),
        (3, RunState::Succeeded),
    ] {
        ran(&*store, node, id, state, second).await;
    }
    assert_eq!(store.job(id).await.unwrap().unwrap().failures, 0);
    let generation = store.generation().await.unwrap();
    for second in 4..6 {
        ran(&*store, node, id, RunState::Failed, second).await;
    }
    ran(&*store, node, id, RunState::Cancelled, 6).await;
    assert_eq!(store.job(id).await.unwrap().unwrap().paused, None);
    queued(&*store, id, 7).await;
    let claim = claimed(&*store, node, 7).await.unwrap().claim;
    let finished = store
        .finish_run(&claim, &ending(RunState::Failed, 8))
        .await
        .unwrap();
    assert_eq!((finished.failures, finished.paused), (3, true));
    let pause = store.job(id).await.unwrap().unwrap().paused.unwrap();
    assert_eq!(
        (pause.at, pause.why.as_str()),
        (at(8), "3 runs in a row did not succeed")
    );
    assert!(store.generation().await.unwrap() > generation);
    // A run by hand that fails too pauses nothing twice.
    queued(&*store, id, 9).await;
    let claim = claimed(&*store, node, 9).await.unwrap().claim;
    let finished = store
        .finish_run(&claim, &ending(RunState::Failed, 10))
        .await
        .unwrap();
    assert_eq!((finished.failures, finished.paused), (4, false));
    let going_on = store.pause_job(id, None, &change(11)).await.unwrap();
    assert_eq!((going_on.failures, going_on.paused), (0, None));
}
