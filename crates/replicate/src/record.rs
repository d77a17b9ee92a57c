//! What is remembered of a table and of its slices, as JSON in the destination's state.

use std::collections::BTreeMap;

use bucketline_destination::Checkpoints;
use bucketline_source::{Checkpoint, Identity, Slice};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::fingerprint::Fingerprint;
use crate::{Error, Mode, Result, code};

/// The version of the record's form.
const VERSION: u32 = 1;

/// Whose a table is, and what filled it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    version: u32,
    /// The sources that it is filled from: those of the queries that a UNION ALL puts together in their order, others
    /// ordered and each once.
    pub(crate) owners: Vec<Owner>,
    /// The statement's fingerprint.
    pub(crate) fingerprint: Fingerprint,
    /// The statement's text without secrets.
    pub(crate) statement: String,
    /// How the table is kept up to date.
    pub(crate) mode: Mode,
    /// What the names in the statement mean: scope and slugs to UUIDs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) names: BTreeMap<String, String>,
    /// The credential changed, and no whole run has completed every slice known before: what a
    /// listing lacks is not deleted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) deletes_off: bool,
    /// What is kept beside the rows that there are.
    #[serde(default, skip_serializing_if = "Kept::is_nothing")]
    pub(crate) kept: Kept,
    /// Distinguishes loads that cannot be resumed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) load: Option<String>,
}

/// What a table keeps beside the rows that there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kept {
    /// Nothing.
    #[default]
    Nothing,
    /// Rows that left.
    Marked,
    /// All versions of its rows.
    Versions,
}

impl Kept {
    fn is_nothing(&self) -> bool {
        *self == Self::Nothing
    }
}

/// One source of a table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Owner {
    /// The service's origin.
    pub(crate) origin: String,
    /// The workspace's UUID.
    pub(crate) workspace: Option<String>,
    /// The fingerprint of the credential's identity and scopes.
    pub(crate) credential: String,
}

impl From<Identity> for Owner {
    fn from(identity: Identity) -> Self {
        let Identity {
            origin,
            workspace,
            credential,
        } = identity;
        Self {
            origin,
            workspace,
            credential,
        }
    }
}

impl Owner {
    /// Both read the same data, with whatever credential.
    pub(crate) fn same_data(&self, other: &Self) -> bool {
        self.origin == other.origin && self.workspace == other.workspace
    }
}

impl Record {
    pub(crate) fn new(
        owners: Vec<Owner>,
        fingerprint: Fingerprint,
        statement: String,
        mode: Mode,
    ) -> Self {
        let names = BTreeMap::new();
        Self {
            version: VERSION,
            owners,
            fingerprint,
            statement,
            mode,
            names,
            deletes_off: false,
            kept: Kept::Nothing,
            load: None,
        }
    }

    /// What was staged for the other belongs to this one: both want the same rows of the same data.
    pub(crate) fn goes_on_with(&self, other: &Self) -> bool {
        let same_data = self.owners.len() == other.owners.len()
            && self
                .owners
                .iter()
                .zip(&other.owners)
                .all(|(owner, other)| owner.same_data(other));
        same_data
            && self.fingerprint == other.fingerprint
            && self.mode == other.mode
            && self.names == other.names
            && self.kept == other.kept
            && self.load == other.load
    }

    /// Reads a stored record.
    pub(crate) fn read(value: &Value) -> Result<Self> {
        match value.get("version").and_then(Value::as_u64) {
            Some(version) if version > u64::from(VERSION) => Err(Error::new(
                code::STATE,
                "the table was last loaded by a newer version of this program",
            )
            .with_hint("use that version or a later one")),
            _ => Self::deserialize(value).map_err(|error| unreadable("record", &error)),
        }
    }

    pub(crate) fn to_json(&self) -> Value {
        serde_json::json!(self)
    }
}

