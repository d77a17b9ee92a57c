//! Rows in memory.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions, new_null_array,
};
use arrow::compute::kernels::{boolean, cmp};
use arrow::compute::{filter_record_batch, is_null, take};
use arrow::datatypes::{Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::row::{OwnedRow, RowConverter, SortField};

use crate::{
    Change, Condition, Counts, Error, ErrorKind, Evolution, Layout, Query, Result, RowFilter,
    Scalar, TableName, convert, describe_row,
};

/// A table in memory: its rows in the order of their key, or of their coming where there is none.
pub(super) struct Table {
    name: TableName,
    layout: Layout,
    converter: RowConverter,
    rows: BTreeMap<Vec<u8>, OwnedRow>,
    /// The number of the next row of a table without a key.
    next: u64,
}

/// How to take back what was applied: keys and the rows that they had, the latest last.
#[derive(Default)]
pub(super) struct Undo(Vec<(Vec<u8>, Option<OwnedRow>)>);

impl Table {
    pub(super) fn new(name: TableName, layout: Layout) -> Result<Self> {
        let converter = converter(
            layout
                .schema()
                .fields()
                .iter()
                .map(|f| f.data_type().clone()),
        )?;
        Ok(Self {
            name,
            layout,
            converter,
            rows: BTreeMap::new(),
            next: 0,
        })
    }

    /// A table of the rows given, without a key.
    pub(super) fn of(name: TableName, rows: &RecordBatch) -> Result<Self> {
        let layout = Layout::stored(&rows.schema(), &[])?;
        let mut table = Self::new(name, layout)?;
        let change = table.layout.prepare(Change::Upsert(rows.clone()))?;
        table.change(&change, &mut Undo::default())?;
        Ok(table)
    }

    pub(super) fn name(&self) -> &TableName {
        &self.name
    }

    pub(super) fn layout(&self) -> &Layout {
        &self.layout
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn clear(&mut self) {
        self.rows.clear();
    }

    /// The table with other columns; its rows stay, but for another key.
    pub(super) fn evolve(&self, layout: Layout, evolution: &Evolution) -> Result<Self> {
        let mut evolved = Self::new(self.name.clone(), layout)?;
        if evolution.rekeyed {
            return Ok(evolved);
        }
        let rows = self.batch()?;
        let mut arrays = Vec::with_capacity(evolved.layout.columns.len());
        for (place, column) in evolved.layout.columns.iter().enumerate() {
            arrays.push(match rows.columns().get(place) {
                Some(array) if !evolution.retired.contains(&place) => {
                    convert(array, column.column_type)?
                }
                _ => new_null_array(&column.column_type.data_type(), rows.num_rows()),
            });
        }
        let converted = evolved
            .converter
            .convert_columns(&arrays)
            .map_err(internal)?;
        let keys = evolved.keys_of(&arrays, rows.num_rows())?;
        evolved.rows = keys
            .into_iter()
            .zip(converted.iter().map(|row| row.owned()))
            .collect();
        Ok(evolved)
    }

    /// Applies a change that [`Layout::prepare`] has made ready.
    pub(super) fn change(&mut self, change: &Change, undo: &mut Undo) -> Result<Counts> {
        match change {
            Change::Upsert(batch) => self.upsert(batch, false, undo),
            Change::Insert(batch) => self.upsert(batch, true, undo),
            Change::Delete(batch) => {
                let keys = converter(batch.columns().iter().map(|c| c.data_type().clone()))?
                    .convert_columns(batch.columns())
                    .map_err(internal)?;
                let keys = keys.iter().map(|key| key.as_ref().to_vec()).collect();
                Ok(self.remove(keys, undo))
            }
            Change::DeleteWhere(filter) => {
                let matching = self.matching(filter)?;
                let keys = self.rows.keys().zip(matching.iter());
                let keys = keys.filter(|(_, matches)| *matches == Some(true));
                let keys = keys.map(|(key, _)| key.clone()).collect();
                Ok(self.remove(keys, undo))
            }
            Change::Assign { rows, set } => self.assign(rows, set, undo),
        }
    }

    /// Takes back what was applied.
    pub(super) fn undo(&mut self, undo: Undo) {
        for (key, row) in undo.0.into_iter().rev() {
            match row {
                Some(row) => self.rows.insert(key, row),
                None => self.rows.remove(&key),
            };
        }
    }

    /// Makes the rows of another table, whose columns are the written ones, the rows of this.
    pub(super) fn replace_with(&mut self, other: &Self) -> Result<Counts> {
        let written = self.layout.written.iter();
        let places = written.map(|place| other.place(&self.layout.columns[*place].name));
        let rows = other.batch()?.project(&places.collect::<Result<Vec<_>>>()?);
        let rows = Change::Upsert(rows.map_err(internal)?);
        let Change::Upsert(rows) = self.layout.prepare(rows)? else {
            return Ok(Counts::default());
        };
        if self.layout.key.is_empty() {
            let deleted = self.rows.len() as u64;
            self.rows.clear();
            let inserted = self.upsert(&rows, true, &mut Undo::default())?.inserted;
            return Ok(Counts {
                inserted,
                deleted,
                ..Counts::default()
            });
        }
        let before = self.rows.len();
        self.rows.retain(|key, _| other.rows.contains_key(key));
        let deleted = (before - self.rows.len()) as u64;
        let counts = self.upsert(&rows, false, &mut Undo::default())?;
        Ok(Counts { deleted, ..counts })
    }

    /// The key columns of the rows that match.
    pub(super) fn keys(&self, filter: &RowFilter) -> Result<RecordBatch> {
        let rows =
            filter_record_batch(&self.batch()?, &self.matching(filter)?).map_err(internal)?;
        let columns = self
            .layout
            .key
            .iter()
            .map(|place| Arc::clone(rows.column(*place)))
            .collect();
        batch(self.layout.key_schema(), columns, rows.num_rows())
    }

    pub(super) fn read(&self, query: &Query) -> Result<RecordBatch> {
        let schema = self.layout.schema();
        let mut rows = self.batch()?;
        let mut exact = true;
        for condition in &query.conditions {
            match self.condition(&rows, condition)? {
                Some(matches) => rows = filter_record_batch(&rows, &matches).map_err(internal)?,
                None => exact = false,
            }
        }
        if let Some(limit) = query.limit.filter(|_| exact) {
            rows = rows.slice(0, limit.min(rows.num_rows()));
        }
        let mut fields = Vec::with_capacity(query.columns.len());
        let mut columns = Vec::with_capacity(query.columns.len());
        for name in &query.columns {
            let place = self.place(name)?;
            fields.push(Arc::clone(&schema.fields()[place]));
            columns.push(Arc::clone(rows.column(place)));
        }
        batch(Arc::new(Schema::new(fields)), columns, rows.num_rows())
    }

    fn upsert(&mut self, written: &RecordBatch, new: bool, undo: &mut Undo) -> Result<Counts> {
        let count = written.num_rows();
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(self.layout.columns.len());
        for (place, column) in self.layout.columns.iter().enumerate() {
            arrays.push(match self.layout.written.iter().position(|w| *w == place) {
                Some(index) => Arc::clone(written.column(index)),
                None => new_null_array(&column.column_type.data_type(), count),
            });
        }
        let converted = self.converter.convert_columns(&arrays).map_err(internal)?;
        let keys = self.keys_of(&arrays, count)?;
        let mut counts = Counts::default();
        for (index, (key, row)) in keys.into_iter().zip(&converted).enumerate() {
            let present = self.rows.get(&key);
            match present {
                Some(other) if new => {
                    let other = other.clone();
                    return Err(self.duplicate(&other, written, index));
                }
                Some(other) if other.row() == row => {
                    counts.unchanged += 1;
                    continue;
                }
                Some(_) => counts.updated += 1,
                None => counts.inserted += 1,
            }
            let before = self.rows.insert(key.clone(), row.owned());
            undo.0.push((key, before));
        }
        Ok(counts)
    }

    fn duplicate(&self, present: &OwnedRow, written: &RecordBatch, index: usize) -> Error {
        let present = self
            .converter
            .convert_rows([present.row()])
            .map_err(internal);
        let present = present.and_then(|arrays| batch(self.layout.schema(), arrays, 1));
        let present = present.map_or_else(|_| String::from("a row"), |row| describe_row(&row, 0));
        Error::duplicate_key(
            &self.name,
            &self.layout.key_names(),
            &present,
            &describe_row(written, index),
        )
    }

    fn assign(
        &mut self,
        rows: &RowFilter,
        set: &[(String, Scalar)],
        undo: &mut Undo,
    ) -> Result<Counts> {
        let matching = self.matching(rows)?;
        let batch = filter_record_batch(&self.batch()?, &matching).map_err(internal)?;
        let keys: Vec<Vec<u8>> = self
            .rows
            .keys()
            .zip(matching.iter())
            .filter(|(_, matches)| *matches == Some(true))
            .map(|(key, _)| key.clone())
            .collect();
        let mut arrays = batch.columns().to_vec();
        for (place, value) in self.layout.constants(set)? {
            arrays[place] = repeat(&value, batch.num_rows())?;
        }
        let converted = self.converter.convert_columns(&arrays).map_err(internal)?;
        let mut counts = Counts::default();
        for (key, row) in keys.into_iter().zip(&converted) {
            if self
                .rows
                .get(&key)
                .is_some_and(|present| present.row() == row)
            {
                continue;
            }
            counts.updated += 1;
            let before = self.rows.insert(key.clone(), row.owned());
            undo.0.push((key, before));
        }
        Ok(counts)
    }

    fn remove(&mut self, keys: Vec<Vec<u8>>, undo: &mut Undo) -> Counts {
        let mut counts = Counts::default();
        for key in keys {
            if let Some(row) = self.rows.remove(&key) {
                counts.deleted += 1;
                undo.0.push((key, Some(row)));
            }
        }
        counts
    }

    fn keys_of(&mut self, arrays: &[ArrayRef], count: usize) -> Result<Vec<Vec<u8>>> {
        if self.layout.key.is_empty() {
            let first = self.next;
            self.next += count as u64;
            return Ok((first..self.next)
                .map(|number| number.to_be_bytes().to_vec())
                .collect());
        }
        let columns: Vec<ArrayRef> = self
            .layout
            .key
            .iter()
            .map(|place| Arc::clone(&arrays[*place]))
            .collect();
        let keys = converter(columns.iter().map(|column| column.data_type().clone()))?
            .convert_columns(&columns)
            .map_err(internal)?;
        Ok(keys.iter().map(|key| key.as_ref().to_vec()).collect())
    }

    fn batch(&self) -> Result<RecordBatch> {
        let rows = self.rows.values().map(OwnedRow::row);
        let arrays = self.converter.convert_rows(rows).map_err(internal)?;
        batch(self.layout.schema(), arrays, self.rows.len())
    }

    fn matching(&self, filter: &RowFilter) -> Result<BooleanArray> {
        let rows = self.batch()?;
        let mut matching = BooleanArray::from(vec![true; rows.num_rows()]);
        for (place, value) in self.layout.filter(filter)? {
            let column = rows.column(place);
            let equal = if value.is_null(0) {
                is_null(column).map_err(internal)?
            } else {
                cmp::not_distinct(column, &arrow::array::Scalar::new(value)).map_err(internal)?
            };
            matching = boolean::and(&matching, &equal).map_err(internal)?;
        }
        Ok(matching)
    }

    /// The rows that meet a condition, or `None` if its constant is not of the column's type.
    fn condition(&self, rows: &RecordBatch, condition: &Condition) -> Result<Option<BooleanArray>> {
        let place = self.place(&condition.column)?;
        let constant = [(condition.column.clone(), condition.value.clone())];
        let Ok(constants) = self.layout.constants(&constant) else {
            return Ok(None);
        };
        let Some((_, value)) = constants.into_iter().next() else {
            return Ok(None);
        };
        let (column, value) = (rows.column(place), arrow::array::Scalar::new(value));
        let matches = match condition.operator {
            "=" => cmp::eq(column, &value),
            "<>" => cmp::neq(column, &value),
            "<" => cmp::lt(column, &value),
            "<=" => cmp::lt_eq(column, &value),
            ">" => cmp::gt(column, &value),
            ">=" => cmp::gt_eq(column, &value),
            _ => return Ok(None),
        };
        matches.map(Some).map_err(internal)
    }

    fn place(&self, name: &str) -> Result<usize> {
        let mut columns = self.layout.columns.iter();
        columns
            .position(|column| column.name.eq_ignore_ascii_case(name))
            .ok_or_else(|| {
                Error::new(
                    ErrorKind::NotFound,
                    format!("{} has no column `{name}`", self.name),
                )
            })
    }
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table")
            .field("name", &self.name)
            .field("rows", &self.rows.len())
            .finish_non_exhaustive()
    }
}

fn converter(types: impl Iterator<Item = arrow::datatypes::DataType>) -> Result<RowConverter> {
    RowConverter::new(types.map(SortField::new).collect()).map_err(internal)
}

fn repeat(value: &ArrayRef, count: usize) -> Result<ArrayRef> {
    take(
        value,
        &arrow::array::UInt32Array::from(vec![0; count]),
        None,
    )
    .map_err(internal)
}

fn batch(schema: SchemaRef, columns: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(schema, columns, &options).map_err(internal)
}

fn internal(error: ArrowError) -> Error {
    Error::new(ErrorKind::Database, error.to_string()).with_source(error)
}
