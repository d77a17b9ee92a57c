//! The loop of a scheduler.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use bucketline_core::code;
use chrono::{DateTime, TimeDelta, Utc};
use futures::FutureExt;
use tokio::task::{Id, JoinSet};

use super::agenda::Agenda;
use super::attempt::{Attempt, Ended};
use super::patience::{patiently, wait_after};
use super::{Scheduler, Shared, Signals};
use crate::runner::{StopReason, Stopper};
use crate::store::{Claimed, ConnectionFilter, Limits, PageRequest, PruneRequest, Silence, Store};
use crate::{Failure, NodeId, Result, RunId, SlotPlan};

/// A clock that differs from the time passed by more than this has been set.
const CLOCK_SET: TimeDelta = TimeDelta::minutes(1);

/// A scheduler at work.
struct Serving {
    shared: Arc<Shared>,
    node: NodeId,
    agenda: Agenda,
    limits: KnownLimits,
    attempts: JoinSet<Ended>,
    /// The runs that this node holds, by their tasks.
    held: HashMap<Id, (RunId, Arc<Stopper>)>,
    /// When runs that wait for another try are ready.
    ready: BTreeSet<DateTime<Utc>>,
    prune_at: Option<DateTime<Utc>>,
    /// When nodes that are gone were looked for last, by [`Clock::elapsed`](crate::Clock::elapsed).
    reclaimed: Option<Duration>,
    last_look: Option<(DateTime<Utc>, Duration)>,
}

/// The limits, with those of SQLite destinations.
#[derive(Debug, Default)]
struct KnownLimits {
    generation: Option<u64>,
    limits: Limits,
}

impl Scheduler {
    /// Serves until [`Handle::shut_down`](super::Handle::shut_down). A store that is gone for a while is waited for.
    /// Dropping the future is what a kill is: the next scheduler takes over what was running.
    ///
    /// # Errors
    /// If the store refuses what a store must take; see [`Kind`].
    pub async fn serve(self) -> Result<()> {
        let Self { shared, signals } = self;
        let mut shutdown = std::pin::pin!(signals.shutdown.notified());
        let node = tokio::select! {
            node = join(&shared) => node?,
            () = &mut shutdown => return Ok(()),
        };
        let mut serving = Serving {
            node,
            agenda: Agenda::default(),
            limits: KnownLimits::default(),
            attempts: JoinSet::new(),
            held: HashMap::new(),
            ready: BTreeSet::new(),
            prune_at: None,
            reclaimed: None,
            last_look: None,
            shared,
        };
        let mut failures = 0;
        loop {
            // Before the round looks at the clock: time that goes by while it works is not waited for again.
            let began = serving.shared.clock.elapsed();
            let until = match serving.round().await {
                Ok(wait) => {
                    failures = 0;
                    began.saturating_add(wait)
                }
                Err(error) if error.code() == code::store::FENCED => {
                    serving.start_anew().await?;
                    began
                }
                Err(error) => {
                    failures += 1;
                    let wait = wait_after(failures);
                    tracing::error!(
                        code = %error.code(),
                        "{error}; trying again in {} s",
                        wait.as_secs()
                    );
                    serving.shared.clock.elapsed().saturating_add(wait)
                }
            };
            if serving.idle(until, &signals, shutdown.as_mut()).await {
                break;
            }
        }
        serving.shut_down().await
    }
}

async fn join(shared: &Shared) -> Result<NodeId> {
    let Shared {
        store,
        clock,
        settings,
        ..
    } = shared;
    patiently(&**clock, "joining the store", || {
        async { store.join(&settings.node, clock.now().await?).await }.boxed()
    })
    .await
}

