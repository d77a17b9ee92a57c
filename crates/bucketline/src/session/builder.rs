//! What a session is made of.

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use bucketline_destination::Destination;
use bucketline_destination::memory::MemoryDestination;
use bucketline_engine::{
    Clock, DEFAULT_DESTINATION, Files, HostTable, Session as Engine, Settings,
};
use bucketline_replicate::RunOptions;
use bucketline_rest::{BudgetStore, Claimant, Opener};
use bucketline_source::Source;
use bucketline_sql::Parameters;
use bucketline_sqlite::SqliteDestination;
use chrono::{DateTime, Utc};

use super::{Destinations, Session};
use crate::connection::catalog;
use crate::csv::CsvFiles;
use crate::{Access, Config, ConnectionProperties, DestinationSetting, Result, StatementOptions};

/// What is written to.
#[derive(Debug)]
enum Written {
    Made(Arc<dyn Destination>),
    Set(DestinationSetting),
}

/// Collects what a [`Session`] is made of.
#[derive(Default)]
pub struct Builder {
    connections: Vec<(String, ConnectionProperties)>,
    sources: Vec<(String, Arc<dyn Source>)>,
    destination: Option<Written>,
    state_dir: Option<PathBuf>,
    budgets: Option<Arc<dyn BudgetStore>>,
    claimant: Option<Claimant>,
    settings: Settings,
    parameters: Parameters,
    opener: Option<Opener>,
    options: StatementOptions,
    access: Access,
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("connections", &self.connections)
            .field("sources", &self.sources)
            .field("destination", &self.destination)
            .field("state_dir", &self.state_dir)
            .field("budgets", &self.budgets)
            .field("claimant", &self.claimant)
            .field("options", &self.options)
            .field("access", &self.access)
            .finish_non_exhaustive()
    }
}

impl Builder {
    /// Takes the connections, the destination and the options of a configuration file.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.connections.extend(config.connections);
        self.options = config.options;
        match config.destination {
            Some(setting) => self.write_to(setting),
            None => self,
        }
    }

    /// Adds a connection. One of the same name replaces the earlier.
    #[must_use]
    pub fn connection(mut self, name: impl Into<String>, properties: ConnectionProperties) -> Self {
        let name = name.into();
        self.connections
            .retain(|(other, _)| !other.eq_ignore_ascii_case(&name));
        self.connections.push((name, properties));
        self
    }

    /// Adds a source of one's own.
    #[must_use]
    pub fn source(mut self, name: impl Into<String>, source: Arc<dyn Source>) -> Self {
        self.sources.push((name.into(), source));
        self
    }

    /// Adds a table of the program that the session is part of, which queries read like a system table.
    #[must_use]
    pub fn host_table(mut self, table: Arc<dyn HostTable>) -> Self {
        self.settings.host_tables.push(table);
        self
    }

    /// Writes to a SQLite file, made when the first table is loaded.
    #[must_use]
    pub fn sqlite(self, path: impl Into<PathBuf>) -> Self {
        self.destination(Arc::new(SqliteDestination::open_file(path.into())))
    }

    /// Writes to a destination of one's own. Without any, tables are kept in memory.
    #[must_use]
    pub fn destination(mut self, destination: Arc<dyn Destination>) -> Self {
        self.destination = Some(Written::Made(destination));
        self
    }

    /// Writes to what a configuration or a command line names.
    #[must_use]
    pub fn write_to(mut self, setting: DestinationSetting) -> Self {
        self.destination = Some(Written::Set(setting));
        self
    }

    /// The folder where request budgets and the tokens of sign-ins are kept, so that they hold across processes
    /// and runs. Without one they hold in this session only.
    #[must_use]
    pub fn state_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.state_dir = Some(folder.into());
        self
    }

    /// Keeps request budgets there, and not in the state folder.
    #[must_use]
    pub fn budgets(mut self, store: Arc<dyn BudgetStore>) -> Self {
        self.budgets = Some(store);
        self
    }

    /// Says for whom the session makes its requests, where several share a budget.
    #[must_use]
    pub fn claimant(mut self, claimant: Claimant) -> Self {
        self.claimant = Some(claimant);
        self
    }

    /// Bytes that a query may hold in memory before it spills or fails; a GiB unless it is said.
    #[must_use]
    pub fn memory_limit(mut self, bytes: usize) -> Self {
        self.settings.memory_limit = Some(bytes);
        self
    }

    /// Gives the parameters of scripts their values: `@name`, `?` and `{env:name}`. What has none is an error.
    #[must_use]
    pub fn parameters(mut self, parameters: Parameters) -> Self {
        self.parameters = parameters;
        self
    }

    /// Tells queries what time it is, in place of the system.
    #[must_use]
    pub fn clock(mut self, now: impl Fn() -> DateTime<Utc> + Send + Sync + 'static) -> Self {
        self.settings.clock = Clock::new(now);
        self
    }

    /// The time zone of functions of dates, where days begin and what texts without a zone mean: a name such as
    /// `Europe/Berlin`, or an offset such as `+02:00`. Without it, UTC.
    #[must_use]
    pub fn time_zone(mut self, zone: impl Into<String>) -> Self {
        self.settings.time_zone = Some(zone.into());
        self
    }

    /// The options of all statements, unless SET or the statement says otherwise.
    #[must_use]
    pub fn options(mut self, options: StatementOptions) -> Self {
        self.options = options;
        self
    }

    /// What statements such as CREATE CONNECTION may reach on this machine. Without this it is nothing.
    #[must_use]
    pub fn access(mut self, access: Access) -> Self {
        self.access = access;
        self
    }

    /// Lets a request or procedure that finds nobody signed in show the page on which a user allows the access,
    /// and wait for the user. Without this nothing is opened.
    #[must_use]
    pub fn opener(mut self, opener: Opener) -> Self {
        self.opener = Some(opener);
        self
    }

    /// Makes the session. No request is made, no secret is looked for, and no file is written.
    ///
    /// # Errors
    /// If a connection's properties are wrong, a name is taken, or the time zone is not known.
    pub fn build(self) -> Result<Session> {
        let files: Arc<dyn Files> = Arc::new(CsvFiles::new(self.access.clone()));
        let made = match &self.destination {
            Some(Written::Made(destination)) => Arc::clone(destination),
            Some(Written::Set(_)) | None => Arc::new(MemoryDestination::new()),
        };
        let session = Session {
            engine: Engine::new(Settings {
                files: Some(files),
                ..self.settings
            })?,
            destinations: Mutex::new(Destinations {
                configured: Arc::clone(&made),
                current: Arc::clone(&made),
            }),
            run_options: RunOptions::default(),
            options: Mutex::new(self.options),
            connections: Mutex::default(),
            writes: AtomicU64::default(),
            state_dir: self.state_dir,
            budgets: self.budgets,
            claimant: self.claimant,
            parameters: Mutex::new(self.parameters),
            opener: self.opener,
            access: self.access,
        };
        for (name, properties) in &self.connections {
            session.connect(name, properties, false)?;
        }
        for (name, source) in self.sources {
            session.engine.add_source(&name, source)?;
        }
        session.engine.add(DEFAULT_DESTINATION, catalog(&made))?;
        match &self.destination {
            Some(Written::Set(DestinationSetting::Connection(name))) => {
                session.write_to(name)?;
                let mut destinations = session.destinations();
                destinations.configured = Arc::clone(&destinations.current);
            }
            Some(Written::Set(DestinationSetting::Own(properties))) => {
                session.connect(DEFAULT_DESTINATION, properties, true)?;
            }
            Some(Written::Made(_)) | None => {}
        }
        Ok(session)
    }
}
