//! Results on the standard output.

mod csv;
mod json;
mod markdown;
mod table;

use std::io::{self, BufWriter, IsTerminal, Write};

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use console::Term;

use crate::arguments::Format;

/// Prints the rows of one result.
trait Printer: Send {
    /// Prints some rows, or keeps them to print them later.
    fn rows(&mut self, batch: &RecordBatch, sink: &mut dyn Write) -> io::Result<()>;

    /// Prints what is left. A result that is not `whole` must not look so, where the format allows it.
    fn end(&mut self, whole: bool, sink: &mut dyn Write) -> io::Result<()>;
}

/// Prints results, one after the other.
pub(crate) struct Output {
    sink: Box<dyn Write + Send>,
    format: Format,
    /// Columns of the terminal, if results go to one.
    page: Option<usize>,
    printer: Option<Box<dyn Printer>>,
    /// Whether a result was printed before.
    any: bool,
}

impl Output {
    /// Prints to the standard output.
    pub(crate) fn stdout(format: Format) -> Self {
        let page = io::stdout()
            .is_terminal()
            .then(|| Term::stdout().size().1.into());
        Self::new(Box::new(BufWriter::new(io::stdout())), format, page)
    }

    fn new(sink: Box<dyn Write + Send>, format: Format, page: Option<usize>) -> Self {
        Self {
            sink,
            format,
            page,
            printer: None,
            any: false,
        }
    }

    /// How results are printed.
    pub(crate) fn format(&self) -> Format {
        self.format
    }

    /// Prints the results that follow in another way.
    pub(crate) fn set_format(&mut self, format: Format) {
        self.format = format;
    }

    /// What comes next has nothing to do with what was printed before.
    pub(crate) fn start_afresh(&mut self) {
        self.any = false;
    }

    /// Begins a result.
    pub(crate) fn begin(&mut self, schema: &SchemaRef) -> io::Result<()> {
        self.end(true)?;
        if self.any && !matches!(self.format, Format::Json | Format::Ndjson) {
            writeln!(self.sink)?;
        }
        self.any = true;
        let sink = &mut *self.sink;
        self.printer = Some(match self.format {
            Format::Table => Box::new(table::Table::new(schema, self.page)),
            Format::Csv => Box::new(csv::Csv::begin(schema, self.page.is_some(), sink)?),
            Format::Vertical => Box::new(table::Table::vertical(schema)),
            Format::Json => Box::new(json::Json::array(sink)?),
            Format::Ndjson => Box::new(json::Json::lines()),
            Format::Markdown => Box::new(markdown::Markdown::begin(schema, sink)?),
        });
        Ok(())
    }

    /// Prints rows of the result that was begun.
    pub(crate) fn rows(&mut self, batch: &RecordBatch) -> io::Result<()> {
        if let Some(printer) = &mut self.printer {
            printer.rows(batch, &mut *self.sink)?;
            self.sink.flush()?;
        }
        Ok(())
    }

    /// Whether a result was begun and not ended.
    pub(crate) fn is_open(&self) -> bool {
        self.printer.is_some()
    }

    /// Ends the result, if one was begun; `whole` says whether all its rows came.
    pub(crate) fn end(&mut self, whole: bool) -> io::Result<()> {
        if let Some(mut printer) = self.printer.take() {
            printer.end(whole, &mut *self.sink)?;
        }
        self.sink.flush()
    }
}

/// How values are written as text: times in ISO 8601, with Z in UTC.
fn options(null: &str) -> FormatOptions<'_> {
    FormatOptions::new()
        .with_display_error(true)
        .with_null(null)
}

/// What writes the values of each column.
fn formatters<'a>(
    batch: &'a RecordBatch,
    options: &'a FormatOptions<'a>,
) -> io::Result<Vec<ArrayFormatter<'a>>> {
    let columns = batch.columns().iter();
    columns
        .map(|column| ArrayFormatter::try_new(column, options).map_err(unprintable))
        .collect()
}

fn names(schema: &Schema) -> impl Iterator<Item = &str> {
    schema.fields().iter().map(|field| field.name().as_str())
}

fn unprintable(error: ArrowError) -> io::Error {
    match error {
        ArrowError::IoError(_, error) => error,
        other => io::Error::other(other),
    }
}

#[cfg(test)]
mod tests;
