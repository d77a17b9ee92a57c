//! Lists: filters that work, pages without gaps, counts that are right.

use std::sync::Arc;

use bucketline_app::store::{
    ConnectionFilter, Count, JobFilter, PageRequest, PruneRequest, RunFilter,
};
use bucketline_app::{
    Connection, DueSlots, Job, JobSchedule, Keep, Origin, OriginKind, Overlap, Pause, Run, RunId,
    RunState, SlotPlan, Store,
};

use super::{
    at, cases, change, claimed, ending, failure, job, new_job, new_run, node, queued, ran,
};

cases! {
    connections_are_found_by_name_and_label
    jobs_are_found_by_all_that_they_have
    a_cursor_of_another_list_is_refused
    runs_are_found_by_all_that_they_have
    every_filter_lists_and_counts_the_same_runs
}

/// All items of a list, page by page, and its count.
macro_rules! everything {
    ($store:expr, $list:ident, $filter:expr) => {{
        let mut found = Vec::new();
        let mut page = PageRequest::first(3);
        loop {
            let part = $store.$list($filter, &page).await.unwrap();
            assert!(part.items.len() <= 3);
            found.extend(part.items);
            match part.next {
                // The cursor goes through its text, as in an address.
                Some(cursor) => page = PageRequest::after(cursor.to_string().parse().unwrap(), 3),
                None => {
                    assert_eq!(part.total, Count::Exactly(found.len() as u64));
                    break found;
                }
            }
        }
    }};
}

async fn connections_are_found_by_name_and_label(store: Arc<dyn Store>) {
    for (name, label) in [
        ("Zeta", "Vienna"),
        ("alpha_1", "Graz"),
        ("ALPHA 2", "vienna"),
        ("Ärmel", "Vien%"),
    ] {
        let connection = Connection {
            name: name.to_owned(),
            properties: Default::default(),
            labels: vec![label.to_owned()],
        };
        store
            .create_connection(&connection, &change(1))
            .await
            .unwrap();
    }
    let names = async |text: Option<&str>, label: Option<&str>| {
        let filter = ConnectionFilter {
            text: text.map(str::to_owned),
            label: label.map(str::to_owned),
        };
        let found = everything!(store, connections, &filter);
        found
            .into_iter()
            .map(|entry| entry.connection.value.name)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        names(None, None).await,
        ["ALPHA 2", "alpha_1", "Zeta", "Ärmel"]
    );
    assert_eq!(names(Some("alpha"), None).await, ["ALPHA 2", "alpha_1"]);
    assert_eq!(names(Some("a_"), None).await, ["alpha_1"]);
    assert_eq!(names(Some("äRM"), None).await, ["Ärmel"]);
    assert_eq!(names(None, Some("VIENNA")).await, ["ALPHA 2", "Zeta"]);
    assert_eq!(names(None, Some("Vien%")).await, ["Ärmel"]);
    assert!(names(None, Some("Vien")).await.is_empty());
    assert_eq!(names(Some("z"), Some("Vienna")).await, ["Zeta"]);
}

