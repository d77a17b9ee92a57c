//! Several servers on one PostgreSQL store, of which the one that leads is killed again and again. `cargo x crash nodes` runs
//! it for as long as wanted.

use std::time::{Duration, Instant};

use bucketline_private_postgres::Server;
use serde_json::json;
use tempfile::TempDir;

use super::process::{Client, Serving, Start};
use crate::commands::start;
use crate::world::{World, small};

/// Within what another server must lead.
const TAKE_OVER: Duration = Duration::from_secs(15);

/// Files that the jobs write to.
const FILES: usize = 8;

struct Nodes {
    world: World,
    server: Server,
    database: String,
    nodes: Vec<(Serving, Client)>,
    scratch: TempDir,
}

impl Nodes {
    fn start(server: Server, count: usize) -> Self {
        let world = start(small());
        let url = server.create_database().unwrap();
        let database = url.rsplit('/').next().unwrap().to_owned();
        let mut nodes = Self {
            world,
            server,
            database,
            nodes: Vec::new(),
            scratch: tempfile::tempdir().unwrap(),
        };
        for index in 0..count {
            let node = nodes.spawn(index);
            nodes.nodes.push(node);
        }
        nodes
    }

    fn spawn(&self, index: usize) -> (Serving, Client) {
        let home = self.world.folder();
        let (user, port) = (self.server.user(), self.server.port());
        let start = Start {
            home: home.to_owned(),
            state: home.join(format!("state{index}")),
            store: Some(format!(
                "postgres://{user}@127.0.0.1:{port}/{}",
                self.database
            )),
        };
        let told = self.scratch.path().join(format!("told{index}"));
        let mut command = start.serve();
        command
            .env("PGPASSWORD", self.server.password())
            .env("PGAPPNAME", format!("node{index}"))
            .stderr(std::fs::File::create(&told).unwrap());
        let mut serving = Serving::spawn(&mut command);
        let client = serving.client();
        let told = || std::fs::read_to_string(&told).unwrap();
        let client = client.unwrap_or_else(|| panic!("{}", told()));
        (serving, client)
    }

    fn ask(&self, sql: &str) -> String {
        let answer = self.server.execute(&self.database, sql).unwrap();
        answer.trim().to_owned()
    }

    /// The one that leads now: it holds the lock for that.
    fn leader(&self) -> Option<usize> {
        let sql = "SELECT application_name FROM pg_locks JOIN pg_stat_activity USING (pid) \
                   WHERE locktype = 'advisory' AND objid = 100 AND granted";
        self.ask(sql).strip_prefix("node")?.parse().ok()
    }

