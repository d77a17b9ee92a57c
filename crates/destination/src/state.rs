//! What a destination remembers of a table of ours.

use std::collections::BTreeMap;

use arrow::datatypes::{Schema, SchemaRef};
use serde_json::Value;

use crate::{
    ColumnType, DELETED, Error, Evolution, Layout, LoadPlan, Result, TableName, Target, code,
};

/// Checkpoints by slice id; each is JSON that only the executor understands.
pub type Checkpoints = BTreeMap<String, Value>;

/// The state of a table that a load of ours has created.
#[derive(Debug, Clone, PartialEq)]
pub struct TableState {
    /// The executor's record: owner, fingerprint, statement. Opaque here.
    pub record: Value,
    /// Our columns as last loaded.
    pub columns: SchemaRef,
    /// Names of the key columns; empty for a table without a key.
    pub key: Vec<String>,
    /// How many rows the committed loads left in the table.
    pub rows: u64,
    /// The slices' checkpoints.
    pub checkpoints: Checkpoints,
    /// An unfinished staged load: its record and its checkpoints.
    pub staged: Option<Staged>,
}

/// A staged load that was interrupted and can be resumed.
#[derive(Debug, Clone, PartialEq)]
pub struct Staged {
    /// The executor's record of the load.
    pub record: Value,
    /// Checkpoints of what is staged.
    pub checkpoints: Checkpoints,
}

/// What is really there under a table's name.
#[derive(Debug, Clone, PartialEq)]
pub enum Physical {
    /// Nothing.
    Absent,
    /// A table.
    Table {
        /// Its columns, as the destination can tell.
        columns: SchemaRef,
        /// The columns of its primary key or first unique index, if any.
        key: Vec<String>,
        /// It holds no row.
        empty: bool,
    },
    /// Something else of that name: a view, say.
    Other {
        /// What it is, for a message: `view`.
        kind: String,
    },
}

/// State and fact of one table.
#[derive(Debug, Clone, PartialEq)]
pub struct TableStatus {
    /// What our state says; `None` if no load of ours has made it.
    pub state: Option<TableState>,
    /// What is there.
    pub physical: Physical,
}

impl TableStatus {
    /// The table is ours: our state records it, and it still has its key and our columns.
    pub fn is_ours(&self) -> bool {
        match (&self.state, &self.physical) {
            (Some(state), Physical::Table { columns, key, .. }) => {
                let has = |name: &str| {
                    columns
                        .fields()
                        .iter()
                        .any(|f| f.name().eq_ignore_ascii_case(name))
                };
                let same_key = key.len() == state.key.len()
                    && state
                        .key
                        .iter()
                        .all(|k| key.iter().any(|other| other.eq_ignore_ascii_case(k)));
                state.columns.fields().iter().all(|field| has(field.name()))
                    && (state.key.is_empty() || same_key)
            }
            _ => false,
        }
    }

    /// The table is absent, or empty while the state counts rows: its checkpoints mean nothing any more.
    pub fn is_void(&self) -> bool {
        match (&self.physical, &self.state) {
            (Physical::Absent, _) => true,
            (Physical::Table { empty, .. }, Some(state)) => *empty && state.rows > 0,
            _ => false,
        }
    }
}