impl Serving {
    /// Does all there is to do now; returns how long nothing more will be.
    async fn round(&mut self) -> Result<Duration> {
        let shared = Arc::clone(&self.shared);
        let Shared {
            store,
            clock,
            settings,
            ..
        } = &*shared;
        let now = clock.now().await?;
        self.watch_clock(now);
        let beat = store.beat(self.node, now).await?;
        for (run, stopper) in self.held.values() {
            if beat.cancel.contains(run) {
                stopper.stop(StopReason::Cancel);
            }
        }
        self.reclaim(now).await?;
        let leads = store.lead(self.node).await?;
        let mut wait = settings.beat;
        let generation = store.generation().await?;
        if leads {
            self.agenda
                .refresh(&**store, generation, settings.zone)
                .await?;
            self.take_slots(now).await?;
            wait = wait.min(until(now, self.agenda.next()));
            wait = wait.min(until(now, Some(self.prune(now).await?)));
        }
        self.limits
            .refresh(&**store, generation, &settings.limits)
            .await?;
        self.claim(now).await?;
        self.ready = self.ready.split_off(&(now + TimeDelta::microseconds(1)));
        Ok(wait.min(until(now, self.ready.first().copied())))
    }

    /// Waits until there may be something to do, by [`Clock::elapsed`](crate::Clock::elapsed) at the latest `until`;
    /// whether the scheduler is to end.
    async fn idle(
        &mut self,
        until: Duration,
        signals: &Signals,
        shutdown: impl Future<Output = ()>,
    ) -> bool {
        tokio::select! {
            biased;
            () = shutdown => return true,
            Some(ended) = self.attempts.join_next_with_id() => self.ended(ended),
            () = signals.wake.notified() => {}
            () = self.shared.clock.sleep_until(until) => {}
        }
        false
    }

    fn ended(&mut self, ended: Result<(Id, Ended), tokio::task::JoinError>) {
        let id = match &ended {
            Ok((id, _)) => *id,
            Err(error) => error.id(),
        };
        self.held.remove(&id);
        match ended {
            Ok((_, Ended::Again(ready_at))) => {
                self.ready.insert(ready_at);
            }
            Ok((_, Ended::Over)) => {}
            // Its run stays held by this node until it leaves or is given up.
            Err(error) => tracing::error!("a defect ended a run: {error}"),
        }
    }

    fn watch_clock(&mut self, now: DateTime<Utc>) {
        let elapsed = self.shared.clock.elapsed();
        if let Some((shown, at)) = self.last_look.replace((now, elapsed)) {
            let passed = TimeDelta::from_std(elapsed.saturating_sub(at)).unwrap_or_default();
            let set_by = now - shown - passed;
            if set_by.abs() > CLOCK_SET {
                tracing::warn!(
                    "the clock was set {} by {} s; each slot still gets its one row",
                    if set_by > TimeDelta::zero() {
                        "forward"
                    } else {
                        "back"
                    },
                    set_by.num_seconds().abs()
                );
            }
        }
    }

    /// Takes over the runs of nodes that are gone.
    async fn reclaim(&mut self, now: DateTime<Utc>) -> Result<()> {
        let elapsed = self.shared.clock.elapsed();
        if self
            .reclaimed
            .is_some_and(|last| elapsed - last < self.shared.settings.beat)
        {
            return Ok(());
        }
        let Shared {
            store, settings, ..
        } = &*self.shared;
        let error = bucketline_core::Error::new(
            code::scheduler::INTERRUPTED,
            format!(
                "the run was interrupted {} times in a row",
                settings.interruptions + 1
            ),
        )
        .with_hint("see in the program's log why it ends; then run the job again");
        let silence = Silence {
            but: self.node,
            since: now - TimeDelta::from_std(settings.silence).unwrap_or_default(),
            most: settings.interruptions,
            failure: Failure::from(&error),
        };
        for taken in store.reclaim(&silence, now).await? {
            tracing::warn!(run = %taken.run, node = %taken.node, state = %taken.state, "the node of a run is gone");
        }
        self.reclaimed = Some(elapsed);
        Ok(())
    }

    /// Gives the slots that are due their rows.
    async fn take_slots(&mut self, now: DateTime<Utc>) -> Result<()> {
        let Shared {
            store, settings, ..
        } = &*self.shared;
        while let Some(slots) = self.agenda.due(now, settings.keep.days) {
            let taken = store.take_slots(&slots).await?;
            if let SlotPlan::Missed { reason } = &slots.then
                && !taken.fresh.is_empty()
            {
                tracing::warn!(job = %slots.job, slots = taken.fresh.len(), "missed: {reason}");
            }
            self.agenda.taken(&slots);
        }
        Ok(())
    }

