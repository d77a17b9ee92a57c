//! The destination's columns and key, and how batches become them.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{Field, Schema, SchemaRef};
use bucketline_destination::Column;

use crate::declared::{self, Declared, Rule};
use crate::{Error, Result, code};

/// The columns of the destination's table, each taken from one output of the query.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    /// The columns, key columns NOT NULL.
    pub(crate) columns: Vec<Column>,
    /// Which output each column is.
    pub(crate) picks: Vec<usize>,
    /// Indices of the key columns; empty: no key.
    pub(crate) key: Vec<usize>,
    /// What the values of the columns must be like; empty if nothing is declared.
    rules: Vec<Rule>,
    schema: SchemaRef,
    key_schema: SchemaRef,
}

impl Layout {
    /// Lays out the query's outputs. `source_key` names the outputs that are the source's key, `aliases` other names
    /// of outputs, each with the output's own.
    ///
    /// # Errors
    /// [`code::COLUMNS`](crate::code::COLUMNS) if the declared columns do not fit, or two columns share a name.
    pub(crate) fn new(
        outputs: &[Column],
        declared: Option<&Declared>,
        source_key: &[usize],
        aliases: &[(String, String)],
    ) -> Result<Self> {
        let (mut columns, picks) = match declared {
            None => (outputs.to_vec(), (0..outputs.len()).collect()),
            Some(declared) => declared_columns(outputs, declared, aliases)?,
        };
        for (index, column) in columns.iter().enumerate() {
            let name = column.field.name();
            if columns[..index]
                .iter()
                .any(|other| other.field.name().eq_ignore_ascii_case(name))
            {
                return Err(
                    Error::new(code::COLUMNS, format!("two columns are named {name}"))
                        .with_hint("give one of them another name with AS"),
                );
            }
        }
        let key = match declared {
            Some(declared) if !declared.key.is_empty() => declared
                .key
                .iter()
                .map(|name| {
                    position(&columns, name).ok_or_else(|| {
                        Error::new(
                            code::COLUMNS,
                            format!("PRIMARY KEY: {name} is not a declared column"),
                        )
                        .at(declared.span)
                    })
                })
                .collect::<Result<Vec<_>>>()?,
            _ => {
                let place = |output: &usize| picks.iter().position(|pick| pick == output);
                source_key
                    .iter()
                    .map(place)
                    .collect::<Option<Vec<_>>>()
                    .unwrap_or_default()
            }
        };
        // A column that is no longer selected becomes NULL, so none but the key's is NOT NULL.
        for (index, column) in columns.iter_mut().enumerate() {
            column.field.set_nullable(!key.contains(&index));
        }
        let fields = |indices: &mut dyn Iterator<Item = usize>| -> SchemaRef {
            Arc::new(Schema::new(
                indices
                    .map(|i| columns[i].field.clone())
                    .collect::<Vec<_>>(),
            ))
        };
        let schema = fields(&mut (0..columns.len()));
        let key_schema = fields(&mut key.iter().copied());
        let rules = declared.iter().flat_map(|declared| &declared.columns);
        let rules = rules.map(|column| column.rule.clone()).collect();
        Ok(Self {
            columns,
            picks,
            key,
            rules,
            schema,
            key_schema,
        })
    }

    /// Names of the key columns.
    pub(crate) fn key_names(&self) -> Vec<String> {
        self.key_schema
            .fields()
            .iter()
            .map(|field| field.name().clone())
            .collect()
    }

    /// All columns.
    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The key columns.
    pub(crate) fn key_schema(&self) -> &SchemaRef {
        &self.key_schema
    }

    /// The column that an output becomes.
    pub(crate) fn column_of(&self, output: usize) -> Option<usize> {
        self.picks.iter().position(|pick| *pick == output)
    }

    /// Makes a batch of outputs a batch of columns.
    ///
    /// # Errors
    /// [`code::BAD_VALUE`](crate::code::BAD_VALUE) if a value cannot be converted, or a key is NULL.
    pub(crate) fn fit(&self, outputs: &RecordBatch) -> Result<RecordBatch> {
        let arrays = self.picks.iter().map(|&pick| outputs.column(pick));
        let key: Vec<usize> = match self.key.as_slice() {
            [] => self.picks.clone(),
            key => key.iter().map(|&column| self.picks[column]).collect(),
        };
        let key = outputs
            .project(&key)
            .map_err(|error| Error::new(code::BAD_VALUE, error.to_string()))?;
        let fitted = arrays.enumerate().map(|(index, array)| {
            let (field, rule) = (self.schema.field(index), self.rules.get(index));
            declared::fit(Arc::clone(array), field, rule, &key)
        });
        build(fitted.collect::<Result<_>>()?, &self.schema)
    }

