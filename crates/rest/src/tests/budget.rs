//! The hour's budget, in one client, in several, and in several processes.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::clock::TestClock;
use super::server::{Reply, Server, ok, reply};
use super::{Log, client, config, url};
use crate::budget::{Budget, BudgetFiles, Reservation};
use crate::{Client, ClientConfig, Credential, ErrorKind, Problem};

fn limited(server: &Server, limit: u32, folder: Option<&Path>) -> ClientConfig {
    let mut config = config(server);
    config.requests_per_hour = Some(limit);
    config.state_dir = folder.map(Path::to_owned);
    config
}

#[tokio::test]
async fn requests_wait_for_the_hour_to_pass() {
    let server = Server::replying(vec![ok()]).await;
    let mut config = limited(&server, 5, None);
    config.reserve = 2;
    let (client, clock) = client(config);
    let (client, log) = Log::of(&client);
    assert_eq!(client.remaining_budget(), Some(3));
    for n in (0..3).rev() {
        client.get(&server.url("/a")).await.unwrap();
        assert_eq!(client.remaining_budget(), Some(n));
    }
    assert!(clock.naps().is_empty());
    client.get(&server.url("/a")).await.unwrap();
    // All three were sent at 12:00:00, and leave when that minute is an hour old.
    assert_eq!(clock.slept(), Duration::from_secs(61 * 60));
    assert_eq!(client.remaining_budget(), Some(2));
    let waiting = log.lines("Waiting");
    assert!(
        waiting.len() == 1 && waiting[0].contains("Budget"),
        "{waiting:?}"
    );
}

#[tokio::test]
async fn a_wait_too_long_is_an_error() {
    let server = Server::replying(vec![ok()]).await;
    let mut config = limited(&server, 1, None);
    config.max_wait = Duration::from_secs(60);
    let (client, clock) = client(config);
    client.get(&server.url("/a")).await.unwrap();
    let error = client.get(&server.url("/b")).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.code().as_str()),
        (ErrorKind::BudgetWait, "BL3301")
    );
    assert!(
        error.to_string().contains("2026-11-22T13:01:00Z"),
        "{error}"
    );
    assert!(error.hint().is_some());
    assert!(clock.naps().is_empty());
    assert_eq!(server.paths(), ["/a"]);
}

/// Retries and redirects count, whatever came of them.
#[tokio::test]
async fn every_attempt_counts() {
    let server = Server::replying(vec![
        Reply::Reset,
        reply(503, &[], ""),
        reply(302, &["location: /b"], ""),
        reply(404, &[], ""),
    ])
    .await;
    let (client, _) = client(limited(&server, 100, None));
    client.get(&server.url("/a")).await.unwrap_err();
    assert_eq!(client.remaining_budget(), Some(96));
}

#[tokio::test]
async fn without_a_budget_no_file_is_touched() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::replying(vec![reply(429, &["retry-after: 1"], ""), ok()]).await;
    let mut config = config(&server);
    config.state_dir = Some(folder.path().join("state"));
    let (client, _) = client(config);
    client.get(&server.url("/a")).await.unwrap();
    assert_eq!(client.remaining_budget(), None);
    assert!(!folder.path().join("state").exists());
}

#[tokio::test]
async fn clients_of_one_holder_share_it_and_others_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("deep/state");
    let server = Server::replying(vec![ok()]).await;
    let other_server = Server::replying(vec![ok()]).await;
    let config = limited(&server, 10, Some(&state));
    let (first, _) = client(config.clone());
    first.get(&server.url("/a")).await.unwrap();
    // Another connection, and the next run.
    let (second, _) = client(config.clone());
    second.get(&server.url("/a")).await.unwrap();
    drop(first);
    let (third, _) = client(config.clone());
    assert_eq!(third.remaining_budget(), Some(8));

    let mut other = config.clone();
    other.credential = Credential::Bearer("other-secret".into());
    assert_eq!(client(other.clone()).0.remaining_budget(), Some(10));
    // A token that rotates, under one name.
    other.limit_holder = Some("consumer 17".into());
    let (rotated, _) = client(other.clone());
    rotated.get(&server.url("/a")).await.unwrap();
    other.credential = Credential::Bearer("next-secret".into());
    assert_eq!(client(other).0.remaining_budget(), Some(9));
    // Another API.
    assert_eq!(
        client(limited(&other_server, 10, Some(&state)))
            .0
            .remaining_budget(),
        Some(10)
    );
    for entry in std::fs::read_dir(&state).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap() + &path.to_string_lossy();
        assert!(!text.contains("secret"), "{text}");
    }
}

