//! What the steps of a run have come to, in this try and in those before.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use crate::runner::{End, Fault};
use crate::{RunState, Step, TaskRun};

/// The tries before this one.
pub(super) struct Ledger<'t> {
    tries: &'t [TaskRun],
}

/// What the steps have come to so far.
#[derive(Debug, Default)]
pub(super) struct Tally {
    succeeded: u32,
    partial: u32,
    failed: u32,
    stopped: u32,
    /// In the order in which they happened.
    faults: Vec<Fault>,
    /// The faults of this try, which another try may mend.
    fresh: Vec<Fault>,
}

impl<'t> Ledger<'t> {
    pub(super) fn new(tries: &'t [TaskRun]) -> Self {
        Self { tries }
    }

    /// Whether the step is still to be carried out: it has not succeeded, nor failed in a way that a person must see
    /// to. If it is not, it is counted.
    pub(super) fn is_open(&self, step: &Step, tally: &mut Tally) -> bool {
        let last = self.tries.iter().rev().find(|tried| tried.step == *step);
        let Some(last) = last else { return true };
        match (last.state, &last.failure) {
            (RunState::Succeeded, _) => {
                tally.succeeded += 1;
                false
            }
            (RunState::Failed | RunState::Partial, Some(failure))
                if !failure.kind.is_retryable() =>
            {
                match last.state {
                    RunState::Failed => tally.failed += 1,
                    _ => tally.partial += 1,
                }
                tally.faults.push(Fault::from(failure.clone()));
                false
            }
            _ => true,
        }
    }

    /// How many tries of the run had failures, with the present one. Interruptions are none.
    pub(super) fn failed_attempts(&self, present: u32) -> usize {
        let failed = self.tries.iter().filter(|tried| {
            matches!(tried.state, RunState::Failed | RunState::Partial) && tried.attempt != present
        });
        failed
            .map(|tried| tried.attempt)
            .collect::<BTreeSet<_>>()
            .len()
            + 1
    }
}

impl Tally {
    pub(super) fn count(&mut self, end: &End) {
        match end {
            End::Succeeded => self.succeeded += 1,
            End::Partial(_) => self.partial += 1,
            End::Failed(_) => self.failed += 1,
            End::Stopped => self.stopped += 1,
        }
        if let End::Partial(fault) | End::Failed(fault) = end {
            self.faults.push(fault.clone());
            self.fresh.push(fault.clone());
        }
    }

    /// Counts what went wrong in a step beside the tasks. That it went well makes up for no task.
    pub(super) fn count_faults(&mut self, beside: Self) {
        self.partial += beside.partial;
        self.failed += beside.failed;
        self.stopped += beside.stopped;
        self.faults.extend(beside.faults);
        self.fresh.extend(beside.fresh);
    }

    /// Whether a step ended before it was done, or was not begun.
    pub(super) fn has_stopped(&self) -> bool {
        self.stopped > 0
    }

    /// What the run ends as, if nothing more is done.
    pub(super) fn state(&self) -> RunState {
        match (self.succeeded, self.partial, self.failed) {
            (_, 0, 0) => RunState::Succeeded,
            (0, 0, _) => RunState::Failed,
            _ => RunState::Partial,
        }
    }

    /// The first error.
    pub(super) fn first(&self) -> Option<&Fault> {
        self.faults.first()
    }

    /// The first error of this try that another may mend.
    pub(super) fn retryable(&self) -> Option<&Fault> {
        self.retryables().next()
    }

    /// From when on another try is of use to any of the steps, if all of them say so.
    pub(super) fn useful_at(&self) -> Option<DateTime<Utc>> {
        self.retryables()
            .map(|fault| fault.retry_at)
            .collect::<Option<Vec<_>>>()?
            .into_iter()
            .min()
    }

    fn retryables(&self) -> impl Iterator<Item = &Fault> {
        self.fresh
            .iter()
            .filter(|fault| fault.failure.kind.is_retryable())
    }
}
