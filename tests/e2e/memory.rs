//! The memory of the program, whatever it is given to read.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::commands::binary;

/// MiB that the program may hold at its peak, those of the debug build's own text included.
const MOST: i64 = 200;

const FOLDER: &str = "BUCKETLINE_TEST_MEMORY_FOLDER";

/// Runs the program and prints the most KiB that it ever held. Run by the tests below, never on its own: what the
/// system counts is the largest of all children.
#[test]
#[ignore = "a child process of the memory tests"]
fn measured() {
    use nix::sys::resource::{UsageWho, getrusage};

    let folder = std::env::var(FOLDER).unwrap();
    let status = Command::new(binary())
        .args(["run", "script.sql"])
        .current_dir(&folder)
        .env_clear()
        .env("TEST_TOKEN", "ATATT-planted")
        .env("BUCKETLINE_STATE", Path::new(&folder).join("state"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(Path::new(&folder).join("told")).unwrap())
        .status()
        .unwrap();
    let most = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap().max_rss();
    eprintln!("code {:?}, most {most}", status.code());
}

/// Runs a script with a connection to that address; the MiB that it needed, and what it wrote to the standard error.
fn memory_of(script: &str, address: &str) -> (i64, String) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("script.sql"), script).unwrap();
    let config = format!(
        "[destination]\npath = \"copy.db\"\n\n[connections.acme]\nBaseURL = \"http://{address}/2.0\"\n\
         Workspace = \"acme\"\nUser = \"user1@acme.example\"\nToken = \"env:TEST_TOKEN\"\nRequestsPerHour = 0\n"
    );
    std::fs::write(folder.path().join("bucketline.toml"), config).unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "memory::measured", "--ignored", "--nocapture"])
        .env(FOLDER, folder.path())
        .output()
        .unwrap();
    let printed = String::from_utf8(output.stderr).unwrap();
    let (_, most) = printed.split_once("most ").expect(&printed);
    let most: i64 = most.lines().next().unwrap().parse().unwrap();
    let told = std::fs::read_to_string(folder.path().join("told")).unwrap();
    (most / 1024, told)
}

/// A server that gives this answer to every request.
fn serve(status: u16, body: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut line = String::new();
            while reader.read_line(&mut line).is_ok_and(|length| length > 2) {
                line.clear();
            }
            // A client that has seen enough hangs up.
            let _ = write!(
                stream,
                "HTTP/1.1 {status} Answer\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
                 Connection: close\r\n\r\n{body}",
                body.len()
            );
        }
    });
    address
}

