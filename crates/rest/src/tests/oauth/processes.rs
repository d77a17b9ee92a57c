//! Processes that share a token file, and processes that are killed.

use std::io::Write as _;
use std::process::{Child, Command, Stdio};

use tokio::sync::Notify;

use super::*;
use crate::{Event, Observer};

/// Stops for ever at an event, and leaves a file to say so.
struct Halt {
    at: String,
    mark: PathBuf,
}

impl Observer for Halt {
    fn event(&self, event: &Event<'_>) {
        let here = match event {
            Event::Response { url, .. } => self.at == "answered" && url.ends_with("/access_token"),
            Event::Renewed { .. } => self.at == "stored",
            _ => false,
        };
        if here {
            fs::write(&self.mark, "").unwrap();
            loop {
                std::thread::park();
            }
        }
    }
}

/// What a process does that [`start`] starts; nothing as a test of its own.
#[tokio::test]
async fn child() {
    let Ok(origin) = std::env::var("OAUTH_TEST_ORIGIN") else {
        return;
    };
    let variable = |name: &str| std::env::var(name).unwrap();
    let mut settings = settings(&origin);
    let file = PathBuf::from(variable("OAUTH_TEST_FILE"));
    settings.token_file = Some(file.clone());
    let client = client(&origin, &OAuth::new(settings).unwrap());
    let client = client.observed(Arc::new(Halt {
        at: variable("OAUTH_TEST_HALT"),
        mark: file.with_extension("halted"),
    }));
    std::io::stdin().read_line(&mut String::new()).unwrap();
    client.get(&user(&origin)).await.unwrap();
}

/// A process that waits for [`go`], makes a request with the stage's token file, and halts there.
fn start(stage: &Stage, halt: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "tests::oauth::processes::child"])
        .env("OAUTH_TEST_ORIGIN", stage.sandbox.origin())
        .env("OAUTH_TEST_FILE", stage.token_file())
        .env("OAUTH_TEST_HALT", halt)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn go(child: &mut Child) {
    child.stdin.take().unwrap().write_all(b"\n").unwrap();
}

#[tokio::test]
async fn ten_processes_renew_once_and_nobody_is_signed_out() {
    let stage = Stage::new().await;
    stage.signed_in().await;
    for round in 1..=3 {
        stage.edit("expires_at", PAST);
        let mut children: Vec<Child> = (0..10).map(|_| start(&stage, "")).collect();
        children.iter_mut().for_each(go);
        for mut child in children {
            assert!(child.wait().unwrap().success());
        }
        assert_eq!(stage.asked(), 1 + round);
        assert_eq!(stage.sandbox.count("/2.0/user"), 10 * round);
        // Whoever kept an old refresh token would be out now.
        stage.advance(HOUR);
    }
}

/// A process is killed at that point of a renewal.
async fn kill(stage: &Stage, at: &str) {
    stage.edit("expires_at", PAST);
    let mut child = start(stage, at);
    go(&mut child);
    let mark = stage.token_file().with_extension("halted");
    while !mark.exists() {
        assert_eq!(child.try_wait().unwrap(), None);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    child.kill().unwrap();
    child.wait().unwrap();
    fs::remove_file(mark).unwrap();
}

#[tokio::test]
async fn a_process_killed_after_its_renewal_has_kept_the_new_refresh_token() {
    let stage = Stage::new().await;
    stage.signed_in().await;
    let before = stage.stored()["refresh_token"].clone();
    kill(&stage, "stored").await;
    assert_ne!(stage.stored()["refresh_token"], before);
    // The old one is dead now.
    stage.advance(3 * HOUR);
    stage
        .client(&stage.oauth())
        .get(&stage.user())
        .await
        .unwrap();
    assert_eq!(stage.asked(), 3);
}

#[tokio::test]
async fn a_process_killed_between_answer_and_disk_leaves_the_old_refresh_token_usable() {
    let stage = Stage::new().await;
    stage.signed_in().await;
    let before = stage.stored()["refresh_token"].clone();
    kill(&stage, "answered").await;
    assert_eq!(stage.stored()["refresh_token"], before);
    // Nothing is locked, and the service takes the old one for ten minutes.
    stage.advance(9 * MINUTE);
    stage
        .client(&stage.oauth())
        .get(&stage.user())
        .await
        .unwrap();
    assert_ne!(stage.stored()["refresh_token"], before);
    stage.advance(3 * HOUR);
    stage
        .client(&stage.oauth())
        .get(&stage.user())
        .await
        .unwrap();
}

/// Says when tokens are asked for.
struct Asking(Arc<Notify>);

impl Observer for Asking {
    fn event(&self, event: &Event<'_>) {
        if let Event::Request { url, .. } = event
            && url.ends_with("/access_token")
        {
            self.0.notify_one();
        }
    }
}

/// A request that nobody waits for any more does not take the rotated token with it.
#[tokio::test]
async fn a_dropped_request_finishes_its_renewal() {
    let stage = Stage::new().await;
    stage.signed_in().await;
    stage.edit("expires_at", PAST);
    let before = stage.stored()["refresh_token"].clone();
    let client = stage.client(&stage.oauth());
    let (user, asking) = (stage.user(), Arc::new(Notify::new()));
    let client = client.observed(Arc::new(Asking(asking.clone())));
    stage.sandbox.set_latency(Duration::from_millis(200));
    tokio::select! {
        _ = client.get(&user) => panic!("it was not dropped"),
        () = asking.notified() => {}
    }
    let kept = async {
        while stage.stored()["refresh_token"] == before {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(MINUTE, kept).await.unwrap();
    assert_eq!(stage.sandbox.count("/2.0/user"), 0);
}
