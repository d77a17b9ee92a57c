//! Due times.

use std::sync::Arc;

use bucketline_app::store::{Count, PageRequest, SlotFilter};
use bucketline_app::{DueSlots, JobId, Origin, Overlap, RunState, SlotPlan, Store};

use super::{at, cases, claimed, job, node, ran};

cases! {
    a_slot_has_one_row
    nodes_that_take_the_same_slots_make_one_run
    a_slot_is_skipped_while_a_run_is_active
    one_run_is_queued_behind_an_active_one
    one_run_stands_for_all_that_were_missed
    what_was_never_to_run_has_rows_too
    slots_are_listed_from_the_last
}

fn due(job: JobId, seconds: &[i64], then: SlotPlan) -> DueSlots {
    let last = seconds.last().copied().unwrap_or(0);
    DueSlots {
        job,
        due: seconds.iter().map(|seconds| at(*seconds)).collect(),
        then,
        owed_from: at(last),
        at: at(last + 1),
    }
}

fn run(overlap: Overlap) -> SlotPlan {
    SlotPlan::Run {
        ready_at: at(0),
        overlap,
    }
}

async fn a_slot_has_one_row(store: Arc<dyn Store>) {
    let id = job(&*store, "Nightly").await.job.id;
    let slots = due(id, &[60], run(Overlap::Skip));
    let first = store.take_slots(&slots).await.unwrap();
    assert_eq!(first.fresh, [at(60)]);
    let made = first.run.unwrap();
    assert_eq!(
        (made.state, made.due, made.slots),
        (RunState::Queued, Some(at(60)), 1)
    );
    assert_eq!(
        (made.origin.clone(), made.queued_at),
        (Origin::Schedule, at(61))
    );
    let second = store.take_slots(&slots).await.unwrap();
    assert_eq!((second.fresh.as_slice(), second.run), (&[][..], None));
    let entry = store.job(id).await.unwrap().unwrap();
    assert_eq!((entry.owed_from, entry.active), (at(60), Some(made)));
    // What was taken stays so, also if the clock is set back.
    let earlier = DueSlots {
        owed_from: at(10),
        ..due(id, &[60], run(Overlap::Skip))
    };
    store.take_slots(&earlier).await.unwrap();
    assert_eq!(store.job(id).await.unwrap().unwrap().owed_from, at(60));
    let unknown = due(JobId(999), &[60], run(Overlap::Skip));
    assert_eq!(
        store.take_slots(&unknown).await.unwrap_err().code(),
        "BL0301"
    );
}

async fn nodes_that_take_the_same_slots_make_one_run(store: Arc<dyn Store>) {
    let id = job(&*store, "Nightly").await.job.id;
    let slots = due(id, &[60, 120, 180], run(Overlap::Skip));
    let takers = (0..6).map(|_| {
        let (store, slots) = (Arc::clone(&store), slots.clone());
        tokio::spawn(async move { store.take_slots(&slots).await.unwrap() })
    });
    let mut fresh = 0;
    for taker in takers.collect::<Vec<_>>() {
        fresh += taker.await.unwrap().fresh.len();
    }
    assert_eq!(fresh, 3);
    let page = store
        .runs(&Default::default(), &PageRequest::first(10))
        .await
        .unwrap();
    assert_eq!((page.items.len(), page.items[0].slots), (1, 3));
}

async fn a_slot_is_skipped_while_a_run_is_active(store: Arc<dyn Store>) {
    let node = node(&*store, "a").await;
    let id = job(&*store, "Nightly").await.job.id;
    let first = store
        .take_slots(&due(id, &[60], run(Overlap::Skip)))
        .await
        .unwrap()
        .run
        .unwrap();
    // Queued or held, it is active.
    let second = store
        .take_slots(&due(id, &[120], run(Overlap::Skip)))
        .await
        .unwrap()
        .run
        .unwrap();
    assert_eq!(
        (second.state, second.ended_at),
        (RunState::Skipped, Some(at(121)))
    );
    assert_eq!(
        second.reason,
        Some(format!("run {} was still queued", first.id))
    );
    claimed(&*store, node, 130).await.unwrap();
    let third = store
        .take_slots(&due(id, &[180], run(Overlap::Skip)))
        .await
        .unwrap()
        .run
        .unwrap();
    assert_eq!(
        third.reason,
        Some(format!("run {} was still active", first.id))
    );
    // A row that says why nothing ran is not how the job's last run ended.
    assert_eq!(store.job(id).await.unwrap().unwrap().last, None);
}

