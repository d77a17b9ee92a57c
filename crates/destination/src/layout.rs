//! How the columns of a plan meet those of the table, and changes made ready to be applied.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, RecordBatch, UInt32Array, new_null_array,
};
use arrow::compute::take_record_batch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::row::{RowConverter, SortField};

use crate::convert::{constant, convert};
use crate::retention::{ACTIVE, DELETED, END, START};
use crate::{
    Change, ColumnType, Error, LoadPlan, Result, Retention, RowFilter, Scalar, TableName, code,
};

/// One stored column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredColumn {
    /// Its name as the table spells it.
    pub name: String,
    /// Its type.
    pub column_type: ColumnType,
    /// It is part of the key, and NOT NULL.
    pub key: bool,
}

/// The stored columns of a table, and which of them a load writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// All columns of ours, in the table's order.
    pub columns: Vec<StoredColumn>,
    /// For each column of the plan its place in `columns`; then the places of those that [`Layout::prepare`] fills.
    pub written: Vec<usize>,
    /// How many of `written` are columns of the plan.
    pub planned: usize,
    /// For each key column its place in `columns`.
    pub key: Vec<usize>,
    /// What becomes of rows that leave.
    pub keeping: Keeping,
}

/// What becomes of rows that leave: a [`Retention`] with the places of its columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeping {
    /// They are deleted.
    Nothing,
    /// They are marked in the column at this place.
    Deleted(usize),
    /// Their active versions are closed.
    Versions(Versions),
}

/// The places of what tells versions apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Versions {
    /// [`ACTIVE`].
    pub active: usize,
    /// [`START`].
    pub start: usize,
    /// [`END`].
    pub end: usize,
    /// The column of the plan that a start is copied from.
    change: usize,
    /// The end of versions whose rows are deleted, in microseconds since 1970, unless they start later.
    pub now: i64,
}

/// What makes a table of one layout one of another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evolution {
    /// Places of columns that the table lacks.
    pub added: Vec<usize>,
    /// Places of columns whose type becomes a wider one, with the type they have.
    pub widened: Vec<(usize, ColumnType)>,
    /// Places of columns that the plan drops: they become NULL.
    pub retired: Vec<usize>,
    /// The key is another one, so that the rows cannot stay.
    pub rekeyed: bool,
}

impl Layout {
    /// The layout of a new table.
    ///
    /// # Errors
    /// [`UNSUPPORTED`](code::UNSUPPORTED) if the plan has no column, one without a name, two of one
    /// name (ASCII case ignored), or a key that is not among its columns.
    pub fn of(plan: &LoadPlan) -> Result<Self> {
        if plan.columns.is_empty() {
            return Err(Error::new(
                code::UNSUPPORTED,
                "a table needs at least one column",
            ));
        }
        let mut columns: Vec<StoredColumn> = Vec::with_capacity(plan.columns.len());
        for column in &plan.columns {
            let name = column.field.name();
            check_name("column", name)?;
            if columns
                .iter()
                .any(|other| other.name.eq_ignore_ascii_case(name))
            {
                let message = format!("two columns are named `{name}` (case is ignored)");
                return Err(Error::new(code::UNSUPPORTED, message)
                    .with_hint("give one of them another name with AS"));
            }
            let column_type = ColumnType::of(&column.field);
            columns.push(StoredColumn {
                name: name.clone(),
                column_type,
                key: false,
            });
        }
        let mut key = Vec::with_capacity(plan.key.len());
        for name in &plan.key {
            let place = position(&columns, name).filter(|place| !key.contains(place));
            let place = place.ok_or_else(|| {
                let message = format!("the key column `{name}` is not among the columns, or twice");
                Error::new(code::UNSUPPORTED, message)
            })?;
            columns[place].key = true;
            key.push(place);
        }
        if plan.retention != Retention::Nothing && key.is_empty() {
            let message = "rows that leave can only be kept in a table with a key";
            return Err(Error::new(code::UNSUPPORTED, message));
        }
        let planned = columns.len();
        for (name, column_type) in plan.retention.columns() {
            if let Some(place) = position(&columns, name) {
                let message = format!("the name `{}` is reserved", columns[place].name);
                return Err(Error::new(code::UNSUPPORTED, message)
                    .with_hint("give the column another name with AS"));
            }
            let is_start = *name == START;
            if is_start {
                key.push(columns.len());
            }
            columns.push(StoredColumn {
                name: (*name).to_owned(),
                column_type: *column_type,
                key: is_start,
            });
        }
        let keeping = Keeping::of(&columns, &plan.retention)?;
        Ok(Self {
            written: (0..columns.len()).collect(),
            columns,
            planned,
            key,
            keeping,
        })
    }

