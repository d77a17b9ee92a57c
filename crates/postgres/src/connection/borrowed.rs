//! Connections for a program that keeps tables of its own in a database.

use std::ops::{Deref, DerefMut};

use bucketline_destination::Result;

use super::Settings;
use super::pool::{Client, Dedicated, Pool};

/// Connections to one database, made and kept as those of a destination: with its TLS, its hosts in turn and its limits.
#[derive(Debug, Clone)]
pub struct Connections(Pool);

/// A session that ends when it is dropped. It dereferences to `tokio_postgres::Client`, and prepares statements once.
pub type Session = Dedicated;

impl Connections {
    /// Connects to nothing yet.
    pub fn new(settings: &Settings) -> Self {
        Self(Pool::new(settings))
    }

    /// What errors call the database: without a user or a password.
    pub fn label(&self) -> String {
        self.0.settings().label()
    }

    /// An idle connection, or a new one.
    ///
    /// # Errors
    /// If no server can be reached, or none lets this user in.
    pub async fn get(&self) -> Result<Borrowed> {
        self.0.get().await.map(Borrowed)
    }

    /// A new connection outside the pool, such as for a lock that ends with it.
    ///
    /// # Errors
    /// If no server can be reached, or none lets this user in.
    pub async fn dedicated(&self) -> Result<Session> {
        self.0.dedicated().await
    }
}

/// A session of the pool, which returns there when it is dropped. No transaction may be open then.
#[derive(Debug)]
pub struct Borrowed(Client);

impl Deref for Borrowed {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.0
    }
}

impl DerefMut for Borrowed {
    fn deref_mut(&mut self) -> &mut Session {
        &mut self.0
    }
}
