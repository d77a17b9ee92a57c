//! Connections to databases of PostgreSQL servers.

use std::cell::Cell;
use std::env::VarError;
use std::sync::Arc;

use bucketline_core::Error;
use bucketline_core::code::destination;
use bucketline_postgres::{PostgresDestination, Settings};
use secrecy::ExposeSecret;

use super::destination::URL;
use super::{Connection, ConnectionProperties, Ends, Holds, Kind, Property, Surroundings};
use crate::Result;

const PASSWORD: &str = "Password";

pub(super) const KIND: Kind = Kind {
    names: &["PostgreSQL", "Postgres"],
    properties: &[
        Property::plain(
            &[URL],
            "`postgres://user@host:5432/database?sslmode=verify-full`; other properties count before it",
        ),
        Property::plain(
            &["Server", "Host"],
            "the server's name, or several with commas between [PGHOST]",
        ),
        Property::plain(&["Port"], "its port, 5432 unless said otherwise [PGPORT]"),
        Property::plain(&["Database", "DBName"], "the database [PGDATABASE]"),
        Property::plain(&["User", "UserName"], "who signs in [PGUSER]"),
        Property::secret(&[PASSWORD], "the password [PGPASSWORD, ~/.pgpass]"),
        Property::paths(&["PassFile"], "a file of passwords [PGPASSFILE]"),
        Property::plain(
            &["SSLMode"],
            "`verify-full`, which is meant for hosts other than this machine; `verify-ca`, `require`, `disable` [PGSSLMODE]",
        ),
        Property::plain(&["UseSSL"], "TRUE is `verify-full`, FALSE `disable`"),
        Property::paths(
            &["SSLRootCert", "SSLServerCert"],
            "the certificates of authorities; without it, those of the system [PGSSLROOTCERT]",
        ),
        Property::paths(
            &["SSLCert", "SSLClientCert"],
            "the client's certificate [PGSSLCERT]",
        ),
        Property::paths(&["SSLKey", "SSLClientKey"], "its key [PGSSLKEY]"),
        Property::plain(
            &["ChannelBinding"],
            "`prefer`, `require` or `disable` [PGCHANNELBINDING]",
        ),
        Property::plain(
            &["RequireAuth"],
            "how the server may ask for the password, `scram-sha-256` for example; in clear only over TLS unless it says `password` [PGREQUIREAUTH]",
        ),
        Property::plain(
            &["TargetSessionAttrs"],
            "`read-write`, which is meant where there are several hosts, or `any` [PGTARGETSESSIONATTRS]",
        ),
        Property::plain(
            &["ConnectTimeout", "Timeout"],
            "seconds until the server must have answered [PGCONNECT_TIMEOUT]",
        ),
        Property::plain(&["ApplicationName"], "what the server calls us [PGAPPNAME]"),
        Property::plain(
            &["Options"],
            "settings of the sessions, `-c statement_timeout=60s` [PGOPTIONS]",
        ),
    ],
    idle: &[],
    connect,
    credential_hosts,
    hosts,
};

/// A server that the properties name. One of the environment is the user's own choice.
fn credential_hosts(properties: &ConnectionProperties) -> Vec<String> {
    named(properties).map_or_else(Vec::new, |settings| settings.remote_hosts())
}

fn hosts(properties: &ConnectionProperties) -> Vec<String> {
    named(properties).map_or_else(Vec::new, |settings| settings.hosts())
}

/// What the properties say by themselves.
fn named(properties: &ConnectionProperties) -> Option<Settings> {
    let named = KIND.properties.iter().filter(|it| it.holds == Holds::Plain);
    let pairs = named.filter_map(|it| Some((it.names[0], properties.text(it.names[0])?)));
    // Only the hosts matter here, and without a user there would be none.
    let variable = |name: &str| (name == "USER").then(|| "user".to_owned());
    Settings::of_properties(pairs, &variable).ok()
}

fn connect(properties: &ConnectionProperties, _: &Surroundings<'_>) -> Result<Connection> {
    let mut pairs: Vec<(&'static str, String)> = Vec::new();
    for property in KIND.properties {
        let name = property.names[0];
        if let (Some(value), true) = (properties.text(name), property.holds != Holds::Secret) {
            pairs.push((
                name,
                match property.holds {
                    // Not a file, but what this machine trusts.
                    Holds::Paths if value.eq_ignore_ascii_case("system") => value.to_owned(),
                    Holds::Paths => properties.folder.join(value).display().to_string(),
                    Holds::Plain | Holds::Secret => value.to_owned(),
                },
            ));
        }
    }
    let uses_environment = properties.uses_environment;
    let settings = move |password: Option<&str>| {
        let pairs = pairs.iter().map(|(name, value)| (*name, value.as_str()));
        let pairs = pairs.chain(password.map(|password| (PASSWORD, password)));
        let unreadable = Cell::new(None);
        let variable = |name: &str| match std::env::var(name) {
            Err(VarError::NotUnicode(_)) if uses_environment => {
                unreadable.set(Some(name.to_owned()));
                None
            }
            found => found.ok().filter(|_| uses_environment),
        };
        let read = Settings::of_properties(pairs, &variable);
        match unreadable.into_inner() {
            Some(name) => {
                let message = format!("the environment variable {name} is not UTF-8 text");
                Err(Error::new(destination::UNAVAILABLE, message))
            }
            None => read,
        }
    };
    // What is wrong is said at once, but the secret is looked for when it is needed.
    let later = properties.text(PASSWORD).map(|_| "looked for later");
    let label = settings(later)
        .map_err(|error| {
            let told = properties.error(&error);
            match error.hint() {
                Some(hint) => told.with_hint(hint),
                None => told,
            }
        })?
        .label();
    let own = properties.clone();
    let destination = PostgresDestination::with(label, move || {
        let secret = own.secret(PASSWORD).map_err(|error| {
            let told = Error::new(destination::UNAVAILABLE, error.to_string());
            match error.hint() {
                Some(hint) => told.with_hint(hint),
                None => told,
            }
        })?;
        settings(secret.as_ref().map(|secret| secret.expose_secret()))
    });
    Ok(Connection {
        kind: KIND.names[0],
        ends: Ends::Destination(Arc::new(destination)),
        account: None,
        sample: &[],
    })
}