    /// The layout in which `plan` is written to a table that has the columns and the key given, and what
    /// has to be done to the table first.
    ///
    /// # Errors
    /// Those of [`Layout::of`], and [`INCOMPATIBLE`](code::INCOMPATIBLE), naming column and types, if a
    /// type cannot be widened, or if only one of both has versions.
    pub fn evolve(present: &Schema, key: &[String], plan: &LoadPlan) -> Result<(Self, Evolution)> {
        let wanted = Self::of(plan)?;
        let mut layout = Self::stored(present, key)?;
        let has_versions = key.iter().any(|name| name.eq_ignore_ascii_case(START));
        if has_versions != matches!(wanted.keeping, Keeping::Versions(_)) {
            let message = if has_versions {
                "the table keeps all versions of its rows, and would lose them"
            } else {
                "the table has rows without versions, and cannot begin to keep them"
            };
            return Err(Error::new(code::INCOMPATIBLE, message)
                .with_hint("replace the table with DropTable = TRUE, or load into another one"));
        }
        let wanted_key = wanted.key_names();
        let mut evolution = Evolution {
            rekeyed: key.len() != wanted_key.len()
                || !wanted_key
                    .iter()
                    .all(|name| key.iter().any(|k| k.eq_ignore_ascii_case(name))),
            ..Evolution::default()
        };
        layout.written.clear();
        for (index, column) in wanted.columns.iter().enumerate() {
            let Some(place) = position(&layout.columns, &column.name) else {
                evolution.added.push(layout.columns.len());
                layout.written.push(layout.columns.len());
                layout.columns.push(column.clone());
                continue;
            };
            layout.written.push(place);
            let stored = &mut layout.columns[place];
            stored.key = column.key;
            let planned = plan.columns.get(index);
            if planned.is_some_and(|planned| planned.field.data_type() == &DataType::Null) {
                continue;
            }
            let (from, to) = (stored.column_type, column.column_type);
            stored.column_type = from.widen(to).ok_or_else(|| {
                let message = format!("column `{}` holds {from} and cannot take {to}", stored.name);
                Error::new(code::INCOMPATIBLE, message).with_hint(format!(
                    "convert it with CAST, name it otherwise with AS, or replace the table with \
                     DropTable = TRUE; it now keeps {from}"
                ))
            })?;
            if stored.column_type != from {
                evolution.widened.push((place, from));
            }
        }
        // A row that is written is there, also where rows that left are no longer kept.
        layout.written.extend(
            position(&layout.columns, DELETED).filter(|place| !layout.written.contains(place)),
        );
        for (place, column) in layout.columns.iter_mut().enumerate() {
            if !layout.written.contains(&place) {
                column.key = false;
                let is_it = |dropped: &String| dropped.eq_ignore_ascii_case(&column.name);
                if plan.dropped.iter().any(is_it) {
                    evolution.retired.push(place);
                }
            }
        }
        layout.key = wanted_key
            .iter()
            .filter_map(|name| position(&layout.columns, name))
            .collect();
        layout.planned = wanted.planned;
        layout.keeping = Keeping::of(&layout.columns, &plan.retention)?;
        Ok((layout, evolution))
    }

    /// The layout in which `plan` goes on with a staging of the layout given; `None`: it is gone.
    ///
    /// # Errors
    /// [`INCOMPATIBLE`](code::INCOMPATIBLE) if the staging has other columns or another key, or is gone.
    pub fn resume(table: &TableName, staging: Option<&Self>, plan: &LoadPlan) -> Result<Self> {
        let met = staging
            .map(|staging| Self::evolve(&staging.schema(), &staging.key_names(), plan))
            .transpose()?;
        match met {
            Some((layout, evolution)) if evolution == Evolution::default() => Ok(layout),
            _ => {
                let message = format!("what was staged for {table} does not fit its columns");
                Err(Error::new(code::INCOMPATIBLE, message))
            }
        }
    }

