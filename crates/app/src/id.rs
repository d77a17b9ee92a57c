//! The numbers by which a store knows things.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

ids! {
    /// A connection.
    ConnectionId;
    /// A job.
    JobId;
    /// A task of a job. A task keeps it while its statement is edited.
    TaskId;
    /// A run of a job. A later run has a higher number.
    RunId;
    /// One try of one task in a run.
    TaskRunId;
    /// An account of a person.
    AccountId;
    /// An API token.
    TokenId;
    /// A process that serves the application, from its start to its end. A later start has a higher number.
    NodeId;
}

impl ConnectionId {
    /// What the tokens of a connection's sign-ins are called; each sign-in has more behind it.
    pub fn sign_in(self) -> String {
        format!("connection {self}")
    }
}
