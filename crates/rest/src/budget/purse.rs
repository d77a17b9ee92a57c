//! What a client holds of its budget: requests of a lot that it may send.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, SystemTime};

use super::Reservation;
use super::book::{Ask, BudgetBook, Claimant, Kept, LotId, Settled, Standing, Taken};
use crate::clock::Clock;

/// What was granted and is not sent by then is given back: others may wait for it.
const FRESH: Duration = Duration::from_secs(20);

/// No forecast.
const UNKNOWN: u64 = u64::MAX;

/// Takes lots from a book, hands them out request by request, and settles what became of them.
#[derive(Debug)]
pub(super) struct Purse {
    book: Arc<dyn BudgetBook>,
    claimant: Claimant,
    clock: Arc<dyn Clock>,
    /// Requests that are going to be made, or [`UNKNOWN`].
    forecast: AtomicU64,
    /// Requests made since the forecast.
    made: AtomicU64,
    /// Held while a lot is taken, so that requests under way together share one.
    held: tokio::sync::Mutex<Option<Held>>,
    unsettled: Mutex<BTreeMap<LotId, Settled>>,
}

/// Requests of a lot that are not handed out yet.
#[derive(Debug)]
struct Held {
    lot: LotId,
    left: u32,
    is_charged: bool,
    taken_at: SystemTime,
}

/// The right to send one request. It counts as sent, however it ends, unless [`Ticket::unsent`] says otherwise.
#[derive(Debug)]
pub(crate) struct Ticket {
    purse: Arc<Purse>,
    lot: LotId,
    is_charged: bool,
    was_sent: bool,
}

impl Ticket {
    /// Gives the request back: it was not sent.
    pub(crate) async fn unsent(mut self, now: SystemTime) -> Kept<()> {
        self.was_sent = false;
        let purse = Arc::clone(&self.purse);
        drop(self);
        purse.made.fetch_sub(1, Relaxed);
        purse.settle(now).await
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.was_sent && self.is_charged {
            return;
        }
        let mut unsettled = self.purse.unsettled();
        let settled = unsettled.entry(self.lot).or_default();
        if self.was_sent {
            settled.answered += 1;
        } else {
            settled.returned += 1;
        }
    }
}

impl Purse {
    pub(super) fn new(
        book: Arc<dyn BudgetBook>,
        claimant: Claimant,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            book,
            forecast: claimant.forecast.unwrap_or(UNKNOWN).into(),
            claimant,
            clock,
            made: AtomicU64::new(0),
            held: tokio::sync::Mutex::default(),
            unsettled: Mutex::default(),
        }
    }

    pub(super) fn expect(&self, requests: Option<u64>) {
        self.forecast.store(requests.unwrap_or(UNKNOWN), Relaxed);
        self.made.store(0, Relaxed);
    }

    pub(super) async fn reserve(
        self: &Arc<Self>,
        allowance: u32,
        now: SystemTime,
    ) -> Kept<Reservation> {
        let mut held = self.held.lock().await;
        if let Some(lot) = held
            .as_mut()
            .filter(|lot| lot.left > 0 && lot.is_fresh(now))
        {
            lot.left -= 1;
            return Reservation::Granted(self.ticket(lot)).into();
        }
        self.put_back(held.take());
        let settled = self.settle(now).await;
        let forecast = self.forecast.load(Relaxed);
        let ask = Ask {
            allowance,
            claimant: Claimant {
                forecast: (forecast != UNKNOWN).then_some(forecast),
                ..self.claimant.clone()
            },
            made: self.made.load(Relaxed),
            wanted: self.book.lot(allowance),
        };
        let Kept { answer, trouble } = self.book.take(&ask, now).await;
        let trouble = trouble.or(settled.trouble);
        let answer = match answer {
            Taken::Granted(lot) => {
                let lot = held.insert(Held {
                    lot: lot.id,
                    left: lot.requests.saturating_sub(1),
                    is_charged: lot.is_charged,
                    taken_at: now,
                });
                if !lot.is_charged {
                    self.look_after(lot.lot);
                }
                Reservation::Granted(self.ticket(lot))
            }
            Taken::Paused(until) => Reservation::Paused(until),
            Taken::Spent(until) => Reservation::Spent(until),
            Taken::Behind(until) => Reservation::Behind(until),
            Taken::Unusable(until) => Reservation::Unusable(until),
        };
        Kept { answer, trouble }
    }

    pub(super) async fn pause(&self, until: SystemTime, now: SystemTime) -> Kept<()> {
        let held = self.held.lock().await.take();
        self.put_back(held);
        let settled = self.settle(now).await;
        let paused = self.book.pause(until, now).await;
        Kept {
            answer: (),
            trouble: paused.trouble.or(settled.trouble),
        }
    }

    pub(super) fn used(&self, now: SystemTime) -> u32 {
        self.book.used(now)
    }

    pub(super) async fn standing(
        &self,
        allowance: u32,
        now: SystemTime,
    ) -> Result<Standing, String> {
        self.book.standing(allowance, now).await
    }

    fn ticket(self: &Arc<Self>, lot: &Held) -> Ticket {
        self.made.fetch_add(1, Relaxed);
        Ticket {
            purse: Arc::clone(self),
            lot: lot.lot,
            is_charged: lot.is_charged,
            was_sent: true,
        }
    }

    fn unsettled(&self) -> MutexGuard<'_, BTreeMap<LotId, Settled>> {
        self.unsettled
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn put_back(&self, held: Option<Held>) {
        if let Some(lot) = held.filter(|lot| lot.left > 0) {
            self.unsettled().entry(lot.lot).or_default().returned += lot.left;
        }
    }

    async fn settle(&self, now: SystemTime) -> Kept<()> {
        let unsettled = std::mem::take(&mut *self.unsettled());
        let mut all = Kept::from(());
        for (lot, settled) in unsettled {
            let kept = self.book.settle(lot, settled, now).await;
            all.trouble = all.trouble.or(kept.trouble);
        }
        all
    }

    /// Gives back what is not sent soon, also if no further request comes.
    fn look_after(self: &Arc<Self>, lot: LotId) {
        let (purse, clock) = (Arc::downgrade(self), Arc::clone(&self.clock));
        let give_back = async move {
            clock.sleep(FRESH).await;
            let Some(purse) = Weak::upgrade(&purse) else {
                return;
            };
            let mut held = purse.held.lock().await;
            if held.as_ref().is_some_and(|held| held.lot == lot) {
                purse.put_back(held.take());
            }
            drop(held);
            purse.settle(clock.now()).await;
        };
        tokio::spawn(give_back);
    }
}

impl Held {
    fn is_fresh(&self, now: SystemTime) -> bool {
        self.is_charged || now < self.taken_at + FRESH
    }
}

impl Drop for Purse {
    fn drop(&mut self) {
        let held = self.held.get_mut().take();
        self.put_back(held);
        let unsettled = std::mem::take(&mut *self.unsettled());
        // Without a runtime the lots end by themselves.
        let (false, Ok(runtime)) = (unsettled.is_empty(), tokio::runtime::Handle::try_current())
        else {
            return;
        };
        let (book, now) = (Arc::clone(&self.book), self.clock.now());
        runtime.spawn(async move {
            for (lot, settled) in unsettled {
                book.settle(lot, settled, now).await;
            }
        });
    }
}
