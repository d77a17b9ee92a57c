//! What the command line itself can fail with.

use std::io;
use std::path::PathBuf;

use bucketline::Code;
use bucketline::code::{command_line, store, web};

/// The result of an operation of the command line.
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of the command line, or one of the library that ends the program.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The library's or the application's, with its own code.
    #[error(transparent)]
    Library(bucketline::Error),
    /// The address of the store's server is wrong.
    #[error("--store: {message}")]
    Store { message: String },
    /// There is neither a user's folder nor one that was named.
    #[error("there is no folder for the application's store and token")]
    NoStateFolder,
    /// The file of a password cannot be read.
    #[error("{} cannot be read", path.display())]
    PasswordFile { path: PathBuf, source: io::Error },
    /// There is no such job.
    #[error("there is no job {name}")]
    NoJob { name: String },
    /// A script cannot be read.
    #[error("{name} cannot be read")]
    Script { name: String, source: io::Error },
    /// `--connection` is not `NAME=PROPERTIES`.
    #[error("--connection needs NAME=PROPERTIES")]
    ConnectionOption,
    /// A secret stands on the command line.
    #[error(
        "{place}: a secret must not stand on the command line, where the process list shows it"
    )]
    LiteralSecret { place: String },
    /// `--param` is not `NAME=VALUE`.
    #[error("--param needs NAME=VALUE")]
    ParameterOption,
    /// A secret stands on the command line.
    #[error(
        "--param {name}: a secret must not stand on the command line, where the process list shows it"
    )]
    SecretParameter { name: String },
    /// A configuration file that nobody named would send credentials to these hosts.
    #[error(
        "{} in this folder would send a credential to {}",
        file.display(),
        hosts.join(", ")
    )]
    UntrustedHosts { file: PathBuf, hosts: Vec<String> },
    /// A manual page is asked for that there is not.
    #[error("there is no command {name}")]
    UnknownCommand { name: String },
    /// Two sign-ins are given by the environment.
    #[error("BITBUCKET_API_TOKEN needs BITBUCKET_EMAIL")]
    EmailMissing,
    /// A variable of the environment cannot be read; its value is not shown, since it may be a secret.
    #[error("{name} is not UTF-8 text")]
    Variable { name: &'static str },
    /// The demonstration's folder holds something.
    #[error("{} is not empty", folder.display())]
    FolderNotEmpty { folder: PathBuf },
    /// A file or folder cannot be written.
    #[error("{} cannot be written", path.display())]
    Write { path: PathBuf, source: io::Error },
    /// The sandbox cannot start or change.
    #[error(transparent)]
    Sandbox(#[from] bucketline_sandbox::Error),
    /// Results cannot be printed.
    #[error("the result cannot be printed")]
    Output(#[source] io::Error),
    /// What is asked for cannot be read.
    #[error("the standard input cannot be read")]
    Input(#[source] io::Error),
    /// The terminal cannot be used.
    #[error("the terminal cannot be used")]
    Terminal(#[from] rustyline::error::ReadlineError),
    /// The program's threads cannot be started.
    #[error("the program's threads cannot be started")]
    Runtime(#[source] io::Error),
}

impl From<bucketline::Error> for Error {
    fn from(error: bucketline::Error) -> Self {
        Self::Library(error)
    }
}

impl Error {
    /// The stable code, a heading of `docs/errors.md`.
    pub(crate) fn code(&self) -> Code {
        match self {
            Self::Library(error) => error.code(),
            Self::Store { .. } => store::UNAVAILABLE,
            Self::NoStateFolder => web::TOKEN_FILE,
            Self::Runtime(_) => command_line::RUNTIME,
            Self::PasswordFile { .. } => web::TOKEN_FILE,
            Self::NoJob { .. } => store::NOT_FOUND,
            Self::Script { .. } => command_line::SCRIPT,
            Self::ConnectionOption => command_line::CONNECTION_OPTION,
            Self::LiteralSecret { .. } | Self::SecretParameter { .. } => {
                command_line::LITERAL_SECRET
            }
            Self::EmailMissing => command_line::EMAIL_MISSING,
            Self::FolderNotEmpty { .. } => command_line::FOLDER_NOT_EMPTY,
            Self::Write { .. } => command_line::WRITE,
            Self::Sandbox(_) => command_line::SANDBOX,
            Self::Output(_) => command_line::OUTPUT,
            Self::Terminal(_) => command_line::TERMINAL,
            Self::Input(_) => command_line::INPUT,
            Self::ParameterOption => command_line::PARAMETER_OPTION,
            Self::UnknownCommand { .. } => command_line::UNKNOWN_COMMAND,
            Self::UntrustedHosts { .. } => command_line::UNTRUSTED_HOSTS,
            Self::Variable { .. } => command_line::VARIABLE,
        }
    }

    /// What the user can do, if there is something.
    pub(crate) fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Library(error) => return error.hint().map(str::to_owned),
            Self::NoStateFolder => "BUCKETLINE_STATE says where it is",
            Self::NoJob { .. } => "bucketline app jobs lists them",
            Self::ConnectionOption => {
                "--connection prod=\"Workspace=acme;User=me@example.com;Token=env:BITBUCKET_API_TOKEN\""
            }
            Self::LiteralSecret { .. } => "env:NAME or file:PATH in its place says where it is",
            Self::ParameterOption => "--param since=2026-08-10",
            Self::SecretParameter { .. } => {
                "set it in the environment and write `{env:NAME}` in the script"
            }
            Self::UnknownCommand { .. } => "bucketline --help lists the commands",
            Self::UntrustedHosts { file, .. } => {
                let file = file.display();
                return Some(format!(
                    "if you trust the file, name it: --config {file}; or start bucketline on a terminal, which asks"
                ));
            }
            Self::EmailMissing => {
                "it is the e-mail address of the Atlassian account that made the token"
            }
            Self::Variable { .. } => "set this variable of the environment anew, or unset it",
            Self::Runtime(_) => {
                "raise the limit of memory (`ulimit -v`) or of processes (`ulimit -u`), or end other programs"
            }
            Self::FolderNotEmpty { .. } => "--keep DIR takes a folder that is new or empty",
            Self::Sandbox(bucketline_sandbox::Error::Listen { .. }) => "--port 0 takes a free port",
            _ => return None,
        };
        Some(hint.to_owned())
    }
}
