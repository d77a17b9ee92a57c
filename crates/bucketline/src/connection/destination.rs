//! What REPLICATE writes to, as configurations and command lines say it.

use bucketline_core::code::session as code;
use bucketline_sql::ConnectionString;
use percent_encoding::percent_decode_str;

use super::{ConnectionProperties, TYPE, same};
use crate::{Error, Result};

/// The property of a SQLite file.
const DATA_SOURCE: &str = "Data Source";

/// A password among the parameters of a URL.
const PASSWORD: &str = "password";

/// The property of a server's address.
pub(super) const URL: &str = "URL";

/// What REPLICATE writes to.
#[derive(Debug, Clone)]
pub enum DestinationSetting {
    /// The connection of this name.
    Connection(String),
    /// A connection of its own, which is called `destination`.
    Own(ConnectionProperties),
}

impl DestinationSetting {
    /// Reads what a person writes: the name of a connection, if `is_connection` knows it; a URL
    /// (`postgres://user@host/database`); a connection string (`Data Source=copy.db`); else the path of a SQLite
    /// file. `origin` says in errors where it comes from.
    ///
    /// # Errors
    /// If a connection string says where no destination is.
    pub fn parse(
        origin: &str,
        text: &str,
        is_connection: impl FnOnce(&str) -> bool,
    ) -> Result<Self> {
        if is_connection(text) {
            return Ok(Self::Connection(text.to_owned()));
        }
        if is_url(text) {
            return Ok(Self::url(origin, text));
        }
        match ConnectionString::parse(text) {
            Ok(string) if string.get(TYPE).or(string.get(DATA_SOURCE)).is_some() => {
                Self::properties(origin, string.iter())
            }
            _ => Ok(Self::file(origin, text)),
        }
    }

    /// A SQLite file.
    pub fn file(origin: &str, path: impl Into<String>) -> Self {
        let pairs = [(TYPE, "SQLite".to_owned()), (DATA_SOURCE, path.into())];
        Self::Own(ConnectionProperties::new(origin, pairs))
    }

    /// The database of a server.
    pub fn url(origin: &str, url: &str) -> Self {
        let pairs = [(TYPE, "PostgreSQL"), (URL, url)];
        Self::Own(ConnectionProperties::new(origin, pairs))
    }

    /// Properties; those of a file need not say their type.
    ///
    /// # Errors
    /// If they say neither a type nor a file.
    pub fn properties(
        origin: &str,
        pairs: impl IntoIterator<Item = (impl Into<String>, impl Into<String>)>,
    ) -> Result<Self> {
        let mut pairs: Vec<(String, String)> = pairs
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        let has = |wanted: &str| pairs.iter().any(|(name, _)| same(name, wanted));
        if !has(TYPE) {
            let kind = match (has(DATA_SOURCE), has(URL)) {
                (true, _) => "SQLite",
                (false, true) => "PostgreSQL",
                (false, false) => {
                    let text = format!("{origin}: neither Type nor Data Source says what it is");
                    return Err(Error::new(code::CONFIGURATION, text)
                        .with_hint("such as \"Data Source=copy.db\", or \"Type=PostgreSQL;Server=db;Database=copy\""));
                }
            };
            pairs.push((TYPE.to_owned(), kind.to_owned()));
        }
        Ok(Self::Own(ConnectionProperties::new(origin, pairs)))
    }

    /// The same, relative paths being relative to `folder`.
    #[must_use]
    pub fn in_folder(self, folder: impl Into<std::path::PathBuf>) -> Self {
        match self {
            Self::Own(properties) => Self::Own(properties.in_folder(folder)),
            named @ Self::Connection(_) => named,
        }
    }

    /// The hosts that would get a credential; see [`ConnectionProperties::credential_hosts`].
    pub fn credential_hosts(&self) -> Vec<String> {
        match self {
            Self::Own(properties) => properties.credential_hosts(),
            Self::Connection(_) => Vec::new(),
        }
    }

    /// Whether a secret stands in it as it is, not as a reference.
    pub fn has_literal_secret(&self) -> bool {
        matches!(self, Self::Own(properties) if properties.has_literal_secret())
    }
}

