//! Carrying out a statement whose table may be written.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use bucketline_core::Reach;
use bucketline_destination::{
    Change, ColumnType, Counts, Destination, Load, LoadPlan, Replacement, Retention, Target,
};
use bucketline_source::SliceChoice;
use chrono::Utc;
use futures::TryStreamExt;
use futures::future::{BoxFuture, try_join_all};
use serde_json::Value;

use crate::arms::Arm;
use crate::fingerprint::enumerated;
use crate::keep::{Former, Keeper};
use crate::lazy::LazyLoad;
use crate::prepare::{Prepared, Rows};
use crate::probe::{is_narrowed, shows_rows};
use crate::record::{Record, Slices, read_slices};
use crate::report::counted;
use crate::run::Run;
use crate::standing::{Approach, Standing};
use crate::statement::{Deletes, Statement};
use crate::survey::{Known, Survey, survey};
use crate::tally::Tally;
use crate::walk::{Walker, new_rows};
use crate::walks::{Walked, walk};
use crate::work::WholeWork;
use crate::{Error, Event, Mode, Outcome, Report, Result, SliceReport};

/// The slice under which a result is written that has none.
const WHOLE: &str = "result";

/// A run whose table may be written.
pub(crate) struct Job<'a> {
    pub(crate) run: &'a Run<'a>,
    pub(crate) destination: &'a Arc<dyn Destination>,
    pub(crate) statement: &'a Statement,
    pub(crate) prepared: &'a Prepared,
    pub(crate) standing: Standing,
    pub(crate) approach: Approach,
}

