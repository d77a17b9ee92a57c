//! `docs/first-job.md`: two accounts into one file, by `curl` against `bucketline serve`, compared with the page.
//! `UPDATE_DOCS=1` writes it.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use bucketline_sandbox::{Change, IssueEdit};
use serde_json::{Map, Value};

use crate::commands::{binary, start};
use crate::world::small;

/// The addresses that the page gives to the sandbox and to the API.
const SANDBOX: &str = "http://127.0.0.1:7990/2.0";
const API: &str = "http://127.0.0.1:7979/api/v1";

const HEAD: &str = "# The first job

<!-- Written by `cargo x docs`. -->

Issues of two Bitbucket accounts come into one SQLite file, every ten minutes, by the [application](application.md): what CData's
article on replicating Bitbucket does with clicks, here with `curl`. The service is the sandbox; with accounts of your own leave
`BaseURL` out. Answers are shortened, and times are left out.

Only the sandbox needs `--allow-host`, since it is on this machine: what is made through the API reaches public addresses only.

```
$ bucketline sandbox --issues 50
```

```
$ bucketline serve --allow-host 127.0.0.1
Bucketline serves at http://127.0.0.1:7979/api/v1 until Ctrl-C
token: bl_...
```

In a third terminal, `API` is the address that `serve` prints and `TOKEN` what it prints behind `token:`. `PROD_TOKEN` and
`TEAM_TOKEN` are the API tokens of the accounts, `sandbox-api-token-acme` and `sandbox-api-token-globex` in the sandbox.
";

/// What is said before a command, the command, and the fields of its answer that are shown.
const STEPS: &[(&str, &str, &[&str])] = &[
    (
        "## Connections\n\nThe destination is a file, which is made when the first table is loaded.",
        r#"curl -s -H "Authorization: Bearer $TOKEN" "$API/connections" --json '{
  "name": "warehouse",
  "properties": { "Type": "SQLite", "Data Source": "warehouse.db" }
}'"#,
        &["name", "revision", "properties"],
    ),
    (
        "Two sources, with labels to tell them apart. Their tokens are stored encrypted, and no request gives them back.",
        r#"curl -s -H "Authorization: Bearer $TOKEN" "$API/connections" --json '{
  "name": "prod",
  "properties": { "BaseURL": "SANDBOX", "Workspace": "acme", "User": "user1@acme.example", "Token": "'$PROD_TOKEN'" },
  "labels": ["production"]
}'"#,
        &["name", "revision", "labels"],
    ),
    (
        "",
        r#"curl -s -H "Authorization: Bearer $TOKEN" "$API/connections" --json '{
  "name": "team",
  "properties": { "BaseURL": "SANDBOX", "Workspace": "globex", "User": "user1@globex.example", "Token": "'$TEAM_TOKEN'" },
  "labels": ["team"]
}'"#,
        &["name", "revision", "labels"],
    ),
    (
        "A test says of each step what is well or what is missing. `-H 'Accept: text/event-stream'` sends each as it ends.",
        r#"curl -s -H "Authorization: Bearer $TOKEN" -X POST "$API/connections/prod/test""#,
        &["checks"],
    ),
    (
        "## Jobs\n\nThe first job tells the accounts apart by a prefix of the table. Its schedule is switched off until it has been \
         tried. A statement that cannot work is refused here, with its place.",
        r#"curl -s -H "Authorization: Bearer $TOKEN" "$API/jobs" --json '{
  "name": "issues of prod",
  "source": "prod",
  "destination": "warehouse",
  "tasks": [{ "statement": "REPLICATE PROD_Isues SELECT * FROM Isues" }],
  "schedule": { "cron": "*/10 * * * *", "enabled": false }
}'"#,
        &["status", "detail", "errors"],
    ),
    (
        "",
        r#"curl -s -H "Authorization: Bearer $TOKEN" "$API/jobs" --json '{
  "name": "issues of prod",
  "source": "prod",
  "destination": "warehouse",
  "tasks": [{ "statement": "REPLICATE PROD_Issues SELECT * FROM Issues" }],
  "schedule": { "cron": "*/10 * * * *", "enabled": false }
}'"#,
        &["id", "name", "tasks", "schedule_text"],
    ),
    (
        "The second one by a schema. SQLite has none: the table is called `TEAM.Issues`.",
        r#"curl -s -H "Authorization: Bearer $TOKEN" "$API/jobs" --json '{
  "name": "issues of team",
  "source": "team",
  "destination": "warehouse",
  "tasks": [{ "statement": "REPLICATE TEAM.Issues SELECT * FROM Issues" }],
  "schedule": { "cron": "*/10 * * * *", "enabled": false }
}'"#,
        &["id", "name", "tasks", "schedule_text"],
    ),
    (
        "What will it cost? The plan makes requests only to look up names.",
        r#"curl -s -H "Authorization: Bearer $TOKEN" "$API/jobs/1/plan""#,
        &["tasks"],
    ),
    (
        "## Runs\n\n`wait` gives the seconds that the answer may take. It is the run, with its rows and requests.",
        r#"curl -s -H "Authorization: Bearer $TOKEN" -X POST "$API/jobs/1/runs?wait=60""#,
        &["job_name", "state", "totals"],
    ),
    (
        "",
        r#"curl -s -H "Authorization: Bearer $TOKEN" -X POST "$API/jobs/2/runs?wait=60""#,
        &["job_name", "state", "totals"],
    ),
    (
        "Meanwhile somebody edits an issue at Bitbucket. The second run asks only for what changed, and updates one row.",
        r#"curl -s -H "Authorization: Bearer $TOKEN" -X POST "$API/jobs/1/runs?wait=60""#,
        &["job_name", "state", "totals"],
    ),
    (
        "## History\n\nThe runs of a job, or of all, the last first.",
        r#"curl -s -H "Authorization: Bearer $TOKEN" "$API/runs?job=1&state=succeeded&limit=1""#,
        &["total", "total_is_exact"],
    ),
    (
        "## Schedule\n\nWhat a schedule means can be seen before it is saved.",
        r#"curl -s -H "Authorization: Bearer $TOKEN" "$API/schedules/preview" --json '{ "cron": "*/10 * * * *", "zone": "Europe/Vienna" }'"#,
        &["description", "preset", "zone"],
    ),
    (
        "An edit says which revision it was made from, so that nobody's change is lost.",
        r#"curl -s -H "Authorization: Bearer $TOKEN" -H 'If-Match: "1"' -X PUT "$API/jobs/1" --json '{
  "name": "issues of prod",
  "source": "prod",
  "destination": "warehouse",
  "tasks": [{ "id": 1, "statement": "REPLICATE PROD_Issues SELECT * FROM Issues" }],
  "schedule": { "cron": "*/10 * * * *" }
}'"#,
        &["id", "revision", "schedule", "schedule_text"],
    ),
];

