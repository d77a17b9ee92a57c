//! Results on the standard output.

mod csv;
mod json;
mod markdown;
mod pager;
mod redirect;
mod table;

use std::io::{self, BufWriter, IsTerminal, Write};

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use console::Term;

use self::pager::Page;
pub(crate) use self::pager::Pager;
pub(crate) use self::redirect::Redirect;
use crate::arguments::Format;

/// Prints the rows of one result.
trait Printer: Send {
    /// Prints some rows, or keeps them to print them later.
    fn rows(&mut self, batch: &RecordBatch, sink: &mut dyn Write) -> io::Result<()>;

    /// Prints what is left. A result that is not `whole` must not look so, where the format allows it.
    fn end(&mut self, whole: bool, sink: &mut dyn Write) -> io::Result<()>;
}

/// Whether each column of a row has a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expanded {
    /// Where a table is wider than the terminal.
    Auto,
    On,
    Off,
}

/// What stands for NULL where the user has not said it.
const NULL: &str = "NULL";

/// Prints results, one after the other.
pub(crate) struct Output {
    sink: Box<dyn Write + Send>,
    /// Where results go instead.
    redirect: Option<Redirect>,
    format: Format,
    expanded: Expanded,
    /// What stands for NULL in results for people.
    null: String,
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
            redirect: None,
            format,
            expanded: Expanded::Auto,
            null: NULL.to_owned(),
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
        self.expanded = Expanded::Auto;
    }

    /// Whether each column of a row has a line.
    pub(crate) fn expanded(&self) -> Expanded {
        self.expanded
    }

    /// Gives each column of a row a line, or does not.
    pub(crate) fn set_expanded(&mut self, expanded: Expanded) {
        self.expanded = expanded;
    }

    /// What stands for NULL in results for people.
    pub(crate) fn null(&self) -> &str {
        &self.null
    }

    /// Lets a text stand for NULL.
    pub(crate) fn set_null(&mut self, null: String) {
        self.null = null;
    }

    /// Lets results go there, or to the standard output. Gives back where they went until now.
    pub(crate) fn redirect(&mut self, redirect: Option<Redirect>) -> Option<Redirect> {
        std::mem::replace(&mut self.redirect, redirect)
    }

    /// Whether results go elsewhere than to the standard output.
    pub(crate) fn is_redirected(&self) -> bool {
        self.redirect.is_some()
    }

    /// Shows results that are larger than the terminal by a pager, if results go to a terminal. Gives back the one
    /// that did.
    pub(crate) fn set_pager(&mut self, pager: Option<Pager>) -> Option<Pager> {
        let pager = pager.filter(|_| self.page.is_some());
        std::mem::replace(&mut self.pager, pager)
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
            writeln!(sink(&mut self.paged, &mut self.redirect, &mut self.sink))?;
        }
        self.any = true;
        let pager = self.pager.as_ref().filter(|_| self.redirect.is_none());
        self.paged = pager.map(Pager::page);
        let page = self.page.filter(|_| self.redirect.is_none());
        let format = match self.expanded {
            Expanded::On => Format::Vertical,
            Expanded::Auto | Expanded::Off => self.format,
        };
        let sink = sink(&mut self.paged, &mut self.redirect, &mut self.sink);
        let null = self.null.clone();
        self.printer = Some(match format {
            Format::Table => Box::new(match self.expanded {
                Expanded::Off => table::Table::new(schema, None, null),
                _ => table::Table::new(schema, page, null),
            }),
            Format::Csv => Box::new(csv::Csv::begin(schema, page.is_some(), sink)?),
            Format::Vertical => Box::new(table::Table::vertical(schema, null)),
            Format::Json => Box::new(json::Json::array(schema, sink)?),
            Format::Ndjson => Box::new(json::Json::lines(schema)),
            Format::Markdown => Box::new(markdown::Markdown::begin(schema, null, sink)?),
        });
        Ok(())
    }

    /// Prints rows of the result that was begun.
    pub(crate) fn rows(&mut self, batch: &RecordBatch) -> io::Result<()> {
        if let Some(printer) = &mut self.printer {
            let sink = sink(&mut self.paged, &mut self.redirect, &mut self.sink);
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
            let sink = sink(&mut self.paged, &mut self.redirect, &mut self.sink);
            let ended = printer.end(whole, sink);
            self.flush()?;
            let shown = self.paged.take().map_or(Ok(()), Page::finish);
            ended.and(shown)?;
        }
        self.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        self.redirect.as_mut().map_or(Ok(()), Redirect::flush)?;
        self.sink.flush()
    }
}

/// Where the rows of a result go.
fn sink<'a>(
    paged: &'a mut Option<Page>,
    redirect: &'a mut Option<Redirect>,
    sink: &'a mut Box<dyn Write + Send>,
) -> &'a mut dyn Write {
    match (paged, redirect) {
        (Some(page), _) => page,
        (None, Some(redirect)) => redirect,
        (None, None) => &mut **sink,
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
