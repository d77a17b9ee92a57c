//! Texts of SQL and where they come from.

use std::io;
use std::path::Path;

use bucketline::has_literal_secret;
use bucketline::sql::{Ident, parse_script};

use crate::error::{Error, Result};

/// Bytes that a script may have: they are in memory as long as it runs.
const MOST: u64 = 64 << 20;

/// A text of SQL.
#[derive(Debug, Clone)]
pub(crate) struct Script {
    /// What it is called in errors; none for what was typed just now.
    pub(crate) name: Option<String>,
    /// The text.
    pub(crate) text: String,
}

impl Script {
    /// What `-e` gave.
    ///
    /// # Errors
    /// If a secret stands in it.
    pub(crate) fn from_argument(text: String) -> Result<Self> {
        let place = "-e".to_owned();
        let mut statements = parse_script(&text).into_iter().flatten();
        if statements.any(|located| has_literal_secret(&located.statement)) {
            return Err(Error::LiteralSecret { place });
        }
        Ok(Self {
            name: Some(place),
            text,
        })
    }

    /// What `bucketline budget` runs.
    pub(crate) fn of_budget(connection: Option<&str>) -> Self {
        Self::typed(match connection {
            Some(connection) => format!("SHOW BUDGET FROM {}", Ident::new(connection)),
            None => "SHOW BUDGET".to_owned(),
        })
    }

    /// What was typed at the prompt.
    pub(crate) fn typed(text: String) -> Self {
        Self { name: None, text }
    }

    /// Reads a file, or a pipe such as a shell makes of `<(command)`, to its end; `-` is the standard input.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        if path == Path::new("-") {
            return Self::standard_input();
        }
        Self::named(path, bucketline_files::read_stream(path, MOST))
    }

    /// Reads a file that an interactive session names. A pipe would make it wait for a writer.
    pub(crate) fn included(path: &Path) -> Result<Self> {
        Self::named(path, bucketline_files::read(path, MOST))
    }

    fn named(path: &Path, bytes: io::Result<Vec<u8>>) -> Result<Self> {
        let name = path.display().to_string();
        match bytes.and_then(text) {
            Ok(text) => Ok(Self {
                name: Some(name),
                text,
            }),
            Err(source) => Err(Error::Script { name, source }),
        }
    }

    /// Reads the standard input to its end.
    pub(crate) fn standard_input() -> Result<Self> {
        match bucketline_files::read_to_limit(io::stdin().lock(), MOST).and_then(text) {
            Ok(text) => Ok(Self {
                name: Some("<stdin>".to_owned()),
                text,
            }),
            Err(source) => Err(Error::Script {
                name: "the standard input".to_owned(),
                source,
            }),
        }
    }
}

/// A file's text: UTF-8, without the mark that some editors put at its beginning.
fn text(bytes: Vec<u8>) -> io::Result<String> {
    let text = bucketline_files::text(bytes)?;
    Ok(match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_owned(),
        None => text,
    })
}
