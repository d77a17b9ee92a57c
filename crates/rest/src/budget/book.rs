//! What every place does that counts requests.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;

/// Where the requests that services grant in an hour are counted: in files of one machine, or in a database that
/// several machines share.
///
/// Every implementation keeps this promise: in no hour are more requests granted than the allowance that is asked
/// with, by however many processes, and whichever of them are killed.
pub trait BudgetStore: Send + Sync + fmt::Debug {
    /// The book of one limit holder. `holder` names the API's host and has a fingerprint of whom it counts requests
    /// for: letters, digits, `.`, `-` and `_`.
    ///
    /// # Errors
    /// If the book can be neither opened nor made.
    fn book(&self, holder: &str) -> io::Result<Arc<dyn BudgetBook>>;
}

/// The requests of one limit holder.
#[async_trait]
pub trait BudgetBook: Send + Sync + fmt::Debug {
    /// How many requests to ask for at a time, of that many an hour.
    fn lot(&self, allowance: u32) -> u32;

    /// Takes up to [`Ask::wanted`] requests, or says until when there are none.
    async fn take(&self, ask: &Ask, now: SystemTime) -> Kept<Taken>;

    /// Settles requests of a lot: so many were answered by now, and so many were never sent. Those of a lot that is
    /// neither settled nor ended count as sent.
    async fn settle(&self, lot: LotId, settled: Settled, now: SystemTime) -> Kept<()>;

    /// Makes everybody wait until then, at least.
    async fn pause(&self, until: SystemTime, now: SystemTime) -> Kept<()>;

    /// How the hour stands.
    ///
    /// # Errors
    /// A sentence that says why the book cannot be read.
    async fn standing(&self, allowance: u32, now: SystemTime) -> Result<Standing, String>;

    /// Requests of the last hour, those in open lots included, as far as that is known without waiting.
    fn used(&self, now: SystemTime) -> u32;
}

/// Who asks for requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimant {
    /// What people know it by. Claimants of one name are one.
    pub name: String,
    /// Whether a person waits for the answer. People go before jobs.
    pub is_person: bool,
    /// Its share beside others that ask at the same time.
    pub weight: u32,
    /// Requests that it is going to make, as far as that is known.
    pub forecast: Option<u64>,
}

impl Claimant {
    /// Somebody who waits for the answer.
    pub fn person(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            is_person: true,
            weight: 1,
            forecast: None,
        }
    }

    /// A job that runs by itself.
    pub fn job(name: impl Into<String>, weight: u32, forecast: Option<u64>) -> Self {
        Self {
            name: name.into(),
            is_person: false,
            weight: weight.max(1),
            forecast,
        }
    }
}

/// A wish for requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// Requests that all claimants together may make in an hour.
    pub allowance: u32,
    /// Who asks.
    pub claimant: Claimant,
    /// Requests that it has made so far.
    pub made: u64,
    /// Requests wanted, at least 1.
    pub wanted: u32,
}

/// Names a lot within its book.
pub type LotId = u64;

/// Requests that were granted together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lot {
    /// Its name.
    pub id: LotId,
    /// How many, at least 1.
    pub requests: u32,
    /// Whether they count as sent from now on, so that only those that are not sent need to be settled.
    pub is_charged: bool,
}

/// What came of an [`Ask`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// These may be sent.
    Granted(Lot),
    /// None before then: the service asked everybody to wait.
    Paused(SystemTime),
    /// None before then: the hour's requests are spent.
    Spent(SystemTime),
    /// None now: what is left is for others first. Ask again then.
    Behind(SystemTime),
    /// None now: the book cannot be used. Ask again then.
    Unusable(SystemTime),
}

/// What became of requests of a lot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Settled {
    /// Sent, and answered or given up.
    pub answered: u32,
    /// Never sent.
    pub returned: u32,
}

/// An answer of a book, and what is wrong with the book, if anything. Trouble that lasts is told once.
#[derive(Debug)]
pub struct Kept<R> {
    /// The answer.
    pub answer: R,
    /// What is wrong.
    pub trouble: Option<Trouble>,
}

impl<R> From<R> for Kept<R> {
    fn from(answer: R) -> Self {
        Self {
            answer,
            trouble: None,
        }
    }
}

/// What is wrong with a book.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// The file, or another place.
    pub path: PathBuf,
    /// A sentence.
    pub reason: String,
    /// Whether requests wait until it is over; otherwise they go on, counted by this process alone.
    pub waits: bool,
}

/// How the hour stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Requests that may be made in an hour.
    pub allowance: u32,
    /// Those that were made in the last hour.
    pub used: u32,
    /// Those that were granted and may still be sent.
    pub reserved: u32,
    /// When a request comes free again; absent if one is free.
    pub next_free: Option<SystemTime>,
    /// Until when everybody waits, because the service asked for it.
    pub paused_until: Option<SystemTime>,
    /// Who has made requests in the last hour or waits, those with the most first; empty if that is not written down.
    pub claimants: Vec<ClaimantStanding>,
}

impl Standing {
    /// Requests that are free now.
    pub fn free(&self) -> u32 {
        let taken = self.used.saturating_add(self.reserved);
        self.allowance.saturating_sub(taken)
    }
}

/// How one claimant stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimantStanding {
    /// What people know it by.
    pub name: String,
    /// What it counts as.
    pub rank: Rank,
    /// Its share beside others.
    pub weight: u32,
    /// Requests made in the last hour.
    pub used: u32,
    /// Requests granted that may still be sent.
    pub reserved: u32,
    /// Since when it waits, if it does.
    pub waits_since: Option<SystemTime>,
    /// Requests that it still has to make, as far as that is known.
    pub left: Option<u64>,
    /// When it will have made them, if its share stays as it is.
    pub done_at: Option<SystemTime>,
}

/// What a claimant counts as: earlier ones go before later ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// A person waits for the answer.
    Person,
    /// It has made and is going to make few requests.
    Small,
    /// It makes more than a tenth of the hour's requests, or will.
    Large,
}

impl Rank {
    /// Its name.
    pub fn word(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Small => "small",
            Self::Large => "large",
        }
    }
}
