//! `docs/first-steps.md`: an interactive session from nothing to a joined result, typed on a terminal and compared with
//! the page. `UPDATE_DOCS=1` writes it.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use rexpect::session::{PtySession, spawn_command};

use crate::commands::{binary, start};
use crate::terminal::{PATIENCE, READY};
use crate::world::small;

/// What the line editor sends when a line was entered.
const ENTERED: &str = "\x1b[?2004l";

/// The address that the page gives the sandbox, whose own is another one in each run.
const SHOWN: &str = "http://127.0.0.1:7990";

const HEAD: &str = "# First steps

<!-- Written by `cargo x docs`. -->

What an interactive session looks like, from an empty folder to a joined result. The service here is the sandbox
(`bucketline sandbox`, which says its address); with an account of your own leave `BaseURL` out, and give your e-mail address
and an [API token](../README.md). The token is in the environment's variable `TEST_TOKEN`, so that no history has it. Times
are those of no particular machine.

";

/// What is said before a statement is typed, and the statement.
const STEPS: &[(&str, &str)] = &[
    (
        "A connection says where to read, and as whom.",
        "CREATE CONNECTION acme WITH (BaseURL = 'BASE', Workspace = 'acme', User = 'user1@acme.example', Token = 'env:TEST_TOKEN');",
    ),
    (
        "Its tables can be read at once. What the API can filter, it filters.",
        "SELECT Slug, ProjectKey, HasIssues FROM Repositories ORDER BY Slug;",
    ),
    (
        "Each query costs requests, of which there are 1,000 an hour. `EXPLAIN` says beforehand which it would make.",
        "EXPLAIN REPLICATE PullRequests;",
    ),
    (
        "A copy is made once, in the file `bucketline.db` of the current folder.",
        "REPLICATE PullRequests;",
    ),
    (
        "From then on only what has changed is asked for. Here nothing has.",
        "REPLICATE PullRequests;",
    ),
    (
        "A name that both have means the service; `destination.` before it means the copy, which costs no request. The two can \
         be joined, and so can tables of your own.",
        "SELECT r.Slug, p.State, COUNT(*) AS PullRequests FROM destination.PullRequests p JOIN Repositories r ON r.UUID = p.RepositoryUUID GROUP BY r.Slug, p.State ORDER BY 1, 2;",
    ),
];

/// A screen's text without what moves its cursor.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\x1b' => drop(characters.find(char::is_ascii_alphabetic)),
            '\r' => {}
            other => plain.push(other),
        }
    }
    plain
}

/// `0.02 s` and `12 ms` as `0.1 s`.
fn without_times(line: &str) -> String {
    let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
    for index in 1..words.len() {
        let unit = words[index].trim_end_matches([',', ';', ')']);
        if matches!(unit, "s" | "ms") && words[index - 1].parse::<f64>().is_ok() {
            let rest = words[index][unit.len()..].to_owned();
            "0.1".clone_into(&mut words[index - 1]);
            words[index] = format!("s{rest}");
        }
    }
    words.join(" ")
}

/// The lines that are not empty; those of repositories, which are read at once, by name.
fn in_order(printed: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = printed.lines().filter(|line| !line.is_empty()).collect();
    let is_of_repository = |line: &&str| line.starts_with("  acme/");
    for group in lines.chunk_by_mut(|one, next| is_of_repository(one) && is_of_repository(next)) {
        group.sort_unstable();
    }
    lines
}

/// Types a statement at the prompt; the prompt, and what was printed.
fn typed(session: &mut PtySession, statement: &str) -> (String, String) {
    session.send_line(statement).unwrap();
    let line = plain(&session.exp_string(ENTERED).unwrap());
    let (prompt, _) = line.split_once('>').unwrap();
    let printed = plain(&session.exp_string(READY).unwrap());
    (prompt.trim().to_owned(), printed)
}

#[test]
fn first_steps_are_as_the_page_shows_them() {
    let world = start(small());
    let base = world.sandbox.base_url();
    let mut command = Command::new(binary());
    command
        .arg("--no-progress")
        .current_dir(world.folder())
        .env_clear()
        .env("TERM", "xterm")
        .env("NO_COLOR", "1")
        .env("BUCKETLINE_PAGER", "")
        .env("HOME", world.folder())
        .env("BUCKETLINE_STATE", world.folder().join("state"))
        .env("TEST_TOKEN", "sandbox-api-token-acme")
        .stdin(Stdio::inherit());
    let mut session = spawn_command(command, Some(PATIENCE)).unwrap();
    let greeting = plain(&session.exp_string(READY).unwrap());
    let mut page = format!("{HEAD}```\n$ bucketline\n{}\n```\n", greeting.trim());
    for (said, statement) in STEPS {
        let statement = statement.replace("BASE", &base);
        let (prompt, printed) = typed(&mut session, &statement);
        let _ = write!(page, "\n{said}\n\n```\n{prompt}> {statement}\n");
        for line in in_order(&printed) {
            let _ = writeln!(page, "{}", without_times(line));
        }
        page.push_str("```\n");
    }
    session.send_control('d').unwrap();
    session.exp_eof().unwrap();
    let page = page.replace(&base, SHOWN);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/first-steps.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let present = std::fs::read_to_string(path).unwrap_or_default();
    assert!(present == page, "run `cargo x docs`: {page}");
}
