//! Whose table it is, and how a statement stands to it.

use arrow::datatypes::DataType;
use bucketline_destination::{DELETED, Physical, START, TableName, TableStatus};
use bucketline_source::ScanPlan;
use bucketline_source::spec::{ChildRows, ParentTable};

use crate::arms::Arm;
use crate::fingerprint::Difference;
use crate::prepare::Prepared;
use crate::record::{Owner, Record, SliceState, Slices, read_slices};
use crate::report::counted;
use crate::statement::{Deletes, Statement};
use crate::{Error, Mode, Result, code};

/// What is known of a table before a run.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    /// The table is there.
    pub(crate) exists: bool,
    /// A table that no REPLICATE has made is there, and is taken over.
    pub(crate) adopts: bool,
    /// The record of what filled it; `None` if nothing has, or what it did is gone.
    pub(crate) record: Option<Record>,
    /// The slices whose rows it holds.
    pub(crate) slices: Slices,
    /// How many rows the last load left.
    pub(crate) rows: u64,
    /// It keeps versions of its rows.
    history: bool,
    /// The names of its columns, as they were made.
    columns: Vec<String>,
}

impl Standing {
    /// Reads the status of a statement's table.
    ///
    /// # Errors
    /// [`code::NOT_OURS`](crate::code::NOT_OURS) if something of that name is not ours to write.
    pub(crate) fn read(statement: &Statement, status: &TableStatus) -> Result<Self> {
        let table = &statement.table;
        let TableStatus { state, physical } = status;
        match (state, physical) {
            (_, Physical::Absent) => Ok(Self::default()),
            (_, Physical::Other { kind }) => {
                Err(not_ours(format!("a {kind} named {table} is there already")))
            }
            (None, Physical::Table { .. }) if statement.options.adopt => Ok(Self {
                adopts: true,
                ..Self::default()
            }),
            (None, Physical::Table { .. }) => Err(not_ours(format!(
                "a table named {table} is there already, and no REPLICATE made it"
            ))),
            (Some(_), Physical::Table { .. }) if !status.is_ours() => Err(not_ours(format!(
                "the table {table} is not as REPLICATE made it: its key or some of its columns are gone"
            ))),
            (Some(state), Physical::Table { .. }) => {
                let record = Some(Record::read(&state.record)?);
                let (slices, rows) = match status.is_void() {
                    true => (Slices::new(), 0),
                    false => (read_slices(&state.checkpoints)?, state.rows),
                };
                // Emptied by someone: whose rows it held means nothing any more.
                Ok(Self {
                    exists: !status.is_void(),
                    adopts: false,
                    record,
                    slices,
                    rows,
                    history: state.key.iter().any(|name| name == START),
                    columns: state
                        .columns
                        .fields()
                        .iter()
                        .map(|field| field.name().clone())
                        .collect(),
                })
            }
        }
    }

    /// How the statement differs from what filled the table.
    pub(crate) fn difference(&self, prepared: &Prepared) -> Difference {
        let Some(record) = &self.record else {
            return Difference::default();
        };
        let mut difference = prepared.fingerprint.differs_from(&record.fingerprint);
        let declared = prepared
            .layout
            .columns
            .iter()
            .map(|column| column.field.name());
        let names: Vec<&String> = declared.chain(&self.columns).collect();
        let Difference {
            added,
            changed,
            dropped,
            ..
        } = &mut difference;
        for folded in added.iter_mut().chain(changed).chain(dropped) {
            if let Some(spelled) = names.iter().find(|name| name.to_lowercase() == *folded) {
                folded.clone_from(spelled);
            }
        }
        difference
    }

