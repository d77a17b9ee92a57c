//! Connections and jobs.

use std::collections::BTreeMap;
use std::sync::Arc;

use bucketline_app::store::PageRequest;
use bucketline_app::{
    Connection, ConnectionTest, FollowStep, FollowUp, FollowWhen, Job, JobSchedule, Overlap, Pause,
    Problems, RunState, Store, Task,
};

use super::{at, cases, change, claimed, failure, job, new_job, node, queued, ran};

cases! {
    names_are_unique_without_regard_to_case
    an_edit_of_an_old_revision_is_refused
    jobs_follow_the_new_name_of_a_connection
    jobs_follow_the_new_name_of_a_job
    a_connection_in_use_stays
    tasks_keep_their_numbers
    new_tables_become_tasks_once
    what_is_wrong_is_not_saved
    every_change_makes_the_generation_grow
    a_test_holds_until_the_properties_change
    a_deleted_job_leaves_its_history
    a_job_that_is_needed_stays
    a_pause_owes_nothing
    a_new_schedule_owes_nothing_of_before
}

fn connection(name: &str) -> Connection {
    Connection {
        name: name.to_owned(),
        properties: BTreeMap::from([
            ("Token".to_owned(), "env:TOKEN".to_owned()),
            ("Workspace".to_owned(), "acme".to_owned()),
        ]),
        labels: vec!["Vienna".to_owned()],
    }
}

fn schedule(cron: &str) -> JobSchedule {
    JobSchedule {
        cron: cron.to_owned(),
        zone: None,
        overlap: Overlap::Skip,
        catch_up: None,
        jitter: None,
        enabled: true,
    }
}

async fn names_are_unique_without_regard_to_case(store: Arc<dyn Store>) {
    let cloud = connection("Düne");
    let made = store.create_connection(&cloud, &change(1)).await.unwrap();
    assert_eq!(made.connection.value, cloud);
    assert_eq!(
        (made.connection.created_at, made.connection.changed_at),
        (at(1), at(1))
    );
    let again = store
        .create_connection(&connection("DÜNE"), &change(2))
        .await;
    assert_eq!(again.unwrap_err().code(), "BL0302");
    assert_eq!(store.connection("dÜne").await.unwrap(), Some(made));

    job(&*store, "Nightly").await;
    let again = store.create_job(&new_job("NIGHTLY"), &change(2)).await;
    assert_eq!(again.unwrap_err().code(), "BL0302");
    let weekly = job(&*store, "Weekly").await.job;
    let renamed = new_job("nightly");
    let renamed = store
        .replace_job(weekly.id, &renamed, weekly.revision, &change(3))
        .await;
    assert_eq!(renamed.unwrap_err().code(), "BL0302");
    // In other letters it is the same name.
    let same = Job {
        name: "WEEKLY".to_owned(),
        ..weekly.value.clone()
    };
    let same = store
        .replace_job(weekly.id, &same, weekly.revision, &change(3))
        .await
        .unwrap();
    assert_eq!(store.job_named("weekly").await.unwrap(), Some(same));
}

async fn an_edit_of_an_old_revision_is_refused(store: Arc<dyn Store>) {
    let first = store
        .create_connection(&connection("cloud"), &change(1))
        .await
        .unwrap()
        .connection;
    let mut changed = first.value.clone();
    changed.labels.clear();
    let second = store
        .replace_connection(first.id, &changed, first.revision, &change(2))
        .await
        .unwrap()
        .connection;
    assert_eq!((second.value.labels.len(), second.changed_at), (0, at(2)));
    let stale = store
        .replace_connection(first.id, &first.value, first.revision, &change(3))
        .await;
    assert_eq!(stale.unwrap_err().code(), "BL0303");
    let stale = store
        .delete_connection(first.id, first.revision, &change(3))
        .await;
    assert_eq!(stale.unwrap_err().code(), "BL0303");
    store
        .delete_connection(first.id, second.revision, &change(3))
        .await
        .unwrap();
    let gone = store
        .delete_connection(first.id, second.revision, &change(4))
        .await;
    assert_eq!(gone.unwrap_err().code(), "BL0301");

    let first = job(&*store, "Nightly").await.job;
    let second = store
        .replace_job(first.id, &first.value, first.revision, &change(2))
        .await
        .unwrap();
    assert_ne!(second.job.revision, first.revision);
    let stale = store
        .replace_job(first.id, &first.value, first.revision, &change(3))
        .await;
    assert_eq!(stale.unwrap_err().code(), "BL0303");
    let stale = store.delete_job(first.id, first.revision, &change(3)).await;
    assert_eq!(stale.unwrap_err().code(), "BL0303");
}

