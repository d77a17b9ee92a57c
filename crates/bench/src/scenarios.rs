//! What is measured.

use std::path::Path;

use bucketline_private_postgres::Server as Postgres;

use crate::Result;
use crate::contender::{self, Bucketline};
use crate::measure::{Usage, measure};
use crate::server::{REPOSITORIES, Served, Server};
use crate::start_up::{self, StartUp};
use crate::store::Stores;

/// Rows a page, on both sides.
const PAGE: u64 = 100;

/// How much more is in the large load.
const LARGER: u64 = 10;

/// How large everything is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    pub(crate) rows: u64,
    pub(crate) latency_ms: u64,
    pub(crate) rounds: usize,
}

/// What both write to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Destination {
    Sqlite,
    Postgres,
}

/// A situation to load in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// All rows into an empty file.
    Full,
    /// Again, with nothing changed.
    Unchanged,
    /// Again, after one row in a hundred changed.
    Changed,
    /// All rows into an empty file, from a slow server.
    Slow,
    /// Ten times as many rows into an empty file.
    Large,
}

impl Kind {
    fn begins_empty(self) -> bool {
        matches!(self, Self::Full | Self::Slow | Self::Large)
    }
}

/// One load.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run {
    pub(crate) used: Usage,
    pub(crate) served: Served,
}

/// Both in one situation.
#[derive(Debug)]
pub(crate) struct Scenario {
    pub(crate) kind: Kind,
    pub(crate) destination: Destination,
    /// In the tables afterwards.
    pub(crate) rows: u64,
    pub(crate) rounds: usize,
    pub(crate) hand_written: Run,
    pub(crate) bucketline: Run,
    /// The fewest requests by which Bucketline's way of paging reads this.
    pub(crate) least_requests: u64,
}

/// Everything that was measured.
pub(crate) struct Results {
    pub(crate) scale: Scale,
    pub(crate) scenarios: Vec<Scenario>,
    pub(crate) start_up: StartUp,
}

impl Results {
    pub(crate) fn of(&self, destination: Destination, kind: Kind) -> Option<&Scenario> {
        let mut scenarios = self.scenarios.iter();
        scenarios.find(|scenario| (scenario.destination, scenario.kind) == (destination, kind))
    }
}

/// Measures everything. Databases and configuration are made in `folder`.
pub(crate) fn run(scale: &Scale, bucketline: &Bucketline, folder: &Path) -> Result<Results> {
    let files = &mut Stores::Files(folder);
    let postgres = Postgres::start()?;
    let database = &mut Stores::on(&postgres)?;
    let mut bench = Bench::start(scale.rows, bucketline, folder)?;
    let mut scenarios = vec![
        bench.scenario(Kind::Full, files, scale.rounds)?,
        bench.scenario(Kind::Unchanged, files, scale.rounds)?,
        bench.scenario(Kind::Full, database, scale.rounds)?,
        bench.scenario(Kind::Unchanged, database, 1)?,
    ];
    bench.server.touch(scale.rows / 100)?;
    scenarios.push(bench.scenario(Kind::Changed, files, 1)?);
    scenarios.push(bench.scenario(Kind::Changed, database, 1)?);
    bench.server.set_latency(scale.latency_ms)?;
    scenarios.push(bench.scenario(Kind::Slow, files, 1)?);
    drop(bench);
    let mut bench = Bench::start(scale.rows * LARGER, bucketline, folder)?;
    scenarios.push(bench.scenario(Kind::Large, files, 1)?);
    drop(bench);
    scenarios.sort_by_key(|scenario| scenario.destination == Destination::Postgres);
    let start_up = start_up::measure(bucketline, folder)?;
    Ok(Results {
        scale: *scale,
        scenarios,
        start_up,
    })
}

struct Bench<'a> {
    server: Server,
    rows: u64,
    bucketline: &'a Bucketline,
    folder: &'a Path,
}

impl<'a> Bench<'a> {
    fn start(rows: u64, bucketline: &'a Bucketline, folder: &'a Path) -> Result<Self> {
        eprintln!("serving {rows} issues in {REPOSITORIES} repositories");
        let server = Server::start(rows)?;
        contender::configure(folder, server.base_url())?;
        Ok(Self {
            server,
            rows,
            bucketline,
            folder,
        })
    }

    /// Runs both in turn, the one that begins changing from round to round.
    fn scenario(&mut self, kind: Kind, stores: &mut Stores<'_>, rounds: usize) -> Result<Scenario> {
        let (mut hand_written, mut bucketline) = (Vec::new(), Vec::new());
        for round in 0..rounds {
            if kind.begins_empty() {
                stores.clear()?;
            }
            for turn in [round, round + 1] {
                if turn % 2 == 0 {
                    let store = stores.of_loop();
                    let command = contender::hand_written(self.server.base_url(), &store)?;
                    hand_written.push(self.run(kind, "loop", &command)?);
                } else {
                    let store = stores.of_bucketline();
                    let command = self.bucketline.replicate(self.folder, &store);
                    bucketline.push(self.run(kind, "Bucketline", &command)?);
                }
            }
            stores.check(self.rows)?;
        }
        Ok(Scenario {
            kind,
            destination: match stores {
                Stores::Files(_) => Destination::Sqlite,
                Stores::Database { .. } => Destination::Postgres,
            },
            rows: self.rows,
            rounds,
            hand_written: median(hand_written)?,
            bucketline: median(bucketline)?,
            least_requests: least_requests(kind, self.rows),
        })
    }

    fn run(&mut self, kind: Kind, who: &str, command: &std::process::Command) -> Result<Run> {
        self.server.reset()?;
        let used = measure(command)?;
        let served = self.server.served()?;
        eprintln!(
            "{kind:?}, {who}: {:.2} s, {} requests",
            used.seconds, served.requests
        );
        Ok(Run { used, served })
    }
}

/// The run that took the median time.
fn median(mut runs: Vec<Run>) -> Result<Run> {
    runs.sort_by(|a, b| a.used.seconds.total_cmp(&b.used.seconds));
    runs.get(runs.len().saturating_sub(1) / 2)
        .copied()
        .ok_or_else(|| "no round was run".into())
}

/// One page of repositories, and each repository's pages. A page after the first begins with the
/// last row of the one before: that is how a walk by cursor value notices rows that moved.
fn least_requests(kind: Kind, rows: u64) -> u64 {
    let each = rows / u64::from(REPOSITORIES);
    let read = match kind {
        Kind::Full | Kind::Slow | Kind::Large => each,
        Kind::Unchanged => 1,
        // The row at the mark, and those changed since.
        Kind::Changed => 1 + each / 100,
    };
    let pages = 1 + read.saturating_sub(PAGE).div_ceil(PAGE - 1);
    1 + u64::from(REPOSITORIES) * pages
}

#[cfg(test)]
mod tests {
    use super::{Kind, least_requests};

    #[test]
    fn later_pages_have_one_row_in_common_with_the_one_before() {
        // (rows a repository, pages)
        for (each, pages) in [(1, 1), (100, 1), (101, 2), (199, 2), (200, 3), (5_000, 51)] {
            assert_eq!(
                least_requests(Kind::Full, each * 20),
                1 + 20 * pages,
                "{each}"
            );
        }
        assert_eq!(least_requests(Kind::Unchanged, 100_000), 21);
        assert_eq!(least_requests(Kind::Changed, 100_000), 21);
        assert_eq!(least_requests(Kind::Changed, 1_000_000), 1 + 20 * 6);
    }
}
