//! Where rows come from and where they go.

use std::collections::BTreeMap;

use bucketline_core::code;
use bucketline_sql::{is_sensitive, mask_source};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{Failure, Problem, name};

/// Bytes that a property's value may have.
const LONGEST_VALUE: usize = 16 << 10;

/// A source or a destination, in the words of `bucketline.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Connection {
    /// What jobs and statements call it.
    pub name: String,
    /// Its properties, `Type` among them. Secrets are references: `env:NAME` or `file:PATH`.
    pub properties: BTreeMap<String, String>,
    /// What people sort connections by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
}

impl Connection {
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
                        "the value is a secret, which is not stored",
                    )
                    .with_hint("give a reference: `env:NAME` or `file:PATH`"),
                );
            }
        }
        problems.extend(name::label_problems(&self.labels));
        problems
    }
}

/// Whether a property's value is a secret itself rather than a reference to one.
fn holds_secret(name: &str, value: &str) -> bool {
    let is_reference = ["env:", "file:"]
        .iter()
        .any(|scheme| value.len() > scheme.len() && value.starts_with(scheme));
    if is_reference || value.trim().is_empty() {
        return false;
    }
    let shown = match name.eq_ignore_ascii_case("URL") {
        true => without_user(value),
        false => value.to_owned(),
    };
    is_sensitive(name) || mask_source(&shown) != shown
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
}
