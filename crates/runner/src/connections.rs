//! Where the application's connections come from, and the sessions that are made of them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use bucketline::{
    Access, BudgetStore, Builder, Claimant, ConnectionProperties, DestinationSetting, Session,
    StatementOptions, TokenStore,
};
use bucketline_app::vault::Revealed;
use bucketline_app::{Connection, Error, Job, Result, Store, name};
use bucketline_core::code;
use chrono::{DateTime, Utc};

use crate::bounds::Bounds;

/// A connection of the configuration file, the environment or the command line. It can be used, and is changed only
/// where it stands.
#[derive(Debug, Clone)]
pub struct Configured {
    /// What jobs call it.
    pub name: String,
    /// Its properties.
    pub properties: ConnectionProperties,
}

/// The connections that jobs can name. Where one of the configuration has the name of one in the store, the
/// configuration's counts.
#[derive(Clone)]
pub struct Connections {
    store: Arc<dyn Store>,
    configured: Arc<[Configured]>,
    folder: PathBuf,
    state_dir: Option<PathBuf>,
    budgets: Option<Arc<dyn BudgetStore>>,
    tokens: Option<Arc<dyn TokenStore>>,
    claimant: Claimant,
    options: StatementOptions,
    time_zone: Option<String>,
    now: Option<Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>>,
    bounds: Option<Bounds>,
}

impl std::fmt::Debug for Connections {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connections")
            .field("store", &self.store)
            .field("configured", &self.configured)
            .field("folder", &self.folder)
            .field("state_dir", &self.state_dir)
            .field("budgets", &self.budgets)
            .field("tokens", &self.tokens)
            .field("claimant", &self.claimant)
            .field("options", &self.options)
            .field("time_zone", &self.time_zone)
            .field("bounds", &self.bounds)
            .finish_non_exhaustive()
    }
}

