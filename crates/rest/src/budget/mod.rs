//! Not more requests an hour than the limit holder may.

mod book;
mod both;
mod file;
mod files;
mod ledger;
mod memory;
mod purse;
mod window;

#[cfg(test)]
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::SystemTime;

use reqwest::header::HeaderMap;

pub use self::book::{
    Ask, BudgetBook, BudgetStore, Claimant, ClaimantStanding, Kept, Lot, LotId, Rank, Settled,
    Standing, Taken, Trouble,
};
pub use self::both::BothBudgets;
pub use self::files::BudgetFiles;
use self::files::FileBook;
pub use self::ledger::Ledger;
use self::memory::MemoryBook;
use self::purse::Purse;
pub(crate) use self::purse::Ticket;
use crate::clock::Clock;
use crate::config::ClientConfig;
use crate::credential::fingerprint;
use crate::error::{Error, ErrorKind};
use crate::origin::Origin;

/// The requests of one limit holder: how many were sent in the last hour, and until when all pause.
///
/// With a store it is shared by every client and process that uses the same one. Without an allowance nothing is counted,
/// no store is touched, and pauses hold for this budget alone.
#[derive(Debug)]
pub(crate) struct Budget {
    allowance: Option<AtomicU32>,
    reserve: u32,
    purse: Arc<Purse>,
}

/// Whether a request may be sent now.
#[derive(Debug)]
pub(crate) enum Reservation {
    /// Yes. It is counted, unless the ticket says that it was not sent.
    Granted(Ticket),
    /// Not before then: the service asked everybody to wait.
    Paused(SystemTime),
    /// Not before then: the hour's requests are spent.
    Spent(SystemTime),
    /// Not now: others go first. Ask again then.
    Behind(SystemTime),
    /// Not now: the store does not answer. Ask again then.
    Unusable(SystemTime),
}

impl Budget {
    /// The budget of a client's limit holder: in the configured store, or in a file of its own in the state folder, if
    /// there is a budget and either.
    pub(crate) fn new(
        config: &ClientConfig,
        origin: &Origin,
        clock: Arc<dyn Clock>,
    ) -> Result<Budget, Error> {
        let Some(limit) = config.requests_per_hour else {
            return Ok(Budget::of(
                None,
                0,
                Arc::new(MemoryBook::default()),
                config,
                clock,
            ));
        };
        let allowance = limit.saturating_sub(config.reserve);
        if allowance == 0 {
            let error = Error::new(ErrorKind::InvalidConfig, &config.base_url);
            let reserve = config.reserve;
            return Err(error.detail(format!(
                "of {limit} requests an hour, {reserve} are reserved, so none is left"
            )));
        }
        let holder = holder(config, origin);
        let book: Arc<dyn BudgetBook> = match (&config.budgets, &config.state_dir) {
            (Some(store), _) => store.book(&holder).map_err(|error| {
                Error::new(ErrorKind::State, &config.base_url)
                    .detail(error.to_string())
                    .because(error)
            })?,
            (None, Some(folder)) => {
                let path = folder.join(files::file_name(&holder));
                let book = FileBook::open(path.clone()).map_err(|error| {
                    Error::new(ErrorKind::State, &config.base_url)
                        .detail(format!("{}: {error}", path.display()))
                        .because(error)
                })?;
                Arc::new(book)
            }
            (None, None) => Arc::new(MemoryBook::default()),
        };
        Ok(Budget::of(
            Some(allowance),
            config.reserve,
            book,
            config,
            clock,
        ))
    }

    fn of(
        allowance: Option<u32>,
        reserve: u32,
        book: Arc<dyn BudgetBook>,
        config: &ClientConfig,
        clock: Arc<dyn Clock>,
    ) -> Budget {
        Budget {
            allowance: allowance.map(AtomicU32::new),
            reserve,
            purse: Arc::new(Purse::new(book, config.claimant.clone(), clock)),
        }
    }

    /// A budget kept in `path`, which is made, with its folder, if missing.
    #[cfg(test)]
    pub(crate) fn in_file(allowance: u32, path: PathBuf) -> std::io::Result<Budget> {
        Ok(Budget {
            allowance: Some(AtomicU32::new(allowance)),
            reserve: 0,
            purse: Arc::new(Purse::new(
                Arc::new(FileBook::open(path)?),
                Claimant::person("a test"),
                Arc::new(crate::clock::SystemClock),
            )),
        })
    }

    /// Takes one request from the budget, or says until when there is none.
    pub(crate) async fn reserve(&self, now: SystemTime) -> Kept<Reservation> {
        let allowance = self.allowance().unwrap_or(u32::MAX);
        self.purse.reserve(allowance, now).await
    }

    /// Makes everybody wait until then, at least.
    pub(crate) async fn pause(&self, now: SystemTime, until: SystemTime) -> Kept<()> {
        self.purse.pause(until, now).await
    }

    /// Says how many requests are going to be made from now on, if that is known.
    pub(crate) fn expect(&self, requests: Option<u64>) {
        self.purse.expect(requests);
    }

    /// Requests in an hour; `None` if there is no limit.
    pub(crate) fn allowance(&self) -> Option<u32> {
        Some(self.allowance.as_ref()?.load(Relaxed))
    }

    /// Requests in an hour that are left to others.
    pub(crate) fn reserved_for_others(&self) -> u32 {
        self.reserve
    }

    /// Takes in a higher hourly limit from `X-RateLimit-Limit`. A list of limits, as services send it to those without
    /// credentials, is none; a lower limit may be that of something else.
    pub(crate) fn raise(&self, headers: &HeaderMap) {
        let limit = headers.get("x-ratelimit-limit");
        let limit = limit.and_then(|limit| limit.to_str().ok()?.trim().parse::<u32>().ok());
        if let (Some(allowance), Some(limit)) = (&self.allowance, limit) {
            allowance.fetch_max(limit.saturating_sub(self.reserve), Relaxed);
        }
    }

    /// Requests left now, as far as known without waiting; `None` if there is no limit.
    pub(crate) fn remaining(&self, now: SystemTime) -> Option<u32> {
        Some(self.allowance()?.saturating_sub(self.purse.used(now)))
    }

    /// How the hour stands; `None` if there is no limit.
    pub(crate) async fn standing(&self, now: SystemTime) -> Option<Result<Standing, String>> {
        Some(self.purse.standing(self.allowance()?, now).await)
    }
}

/// Names a limit holder: the host is for people, the fingerprint tells holders apart.
fn holder(config: &ClientConfig, origin: &Origin) -> String {
    let holder = config
        .limit_holder
        .clone()
        .unwrap_or_else(|| config.credential.holder());
    let fingerprint = fingerprint(&[&origin.to_string(), &holder]);
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    let host = config.base_url.host_str().unwrap_or_default();
    let host: String = host
        .chars()
        .map(|c| if plain(c) { c } else { '_' })
        .collect();
    format!("{host}-{fingerprint}")
}
