//! `bucketline demo`: the main job, step by step, against a sandbox.

use std::env::VarError;
use std::fs::{self, File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use bucketline::Session;
use bucketline_sandbox::{
    Change, Config, Count, Credential, IssueEdit, Kind, Sandbox, WorkspaceConfig,
};

use crate::arguments::{DemoArguments, Format, Options};
use crate::ending::Ending;
use crate::error::{Error, Result};
use crate::escape::escape_except;
use crate::execute::{Stage, run};
use crate::interrupt::Interrupts;
use crate::output::Output;
use crate::reporter::Reporter;
use crate::sandbox::wait;
use crate::script::Script;
use crate::settings::{Settings, Surroundings};

/// Connections and the workspaces they read.
const ACCOUNTS: [(&str, &str); 2] = [("prod", "acme"), ("team", "globex")];

const REPLICATE: &str = include_str!("demo/replicate.sql");
const LOOK: &str = include_str!("demo/look.sql");

/// Runs the demonstration, which writes to a SQLite file unless `--destination` names something else.
pub(crate) async fn run_demo(
    arguments: &DemoArguments,
    destination: Option<&str>,
    coloured: bool,
    interrupts: &Interrupts,
) -> Result<Ending> {
    let folder = folder(arguments)?;
    let sandbox = Sandbox::start(config(arguments.port)).await?;
    write_files(&folder, &sandbox.base_url(), destination.is_none())?;
    let session = open(&folder, destination)?;
    let mut demo = Demo {
        stage: Stage {
            output: Output::stdout(Format::Table),
            reporter: Reporter::story(coloured && io::stdout().is_terminal()),
            interrupts: interrupts.clone(),
        },
        session,
        sandbox,
        folder,
        destination: destination.map(str::to_owned),
    };
    let ending = demo.tell().await?;
    if ending != Ending::Success {
        return Ok(ending);
    }
    demo.what_next(arguments.serve);
    if arguments.serve {
        wait(demo.sandbox, interrupts).await;
    }
    Ok(Ending::Success)
}

struct Demo {
    stage: Stage,
    session: Session,
    sandbox: Sandbox,
    folder: PathBuf,
    /// What `--destination` names.
    destination: Option<String>,
}

impl Demo {
    async fn tell(&mut self) -> Result<Ending> {
        self.say(&format!(
            "A sandbox plays Bitbucket Cloud at {}. It is 10 August 2026 there, ten days before\n\
             Bitbucket removed its issue tracker. Two connections, prod and team, read the workspaces acme\n\
             and globex; all is written to {}.",
            self.sandbox.base_url(),
            match self.destination {
                Some(_) => self.session.destination_label(),
                None => "one SQLite file".to_owned(),
            }
        ));
        self.title("First run: everything is fetched");
        let (ending, first) = self.replicate().await?;
        if !ending.goes_on() {
            return Ok(ending);
        }

        self.title("An hour later, somebody has changed something at the source");
        for change in self.change()? {
            self.say(&format!("  {change}"));
        }

        self.title("Second run: the same statements, and only the change is fetched");
        let (ending, second) = self.replicate().await?;
        if !ending.goes_on() {
            return Ok(ending);
        }
        self.say(&format!(
            "\nThe source answered {first} requests at first, {second} now."
        ));

        self.title("Look into the copy, and see what a query would ask Bitbucket for");
        self.run("look.sql", LOOK).await
    }

    /// Runs the script of REPLICATEs; also says how many requests reached the source.
    async fn replicate(&mut self) -> Result<(Ending, usize)> {
        self.sandbox.reset_requests();
        let ending = self.run("replicate.sql", REPLICATE).await?;
        Ok((ending, self.sandbox.requests().len()))
    }

    async fn run(&mut self, name: &str, text: &str) -> Result<Ending> {
        let script = Script {
            name: Some(name.to_owned()),
            text: text.to_owned(),
        };
        Ok(run(&self.session, &script, &mut self.stage).await?.ending)
    }

    /// Changes the source and says what was changed.
    fn change(&self) -> Result<Vec<String>> {
        let api = || "acme/api".to_owned();
        self.sandbox
            .apply(Change::AdvanceClock { seconds: 3600.0 })?;
        let title = |text: &str| IssueEdit {
            title: Some(text.to_owned()),
            ..IssueEdit::default()
        };
        let edit = title("Edited while nobody looked");
        self.sandbox.apply(Change::UpdateIssue {
            repository: api(),
            id: 3,
            edit,
        })?;
        let edit = title("Found by the demonstration");
        let added = self.sandbox.apply(Change::AddIssue {
            repository: "globex/web".to_owned(),
            edit,
        })?;
        let mut changes = vec![
            "acme/api: issue 3 was edited".to_owned(),
            format!(
                "globex/web: issue {} was added",
                added.id.unwrap_or_default()
            ),
        ];
        if let Some(id) = self.open_pull_request() {
            self.sandbox.apply(Change::MergePullRequest {
                repository: api(),
                id,
            })?;
            changes.push(format!("acme/api: pull request {id} was merged"));
        }
        if let Some(branch) = self.spare_branch() {
            changes.push(format!("acme/api: the branch {branch} was deleted"));
            self.sandbox.apply(Change::DeleteBranch {
                repository: api(),
                branch,
            })?;
        }
        Ok(changes)
    }

    fn open_pull_request(&self) -> Option<u32> {
        let pull_requests = self.sandbox.snapshot(Kind::PullRequests, "acme");
        let open = pull_requests
            .iter()
            .find(|it| it.repository.as_deref() == Some("api") && it.value["state"] == "OPEN")?;
        u32::try_from(open.value["id"].as_u64()?).ok()
    }

    /// A branch that nothing else depends on.
    fn spare_branch(&self) -> Option<String> {
        let branches = self.sandbox.snapshot(Kind::Branches, "acme");
        let spare = branches
            .iter()
            .rev()
            .filter(|it| it.repository.as_deref() == Some("api"));
        let mut names = spare.filter_map(|it| it.value["name"].as_str());
        names
            .find(|name| !["main", "master", "develop"].contains(name))
            .map(str::to_owned)
    }

    fn what_next(&mut self, serve: bool) {
        let folder = self.folder.display().to_string();
        let name = std::env::args()
            .next()
            .unwrap_or_else(|| "bucketline".to_owned());
        let (copy, look, option) = match &self.destination {
            None => (
                "demo.db          the copy, for any SQLite program\n  ",
                format!("sqlite3 {folder}/demo.db 'SELECT COUNT(*) FROM \"PROD.Issues\"'\n  "),
                String::new(),
            ),
            Some(text) => ("", String::new(), format!(" --destination '{text}'")),
        };
        let program = format!("{name} --config {folder}/bucketline.toml{option}");
        self.title("What next");
        self.say(&format!(
            "Everything is in {folder}:\n  \
             {copy}bucketline.toml  the two connections\n  \
             replicate.sql    what was run, twice\n  \
             look.sql         what was asked at the end\n\n\
             Count what is there:\n  \
             {look}{program} -e 'SELECT COUNT(*) FROM destination.PROD_Issues;'\n"
        ));
        if serve {
            let origin = self.sandbox.origin().to_owned();
            self.say(&format!(
                "The sandbox runs until you press Ctrl-C here. In another terminal, change something and replicate again:\n  \
                 curl {origin}/_sandbox/changes --json '{{\"change\": \"update_issue\", \"repository\": \"acme/web\", \"id\": 5, \"title\": \"Mine\"}}'\n  \
                 {program} run {folder}/replicate.sql\n  \
                 {program}        (an interactive session)"
            ));
        } else {
            self.say(&format!(
                "The sandbox has ended with the demonstration. To go on by hand, with one that stays:\n  \
                 {name} demo --serve{option}\n\
                 For your own workspace, see the quick start in README.md."
            ));
        }
    }

    fn title(&mut self, text: &str) {
        let title = match self.stage.reporter.is_coloured() {
            true => format!("\n\u{1b}[1m{text}\u{1b}[0m\n\n"),
            false => format!("\n{text}\n{}\n", "=".repeat(text.chars().count())),
        };
        self.stage.reporter.block(&title);
    }

    fn say(&mut self, text: &str) {
        let text = escape_except(text, &['\n']);
        self.stage.reporter.block(&format!("{text}\n"));
    }
}

fn config(port: u16) -> Config {
    let workspaces = ACCOUNTS.iter().map(|(_, slug)| {
        WorkspaceConfig::new(slug)
            .repositories(4)
            .issues(Count::PerRepository(300))
            .pull_requests(Count::PerRepository(150))
            .branches(6)
            .trackers_off(0)
    });
    Config {
        port,
        workspaces: workspaces.collect(),
        ..Config::default()
    }
}

/// The folder that is asked for, which must be new or empty, or a temporary one, which stays.
fn folder(arguments: &DemoArguments) -> Result<PathBuf> {
    let Some(folder) = &arguments.keep else {
        let made = tempfile::Builder::new()
            .prefix("bucketline-demo-")
            .tempdir();
        let path = std::env::temp_dir();
        return Ok(made.map_err(|source| Error::Write { path, source })?.keep());
    };
    let unwritable = |source| Error::Write {
        path: folder.clone(),
        source,
    };
    fs::create_dir_all(folder).map_err(unwritable)?;
    if fs::read_dir(folder).map_err(unwritable)?.next().is_some() {
        return Err(Error::FolderNotEmpty {
            folder: folder.clone(),
        });
    }
    fs::canonicalize(folder).map_err(unwritable)
}

fn write_files(folder: &Path, base_url: &str, to_file: bool) -> Result<()> {
    let mut configuration = String::new();
    if to_file {
        configuration.push_str("[destination]\npath = \"demo.db\"\n");
    }
    for (connection, slug) in ACCOUNTS {
        let credential = Credential::api_token(slug);
        let token = folder.join(format!("{slug}.token"));
        write(&token, &credential.secret)?;
        // TOML's basic strings know the escapes of JSON.
        let token = serde_json::Value::from(format!("file:{}", token.display()));
        configuration.push_str(&format!(
            "\n[connections.{connection}]\nBaseURL = \"{base_url}\"\nWorkspace = \"{slug}\"\n\
             User = \"user1@{slug}.example\"\nToken = {token}\n"
        ));
    }
    write(&folder.join("bucketline.toml"), &configuration)?;
    write(&folder.join("replicate.sql"), REPLICATE)?;
    write(&folder.join("look.sql"), LOOK)
}

/// Writes a file that only the user can read.
fn write(path: &Path, text: &str) -> Result<()> {
    let written = private(path).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|source| Error::Write {
        path: path.to_owned(),
        source,
    })
}

#[cfg(unix)]
fn private(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

#[cfg(not(unix))]
fn private(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).open(path)
}

/// The session that anybody would have with these files, but for the budget: what the sandbox's
/// made-up people ask for stays in the folder.
fn open(folder: &Path, destination: Option<&str>) -> Result<Session> {
    let state = folder.join("state").display().to_string();
    let variable = |name: &str| match name {
        "BUCKETLINE_STATE" => Ok(state.clone()),
        _ => Err(VarError::NotPresent),
    };
    let options = Options {
        config: Some(folder.join("bucketline.toml")),
        destination: destination.map(str::to_owned),
        ..Options::default()
    };
    let surroundings = Surroundings {
        variable: &variable,
        variables: Vec::new(),
        home: None,
        folder: folder.to_owned(),
        ask: &|_| None,
    };
    Settings::resolve(&options, &surroundings)?.open(None)
}
