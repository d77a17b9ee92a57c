//! How the hours of the application's connections stand.

use bucketline::{ClaimantStanding, ConnectionBudget};
use bucketline_app::store::{ConnectionFilter, PageRequest};
use bucketline_app::{Failure, Result, name};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::connections::Connections;
use crate::workbench::Workbench;

/// The request budget of a connection. Connections that sign in alike share it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Budget {
    /// The connection.
    pub connection: String,
    /// How the hour stands; absent if that cannot be seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hour: Option<Hour>,
    /// Why it cannot be seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
}

/// How an hour stands. `used`, `reserved` and `free` are what `limit` less `left_to_others` consists of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Hour {
    /// Requests that the service grants in an hour.
    pub limit: u32,
    /// Those that are left to the user's other tools.
    pub left_to_others: u32,
    /// Those that were made in the last hour.
    pub used: u32,
    /// Those that were granted to runs and may still be made.
    pub reserved: u32,
    /// Those that are free now.
    pub free: u32,
    /// When one comes free again, if none is.
    pub next_free: Option<DateTime<Utc>>,
    /// Until when all wait, because the service asked for it.
    pub paused_until: Option<DateTime<Utc>>,
    /// Who has made requests in the last hour or waits, those with the most first.
    pub claimants: Vec<HourOf>,
}

/// What one of those who share an hour has of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct HourOf {
    /// `job` and its name, or `people`.
    pub name: String,
    /// `person`, `small` or `large`: earlier ones go first.
    pub rank: &'static str,
    /// Its share beside others.
    pub share: u32,
    /// Requests made in the last hour.
    pub used: u32,
    /// Requests granted that may still be made.
    pub reserved: u32,
    /// Since when it waits, if it does.
    pub waits_since: Option<DateTime<Utc>>,
    /// Requests that it still has to make, as far as that is known.
    pub left: Option<u64>,
    /// When it will have made them, if its share stays as it is.
    pub done_at: Option<DateTime<Utc>>,
}

impl Workbench {
    /// The budgets of all connections that have one, by name, or of those that are named so.
    ///
    /// # Errors
    /// If the store cannot be used, or the connection that is named is missing.
    pub async fn budgets(&self, connection: Option<&str>) -> Result<Vec<Budget>> {
        let connections = self.connections();
        let names = match connection {
            Some(wanted) => vec![connections.find(wanted).await?.0],
            None => connections.names().await?,
        };
        let mut budgets = Vec::new();
        for name in names {
            let hour = async {
                let (name, session) = connections.of(&name).await?;
                session.hour(&name).await
            };
            match hour.await {
                Ok(None) => {}
                Ok(Some(hour)) => budgets.push(Budget {
                    connection: name,
                    hour: Some(Hour::of(hour)),
                    failure: None,
                }),
                Err(error) => budgets.push(Budget {
                    connection: name,
                    hour: None,
                    failure: Some(Failure::from(&error)),
                }),
            }
        }
        Ok(budgets)
    }
}

impl Connections {
    /// The names of all connections.
    async fn names(&self) -> Result<Vec<String>> {
        let mut names: Vec<String> = self.configured().iter().map(|it| it.name.clone()).collect();
        let mut page = PageRequest::first(PageRequest::MOST);
        loop {
            let listed = self
                .store()
                .connections(&ConnectionFilter::default(), &page)
                .await?;
            let stored = listed.items.into_iter().map(|it| it.connection.value.name);
            names.extend(stored);
            let Some(next) = listed.next else { break };
            page = PageRequest::after(next, PageRequest::MOST);
        }
        names.sort_by_key(|it| name::key(it));
        names.dedup_by_key(|it| name::key(it));
        Ok(names)
    }
}

impl Hour {
    fn of(budget: ConnectionBudget) -> Self {
        let standing = budget.standing;
        Self {
            limit: budget.limit,
            left_to_others: budget.limit.saturating_sub(standing.allowance),
            used: standing.used,
            reserved: standing.reserved,
            free: standing.free(),
            next_free: standing.next_free.map(DateTime::from),
            paused_until: standing.paused_until.map(DateTime::from),
            claimants: standing.claimants.into_iter().map(HourOf::of).collect(),
        }
    }
}

impl HourOf {
    fn of(claimant: ClaimantStanding) -> Self {
        Self {
            name: claimant.name,
            rank: claimant.rank.word(),
            share: claimant.weight,
            used: claimant.used,
            reserved: claimant.reserved,
            waits_since: claimant.waits_since.map(DateTime::from),
            left: claimant.left,
            done_at: claimant.done_at.map(DateTime::from),
        }
    }
}
