//! A store of every released schema, upgraded to this one: `fixtures/vN.json` has its rows, `fixtures/vN.read.json` what is
//! read from it.
//!
//! `UPDATE_FIXTURE=1 cargo nextest run -p bucketline-store the_fixture_of_this_schema` writes those of a new schema. The files
//! of a released schema never change.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use bucketline_app::store::{EventFilter, PageRequest, SlotFilter};
use bucketline_app::{
    Connection, ConnectionTest, DueSlots, FollowStep, FollowUp, FollowWhen, Job, JobId, JobKind,
    JobSchedule, Keep, Level, NewEvent, NewTaskRun, Overlap, Pause, Result, RunState, SliceResult,
    SlotPlan, Step, Store, Task, TaskEnding, Totals, Vault,
};
use bucketline_private_postgres::Server;
use serde_json::{Value as Json, json};

use crate::conformance::{at, change, claimed, ending, failure, new_job, node, place, queued};
use crate::database::{Database, Mode, Transaction, Value};
use crate::operations::Operations;
use crate::postgres::Postgres;
use crate::schema::{self, Steps};
use crate::sqlite::Sqlite;
use crate::{Place, sqlite_steps};

/// The tables, those first that others refer to.
const TABLES: [&str; 19] = [
    "application",
    "connections",
    "secrets",
    "secret_keys",
    "accounts",
    "sessions",
    "api_tokens",
    "audit",
    "jobs",
    "tasks",
    "nodes",
    "runs",
    "run_counts",
    "slots",
    "task_runs",
    "slices",
    "events",
    "budgets",
    "tokens",
];

/// The rows of a table: columns and values by position.
type Rows = BTreeMap<String, (Vec<String>, Vec<Vec<Json>>)>;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures")
        .join(name)
}

fn read_json(name: &str) -> Json {
    serde_json::from_str(&fs::read_to_string(fixture(name)).unwrap()).unwrap()
}

