//! Where PostgreSQL's programs are.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::Result;

/// The variable that names the folder of the programs, before any other place.
const VARIABLE: &str = "BUCKETLINE_POSTGRES_BIN";

/// Where Homebrew links what it installs, on Apple's processors and on Intel's.
const HOMEBREW: [&str; 2] = ["/opt/homebrew/opt", "/usr/local/opt"];

/// PostgreSQL's programs, all of one version.
#[derive(Debug, Clone)]
pub(crate) struct Programs {
    folder: PathBuf,
}

impl Programs {
    /// The folder that the variable names, else that of the PATH, else the newest of a package.
    pub(crate) fn find() -> Result<Self> {
        let told = std::env::var_os(VARIABLE).map(PathBuf::from);
        if let Some(folder) = &told {
            return Self::of(folder)
                .ok_or_else(|| format!("{VARIABLE}: {} has no initdb", folder.display()));
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path)
            .chain(packaged(Path::new("/usr/lib/postgresql"), ""))
            .chain(
                HOMEBREW
                    .iter()
                    .flat_map(|opt| packaged(Path::new(opt), "postgresql@")),
            )
            .find_map(|folder| Self::of(&folder))
            .ok_or_else(|| {
                format!(
                    "PostgreSQL is not installed (Debian: apt-get install postgresql; macOS: brew \
                     install postgresql@17; elsewhere {VARIABLE} names the folder of initdb)"
                )
            })
    }

    /// Those of a folder. Links are followed: a link to one program stands alone, its target
    /// beside the others.
    fn of(folder: &Path) -> Option<Self> {
        let postgres = folder.join("postgres").canonicalize().ok()?;
        let folder = postgres.parent()?.to_owned();
        let is_whole = ["initdb", "psql"]
            .iter()
            .all(|name| folder.join(name).is_file());
        is_whole.then_some(Self { folder })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A program, in an environment that says nothing about PostgreSQL.
    pub(crate) fn command(&self, name: &str) -> Command {
        let mut command = Command::new(self.path(name));
        in_plain_environment(&mut command);
        command
    }

    /// What the server says its version is.
    pub(crate) fn version(&self) -> Result<String> {
        output(self.command("postgres").arg("--version")).map(|text| text.trim().to_owned())
    }
}

/// The `bin` folders below a folder that has one for each version, the newest first.
fn packaged(folder: &Path, prefix: &str) -> Vec<PathBuf> {
    let mut versions: Vec<(u32, PathBuf)> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let name = entry.file_name();
            let version = name.to_str()?.strip_prefix(prefix)?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .collect();
    versions.sort_by(|one, other| other.cmp(one));
    versions.into_iter().map(|(_, folder)| folder).collect()
}

/// Takes away the variables that PostgreSQL's programs heed, and the language of the user.
pub(crate) fn in_plain_environment(command: &mut Command) {
    command
        .env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        .env("LC_ALL", "C")
        .current_dir("/");
}

/// Runs a program to its end and returns what it printed.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let Output {
        status,
        stdout,
        stderr,
    } = command
        .output()
        .map_err(|error| format!("{name}: {error}"))?;
    if status.success() {
        return Ok(String::from_utf8_lossy(&stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&stderr);
    Err(format!("{name}: {status}\n{said}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_newest_packaged_version_comes_first() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["9", "15", "17", "common"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        let found = packaged(folder.path(), "");
        let wanted = ["17/bin", "15/bin", "9/bin"].map(|name| folder.path().join(name));
        assert_eq!(found, wanted);
    }
}
