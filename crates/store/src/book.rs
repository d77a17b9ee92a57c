//! The application's store as the place where requests are counted.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bucketline_app::{Error, Result, Store};
use bucketline_rest::{
    Ask, BudgetBook, BudgetStore, Kept, Ledger, LotId, Settled, Standing, Taken, Trouble,
};
use tokio::sync::oneshot;

/// How long to wait before a store is asked again that did not answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Budgets that the nodes of an application share: those who make few requests go before backfills, and each job has its
/// share.
#[derive(Debug, Clone)]
pub struct Budgets {
    store: Arc<dyn Store>,
    clock: Timekeeper,
}

/// Whose clock counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Timekeeper {
    /// The store's, which all nodes share.
    Store,
    /// The caller's.
    Caller,
}

impl Budgets {
    /// The budgets of a store, by the store's clock.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            clock: Timekeeper::Store,
        }
    }

    /// The same, by the clock of the callers: for tests in which time is given.
    #[must_use]
    pub fn by_given_time(self) -> Self {
        Self {
            clock: Timekeeper::Caller,
            ..self
        }
    }
}

impl BudgetStore for Budgets {
    fn book(&self, holder: &str) -> io::Result<Arc<dyn BudgetBook>> {
        Ok(Arc::new(StoredBook {
            store: Arc::clone(&self.store),
            clock: self.clock,
            holder: holder.to_owned(),
            used: AtomicU32::new(0),
            is_in_trouble: AtomicBool::new(false),
        }))
    }
}

#[derive(Debug)]
struct StoredBook {
    store: Arc<dyn Store>,
    clock: Timekeeper,
    holder: String,
    /// Requests used and reserved, when that was last seen.
    used: AtomicU32,
    /// Trouble that lasts is told once.
    is_in_trouble: AtomicBool,
}

/// What a change of a ledger came to.
struct Changed<R> {
    answer: R,
    used: u32,
    was_damaged: bool,
    /// The time by which it was changed.
    at: SystemTime,
}

impl StoredBook {
    /// Changes the ledger under its lock.
    async fn change<R: Send + 'static>(
        &self,
        now: SystemTime,
        change: impl FnOnce(&mut Ledger, SystemTime) -> R + Send + 'static,
    ) -> Result<Changed<R>> {
        let (told, heard) = oneshot::channel();
        let clock = self.clock;
        let work = move |text: &str, store_time: chrono::DateTime<chrono::Utc>| {
            let at = match clock {
                Timekeeper::Store => SystemTime::from(store_time),
                Timekeeper::Caller => now,
            };
            let read = serde_json::from_str(text);
            let was_damaged = read.is_err() && !text.is_empty();
            let mut ledger: Ledger = read.unwrap_or_default();
            let answer = change(&mut ledger, at);
            let used = ledger.taken();
            // Whoever waits for it may be gone.
            let _ = told.send(Changed {
                answer,
                used,
                was_damaged,
                at,
            });
            serde_json::to_string(&ledger)
                .ok()
                .filter(|new| new != text)
        };
        self.store
            .change_budget(&self.holder, Box::new(work))
            .await?;
        let changed = heard.await.map_err(|error| {
            let message = "the store did not change a budget";
            Error::new(bucketline_core::code::store::DEFECT, message).with_source(error)
        })?;
        self.used.store(changed.used, Relaxed);
        Ok(changed)
    }

    /// The answer of a change, or `otherwise` if the store does not answer.
    fn kept<R>(&self, changed: Result<Changed<R>>, otherwise: R) -> Kept<R> {
        let (answer, reason, waits) = match changed {
            Ok(changed) => {
                let damaged = changed.was_damaged.then(|| DAMAGED.to_owned());
                (changed.answer, damaged, false)
            }
            Err(error) => (otherwise, Some(error.to_string()), true),
        };
        let was_in_trouble = self.is_in_trouble.swap(reason.is_some(), Relaxed);
        let reason = reason.filter(|_| !was_in_trouble);
        Kept {
            answer,
            trouble: reason.map(|reason| Trouble {
                path: PathBuf::from("the application's store"),
                reason,
                waits,
            }),
        }
    }
}

const DAMAGED: &str = "the budget in it is damaged and was replaced";

#[async_trait]
impl BudgetBook for StoredBook {
    fn lot(&self, allowance: u32) -> u32 {
        Ledger::lot(allowance)
    }

    async fn take(&self, ask: &Ask, now: SystemTime) -> Kept<Taken> {
        let ask = ask.clone();
        let changed = self
            .change(now, move |ledger, now| ledger.take(&ask, now))
            .await;
        let changed = changed.map(|changed| Changed {
            answer: by_clock_of(now, changed.at, changed.answer),
            ..changed
        });
        self.kept(changed, Taken::Unusable(now + PATIENCE))
    }

    async fn settle(&self, lot: LotId, settled: Settled, now: SystemTime) -> Kept<()> {
        let changed = self
            .change(now, move |ledger, now| ledger.settle(lot, settled, now))
            .await;
        self.kept(changed, ())
    }

    async fn pause(&self, until: SystemTime, now: SystemTime) -> Kept<()> {
        let pause = until.duration_since(now).unwrap_or_default();
        let changed = self
            .change(now, move |ledger, now| ledger.pause(now + pause, now))
            .await;
        self.kept(changed, ())
    }

    async fn standing(
        &self,
        allowance: u32,
        now: SystemTime,
    ) -> std::result::Result<Standing, String> {
        let changed = self
            .change(now, move |ledger, now| ledger.standing(allowance, now))
            .await;
        changed
            .map(|changed| changed.answer)
            .map_err(|error| error.to_string())
    }

    fn used(&self, _now: SystemTime) -> u32 {
        self.used.load(Relaxed)
    }
}

/// An answer by the caller's clock, which shows `now` where the book's shows `at`.
fn by_clock_of(now: SystemTime, at: SystemTime, taken: Taken) -> Taken {
    let shift = |until: SystemTime| now + until.duration_since(at).unwrap_or_default();
    match taken {
        Taken::Paused(until) => Taken::Paused(shift(until)),
        Taken::Spent(until) => Taken::Spent(shift(until)),
        Taken::Behind(until) => Taken::Behind(shift(until)),
        other => other,
    }
}
