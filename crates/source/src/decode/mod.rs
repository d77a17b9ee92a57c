//! Rows of JSON into Arrow batches, in one pass.
//!
//! A [`Decoder`] is made once for a table and the columns wanted of it. It walks the text of an
//! answer straight into column builders along a tree of the columns' paths; what no column wants is
//! skipped without being built.

mod cell;
mod number;
mod timestamp;
mod tree;
mod visit;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, StringBuilder, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::error::ArrowError;
use bucketline_core::Code;
pub use bucketline_core::json::mend;
use bucketline_core::json::{Readable, readable};
use serde::de::DeserializeSeed;
use serde_json::error::Category;

use self::cell::Cell;
pub use self::number::whole;
use self::tree::{Node, Target};
use self::visit::Answer;
use crate::spec::Origin;
use crate::{Error, Lost, Result, TableSpec, code};

/// Reads the answers about one table into batches of the wanted columns.
#[derive(Debug, Clone)]
pub struct Decoder {
    table: String,
    /// The member that holds the rows; `None` if the answer is one row.
    member: Option<String>,
    schema: SchemaRef,
    sources: Vec<Source>,
    cells: Vec<CellSpec>,
    tree: Node,
    most_rows: usize,
}

/// Where an output column comes from.
#[derive(Debug, Clone, Copy)]
enum Source {
    /// Index into [`Decoder::cells`].
    Cell(usize),
    /// Index into the slice's parent values.
    Parent(usize),
    /// Index of a column of the parent table.
    Up(usize),
}

/// The row of the parent table that the rows of an answer hang on.
#[derive(Debug, Clone)]
pub struct Above {
    /// Which of the parent table's columns the row has, in its order.
    pub columns: Arc<[usize]>,
    /// The row, a batch of one.
    pub row: RecordBatch,
}

impl Above {
    /// The row's value of a column, once for each of so many rows.
    fn repeated(&self, column: usize, rows: usize) -> Result<ArrayRef, ArrowError> {
        let found = self.columns.iter().position(|known| *known == column);
        let position = found.ok_or_else(|| {
            ArrowError::SchemaError(format!("the parent's row lacks its column {column}"))
        })?;
        let first = UInt32Array::from(vec![0; rows]);
        take(self.row.column(position), &first, None)
    }
}

/// What a column read from the rows demands.
#[derive(Debug, Clone)]
struct CellSpec {
    /// The column's name.
    column: String,
    /// Where its value is in the row; the first place that has one counts.
    places: Vec<String>,
    kind: crate::spec::ColumnKind,
    nullable: bool,
    /// A value of another type is an error: the row could not be found again, or not be ordered.
    strict: bool,
    /// What is put where the value is missing.
    otherwise: Option<String>,
    /// The cell holds the name of the member, not its value.
    named: bool,
}

/// Where the values of numbers come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Numbers {
    /// From the parser, which rounds what is no whole number of 64 bits, and fails beyond the range of its type.
    AsRead,
    /// From their digits, which takes longer.
    AsWritten,
}

/// Why a text could not be read.
struct Unread {
    /// In words, if it was not for the JSON.
    failure: Option<String>,
    error: serde_json::Error,
}

/// A decoded answer.
#[derive(Debug)]
pub struct Decoded {
    /// The rows, in [`Decoder::schema`]; the row count is right without columns, too.
    pub rows: RecordBatch,
    /// The address of the next page; an empty one counts as none.
    pub next: Option<String>,
    /// The number of rows over all pages, if the service says so.
    pub size: Option<u64>,
    /// The page's number, if it has one.
    pub page: Option<u64>,
    /// Rows a page.
    pub pagelen: Option<u64>,
    /// Values that could not be kept as they came, and how many of each kind.
    pub lost: BTreeMap<Lost, u64>,
}