#[tokio::test]
async fn a_pause_reaches_other_clients_through_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::replying(vec![reply(429, &["retry-after: 1000"], ""), ok()]).await;
    let mut config = limited(&server, 10, Some(folder.path()));
    config.max_wait = Duration::from_secs(100);
    client(config.clone())
        .0
        .get(&server.url("/a"))
        .await
        .unwrap_err();
    let (other, clock) = client(config);
    let error = other.get(&server.url("/b")).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.attempts()),
        (ErrorKind::RateLimited, 0)
    );
    clock.advance(Duration::from_secs(1000));
    assert!(other.get(&server.url("/b")).await.is_ok());
    assert_eq!(server.paths(), ["/a", "/b"]);
}

#[tokio::test]
async fn a_damaged_file_is_replaced_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::replying(vec![ok()]).await;
    let config = limited(&server, 10, Some(folder.path()));
    let damage: [&[u8]; 3] = [
        b"\xff\xfe\x00 not text",
        b"something else\n",
        b"request budget, ver",
    ];
    for damage in damage {
        let (client, _) = client(config.clone());
        let file = std::fs::read_dir(folder.path())
            .unwrap()
            .next()
            .unwrap()
            .unwrap()
            .path();
        std::fs::write(&file, damage).unwrap();
        let (client, log) = Log::of(&client);
        client.get(&server.url("/a")).await.unwrap();
        client.get(&server.url("/a")).await.unwrap();
        assert_eq!(log.lines("BudgetTrouble").len(), 1, "{:?}", log.lines(""));
        assert_eq!(super::client(config.clone()).0.remaining_budget(), Some(8));
        std::fs::remove_file(file).unwrap();
    }
}

#[test]
fn a_file_that_cannot_be_made_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let in_the_way = folder.path().join("file");
    std::fs::write(&in_the_way, "").unwrap();
    let base = url("http://127.0.0.1:1");
    let mut config = ClientConfig::new(base, Credential::Anonymous, "t", Problem::from_text);
    config.requests_per_hour = Some(10);
    config.state_dir = Some(in_the_way.join("state"));
    let error = Client::new(config.clone()).unwrap_err();
    assert_eq!(
        (error.kind(), error.code().as_str()),
        (ErrorKind::State, "BL3302")
    );
    assert!(error.to_string().contains("state"), "{error}");
    config.reserve = 10;
    assert_eq!(
        Client::new(config).unwrap_err().kind(),
        ErrorKind::InvalidConfig
    );
}

/// A file locked by a process that does not go on delays requests, but does not stop them.
#[tokio::test(start_paused = true)]
async fn a_file_locked_for_ever_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("budget");
    let budget = Budget::in_file(10, path.clone()).unwrap();
    let holder = std::fs::File::open(&path).unwrap();
    holder.lock().unwrap();
    let updated = budget.reserve(SystemTime::now()).await;
    assert!(matches!(updated.answer, Reservation::Granted(_)));
    assert!(updated.trouble.unwrap().reason.contains("locked"));
    assert_eq!(budget.remaining(SystemTime::now()), Some(9));
    holder.unlock().unwrap();
}

