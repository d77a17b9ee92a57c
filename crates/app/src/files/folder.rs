//! Texts in a folder.

use std::fs;
use std::path::Path;

use bucketline_core::{Error, Result, code};

use super::Texts;

/// The file that says all but the statements.
const FILE: &str = "application.toml";

/// Bytes that a file may have.
const MOST: u64 = 16 << 20;

impl Texts {
    /// Reads `application.toml` of a folder and the `.sql` files that it names.
    ///
    /// # Errors
    /// If a file cannot be read, or one outside the folder is named.
    pub fn of_folder(folder: &Path) -> Result<Self> {
        let read = |path: &str| {
            let path = folder.join(path);
            bucketline_files::read_text(&path, MOST).map_err(|error| failed("read", &path, error))
        };
        let mut texts = Self {
            toml: read(FILE)?,
            ..Self::default()
        };
        for path in Self::sql_paths(&texts.toml)? {
            let text = read(&path)?;
            texts.sql.insert(path, text);
        }
        Ok(texts)
    }

    /// Writes the files. Those of the same names are replaced; others stay.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn write_to(&self, folder: &Path) -> Result<()> {
        let write = |path: &str, text: &str| {
            let path = folder.join(path);
            let made = path.parent().map_or(Ok(()), fs::create_dir_all);
            let written = made.and_then(|()| fs::write(&path, text));
            written.map_err(|error| failed("written", &path, error))
        };
        for (path, text) in &self.sql {
            write(path, text)?;
        }
        // Last, so that it names only what is there.
        write(FILE, &self.toml)
    }
}

fn failed(done: &str, path: &Path, error: std::io::Error) -> Error {
    let message = format!("{} cannot be {done}: {error}", path.display());
    Error::new(code::model::FILE, message).with_source(error)
}
