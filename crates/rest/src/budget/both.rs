//! Two places that count the same requests.

use std::io;
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;

use super::book::{Ask, BudgetBook, BudgetStore, Kept, Lot, LotId, Settled, Standing, Taken};

/// Counts each request in two places, and grants what both have: an application shares the hour with its other nodes
/// through its database, and with programs of the same machine through the files.
#[derive(Debug, Clone)]
pub struct BothBudgets {
    first: Arc<dyn BudgetStore>,
    files: Arc<dyn BudgetStore>,
}

impl BothBudgets {
    /// The first one decides who goes first. The second one counts requests as soon as they are granted, as
    /// [`BudgetFiles`](super::BudgetFiles) does.
    pub fn new(first: Arc<dyn BudgetStore>, files: Arc<dyn BudgetStore>) -> Self {
        Self { first, files }
    }
}

impl BudgetStore for BothBudgets {
    fn book(&self, holder: &str) -> io::Result<Arc<dyn BudgetBook>> {
        Ok(Arc::new(BothBooks {
            first: self.first.book(holder)?,
            files: self.files.book(holder)?,
        }))
    }
}

#[derive(Debug)]
struct BothBooks {
    first: Arc<dyn BudgetBook>,
    files: Arc<dyn BudgetBook>,
}

#[async_trait]
impl BudgetBook for BothBooks {
    fn lot(&self, allowance: u32) -> u32 {
        self.first.lot(allowance)
    }

    async fn take(&self, ask: &Ask, now: SystemTime) -> Kept<Taken> {
        let first = self.first.take(ask, now).await;
        let Taken::Granted(lot) = first.answer else {
            return first;
        };
        let wanted = Ask {
            wanted: lot.requests,
            ..ask.clone()
        };
        let files = self.files.take(&wanted, now).await;
        let trouble = first.trouble.or(files.trouble);
        let granted = match &files.answer {
            Taken::Granted(granted) => granted.requests,
            _ => 0,
        };
        let returned = lot.requests - granted;
        if returned > 0 {
            let settled = Settled {
                answered: 0,
                returned,
            };
            self.first.settle(lot.id, settled, now).await;
        }
        let answer = match files.answer {
            Taken::Granted(_) => Taken::Granted(Lot {
                requests: granted,
                ..lot
            }),
            refusal => refusal,
        };
        Kept { answer, trouble }
    }

    async fn settle(&self, lot: LotId, settled: Settled, now: SystemTime) -> Kept<()> {
        let first = self.first.settle(lot, settled, now).await;
        let files = self.files.settle(0, settled, now).await;
        Kept {
            answer: (),
            trouble: first.trouble.or(files.trouble),
        }
    }

    async fn pause(&self, until: SystemTime, now: SystemTime) -> Kept<()> {
        let first = self.first.pause(until, now).await;
        let files = self.files.pause(until, now).await;
        Kept {
            answer: (),
            trouble: first.trouble.or(files.trouble),
        }
    }

    /// That of the first; what other programs of this machine have made counts as used.
    async fn standing(&self, allowance: u32, now: SystemTime) -> Result<Standing, String> {
        let mut standing = self.first.standing(allowance, now).await?;
        let files = self.files.standing(allowance, now).await?;
        let ours = standing.used + standing.reserved;
        if files.used > ours {
            standing.used += files.used - ours;
            standing.next_free = standing.next_free.max(files.next_free);
        }
        standing.paused_until = standing.paused_until.max(files.paused_until);
        Ok(standing)
    }

    fn used(&self, now: SystemTime) -> u32 {
        self.first.used(now).max(self.files.used(now))
    }
}
