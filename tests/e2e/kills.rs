//! SIGKILL at any moment of a load: the next run ends with table = source and reads at most two pages a slice
//! twice.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bucketline::{DestinationSetting, Session};
use bucketline_sandbox::{Change, Config, Count, Fault, FaultKind, IssueEdit};

use crate::world::{World, one, run};

const SCRIPT: &str = "CRASH_TEST_SCRIPT";
const DESTINATION: &str = "CRASH_TEST_DESTINATION";
const BASE: &str = "CRASH_TEST_BASE_URL";

/// Rows a page, so that a small load has many moments.
const PAGE: &str = "5";

/// The process that is killed. Run by the tests below, never on its own.
#[test]
#[ignore = "a child process of the crash tests"]
fn child() {
    let script = std::env::var(SCRIPT).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let outcome = run(
            &session(
                &std::env::var(DESTINATION).unwrap(),
                &std::env::var(BASE).unwrap(),
            ),
            &script,
        )
        .await;
        assert!(outcome.errors.is_empty(), "{:?}", outcome.errors);
    });
}

fn session(destination: &str, base: &str) -> Session {
    let pairs = [
        ("BaseURL", base),
        ("Workspace", "acme"),
        ("User", "user1@acme.example"),
        ("Token", "sandbox-api-token-acme"),
        ("RequestsPerHour", "0"),
        ("Pagesize", PAGE),
    ];
    let properties = bucketline::ConnectionProperties::new("test", pairs);
    Session::builder()
        .connection("acme", properties)
        .write_to(DestinationSetting::parse("test", destination, |_| false).unwrap())
        .build()
        .unwrap()
}

fn start(world: &World, script: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kills::child", "--ignored", "--quiet"])
        .env(SCRIPT, script)
        .env(DESTINATION, world.store.address())
        .env(BASE, world.sandbox.base_url())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Waits until the sandbox has seen so many requests, or the child has ended.
fn wait_for_requests(world: &World, child: &mut Child, requests: usize) -> bool {
    let started = Instant::now();
    while world.sandbox.requests().len() < requests {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        assert!(
            started.elapsed() < Duration::from_secs(60),
            "the child makes no progress"
        );
        std::thread::sleep(Duration::from_micros(200));
    }
    true
}

fn remove_copy(world: &World) {
    for entry in std::fs::read_dir(world.folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            std::fs::remove_file(path).unwrap();
        } else {
            std::fs::remove_dir_all(path).unwrap();
        }
    }
}

