//! Carrying out a statement whose table may be written.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use bucketline_destination::{Change, ColumnType, Counts, Destination, Load, LoadPlan, Target};
use chrono::Utc;
use futures::future::BoxFuture;
use futures::{StreamExt, TryStreamExt, stream};

use crate::fingerprint::enumerated;
use crate::keep::Keeper;
use crate::prepare::{Prepared, Rows};
use crate::record::{Record, Slices, read_slices};
use crate::report::counted;
use crate::run::Run;
use crate::standing::{Approach, Standing};
use crate::statement::Statement;
use crate::survey::{Known, Survey, survey};
use crate::tally::Tally;
use crate::walk::{Walker, new_rows};
use crate::work::{RowWork, WholeWork};
use crate::{Error, Event, Mode, Outcome, Report, Result};

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
        Report {
            table: self.statement.table.to_string(),
            mode: self.prepared.mode,
            why: self.prepared.why.clone(),
            slices,
            read,
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

    async fn begin(&self, load: &dyn Load, record: &Record) -> Result<()> {
        let target = match self.approach {
            Approach::Merge => Target::Table,
            Approach::Reload {
                recreate: false, ..
            } => Target::Staging,
            Approach::Reload { recreate: true, .. } => Target::Recreate,
        };
        let plan = LoadPlan {
            columns: self.prepared.layout.columns.clone(),
            key: self.prepared.layout.key_names(),
            target,
            forget_checkpoints: !self.standing.exists,
            record: record.to_json(),
            batch_size: self.statement.options.batch_size,
        };
        load.begin(plan).await?;
        self.tell_wider_columns(&load.columns().await?);
        Ok(())
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
        self.begin(load.as_ref(), record).await?;
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
        if self.is_empty_where_rows_were(tally) {
            return Ok(load.finish(None).await?);
        }
        tally.counts = load.apply(self.statement.options.drop_table).await?;
        record.load = None;
        Ok(load.finish(Some(record.to_json())).await?)
    }

    /// Whether a result without a row would replace rows: an empty answer may be a fault.
    fn is_empty_where_rows_were(&self, tally: &Tally) -> bool {
        let rows = if self.standing.exists {
            self.standing.rows
        } else {
            0
        };
        let keeps = tally.read == 0 && rows > 0;
        if keeps {
            let table = &self.statement.table;
            self.note(format!(
                "the result is empty where {table} has {}; they stay: drop the table if it should be empty",
                counted(rows, "row")
            ));
        }
        keeps
    }

    /// Reads slices row by row.
    pub(crate) async fn rows(
        &self,
        work: &dyn RowWork,
        rows: &Rows,
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
        let survey = survey(work, &rows.scan, known, names, &self.run.context).await?;
        record.names.clone_from(&survey.names);

        let merges = self.approach == Approach::Merge;
        let credential_changed = self.standing.credential_changed(&record.owners);
        let was_off = before.is_some_and(|record| record.deletes_off);
        let guarded = credential_changed || was_off;
        record.deletes_off = merges && guarded;
        if merges && credential_changed && self.prepared.mode == Mode::Listing {
            self.note("the credential or its scopes changed: what is listed no more is not deleted until a whole run has read every repository known before");
        }

        if self.prepared.mode == Mode::Replace {
            record.load = Some(unique());
        }
        let stored = record.to_json();
        let states = match &self.approach {
            Approach::Merge => known.clone(),
            Approach::Reload { .. } => {
                let staged = load
                    .status()
                    .state
                    .as_ref()
                    .and_then(|state| state.staged.as_ref());
                match staged.filter(|staged| *exists && staged.record == stored) {
                    Some(staged) => read_slices(&staged.checkpoints)?,
                    None => Slices::new(),
                }
            }
        };
        self.announce(rows, &states);
        self.say_started(survey.slices.len());
        self.begin(load.as_ref(), record).await?;

        let walker = Walker {
            work,
            rows,
            layout: &self.prepared.layout,
            mode: self.prepared.mode,
            load: load.as_ref(),
            voice: &self.run.voice,
            context: &self.run.context,
            deletes: !record.deletes_off,
            proofs: !guarded,
        };
        let failure = self.walk(&walker, &survey, &states, tally).await?;
        match &self.approach {
            Approach::Merge => {
                self.settle_missing(load.as_ref(), rows, &survey, tally)
                    .await?;
                let complete = tally
                    .slices
                    .iter()
                    .all(|slice| !matches!(slice.outcome, Outcome::Failed(_) | Outcome::Vanished));
                record.deletes_off &= !complete;
            }
            Approach::Reload { recreate, keep, .. } => {
                if let Some(failure) = failure {
                    self.note(format!(
                        "{} was left as it was, since not every slice could be read",
                        self.statement.table
                    ));
                    load.finish(None).await?;
                    return Err(failure);
                }
                for known in &survey.left {
                    if states.contains_key(&known.id) {
                        remove(load.as_ref(), rows, known).await?;
                    }
                    tally.add_outcome(known, Outcome::Left, Counts::default());
                }
                let keeper = Keeper {
                    destination: self.destination.as_ref(),
                    table: &self.statement.table,
                    layout: &self.prepared.layout,
                    rows,
                    load: load.as_ref(),
                    voice: &self.run.voice,
                };
                let drops = self.statement.options.drop_missing && !survey.slices.is_empty();
                let (keep_vanished, outcome) = match *keep && !drops {
                    true => (true, Outcome::Vanished),
                    false => (false, Outcome::Dropped),
                };
                if *keep {
                    keeper.keep_unread(&survey, &tally.slices).await?;
                }
                for known in &survey.vanished {
                    let staged = states.get(&known.id);
                    if keep_vanished {
                        keeper.keep_vanished(known, staged).await?;
                    } else {
                        if staged.is_some() {
                            remove(load.as_ref(), rows, known).await?;
                        }
                        self.note(format!(
                            "{}: listed no more; its rows were removed",
                            known.label()
                        ));
                    }
                    tally.add_outcome(known, outcome.clone(), Counts::default());
                }
                record.deletes_off = guarded && keep_vanished && !survey.vanished.is_empty();
                if !*keep && self.is_empty_where_rows_were(tally) {
                    return Ok(load.finish(None).await?);
                }
                tally.counts = load.apply(*recreate).await?;
                record.load = None;
            }
        }
        let record = record.to_json();
        load.finish((record != stored).then_some(record)).await?;
        failure.map_or(Ok(()), Err)
    }

    /// Says what is about to happen to the whole table.
    fn announce(&self, rows: &Rows, states: &Slices) {
        let table = &self.statement.table;
        if let Approach::Reload { why, .. } = &self.approach
            && self.prepared.mode != Mode::Replace
            && self.standing.exists
        {
            let cost = self.standing.reload_cost(rows.scan.plan().page_size);
            let resumed = if states.is_empty() {
                ""
            } else {
                ", less what an interrupted run has staged"
            };
            self.note(format!(
                "{table} is loaded whole again and replaced at the end: {why}; {cost}{resumed}"
            ));
        }
        let dropped = self.standing.difference(self.prepared).dropped;
        let recreates = matches!(self.approach, Approach::Reload { recreate: true, .. });
        if !dropped.is_empty() && !recreates {
            let rows = counted(self.standing.rows, "row");
            self.note(format!(
                "{table}: no longer selected, so that they stay and are NULL in {rows}: {}",
                enumerated(&dropped)
            ));
        }
    }

    /// Walks all slices, several at a time. Gives the failure of the statement if some failed.
    async fn walk(
        &self,
        walker: &Walker<'_>,
        survey: &Survey,
        states: &Slices,
        tally: &mut Tally,
    ) -> Result<Option<Error>> {
        // Boxed one by one: a closure that returns them would keep the whole run from being `Send`.
        let mut walks: Vec<BoxFuture<'_, Result<_>>> = Vec::with_capacity(survey.slices.len());
        // What was never read comes first: a run that ends for lack of requests must not keep it waiting for ever.
        let mut order: Vec<_> = survey.slices.iter().enumerate().collect();
        order.sort_by_key(|(_, slice)| {
            states
                .get(&slice.id.0)
                .is_some_and(|state| !state.is_unread())
        });
        for (place, slice) in order {
            let state = states.get(&slice.id.0).cloned();
            walks.push(Box::pin(async move {
                let (report, failure) = walker.walk(slice, state).await?;
                Ok((place, report, failure))
            }));
        }
        let mut walks = stream::iter(walks).buffer_unordered(walker.work.source().concurrency().max(1));
        let (mut failures, mut last) = (0, None);
        let mut places = Vec::with_capacity(survey.slices.len());
        while let Some((place, report, failure)) = walks.try_next().await? {
            places.push(place);
            tally.add(report);
            if let Some(failure) = failure {
                failures += 1;
                last = Some(failure);
            }
        }
        // In the order of the survey, whichever ended first.
        let mut reports: Vec<_> = places.into_iter().zip(tally.slices.drain(..)).collect();
        reports.sort_by_key(|(place, _)| *place);
        tally.slices = reports.into_iter().map(|(_, report)| report).collect();
        Ok(last.map(|failure| match survey.slices.len() {
            1 => failure,
            all => tally
                .partial(&self.statement.table, failures, all)
                .with_cause(failure),
        }))
    }

    /// Removes the rows of slices that left, and sees to those that vanished.
    async fn settle_missing(
        &self,
        load: &dyn Load,
        rows: &Rows,
        survey: &Survey,
        tally: &mut Tally,
    ) -> Result<()> {
        for known in &survey.left {
            let counts = remove(load, rows, known).await?;
            self.note(format!(
                "{}: no longer what the statement asks for; its rows were removed",
                known.label()
            ));
            tally.add_outcome(known, Outcome::Left, counts);
        }
        let drop = self.statement.options.drop_missing;
        let listed_none = survey.slices.is_empty();
        for known in &survey.vanished {
            let label = known.label();
            if drop && !listed_none {
                let counts = remove(load, rows, known).await?;
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
async fn remove(load: &dyn Load, rows: &Rows, known: &Known) -> Result<Counts> {
    load.write(
        &known.id,
        Change::DeleteWhere(rows.of_slice(&known.state.parents)),
    )
    .await?;
    load.forget(&known.id).await?;
    Ok(load.commit(&known.id, None).await?)
}

/// A text that no other load has.
fn unique() -> String {
    format!(
        "{}-{}",
        Utc::now().format("%Y%m%dT%H%M%S%.9f"),
        std::process::id()
    )
}
