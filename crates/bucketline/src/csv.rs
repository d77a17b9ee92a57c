//! Rows as separated values, and files of them.

use std::borrow::Cow;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::Schema;
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};

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

/// A file that is there when it is whole: until then it has another name, and vanishes if it is dropped.
pub(crate) struct CsvFile {
    format: CsvFormat,
    path: PathBuf,
    unfinished: PathBuf,
    sink: Option<BufWriter<File>>,
}

impl CsvFile {
    pub(crate) fn create(path: &Path, delimiter: char, schema: &Schema) -> io::Result<Self> {
        let path = path.to_owned();
        if path.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let unfinished = unfinished(&path);
        let mut file = Self {
            format: CsvFormat::new(delimiter),
            sink: Some(BufWriter::new(File::create_new(&unfinished)?)),
            path,
            unfinished,
        };
        if let Some(sink) = &mut file.sink {
            file.format.header(schema, sink)?;
        }
        Ok(file)
    }

    pub(crate) fn rows(&mut self, batch: &RecordBatch) -> io::Result<()> {
        match &mut self.sink {
            Some(sink) => self.format.rows(batch, sink),
            None => Ok(()),
        }
    }

    /// Gives the file its name. One that was there is replaced.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        if let Some(sink) = self.sink.take() {
            let file = sink.into_inner().map_err(io::IntoInnerError::into_error)?;
            file.sync_all()?;
            fs::rename(&self.unfinished, &self.path)?;
        }
        Ok(())
    }
}

impl Drop for CsvFile {
    fn drop(&mut self) {
        // After `finish` nothing is there under this name.
        let _ = fs::remove_file(&self.unfinished);
    }
}

/// A name in the same folder, of this process alone.
fn unfinished(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}.unfinished", std::process::id()))
}
