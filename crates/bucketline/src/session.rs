//! A session and how it is made.

use std::path::PathBuf;
use std::sync::Arc;

use bucketline_destination::Destination;
use bucketline_destination::memory::MemoryDestination;
use bucketline_engine::{DEFAULT_DESTINATION, Session as Engine, Settings};
use bucketline_replicate::{DestinationCatalog, RunOptions};
use bucketline_source::Source;
use bucketline_sqlite::SqliteDestination;

use crate::{Config, ConnectionProperties, Error, Result, Run};

/// Collects what a [`Session`] is made of.
#[derive(Debug, Default)]
pub struct Builder {
    connections: Vec<(String, ConnectionProperties)>,
    sources: Vec<(String, Arc<dyn Source>)>,
    destination: Option<Arc<dyn Destination>>,
    state_dir: Option<PathBuf>,
    memory_limit: Option<usize>,
}

impl Builder {
    /// Takes the connections and the destination of a configuration file.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.connections.extend(config.connections);
        match config.destination {
            Some(path) => self.sqlite(path),
            None => self,
        }
    }

    /// Adds a connection to Bitbucket. One of the same name replaces the earlier.
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

    /// Writes to a SQLite file, made when the first table is loaded.
    #[must_use]
    pub fn sqlite(self, path: impl Into<PathBuf>) -> Self {
        self.destination(Arc::new(SqliteDestination::open_file(path.into())))
    }

    /// Writes to a destination of one's own. Without any, tables are kept in memory.
    #[must_use]
    pub fn destination(mut self, destination: Arc<dyn Destination>) -> Self {
        self.destination = Some(destination);
        self
    }

    /// The folder where request budgets are kept, so that they hold across processes and runs. Without one
    /// they hold in this session only.
    #[must_use]
    pub fn state_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.state_dir = Some(folder.into());
        self
    }

    /// Bytes that a query may hold in memory before it spills or fails.
    #[must_use]
    pub fn memory_limit(mut self, bytes: usize) -> Self {
        self.memory_limit = Some(bytes);
        self
    }

    /// Makes the session. No request is made and no file is written.
    ///
    /// # Errors
    /// If a connection's properties are wrong, a secret cannot be found, or a name is taken.
    pub fn build(self) -> Result<Session> {
        let engine = Engine::new(Settings {
            memory_limit: self.memory_limit,
        })?;
        for (name, properties) in self.connections {
            if name.eq_ignore_ascii_case(DEFAULT_DESTINATION) {
                return Err(Error::connection(format!(
                    "the name {name} is that of the destination"
                ))
                .with_hint("give the connection another name"));
            }
            engine.add_source(&name, properties.open(self.state_dir.clone())?)?;
        }
        for (name, source) in self.sources {
            engine.add_source(&name, source)?;
        }
        let destination = self
            .destination
            .unwrap_or_else(|| Arc::new(MemoryDestination::new()) as Arc<dyn Destination>);
        let catalog = DestinationCatalog::new(Arc::clone(&destination));
        engine.add_catalog(DEFAULT_DESTINATION, Arc::new(catalog))?;
        Ok(Session {
            engine,
            destination,
            options: RunOptions::default(),
        })
    }
}

/// Connections to read from and a destination to write to.
#[derive(Debug)]
pub struct Session {
    pub(crate) engine: Engine,
    pub(crate) destination: Arc<dyn Destination>,
    pub(crate) options: RunOptions,
}

impl Session {
    /// Starts to collect what a session is made of.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Runs a script, or one statement. Nothing happens before the stream is polled.
    pub fn run(&self, script: &str) -> Run<'_> {
        Run::new(self, script)
    }

    /// The names of the connections.
    pub fn connections(&self) -> Vec<String> {
        self.engine.connections()
    }

    /// The current connection and schema, for a prompt.
    pub fn current(&self) -> (String, Option<String>) {
        self.engine.current()
    }

    /// What is written to, for people.
    pub fn destination_label(&self) -> String {
        self.destination.label()
    }
}
