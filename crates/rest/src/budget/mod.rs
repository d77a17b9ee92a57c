//! Not more requests an hour than the limit holder may.

mod file;
mod window;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::header::HeaderMap;
use tokio::time::{Instant, sleep};

use self::file::{BudgetFile, Outcome};
pub(crate) use self::window::Reservation;
use self::window::Window;
use crate::config::ClientConfig;
use crate::credential::fingerprint;
use crate::error::{Error, ErrorKind};
use crate::origin::Origin;

/// The requests of one limit holder: how many were sent in the last hour, and until when all pause.
///
/// With a file it is shared by every client and process that opens the same file. Without an
/// allowance nothing is counted, no file is touched, and pauses hold for this budget alone.
#[derive(Debug)]
pub(crate) struct Budget {
    allowance: Option<AtomicU32>,
    reserve: u32,
    store: Mutex<Store>,
}

#[derive(Debug)]
enum Store {
    Memory(Window),
    File(BudgetFile),
}

/// What came of an update: the answer, and what is wrong with the file, if anything.
#[derive(Debug)]
pub(crate) struct Updated<R> {
    pub(crate) answer: R,
    pub(crate) trouble: Option<Trouble>,
}

#[derive(Debug)]
pub(crate) struct Trouble {
    pub(crate) path: PathBuf,
    pub(crate) reason: String,
}

/// How long another process may keep the file locked, which takes it microseconds, before requests
/// go on without it: it is stopped, or the file system is.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);
const LOCK_POLL: Duration = Duration::from_millis(1);

impl Budget {
    /// The budget of a client's limit holder: in a file of its own in the state folder, if there
    /// is a budget and a folder.
    pub(crate) fn new(config: &ClientConfig, origin: &Origin) -> Result<Budget, Error> {
        let Some(limit) = config.requests_per_hour else {
            return Ok(Budget::in_memory(None));
        };
        let allowance = limit.saturating_sub(config.reserve);
        if allowance == 0 {
            let error = Error::new(ErrorKind::InvalidConfig, &config.base_url);
            let reserve = config.reserve;
            return Err(error.detail(format!(
                "of {limit} requests an hour, {reserve} are reserved, so none is left"
            )));
        }
        let Some(folder) = &config.state_dir else {
            let budget = Budget::in_memory(Some(allowance));
            return Ok(budget.leaving(config.reserve));
        };
        let path = folder.join(file_name(config, origin));
        let budget = Budget::in_file(allowance, path.clone()).map_err(|error| {
            Error::new(ErrorKind::State, &config.base_url)
                .detail(format!("{}: {error}", path.display()))
                .because(error)
        })?;
        Ok(budget.leaving(config.reserve))
    }

    /// The same, of which so many stay unused.
    fn leaving(self, reserve: u32) -> Budget {
        Budget { reserve, ..self }
    }

    pub(crate) fn in_memory(allowance: Option<u32>) -> Budget {
        Budget {
            allowance: allowance.map(AtomicU32::new),
            reserve: 0,
            store: Mutex::new(Store::Memory(Window::default())),
        }
    }

    /// A budget kept in `path`, which is made, with its folder, if missing.
    pub(crate) fn in_file(allowance: u32, path: PathBuf) -> std::io::Result<Budget> {
        let file = BudgetFile::open(path)?;
        Ok(Budget {
            allowance: Some(AtomicU32::new(allowance)),
            reserve: 0,
            store: Mutex::new(Store::File(file)),
        })
    }

    /// Takes one request from the budget, or says until when there is none.
    pub(crate) async fn reserve(&self, now: SystemTime) -> Updated<Reservation> {
        let allowance = self.allowance();
        self.update(|window| window.reserve(millis(now), allowance))
            .await
    }

    /// Gives back a request that was taken and never sent.
    pub(crate) async fn refund(&self, now: SystemTime) -> Updated<()> {
        self.update(|window| window.refund(millis(now))).await
    }

    /// Makes everybody wait until then, at least.
    pub(crate) async fn pause(&self, now: SystemTime, until: SystemTime) -> Updated<()> {
        self.update(|window| window.pause(millis(now), millis(until)))
            .await
    }

    /// Requests in an hour; `None` if there is no limit.
    pub(crate) fn allowance(&self) -> Option<u32> {
        Some(self.allowance.as_ref()?.load(Relaxed))
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
        let allowance = self.allowance()?;
        let mut store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        let used = match &mut *store {
            Store::Memory(window) => window.used(millis(now)),
            Store::File(file) => file.peek(|window| window.used(millis(now))),
        };
        Some(allowance.saturating_sub(used))
    }

    async fn update<R>(&self, mut change: impl FnMut(&mut Window) -> R) -> Updated<R> {
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
    ) -> Option<Updated<R>> {
        let mut store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *store {
            Store::Memory(window) => Some(Updated {
                answer: change(window),
                trouble: None,
            }),
            Store::File(file) => match file.update(change, give_up) {
                Outcome::Done(answer) => Some(Updated {
                    answer,
                    trouble: None,
                }),
                Outcome::Trouble(answer, reason) => {
                    let trouble = Trouble {
                        path: file.path().to_owned(),
                        reason,
                    };
                    Some(Updated {
                        answer,
                        trouble: Some(trouble),
                    })
                }
                Outcome::Locked => None,
            },
        }
    }
}

/// The host is for people who look into the folder; the fingerprint tells holders apart.
fn file_name(config: &ClientConfig, origin: &Origin) -> String {
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
    format!("budget-{host}-{fingerprint}.txt")
}

fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
