//! The rows of the copy, short enough to hold them all.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::compute::filter_record_batch;
use arrow::compute::kernels::boolean::not;
use arrow::datatypes::{SchemaRef, TimestampMicrosecondType};
use arrow::error::ArrowError;
use arrow::row::{RowConverter, SortField};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use bucketline_destination::{ACTIVE, ColumnType, DELETED, Destination, Query, convert};
use futures::TryStreamExt;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{Check, Difference};
use crate::columns::build;
use crate::prepare::Prepared;
use crate::statement::Statement;
use crate::{Error, Result, code};

/// A key, encoded.
type Key = Box<[u8]>;

/// The first bytes of a SHA-256.
type Values = [u8; 16];

/// The values of the columns by which the rows of a slice are found.
pub(super) type Place = Vec<Option<String>>;

/// What the copy has, by slice.
pub(super) struct Copy {
    slices: HashMap<Place, BTreeMap<Key, Row>>,
    encoder: Encoder,
    key_schema: SchemaRef,
    change: Option<String>,
}

/// A row of the copy.
struct Row {
    values: Values,
    change: Option<i64>,
    /// The source has it, or it was not looked for.
    seen: bool,
}

impl Copy {
    /// Reads the rows that have not left.
    pub(super) async fn read(
        destination: &dyn Destination,
        statement: &Statement,
        prepared: &Prepared,
        change: Option<&str>,
        with_values: bool,
    ) -> Result<Self> {
        let table = &statement.table;
        let there = destination.table(table).await?;
        let stored = there
            .map(|info| info.schema)
            .unwrap_or_else(|| Arc::new(arrow::datatypes::Schema::empty()));
        let layout = &prepared.layout;
        let schema = layout.schema();
        let key = layout.key_names();
        let is_read =
            |name: &str| with_values || key.iter().any(|it| it == name) || change == Some(name);
        // Those of one query are those of all.
        let place: Vec<&str> = match prepared.rows.first() {
            Some(rows) => rows.place_columns().collect(),
            None => Vec::new(),
        };
        let names = schema.fields().iter().map(|field| field.name().as_str());
        let mut names: Vec<&str> = names
            .filter(|name| is_read(name) || place.contains(name))
            .collect();
        let marks = [DELETED, ACTIVE];
        let marks = marks
            .iter()
            .filter(|name| stored.field_with_name(name).is_ok());
        names.extend(marks);
        let query = Query {
            table: table.clone(),
            columns: names.iter().map(|name| (*name).to_owned()).collect(),
            conditions: Vec::new(),
            limit: None,
        };
        let mut copy = Self {
            slices: HashMap::new(),
            encoder: Encoder::new(layout.schema(), &layout.key, &stored, with_values)?,
            key_schema: Arc::clone(layout.key_schema()),
            change: change.map(str::to_owned),
        };
        let mut batches = destination.read(&query).await?;
        while let Some(batch) = batches.try_next().await? {
            copy.add(&present(batch)?, &place)?;
        }
        Ok(copy)
    }

    fn add(&mut self, rows: &RecordBatch, place: &[&str]) -> Result<()> {
        let (keys, values) = self.encoder.encode(rows)?;
        let changes = self.changes(rows);
        let texts = |name: &&str| column(rows, name).and_then(|it| it.as_string_opt::<i32>());
        let texts: Vec<_> = place.iter().map(texts).collect();
        for (index, (key, values)) in keys.into_iter().zip(values).enumerate() {
            let text = |texts: &Option<&StringArray>| {
                let texts = texts.filter(|it| it.is_valid(index))?;
                Some(texts.value(index).to_owned())
            };
            let slice = texts.iter().map(text).collect();
            let row = Row {
                values,
                change: changes[index],
                seen: false,
            };
            self.slices.entry(slice).or_default().insert(key, row);
        }
        Ok(())
    }

    /// The values of the change column, where it is of interest.
    fn changes(&self, rows: &RecordBatch) -> Vec<Option<i64>> {
        let change = self.change.as_deref().and_then(|name| column(rows, name));
        let moments = change
            .and_then(|column| convert(column, ColumnType::Instant).ok())
            .and_then(|column| {
                column
                    .as_primitive_opt::<TimestampMicrosecondType>()
                    .cloned()
            });
        match moments {
            Some(moments) => moments.iter().collect(),
            None => vec![None; rows.num_rows()],
        }
    }

