//! What is measured.

use std::path::{Path, PathBuf};

use crate::contender::{self, Bucketline};
use crate::measure::{Usage, measure};
use crate::server::{REPOSITORIES, Served, Server};
use crate::start_up::{self, StartUp};
use crate::{Result, copy};

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
    pub(crate) fn of(&self, kind: Kind) -> Option<&Scenario> {
        self.scenarios.iter().find(|scenario| scenario.kind == kind)
    }
}

/// Measures everything. Databases and configuration are made in `folder`.
pub(crate) fn run(scale: &Scale, bucketline: &Bucketline, folder: &Path) -> Result<Results> {
    let mut bench = Bench::start(scale.rows, bucketline, folder)?;
    let mut scenarios = vec![
        bench.scenario(Kind::Full, scale.rounds)?,
        bench.scenario(Kind::Unchanged, scale.rounds)?,
    ];
    bench.server.touch(scale.rows / 100)?;
    scenarios.push(bench.scenario(Kind::Changed, 1)?);
    bench.server.set_latency(scale.latency_ms)?;
    scenarios.push(bench.scenario(Kind::Slow, 1)?);
    drop(bench);
    let mut bench = Bench::start(scale.rows * LARGER, bucketline, folder)?;
    scenarios.push(bench.scenario(Kind::Large, 1)?);
    drop(bench);
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
    fn scenario(&mut self, kind: Kind, rounds: usize) -> Result<Scenario> {
        let (mut hand_written, mut bucketline) = (Vec::new(), Vec::new());
        let [loop_file, bucketline_file] =
            ["loop.db", "bucketline.db"].map(|name| self.folder.join(name));
        for round in 0..rounds {
            if kind.begins_empty() {
                remove(&loop_file)?;
                remove(&bucketline_file)?;
            }
            for turn in [round, round + 1] {
                if turn % 2 == 0 {
                    let command = contender::hand_written(self.server.base_url(), &loop_file)?;
                    hand_written.push(self.run(kind, "loop", &command)?);
                } else {
                    let command = self.bucketline.replicate(self.folder, &bucketline_file);
                    bucketline.push(self.run(kind, "Bucketline", &command)?);
                }
            }
            copy::check(&loop_file, &bucketline_file, self.rows)?;
        }
        Ok(Scenario {
            kind,
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

/// Removes a database and what lies beside it.
fn remove(file: &Path) -> Result {
    for suffix in ["", "-wal", "-shm", ".lock"] {
        let mut path = file.as_os_str().to_owned();
        path.push(suffix);
        match std::fs::remove_file(PathBuf::from(path)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    Ok(())
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
