//! Bringing the rows of one slice up to date.

use crate::error::ends_statement;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::RecordBatch;
use bucketline_destination::{Change, Counts};
use bucketline_source::{End, Owner, Page, ReadContext, Reading, ScanPlan, Slice};
use futures::StreamExt;
use serde_json::Value;

use crate::columns::{Layout, build};
use crate::events::Voice;
use crate::keep::Former;
use crate::keys::KeySet;
use crate::lazy::LazyLoad;
use crate::pages::Pages;
use crate::prepare::Rows;
use crate::probe::{is_narrowed, shows_rows};
use crate::record::SliceState;
use crate::renaming::{Renaming, renaming};
use crate::report::grouped;
use crate::survey::Part;
use crate::work::RowWork;
use crate::{Error, Event, Mode, Outcome, Result, SliceReport, code};

/// What the slices of one run share.
pub(crate) struct Walker<'a> {
    /// The number of the query whose slices it reads.
    pub(crate) arm: usize,
    pub(crate) work: &'a dyn RowWork,
    pub(crate) rows: &'a Rows,
    pub(crate) layout: &'a Layout,
    pub(crate) mode: Mode,
    pub(crate) load: &'a LazyLoad,
    pub(crate) voice: &'a Arc<Voice>,
    /// Counts the requests of all slices.
    pub(crate) context: &'a ReadContext,
    /// What a listing lacks may be deleted.
    pub(crate) deletes: bool,
    /// How the keys of slices are read after their changes, to find out what was deleted.
    pub(crate) sweep: Option<&'a Arc<ScanPlan>>,
    /// What is read takes the place of rows that are there.
    pub(crate) replaces: bool,
    /// Where rows of parents that could not be read are taken from, if they stay through that.
    pub(crate) former: Option<Former<'a>>,
    /// What the source has deleted stays as it is.
    pub(crate) skips: bool,
    /// Rows that leave are kept, with the values that they have then.
    pub(crate) keeps: bool,
    /// A slice whose proof did not move may be left out.
    pub(crate) proofs: bool,
}

impl Walker<'_> {
    /// Reads one slice to its end. A failure that is the slice's own is given beside the report.
    ///
    /// # Errors
    /// What every other slice would meet, too.
    pub(crate) async fn walk(
        &self,
        Part { id, slice, .. }: &Part,
        state: Option<SliceState>,
    ) -> Result<(SliceReport, Option<Error>)> {
        let started = Instant::now();
        self.voice.say(&Event::SliceStarted {
            slice: &slice.label,
        });
        let mut visit = Visit {
            walker: self,
            id,
            slice,
            context: self.context.part(),
            stored: state.as_ref().map(|state| state.to_json(id)),
            read: 0,
            last_page: 0,
            counts: Counts::default(),
        };
        let ended = match self.mode {
            Mode::Incremental => visit.changes(state).await,
            Mode::Listing => visit.listing(state).await,
            Mode::Replace => visit.scan().await,
        };
        let (outcome, failure) = match ended {
            Ok(outcome) => (outcome, None),
            Err(error) if ends_statement(&error) => return Err(error),
            Err(error) => {
                self.load.discard(id).await?;
                (Outcome::Failed((&error).into()), Some(error))
            }
        };
        if let Outcome::NotApplicable(why) = &outcome {
            self.load.discard(id).await?;
            self.voice.note(why);
        }
        let report = SliceReport {
            slice: slice.label.clone(),
            outcome,
            read: visit.read,
            counts: visit.counts,
            requests: visit.context.requests(),
            elapsed: started.elapsed(),
        };
        self.voice.say(&Event::SliceEnded { slice: &report });
        Ok((report, failure))
    }

    /// Whether the load has rows of the slice with these parents.
    pub(crate) async fn holds(&self, parents: &[Option<String>]) -> Result<bool> {
        let keys = self.load.keys(&self.rows.of_slice(parents)).await?;
        Ok(keys.iter().any(|batch| batch.num_rows() > 0))
    }

    /// Whether a slice that gave no row has rows, which the statement's conditions leave out.
    pub(crate) async fn leaves_rows_out(
        &self,
        slice: &Slice,
        context: &ReadContext,
    ) -> Result<bool> {
        let (source, plan) = (self.work.source(), self.rows.scan.plan());
        let slice = std::slice::from_ref(slice);
        Ok(is_narrowed(plan) && shows_rows(source, plan, slice, context).await?)
    }
}

