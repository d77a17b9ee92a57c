//! Kills of `bucketline serve` at any moment: while it makes its store, schedules, runs, cancels. `cargo x crash serve`
//! runs as many as wanted, the tests a few.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use bucketline_sandbox::{Change, Count, IssueEdit, Kind};
use chrono::{DateTime, TimeDelta, Timelike, Utc};
use rusqlite::{Connection, OptionalExtension};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::process::{Client, Serving, Start};
use crate::commands::start;
use crate::crash::preload::{Class, EVERY, Moment, Orders, Preload};
use crate::store::from_file;
use crate::world::{World, one};

/// The jobs: each with its tables, and how often it is due in minutes, if it is.
const JOBS: [(&str, &[&str], Option<i64>); 3] = [
    ("every minute", &["Issues"], Some(1)),
    ("every other minute", &["PullRequests", "Branches"], Some(2)),
    ("behind the first", &["Repositories"], None),
];

/// How long a life lasts at most, unless it is the last.
const LIFE: Duration = Duration::from_millis(2500);

/// How many kills met what.
#[derive(Debug, Default)]
struct Tally {
    kills: u64,
    /// Before the store had its schema.
    migrating: u64,
    /// While a run was carried out.
    running: u64,
    /// While one that somebody cancelled was carried out.
    cancelling: u64,
    /// With runs that waited for their turn.
    queued: u64,
    /// At a call, by its class.
    at: BTreeMap<Class, u64>,
    slots: u64,
    runs: u64,
}

/// What an episode is about: a world, a store, and servers that die on it one after the other.
struct Episode {
    world: World,
    start: Start,
    preload: Option<Preload>,
    scratch: TempDir,
    random: fastrand::Rng,
    /// Seconds that the servers' clock is ahead of the machine's.
    ahead: i64,
    /// Calls of the longest life until now.
    calls: u64,
    tally: Tally,
}

impl Episode {
    fn new(seed: u64) -> Self {
        let sizes = one(|it| {
            it.repositories(3)
                .trackers_off(0)
                .issues(Count::PerRepository(9))
                .pull_requests(Count::PerRepository(7))
                .branches(4)
        });
        let world = start(bucketline_sandbox::Config { seed, ..sizes });
        let scratch = tempfile::tempdir().unwrap();
        let ahead = (world.sandbox.now() - Utc::now()).num_seconds();
        Self {
            start: Start::in_folder(world.folder()),
            preload: Preload::build(scratch.path()),
            world,
            scratch,
            random: fastrand::Rng::with_seed(seed),
            ahead,
            calls: 300,
            tally: Tally::default(),
        }
    }

    /// The servers' time.
    fn now(&self) -> DateTime<Utc> {
        Utc::now() + TimeDelta::seconds(self.ahead)
    }

    /// Lets the servers' time go on, most often to the second before the next slots, and the source's with it.
    fn pass(&mut self) {
        // Only the library can move the clock.
        if self.preload.is_some() {
            self.ahead += match self.random.u32(0..10) {
                0..5 => 59 - i64::from(self.now().second()),
                5..7 => 0,
                _ => self.random.i64(60..900),
            };
        }
        let behind = self.now() - self.world.sandbox.now();
        let seconds = behind.num_seconds().max(1) as f64;
        let advance = Change::AdvanceClock { seconds };
        self.world.sandbox.apply(advance).unwrap();
    }

    fn change_source(&mut self) {
        let slug = *self.random.choice(&["api", "web", "tools"]).unwrap();
        let edit = IssueEdit {
            title: Some(format!("Edited {}", self.random.u32(..))),
            ..IssueEdit::default()
        };
        let update = Change::UpdateIssue {
            repository: format!("acme/{slug}"),
            id: self.random.u64(1..=9).try_into().unwrap(),
            edit,
        };
        self.world.sandbox.apply(update).unwrap();
    }

    fn spawn(&self, kill: Option<(u64, u64, Moment)>) -> Serving {
        let mut command = self.start.serve();
        if let Some(preload) = &self.preload {
            let orders = Orders {
                kill,
                clock: self.ahead,
                ..Orders::default()
            };
            preload.apply(&mut command, &orders, self.scratch.path());
        }
        let told = std::fs::File::create(self.scratch.path().join("told")).unwrap();
        Serving::spawn(command.stderr(told))
    }