    /// The layout of a table as it is, all columns written.
    ///
    /// # Errors
    /// [`DATABASE`](code::DATABASE) if a key column is not among the columns.
    pub fn stored(columns: &Schema, key: &[String]) -> Result<Self> {
        let mut columns: Vec<StoredColumn> = columns
            .fields()
            .iter()
            .map(|field| StoredColumn {
                name: field.name().clone(),
                column_type: ColumnType::of(field),
                key: false,
            })
            .collect();
        let mut places = Vec::with_capacity(key.len());
        for name in key {
            let place = position(&columns, name).ok_or_else(|| {
                Error::new(
                    code::DATABASE,
                    format!("the key column `{name}` is missing"),
                )
            })?;
            columns[place].key = true;
            places.push(place);
        }
        Ok(Self {
            written: (0..columns.len()).collect(),
            planned: columns.len(),
            columns,
            key: places,
            keeping: Keeping::Nothing,
        })
    }

    /// The columns as Arrow sees them when they are read.
    pub fn schema(&self) -> SchemaRef {
        let field = |column: &StoredColumn| column.column_type.field(&column.name, !column.key);
        Arc::new(Schema::new(
            self.columns.iter().map(field).collect::<Vec<Field>>(),
        ))
    }

    /// The places of the columns that tell rows apart: the key, without a version's start.
    pub fn row_key(&self) -> &[usize] {
        match self.keeping {
            Keeping::Versions(versions) => self
                .key
                .strip_suffix(&[versions.start])
                .unwrap_or(&self.key),
            Keeping::Nothing | Keeping::Deleted(_) => &self.key,
        }
    }

    /// The columns of [`Layout::row_key`].
    pub fn key_schema(&self) -> SchemaRef {
        let field = |place: &usize| {
            let column = &self.columns[*place];
            column.column_type.field(&column.name, false)
        };
        Arc::new(Schema::new(
            self.row_key().iter().map(field).collect::<Vec<Field>>(),
        ))
    }

    /// The names of the key columns.
    pub fn key_names(&self) -> Vec<String> {
        self.key
            .iter()
            .map(|place| self.columns[*place].name.clone())
            .collect()
    }

    /// Checks a change and converts its values to the stored types, so that a destination meets only the
    /// types of [`ColumnType::data_type`]: the columns of an upsert stand in the order of
    /// [`Layout::written`], what the plan lacks of them filled in, those of a delete in that of
    /// [`Layout::row_key`], and of the rows of an upsert that have one key the last alone is left. Rows that leave
    /// come as they are only where they are kept, else as a delete.
    ///
    /// # Errors
    /// [`BAD_VALUE`](code::BAD_VALUE) for other columns than planned, a NULL in the key, and a value that
    /// does not fit; [`NOT_FOUND`](code::NOT_FOUND) for an unknown column;
    /// [`UNSUPPORTED`](code::UNSUPPORTED) for a delete without a key.
    pub fn prepare(&self, change: Change) -> Result<Change> {
        Ok(match change {
            Change::Upsert(batch) => {
                Change::Upsert(self.last_of_each_key(self.whole(&batch, false)?)?)
            }
            Change::Insert(batch) => Change::Insert(self.whole(&batch, false)?),
            Change::Delete(_) | Change::Leave(_) if self.key.is_empty() => {
                let message = "rows of a table without a key cannot be deleted by key";
                return Err(Error::new(code::UNSUPPORTED, message));
            }
            Change::Delete(batch) => {
                let batch = self.convert(&batch, self.row_key())?;
                self.check_key(&batch, self.row_key())?;
                Change::Delete(batch)
            }
            Change::Leave(batch) => {
                let batch = self.last_of_each_key(self.whole(&batch, true)?)?;
                match self.keeping {
                    Keeping::Nothing => {
                        let find = |place: &usize| self.written.iter().position(|w| w == place);
                        let key: Vec<usize> = self.key.iter().filter_map(find).collect();
                        Change::Delete(batch.project(&key).map_err(internal)?)
                    }
                    Keeping::Deleted(_) | Keeping::Versions(_) => Change::Leave(batch),
                }
            }
            Change::DeleteWhere(filter) => {
                self.constants(&filter.0)?;
                Change::DeleteWhere(filter)
            }
            Change::Assign { rows, set } => {
                self.constants(&rows.0)?;
                for (place, _) in self.constants(&set)? {
                    if self.columns[place].key {
                        let name = &self.columns[place].name;
                        let message = format!("the key column `{name}` cannot be assigned");
                        return Err(Error::new(code::UNSUPPORTED, message));
                    }
                }
                Change::Assign { rows, set }
            }
        })
    }