async fn finish(world: &World, script: &str) {
    let destination = world.store.address();
    let outcome = run(&session(&destination, &world.sandbox.base_url()), script).await;
    assert!(outcome.errors.is_empty(), "{:?}", outcome.errors);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_first_load_is_resumed_exactly() {
    let world = World::start(one(|it| {
        it.repositories(3)
            .issues(Count::PerRepository(90))
            .trackers_off(0)
    }))
    .await;
    world.sandbox.set_latency(Duration::from_millis(3));
    finish(&world, "REPLICATE Issues").await;
    let whole = world.sandbox.requests().len();
    world.assert_issues("Issues", "acme");

    // A moment after each request of the load, with a growing delay behind it, and then some.
    let moments = 54;
    for moment in 0..moments {
        remove_copy(&world);
        world.sandbox.reset_requests();
        let mut child = start(&world, "REPLICATE Issues");
        wait_for_requests(&world, &mut child, 1 + moment * whole / moments);
        std::thread::sleep(Duration::from_micros(700 * (moment as u64 % 7)));
        child.kill().unwrap();
        child.wait().unwrap();
        finish(&world, "REPLICATE Issues").await;
        world.assert_issues("Issues", "acme");
        let requests = world.sandbox.requests().len();
        // Two pages of each of three slices, the listing, the look-up of the workspace.
        assert!(
            requests <= whole + 2 * 3 + 4,
            "moment {moment}: {requests} requests, {whole} without a kill"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pull_request_that_leaves_the_filter_around_a_kill_leaves_the_copy() {
    let script = "REPLICATE Open SELECT * FROM PullRequests WHERE State = 'OPEN'";
    let (rounds, mut unfinished) = (12, 0);
    for moment in 0..rounds {
        let world = World::start(one(|it| {
            it.repositories(2).pull_requests(Count::PerRepository(300))
        }))
        .await;
        world.sandbox.set_latency(Duration::from_millis(3));
        let open = world.truth(
            bucketline_sandbox::Kind::PullRequests,
            "acme",
            &["{repository}", "/id"],
            &["/state"],
        );
        let open: Vec<(String, u32)> = open
            .into_iter()
            .filter(|(_, row)| row[0].as_deref() == Some("OPEN"))
            .map(|(key, _)| {
                key.rsplit_once('/')
                    .map(|(repo, id)| (repo.to_owned(), id.parse().unwrap()))
                    .unwrap()
            })
            .collect();
        let mut child = start(&world, script);
        assert!(wait_for_requests(&world, &mut child, 3 + moment));
        child.kill().unwrap();
        child.wait().unwrap();
        let copied = rows(&world, "Open");
        unfinished += usize::from(0 < copied && copied < open.len());
        // Between the interrupted load and its resumption one of the first rows is merged and others move on.
        world
            .sandbox
            .apply(Change::AdvanceClock { seconds: 600.0 })
            .unwrap();
        let (repository, id) = open[0].clone();
        world
            .sandbox
            .apply(Change::MergePullRequest { repository, id })
            .unwrap();
        world
            .sandbox
            .apply(Change::AdvanceClock { seconds: 600.0 })
            .unwrap();
        for (repository, id) in open.iter().skip(1).take(3).cloned() {
            let edit = bucketline_sandbox::PullRequestEdit {
                title: Some("Moved on".into()),
                ..Default::default()
            };
            world
                .sandbox
                .apply(Change::UpdatePullRequest {
                    repository,
                    id,
                    edit,
                })
                .unwrap();
        }
        finish(&world, script).await;
        finish(&world, script).await;
        world.assert_pull_requests("Open", "acme", Some("OPEN"));
    }
    assert!(
        unfinished > rounds / 2,
        "{unfinished} of {rounds} loads were cut short"
    );
}

/// The rows of a table, if it is there.
fn rows(world: &World, table: &str) -> usize {
    let sql = format!("SELECT COUNT(*) FROM \"{table}\"");
    let rows = world.store.rows(&sql).unwrap_or_default();
    let count = rows.first().and_then(|row| row[0].as_ref());
    count.map_or(0, |count| count.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_reload_leaves_the_rows_and_is_resumed() {
    let world = World::start(one(|it| {
        it.repositories(2)
            .issues(Count::PerRepository(60))
            .trackers_off(0)
    }))
    .await;
    world.sandbox.set_latency(Duration::from_millis(3));
    finish(&world, "REPLICATE Issues").await;
    let whole = world.sandbox.requests().len();
    let script = "REPLICATE Issues WITH TruncateTable";
    for moment in 0..12 {
        world.sandbox.reset_requests();
        let mut child = start(&world, script);
        assert!(wait_for_requests(&world, &mut child, 2 + 2 * moment));
        child.kill().unwrap();
        child.wait().unwrap();
        world.assert_issues("Issues", "acme");
        finish(&world, script).await;
        world.assert_issues("Issues", "acme");
        let requests = world.sandbox.requests().len();
        assert!(
            requests <= whole + 2 * 2 + 1,
            "moment {moment}: {requests} requests, {whole} without a kill"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_listing_is_read_again() {
    for moment in 0..12 {
        let world = World::start(one(|it| it.repositories(3).branches(22))).await;
        world.sandbox.set_latency(Duration::from_millis(3));
        let mut child = start(&world, "REPLICATE Branches");
        assert!(wait_for_requests(&world, &mut child, 2 + moment));
        child.kill().unwrap();
        child.wait().unwrap();
        finish(&world, "REPLICATE Branches").await;
        world.assert_branches("Branches", "acme");
    }
}

/// A big repository is read state by state; an empty answer in the middle of one takes nothing for read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_answer_in_a_walk_by_state_loses_nothing() {
    for answer in 0..16 {
        let config = one(|it| it.repositories(1).pull_requests(Count::PerRepository(60)));
        let world = World::start(Config {
            big_repository: 20,
            ..config
        })
        .await;
        let empty = Fault::once("*/pullrequests", FaultKind::EmptyList);
        world.sandbox.fault(empty.after(answer));
        finish(&world, "REPLICATE PullRequests").await;
        world.sandbox.clear_faults();
        finish(&world, "REPLICATE PullRequests").await;
        world.assert_pull_requests("PullRequests", "acme", None);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_on_one_table_do_not_interleave() {
    let world = World::start(one(|it| {
        it.repositories(2)
            .issues(Count::PerRepository(80))
            .trackers_off(0)
    }))
    .await;
    // It holds its lease and waits for an answer that never comes.
    let hang = Fault::always("*/issues", FaultKind::Hang);
    world.sandbox.fault(hang.after(2));
    let mut child = start(&world, "REPLICATE Issues");
    assert!(wait_for_requests(&world, &mut child, 5));
    let destination = world.store.address();
    let refused = run(
        &session(&destination, &world.sandbox.base_url()),
        "REPLICATE Issues",
    )
    .await;
    assert_eq!(refused.errors[0].code(), "BL6002", "{:?}", refused.errors);
    let message = refused.errors[0].to_string();
    assert!(
        message.contains(&format!("pid {}", child.id())),
        "{message}"
    );
    child.kill().unwrap();
    child.wait().unwrap();
    // Nothing has to time out: the next run starts at once.
    world.sandbox.clear_faults();
    finish(&world, "REPLICATE Issues").await;
    world.assert_issues("Issues", "acme");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_issue_updated_while_pages_are_read_is_not_lost() {
    let world = World::start(one(|it| {
        it.repositories(1).issues(Count::PerRepository(75))
    }))
    .await;
    for page in 1..8 {
        let edit = IssueEdit {
            title: Some(format!("Changed at page {page}")),
            ..IssueEdit::default()
        };
        world.sandbox.on_page(
            "*/issues",
            page,
            [
                Change::AdvanceClock { seconds: 5.0 },
                Change::UpdateIssue {
                    repository: "acme/api".into(),
                    id: page * 9,
                    edit,
                },
            ],
        );
    }
    let destination = world.store.address();
    let outcome = run(
        &session(&destination, &world.sandbox.base_url()),
        "REPLICATE Issues",
    )
    .await;
    assert!(outcome.errors.is_empty(), "{:?}", outcome.errors);
    finish(&world, "REPLICATE Issues").await;
    world.assert_issues("Issues", "acme");
}