async fn jobs_follow_the_new_name_of_a_connection(store: Arc<dyn Store>) {
    let cloud = store
        .create_connection(&connection("cloud"), &change(1))
        .await
        .unwrap()
        .connection;
    let before = job(&*store, "Nightly").await.job;
    let renamed = connection("Bitbucket");
    store
        .replace_connection(cloud.id, &renamed, cloud.revision, &change(2))
        .await
        .unwrap();
    let after = store.job(before.id).await.unwrap().unwrap().job;
    assert_eq!(after.value.source, "Bitbucket");
    assert_eq!(after.value.destination, before.value.destination);
    assert_ne!(after.revision, before.revision);
}

async fn jobs_follow_the_new_name_of_a_job(store: Arc<dyn Store>) {
    let load = job(&*store, "Load").await.job;
    let derive = Job {
        after: vec![
            FollowUp {
                when: FollowWhen::Succeeded,
                step: FollowStep::Job("LOAD".to_owned()),
            },
            FollowUp {
                when: FollowWhen::Failed,
                step: FollowStep::Sql("SELECT 1".to_owned()),
            },
        ],
        ..new_job("Derive")
    };
    let derive = store.create_job(&derive, &change(1)).await.unwrap().job;
    let renamed = Job {
        name: "Fetch".to_owned(),
        ..load.value.clone()
    };
    store
        .replace_job(load.id, &renamed, load.revision, &change(2))
        .await
        .unwrap();
    let after = store.job(derive.id).await.unwrap().unwrap().job.value.after;
    assert_eq!(after[0].step, FollowStep::Job("Fetch".to_owned()));
    assert_eq!(after[1], derive.value.after[1]);
}

async fn a_connection_in_use_stays(store: Arc<dyn Store>) {
    let cloud = store
        .create_connection(&connection("CLOUD"), &change(1))
        .await
        .unwrap()
        .connection;
    let nightly = job(&*store, "Nightly").await.job;
    let error = store
        .delete_connection(cloud.id, cloud.revision, &change(2))
        .await
        .unwrap_err();
    assert_eq!(error.code(), "BL0304");
    assert!(error.to_string().contains("`Nightly`"), "{error}");
    store
        .delete_job(nightly.id, nightly.revision, &change(3))
        .await
        .unwrap();
    store
        .delete_connection(cloud.id, cloud.revision, &change(4))
        .await
        .unwrap();
    assert_eq!(store.connection("cloud").await.unwrap(), None);
}

async fn tasks_keep_their_numbers(store: Arc<dyn Store>) {
    let mut wanted = new_job("Nightly");
    wanted.tasks = ["REPLICATE A", "REPLICATE B", "REPLICATE C"]
        .map(Task::new)
        .to_vec();
    let made = store.create_job(&wanted, &change(1)).await.unwrap().job;
    let [a, b, c] = made.value.tasks.as_slice() else {
        panic!()
    };
    assert_eq!(b.statement, "REPLICATE B");
    let mut edited = made.value.clone();
    // C before A, B gone, A edited and switched off, D new.
    edited.tasks = vec![
        c.clone(),
        Task {
            statement: "REPLICATE A -- all of it".to_owned(),
            enabled: false,
            ..a.clone()
        },
        Task::new("REPLICATE D"),
    ];
    let after = store
        .replace_job(made.id, &edited, made.revision, &change(2))
        .await
        .unwrap()
        .job;
    let [c2, a2, d2] = after.value.tasks.as_slice() else {
        panic!()
    };
    assert_eq!((c2, a2), (&edited.tasks[0], &edited.tasks[1]));
    assert_eq!(d2.statement, "REPLICATE D");
    assert!(![a.id, b.id, c.id].contains(&d2.id));
    // A task of another job is none of this one.
    let mut foreign = job(&*store, "Other").await.job.value;
    foreign.tasks[0].statement = "REPLICATE X".to_owned();
    let refused = Job {
        tasks: foreign.tasks,
        ..after.value.clone()
    };
    let error = store
        .replace_job(made.id, &refused, after.revision, &change(3))
        .await
        .unwrap_err();
    assert_eq!(Problems::of(&error)[0].place, "tasks[0].id");
    assert_eq!(store.job(made.id).await.unwrap().unwrap().job, after);
}