async fn jobs_are_found_by_all_that_they_have(store: Arc<dyn Store>) {
    let node = node(&*store, "a").await;
    let schedule = JobSchedule {
        cron: "*/10 * * * *".to_owned(),
        zone: None,
        overlap: Overlap::Skip,
        catch_up: None,
        jitter: None,
        enabled: true,
    };
    let mut ids = Vec::new();
    for number in 0..8 {
        let new = Job {
            source: ["one", "two"][number % 2].to_owned(),
            labels: vec![format!("group {}", number % 3)],
            schedule: (number < 4).then(|| JobSchedule {
                enabled: number != 0,
                ..schedule.clone()
            }),
            ..new_job(&format!("Job {number}"))
        };
        ids.push(store.create_job(&new, &change(0)).await.unwrap().job.id);
    }
    let pause = Pause {
        at: at(1),
        why: "holidays".to_owned(),
    };
    store
        .pause_job(ids[1], Some(&pause), &change(1))
        .await
        .unwrap();
    ran(&*store, node, ids[5], RunState::Failed, 2).await;
    ran(&*store, node, ids[6], RunState::Succeeded, 3).await;
    let numbers = async |filter: JobFilter| {
        let found = everything!(store, jobs, &filter);
        let number = |name: &str| name.trim_start_matches("Job ").parse::<u8>().unwrap();
        found
            .iter()
            .map(|entry| number(&entry.job.value.name))
            .collect::<Vec<_>>()
    };
    let all = JobFilter::default;
    assert_eq!(numbers(all()).await, [0, 1, 2, 3, 4, 5, 6, 7]);
    let text = Some("jOB 3".to_owned());
    assert_eq!(numbers(JobFilter { text, ..all() }).await, [3]);
    let label = Some("Group 1".to_owned());
    assert_eq!(numbers(JobFilter { label, ..all() }).await, [1, 4, 7]);
    let connection = Some("TWO".to_owned());
    assert_eq!(
        numbers(JobFilter {
            connection,
            ..all()
        })
        .await,
        [1, 3, 5, 7]
    );
    let connection = Some("copy of job 2".to_owned());
    assert_eq!(
        numbers(JobFilter {
            connection,
            ..all()
        })
        .await,
        [2]
    );
    let scheduled = Some(true);
    assert_eq!(numbers(JobFilter { scheduled, ..all() }).await, [2, 3]);
    let scheduled = Some(false);
    assert_eq!(
        numbers(JobFilter { scheduled, ..all() }).await,
        [0, 1, 4, 5, 6, 7]
    );
    let last = vec![RunState::Failed, RunState::Partial];
    assert_eq!(numbers(JobFilter { last, ..all() }).await, [5]);
}

async fn a_cursor_of_another_list_is_refused(store: Arc<dyn Store>) {
    for name in ["A", "B"] {
        job(&*store, name).await;
    }
    let page = store
        .jobs(&JobFilter::default(), &PageRequest::first(1))
        .await
        .unwrap();
    let page = PageRequest::after(page.next.unwrap(), 1);
    let refused = store.runs(&RunFilter::default(), &page).await;
    assert_eq!(refused.unwrap_err().code(), "BL0307");
    let refused = store.connections(&ConnectionFilter::default(), &page).await;
    assert_eq!(refused.unwrap_err().code(), "BL0307");
}

async fn runs_are_found_by_all_that_they_have(store: Arc<dyn Store>) {
    let node = node(&*store, "a").await;
    let api = job(&*store, "Acme API").await.job.id;
    let web = job(&*store, "Acme Web").await.job.id;
    let first = ran(&*store, node, api, RunState::Succeeded, 10).await.id;
    let second = ran(&*store, node, web, RunState::Failed, 20).await.id;
    let slots = DueSlots {
        job: api,
        due: vec![at(30)],
        then: SlotPlan::Missed {
            reason: "nobody was there".to_owned(),
        },
        owed_from: at(30),
        at: at(30),
    };
    let third = store.take_slots(&slots).await.unwrap().run.unwrap().id;
    let ids = async |filter: RunFilter| {
        let found = everything!(store, runs, &filter);
        found.iter().map(|run| run.id).collect::<Vec<_>>()
    };
    let all = RunFilter::default;
    assert_eq!(ids(all()).await, [third, second, first]);
    let job = Some(api);
    assert_eq!(ids(RunFilter { job, ..all() }).await, [third, first]);
    let states = vec![RunState::Failed, RunState::Missed];
    assert_eq!(ids(RunFilter { states, ..all() }).await, [third, second]);
    let origins = vec![OriginKind::Schedule];
    assert_eq!(ids(RunFilter { origins, ..all() }).await, [third]);
    let (from, until) = (Some(at(20)), Some(at(30)));
    assert_eq!(
        ids(RunFilter {
            from,
            until,
            ..all()
        })
        .await,
        [second]
    );
    for (text, expected) in [
        ("acme", vec![third, second, first]),
        ("WEB", vec![second]),
        ("bl3107", vec![second]),
        ("is ABOUT", vec![second]),
        ("%", vec![]),
    ] {
        let text = Some(text.to_owned());
        assert_eq!(ids(RunFilter { text, ..all() }).await, expected);
    }
    let text = Some("bl3107".to_owned());
    let filter = RunFilter {
        job: Some(api),
        text,
        ..all()
    };
    assert_eq!(ids(filter).await, [] as [RunId; 0]);
}