    /// Columns and constants as places and arrays of one stored value.
    ///
    /// # Errors
    /// [`NOT_FOUND`](code::NOT_FOUND) for an unknown column, [`BAD_VALUE`](code::BAD_VALUE) for a
    /// constant that is not of the column's type.
    pub fn constants(&self, values: &[(String, Scalar)]) -> Result<Vec<(usize, ArrayRef)>> {
        let find = |(name, value): &(String, Scalar)| {
            let place = position(&self.columns, name).ok_or_else(|| {
                Error::new(
                    code::NOT_FOUND,
                    format!("the table has no column `{name}` of ours"),
                )
            })?;
            Ok((place, constant(value, self.columns[place].column_type)?))
        };
        values.iter().map(find).collect()
    }

    /// As [`Layout::constants`], of a filter.
    ///
    /// # Errors
    /// Those of [`Layout::constants`].
    pub fn filter(&self, rows: &RowFilter) -> Result<Vec<(usize, ArrayRef)>> {
        self.constants(&rows.0)
    }

    fn convert(&self, batch: &RecordBatch, places: &[usize]) -> Result<RecordBatch> {
        let schema = batch.schema();
        let named = places.iter().zip(schema.fields()).find(|(place, field)| {
            !self.columns[**place]
                .name
                .eq_ignore_ascii_case(field.name())
        });
        if batch.num_columns() != places.len() || named.is_some() {
            let given: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
            let wanted: Vec<&str> = places
                .iter()
                .map(|p| self.columns[*p].name.as_str())
                .collect();
            let (given, wanted) = (given.join(", "), wanted.join(", "));
            let message = format!("the columns ({given}) are written where ({wanted}) are planned");
            return Err(Error::new(code::BAD_VALUE, message));
        }
        self.stored_batch(places, batch.columns().to_vec(), batch.num_rows())
    }

    /// The rows of an upsert in all written columns; `left` says whether they are marked.
    fn whole(&self, batch: &RecordBatch, left: bool) -> Result<RecordBatch> {
        let planned = self.convert(batch, &self.written[..self.planned])?;
        let rows = planned.num_rows();
        let mut arrays = planned.columns().to_vec();
        for place in &self.written[self.planned..] {
            let flag = |value: bool| Arc::new(BooleanArray::from(vec![value; rows])) as ArrayRef;
            arrays.push(match self.keeping {
                Keeping::Versions(versions) if *place == versions.active => flag(true),
                Keeping::Versions(versions) if *place == versions.start => {
                    let is_change = |written: &usize| *written == versions.change;
                    let index = self.written.iter().position(is_change).unwrap_or_default();
                    Arc::clone(&arrays[index])
                }
                Keeping::Versions(_) => {
                    new_null_array(&self.columns[*place].column_type.data_type(), rows)
                }
                Keeping::Nothing | Keeping::Deleted(_) => flag(left),
            });
        }
        let batch = self.written_batch(arrays, rows)?;
        self.check_key(&batch, &self.written)?;
        Ok(batch)
    }

    /// A batch of all written columns, converted to the stored types.
    pub(crate) fn written_batch(&self, arrays: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch> {
        self.stored_batch(&self.written, arrays, rows)
    }

    fn stored_batch(
        &self,
        places: &[usize],
        arrays: Vec<ArrayRef>,
        rows: usize,
    ) -> Result<RecordBatch> {
        let columns = places.iter().map(|place| &self.columns[*place]);
        let converted = columns.clone().zip(&arrays).map(|(column, array)| {
            convert(array, column.column_type).map_err(|error| {
                Error::new(error.code(), format!("column `{}`: {error}", column.name))
                    .with_source(error)
            })
        });
        let converted = converted.collect::<Result<Vec<_>>>()?;
        let fields: Vec<Field> = columns
            .map(|column| column.column_type.field(&column.name, true))
            .collect();
        let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), converted, &options)
            .map_err(internal)
    }

    /// Refuses a NULL in the key columns of a batch whose columns are those at `places`.
    fn check_key(&self, batch: &RecordBatch, places: &[usize]) -> Result<()> {
        for (place, array) in places.iter().zip(batch.columns()) {
            let column = &self.columns[*place];
            if column.key && array.null_count() > 0 {
                let message = format!("the key column `{}` is NULL in a row", column.name);
                return Err(Error::new(code::BAD_VALUE, message)
                    .with_hint("a key must have a value in every row; choose other key columns"));
            }
        }
        Ok(())
    }

    fn last_of_each_key(&self, batch: RecordBatch) -> Result<RecordBatch> {
        if self.key.is_empty() || batch.num_rows() < 2 {
            return Ok(batch);
        }
        let columns: Vec<ArrayRef> = self
            .key
            .iter()
            .filter_map(|place| self.written.iter().position(|w| w == place))
            .map(|index| Arc::clone(batch.column(index)))
            .collect();
        let fields = columns
            .iter()
            .map(|c| SortField::new(c.data_type().clone()))
            .collect();
        let rows = RowConverter::new(fields)
            .and_then(|converter| converter.convert_columns(&columns))
            .map_err(internal)?;
        let mut last = HashMap::with_capacity(batch.num_rows());
        let mut kept: Vec<bool> = vec![true; batch.num_rows()];
        for (index, row) in rows.iter().enumerate() {
            if let Some(earlier) = last.insert(row, index) {
                kept[earlier] = false;
            }
        }
        if last.len() == batch.num_rows() {
            return Ok(batch);
        }
        arrow::compute::filter_record_batch(&batch, &BooleanArray::from(kept)).map_err(internal)
    }
}

