//! Connections from their properties.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bucketline_bitbucket::{BASE_URL, Bitbucket, Settings};
use bucketline_rest::{Credential, Url};
use bucketline_source::Source;
use bucketline_sql::{ConnectionString, is_sensitive, nearest};
use secrecy::ExposeSecret;

use crate::{Error, Result, secret};

/// A property of a Bitbucket connection: its names, the first being the canonical one, and a line about it.
struct Property {
    names: &'static [&'static str],
    doc: &'static str,
}

const PROPERTIES: &[Property] = &[
    Property {
        names: &["AuthScheme"],
        doc: "APIToken (e-mail and token), AccessToken, or None",
    },
    Property {
        names: &["BaseURL"],
        doc: "the API's address",
    },
    Property {
        names: &["Concurrency"],
        doc: "requests at a time",
    },
    Property {
        names: &["MaxWait"],
        doc: "longest wait for the request budget, in seconds",
    },
    Property {
        names: &["Pagesize"],
        doc: "rows a page, at most the table's maximum",
    },
    Property {
        names: &["RequestsPerHour"],
        doc: "request budget; 0 is none",
    },
    Property {
        names: &["Timeout"],
        doc: "seconds a request may take; 0 is no limit",
    },
    Property {
        names: &["Token", "APIToken", "AccessToken", "Password"],
        doc: "the secret, or env:NAME, file:PATH",
    },
    Property {
        names: &["User", "Email", "Username"],
        doc: "the e-mail address of the Atlassian account",
    },
    Property {
        names: &["Workspace"],
        doc: "the workspace's slug",
    },
];

/// The properties of one connection, as written, and where they stand.
#[derive(Clone)]
pub struct ConnectionProperties {
    origin: String,
    pairs: Vec<(String, String)>,
}

impl std::fmt::Debug for ConnectionProperties {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = |(name, value): &(String, String)| {
            let value = if is_sensitive(name) && !secret::is_reference(value) {
                "***"
            } else {
                value
            };
            (name.clone(), value.to_owned())
        };
        f.debug_map().entries(self.pairs.iter().map(shown)).finish()
    }
}

impl ConnectionProperties {
    /// Properties by name; `origin` says in errors where they come from (`bucketline.toml, connection prod`).
    pub fn new(
        origin: impl Into<String>,
        pairs: impl IntoIterator<Item = (impl Into<String>, impl Into<String>)>,
    ) -> Self {
        let pairs = pairs
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        Self {
            origin: origin.into(),
            pairs,
        }
    }

    /// Properties from a connection string, `Workspace=acme;Token=env:TOKEN`.
    ///
    /// # Errors
    /// If the string is malformed.
    pub fn parse(origin: impl Into<String>, text: &str) -> Result<Self> {
        let origin = origin.into();
        let string = ConnectionString::parse(text)
            .map_err(|error| Error::from(error).prefixed(&format!("{origin}: ")))?;
        Ok(Self::new(origin, string.iter()))
    }

    /// Whether a secret stands in it as it is, not as a reference.
    pub fn has_literal_secret(&self) -> bool {
        self.pairs
            .iter()
            .any(|(name, value)| is_sensitive(name) && !secret::is_reference(value))
    }

    /// The value of a property under any of its names.
    fn get(&self, canonical: &str) -> Option<(&str, &str)> {
        let property = PROPERTIES
            .iter()
            .find(|property| property.names[0] == canonical)?;
        self.pairs
            .iter()
            .find(|(name, _)| property.names.iter().any(|known| same(known, name)))
            .map(|(name, value)| (name.as_str(), value.trim()))
            .filter(|(_, value)| !value.is_empty())
    }

    fn number<T: std::str::FromStr>(&self, canonical: &str) -> Result<Option<T>> {
        let Some((name, value)) = self.get(canonical) else {
            return Ok(None);
        };
        let number = value.parse().map_err(|_| {
            Error::connection(format!(
                "{}: {name} = {value} is not a whole number that fits",
                self.origin
            ))
        })?;
        Ok(Some(number))
    }

    /// The properties that mean nothing here, each with the nearest that does.
    pub fn unknown(&self) -> Vec<String> {
        let known = || {
            PROPERTIES
                .iter()
                .flat_map(|property| property.names.iter().copied())
        };
        let others = self
            .pairs
            .iter()
            .filter(|(name, _)| !same(name, "type") && !known().any(|known| same(known, name)));
        others
            .map(|(name, _)| match nearest(name, known()) {
                Some(near) => format!(
                    "{}: the property {name} is not known; did you mean {near}?",
                    self.origin
                ),
                None => format!(
                    "{}: the property {name} is not known and changes nothing",
                    self.origin
                ),
            })
            .collect()
    }

