//! A session and how it is made.

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::RecordBatch;
use bucketline_destination::Destination;
use bucketline_destination::memory::MemoryDestination;
use bucketline_engine::{
    Clock, Connection as Registered, DEFAULT_DESTINATION, Facts, Session as Engine, Settings,
    Written,
};
use bucketline_replicate::{DestinationCatalog, RunOptions};
use bucketline_rest::{OAuth, Opener};
use bucketline_source::{ReadContext, Source};
use bucketline_sql::{Located, Parameters, parse_script_with};
use bucketline_sqlite::SqliteDestination;
use chrono::{DateTime, Utc};

use crate::connection::{Connection, Surroundings};
use crate::statement::texts;
use crate::{
    Access, Config, ConnectionProperties, Error, Event, Result, Run, StatementOptions, Vocabulary,
    check, plan, procedure, vocabulary,
};

/// Collects what a [`Session`] is made of.
#[derive(Default)]
pub struct Builder {
    connections: Vec<(String, ConnectionProperties)>,
    sources: Vec<(String, Arc<dyn Source>)>,
    destination: Option<Arc<dyn Destination>>,
    state_dir: Option<PathBuf>,
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
            Some(path) => self.sqlite(path),
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

    /// The folder where request budgets and the tokens of sign-ins are kept, so that they hold across processes
    /// and runs. Without one they hold in this session only.
    #[must_use]
    pub fn state_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.state_dir = Some(folder.into());
        self
    }

    /// Bytes that a query may hold in memory before it spills or fails.
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
        let engine = Engine::new(self.settings)?;
        let destination = self
            .destination
            .unwrap_or_else(|| Arc::new(MemoryDestination::new()) as Arc<dyn Destination>);
        let session = Session {
            engine,
            destination: Arc::clone(&destination),
            run_options: RunOptions::default(),
            options: Mutex::new(self.options),
            connections: Mutex::default(),
            writes: AtomicU64::default(),
            state_dir: self.state_dir,
            parameters: self.parameters,
            opener: self.opener,
            access: self.access,
        };
        for (name, properties) in &self.connections {
            session.connect(name, properties, false)?;
        }
        for (name, source) in self.sources {
            session.engine.add_source(&name, source)?;
        }
        let catalog = Arc::new(DestinationCatalog::new(destination));
        session.engine.add_catalog(DEFAULT_DESTINATION, catalog)?;
        Ok(session)
    }
}

/// Connections to read from and a destination to write to.
pub struct Session {
    pub(crate) engine: Engine,
    pub(crate) destination: Arc<dyn Destination>,
    pub(crate) run_options: RunOptions,
    options: Mutex<StatementOptions>,
    /// Those made from properties, by name.
    connections: Mutex<Vec<(String, Arc<Connection>)>>,
    /// How many statements have written.
    writes: AtomicU64,
    state_dir: Option<PathBuf>,
    parameters: Parameters,
    pub(crate) opener: Option<Opener>,
    pub(crate) access: Access,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("engine", &self.engine)
            .field("destination", &self.destination)
            .field("options", &self.options)
            .field("connections", &self.connections)
            .finish_non_exhaustive()
    }
}

