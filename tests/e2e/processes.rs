//! The binary as a process: what it reads, what it serves, and how it is stopped.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bucketline_sandbox::Count;

use crate::commands::{Run, binary, start};
use crate::world::{one, small};

/// Presses Ctrl-C.
fn interrupt(child: &Child) {
    send("-INT", child.id());
}

fn send(signal: &str, pid: u32) {
    let pid = pid.to_string();
    let status = Command::new("kill").args([signal, &pid]).status().unwrap();
    assert!(status.success());
}

#[test]
fn the_demonstration_leaves_two_accounts_in_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path().join("demo");
    let output = Command::new(binary())
        .args(["demo", "--keep"])
        .arg(&kept)
        .env_clear()
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}");
    let copy = rusqlite::Connection::open(kept.join("demo.db")).unwrap();
    for (table, expected) in [
        ("PROD_Issues", 1200),
        ("PROD.Issues", 1200),
        ("Issues", 1201),
    ] {
        let count = format!("SELECT COUNT(*) FROM \"{table}\"");
        let rows: i64 = copy.query_row(&count, [], |row| row.get(0)).unwrap();
        assert_eq!(rows, expected, "{table}");
    }
    assert!(!told.contains("sandbox-api-token"), "{told}");
}

#[test]
fn ctrl_c_keeps_what_was_committed_and_the_next_run_goes_on() {
    stopped_and_run_again("-INT", 130, "interrupted", Command::spawn, Child::id);
}

#[test]
fn a_request_to_terminate_does_the_same() {
    stopped_and_run_again("-TERM", 143, "terminated", Command::spawn, Child::id);
}

/// The first process of a PID namespace gets no signal that it does not handle.
#[cfg(target_os = "linux")]
#[test]
fn a_container_ends_when_it_is_asked_to() {
    let namespace = || {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--pid", "--fork"]);
        command
    };
    let tried = namespace().arg("true").output();
    if !tried.is_ok_and(|output| output.status.success()) {
        eprintln!("left out: this system makes no PID namespace");
        return;
    }
    let first = |command: &mut Command| {
        let mut first = namespace();
        let given = command.get_envs();
        first
            .env_clear()
            .envs(given.filter_map(|(name, value)| Some((name, value?))))
            .arg(command.get_program())
            .args(command.get_args())
            .current_dir(command.get_current_dir().unwrap())
            .stderr(Stdio::piped())
            .spawn()
    };
    let inside = |child: &Child| {
        let pid = child.id();
        let children = format!("/proc/{pid}/task/{pid}/children");
        let children = std::fs::read_to_string(children).unwrap();
        children.trim().parse::<u32>().unwrap()
    };
    stopped_and_run_again("-TERM", 143, "terminated", first, inside);
}

fn stopped_and_run_again(
    signal: &str,
    code: i32,
    word: &str,
    spawn: impl Fn(&mut Command) -> std::io::Result<Child>,
    pid: impl Fn(&Child) -> u32,
) {
    let world = start(one(|it| {
        it.repositories(2)
            .issues(Count::PerRepository(300))
            .trackers_off(0)
    }));
    let connection = format!(
        "acme=BaseURL={};Workspace=acme;User=user1@acme.example;Token=env:TEST_TOKEN;Pagesize=10;RequestsPerHour=0",
        world.sandbox.base_url()
    );
    let run = Run::new(
        &world,
        &["--connection", &connection, "-e", "REPLICATE Issues"],
    );
    world.sandbox.set_latency(Duration::from_millis(20));
    let mut child = spawn(run.command().stderr(Stdio::piped())).unwrap();
    let started = Instant::now();
    while world.sandbox.requests().len() < 20 {
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        assert!(started.elapsed() < Duration::from_secs(60), "no progress");
        std::thread::sleep(Duration::from_millis(1));
    }
    send(signal, pid(&child));
    let output = child.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{told}");
    assert!(
        told.contains(&format!("{word}; what was committed stays")),
        "{told}"
    );
    let kept = world.number("SELECT COUNT(*) FROM Issues");
    assert!(0 < kept && kept < 600, "{kept} rows");

    world.sandbox.set_latency(Duration::ZERO);
    world.sandbox.reset_requests();
    assert!(run.command().status().unwrap().success());
    world.assert_issues("Issues", "acme");
    let requests = world.sandbox.requests().len();
    assert!(requests < 60, "{requests} requests: it began anew");
}

#[test]
fn a_script_is_read_from_the_standard_input() {
    let world = start(small());
    for arguments in [&["--format", "csv", "run", "-"][..], &["--format", "csv"]] {
        let mut child = Run::new(&world, arguments)
            .command()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let script = b"SELECT 1 AS one;\nSELECT 'a;b' AS two;\n";
        child.stdin.take().unwrap().write_all(script).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!(text.replace('\r', ""), "one\n1\n\ntwo\na;b\n");
    }
}

#[test]
fn a_sandbox_answers_until_ctrl_c() {
    let mut child = Command::new(binary())
        .args(["sandbox", "--port", "0", "--repositories", "1"])
        .env_clear()
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut welcome = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    welcome.read_line(&mut line).unwrap();
    let consumer = "sandbox-key-acme / sandbox-consumer-secret-acme";
    let mut lines = welcome.lines().map(Result::unwrap);
    assert!(lines.any(|line| line.contains(consumer)));
    let address = line
        .split("http://")
        .nth(1)
        .unwrap()
        .split('/')
        .next()
        .unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!(
        "GET /2.0/repositories/acme HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
         Authorization: Bearer sandbox-access-token-acme\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    interrupt(&child);
    assert!(child.wait().unwrap().success());
}

/// Whatever memory the system gives, the program works or says that it is too little.
#[test]
fn too_little_memory_is_told() {
    let run = |kibibytes: u32| {
        let limited = format!("ulimit -v {kibibytes}; exec \"$0\" -e 'SELECT 17 AS n'");
        let output = Command::new("sh")
            .args(["-c", &limited])
            .arg(binary())
            .env_clear()
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), told)
    };
    // Below this the system does not even load the program.
    let least = std::fs::metadata(binary()).unwrap().len() / 1024 + 50_000;
    for kibibytes in (u32::try_from(least).unwrap()..1_500_000).step_by(75_000) {
        match run(kibibytes) {
            (Some(0), _) => {}
            // The planner is started later, when the rest of the memory may be in use.
            (Some(1), told) if told.contains("ulimit -v") => {}
            (code, told) => panic!("{kibibytes} KiB: {code:?}, {told}"),
        }
    }
    let (code, told) = run(least.try_into().unwrap());
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("ulimit"), "{told}");
    assert_eq!(run(4_000_000).0, Some(0));
}
