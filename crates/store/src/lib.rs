//! The application's database: one SQLite file of one process, or a PostgreSQL database that several nodes share.
//!
//! The operations of [`bucketline_app::Store`] are written once, as SQL that both databases read alike, over a
//! [`Transaction`](database::Transaction); what differs is below it: how one connects, locks, waits, migrates, and
//! what went wrong. `migrations/` holds the schema of each.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod accounts;
mod audit;
mod book;
mod budgets;
mod connections;
mod counts;
mod database;
mod definitions;
mod events;
mod jobs;
mod nodes;
mod operations;
mod pages;
mod postgres;
mod prune;
mod queue;
mod runs;
mod schema;
mod secrets;
mod sessions;
mod sign_in;
mod slots;
mod sqlite;
mod tokens;
mod tries;

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;

use bucketline_app::people::Accounts;
use bucketline_app::{Error, Result, Store, Vault};
use bucketline_core::code;
use bucketline_postgres::Settings;

pub use self::book::Budgets;
use self::database::Database;
use self::operations::Operations;
use self::postgres::Postgres;
use self::schema::Steps;
pub use self::sign_in::{Seal, SignIns, VaultSeal};
use self::sqlite::Sqlite;

/// Where a store is.
#[derive(Debug, Clone)]
pub enum Place {
    /// A SQLite file, which one process uses at a time. It and its folder are made if they are missing; nobody else may
    /// read them.
    File(PathBuf),
    /// The schema `bucketline_app` of a PostgreSQL database, which several nodes share.
    Postgres(Box<Settings>),
    /// A SQLite database in memory, for tests. It ends with the store.
    Memory,
}

/// Opens a store that seals no secrets, and brings it to the schema of this version; see [`open_with`].
///
/// # Errors
/// As [`open_with`].
pub async fn open(place: &Place) -> Result<Arc<dyn Store>> {
    Ok(open_with(place, &Vault::closed()).await?.store)
}

/// A store that is open: the same database for jobs and for people.
#[derive(Debug, Clone)]
pub struct Opened {
    /// Connections, jobs and runs.
    pub store: Arc<dyn Store>,
    /// Accounts, sessions, tokens and the audit.
    pub accounts: Arc<dyn Accounts>,
}

impl Opened {
    fn of<D: Database>(database: D, vault: &Vault) -> Self {
        let operations = Arc::new(Operations::new(database, vault));
        Self {
            accounts: operations.clone(),
            store: operations,
        }
    }
}

/// Opens a store, and brings it to the schema of this version. A SQLite file is copied before that, to a file beside it
/// that ends with the old version, such as `.v1`. The vault seals secrets that are typed in; without its key everything
/// else works.
///
/// # Errors
/// With a code of `bucketline_core::code::store`: if the store cannot be reached or written, another process uses it, a
/// newer version of the program has upgraded it, or an upgrade fails, which leaves it as it was.
pub async fn open_with(place: &Place, vault: &Vault) -> Result<Opened> {
    Ok(match place {
        Place::File(path) => Opened::of(Sqlite::open(path, sqlite_steps()).await?, vault),
        Place::Postgres(settings) => {
            let steps = Steps::of(&schema::postgres::migrations::runner());
            Opened::of(Postgres::open(settings, &steps).await?, vault)
        }
        Place::Memory => Opened::of(Sqlite::in_memory(sqlite_steps())?, vault),
    })
}

/// Opens a store to be read, also while another process uses it; `None` if there is none. What would write fails.
///
/// # Errors
/// As [`open`], and if the store has an older schema.
pub async fn look(place: &Place, vault: &Vault) -> Result<Option<Opened>> {
    let (steps, name) = match place {
        Place::File(path) => (sqlite_steps(), path.display().to_string()),
        Place::Postgres(_) => {
            let steps = Steps::of(&schema::postgres::migrations::runner());
            (steps, "the store".to_owned())
        }
        Place::Memory => return Ok(None),
    };
    let pending = pending(place).await?;
    if pending == steps.behind(&name, None)? {
        return Ok(None);
    }
    if !pending.is_empty() {
        let message = format!("{name} has the schema of an older version");
        return Err(Error::new(code::store::MIGRATION, message)
            .with_hint("bucketline app migrate brings it up to date"));
    }
    match place {
        Place::File(path) => {
            let database = Sqlite::open_to_read(path, steps).await?;
            Ok(Some(Opened::of(database, vault)))
        }
        _ => open_with(place, vault).await.map(Some),
    }
}

/// The names of the steps that [`open`] would carry out to upgrade the store.
///
/// # Errors
/// As [`open`].
pub async fn pending(place: &Place) -> Result<Vec<String>> {
    match place {
        Place::File(path) => sqlite::pending(path, sqlite_steps()).await,
        Place::Postgres(settings) => {
            let steps = Steps::of(&schema::postgres::migrations::runner());
            postgres::pending(settings, &steps).await
        }
        Place::Memory => Ok(Vec::new()),
    }
}

fn sqlite_steps() -> Steps {
    Steps::of(&schema::sqlite::migrations::runner())
}