    /// A server that is killed.
    fn life(&mut self) {
        self.pass();
        if self.random.u32(0..10) < 6 {
            self.change_source();
        }
        let was_migrated = is_migrated(&self.start.state);
        let moment = match self.random.u32(0..10) {
            0..5 => Moment::Before,
            5..9 => Moment::After,
            _ => Moment::Halfway,
        };
        let call = (EVERY, self.random.u64(1..=self.calls), moment);
        // Most die at a call, the others at any time.
        let kill = (self.random.u32(0..5) > 0).then_some(call);
        let length = LIFE.mul_f64(self.random.f64().max(0.2));
        let mut serving = self.spawn(kill);
        let started = Instant::now();
        if let Some(client) = serving.client() {
            while started.elapsed() < length && serving.child.try_wait().unwrap().is_none() {
                self.act(&client);
                std::thread::sleep(Duration::from_millis(self.random.u64(1..40)));
            }
        }
        if serving.child.try_wait().unwrap().is_none() {
            serving.child.kill().unwrap();
        }
        let status = serving.wait();
        assert!(
            status.code().is_none(),
            "it ended by itself: {status}\n{}",
            self.told()
        );
        self.tally.kills += 1;
        if self.preload.is_some() {
            let seen = Preload::seen(self.scratch.path());
            self.calls = seen
                .calls
                .iter()
                .sum::<u64>()
                .max(self.calls * 9 / 10)
                .max(60);
            if let Some((class, _)) = seen.killed {
                *self.tally.at.entry(class).or_default() += 1;
            }
        }
        if !was_migrated {
            self.tally.migrating += 1;
        }
        self.look();
    }

    /// What the last server said to its standard error.
    fn told(&self) -> String {
        std::fs::read_to_string(self.scratch.path().join("told")).unwrap_or_default()
    }

    /// Somebody makes what is missing, starts a run or cancels one.
    fn act(&mut self, client: &Client) {
        let Some((200, listed)) = client.ask("GET /jobs", None) else {
            return;
        };
        // An answer may end with its server.
        let Some(jobs) = listed["items"].as_array() else {
            return;
        };
        if jobs.len() < JOBS.len() {
            create(client, &self.world);
            return;
        }
        let job = self.random.choice(jobs).unwrap();
        match self.random.u32(0..6) {
            0 => {
                client.ask(&format!("POST /jobs/{}/runs", job["id"]), None);
            }
            1 => {
                if let Some(run) = job["active"]["id"].as_u64() {
                    client.ask(&format!("POST /runs/{run}/cancel"), None);
                }
            }
            _ => {}
        }
    }

    /// Looks at a duplicate of what a killed server left, so that the next one has to recover the original itself.
    fn look(&mut self) {
        let Some((_folder, store)) = duplicate(&self.start.state) else {
            return;
        };
        let health: String = store
            .query_row("PRAGMA integrity_check", [], |row| row.get(0))
            .unwrap();
        assert_eq!(health, "ok");
        let is_ours = "SELECT 1 FROM sqlite_schema WHERE name = 'runs'";
        let found: Option<i64> = store
            .query_row(is_ours, [], |row| row.get(0))
            .optional()
            .unwrap();
        if found.is_none() {
            return;
        }
        let count = |condition: &str| {
            number(
                &store,
                &format!("SELECT COUNT(*) FROM runs WHERE {condition}"),
            )
        };
        let met = |condition| u64::from(count(condition) > 0);
        self.tally.running += met("node_id IS NOT NULL");
        self.tally.cancelling += met("node_id IS NOT NULL AND cancel_asked");
        self.tally.queued += met("node_id IS NULL AND ended_at IS NULL");
    }

