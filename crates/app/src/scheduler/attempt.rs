//! One try of a run: its tasks, then what follows.

use std::sync::Arc;

use bucketline_core::code;
use chrono::{DateTime, TimeDelta, Utc};

use super::Shared;
use super::follow::{self, Follow};
use super::ledger::{Ledger, Tally};
use super::patience::patiently;
use crate::runner::{Action, Fault, News, Stop, StopReason, Stopper};
use crate::store::{Change, Claimed, Ending, Retrying};
use crate::{
    FollowStep, Job, JobId, JobKind, Level, NewEvent, Result, Run, RunState, Step, Task, Totals,
};

/// Who changes a job when a run does.
const BY: &str = "scheduler";

/// One try of a run that this node holds.
pub(super) struct Attempt {
    pub(super) shared: Arc<Shared>,
    pub(super) claimed: Claimed,
    pub(super) stopper: Arc<Stopper>,
    pub(super) stop: Stop,
}

/// What became of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// Its end is in the store, or it is another node's.
    Over,
    /// It is tried again.
    Again(DateTime<Utc>),
}

/// What the tries of the steps came to.
enum Verdict {
    Ends {
        state: RunState,
        fault: Option<Fault>,
        follow: Vec<Follow>,
    },
    Retries {
        fault: Fault,
        ready_at: DateTime<Utc>,
    },
    Released,
}

impl Attempt {
    /// Carries the try out and takes its end down.
    pub(super) async fn carry_out(self) -> Ended {
        let judged = match self.steps().await {
            Ok(verdict) => self.conclude(verdict).await,
            Err(error) => Err(error),
        };
        match judged {
            Ok(ended) => ended,
            Err(error) if error.code() == code::store::FENCED => {
                tracing::warn!(run = %self.claimed.run.id, "another node has taken the run over");
                self.stopper.stop(StopReason::Cancel);
                Ended::Over
            }
            Err(error) => {
                tracing::error!(run = %self.claimed.run.id, code = %error.code(), "{error}");
                self.give_up(&error).await;
                Ended::Over
            }
        }
    }

    pub(super) fn job(&self) -> &Job {
        &self.claimed.job.value
    }

    pub(super) fn run(&self) -> &Run {
        &self.claimed.run
    }

    async fn steps(&self) -> Result<Verdict> {
        let Shared { store, clock, .. } = &*self.shared;
        let run = self.run().id;
        let tries = patiently(&**clock, "reading a run", || store.task_runs(run)).await?;
        let ledger = Ledger::new(&tries);
        let mut tally = Tally::default();
        let job = Arc::new(self.with_new_tables(&ledger, &mut tally).await?);
        self.tasks_within_limit(&job, &ledger, &mut tally).await?;
        if let Some(verdict) = self.stopped(&tally) {
            return Ok(verdict);
        }
        if let Some(verdict) = self.retry(&ledger, &tally).await? {
            return Ok(verdict);
        }
        self.follow_ups(&job, &ledger, tally).await
    }

    /// The job, with a task for each new table of its source if it is to have them.
    async fn with_new_tables(&self, ledger: &Ledger<'_>, tally: &mut Tally) -> Result<Job> {
        let job = self.job().clone();
        let looks = matches!(job.kind, JobKind::SyncAll { .. }) && self.run().tasks.is_none();
        let mut beside = Tally::default();
        if !looks || !ledger.is_open(&Step::Discovery, &mut beside) {
            tally.count_faults(beside);
            return Ok(job);
        }
        let outcome = self
            .step(
                &Arc::new(job.clone()),
                &self.stop,
                Step::Discovery,
                format!("tables of {}", job.source),
                None,
                Action::Discovery,
            )
            .await?;
        beside.count(&outcome.end);
        tally.count_faults(beside);
        if outcome.tables.is_empty() {
            return Ok(job);
        }
        let Shared { store, clock, .. } = &*self.shared;
        let id: JobId = self.claimed.job.id;
        let tasks: Vec<Task> = outcome
            .tables
            .iter()
            .map(|table| Task::new(format!("REPLICATE {table}")))
            .collect();
        let change = Change::new(BY, self.shared.now().await?);
        patiently(&**clock, "adding tasks", || {
            store.append_tasks(id, &tasks, &change)
        })
        .await?;
        let changed = patiently(&**clock, "reading a job", || store.job(id)).await?;
        Ok(changed.map_or(job, |entry| entry.job.value))
    }

    /// What becomes of the run if it was asked to stop, and did.
    fn stopped(&self, tally: &Tally) -> Option<Verdict> {
        match self.stop.asked()? {
            StopReason::Cancel => Some(Verdict::Ends {
                state: RunState::Cancelled,
                fault: None,
                follow: Vec::new(),
            }),
            StopReason::Shutdown if tally.has_stopped() => Some(Verdict::Released),
            StopReason::Shutdown => None,
        }
    }

    /// When the run is tried again, if another try may help and the job has one left.
    async fn retry(&self, ledger: &Ledger<'_>, tally: &Tally) -> Result<Option<Verdict>> {
        let Some(fault) = tally.retryable() else {
            return Ok(None);
        };
        let failures = ledger.failed_attempts(self.run().attempt);
        let Some(wait) = self.job().retry.waits.get(failures - 1) else {
            return Ok(None);
        };
        let now = self.shared.now().await?;
        let ready_at = now + TimeDelta::seconds(i64::from(*wait));
        Ok(Some(Verdict::Retries {
            ready_at: tally
                .useful_at()
                .map_or(ready_at, |useful| useful.max(ready_at)),
            fault: fault.clone(),
        }))
    }

