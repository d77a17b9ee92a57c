//! Some dozens of runs of one scenario, most of them killed, and the next ones behind them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Child;

use super::copy::{Copied, Held, Place};
use super::disk::Disk;
use super::leftovers::leftovers;
use super::oracle::{Course, Judge};
use super::own;
use super::plan::{Disturbed, Plan};
use super::preload::Orders;
use super::program::{Ending, Pace, Ran, Start, wait};
use super::scenario::Scenario;
use super::source::Source;
use super::tally::{Destination, Ends, Tally};
use super::tokens::{self, SignIn};
use super::worker::Worker;

/// What went wrong.
pub(crate) struct Failure {
    pub(crate) run: u32,
    pub(crate) ending: String,
    pub(crate) what: String,
    pub(crate) told: String,
}

pub(crate) struct Episode<'w> {
    worker: &'w mut Worker,
    scenario: Scenario,
    destination: Destination,
    random: fastrand::Rng,
    tables: Vec<Copied>,
    source: Source,
    place: Place,
    home: PathBuf,
    scratch: PathBuf,
    sign_in: Option<SignIn>,
    pace: Pace,
    held: Held,
    /// Tables of which the last run did not end well, so that something may be unfinished.
    unfinished: BTreeSet<&'static str>,
    /// Seconds that the program's clock is ahead, since the source's time passed.
    clock: i64,
    run: u32,
    pub(crate) tally: Tally,
}

/// The code of the error that another process is loading a table.
const LOADED: &str = "BL6002";

impl<'w> Episode<'w> {
    pub(crate) fn new(
        worker: &'w mut Worker,
        scenario: Scenario,
        destination: Destination,
        seed: u64,
    ) -> Self {
        let scratch = worker.folder().join("scratch");
        let home = match &worker.disks {
            Some([disk, _]) if scenario.is_on_disk() => disk.folder().join("home"),
            _ => worker.folder().join("home"),
        };
        for folder in [&scratch, &home] {
            let _ = std::fs::remove_dir_all(folder);
            std::fs::create_dir_all(folder).unwrap();
        }
        let tables = scenario.tables();
        let mut names: Vec<_> = tables.iter().map(|copied| copied.of).collect();
        names.dedup();
        let database = match destination {
            Destination::Postgres => worker.database(scenario == Scenario::FullDisk),
            Destination::Sqlite => None,
        };
        let place = match database {
            Some(url) => Place::Database(url),
            None => Place::File(home.join("copy.db")),
        };
        Self {
            scenario,
            destination,
            random: fastrand::Rng::with_seed(seed),
            tables,
            source: Source::start(seed, &names),
            place,
            home,
            scratch,
            sign_in: None,
            pace: Pace::default(),
            held: Held::default(),
            unfinished: BTreeSet::new(),
            clock: 0,
            run: 0,
            tally: Tally::default(),
            worker,
        }
    }

    /// The folder of the copy and the state, to look into.
    pub(crate) fn home(&self) -> &Path {
        &self.home
    }

    /// Plays it to its end.
    pub(crate) fn play(&mut self, runs: u32) -> Result<(), Failure> {
        self.begin()?;
        for run in 1..=runs {
            self.run = run;
            self.once()?;
        }
        self.run = runs + 1;
        self.settle()
    }

    /// Signs in, and makes what the killed runs begin with.
    fn begin(&mut self) -> Result<(), Failure> {
        self.configure("");
        if self.scenario.signs_in() {
            let code = tokens::code(&self.source);
            self.configure(&format!("OAuthVerifier = \"{code}\"\n"));
        }
        let script = match self.scenario {
            Scenario::Load => "SELECT 1;".to_owned(),
            Scenario::Own => own::MADE.to_owned(),
            _ => self
                .tables
                .iter()
                .map(|it| self.scenario.load(it))
                .collect(),
        };
        self.quietly(&script)?;
        self.configure("");
        if self.scenario.signs_in() {
            let signed = SignIn::of(&self.state(), &self.source);
            self.sign_in = Some(signed.map_err(|what| self.failure("", what, ""))?);
        }
        self.held = self.read()?;
        Ok(())
    }

    /// A run that nothing disturbs, and that has to succeed.
    fn quietly(&mut self, script: &str) -> Result<Ran, Failure> {
        let ran = self.start(script, &Plan::undisturbed(self.clock))?;
        if !ran.status.success() {
            return Err(self.failure("undisturbed", "it failed".to_owned(), &ran.told));
        }
        Ok(ran)
    }

    fn once(&mut self) -> Result<(), Failure> {
        self.prepare()?;
        let mut plan = self.plan();
        let loaded = self.loaded();
        let script = self.script(&loaded);
        let other = self.beside(&script);
        plan.shares = other.is_some() && self.scenario == Scenario::Merge;
        let ran = self.start(&script, &plan);
        if let Some(disks) = &self.worker.disks
            && self.scenario.is_on_disk()
        {
            disks[0].set_read_only(false);
            disks.iter().for_each(Disk::free);
        }
        self.source.sandbox.clear_faults();
        let other = other.map_or(Ok(()), |child| self.ended_beside(&plan, child));
        let ran = ran?;
        other?;
        let ending = format!("{:?}, {:?}", plan.ending, plan.orders);
        self.count(&plan, &ran);
        self.judge(&plan, &ran, &loaded)
            .map_err(|what| self.failure(&ending, what, &ran.told))?;
        self.source.pass(1);
        Ok(())
    }

