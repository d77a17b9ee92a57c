//! Connections that are made when they are needed, and kept.

use std::time::Duration;

use bucketline_destination::{Error, Result, code};
use deadpool::managed::{self, Metrics, Object, PoolError, RecycleError, RecycleResult};
use deadpool_postgres::ClientWrapper;
use secrecy::ExposeSecret as _;
use tokio::sync::OnceCell;
use tokio_postgres::config::{ChannelBinding as Binding, SslMode};
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Config, NoTls, SimpleQueryMessage};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::error::{Doing as _, Recovery, unreachable};
use super::method::Watch;
use super::session;
use super::settings::{ChannelBinding, Login, Settings};
use super::socket::Socket;

/// A connection of the pool, which returns there when it is dropped.
pub(crate) type Client = Object<Connector>;

/// A connection of its own, which ends when it is dropped. A lease is one.
pub(crate) type Dedicated = ClientWrapper;

/// How many connections of a pool are in use at most. Commits of slices that run at once fit in.
const SIZE: usize = 8;

/// How long one may wait for others to return a connection.
const WAIT: Duration = Duration::from_secs(300);

/// Connections to one database.
#[derive(Debug, Clone)]
pub(crate) struct Pool {
    inner: managed::Pool<Connector>,
}

impl Pool {
    /// A pool without a connection yet.
    pub(crate) fn new(settings: &Settings) -> Self {
        let connector = Connector {
            settings: settings.clone(),
            tls: OnceCell::new(),
        };
        let inner = managed::Pool::builder(connector)
            .max_size(SIZE)
            .wait_timeout(Some(WAIT))
            .runtime(deadpool::Runtime::Tokio1)
            .build()
            .expect("a limit of time has its runtime");
        Self { inner }
    }

    /// Where it leads.
    pub(crate) fn settings(&self) -> &Settings {
        &self.inner.manager().settings
    }

    /// A connection that is idle, or a new one.
    ///
    /// # Errors
    /// If no server can be reached, or none lets this user in.
    pub(crate) async fn get(&self) -> Result<Client> {
        self.inner.get().await.map_err(|error| match error {
            PoolError::Backend(error) => error,
            other => {
                let label = self.settings().label();
                let message = format!("{label}: all {SIZE} connections stay in use");
                Error::new(code::UNAVAILABLE, message).with_source(other)
            }
        })
    }

    /// A new connection outside the pool.
    ///
    /// # Errors
    /// If no server can be reached, or none lets this user in.
    pub(crate) async fn dedicated(&self) -> Result<Dedicated> {
        self.inner.manager().connect().await
    }
}

/// Makes connections.
#[derive(Debug)]
pub(crate) struct Connector {
    settings: Settings,
    /// Made with the first connection that is encrypted: reading the system's certificates takes
    /// over 10 ms.
    tls: OnceCell<Tls>,
}

/// What TLS needs, which has no `Debug`.
struct Tls(MakeRustlsConnect);

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls")
    }
}

impl managed::Manager for Connector {
    type Type = ClientWrapper;
    type Error = Error;

    async fn create(&self) -> Result<ClientWrapper> {
        self.connect().await
    }

    async fn recycle(&self, client: &mut ClientWrapper, _: &Metrics) -> RecycleResult<Error> {
        if client.is_closed() {
            return Err(RecycleError::message("the connection broke"));
        }
        Ok(())
    }
}