async fn new_tables_become_tasks_once(store: Arc<dyn Store>) {
    let made = job(&*store, "Nightly").await.job;
    let found = [
        "REPLICATE Issues",
        "REPLICATE Branches",
        "REPLICATE Commits",
    ]
    .map(Task::new);
    let added = store
        .append_tasks(made.id, &found, &change(2))
        .await
        .unwrap();
    let added: Vec<_> = added
        .iter()
        .map(|task| (task.id.is_some(), task.statement.as_str()))
        .collect();
    assert_eq!(
        added,
        [(true, "REPLICATE Branches"), (true, "REPLICATE Commits")]
    );
    let after = store.job(made.id).await.unwrap().unwrap().job;
    assert_eq!(after.value.tasks[0], made.value.tasks[0]);
    assert_eq!(
        store
            .append_tasks(made.id, &found, &change(3))
            .await
            .unwrap(),
        []
    );
    // Nothing was added, hence nothing changed.
    assert_eq!(store.job(made.id).await.unwrap().unwrap().job, after);
}

async fn what_is_wrong_is_not_saved(store: Arc<dyn Store>) {
    let mut wrong = connection("cloud");
    // Not even sealed: everybody sees addresses.
    let address = "https://user:planted@api.example".to_owned();
    wrong.properties.insert("BaseURL".to_owned(), address);
    let error = store
        .create_connection(&wrong, &change(1))
        .await
        .unwrap_err();
    assert_eq!(error.code(), "BL0001");
    assert_eq!(Problems::of(&error)[0].place, "properties.BaseURL");
    let mut wrong = new_job("Nightly");
    wrong.tasks.push(Task::new("DROP TABLE Issues"));
    let error = store.create_job(&wrong, &change(1)).await.unwrap_err();
    assert_eq!(Problems::of(&error)[0].code, "BL0007");
    assert_eq!(store.job_named("Nightly").await.unwrap(), None);
}

async fn every_change_makes_the_generation_grow(store: Arc<dyn Store>) {
    let mut last = store.generation().await.unwrap();
    let mut grown = async || {
        let now = store.generation().await.unwrap();
        let grown = now > last;
        last = now;
        grown
    };
    assert!(!grown().await);
    store
        .create_connection(&connection("cloud"), &change(1))
        .await
        .unwrap();
    assert!(grown().await);
    let made = job(&*store, "Nightly").await.job;
    assert!(grown().await);
    let pause = Pause {
        at: at(2),
        why: "holidays".to_owned(),
    };
    store
        .pause_job(made.id, Some(&pause), &change(2))
        .await
        .unwrap();
    assert!(grown().await);
    let refused = store.create_job(&new_job("nightly"), &change(3)).await;
    assert!(refused.is_err() && !grown().await);
    store
        .delete_job(made.id, made.revision, &change(4))
        .await
        .unwrap();
    assert!(grown().await);
}

