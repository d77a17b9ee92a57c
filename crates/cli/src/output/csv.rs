//! Results as comma-separated values.

use std::borrow::Cow;
use std::io::{self, Write};

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::SchemaRef;
use arrow::util::display::ArrayFormatter;

use super::{Printer, names, options, unprintable};
use crate::escape::escape_except;

/// RFC 4180: a header, lines that end with CR and LF, quotes where they are needed. NULL is an
/// empty field, an empty text is `""`.
pub(super) struct Csv {
    to_terminal: bool,
}

impl Csv {
    pub(super) fn begin(
        schema: &SchemaRef,
        to_terminal: bool,
        sink: &mut dyn Write,
    ) -> io::Result<Self> {
        let csv = Self { to_terminal };
        for (index, name) in names(schema).enumerate() {
            csv.field(index, name, sink)?;
        }
        sink.write_all(b"\r\n")?;
        Ok(csv)
    }

    fn field(&self, index: usize, text: &str, sink: &mut dyn Write) -> io::Result<()> {
        if index > 0 {
            sink.write_all(b",")?;
        }
        let text = match self.to_terminal {
            true => escape_except(text, &['\r', '\n', '\t']),
            false => Cow::Borrowed(text),
        };
        if text.is_empty() || text.contains([',', '"', '\r', '\n']) {
            write!(sink, "\"{}\"", text.replace('"', "\"\""))
        } else {
            sink.write_all(text.as_bytes())
        }
    }
}

impl Printer for Csv {
    fn rows(&mut self, batch: &RecordBatch, sink: &mut dyn Write) -> io::Result<()> {
        let options = options("");
        let columns = batch
            .columns()
            .iter()
            .map(|column| ArrayFormatter::try_new(column, &options));
        let columns: Vec<_> = columns.collect::<Result<_, _>>().map_err(unprintable)?;
        let nulls: Vec<_> = batch
            .columns()
            .iter()
            .map(|column| column.logical_nulls())
            .collect();
        for row in 0..batch.num_rows() {
            for (index, column) in columns.iter().enumerate() {
                if nulls[index]
                    .as_ref()
                    .is_some_and(|nulls| nulls.is_null(row))
                {
                    if index > 0 {
                        sink.write_all(b",")?;
                    }
                } else {
                    self.field(index, &column.value(row).to_string(), sink)?;
                }
            }
            sink.write_all(b"\r\n")?;
        }
        Ok(())
    }

    fn end(&mut self, _whole: bool, _sink: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }
}
