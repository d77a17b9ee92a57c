//! Where a database is, and how one signs in there.

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use bucketline_destination::Result;
use secrecy::SecretString;

use super::Environment;
use super::error::hide;
use super::method::Methods;
use super::parameters::{Parameter, Parameters, refused};
use super::passfile::PassFile;
use super::tls::TlsSettings;

/// PostgreSQL's port.
const PORT: u16 = 5432;

/// How long making a connection may take, unless it is said.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// What sessions are called in `pg_stat_activity`, unless it is said.
const APPLICATION: &str = "bucketline";

/// Where a database is, and how one signs in there.
///
/// What is not said comes from libpq's variables (`PGHOST`, `PGUSER`, `PGPASSWORD` and so on) and
/// from `~/.pgpass`. Its `Debug` shows no password.
#[derive(Debug, Clone)]
pub struct Settings {
    /// They are tried in this order.
    pub(super) hosts: Vec<Login>,
    pub(super) database: String,
    pub(super) user: String,
    pub(super) tls: TlsSettings,
    pub(super) channel_binding: ChannelBinding,
    /// How a server may ask for the password.
    pub(super) methods: Methods,
    pub(super) connect_timeout: Option<Duration>,
    pub(super) application: String,
    /// What libpq's `options` are: command line options of the session.
    pub(super) options: Option<String>,
    /// Whether a server that takes no writes is passed over.
    pub(super) must_take_writes: bool,
}

/// A server, and the password there.
#[derive(Debug, Clone)]
pub(super) struct Login {
    pub(super) host: Host,
    pub(super) password: Option<SecretString>,
}

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Host {
    /// A name, an address, or the folder of a socket.
    pub(super) name: String,
    pub(super) port: u16,
}

impl Host {
    /// Whether it is reached through a socket of this machine's file system.
    pub(super) fn is_socket(&self) -> bool {
        self.name.starts_with('/')
    }

    /// Whether what is sent to it stays on this machine.
    pub(super) fn is_local(&self) -> bool {
        self.is_socket()
            || self.name.eq_ignore_ascii_case("localhost")
            || self
                .name
                .parse()
                .is_ok_and(|address: IpAddr| address.is_loopback())
    }
}

impl std::fmt::Display for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.name.contains(':') {
            true => write!(f, "[{}]:{}", self.name, self.port),
            false => write!(f, "{}:{}", self.name, self.port),
        }
    }
}

/// Whether the proof of the password is bound to the TLS session, so that nobody can stand between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ChannelBinding {
    Disabled,
    Preferred,
    Required,
}

impl Settings {
    /// From a URL (`postgres://user@host:5432/database?sslmode=verify-full`), or from libpq's
    /// `keyword=value` pairs.
    ///
    /// # Errors
    /// If the text cannot be read or says what is not possible. No error shows the text.
    pub fn parse(text: &str, environment: Environment<'_>) -> Result<Self> {
        Self::new(Parameters::parse(text)?, environment)
    }

    /// From the properties of a connection (`Server`, `Port`, `Database`, `User`, `Password`,
    /// `URL`, ...), whose references to secrets are resolved.
    ///
    /// # Errors
    /// If a property is unknown or says what is not possible. No error shows the password.
    pub fn of_properties<'a>(
        properties: impl IntoIterator<Item = (&'a str, &'a str)>,
        environment: Environment<'_>,
    ) -> Result<Self> {
        Self::new(Parameters::of_properties(properties)?, environment)
    }

    fn new(mut parameters: Parameters, environment: Environment<'_>) -> Result<Self> {
        parameters.complete(environment)?;
        let own = |parameter| parameters.get(parameter).map(str::to_owned);
        let hosts = hosts(&parameters)?;
        let user = own(Parameter::User)
            .or_else(|| environment("USER"))
            .or_else(|| environment("USERNAME"))
            .filter(|user| !user.is_empty())
            .ok_or_else(|| {
                refused("nothing says as which user to sign in to PostgreSQL")
                    .with_hint("give User, or set PGUSER")
            })?;
        let database = own(Parameter::Database).unwrap_or_else(|| user.clone());
        let mut settings = Self {
            must_take_writes: must_take_writes(&parameters, hosts.len())?,
            hosts: Vec::new(),
            tls: TlsSettings::new(&parameters)?,
            channel_binding: channel_binding(&parameters)?,
            methods: Methods::new(&parameters)?,
            connect_timeout: connect_timeout(&parameters)?,
            application: own(Parameter::ApplicationName).unwrap_or_else(|| APPLICATION.to_owned()),
            options: own(Parameter::Options),
            database,
            user,
        };
        settings.hosts = settings.log_in(hosts, &parameters, environment)?;
        if settings.channel_binding == ChannelBinding::Required {
            settings.check_channel_binding()?;
        }
        Ok(settings)
    }

    /// Finds the password at each host.
    fn log_in(
        &self,
        hosts: Vec<Host>,
        parameters: &Parameters,
        environment: Environment<'_>,
    ) -> Result<Vec<Login>> {
        let given = parameters.get(Parameter::Password).map(SecretString::from);
        let file = match (&given, parameters.get(Parameter::PassFile)) {
            (Some(_), _) => None,
            (None, Some(path)) => Some(PassFile::read(Path::new(path))?),
            (None, None) => PassFile::usual(environment)?,
        };
        let log_in = |host: Host| {
            let password = match &file {
                Some(file) => file.password(&host, &self.database, &self.user)?,
                None => given.clone(),
            };
            if let Some(password) = &password {
                hide(password);
            }
            Ok(Login { host, password })
        };
        hosts.into_iter().map(log_in).collect()
    }

    fn check_channel_binding(&self) -> Result<()> {
        let plain = self
            .hosts
            .iter()
            .find(|login| !self.tls.encrypts(&login.host));
        plain.map_or(Ok(()), |login| {
            let message = format!(
                "channel_binding=require is for TLS, which {} has not",
                login.host
            );
            Err(refused(message).with_hint("sslmode=verify-full"))
        })
    }

    /// What people call the database: `PostgreSQL db.example:5432/copy`.
    pub fn label(&self) -> String {
        let hosts: Vec<String> = self
            .hosts
            .iter()
            .map(|login| login.host.to_string())
            .collect();
        format!("PostgreSQL {}/{}", hosts.join(","), self.database)
    }

    /// The names of the hosts that are not this machine.
    pub fn remote_hosts(&self) -> Vec<String> {
        let remote = self.hosts.iter().filter(|login| !login.host.is_local());
        remote.map(|login| login.host.name.clone()).collect()
    }

    /// The names of all hosts, and the folders of sockets.
    pub fn hosts(&self) -> Vec<String> {
        let hosts = self.hosts.iter();
        hosts.map(|login| login.host.name.clone()).collect()
    }

    /// The name of the database.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// The user that signs in.
    pub fn user(&self) -> &str {
        &self.user
    }
}

