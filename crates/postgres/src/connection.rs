//! How one connects.

use std::ops::Deref;
use std::sync::Arc;

use bucketline_destination::{Error, ErrorKind, Result};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Config, NoTls};

#[derive(Debug, Clone)]
pub struct Settings(Config);

impl Settings {
    pub fn parse(text: &str, _: &dyn Fn(&str) -> Option<String>) -> Result<Self> {
        let config = text.parse().map_err(|error: tokio_postgres::Error| {
            Error::new(ErrorKind::Unavailable, error.to_string())
        })?;
        Ok(Self(config))
    }

    pub(crate) fn label(&self) -> String {
        format!("PostgreSQL {}", self.0.get_dbname().unwrap_or_default())
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Pool(Arc<Config>);

pub(crate) type Client = Dedicated;

pub(crate) struct Dedicated(tokio_postgres::Client);

impl Deref for Dedicated {
    type Target = tokio_postgres::Client;
    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl Pool {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self(Arc::new(settings.0.clone()))
    }

    pub(crate) async fn get(&self) -> Result<Client> {
        self.dedicated().await
    }

    pub(crate) async fn dedicated(&self) -> Result<Dedicated> {
        let (client, connection) = self.0.connect(NoTls).await.doing("connecting")?;
        tokio::spawn(connection);
        client
            .batch_execute("SET search_path = pg_catalog; SET timezone = 'UTC'")
            .await
            .doing("connecting")?;
        Ok(Dedicated(client))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recovery {
    None,
    Repeat,
    Reconnect,
}

impl Recovery {
    pub(crate) fn of(error: &Error) -> Self {
        let mut source: Option<&(dyn std::error::Error + 'static)> =
            std::error::Error::source(error);
        while let Some(found) = source {
            if let Some(error) = found.downcast_ref::<tokio_postgres::Error>() {
                return match error.code() {
                    Some(code)
                        if *code == SqlState::T_R_DEADLOCK_DETECTED
                            || *code == SqlState::T_R_SERIALIZATION_FAILURE =>
                    {
                        Self::Repeat
                    }
                    Some(code)
                        if code.code().starts_with("57P0") || code.code().starts_with("08") =>
                    {
                        Self::Reconnect
                    }
                    Some(_) => Self::None,
                    None => Self::Reconnect,
                };
            }
            source = found.source();
        }
        Self::None
    }
}

pub(crate) fn failed(doing: &str, error: tokio_postgres::Error) -> Error {
    let text = match error.as_db_error() {
        Some(db) => format!("{} ({})", db.message(), db.code().code()),
        None => error.to_string(),
    };
    let kind = match error.code().map(SqlState::code) {
        Some(code)
            if code.starts_with("22") || code.starts_with("23") || code.starts_with("54") =>
        {
            ErrorKind::BadValue
        }
        Some(_) => ErrorKind::Database,
        None => ErrorKind::Unavailable,
    };
    Error::new(kind, format!("{doing}: {text}")).with_source(error)
}

pub(crate) trait Doing<T> {
    fn doing(self, what: &str) -> Result<T>;
}

impl<T> Doing<T> for Result<T, tokio_postgres::Error> {
    fn doing(self, what: &str) -> Result<T> {
        self.map_err(|error| failed(what, error))
    }
}
