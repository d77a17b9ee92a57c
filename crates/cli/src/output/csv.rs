//! Results as comma-separated values.

use std::io::{self, Write};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use bucketline::CsvFormat;

use super::Printer;
use crate::escape::escape_except;

/// A header, then the rows; on a terminal with control characters escaped.
pub(super) struct Csv(CsvFormat);

impl Csv {
    pub(super) fn begin(
        schema: &SchemaRef,
        to_terminal: bool,
        sink: &mut dyn Write,
    ) -> io::Result<Self> {
        let mut format = CsvFormat::new(',');
        if to_terminal {
            format = format.shown_by(|text| escape_except(text, &['\r', '\n', '\t']));
        }
        format.header(schema, sink)?;
        Ok(Self(format))
    }
}

impl Printer for Csv {
    fn rows(&mut self, batch: &RecordBatch, sink: &mut dyn Write) -> io::Result<()> {
        self.0.rows(batch, sink)
    }

    fn end(&mut self, _whole: bool, _sink: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }
}