/// Some of everything that a store has.
async fn fill(store: &dyn Store) {
    let cloud = Connection {
        name: "Cloud".to_owned(),
        properties: BTreeMap::from([("Token".to_owned(), "env:TOKEN".to_owned())]),
        labels: vec!["Vienna".to_owned()],
    };
    let cloud = store
        .create_connection(&cloud, &change(0))
        .await
        .unwrap()
        .connection;
    let test = ConnectionTest {
        at: at(1),
        failure: Some(failure("BL3101")),
    };
    store
        .note_test(cloud.id, cloud.revision, &test)
        .await
        .unwrap();
    let full = Job {
        kind: JobKind::SyncAll {
            exclude: vec!["Commits".to_owned()],
        },
        tasks: vec![
            Task::new("-- all\nREPLICATE Issues"),
            Task {
                enabled: false,
                ..Task::new("CHECKCACHE Issues")
            },
        ],
        schedule: Some(JobSchedule {
            cron: "*/10 * * * *".to_owned(),
            zone: Some("Europe/Vienna".to_owned()),
            overlap: Overlap::QueueOne,
            catch_up: Some(60),
            jitter: Some(5),
            enabled: true,
        }),
        options: BTreeMap::from([("BatchSize".to_owned(), "100".to_owned())]),
        labels: vec!["Nightly".to_owned()],
        after: vec![FollowUp {
            when: FollowWhen::Ended,
            step: FollowStep::Sql("SELECT 1".to_owned()),
        }],
        keep: Some(Keep::default()),
        ..new_job("Full")
    };
    let job = store.create_job(&full, &change(2)).await.unwrap().job;
    let other = store
        .create_job(&new_job("Other"), &change(3))
        .await
        .unwrap()
        .job;
    let pause = Pause {
        at: at(4),
        why: "holidays".to_owned(),
    };
    store
        .pause_job(other.id, Some(&pause), &change(4))
        .await
        .unwrap();
    let node = node(store, "a").await;
    let slots = |due: &[i64], then| DueSlots {
        job: job.id,
        due: due.iter().map(|seconds| at(*seconds)).collect(),
        then,
        owed_from: at(100),
        at: at(100),
    };
    let missed = SlotPlan::Missed {
        reason: "nobody was there".to_owned(),
    };
    store.take_slots(&slots(&[10, 20], missed)).await.unwrap();
    let run = SlotPlan::Run {
        ready_at: at(30),
        overlap: Overlap::Skip,
    };
    store.take_slots(&slots(&[30], run)).await.unwrap();
    let claim = claimed(store, node, 100).await.unwrap().claim;
    let task = NewTaskRun {
        step: Step::Task {
            task: job.value.tasks[0].id.unwrap(),
        },
        statement: "REPLICATE Issues".to_owned(),
        table: Some("Issues".to_owned()),
        at: at(101),
    };
    let task = store.begin_task(&claim, &task).await.unwrap();
    let totals = Totals {
        read: 1,
        inserted: 2,
        updated: 3,
        deleted: 4,
        requests: 5,
        waited_ms: 6,
    };
    let slice = SliceResult {
        slice: "acme/api".to_owned(),
        outcome: "failed".to_owned(),
        totals,
        elapsed_ms: 7,
        failure: Some(failure("BL3103")),
    };
    store.record_slices(&claim, task, &[slice]).await.unwrap();
    let event = |level: Level| NewEvent {
        at: at(102),
        level,
        kind: "note".to_owned(),
        task_run: Some(task),
        slice: Some("acme/api".to_owned()),
        code: Some("BL3103".to_owned()),
        text: "a note".to_owned(),
    };
    let events: Vec<_> = Level::ALL.iter().map(|level| event(*level)).collect();
    store.append_events(claim.run, &events, 3).await.unwrap();
    let end = TaskEnding {
        state: RunState::Failed,
        totals,
        failure: Some(failure("BL3103")),
        at: at(103),
    };
    store.end_task(&claim, task, &end).await.unwrap();
    store
        .finish_run(&claim, &ending(RunState::Failed, 104))
        .await
        .unwrap();
    queued(store, other.id, 105).await;
    claimed(store, node, 106).await.unwrap();
}

/// All that can be read from a store.
async fn read(store: &dyn Store) -> Json {
    let page = PageRequest::first(100);
    let connections = store
        .connections(&Default::default(), &page)
        .await
        .unwrap()
        .items;
    let jobs = store.jobs(&Default::default(), &page).await.unwrap().items;
    let runs = store.runs(&Default::default(), &page).await.unwrap().items;
    let mut tries = Vec::new();
    let mut slices = Vec::new();
    let mut events = Vec::new();
    let all = EventFilter {
        after: None,
        before: None,
        level: None,
        text: None,
        limit: 100,
    };
    for run in &runs {
        for task in store.task_runs(run.id).await.unwrap() {
            slices.push(store.slices(task.id).await.unwrap());
            tries.push(task);
        }
        events.push(store.events(run.id, &all).await.unwrap());
    }
    let slots = SlotFilter {
        job: JobId(1),
        from: None,
        until: None,
    };
    let slots = store.slots(&slots, &page).await.unwrap().items;
    let nodes = store.nodes().await.unwrap();
    json!({
        "connections": connections, "jobs": jobs, "runs": runs, "tries": tries, "slices": slices,
        "events": events, "slots": slots, "nodes": nodes,
    })
}

/// The rows of all tables of a SQLite store.
fn rows(store: &Sqlite) -> Rows {
    store.with_writer(|connection| {
        let mut tables = Rows::new();
        for table in TABLES {
            let mut statement = connection
                .prepare(&format!("SELECT * FROM {table}"))
                .unwrap();
            let columns: Vec<_> = statement.column_names().map(str::to_owned).collect();
            let width = columns.len();
            let row = |row: &rusqlite::Row<'_>| {
                let value = |index| {
                    Ok(match row.get_ref(index)? {
                        rusqlite::types::ValueRef::Null => Json::Null,
                        rusqlite::types::ValueRef::Integer(number) => number.into(),
                        other => other.as_str().unwrap().into(),
                    })
                };
                (0..width).map(value).collect::<rusqlite::Result<Vec<_>>>()
            };
            let found = statement.query_map([], row).unwrap();
            tables.insert(
                table.to_owned(),
                (columns, found.map(|row| row.unwrap()).collect()),
            );
        }
        tables
    })
}