impl Decoder {
    /// A decoder of these columns of `table`, in this order; parent columns among them are filled
    /// with the slice's values.
    pub fn new(table: &TableSpec, columns: &[usize]) -> Self {
        let parents: Vec<_> = table.parents().collect();
        let cursor = table.cursor.as_ref().map(|cursor| cursor.column);
        let mut tree = Node::default();
        let mut cells = Vec::new();
        let mut sources = Vec::new();
        for &index in columns {
            let column = &table.columns[index];
            sources.push(match &column.origin {
                Origin::Parent(_) => {
                    // `parents` holds every column of this origin.
                    Source::Parent(parents.iter().position(|p| *p == index).unwrap_or(0))
                }
                Origin::Up(above) => Source::Up(*above),
                own => {
                    let strict = table.key.contains(&index) || cursor == Some(index);
                    let paths = own.paths();
                    for (rank, path) in paths.iter().enumerate() {
                        let cell = cells.len();
                        tree.insert(path, Target { cell, rank }, strict);
                    }
                    cells.push(CellSpec {
                        column: column.name.clone(),
                        places: paths.iter().map(|path| path.join(".")).collect(),
                        kind: column.kind,
                        nullable: column.nullable,
                        strict,
                        otherwise: column.otherwise.clone(),
                        named: matches!(own, Origin::Member(_)),
                    });
                    Source::Cell(cells.len() - 1)
                }
            });
        }
        let fields: Vec<_> = columns
            .iter()
            .map(|index| table.columns[*index].field())
            .collect();
        Self {
            table: table.name.clone(),
            member: Some(table.rows.clone()).filter(|member| !member.is_empty()),
            schema: Arc::new(Schema::new(fields)),
            sources,
            cells,
            tree,
            most_rows: usize::MAX,
        }
    }

    /// The same decoder, which refuses answers with more rows than this.
    #[must_use]
    pub fn at_most(mut self, rows: usize) -> Self {
        self.most_rows = rows;
        self
    }

    /// The same decoder for answers that are one row without an envelope.
    #[must_use]
    pub fn single(mut self) -> Self {
        self.member = None;
        self
    }

    /// The schema of the batches.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Decodes an answer's body. What of it is not UTF-8 and halves of surrogate pairs, wanted or not, are read as
    /// U+FFFD. `parents` are the values of the table's parent columns
    /// ([`Slice::parents`](crate::Slice::parents)).
    ///
    /// # Errors
    /// `Decode`: BL2010 if the body is not whole JSON, BL2011 if it is not the expected envelope or
    /// a row lacks a value that it must have. Both show a piece of the body.
    pub fn decode(&self, body: &[u8], parents: &[Option<String>]) -> Result<Decoded> {
        self.decode_under(body, parents, None)
    }