/// Many runs in all states, made in a random order; then each filter is held against the runs read one by one.
async fn every_filter_lists_and_counts_the_same_runs(store: Arc<dyn Store>) {
    let mut random = fastrand::Rng::with_seed(7);
    let node = node(&*store, "a").await;
    let mut jobs = Vec::new();
    for name in ["Alpha", "Beta", "Gamma", "Beta 2"] {
        jobs.push(job(&*store, name).await.job.id);
    }
    for step in 0..150_i64 {
        let job = jobs[random.usize(..jobs.len())];
        match random.u8(..8) {
            0 => {
                let slots = DueSlots {
                    job,
                    due: vec![at(step * 60)],
                    then: SlotPlan::Run {
                        ready_at: at(step),
                        overlap: Overlap::QueueOne,
                    },
                    owed_from: at(step * 60),
                    at: at(step),
                };
                store.take_slots(&slots).await.unwrap();
            }
            1..=3 => {
                let mut run = new_run(job, step);
                run.origin = match random.bool() {
                    true => Origin::Schedule,
                    false => Origin::Api {
                        token: "deploy".to_owned(),
                    },
                };
                store.queue_run(&run, at(step)).await.unwrap();
            }
            _ => {
                let Some(held) = claimed(&*store, node, step).await else {
                    continue;
                };
                let mut end = ending(RunState::Succeeded, step);
                match random.u8(..6) {
                    0 => {
                        end.state = RunState::Failed;
                        end.failure = Some(failure(["BL3107", "BL3101"][random.usize(..2)]));
                    }
                    1 => end.state = RunState::Cancelled,
                    2 => {
                        store.release_run(&held.claim, at(step)).await.unwrap();
                        continue;
                    }
                    _ => {}
                }
                store.finish_run(&held.claim, &end).await.unwrap();
            }
        }
    }
    queued(&*store, job(&*store, "Delta").await.job.id, 151).await;
    check_filters(&*store, &mut random, &jobs).await;
    let keep = Keep {
        days: 90,
        runs: 5,
        event_days: 14,
    };
    store
        .prune(&PruneRequest { keep, most: 1000 }, at(200))
        .await
        .unwrap();
    check_filters(&*store, &mut random, &jobs).await;
}

async fn check_filters(
    store: &dyn Store,
    random: &mut fastrand::Rng,
    jobs: &[bucketline_app::JobId],
) {
    let mut all: Vec<Run> = Vec::new();
    for id in 1..=500 {
        all.extend(store.run(RunId(id)).await.unwrap());
    }
    all.sort_by_key(|run| std::cmp::Reverse((run.queued_at, run.id)));
    for _ in 0..40 {
        let mut filter = RunFilter::default();
        if random.u8(..3) == 0 {
            filter.job = Some(jobs[random.usize(..jobs.len())]);
        }
        if random.bool() {
            filter.states = RunState::ALL
                .iter()
                .copied()
                .filter(|_| random.bool())
                .collect();
        }
        if random.u8(..3) == 0 {
            filter.origins = OriginKind::ALL
                .iter()
                .copied()
                .filter(|_| random.bool())
                .collect();
        }
        if random.u8(..3) == 0 {
            filter.from = Some(at(random.i64(0..150)));
            filter.until = Some(at(random.i64(0..150)));
        }
        if random.u8(..3) == 0 {
            let texts = ["beta", "BL31", "3101", "a", "nothing"];
            filter.text = Some(texts[random.usize(..texts.len())].to_owned());
        }
        let expected: Vec<_> = all
            .iter()
            .filter(|run| fits(&filter, run))
            .cloned()
            .collect();
        let found = everything!(store, runs, &filter);
        assert_eq!(found, expected, "{filter:?}");
    }
}

fn fits(filter: &RunFilter, run: &Run) -> bool {
    let has_text = |text: &String| {
        let of_failure = run
            .failure
            .iter()
            .flat_map(|it| [it.code.as_str(), it.message.as_str()]);
        let mut texts = std::iter::once(run.job_name.as_str()).chain(of_failure);
        texts.any(|found| found.to_lowercase().contains(&text.to_lowercase()))
    };
    filter.job.is_none_or(|job| job == run.job)
        && (filter.states.is_empty() || filter.states.contains(&run.state))
        && (filter.origins.is_empty() || filter.origins.contains(&run.origin.kind()))
        && filter.from.is_none_or(|from| run.queued_at >= from)
        && filter.until.is_none_or(|until| run.queued_at < until)
        && filter.text.as_ref().is_none_or(has_text)
}
