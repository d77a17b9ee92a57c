//! Texts of SQL and where they come from.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use bucketline::has_literal_secret;
use bucketline::sql::parse_script;

use crate::error::{Error, Result};

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

    /// What was typed at the prompt.
    pub(crate) fn typed(text: String) -> Self {
        Self { name: None, text }
    }

    /// Reads a file; `-` is the standard input.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        if path == Path::new("-") {
            return Self::standard_input();
        }
        let name = path.display().to_string();
        match fs::read(path).and_then(text) {
            Ok(text) => Ok(Self {
                name: Some(name),
                text,
            }),
            Err(source) => Err(Error::Script { name, source }),
        }
    }

    /// Reads the standard input to its end.
    pub(crate) fn standard_input() -> Result<Self> {
        let mut bytes = Vec::new();
        let read = io::stdin()
            .lock()
            .read_to_end(&mut bytes)
            .and_then(|_| text(bytes));
        match read {
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
    let text = String::from_utf8(bytes)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8 text"))?;
    Ok(match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_owned(),
        None => text,
    })
}
