//! Budgets in files that the processes of one machine share.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use tokio::time::{Instant, sleep};

use super::book::{
    Ask, BudgetBook, BudgetStore, Kept, Lot, LotId, Settled, Standing, Taken, Trouble,
};
use super::file::{BudgetFile, Outcome};
use super::ledger::millis;
use super::window::{Window, standing};

/// How long another process may keep the file locked, which takes it microseconds, before requests
/// go on without it: it is stopped, or the file system is.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);
const LOCK_POLL: Duration = Duration::from_millis(1);

/// A folder with a file for each limit holder, private to its owner. The file is locked for each request, and says how
/// many were sent in which minute, not by whom: whoever asks first is served first.
#[derive(Debug, Clone)]
pub struct BudgetFiles {
    folder: PathBuf,
}

impl BudgetFiles {
    /// The files of that folder, which is made with the first file.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
        }
    }
}

impl BudgetStore for BudgetFiles {
    fn book(&self, holder: &str) -> io::Result<Arc<dyn BudgetBook>> {
        let path = self.folder.join(file_name(holder));
        let book = FileBook::open(path.clone()).map_err(|error| {
            let message = format!("{}: {error}", path.display());
            io::Error::new(error.kind(), message)
        })?;
        Ok(Arc::new(book))
    }
}

pub(super) fn file_name(holder: &str) -> String {
    format!("budget-{holder}.txt")
}

/// The file of one limit holder.
#[derive(Debug)]
pub(super) struct FileBook(Mutex<BudgetFile>);

impl FileBook {
    /// Opens a file, which is made, with its folder, if missing.
    pub(super) fn open(path: PathBuf) -> io::Result<Self> {
        Ok(Self(Mutex::new(BudgetFile::open(path)?)))
    }

    async fn update<R>(&self, mut change: impl FnMut(&mut Window) -> R) -> Kept<R> {
        let mut patience: Option<Instant> = None;
        loop {
            let give_up = patience.is_some_and(|end| Instant::now() >= end);
            if let Some(updated) = self.try_update(&mut change, give_up) {
                return updated;
            }
            patience.get_or_insert_with(|| Instant::now() + LOCK_PATIENCE);
            sleep(LOCK_POLL).await;
        }
    }

    /// `None` if another process has the file locked, unless `give_up`.
    fn try_update<R>(
        &self,
        change: &mut impl FnMut(&mut Window) -> R,
        give_up: bool,
    ) -> Option<Kept<R>> {
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match file.update(change, give_up) {
            Outcome::Done(answer) => Some(answer.into()),
            Outcome::Trouble(answer, reason) => Some(Kept {
                answer,
                trouble: Some(Trouble {
                    path: file.path().to_owned(),
                    reason,
                    waits: false,
                }),
            }),
            Outcome::Locked => None,
        }
    }

    fn peek<R>(&self, look: impl FnOnce(&mut Window) -> R) -> R {
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        file.peek(look)
    }
}

#[async_trait]
impl BudgetBook for FileBook {
    fn lot(&self, _allowance: u32) -> u32 {
        1
    }

    async fn take(&self, ask: &Ask, now: SystemTime) -> Kept<Taken> {
        self.update(|window| take(window, ask, now)).await
    }

    async fn settle(&self, _lot: LotId, settled: Settled, now: SystemTime) -> Kept<()> {
        if settled.returned == 0 {
            return ().into();
        }
        self.update(|window| window.refund(millis(now), settled.returned))
            .await
    }

    async fn pause(&self, until: SystemTime, now: SystemTime) -> Kept<()> {
        self.update(|window| window.pause(millis(now), millis(until)))
            .await
    }

    async fn standing(&self, allowance: u32, now: SystemTime) -> Result<Standing, String> {
        Ok(self.peek(|window| standing(window, allowance, now)))
    }

    fn used(&self, now: SystemTime) -> u32 {
        self.peek(|window| window.used(millis(now)))
    }
}

/// Takes requests from a window, which counts them at once.
pub(super) fn take(window: &mut Window, ask: &Ask, now: SystemTime) -> Taken {
    use super::window::Reservation;

    let mut requests = 0;
    while requests < ask.wanted.max(1) {
        match window.reserve(millis(now), Some(ask.allowance)) {
            Reservation::Granted => requests += 1,
            Reservation::Paused(until) if requests == 0 => return Taken::Paused(until),
            Reservation::Spent(until) if requests == 0 => return Taken::Spent(until),
            Reservation::Paused(_) | Reservation::Spent(_) => break,
        }
    }
    Taken::Granted(Lot {
        id: 0,
        requests,
        is_charged: true,
    })
}
