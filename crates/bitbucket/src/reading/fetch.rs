//! One page of a slice: asked, decoded, cut to what is wanted.

use std::sync::Arc;

use arrow::array::{
    Array as _, ArrayRef, AsArray as _, BooleanArray, RecordBatch, RecordBatchOptions,
};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType, Int64Type, TimestampMicrosecondType};
use bucketline_rest::{RequestOptions, Url};
use bucketline_source::decode::{Decoded, Decoder};
use bucketline_source::spec::SliceKind;
use bucketline_source::{Error, ErrorKind, ReadContext, Result, ScanPlan, Slice, TableSpec};
use chrono::{DateTime, Utc};

use super::Connection;
use crate::api::{Api, fill};
use crate::failure::{Failure, Place, failure};
use crate::shape::{Purpose, Shape};
use crate::walk::Keep;

/// Fetches the pages of one slice.
pub(super) struct Fetch {
    api: Api,
    context: ReadContext,
    plan: Arc<ScanPlan>,
    shape: Shape,
    decoder: Decoder,
    parents: Vec<Option<String>>,
    path: String,
    place: Place,
    /// A look-up was left out, so that nobody knows yet whether the repository is there.
    unresolved: bool,
    /// Rows still wanted.
    left: Option<usize>,
}

/// A page as it came.
pub(super) struct Fetched {
    /// The columns of the plan, then those that the walk needs.
    pub(super) rows: RecordBatch,
    /// Where the next page is.
    pub(super) next: Option<String>,
    /// The server's time, if it told it.
    pub(super) time: Option<DateTime<Utc>>,
}

impl Fetch {
    pub(super) fn new(
        connection: Connection,
        plan: Arc<ScanPlan>,
        slice: Slice,
        purpose: Purpose,
        context: ReadContext,
    ) -> Self {
        let shape = Shape::of(&plan, purpose);
        let table = &plan.request.table;
        let mut decoder = Decoder::new(table, &shape.columns);
        if shape.single {
            decoder = decoder.single();
        }
        let workspace = connection.workspace.unwrap_or_default();
        let left = plan
            .request
            .limit
            .filter(|_| plan.limited && purpose == Purpose::Scan);
        Self {
            path: fill(&shape.path, table.slice, &workspace, &slice.id.0),
            place: Place::new(table.name.clone(), slice.label),
            unresolved: table.slice == SliceKind::Repository && !slice.id.0.starts_with('{'),
            parents: slice.parents,
            api: connection.api,
            left,
            context,
            decoder,
            shape,
            plan,
        }
    }

    pub(super) fn table(&self) -> &TableSpec {
        &self.plan.request.table
    }

    pub(super) fn plan(&self) -> &ScanPlan {
        &self.plan
    }

