//! Files of separated values as tables of texts, for queries.

use std::io::ErrorKind as IoErrorKind;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use bucketline_core::code::session as code;
use bucketline_engine::datafusion::catalog::{MemTable, TableProvider};
use bucketline_engine::{Error, Files, Result};
use bucketline_sql::CsvTarget;

use crate::Access;

/// The largest file that is read, since its rows are held in memory.
const LARGEST: u64 = 1 << 30;

/// The files that the statements of a session may read.
#[derive(Debug)]
pub(crate) struct CsvFiles {
    access: Access,
}

impl CsvFiles {
    pub(crate) fn new(access: Access) -> Self {
        Self { access }
    }
}

impl Files for CsvFiles {
    fn table(&self, file: &CsvTarget) -> Result<Arc<dyn TableProvider>> {
        let path = self.access.file(Path::new(&file.path)).ok_or_else(|| {
            let text = format!("statements of this session may not read {}", file.path);
            Error::new(code::ACCESS, text).with_hint("a program allows files with Builder::access")
        })?;
        let failed = |why: String| {
            let text = format!("{} cannot be read: {why}", file.path);
            Error::new(code::FILE, text)
        };
        let text = read(&path).map_err(failed)?;
        let rows = rows(&text, file).map_err(failed)?;
        let table = MemTable::try_new(rows.schema(), vec![vec![rows]]);
        let table = table.map_err(|error| failed(error.to_string()))?;
        Ok(Arc::new(table))
    }
}

fn read(path: &Path) -> Result<String, String> {
    let bytes = bucketline_files::read(path, LARGEST).map_err(|error| match error.kind() {
        IoErrorKind::NotFound => "there is no such file".to_owned(),
        _ => error.to_string(),
    })?;
    String::from_utf8(bytes).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        format!("line {line} is not UTF-8")
    })
}

/// The rows of a file. A field without quotes that is empty is NULL, as it is written by INTO.
fn rows(text: &str, file: &CsvTarget) -> Result<RecordBatch, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut records = Records {
        rest: text,
        delimiter: file.delimiter,
        line: 1,
        is_narrow: false,
    };
    let mut names: Vec<String> = Vec::new();
    let mut columns: Vec<Vec<Option<String>>> = Vec::new();
    let mut rows = 0;
    while let Some((line, record)) = records.next()? {
        if names.is_empty() {
            names = match file.header {
                true => record
                    .iter()
                    .map(|it| it.clone().unwrap_or_default())
                    .collect(),
                false => (1..=record.len())
                    .map(|number| format!("Column{number}"))
                    .collect(),
            };
            columns = vec![Vec::new(); names.len()];
            if file.header {
                continue;
            }
        }
        if record.len() != names.len() {
            return Err(format!(
                "line {line} has {} fields, and the first has {}",
                record.len(),
                names.len()
            ));
        }
        rows += 1;
        for (column, value) in columns.iter_mut().zip(record) {
            column.push(value);
        }
    }
    if names.is_empty() {
        return Err("it is empty".to_owned());
    }
    if let Some(place) = names.iter().position(String::is_empty) {
        return Err(format!(
            "column {} has no name; header=false says that the first line has none",
            place + 1
        ));
    }
    for (place, name) in names.iter().enumerate() {
        if names[..place]
            .iter()
            .any(|other| other.eq_ignore_ascii_case(name))
        {
            return Err(format!("two columns are named {name}"));
        }
    }
    let fields: Vec<Field> = names
        .iter()
        .map(|name| Field::new(name, DataType::Utf8, true))
        .collect();
    let arrays: Vec<ArrayRef> = columns
        .into_iter()
        .map(|column| Arc::new(StringArray::from(column)) as ArrayRef)
        .collect();
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)
        .map_err(|error| error.to_string())
}

/// The fields of a record; one that is empty and not quoted is NULL.
type Fields = Vec<Option<String>>;

/// The records of a text by RFC 4180: quotes are doubled within quotes. Lines end with LF, CR LF or CR.
struct Records<'t> {
    rest: &'t str,
    delimiter: char,
    line: usize,
    /// Whether a record is one field, so that an empty line is a record of NULL.
    is_narrow: bool,
}

/// What stands behind the end of a line.
fn behind_line_end(text: &str) -> Option<&str> {
    let ends = ["\r\n", "\n", "\r"];
    ends.iter().find_map(|end| text.strip_prefix(end))
}

