//! Measures the store with a million runs of 1,000 jobs: the pages that people look at, and retention while runs go on.
//!
//! `cargo run --release -p bucketline-store --example million_runs [RUNS]`. The figures of `docs/store-performance.md` come from
//! here. The history is written by SQL of each database, since carrying out a million runs would take hours.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program for people, which ends at the first mistake"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use bucketline_app::store::{
    Change, Ending, JobFilter, Limits, NewNode, PageRequest, PruneRequest, RunFilter,
};
use bucketline_app::{Job, JobId, Keep, NewRun, Origin, OriginKind, RunState, Store, Task};
use bucketline_postgres::Settings;
use bucketline_private_postgres::Server;
use bucketline_store::{Place, open};
use chrono::{DateTime, TimeDelta, Utc};

const JOBS: i64 = 1_000;

/// How often each page is asked for.
const TIMES: usize = 21;

#[tokio::main]
async fn main() {
    let runs: i64 = match std::env::args().nth(1) {
        Some(text) => text.parse().unwrap(),
        None => 1_000_000,
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.db");
    let store = open(&Place::File(path.clone())).await.unwrap();
    add_jobs(&*store).await;
    drop(store);
    let database = rusqlite::Connection::open(&path).unwrap();
    database.execute_batch(&history(runs, &SQLITE)).unwrap();
    drop(database);
    let size = std::fs::metadata(&path).unwrap().len() / (1 << 20);
    println!("SQLite, {runs} runs, {JOBS} jobs, {size} MiB");
    measure(open(&Place::File(path)).await.unwrap(), runs).await;

    let Some(server) = Server::for_test() else {
        return;
    };
    let url = server.create_database().unwrap();
    let name = url.rsplit('/').next().unwrap();
    let settings = Settings::parse(&url, &|_| None).unwrap();
    let place = Place::Postgres(Box::new(settings));
    let store = open(&place).await.unwrap();
    add_jobs(&*store).await;
    let sql = format!(
        "SET search_path = bucketline_app; {}",
        history(runs, &POSTGRES)
    );
    server.execute(name, &sql).unwrap();
    server.execute(name, "VACUUM ANALYZE").unwrap();
    println!("\nPostgreSQL, {runs} runs, {JOBS} jobs");
    measure(store, runs).await;
}

async fn add_jobs(store: &dyn Store) {
    for number in 0..JOBS {
        let job = Job {
            tasks: [
                "REPLICATE Issues",
                "REPLICATE Commits",
                "REPLICATE Branches",
            ]
            .map(Task::new)
            .to_vec(),
            labels: vec![format!("team {}", number % 20)],
            ..Job::new(
                format!("Job {number:04}"),
                "cloud",
                format!("copy {number}"),
            )
        };
        store.create_job(&job, &change(start())).await.unwrap();
    }
}

fn start() -> DateTime<Utc> {
    DateTime::from_timestamp(1_780_000_000, 0).unwrap()
}

fn change(at: DateTime<Utc>) -> Change {
    Change::new("User 1", at)
}

/// How a database counts, and writes a time that is so many seconds after the start.
struct Dialect {
    numbers: &'static str,
    time: fn(&str) -> String,
}

const SQLITE: Dialect = Dialect {
    numbers: "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < RUNS) ",
    time: |seconds| format!("(1780000000 + {seconds}) * 1000000"),
};

const POSTGRES: Dialect = Dialect {
    numbers: "WITH n AS (SELECT generate_series(1, RUNS) AS n) ",
    time: |seconds| format!("to_timestamp(1780000000 + {seconds})"),
};

/// A run every 7 seconds: 1 in 50 failed, 1 in 200 partial, 1 in 30 skipped, 1 in 100 by a person, the rest by schedule.
fn history(runs: i64, dialect: &Dialect) -> String {
    let numbers = dialect.numbers.replace("RUNS", &runs.to_string());
    let time = |seconds: &str| (dialect.time)(seconds);
    let state = "CASE WHEN n % 50 = 0 THEN 'failed' WHEN n % 200 = 1 THEN 'partial' \
                 WHEN n % 30 = 2 THEN 'skipped' ELSE 'succeeded' END";
    let origin = "CASE WHEN n % 100 = 3 THEN 'person' ELSE 'schedule' END";
    let detail = "CASE WHEN n % 100 = 3 THEN '{\"type\":\"person\",\"name\":\"User 1\"}' \
                  ELSE '{\"type\":\"schedule\"}' END";
    let (queued, ended) = (time("n * 7"), time("n * 7 + 5"));
    let due = time("n * 7 - 1");
    format!(
        "BEGIN;
         INSERT INTO runs (job_id, source, destination, origin, origin_detail, state, due_at, slots, attempt, \
         queued_at, ready_at, started_at, ended_at, node_name, rows_read, rows_updated, requests, failure_code, \
         failure_message) {numbers} SELECT n % {JOBS} + 1, 'cloud', 'copy', {origin}, {detail}, {state}, {due}, 1, 1, \
         {queued}, {queued}, {queued}, {ended}, 'node 1', 1000, 10, 20, \
         CASE WHEN n % 50 = 0 THEN 'BL3107' END, \
         CASE WHEN n % 50 = 0 THEN 'the service stayed unavailable after 5 tries' END FROM n;
         INSERT INTO slots (job_id, due_at, run_id) SELECT job_id, due_at, id FROM runs;
         INSERT INTO task_runs (run_id, task_id, step, attempt, statement, table_name, state, started_at, ended_at) \
         SELECT id, job_id * 3 - 2, '{{\"type\":\"task\",\"task\":1}}', 1, 'REPLICATE Issues', 'Issues', state, \
         started_at, ended_at FROM runs;
         INSERT INTO run_counts (job_id, state, origin, runs) \
         SELECT job_id, state, origin, count(*) FROM runs GROUP BY job_id, state, origin;
         UPDATE jobs SET last_run = (SELECT max(r.id) FROM runs r WHERE r.job_id = jobs.id), last_state = 'succeeded';
         COMMIT;"
    )
}

async fn measure(store: Arc<dyn Store>, runs: i64) {
    let at = |seconds: i64| start() + TimeDelta::seconds(seconds);
    let page = PageRequest::first(50);
    let all = RunFilter::default;
    let day = (Some(at(runs * 7 - 86_400)), Some(at(runs * 7)));
    let year = (Some(at(0)), Some(at(runs * 7)));
    let text = |text: &str| Some(text.to_owned());
    let filters = [
        ("history", all()),
        (
            "history, failed",
            RunFilter {
                states: vec![RunState::Failed],
                ..all()
            },
        ),
        (
            "history, not succeeded",
            RunFilter {
                states: vec![
                    RunState::Failed,
                    RunState::Partial,
                    RunState::Skipped,
                    RunState::Missed,
                ],
                ..all()
            },
        ),
        (
            "history, by people",
            RunFilter {
                origins: vec![OriginKind::Person],
                ..all()
            },
        ),
        (
            "history, failed, by people",
            RunFilter {
                states: vec![RunState::Failed],
                origins: vec![OriginKind::Person],
                ..all()
            },
        ),
        (
            "history, last day",
            RunFilter {
                from: day.0,
                until: day.1,
                ..all()
            },
        ),
        (
            "history, failed in all the time",
            RunFilter {
                from: year.0,
                until: year.1,
                states: vec![RunState::Failed],
                ..all()
            },
        ),
        (
            "history of a job",
            RunFilter {
                job: Some(JobId(500)),
                ..all()
            },
        ),
        (
            "history of a job, failed",
            RunFilter {
                job: Some(JobId(500)),
                states: vec![RunState::Failed],
                ..all()
            },
        ),
        (
            "history, text of one job",
            RunFilter {
                text: text("job 0499"),
                ..all()
            },
        ),
        (
            "history, text of all jobs",
            RunFilter {
                text: text("job"),
                ..all()
            },
        ),
        (
            "history, text of an error",
            RunFilter {
                text: text("BL3107"),
                ..all()
            },
        ),
        (
            "history, text of nothing",
            RunFilter {
                text: text("no such text"),
                ..all()
            },
        ),
    ];
    for (what, filter) in &filters {
        time(what, async || {
            drop(store.runs(filter, &page).await.unwrap())
        })
        .await;
    }
    let mut far = PageRequest::first(1000);
    for _ in 0..20 {
        far.after = store.runs(&all(), &far).await.unwrap().next;
    }
    far.limit = 50;
    time("history, behind 20,000 others", async || {
        drop(store.runs(&all(), &far).await.unwrap())
    })
    .await;
    let jobs = [
        ("jobs", JobFilter::default()),
        (
            "jobs, text",
            JobFilter {
                text: text("99"),
                ..JobFilter::default()
            },
        ),
        (
            "jobs, label",
            JobFilter {
                label: text("team 7"),
                ..JobFilter::default()
            },
        ),
    ];
    for (what, filter) in &jobs {
        time(what, async || {
            drop(store.jobs(filter, &page).await.unwrap())
        })
        .await;
    }
    let job = JobId(500);
    time("a job", async || drop(store.job(job).await.unwrap())).await;
    time("last tries of a job", async || {
        drop(store.last_task_runs(job).await.unwrap())
    })
    .await;

    let node = NewNode {
        name: "bench".to_owned(),
        version: "0".to_owned(),
    };
    let node = store.join(&node, at(runs * 7)).await.unwrap();
    let mut number = 0;
    time("queue, claim and finish a run", async || {
        number += 1;
        run(&*store, node, JobId(number), at(runs * 7)).await;
    })
    .await;
    let request = PruneRequest {
        keep: Keep {
            days: 30,
            ..Keep::default()
        },
        most: 100,
    };
    let now = at(runs * 7);
    let mut removed = 0;
    time("remove 100 old runs", async || {
        removed += store.prune(&request, now).await.unwrap().runs.len();
    })
    .await;
    // While history is removed, a run is held up by one step at most.
    let pruner = {
        let (store, request) = (Arc::clone(&store), request.clone());
        tokio::spawn(async move {
            for _ in 0..TIMES * 2 {
                store.prune(&request, now).await.unwrap();
            }
        })
    };
    time("the run, while history is removed", async || {
        number += 1;
        run(&*store, node, JobId(number), at(runs * 7)).await;
    })
    .await;
    pruner.await.unwrap();
    println!("  {removed} runs were removed in the steps that were measured");
}

async fn run(store: &dyn Store, node: bucketline_app::NodeId, job: JobId, at: DateTime<Utc>) {
    let run = NewRun {
        job,
        origin: Origin::Schedule,
        tasks: None,
        ready_at: at,
        key: None,
    };
    store.queue_run(&run, at).await.unwrap();
    let claimed = store
        .claim_run(node, &Limits::default(), at)
        .await
        .unwrap()
        .unwrap();
    let ending = Ending {
        state: RunState::Succeeded,
        failure: None,
        reason: None,
        queue: Vec::new(),
        at,
    };
    store.finish_run(&claimed.claim, &ending).await.unwrap();
}

/// Prints the median and the longest time.
async fn time(what: &str, mut work: impl AsyncFnMut()) {
    let mut times: Vec<Duration> = Vec::new();
    for _ in 0..TIMES {
        let began = Instant::now();
        work().await;
        times.push(began.elapsed());
    }
    times.sort();
    let ms = |time: Duration| time.as_secs_f64() * 1000.0;
    println!(
        "  {what:36} {:8.2} ms, at most {:8.2} ms",
        ms(times[TIMES / 2]),
        ms(times[TIMES - 1])
    );
}
