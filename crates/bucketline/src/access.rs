//! What the statements of a session may reach on this machine.

use std::path::{Component, Path, PathBuf};

/// What statements may reach on this machine: nothing, unless the embedding program says otherwise. What the program
/// itself configures is not bound by it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    environment: Environment,
    files: Files,
    /// Files and folders that no path may lead to.
    closed: Vec<PathBuf>,
    /// The files that references to secrets may name, if they are not those of `files`.
    secret_files: Option<Vec<PathBuf>>,
    fixed_connections: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum Environment {
    #[default]
    None,
    Named(Vec<String>),
    All,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum Files {
    #[default]
    None,
    Below(PathBuf),
    All,
}

impl Access {
    /// The environment and every file, for a program whose user writes the statements.
    pub fn all() -> Self {
        Self {
            environment: Environment::All,
            files: Files::All,
            ..Self::default()
        }
    }

    /// Lets references to secrets name variables of the environment.
    #[must_use]
    pub fn with_environment(mut self) -> Self {
        self.environment = Environment::All;
        self
    }

    /// Lets references to secrets name these variables of the environment. What a connection does not say still comes from no
    /// variable.
    #[must_use]
    pub fn with_variables(mut self, names: impl IntoIterator<Item = String>) -> Self {
        self.environment = Environment::Named(names.into_iter().collect());
        self
    }

    /// Lets references to secrets name these files alone, wherever they are.
    #[must_use]
    pub fn with_secret_files(mut self, paths: impl IntoIterator<Item = PathBuf>) -> Self {
        self.secret_files = Some(paths.into_iter().collect());
        self
    }

    /// Keeps paths from leading to a file or into a folder, though it is below one that they may lead to.
    #[must_use]
    pub fn without(mut self, path: impl Into<PathBuf>) -> Self {
        self.closed.push(path.into());
        self
    }

    /// Lets paths and references to secrets name files below this folder, to which they are relative. A link that leads
    /// out of it is not followed.
    #[must_use]
    pub fn with_files_below(mut self, folder: impl Into<PathBuf>) -> Self {
        self.files = Files::Below(folder.into());
        self
    }

    /// Keeps statements from making connections: there are those of the program alone.
    #[must_use]
    pub fn with_fixed_connections(mut self) -> Self {
        self.fixed_connections = true;
        self
    }

    pub(crate) fn makes_connections(&self) -> bool {
        !self.fixed_connections
    }

    pub(crate) fn has_environment(&self) -> bool {
        self.environment == Environment::All
    }

    pub(crate) fn has_all_files(&self) -> bool {
        self.files == Files::All
    }

    pub(crate) fn has_variable(&self, name: &str) -> bool {
        match &self.environment {
            Environment::None => false,
            Environment::Named(names) => names.iter().any(|known| known == name),
            Environment::All => true,
        }
    }

    /// Where the path of a reference to a secret leads; `None` if it may not be followed.
    pub(crate) fn secret_file(&self, path: &Path) -> Option<PathBuf> {
        match &self.secret_files {
            Some(known) => known.iter().find(|known| *known == path).cloned(),
            None => self.file(path),
        }
    }

    /// Where a path of a statement leads; `None` if it may not be followed.
    pub(crate) fn file(&self, path: &Path) -> Option<PathBuf> {
        match &self.files {
            Files::None => None,
            Files::All => Some(path.to_owned()),
            Files::Below(folder) => {
                let climbs = path.components().any(|part| part == Component::ParentDir);
                let path = folder.join(path);
                let is_open = |path: &Path, folder: &Path| {
                    path.starts_with(folder) && !self.closed.iter().any(|it| leads_into(path, it))
                };
                let real = real(&path);
                let is_open =
                    !climbs && is_open(&path, folder) && is_open(&real, &self::real(folder));
                is_open.then_some(path)
            }
        }
    }
}

/// Where a path leads when links are followed, as far as there is something. A link to what is not there yet is followed,
/// too: whoever writes there makes it.
fn real(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    // Links of links beyond that go in a circle, most likely.
    for _ in 0..40 {
        let Some((there, rest)) = path.ancestors().find_map(|there| {
            let found = there.symlink_metadata().is_ok();
            Some((there, path.strip_prefix(there).ok()?)).filter(|_| found)
        }) else {
            break;
        };
        let joined = |base: PathBuf| match rest.as_os_str().is_empty() {
            true => base,
            false => base.join(rest),
        };
        match (there.canonicalize(), there.read_link()) {
            (Ok(real), _) => return joined(real),
            (Err(_), Ok(target)) => path = joined(there.with_file_name("").join(target)),
            (Err(_), Err(_)) => break,
        }
    }
    PathBuf::new()
}

/// Whether a path leads to a closed file, to one beside it that SQLite and locks name after it, or into a closed folder.
fn leads_into(path: &Path, closed: &Path) -> bool {
    let closed = [closed.to_owned(), real(closed)];
    closed.iter().any(|closed| {
        let is_beside = || {
            let name = closed.file_name()?.to_str()?;
            let rest = path.file_name()?.to_str()?.strip_prefix(name)?;
            Some(path.parent() == closed.parent() && rest.starts_with(['-', '.']))
        };
        path.starts_with(closed) || is_beside() == Some(true)
    })
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::Access;

    #[test]
    fn no_path_leads_out_of_the_folder() {
        let access = Access::default().with_files_below("/data/in");
        for (path, expected) in [
            ("a.zip", Some("/data/in/a.zip")),
            ("b/../a.zip", None),
            ("../a.zip", None),
            ("/data/in/c", Some("/data/in/c")),
            ("/data/inside", None),
            ("/etc/passwd", None),
        ] {
            assert_eq!(
                access.file(Path::new(path)),
                expected.map(PathBuf::from),
                "{path}"
            );
            assert_eq!(Access::default().file(Path::new(path)), None);
        }
    }

    #[test]
    fn what_is_closed_stays_so_below_an_open_folder() {
        let access = Access::default()
            .with_files_below("/data")
            .without("/data/state");
        for path in [
            "state/app.db",
            "./state/app.db",
            "/data/state",
            "/data//state/x",
        ] {
            assert_eq!(access.file(Path::new(path)), None, "{path}");
        }
        assert!(access.file(Path::new("states/x")).is_some());
    }

    #[cfg(unix)]
    #[test]
    fn no_link_leads_out_of_the_folder_or_to_what_is_closed() {
        use std::os::unix::fs::symlink;

        let there = tempfile::tempdir().unwrap();
        let (data, outside) = (there.path().join("data"), there.path().join("outside"));
        std::fs::create_dir(&data).unwrap();
        std::fs::create_dir(&outside).unwrap();
        std::fs::write(data.join("app.db"), "").unwrap();
        symlink(&outside, data.join("out")).unwrap();
        symlink(data.join("app.db"), data.join("soft.db")).unwrap();
        symlink(outside.join("new.db"), data.join("new.db")).unwrap();
        symlink(data.join("copy.db"), data.join("other.db")).unwrap();
        let access = Access::default()
            .with_files_below(&data)
            .without(data.join("app.db"));
        for closed in ["out/x.db", "soft.db", "app.db", "app.db-wal", "app.db.lock"] {
            assert_eq!(access.file(Path::new(closed)), None, "{closed}");
        }
        for open in ["copy.db", "other.db", "deep/copy.db", "app.dbs"] {
            assert!(access.file(Path::new(open)).is_some(), "{open}");
        }
    }

    #[test]
    fn secrets_come_from_named_variables_and_files_alone() {
        let access = Access::default()
            .with_files_below("/data")
            .with_variables(["TOKEN".to_owned()])
            .with_secret_files([PathBuf::from("/run/token")]);
        assert!(access.has_variable("TOKEN") && !access.has_variable("PATH"));
        assert!(!access.has_environment());
        assert!(access.secret_file(Path::new("/run/token")).is_some());
        assert!(access.secret_file(Path::new("copy.db")).is_none());
    }
}
