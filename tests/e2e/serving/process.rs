//! `bucketline serve` as a process, and requests to it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::commands::binary;

/// How long a busy machine may take for anything.
const PATIENCE: Duration = Duration::from_secs(90);

/// How a server is started.
#[derive(Debug, Clone)]
pub(crate) struct Start {
    /// The current folder.
    pub(crate) home: PathBuf,
    /// The folder of the store, the budgets and the token.
    pub(crate) state: PathBuf,
    /// The address of a store that is not in the state folder.
    pub(crate) store: Option<String>,
}

impl Start {
    /// In a folder, with the store in its folder `state`.
    pub(crate) fn in_folder(home: &Path) -> Self {
        Self {
            home: home.to_owned(),
            state: home.join("state"),
            store: None,
        }
    }

    /// A command of the program.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command
            .args(arguments)
            .current_dir(&self.home)
            .env_clear()
            .env("HOME", &self.home)
            .env("BUCKETLINE_STATE", &self.state)
            .env("TEST_TOKEN", "sandbox-api-token-acme")
            // The sandbox is on this machine, and its token in the environment.
            .env("BUCKETLINE_ALLOW_HOST", "127.0.0.1")
            .env("BUCKETLINE_ALLOW_ENV", "TEST_TOKEN")
            .stdin(Stdio::null());
        command
    }

    /// The command that serves.
    pub(crate) fn serve(&self) -> Command {
        let mut command = self.command(&["serve", "--listen", "127.0.0.1:0"]);
        if let Some(store) = &self.store {
            command.args(["--store", store]);
        }
        command
    }
}

/// A server. It is killed with its value.
pub(crate) struct Serving {
    pub(crate) child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Drop for Serving {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Serving {
    /// Starts it.
    pub(crate) fn spawn(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// The next line that it prints; none behind the last.
    pub(crate) fn line(&mut self) -> Option<String> {
        self.lines.next()?.ok()
    }

    /// Where it listens; none if it ended before it did.
    pub(crate) fn client(&mut self) -> Option<Client> {
        let first = self.line()?;
        let word = first.split(' ').find(|word| word.starts_with("http://"))?;
        let address = word.strip_prefix("http://")?.split('/').next()?;
        let token = self.line()?.strip_prefix("token: ")?.to_owned();
        Some(Client {
            address: address.parse().ok()?,
            token,
        })
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(started.elapsed() < PATIENCE, "the server does not end");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Asks it to end, and waits for that.
    pub(crate) fn terminate(&mut self) -> ExitStatus {
        let pid = nix::unistd::Pid::from_raw(self.child.id().try_into().unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
        self.wait()
    }
}

/// Sends requests to a server.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    pub(crate) address: SocketAddr,
    pub(crate) token: String,
}

impl Client {
    /// The status and the body of the answer to a request such as `GET /jobs`; none if there is no server.
    pub(crate) fn ask(&self, line: &str, body: Option<&Value>) -> Option<(u16, Value)> {
        let (method, path) = line.split_once(' ').unwrap();
        let body = body.map(Value::to_string).unwrap_or_default();
        let kind = match body.is_empty() {
            true => "",
            false => "Content-Type: application/json\r\n",
        };
        let mut stream = TcpStream::connect(self.address).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        let request = format!(
            "{method} /api/v1{path} HTTP/1.0\r\nHost: {}\r\nAuthorization: Bearer {}\r\n{kind}Content-Length: {}\r\n\r\n{body}",
            self.address,
            self.token,
            body.len()
        );
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, text) = answer.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some((status, serde_json::from_str(text).unwrap_or(Value::Null)))
    }

    /// The body of an answer that must have this status.
    #[track_caller]
    pub(crate) fn expect(&self, status: u16, line: &str, body: Option<&Value>) -> Value {
        let (is, answer) = self.ask(line, body).expect("the server answers");
        assert_eq!(is, status, "{line}: {answer}");
        answer
    }

    /// Asks again and again, until the answer is as it should be.
    #[track_caller]
    pub(crate) fn until(&self, line: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let started = Instant::now();
        loop {
            let answer = self.ask(line, None);
            if let Some((200, body)) = &answer
                && fits(body)
            {
                return body.clone();
            }
            assert!(started.elapsed() < PATIENCE, "{line}: {answer:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Creates a connection to the workspace `acme` of a sandbox and one to a SQLite file, if they are not there.
    pub(crate) fn connect(&self, base: &str, file: &Path) {
        let source = json!({ "name": "acme", "properties": {
            "BaseURL": base, "Workspace": "acme", "User": "user1@acme.example",
            "Token": "env:TEST_TOKEN", "RequestsPerHour": "0",
        } });
        let copy =
            json!({ "name": "copy", "properties": { "Type": "SQLite", "Data Source": file } });
        for connection in [source, copy] {
            self.ask("POST /connections", Some(&connection));
        }
    }
}