    /// The same for rows that hang on one of the parent table.
    ///
    /// # Errors
    /// As [`Decoder::decode`].
    pub fn decode_under(
        &self,
        body: &[u8],
        parents: &[Option<String>],
        above: Option<&Above>,
    ) -> Result<Decoded> {
        let Readable {
            text,
            halves,
            foreign,
        } = readable(body);
        let text = text.as_ref();
        // The quick look stops at numbers that only their digits tell exactly.
        let answer = match self.look(text, Numbers::AsRead) {
            Ok(answer) => answer,
            Err(Unread { failure: None, .. }) => self
                .look(text, Numbers::AsWritten)
                .map_err(|unread| self.unread(unread, text, body))?,
            Err(unread) => return Err(self.unread(unread, text, body)),
        };
        let Answer {
            cells,
            rows,
            next,
            size,
            page,
            pagelen,
            mut lost,
            ..
        } = answer;
        lost.extend(lost_in(halves, foreign));
        let built: Vec<ArrayRef> = cells.into_iter().map(Cell::finish).collect();
        let column = |source: &Source| match source {
            Source::Cell(cell) => Ok(built[*cell].clone()),
            Source::Parent(index) => Ok(constant(
                parents.get(*index).and_then(Option::as_deref),
                rows,
            )),
            Source::Up(column) => match above {
                Some(above) => above.repeated(*column, rows),
                None => Err(ArrowError::SchemaError(
                    "its rows hang on none of the parent table".to_owned(),
                )),
            },
        };
        let columns: Result<Vec<_>, ArrowError> = self.sources.iter().map(column).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let rows = columns
            .and_then(|columns| {
                RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)
            })
            .map_err(|error| {
                let what = format!("cannot be used: {error}");
                self.error(code::WRONG_TYPE, &what, text.as_bytes(), 0)
                    .with_source(error)
            })?;
        let next = next.filter(|next| !next.is_empty());
        Ok(Decoded {
            rows,
            next,
            size,
            page,
            pagelen,
            lost,
        })
    }

    /// Reads a text once.
    fn look(&self, text: &str, numbers: Numbers) -> Result<Answer<'_>, Unread> {
        let cells = self.cells.iter().map(Cell::new).collect();
        let mut answer = Answer::new(cells, &self.cells, self.most_rows, numbers);
        let mut json = serde_json::Deserializer::from_str(text);
        let read = visit::AnswerSeed {
            decoder: self,
            answer: &mut answer,
        }
        .deserialize(&mut json)
        .and_then(|()| json.end());
        match read {
            Ok(()) => Ok(answer),
            Err(error) => Err(Unread {
                failure: answer.failure.take(),
                error,
            }),
        }
    }

    /// The error of a text that could not be read.
    fn unread(&self, Unread { failure, error }: Unread, text: &str, body: &[u8]) -> Error {
        if let Some(failure) = failure {
            return self.error(code::WRONG_TYPE, &failure, text.as_bytes(), 0);
        }
        let at = offset(text, error.line(), error.column());
        let (code, what) = match error.classify() {
            Category::Eof => (code::NOT_JSON, "ends too early"),
            Category::Data => (code::WRONG_TYPE, "cannot be used"),
            Category::Syntax | Category::Io => (code::NOT_JSON, "is not JSON"),
        };
        if let (code::NOT_JSON, Err(error)) = (code, std::str::from_utf8(body)) {
            let what = format!("is not UTF-8: {error}");
            return self.error(code, &what, body, error.valid_up_to());
        }
        // It quotes what was found.
        let error = error.to_string();
        let error = bucketline_secret::cut(&error);
        self.error(code, &format!("{what}: {error}"), text.as_bytes(), at)
    }

    fn error(&self, code: Code, what: &str, body: &[u8], at: usize) -> Error {
        let mut message = format!("an answer about {} {what}", self.table);
        if body.is_empty() {
            message.push_str("; its body is empty");
        } else {
            message.push_str(&format!("; near: {}", snippet(body, at)));
        }
        Error::new(code, message)
    }
}

/// What had to be replaced in a body to read it as JSON.
pub fn replaced(body: &[u8]) -> BTreeMap<Lost, u64> {
    let Readable {
        halves, foreign, ..
    } = readable(body);
    lost_in(halves, foreign).collect()
}

fn lost_in(halves: u64, foreign: u64) -> impl Iterator<Item = (Lost, u64)> {
    let both = [(Lost::Halves, halves), (Lost::Foreign, foreign)];
    both.into_iter().filter(|(_, count)| *count > 0)
}

/// A text column of one value in every row.
pub fn constant(value: Option<&str>, rows: usize) -> ArrayRef {
    let length = value.map_or(0, str::len);
    let mut builder = StringBuilder::with_capacity(rows, rows * length);
    for _ in 0..rows {
        builder.append_option(value);
    }
    Arc::new(builder.finish())
}

/// The byte that a line and a column, both from 1, stand for.
fn offset(text: &str, line: usize, column: usize) -> usize {
    let start: usize = text
        .split_inclusive('\n')
        .take(line.saturating_sub(1))
        .map(str::len)
        .sum();
    (start + column).min(text.len())
}

/// At most 200 characters of a body round `at`, fit for a message.
fn snippet(body: &[u8], at: usize) -> String {
    const LIMIT: usize = 200;
    let start = at.saturating_sub(LIMIT * 3 / 4);
    let end = (start + LIMIT).min(body.len());
    let text = String::from_utf8_lossy(&body[start..end]);
    let mut shown = String::new();
    for character in text.chars() {
        let piece: String = if character.is_control() {
            character.escape_default().collect()
        } else {
            character.to_string()
        };
        if shown.chars().count() + piece.chars().count() > LIMIT {
            break;
        }
        shown.push_str(&piece);
    }
    shown
}
