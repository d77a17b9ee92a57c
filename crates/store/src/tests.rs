//! What a store does when something is wrong around it, and how its schema is upgraded.

mod expiries;
mod hour;
mod secrets;
mod upgrade;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use bucketline_app::store::{NewNode, PageRequest};
use bucketline_app::{Error, RunState, Store, Vault};
use bucketline_private_postgres::Server;
use tempfile::TempDir;

use crate::conformance::{at, change, claimed, job, new_job, node, place, queued, ran};
use crate::operations::Operations;
use crate::sqlite::Sqlite;
use crate::{Place, look, open, pending, sqlite_steps};

fn file(folder: &TempDir) -> std::path::PathBuf {
    folder.path().join("state").join("app.db")
}

async fn opened(path: &Path) -> Operations<Sqlite> {
    Operations::new(
        Sqlite::open(path, sqlite_steps()).await.unwrap(),
        &Vault::closed(),
    )
}

fn code(error: &Error) -> &'static str {
    error.code().as_str()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

#[tokio::test]
async fn nobody_else_may_read_a_store_file() {
    let folder = TempDir::new().unwrap();
    let store = opened(&file(&folder)).await;
    job(&store, "Nightly").await;
    let state = folder.path().join("state");
    assert_eq!(
        fs::metadata(&state).unwrap().permissions().mode() & 0o777,
        0o700
    );
    for name in names(&state) {
        let mode = fs::metadata(state.join(&name))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[tokio::test]
async fn a_second_process_is_told_who_has_the_store() {
    let folder = TempDir::new().unwrap();
    let path = file(&folder);
    let store = opened(&path).await;
    let error = open(&Place::File(path.clone())).await.unwrap_err();
    assert_eq!(code(&error), "BL0311");
    let holder = format!("app.db is used by process {} since ", std::process::id());
    assert!(error.to_string().contains(&holder), "{error}");
    drop(store);
    open(&Place::File(path)).await.unwrap();
}

#[tokio::test]
async fn a_store_is_read_while_another_process_uses_it() {
    let folder = TempDir::new().unwrap();
    let path = file(&folder);
    let place = Place::File(path.clone());
    assert!(look(&place, &Vault::closed()).await.unwrap().is_none());
    assert!(!path.exists());
    let store = opened(&path).await;
    let made = job(&store, "Nightly").await;
    let reader = look(&place, &Vault::closed()).await.unwrap().unwrap().store;
    assert_eq!(reader.job(made.job.id).await.unwrap(), Some(made.clone()));
    let later = change(1);
    let deleted = reader.delete_job(made.job.id, made.job.revision, &later);
    assert_eq!(code(&deleted.await.unwrap_err()), "BL0313");
}

#[tokio::test]
async fn what_was_written_is_there_after_a_restart() {
    let folder = TempDir::new().unwrap();
    let path = file(&folder);
    let store = opened(&path).await;
    let made = job(&store, "Nightly").await;
    drop(store);
    let store = opened(&path).await;
    assert_eq!(store.job(made.job.id).await.unwrap(), Some(made));
}

#[tokio::test]
async fn a_file_of_others_is_not_touched() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("copy.db");
    let destination = rusqlite::Connection::open(&path).unwrap();
    destination
        .execute_batch("CREATE TABLE Issues (Id INTEGER)")
        .unwrap();
    drop(destination);
    let before = fs::read(&path).unwrap();
    let error = open(&Place::File(path.clone())).await.unwrap_err();
    assert_eq!(code(&error), "BL0315");
    assert!(error.to_string().contains("copy.db"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), before);
    let text = folder.path().join("notes.txt");
    fs::write(&text, "x".repeat(5000)).unwrap();
    let error = open(&Place::File(text)).await.unwrap_err();
    assert_eq!(code(&error), "BL0315");
}

#[tokio::test]
async fn a_full_disk_loses_nothing_and_work_goes_on() {
    let folder = TempDir::new().unwrap();
    let store = opened(&file(&folder)).await;
    let first = job(&store, "First").await;
    let limit = |store: &Operations<Sqlite>, pages: i64| {
        store.database.with_writer(|connection| {
            let sql = format!("PRAGMA max_page_count = {pages}");
            connection
                .query_row(&sql, [], |row| row.get::<_, i64>(0))
                .unwrap();
        });
    };
    // No page more than there is.
    limit(&store, 1);
    let mut number = 0;
    let error = loop {
        number += 1;
        let mut new = new_job(&format!("Job {number}"));
        new.tasks[0].statement = format!("REPLICATE Issues -- {}", "x".repeat(2000));
        match store.create_job(&new, &change(1)).await {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert_eq!(code(&error), "BL0312");
    assert!(error.kind().is_retryable() && error.to_string().contains("the disk is full"));
    assert_eq!(
        store.job_named(&format!("Job {number}")).await.unwrap(),
        None
    );
    assert_eq!(store.job(first.job.id).await.unwrap(), Some(first));
    limit(&store, 1_000_000);
    job(&store, "Second").await;
}

#[tokio::test]
async fn a_store_that_takes_no_writes_says_so_and_can_be_read() {
    let folder = TempDir::new().unwrap();
    let store = opened(&file(&folder)).await;
    let first = job(&store, "First").await;
    let read_only = |store: &Operations<Sqlite>, value: bool| {
        store.database.with_writer(|connection| {
            connection.pragma_update(None, "query_only", value).unwrap();
        });
    };
    read_only(&store, true);
    let error = store
        .create_job(&new_job("Second"), &change(1))
        .await
        .unwrap_err();
    assert_eq!(code(&error), "BL0313");
    assert_eq!(code(&store.check().await.unwrap_err()), "BL0313");
    assert_eq!(store.job(first.job.id).await.unwrap(), Some(first));
    read_only(&store, false);
    store.check().await.unwrap();
    job(&store, "Second").await;
}

#[tokio::test]
async fn a_store_file_that_is_gone_is_missed_and_goes_on_when_it_is_back() {
    let folder = TempDir::new().unwrap();
    let path = file(&folder);
    let store = opened(&path).await;
    let first = job(&store, "First").await;
    let state = folder.path().join("state");
    let away = folder.path().join("away");
    fs::rename(&state, &away).unwrap();
    let error = store
        .create_job(&new_job("Second"), &change(1))
        .await
        .unwrap_err();
    assert_eq!(
        (code(&error), error.kind().is_retryable()),
        ("BL0310", true)
    );
    assert_eq!(code(&store.job(first.job.id).await.unwrap_err()), "BL0310");
    fs::rename(&away, &state).unwrap();
    assert_eq!(store.job(first.job.id).await.unwrap(), Some(first.clone()));
    let second = job(&store, "Second").await;
    // A copy in its place is another store, with what it has.
    store.database.with_writer(|connection| {
        let copy = folder.path().join("copy.db");
        connection
            .execute("VACUUM INTO ?1", [copy.to_str().unwrap()])
            .unwrap();
    });
    job(&store, "Third").await;
    for suffix in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(state.join(format!("app.db{suffix}")));
    }
    fs::rename(folder.path().join("copy.db"), &path).unwrap();
    assert_eq!(store.job(second.job.id).await.unwrap(), Some(second));
    assert_eq!(store.job_named("Third").await.unwrap(), None);
    job(&store, "Fourth").await;
}

#[tokio::test]
async fn an_upgrade_leaves_a_copy_of_what_was() {
    let folder = TempDir::new().unwrap();
    let path = file(&folder);
    let store = opened(&path).await;
    let made = job(&store, "Nightly").await;
    drop(store);
    let version = version();
    let next = format!("V{}__more", version + 1);
    let steps = || {
        sqlite_steps()
            .and(&next, "CREATE TABLE more (x INTEGER)")
            .unwrap()
    };
    assert_eq!(
        pending(&Place::File(path.clone())).await.unwrap(),
        [] as [String; 0]
    );
    let behind = crate::sqlite::pending(&path, steps()).await.unwrap();
    assert_eq!(behind, std::slice::from_ref(&next));
    let store = Operations::new(
        Sqlite::open(&path, steps()).await.unwrap(),
        &Vault::closed(),
    );
    assert_eq!(store.job(made.job.id).await.unwrap(), Some(made.clone()));
    drop(store);
    let copy = folder
        .path()
        .join("state")
        .join(format!("app.db.v{version}"));
    assert_eq!(
        fs::metadata(&copy).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let store = opened(&copy).await;
    assert_eq!(store.job(made.job.id).await.unwrap(), Some(made));
    // The version of before refuses what the newer one has made, and names both.
    let error = open(&Place::File(path.clone())).await.unwrap_err();
    assert_eq!(code(&error), "BL0314");
    let said = format!("has the schema version {}, and Bucketline", version + 1);
    assert!(error.to_string().contains(&said), "{error}");
    assert!(
        error
            .to_string()
            .ends_with(&format!("versions up to {version}")),
        "{error}"
    );
    assert_eq!(
        code(&pending(&Place::File(path)).await.unwrap_err()),
        "BL0314"
    );
}

#[tokio::test]
async fn an_upgrade_that_fails_leaves_the_store_as_it_was() {
    let folder = TempDir::new().unwrap();
    let path = file(&folder);
    let store = opened(&path).await;
    let made = job(&store, "Nightly").await;
    drop(store);
    let version = version();
    let steps = sqlite_steps()
        .and(
            &format!("V{}__good", version + 1),
            "CREATE TABLE more (x INTEGER)",
        )
        .unwrap()
        .and(
            &format!("V{}__bad", version + 2),
            "CREATE TABLE jobs (x INTEGER)",
        )
        .unwrap();
    let error = Sqlite::open(&path, steps).await.unwrap_err();
    assert_eq!(code(&error), "BL0316");
    let store = opened(&path).await;
    assert_eq!(store.job(made.job.id).await.unwrap(), Some(made));
}

/// The database's name in its URL.
fn name(url: &str) -> &str {
    url.rsplit('/').next().unwrap()
}

/// The version of this schema.
fn version() -> i64 {
    let steps = sqlite_steps().behind("", None).unwrap();
    steps.len().try_into().unwrap()
}

#[tokio::test]
async fn postgres_gone_and_back_loses_nothing() {
    let Some(mut server) = Server::for_test() else {
        return;
    };
    let database = server.create_database().unwrap();
    let store = open(&place(&database)).await.unwrap();
    let a = node(&*store, "a").await;
    let made = job(&*store, "Nightly").await;
    queued(&*store, made.job.id, 1).await;
    let held = claimed(&*store, a, 2).await.unwrap();
    assert!(store.lead(a).await.unwrap());
    server.kill().unwrap();
    let error = store.job(made.job.id).await.unwrap_err();
    assert_eq!(
        (code(&error), error.kind().is_retryable()),
        ("BL0310", true)
    );
    assert!(store.lead(a).await.is_err());
    server.restart().unwrap();
    // All connections that were kept are broken; nobody notices.
    for second in 3..20 {
        store.beat(a, at(second)).await.unwrap();
    }
    assert!(store.lead(a).await.unwrap());
    let end = crate::conformance::ending(RunState::Succeeded, 20);
    store.finish_run(&held.claim, &end).await.unwrap();
}

#[tokio::test]
async fn a_read_only_postgres_says_so() {
    let Some(server) = Server::for_test() else {
        return;
    };
    let database = server.create_database().unwrap();
    let place = place(&database);
    let store = open(&place).await.unwrap();
    let name = name(&database);
    let sql = format!("ALTER DATABASE \"{name}\" SET default_transaction_read_only = on");
    server.execute(name, &sql).unwrap();
    let Place::Postgres(settings) = &place else {
        panic!()
    };
    // Our transactions say what they want; the schema's upgrade does not.
    let steps = crate::schema::Steps::of(&crate::schema::postgres::migrations::runner())
        .and("V99__more", "CREATE TABLE more (x BIGINT)")
        .unwrap();
    let error = crate::postgres::Postgres::open(settings, &steps)
        .await
        .unwrap_err();
    assert!(["BL0313", "BL0316"].contains(&code(&error)), "{error}");
    store.check().await.unwrap();
}

#[tokio::test]
async fn nodes_that_start_together_upgrade_once() {
    let Some(server) = Server::for_test() else {
        return;
    };
    let place = place(&server.create_database().unwrap());
    assert_ne!(pending(&place).await.unwrap(), [] as [String; 0]);
    let starts = (0..4).map(|_| {
        let place = place.clone();
        tokio::spawn(async move { open(&place).await.unwrap() })
    });
    let mut stores = Vec::new();
    for start in starts.collect::<Vec<_>>() {
        stores.push(start.await.unwrap());
    }
    assert_eq!(pending(&place).await.unwrap(), [] as [String; 0]);
    job(&*stores[0], "Nightly").await;
    assert!(stores[3].job_named("Nightly").await.unwrap().is_some());
    // Of several processes one leads, and another takes over when it has gone.
    let a = node(&*stores[0], "a").await;
    let b = node(&*stores[1], "b").await;
    assert!(stores[0].lead(a).await.unwrap());
    assert!(!stores[1].lead(b).await.unwrap());
    drop(stores.remove(0));
    while !stores[0].lead(b).await.unwrap() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn postgres_refuses_a_newer_schema() {
    let Some(server) = Server::for_test() else {
        return;
    };
    let database = server.create_database().unwrap();
    let place = place(&database);
    open(&place).await.unwrap();
    let sql = "UPDATE bucketline_app.refinery_schema_history SET version = 99 \
               WHERE version = (SELECT max(version) FROM bucketline_app.refinery_schema_history)";
    server.execute(name(&database), sql).unwrap();
    let error = open(&place).await.unwrap_err();
    assert_eq!(code(&error), "BL0314");
    assert!(error.to_string().contains("version 99"), "{error}");
}

/// Runs end in the order in which they were claimed, however often the process is restarted in between.
#[tokio::test]
async fn a_restart_takes_up_what_was_running() {
    let folder = TempDir::new().unwrap();
    let path = file(&folder);
    let store = opened(&path).await;
    let old = node(&store, "old").await;
    let id = job(&store, "Nightly").await.job.id;
    ran(&store, old, id, RunState::Succeeded, 1).await;
    queued(&store, id, 2).await;
    let held = claimed(&store, old, 3).await.unwrap();
    drop(store);
    let store = opened(&path).await;
    let new = NewNode {
        name: "new".to_owned(),
        version: "0.1.0".to_owned(),
    };
    let new = store.join(&new, at(4)).await.unwrap();
    let silence = bucketline_app::store::Silence {
        but: new,
        // The old one was heard just before, and is dead all the same.
        since: at(0),
        most: 3,
        failure: crate::conformance::failure("BL0201"),
    };
    let given_up = store.reclaim(&silence, at(4)).await.unwrap();
    assert_eq!((given_up.len(), given_up[0].run), (1, held.run.id));
    let again = claimed(&store, new, 5).await.unwrap();
    assert_eq!(again.run.id, held.run.id);
    let page = store
        .runs(&Default::default(), &PageRequest::first(10))
        .await
        .unwrap();
    assert_eq!(page.items.len(), 2);
}