impl Connections {
    /// The connections of a store.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            configured: Arc::default(),
            folder: PathBuf::new(),
            state_dir: None,
            budgets: None,
            tokens: None,
            claimant: Claimant::person("people"),
            options: StatementOptions::default(),
            time_zone: None,
            now: None,
            bounds: None,
        }
    }

    /// The same, and those of a configuration.
    #[must_use]
    pub fn with_configured(mut self, configured: Vec<Configured>) -> Self {
        self.configured = configured.into();
        self
    }

    /// Paths in the store's connections are relative to this folder; without it, to the process's.
    #[must_use]
    pub fn in_folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = folder.into();
        self
    }

    /// Request budgets and the tokens of sign-ins are kept in this folder, so that all runs and programs share them.
    #[must_use]
    pub fn with_state_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.state_dir = Some(folder.into());
        self
    }

    /// Request budgets are kept there, and not in the folder.
    #[must_use]
    pub fn with_budgets(mut self, budgets: Arc<dyn BudgetStore>) -> Self {
        self.budgets = Some(budgets);
        self
    }

    /// The tokens of sign-ins of the store's connections are kept there, and not in the folder.
    #[must_use]
    pub fn with_tokens(mut self, tokens: Arc<dyn TokenStore>) -> Self {
        self.tokens = Some(tokens);
        self
    }

    /// The same, whose requests are made for `claimant`, and not for people.
    pub(crate) fn made_for(&self, claimant: Claimant) -> Self {
        Self {
            claimant,
            ..self.clone()
        }
    }

    /// The store of the connections.
    pub(crate) fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// These options count where neither a job nor a statement says otherwise.
    #[must_use]
    pub fn with_options(mut self, options: StatementOptions) -> Self {
        self.options = options;
        self
    }

    /// The time zone of functions of dates; without it, UTC.
    #[must_use]
    pub fn with_time_zone(mut self, zone: impl Into<String>) -> Self {
        self.time_zone = Some(zone.into());
        self
    }

    /// Statements read this clock in place of the system's.
    #[must_use]
    pub fn with_clock(mut self, now: impl Fn() -> DateTime<Utc> + Send + Sync + 'static) -> Self {
        self.now = Some(Arc::new(now));
        self
    }

    /// Connections of the store, and webhooks, reach no more than this. Those of the configuration are their owner's choice.
    #[must_use]
    pub fn within(mut self, bounds: Bounds) -> Self {
        self.bounds = Some(bounds);
        self
    }

    pub(crate) fn bounds(&self) -> Option<&Bounds> {
        self.bounds.as_ref()
    }

    /// The connections of the configuration, in its order.
    pub fn configured(&self) -> &[Configured] {
        &self.configured
    }

    /// The connection of the configuration with that name.
    pub fn configured_as(&self, wanted: &str) -> Option<&Configured> {
        self.configured
            .iter()
            .find(|it| name::key(&it.name) == name::key(wanted))
    }

    /// The properties of a connection that is shown, or is to be saved: secrets are `***`.
    ///
    /// # Errors
    /// If it names what it may not reach.
    pub(crate) fn shown(&self, connection: &Connection) -> Result<ConnectionProperties> {
        self.of_store(&connection.name, &connection.sealed().properties)
    }

    fn of_store(
        &self,
        name: &str,
        properties: &BTreeMap<String, String>,
    ) -> Result<ConnectionProperties> {
        let properties = ConnectionProperties::new(format!("connection {name}"), properties.iter())
            .in_folder(&self.folder);
        match &self.bounds {
            Some(bounds) => bounds.held(properties),
            None => Ok(properties),
        }
    }

    /// The properties of the connection of that name, and how its name is spelled.
    ///
    /// # Errors
    /// If there is none, or the store cannot be used.
    pub(crate) async fn find(&self, wanted: &str) -> Result<(String, ConnectionProperties)> {
        if let Some(found) = self.configured_as(wanted) {
            return Ok((found.name.clone(), found.properties.clone()));
        }
        match self.store.reveal(wanted).await? {
            Some(Revealed { name, to_enter, .. }) if !to_enter.is_empty() => {
                let message = format!(
                    "the connection `{name}` has no {}: it was never entered, or the key that sealed it is not here",
                    to_enter.join(" and no ")
                );
                Err(Error::new(code::runner::SECRET_TO_ENTER, message)
                    .with_hint("enter it again, or restore the key file"))
            }
            Some(Revealed {
                id,
                name,
                properties,
                ..
            }) => {
                let mut properties = self.of_store(&name, &properties)?;
                if let Some(tokens) = &self.tokens {
                    properties = properties.with_tokens(Arc::clone(tokens), id.sign_in());
                }
                if let Some(bounds) = &self.bounds {
                    bounds.check(&properties).await?;
                }
                Ok((name, properties))
            }
            None => Err(Error::new(
                code::runner::NO_CONNECTION,
                format!("there is no connection `{wanted}`"),
            )
            .with_hint("create it, or name another one in the job")),
        }
    }

    /// What every session is made with. Its statements reach neither files nor the environment, and make no connections.
    pub(crate) fn builder(&self) -> Builder {
        let access = Access::default().with_fixed_connections();
        let mut builder = Session::builder()
            .access(access)
            .claimant(self.claimant.clone());
        if let Some(budgets) = &self.budgets {
            builder = builder.budgets(Arc::clone(budgets));
        }
        if let Some(folder) = &self.state_dir {
            builder = builder.state_dir(folder);
        }
        if let Some(zone) = &self.time_zone {
            builder = builder.time_zone(zone);
        }
        if let Some(now) = self.now.clone() {
            builder = builder.clock(move || now());
        }
        builder
    }

    /// A session for one connection.
    ///
    /// # Errors
    /// If there is no such connection, or its properties are wrong.
    pub(crate) async fn of(&self, wanted: &str) -> Result<(String, Session)> {
        let (name, properties) = self.find(wanted).await?;
        let session = self.builder().connection(&name, properties).build();
        Ok((name, session?))
    }

    /// A session for the test of a connection, and what the connection is called there. A SQLite file of which no table is
    /// to be read is tested as a destination, which is made when it is first written.
    ///
    /// # Errors
    /// If there is no such connection, or its properties are wrong.
    pub(crate) async fn to_test(
        &self,
        wanted: &str,
        tables: &[String],
    ) -> Result<(String, Session)> {
        let (_, properties) = self.find(wanted).await?;
        if properties.type_name() != Some("SQLite") || !tables.is_empty() {
            return self.of(wanted).await;
        }
        let own = DestinationSetting::Own(properties);
        let session = self.builder().write_to(own).build();
        Ok(("destination".to_owned(), session?))
    }

    /// A session that reads `source` and writes `destination`, the first being the current connection.
    ///
    /// # Errors
    /// If there is no such connection, or properties are wrong.
    pub(crate) async fn between(&self, source: &str, destination: &str) -> Result<Session> {
        self.between_with(source, destination, self.options.clone())
            .await
    }

    async fn between_with(
        &self,
        source: &str,
        destination: &str,
        options: StatementOptions,
    ) -> Result<Session> {
        let (source, from) = self.find(source).await?;
        let (destination, to) = self.find(destination).await?;
        self.builder()
            .connection(source, from)
            .connection(&destination, to)
            .write_to(DestinationSetting::Connection(destination))
            .options(options)
            .build()
    }

    /// A session for the tasks of a job.
    ///
    /// # Errors
    /// If a connection is missing or wrong, or an option of the job is none.
    pub(crate) async fn of_job(&self, job: &Job) -> Result<Session> {
        let mut options = self.options.clone();
        let origin = format!("job {}", job.name);
        for (name, value) in &job.options {
            options.set(&origin, name, value)?;
        }
        self.between_with(&job.source, &job.destination, options)
            .await
    }

    /// A session for statements in a destination, which they both read and write.
    ///
    /// # Errors
    /// If the connection is missing or wrong.
    pub(crate) async fn in_destination(&self, wanted: &str) -> Result<Session> {
        let (name, properties) = self.find(wanted).await?;
        self.builder()
            .connection(&name, properties)
            .write_to(DestinationSetting::Connection(name))
            .options(self.options.clone())
            .build()
    }
}