/// What is remembered of a slice.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SliceState {
    /// Where its walks stand.
    pub(crate) checkpoint: Checkpoint,
    /// The values of its parent columns in the rows as they were loaded.
    pub(crate) parents: Vec<Option<String>>,
    /// What the listing said before the last finished walk began.
    pub(crate) proof: Option<String>,
    /// What the listing said before the unfinished walk began.
    pub(crate) walk_proof: Option<String>,
    /// The number of the query that its rows came from, in a UNION ALL.
    pub(crate) arm: usize,
}

/// The stored form of a [`SliceState`], short because there may be ten thousand. A parent that equals
/// the slice's id is stored as `=`, another that begins with `=` has one more.
#[derive(Serialize, Deserialize)]
struct Stored {
    #[serde(flatten)]
    checkpoint: Checkpoint,
    #[serde(rename = "in")]
    parents: Vec<Option<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    proof: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    walk_proof: Option<String>,
    #[serde(default, skip_serializing_if = "is_first")]
    arm: usize,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands over a reference"
)]
fn is_first(arm: &usize) -> bool {
    *arm == 0
}

impl SliceState {
    /// A slice of which nothing was read yet.
    pub(crate) fn new(slice: &Slice, arm: usize) -> Self {
        Self {
            parents: slice.parents.clone(),
            arm,
            ..Self::default()
        }
    }

    /// The same rows, of which nothing was read that could be gone on from: the first rows read take their place.
    pub(crate) fn unread(&self, arm: usize) -> Self {
        Self {
            parents: self.parents.clone(),
            arm,
            ..Self::default()
        }
    }

    /// Nothing of the slice was read by the walk that the state belongs to.
    pub(crate) fn is_unread(&self) -> bool {
        self.checkpoint == Checkpoint::default()
    }

    /// What people call it.
    pub(crate) fn label(&self, id: &str) -> String {
        let names = self.parents.iter().flatten().filter(|value| *value != id);
        let label = names.map(String::as_str).collect::<Vec<_>>().join("/");
        if label.is_empty() {
            id.to_owned()
        } else {
            label
        }
    }

    pub(crate) fn to_json(&self, id: &str) -> Value {
        let shorten = |value: &String| match value {
            value if value == id => "=".to_owned(),
            value if value.starts_with('=') => format!("={value}"),
            value => value.clone(),
        };
        serde_json::json!(Stored {
            checkpoint: self.checkpoint.clone(),
            parents: self
                .parents
                .iter()
                .map(|value| value.as_ref().map(shorten))
                .collect(),
            proof: self.proof.clone(),
            walk_proof: self.walk_proof.clone(),
            arm: self.arm,
        })
    }

    pub(crate) fn read(id: &str, value: &Value) -> Result<Self> {
        let Stored {
            checkpoint,
            parents,
            proof,
            walk_proof,
            arm,
        } = Stored::deserialize(value).map_err(|error| unreadable("checkpoint", &error))?;
        let lengthen = |value: String| match value.strip_prefix('=') {
            Some("") => id.to_owned(),
            Some(rest) => rest.to_owned(),
            None => value,
        };
        let parents = parents
            .into_iter()
            .map(|value| value.map(lengthen))
            .collect();
        Ok(Self {
            checkpoint,
            parents,
            proof,
            walk_proof,
            arm,
        })
    }
}

/// The slices of a table by id.
pub(crate) type Slices = BTreeMap<String, SliceState>;

/// Reads all stored checkpoints.
pub(crate) fn read_slices(checkpoints: &Checkpoints) -> Result<Slices> {
    checkpoints
        .iter()
        .map(|(id, value)| Ok((id.clone(), SliceState::read(id, value)?)))
        .collect()
}

fn unreadable(what: &str, error: &serde_json::Error) -> Error {
    Error::new(
        code::STATE,
        format!("the table's stored {what} cannot be read: {error}"),
    )
    .with_hint("drop the table to have it loaded anew")
}
