//! Results as a table for people.

use std::borrow::Cow;
use std::io::{self, Write};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::{Printer, formatters, names, options};
use crate::escape::escape;

/// Rows that are held until the widths are fixed.
const HELD: usize = 1_000;

/// Widest cell, in columns of the terminal; longer ones are cut, unless a row has one cell only.
const WIDEST: usize = 60;

/// Rows below a header, numbers to the right; where that is wider than the terminal, one record
/// after the other. The first rows are held to know the widths; a later cell that is wider moves
/// the rest of its line.
pub(super) struct Table {
    header: Vec<String>,
    numeric: Vec<bool>,
    widest: usize,
    /// What stands for NULL.
    null: String,
    /// Columns of the terminal, if it is one.
    page: Option<usize>,
    layout: Layout,
}

enum Layout {
    /// Not known before some rows are.
    Undecided(Vec<Vec<String>>),
    /// Lines of cells of these widths.
    Lines(Vec<usize>),
    /// Records of one line a cell; so many were printed.
    Records(u64),
}

impl Table {
    pub(super) fn new(schema: &SchemaRef, page: Option<usize>, null: String) -> Self {
        let header: Vec<String> = names(schema)
            .map(|name| escape(name).into_owned())
            .collect();
        let numeric = schema
            .fields()
            .iter()
            .map(|field| field.data_type().is_numeric())
            .collect();
        let widest = if header.len() == 1 {
            usize::MAX
        } else {
            WIDEST
        };
        Self {
            header,
            numeric,
            widest,
            null,
            page,
            layout: Layout::Undecided(Vec::new()),
        }
    }

    /// One record after the other, however wide the terminal is, and nothing cut.
    pub(super) fn vertical(schema: &SchemaRef, null: String) -> Self {
        Self {
            widest: usize::MAX,
            layout: Layout::Records(0),
            ..Self::new(schema, None, null)
        }
    }

    fn row(&mut self, cells: Vec<String>, sink: &mut dyn Write) -> io::Result<()> {
        match &mut self.layout {
            Layout::Undecided(held) => {
                held.push(cells);
                if held.len() >= HELD {
                    self.decide(sink)
                } else {
                    Ok(())
                }
            }
            Layout::Lines(widths) => line(&cells, widths, &self.numeric, sink),
            Layout::Records(printed) => {
                *printed += 1;
                record(*printed, &self.header, &cells, sink)
            }
        }
    }

    /// Fixes the layout, and prints the header and what is held.
    fn decide(&mut self, sink: &mut dyn Write) -> io::Result<()> {
        let Layout::Undecided(held) = &mut self.layout else {
            return Ok(());
        };
        let held = std::mem::take(held);
        let mut widths: Vec<usize> = self.header.iter().map(|name| name.width()).collect();
        for row in &held {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.width());
            }
        }
        if let [only] = widths.as_mut_slice() {
            *only = (*only).min(WIDEST);
        }
        let total: usize = widths.iter().map(|width| width + 3).sum();
        let fits = self.page.is_none_or(|page| total <= page + 1);
        self.layout = if fits || held.is_empty() || widths.len() == 1 {
            line(&self.header, &widths, &self.numeric, sink)?;
            let rules: Vec<String> = widths.iter().map(|width| "-".repeat(width + 2)).collect();
            writeln!(sink, "{}", rules.join("+"))?;
            Layout::Lines(widths)
        } else {
            Layout::Records(0)
        };
        held.into_iter().try_for_each(|row| self.row(row, sink))
    }
}

/// ` 7 | a title | NULL`
fn line(
    cells: &[String],
    widths: &[usize],
    numeric: &[bool],
    sink: &mut dyn Write,
) -> io::Result<()> {
    let last = cells.len().saturating_sub(1);
    for (index, cell) in cells.iter().enumerate() {
        let padding = " ".repeat(widths[index].saturating_sub(cell.width()));
        let separator = if index == 0 { " " } else { " | " };
        match (numeric[index], index == last) {
            (true, _) => write!(sink, "{separator}{padding}{cell}")?,
            (false, false) => write!(sink, "{separator}{cell}{padding}")?,
            (false, true) => write!(sink, "{separator}{cell}")?,
        }
    }
    writeln!(sink)
}

/// A line with its number, then one for each cell.
fn record(
    number: u64,
    header: &[String],
    cells: &[String],
    sink: &mut dyn Write,
) -> io::Result<()> {
    let widest = header.iter().map(|name| name.width()).max().unwrap_or(0);
    writeln!(sink, "-[ {number} ]{}", "-".repeat(widest))?;
    for (name, cell) in header.iter().zip(cells) {
        let padding = " ".repeat(widest - name.width());
        writeln!(sink, " {name}{padding} | {cell}")?;
    }
    Ok(())
}

impl Printer for Table {
    fn rows(&mut self, batch: &RecordBatch, sink: &mut dyn Write) -> io::Result<()> {
        let null = self.null.clone();
        let options = options(&null);
        let columns = formatters(batch, &options)?;
        for row in 0..batch.num_rows() {
            let cells = columns
                .iter()
                .map(|column| {
                    cut(&escape(&column.value(row).to_string()), self.widest).into_owned()
                })
                .collect();
            self.row(cells, sink)?;
        }
        Ok(())
    }

    fn end(&mut self, whole: bool, sink: &mut dyn Write) -> io::Result<()> {
        // A header alone would say that there are no rows, which a result that broke off does not.
        match &self.layout {
            Layout::Undecided(held) if held.is_empty() && !whole => Ok(()),
            _ => self.decide(sink),
        }
    }
}

/// `text`, ending in `…` where it would be wider.
fn cut(text: &str, widest: usize) -> Cow<'_, str> {
    if text.width() <= widest {
        return Cow::Borrowed(text);
    }
    let mut width = 0;
    let fits = |c: &char| {
        width += c.width().unwrap_or(0);
        width < widest
    };
    Cow::Owned(text.chars().take_while(fits).chain(['…']).collect())
}
