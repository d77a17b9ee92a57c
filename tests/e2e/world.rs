//! A sandbox, what is replicated into, and sessions between them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bucketline::{Builder, ConnectionProperties, Error, Event, Report, Session};
use bucketline_sandbox::{Clock, Config, Count, Credential, Day, Kind, Sandbox, WorkspaceConfig};
use chrono::{DateTime, Utc};
use futures::StreamExt;
use serde_json::Value;
use tempfile::TempDir;

use crate::store::{Row, Store, from_file};

/// What is tested against: it lives as long as a test.
pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    pub(crate) store: Store,
    folder: TempDir,
}

/// What running a script gave.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) reports: Vec<Report>,
    pub(crate) notes: Vec<String>,
    pub(crate) errors: Vec<Error>,
    pub(crate) requests: u64,
}

/// Two small workspaces on the earlier day, the clock standing still.
pub(crate) fn small() -> Config {
    let config = Config {
        clock: Clock::Frozen("2026-08-10T09:00:00Z".parse::<DateTime<Utc>>().unwrap()),
        day: Day::BeforeRemoval,
        requests_per_hour: None,
        ..Config::default()
    };
    config.each_workspace(|workspace| {
        workspace
            .repositories(3)
            .issues(Count::PerRepository(25))
            .pull_requests(Count::PerRepository(12))
            .branches(4)
    })
}

/// One workspace `acme` of the given sizes.
pub(crate) fn one(change: impl Fn(WorkspaceConfig) -> WorkspaceConfig) -> Config {
    Config {
        clock: Clock::Frozen("2026-08-10T09:00:00Z".parse::<DateTime<Utc>>().unwrap()),
        requests_per_hour: None,
        credentials: vec![
            Credential::api_token("acme"),
            Credential::workspace_token("acme"),
        ],
        ..Config::single(change(WorkspaceConfig::new("acme")))
    }
}

impl World {
    pub(crate) async fn start(config: Config) -> Self {
        let sandbox = Sandbox::start(config).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        Self {
            sandbox,
            store: Store::new(folder.path()),
            folder,
        }
    }