async fn insert(tx: &mut dyn Transaction, tables: &Rows, words: &str) -> Result<()> {
    tx.execute("DELETE FROM application", &[]).await?;
    for table in TABLES {
        // A table that a later schema has.
        let Some((columns, rows)) = tables.get(table) else {
            continue;
        };
        let places: Vec<_> = (1..=columns.len())
            .map(|number| format!("?{number}"))
            .collect();
        let words = if columns.iter().any(|column| column == "id") {
            words
        } else {
            ""
        };
        let sql = format!(
            "INSERT INTO {table} ({}) {words} VALUES ({})",
            columns.join(", "),
            places.join(", ")
        );
        for row in rows {
            let values = row.iter().map(|value| match value {
                Json::Null => Value::Null,
                Json::Number(number) => Value::Integer(number.as_i64().unwrap()),
                other => Value::Text(other.as_str().unwrap().to_owned()),
            });
            tx.execute(&sql, &values.collect::<Vec<_>>()).await?;
        }
    }
    Ok(())
}

async fn put<D: Database>(database: &D, tables: Rows, words: &'static str) {
    let work: crate::database::Work<()> =
        Box::new(move |tx| Box::pin(async move { insert(tx, &tables, words).await }));
    database.transact(Mode::Write, work).await.unwrap();
}

#[tokio::test]
async fn the_fixture_of_this_schema_is_up_to_date() {
    let version = sqlite_steps().version();
    let store = Operations::new(Sqlite::in_memory(sqlite_steps()).unwrap(), &Vault::closed());
    fill(&store).await;
    let (tables, read) = (json!(rows(&store.database)), read(&store).await);
    let files = [
        (format!("v{version}.json"), tables),
        (format!("v{version}.read.json"), read),
    ];
    for (name, found) in files {
        if std::env::var_os("UPDATE_FIXTURE").is_some() {
            fs::create_dir_all(fixture("")).unwrap();
            fs::write(
                fixture(&name),
                serde_json::to_string_pretty(&found).unwrap() + "\n",
            )
            .unwrap();
        }
        assert_eq!(read_json(&name), found, "{name}");
    }
}

#[tokio::test]
async fn every_released_schema_is_upgraded_without_loss() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::for_test();
    for version in 1..=sqlite_steps().version() {
        let tables: Rows = serde_json::from_value(read_json(&format!("v{version}.json"))).unwrap();
        let expected = read_json(&format!("v{version}.read.json"));
        let path = folder.path().join(format!("{version}.db"));
        let old = Sqlite::open(&path, sqlite_steps().up_to(version))
            .await
            .unwrap();
        put(&old, tables.clone(), "").await;
        drop(old);
        let store = Operations::new(
            Sqlite::open(&path, sqlite_steps()).await.unwrap(),
            &Vault::closed(),
        );
        assert_eq!(read(&store).await, expected, "SQLite, version {version}");

        let Some(server) = &server else { continue };
        let Place::Postgres(settings) = place(&server.create_database().unwrap()) else {
            panic!()
        };
        let steps = || Steps::of(&schema::postgres::migrations::runner());
        let old = Postgres::open(&settings, &steps().up_to(version))
            .await
            .unwrap();
        put(&old, tables, "OVERRIDING SYSTEM VALUE").await;
        drop(old);
        let store = Operations::new(
            Postgres::open(&settings, &steps()).await.unwrap(),
            &Vault::closed(),
        );
        assert_eq!(
            read(&store).await,
            expected,
            "PostgreSQL, version {version}"
        );
    }
}