    /// Lets a server do all there is to do, and checks what there is then.
    fn end(&mut self) {
        self.pass();
        let mut serving = self.spawn(None);
        let client = serving
            .client()
            .unwrap_or_else(|| panic!("{}", self.told()));
        create(&client, &self.world);
        client.until("GET /runs?state=queued,waiting,running", |runs| {
            runs["total"] == 0
        });
        let jobs = client.expect(200, "GET /jobs", None)["items"].clone();
        let jobs = jobs.as_array().unwrap();
        assert_eq!(jobs.len(), JOBS.len());
        for job in jobs {
            loop {
                let line = format!("POST /jobs/{}/runs?wait=60", job["id"]);
                let (status, run) = client.ask(&line, None).unwrap();
                // A slot may have come between.
                if status != 409 {
                    assert_eq!((status, &run["state"]), (201, &json!("succeeded")), "{run}");
                    break;
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        client.until("GET /runs?state=queued,waiting,running", |runs| {
            runs["total"] == 0
        });
        let until = self.now();
        let status = serving.terminate();
        assert!(status.success(), "{status}: {}", self.told());
        self.check(until);
    }

    /// No slot is lost or doubled, no run is left, and each table equals the source.
    fn check(&mut self, until: DateTime<Utc>) {
        let store = Connection::open(self.start.state.join("app.db")).unwrap();
        let left = number(
            &store,
            "SELECT COUNT(*) FROM runs WHERE ended_at IS NULL OR node_id IS NOT NULL",
        );
        assert_eq!(left, 0, "runs that have not ended");
        let left = number(
            &store,
            "SELECT COUNT(*) FROM task_runs WHERE ended_at IS NULL",
        );
        assert_eq!(left, 0, "tries that have not ended");
        let odd = "SELECT COUNT(*) FROM runs r WHERE origin = 'schedule' \
                   AND slots <> (SELECT COUNT(*) FROM slots s WHERE s.run_id = r.id)";
        assert_eq!(
            number(&store, odd),
            0,
            "runs that have not the slots they stand for"
        );
        let behind = "SELECT COUNT(*) - COUNT(DISTINCT run_key) FROM runs WHERE origin = 'job'";
        assert_eq!(number(&store, behind), 0, "a job followed one run twice");
        for (name, _, minutes) in JOBS {
            let of_job = "FROM jobs WHERE name = ?1";
            let (id, made): (i64, i64) = store
                .query_row(&format!("SELECT id, created_at {of_job}"), [name], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })
                .unwrap();
            let mut slots = store
                .prepare("SELECT due_at FROM slots WHERE job_id = ?1 AND due_at <= ?2")
                .unwrap();
            let taken: BTreeSet<i64> = slots
                .query_map([id, until.timestamp_micros() - 5_000_000], |row| row.get(0))
                .unwrap()
                .map(Result::unwrap)
                .collect();
            let last = until.timestamp_micros() - 5_000_000;
            let due: BTreeSet<i64> = match minutes {
                None => BTreeSet::new(),
                Some(minutes) => {
                    let step = minutes * 60_000_000;
                    let first = made / step + 1;
                    (first..=last / step).map(|count| count * step).collect()
                }
            };
            assert_eq!(taken, due, "the slots of {name}");
            self.tally.slots += due.len() as u64;
        }
        let runs = number(&store, "SELECT COUNT(*) FROM runs");
        self.tally.runs += u64::try_from(runs).unwrap();
        self.assert_copies();
    }

    fn assert_copies(&self) {
        let copies: [(&str, Kind, &[&str], &[&str]); 4] = [
            (
                "Issues",
                Kind::Issues,
                &["RepositoryUUID", "Id", "Title"],
                &["{repository}", "/id", "/title"],
            ),
            (
                "PullRequests",
                Kind::PullRequests,
                &["RepositoryUUID", "Id", "Title"],
                &["{repository}", "/id", "/title"],
            ),
            (
                "Branches",
                Kind::Branches,
                &["RepositoryUUID", "Name", "TargetHash"],
                &["{repository}", "/name", "/target/hash"],
            ),
            (
                "Repositories",
                Kind::Repositories,
                &["UUID", "Name"],
                &["/uuid", "/name"],
            ),
        ];
        for (table, kind, columns, pointers) in copies {
            let list = columns.join(", ");
            let rows =
                from_file(&self.world.file(), &format!("SELECT {list} FROM {table}")).unwrap();
            let joined = |row: crate::store::Row| {
                let cells: Vec<String> = row.into_iter().map(Option::unwrap_or_default).collect();
                cells.join("/")
            };
            let count = rows.len();
            let copy: BTreeSet<String> = rows.into_iter().map(joined).collect();
            assert_eq!(copy.len(), count, "{table} has rows twice");
            let truth = self.world.truth(kind, "acme", pointers, &[]);
            let truth: BTreeSet<String> = truth.into_keys().collect();
            assert_eq!(copy, truth, "{table}");
        }
    }
}

/// Makes connections and jobs that are not there.
fn create(client: &Client, world: &World) {
    client.connect(&world.sandbox.base_url(), &world.file());
    // The first comes last: the other one follows it.
    for (name, tables, minutes) in JOBS.iter().rev() {
        let tasks: Vec<Value> = tables
            .iter()
            .map(|table| json!({ "statement": format!("REPLICATE {table}") }))
            .collect();
        let mut job = json!({
            "name": name, "source": "acme", "destination": "copy", "tasks": tasks, "pause_after": 0,
        });
        if let Some(minutes) = minutes {
            let overlap = match minutes {
                1 => "skip",
                _ => "queue_one",
            };
            job["schedule"] =
                json!({ "cron": format!("*/{minutes} * * * *"), "jitter": 0, "overlap": overlap });
        }
        if *minutes == Some(1) {
            job["after"] = json!([{ "job": JOBS[2].0 }]);
        }
        client.ask("POST /jobs", Some(&job));
    }
}

fn is_migrated(state: &Path) -> bool {
    let Some((_folder, store)) = duplicate(state) else {
        return false;
    };
    let ours = "SELECT COUNT(*) FROM sqlite_schema WHERE name = 'events'";
    number(&store, ours) == 1
}

/// A duplicate of the store, if there is one.
fn duplicate(state: &Path) -> Option<(TempDir, Connection)> {
    let folder = tempfile::tempdir().unwrap();
    for name in ["app.db", "app.db-wal", "app.db-journal"] {
        let file = state.join(name);
        if file.exists() {
            std::fs::copy(&file, folder.path().join(name)).unwrap();
        }
    }
    let copy = folder.path().join("app.db");
    copy.exists().then(|| {
        let store = Connection::open(copy).unwrap();
        (folder, store)
    })
}

fn number(store: &Connection, sql: &str) -> i64 {
    store.query_row(sql, [], |row| row.get(0)).unwrap()
}

fn play(seed: u64, lives: u32) -> Tally {
    let mut episode = Episode::new(seed);
    for _ in 0..lives {
        episode.life();
    }
    episode.end();
    episode.tally
}

#[test]
fn a_kill_at_any_moment_loses_no_slot_and_leaves_no_run() {
    let tally = play(1, 12);
    assert_eq!(tally.kills, 12);
    assert!(tally.slots > 0);
}

/// As many kills as wanted.
#[test]
#[ignore = "started by `cargo x crash serve`"]
fn campaign() {
    let number = |name: &str| {
        std::env::var(name)
            .ok()
            .map(|text| text.parse::<u64>().unwrap())
    };
    let kills = number("CRASH_KILLS").unwrap_or(1000);
    let first = number("CRASH_SEED").unwrap_or(1);
    let lives = number("CRASH_RUNS").unwrap_or(40);
    let started = Instant::now();
    let mut all = Tally::default();
    for seed in first.. {
        eprintln!(
            "seed {seed}: {} kills, {:.0} s",
            all.kills,
            started.elapsed().as_secs_f64()
        );
        let tally = play(seed, lives.try_into().unwrap());
        all.kills += tally.kills;
        all.migrating += tally.migrating;
        all.running += tally.running;
        all.cancelling += tally.cancelling;
        all.queued += tally.queued;
        all.slots += tally.slots;
        all.runs += tally.runs;
        for (class, kills) in tally.at {
            *all.at.entry(class).or_default() += kills;
        }
        if all.kills >= kills {
            break;
        }
    }
    eprintln!("{all:#?}\n{:.0} s", started.elapsed().as_secs_f64());
}