/// Cancelled requests give back their permit; what was sent stays counted.
#[tokio::test]
async fn dropping_a_request_leaks_nothing() {
    let server = Server::answering(|_, request| match request.path.as_str() {
        "/silent" => Reply::Silence,
        _ => ok(),
    })
    .await;
    let mut config = limited(&server, 100, None);
    config.concurrency = 2;
    let client = Client::with_clock(config, Arc::new(TestClock::still())).unwrap();
    for round in 1..=5 {
        let hanging: Vec<_> = (0..2)
            .map(|_| {
                let (client, url) = (client.clone(), server.url("/silent"));
                tokio::spawn(async move { client.get(&url).await })
            })
            .collect();
        while server.requests().len() < 2 * round {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        for request in hanging {
            request.abort();
            assert!(request.await.unwrap_err().is_cancelled());
        }
    }
    assert_eq!(client.remaining_budget(), Some(90));
    client.get(&server.url("/a")).await.unwrap();
}

const CHILD_FOLDER: &str = "BUCKETLINE_TEST_BUDGET";
const PROCESSES: u32 = 3;
const EACH: u32 = 2000;

#[test]
#[ignore = "the child of the next test"]
fn child_spends_from_the_budget() {
    if let Some(folder) = std::env::var_os(CHILD_FOLDER) {
        spend(Path::new(&folder));
    }
}

/// Takes what it may from a budget of two and a half times that.
fn spend(folder: &Path) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let budget = Budget::in_file(EACH * 5 / 2, folder.join("budget")).unwrap();
    // All start together, else one is done before the next one has begun.
    std::fs::write(folder.join(format!("ready-{}", std::process::id())), "").unwrap();
    while named(folder, "ready-").len() < PROCESSES as usize {
        std::thread::yield_now();
    }
    let mut granted = 0;
    for _ in 0..EACH {
        let updated = runtime.block_on(budget.reserve(SystemTime::now()));
        assert!(updated.trouble.is_none(), "{:?}", updated.trouble);
        granted += u32::from(matches!(updated.answer, Reservation::Granted(_)));
    }
    let granted_by = folder.join(format!("granted-{}", std::process::id()));
    std::fs::write(granted_by, granted.to_string()).unwrap();
}

#[test]
fn processes_share_the_budget() {
    let folder = tempfile::tempdir().unwrap();
    let child = || {
        Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "tests::budget::child_spends_from_the_budget",
                "--ignored",
            ])
            .env(CHILD_FOLDER, folder.path())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap()
    };
    let children = [child(), child()];
    spend(folder.path());
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let granted: Vec<u32> = named(folder.path(), "granted-")
        .iter()
        .map(|path| std::fs::read_to_string(path).unwrap().parse().unwrap())
        .collect();
    assert_eq!(granted.len(), PROCESSES as usize);
    assert_eq!(granted.iter().sum::<u32>(), EACH * 5 / 2, "{granted:?}");
}

fn named(folder: &Path, start: &str) -> Vec<PathBuf> {
    std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(start))
        .map(|entry| entry.path())
        .collect()
}

/// A list of limits, as anonymous answers have it, and a lower one change nothing.
#[tokio::test]
async fn a_higher_limit_that_the_service_names_is_taken() {
    let limits = ["60, 60;w=3600", "5", "1000", "20"];
    let replies = limits.map(|limit| reply(200, &[&format!("x-ratelimit-limit: {limit}")], "{}"));
    for (may_rise, left) in [(true, [9, 8, 997, 996]), (false, [9, 8, 7, 6])] {
        let server = Server::replying(replies.to_vec()).await;
        let mut config = limited(&server, 10, None);
        config.limit_may_rise = may_rise;
        let (client, _) = client(config);
        for left in left {
            client.get(&server.url("/a")).await.unwrap();
            assert_eq!(client.remaining_budget(), Some(left));
        }
    }
}

#[cfg(unix)]
#[test]
fn others_can_neither_read_nor_hold_the_budget() {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("state");
    let path = folder.join("budget");
    Budget::in_file(5, path.clone()).unwrap();
    assert_eq!([mode(&folder), mode(&path)], [0o700, 0o600]);
    // As an earlier version left them.
    fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    Budget::in_file(5, path.clone()).unwrap();
    assert_eq!([mode(&folder), mode(&path)], [0o700, 0o600]);
}

#[tokio::test]
async fn files_keep_what_every_store_promises() {
    let folder = tempfile::tempdir().unwrap();
    crate::conformance::budgets(&BudgetFiles::new(folder.path())).await;
}