    /// Starts the runs that may start.
    async fn claim(&mut self, now: DateTime<Utc>) -> Result<()> {
        let shared = Arc::clone(&self.shared);
        while let Some(claimed) = shared
            .store
            .claim_run(self.node, &self.limits.limits, now)
            .await?
        {
            self.start(claimed);
        }
        Ok(())
    }

    fn start(&mut self, claimed: Claimed) {
        let run = claimed.run.id;
        let (stopper, stop) = Stopper::new();
        let stopper = Arc::new(stopper);
        if claimed.run.cancel_asked {
            stopper.stop(StopReason::Cancel);
        }
        let attempt = Attempt {
            shared: Arc::clone(&self.shared),
            claimed,
            stopper: Arc::clone(&stopper),
            stop,
        };
        let task = self.attempts.spawn(attempt.carry_out());
        self.held.insert(task.id(), (run, stopper));
    }

    /// Removes a little history; returns when it is time for more.
    async fn prune(&mut self, now: DateTime<Utc>) -> Result<DateTime<Utc>> {
        let at = *self.prune_at.get_or_insert(now);
        let every = TimeDelta::from_std(self.shared.settings.prune_every).unwrap_or(TimeDelta::MAX);
        // A clock that was set back does not put it off.
        if now < at && at - now <= every {
            return Ok(at);
        }
        let Shared {
            store, settings, ..
        } = &*self.shared;
        let request = PruneRequest {
            keep: settings.keep.clone(),
            most: settings.prune_step,
        };
        let pruned = store.prune(&request, now).await?;
        let next = if pruned.more { now } else { now + every };
        self.prune_at = Some(next);
        Ok(next)
    }

    /// Becomes a new node after this one was given up: its runs are others' now.
    async fn start_anew(&mut self) -> Result<()> {
        tracing::warn!("this node was given up by the others; it joins anew");
        for (_, stopper) in self.held.values() {
            stopper.stop(StopReason::Cancel);
        }
        self.attempts.shutdown().await;
        self.held.clear();
        self.agenda.forget();
        self.node = join(&self.shared).await?;
        Ok(())
    }

    async fn shut_down(mut self) -> Result<()> {
        for (_, stopper) in self.held.values() {
            stopper.stop(StopReason::Shutdown);
        }
        let Shared {
            store,
            clock,
            settings,
            ..
        } = &*self.shared;
        // Each step ends within the grace; what hangs longer hangs on the store.
        let ended = async { while self.attempts.join_next().await.is_some() {} };
        tokio::select! {
            biased;
            () = ended => {}
            () = clock.sleep(settings.grace * 2) => {}
        }
        self.attempts.shutdown().await;
        store.leave(self.node, clock.now().await?).await
    }
}

impl KnownLimits {
    async fn refresh(&mut self, store: &dyn Store, generation: u64, given: &Limits) -> Result<()> {
        if self.generation == Some(generation) {
            return Ok(());
        }
        let mut limits = given.clone();
        let mut page = PageRequest::first(PageRequest::MOST);
        loop {
            let listed = store
                .connections(&ConnectionFilter::default(), &page)
                .await?;
            for entry in listed.items {
                let connection = entry.connection.value;
                let is_named = given
                    .destinations
                    .keys()
                    .any(|name| crate::name::key(name) == crate::name::key(&connection.name));
                if connection.kind().eq_ignore_ascii_case("SQLite") && !is_named {
                    limits.destinations.insert(connection.name, 1);
                }
            }
            let Some(next) = listed.next else { break };
            page = PageRequest::after(next, PageRequest::MOST);
        }
        self.limits = limits;
        self.generation = Some(generation);
        Ok(())
    }
}

/// How long it is from `now` to `then`.
fn until(now: DateTime<Utc>, then: Option<DateTime<Utc>>) -> Duration {
    then.map_or(Duration::MAX, |then| {
        (then - now).to_std().unwrap_or_default()
    })
}
