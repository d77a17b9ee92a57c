//! Where rows come from and where they go.

use std::collections::BTreeMap;
use std::fmt;

use bucketline_core::code;
use bucketline_secret::Reference;
use bucketline_sql::{is_sensitive, mask_source};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::vault::KEPT;
use crate::{Failure, Problem, name};

/// Bytes that a property's value may have.
const LONGEST_VALUE: usize = 16 << 10;

/// Properties that do not decide where a connection's secrets go, in small letters.
const HARMLESS: [&str; 18] = [
    "applicationname",
    "astext",
    "concurrency",
    "connecttimeout",
    "cursor",
    "database",
    "dbname",
    "email",
    "includedeleted",
    "maxwait",
    "pagesize",
    "requestsperhour",
    "schema",
    "scope",
    "timeout",
    "user",
    "username",
    "workspace",
];

/// A source or a destination, in the words of `bucketline.toml`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Connection {
    /// What jobs and statements call it.
    pub name: String,
    /// Its properties, `Type` among them. A secret is a reference, `env:NAME` or `file:PATH`, or the secret itself, which is
    /// stored sealed and shown as `***`. Given back, `***` keeps what is stored.
    pub properties: BTreeMap<String, String>,
    /// What people sort connections by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
}

/// Shows no secret that is about to be sealed.
impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("name", &self.name)
            .field("properties", &self.sealed().properties)
            .field("labels", &self.labels)
            .finish()
    }
}

/// The name of a property as the store knows it.
pub fn property_key(name: &str) -> String {
    name.to_lowercase()
}

impl Connection {
    /// The properties whose values are secrets themselves, to be sealed.
    pub fn typed_secrets(&self) -> impl Iterator<Item = (&str, &str)> {
        let pairs = self.properties.iter();
        let pairs = pairs.map(|(name, value)| (name.as_str(), value.as_str()));
        pairs.filter(|(name, value)| is_sensitive(name) && *value != KEPT && is_literal(value))
    }

    /// The properties whose values are sealed in the store, or have to be entered.
    pub fn kept_secrets(&self) -> impl Iterator<Item = &str> {
        let kept = self.properties.iter();
        let kept = kept.filter(|(name, value)| is_sensitive(name) && *value == KEPT);
        kept.map(|(name, _)| name.as_str())
    }

    /// The same with `***` for each secret.
    #[must_use]
    pub fn sealed(&self) -> Self {
        let typed: Vec<_> = self
            .typed_secrets()
            .map(|(name, _)| name.to_owned())
            .collect();
        let mut sealed = self.clone();
        for name in typed {
            sealed.properties.insert(name, KEPT.to_owned());
        }
        sealed
    }

    /// What is wrong with it in a file, where no secret may stand.
    pub fn file_problems(&self) -> Vec<Problem> {
        let mut problems = self.problems();
        problems.extend(self.typed_secrets().map(|(name, _)| {
            let message = "the value is a secret, which no file of the application holds";
            Problem::new(
                format!("properties.{name}"),
                code::model::LITERAL_SECRET,
                message,
            )
            .with_hint("give a reference, `env:NAME` or `file:PATH`, or `***` and enter it in the application")
        }));
        problems
    }

    /// What is wrong with it as a replacement of `before`: a secret that nobody enters again must not go to another place.
    pub fn problems_after(&self, before: &Self) -> Vec<Problem> {
        let plain = |connection: &Self| -> BTreeMap<String, String> {
            let pairs = connection.properties.iter();
            let pairs = pairs.map(|(name, value)| (property_key(name), value.clone()));
            pairs
                .filter(|(name, _)| {
                    !is_sensitive(name) && !HARMLESS.contains(&plain_name(name).as_str())
                })
                .collect()
        };
        let (old, new) = (plain(before), plain(self));
        let names = old.keys().chain(new.keys());
        let Some(moved) = names.filter(|name| old.get(*name) != new.get(*name)).min() else {
            return Vec::new();
        };
        let had = |name: &str| {
            let key = property_key(name);
            before.kept_secrets().any(|kept| property_key(kept) == key)
        };
        let kept = self.kept_secrets().filter(|name| had(name));
        let problems = kept.map(|name| {
            let message = format!("the stored secret is not kept, since `{moved}` changes");
            Problem::new(
                format!("properties.{name}"),
                code::model::SECRET_MOVED,
                message,
            )
            .with_hint("enter the secret again")
        });
        problems.collect()
    }

