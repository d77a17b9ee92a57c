//! The application as files.

use std::collections::BTreeMap;
use std::sync::Arc;

use bucketline_app::files::{Application, Texts, apply, plan};
use bucketline_app::{Connection, FollowStep, FollowUp, FollowWhen, Store, Task};

use super::{cases, change, new_job};

cases! {
    files_applied_to_an_empty_store_give_the_same_application
    a_plan_says_what_would_change_and_changes_nothing
    tasks_keep_their_history_when_files_are_applied
    what_the_files_lack_is_removed_if_that_is_asked_for
}

async fn filled(store: &dyn Store) {
    for name in ["cloud", "copy of Load", "copy of Derive"] {
        let connection = Connection {
            name: name.to_owned(),
            properties: BTreeMap::from([("Token".to_owned(), "env:TOKEN".to_owned())]),
            labels: vec!["Vienna".to_owned()],
        };
        store
            .create_connection(&connection, &change(1))
            .await
            .unwrap();
    }
    let mut load = new_job("Load");
    load.tasks = ["REPLICATE A", "REPLICATE B", "CHECKCACHE A"]
        .map(Task::new)
        .to_vec();
    load.after = vec![FollowUp {
        when: FollowWhen::Succeeded,
        step: FollowStep::Job("Derive".to_owned()),
    }];
    store.create_job(&load, &change(2)).await.unwrap();
    store
        .create_job(&new_job("Derive"), &change(3))
        .await
        .unwrap();
}

fn told(differences: &[bucketline_app::files::Difference]) -> Vec<String> {
    differences.iter().map(ToString::to_string).collect()
}

async fn files_applied_to_an_empty_store_give_the_same_application(store: Arc<dyn Store>) {
    filled(&*store).await;
    let texts = Application::of(&*store).await.unwrap().to_texts().unwrap();
    let other = super::in_memory().await;
    let wanted = texts.read().unwrap();
    let done = apply(&*other, &wanted, false, &change(9)).await.unwrap();
    assert_eq!(done.len(), 5);
    let again = Application::of(&*other).await.unwrap();
    assert_eq!(again, Application::of(&*store).await.unwrap());
    assert_eq!(again.to_texts().unwrap(), texts);
    // A second time there is nothing to do.
    let generation = other.generation().await.unwrap();
    assert_eq!(
        apply(&*other, &wanted, true, &change(10)).await.unwrap(),
        []
    );
    assert_eq!(
        apply(&*store, &wanted, true, &change(10)).await.unwrap(),
        []
    );
    assert_eq!(other.generation().await.unwrap(), generation);
}

async fn a_plan_says_what_would_change_and_changes_nothing(store: Arc<dyn Store>) {
    filled(&*store).await;
    let before = Application::of(&*store).await.unwrap();
    let mut wanted = before.clone();
    wanted.connections[0]
        .properties
        .insert("Token".to_owned(), "env:OTHER".to_owned());
    wanted.connections.remove(1);
    let load = wanted
        .jobs
        .iter_mut()
        .find(|job| job.name == "Load")
        .unwrap();
    load.tasks.swap(0, 1);
    load.pause_after = 3;
    wanted.jobs.push(new_job("New"));
    let expected = [
        "change connection cloud: Token",
        "keep connection copy of Derive, which is not in the files",
        "change job Load: pause_after, tasks[0], tasks[1]",
        "add job New",
    ];
    assert_eq!(
        told(&plan(&*store, &wanted, false).await.unwrap()),
        expected
    );
    assert_eq!(Application::of(&*store).await.unwrap(), before);
    let done = apply(&*store, &wanted, false, &change(9)).await.unwrap();
    assert_eq!(told(&done), expected);
    assert_eq!(plan(&*store, &wanted, false).await.unwrap().len(), 1);
}

async fn tasks_keep_their_history_when_files_are_applied(store: Arc<dyn Store>) {
    filled(&*store).await;
    let before = store
        .job_named("Load")
        .await
        .unwrap()
        .unwrap()
        .job
        .value
        .tasks;
    let mut wanted = Application::of(&*store).await.unwrap();
    let load = wanted
        .jobs
        .iter_mut()
        .find(|job| job.name == "Load")
        .unwrap();
    load.tasks = [
        "REPLICATE B SELECT Id FROM B",
        "REPLICATE New",
        "REPLICATE A",
        "CHECKCACHE A WITH REPAIR",
    ]
    .map(Task::new)
    .to_vec();
    apply(&*store, &wanted, false, &change(9)).await.unwrap();
    let after = store
        .job_named("Load")
        .await
        .unwrap()
        .unwrap()
        .job
        .value
        .tasks;
    let ids: Vec<_> = after.iter().map(|task| task.id).collect();
    let [a, b, check] = before.as_slice() else {
        panic!()
    };
    assert_eq!((ids[0], ids[2], ids[3]), (b.id, a.id, check.id));
    assert!(before.iter().all(|task| task.id != ids[1]));
}

async fn what_the_files_lack_is_removed_if_that_is_asked_for(store: Arc<dyn Store>) {
    filled(&*store).await;
    let texts = Texts {
        toml: "[connections.cloud]\nToken = \"env:TOKEN\"\n[labels]\ncloud = [\"Vienna\"]\n"
            .to_owned(),
        ..Texts::default()
    };
    let wanted = texts.read().unwrap();
    // Load names Derive as what follows it, so that Derive goes second.
    let done = apply(&*store, &wanted, true, &change(9)).await.unwrap();
    assert_eq!(
        told(&done),
        [
            "remove connection copy of Derive",
            "remove connection copy of Load",
            "remove job Derive",
            "remove job Load",
        ]
    );
    assert_eq!(Application::of(&*store).await.unwrap(), wanted);
}
