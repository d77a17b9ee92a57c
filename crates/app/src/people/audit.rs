//! What was done, by whom, when, from where.

use chrono::{DateTime, Utc};
use serde::Serialize;

/// Something that was done.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NewAuditEntry {
    /// What, such as `connection.replace`.
    pub action: String,
    /// To what, such as the connection's name.
    pub object: String,
    /// How it was before, as JSON, secrets masked.
    pub before: Option<String>,
    /// How it is now, as JSON, secrets masked.
    pub after: Option<String>,
}

/// An entry of the audit. It is never changed, and kept a year.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditEntry {
    /// Its number. A later entry has a higher one.
    pub id: i64,
    /// When.
    pub at: DateTime<Utc>,
    /// Who: an account's name, with that of the token if it was one.
    pub by: String,
    /// From which address; absent for what the application does by itself and for the command line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// What, such as `connection.replace`.
    pub action: String,
    /// To what, such as the connection's name.
    pub object: String,
    /// How it was before, as JSON, secrets masked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// How it is now, as JSON, secrets masked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// Which entries are listed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditFilter {
    /// By whom.
    pub by: Option<String>,
    /// Those whose action begins so, such as `connection`.
    pub action: Option<String>,
    /// To what.
    pub object: Option<String>,
    /// At this time or later.
    pub since: Option<DateTime<Utc>>,
}
