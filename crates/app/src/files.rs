//! The application as files: `application.toml` in the words of `bucketline.toml`, and a `.sql` file for each task.
//!
//! ```toml
//! [connections.cloud]
//! Type = "Bitbucket"
//! Token = "env:BITBUCKET_TOKEN"
//!
//! [labels]
//! cloud = ["Vienna"]
//!
//! [jobs.Nightly]
//! source = "cloud"
//! destination = "copies"
//! tasks = [{ file = "Nightly/1-Issues.sql" }, { statement = "CHECKCACHE Issues", enabled = false }]
//! schedule = { cron = "0 2 * * *" }
//! ```
//!
//! Secrets are references, in the files as in the store.

mod apply;
mod folder;
mod layout;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use bucketline_core::Result;

pub use self::apply::{Difference, DifferenceKind, apply, plan};
use crate::store::{ConnectionFilter, JobFilter, PageRequest};
use crate::{Connection, Job, Store};

/// What files say: the connections and jobs of an application, by name. Tasks have no numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Application {
    /// The connections.
    pub connections: Vec<Connection>,
    /// The jobs.
    pub jobs: Vec<Job>,
}

/// The texts of files.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Texts {
    /// Of `application.toml`.
    pub toml: String,
    /// Of the `.sql` files, by their paths below the folder, with `/` between the parts.
    pub sql: BTreeMap<String, String>,
}

impl Application {
    /// Reads all connections and jobs of a store.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn of(store: &dyn Store) -> Result<Self> {
        let mut application = Self::default();
        let mut page = PageRequest::first(PageRequest::MOST);
        loop {
            let found = store
                .connections(&ConnectionFilter::default(), &page)
                .await?;
            let found_connections = found.items.into_iter().map(|entry| entry.connection.value);
            application.connections.extend(found_connections);
            match found.next {
                Some(cursor) => page = PageRequest::after(cursor, PageRequest::MOST),
                None => break,
            }
        }
        let mut page = PageRequest::first(PageRequest::MOST);
        loop {
            let found = store.jobs(&JobFilter::default(), &page).await?;
            let jobs = found
                .items
                .into_iter()
                .map(|entry| without_numbers(entry.job.value));
            application.jobs.extend(jobs);
            match found.next {
                Some(cursor) => page = PageRequest::after(cursor, PageRequest::MOST),
                None => break,
            }
        }
        Ok(application)
    }
}

/// The job, whose tasks lose the numbers that they have in a store.
fn without_numbers(mut job: Job) -> Job {
    job.tasks.iter_mut().for_each(|task| task.id = None);
    job
}