    /// What happens between two runs.
    fn prepare(&mut self) -> Result<(), Failure> {
        let whole = self.scenario.course() == Course::Whole;
        // A replacement goes on with what it has staged, and is as new as the oldest of that.
        let is_settled = self.unfinished.is_empty();
        if (is_settled || !whole) && self.random.u32(0..2) == 0 {
            self.source.change(&mut self.random);
        }
        if whole {
            // What cannot be seen is left as it is.
            self.source.show();
        }
        match self.scenario {
            Scenario::Load if is_settled => self.remove(),
            Scenario::Repair if is_settled => self.damage()?,
            _ => {}
        }
        if let Some(sign_in) = &self.sign_in
            && self.random.u32(0..10) < 7
        {
            let passed = sign_in.age(&self.source);
            // Otherwise the server alone knows that the token has ended.
            if self.random.bool() {
                self.clock += i64::from(passed);
            }
        }
        Ok(())
    }

    /// The tables that a run is about: mostly few, so that a kill finds more in a short time.
    fn loaded(&mut self) -> Vec<Copied> {
        let mut loaded = self.tables.clone();
        self.random.shuffle(&mut loaded);
        let most = loaded.len().max(1);
        loaded.truncate(*self.random.choice(&[1, 1, 2, most]).unwrap());
        loaded
    }

    fn script(&self, loaded: &[Copied]) -> String {
        match self.scenario {
            Scenario::Own => own::SCRIPT.to_owned(),
            _ => loaded
                .iter()
                .map(|it| self.scenario.statement(it))
                .collect(),
        }
    }

    /// Has the copy made anew.
    fn remove(&mut self) {
        match &self.place {
            Place::Database(_) => {
                let url = self.worker.database(false);
                self.place = Place::Database(url.expect("it wrote to a server"));
            }
            Place::File(_) => {
                std::fs::remove_dir_all(&self.home).unwrap();
                std::fs::create_dir_all(&self.home).unwrap();
            }
        }
        self.held = Held::default();
        self.unfinished
            .extend(self.tables.iter().map(|copied| copied.name));
    }

    /// Changes the copy as nobody should.
    fn damage(&mut self) -> Result<(), Failure> {
        let table = *self.random.choice(&["Issues", "PullRequests"]).unwrap();
        let rest = self.random.u32(0..3);
        let damages = [
            format!("DELETE FROM \"{table}\" WHERE \"Id\" % 3 = {rest}"),
            format!("UPDATE \"{table}\" SET \"Title\" = 'Damaged' WHERE \"Id\" % 3 = {rest}"),
            format!(
                "UPDATE \"{table}\" SET \"Id\" = \"Id\" + 1000 WHERE \"Id\" = {}",
                rest + 2
            ),
        ];
        for damage in damages {
            if self.random.bool() {
                self.place
                    .execute(&damage)
                    .map_err(|what| self.failure("damage", what, ""))?;
            }
        }
        self.held = self.read()?;
        Ok(())
    }

    /// Another process that is left alone: one with the same tokens, or one that loads the same tables.
    fn beside(&mut self, script: &str) -> Option<Child> {
        let scratch = self.scratch.join("other");
        let other = scratch.join("other.db").display().to_string();
        let (destination, script) = match self.scenario {
            Scenario::Tokens => (other, "REPLICATE Branches;"),
            Scenario::Merge => (self.place.address(), script),
            _ => return None,
        };
        if self.random.u32(0..5) > 0 {
            return None;
        }
        std::fs::create_dir_all(&scratch).unwrap();
        let config = "bucketline.toml";
        std::fs::copy(self.scratch.join(config), scratch.join(config)).unwrap();
        let start = Start {
            preload: self.worker.preload.as_ref(),
            orders: Orders {
                clock: self.clock,
                ..Orders::default()
            },
            home: &self.home,
            state: self.state(),
            scratch: &scratch,
            destination,
            script,
        };
        Some(start.spawn())
    }

    /// Whether that process ended as it should: a table that another one loads is refused.
    fn ended_beside(&self, plan: &Plan, mut child: Child) -> Result<(), Failure> {
        let status = wait(&mut child);
        let told = std::fs::read_to_string(self.scratch.join("other/told")).unwrap_or_default();
        let is_refused = self.scenario == Scenario::Merge
            && (told.contains(LOADED) || matches!(plan.ending, Ending::Crash(_)));
        match status {
            Ok(status) if status.success() || (status.code() == Some(1) && is_refused) => Ok(()),
            ended => {
                let what = format!("the process beside it ended with {ended:?}");
                Err(self.failure(&format!("{:?}", plan.ending), what, &told))
            }
        }
    }

