//! Which value the server does not take, of a page that it refused as a whole.
//!
//! The server names an index or a page and no row. So the page is halved, in transactions that are taken back, until
//! one row is left, and then without one value after the other.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, new_null_array};
use arrow::datatypes::DataType;
use async_trait::async_trait;
use bucketline_destination::{Change, Error, Result, TableName, describe_row};

use super::Begun;
use crate::connection::is_of_a_value;
use crate::merge::with_rows;
use crate::session::{Connected, Session, Work};

/// How many values of a row are left out, the largest first.
const SUSPECTS: usize = 8;

/// One change, to be tried.
struct Trial<'a> {
    table: &'a TableName,
    begun: &'a Arc<Begun>,
    change: Change,
}

#[async_trait]
impl Work for Trial<'_> {
    type Outcome = ();

    async fn run(&self, at: &mut Connected) -> Result<()> {
        let mut merge = self.begun.merge(at, self.table);
        merge.change(&self.change).await.map(drop)
    }
}

/// The error with which changes were refused, with the row and the column of the value if it is for one.
pub(super) async fn blamed(
    session: &mut Session,
    table: &TableName,
    begun: &Arc<Begun>,
    changes: &[Change],
    error: Error,
) -> Error {
    if !is_of_a_value(&error) {
        return error;
    }
    for change in changes {
        let (Change::Upsert(batch) | Change::Insert(batch) | Change::Leave(batch)) = change else {
            continue;
        };
        let mut blame = Blame {
            session,
            table,
            begun,
            change,
        };
        if let Some(told) = blame.name(batch).await {
            return told;
        }
    }
    error
}

struct Blame<'a> {
    session: &'a mut Session,
    table: &'a TableName,
    begun: &'a Arc<Begun>,
    change: &'a Change,
}

impl Blame<'_> {
    /// Why the server refuses rows for a value of theirs; `None` if it takes them, or fails otherwise.
    async fn refusal(&mut self, rows: RecordBatch) -> Option<Error> {
        let trial = Trial {
            table: self.table,
            begun: self.begun,
            change: with_rows(self.change, rows),
        };
        let error = self.session.rehearse(&trial).await.err()?;
        is_of_a_value(&error).then_some(error)
    }

    async fn name(&mut self, batch: &RecordBatch) -> Option<Error> {
        self.refusal(batch.clone()).await?;
        let (mut from, mut rows) = (0, batch.num_rows());
        while rows > 1 {
            let half = rows / 2;
            if self.refusal(batch.slice(from, half)).await.is_some() {
                rows = half;
            } else {
                from += half;
                rows -= half;
            }
        }
        let row = batch.slice(from, rows);
        let error = self.refusal(row.clone()).await?;
        let layout = self.begun.written();
        let is_key = |index: usize| layout.key.contains(&layout.written[index]);
        let mut columns: Vec<usize> = (0..row.num_columns()).collect();
        columns.sort_by_key(|&index| std::cmp::Reverse(size(row.column(index))));
        let mut found = None;
        for &index in columns.iter().filter(|&&it| !is_key(it)).take(SUSPECTS) {
            if self.refusal(without(&row, index)?).await.is_none() {
                found = Some(index);
                break;
            }
        }
        let index = found.or_else(|| columns.iter().copied().find(|&it| is_key(it)))?;
        let key: Vec<usize> = (0..row.num_columns()).filter(|&it| is_key(it)).collect();
        let named = match key.as_slice() {
            [] => describe_row(&row, 0),
            key => describe_row(&row.project(key).ok()?, 0),
        };
        let column = row.schema().field(index).name().clone();
        let message = format!(
            "{error}: it is the value of `{column}` in the row {named}, which has {} bytes",
            size(row.column(index))
        );
        let hint =
            format!("shorten it in the SELECT, LEFT({column}, 500), or leave the column out");
        Some(Error::new(error.code(), message).with_hint(hint))
    }
}

/// The bytes of the only value of an array.
fn size(array: &ArrayRef) -> usize {
    match array.data_type() {
        _ if array.is_null(0) => 0,
        DataType::Utf8 => array.as_string::<i32>().value(0).len(),
        DataType::Binary => array.as_binary::<i32>().value(0).len(),
        _ => size_of::<i64>(),
    }
}

/// A row with NULL in one column.
fn without(row: &RecordBatch, index: usize) -> Option<RecordBatch> {
    let mut columns = row.columns().to_vec();
    columns[index] = new_null_array(columns[index].data_type(), row.num_rows());
    RecordBatch::try_new(row.schema(), columns).ok()
}
