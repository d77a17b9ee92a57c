//! A session: its connections, what it writes to, and what it remembers.

mod builder;

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::RecordBatch;
use bucketline_core::code::session as code;
use bucketline_destination::Destination;
use bucketline_engine::{
    Connection as Registered, DEFAULT_DESTINATION, Facts, Session as Engine, Written,
};
use bucketline_replicate::RunOptions;
use bucketline_rest::{BudgetStore, Claimant, OAuth, Opener};
use bucketline_source::{ReadContext, Source, TableSpec};
use bucketline_sql::{ParameterValue, Parameters, Script};

pub use self::builder::Builder;
use crate::connection::{Connection, Surroundings, catalog};
use crate::statement::texts;
use crate::{
    Access, ConnectionProperties, Error, Event, Result, Run, StatementOptions, Vocabulary, check,
    plan, procedure, vocabulary,
};

/// What is written to.
#[derive(Debug)]
struct Destinations {
    /// What the session began with, or the connection `destination` names since.
    configured: Arc<dyn Destination>,
    current: Arc<dyn Destination>,
}

/// Connections to read from and a destination to write to.
pub struct Session {
    pub(crate) engine: Engine,
    destinations: Mutex<Destinations>,
    pub(crate) run_options: RunOptions,
    options: Mutex<StatementOptions>,
    /// Those made from properties, by name.
    connections: Mutex<Vec<(String, Arc<Connection>)>>,
    /// How many statements have written.
    writes: AtomicU64,
    state_dir: Option<PathBuf>,
    budgets: Option<Arc<dyn BudgetStore>>,
    claimant: Option<Claimant>,
    parameters: Mutex<Parameters>,
    pub(crate) opener: Option<Opener>,
    pub(crate) access: Access,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("engine", &self.engine)
            .field("destinations", &self.destinations)
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
        let parameters = self.parameters().clone();
        Run::new(self, script, parameters)
    }

    /// The same, with these values of parameters and no others.
    pub fn run_with(&self, script: &str, parameters: &Parameters) -> Run<'_> {
        Run::new(self, script, parameters.clone())
    }

    /// The syntax errors for which [`Session::run`] would not begin a script, in order.
    pub fn mistakes(&self, script: &str) -> Vec<Error> {
        Script::read(script, &self.parameters()).1
    }

    pub(crate) fn parameters(&self) -> MutexGuard<'_, Parameters> {
        self.parameters
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a parameter a value in the scripts that follow.
    pub(crate) fn set_parameter(&self, name: &str, value: ParameterValue) {
        let mut parameters = self.parameters();
        let before = std::mem::take(&mut *parameters);
        *parameters = before.named(name, value);
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

    /// The tables of a connection that is read, those that its service has removed included.
    ///
    /// # Errors
    /// If no connection of that name was made from properties, it is only written, or it cannot be read now.
    pub async fn tables(&self, connection: &str) -> Result<Vec<Arc<TableSpec>>> {
        let (name, connection) = self.connection(connection)?;
        let source = connection.ends.source().ok_or_else(|| {
            let text = format!(
                "{name} is a {} connection, which is only written",
                connection.kind
            );
            Error::new(code::CONNECTION, text)
        })?;
        source.list_tables().await
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
        let connection = properties.connect(&Surroundings {
            name,
            state_dir: self.state_dir.as_deref(),
            budgets: self.budgets.as_ref(),
            claimant: self.claimant.as_ref(),
            opener: self.opener.as_ref(),
        })?;
        let facts = Facts {
            properties: properties.facts(),
            procedures: match connection.account {
                Some(_) => procedure::facts(),
                None => Vec::new(),
            },
            written: None,
        };
        let is_destination = name.eq_ignore_ascii_case(DEFAULT_DESTINATION);
        if is_destination {
            self.configure(&connection)?;
        }
        let registered = connection.ends.registered();
        let mut connections = self.made();
        let there = connections
            .iter_mut()
            .find(|(other, _)| other.eq_ignore_ascii_case(name));
        match there {
            Some((name, there)) if replaces || is_destination => {
                self.engine.replace(name, registered);
                *there = Arc::new(connection);
            }
            _ => {
                if !is_destination {
                    self.engine.add(name, registered)?;
                }
                connections.push((name.to_owned(), Arc::new(connection)));
            }
        }
        self.engine.state_facts(name, facts);
        Ok(())
    }

    /// Writes to a connection that is called `destination`, now and whenever no other one is chosen.
    fn configure(&self, connection: &Connection) -> Result<()> {
        let destination = connection.ends.destination().ok_or_else(|| {
            Error::new(code::CONNECTION, format!(
                "the connection {DEFAULT_DESTINATION} is what REPLICATE writes to, and {} can only be read",
                connection.kind
            ))
            .with_hint("give the connection another name")
        })?;
        let destination = Arc::clone(destination);
        self.destinations().configured = Arc::clone(&destination);
        self.set_destination(destination);
        Ok(())
    }

    /// Makes a connection what is written to; `destination` is the one that the session began with.
    ///
    /// # Errors
    /// If there is no such connection, or it can only be read.
    pub(crate) fn write_to(&self, name: &str) -> Result<()> {
        if name.eq_ignore_ascii_case(DEFAULT_DESTINATION) {
            let configured = Arc::clone(&self.destinations().configured);
            self.set_destination(configured);
            return Ok(());
        }
        let (name, connection) = self.connection(name)?;
        let destination = connection.ends.destination().ok_or_else(|| {
            Error::new(
                code::CONNECTION,
                format!(
                    "{name} is a {} connection, which can only be read",
                    connection.kind
                ),
            )
            .with_hint("REPLICATE writes to connections of other types, such as SQLite")
        })?;
        self.set_destination(Arc::clone(destination));
        Ok(())
    }

    /// Whether a connection is one that can be written to and is no source.
    pub(crate) fn only_written(&self, name: &str) -> bool {
        let found = self.connection(name);
        found.is_ok_and(|(name, connection)| {
            name != DEFAULT_DESTINATION && connection.ends.source().is_none()
        })
    }

    fn set_destination(&self, destination: Arc<dyn Destination>) {
        self.engine
            .replace(DEFAULT_DESTINATION, catalog(&destination));
        self.destinations().current = destination;
    }

    /// What is written to.
    pub(crate) fn destination(&self) -> Arc<dyn Destination> {
        Arc::clone(&self.destinations().current)
    }

    fn destinations(&self) -> MutexGuard<'_, Destinations> {
        self.destinations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
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
        let (name, connection) = self.connection(name)?;
        let written = self.destination();
        let is_written = |destination| Arc::ptr_eq(destination, &written);
        if connection.ends.destination().is_some_and(is_written) {
            let text = format!("{name} is what REPLICATE writes to, so it cannot be dropped");
            return Err(
                Error::new(code::CONNECTION, text).with_hint("USE DESTINATION chooses another one")
            );
        }
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
            let names = names.filter(|name| *name != DEFAULT_DESTINATION);
            let names = names.collect::<Vec<_>>().join(", ");
            Error::new(
                code::UNKNOWN_CONNECTION,
                format!("there is no connection {name}"),
            )
            .with_hint(if names.is_empty() {
                "there is none at all; bucketline.toml, an option or CREATE CONNECTION makes one"
                    .to_owned()
            } else {
                format!("the connections are {names}")
            })
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
        let kind = |name: &str| {
            let mut made = made.iter();
            made.find_map(|(other, connection)| (other == name).then_some(connection.kind))
        };
        let row = |name: String| {
            let (otherwise, address) = match self.engine.connection(&name)? {
                Registered::Source(source) => ("source", source.address()),
                Registered::Catalog(catalog) => ("destination", Some(catalog.label())),
            };
            let kind = kind(&name).unwrap_or(otherwise);
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
        self.destination().label()
    }
}
