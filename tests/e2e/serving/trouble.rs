//! Trouble around a server that runs: an error says so, nothing is lost, and work goes on when it is over.

use bucketline_sandbox::Change;
use chrono::{TimeDelta, Timelike, Utc};
use nix::errno::Errno;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::process::{Client, Serving, Start};
use crate::commands::start;
use crate::crash::preload::{Class, Orders, Preload};
use crate::world::{World, small};

/// A server whose disk and clock the test decides on, with one job that is due every minute.
struct Troubled {
    world: World,
    orders: Orders,
    scratch: TempDir,
    serving: Serving,
    client: Client,
    job: Value,
}

impl Troubled {
    /// None where the system has no such library.
    fn start() -> Option<Self> {
        let world = start(small());
        let scratch = tempfile::tempdir().unwrap();
        let preload = Preload::build(scratch.path())?;
        // Half a minute before a slot, which no test is to meet by chance.
        let now = world.sandbox.now() + TimeDelta::seconds(30);
        let orders = Orders {
            clock: (now - Utc::now()).num_seconds(),
            ..Orders::default()
        };
        let mut command = Start::in_folder(world.folder()).serve();
        preload.apply(&mut command, &orders, scratch.path());
        let told = std::fs::File::create(scratch.path().join("told")).unwrap();
        let mut serving = Serving::spawn(command.stderr(told));
        let client = serving.client().unwrap();
        client.connect(&world.sandbox.base_url(), &world.file());
        let job = client.expect(201, "POST /jobs", Some(&job("every minute", true)));
        Some(Self {
            world,
            orders,
            scratch,
            serving,
            client,
            job: job["id"].clone(),
        })
    }

    fn order(&self) {
        Preload::change(&self.orders, self.scratch.path());
    }

    /// Refuses what writes to files.
    fn refuse(&mut self, error: Errno) {
        let classes = [
            Class::Write,
            Class::Sync,
            Class::Truncate,
            Class::Open,
            Class::MakeFolder,
        ];
        let classes = classes.iter().map(|class| class.bit()).sum();
        self.orders.refuse = Some((classes, 1, error as i32));
        self.order();
    }

    fn allow(&mut self) {
        self.orders.refuse = None;
        self.order();
    }

    /// Moves the clock of the server, and that of the source with it if it goes on.
    fn pass(&mut self, seconds: i64) {
        self.orders.clock += seconds;
        self.order();
        if seconds > 0 {
            let seconds = seconds as f64;
            let advance = Change::AdvanceClock { seconds };
            self.world.sandbox.apply(advance).unwrap();
        }
    }

    /// Lets the next minute begin.
    fn next_minute(&mut self) {
        let now = Utc::now() + TimeDelta::seconds(self.orders.clock);
        self.pass(60 - i64::from(now.second()));
    }

    /// Waits until that many slots of the job have run.
    fn ran(&self, slots: usize) -> Value {
        let line = format!("GET /runs?job={}&origin=schedule&state=succeeded", self.job);
        self.client.until(&line, |runs| runs["total"] == slots)
    }

    fn told(&self) -> String {
        std::fs::read_to_string(self.scratch.path().join("told")).unwrap()
    }

    fn end(mut self) {
        let status = self.serving.terminate();
        assert!(status.success(), "{status}: {}", self.told());
    }
}

fn job(name: &str, is_scheduled: bool) -> Value {
    json!({
        "name": name, "source": "acme", "destination": "copy",
        "tasks": [{ "statement": "REPLICATE Repositories" }],
        "schedule": { "cron": "* * * * *", "jitter": 0, "enabled": is_scheduled },
    })
}

/// Trouble with the disk comes, a slot is due in it, and it goes.
fn disk(error: Errno, codes: &[&str]) {
    let Some(mut troubled) = Troubled::start() else {
        return;
    };
    troubled.next_minute();
    troubled.ran(1);
    troubled.refuse(error);
    let (status, refused) = troubled
        .client
        .ask("POST /jobs", Some(&job("another", false)))
        .unwrap();
    let code = refused["code"].as_str().unwrap_or_default();
    assert!(status == 503 && codes.contains(&code), "{refused}");
    assert!(refused["hint"].is_string(), "{refused}");
    troubled.next_minute();
    // What can be read is still answered.
    troubled.client.expect(200, "GET /jobs", None);
    troubled.allow();
    troubled.ran(2);
    let another = troubled
        .client
        .expect(201, "POST /jobs", Some(&job("another", false)));
    assert_eq!(another["name"], "another");
    troubled.end();
}

#[test]
fn a_full_disk_is_told_and_work_goes_on_when_there_is_room() {
    disk(Errno::ENOSPC, &["BL0312"]);
}

#[test]
fn a_disk_that_becomes_read_only_is_told_and_work_goes_on_when_it_is_not() {
    disk(Errno::EROFS, &["BL0310", "BL0313"]);
}

#[test]
fn a_store_that_is_away_is_told_and_work_goes_on_when_it_is_back() {
    let Some(mut troubled) = Troubled::start() else {
        return;
    };
    troubled.next_minute();
    troubled.ran(1);
    let (state, away) = (
        troubled.world.folder().join("state"),
        troubled.world.folder().join("away"),
    );
    std::fs::rename(&state, &away).unwrap();
    let (status, refused) = troubled.client.ask("GET /jobs", None).unwrap();
    assert_eq!(
        (status, &refused["code"]),
        (503, &json!("BL0310")),
        "{refused}"
    );
    troubled.next_minute();
    // A folder that was made meanwhile is not the store.
    let _ = std::fs::remove_dir_all(&state);
    std::fs::rename(&away, &state).unwrap();
    troubled.ran(2);
    troubled.end();
}

#[test]
fn a_clock_that_is_set_back_an_hour_repeats_no_slot_and_stops_no_run() {
    let Some(mut troubled) = Troubled::start() else {
        return;
    };
    troubled.next_minute();
    troubled.ran(1);
    troubled.pass(-3600);
    let line = format!("POST /jobs/{}/runs?wait=60", troubled.job);
    let run = troubled.client.expect(201, &line, None);
    assert_eq!(run["state"], "succeeded", "{run}");
    troubled.next_minute();
    let run = troubled.client.expect(201, &line, None);
    assert_eq!(run["state"], "succeeded", "{run}");
    let line = format!("GET /jobs/{}/slots", troubled.job);
    assert_eq!(troubled.client.expect(200, &line, None)["total"], 1);
    troubled.pass(3600);
    troubled.next_minute();
    // Slots of the minutes that came twice have one row each, the last ones a new one.
    let slots = troubled
        .client
        .until(&line, |slots| slots["total"].as_u64() >= Some(2));
    let due: Vec<_> = slots["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|slot| slot["due"].clone())
        .collect();
    let mut once = due.clone();
    once.dedup();
    assert_eq!(due, once);
    troubled.end();
}
