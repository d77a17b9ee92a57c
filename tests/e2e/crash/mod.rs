//! Kills of the real program at any moment of anything that it writes, and what must hold behind each.
//!
//! `cargo x crash` runs a campaign of as many kills as wanted; the tests run a short one. An episode is a world of
//! its own: a source, a copy and some dozens of runs of one scenario, of which most are killed. Its seed decides on
//! everything but the clock of the machine and the order of threads.

mod copy;
mod disk;
mod episode;
mod leftovers;
mod oracle;
mod own;
mod plan;
pub(crate) mod preload;
mod program;
mod scenario;
mod source;
mod tally;
mod tokens;
mod worker;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use self::episode::{Episode, Failure};
use self::scenario::Scenario;
use self::tally::{Destination, Tally};
use self::worker::Worker;

/// What a campaign is to do.
struct Campaign {
    /// It ends behind so many kills, with the episodes that have begun.
    kills: u64,
    /// That of the first episode; each one has the next.
    seed: u64,
    /// Runs of an episode, before those at its end that nothing disturbs.
    runs: u32,
    /// One alone, or both by turns.
    destination: Option<Destination>,
    /// It ends after this time, too.
    time: Option<Duration>,
    workers: usize,
}

impl Campaign {
    /// The scenario and the destination of an episode: neighbours have the same scenario.
    fn episode(&self, seed: u64) -> (Scenario, Destination) {
        let (scenarios, destinations) = (Scenario::ALL, Destination::ALL);
        let index = |value: u64, of: usize| usize::try_from(value % of as u64).unwrap();
        let turn = destinations[index(seed, destinations.len())];
        let scenario = scenarios[index(seed / 2, scenarios.len())];
        (scenario, self.destination.unwrap_or(turn))
    }

    /// Runs it; the figures, and a text for each failure.
    fn run(&self) -> (Tally, Vec<String>) {
        let (next, started) = (AtomicU64::new(self.seed), Instant::now());
        let tally = Mutex::new(Tally::default());
        let failures = Mutex::new(Vec::new());
        let is_over = || {
            let kills = tally.lock().unwrap().kills();
            kills >= self.kills || self.time.is_some_and(|time| started.elapsed() >= time)
        };
        std::thread::scope(|scope| {
            for _ in 0..self.workers {
                scope.spawn(|| {
                    let mut worker = Worker::new(self.destination != Some(Destination::Sqlite));
                    while !is_over() {
                        let seed = next.fetch_add(1, Ordering::Relaxed);
                        let failure = self.play(&mut worker, seed, &tally);
                        let tally = tally.lock().unwrap();
                        let seconds = started.elapsed().as_secs_f64();
                        eprintln!("{} kills, {seconds:.0} s", tally.kills());
                        if let Some(failure) = failure {
                            eprintln!("{failure}");
                            failures.lock().unwrap().push(failure);
                        }
                    }
                });
            }
        });
        (tally.into_inner().unwrap(), failures.into_inner().unwrap())
    }

    /// Plays an episode, and tells how it failed.
    fn play(&self, worker: &mut Worker, seed: u64, tally: &Mutex<Tally>) -> Option<String> {
        let (scenario, destination) = self.episode(seed);
        let mut episode = Episode::new(worker, scenario, destination, seed);
        let played = episode.play(self.runs);
        tally.lock().unwrap().add(&episode.tally);
        let failure = played.err()?;
        let kept = keep(episode.home(), seed);
        let (scenario, destination) = (scenario.name(), destination.name());
        let (runs, Failure { run, what, .. }) = (self.runs, &failure);
        Some(format!(
            "FAILED: {scenario}, {destination}, seed {seed}, run {run}: {what}\n  ending: {}\n  it said: {}\n  \
             its files: {}\n  \
             again: cargo x crash --kills 1 --runs {runs} --seed {seed} --destination {destination}\n",
            failure.ending,
            failure.told.trim().replace('\n', "\n    "),
            kept.display(),
        ))
    }
}

/// Keeps a folder to look into.
fn keep(home: &Path, seed: u64) -> PathBuf {
    let kept = crate::commands::binary()
        .with_file_name("crashes")
        .join(seed.to_string());
    let _ = std::fs::remove_dir_all(&kept);
    std::fs::create_dir_all(&kept).unwrap();
    let mut copy = Command::new("cp");
    let copied = copy.arg("-a").arg(home).arg(&kept).status();
    assert!(copied.unwrap().success());
    kept
}

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(format!("CRASH_{name}")).ok()?;
    Some(text.parse().unwrap())
}

/// The campaign that the environment describes.
#[test]
#[ignore = "started by `cargo x crash`"]
fn campaign() {
    let kills = number("KILLS").unwrap_or(10_000);
    let destination = std::env::var("CRASH_DESTINATION").ok().map(|name| {
        let mut all = Destination::ALL.into_iter();
        all.find(|one| one.name() == name).unwrap()
    });
    let campaign = Campaign {
        kills,
        seed: number("SEED").unwrap_or_else(|| fastrand::u64(0..1_000_000) * 1000),
        runs: number("RUNS").map_or(40, |runs| runs.try_into().unwrap()),
        destination,
        time: number("MINUTES").map(|minutes| Duration::from_secs(60 * minutes)),
        // One episode that failed is played again alone.
        workers: if kills == 1 { 1 } else { 2 },
    };
    let started = Instant::now();
    let (tally, failures) = campaign.run();
    let seconds = started.elapsed().as_secs_f64();
    eprintln!(
        "\n{tally}\nseed {}: {} kills in {seconds:.0} s, {:.1} a second, {} failures",
        campaign.seed,
        tally.kills(),
        tally.kills() as f64 / seconds,
        failures.len()
    );
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Plays an episode of each scenario and of one destination, or of both by turns.
fn short(destination: Option<Destination>) {
    let campaign = Campaign {
        kills: u64::MAX,
        seed: 0,
        runs: 4,
        destination,
        time: None,
        workers: 1,
    };
    let tally = Mutex::new(Tally::default());
    let mut worker = Worker::new(destination != Some(Destination::Sqlite));
    let seeds = 0..Scenario::ALL.len() as u64;
    // Two neighbours are of one scenario.
    let seeds = seeds.map(|scenario| 2 * scenario + scenario % 2);
    let failures = seeds.filter_map(|seed| campaign.play(&mut worker, seed, &tally));
    let failures: Vec<_> = failures.collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(
        tally.lock().unwrap().kills() > 10,
        "hardly anything was killed"
    );
}

#[test]
fn a_kill_at_any_call_leaves_a_copy_that_the_next_run_completes() {
    short(match bucketline_private_postgres::is_available() {
        true => None,
        false => Some(Destination::Sqlite),
    });
}