/// The hosts with their ports: one for each, or one for all.
fn hosts(parameters: &Parameters) -> Result<Vec<Host>> {
    let names: Vec<&str> = parameters
        .get(Parameter::Host)
        .unwrap_or("")
        .split(',')
        .collect();
    let ports: Vec<&str> = parameters
        .get(Parameter::Port)
        .unwrap_or("")
        .split(',')
        .collect();
    if ports.len() > 1 && ports.len() != names.len() {
        let message = format!("there are {} hosts and {} ports", names.len(), ports.len());
        return Err(refused(message).with_hint("give one port for all, or one for each host"));
    }
    let host = |(index, name): (usize, &&str)| {
        let port = ports.get(index).copied().unwrap_or(ports[0]).trim();
        let name = match name.trim() {
            "" => "localhost",
            name => name,
        };
        let port = match port {
            "" => PORT,
            port => port
                .parse()
                .ok()
                .filter(|port| *port != 0)
                .ok_or_else(|| refused(format!("`{port}` is not a port: 1 to 65535")))?,
        };
        Ok(Host {
            name: name.to_owned(),
            port,
        })
    };
    names.iter().enumerate().map(host).collect()
}

/// Of several servers one is wanted that takes writes, since the others are usually its copies.
fn must_take_writes(parameters: &Parameters, hosts: usize) -> Result<bool> {
    match parameters.get(Parameter::TargetSessionAttributes) {
        None => Ok(hosts > 1),
        Some("any") => Ok(false),
        Some("read-write" | "primary") => Ok(true),
        Some(other) => Err(unknown_value(
            Parameter::TargetSessionAttributes,
            other,
            "read-write, primary or any: the server is written to",
        )),
    }
}

fn channel_binding(parameters: &Parameters) -> Result<ChannelBinding> {
    match parameters.get(Parameter::ChannelBinding) {
        None | Some("prefer") => Ok(ChannelBinding::Preferred),
        Some("require") => Ok(ChannelBinding::Required),
        Some("disable") => Ok(ChannelBinding::Disabled),
        Some(other) => Err(unknown_value(
            Parameter::ChannelBinding,
            other,
            "disable, prefer or require",
        )),
    }
}

/// None is for ever, which libpq writes as 0.
fn connect_timeout(parameters: &Parameters) -> Result<Option<Duration>> {
    let Some(text) = parameters.get(Parameter::ConnectTimeout) else {
        return Ok(Some(CONNECT_TIMEOUT));
    };
    let seconds: u64 = text.trim().parse().map_err(|_| {
        unknown_value(
            Parameter::ConnectTimeout,
            text,
            "whole seconds, or 0 for no limit",
        )
    })?;
    Ok((seconds > 0).then(|| Duration::from_secs(seconds)))
}

/// A value that a parameter cannot have.
pub(super) fn unknown_value(
    parameter: Parameter,
    value: &str,
    possible: &str,
) -> bucketline_destination::Error {
    let origin = parameter.variable().map(|name| format!(" (or {name})"));
    let message = format!(
        "{parameter}{} cannot be `{value}`",
        origin.unwrap_or_default()
    );
    refused(message).with_hint(possible)
}
