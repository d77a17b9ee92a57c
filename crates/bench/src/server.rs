//! The server that both are fed by: the sandbox, in a process of its own.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use bucketline_sandbox::{Change, Config, Count, IssueEdit, Sandbox, WorkspaceConfig};
use serde::{Deserialize, Serialize};

use crate::{Result, measure};

/// The workspace that is read, and who reads it.
pub(crate) const WORKSPACE: &str = "acme";
pub(crate) const USER: &str = "user1@acme.example";
pub(crate) const TOKEN: &str = "sandbox-api-token-acme";

/// The workspace's repositories, all of one size.
pub(crate) const REPOSITORIES: u32 = 20;

/// What is asked of the serving process, one JSON value a line.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
enum Order {
    /// Wait so many milliseconds before every answer.
    Latency(u64),
    /// Count from here.
    Reset,
    /// Say what was done since.
    Tell,
    /// Change so many issues, spread over the repositories.
    Touch(u64),
}

/// What serving took since the last reset.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Served {
    pub(crate) requests: u64,
    pub(crate) cpu_seconds: f64,
}

/// A serving process. It stops when this is dropped.
pub(crate) struct Server {
    child: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    base_url: String,
}

impl Server {
    /// Starts one that has so many issues.
    pub(crate) fn start(issues: u64) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("serve").arg(issues.to_string());
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let orders = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().ok_or("the server has no output")?);
        let mut server = Self {
            child,
            orders,
            answers,
            base_url: String::new(),
        };
        server.base_url = server.answer()?;
        Ok(server)
    }

    pub(crate) fn base_url(&self) -> &str {
        &self.base_url
    }

    pub(crate) fn set_latency(&mut self, millis: u64) -> Result {
        self.order(Order::Latency(millis)).map(drop)
    }

    pub(crate) fn reset(&mut self) -> Result {
        self.order(Order::Reset).map(drop)
    }

    pub(crate) fn served(&mut self) -> Result<Served> {
        Ok(serde_json::from_str(&self.order(Order::Tell)?)?)
    }

    /// Changes so many issues.
    pub(crate) fn touch(&mut self, issues: u64) -> Result {
        self.order(Order::Touch(issues)).map(drop)
    }

    fn order(&mut self, order: Order) -> Result<String> {
        let orders = self.orders.as_mut().ok_or("the server takes no orders")?;
        writeln!(orders, "{}", serde_json::to_string(&order)?)?;
        self.answer()
    }

    fn answer(&mut self) -> Result<String> {
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        if line.is_empty() {
            return Err("the server stopped".into());
        }
        Ok(line.trim_end().to_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It stops at the end of its input.
        drop(self.orders.take());
        let _ = self.child.wait();
    }
}

/// The serving process.
pub(crate) fn serve(issues: u64) -> Result {
    let workspace = WorkspaceConfig::new(WORKSPACE)
        .repositories(REPOSITORIES)
        .issues(Count::Total(issues))
        .pull_requests(Count::Total(0))
        .trackers_off(0);
    let mut config = Config::single(workspace);
    config.requests_per_hour = None;
    config.gzip = false;
    let sandbox = Sandbox::start_blocking(config)?;
    println!("{}", sandbox.base_url());

    let mut cpu_before = measure::own_cpu_seconds()?;
    for line in std::io::stdin().lines() {
        let answer = match serde_json::from_str(&line?)? {
            Order::Latency(millis) => {
                sandbox.set_latency(Duration::from_millis(millis));
                String::from("done")
            }
            Order::Reset => {
                sandbox.reset_requests();
                cpu_before = measure::own_cpu_seconds()?;
                String::from("done")
            }
            Order::Tell => serde_json::to_string(&Served {
                requests: sandbox.count("*").try_into()?,
                cpu_seconds: measure::own_cpu_seconds()? - cpu_before,
            })?,
            Order::Touch(count) => {
                touch(&sandbox, count, issues)?;
                String::from("done")
            }
        };
        println!("{answer}");
    }
    Ok(())
}

/// Changes the titles of `count` of all `issues`, the same share of each repository, evenly spread.
fn touch(sandbox: &Sandbox, count: u64, issues: u64) -> Result {
    let mut repositories = Vec::new();
    sandbox.visit(
        bucketline_sandbox::Kind::Repositories,
        WORKSPACE,
        |repository| {
            repositories.extend(repository.value["full_name"].as_str().map(str::to_owned));
        },
    );
    let each = count / u64::from(REPOSITORIES);
    let step = (issues / count.max(1)).max(1);
    for repository in &repositories {
        for n in 0..each {
            sandbox.apply(Change::UpdateIssue {
                repository: repository.clone(),
                id: u32::try_from(1 + n * step)?,
                edit: IssueEdit {
                    title: Some(format!("Changed {n}")),
                    ..IssueEdit::default()
                },
            })?;
        }
    }
    Ok(())
}