/// A server that is killed with the test.
struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn the_first_job_is_as_the_page_shows_it() {
    let world = start(small());
    let mut command = Command::new(binary());
    command
        .args([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--allow-host",
            "127.0.0.1",
        ])
        .current_dir(world.folder())
        .env_clear()
        .env("HOME", world.folder())
        .env("BUCKETLINE_STATE", world.folder().join("state"))
        .stdout(Stdio::piped());
    let mut serving = Serving(command.spawn().unwrap());
    let mut lines = BufReader::new(serving.0.stdout.take().unwrap()).lines();
    let mut line = || lines.next().unwrap().unwrap();
    let first = line();
    let api = first
        .split(' ')
        .find(|word| word.starts_with("http"))
        .unwrap()
        .to_owned();
    let token = line().strip_prefix("token: ").unwrap().to_owned();

    let mut page = HEAD.to_owned();
    for (said, command, shown) in STEPS {
        if said.starts_with("Meanwhile") {
            let edit = IssueEdit {
                title: Some("Edited".to_owned()),
                ..IssueEdit::default()
            };
            let advance = Change::AdvanceClock { seconds: 60.0 };
            world.sandbox.apply(advance).unwrap();
            let update = Change::UpdateIssue {
                repository: "acme/api".to_owned(),
                id: 3,
                edit,
            };
            world.sandbox.apply(update).unwrap();
        }
        let answer = Command::new("bash")
            .args(["-c", &command.replace("SANDBOX", &world.sandbox.base_url())])
            .env("API", &api)
            .env("TOKEN", &token)
            .env("PROD_TOKEN", "sandbox-api-token-acme")
            .env("TEAM_TOKEN", "sandbox-api-token-globex")
            .output()
            .unwrap();
        let text = String::from_utf8(answer.stdout).unwrap();
        let answer: Value =
            serde_json::from_str(&text).unwrap_or_else(|_| panic!("{command}: {text}"));
        let answer = shortened(&answer, shown);
        if !said.is_empty() {
            let _ = write!(page, "\n{said}\n");
        }
        let command = command.replace("SANDBOX", SANDBOX);
        let _ = write!(page, "\n```\n$ {command}\n{answer}\n```\n");
    }
    page.push_str(
        "\nThe tables are there for every program that reads SQLite:\n\n```\n$ sqlite3 warehouse.db \"SELECT COUNT(*) FROM PROD_Issues WHERE Title = 'Edited'\"\n1\n```\n",
    );
    let copy = rusqlite::Connection::open(world.folder().join("warehouse.db")).unwrap();
    let count = "SELECT COUNT(*) FROM PROD_Issues WHERE Title = 'Edited'";
    let edited: i64 = copy.query_row(count, [], |row| row.get(0)).unwrap();
    assert_eq!(edited, 1);

    let page = page
        .replace(&world.sandbox.base_url(), SANDBOX)
        .replace(&api, API);
    assert!(!page.contains(&token) && !page[HEAD.len()..].contains("sandbox-api-token"));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/first-job.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(page, written, "`cargo x docs` writes the page anew");
}

/// The fields that are shown, without what differs between runs.
fn shortened(answer: &Value, shown: &[&str]) -> String {
    let mut kept = Map::new();
    for field in shown {
        let mut value = answer[*field].clone();
        forget(&mut value);
        kept.insert((*field).to_owned(), value);
    }
    serde_json::to_string_pretty(&kept).unwrap()
}

/// Removes how long something waited.
fn forget(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.remove("waited_ms");
            fields.values_mut().for_each(forget);
        }
        Value::Array(items) => items.iter_mut().for_each(forget),
        _ => {}
    }
}