    pub(super) fn shape(&self) -> &Shape {
        &self.shape
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    pub(super) fn unresolved(&self) -> bool {
        self.unresolved
    }

    pub(super) fn note(&self, text: &str) {
        self.context.observer().note(text);
    }

    /// Whether all wanted rows have been given out.
    pub(super) fn is_satisfied(&self) -> bool {
        self.left == Some(0)
    }

    /// Whether a sort across these values may fail, and the walk be split by value instead.
    pub(super) fn can_split(&self) -> bool {
        let splits = self
            .table()
            .parameter
            .as_ref()
            .is_some_and(|bound| bound.split);
        splits && self.shape.values.len() > 1
    }

    /// Asks for a page by its condition and order. `brief` gives up on a 500 after one retry.
    pub(super) async fn page(
        &self,
        condition: Option<String>,
        sort: Option<&str>,
        part: Option<usize>,
        brief: bool,
    ) -> Result<Fetched, Failure> {
        let parameters = self.shape.parameters(self.table(), condition, sort, part);
        let url = self.api.address(&self.path, &parameters)?;
        if brief {
            let options = RequestOptions {
                max_server_retries: Some(1),
            };
            match self.api.get(&url, options, &self.context).await {
                Ok(answer) => return self.decoded(&answer),
                // Another trouble than the one expected has all its retries.
                Err(error) if matches!(error.status(), Some(501..)) => {}
                Err(error) => return Err(failure(error, self.table(), &self.place)),
            }
        }
        self.at(&url).await
    }

    /// Asks for a page by its address.
    pub(super) async fn at(&self, url: &Url) -> Result<Fetched, Failure> {
        let answer = self
            .api
            .get(url, RequestOptions::default(), &self.context)
            .await;
        self.decoded(&answer.map_err(|error| failure(error, self.table(), &self.place))?)
    }

    fn decoded(&self, answer: &bucketline_rest::Response) -> Result<Fetched, Failure> {
        let decoded = self.decoder.decode(&answer.body, &self.parents).map_err(|error| {
            error
                .about(format_args!("{} of {}", self.place.what, self.place.label))
                .with_hint("run the statement again; if it stays, something changes Bitbucket's answers on their way here")
        })?;
        let Decoded {
            rows,
            next,
            conflicts,
            ..
        } = decoded;
        for conflict in conflicts {
            self.note(&format!(
                "{} of {}: {conflict}",
                self.place.what, self.place.label
            ));
        }
        Ok(Fetched {
            rows,
            next,
            time: answer.server_time,
        })
    }

    /// The address of the next page.
    pub(super) fn link(&self, next: &str) -> Result<Url> {
        Url::parse(next).map_err(|error| {
            Error::new(
                ErrorKind::Decode,
                "BL4021",
                format!(
                    "the `next` of {} of {} is no address: {error}",
                    self.place.what, self.place.label
                ),
            )
        })
    }

    /// A column of the table among the fetched ones.
    pub(super) fn column<'r>(&self, rows: &'r RecordBatch, column: usize) -> Option<&'r ArrayRef> {
        let position = self
            .shape
            .columns
            .iter()
            .position(|index| *index == column)?;
        rows.columns().get(position)
    }

    /// The values of a whole-number or timestamp column, as numbers that order alike.
    pub(super) fn numbers(&self, rows: &RecordBatch, column: usize) -> Vec<Option<i64>> {
        match self.column(rows, column) {
            Some(array) if array.data_type() == &DataType::Int64 => {
                array.as_primitive::<Int64Type>().iter().collect()
            }
            Some(array) if matches!(array.data_type(), DataType::Timestamp(..)) => array
                .as_primitive::<TimestampMicrosecondType>()
                .iter()
                .collect(),
            _ => vec![None; rows.num_rows()],
        }
    }

    /// What tells the rows of a slice apart, as text.
    pub(super) fn keys(&self, rows: &RecordBatch) -> Vec<String> {
        let mut keys = vec![String::new(); rows.num_rows()];
        for index in &self.table().key {
            let Some(array) = self.column(rows, *index) else {
                continue;
            };
            for (row, key) in keys.iter_mut().enumerate() {
                match array.data_type() {
                    DataType::Utf8 if array.is_valid(row) => {
                        key.push_str(array.as_string::<i32>().value(row));
                    }
                    DataType::Int64 => {
                        key.push_str(&array.as_primitive::<Int64Type>().value(row).to_string());
                    }
                    _ => {}
                }
                key.push('\0');
            }
        }
        keys
    }

    /// The kept rows with the plan's columns, at most as many as are still wanted.
    pub(super) fn wanted(
        &mut self,
        rows: &RecordBatch,
        keep: Option<&Keep>,
    ) -> Result<RecordBatch> {
        let broken = |error: arrow::error::ArrowError| {
            Error::new(ErrorKind::Decode, "BL4023", error.to_string()).with_source(error)
        };
        let mut rows = match keep.map(|keep| (keep, keep.run())) {
            None => rows.clone(),
            Some((_, Some((start, length)))) => rows.slice(start, length),
            Some((keep, None)) => {
                let mask = BooleanArray::from(keep.flags().to_vec());
                filter_record_batch(rows, &mask).map_err(broken)?
            }
        };
        if let Some(left) = &mut self.left {
            rows = rows.slice(0, rows.num_rows().min(*left));
            *left -= rows.num_rows();
        }
        let columns = rows.columns()[..self.plan.request.columns.len()].to_vec();
        let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
        RecordBatch::try_new_with_options(self.plan.schema.clone(), columns, &options)
            .map_err(broken)
    }
}