    /// Refuses the rows of another service or workspace.
    pub(crate) fn check_owner(&self, table: &TableName, owners: &[Owner]) -> Result<()> {
        let Some(record) = self.record.as_ref().filter(|_| self.exists) else {
            return Ok(());
        };
        let before = &record.owners;
        let within = |some: &[Owner], all: &[Owner]| {
            let mut some = some.iter();
            some.all(|one| all.iter().any(|other| one.same_data(other)))
        };
        // A query that joins a UNION ALL, or leaves it, is a change of the statement.
        if within(before, owners) || within(owners, before) {
            return Ok(());
        }
        Err(Error::new(
            code::OTHER_WORKSPACE,
            format!("the table {table} holds the rows of another workspace, {}", self.places(before)),
        )
        .with_hint(format!(
            "give each workspace a table of its own, by a prefix (REPLICATE PREFIX_{name} SELECT ...) or by a schema (REPLICATE schema.{name} SELECT ...)",
            name = table.name
        )))
    }

    /// Versions are kept from a table's first row on, or never; and what replaces rows would lose them.
    pub(crate) fn check_history(&self, prepared: &Prepared, statement: &Statement) -> Result<()> {
        let (table, options) = (&statement.table, &statement.options);
        if self.record.is_none() || options.drop_table {
            return Ok(());
        }
        let message = match (self.history, options.history) {
            (true, false) => format!(
                "the table {table} keeps all versions of its rows, and the statement does not set EnableHistoryMode"
            ),
            (false, true) => format!(
                "the table {table} was loaded without EnableHistoryMode: no versions of its rows are there"
            ),
            (true, true) if self.exists && !options.truncate_table => {
                match self.difference(prepared).reason() {
                    Some(why) => format!(
                        "the table {table} keeps all versions of its rows, and a new load would replace them: {why}"
                    ),
                    None => return Ok(()),
                }
            }
            _ => return Ok(()),
        };
        Err(Error::new(code::RETENTION, format!("{message}; nothing was changed"))
            .with_hint("DropTable = TRUE drops the table and begins anew; or load into a table of another name"))
    }

    /// With `AlterSchema = FALSE` the table stays as it is.
    pub(crate) fn check_schema(
        &self,
        prepared: &Prepared,
        statement: &Statement,
        status: &TableStatus,
    ) -> Result<()> {
        let Some(state) = status.state.as_ref().filter(|_| self.exists) else {
            return Ok(());
        };
        if statement.options.alter_schema || statement.options.drop_table {
            return Ok(());
        }
        let changed = self.difference(prepared).changed;
        let columns = prepared.layout.columns.iter();
        let columns =
            columns.map(|column| (column.field.name().as_str(), column.field.data_type()));
        let marks = statement.options.deletes == Deletes::Mark;
        let mark = marks.then_some((DELETED, &DataType::Boolean));
        for (name, data_type) in columns.chain(mark) {
            let mut there = state.columns.fields().iter();
            let what = match there.find(|field| field.name().eq_ignore_ascii_case(name)) {
                None => "is new",
                Some(field)
                    if changed.iter().any(|it| it == name) && field.data_type() != data_type =>
                {
                    "has another type"
                }
                Some(_) => continue,
            };
            return Err(Error::new(
                code::SCHEMA_FIXED,
                format!(
                    "{}: the column {name} {what}, and AlterSchema is FALSE",
                    statement.table
                ),
            )
            .with_hint("leave AlterSchema out, or select the columns that the table has"));
        }
        Ok(())
    }

    /// The credential's identity or scopes are not those of the last run.
    pub(crate) fn credential_changed(&self, owners: &[Owner]) -> bool {
        let Some(record) = self.record.as_ref().filter(|_| self.exists) else {
            return false;
        };
        owners.iter().any(|now| {
            let mut before = record.owners.iter().filter(|it| it.same_data(now));
            before.any(|before| before.credential != now.credential)
        })
    }