impl Connector {
    /// Tries the hosts in their order. One that can be reached and does not let this user in ends
    /// the search: the others are usually the same database.
    async fn connect(&self) -> Result<ClientWrapper> {
        let mut last = None;
        for login in &self.settings.hosts {
            match Box::pin(self.connect_to(login)).await {
                Ok(client) => return Ok(client),
                Err(error) if Recovery::of(&error) == Recovery::Reconnect => last = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(last.unwrap_or_else(|| Error::new(code::UNAVAILABLE, "there is no host")))
    }

    async fn connect_to(&self, login: &Login) -> Result<ClientWrapper> {
        let place = format!("PostgreSQL {}/{}", login.host, self.settings.database);
        let Some(limit) = self.settings.connect_timeout else {
            return self.open(login, &place).await;
        };
        let opened = tokio::time::timeout(limit, self.open(login, &place)).await;
        opened.unwrap_or_else(|_| {
            let message = format!("{place}: no answer within {} s", limit.as_secs());
            Err(Error::new(code::UNAVAILABLE, message)
                .with_hint("check the host, and the firewalls between; connect_timeout gives it more seconds")
                .with_source(std::io::Error::from(std::io::ErrorKind::TimedOut)))
        })
    }

    async fn open(&self, login: &Login, place: &str) -> Result<ClientWrapper> {
        let mut config = self.config(login);
        let host = &login.host;
        let socket = Socket::open(host).await;
        let socket = socket.map_err(|error| unreachable(place, error))?;
        let watch = |is_verified| {
            let methods = &self.settings.methods;
            methods.watch(is_verified, login.password.is_some())
        };
        let client = if self.settings.tls.encrypts(&login.host) {
            config.ssl_mode(SslMode::Require);
            let tls = self
                .tls
                .get_or_try_init(async || {
                    self.settings
                        .tls
                        .load()
                        .map(|tls| Tls(MakeRustlsConnect::new(tls)))
                })
                .await?;
            let mut maker = tls.0.clone();
            let connector = MakeTlsConnect::<Socket>::make_tls_connect(&mut maker, &host.name);
            let connector = connector.map_err(|error| {
                Error::new(code::UNAVAILABLE, format!("{place}: {error}")).with_source(error)
            })?;
            let connector = Watch::new(connector, watch(true));
            let connected = config.connect_raw(socket, connector).await;
            let (client, connection) = connected.doing(place)?;
            ClientWrapper::new(client, tokio::spawn(drive(connection)))
        } else {
            config.ssl_mode(SslMode::Disable);
            let socket = Watch::new(socket, watch(false));
            let connected = config.connect_raw(socket, NoTls).await;
            let (client, connection) = connected.doing(place)?;
            ClientWrapper::new(client, tokio::spawn(drive(connection)))
        };
        self.set_up(&client, place).await?;
        Ok(client)
    }

    fn config(&self, login: &Login) -> Config {
        let settings = &self.settings;
        let mut config = Config::new();
        config
            .user(&settings.user)
            .dbname(&settings.database)
            .application_name(&settings.application)
            .channel_binding(match settings.channel_binding {
                ChannelBinding::Disabled => Binding::Disable,
                ChannelBinding::Preferred => Binding::Prefer,
                ChannelBinding::Required => Binding::Require,
            });
        if let Some(password) = &login.password {
            config.password(password.expose_secret());
        }
        if let Some(options) = &settings.options {
            config.options(options);
        }
        config
    }

    /// Sets a session up, and passes over a server that takes no writes if one is needed that does.
    async fn set_up(&self, client: &ClientWrapper, place: &str) -> Result<()> {
        let sql = session::set_up(&self.settings);
        let answers = client.simple_query(&sql).await.doing(place)?;
        let last = answers.iter().rev().find_map(|answer| match answer {
            SimpleQueryMessage::Row(row) => row.get(0),
            _ => None,
        });
        if self.settings.must_take_writes && last == Some("on") {
            let message = format!("{place}: this server takes no writes");
            return Err(Error::new(code::UNAVAILABLE, message)
                .with_hint("name the primary, or all hosts with commas between")
                // Another may take them, or this one later.
                .with_source(std::io::Error::other("read only")));
        }
        Ok(())
    }
}

/// Carries a connection's messages until its client is dropped. What breaks it is told to whoever
/// waits for an answer.
async fn drive(connection: impl Future<Output = Result<(), tokio_postgres::Error>>) {
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a connection to PostgreSQL broke");
    }
}