    /// The value of `Type`, or Bitbucket's, which is meant without.
    pub fn kind(&self) -> &str {
        let mut properties = self.properties.iter();
        let named = properties.find(|(name, _)| name.eq_ignore_ascii_case("Type"));
        named.map_or("Bitbucket", |(_, value)| value)
    }

    /// What is wrong with it, as far as that can be seen without the kind's list of properties.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        problems.extend(name::problem("name", &self.name));
        let mut seen = Vec::new();
        for (name, value) in &self.properties {
            let place = format!("properties.{name}");
            if seen.contains(&name.to_lowercase()) {
                problems.push(
                    Problem::new(
                        &place,
                        code::model::GIVEN_TWICE,
                        "the property is given twice",
                    )
                    .with_hint("the case of letters does not count; keep one of them"),
                );
            }
            seen.push(name.to_lowercase());
            if name.trim().is_empty() || name.contains(['=', ';']) {
                problems.push(Problem::new(
                    &place,
                    code::model::BAD_NAME,
                    "this is no property's name",
                ));
            }
            if value.len() > LONGEST_VALUE {
                problems.push(Problem::new(
                    &place,
                    code::model::OUT_OF_RANGE,
                    "the value is longer than 16 KiB",
                ));
            }
            if value.contains('\0') {
                problems.push(Problem::new(
                    &place,
                    code::model::OUT_OF_RANGE,
                    "the value has a NUL character",
                ));
            }
            if holds_secret(name, value) {
                problems.push(
                    Problem::new(
                        &place,
                        code::model::LITERAL_SECRET,
                        "the value holds a secret, which everybody would see here",
                    )
                    .with_hint("give the secret as a property of its own"),
                );
            }
        }
        problems.extend(name::label_problems(&self.labels));
        problems
    }
}

/// Whether a value is there, and is no reference to one elsewhere.
fn is_literal(value: &str) -> bool {
    match Reference::of(value) {
        Reference::Variable(name) => name.is_empty(),
        Reference::File(path) => path.as_os_str().is_empty(),
        Reference::Keyring => true,
        Reference::Itself(secret) => !secret.is_empty(),
    }
}

/// A property's name as all its spellings have it.
fn plain_name(name: &str) -> String {
    let letters = name.chars().filter(|c| !matches!(c, ' ' | '_' | '-'));
    letters.flat_map(char::to_lowercase).collect()
}

/// Whether the value of a property that is shown holds a secret.
fn holds_secret(name: &str, value: &str) -> bool {
    if is_sensitive(name) || !is_literal(value) {
        return false;
    }
    let shown = match name.eq_ignore_ascii_case("URL") {
        true => without_user(value),
        false => value.to_owned(),
    };
    mask_source(&shown) != shown
}

/// An address without the name of a user that stands in it without a password.
fn without_user(address: &str) -> String {
    let Some((scheme, rest)) = address.split_once("://") else {
        return address.to_owned();
    };
    match rest.rsplit_once('@') {
        Some((user, rest)) if !user.contains(':') => format!("{scheme}://{rest}"),
        _ => address.to_owned(),
    }
}

/// How the last test of a connection ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ConnectionTest {
    /// When it ended.
    pub at: DateTime<Utc>,
    /// Why the connection cannot be used; absent if it can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
}

/// A connection as the store has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionEntry {
    /// The connection.
    pub connection: crate::Stored<crate::ConnectionId, Connection>,
    /// Its last test, if its properties have not changed since.
    pub tested: Option<ConnectionTest>,
    /// Its secrets that cannot be opened, and have to be entered again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub to_enter: Vec<String>,
}
