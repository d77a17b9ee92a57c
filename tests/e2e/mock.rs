//! Every table against a server that knows the published specification alone.
//!
//! Prism stands between a session and the sandbox. It holds each request against the specification, and passes it on,
//! so that one leads to the next as ever.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

use bucketline::{ConnectionProperties, Session};
use bucketline_bitbucket::tables;
use bucketline_sandbox::{Config, Count, Kind, Sandbox};

use crate::clients;
use crate::world::{World, one, run};

/// What the mock finds wrong with requests that are right: what is in their call, and in what it says.
const RIGHT: &[(&str, &str)] = &[
    // "This parameter can be repeated", says its description, which the mock does not read.
    (
        "/pullrequests",
        "request.query.state Request query parameter state must be ",
    ),
    // For the mock the slash that a path ends in begins a last place, which is empty.
    (
        "/deployments/",
        "must have required property 'deployment_uuid'",
    ),
    ("/pipelines/", "must have required property 'pipeline_uuid'"),
    ("/steps/", "must have required property 'step_uuid'"),
    // And that of a top folder is.
    ("/src/", "must have required property 'path'"),
    // Where the service itself leads to from the diffstat of a pull request: a repository and two commits in one place.
    ("/diffstat/acme/", "Selected route not found"),
];

/// Where the mock says which request it looks at, and what it finds.
const REQUEST: &str = "[HTTP SERVER] get ";
const VIOLATION: &str = "Violation: request";

/// The specification, which lies beside this repository.
fn specification() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let path = root.join("shared/bitbucket/openapi-v3.json");
    if !path.exists() {
        clients::leave_out(&format!("there is no {}", path.display()));
        return None;
    }
    Some(path)
}

/// A port that nobody listens on.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

struct Mock {
    process: Child,
    lines: Receiver<String>,
}

impl Mock {
    /// Starts a mock that passes on what it is asked, and waits until it listens.
    fn start(clients: &Path, specification: &Path, sandbox: &Sandbox, port: u16) -> Self {
        let program = clients.join("node_modules/@stoplight/prism-cli/dist/index.js");
        let mut process = Command::new("node")
            .arg(program)
            .arg("proxy")
            .args([specification.as_os_str(), sandbox.base_url().as_ref()])
            .args(["--host", "127.0.0.1", "--port", &port.to_string()])
            .env_remove("NODE_ENV")
            .env("FORCE_COLOR", "0")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let mock = Self { process, lines };
        let mut told = mock.lines.iter();
        assert!(
            told.any(|line| line.contains("is listening")),
            "the mock ended"
        );
        mock
    }

    /// What it found wrong with requests, and how many there were.
    fn stop(mut self) -> (BTreeSet<String>, usize) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        let mut found = BTreeSet::new();
        let mut call = String::new();
        let mut calls = 0;
        for line in self.lines.iter() {
            if let Some((_, rest)) = line.split_once(REQUEST) {
                call = rest.split(' ').next().unwrap_or_default().to_owned();
                calls += 1;
            } else if let Some((_, what)) = line.split_once(VIOLATION) {
                found.insert(format!("{call}: request{what}"));
            }
        }
        (found, calls)
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        // It has ended already unless the test failed.
        let _ = self.process.kill();
    }
}

/// Replicates every table; those that must be bounded for the commits that have reports.
fn script(sandbox: &Sandbox) -> String {
    let reports = sandbox.snapshot(Kind::CommitReports, "acme");
    let commits: Vec<_> = reports
        .iter()
        .filter_map(|report| report.parent.as_deref())
        .take(3)
        .map(|hash| format!("'{hash}'"))
        .collect();
    let mut script = String::new();
    for table in tables() {
        let bounded = table.parent.as_ref().is_some_and(|parent| parent.bounded);
        let bound = match bounded {
            true => format!(
                " SELECT * FROM {} WHERE CommitHash IN ({})",
                table.name,
                commits.join(", ")
            ),
            false => String::new(),
        };
        script += &format!("REPLICATE {}{bound};\n", table.name);
    }
    script
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_of_any_table_is_invalid() {
    let (Some(clients), Some(specification)) = (clients::folder(), specification()) else {
        return;
    };
    let port = free_port();
    let base_url = format!("http://127.0.0.1:{port}");
    let world = World::start(Config {
        base_url: Some(base_url.clone()),
        ..one(|workspace| {
            workspace
                .repositories(2)
                .issues(Count::PerRepository(12))
                .pull_requests(Count::PerRepository(6))
                .branches(12)
        })
    })
    .await;
    let mock = Mock::start(&clients, &specification, &world.sandbox, port);
    let properties = [
        ("BaseURL", base_url.as_str()),
        ("Workspace", "acme"),
        ("User", "user1@acme.example"),
        ("Token", "sandbox-api-token-acme"),
        // So that what the mock says is of the request before.
        ("Concurrency", "1"),
        ("Pagesize", "5"),
        ("RequestsPerHour", "0"),
    ];
    let session = || {
        let properties = ConnectionProperties::new("test", properties);
        let builder = Session::builder().write_to(world.store.setting());
        builder.connection("acme", properties).build().unwrap()
    };
    let script = script(&world.sandbox);
    for _ in 0..2 {
        let outcome = run(&session(), &script).await;
        assert!(outcome.errors.is_empty(), "{:#?}", outcome.errors);
    }
    let (found, calls) = mock.stop();
    assert!(calls > tables().len(), "{calls}");
    let is = |finding: &str, (call, what): &(&str, &str)| {
        finding.contains(call) && finding.contains(what)
    };
    let wrong: Vec<_> = found
        .iter()
        .filter(|finding| !RIGHT.iter().any(|right| is(finding, right)))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let gone: Vec<_> = RIGHT
        .iter()
        .filter(|right| !found.iter().any(|finding| is(finding, right)))
        .collect();
    assert!(gone.is_empty(), "no longer found: {gone:#?}");
}
