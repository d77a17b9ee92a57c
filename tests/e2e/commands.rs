//! Whole commands: what the binary prints, where, and its exit code.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use bucketline_sandbox::{Change, Config, Day, Fault, FaultKind};

use crate::world::{World, small};

/// The binary, which is built beside this test.
pub(crate) fn binary() -> PathBuf {
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    if path.ends_with("deps") {
        path.pop();
    }
    path.push(format!("bucketline{}", std::env::consts::EXE_SUFFIX));
    assert!(
        path.exists(),
        "{} is not built: `cargo x test` builds it first",
        path.display()
    );
    path
}

/// One run of the binary in the world's folder, with connections `acme` and `globex`.
pub(crate) struct Run<'a> {
    world: &'a World,
    arguments: Vec<String>,
    token: String,
    workspace: Option<&'a str>,
    more: String,
}

impl<'a> Run<'a> {
    pub(crate) fn new(world: &'a World, arguments: &[&str]) -> Self {
        let arguments = arguments
            .iter()
            .map(|&argument| argument.to_owned())
            .collect();
        Self {
            world,
            arguments,
            token: "sandbox-api-token-acme".to_owned(),
            workspace: Some("acme"),
            more: String::new(),
        }
    }

    pub(crate) fn token(mut self, token: &str) -> Self {
        self.token = token.to_owned();
        self
    }

    pub(crate) fn without_workspace(mut self) -> Self {
        self.workspace = None;
        self
    }

    /// More lines of the configuration file.
    pub(crate) fn configured(mut self, lines: &str) -> Self {
        self.more = lines.to_owned();
        self
    }

    /// The process before it is started.
    pub(crate) fn command(&self) -> Command {
        let base = self.world.sandbox.base_url();
        let workspace = self
            .workspace
            .map_or(String::new(), |it| format!("Workspace = \"{it}\"\n"));
        let config = format!(
            "[destination]\npath = \"copy.db\"\n\n[connections.acme]\nBaseURL = \"{base}\"\n{workspace}\
             Concurrency = 1\nUser = \"user1@acme.example\"\nToken = \"env:TEST_TOKEN\"\nRequestsPerHour = 0\n\n\
             [connections.globex]\nBaseURL = \"{base}\"\nWorkspace = \"globex\"\n\
             User = \"user1@globex.example\"\nToken = \"env:OTHER_TOKEN\"\nRequestsPerHour = 0\n{}",
            self.more
        );
        std::fs::write(self.world.folder().join("bucketline.toml"), config).unwrap();
        let mut command = Command::new(binary());
        command
            .args(&self.arguments)
            .current_dir(self.world.folder())
            .env_clear()
            .env("TEST_TOKEN", &self.token)
            .env("OTHER_TOKEN", "sandbox-api-token-globex")
            .env("CONSUMER_SECRET", "sandbox-consumer-secret-acme")
            .env("BUCKETLINE_STATE", self.world.folder().join("state"))
            .stdin(Stdio::null());
        command
    }

    /// What it printed and its exit code.
    pub(crate) fn output(self) -> String {
        let output = self.command().output().unwrap();
        let (out, err) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        assert!(
            !out.contains(&self.token) && !err.contains(&self.token),
            "the secret is shown:\n{out}\n{err}"
        );
        format!(
            "--- stdout\n{out}--- stderr\n{err}--- exit code {}\n",
            output
                .status
                .code()
                .map_or("none".to_owned(), |code| code.to_string())
        )
    }
}

