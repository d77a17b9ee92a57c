//! Rows in memory.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, RecordBatch, RecordBatchOptions,
    TimestampMicrosecondArray, new_null_array,
};
use arrow::compute::kernels::{boolean, cmp};
use arrow::compute::{filter_record_batch, is_null, take};
use arrow::datatypes::{Field, Schema, SchemaRef, TimestampMicrosecondType};
use arrow::error::ArrowError;
use arrow::row::{OwnedRow, RowConverter, SortField};

use crate::{
    Change, ColumnType, Condition, Counts, DELETED, Error, Evolution, Keeping, Layout, Place,
    Query, Result, RowFilter, TableName, Version, Versions, code, convert, describe_row, fault,
    fit,
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

    /// A table of the rows given.
    pub(super) fn of(name: TableName, rows: &RecordBatch, key: &[String]) -> Result<Self> {
        let layout = Layout::stored(&rows.schema(), key)?;
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
            arrays.push(match rows.column_by_name(&column.name) {
                Some(array) if !evolution.retired.contains(&place) => {
                    convert(array, column.column_type)?
                }
                // No row has left yet.
                None if column.name == DELETED => {
                    Arc::new(BooleanArray::from(vec![false; rows.num_rows()]))
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

    /// Adds rows that are given in some of the columns: all of them, or none after an error.
    pub(super) fn append(&mut self, rows: &[RecordBatch]) -> Result<u64> {
        let schema = self.layout.schema();
        let column = |given: &Field| {
            let mut fields = schema.fields().iter();
            let found = fields.find(|field| field.name().eq_ignore_ascii_case(given.name()));
            found.map(|field| field.as_ref().clone())
        };
        let mut undo = Undo::default();
        let mut inserted = 0;
        for batch in fit(&self.name, rows, column)? {
            let whole = schema.fields().iter().map(|field| {
                let given = batch.column_by_name(field.name()).cloned();
                given.unwrap_or_else(|| new_null_array(field.data_type(), batch.num_rows()))
            });
            let whole = RecordBatch::try_from_iter_with_nullable(
                schema
                    .fields()
                    .iter()
                    .map(|field| field.name())
                    .zip(whole)
                    .map(|(name, array)| (name, array, true)),
            );
            let whole = Change::Insert(whole.map_err(internal)?);
            let change = self.layout.prepare(whole);
            match change.and_then(|change| self.change(&change, &mut undo)) {
                Ok(counts) => inserted += counts.inserted,
                Err(error) => {
                    self.undo(undo);
                    return Err(error);
                }
            }
        }
        Ok(inserted)
    }

    /// Applies a change that [`Layout::prepare`] has made ready.
    pub(super) fn change(&mut self, change: &Change, undo: &mut Undo) -> Result<Counts> {
        match change {
            Change::Upsert(batch) => match self.layout.keeping {
                Keeping::Versions(versions) => self.add_versions(batch, versions, undo),
                Keeping::Nothing | Keeping::Deleted(_) => self.upsert(batch, false, undo),
            },
            Change::Insert(batch) => self.upsert(batch, true, undo),
            Change::Delete(batch) => {
                let rows = encoded(batch.columns())?;
                let keys = rows.iter().flat_map(|row| self.keys_of_row(row)).collect();
                self.delete(keys, undo)
            }
            Change::DeleteWhere(filter) => {
                let keys = self.keys_where(filter)?;
                self.delete(keys, undo)
            }
            Change::Leave(batch) => self.leave(batch, undo),
            Change::Assign { rows, set } => {
                let keys = self.keys_where(rows)?;
                let constants = self.layout.constants(set)?;
                let updated = self.rewrite(keys, undo, |columns, rows| {
                    for (place, value) in &constants {
                        columns[*place] = repeat(value, rows)?;
                    }
                    Ok(())
                })?;
                Ok(Counts {
                    updated,
                    ..Counts::default()
                })
            }
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

    /// Gives this table the rows of another one, whose columns are the written ones; `absent` says whether those
    /// that it lacks leave.
    pub(super) fn replace_with(&mut self, other: &Self, absent: bool) -> Result<Counts> {
        let written = self.layout.written.iter();
        let rows = other.batch()?;
        let columns = written.map(
            |place| match other.place(&self.layout.columns[*place].name) {
                Ok(place) => Ok(Arc::clone(rows.column(place))),
                // The staging of a load that keeps no rows that left.
                Err(_) if self.layout.columns[*place].name == DELETED => {
                    Ok(Arc::new(BooleanArray::from(vec![false; rows.num_rows()])) as ArrayRef)
                }
                Err(error) => Err(error),
            },
        );
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let rows = self.layout.written_batch(columns, rows.num_rows())?;
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
        let mut undo = Undo::default();
        let mut deleted = 0;
        if absent {
            let lacks = |key: &&Vec<u8>| !other.rows.contains_key(*key);
            let keys: Vec<Vec<u8>> = self.rows.keys().filter(lacks).cloned().collect();
            deleted = match self.layout.keeping {
                Keeping::Deleted(_) => self.delete(keys, &mut undo)?.deleted,
                Keeping::Nothing | Keeping::Versions(_) => self.remove(keys, &mut undo).deleted,
            };
        }
        let counts = self.upsert(&rows, false, &mut undo)?;
        Ok(Counts { deleted, ..counts })
    }

    /// The key columns of the rows that match and have not left.
    pub(super) fn keys(&self, filter: &RowFilter) -> Result<RecordBatch> {
        let rows = self.batch()?;
        let mut matching = self.matching(filter)?;
        let flag = |place: usize| rows.column(place).as_boolean();
        let present = match self.layout.keeping {
            Keeping::Nothing => None,
            Keeping::Deleted(deleted) => Some(boolean::not(flag(deleted)).map_err(internal)?),
            Keeping::Versions(versions) => Some(flag(versions.active).clone()),
        };
        if let Some(present) = present {
            matching = boolean::and(&matching, &present).map_err(internal)?;
        }
        let rows = filter_record_batch(&rows, &matching).map_err(internal)?;
        let columns = self
            .layout
            .row_key()
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
        let arrays = self.all_columns(written);
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
        fault::duplicate_key(
            &self.name,
            &self.layout.key_names(),
            &present,
            &describe_row(written, index),
        )
    }

    /// All columns of the table, from the written ones; the others are NULL.
    fn all_columns(&self, written: &RecordBatch) -> Vec<ArrayRef> {
        let column = |(place, column): (usize, &crate::StoredColumn)| match self
            .layout
            .written
            .iter()
            .position(|w| *w == place)
        {
            Some(index) => Arc::clone(written.column(index)),
            None => new_null_array(&column.column_type.data_type(), written.num_rows()),
        };
        self.layout.columns.iter().enumerate().map(column).collect()
    }

    /// Puts versions among those of their rows.
    fn add_versions(
        &mut self,
        written: &RecordBatch,
        versions: Versions,
        undo: &mut Undo,
    ) -> Result<Counts> {
        let arrays = self.all_columns(written);
        let rows = self.row_keys(&arrays)?;
        let keys = self.keys_of(&arrays, written.num_rows())?;
        let starts = moments(&arrays[versions.start]);
        let mut counts = Counts::default();
        for (index, key) in keys.into_iter().enumerate() {
            let mut row: Vec<ArrayRef> = arrays.iter().map(|it| it.slice(index, 1)).collect();
            let start = starts.value(index);
            let of_row = self.keys_of_row(&rows[index]);
            let present = self.columns_of(&of_row)?;
            let placed = Place::of(start, &stored_versions(&present, versions));
            let before = self.rows.get(&key).cloned();
            match placed {
                Place::Present { reopened } => {
                    let place = of_row.iter().position(|other| *other == key);
                    if let (Some(place), false) = (place, reopened) {
                        for column in [versions.active, versions.end] {
                            row[column] = present[column].slice(place, 1);
                        }
                    }
                }
                Place::New { closes, end } => {
                    let starts = moments(&present[versions.start]);
                    let closed = (0..of_row.len()).find(|at| Some(starts.value(*at)) == closes);
                    if let Some(closed) = closed {
                        self.rewrite(vec![of_row[closed].clone()], undo, |columns, _| {
                            columns[versions.active] = Arc::new(BooleanArray::from(vec![false]));
                            columns[versions.end] = instants(vec![Some(start)]);
                            Ok(())
                        })?;
                    }
                    row[versions.active] = Arc::new(BooleanArray::from(vec![end.is_none()]));
                    row[versions.end] = instants(vec![end]);
                }
            }
            let converted = self.converter.convert_columns(&row).map_err(internal)?;
            let row = converted.row(0).owned();
            match &before {
                Some(present) if *present == row => {
                    counts.unchanged += 1;
                    continue;
                }
                Some(_) => counts.updated += 1,
                None => counts.inserted += 1,
            }
            self.rows.insert(key.clone(), row);
            undo.0.push((key, before));
        }
        Ok(counts)
    }

    /// Lets rows go that do not belong to the table any more.
    fn leave(&mut self, written: &RecordBatch, undo: &mut Undo) -> Result<Counts> {
        let arrays = self.all_columns(written);
        let mut counts = Counts::default();
        match self.layout.keeping {
            Keeping::Nothing => {}
            Keeping::Deleted(deleted) => {
                let places = self.layout.written.clone();
                let keys = self.keys_of(&arrays, written.num_rows())?;
                for (index, key) in keys.into_iter().enumerate() {
                    let keys = vec![key];
                    let present = self.columns_of(&keys)?;
                    if present[deleted].is_empty() {
                        continue;
                    }
                    let had_left = present[deleted].as_boolean().value(0);
                    let differ = self.rewrite(keys, undo, |columns, _| {
                        for place in &places {
                            columns[*place] = arrays[*place].slice(index, 1);
                        }
                        Ok(())
                    })?;
                    if had_left {
                        counts.updated += differ;
                    } else {
                        counts.deleted += differ;
                    }
                }
            }
            Keeping::Versions(versions) => {
                let rows = self.row_keys(&arrays)?;
                let starts = moments(&arrays[versions.start]);
                for (row, start) in rows.iter().zip(starts.values()) {
                    let keys = self.keys_of_row(row);
                    counts.deleted += self.close(keys, versions, *start, undo)?;
                }
            }
        }
        Ok(counts)
    }

    /// Lets rows go that are no more.
    fn delete(&mut self, keys: Vec<Vec<u8>>, undo: &mut Undo) -> Result<Counts> {
        let deleted = match self.layout.keeping {
            Keeping::Nothing => return Ok(self.remove(keys, undo)),
            Keeping::Deleted(deleted) => self.rewrite(keys, undo, |columns, rows| {
                columns[deleted] = Arc::new(BooleanArray::from(vec![true; rows]));
                Ok(())
            })?,
            Keeping::Versions(versions) => self.close(keys, versions, versions.now, undo)?,
        };
        Ok(Counts {
            deleted,
            ..Counts::default()
        })
    }

    /// Ends those of some versions that are in force.
    fn close(
        &mut self,
        keys: Vec<Vec<u8>>,
        versions: Versions,
        at: i64,
        undo: &mut Undo,
    ) -> Result<u64> {
        self.rewrite(keys, undo, |columns, rows| {
            let ends = stored_versions(columns, versions).into_iter();
            let ends = ends.map(|it| {
                if it.active {
                    Some(at.max(it.start))
                } else {
                    it.end
                }
            });
            columns[versions.end] = instants(ends.collect());
            columns[versions.active] = Arc::new(BooleanArray::from(vec![false; rows]));
            Ok(())
        })
    }

    /// Gives rows other values, and counts those that differ.
    fn rewrite(
        &mut self,
        mut keys: Vec<Vec<u8>>,
        undo: &mut Undo,
        change: impl FnOnce(&mut [ArrayRef], usize) -> Result<()>,
    ) -> Result<u64> {
        keys.retain(|key| self.rows.contains_key(key));
        let mut columns = self.columns_of(&keys)?;
        change(&mut columns, keys.len())?;
        let converted = self.converter.convert_columns(&columns).map_err(internal)?;
        let mut differ = 0;
        for (key, row) in keys.into_iter().zip(&converted) {
            let before = self.rows.get(&key);
            if before.is_some_and(|present| present.row() == row) {
                continue;
            }
            differ += 1;
            let before = self.rows.insert(key.clone(), row.owned());
            undo.0.push((key, before));
        }
        Ok(differ)
    }

    /// The columns of the rows that have these keys.
    fn columns_of(&self, keys: &[Vec<u8>]) -> Result<Vec<ArrayRef>> {
        let rows = keys.iter().filter_map(|key| self.rows.get(key));
        let rows = rows.map(OwnedRow::row);
        self.converter.convert_rows(rows).map_err(internal)
    }

    /// The keys of the rows that match.
    fn keys_where(&self, filter: &RowFilter) -> Result<Vec<Vec<u8>>> {
        let matching = self.matching(filter)?;
        let keys = self.rows.keys().zip(matching.iter());
        let keys = keys.filter(|(_, matches)| *matches == Some(true));
        Ok(keys.map(|(key, _)| key.clone()).collect())
    }

    /// The keys that begin with what tells a row apart: one, or one a version.
    fn keys_of_row(&self, row: &[u8]) -> Vec<Vec<u8>> {
        let from = self.rows.range(row.to_vec()..).map(|(key, _)| key);
        from.take_while(|key| key.starts_with(row))
            .cloned()
            .collect()
    }

    fn row_keys(&self, arrays: &[ArrayRef]) -> Result<Vec<Vec<u8>>> {
        let places = self.layout.row_key().iter();
        let columns: Vec<ArrayRef> = places.map(|place| Arc::clone(&arrays[*place])).collect();
        encoded(&columns)
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
        let places = self.layout.key.iter();
        let columns: Vec<ArrayRef> = places.map(|place| Arc::clone(&arrays[*place])).collect();
        encoded(&columns)
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
                    code::NOT_FOUND,
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

/// Rows of key columns as bytes; those of fewer columns are the beginnings of those of more.
fn encoded(columns: &[ArrayRef]) -> Result<Vec<Vec<u8>>> {
    let rows = converter(columns.iter().map(|column| column.data_type().clone()))?
        .convert_columns(columns)
        .map_err(internal)?;
    Ok(rows.iter().map(|row| row.as_ref().to_vec()).collect())
}

fn moments(column: &ArrayRef) -> &TimestampMicrosecondArray {
    column.as_primitive::<TimestampMicrosecondType>()
}

fn instants(moments: Vec<Option<i64>>) -> ArrayRef {
    let moments = TimestampMicrosecondArray::from(moments);
    Arc::new(moments.with_data_type(ColumnType::Instant.data_type()))
}

fn stored_versions(columns: &[ArrayRef], versions: Versions) -> Vec<Version> {
    let active = columns[versions.active].as_boolean();
    let (starts, ends) = (
        moments(&columns[versions.start]),
        moments(&columns[versions.end]),
    );
    let version = |row: usize| Version {
        start: starts.value(row),
        end: ends.is_valid(row).then(|| ends.value(row)),
        active: active.value(row),
    };
    (0..active.len()).map(version).collect()
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
    Error::new(code::DATABASE, error.to_string()).with_source(error)
}
