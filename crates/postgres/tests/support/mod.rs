//! A database of a private server.

use bucketline_postgres::{PostgresDestination, Settings};
use bucketline_private_postgres::Server;

pub(crate) struct Database {
    pub(crate) server: Server,
    pub(crate) url: String,
}

impl Database {
    /// An empty one; none where PostgreSQL is not installed.
    pub(crate) fn new() -> Option<Self> {
        let server = Server::for_test()?;
        let url = server.create_database().unwrap();
        Some(Self { server, url })
    }

    pub(crate) fn destination(&self) -> PostgresDestination {
        let settings = Settings::parse(&self.url, &|_| None).unwrap();
        PostgresDestination::new(&settings)
    }

    /// What another program reads, or does.
    pub(crate) fn execute(&self, sql: &str) -> String {
        let (_, database) = self.url.rsplit_once('/').unwrap();
        let printed = self.server.execute(database, sql).unwrap();
        printed.trim_end().to_owned()
    }
}