/// Compares with the stored snapshot; ports, folders, UUIDs, process ids and times are replaced.
macro_rules! assert_output {
    ($run:expr) => {
        insta::with_settings!({
            snapshot_path => "../commands",
            prepend_module_to_snapshot => false,
            omit_expression => true,
            filters => vec![
                (r"127\.0\.0\.1:\d+", "127.0.0.1:PORT"),
                (r"(?:/private)?/(?:tmp|var)/[^\s:'\x22]*?\.tmp[A-Za-z0-9]+", "FOLDER"),
                (r"\d+\.\d s", "TIME"),
                (r#""seconds":[0-9.e-]+"#, "\"seconds\":TIME"),
                (r"pid \d+", "pid PID"),
                (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "UUID"),
            ],
        }, {
            insta::assert_snapshot!($run.output());
        })
    };
}

pub(crate) use assert_output;

pub(crate) fn start(config: Config) -> World {
    // The sandbox has a runtime of its own; these tests need none.
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(World::start(config))
}

fn in_small_world(run: impl FnOnce(&World)) {
    run(&start(small()));
}

#[test]
fn a_select_and_its_formats() {
    in_small_world(|world| {
        let sql = "SELECT Id, Title, AssigneeDisplayName, UpdatedOn FROM [api].Issues WHERE Id <= 3 ORDER BY Id";
        assert_output!(Run::new(world, &["-e", sql]));
    });
}

#[test]
fn csv() {
    in_small_world(|world| {
        let sql = "SELECT Id, Title, ContentRaw FROM [api].Issues WHERE Id <= 2 ORDER BY Id";
        assert_output!(Run::new(world, &["--format", "csv", "-e", sql]));
    });
}

#[test]
fn json() {
    in_small_world(|world| {
        let sql = "SELECT Id, Title, UpdatedOn, Reviewers FROM [api].PullRequests WHERE Id = 1";
        assert_output!(Run::new(world, &["--format", "json", "-e", sql]));
    });
}

#[test]
fn parameters_of_the_command_line() {
    in_small_world(|world| {
        let sql = "SELECT Id, Title, ? AS First, @text AS Text, {env:TEAM} AS Team FROM [api].Issues WHERE Id <= @most ORDER BY Id";
        let arguments = [
            "--param",
            "most=2",
            "--param",
            "1=1.5",
            "--param",
            "text='2'",
            "--param",
            "env:TEAM=web; DROP",
            "-e",
            sql,
        ];
        assert_output!(Run::new(world, &arguments));
    });
}

#[test]
fn a_parameter_without_a_value() {
    in_small_world(|world| {
        let sql = "SELECT Id FROM Issues\nWHERE UpdatedOn > @since";
        assert_output!(Run::new(world, &["--param", "until=2026-08-10", "-e", sql]));
    });
}

#[test]
fn a_secret_parameter_is_refused() {
    in_small_world(|world| {
        assert_output!(Run::new(
            world,
            &["--param", "token=abc", "-e", "SELECT @token"]
        ));
    });
}

#[test]
fn a_wrong_argument_of_a_function() {
    in_small_world(|world| {
        let sql = "SELECT Id,\n  DATEADD('days', 1, UpdatedOn)\nFROM [api].Issues";
        assert_output!(Run::new(world, &["-e", sql]));
    });
}

#[test]
fn a_missing_argument_of_a_function() {
    in_small_world(|world| {
        assert_output!(Run::new(
            world,
            &["-e", "SELECT Id, CHARINDEX(Title) FROM Issues"]
        ));
    });
}

#[test]
fn a_query_into_a_file() {
    in_small_world(|world| {
        let sql = "SELECT Id, Title INTO csv://rows.csv;delimiter=tab FROM [api].Issues WHERE Id <= 2 ORDER BY Id";
        assert_output!(Run::new(world, &["-e", sql]));
        let written = std::fs::read_to_string(world.folder().join("rows.csv")).unwrap();
        assert_eq!(written.lines().next(), Some("Id\tTitle"));
        assert_eq!(written.lines().count(), 3);
    });
}

#[test]
fn replicate_twice() {
    in_small_world(|world| {
        assert_output!(Run::new(
            world,
            &[
                "-e",
                "REPLICATE PullRequests; REPLICATE Branches; REPLICATE PullRequests;"
            ]
        ));
    });
}

#[test]
fn wrong_token() {
    in_small_world(|world| {
        assert_output!(Run::new(world, &["-e", "REPLICATE Issues"]).token("planted-secret-value"));
    });
}

#[test]
fn missing_scope() {
    in_small_world(|world| {
        let scopes = vec![
            "read:repository:bitbucket".to_owned(),
            "read:workspace:bitbucket".to_owned(),
        ];
        let credential = "acme-api-token".to_owned();
        world
            .sandbox
            .apply(Change::SetScopes { credential, scopes })
            .unwrap();
        assert_output!(Run::new(world, &["-e", "REPLICATE PullRequests"]));
    });
}

#[test]
fn unknown_table() {
    in_small_world(|world| assert_output!(Run::new(world, &["-e", "SELECT *\nFROM Isues"])));
}

#[test]
fn unknown_column() {
    in_small_world(|world| {
        assert_output!(Run::new(
            world,
            &["-e", "SELECT Id,\n       Titel\nFROM Issues"]
        ));
    });
}

#[test]
fn unterminated_string() {
    in_small_world(|world| {
        assert_output!(Run::new(world, &["-e", "SELECT 1;\nSELECT 'it is open;\n"]));
    });
}

#[test]
fn missing_workspace() {
    in_small_world(|world| {
        assert_output!(Run::new(world, &["-e", "REPLICATE Issues"]).without_workspace());
    });
}

#[test]
fn unwritable_file() {
    in_small_world(|world| {
        assert_output!(Run::new(
            world,
            &[
                "--destination",
                "nowhere/copy.db",
                "-e",
                "REPLICATE Projects"
            ]
        ));
    });
}

#[test]
fn a_file_that_is_no_database() {
    in_small_world(|world| {
        std::fs::write(
            world.file(),
            "this is no database, only a text that is long enough to look at",
        )
        .unwrap();
        assert_output!(Run::new(world, &["-e", "REPLICATE Projects"]));
    });
}

#[test]
fn a_table_of_the_users_own() {
    in_small_world(|world| {
        for sql in [
            "CREATE TABLE Issues (mine TEXT)",
            "INSERT INTO Issues VALUES ('x')",
        ] {
            world.store.rows(sql).unwrap();
        }
        assert_output!(Run::new(world, &["-e", "REPLICATE Issues"]));
        assert_eq!(
            world.number("SELECT COUNT(*) FROM Issues WHERE mine = 'x'"),
            1
        );
    });
}

#[test]
fn a_table_of_another_workspace() {
    in_small_world(|world| {
        let statements = [
            "REPLICATE Projects",
            "REPLICATE Projects SELECT * FROM globex.Projects",
        ];
        assert_output!(Run::new(world, &["-e", statements[0], "-e", statements[1]]));
    });
}

#[test]
fn a_repository_that_vanished_is_told() {
    in_small_world(|world| {
        Run::new(world, &["-e", "REPLICATE Branches"]).output();
        let repository = "acme/web".to_owned();
        world
            .sandbox
            .apply(Change::HideRepository { repository })
            .unwrap();
        assert_output!(Run::new(world, &["-e", "REPLICATE Branches"]));
    });
}

#[test]
fn a_source_is_read_beside_a_destination_that_cannot_be() {
    in_small_world(|world| {
        std::fs::write(
            world.file(),
            "this is no database, only a text that is long enough to look at",
        )
        .unwrap();
        let sql = "SELECT Id FROM Issues WHERE Repository = 'api' ORDER BY Id LIMIT 1";
        assert_output!(Run::new(world, &["-e", sql]));
    });
}

#[test]
fn a_copy_that_was_not_made_yet() {
    in_small_world(|world| {
        assert_output!(Run::new(world, &["-e", "SELECT * FROM destination.Issues"]));
    });
}

#[test]
fn a_list_of_columns_needs_a_table() {
    in_small_world(|world| assert_output!(Run::new(world, &["-e", "SHOW COLUMNS"])));
}

#[test]
fn after_the_removal() {
    let world = start(Config {
        day: Day::AfterRemoval,
        ..small()
    });
    assert_output!(Run::new(&world, &["-e", "REPLICATE Issues"]));
}

#[test]
fn a_repository_that_cannot_be_read_is_partial() {
    in_small_world(|world| {
        world.sandbox.fault(
            Fault::always("/2.0/repositories/*/pullrequests", FaultKind::Forbidden)
                .after(1)
                .times(1),
        );
        assert_output!(Run::new(
            world,
            &["--quiet", "-e", "REPLICATE PullRequests"]
        ));
    });
}

/// A script goes on after it, and the run has failed.
#[test]
fn a_replicate_of_which_nothing_could_be_read_has_failed() {
    in_small_world(|world| {
        world.sandbox.fault(Fault::always(
            "/2.0/repositories/*/refs/branches",
            FaultKind::Forbidden,
        ));
        let sql = "SELECT 1; REPLICATE Branches SELECT * FROM [api].Branches; REPLICATE Projects";
        let told = Run::new(world, &["-e", sql]).output();
        assert!(told.contains("Projects: 3 read, 3 inserted"), "{told}");
        assert!(told.contains("2 ok, 1 failed"), "{told}");
        assert!(told.ends_with("--- exit code 1\n"), "{told}");
    });
}

/// Values that a column cannot hold are NULL, and counted wherever it is told what was done.
#[test]
fn values_of_another_type_are_counted() {
    let body = r#"{"values":[{"uuid":"{1}","active":"yes","url":"caf\udce9"}]}"#;
    in_small_world(|world| {
        let body = body.to_owned();
        world
            .sandbox
            .fault(Fault::always("*/hooks", FaultKind::Body { body }));
        let sql = "USE acme.[api]; REPLICATE Webhooks";
        let told = |more: &[&str]| Run::new(world, &[more, &["-e", sql]].concat()).output();

        let text = told(&[]);
        for part in [
            "Webhooks of acme/api: `active`: expected true or false, found a text; 1 value read as NULL",
            "half a surrogate pair is no character; 1 character read as U+FFFD",
            "2 values lost",
            "--- exit code 0\n",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        let json = told(&["--log-format", "json"]);
        assert!(
            json.contains("\"lost_values\":2,\"failed_slices\":0"),
            "{json}"
        );
        let quiet = told(&["--quiet", "--fail-on-lost-values"]);
        assert!(quiet.contains("BL8016"), "{quiet}");
        assert!(quiet.ends_with("--- exit code 3\n"), "{quiet}");
    });
}

#[test]
fn a_script_file_and_its_place() {
    in_small_world(|world| {
        std::fs::write(
            world.folder().join("nightly.sql"),
            "-- every night\nREPLICATE Projects;\nREPLICATE Issues WITH DropTabel;\n",
        )
        .unwrap();
        assert_output!(Run::new(world, &["run", "nightly.sql"]));
    });
}

#[test]
fn a_secret_on_the_command_line_is_refused() {
    in_small_world(|world| {
        assert_output!(Run::new(
            world,
            &[
                "--connection",
                "x=Workspace=acme;User=a@b.example;Token=literal-secret",
                "-e",
                "SELECT 1"
            ]
        ));
    });
}

#[test]
fn a_file_of_the_folder_that_names_a_stranger() {
    in_small_world(|world| {
        let stranger = "[connections.x]\nBaseURL = \"https://git.stranger.example/2.0\"\nToken = \"env:TEST_TOKEN\"\n";
        assert_output!(Run::new(world, &["-e", "SELECT 1"]).configured(stranger));
    });
}

#[test]
fn options_of_the_file_are_defaults() {
    in_small_world(|world| {
        let sql = "SHOW OPTIONS LIKE '%prefix'; SET TableNamePrefix = 'b_'; SHOW OPTIONS LIKE '%prefix'; \
                   REPLICATE Projects; REPLICATE Branches WITH UseGmtDateTime = FALSE";
        let options =
            "[replicate]\nTableNamePrefix = \"a_\"\nBatchSize = 500\nContinueOnError = true\n";
        assert_output!(Run::new(world, &["-e", sql]).configured(options));
    });
}

#[test]
fn an_option_of_the_file_that_there_is_not() {
    in_small_world(|world| {
        let options = "[replicate]\nTableNamePrefx = \"a_\"\n";
        assert_output!(Run::new(world, &["-e", "SELECT 1"]).configured(options));
    });
}

#[test]
fn a_script_makes_and_tests_a_connection() {
    in_small_world(|world| {
        let base = world.sandbox.base_url();
        let script = format!(
            "CREATE CONNECTION more WITH (BaseURL = '{base}', Workspace = 'globex', User = 'user1@globex.example',\n  \
             Token = 'env:OTHER_TOKEN', Speed = 'high');\n\
             SELECT Key FROM more.Projects ORDER BY Key LIMIT 1;\n\
             CREATE OR REPLACE CONNECTION more WITH (BaseURL = '{base}', Workspace = 'globex', User = 'u', Token = 'planted');\n\
             TEST CONNECTION more;\n"
        );
        std::fs::write(world.folder().join("more.sql"), script).unwrap();
        assert_output!(Run::new(world, &["run", "more.sql"]));
    });
}

const NIGHTLY: &str = "\
SET TableNamePrefix = 'north_';
REPLICATE PullRequests;
REPLICATE Branches SELECT * FROM Branches WHERE Repository = 'api';
REPLICATE States SELECT State, COUNT(*) AS n FROM PullRequests GROUP BY State;
SELECT COUNT(*) FROM destination.north_Branches;
SELECT Name FROM globex.Projects;
CACHE Keys SELECT UUID, Key FROM Projects;
CHECKCACHE north_PullRequests WITH REPAIR;
";

#[test]
fn a_plan_before_the_first_run() {
    in_small_world(|world| {
        std::fs::write(world.folder().join("nightly.sql"), NIGHTLY).unwrap();
        assert_output!(Run::new(world, &["plan", "--format", "csv", "nightly.sql"]));
        assert!(!world.file().exists());
    });
}

#[test]
fn a_plan_of_a_later_run() {
    in_small_world(|world| {
        std::fs::write(world.folder().join("nightly.sql"), NIGHTLY).unwrap();
        Run::new(world, &["run", "nightly.sql"]).output();
        let refused = "SET TableNamePrefix = DEFAULT;\n\
                       REPLICATE north_PullRequests SELECT * FROM globex.PullRequests;\n\
                       REPLICATE north_PullRequests WITH TruncateTable SELECT * FROM PullRequests;\n\
                       REPLICATE Nothing;";
        std::fs::write(world.folder().join("refused.sql"), refused).unwrap();
        assert_output!(Run::new(
            world,
            &["plan", "--format", "csv", "nightly.sql", "refused.sql"]
        ));
    });
}

#[test]
fn a_plan_against_the_budget() {
    in_small_world(|world| {
        let base = world.sandbox.base_url();
        let script = format!(
            "CREATE CONNECTION few WITH (BaseURL = '{base}', Workspace = 'globex', User = 'user1@globex.example',\n  \
             Token = 'env:OTHER_TOKEN', RequestsPerHour = 3);\n\
             SELECT Id FROM few.Issues WHERE Repository IN ('api', 'web', 'tools');\n"
        );
        std::fs::write(world.folder().join("few.sql"), script).unwrap();
        assert_output!(Run::new(world, &["plan", "--format", "csv", "few.sql"]));
    });
}

const MIXED: &str = "SELECT 1 AS One; SELECT * FROM Nothing; SELECT 2 AS Two;";

#[test]
fn a_run_goes_on_where_that_is_asked_for() {
    in_small_world(|world| {
        std::fs::write(world.folder().join("mixed.sql"), MIXED).unwrap();
        assert_output!(Run::new(
            world,
            &["run", "--continue", "mixed.sql", "-", "mixed.sql"]
        ));
    });
}

#[test]
fn a_run_stops_at_what_is_done_in_part() {
    in_small_world(|world| {
        world.sandbox.fault(
            Fault::always("*/pullrequests", FaultKind::Forbidden)
                .after(1)
                .times(1),
        );
        std::fs::write(world.folder().join("mixed.sql"), MIXED).unwrap();
        assert_output!(Run::new(
            world,
            &[
                "--stop-on-error",
                "--quiet",
                "-e",
                "REPLICATE PullRequests; SELECT 1",
                "-e",
                "SELECT 2"
            ]
        ));
    });
}

#[test]
fn what_happens_as_json() {
    in_small_world(|world| {
        let sql = "REPLICATE Projects; USE acme.[api]; REPLICATE Branches; SELECT 'a\"b' AS Text; SELECT Titel FROM Issues; SELECT 1;";
        let arguments = ["--log-format", "json", "--format", "ndjson", "-e", sql];
        assert_output!(Run::new(world, &arguments));
        let text = Run::new(world, &arguments).output();
        let told = text.split("--- stderr\n").nth(1).unwrap();
        let told = told.split("--- exit code").next().unwrap();
        for line in told.lines() {
            let object: serde_json::Value = serde_json::from_str(line).unwrap();
            assert!(object["event"].is_string(), "{line}");
        }
        assert_output!(Run::new(
            world,
            &["--log-format", "json", "run", "nowhere.sql"]
        ));
    });
}

#[test]
fn a_secret_in_a_one_liner_is_refused() {
    in_small_world(|world| {
        for sql in [
            "CREATE CONNECTION x WITH (Workspace = 'acme', Token = 'planted')",
            "CREATE CONNECTION x FROM 'Workspace=acme;Password=planted'",
            "SELECT 1; EXEC RefreshOAuthAccessToken @OAuthRefreshToken = 'planted'",
        ] {
            let output = Run::new(world, &["-e", sql]).output();
            assert!(
                output.contains("BL8103") && output.contains("exit code 2"),
                "{output}"
            );
            assert!(!output.contains("planted"), "{output}");
        }
        let reference = "CREATE CONNECTION x WITH (Workspace = 'acme', Token = 'env:OTHER_TOKEN')";
        assert!(
            Run::new(world, &["-e", reference])
                .output()
                .contains("exit code 0")
        );
    });
}

#[test]
fn completions_and_manual_pages() {
    in_small_world(|world| {
        for (arguments, expected) in [
            (&["completions", "bash"][..], "_bucketline()"),
            (&["completions", "zsh"], "#compdef bucketline"),
            (&["man"], ".TH bucketline 1"),
            (&["man", "plan"], "bucketline\\-plan"),
        ] {
            let output = Run::new(world, arguments).output();
            assert!(
                output.contains(expected) && output.contains("exit code 0"),
                "{output}"
            );
        }
        let output = Run::new(world, &["man", "plam"]).output();
        assert!(
            output.contains("BL8113") && output.contains("exit code 2"),
            "{output}"
        );
    });
}
