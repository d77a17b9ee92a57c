//! Names of destination tables.

use std::fmt;

/// A table of a destination. `schema` stays apart where the destination has schemas; where it has none,
/// `PROD.Issues` is one table of that name, dot included ([`Destination::fold`](crate::Destination::fold)).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TableName {
    /// The schema, if the statement gave one.
    pub schema: Option<String>,
    /// The table's name as the statement spelled it, prefix included.
    pub name: String,
}

impl TableName {
    /// A table without a schema.
    pub fn bare(name: impl Into<String>) -> Self {
        Self {
            schema: None,
            name: name.into(),
        }
    }

    /// A table in a schema.
    pub fn qualified(schema: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            schema: Some(schema.into()),
            name: name.into(),
        }
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.schema {
            Some(schema) => write!(f, "{schema}.{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}
