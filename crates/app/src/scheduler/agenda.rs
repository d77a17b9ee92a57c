//! Which job is due next.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use crate::schedule::{PRESET_JITTER, Preset, Schedule, jitter};
use crate::store::{JobFilter, PageRequest, Store};
use crate::{DueSlots, Job, JobEntry, JobId, Overlap, Result, SlotPlan};

/// A slot that is taken no later than this is on time, whatever the job says of catching up.
const ON_TIME: TimeDelta = TimeDelta::minutes(1);

/// The longest that a missed slot is caught up for, unless the job says otherwise.
const LONGEST_CATCH_UP: TimeDelta = TimeDelta::days(1);

/// The jobs that run by themselves, and when each is due next.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    /// Of which state of the store's jobs.
    generation: Option<u64>,
    jobs: HashMap<JobId, Planned>,
    /// When the next slot of each job is taken, the earliest first.
    queue: BTreeSet<(DateTime<Utc>, JobId)>,
}

/// A job that runs by itself.
#[derive(Debug)]
struct Planned {
    schedule: Schedule,
    /// How long after its due time a slot is taken.
    jitter: TimeDelta,
    overlap: Overlap,
    catch_up: Option<TimeDelta>,
    keep_days: Option<u32>,
    owed_from: DateTime<Utc>,
}

impl Agenda {
    /// Brings it up to date with the store, if jobs have changed.
    pub(super) async fn refresh(
        &mut self,
        store: &dyn Store,
        generation: u64,
        zone: Tz,
    ) -> Result<()> {
        if self.generation == Some(generation) {
            return Ok(());
        }
        let filter = JobFilter {
            scheduled: Some(true),
            ..JobFilter::default()
        };
        let mut jobs = HashMap::new();
        let mut page = PageRequest::first(PageRequest::MOST);
        loop {
            let listed = store.jobs(&filter, &page).await?;
            for entry in &listed.items {
                jobs.extend(Planned::of(entry, zone).map(|planned| (entry.job.id, planned)));
            }
            let Some(next) = listed.next else { break };
            page = PageRequest::after(next, PageRequest::MOST);
        }
        self.queue = jobs
            .iter()
            .filter_map(|(id, planned)| Some((planned.next()?, *id)))
            .collect();
        self.jobs = jobs;
        self.generation = Some(generation);
        Ok(())
    }

    /// Makes [`Self::refresh`] read the jobs again.
    pub(super) fn forget(&mut self) {
        self.generation = None;
    }

    /// When the next slot is taken.
    pub(super) fn next(&self) -> Option<DateTime<Utc>> {
        self.queue.first().map(|(at, _)| *at)
    }

    /// The slots of one job that are to be taken by now. Those whose history would be removed at once, since it is kept
    /// for `keep_days` only, are passed over.
    pub(super) fn due(&mut self, now: DateTime<Utc>, keep_days: u32) -> Option<DueSlots> {
        loop {
            let (at, id) = *self.queue.first()?;
            if at > now {
                return None;
            }
            let due = self.jobs.get_mut(&id)?.due(id, now, keep_days);
            if due.is_some() {
                return due;
            }
            self.queue_again(id);
        }
    }

    /// Says that slots have their rows.
    pub(super) fn taken(&mut self, slots: &DueSlots) {
        if let Some(planned) = self.jobs.get_mut(&slots.job) {
            planned.owed_from = slots.owed_from;
            self.queue_again(slots.job);
        }
    }

    fn queue_again(&mut self, id: JobId) {
        self.queue.retain(|(_, job)| *job != id);
        let next = self.jobs.get(&id).and_then(Planned::next);
        self.queue.extend(next.map(|next| (next, id)));
    }
}

impl Planned {
    fn of(entry: &JobEntry, zone: Tz) -> Option<Self> {
        let JobEntry { job, .. } = entry;
        let given = job.value.schedule.as_ref()?;
        let schedule = match given.read(zone) {
            Ok(schedule) => schedule,
            Err(problems) => {
                // It was checked when it was saved, by another version.
                for problem in problems {
                    tracing::error!(job = %job.value.name, code = %problem.code, "{problem}");
                }
                return None;
            }
        };
        Some(Self {
            jitter: jitter_of(&job.value, job.id, &schedule),
            overlap: given.overlap,
            catch_up: given
                .catch_up
                .map(|seconds| TimeDelta::seconds(seconds.into())),
            keep_days: job.value.keep.as_ref().map(|keep| keep.days),
            owed_from: entry.owed_from,
            schedule,
        })
    }

    /// When its next slot is taken.
    fn next(&self) -> Option<DateTime<Utc>> {
        let due = self.schedule.next_after(self.owed_from)?;
        due.to_utc().checked_add_signed(self.jitter)
    }

    fn due(&mut self, job: JobId, now: DateTime<Utc>, keep_days: u32) -> Option<DueSlots> {
        let kept = TimeDelta::days(self.keep_days.unwrap_or(keep_days).into());
        let horizon = now.checked_sub_signed(kept).unwrap_or_default();
        self.owed_from = self.owed_from.max(horizon);
        let until = now - self.jitter;
        let due: Vec<DateTime<Utc>> = self
            .schedule
            .after(self.owed_from)
            .map(|due| due.to_utc())
            .take_while(|due| *due <= until)
            .collect();
        let last = *due.last()?;
        Some(DueSlots {
            job,
            then: self.plan(last, now),
            owed_from: last,
            due,
            at: now,
        })
    }

    /// What becomes of slots, the last of which was due at `last`.
    fn plan(&self, last: DateTime<Utc>, now: DateTime<Utc>) -> SlotPlan {
        let late = now - (last + self.jitter);
        let window = self
            .catch_up
            .unwrap_or_else(|| self.interval(last).min(LONGEST_CATCH_UP));
        if late <= window.max(ON_TIME) {
            SlotPlan::Run {
                ready_at: now,
                overlap: self.overlap,
            }
        } else {
            SlotPlan::Missed {
                reason: format!(
                    "nothing could start it within {}: Bucketline was not running, or its clock was set",
                    in_words(window)
                ),
            }
        }
    }

    /// From `due` to the next due time.
    fn interval(&self, due: DateTime<Utc>) -> TimeDelta {
        let next = self.schedule.next_after(due);
        next.map_or(LONGEST_CATCH_UP, |next| next.to_utc() - due)
    }
}

/// How much later than due a job starts.
fn jitter_of(job: &Job, id: JobId, schedule: &Schedule) -> TimeDelta {
    let by_default = match Preset::of(schedule.cron()) {
        Preset::Custom { .. } => Duration::ZERO,
        _ => PRESET_JITTER,
    };
    let given = job.schedule.as_ref().and_then(|given| given.jitter);
    let most = given.map_or(by_default, |seconds| Duration::from_secs(seconds.into()));
    TimeDelta::from_std(jitter(&id.to_string(), most)).unwrap_or_default()
}

/// `90 seconds`, `10 minutes`, `24 hours`.
fn in_words(length: TimeDelta) -> String {
    let (count, unit) = match length.num_seconds() {
        seconds if seconds % 3600 == 0 && seconds > 0 => (seconds / 3600, "hour"),
        seconds if seconds % 60 == 0 => (seconds / 60, "minute"),
        seconds => (seconds, "second"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}
