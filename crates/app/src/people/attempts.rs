//! Limits on attempts to sign in.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use bucketline_core::{Error, Result, code};
use chrono::{DateTime, TimeDelta, Utc};

use crate::name;

/// Failures that cost nothing: of one name from one address, from one address, of one name.
const FREE: [u32; 3] = [5, 20, 50];
/// The first wait. Each further failure doubles it.
const FIRST_WAIT: i64 = 15;
/// The longest wait.
const LONGEST_WAIT: i64 = 15 * 60;
/// What nobody tried for so long is forgotten.
const FORGOTTEN: i64 = 60 * 60;
/// Names and addresses that are remembered: more than that is an attack, and the oldest go.
const MOST: usize = 10_000;

/// Counts what failed. Each process has its own count.
#[derive(Debug, Default)]
pub struct Attempts(Mutex<HashMap<Key, Failures>>);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    NameFrom(String, String),
    From(String),
    Name(String),
}

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    last: DateTime<Utc>,
}

fn keys(account: &str, from: &str) -> [Key; 3] {
    // A long name is no account's.
    let account: String = name::key(account).chars().take(100).collect();
    [
        Key::NameFrom(account.clone(), from.to_owned()),
        Key::From(from.to_owned()),
        Key::Name(account),
    ]
}

impl Failures {
    /// When another attempt is let through.
    fn until(self, free: u32) -> DateTime<Utc> {
        let Some(over) = self.count.checked_sub(free) else {
            return self.last;
        };
        let wait = FIRST_WAIT.saturating_mul(1 << over.min(20));
        self.last + TimeDelta::seconds(wait.min(LONGEST_WAIT))
    }
}

impl Attempts {
    /// Lets an attempt through, and counts it as a failure until [`Attempts::succeeded`] says otherwise: of many at the same time
    /// no more are let through.
    ///
    /// # Errors
    /// If too many failed before it.
    pub fn begin(&self, account: &str, from: &str, at: DateTime<Utc>) -> Result<()> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let keys = keys(account, from);
        for (key, free) in keys.iter().zip(FREE) {
            let Some(failures) = known.get(key) else {
                continue;
            };
            let until = failures.until(free);
            if at < until {
                let message = "too many attempts to sign in have failed";
                return Err(Error::new(code::people::TOO_MANY_ATTEMPTS, message)
                    .with_hint("wait, and check the name and the password")
                    .with_retry_at(until.into()));
            }
        }
        if known.len() > MOST {
            known.retain(|_, failures| at - failures.last < TimeDelta::seconds(FORGOTTEN));
        }
        if known.len() > MOST {
            known.clear();
        }
        for key in keys {
            let failures = known.entry(key).or_insert(Failures { count: 0, last: at });
            if at - failures.last > TimeDelta::seconds(FORGOTTEN) {
                failures.count = 0;
            }
            failures.count = failures.count.saturating_add(1);
            failures.last = at;
        }
        Ok(())
    }

    /// The attempt succeeded: failures of this name from this address are forgotten, those from the address are not, but for this
    /// one.
    pub fn succeeded(&self, account: &str, from: &str) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let [both, address, name] = keys(account, from);
        known.remove(&both);
        for key in [address, name] {
            if let Some(failures) = known.get_mut(&key) {
                failures.count = failures.count.saturating_sub(1);
            }
        }
    }
}