#[test]
fn no_statement_needs_more() {
    let numbers = |count: usize| {
        let numbers: Vec<String> = (0..count).map(|number| number.to_string()).collect();
        numbers.join(",")
    };
    let mut joins = "SELECT 1 FROM (SELECT 1 a) t0".to_owned();
    let mut names = "SELECT 1".to_owned();
    for number in 1..1_000 {
        write!(joins, " JOIN (SELECT 1 a) t{number} ON t{number}.a = t0.a").unwrap();
        write!(names, ", {number} AS c{number}").unwrap();
    }
    let cube = format!(
        "SELECT COUNT(*) FROM ({names}) t GROUP BY CUBE({})",
        (1..40)
            .map(|number| format!("c{number}"))
            .collect::<Vec<_>>()
            .join(",")
    );
    let repeated = |count: usize| {
        let texts: Vec<String> = (0..count)
            .map(|number| format!("REPEAT('{number}', 2000000)"))
            .collect();
        texts.join(", ")
    };
    let rows = "WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM t WHERE n < 3000) SELECT n FROM t";
    let bracketed = |count: usize| "[".repeat(count);
    for (name, statement) in [
        (
            "a list",
            format!("SELECT 1 WHERE 1 IN ({})", numbers(39_000)),
        ),
        (
            "rows",
            format!(
                "SELECT * FROM (VALUES ({})) t",
                numbers(26_000).replace(',', "),(")
            ),
        ),
        ("a literal", format!("SELECT '{}'", "x".repeat(1_000_000))),
        (
            "JSON",
            format!("SELECT JSON_EXTRACT('{}', '$.a')", bracketed(1_000_000)),
        ),
        (
            "XML",
            format!("SELECT XML_EXTRACT('{}', '/a')", "<a>".repeat(300_000)),
        ),
        (
            "an open literal",
            format!("SELECT '{}", "x".repeat(30_000_000)),
        ),
        ("blanks", format!("SELECT{}1", " ".repeat(50_000_000))),
        (
            "a comment",
            format!("SELECT /*{}*/ 1", "*".repeat(30_000_000)),
        ),
        (
            "nested casts",
            format!("SELECT {}", "CAST(".repeat(100_000)),
        ),
        (
            "intervals",
            format!("SELECT {}", "INTERVAL ".repeat(100_000)),
        ),
        ("joins", joins),
        ("cube", cube),
        (
            "nested calls",
            "SELECT LENGTH(REPLACE(REPLACE(REPLACE(REPEAT('x', 8000000), 'x', 'y'), 'y', 'z'), 'z', 'a'))"
                .to_owned(),
        ),
        (
            "many arguments",
            format!("SELECT LENGTH(CONCAT({}))", repeated(40)),
        ),
        ("many columns", format!("SELECT {}", repeated(40))),
        (
            "many rows",
            format!("SELECT LENGTH(REPEAT('x', 100000 + n)) FROM ({rows}) t"),
        ),
        (
            "joined rows",
            format!("SELECT STRING_AGG(x, '') FROM (SELECT REPEAT('x', 100000 + n) AS x FROM ({rows}) t) t"),
        ),
        (
            "a long pattern",
            "SELECT FORMAT(1, REPEAT('#,', 4000000))".to_owned(),
        ),
        (
            "JSON of a function",
            "SELECT LENGTH(JSON_EXTRACT(CONCAT('[', REPEAT('1,', 4000000), '1]'), '$[x]'))".to_owned(),
        ),
        (
            "XML of a function",
            "SELECT XML_EXTRACT(CONCAT('<a>', REPEAT('<b/>', 2000000), '</a>'), '/a/b')".to_owned(),
        ),
        (
            "REPEAT",
            "SELECT LENGTH(REPEAT('x', 2000000000))".to_owned(),
        ),
        ("LPAD", "SELECT LENGTH(LPAD('x', 2000000000))".to_owned()),
    ] {
        let (most, told) = memory_of(&format!("{statement};\n"), "127.0.0.1:9");
        assert!(most <= MOST, "{name}: {most} MiB, {told:.500}");
        assert!(told.len() < 20_000, "{name}: {} bytes told", told.len());
    }
}

#[test]
fn no_answer_needs_more() {
    let long = "x".repeat(60_000_000);
    for (name, status, body) in [
        (
            "rows without end",
            200,
            format!("{{\"values\": [{{}}{}]}}", ", {}".repeat(10_000_000)),
        ),
        (
            "a number",
            200,
            format!("{{\"size\": {}, \"values\": []}}", "1".repeat(50_000_000)),
        ),
        ("nesting", 200, "[".repeat(50_000_000)),
        (
            "a name",
            200,
            format!("{{\"values\": [{{\"name\": \"{long}\"}}]}}"),
        ),
        (
            "a link",
            200,
            format!("{{\"values\": [], \"next\": \"http://127.0.0.1:9/{long}\"}}"),
        ),
        ("an error's text", 400, long.clone()),
        (
            "an error's message",
            400,
            format!("{{\"type\": \"error\", \"error\": {{\"message\": \"{long}\"}}}}"),
        ),
        (
            "an error's fields",
            400,
            format!(
                "{{\"error\": {{\"message\": \"a\", \"fields\": {{{}\"a\": []}}}}}}",
                "\"a\": [\"b\"], ".repeat(3_000_000)
            ),
        ),
        (
            "an error's nesting",
            403,
            format!("{{\"error\": {}", "{\"a\":".repeat(8_000_000)),
        ),
    ] {
        let address = serve(status, body);
        let (most, told) = memory_of("SELECT * FROM Projects;\nREPLICATE Projects;\n", &address);
        assert!(most <= MOST, "{name}: {most} MiB, {told:.500}");
        assert!(told.len() < 20_000, "{name}: {} bytes told", told.len());
    }
}