    /// Decides how the rows get into the table.
    pub(crate) fn approach(&self, prepared: &Prepared, statement: &Statement) -> Approach {
        let options = &statement.options;
        let recreate = options.drop_table && !self.adopts;
        let difference = self.difference(prepared);
        let reload = |why: String, keep: bool| Approach::Reload {
            why,
            recreate,
            // Versions cannot be written a second time as they were.
            keep: keep && !self.history,
        };
        if prepared.mode == Mode::Replace {
            return reload(prepared.why.clone(), false);
        }
        if self.adopts {
            return reload(
                "AdoptTable takes over a table that is there".to_owned(),
                false,
            );
        }
        if self.record.is_none() {
            return Approach::Merge;
        }
        let keeps_otherwise = self.history != options.history;
        if (self.exists || keeps_otherwise) && options.drop_table {
            return reload("DropTable is set".to_owned(), !difference.rows);
        }
        if self.exists && options.truncate_table {
            return reload("TruncateTable is set".to_owned(), !difference.rows);
        }
        match difference.reason() {
            Some(why) => reload(why, !difference.rows),
            None => Approach::Merge,
        }
    }

    /// How many requests a full load takes, as far as the last run tells: a sentence's end.
    pub(crate) fn reload_cost(&self, arms: &[Arm<'_>]) -> String {
        for arm in arms {
            if let Some(ParentTable {
                table,
                rows: ChildRows::Listed { .. },
                ..
            }) = &arm.work.table().parent
            {
                return format!("at least one request for each row of {}", table.name);
            }
        }
        let requests = arms
            .iter()
            .map(|arm| self.reload_requests(arm.number, arm.rows.scan.plan()));
        let Some(requests) = requests.sum::<Option<u64>>() else {
            return "the number of requests is not known beforehand".to_owned();
        };
        let requests = counted(requests, "request");
        let slices = counted(self.slices.len() as u64, "slice");
        let rows = counted(self.rows, "row");
        format!("about {requests} ({rows} in {slices} at the last run)")
    }

    /// The requests of a full load of one query, of as many rows and slices as the last run left.
    pub(crate) fn reload_requests(&self, arm: usize, plan: &ScanPlan) -> Option<u64> {
        (!self.slices.is_empty()).then(|| self.pages(arm, plan) + 1)
    }

    /// How many requests it takes to list all rows of a query once the slices are known, as far as the last run
    /// tells.
    pub(crate) fn listing_cost(&self, arm: usize, plan: &ScanPlan) -> String {
        format!("about {}", counted(self.pages(arm, plan), "request"))
    }

    /// The slices of one query.
    pub(crate) fn slices_of(&self, arm: usize) -> impl Iterator<Item = &SliceState> {
        self.slices.values().filter(move |state| state.arm == arm)
    }

    /// The pages of a query, supposed that each slice has as many rows as the others.
    fn pages(&self, arm: usize, plan: &ScanPlan) -> u64 {
        let (slices, all) = (self.slices_of(arm).count() as u64, self.slices.len() as u64);
        let rows = self.rows * slices / all.max(1);
        slices.max(rows.div_ceil(plan.page_size.max(1) as u64))
    }

    /// Whose rows the table holds, for people.
    fn places(&self, owners: &[Owner]) -> String {
        let slug = self
            .slices
            .values()
            .find_map(|state| state.parents.first()?.as_deref());
        let place = |owner: &Owner| match (&owner.workspace, slug) {
            (Some(_), Some(slug)) if owners.len() == 1 => format!("{slug} at {}", owner.origin),
            (Some(workspace), _) => format!("{workspace} at {}", owner.origin),
            (None, _) => owner.origin.clone(),
        };
        let mut places: Vec<_> = owners.iter().map(place).collect();
        places.dedup();
        places.join(", ")
    }
}

/// How the rows get into the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Approach {
    /// Into the table itself, slice by slice.
    Merge,
    /// Into a staging table, which then takes the table's place.
    Reload {
        /// Why.
        why: String,
        /// The table is dropped and made anew.
        recreate: bool,
        /// Rows of slices that cannot be read now are kept: the statement asks for the same rows as
        /// before, and nobody asked to delete them.
        keep: bool,
    },
}

fn not_ours(message: String) -> Error {
    Error::new(code::NOT_OURS, format!("{message}; it was left alone"))
        .with_hint("choose another name or schema for the copy, or rename or drop what is there; AdoptTable takes over a table whose columns and key fit")
}
