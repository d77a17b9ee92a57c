//! Results on the standard output.

mod csv;
mod json;
mod markdown;
mod pager;
mod table;

use std::io::{self, BufWriter, IsTerminal, Write};

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use console::Term;

use self::pager::Page;
pub(crate) use self::pager::Pager;
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
    /// What shows results that are larger than the terminal.
    pager: Option<Pager>,
    /// The result that it may show.
    paged: Option<Page>,
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
            pager: None,
            paged: None,
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

    /// Shows results that are larger than the terminal by a pager, if results go to a terminal.
    pub(crate) fn set_pager(&mut self, pager: Option<Pager>) {
        self.pager = pager.filter(|_| self.page.is_some());
    }

    /// A pager has the terminal.
    pub(crate) fn is_paging(&self) -> bool {
        self.paged.as_ref().is_some_and(Page::is_shown)
    }

    /// The pager was left before the result had ended.
    pub(crate) fn is_left(&mut self) -> bool {
        self.paged.as_mut().is_some_and(Page::is_left)
    }

    /// Leaves a result that nobody reads on.
    pub(crate) fn abandon(&mut self) {
        self.printer = None;
        if let Some(page) = self.paged.take() {
            // What it cannot show any more is what nobody reads.
            drop(page.finish());
        }
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
        self.paged = self.pager.as_ref().map(Pager::page);
        let sink = sink(&mut self.paged, &mut self.sink);
        self.printer = Some(match self.format {
            Format::Table => Box::new(table::Table::new(schema, self.page)),
            Format::Csv => Box::new(csv::Csv::begin(schema, self.page.is_some(), sink)?),
            Format::Vertical => Box::new(table::Table::vertical(schema)),
            Format::Json => Box::new(json::Json::array(schema, sink)?),
            Format::Ndjson => Box::new(json::Json::lines(schema)),
            Format::Markdown => Box::new(markdown::Markdown::begin(schema, sink)?),
        });
        Ok(())
    }

    /// Prints rows of the result that was begun.
    pub(crate) fn rows(&mut self, batch: &RecordBatch) -> io::Result<()> {
        if let Some(printer) = &mut self.printer {
            let sink = sink(&mut self.paged, &mut self.sink);
            printer.rows(batch, sink)?;
            sink.flush()?;
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
            let ended = printer.end(whole, sink(&mut self.paged, &mut self.sink));
            self.sink.flush()?;
            let shown = self.paged.take().map_or(Ok(()), Page::finish);
            ended.and(shown)?;
        }
        self.sink.flush()
    }
}

/// Where the rows of a result go.
fn sink<'a>(paged: &'a mut Option<Page>, sink: &'a mut Box<dyn Write + Send>) -> &'a mut dyn Write {
    match paged {
        Some(page) => page,
        None => &mut **sink,
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