impl TableStatus {
    /// The columns in which `plan` is to be written, and what must happen to the table for it.
    ///
    /// # Errors
    /// [`NOT_OURS`](code::NOT_OURS) if what is there is not a table of ours, with what it lacks, or
    /// [`MISFIT`](code::MISFIT), with all that does not fit, if it cannot be taken over;
    /// [`UNSUPPORTED`](code::UNSUPPORTED) if the plan writes to the table itself and has no key;
    /// [`INCOMPATIBLE`](code::INCOMPATIBLE) if a type cannot be widened, or if the plan writes to the
    /// table itself and the key is another one; else those of [`Layout::of`].
    pub fn meet(&self, table: &TableName, plan: &LoadPlan) -> Result<(Layout, Evolution)> {
        let new = Layout::of(plan)?;
        if plan.target == Target::Table && plan.key.is_empty() {
            let message =
                format!("{table} has no key, so its rows can only be replaced as a whole");
            return Err(Error::new(code::UNSUPPORTED, message));
        }
        if let Physical::Absent = self.physical {
            return Ok((new, Evolution::default()));
        }
        if let (true, None, Physical::Table { columns, key, .. }) =
            (plan.adopts, &self.state, &self.physical)
        {
            return adopt(table, columns, key, &new, plan);
        }
        self.check_ours(table)?;
        let (Some(state), false) = (&self.state, plan.target == Target::Recreate) else {
            return Ok((new, Evolution::default()));
        };
        let (layout, evolution) = Layout::evolve(&state.columns, &state.key, plan)?;
        if evolution.rekeyed && plan.target == Target::Table {
            let (now, then) = (plan.key.join(", "), state.key.join(", "));
            let message = format!("the key of {table} is ({then}) and cannot become ({now})");
            return Err(Error::new(code::INCOMPATIBLE, message)
                .with_hint("replace the table with DropTable = TRUE, or load into another one"));
        }
        Ok((layout, evolution))
    }

    fn check_ours(&self, table: &TableName) -> Result<()> {
        if self.is_ours() {
            return Ok(());
        }
        let message = match (&self.state, &self.physical) {
            (_, Physical::Other { kind }) => format!("{table} is a {kind}, not a table"),
            (Some(state), Physical::Table { columns, .. }) => {
                let lost = state.columns.fields().iter().find(|field| {
                    !columns
                        .fields()
                        .iter()
                        .any(|f| f.name().eq_ignore_ascii_case(field.name()))
                });
                match lost {
                    Some(field) => format!("{table} has lost its column `{}`", field.name()),
                    None => format!("{table} has lost its key ({})", state.key.join(", ")),
                }
            }
            _ => format!("a table {table} is there already, and no load has made it"),
        };
        Err(
            Error::new(code::NOT_OURS, format!("{message}; it was not touched"))
                .with_hint("load into a table of another name, or rename or drop this one"),
        )
    }
}

fn has_name(names: &[String], name: &str) -> bool {
    names.iter().any(|other| other.eq_ignore_ascii_case(name))
}

/// The columns in which `plan` is written to a table that it takes over: `wanted` are those of a new one.
fn adopt(
    table: &TableName,
    columns: &Schema,
    key: &[String],
    wanted: &Layout,
    plan: &LoadPlan,
) -> Result<(Layout, Evolution)> {
    let mut ours = Vec::with_capacity(wanted.columns.len());
    let mut misfits = Vec::new();
    for column in &wanted.columns {
        let name = &column.name;
        let mut fields = columns.fields().iter();
        let Some(field) = fields.find(|field| field.name().eq_ignore_ascii_case(name)) else {
            // No row has left yet, so that the mark can be added.
            if name != DELETED {
                misfits.push(format!("it has no column `{name}`"));
            }
            continue;
        };
        let (there, ours_is) = (ColumnType::of(field), column.column_type);
        if there.widen(ours_is) != Some(there) {
            misfits.push(format!("`{name}` is {there} and cannot take {ours_is}"));
        } else if !field.is_nullable() && !has_name(key, name) && name != DELETED {
            misfits.push(format!("`{name}` is NOT NULL"));
        }
        ours.push(field.as_ref().clone());
    }
    let wanted_key = wanted.key_names();
    if key.len() != wanted_key.len() || !wanted_key.iter().all(|name| has_name(key, name)) {
        let list = |names: &[String]| match names {
            [] => String::from("none"),
            names => names.join(", "),
        };
        misfits.push(format!(
            "its key is {} where {} is needed",
            list(key),
            list(&wanted_key)
        ));
    }
    if misfits.is_empty() {
        return Layout::evolve(&Schema::new(ours), key, plan);
    }
    let message = format!(
        "the table {table} cannot be taken over: {}; it was not touched",
        misfits.join("; ")
    );
    Err(Error::new(code::MISFIT, message)
        .with_hint("change the table, or select and declare columns as it has them"))
}