    fn plan(&mut self) -> Plan {
        let world = Disturbed {
            scenario: self.scenario,
            has_calls: self.worker.preload.is_some(),
            has_server: matches!(self.place, Place::Database(_)),
            disks: self.worker.disks.as_ref(),
            sandbox: &self.source.sandbox,
            pace: &self.pace,
        };
        world.plan(self.clock, &mut self.random)
    }

    fn start(&mut self, script: &str, plan: &Plan) -> Result<Ran, Failure> {
        let start = Start {
            preload: self.worker.preload.as_ref(),
            orders: plan.orders,
            home: &self.home,
            state: self.home.join("state"),
            scratch: &self.scratch,
            destination: self.place.address(),
            script,
        };
        let server = self.worker.server.as_mut();
        let ran = start.run(plan.ending, &self.source.sandbox, server, &mut self.pace);
        ran.map_err(|what| {
            let told = std::fs::read_to_string(self.scratch.join("told")).unwrap_or_default();
            self.failure(
                &format!("{:?}, {:?}", plan.ending, plan.orders),
                what,
                &told,
            )
        })
    }

    fn judge(&mut self, plan: &Plan, ran: &Ran, loaded: &[Copied]) -> Result<(), String> {
        let mut after = self.place.read(&self.tables, &own::TABLES, &self.scratch)?;
        self.source.forget_names(&self.tables, &mut after);
        let judge = Judge {
            tables: &self.tables,
            course: self.scenario.course(),
            before: &self.held,
            after: &after,
            known: &self.source.known,
        };
        judge.behind_a_kill()?;
        if let Some(sign_in) = &mut self.sign_in {
            sign_in.obey(&ran.told);
            sign_in.judge(ran, &self.source)?;
        }
        if self.scenario == Scenario::Own {
            own::judge(&self.held, &after, &self.home)?;
        }
        if ran.told.contains("is damaged") {
            return Err("a file of the state was damaged".to_owned());
        }
        let success = ran.status.success();
        if success && !self.source.hides() {
            judge.behind_success(loaded)?;
        }
        self.held = after;
        let names = loaded.iter().map(|copied| copied.name);
        if success {
            self.unfinished
                .retain(|name| names.clone().all(|other| other != *name));
        } else {
            self.unfinished.extend(names);
        }
        match ran.status.code() {
            None if ran.is_killed() => Ok(()),
            Some(0) => Ok(()),
            Some(3) if self.source.hides() => Ok(()),
            Some(1) if plan.shares && ran.codes() == [LOADED] => Ok(()),
            Some(1..=3) if plan.may_fail && !ran.codes().is_empty() => Ok(()),
            _ => Err(format!("it ended with {}", ran.status)),
        }
    }

    fn count(&mut self, plan: &Plan, ran: &Ran) {
        let ends: &mut Ends = self.tally.ends.entry(self.scenario).or_default();
        ends.runs += 1;
        if matches!(plan.ending, Ending::Crash(_)) {
            ends.crashes += 1;
        } else if plan.may_fail {
            ends.refused += 1;
        }
        if ran.status.success() && !self.source.hides() {
            ends.successes += 1;
        }
        if ran.is_killed() {
            ends.kills[self.destination as usize] += 1;
            match &ran.seen.killed {
                Some((class, path)) => self.tally.place(*class, path),
                None => self.tally.elsewhere += 1,
            }
        } else {
            for code in ran.codes() {
                *self.tally.codes.entry(code).or_default() += 1;
            }
        }
    }

    /// Ends with a copy that is as the source, and with nothing left behind.
    fn settle(&mut self) -> Result<(), Failure> {
        self.source.show();
        let tables = self.tables.clone();
        let script = self.script(&tables);
        for _ in 0..2 {
            let ran = self.quietly(&script)?;
            let plan = Plan::undisturbed(self.clock);
            self.judge(&plan, &ran, &tables)
                .map_err(|what| self.failure("at the end", what, &ran.told))?;
            self.source.pass(1);
        }
        leftovers(&self.held, &self.tables, &self.home)
            .map_err(|what| self.failure("at the end", what, ""))
    }

    fn read(&self) -> Result<Held, Failure> {
        let read = self.place.read(&self.tables, &own::TABLES, &self.scratch);
        let mut held = read.map_err(|what| self.failure("reading", what, ""))?;
        self.source.forget_names(&self.tables, &mut held);
        Ok(held)
    }

    fn state(&self) -> PathBuf {
        self.home.join("state")
    }

    fn configure(&self, more: &str) {
        let base = self.source.sandbox.base_url();
        let credential = match self.scenario.signs_in() {
            true => tokens::properties(&self.state()),
            false => "User = \"user1@acme.example\"\nToken = \"env:TEST_TOKEN\"\n".to_owned(),
        };
        let config = format!(
            "[connections.acme]\nBaseURL = \"{base}\"\nWorkspace = \"acme\"\nPagesize = 5\n\
             RequestsPerHour = 100000\n{credential}{more}"
        );
        std::fs::write(self.scratch.join("bucketline.toml"), config).unwrap();
    }

    fn failure(&self, ending: &str, what: String, told: &str) -> Failure {
        Failure {
            run: self.run,
            ending: ending.to_owned(),
            what,
            told: told.to_owned(),
        }
    }
}