    /// Makes the source. No request is made.
    ///
    /// # Errors
    /// If a property is wrong, or a secret cannot be found.
    pub(crate) fn open(&self, state_dir: Option<PathBuf>) -> Result<Arc<dyn Source>> {
        let base = self.get("BaseURL").map_or(BASE_URL, |(_, value)| value);
        let base = Url::parse(base).map_err(|error| {
            Error::connection(format!(
                "{}: BaseURL = {base} is not an address: {error}",
                self.origin
            ))
        })?;
        let mut settings = Settings::new(base, self.credential()?);
        settings.workspace = self.get("Workspace").map(|(_, value)| value.to_owned());
        settings.page_size = self.number("Pagesize")?;
        settings.client.state_dir = state_dir;
        if let Some(requests) = self.number::<u32>("RequestsPerHour")? {
            settings.client.requests_per_hour = (requests > 0).then_some(requests);
            settings.client.reserve = settings.client.reserve.min(requests / 10);
        }
        if let Some(concurrency) = self.number::<usize>("Concurrency")? {
            settings.client.concurrency = concurrency.max(1);
        }
        if let Some(seconds) = self.number::<u64>("Timeout")? {
            let seconds = if seconds == 0 {
                u64::from(u32::MAX)
            } else {
                seconds
            };
            settings.client.timeout = Duration::from_secs(seconds);
        }
        if let Some(seconds) = self.number("MaxWait")? {
            settings.client.max_wait = Duration::from_secs(seconds);
        }
        Ok(Arc::new(Bitbucket::new(settings)?))
    }

    fn credential(&self) -> Result<Credential> {
        let scheme = self.get("AuthScheme").map(|(_, value)| value);
        let user = self.get("User").map(|(_, value)| value);
        let token = self
            .get("Token")
            .map(|(name, value)| secret::resolve(&format!("{}: {name}", self.origin), value))
            .transpose()?;
        let token_missing = || {
            Error::connection(format!("{}: there is no Token", self.origin))
                .with_hint("Token = \"env:BITBUCKET_API_TOKEN\" takes it from the environment")
        };
        match scheme {
            Some(scheme) if same(scheme, "None") => Ok(Credential::Anonymous),
            Some(scheme) if same(scheme, "APIToken") || same(scheme, "Basic") => {
                let user = user.ok_or_else(|| {
                    Error::connection(format!("{}: an API token needs User", self.origin))
                        .with_hint("User is the e-mail address of the Atlassian account, not the Bitbucket name")
                })?;
                let password = token.ok_or_else(token_missing)?;
                Ok(Credential::Basic {
                    user: user.to_owned(),
                    password: password.expose_secret().into(),
                })
            }
            Some(scheme) if same(scheme, "AccessToken") => Ok(Credential::Bearer(
                token.ok_or_else(token_missing)?.expose_secret().into(),
            )),
            Some(scheme) => Err(Error::connection(format!(
                "{}: AuthScheme = {scheme} is not available",
                self.origin
            ))
            .with_hint("available are APIToken (with User), AccessToken and None")),
            None => Ok(match (user, token) {
                (Some(user), Some(token)) => Credential::Basic {
                    user: user.to_owned(),
                    password: token.expose_secret().into(),
                },
                (None, Some(token)) => Credential::Bearer(token.expose_secret().into()),
                (Some(_), None) => return Err(token_missing()),
                (None, None) => Credential::Anonymous,
            }),
        }
    }
}

/// The properties of a connection and a line about each, for the help.
pub fn connection_properties() -> impl Iterator<Item = (&'static str, &'static str)> {
    PROPERTIES
        .iter()
        .map(|property| (property.names[0], property.doc))
}

/// Names of properties are compared without regard to case, blanks and underscores.
fn same(one: &str, other: &str) -> bool {
    fn plain(name: &str) -> impl Iterator<Item = char> {
        name.chars()
            .filter(|c| !matches!(c, ' ' | '_' | '-'))
            .map(|c| c.to_ascii_lowercase())
    }
    plain(one).eq(plain(other))
}