impl Records<'_> {
    /// The next record and the line that it begins in.
    fn next(&mut self) -> Result<Option<(usize, Fields)>, String> {
        // A line without anything in it is none.
        while !self.is_narrow
            && let Some(rest) = behind_line_end(self.rest)
        {
            self.rest = rest;
            self.line += 1;
        }
        if self.rest.is_empty() {
            return Ok(None);
        }
        let line = self.line;
        let mut record = Vec::new();
        loop {
            record.push(self.field()?);
            if let Some(rest) = self.rest.strip_prefix(self.delimiter) {
                self.rest = rest;
                continue;
            }
            if let Some(rest) = behind_line_end(self.rest) {
                self.rest = rest;
                self.line += 1;
            }
            self.is_narrow = record.len() == 1;
            return Ok(Some((line, record)));
        }
    }

    fn field(&mut self) -> Result<Option<String>, String> {
        let Some(quoted) = self.rest.strip_prefix('"') else {
            let ends = |c: char| c == self.delimiter || matches!(c, '\n' | '\r');
            let end = self.rest.find(ends).unwrap_or(self.rest.len());
            let (field, rest) = self.rest.split_at(end);
            self.rest = rest;
            return Ok((!field.is_empty()).then(|| field.to_owned()));
        };
        let opened = self.line;
        let (mut field, mut rest) = (String::new(), quoted);
        loop {
            let Some(end) = rest.find('"') else {
                return Err(format!(
                    "the quote that opens in line {opened} is not closed"
                ));
            };
            field.push_str(&rest[..end]);
            rest = &rest[end + 1..];
            match rest.strip_prefix('"') {
                Some(more) => {
                    field.push('"');
                    rest = more;
                }
                None => break,
            }
        }
        self.line += field.matches('\n').count();
        let ends =
            rest.is_empty() || rest.starts_with(self.delimiter) || behind_line_end(rest).is_some();
        if !ends {
            return Err(format!(
                "in line {} something follows a closing quote",
                self.line
            ));
        }
        self.rest = rest;
        Ok(Some(field))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, delimiter: char, header: bool) -> Result<Vec<String>, String> {
        let file = CsvTarget {
            path: "rows.csv".to_owned(),
            delimiter,
            header,
        };
        let rows = rows(text, &file)?;
        let schema = rows.schema();
        let names = schema.fields().iter().map(|field| field.name().clone());
        let mut lines = vec![names.collect::<Vec<_>>().join("|")];
        for row in 0..rows.num_rows() {
            let cell = |array: &ArrayRef| {
                let texts = arrow::array::AsArray::as_string::<i32>(array);
                match arrow::array::Array::is_null(texts, row) {
                    true => "NULL".to_owned(),
                    false => texts.value(row).to_owned(),
                }
            };
            let cells: Vec<String> = rows.columns().iter().map(cell).collect();
            lines.push(cells.join("|"));
        }
        Ok(lines)
    }

    #[test]
    fn a_file_that_was_written_is_read_as_it_was() {
        let text = "\u{feff}Id,Name\r\n1,\"a \"\"b\"\",\nc\"\r\n2,\r\n\r\n3,\"\"\r\n";
        let expected = ["Id|Name", "1|a \"b\",\nc", "2|NULL", "3|"];
        assert_eq!(
            read(text, ',', true),
            Ok(expected.map(str::to_owned).to_vec())
        );
        let expected = ["a", "NULL", "x", "", "NULL"];
        assert_eq!(
            read("a\n\nx\n\"\"\n\n", ',', true),
            Ok(expected.map(str::to_owned).to_vec())
        );
        let expected = ["a|b", "1|2", "3|4"];
        assert_eq!(
            read("a,b\r1,2\r\r3,4\r", ',', true),
            Ok(expected.map(str::to_owned).to_vec())
        );
        let expected = ["Column1|Column2", "1|x;y"];
        let read_back = read("1\tx;y", '\t', false);
        assert_eq!(read_back, Ok(expected.map(str::to_owned).to_vec()));
    }

    #[test]
    fn what_is_no_table_is_refused_by_its_line() {
        for (text, words) in [
            ("", "it is empty"),
            ("a,b\n1,2\n3\n", "line 3 has 1 fields, and the first has 2"),
            ("a,A\n", "two columns are named A"),
            ("a,\n1,2\n", "column 2 has no name"),
            ("a\n\"x\ny", "the quote that opens in line 2 is not closed"),
            ("a\n\"x\"y\n", "in line 2 something follows a closing quote"),
        ] {
            let error = read(text, ',', true).unwrap_err();
            assert!(error.contains(words), "{text:?}: {error}");
        }
    }
}
