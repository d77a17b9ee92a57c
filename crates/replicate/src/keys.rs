//! A set of keys, compact enough for whole listings.

use std::collections::HashSet;

use arrow::array::{Array, BooleanArray, RecordBatch};
use arrow::compute::{concat_batches, filter_record_batch};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::row::{RowConverter, SortField};

use crate::columns::build;
use crate::{Error, Result, code};

/// Keys seen, each as a few bytes.
pub(crate) struct KeySet {
    schema: SchemaRef,
    converter: RowConverter,
    keys: HashSet<Box<[u8]>>,
}

impl KeySet {
    /// An empty set of keys with these columns.
    pub(crate) fn new(schema: &SchemaRef) -> Result<Self> {
        let fields = schema
            .fields()
            .iter()
            .map(|field| SortField::new(field.data_type().clone()));
        let converter = RowConverter::new(fields.collect()).map_err(unusable)?;
        Ok(Self {
            schema: schema.clone(),
            converter,
            keys: HashSet::new(),
        })
    }

    /// There is none in it.
    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Adds the keys of a batch.
    pub(crate) fn insert(&mut self, keys: &RecordBatch) -> Result<()> {
        let rows = self
            .converter
            .convert_columns(keys.columns())
            .map_err(unusable)?;
        for row in &rows {
            if !self.keys.contains(row.data()) {
                self.keys.insert(row.data().into());
            }
        }
        Ok(())
    }

    /// Those of the batches' keys that are not in the set. The batches' types may be the
    /// destination's.
    pub(crate) fn absent(&self, batches: &[RecordBatch]) -> Result<RecordBatch> {
        let absent = batches.iter().map(|batch| {
            let batch = build(batch.columns().to_vec(), &self.schema)?;
            let rows = self
                .converter
                .convert_columns(batch.columns())
                .map_err(unusable)?;
            let absent: BooleanArray = rows
                .iter()
                .map(|row| Some(!self.keys.contains(row.data())))
                .collect();
            debug_assert_eq!(absent.null_count(), 0);
            filter_record_batch(&batch, &absent).map_err(unusable)
        });
        let absent = absent.collect::<Result<Vec<_>>>()?;
        concat_batches(&self.schema, &absent).map_err(unusable)
    }
}

fn unusable(error: ArrowError) -> Error {
    Error::new(
        code::BAD_VALUE,
        format!("the key cannot be compared: {error}"),
    )
}