    /// How rows of the source differ from those of the copy.
    pub(super) fn compare(
        &mut self,
        slice: &Place,
        rows: &RecordBatch,
    ) -> Result<Vec<(usize, Difference)>> {
        let (keys, values) = self.encoder.encode(rows)?;
        let of_slice = self.slices.entry(slice.clone()).or_default();
        let mut differences = Vec::new();
        for (index, (key, values)) in keys.into_iter().zip(values).enumerate() {
            match of_slice.get_mut(&key) {
                None => {
                    // Given twice, it is missing once.
                    let row = Row {
                        values,
                        change: None,
                        seen: true,
                    };
                    of_slice.insert(key, row);
                    differences.push((index, Difference::Missing));
                }
                Some(row) => {
                    if !row.seen && row.values != values {
                        differences.push((index, Difference::Modified));
                    }
                    row.seen = true;
                }
            }
        }
        Ok(differences)
    }

    /// Takes rows of these keys for seen.
    pub(super) fn see(&mut self, slice: &Place, keys: &RecordBatch) -> Result<()> {
        let keys = self.encoder.encode_keys(keys)?;
        if let Some(rows) = self.slices.get_mut(slice) {
            for key in keys {
                if let Some(row) = rows.get_mut(&key) {
                    row.seen = true;
                }
            }
        }
        Ok(())
    }

    /// Takes all rows of some slices for seen.
    pub(super) fn see_all(&mut self, which: impl Fn(&Place) -> bool) {
        for (slice, rows) in &mut self.slices {
            if which(slice) {
                rows.values_mut().for_each(|row| row.seen = true);
            }
        }
    }

    /// Whether rows of a slice are left that a check is about and that were not seen.
    pub(super) fn has_unseen(&self, slice: &Place, check: &Check) -> bool {
        let mut rows = self
            .slices
            .get(slice)
            .into_iter()
            .flat_map(BTreeMap::values);
        rows.any(|row| !row.seen && check.admits(row.change))
    }

    /// The keys of the rows that a check is about and that were not seen.
    pub(super) fn gone(&self, check: &Check) -> Result<RecordBatch> {
        let mut keys: Vec<&[u8]> = self
            .slices
            .values()
            .flatten()
            .filter(|(_, row)| !row.seen && check.admits(row.change))
            .map(|(key, _)| key.as_ref())
            .collect();
        keys.sort_unstable();
        build(self.encoder.decode_keys(&keys)?, &self.key_schema)
    }
}

/// Keys and values of rows as bytes, in the types that the destination stores.
struct Encoder {
    /// Names and types of the key columns.
    key: Vec<(String, ColumnType)>,
    /// The same of the others that are compared.
    others: Vec<(String, ColumnType)>,
    key_converter: RowConverter,
    converter: RowConverter,
}

impl Encoder {
    fn new(
        schema: &SchemaRef,
        key: &[usize],
        stored: &SchemaRef,
        with_values: bool,
    ) -> Result<Self> {
        let column = |index: usize| {
            let field = schema.field(index);
            let mut fields = stored.fields().iter();
            let there = fields.find(|it| it.name().eq_ignore_ascii_case(field.name()));
            let column_type = ColumnType::of(there.map_or(field, |it| it.as_ref()));
            (field.name().clone(), column_type)
        };
        let others = (0..schema.fields().len()).filter(|index| with_values && !key.contains(index));
        let (key, others): (Vec<_>, Vec<_>) = (
            key.iter().copied().map(column).collect(),
            others.map(column).collect(),
        );
        let converter = |columns: &[(String, ColumnType)]| {
            let field = |(_, it): &(String, ColumnType)| SortField::new(it.data_type());
            RowConverter::new(columns.iter().map(field).collect()).map_err(unusable)
        };
        Ok(Self {
            key_converter: converter(&key)?,
            converter: converter(&others)?,
            key,
            others,
        })
    }

    fn encode(&self, rows: &RecordBatch) -> Result<(Vec<Key>, Vec<Values>)> {
        let keys = self.encode_keys(rows)?;
        if self.others.is_empty() {
            let values = vec![Values::default(); keys.len()];
            return Ok((keys, values));
        }
        let mut arrays = stored(rows, &self.others)?;
        for (array, (_, column_type)) in arrays.iter_mut().zip(&self.others) {
            if *column_type == ColumnType::Json {
                *array = in_one_spelling(array);
            }
        }
        let rows = self.converter.convert_columns(&arrays).map_err(unusable)?;
        let values = rows.iter().map(|row| {
            let mut values = Values::default();
            values.copy_from_slice(&Sha256::digest(row.data())[..16]);
            values
        });
        Ok((keys, values.collect()))
    }

