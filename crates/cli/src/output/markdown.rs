//! Results as a table in Markdown.

use std::io::{self, Write};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::{Printer, formatters, names, options};
use crate::escape::escape_except;

/// A table as GitHub and Bitbucket read it: numbers to the right, line breaks as `<br>`, NULL as the user has it.
pub(super) struct Markdown {
    null: String,
}

impl Markdown {
    pub(super) fn begin(
        schema: &SchemaRef,
        null: String,
        sink: &mut dyn Write,
    ) -> io::Result<Self> {
        line(names(schema).map(cell), sink)?;
        let rule = schema.fields().iter().map(|field| {
            let rule = match field.data_type().is_numeric() {
                true => "---:",
                false => "---",
            };
            rule.to_owned()
        });
        line(rule, sink)?;
        Ok(Self { null })
    }
}

impl Printer for Markdown {
    fn rows(&mut self, batch: &RecordBatch, sink: &mut dyn Write) -> io::Result<()> {
        let options = options(&self.null);
        let columns = formatters(batch, &options)?;
        for row in 0..batch.num_rows() {
            let cells = columns.iter();
            line(
                cells.map(|column| cell(&column.value(row).to_string())),
                sink,
            )?;
        }
        Ok(())
    }

    fn end(&mut self, _whole: bool, _sink: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }
}

fn line(cells: impl Iterator<Item = String>, sink: &mut dyn Write) -> io::Result<()> {
    for cell in cells {
        write!(sink, "| {cell} ")?;
    }
    writeln!(sink, "|")
}

/// A cell on one line, in which nothing ends the cell.
fn cell(text: &str) -> String {
    let text = text
        .replace("\r\n", "\n")
        .replace('\\', "\\\\")
        .replace('|', "\\|");
    escape_except(&text, &['\n']).replace('\n', "<br>")
}
