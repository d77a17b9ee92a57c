//! Which schema a store has, and which it is to have.

use bucketline_app::{Error, Result};
use bucketline_core::code;
use refinery::{Migration, Runner};

/// The table in which refinery keeps what it has carried out.
pub(crate) const HISTORY: &str = "refinery_schema_history";

/// The numbered files of `migrations/sqlite`.
pub(crate) mod sqlite {
    refinery::embed_migrations!("migrations/sqlite");
}

/// The numbered files of `migrations/postgres`.
pub(crate) mod postgres {
    refinery::embed_migrations!("migrations/postgres");
}

/// What has to be carried out to bring a store to this version's schema.
#[derive(Debug)]
pub(crate) struct Steps {
    all: Vec<Migration>,
}

impl Steps {
    pub(crate) fn of(runner: &Runner) -> Self {
        let mut all = runner.get_migrations().clone();
        all.sort_by_key(Migration::version);
        Self { all }
    }

    #[cfg(test)]
    pub(crate) fn and(mut self, name: &str, sql: &str) -> Result<Self> {
        let step = Migration::unapplied(name, sql);
        self.all
            .push(step.map_err(|error| failed("a migration of a test", error))?);
        Ok(self)
    }

    /// The steps up to a version.
    #[cfg(test)]
    pub(crate) fn up_to(mut self, version: i64) -> Self {
        self.all.retain(|step| i64::from(step.version()) <= version);
        self
    }

    /// The version of the last step.
    pub(crate) fn version(&self) -> i64 {
        self.all.last().map_or(0, |step| step.version().into())
    }

    /// The names of the steps behind version `found`.
    ///
    /// # Errors
    /// If the store has a newer schema than this version of the program knows.
    pub(crate) fn behind(&self, store: &str, found: Option<i64>) -> Result<Vec<String>> {
        let found = found.unwrap_or(0);
        let known = self.version();
        if found > known {
            let message = format!(
                "{store} has the schema version {found}, and Bucketline {} knows versions up to {known}",
                env!("CARGO_PKG_VERSION")
            );
            return Err(Error::new(code::store::NEWER, message).with_hint(
                "run the version of Bucketline that upgraded the store, or a later one",
            ));
        }
        let behind = self
            .all
            .iter()
            .filter(|step| i64::from(step.version()) > found);
        Ok(behind.map(ToString::to_string).collect())
    }

    /// What carries them out, all or none.
    pub(crate) fn runner(&self) -> Runner {
        Runner::new(&self.all).set_grouped(true)
    }
}

/// The store could not be brought to this version's schema.
pub(crate) fn failed(
    store: &str,
    error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> Error {
    let error = error.into();
    let message = format!("{store} could not be upgraded: {error}");
    Error::new(code::store::MIGRATION, message).with_source(error)
}
