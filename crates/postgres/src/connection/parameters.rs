//! The parameters of a connection: their names here, in libpq and in the environment.

use std::collections::BTreeMap;
use std::fmt;

use bucketline_destination::{Error, Result, code};

use super::{Environment, notation};

/// A parameter. It is called by libpq's word, for which people write others, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Parameter {
    ApplicationName,
    ChannelBinding,
    ConnectTimeout,
    Database,
    Host,
    Options,
    PassFile,
    Password,
    Port,
    RequireAuth,
    TargetSessionAttributes,
    TlsCertificate,
    TlsKey,
    TlsMode,
    TlsRoots,
    TlsUse,
    User,
}

use Parameter::*;

/// Each parameter with its names, libpq's first, and its variable.
const PARAMETERS: [(Parameter, &[&str], Option<&str>); 17] = [
    (ApplicationName, &["application_name"], Some("PGAPPNAME")),
    (
        ChannelBinding,
        &["channel_binding"],
        Some("PGCHANNELBINDING"),
    ),
    (
        ConnectTimeout,
        &["connect_timeout"],
        Some("PGCONNECT_TIMEOUT"),
    ),
    (Database, &["dbname", "database"], Some("PGDATABASE")),
    (Host, &["host", "server"], Some("PGHOST")),
    (Options, &["options"], Some("PGOPTIONS")),
    (PassFile, &["passfile"], Some("PGPASSFILE")),
    (Password, &["password"], Some("PGPASSWORD")),
    (Port, &["port"], Some("PGPORT")),
    (RequireAuth, &["require_auth"], Some("PGREQUIREAUTH")),
    (
        TargetSessionAttributes,
        &["target_session_attrs"],
        Some("PGTARGETSESSIONATTRS"),
    ),
    (
        TlsCertificate,
        &["sslcert", "sslclientcert"],
        Some("PGSSLCERT"),
    ),
    (TlsKey, &["sslkey", "sslclientkey"], Some("PGSSLKEY")),
    (TlsMode, &["sslmode"], Some("PGSSLMODE")),
    (
        TlsRoots,
        &["sslrootcert", "sslservercert"],
        Some("PGSSLROOTCERT"),
    ),
    (TlsUse, &["usessl"], None),
    (User, &["user", "username"], Some("PGUSER")),
];

/// Whether an address, which [`Settings::parse`](super::Settings::parse) reads, names a file of passwords, certificates or
/// a key.
pub fn names_file(address: &str) -> bool {
    let files = [PassFile, TlsCertificate, TlsKey, TlsRoots];
    let named = super::notation::read(address).unwrap_or_default();
    named.iter().any(|(name, value)| {
        let is_file = Parameter::named(name).is_some_and(|it| files.contains(&it));
        let value = value.trim();
        is_file && !value.is_empty() && !value.eq_ignore_ascii_case("system")
    })
}

/// Says which kind of connection it is, and has no parameter.
const TYPE: &str = "type";

/// What a parameter is when a whole address is given.
const URL: &str = "url";

impl Parameter {
    fn row(self) -> &'static (Parameter, &'static [&'static str], Option<&'static str>) {
        &PARAMETERS[self as usize]
    }

    /// The one of a name, of which case, blanks, underscores and hyphens are ignored.
    fn named(name: &str) -> Option<Self> {
        let wanted = folded(name);
        PARAMETERS
            .iter()
            .find(|(_, names, _)| names.iter().any(|known| folded(known) == wanted))
            .map(|(parameter, ..)| *parameter)
    }

    /// The variable that gives it.
    pub(super) fn variable(self) -> Option<&'static str> {
        self.row().2
    }
}

impl fmt::Display for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.row().1[0])
    }
}

fn folded(name: &str) -> String {
    name.chars()
        .filter(|letter| !matches!(letter, ' ' | '_' | '-'))
        .map(|letter| letter.to_ascii_lowercase())
        .collect()
}

/// The parameters that are given. It has no `Debug`: one of them is a password.
#[derive(Default)]
pub(super) struct Parameters {
    values: BTreeMap<Parameter, String>,
}

impl Parameters {
    /// From a URL, or from libpq's `keyword=value` pairs.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let mut parameters = Self::default();
        for (name, value) in notation::read(text)? {
            parameters.add(&name, value)?;
        }
        Ok(parameters)
    }

    /// From the properties of a connection, one of which may be a URL. What stands in a property
    /// of its own counts more than what is in that.
    pub(super) fn of_properties<'a>(
        properties: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self> {
        let mut parameters = Self::default();
        let mut url = None;
        for (name, value) in properties {
            match folded(name).as_str() {
                TYPE => {}
                URL => url = Some(value),
                _ => parameters.add(name, value.to_owned())?,
            }
        }
        if let Some(url) = url {
            let others = Self::parse(url)?.values;
            for (parameter, value) in others {
                parameters.values.entry(parameter).or_insert(value);
            }
        }
        Ok(parameters)
    }

    /// Adds what is given, the last of a name, but for what is empty: that is as if not given.
    fn add(&mut self, name: &str, value: String) -> Result<()> {
        let Some(parameter) = Parameter::named(name) else {
            return Err(unknown(name));
        };
        if value.is_empty() {
            self.values.remove(&parameter);
        } else {
            self.values.insert(parameter, value);
        }
        Ok(())
    }

    /// Takes from the environment what is not given.
    pub(super) fn complete(&mut self, environment: Environment<'_>) -> Result<()> {
        for (parameter, _, variable) in PARAMETERS {
            // Where it is said whether there is TLS, a variable does not say otherwise.
            let is_said = parameter == TlsMode && self.get(TlsUse).is_some();
            let Some(variable) = variable.filter(|_| !is_said) else {
                continue;
            };
            if let Some(value) = environment(variable).filter(|value| !value.is_empty()) {
                self.values.entry(parameter).or_insert(value);
            }
        }
        let service = environment("PGSERVICE").filter(|name| !name.is_empty());
        if service.is_some() && self.get(Host).is_none() {
            return Err(refused("PGSERVICE is set, and service files are not read")
                .with_hint("unset it and give the parameters themselves, or a URL"));
        }
        Ok(())
    }

    pub(super) fn get(&self, parameter: Parameter) -> Option<&str> {
        self.values.get(&parameter).map(String::as_str)
    }
}

/// An error about what is given.
pub(super) fn refused(message: impl Into<String>) -> Error {
    Error::new(code::UNAVAILABLE, message)
}

fn unknown(name: &str) -> Error {
    let hint = match folded(name).as_str() {
        "service" => "service files are not read: give the parameters themselves".to_owned(),
        "hostaddr" => "give the address as host".to_owned(),
        _ => {
            let names = PARAMETERS.map(|(parameter, ..)| parameter.to_string());
            format!("there are {}", names.join(", "))
        }
    };
    refused(format!(
        "a connection to PostgreSQL has no parameter `{name}`"
    ))
    .with_hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_stands_in_the_order_of_the_parameters() {
        for (index, (parameter, ..)) in PARAMETERS.iter().enumerate() {
            assert_eq!(*parameter as usize, index, "{parameter}");
        }
    }
}
