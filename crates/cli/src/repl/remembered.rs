//! The schemas that earlier sessions have listed: completion knows them before this session has listed any, and asks no
//! service for them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use bucketline::Vocabulary;
use bucketline_secret::private;

/// Names of schemas by the name of their connection, kept in a file of a line each.
#[derive(Debug, Default)]
pub(super) struct Remembered {
    path: Option<PathBuf>,
    schemas: BTreeMap<String, Vec<String>>,
}

impl Remembered {
    /// What is kept in the state folder. A file that cannot be read is as good as none.
    pub(super) fn open(state: Option<&PathBuf>) -> Self {
        let path = state.map(|folder| folder.join("schemas"));
        let text = path
            .as_deref()
            .and_then(|path| fs::read_to_string(path).ok());
        let mut schemas: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for line in text.as_deref().unwrap_or_default().lines() {
            if let Some((connection, schema)) = line.split_once('\t') {
                let of_connection = schemas.entry(connection.to_owned()).or_default();
                of_connection.push(schema.to_owned());
            }
        }
        Self { path, schemas }
    }

    /// Adds to a vocabulary the schemas of connections that have listed none yet, and keeps those of the others.
    pub(super) fn complete(&mut self, vocabulary: &mut Vocabulary) {
        let mut has_changed = false;
        for connection in &mut vocabulary.connections {
            let known = self.schemas.get(&connection.name);
            if connection.schemas.is_empty() {
                connection.schemas = known.cloned().unwrap_or_default();
            } else if known != Some(&connection.schemas) {
                let listed = connection.schemas.clone();
                self.schemas.insert(connection.name.clone(), listed);
                has_changed = true;
            }
        }
        if let (true, Some(path)) = (has_changed, &self.path) {
            self.keep(path);
        }
    }

    /// Completion is not worth an error.
    fn keep(&self, path: &Path) {
        let mut text = String::new();
        for (connection, schemas) in &self.schemas {
            let plain = |name: &&String| !name.contains(['\t', '\n']);
            for schema in schemas.iter().filter(plain) {
                let _ = writeln!(text, "{connection}\t{schema}");
            }
        }
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        let file = private(&mut options).open(path);
        drop(file.and_then(|mut file| file.write_all(text.as_bytes())));
    }
}

#[cfg(test)]
mod tests {
    use bucketline::{ConnectionNames, Vocabulary};

    use super::Remembered;

    fn vocabulary(schemas: &[&str]) -> Vocabulary {
        Vocabulary {
            connections: vec![ConnectionNames {
                name: "prod".into(),
                schemas: schemas.iter().map(|&it| it.into()).collect(),
                tables: Vec::new(),
            }],
            ..Vocabulary::default()
        }
    }

    #[test]
    fn what_one_session_listed_the_next_one_knows() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().to_path_buf();
        let mut listed = vocabulary(&["API", "web shop"]);
        Remembered::open(Some(&state)).complete(&mut listed);
        let mut unlisted = vocabulary(&[]);
        let mut next = Remembered::open(Some(&state));
        next.complete(&mut unlisted);
        assert_eq!(unlisted.connections[0].schemas, ["API", "web shop"]);
        // What is listed anew takes the place of that.
        next.complete(&mut vocabulary(&["API"]));
        let mut after = vocabulary(&[]);
        Remembered::open(Some(&state)).complete(&mut after);
        assert_eq!(after.connections[0].schemas, ["API"]);
    }
}