    fn encode_keys(&self, rows: &RecordBatch) -> Result<Vec<Key>> {
        let arrays = stored(rows, &self.key)?;
        let rows = self
            .key_converter
            .convert_columns(&arrays)
            .map_err(unusable)?;
        Ok(rows.iter().map(|row| row.data().into()).collect())
    }

    fn decode_keys(&self, keys: &[&[u8]]) -> Result<Vec<ArrayRef>> {
        let parser = self.key_converter.parser();
        let rows = keys.iter().map(|key| parser.parse(key));
        self.key_converter.convert_rows(rows).map_err(unusable)
    }
}

/// JSON texts of which those of equal values are equal: a destination may keep the value and not its spelling.
fn in_one_spelling(texts: &ArrayRef) -> ArrayRef {
    let spelled = |text: &str| match serde_json::from_str::<Value>(text) {
        Ok(mut value) => {
            plain_numbers(&mut value);
            value.sort_all_objects();
            value.to_string()
        }
        Err(_) => text.to_owned(),
    };
    let texts = texts.as_string::<i32>().iter();
    Arc::new(texts.map(|text| text.map(spelled)).collect::<StringArray>())
}

/// Writes `1.0` and `1e0` as `1`.
fn plain_numbers(value: &mut Value) {
    const EXACT: f64 = 9e15;
    match value {
        Value::Array(values) => values.iter_mut().for_each(plain_numbers),
        Value::Object(members) => members.values_mut().for_each(plain_numbers),
        Value::Number(number) => {
            let whole = number
                .as_f64()
                .filter(|it| it.fract() == 0.0 && it.abs() < EXACT);
            if let (Some(whole), false) = (whole, number.is_i64()) {
                *value = Value::from(whole as i64);
            }
        }
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

/// The columns of these names, in the types that the destination stores.
fn stored(rows: &RecordBatch, columns: &[(String, ColumnType)]) -> Result<Vec<ArrayRef>> {
    let array = |(name, column_type): &(String, ColumnType)| {
        let array = column(rows, name).ok_or_else(|| lost(name))?;
        convert(array, *column_type)
    };
    columns.iter().map(array).collect()
}

/// The key columns of rows.
pub(super) fn keys_of(rows: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let names = schema.fields().iter().map(|field| field.name());
    let arrays = names.map(|name| column(rows, name).cloned().ok_or_else(|| lost(name)));
    build(arrays.collect::<Result<_>>()?, schema)
}

fn column<'r>(rows: &'r RecordBatch, name: &str) -> Option<&'r ArrayRef> {
    let schema = rows.schema();
    let mut fields = schema.fields().iter();
    let index = fields.position(|field| field.name().eq_ignore_ascii_case(name))?;
    Some(rows.column(index))
}

fn lost(name: &str) -> Error {
    Error::new(code::CHECK, format!("the copy has no column {name}"))
        .with_hint("run its REPLICATE, which adds the column")
}

/// The rows of a batch that have not left.
fn present(batch: RecordBatch) -> Result<RecordBatch> {
    let flag = |name: &str| {
        batch
            .column_by_name(name)
            .and_then(|it| it.as_boolean_opt())
    };
    let keep = match (flag(DELETED), flag(ACTIVE)) {
        (_, Some(active)) => active.clone(),
        (Some(deleted), None) => not(deleted).map_err(unusable)?,
        (None, None) => return Ok(batch),
    };
    filter_record_batch(&batch, &keep).map_err(unusable)
}

/// A key as text: `Name=value`, separated by commas.
pub(super) fn describe(keys: &RecordBatch, row: usize) -> Result<String> {
    let options = FormatOptions::default();
    let schema = keys.schema();
    let columns = schema.fields().iter().zip(keys.columns());
    let text = columns.map(|(field, array)| {
        let cell = ArrayFormatter::try_new(array.as_ref(), &options).map_err(unusable)?;
        Ok(format!("{}={}", field.name(), cell.value(row)))
    });
    Ok(text.collect::<Result<Vec<_>>>()?.join(", "))
}

fn unusable(error: ArrowError) -> Error {
    Error::new(
        code::BAD_VALUE,
        format!("the rows cannot be compared: {error}"),
    )
}