impl Job<'_> {
    fn note(&self, text: impl AsRef<str>) {
        self.run.voice.note(text);
    }

    pub(crate) fn report(&self, tally: Tally) -> Report {
        let Tally {
            slices,
            read,
            counts,
            ..
        } = tally;
        let lost_values = self.run.voice.settle_losses();
        Report {
            table: self.statement.table.to_string(),
            mode: self.prepared.mode,
            why: self.prepared.why.clone(),
            slices,
            read,
            lost_values,
            counts,
            requests: self.run.context.requests(),
            elapsed: self.run.started.elapsed(),
            notes: self.run.voice.notes(),
        }
    }

    fn say_started(&self, slices: usize) {
        let Prepared { mode, why, .. } = self.prepared;
        let table = self.statement.table.to_string();
        self.run.voice.say(&Event::Started {
            table: &table,
            mode: *mode,
            why,
            slices,
        });
    }

    /// The load that begins once there is something to write; `resumes` what is staged.
    fn lazy(&self, load: Box<dyn Load>, record: &Record, resumes: bool) -> LazyLoad {
        LazyLoad::new(load, self.plan(record.to_json(), resumes))
    }

    /// What is going to be written.
    pub(crate) fn plan(&self, record: Value, resumes: bool) -> LoadPlan {
        let target = match self.approach {
            Approach::Merge => Target::Table,
            Approach::Reload {
                recreate: false, ..
            } => Target::Staging,
            Approach::Reload { recreate: true, .. } => Target::Recreate,
        };
        LoadPlan {
            columns: self.prepared.layout.columns.clone(),
            key: self.prepared.layout.key_names(),
            indexes: self.prepared.indexes.clone(),
            retention: self.retention(),
            target,
            forget_checkpoints: !self.standing.exists,
            adopts: self.standing.adopts,
            resumes,
            doc: self.prepared.doc.clone(),
            dropped: self.dropped(),
            record,
            batch_size: self.statement.options.batch_size,
        }
    }

    fn retention(&self) -> Retention {
        match (&self.prepared.history, self.statement.options.deletes) {
            (Some(change), _) => Retention::Versions {
                change: change.clone(),
                now: Utc::now(),
            },
            (None, Deletes::Mark) => Retention::Deleted,
            (None, Deletes::Remove | Deletes::Skip) => Retention::Nothing,
        }
    }

    /// Columns that are no longer selected and become NULL; past versions keep theirs.
    fn dropped(&self) -> Vec<String> {
        match self.prepared.history {
            Some(_) => Vec::new(),
            None => self.standing.difference(self.prepared).dropped,
        }
    }

    /// What a staged load replaces.
    fn replacement(&self) -> Replacement {
        let Statement { options, .. } = self.statement;
        let skips = options.deletes == Deletes::Skip && !self.prepared.layout.key.is_empty();
        let other_rows = self.standing.difference(self.prepared).rows;
        if options.drop_table && !self.standing.adopts {
            Replacement::Table
        } else if skips && !options.truncate_table && !other_rows {
            Replacement::Present
        } else {
            Replacement::Rows
        }
    }

    /// Types widen in place and never narrow: a column that holds more than what is asked for stays as it is.
    fn tell_wider_columns(&self, there: &SchemaRef) {
        let wider = self.prepared.layout.columns.iter().filter_map(|column| {
            let stored = there.field_with_name(column.field.name()).ok()?;
            (ColumnType::of(stored) != ColumnType::of(&column.field))
                .then(|| column.field.name().clone())
        });
        let wider: Vec<String> = wider.collect();
        if !wider.is_empty() {
            self.note(format!(
                "{}: the table keeps a wider type than is asked for in {}; DropTable makes it anew",
                self.statement.table,
                enumerated(&wider)
            ));
        }
    }

    /// Computes a result and puts it in the place of the one before.
    pub(crate) async fn whole(
        &self,
        work: &dyn WholeWork,
        record: &mut Record,
        load: Box<dyn Load>,
        tally: &mut Tally,
    ) -> Result<()> {
        record.load = Some(unique());
        self.say_started(0);
        let load = self.lazy(load, record, false);
        let mut batches = work.execute().await?;
        while let Some(batch) = batches.try_next().await? {
            tally.read += batch.num_rows() as u64;
            if batch.num_rows() == 0 {
                continue;
            }
            let rows = self.prepared.layout.fit(&batch)?;
            load.write(WHOLE, new_rows(&self.prepared.layout, rows))
                .await?;
            load.commit(WHOLE, None).await?;
        }
        if self.is_doubtful(tally, self.all_show_rows(work)).await? {
            return load.finish(None).await;
        }
        record.load = None;
        tally.counts = load.apply(self.replacement(), record.to_json()).await?;
        self.tell_wider_columns(&load.columns().await?);
        load.finish(None).await
    }

    /// Whether a result without a row must not replace rows, since the lists `showed` none either: an empty
    /// answer may be a fault.
    async fn is_doubtful(
        &self,
        tally: &Tally,
        showed: impl Future<Output = Result<bool>>,
    ) -> Result<bool> {
        let rows = if self.standing.exists {
            self.standing.rows
        } else {
            0
        };
        let replaces = rows > 0 || self.standing.adopts;
        if tally.read > 0 || !replaces || showed.await? {
            return Ok(false);
        }
        let table = &self.statement.table;
        self.note(match self.standing.adopts {
            true => format!("the result is empty, so {table} is not taken over"),
            false => format!(
                "the result is empty where {table} has {}; they stay: drop the table if it should be empty",
                counted(rows, "row")
            ),
        });
        Ok(true)
    }

    /// Whether an empty result comes from what the query leaves out: each list that it reads has rows.
    async fn all_show_rows(&self, work: &dyn WholeWork) -> Result<bool> {
        if !work.is_selective() {
            return Ok(false);
        }
        let context = &self.run.context;
        for (source, plan) in work.lists().await? {
            let slices = source.slices(&plan, context).await?;
            if !shows_rows(&source, &plan, &slices, context).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The same for a query that is read row by row.
    async fn any_shows_rows(&self, walkers: &[Walker<'_>], survey: &Survey) -> Result<bool> {
        for walker in walkers {
            let plan = walker.rows.scan.plan();
            let slices = survey.slices.iter().filter(|part| part.arm == walker.arm);
            let slices: Vec<_> = slices.map(|part| part.slice.clone()).collect();
            let source = walker.work.source();
            if is_narrowed(plan) && shows_rows(source, plan, &slices, &self.run.context).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Reads the slices of queries row by row.
    pub(crate) async fn rows(
        &self,
        arms: &[Arm<'_>],
        record: &mut Record,
        load: Box<dyn Load>,
        tally: &mut Tally,
    ) -> Result<()> {
        let Standing {
            exists,
            record: before,
            slices: known,
            ..
        } = &self.standing;
        // Names of another statement say nothing about this one's.
        let same_rows = *exists && !self.standing.difference(self.prepared).rows;
        let before = before.as_ref().filter(|_| same_rows);
        let no_names = BTreeMap::new();
        let names = before.map_or(&no_names, |record| &record.names);
        let context = &self.run.context;
        let merges = self.approach == Approach::Merge;
        let how = (same_rows, merges);
        let survey = survey(arms, known, names, &record.owners, how, context).await?;
        record.names.clone_from(&survey.names);

        let was_off = before.is_some_and(|record| record.deletes_off);
        let guarded = was_off || self.standing.credential_changed(&record.owners);
        record.deletes_off = merges && guarded;

        if self.prepared.mode == Mode::Replace {
            record.load = Some(unique());
        }
        let staged = match &load.status().state {
            Some(state) if !merges && *exists => state.staged.as_ref(),
            _ => None,
        };
        let staged = staged.filter(|staged| {
            Record::read(&staged.record).is_ok_and(|staged| record.goes_on_with(&staged))
        });
        let states = match (merges, staged) {
            (true, _) => known.clone(),
            (false, Some(staged)) => read_slices(&staged.checkpoints)?,
            (false, None) => Slices::new(),
        };
        let resumes = staged.is_some();
        self.announce(arms, &states);
        self.say_started(survey.slices.len());
        let stored = record.to_json();
        let may_delete = !record.deletes_off;
        let load = self.lazy(load, record, resumes);

        let walkers = arms.iter().map(|&Arm { number, work, rows }| Walker {
            arm: number,
            work,
            rows,
            layout: &self.prepared.layout,
            mode: self.prepared.mode,
            load: &load,
            voice: &self.run.voice,
            context,
            deletes: may_delete,
            sweep: rows.sweep.as_ref().filter(|_| may_delete),
            replaces: !merges && *exists,
            former: self.former(),
            skips: self.statement.options.deletes == Deletes::Skip,
            keeps: self.retention() != Retention::Nothing,
            proofs: !guarded,
        });
        let walkers: Vec<_> = walkers.collect();
        let failure = self.walk(&walkers, &survey, &states, tally).await?;
        if merges {
            self.settle_missing(&load, arms, &survey, tally).await?;
            let complete = tally
                .slices
                .iter()
                .all(|slice| !matches!(slice.outcome, Outcome::Failed(_) | Outcome::Vanished));
            record.deletes_off &= !complete;
            if record.deletes_off {
                self.tell_guarded(arms, tally);
            }
        } else if let Some(failure) = failure {
            self.note(format!(
                "{} was left as it was, since not every slice could be read",
                self.statement.table
            ));
            load.finish(None).await?;
            return Err(failure);
        } else {
            record.deletes_off = guarded;
            if !self
                .replace(&walkers, &survey, &states, record, tally)
                .await?
            {
                return load.finish(None).await;
            }
        }
        if failure.is_none() {
            self.tell_wider_columns(&load.columns().await?);
        }
        let record = record.to_json();
        let other = merges && record != stored;
        load.finish(other.then_some(record)).await?;
        failure.map_or(Ok(()), Err)
    }

    /// Where rows come from that stay through a new load although they cannot be read.
    fn former(&self) -> Option<Former<'_>> {
        let keeps = matches!(self.approach, Approach::Reload { keep: true, .. });
        keeps.then_some(Former {
            destination: self.destination.as_ref(),
            table: &self.statement.table,
        })
    }

    /// Puts what is staged, and what of the table stays, in the table's place. Says whether it did.
    async fn replace(
        &self,
        walkers: &[Walker<'_>],
        survey: &Survey,
        states: &Slices,
        record: &mut Record,
        tally: &mut Tally,
    ) -> Result<bool> {
        let (Approach::Reload { keep, .. }, [Walker { load, .. }, ..]) = (&self.approach, walkers)
        else {
            return Ok(false);
        };
        let keeper = Keeper {
            former: Former {
                destination: self.destination.as_ref(),
                table: &self.statement.table,
            },
            known: &self.standing.slices,
            walkers,
        };
        let drops = self.statement.options.drop_missing && !survey.slices.is_empty();
        let keeps_vanished = *keep && !drops;
        if *keep {
            keeper.keep_unread(survey, &tally.slices).await?;
        }
        for known in &survey.vanished {
            let staged = states.get(&known.id);
            if keeps_vanished {
                keeper.keep_vanished(known, staged).await?;
            } else if let Some(staged) = staged {
                remove(load, walkers[staged.arm].rows, known).await?;
            }
        }
        for known in &survey.left {
            if let Some(staged) = states.get(&known.id) {
                remove(load, walkers[staged.arm].rows, known).await?;
            }
        }
        if !*keep
            && self
                .is_doubtful(tally, self.any_shows_rows(walkers, survey))
                .await?
        {
            return Ok(false);
        }
        record.deletes_off &= keeps_vanished && !survey.vanished.is_empty();
        record.load = None;
        tally.counts = load.apply(self.replacement(), record.to_json()).await?;

        // Slices that only an earlier statement asked for are no news. Those of this one can be told where the
        // statement is the same, or where all there are were listed.
        if *keep {
            for known in &survey.left {
                tally.add_outcome(known, Outcome::Left, Counts::default());
            }
        } else if walkers
            .iter()
            .any(|walker| walker.rows.scan.plan().slices != SliceChoice::Listed)
        {
            return Ok(true);
        }
        for known in &survey.vanished {
            if keeps_vanished {
                tally.add_outcome(known, Outcome::Vanished, Counts::default());
                continue;
            }
            self.note(format!(
                "{}: listed no more; its rows were removed",
                known.label()
            ));
            tally.add_outcome(known, Outcome::Dropped, Counts::default());
        }
        Ok(true)
    }

    /// Says that the credential changed and what that still means, where it means something.
    fn tell_guarded(&self, arms: &[Arm<'_>], tally: &Tally) {
        let proved = arms.iter().any(|arm| arm.work.table().unchanged_by_proof);
        let sweeps = arms.iter().any(|arm| arm.rows.sweep.is_some());
        if self.prepared.mode != Mode::Listing && !proved && !sweeps {
            return;
        }
        let unread = tally
            .slices
            .iter()
            .filter(|slice| matches!(slice.outcome, Outcome::Failed(_) | Outcome::Vanished));
        let unread: Vec<_> = unread.map(|slice| slice.slice.clone()).collect();
        let cost = if proved {
            ", and every slice is read although nothing may have changed"
        } else {
            ""
        };
        self.note(format!(
            "the credential or its scopes changed, and {} was not read with it: until it is, or \
             DropMissingRepositories drops what is listed no more, nothing is deleted{cost}",
            enumerated(&unread)
        ));
    }

    /// Says what is about to happen to the whole table.
    fn announce(&self, arms: &[Arm<'_>], states: &Slices) {
        let table = &self.statement.table;
        if let Approach::Reload { why, .. } = &self.approach
            && self.prepared.mode != Mode::Replace
            && self.standing.exists
        {
            let cost = self.standing.reload_cost(arms);
            let resumed = if states.is_empty() {
                ""
            } else {
                ", less what an interrupted run has staged"
            };
            self.note(format!(
                "{table} is loaded whole again and replaced at the end: {why}; {cost}{resumed}"
            ));
        }
        let dropped = self.dropped();
        let recreates = matches!(self.approach, Approach::Reload { recreate: true, .. });
        if !dropped.is_empty() && !recreates {
            let rows = counted(self.standing.rows, "row");
            self.note(format!(
                "{table}: no longer selected, so that they stay and are NULL in {rows}: {}",
                enumerated(&dropped)
            ));
        }
    }

    /// Walks the slices of all queries, several at a time. Gives the failure of the statement if some failed.
    async fn walk(
        &self,
        walkers: &[Walker<'_>],
        survey: &Survey,
        states: &Slices,
        tally: &mut Tally,
    ) -> Result<Option<Error>> {
        let unlisted = |arm: usize| survey.unlisted.iter().any(|(number, _)| *number == arm);
        let read = walkers.iter().filter(|walker| !unlisted(walker.arm));
        let mut read: Vec<BoxFuture<'_, Result<Walked>>> = read
            .map(|walker| Box::pin(walk(walker, walkers.len() > 1, survey, states)) as _)
            .collect();
        let mut walked = match (read.pop(), read.is_empty()) {
            // A run without a second query does not go through what joins them.
            (Some(only), true) => vec![only.await?],
            (last, _) => try_join_all(read.into_iter().chain(last)).await?,
        };
        let mut last = None;
        let mut reports = Vec::with_capacity(survey.slices.len());
        for Walked { ended, failure } in walked.drain(..) {
            reports.extend(ended);
            last = failure.or(last);
        }
        // In the order of the survey, whichever ended first.
        reports.sort_by_key(|(place, _)| *place);
        reports
            .into_iter()
            .for_each(|(_, report)| tally.add(report));
        for (arm, error) in &survey.unlisted {
            let of_arm = survey.unread.iter().filter(|it| it.state.arm == *arm);
            let mut labels: Vec<_> = of_arm.map(Known::label).collect();
            if labels.is_empty() {
                labels.push(walkers[*arm].work.connection().to_owned());
            }
            for label in labels {
                tally.add(SliceReport::failed(label, error));
            }
        }
        let failed = |slice: &&SliceReport| matches!(slice.outcome, Outcome::Failed(_));
        let failures = tally.slices.iter().filter(failed).count();
        if failures == 0 {
            return Ok(None);
        }
        Ok(Some(match (last, tally.slices.len()) {
            (Some(failure), 1) => failure.with_reach(Reach::Statement),
            (failure, all) => {
                let partial = tally.partial(&self.statement.table, failures, all);
                let partial = match failure {
                    Some(failure) => partial.with_source(failure),
                    None => partial,
                };
                // What is put in place as a whole is not put there in part.
                match failures < all && self.approach == Approach::Merge {
                    true => partial.partial(),
                    false => partial,
                }
            }
        }))
    }

    /// Removes the rows of slices that left, and sees to those that vanished.
    async fn settle_missing(
        &self,
        load: &LazyLoad,
        arms: &[Arm<'_>],
        survey: &Survey,
        tally: &mut Tally,
    ) -> Result<()> {
        for known in &survey.left {
            let counts = remove(load, arms[known.state.arm].rows, known).await?;
            self.note(format!(
                "{}: no longer what the statement asks for; its rows were removed",
                known.label()
            ));
            tally.add_outcome(known, Outcome::Left, counts);
        }
        let drop = self.statement.options.drop_missing;
        for known in &survey.vanished {
            let mut of_arm = survey.slices.iter().map(|part| part.arm);
            let listed_none = !of_arm.any(|arm| arm == known.state.arm);
            let label = known.label();
            if drop && !listed_none {
                let counts = remove(load, arms[known.state.arm].rows, known).await?;
                self.note(format!("{label}: listed no more; its rows were removed"));
                tally.add_outcome(known, Outcome::Dropped, counts);
                continue;
            }
            self.note(if drop {
                format!("{label}: listed no more; its rows stay, because nothing at all was listed")
            } else {
                format!(
                    "{label}: listed no more; its rows stay (DropMissingRepositories removes them)"
                )
            });
            tally.add_outcome(known, Outcome::Vanished, Counts::default());
        }
        Ok(())
    }
}

/// Removes a slice's rows and its checkpoint.
async fn remove(load: &LazyLoad, rows: &Rows, known: &Known) -> Result<Counts> {
    load.write(
        &known.id,
        Change::DeleteWhere(rows.of_slice(&known.state.parents)),
    )
    .await?;
    load.forget(&known.id).await?;
    load.commit(&known.id, None).await
}

/// A text that no other load has.
fn unique() -> String {
    format!(
        "{}-{}",
        Utc::now().format("%Y%m%dT%H%M%S%.9f"),
        std::process::id()
    )
}
