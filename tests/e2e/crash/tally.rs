//! The figures of a campaign.

use std::collections::BTreeMap;
use std::fmt;

use super::preload::Class;
use super::scenario::Scenario;

/// What is written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Destination {
    Sqlite,
    Postgres,
}

impl Destination {
    pub(crate) const ALL: [Self; 2] = [Self::Sqlite, Self::Postgres];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }
}

/// How runs of one scenario ended.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Ends {
    pub(crate) runs: u64,
    /// Kills of the program, by destination.
    pub(crate) kills: [u64; 2],
    /// Crashes of the server under a run.
    pub(crate) crashes: u64,
    /// Runs of which a call was refused, or whose disk was full or read-only.
    pub(crate) refused: u64,
    /// Runs that succeeded and whose copy was held against the source.
    pub(crate) successes: u64,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    pub(crate) ends: BTreeMap<Scenario, Ends>,
    /// Kills at a call, by class and file.
    places: BTreeMap<(String, Class), u64>,
    /// Kills at a moment or behind a request.
    pub(crate) elsewhere: u64,
    /// Codes of the errors of runs that failed.
    pub(crate) codes: BTreeMap<String, u64>,
}

impl Tally {
    pub(crate) fn kills(&self) -> u64 {
        self.ends
            .values()
            .map(|ends| ends.kills[0] + ends.kills[1])
            .sum()
    }

    pub(crate) fn place(&mut self, class: Class, path: &str) {
        let place = place(path).to_owned();
        *self.places.entry((place, class)).or_default() += 1;
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (scenario, ends) in &other.ends {
            let sum = self.ends.entry(*scenario).or_default();
            sum.runs += ends.runs;
            for (kills, more) in sum.kills.iter_mut().zip(ends.kills) {
                *kills += more;
            }
            sum.crashes += ends.crashes;
            sum.refused += ends.refused;
            sum.successes += ends.successes;
        }
        for (place, kills) in &other.places {
            *self.places.entry(place.clone()).or_default() += kills;
        }
        for (code, times) in &other.codes {
            *self.codes.entry(code.clone()).or_default() += times;
        }
        self.elsewhere += other.elsewhere;
    }
}

/// A file of the program by what it is.
fn place(path: &str) -> &'static str {
    let name = path.rsplit('/').next().unwrap_or_default();
    let name = name.trim_end_matches(" (deleted)");
    let has = |text: &str| path.contains(text);
    match () {
        () if path.starts_with("socket:") => "a connection",
        () if has("/tokens") || has("bucketline-tokens") => "the token file",
        () if name.starts_with("budget-") => "the request budget",
        () if name.ends_with("-wal") => "the write-ahead log",
        () if name.ends_with("-journal") => "the rollback journal",
        () if name.ends_with("-shm") => "the log's index",
        () if name.ends_with(".db") => "the database",
        () if has(".db-bucketline") => "a lock",
        () if name.ends_with(".unfinished") || name.ends_with(".csv") => "a file of rows",
        () if name.starts_with("etilqs") => "a temporary file of SQLite",
        () if !name.contains('.') => "a folder",
        () => "others",
    }
}

/// A number with a comma between thousands.
fn figure(number: u64) -> String {
    match number {
        0..1000 => number.to_string(),
        _ => format!("{},{:03}", figure(number / 1000), number % 1000),
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| scenario | runs | kills, SQLite | kills, PostgreSQL | server crashes | refused | held against the source |\n\
             |---|--:|--:|--:|--:|--:|--:|"
        )?;
        let mut sum = Ends::default();
        for (scenario, ends) in &self.ends {
            row(f, scenario.name(), ends)?;
            sum.runs += ends.runs;
            sum.kills = [sum.kills[0] + ends.kills[0], sum.kills[1] + ends.kills[1]];
            sum.crashes += ends.crashes;
            sum.refused += ends.refused;
            sum.successes += ends.successes;
        }
        row(f, "all", &sum)?;
        let classes = Class::ALL.map(Class::name);
        writeln!(f, "\n| killed at | {} |", classes.join(" | "))?;
        writeln!(f, "|---|{}", "--:|".repeat(classes.len()))?;
        let mut places: Vec<_> = self.places.keys().map(|(place, _)| place).collect();
        places.dedup();
        for place in places {
            let cells = Class::ALL.map(|class| {
                let kills = self.places.get(&(place.clone(), class));
                kills.map_or(String::new(), |kills| figure(*kills))
            });
            writeln!(f, "| {place} | {} |", cells.join(" | "))?;
        }
        writeln!(
            f,
            "\n{} kills at a moment or behind a request",
            figure(self.elsewhere)
        )?;
        let codes = self.codes.iter();
        let codes: Vec<_> = codes
            .map(|(code, times)| format!("{code} {}", figure(*times)))
            .collect();
        writeln!(f, "errors of refused runs: {}", codes.join(", "))
    }
}

fn row(f: &mut fmt::Formatter<'_>, name: &str, ends: &Ends) -> fmt::Result {
    let cells = [
        ends.runs,
        ends.kills[0],
        ends.kills[1],
        ends.crashes,
        ends.refused,
        ends.successes,
    ];
    writeln!(f, "| {name} | {} |", cells.map(figure).join(" | "))
}