impl Session {
    /// Starts to collect what a session is made of.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Runs a script, or one statement. Nothing happens before the stream is polled.
    pub fn run(&self, script: &str) -> Run<'_> {
        Run::new(self, self.parse(script))
    }

    /// The same, with these values of parameters and no others.
    pub fn run_with(&self, script: &str, parameters: &Parameters) -> Run<'_> {
        Run::new(self, parse_script_with(script, parameters))
    }

    /// Reads a script as [`Session::run`] does, without running it.
    pub fn parse(&self, script: &str) -> Vec<Result<Located, bucketline_sql::Error>> {
        parse_script_with(script, &self.parameters)
    }

    /// Says what a script would request and which of the destination's tables it would change: a row for each statement,
    /// then a message for each connection. Makes no request but look-ups of names, and writes nothing; what the script
    /// changes in the session is changed.
    pub fn plan(&self, script: &str) -> Run<'_> {
        let script = script.to_owned();
        Run::driven(|voice| Box::pin(async move { plan::plan(self, &script, &voice).await }))
    }

    /// Of a connection's request budget, what is left now and what there is in an hour; `None` if it has none, or was
    /// not used yet.
    pub fn budget(&self, connection: &str) -> Option<(u32, u32)> {
        let (_, connection) = self.connection(connection).ok()?;
        let bitbucket = connection.account.as_ref()?.known()?;
        let client = bitbucket.client();
        Some((client.remaining_budget()?, client.hourly_budget()?))
    }

    /// Tests a connection step by step, reading one row of each of these tables, or of a few if none is named.
    /// Each step is an [`Event::Checked`](crate::Event::Checked); nothing happens before the stream is polled.
    ///
    /// # Errors
    /// If no connection of that name was made from properties.
    pub fn check(&self, connection: &str, tables: &[String]) -> Result<Run<'_>> {
        let (name, connection) = self.connection(connection)?;
        let tables = tables.to_vec();
        Ok(Run::driven(|voice| {
            Box::pin(async move {
                let context = ReadContext::new(Arc::new(voice.clone()));
                let heard = |what, outcome| voice.say(Event::Checked { what, outcome });
                check::check(self, (&name, &connection), &tables, &context, &heard).await;
            })
        }))
    }

    /// What signs a connection in by OAuth; `None` if it does otherwise.
    ///
    /// # Errors
    /// If no connection of that name was made from properties, a property is wrong or a secret cannot be found.
    pub fn oauth(&self, connection: &str) -> Result<Option<OAuth>> {
        match &self.connection(connection)?.1.account {
            Some(account) => account.oauth(),
            None => Ok(None),
        }
    }

    /// The options of all statements.
    pub(crate) fn options(&self) -> MutexGuard<'_, StatementOptions> {
        self.options.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a connection from properties; one that `replaces` may take the place of another one of that name.
    ///
    /// # Errors
    /// If the properties are wrong, or the name is taken.
    pub(crate) fn connect(
        &self,
        name: &str,
        properties: &ConnectionProperties,
        replaces: bool,
    ) -> Result<()> {
        if name.eq_ignore_ascii_case(DEFAULT_DESTINATION) {
            return Err(
                Error::connection(format!("the name {name} is that of the destination"))
                    .with_hint("give the connection another name"),
            );
        }
        let connection = properties.connect(&Surroundings {
            name,
            state_dir: self.state_dir.as_deref(),
            opener: self.opener.as_ref(),
        })?;
        let source = Arc::clone(&connection.source);
        let facts = Facts {
            properties: properties.facts(),
            procedures: match connection.account {
                Some(_) => procedure::facts(),
                None => Vec::new(),
            },
            written: None,
        };
        let mut connections = self.made();
        let there = connections
            .iter_mut()
            .find(|(other, _)| other.eq_ignore_ascii_case(name));
        match there {
            Some((name, there)) if replaces => {
                self.engine.replace_source(name, source)?;
                *there = Arc::new(connection);
            }
            _ => {
                self.engine.add_source(name, source)?;
                connections.push((name.to_owned(), Arc::new(connection)));
            }
        }
        self.engine.state_facts(name, facts);
        Ok(())
    }

    /// Remembers what a statement has written.
    pub(crate) fn remember(&self, operation: &str, message: String) {
        let written = Written {
            number: self.writes.fetch_add(1, Ordering::Relaxed) + 1,
            operation: operation.to_owned(),
            message,
        };
        let facts = Facts {
            written: Some(written),
            ..Facts::default()
        };
        self.engine.state_facts(DEFAULT_DESTINATION, facts);
    }

    /// Forgets a connection that was made from properties.
    ///
    /// # Errors
    /// If there is none of that name.
    pub(crate) fn disconnect(&self, name: &str) -> Result<()> {
        let (name, _) = self.connection(name)?;
        self.made().retain(|(other, _)| *other != name);
        self.engine.remove(&name);
        Ok(())
    }

    /// A connection that was made from properties, and its name as it was given.
    pub(crate) fn connection(&self, name: &str) -> Result<(String, Arc<Connection>)> {
        let connections = self.made();
        let found = connections
            .iter()
            .find(|(other, _)| other.eq_ignore_ascii_case(name));
        found.cloned().ok_or_else(|| {
            let names = connections.iter().map(|(name, _)| name.as_str());
            let names = names.collect::<Vec<_>>().join(", ");
            Error::unknown_connection(format!("there is no connection {name}")).with_hint(
                if names.is_empty() {
                    "there is none at all; bucketline.toml, an option or CREATE CONNECTION makes one"
                        .to_owned()
                } else {
                    format!("the connections are {names}")
                },
            )
        })
    }

    /// Opens a connection's account, if its secret can be found.
    pub(crate) fn open(&self, connection: &str) {
        if let Ok((_, connection)) = self.connection(connection)
            && let Some(account) = &connection.account
        {
            drop(account.opened());
        }
    }

    /// The name of the connection that reads a source.
    pub(crate) fn name_of(&self, source: &Arc<dyn Source>) -> String {
        let names = self.engine.connections();
        let found = names.into_iter().find(|name| {
            let there = self.engine.connection(name);
            matches!(there, Some(Registered::Source(other)) if Arc::ptr_eq(&other, source))
        });
        found.unwrap_or_default()
    }

    fn made(&self) -> MutexGuard<'_, Vec<(String, Arc<Connection>)>> {
        self.connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The names that can stand in a statement, for completion. No service is asked; the destination is looked into.
    pub async fn vocabulary(&self) -> Vocabulary {
        vocabulary::vocabulary(self).await
    }

    /// The names of the connections.
    pub fn connections(&self) -> Vec<String> {
        self.engine.connections()
    }

    /// The connections, a row each: its name, of which kind it is, where it leads to, and whether it is the current
    /// one.
    pub(crate) fn listed(&self) -> Result<RecordBatch> {
        let current = self.engine.current().0;
        let made = self.made();
        let kind = |name: &str| made.iter().find(|(other, _)| other == name);
        let row = |name: String| {
            let (kind, address) = match self.engine.connection(&name)? {
                Registered::Source(source) => (
                    kind(&name).map_or("source", |(_, connection)| connection.kind),
                    source.address(),
                ),
                Registered::Catalog(catalog) => ("destination", Some(catalog.label())),
            };
            let is_current = if name == current { "yes" } else { "no" };
            Some([
                Some(name),
                Some(kind.to_owned()),
                address,
                Some(is_current.to_owned()),
            ])
        };
        let rows: Vec<_> = self
            .engine
            .connections()
            .into_iter()
            .filter_map(row)
            .collect();
        let column = |index: usize| rows.iter().map(|row| row[index].clone()).collect();
        texts([
            ("Connection", column(0)),
            ("Type", column(1)),
            ("Address", column(2)),
            ("IsCurrent", column(3)),
        ])
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