fn is_url(text: &str) -> bool {
    ["postgres://", "postgresql://"].iter().any(|scheme| {
        text.get(..scheme.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    })
}

/// Takes the password out of the URL among properties, and makes it a property of its own, which is known to be a
/// secret.
pub(super) fn part_url(pairs: &mut Vec<(String, String)>) {
    let url = pairs.iter_mut().find(|(name, _)| same(name, URL));
    let Some(password) = url.and_then(|(_, url)| take_password(url)) else {
        return;
    };
    if !pairs.iter().any(|(name, _)| same(name, "Password")) {
        pairs.push(("Password".to_owned(), password));
    }
}

/// Takes the password out of `scheme://user:password@host`, and each out of `scheme://host?password=...`. As
/// for PostgreSQL's own programs, the last one counts.
fn take_password(url: &mut String) -> Option<String> {
    let authority = url.find("://")? + "://".len();
    let end = url[authority..].find(['/', '?', '#']);
    let end = end.map_or(url.len(), |end| authority + end);
    let mut passwords = Vec::new();
    if let Some(query) = url[end..].find('?').map(|at| end + at + 1) {
        let (before, query) = url.split_at(query);
        let is_password = |pair: &&str| {
            decoded(pair.split('=').next()?)
                .filter(|name| same(name, PASSWORD))
                .map(|_| ())
        };
        let (taken, kept): (Vec<&str>, Vec<&str>) = query
            .split('&')
            .partition(|pair| is_password(pair).is_some());
        passwords.extend(
            taken
                .iter()
                .filter_map(|pair| decoded(pair.split_once('=')?.1)),
        );
        *url = format!("{before}{}", kept.join("&"));
    }
    let at = url[authority..end].rfind('@').map(|at| authority + at);
    let colon = at.and_then(|at| Some(authority + url[authority..at].find(':')?));
    if let (Some(colon), Some(at)) = (colon, at) {
        passwords.splice(0..0, decoded(&url[colon + 1..at]));
        url.replace_range(colon..at, "");
    }
    passwords.pop().filter(|password| !password.is_empty())
}

fn decoded(text: &str) -> Option<String> {
    let text = percent_decode_str(text).decode_utf8().ok()?;
    Some(text.into_owned())
}

#[cfg(test)]
mod tests {
    use super::{ConnectionProperties, DestinationSetting};

    fn properties(text: &str) -> Vec<(String, String)> {
        match DestinationSetting::parse("test", text, |name| name == "pg").unwrap() {
            DestinationSetting::Own(properties) => properties.pairs,
            DestinationSetting::Connection(name) => vec![("connection".to_owned(), name)],
        }
    }

    #[test]
    fn a_destination_is_a_connection_a_url_a_connection_string_or_a_file() {
        for (text, pairs) in [
            ("pg", vec![("connection", "pg")]),
            ("./pg", vec![("Type", "SQLite"), ("Data Source", "./pg")]),
            (
                "a=b.db",
                vec![("Type", "SQLite"), ("Data Source", "a=b.db")],
            ),
            (
                "Data Source=copy.db",
                vec![("Data Source", "copy.db"), ("Type", "SQLite")],
            ),
            (
                "Type=PostgreSQL;Server=db",
                vec![("Type", "PostgreSQL"), ("Server", "db")],
            ),
            (
                "PostgreSQL://me@a:1,b:2/copy?x=y@z",
                vec![
                    ("Type", "PostgreSQL"),
                    ("URL", "PostgreSQL://me@a:1,b:2/copy?x=y@z"),
                ],
            ),
            (
                "postgres://me:p%40ss:@db/copy",
                vec![
                    ("Type", "PostgreSQL"),
                    ("URL", "postgres://me@db/copy"),
                    ("Password", "p@ss:"),
                ],
            ),
        ] {
            let pairs: Vec<_> = pairs
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect();
            assert_eq!(properties(text), pairs, "{text}");
        }
    }

    #[test]
    fn a_password_is_taken_out_of_a_url_wherever_it_stands() {
        for (url, without) in [
            ("postgres://me:planted@db/copy", "postgres://me@db/copy"),
            ("postgres://db/copy?password=planted", "postgres://db/copy?"),
            (
                "postgres://me@db/copy?a=b&Password=planted&c=d",
                "postgres://me@db/copy?a=b&c=d",
            ),
            (
                "postgres://me:first@db/copy?password=second&a=b&p%61ssword=planted",
                "postgres://me@db/copy?a=b",
            ),
        ] {
            let mut left = url.to_owned();
            assert_eq!(
                super::take_password(&mut left).as_deref(),
                Some("planted"),
                "{url}"
            );
            assert_eq!(left, without);
        }
        for url in [
            "postgres://me@db/copy?sslpassword=x",
            "postgres://[::1]:5432/copy",
            "x",
        ] {
            assert_eq!(super::take_password(&mut url.to_owned()), None, "{url}");
        }
    }

    #[test]
    fn the_password_of_a_url_is_a_secret() {
        let url = "postgres://me:planted@db/copy";
        let setting = DestinationSetting::url("test", url);
        assert!(setting.has_literal_secret());
        assert!(!format!("{setting:?}").contains("planted"));
        let properties = ConnectionProperties::new("test", [("Type", "PostgreSQL"), ("url", url)]);
        assert!(properties.has_literal_secret());
    }
}
