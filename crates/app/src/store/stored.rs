//! What the store adds to a value.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// How often something has been changed. An edit names the one that it was made from, and is refused if that is an old
/// one; REST shows it as the ETag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Revision(pub i64);

/// A value as the store has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored<I, T> {
    /// Its number.
    pub id: I,
    /// How often it has been changed.
    pub revision: Revision,
    /// When it was added.
    pub created_at: DateTime<Utc>,
    /// When it was changed last.
    pub changed_at: DateTime<Utc>,
    /// Who changed it last.
    pub changed_by: String,
    /// The value.
    pub value: T,
}

/// Who changes something, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Who.
    pub by: String,
    /// Now.
    pub at: DateTime<Utc>,
    /// From which address, if it is a request's.
    pub from: Option<String>,
}

impl Change {
    /// A change that no request asks for.
    pub fn new(by: impl Into<String>, at: DateTime<Utc>) -> Self {
        Self {
            by: by.into(),
            at,
            from: None,
        }
    }
}
