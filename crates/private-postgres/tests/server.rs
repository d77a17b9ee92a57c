//! What a private server is good for.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use bucketline_private_postgres::{Options, Server};

#[test]
fn databases_are_fresh() {
    let Some(server) = Server::for_test() else {
        return;
    };
    let first = server.create_database().unwrap();
    let second = server.create_database().unwrap();
    assert_ne!(first, second);
    let name = |url: &str| url.rsplit('/').next().unwrap().to_owned();
    server.execute(&name(&first), "CREATE TABLE t ()").unwrap();
    let error = server.execute(&name(&second), "SELECT FROM t").unwrap_err();
    assert!(error.contains("relation \"t\" does not exist"), "{error}");
}

#[test]
fn only_the_password_opens_it() {
    let Some(server) = Server::for_test() else {
        return;
    };
    let stored = "SELECT count(*) FROM pg_authid WHERE rolpassword LIKE 'SCRAM-SHA-256$%'";
    assert_eq!(server.execute("postgres", stored).unwrap(), "1\n");
    server
        .execute("postgres", "ALTER ROLE keeper PASSWORD 'another'")
        .unwrap();
    let error = server.execute("postgres", "SELECT 1").unwrap_err();
    assert!(error.contains("password authentication failed"), "{error}");
    assert!(!error.contains(server.password()), "{error}");
}

#[test]
fn what_was_committed_outlives_a_crash() {
    let Some(mut server) = Server::for_test() else {
        return;
    };
    let rows = "CREATE TABLE t AS SELECT generate_series(1, 5000) AS n";
    server.execute("postgres", rows).unwrap();
    let url = server.url("postgres");
    server.kill().unwrap();
    let error = server.execute("postgres", "SELECT 1").unwrap_err();
    assert!(error.contains("Connection refused"), "{error}");
    server.restart().unwrap();
    assert!(server.log().contains("was not properly shut down"));
    assert_eq!(server.url("postgres"), url);
    let count = server
        .execute("postgres", "SELECT count(*) FROM t")
        .unwrap();
    assert_eq!(count, "5000\n");

    server.restart().unwrap();
    assert!(server.log().contains("was shut down at"));
}

#[test]
fn settings_and_access_are_heeded() {
    let options = Options::default()
        .setting("timezone", "Asia/Kolkata")
        .access("host all all 127.0.0.1/32 reject");
    let Some(server) = options.for_test() else {
        return;
    };
    let error = server.execute("postgres", "SELECT 1").unwrap_err();
    assert!(error.contains("pg_hba.conf rejects connection"), "{error}");

    let options = Options::default().setting("timezone", "Asia/Kolkata");
    let server = options.start().unwrap();
    let zone = server.execute("postgres", "SHOW timezone").unwrap();
    assert_eq!(zone, "Asia/Kolkata\n");
}

#[test]
fn a_server_that_cannot_start_says_why() {
    if Server::for_test().is_none() {
        return;
    }
    let error = Options::default()
        .setting("shared_buffers", "lots")
        .start()
        .unwrap_err();
    assert!(
        error.contains("invalid value for parameter \"shared_buffers\""),
        "{error}"
    );
}

/// The variable that has [`a_server_waits`] start one.
const WAIT: &str = "BUCKETLINE_SERVER_WAITS";

/// The process that the next test kills: tells where its server is, and waits.
#[test]
#[allow(clippy::print_stdout)]
fn a_server_waits() {
    if std::env::var_os(WAIT).is_none() {
        return;
    }
    let server = Server::start().unwrap();
    println!(
        "\nSERVER {} {}",
        server.port(),
        server.data_folder().display()
    );
    std::thread::sleep(Duration::from_secs(600));
}

#[test]
fn a_killed_test_leaves_no_server_behind() {
    if Server::for_test().is_none() {
        return;
    }
    let mut test = Command::new(std::env::current_exe().unwrap())
        .args(["a_server_waits", "--exact", "--nocapture"])
        .env(WAIT, "yes")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(test.stdout.take().unwrap()).lines();
    let line = lines
        .map_while(Result::ok)
        .find(|line| line.starts_with("SERVER"))
        .unwrap();
    let words: Vec<&str> = line.split(' ').collect();
    let port: u16 = words[1].parse().unwrap();
    let folder = Path::new(words[2]).parent().unwrap();
    TcpStream::connect(("127.0.0.1", port)).unwrap();

    test.kill().unwrap();
    test.wait().unwrap();
    while folder.exists() {
        std::thread::sleep(Duration::from_millis(10));
    }
    TcpStream::connect(("127.0.0.1", port)).unwrap_err();
}
