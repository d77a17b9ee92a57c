//! What the statements of a session may reach on this machine.

use std::path::{Component, Path, PathBuf};

/// What statements may reach on this machine: nothing, unless the embedding program says otherwise. What the program
/// itself configures is not bound by it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    environment: bool,
    files: Files,
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
            environment: true,
            files: Files::All,
        }
    }

    /// Lets references to secrets name variables of the environment.
    #[must_use]
    pub fn with_environment(mut self) -> Self {
        self.environment = true;
        self
    }

    /// Lets paths and references to secrets name files below this folder, to which they are relative. Links out of
    /// it are followed: what is in the folder is the program's to say.
    #[must_use]
    pub fn with_files_below(mut self, folder: impl Into<PathBuf>) -> Self {
        self.files = Files::Below(folder.into());
        self
    }

    pub(crate) fn has_environment(&self) -> bool {
        self.environment
    }

    /// Where a path of a statement leads; `None` if it may not be followed.
    pub(crate) fn file(&self, path: &Path) -> Option<PathBuf> {
        match &self.files {
            Files::None => None,
            Files::All => Some(path.to_owned()),
            Files::Below(folder) => {
                let climbs = path.components().any(|part| part == Component::ParentDir);
                let path = folder.join(path);
                (!climbs && path.starts_with(folder)).then_some(path)
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
}