    /// The file that the programs which are started in the folder write to.
    pub(crate) fn file(&self) -> PathBuf {
        self.folder.path().join("copy.db")
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The properties of a connection to a workspace by its user's API token.
    pub(crate) fn properties(&self, workspace: &str) -> ConnectionProperties {
        self.properties_with(workspace, [])
    }

    /// The same and more of them.
    pub(crate) fn properties_with<const N: usize>(
        &self,
        workspace: &str,
        more: [(&'static str, &str); N],
    ) -> ConnectionProperties {
        let pairs = [
            ("BaseURL", self.sandbox.base_url()),
            ("Workspace", workspace.to_owned()),
            ("User", format!("user1@{workspace}.example")),
            ("Token", format!("sandbox-api-token-{workspace}")),
            ("RequestsPerHour", "0".to_owned()),
        ];
        let more = more.map(|(name, value)| (name, value.to_owned()));
        ConnectionProperties::new("test", pairs.into_iter().chain(more))
    }

    /// A new session with a connection per workspace, named like it, at the sandbox's time.
    pub(crate) fn session(&self, workspaces: &[&str]) -> Session {
        self.builder(workspaces).build().unwrap()
    }

    /// What such a session is made of.
    pub(crate) fn builder(&self, workspaces: &[&str]) -> Builder {
        let mut builder = self.session_builder();
        for workspace in workspaces {
            builder = builder.connection(*workspace, self.properties(workspace));
        }
        builder
    }

    /// A new session that reads the file `shop.db`; `properties` are more of its connection's.
    pub(crate) fn session_with_shop(&self, properties: &str) -> Session {
        let file = self.folder().join("shop.db");
        let text = format!("Type=SQLite;Data Source={};{properties}", file.display());
        let properties = ConnectionProperties::parse("test", &text).unwrap();
        let builder = self.session_builder().connection("shop", properties);
        builder.build().unwrap()
    }

    fn session_builder(&self) -> Builder {
        let now = self.sandbox.now();
        Session::builder()
            .write_to(self.store.setting())
            .clock(move || now)
    }

    /// What the program that writes the file `shop.db` reads there, or changes.
    pub(crate) fn shop_rows(&self, sql: &str) -> Result<Vec<Row>, String> {
        from_file(&self.folder().join("shop.db"), sql).map_err(|error| error.to_string())
    }

    /// Runs a script in a new session, as a new process would.
    pub(crate) async fn run(&self, script: &str) -> Outcome {
        run(&self.session(&["acme", "globex"]), script).await
    }

    /// The same, when it must succeed; the reports of its REPLICATEs.
    pub(crate) async fn replicate(&self, script: &str) -> Vec<Report> {
        let outcome = self.run(script).await;
        assert!(outcome.errors.is_empty(), "{script}: {:?}", outcome.errors);
        outcome.reports
    }

    /// One number from what was replicated into.
    pub(crate) fn number(&self, sql: &str) -> i64 {
        let rows = self.store.rows(sql).unwrap();
        let cell = rows[0][0].as_ref().unwrap();
        cell.parse().unwrap()
    }

    /// The rows of a table by (repository, key), some columns as text, to compare with the source.
    pub(crate) fn copy(
        &self,
        table: &str,
        key: &[&str],
        columns: &[&str],
    ) -> BTreeMap<String, Vec<Option<String>>> {
        let list: Vec<String> = key
            .iter()
            .chain(columns)
            .map(|column| format!("\"{column}\""))
            .collect();
        let rows = self
            .store
            .rows(&format!("SELECT {} FROM \"{table}\"", list.join(", ")));
        let mut copy = BTreeMap::new();
        for mut name in rows.unwrap() {
            let values = name.split_off(key.len());
            let name: Vec<String> = name.into_iter().map(Option::unwrap_or_default).collect();
            let double = copy.insert(name.join("/"), values);
            assert!(double.is_none(), "{table} holds {} twice", name.join("/"));
        }
        copy
    }

    /// The same rows as the sandbox has them. `key` and `columns` are JSON pointers; `{repository}` is the
    /// repository's UUID.
    pub(crate) fn truth(
        &self,
        kind: Kind,
        workspace: &str,
        key: &[&str],
        columns: &[&str],
    ) -> BTreeMap<String, Vec<Option<String>>> {
        let snapshots = self.sandbox.snapshot(kind, workspace);
        let cell = |snapshot: &bucketline_sandbox::Snapshot, pointer: &str| match pointer {
            "{repository}" => snapshot.repository_uuid.clone(),
            pointer => text(snapshot.value.pointer(pointer)),
        };
        snapshots
            .iter()
            .map(|snapshot| {
                let name: Vec<String> = key
                    .iter()
                    .map(|pointer| cell(snapshot, pointer).unwrap_or_default())
                    .collect();
                (
                    name.join("/"),
                    columns
                        .iter()
                        .map(|pointer| cell(snapshot, pointer))
                        .collect(),
                )
            })
            .collect()
    }

    /// Asserts that the copied issues are the workspace's, with the columns that change most.
    pub(crate) fn assert_issues(&self, table: &str, workspace: &str) {
        let copy = self.copy(
            table,
            &["RepositoryUUID", "Id"],
            &[
                "Title",
                "State",
                "Kind",
                "Priority",
                "ContentRaw",
                "ReporterDisplayName",
                "UpdatedOn",
            ],
        );
        let truth = self.truth(
            Kind::Issues,
            workspace,
            &["{repository}", "/id"],
            &[
                "/title",
                "/state",
                "/kind",
                "/priority",
                "/content/raw",
                "/reporter/display_name",
                "/updated_on",
            ],
        );
        assert_same(table, &copy, &truth);
    }

    /// The same for pull requests; `state` takes only those.
    pub(crate) fn assert_pull_requests(&self, table: &str, workspace: &str, state: Option<&str>) {
        let copy = self.copy(
            table,
            &["RepositoryUUID", "Id"],
            &["Title", "State", "UpdatedOn"],
        );
        let mut truth = self.truth(
            Kind::PullRequests,
            workspace,
            &["{repository}", "/id"],
            &["/title", "/state", "/updated_on"],
        );
        if let Some(state) = state {
            truth.retain(|_, row| row[1].as_deref() == Some(state));
        }
        assert_same(table, &copy, &truth);
    }

    /// The same for branches.
    pub(crate) fn assert_branches(&self, table: &str, workspace: &str) {
        let copy = self.copy(table, &["RepositoryUUID", "Name"], &["TargetHash"]);
        let truth = self.truth(
            Kind::Branches,
            workspace,
            &["{repository}", "/name"],
            &["/target/hash"],
        );
        assert_same(table, &copy, &truth);
    }
}

/// Runs a script to its end.
pub(crate) async fn run(session: &Session, script: &str) -> Outcome {
    let mut outcome = Outcome::default();
    let mut events = session.run(script);
    while let Some(event) = events.next().await {
        match event {
            Event::Replicated(report) => outcome.reports.push(report),
            Event::Note(note) => outcome.notes.push(note),
            Event::Failed(error) => outcome.errors.push(error),
            Event::Ended { requests, .. } => outcome.requests += requests,
            _ => {}
        }
    }
    outcome
}

fn text(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::Null => None,
        Value::String(text) => Some(match text.parse::<DateTime<Utc>>() {
            Ok(time) => time.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string(),
            Err(_) => text.clone(),
        }),
        other => Some(other.to_string()),
    }
}

fn assert_same(
    table: &str,
    copy: &BTreeMap<String, Vec<Option<String>>>,
    truth: &BTreeMap<String, Vec<Option<String>>>,
) {
    for (key, row) in truth {
        match copy.get(key) {
            None => panic!("{table} lacks {key}: {row:?}"),
            Some(found) => assert_eq!(found, row, "{table}, {key}"),
        }
    }
    for (key, row) in copy {
        assert!(
            truth.contains_key(key),
            "{table} has {key}, which the source does not: {row:?}"
        );
    }
}
