//! What every store does: one suite, run against SQLite and against PostgreSQL.

mod accounts;
mod budgets;
mod claims;
mod definitions;
mod files;
mod history;
mod lists;
mod nodes;
mod secrets;
mod slots;
pub(crate) mod tokens;

use std::sync::Arc;

use bucketline_app::store::{Change, Claimed, Ending, Limits, NewNode, QueueAnswer};
use bucketline_app::{
    Failure, Job, JobEntry, JobId, Kind, NewRun, NodeId, Origin, Run, RunState, Store, Task, Vault,
};
use bucketline_postgres::Settings;
use bucketline_private_postgres::Server;
use chrono::{DateTime, TimeDelta, Utc};

use crate::{Place, open_with};

/// Each case gets an empty store of its own. With SQLite each is a test; with PostgreSQL those of a module share a server.
macro_rules! cases {
    ($($name:ident)*) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $name() {
                super::$name($crate::conformance::in_memory().await).await;
            })*
        }

        #[tokio::test]
        async fn in_postgres() {
            let Some(server) = $crate::conformance::server() else { return };
            $(
                // The name is in the output of a case that fails.
                eprintln!("{}", stringify!($name));
                $name($crate::conformance::in_database(&server).await).await;
            )*
        }
    };
}

use cases;

/// A vault with a key of its own.
pub(crate) fn vault() -> Vault {
    let folder = tempfile::tempdir().unwrap();
    let vault = Vault::beside(folder.path().join("secrets.key"));
    vault.to_seal(true).unwrap();
    vault
}

async fn in_memory() -> Arc<dyn Store> {
    open_with(&Place::Memory, &vault()).await.unwrap().store
}

fn server() -> Option<Server> {
    Server::for_test()
}

/// A store in a new database.
async fn in_database(server: &Server) -> Arc<dyn Store> {
    let place = place(&server.create_database().unwrap());
    open_with(&place, &vault()).await.unwrap().store
}

pub(crate) fn place(url: &str) -> Place {
    let settings = Settings::parse(url, &|_| None).unwrap();
    Place::Postgres(Box::new(settings))
}

/// So many seconds after some instant.
pub(crate) fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000, 0).unwrap() + TimeDelta::seconds(seconds)
}

/// A change by User 1.
pub(crate) fn change(seconds: i64) -> Change {
    Change::new("User 1", at(seconds))
}

/// A job with one task and a destination of its own.
pub(crate) fn new_job(name: &str) -> Job {
    Job {
        tasks: vec![Task::new("REPLICATE Issues")],
        ..Job::new(name, "cloud", format!("copy of {name}"))
    }
}

pub(crate) async fn job(store: &dyn Store, name: &str) -> JobEntry {
    store.create_job(&new_job(name), &change(0)).await.unwrap()
}

pub(crate) async fn node(store: &dyn Store, name: &str) -> NodeId {
    let node = NewNode {
        name: name.to_owned(),
        version: "0.1.0".to_owned(),
    };
    store.join(&node, at(0)).await.unwrap()
}

pub(crate) fn new_run(job: JobId, seconds: i64) -> NewRun {
    NewRun {
        job,
        origin: Origin::Person {
            name: "User 1".to_owned(),
        },
        tasks: None,
        ready_at: at(seconds),
        key: None,
    }
}

/// Queues a run that may start at once.
pub(crate) async fn queued(store: &dyn Store, job: JobId, seconds: i64) -> Run {
    let answer = store
        .queue_run(&new_run(job, seconds), at(seconds))
        .await
        .unwrap();
    match answer {
        QueueAnswer::Queued(run) => run,
        other => panic!("{other:?}"),
    }
}

pub(crate) async fn claimed(store: &dyn Store, node: NodeId, seconds: i64) -> Option<Claimed> {
    let limits = Limits::default();
    store.claim_run(node, &limits, at(seconds)).await.unwrap()
}

pub(crate) fn failure(code: &str) -> Failure {
    Failure {
        code: code.to_owned(),
        kind: Kind::Transient,
        message: format!("what {code} is about"),
        hint: None,
    }
}

pub(crate) fn ending(state: RunState, seconds: i64) -> Ending {
    Ending {
        state,
        failure: (state == RunState::Failed).then(|| failure("BL3107")),
        reason: None,
        queue: Vec::new(),
        at: at(seconds),
    }
}

/// Queues a run of the job and carries it out to its end.
pub(crate) async fn ran(
    store: &dyn Store,
    node: NodeId,
    job: JobId,
    state: RunState,
    seconds: i64,
) -> Run {
    queued(store, job, seconds).await;
    let claim = claimed(store, node, seconds).await.unwrap().claim;
    store
        .finish_run(&claim, &ending(state, seconds))
        .await
        .unwrap()
        .run
}
