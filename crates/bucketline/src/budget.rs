//! How the hour of each connection stands.

use std::sync::Arc;
use std::time::SystemTime;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use bucketline_rest::{ClaimantStanding, Standing};
use chrono::{DateTime, Utc};

use crate::statement::defect;
use crate::{Result, Session};

/// The request budget of a connection. All connections that sign in alike share it, and so do all programs that keep
/// budgets in the same place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionBudget {
    /// The connection.
    pub connection: String,
    /// Requests in an hour that the service grants.
    pub limit: u32,
    /// How the part of them stands that is for this program: the rest is left to the user's other tools.
    pub standing: Standing,
}

impl Session {
    /// How the hour of a connection stands; `None` if it has no request budget.
    ///
    /// # Errors
    /// If no connection of that name was made from properties, a secret cannot be found, or the budget cannot be read.
    pub async fn hour(&self, connection: &str) -> Result<Option<ConnectionBudget>> {
        let (name, connection) = self.connection(connection)?;
        let Some(account) = &connection.account else {
            return Ok(None);
        };
        let opened = account.opened()?;
        let client = opened.bitbucket.client();
        let Some(standing) = client.standing().await? else {
            return Ok(None);
        };
        let limit = standing.allowance + client.reserved_for_others();
        Ok(Some(ConnectionBudget {
            connection: name,
            limit,
            standing,
        }))
    }

    /// Says how many requests this session is going to make of a connection, if that is known: where a budget is shared,
    /// those who make few go first.
    ///
    /// # Errors
    /// If no connection of that name was made from properties, or a secret cannot be found.
    pub fn expect(&self, connection: &str, requests: Option<u64>) -> Result<()> {
        let (_, connection) = self.connection(connection)?;
        if let Some(account) = &connection.account {
            account.opened()?.bitbucket.client().expect(requests);
        }
        Ok(())
    }
}

/// The budgets, a row each.
pub(crate) fn rows(budgets: &[ConnectionBudget]) -> Result<RecordBatch> {
    let texts = |of: &dyn Fn(&ConnectionBudget) -> String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(budgets.iter().map(of)))
    };
    let counts = |of: &dyn Fn(&ConnectionBudget) -> u32| -> ArrayRef {
        let counts = budgets.iter().map(|budget| i64::from(of(budget)));
        Arc::new(Int64Array::from_iter_values(counts))
    };
    let times = |of: &dyn Fn(&ConnectionBudget) -> Option<SystemTime>| -> ArrayRef {
        let micros = |time: SystemTime| DateTime::<Utc>::from(time).timestamp_micros();
        let times = budgets.iter().map(|budget| of(budget).map(micros));
        let times: TimestampMicrosecondArray = times.collect();
        Arc::new(times.with_timezone("UTC"))
    };
    RecordBatch::try_from_iter_with_nullable([
        ("Connection", texts(&|it| it.connection.clone()), false),
        ("HourlyLimit", counts(&|it| it.limit), false),
        (
            "LeftToOthers",
            counts(&|it| it.limit - it.standing.allowance),
            false,
        ),
        ("Used", counts(&|it| it.standing.used), false),
        ("Reserved", counts(&|it| it.standing.reserved), false),
        ("Free", counts(&|it| it.standing.free()), false),
        ("NextFree", times(&|it| it.standing.next_free), true),
        ("PausedUntil", times(&|it| it.standing.paused_until), true),
        (
            "UsedBy",
            texts(&|it| used_by(&it.standing.claimants)),
            false,
        ),
    ])
    .map_err(defect)
}

/// `job Nightly 120, job Backfill 700 (waits)`
fn used_by(claimants: &[ClaimantStanding]) -> String {
    let told = claimants.iter().map(|claimant| {
        let taken = claimant.used + claimant.reserved;
        let waits = match claimant.waits_since {
            Some(_) => " (waits)",
            None => "",
        };
        format!("{} {taken}{waits}", claimant.name)
    });
    told.collect::<Vec<_>>().join(", ")
}
