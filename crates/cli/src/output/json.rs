//! Results as JSON.

use std::collections::HashSet;
use std::io::{self, Write};
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, FieldRef, Fields, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::json::writer::{LineDelimited, NullableEncoder};
use arrow::json::{Encoder, EncoderFactory, EncoderOptions, WriterBuilder};
use bucketline::source::spec::LOGICAL_TYPE;

use super::{Printer, names, unprintable};
use crate::escape::is_harmful;

/// One object a row, each on its line, NULL as `null`. Columns that hold JSON are embedded as it is. A key that
/// another column has is given a number. In an array, a result that is not whole leaves it open, so that nobody takes
/// it for one that is.
pub(super) struct Json {
    schema: SchemaRef,
    in_array: bool,
    any: bool,
    line: Vec<u8>,
}

impl Json {
    pub(super) fn array(schema: &Schema, sink: &mut dyn Write) -> io::Result<Self> {
        sink.write_all(b"[")?;
        Ok(Self {
            in_array: true,
            ..Self::lines(schema)
        })
    }

    pub(super) fn lines(schema: &Schema) -> Self {
        Self {
            schema: with_own_keys(schema),
            in_array: false,
            any: false,
            line: Vec::new(),
        }
    }
}

impl Printer for Json {
    fn rows(&mut self, batch: &RecordBatch, sink: &mut dyn Write) -> io::Result<()> {
        self.line.clear();
        let mut writer = WriterBuilder::new()
            .with_explicit_nulls(true)
            .with_encoder_factory(Arc::new(Embedded))
            .build::<_, LineDelimited>(&mut self.line);
        let (_, columns, count) = batch.clone().into_parts();
        let options = RecordBatchOptions::new().with_row_count(Some(count));
        let schema = Arc::clone(&self.schema);
        let batch = RecordBatch::try_new_with_options(schema, columns, &options);
        let batch = batch.map_err(unprintable)?;
        writer
            .write(&batch)
            .and_then(|()| writer.finish())
            .map_err(unprintable)?;
        drop(writer);
        let lines = std::str::from_utf8(&self.line).map_err(io::Error::other)?;
        for line in lines.split('\n').filter(|line| !line.is_empty()) {
            if self.in_array {
                sink.write_all(if self.any { b",\n" } else { b"\n" })?;
            }
            write_safe(line, sink)?;
            if !self.in_array {
                sink.write_all(b"\n")?;
            }
            self.any = true;
        }
        Ok(())
    }

    fn end(&mut self, whole: bool, sink: &mut dyn Write) -> io::Result<()> {
        if !self.in_array {
            return Ok(());
        }
        sink.write_all(match (whole, self.any) {
            (true, true) => b"\n]\n",
            (true, false) => b"]\n",
            (false, _) => b"\n",
        })
    }
}

/// The columns, those of one name as `Id`, `Id_1`, `Id_2`.
fn with_own_keys(schema: &Schema) -> SchemaRef {
    let mut taken: HashSet<String> = names(schema).map(str::to_owned).collect();
    let mut seen = HashSet::new();
    let fields = schema.fields().iter().map(|field| {
        if seen.insert(field.name()) {
            return Arc::clone(field);
        }
        let mut keys = (1..).map(|number| format!("{}_{number}", field.name()));
        let key = keys.find(|key| taken.insert(key.clone()));
        let key = key.unwrap_or_else(|| field.name().clone());
        Arc::new(field.as_ref().clone().with_name(key))
    });
    Arc::new(Schema::new(fields.collect::<Fields>()))
}

/// JSON escapes control characters below U+0020 only; terminals obey more. Outside of texts they cannot stand.
fn write_safe(line: &str, sink: &mut dyn Write) -> io::Result<()> {
    let mut rest = line;
    while let Some(at) = rest.find(is_harmful) {
        let (before, found) = rest.split_at(at);
        sink.write_all(before.as_bytes())?;
        let mut characters = found.chars();
        if let Some(harmful) = characters.next() {
            write!(sink, "\\u{:04x}", u32::from(harmful))?;
        }
        rest = characters.as_str();
    }
    sink.write_all(rest.as_bytes())
}

/// Writes columns that hold JSON as JSON.
#[derive(Debug)]
struct Embedded;

impl EncoderFactory for Embedded {
    fn make_default_encoder<'a>(
        &self,
        field: &'a FieldRef,
        array: &'a dyn Array,
        _options: &'a EncoderOptions,
    ) -> Result<Option<NullableEncoder<'a>>, ArrowError> {
        if field
            .metadata()
            .get(LOGICAL_TYPE)
            .is_none_or(|it| it != "json")
        {
            return Ok(None);
        }
        let texts: Box<dyn Fn(usize) -> &'a str + 'a> = match array.data_type() {
            DataType::Utf8 => Box::new(|row| array.as_string::<i32>().value(row)),
            DataType::LargeUtf8 => Box::new(|row| array.as_string::<i64>().value(row)),
            DataType::Utf8View => Box::new(|row| array.as_string_view().value(row)),
            _ => return Ok(None),
        };
        Ok(Some(NullableEncoder::new(
            Box::new(Raw(texts)),
            array.logical_nulls(),
        )))
    }
}

struct Raw<'a>(Box<dyn Fn(usize) -> &'a str + 'a>);

impl Encoder for Raw<'_> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        let text = (self.0)(row);
        // Written anew, so that it stands on one line; what is no JSON stays the text that it is.
        let written = match serde_json::from_str::<serde_json::Value>(text) {
            Ok(value) => serde_json::to_vec(&value),
            Err(_) => serde_json::to_vec(text),
        };
        match written {
            Ok(bytes) => out.extend_from_slice(&bytes),
            Err(_) => out.extend_from_slice(b"null"),
        }
    }
}
