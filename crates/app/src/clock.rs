//! The time that the rules go by.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};

use crate::{Result, Store};

/// A clock.
#[async_trait]
pub trait Clock: Send + Sync + Debug {
    /// What it shows. Somebody may set it, back as well.
    ///
    /// # Errors
    /// If it belongs to a store that cannot be reached.
    async fn now(&self) -> Result<DateTime<Utc>>;

    /// The time since some moment, which goes on evenly whatever the clock is set to.
    fn elapsed(&self) -> Duration;

    /// Waits until [`Self::elapsed`] has reached `moment`. Who reads `elapsed`, then works out how long to wait, misses
    /// nothing that happens in between.
    async fn sleep_until(&self, moment: Duration);

    /// Waits.
    async fn sleep(&self, length: Duration) {
        self.sleep_until(self.elapsed().saturating_add(length))
            .await;
    }
}

/// The clock of a store, which all nodes share.
#[derive(Debug)]
pub struct StoreClock {
    store: Arc<dyn Store>,
    started: Instant,
}

impl StoreClock {
    /// The clock of `store`.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            started: Instant::now(),
        }
    }
}

#[async_trait]
impl Clock for StoreClock {
    async fn now(&self) -> Result<DateTime<Utc>> {
        self.store.now().await
    }

    fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    async fn sleep_until(&self, moment: Duration) {
        tokio::time::sleep(moment.saturating_sub(self.elapsed())).await;
    }
}

/// A clock for tests, which stands still until it is told otherwise. Clones are the same clock.
#[derive(Debug, Clone)]
pub struct SimulatedClock(Arc<Mutex<Simulated>>);

#[derive(Debug)]
struct Simulated {
    shown: DateTime<Utc>,
    elapsed: Duration,
    /// Who sleeps until when, by [`Clock::elapsed`]; the number tells sleepers apart.
    sleepers: BTreeMap<(Duration, u64), Option<Waker>>,
    slept: u64,
}

impl SimulatedClock {
    /// A clock that shows `now`.
    pub fn new(now: DateTime<Utc>) -> Self {
        Self(Arc::new(Mutex::new(Simulated {
            shown: now,
            elapsed: Duration::ZERO,
            sleepers: BTreeMap::new(),
            slept: 0,
        })))
    }

    /// What it shows.
    pub fn shown(&self) -> DateTime<Utc> {
        self.lock().shown
    }

    /// Lets time go by and wakes those whose sleep is over.
    pub fn advance(&self, length: Duration) {
        let mut clock = self.lock();
        clock.elapsed += length;
        clock.shown += TimeDelta::from_std(length).unwrap_or(TimeDelta::MAX);
        let elapsed = clock.elapsed;
        for ((end, _), waker) in &mut clock.sleepers {
            if *end <= elapsed
                && let Some(waker) = waker.take()
            {
                waker.wake();
            }
        }
    }

    /// Sets the clock, as a person does: nobody's sleep ends earlier or later.
    pub fn set(&self, now: DateTime<Utc>) {
        self.lock().shown = now;
    }

    /// How long it is until the first of those who sleep wakes up; `None` if nobody sleeps.
    pub fn until_next(&self) -> Option<Duration> {
        let clock = self.lock();
        let ((end, _), _) = clock.sleepers.first_key_value()?;
        Some(end.saturating_sub(clock.elapsed))
    }

    fn lock(&self) -> MutexGuard<'_, Simulated> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Clock for SimulatedClock {
    async fn now(&self) -> Result<DateTime<Utc>> {
        Ok(self.shown())
    }

    fn elapsed(&self) -> Duration {
        self.lock().elapsed
    }

    async fn sleep_until(&self, moment: Duration) {
        let place = {
            let mut clock = self.lock();
            clock.slept += 1;
            let place = (moment, clock.slept);
            clock.sleepers.insert(place, None);
            place
        };
        let _sleeper = Sleeper { clock: self, place };
        poll_fn(|context| {
            let mut clock = self.lock();
            if place.0 <= clock.elapsed {
                return Poll::Ready(());
            }
            clock.sleepers.insert(place, Some(context.waker().clone()));
            Poll::Pending
        })
        .await;
    }
}

/// Whoever stops sleeping, woken or dropped, is off the list.
struct Sleeper<'c> {
    clock: &'c SimulatedClock,
    place: (Duration, u64),
}

impl Drop for Sleeper<'_> {
    fn drop(&mut self) {
        self.clock.lock().sleepers.remove(&self.place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_sleeper_wakes_when_its_time_has_come_whatever_the_clock_is_set_to() {
        let clock = SimulatedClock::new(DateTime::UNIX_EPOCH);
        let sleeping = tokio::spawn({
            let clock = clock.clone();
            async move { clock.sleep(Duration::from_secs(60)).await }
        });
        tokio::task::yield_now().await;
        assert_eq!(clock.until_next(), Some(Duration::from_secs(60)));
        clock.set(DateTime::UNIX_EPOCH + TimeDelta::days(1));
        clock.advance(Duration::from_secs(59));
        tokio::task::yield_now().await;
        assert!(!sleeping.is_finished());
        clock.advance(Duration::from_secs(1));
        sleeping.await.unwrap();
        assert_eq!(clock.until_next(), None);
        assert_eq!(
            clock.shown(),
            DateTime::UNIX_EPOCH + TimeDelta::days(1) + TimeDelta::minutes(1)
        );
    }

    #[tokio::test]
    async fn a_moment_that_has_passed_is_not_waited_for() {
        let clock = SimulatedClock::new(DateTime::UNIX_EPOCH);
        let began = clock.elapsed();
        clock.advance(Duration::from_secs(60));
        clock.sleep_until(began + Duration::from_secs(4)).await;
        assert_eq!(clock.until_next(), None);
    }

    #[tokio::test]
    async fn a_sleep_that_is_given_up_is_forgotten() {
        let clock = SimulatedClock::new(DateTime::UNIX_EPOCH);
        tokio::select! {
            biased;
            () = clock.sleep(Duration::from_secs(60)) => {}
            () = std::future::ready(()) => {}
        }
        assert_eq!(clock.until_next(), None);
    }
}