async fn a_test_holds_until_the_properties_change(store: Arc<dyn Store>) {
    let made = store
        .create_connection(&connection("cloud"), &change(1))
        .await
        .unwrap()
        .connection;
    let test = ConnectionTest {
        at: at(2),
        failure: Some(failure("BL3101")),
    };
    store
        .note_test(made.id, made.revision, &test)
        .await
        .unwrap();
    let mut value = made.value.clone();
    value.labels.clear();
    let after = store
        .replace_connection(made.id, &value, made.revision, &change(3))
        .await
        .unwrap();
    assert_eq!(after.tested, Some(test.clone()));
    value
        .properties
        .insert("Workspace".to_owned(), "other".to_owned());
    let revision = after.connection.revision;
    let after = store
        .replace_connection(made.id, &value, revision, &change(4))
        .await
        .unwrap();
    assert_eq!(after.tested, None);
    // A test of what it was says nothing about what it is.
    store
        .note_test(made.id, made.revision, &test)
        .await
        .unwrap();
    assert_eq!(store.connection("cloud").await.unwrap(), Some(after));
}

async fn a_deleted_job_leaves_its_history(store: Arc<dyn Store>) {
    let node = node(&*store, "a").await;
    let made = job(&*store, "Nightly").await.job;
    let run = ran(&*store, node, made.id, RunState::Succeeded, 1).await;
    let waiting = queued(&*store, made.id, 2).await;
    store
        .delete_job(made.id, made.revision, &change(3))
        .await
        .unwrap();
    assert_eq!(store.job(made.id).await.unwrap(), None);
    assert_eq!(store.run(run.id).await.unwrap(), Some(run));
    let waiting = store.run(waiting.id).await.unwrap().unwrap();
    assert_eq!(
        (waiting.state, waiting.ended_at),
        (RunState::Cancelled, Some(at(3)))
    );
    assert_eq!(waiting.job_name, "Nightly");
    let page = store
        .jobs(&Default::default(), &PageRequest::first(10))
        .await
        .unwrap();
    assert_eq!(page.items, []);
    // The name is free.
    assert_ne!(job(&*store, "NIGHTLY").await.job.id, made.id);
}

async fn a_job_that_is_needed_stays(store: Arc<dyn Store>) {
    let node = node(&*store, "a").await;
    let made = job(&*store, "Nightly").await.job;
    queued(&*store, made.id, 1).await;
    let claim = claimed(&*store, node, 1).await.unwrap().claim;
    let error = store
        .delete_job(made.id, made.revision, &change(2))
        .await
        .unwrap_err();
    assert_eq!(error.code(), "BL0304");
    store.release_run(&claim, at(3)).await.unwrap();
    let follower = Job {
        after: vec![FollowUp {
            when: FollowWhen::Ended,
            step: FollowStep::Job("nightly".to_owned()),
        }],
        ..new_job("First")
    };
    store.create_job(&follower, &change(4)).await.unwrap();
    let error = store
        .delete_job(made.id, made.revision, &change(5))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("`First`"), "{error}");
}

async fn a_pause_owes_nothing(store: Arc<dyn Store>) {
    let made = job(&*store, "Nightly").await;
    assert_eq!((made.owed_from, made.paused), (at(0), None));
    let pause = Pause {
        at: at(10),
        why: "holidays".to_owned(),
    };
    let id = made.job.id;
    let paused = store
        .pause_job(id, Some(&pause), &change(10))
        .await
        .unwrap();
    assert_eq!(paused.paused, Some(pause));
    assert_eq!(paused.job.revision, made.job.revision);
    let going_on = store.pause_job(id, None, &change(20)).await.unwrap();
    assert_eq!((going_on.paused, going_on.owed_from), (None, at(20)));
    // What goes on already owes what it owes.
    let again = store.pause_job(id, None, &change(30)).await.unwrap();
    assert_eq!(again.owed_from, at(20));
}

async fn a_new_schedule_owes_nothing_of_before(store: Arc<dyn Store>) {
    let made = job(&*store, "Nightly").await.job;
    let mut value = made.value.clone();
    value.schedule = Some(schedule("*/10 * * * *"));
    let first = store
        .replace_job(made.id, &value, made.revision, &change(10))
        .await
        .unwrap();
    assert_eq!(first.owed_from, at(10));
    value.labels.push("Vienna".to_owned());
    let second = store
        .replace_job(made.id, &value, first.job.revision, &change(20))
        .await
        .unwrap();
    assert_eq!(second.owed_from, at(10));
}
