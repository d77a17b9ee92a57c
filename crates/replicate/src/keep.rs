//! Keeping rows through a reload that cannot be read again now.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, new_null_array};
use arrow::compute::filter_record_batch;
use arrow::error::ArrowError;
use bucketline_destination::{
    Change, Condition, DELETED, Destination, Query, RowFilter, Scalar, TableName,
};
use futures::TryStreamExt;

use crate::columns::{Layout, build};
use crate::record::{SliceState, Slices};
use crate::report::grouped;
use crate::survey::{Known, Part, Survey};
use crate::walk::Walker;
use crate::{Error, Outcome, Result, SliceReport, code};

/// The table that a staging is about to replace.
#[derive(Clone, Copy)]
pub(crate) struct Former<'a> {
    pub(crate) destination: &'a dyn Destination,
    pub(crate) table: &'a TableName,
}

/// Copies rows of the table into the staging that is about to replace it.
pub(crate) struct Keeper<'a> {
    pub(crate) former: Former<'a>,
    /// What the table holds.
    pub(crate) known: &'a Slices,
    /// Of each query of the statement.
    pub(crate) walkers: &'a [Walker<'a>],
}

impl Keeper<'_> {
    /// Keeps the rows of a slice that is listed no more, unless all of it was staged before it vanished.
    /// Columns that the table does not have yet are NULL in them.
    pub(crate) async fn keep_vanished(
        &self,
        known: &Known,
        staged: Option<&SliceState>,
    ) -> Result<()> {
        match staged {
            Some(state) if state.checkpoint.is_loaded() => Ok(()),
            _ => self.copy(known, "listed no more").await,
        }
    }

    /// The same for slices that do not have the table any more, and those whose answer was empty.
    /// `reports` are those of the survey's slices, in order.
    pub(crate) async fn keep_unread(&self, survey: &Survey, reports: &[SliceReport]) -> Result<()> {
        for (part, report) in survey.slices.iter().zip(reports) {
            // With the names that its rows show: the next run compares them with those of then.
            let Some(state) = self.known.get(&part.id) else {
                continue;
            };
            let known = Known {
                id: part.id.clone(),
                state: state.clone(),
            };
            match &report.outcome {
                Outcome::NotApplicable(why) => self.copy(&known, why).await?,
                Outcome::Done if report.read == 0 && self.is_doubtful(part, &known).await? => {
                    self.copy(&known, "its answer is empty").await?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Nothing is staged of the slice, and not because no row of it matches.
    async fn is_doubtful(&self, part: &Part, known: &Known) -> Result<bool> {
        let walker = &self.walkers[part.arm];
        Ok(!walker.holds(&known.state.parents).await?
            && !walker.leaves_rows_out(&part.slice, walker.context).await?)
    }

    async fn copy(&self, known: &Known, why: &str) -> Result<()> {
        let walker = &self.walkers[known.state.arm];
        let Walker {
            rows, load, voice, ..
        } = walker;
        let filter = rows.of_slice(&known.state.parents);
        load.write(&known.id, Change::DeleteWhere(filter.clone()))
            .await?;
        let copied = self.former.copy(walker, &known.id, &filter).await?;
        // Nothing was read: if the slice can be read again, it is loaded from its beginning.
        let state = known.state.unread(known.state.arm);
        let checkpoint = (copied > 0).then(|| state.to_json(&known.id));
        load.commit(&known.id, checkpoint).await?;
        if copied > 0 {
            let (label, rows) = (known.label(), grouped(copied));
            voice.note(format!(
                "{label}: {why}; its {rows} rows stay as they are, new columns NULL"
            ));
        }
        Ok(())
    }
}

impl Former<'_> {
    /// Copies the rows that match, with NULL in columns that the table does not have yet; says how many there are.
    pub(crate) async fn copy(
        &self,
        walker: &Walker<'_>,
        id: &str,
        filter: &RowFilter,
    ) -> Result<u64> {
        let Some(there) = self.destination.table(self.table).await? else {
            return Ok(0);
        };
        let columns = walker.layout.columns.iter().filter_map(|column| {
            let name = column.field.name();
            there
                .schema
                .fields()
                .iter()
                .find(|field| field.name().eq_ignore_ascii_case(name))
        });
        let mut columns: Vec<String> = columns.map(|field| field.name().clone()).collect();
        if walker.keeps && there.schema.field_with_name(DELETED).is_ok() {
            columns.push(DELETED.to_owned());
        }
        let conditions = filter.0.iter().filter(|(_, value)| *value != Scalar::Null);
        let conditions = conditions.map(|(column, value)| Condition {
            column: column.clone(),
            operator: "=",
            value: value.clone(),
        });
        let query = Query {
            table: self.table.clone(),
            columns,
            conditions: conditions.collect(),
            limit: None,
        };
        let mut batches = self.destination.read(&query).await?;
        let mut copied = 0;
        while let Some(batch) = batches.try_next().await? {
            let rows = fit(walker.layout, &batch, filter)?;
            copied += rows.num_rows() as u64;
            if rows.num_rows() == 0 {
                continue;
            }
            let Walker { load, layout, .. } = walker;
            load.write(id, Change::Upsert(rows)).await?;
            let Some(left) = batch.column_by_name(DELETED) else {
                continue;
            };
            // What is marked stays so.
            let left = filter_record_batch(&batch, left.as_boolean()).map_err(unusable)?;
            let left = layout.keys_of(&fit(layout, &left, filter)?)?;
            load.write(id, Change::Delete(left)).await?;
        }
        Ok(copied)
    }
}

/// The rows of a batch that match the filter, with all columns of the layout.
fn fit(layout: &Layout, batch: &RecordBatch, filter: &RowFilter) -> Result<RecordBatch> {
    let column = |name: &str| {
        let fields = batch.schema();
        let index = fields
            .fields()
            .iter()
            .position(|f| f.name().eq_ignore_ascii_case(name));
        index.map(|index| Arc::clone(batch.column(index)))
    };
    let schema = layout.schema();
    let arrays: Vec<ArrayRef> = schema
        .fields()
        .iter()
        .map(|field| {
            let nulls = || new_null_array(field.data_type(), batch.num_rows());
            column(field.name()).unwrap_or_else(nulls)
        })
        .collect();
    let rows = build(arrays, schema)?;
    // A destination may give more rows than asked for.
    let mut keep = vec![true; rows.num_rows()];
    for (name, value) in &filter.0 {
        let Some(values) = rows.column_by_name(name) else {
            continue;
        };
        let texts = values.as_string_opt::<i32>();
        for (row, keep) in keep.iter_mut().enumerate() {
            let text = texts
                .filter(|texts| texts.is_valid(row))
                .map(|texts| texts.value(row));
            *keep &= match value {
                Scalar::Text(wanted) => text == Some(wanted.as_str()),
                _ => text.is_none(),
            };
        }
    }
    filter_record_batch(&rows, &BooleanArray::from(keep)).map_err(unusable)
}

fn unusable(error: ArrowError) -> Error {
    Error::new(code::BAD_VALUE, error.to_string())
}
