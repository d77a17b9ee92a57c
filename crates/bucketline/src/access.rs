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

    /// Lets paths and references to secrets name files below this folder, to which they are relative. Links out of
    /// it are followed: what is in the folder is the program's to say.
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
                let is_closed = self.closed.iter().any(|closed| path.starts_with(closed));
                (!climbs && !is_closed && path.starts_with(folder)).then_some(path)
            }
        }
    }
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
