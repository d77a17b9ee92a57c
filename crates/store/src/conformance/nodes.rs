//! Processes that come and go.

use std::sync::Arc;

use bucketline_app::store::{Reclaimed, Silence};
use bucketline_app::{NodeId, RunState, Store};

use super::{at, cases, change, claimed, ending, failure, job, node, queued};

cases! {
    a_node_is_known_until_it_leaves
    a_node_that_leaves_gives_its_runs_back
    the_runs_of_a_silent_node_go_on_elsewhere
    a_run_that_is_interrupted_too_often_fails
    a_silent_node_that_was_to_cancel_has_cancelled
    there_is_one_leader
    a_clock_set_back_gives_up_no_node
}

/// All but `but` are silent, even one that was heard just now.
fn silence(but: NodeId, most: u32) -> Silence {
    Silence {
        but,
        since: at(1_000_000),
        most,
        failure: failure("BL0201"),
    }
}

async fn a_node_is_known_until_it_leaves(store: Arc<dyn Store>) {
    let (a, b) = (node(&*store, "a").await, node(&*store, "b").await);
    assert!(a < b);
    store.beat(b, at(5)).await.unwrap();
    let nodes = store.nodes().await.unwrap();
    let nodes: Vec<_> = nodes
        .iter()
        .map(|it| (it.id, it.name.as_str(), it.seen_at))
        .collect();
    assert_eq!(nodes, [(a, "a", at(0)), (b, "b", at(5))]);
    store.leave(a, at(6)).await.unwrap();
    assert_eq!(store.nodes().await.unwrap().len(), 1);
    assert_eq!(store.beat(a, at(7)).await.unwrap_err().code(), "BL0306");
    // A number is never given again.
    store.leave(b, at(8)).await.unwrap();
    assert!(node(&*store, "c").await > b);
}

async fn a_node_that_leaves_gives_its_runs_back(store: Arc<dyn Store>) {
    let (a, b) = (node(&*store, "a").await, node(&*store, "b").await);
    let id = job(&*store, "Nightly").await.job.id;
    queued(&*store, id, 1).await;
    let held = claimed(&*store, a, 2).await.unwrap();
    store.leave(a, at(3)).await.unwrap();
    let again = claimed(&*store, b, 4).await.unwrap();
    assert_eq!((again.run.id, again.claim.attempt), (held.run.id, 2));
}

async fn the_runs_of_a_silent_node_go_on_elsewhere(store: Arc<dyn Store>) {
    let (a, b) = (node(&*store, "a").await, node(&*store, "b").await);
    let id = job(&*store, "Nightly").await.job.id;
    queued(&*store, id, 1).await;
    let held = claimed(&*store, a, 2).await.unwrap();
    let given_up = store.reclaim(&silence(b, 3), at(60)).await.unwrap();
    let expected = Reclaimed {
        run: held.run.id,
        job: id,
        node: a,
        state: RunState::Queued,
    };
    assert_eq!(given_up, [expected]);
    assert_eq!(store.reclaim(&silence(b, 3), at(61)).await.unwrap(), []);
    // The node that was silent finds out, and cannot change the run.
    assert_eq!(store.beat(a, at(62)).await.unwrap_err().code(), "BL0306");
    let again = claimed(&*store, b, 63).await.unwrap();
    let end = ending(RunState::Succeeded, 64);
    assert_eq!(
        store
            .finish_run(&held.claim, &end)
            .await
            .unwrap_err()
            .code(),
        "BL0306"
    );
    store.finish_run(&again.claim, &end).await.unwrap();
}

async fn a_run_that_is_interrupted_too_often_fails(store: Arc<dyn Store>) {
    let me = node(&*store, "me").await;
    let id = job(&*store, "Nightly").await.job.id;
    queued(&*store, id, 1).await;
    let mut states = Vec::new();
    for name in ["a", "b", "c"] {
        let other = node(&*store, name).await;
        claimed(&*store, other, 2).await.unwrap();
        let given_up = store.reclaim(&silence(me, 2), at(3)).await.unwrap();
        states.push(given_up[0].state);
    }
    assert_eq!(
        states,
        [RunState::Queued, RunState::Queued, RunState::Failed]
    );
    let entry = store.job(id).await.unwrap().unwrap();
    assert_eq!((entry.active, entry.failures), (None, 1));
    assert_eq!(entry.last.unwrap().failure, Some(failure("BL0201")));
}

async fn a_silent_node_that_was_to_cancel_has_cancelled(store: Arc<dyn Store>) {
    let (a, me) = (node(&*store, "a").await, node(&*store, "me").await);
    let id = job(&*store, "Nightly").await.job.id;
    queued(&*store, id, 1).await;
    let claim = claimed(&*store, a, 2).await.unwrap().claim;
    store.cancel_run(claim.run, &change(3)).await.unwrap();
    let given_up = store.reclaim(&silence(me, 3), at(4)).await.unwrap();
    assert_eq!(given_up[0].state, RunState::Cancelled);
}

async fn there_is_one_leader(store: Arc<dyn Store>) {
    let (a, b) = (node(&*store, "a").await, node(&*store, "b").await);
    assert!(store.lead(a).await.unwrap());
    assert!(!store.lead(b).await.unwrap());
    assert!(store.lead(a).await.unwrap());
    store.leave(a, at(1)).await.unwrap();
    assert!(store.lead(b).await.unwrap());
}

async fn a_clock_set_back_gives_up_no_node(store: Arc<dyn Store>) {
    if !store.is_shared() {
        return;
    }
    let (a, b) = (node(&*store, "a").await, node(&*store, "b").await);
    for node in [a, b] {
        store.beat(node, at(7_200)).await.unwrap();
    }
    // An hour earlier, by the clock.
    let silence = |seconds: i64| Silence {
        since: at(seconds - 30),
        ..silence(b, 3)
    };
    store.reclaim(&silence(3_600), at(3_600)).await.unwrap();
    assert_eq!(store.nodes().await.unwrap().len(), 2);
    // What stays silent from then on is given up.
    store.beat(b, at(3_640)).await.unwrap();
    store.reclaim(&silence(3_640), at(3_640)).await.unwrap();
    assert_eq!(store.nodes().await.unwrap().len(), 1);
}