async fn one_run_is_queued_behind_an_active_one(store: Arc<dyn Store>) {
    let node = node(&*store, "a").await;
    let id = job(&*store, "Nightly").await.job.id;
    let plan = || run(Overlap::QueueOne);
    store.take_slots(&due(id, &[60], plan())).await.unwrap();
    let active = claimed(&*store, node, 61).await.unwrap();
    let next = store
        .take_slots(&due(id, &[120], plan()))
        .await
        .unwrap()
        .run
        .unwrap();
    assert_eq!(next.state, RunState::Queued);
    let third = store
        .take_slots(&due(id, &[180], plan()))
        .await
        .unwrap()
        .run
        .unwrap();
    assert_eq!(third.state, RunState::Skipped);
    // It does not start before the other has ended.
    assert_eq!(claimed(&*store, node, 200).await, None);
    assert_eq!(
        store.job(id).await.unwrap().unwrap().active,
        Some(active.run)
    );
    let ended = super::ending(RunState::Succeeded, 201);
    store.finish_run(&active.claim, &ended).await.unwrap();
    assert_eq!(claimed(&*store, node, 202).await.unwrap().run.id, next.id);
}

async fn one_run_stands_for_all_that_were_missed(store: Arc<dyn Store>) {
    let id = job(&*store, "Nightly").await.job.id;
    store
        .take_slots(&due(id, &[120], run(Overlap::Skip)))
        .await
        .unwrap();
    let node = node(&*store, "a").await;
    let claim = claimed(&*store, node, 121).await.unwrap().claim;
    store
        .finish_run(&claim, &super::ending(RunState::Succeeded, 130))
        .await
        .unwrap();
    let all: Vec<i64> = (1..=10).map(|minute| minute * 60).collect();
    let taken = store
        .take_slots(&due(id, &all, run(Overlap::Skip)))
        .await
        .unwrap();
    assert_eq!(taken.fresh.len(), 9);
    let run = taken.run.unwrap();
    assert_eq!(
        (run.slots, run.due, run.state),
        (9, Some(at(600)), RunState::Queued)
    );
}

async fn what_was_never_to_run_has_rows_too(store: Arc<dyn Store>) {
    let node = node(&*store, "a").await;
    let id = job(&*store, "Nightly").await.job.id;
    let why = || "nobody was there".to_owned();
    let missed = SlotPlan::Missed { reason: why() };
    let run = store
        .take_slots(&due(id, &[60, 120], missed))
        .await
        .unwrap()
        .run
        .unwrap();
    assert_eq!(
        (run.state, run.slots, run.reason),
        (RunState::Missed, 2, Some(why()))
    );
    let skipped = SlotPlan::Skipped { reason: why() };
    let run = store
        .take_slots(&due(id, &[180], skipped))
        .await
        .unwrap()
        .run
        .unwrap();
    assert_eq!(
        (run.state, run.ended_at),
        (RunState::Skipped, Some(at(181)))
    );
    assert_eq!(claimed(&*store, node, 200).await, None);
    // Neither is in the way of a run.
    ran(&*store, node, id, RunState::Succeeded, 300).await;
}

async fn slots_are_listed_from_the_last(store: Arc<dyn Store>) {
    let id = job(&*store, "Nightly").await.job.id;
    let other = job(&*store, "Other").await.job.id;
    let missed = |job| {
        let seconds: Vec<i64> = (1..=7).map(|minute| minute * 60).collect();
        let reason = "nobody was there".to_owned();
        due(job, &seconds, SlotPlan::Missed { reason })
    };
    store.take_slots(&missed(id)).await.unwrap();
    store.take_slots(&missed(other)).await.unwrap();
    let filter = SlotFilter {
        job: id,
        from: Some(at(120)),
        until: Some(at(420)),
    };
    let mut found = Vec::new();
    let mut page = PageRequest::first(2);
    loop {
        let part = store.slots(&filter, &page).await.unwrap();
        assert_eq!(part.total, Count::Exactly(5));
        found.extend(part.items.into_iter().map(|slot| (slot.job, slot.due)));
        match part.next {
            Some(cursor) => page = PageRequest::after(cursor, 2),
            None => break,
        }
    }
    let expected: Vec<_> = [360, 300, 240, 180, 120]
        .map(|seconds| (id, at(seconds)))
        .to_vec();
    assert_eq!(found, expected);
}
