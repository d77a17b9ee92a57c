//! `bucketline serve` and `bucketline app` as processes.

mod description;
mod kills;
mod nodes;
mod process;
mod records;
mod trouble;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};

use crate::commands::{binary, start};
use crate::world::{World, small};

/// A server that is killed with its test.
struct Serving {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Drop for Serving {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn command(world: &World, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command
        .args(arguments)
        .current_dir(world.folder())
        .env_clear()
        .env("HOME", world.folder())
        .env("BUCKETLINE_STATE", world.folder().join("state"))
        .env("TEST_TOKEN", "sandbox-api-token-acme")
        // The sandbox is on this machine, and its token in the environment.
        .env("BUCKETLINE_ALLOW_HOST", "127.0.0.1")
        .env("BUCKETLINE_ALLOW_ENV", "TEST_TOKEN");
    command
}

fn run(world: &World, arguments: &[&str]) -> Output {
    command(world, arguments).output().unwrap()
}

/// What a command that succeeds prints.
#[track_caller]
fn printed(world: &World, arguments: &[&str]) -> String {
    let output = run(world, arguments);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {told}");
    String::from_utf8(output.stdout).unwrap()
}

fn serve(world: &World) -> Serving {
    let mut command = command(world, &["serve", "--listen", "127.0.0.1:0"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = lines.next().unwrap().unwrap();
    assert!(
        first.starts_with("Bucketline serves at http://127.0.0.1:"),
        "{first}"
    );
    Serving { child, lines }
}

#[cfg(unix)]
#[test]
fn the_token_is_in_a_private_file_for_as_long_as_the_server_runs() {
    use std::os::unix::fs::PermissionsExt;

    let world = start(small());
    let mut serving = serve(&world);
    let told = serving.lines.next().unwrap().unwrap();
    let token = told.strip_prefix("token: ").unwrap();
    let file = world.folder().join("state/serve-token");
    assert_eq!(std::fs::read_to_string(&file).unwrap().trim(), token);
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let pid = serving.child.id().to_string();
    let asked = Command::new("kill").args(["-TERM", &pid]).status().unwrap();
    assert!(asked.success());
    assert!(serving.child.wait().unwrap().success());
    assert!(!file.exists());
}

#[test]
fn a_second_server_says_which_process_holds_the_store() {
    let world = start(small());
    let serving = serve(&world);
    let second = run(&world, &["serve", "--listen", "127.0.0.1:0"]);
    let told = String::from_utf8_lossy(&second.stderr);
    assert!(!second.status.success());
    assert!(
        told.contains("BL0311") && told.contains(&serving.child.id().to_string()),
        "{told}"
    );
}

#[test]
fn a_key_is_changed_from_the_command_line_and_a_lost_one_is_told() {
    let world = start(small());
    let folder = world.folder().join("state");
    let account = serde_json::json!({ "name": "acme", "properties": {
        "BaseURL": world.sandbox.base_url(), "Workspace": "acme", "User": "user1@acme.example",
        "Token": "sandbox-api-token-acme",
    } });
    let tested = |client: &process::Client| {
        let tested = client.expect(200, "POST /connections/acme/test", None);
        tested["failure"]["code"].clone()
    };
    let mut serving =
        process::Serving::spawn(&mut process::Start::in_folder(world.folder()).serve());
    let client = serving.client().unwrap();
    client.expect(201, "POST /connections", Some(&account));
    assert!(tested(&client).is_null());
    serving.terminate();

    let old = std::fs::read(folder.join("app.key")).unwrap();
    let told = printed(&world, &["app", "rotate-key", "--format", "csv"]);
    assert!(told.contains("1 sealed by the new key"), "{told}");
    let new = std::fs::read(folder.join("app.key")).unwrap();
    assert_ne!(old, new);
    let mut serving =
        process::Serving::spawn(&mut process::Start::in_folder(world.folder()).serve());
    let client = serving.client().unwrap();
    assert!(tested(&client).is_null());
    serving.terminate();

    // With the old key nothing stops, and the log says what to enter again.
    std::fs::write(folder.join("app.key"), old).unwrap();
    let told = world.folder().join("told");
    let mut command = process::Start::in_folder(world.folder()).serve();
    let mut serving =
        process::Serving::spawn(command.stderr(std::fs::File::create(&told).unwrap()));
    let client = serving.client().unwrap();
    let secrets = client.expect(200, "GET /secrets", None);
    assert_eq!(secrets["to_enter"], serde_json::json!(["acme: Token"]));
    let refused = client.expect(422, "POST /connections/acme/test", None);
    assert_eq!(refused["code"], "BL0403");
    serving.terminate();
    let told = std::fs::read_to_string(told).unwrap();
    assert!(told.contains("acme: Token"), "{told}");
    std::fs::write(folder.join("app.key"), new).unwrap();
    let mut serving =
        process::Serving::spawn(&mut process::Start::in_folder(world.folder()).serve());
    assert!(tested(&serving.client().unwrap()).is_null());
}

#[test]
fn an_address_that_others_reach_is_refused() {
    let world = start(small());
    let refused = run(&world, &["serve", "--listen", "0.0.0.0:0"]);
    let told = String::from_utf8_lossy(&refused.stderr);
    assert!(
        !refused.status.success() && told.contains("BL0510"),
        "{told}"
    );
    assert!(!world.folder().join("state").exists());
}

#[test]
fn an_application_in_files_is_applied_once_and_its_job_runs_from_the_command_line() {
    let world = start(small());
    let files = world.folder().join("files");
    std::fs::create_dir(&files).unwrap();
    let base = world.sandbox.base_url();
    let text = format!(
        "[connections.acme]\nBaseURL = \"{base}\"\nWorkspace = \"acme\"\nUser = \"user1@acme.example\"\n\
         Token = \"env:TEST_TOKEN\"\n\n[connections.copies]\nType = \"SQLite\"\n\"Data Source\" = \"copy.db\"\n\n\
         [jobs.Nightly]\nsource = \"acme\"\ndestination = \"copies\"\n\
         tasks = [{{ statement = \"REPLICATE Repositories\" }}]\nschedule = {{ cron = \"0 2 * * *\" }}\n"
    );
    std::fs::write(files.join("application.toml"), text).unwrap();
    let apply = ["app", "--format", "csv", "apply", "files"];
    let plan = [&apply[..], &["--plan"]].concat();
    let all = "Difference\nadd connection acme\nadd connection copies\nadd job Nightly\n";
    assert_eq!(printed(&world, &plan).replace("\r\n", "\n"), all);
    assert_eq!(printed(&world, &apply).replace("\r\n", "\n"), all);
    assert_eq!(
        printed(&world, &apply).replace("\r\n", "\n"),
        "Difference\n"
    );

    let ran = printed(&world, &["app", "--format", "csv", "run", "nightly"]);
    assert!(ran.contains("Nightly,succeeded,"), "{ran}");
    let copy = rusqlite::Connection::open(world.file()).unwrap();
    let count = "SELECT COUNT(*) FROM Repositories";
    let rows: i64 = copy.query_row(count, [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 3);
    let jobs = printed(&world, &["app", "--format", "csv", "jobs"]);
    assert!(
        jobs.contains("Nightly,acme,copies,at 02:00 every day (UTC),"),
        "{jobs}"
    );
    let history = printed(
        &world,
        &["app", "--format", "csv", "history", "--job", "nightly"],
    );
    assert_eq!(history.lines().count(), 2, "{history}");

    printed(&world, &["app", "export", "again"]);
    let again = ["app", "--format", "csv", "apply", "again", "--plan"];
    assert_eq!(
        printed(&world, &again).replace("\r\n", "\n"),
        "Difference\n"
    );
    let missing = run(&world, &["app", "run", "nowhere"]);
    assert!(String::from_utf8_lossy(&missing.stderr).contains("BL0301"));
}
