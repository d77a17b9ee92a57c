//! Rows as separated values, and files of them.

mod reading;

use std::borrow::Cow;
use std::io::{self, Write};
use std::path::Path;

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::Schema;
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use bucketline_files::NewFile;

pub(crate) use reading::CsvFiles;

/// Writes rows as RFC 4180 says: lines that end with CR and LF, quotes where they are needed. NULL is an empty field,
/// an empty text is `""`.
#[derive(Debug, Clone, Copy)]
pub struct CsvFormat {
    delimiter: char,
    shown: fn(&str) -> Cow<'_, str>,
}

impl CsvFormat {
    /// With what stands between two values.
    pub fn new(delimiter: char) -> Self {
        Self {
            delimiter,
            shown: |text| Cow::Borrowed(text),
        }
    }

    /// Changes each text before it is written.
    #[must_use]
    pub fn shown_by(mut self, shown: fn(&str) -> Cow<'_, str>) -> Self {
        self.shown = shown;
        self
    }

    /// Writes the names of the columns.
    ///
    /// # Errors
    /// If the sink fails.
    pub fn header(&self, schema: &Schema, sink: &mut dyn Write) -> io::Result<()> {
        for (index, field) in schema.fields().iter().enumerate() {
            self.field(index, field.name(), sink)?;
        }
        sink.write_all(b"\r\n")
    }

    /// Writes rows.
    ///
    /// # Errors
    /// If the sink fails, or a column is of a type that has no text.
    pub fn rows(&self, batch: &RecordBatch, sink: &mut dyn Write) -> io::Result<()> {
        let options = FormatOptions::new().with_display_error(true);
        let columns = batch.columns().iter();
        let texts = columns
            .clone()
            .map(|column| ArrayFormatter::try_new(column, &options));
        let texts: Vec<_> = texts.collect::<Result<_, _>>().map_err(unwritable)?;
        let nulls: Vec<_> = columns.map(|column| column.logical_nulls()).collect();
        for row in 0..batch.num_rows() {
            for (index, text) in texts.iter().enumerate() {
                let is_null = nulls[index]
                    .as_ref()
                    .is_some_and(|nulls| nulls.is_null(row));
                match is_null {
                    true => self.separate(index, sink)?,
                    false => self.field(index, &text.value(row).to_string(), sink)?,
                }
            }
            sink.write_all(b"\r\n")?;
        }
        Ok(())
    }

    fn separate(&self, index: usize, sink: &mut dyn Write) -> io::Result<()> {
        match index {
            0 => Ok(()),
            _ => write!(sink, "{}", self.delimiter),
        }
    }

    fn field(&self, index: usize, text: &str, sink: &mut dyn Write) -> io::Result<()> {
        self.separate(index, sink)?;
        let text = (self.shown)(text);
        if text.is_empty() || text.contains([self.delimiter, '"', '\r', '\n']) {
            write!(sink, "\"{}\"", text.replace('"', "\"\""))
        } else {
            sink.write_all(text.as_bytes())
        }
    }
}

fn unwritable(error: ArrowError) -> io::Error {
    match error {
        ArrowError::IoError(_, error) => error,
        other => io::Error::other(other),
    }
}

/// A file of separated values, which is there when it is whole.
pub(crate) struct CsvFile {
    format: CsvFormat,
    file: NewFile,
}

impl CsvFile {
    pub(crate) async fn create(path: &Path, delimiter: char, schema: &Schema) -> io::Result<Self> {
        let mut csv = Self {
            format: CsvFormat::new(delimiter),
            file: NewFile::create(path).await?,
        };
        let mut header = Vec::new();
        csv.format.header(schema, &mut header)?;
        csv.file.write(&header).await?;
        Ok(csv)
    }

    pub(crate) async fn rows(&mut self, batch: &RecordBatch) -> io::Result<()> {
        let mut rows = Vec::new();
        self.format.rows(batch, &mut rows)?;
        self.file.write(&rows).await
    }

    /// Gives the file its name. One that was there is replaced.
    pub(crate) fn finish(self) -> io::Result<()> {
        self.file.finish()
    }
}
