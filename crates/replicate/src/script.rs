//! What the statements of one script share.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use bucketline_destination::{Holder, TableName};
use bucketline_source::Scan;
use chrono::{SecondsFormat, Utc};

use crate::{Error, Result, code};

/// How statements run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunOptions {
    /// Who holds the lease of a table being loaded, for the message that another process shows.
    pub holder: String,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            holder: format!("bucketline (pid {})", std::process::id()),
        }
    }
}

/// One script, or one input of a REPL: its options, and which tables its statements wrote.
#[derive(Debug, Default)]
pub struct ScriptRun {
    options: RunOptions,
    /// The fingerprints of the statements that write to a table of a destination, by the label of that and the
    /// folded name of the table.
    targets: Mutex<HashMap<(String, String), String>>,
    /// What its statements have found out about their sources.
    scan: Scan,
}

impl ScriptRun {
    /// A script whose first statement is still to come.
    pub fn new(options: RunOptions) -> Self {
        Self {
            options,
            targets: Mutex::default(),
            scan: Scan::default(),
        }
    }

    /// A part of a script that claims no table.
    pub(crate) fn within(scan: &Scan) -> Self {
        Self {
            scan: scan.clone(),
            ..Self::default()
        }
    }

    /// What its statements have found out about their sources, for queries that are none of this crate's.
    pub fn scan(&self) -> &Scan {
        &self.scan
    }

    pub(crate) fn holder(&self) -> Holder {
        let since = Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true);
        Holder {
            who: self.options.holder.clone(),
            since,
        }
    }

    /// Claims a table for a statement with this fingerprint.
    pub(crate) fn claim(
        &self,
        target: (String, String),
        fingerprint: &str,
        table: &TableName,
    ) -> Result<()> {
        let mut targets = self.targets.lock().unwrap_or_else(PoisonError::into_inner);
        match targets.get(&target) {
            Some(other) if other != fingerprint => Err(Error::new(
                code::ONE_TARGET,
                format!("another statement of this script fills the table {table} with other rows or columns"),
            )
            .with_hint("give one of them another table, by a prefix in its name or by a schema; or combine the two with UNION ALL")),
            _ => {
                targets.insert(target, fingerprint.to_owned());
                Ok(())
            }
        }
    }
}
