//! Names of destination tables.

use std::fmt;

/// A table of a destination. `schema` stays apart where the destination has schemas; where it has none,
/// `PROD.Issues` is one table of that name, dot included ([`Destination::fold`](crate::Destination::fold)).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct TableName {
    /// The schema, if the statement gave one.
    pub schema: Option<String>,
    /// The table's name as the statement spelled it, prefix included.
    pub name: String,
    /// The parts that the statement wrote in double quotes: a destination that folds names leaves them as they are.
    pub exact: Exact,
}

/// Which parts of a name are exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Exact {
    /// The schema.
    pub schema: bool,
    /// The table's name.
    pub name: bool,
}

impl TableName {
    /// A table without a schema.
    pub fn bare(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }

    /// A table in a schema.
    pub fn qualified(schema: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            schema: Some(schema.into()),
            name: name.into(),
            ..Self::default()
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
