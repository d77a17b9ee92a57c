//! The server.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;

use crate::account::Account;
use crate::place::folder_of;
use crate::process::{End, Process, Readiness, clear_log};
use crate::programs::{Programs, output};
use crate::template::{Template, USER};
use crate::{Options, Result, random};

/// How many ports are tried: between finding one free and listening on it others may take it.
const TRIES: usize = 10;

/// A private server, which ends with this value.
#[derive(Debug)]
pub struct Server {
    programs: Programs,
    account: Account,
    options: Options,
    password: String,
    port: u16,
    databases: AtomicU32,
    /// None while it is stopped. Ended before the folder goes.
    process: Option<Process>,
    folder: TempDir,
}

impl Server {
    /// Starts a server.
    ///
    /// # Errors
    ///
    /// When PostgreSQL is not installed or does not start.
    pub fn start() -> Result<Self> {
        Options::default().start()
    }

    /// Starts a server for a test. Where PostgreSQL is not installed it says loudly that the test
    /// is left out and returns none, but not in CI, where the variable `CI` is `true`.
    ///
    /// # Panics
    ///
    /// When PostgreSQL does not start, or is not installed in CI.
    pub fn for_test() -> Option<Self> {
        Options::default().for_test()
    }

    pub(crate) fn start_with(options: Options) -> Result<Self> {
        let programs = Programs::find()?;
        let account = Account::find()?;
        let template = Template::find(&programs, account)?;
        let folder = folder_of(account, options.parent.as_deref())?;
        account.copy(&template.data(), &folder.path().join("data"))?;
        let mut server = Self {
            programs,
            account,
            options,
            password: template.password()?,
            port: 0,
            databases: AtomicU32::new(0),
            process: None,
            folder,
        };
        server.write_files()?;
        for _ in 0..TRIES {
            server.port = free_port()?;
            if server.listens()? {
                return Ok(server);
            }
        }
        Err(format!(
            "{TRIES} ports were taken before the server had one"
        ))
    }

    /// Starts the server again, on the same port, after [`stop`](Self::stop) or
    /// [`kill`](Self::kill); a running one is stopped first.
    ///
    /// # Errors
    ///
    /// When it does not start.
    pub fn restart(&mut self) -> Result<()> {
        self.stop()?;
        if self.listens()? {
            return Ok(());
        }
        Err(format!("port {} was taken meanwhile", self.port))
    }

    /// Ends the server in order, breaking off the sessions.
    ///
    /// # Errors
    ///
    /// When it cannot be told so.
    pub fn stop(&mut self) -> Result<()> {
        self.end(End::Orderly)
    }

    /// Has the server crash: all its processes quit where they stand, connections break, and the
    /// next start recovers from the log, as after a SIGKILL to all of them at once. What was
    /// committed has left the server's memory, and so is kept.
    ///
    /// # Errors
    ///
    /// When it cannot be told so.
    pub fn kill(&mut self) -> Result<()> {
        self.end(End::Crash)
    }

    /// The address of a database, for the superuser.
    pub fn url(&self, database: &str) -> String {
        let (password, port) = (&self.password, self.port);
        format!("postgres://{USER}:{password}@127.0.0.1:{port}/{database}")
    }

    /// Makes an empty database and returns its address.
    ///
    /// # Errors
    ///
    /// When the server refuses.
    pub fn create_database(&self) -> Result<String> {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        let database = format!("fresh{number}");
        self.execute("postgres", &format!("CREATE DATABASE {database}"))?;
        Ok(self.url(&database))
    }

    /// Executes statements in a database as the superuser, and returns the rows, a line each, with
    /// `|` between the values.
    ///
    /// # Errors
    ///
    /// When one fails.
    pub fn execute(&self, database: &str, sql: &str) -> Result<String> {
        let mut psql = self.programs.command("psql");
        psql.env("PGPASSWORD", &self.password)
            .args(["--host", "127.0.0.1", "--port", &self.port.to_string()])
            .args(["--username", USER, "--dbname", database])
            .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align"])
            .args(["--set", "ON_ERROR_STOP=1", "--command", sql]);
        output(&mut psql)
    }

    /// The superuser's name.
    pub fn user(&self) -> &str {
        USER
    }

    /// The superuser's password.
    pub fn password(&self) -> &str {
        &self.password
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder of the server's socket.
    pub fn socket_folder(&self) -> &Path {
        self.folder.path()
    }

    /// The data folder.
    pub fn data_folder(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// What the server has logged since its last start.
    pub fn log(&self) -> String {
        let bytes = std::fs::read(self.folder.path().join("log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Writes what the settings point to.
    fn write_files(&self) -> Result<()> {
        let write = |name: &str, content: &[u8]| {
            let path = self.folder.path().join(name);
            std::fs::write(&path, content)
                .map_err(|error| format!("{}: {error}", path.display()))?;
            self.account.own(&path)
        };
        let copy = |name: &str, from: &Path| {
            let content =
                std::fs::read(from).map_err(|error| format!("{}: {error}", from.display()))?;
            write(name, &content)
        };
        write("access", self.options.access_lines().as_bytes())?;
        if let Some(tls) = &self.options.tls {
            copy("certificate", &tls.certificate)?;
            copy("key", &tls.key)?;
            if let Some(clients) = &tls.clients {
                copy("clients", clients)?;
            }
        }
        Ok(())
    }

    /// Starts the process; false if the port is taken.
    fn listens(&mut self) -> Result<bool> {
        let folder = self.folder.path();
        clear_log(folder)?;
        let arguments = self.options.arguments(folder, self.port);
        let process = Process::start(&self.programs, self.account, folder, &arguments)?;
        let readiness = self.process.insert(process).wait_until_ready(folder)?;
        let Readiness::Ended(status) = readiness else {
            return Ok(true);
        };
        self.stop()?;
        let log = self.log();
        if log.contains("Address already in use") {
            return Ok(false);
        }
        Err(format!(
            "the server ended at its start with {status}:\n{log}"
        ))
    }

    fn end(&mut self, end: End) -> Result<()> {
        self.process
            .take()
            .map_or(Ok(()), |process| process.end(end))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // What it would still write is thrown away. A failure leaves it to its guard.
        let _ = self.end(End::Crash);
    }
}

/// A port that nobody listens on, below those that the system gives to outgoing connections: a
/// server that starts again needs its own.
fn free_port() -> Result<u16> {
    for _ in 0..100 {
        let port = 10_000 + u16::from_ne_bytes(random::bytes()?) % 20_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    Err("no port is free".to_owned())
}
