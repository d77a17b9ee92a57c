//! What a server is started with.

use std::path::{Path, PathBuf};

use crate::{Result, Server};

/// The settings of every server. `fsync` is off: what a server wrote outlives its own crash
/// without, as the system keeps it, and only the machine's crash would lose it.
const SETTINGS: [(&str, &str); 4] = [
    ("fsync", "off"),
    ("listen_addresses", "127.0.0.1"),
    ("max_connections", "60"),
    ("shared_buffers", "16MB"),
];

/// Who may connect: everybody with a password.
const ACCESS: &str = "local all all scram-sha-256\nhost all all 127.0.0.1/32 scram-sha-256\n";

/// What a server is started with.
#[derive(Debug, Clone)]
#[must_use]
pub struct Options {
    settings: Vec<(String, String)>,
    access: String,
    pub(crate) tls: Option<Tls>,
    pub(crate) parent: Option<PathBuf>,
}

/// The files of a server that speaks TLS.
#[derive(Debug, Clone)]
pub(crate) struct Tls {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    /// Authorities of the certificates that clients may show.
    pub(crate) clients: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Self {
            settings: SETTINGS.map(own).to_vec(),
            access: ACCESS.to_owned(),
            tls: None,
            parent: None,
        }
    }
}

impl Options {
    /// A setting of `postgresql.conf`; the last of a name counts.
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The lines of `pg_hba.conf`, instead of those that let everybody in with a password.
    pub fn access(mut self, lines: &str) -> Self {
        format!("{lines}\n").clone_into(&mut self.access);
        self
    }

    /// Makes the server's folder in another, instead of in memory or among the temporary ones. With
    /// `fsync` on, that shows what a disk costs.
    pub fn folder_in(mut self, parent: &Path) -> Self {
        self.parent = Some(parent.to_owned());
        self
    }

    /// Has the server speak TLS with this certificate and key, which are copied.
    pub fn tls(mut self, certificate: &Path, key: &Path) -> Self {
        self.tls = Some(Tls {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            clients: None,
        });
        self
    }

    /// Has a server that speaks TLS check clients' certificates against these authorities.
    pub fn client_authorities(mut self, file: &Path) -> Self {
        if let Some(tls) = &mut self.tls {
            tls.clients = Some(file.to_owned());
        }
        self
    }

    /// Starts the server.
    ///
    /// # Errors
    ///
    /// When PostgreSQL is not installed or does not start.
    pub fn start(self) -> Result<Server> {
        Server::start_with(self)
    }

    /// Starts the server for a test, if there can be one: see [`Server::for_test`].
    ///
    /// # Panics
    ///
    /// When PostgreSQL does not start, or is not installed in CI.
    pub fn for_test(self) -> Option<Server> {
        if crate::is_available() {
            return Some(self.start().unwrap_or_else(|error| panic!("{error}")));
        }
        leave_out();
        None
    }

    pub(crate) fn access_lines(&self) -> &str {
        &self.access
    }

    /// The server's command line.
    pub(crate) fn arguments(&self, folder: &Path, port: u16) -> Vec<String> {
        let file = |name: &str| folder.join(name).display().to_string();
        let mut settings = vec![
            ("port".to_owned(), port.to_string()),
            ("unix_socket_directories".to_owned(), file("")),
            ("hba_file".to_owned(), file("access")),
        ];
        if let Some(tls) = &self.tls {
            settings.push(("ssl".to_owned(), "on".to_owned()));
            settings.push(("ssl_cert_file".to_owned(), file("certificate")));
            settings.push(("ssl_key_file".to_owned(), file("key")));
            if tls.clients.is_some() {
                settings.push(("ssl_ca_file".to_owned(), file("clients")));
            }
        }
        settings.extend(self.settings.iter().cloned());
        settings
            .into_iter()
            .flat_map(|(name, value)| ["-c".to_owned(), format!("{name}={value}")])
            .collect()
    }
}

/// Says loudly that a test is left out; in CI none may be.
#[allow(clippy::print_stderr)]
fn leave_out() {
    let why = "PostgreSQL is not installed";
    assert!(
        std::env::var("CI").as_deref() != Ok("true"),
        "nothing is left out in CI: {why}"
    );
    eprintln!("\n\n######## LEFT OUT: {why} ########\n\n");
}