    /// Carries out what follows. A step for runs that succeeded needs that all before it did.
    async fn follow_ups(
        &self,
        job: &Arc<Job>,
        ledger: &Ledger<'_>,
        mut tally: Tally,
    ) -> Result<Verdict> {
        let mut follow = Vec::new();
        for (place, next) in job.after.iter().enumerate() {
            if !follow::applies(next.when, tally.state()) {
                continue;
            }
            let action = match &next.step {
                FollowStep::Job(name) => {
                    follow.push(Follow {
                        place,
                        job: name.clone(),
                    });
                    continue;
                }
                FollowStep::Sql(script) => Action::Sql {
                    script: script.clone(),
                },
                FollowStep::Webhook(address) => Action::Webhook {
                    address: address.clone(),
                    news: News {
                        state: tally.state(),
                        failure: tally.first().map(|fault| fault.failure.clone()),
                        totals: self.totals().await?,
                    },
                },
            };
            let text = match &next.step {
                FollowStep::Job(text) | FollowStep::Sql(text) | FollowStep::Webhook(text) => text,
            };
            let step = Step::After {
                place: u32::try_from(place).unwrap_or(u32::MAX),
            };
            let mut beside = Tally::default();
            if !ledger.is_open(&step, &mut beside) {
                tally.count_faults(beside);
                continue;
            }
            let outcome = self
                .step(job, &self.stop, step, text.clone(), None, action)
                .await?;
            beside.count(&outcome.end);
            let again = self.retry(ledger, &beside).await?;
            tally.count_faults(beside);
            if let Some(verdict) = self.stopped(&tally).or(again) {
                return Ok(verdict);
            }
        }
        Ok(Verdict::Ends {
            state: tally.state(),
            fault: tally.first().cloned(),
            follow,
        })
    }

    /// What the run's tasks have done so far.
    async fn totals(&self) -> Result<Totals> {
        let Shared { store, clock, .. } = &*self.shared;
        let run = self.run().id;
        let now = patiently(&**clock, "reading a run", || store.run(run)).await?;
        Ok(now.map(|run| run.totals).unwrap_or_default())
    }

    /// Who cancelled the run, in the words of the store.
    async fn cancelled_by(&self, state: RunState) -> Result<Option<String>> {
        if state != RunState::Cancelled {
            return Ok(None);
        }
        let Shared { store, clock, .. } = &*self.shared;
        let run = self.run().id;
        let now = patiently(&**clock, "reading a run", || store.run(run)).await?;
        Ok(now.and_then(|run| run.reason))
    }

    async fn conclude(&self, verdict: Verdict) -> Result<Ended> {
        let Shared { store, clock, .. } = &*self.shared;
        let claim = &self.claimed.claim;
        let at = self.shared.now().await?;
        match verdict {
            Verdict::Ends {
                state,
                fault,
                follow,
            } => {
                self.tell(&fault, at).await;
                let ending = Ending {
                    state,
                    failure: fault.map(|fault| fault.failure),
                    reason: self.cancelled_by(state).await?,
                    queue: follow::new_runs(&self.shared, self.run(), &follow, at).await?,
                    at,
                };
                let finished = patiently(&**clock, "ending a run", || {
                    store.finish_run(claim, &ending)
                })
                .await?;
                if finished.paused {
                    let failures = finished.failures;
                    tracing::warn!(job = %self.job().name, failures, "the schedule is paused after failures in a row");
                }
                Ok(Ended::Over)
            }
            Verdict::Retries { fault, ready_at } => {
                let wait = (ready_at - at).num_seconds();
                let reason = format!(
                    "it failed ({}) and is tried again after {wait} s",
                    fault.failure.code
                );
                self.tell(&Some(fault.clone()), at).await;
                let retrying = Retrying {
                    failure: Some(fault.failure),
                    reason,
                    ready_at,
                    at,
                };
                patiently(&**clock, "ending a try", || {
                    store.retry_run(claim, &retrying)
                })
                .await?;
                Ok(Ended::Again(ready_at))
            }
            Verdict::Released => {
                patiently(&**clock, "giving a run back", || {
                    store.release_run(claim, at)
                })
                .await?;
                Ok(Ended::Over)
            }
        }
    }

    /// Writes an error into the run's events. They are for people: one that is lost changes nothing.
    async fn tell(&self, fault: &Option<Fault>, at: DateTime<Utc>) {
        let Some(fault) = fault else { return };
        let event = NewEvent {
            at,
            level: Level::Error,
            kind: "run_failed".to_owned(),
            task_run: None,
            slice: None,
            code: Some(fault.failure.code.clone()),
            text: fault.failure.message.clone(),
        };
        let cap = self.shared.settings.event_cap;
        let told = self
            .shared
            .store
            .append_events(self.run().id, &[event], cap)
            .await;
        if let Err(error) = told {
            tracing::warn!(run = %self.run().id, code = %error.code(), "{error}");
        }
    }

    /// Ends a run that cannot go on, so that it does not stay running for ever.
    async fn give_up(&self, error: &crate::Error) {
        let failure = crate::Failure::from(error);
        let Ok(at) = self.shared.clock.now().await else {
            return;
        };
        let ending = Ending {
            state: RunState::Failed,
            failure: Some(failure),
            reason: None,
            queue: Vec::new(),
            at,
        };
        let finished = self
            .shared
            .store
            .finish_run(&self.claimed.claim, &ending)
            .await;
        if let Err(error) = finished {
            tracing::error!(run = %self.run().id, code = %error.code(), "{error}");
        }
    }
}