/// One slice being read.
struct Visit<'w> {
    walker: &'w Walker<'w>,
    /// The slice's name in the destination's state.
    id: &'w str,
    slice: &'w Slice,
    context: ReadContext,
    /// The slice's checkpoint as it is stored.
    stored: Option<Value>,
    read: u64,
    /// Rows of the last page.
    last_page: usize,
    counts: Counts,
}

impl Visit<'_> {
    /// The proof to remember, where the table's rows are covered by it.
    fn proof(&self) -> Option<String> {
        let covered = self.walker.work.table().unchanged_by_proof;
        covered.then(|| self.slice.proof.clone()).flatten()
    }

    /// The listing proves that nothing changed since the last finished walk.
    fn is_proved(&self, state: &SliceState) -> bool {
        self.walker.proofs && state.proof.is_some() && state.proof == self.proof()
    }

    /// The last page brought rows. An empty one may be a fault, so that it proves nothing.
    fn is_believed(&self) -> bool {
        self.last_page > 0
    }

    /// Gives the rows there are the slice's parents of now, where they show them as they are; says whether
    /// they must be computed again instead.
    async fn rename(&mut self, state: &mut SliceState) -> Result<bool> {
        let Walker {
            work, rows, layout, ..
        } = self.walker;
        match renaming(*work, layout, &state.parents, &self.slice.parents) {
            Renaming::Recompute => return Ok(true),
            Renaming::None => {}
            Renaming::Assign(set) => {
                let rows = rows.of_slice(&self.slice.parents);
                self.write(Change::Assign { rows, set }).await?;
            }
        }
        if state.parents != self.slice.parents {
            state.parents.clone_from(&self.slice.parents);
            self.commit(Some(state)).await?;
        }
        Ok(false)
    }

    fn pages(&self, reading: Reading) -> Pages {
        self.pages_of(self.walker.rows.scan.plan(), reading)
    }

    fn pages_of(&self, plan: &Arc<ScanPlan>, reading: Reading) -> Pages {
        let source = self.walker.work.source();
        Pages::read(source.read(Arc::clone(plan), self.slice, reading, &self.context))
    }

    async fn write(&self, change: Change) -> Result<()> {
        self.walker.load.write(self.id, change).await
    }

    /// Commits what was written, with the state if it is another than the stored one.
    async fn commit(&mut self, state: Option<&SliceState>) -> Result<()> {
        let json = state.map(|state| state.to_json(self.id));
        let checkpoint = json.filter(|json| self.stored.as_ref() != Some(json));
        self.counts += self.walker.load.commit(self.id, checkpoint.clone()).await?;
        self.stored = checkpoint.or(self.stored.take());
        let progress = Event::SliceProgress {
            slice: &self.slice.label,
            read: self.read,
        };
        self.walker.voice.say(&progress);
        Ok(())
    }

    /// Computes and writes the rows of a page; `deletes` says whether rows that do not match may be
    /// in the table. Gives the rows written.
    async fn put(&mut self, page: RecordBatch, deletes: bool) -> Result<Option<RecordBatch>> {
        let Walker {
            work, rows, layout, ..
        } = self.walker;
        self.read += page.num_rows() as u64;
        self.last_page = page.num_rows();
        let page = rows.scan.admit(page)?;
        if page.num_rows() == 0 {
            return Ok(None);
        }
        let keeps = self.walker.keeps;
        let applied = work.apply(&page, keeps && deletes)?;
        if deletes && applied.leaving.num_rows() > 0 {
            self.write(if keeps {
                Change::Leave(layout.fit(&applied.leaving)?)
            } else {
                let keys = layout.fit_keys(&applied.leaving, &rows.key, &self.slice.parents)?;
                Change::Delete(keys)
            })
            .await?;
        }
        if applied.matching.num_rows() == 0 {
            return Ok(None);
        }
        let matching = layout.fit(&applied.matching)?;
        self.write(Change::Upsert(matching.clone())).await?;
        Ok(Some(matching))
    }

    /// Deletes what the table has of some parents beside the rows of theirs that were just written.
    async fn delete_absent(&self, owners: &[Owner], written: Option<RecordBatch>) -> Result<()> {
        let Walker {
            rows,
            layout,
            load,
            skips,
            ..
        } = self.walker;
        if *skips {
            return Ok(());
        }
        let mut present = KeySet::new(layout.key_schema())?;
        if let Some(written) = written.filter(|_| !owners.is_empty()) {
            present.insert(&layout.keys_of(&written)?)?;
        }
        let of_slice = rows.of_slice(&self.slice.parents);
        for owner in owners {
            let Some(filter) = rows.owner.rows_of(owner, &of_slice) else {
                continue;
            };
            let absent = present.absent(&load.keys(&filter).await?)?;
            if absent.num_rows() > 0 {
                self.write(Change::Delete(absent)).await?;
            }
        }
        Ok(())
    }

    /// Follows the slice's changes from its checkpoint to now.
    async fn changes(&mut self, known: Option<SliceState>) -> Result<Outcome> {
        let Walker { work, rows, .. } = self.walker;
        // Rows of a slice that is known and unread were carried over from another load: they
        // give way to the first rows read.
        let mut replaces = known.as_ref().is_some_and(SliceState::is_unread);
        let mut state = known.unwrap_or_else(|| SliceState::new(self.slice, self.walker.arm));
        // Rows that give way are not computed again.
        let recompute = self.rename(&mut state).await? && !replaces;
        let begins = !state.checkpoint.is_walking();
        if begins && !recompute && self.is_proved(&state) {
            self.commit(Some(&state)).await?;
            return Ok(Outcome::Unchanged);
        }
        if begins {
            // A walk that resumes keeps the proof from before its start.
            state.walk_proof = self.proof();
        }
        // Until a first walk meets a row that changed since it began, no row can come a second time,
        // so that what does not match cannot be in the table.
        let nullable = work
            .table()
            .cursor
            .as_ref()
            .is_some_and(|cursor| cursor.nullable);
        let is_first = begins && !state.checkpoint.is_loaded() && !nullable;

        // Before the first walk has ended, nothing that was deleted since can be told from what was not read yet.
        let sweep = self.walker.sweep.filter(|_| state.checkpoint.is_loaded());
        let mut pages = self.pages(Reading::Changes(state.checkpoint.clone()));
        loop {
            let Some(page) = pages.next().await else {
                return Err(self.incomplete());
            };
            let Page {
                rows: page,
                checkpoint,
                owners,
                unread,
                end,
            } = page?;
            if let Some(End::NotApplicable { why }) = end {
                return Ok(Outcome::NotApplicable(why));
            }
            if replaces && page.num_rows() > 0 {
                self.write(Change::DeleteWhere(rows.of_slice(&self.slice.parents)))
                    .await?;
                replaces = false;
            }
            let position = checkpoint
                .as_ref()
                .and_then(|checkpoint| checkpoint.walk.as_ref());
            let early = is_first && position.is_some_and(|position| position.passed.is_none());
            // Where all rows of a parent are known, those that do not match are among the absent ones, and go like them.
            let go_alike = !owners.is_empty() && !self.walker.keeps && !self.walker.skips;
            let written = self.put(page, !early && !go_alike).await?;
            self.delete_absent(&owners, written).await?;
            self.carry(&unread).await?;
            if let Some(checkpoint) = checkpoint {
                state.checkpoint = checkpoint;
            }
            if end.is_none() {
                self.commit(Some(&state).filter(|_| !replaces)).await?;
                continue;
            }
            if replaces && self.walker.holds(&self.slice.parents).await? {
                // Nothing came that could take the place of the rows carried over: if that is not because
                // none matches, ask again next time.
                if !self
                    .walker
                    .leaves_rows_out(self.slice, &self.context)
                    .await?
                {
                    return Ok(Outcome::Done);
                }
                self.write(Change::DeleteWhere(rows.of_slice(&self.slice.parents)))
                    .await?;
            }
            let proof = state.walk_proof.take();
            if recompute {
                // What follows is no part of the walk: the mark stays where the walk has put it.
                state.proof = None;
                self.commit(Some(&state)).await?;
                if let Some(why) = self.recompute().await? {
                    return Ok(Outcome::NotApplicable(why));
                }
            }
            state.proof = proof.filter(|_| self.is_believed());
            state.parents.clone_from(&self.slice.parents);
            self.commit(Some(&state)).await?;
            if let Some(sweep) = sweep {
                self.sweep(sweep).await?;
            }
            return Ok(Outcome::Done);
        }
    }

    /// Computes all rows of the slice again, since a parent has another name. Not resumed: the stored
    /// parents stay the old ones until it is done. Gives why the table is not there, if it is not.
    async fn recompute(&mut self) -> Result<Option<String>> {
        let mut pages = self.pages(Reading::Listing);
        loop {
            let Some(page) = pages.next().await else {
                return Err(self.incomplete());
            };
            let Page { rows, end, .. } = page?;
            if let Some(End::NotApplicable { why }) = end {
                return Ok(Some(why));
            }
            self.put(rows, true).await?;
            if end.is_some() {
                return Ok(None);
            }
            self.commit(None).await?;
        }
    }

    /// Reads the whole slice, and deletes what a listing that can be believed lacks.
    async fn listing(&mut self, known: Option<SliceState>) -> Result<Outcome> {
        let Walker {
            rows,
            layout,
            load,
            voice,
            deletes,
            skips,
            ..
        } = self.walker;
        if let Some(mut state) = known {
            // Rows that stay although they are listed no more have the new names, too.
            let recompute = self.rename(&mut state).await?;
            if !recompute && self.is_proved(&state) {
                return Ok(Outcome::Unchanged);
            }
        }

        let mut seen = KeySet::new(layout.key_schema())?;
        let unstable_pages = match self.look(&mut seen).await? {
            End::NotApplicable { why } => return Ok(Outcome::NotApplicable(why)),
            End::Complete { unstable_pages } => unstable_pages,
        };
        let existing = match skips {
            true => Vec::new(),
            false => load.keys(&rows.of_slice(&self.slice.parents)).await?,
        };
        let mut absent = seen.absent(&existing)?;
        let label = &self.slice.label;
        let mut settled = true;
        if absent.num_rows() > 0 {
            let rows = grouped(absent.num_rows() as u64);
            if self.read == 0 {
                settled = false;
                voice.note(format!(
                    "{label}: the listing is empty where {rows} rows were; they stay"
                ));
            } else if !deletes {
                settled = false;
                voice.note(format!(
                    "{label}: {rows} rows are listed no more; they stay, because the credential changed \
                     and not every repository known before has been read with it yet"
                ));
            } else {
                if unstable_pages > 1 {
                    match self.look(&mut seen).await? {
                        End::NotApplicable { why } => return Ok(Outcome::NotApplicable(why)),
                        End::Complete { .. } => absent = seen.absent(&[absent])?,
                    }
                }
                self.write(Change::Delete(absent)).await?;
            }
        }
        let mut state = SliceState::new(self.slice, self.walker.arm);
        state.proof = self.proof().filter(|_| settled && self.is_believed());
        self.commit(Some(&state)).await?;
        Ok(Outcome::Done)
    }

    /// Reads the keys of the whole slice, and deletes what they lack of the rows that are committed by now.
    async fn sweep(&mut self, plan: &Arc<ScanPlan>) -> Result<()> {
        let Walker {
            rows,
            layout,
            load,
            voice,
            ..
        } = self.walker;
        let existing = load.keys(&rows.of_slice(&self.slice.parents)).await?;
        if existing.is_empty() {
            return Ok(());
        }
        let mut listed = KeySet::new(layout.key_schema())?;
        let End::Complete { unstable_pages } = self.list_keys(plan, &mut listed).await? else {
            return Ok(());
        };
        let mut absent = listed.absent(&existing)?;
        if absent.num_rows() == 0 {
            return Ok(());
        }
        if listed.is_empty() {
            let (label, rows) = (&self.slice.label, grouped(absent.num_rows() as u64));
            voice.note(format!(
                "{label}: no key is listed where {rows} rows were; they stay"
            ));
            return Ok(());
        }
        if unstable_pages > 1 {
            match self.list_keys(plan, &mut listed).await? {
                End::NotApplicable { .. } => return Ok(()),
                End::Complete { .. } => absent = listed.absent(&[absent])?,
            }
        }
        self.write(Change::Delete(absent)).await?;
        self.commit(None).await
    }

    /// Reads keys to the end of their list, and remembers them.
    async fn list_keys(&self, plan: &Arc<ScanPlan>, listed: &mut KeySet) -> Result<End> {
        let Walker { rows, layout, .. } = self.walker;
        let mut pages = self.pages_of(plan, Reading::Listing);
        loop {
            let page = pages.next().await.ok_or_else(|| self.incomplete())??;
            listed.insert(&layout.fit_keys(&page.rows, &rows.key, &self.slice.parents)?)?;
            if let Some(end) = page.end {
                return Ok(end);
            }
        }
    }

    /// Reads a listing to its end, writes its rows page by page, and remembers their keys.
    async fn look(&mut self, seen: &mut KeySet) -> Result<End> {
        let mut pages = self.pages(Reading::Listing);
        loop {
            let Some(page) = pages.next().await else {
                return Err(self.incomplete());
            };
            let Page {
                rows, unread, end, ..
            } = page?;
            if let Some(end @ End::NotApplicable { .. }) = end {
                return Ok(end);
            }
            if self.walker.replaces && unread.iter().any(|owner| owner.0.is_empty()) {
                return Err(self.unreadable());
            }
            if self.carry(&unread).await? > 0 {
                self.commit(None).await?;
            }
            self.keep(&unread, seen).await?;
            if let Some(written) = self.put(rows, true).await? {
                seen.insert(&self.walker.layout.keys_of(&written)?)?;
            }
            self.commit(None).await?;
            if let Some(end) = end {
                return Ok(end);
            }
        }
    }

    /// Brings rows of parents that could not be read into what takes the table's place; says how many.
    async fn carry(&self, unread: &[Owner]) -> Result<u64> {
        let Walker {
            rows,
            former,
            replaces,
            voice,
            ..
        } = self.walker;
        let of_slice = rows.of_slice(&self.slice.parents);
        let mut carried = 0;
        for owner in unread.iter().filter(|_| *replaces) {
            let Some(filter) = rows.owner.rows_of(owner, &of_slice) else {
                continue;
            };
            match former {
                Some(former) => carried += former.copy(self.walker, self.id, &filter).await?,
                None => voice.note(format!(
                    "{}: the statement asks for other rows than before, so that none stay of what could not be read",
                    self.slice.label
                )),
            }
        }
        Ok(carried)
    }

    /// Takes the rows of parents that could not be read for listed.
    async fn keep(&self, unread: &[Owner], seen: &mut KeySet) -> Result<()> {
        let Walker {
            rows, layout, load, ..
        } = self.walker;
        let of_slice = rows.of_slice(&self.slice.parents);
        for owner in unread {
            let Some(filter) = rows.owner.rows_of(owner, &of_slice) else {
                continue;
            };
            for keys in load.keys(&filter).await? {
                seen.insert(&build(keys.columns().to_vec(), layout.key_schema())?)?;
            }
        }
        Ok(())
    }

    /// Reads every row of the slice once, for a result that replaces the one before.
    async fn scan(&mut self) -> Result<Outcome> {
        let Walker { work, layout, .. } = self.walker;
        let mut pages = self.pages(Reading::Scan);
        loop {
            let Some(page) = pages.next().await else {
                return Err(self.incomplete());
            };
            let Page { rows, end, .. } = page?;
            if let Some(End::NotApplicable { why }) = end {
                return Ok(Outcome::NotApplicable(why));
            }
            self.read += rows.num_rows() as u64;
            let matching = layout.fit(&work.apply(&rows, false)?.matching)?;
            if matching.num_rows() > 0 {
                self.write(new_rows(layout, matching)).await?;
                self.commit(None).await?;
            }
            if end.is_some() {
                return Ok(Outcome::Done);
            }
        }
    }

    fn unreadable(&self) -> Error {
        let what = format!(
            "{}: rows of it could not be read, and what takes the place of all rows must have them all",
            self.slice.label
        );
        Error::new(code::INCOMPLETE, what).with_hint(
            "the notes say which; without DropTable and TruncateTable the others are merged",
        )
    }

    fn incomplete(&self) -> Error {
        let what = format!("{}: the answer stopped before its end", self.slice.label);
        Error::new(code::INCOMPLETE, what).with_hint("run the statement again")
    }
}

/// Rows of a result that has each key once.
pub(crate) fn new_rows(layout: &Layout, rows: RecordBatch) -> Change {
    // Without a key every row of an upsert is inserted.
    if layout.key.is_empty() {
        Change::Upsert(rows)
    } else {
        Change::Insert(rows)
    }
}