    fn wait_for_leader(&self, but: Option<usize>) -> (usize, Duration) {
        let started = Instant::now();
        loop {
            if let Some(leader) = self.leader()
                && Some(leader) != but
            {
                return (leader, started.elapsed());
            }
            assert!(started.elapsed() < 4 * TAKE_OVER, "nobody leads");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn create_jobs(&self, count: usize, are_scheduled: bool) {
        let client = &self.nodes[0].1;
        let home = self.world.folder();
        client.connect(&self.world.sandbox.base_url(), &self.world.file());
        for file in 0..FILES {
            let path = home.join(format!("copy{file}.db"));
            let connection = json!({
                "name": format!("copy{file}"), "properties": { "Type": "SQLite", "Data Source": path },
            });
            client.expect(201, "POST /connections", Some(&connection));
        }
        for index in 0..count {
            let job = json!({
                "name": format!("job {index}"), "source": "acme", "destination": format!("copy{}", index % FILES),
                "tasks": [{ "statement": format!("REPLICATE T{index} SELECT * FROM Repositories") }],
                "schedule": { "cron": "* * * * *", "jitter": 0, "overlap": "queue_one", "enabled": are_scheduled }, "pause_after": 0,
            });
            client.expect(201, "POST /jobs", Some(&job));
        }
    }

    /// Kills the one that leads, starts it again behind the next one, and returns how long nobody led.
    fn kill_leader(&mut self) -> Duration {
        let (leader, _) = self.wait_for_leader(None);
        self.nodes[leader].0.child.kill().unwrap();
        self.nodes[leader].0.wait();
        let (_, time) = self.wait_for_leader(Some(leader));
        self.nodes[leader] = self.spawn(leader);
        time
    }

    /// Waits until all that is due has ended, and checks that each slot has exactly one run. How many there are.
    fn check(&self, jobs: usize) -> u64 {
        let started = Instant::now();
        while self.ask("SELECT count(*) FROM bucketline_app.runs WHERE ended_at IS NULL") != "0" {
            assert!(
                started.elapsed() < Duration::from_secs(120),
                "runs do not end"
            );
            std::thread::sleep(Duration::from_millis(200));
        }
        // Slots of a job are a minute apart, without a gap, from the one behind its creation on.
        let gaps = "SELECT count(*) FROM (SELECT j.id, count(*) AS slots, min(s.due_at) AS first, max(s.due_at) AS last, \
                    max(j.created_at) AS made FROM bucketline_app.jobs j JOIN bucketline_app.slots s ON s.job_id = j.id \
                    GROUP BY j.id) a \
                    WHERE last - first <> (slots - 1) * interval '1 minute' OR first - made > interval '1 minute' OR first <= made";
        assert_eq!(self.ask(gaps), "0", "slots are missing");
        let with_slots = "SELECT count(DISTINCT job_id) FROM bucketline_app.slots";
        assert_eq!(self.ask(with_slots), jobs.to_string());
        let doubled = "SELECT count(*) FROM bucketline_app.runs r WHERE origin = 'schedule' AND \
                       slots <> (SELECT count(*) FROM bucketline_app.slots s WHERE s.run_id = r.id)";
        assert_eq!(self.ask(doubled), "0", "runs without their slots");
        let failed =
            "SELECT count(*) FROM bucketline_app.runs WHERE state NOT IN ('succeeded', 'skipped')";
        assert_eq!(self.ask(failed), "0", "{}", self.states());
        self.ask("SELECT count(*) FROM bucketline_app.slots")
            .parse()
            .unwrap()
    }

    fn states(&self) -> String {
        self.ask("SELECT state, count(*), sum(attempt - 1) FROM bucketline_app.runs GROUP BY 1 ORDER BY 1")
    }
}

#[test]
fn another_server_takes_over_from_one_that_is_killed() {
    let Some(server) = Server::for_test() else {
        return;
    };
    let mut nodes = Nodes::start(server, 2);
    nodes.create_jobs(1, false);
    // No answer comes before the server is gone.
    nodes.world.sandbox.set_latency(Duration::from_secs(30));
    let run = nodes.nodes[0].1.expect(201, "POST /jobs/1/runs", None);
    let line = format!("GET /runs/{}", run["id"]);
    let run = nodes.nodes[0].1.until(&line, |run| run["is_held"] == true);
    let holds = |node: &(Serving, Client)| run["node"] == format!("process {}", node.0.child.id());
    let holder = nodes.nodes.iter().position(holds).unwrap();
    nodes.nodes[holder].0.child.kill().unwrap();
    nodes.world.sandbox.set_latency(Duration::ZERO);
    let (leader, _) = nodes.wait_for_leader(Some(holder));
    let client = &nodes.nodes[leader].1;
    let run = client.until(&line, |run| run["ended_at"].is_string());
    assert_eq!(
        (&run["state"], &run["attempt"]),
        (&json!("succeeded"), &json!(2)),
        "{run}"
    );
}

/// For as long as wanted.
#[test]
#[ignore = "started by `cargo x crash nodes`"]
fn campaign() {
    let number = |name: &str| {
        std::env::var(name)
            .ok()
            .map(|text| text.parse::<u64>().unwrap())
    };
    let minutes = number("CRASH_MINUTES").unwrap_or(10);
    let jobs = usize::try_from(number("CRASH_RUNS").unwrap_or(100)).unwrap();
    let mut nodes = Nodes::start(Server::start().unwrap(), 3);
    nodes.create_jobs(jobs, true);
    let (started, mut times) = (Instant::now(), Vec::new());
    while started.elapsed() < Duration::from_secs(60 * minutes) {
        std::thread::sleep(Duration::from_secs(fastrand::u64(5..20)));
        times.push(nodes.kill_leader());
        eprintln!(
            "{:.0} s: {} kills",
            started.elapsed().as_secs_f64(),
            times.len()
        );
    }
    let slots = nodes.check(jobs);
    times.sort();
    eprintln!(
        "{slots} slots, {} kills of the leader; another led after {:.1} s, half of the times within {:.1} s\n{}",
        times.len(),
        times.last().unwrap().as_secs_f64(),
        times[times.len() / 2].as_secs_f64(),
        nodes.states()
    );
    assert!(times.last().unwrap() < &TAKE_OVER);
}