    /// How many characters are kept of the texts of a column, if longer ones are cut.
    pub(crate) fn cut(&self, column: usize) -> Option<u64> {
        self.rules.get(column).and_then(Rule::cut)
    }

    /// The key columns of a fitted batch.
    pub(crate) fn keys_of(&self, columns: &RecordBatch) -> Result<RecordBatch> {
        let arrays = self
            .key
            .iter()
            .map(|&index| Arc::clone(columns.column(index)))
            .collect();
        build(arrays, &self.key_schema)
    }

    /// Makes the keys of a [`crate::work::Applied`] keys of the table.
    pub(crate) fn fit_keys(
        &self,
        leaving: &RecordBatch,
        parts: &[KeyPart],
        parents: &[Option<String>],
    ) -> Result<RecordBatch> {
        let array = |part: &KeyPart| -> ArrayRef {
            match part {
                KeyPart::Source(index) => Arc::clone(leaving.column(*index)),
                KeyPart::Parent(index) => {
                    let value = parents.get(*index).cloned().flatten();
                    Arc::new(StringArray::from(vec![value; leaving.num_rows()]))
                }
                KeyPart::Constant(value) => {
                    Arc::new(StringArray::from(vec![value.as_str(); leaving.num_rows()]))
                }
            }
        };
        build(parts.iter().map(array).collect(), &self.key_schema)
    }
}

/// Where a column of the table's key comes from for a row that leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KeyPart {
    /// From the source's key, by index.
    Source(usize),
    /// From the slice's parents, by index.
    Parent(usize),
    /// The same in all rows of the query.
    Constant(String),
}

/// Converts arrays to a schema's types.
pub(crate) fn build(arrays: Vec<ArrayRef>, schema: &SchemaRef) -> Result<RecordBatch> {
    let convert = |(array, field): (ArrayRef, &Arc<Field>)| -> Result<ArrayRef> {
        if array.null_count() > 0 && !field.is_nullable() {
            return Err(Error::new(
                code::BAD_VALUE,
                format!("the key column {} is NULL in a row", field.name()),
            ));
        }
        if array.data_type() == field.data_type() {
            return Ok(array);
        }
        let options = CastOptions {
            safe: false,
            ..CastOptions::default()
        };
        cast_with_options(&array, field.data_type(), &options).map_err(|error| {
            let error = bucketline_engine::from_arrow(error);
            Error::new(code::BAD_VALUE, format!("column {}: {error}", field.name()))
                .with_hint("declare another type for the column, or convert it in the SELECT")
        })
    };
    let arrays = arrays
        .into_iter()
        .zip(schema.fields())
        .map(convert)
        .collect::<Result<_>>()?;
    RecordBatch::try_new(Arc::clone(schema), arrays)
        .map_err(|error| Error::new(code::BAD_VALUE, error.to_string()))
}

fn declared_columns(
    outputs: &[Column],
    declared: &Declared,
    aliases: &[(String, String)],
) -> Result<(Vec<Column>, Vec<usize>)> {
    let find = |name: &str| {
        position(outputs, name).or_else(|| {
            let mut aliases = aliases.iter();
            let (_, own) = aliases.find(|(alias, _)| alias.eq_ignore_ascii_case(name))?;
            position(outputs, own)
        })
    };
    if !declared.by_name && declared.columns.len() != outputs.len() {
        return Err(Error::new(
            code::COLUMNS,
            format!(
                "{} columns are declared, and the SELECT gives {}",
                declared.columns.len(),
                outputs.len()
            ),
        )
        .with_hint("declare one column for each column of the SELECT, in its order")
        .at(declared.span));
    }
    let mut columns = Vec::with_capacity(declared.columns.len());
    let mut picks = Vec::with_capacity(declared.columns.len());
    for (index, column) in declared.columns.iter().enumerate() {
        let name = &column.name;
        let pick = if declared.by_name {
            find(name).ok_or_else(|| {
                let names = outputs.iter().map(|output| output.field.name().as_str());
                let error = Error::new(code::COLUMNS, format!("the source has no column {name}"))
                    .at(declared.span);
                match bucketline_sql::nearest(name, names) {
                    Some(near) => error.with_hint(format!("did you mean {near}?")),
                    None => error,
                }
            })?
        } else {
            index
        };
        let output = &outputs[pick];
        let data_type = column.data_type(output.field.data_type());
        let mut field = Field::new(name, data_type, output.field.is_nullable());
        if field.data_type() == output.field.data_type() {
            field.set_metadata(output.field.metadata().clone());
        }
        columns.push(Column {
            field,
            doc: output.doc.clone(),
        });
        picks.push(pick);
    }
    Ok((columns, picks))
}

fn position(columns: &[Column], name: &str) -> Option<usize> {
    columns
        .iter()
        .position(|column| column.field.name().eq_ignore_ascii_case(name))
}