impl Keeping {
    fn of(columns: &[StoredColumn], retention: &Retention) -> Result<Self> {
        let place = |name: &str| position(columns, name).unwrap_or_default();
        Ok(match retention {
            Retention::Nothing => Self::Nothing,
            Retention::Deleted => Self::Deleted(place(DELETED)),
            Retention::Versions { change, now } => {
                let is_instant = |place: &usize| columns[*place].column_type == ColumnType::Instant;
                let change = position(columns, change)
                    .filter(is_instant)
                    .ok_or_else(|| {
                        let message =
                            format!("the change column `{change}` is no instant of the table");
                        Error::new(code::UNSUPPORTED, message)
                    })?;
                Self::Versions(Versions {
                    active: place(ACTIVE),
                    start: place(START),
                    end: place(END),
                    change,
                    now: now.timestamp_micros(),
                })
            }
        })
    }

    /// How many rows the table has more, and how many less, after changes that are counted so.
    pub fn rows(self, counts: &crate::Counts) -> (u64, u64) {
        match self {
            Self::Nothing => (counts.inserted, counts.deleted),
            Self::Deleted(_) | Self::Versions(_) => (counts.inserted, 0),
        }
    }
}

/// Refuses a name that no destination can use.
///
/// # Errors
/// [`UNSUPPORTED`](code::UNSUPPORTED) if it is empty or has a NUL in it.
pub fn check_name(what: &str, name: &str) -> Result<()> {
    if name.is_empty() {
        return Err(Error::new(
            code::UNSUPPORTED,
            format!("a {what} needs a name"),
        ));
    }
    if name.contains('\0') {
        let message = format!("the {what} name {name:?} has a NUL character in it");
        return Err(Error::new(code::UNSUPPORTED, message));
    }
    Ok(())
}

/// One row for a message: `{Id: 7, Title: A long ti…}`.
pub fn describe_row(batch: &RecordBatch, row: usize) -> String {
    let one = UInt32Array::from(vec![u32::try_from(row).unwrap_or(0)]);
    let Ok(row) = take_record_batch(batch, &one) else {
        return String::from("{}");
    };
    let cell = |(field, array): (&Arc<Field>, &ArrayRef)| {
        let text = arrow::compute::cast(array, &DataType::Utf8)
            .ok()
            .filter(|text| text.is_valid(0))
            .map_or_else(
                || String::from("NULL"),
                |text| text.as_string::<i32>().value(0).into(),
            );
        let mut short: String = text.chars().take(40).collect();
        if short.len() < text.len() {
            short.push('…');
        }
        format!("{}: {short}", field.name())
    };
    let schema = row.schema();
    let cells: Vec<String> = schema
        .fields()
        .iter()
        .zip(row.columns())
        .take(8)
        .map(cell)
        .collect();
    let more = if schema.fields().len() > 8 {
        ", …"
    } else {
        ""
    };
    format!("{{{}{more}}}", cells.join(", "))
}

fn position(columns: &[StoredColumn], name: &str) -> Option<usize> {
    columns
        .iter()
        .position(|column| column.name.eq_ignore_ascii_case(name))
}

fn internal(error: arrow::error::ArrowError) -> Error {
    Error::new(code::DATABASE, error.to_string()).with_source(error)
}
