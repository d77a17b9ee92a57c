//! The two that are measured, as commands.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Result;
use crate::server::{TOKEN, USER, WORKSPACE};
use crate::store::Store;

const CONFIGURATION: &str = "bucketline.toml";

/// Where the configuration takes the token from.
const TOKEN_VARIABLE: &str = "BUCKETLINE_BENCH_TOKEN";

/// The hand-written loop: this program in another role.
pub(crate) fn hand_written(base_url: &str, store: &Store) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("load").arg(base_url).arg(store.to_string());
    Ok(command)
}

/// The program that is measured.
pub(crate) struct Bucketline {
    program: PathBuf,
}

impl Bucketline {
    /// The program at this path, or the one beside this program.
    pub(crate) fn find(given: Option<&Path>) -> Result<Self> {
        let program = match given {
            Some(path) => std::path::absolute(path)?,
            None => {
                let name = format!("bucketline{}", std::env::consts::EXE_SUFFIX);
                std::env::current_exe()?.with_file_name(name)
            }
        };
        if program.is_file() {
            return Ok(Self { program });
        }
        let hint = "build it with `cargo build --release --workspace --bins`";
        Err(format!(
            "there is no {}: {hint}, or use `cargo x bench`",
            program.display()
        )
        .into())
    }

    /// Its name and version.
    pub(crate) fn version(&self) -> Result<String> {
        let printed = Command::new(&self.program).arg("--version").output()?;
        Ok(String::from_utf8_lossy(&printed.stdout).trim().to_owned())
    }

    /// The program with the configuration in `folder`, where it keeps its state, too.
    pub(crate) fn command(&self, folder: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .env("BUCKETLINE_CONFIG", folder.join(CONFIGURATION));
        command
            .env("BUCKETLINE_STATE", folder.join("state"))
            .env(TOKEN_VARIABLE, TOKEN);
        command
    }

    /// The load that is measured.
    pub(crate) fn replicate(&self, folder: &Path, store: &Store) -> Command {
        let mut command = self.command(folder, &["-e", "REPLICATE Issues;"]);
        command.env("BUCKETLINE_DESTINATION", store.to_string());
        command
    }
}

/// Writes the configuration of a connection to the server. It has no budget: the server grants any
/// number of requests to both.
pub(crate) fn configure(folder: &Path, base_url: &str) -> Result {
    let configuration = format!(
        r#"[connections.bench]
BaseURL = "{base_url}"
Workspace = "{WORKSPACE}"
AuthScheme = "APIToken"
User = "{USER}"
Token = "env:{TOKEN_VARIABLE}"
RequestsPerHour = 0
"#
    );
    let path = folder.join(CONFIGURATION);
    std::fs::write(&path, configuration)
        .map_err(|error| format!("cannot write {}: {error}", path.display()).into())
}
