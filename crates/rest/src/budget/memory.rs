//! A budget of one client and its clones.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use async_trait::async_trait;

use super::book::{Ask, BudgetBook, Kept, LotId, Settled, Standing, Taken};
use super::files::take;
use super::ledger::millis;
use super::window::{Window, standing};

/// Ends with its value.
#[derive(Debug, Default)]
pub(super) struct MemoryBook(Mutex<Window>);

impl MemoryBook {
    fn window(&self) -> MutexGuard<'_, Window> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl BudgetBook for MemoryBook {
    fn lot(&self, _allowance: u32) -> u32 {
        1
    }

    async fn take(&self, ask: &Ask, now: SystemTime) -> Kept<Taken> {
        take(&mut self.window(), ask, now).into()
    }

    async fn settle(&self, _lot: LotId, settled: Settled, now: SystemTime) -> Kept<()> {
        self.window().refund(millis(now), settled.returned).into()
    }

    async fn pause(&self, until: SystemTime, now: SystemTime) -> Kept<()> {
        self.window().pause(millis(now), millis(until)).into()
    }

    async fn standing(&self, allowance: u32, now: SystemTime) -> Result<Standing, String> {
        Ok(standing(&mut self.window(), allowance, now))
    }

    fn used(&self, now: SystemTime) -> u32 {
        self.window().used(millis(now))
    }
}
