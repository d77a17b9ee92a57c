//! The application comes back from its files as it was.

use std::collections::BTreeMap;

use super::{Application, Texts};
use crate::{
    Connection, FollowStep, FollowUp, FollowWhen, Job, JobKind, JobLimits, JobSchedule, Keep,
    Overlap, Problems, Retry, Task,
};

fn application() -> Application {
    let connection = |name: &str, token: &str| Connection {
        name: name.to_owned(),
        properties: BTreeMap::from([
            ("Token".to_owned(), token.to_owned()),
            ("Type".to_owned(), "Bitbucket".to_owned()),
        ]),
        labels: vec!["Vienna".to_owned()],
    };
    let full = Job {
        kind: JobKind::SyncAll {
            exclude: vec!["Commits".to_owned()],
        },
        tasks: vec![
            Task::new("-- all\r\nREPLICATE [My Issues] SELECT *\n\tFROM Issues;\n"),
            Task {
                enabled: false,
                ..Task::new("CHECKCACHE [My Issues]")
            },
        ],
        schedule: Some(JobSchedule {
            cron: "*/10 * * * *".to_owned(),
            zone: Some("Europe/Vienna".to_owned()),
            overlap: Overlap::QueueOne,
            catch_up: Some(3600),
            jitter: Some(0),
            enabled: false,
        }),
        options: BTreeMap::from([("BatchSize".to_owned(), "100".to_owned())]),
        labels: vec!["nightly".to_owned()],
        retry: Retry { waits: vec![] },
        limits: JobLimits {
            parallel_tasks: 2,
            timeout: 60,
            share: 3,
        },
        after: vec![
            FollowUp {
                when: FollowWhen::Ended,
                step: FollowStep::Webhook("https://hooks.example/".to_owned()),
            },
            FollowUp {
                when: FollowWhen::Succeeded,
                step: FollowStep::Sql("SELECT 1".to_owned()),
            },
        ],
        pause_after: 0,
        keep: Some(Keep {
            days: 1,
            runs: 2,
            event_days: 3,
        }),
        ..Job::new("a/b: \"Nightly\"", "cloud one", "copies")
    };
    Application {
        connections: vec![
            connection("cloud one", "env:TOKEN"),
            connection("copies", "file:/run/token"),
        ],
        jobs: vec![full, Job::new("a_b_ _Nightly_", "cloud one", "copies")],
    }
}

fn sorted(mut application: Application) -> Application {
    application.connections.sort_by_key(|it| it.name.clone());
    application.jobs.sort_by_key(|it| it.name.clone());
    application
}

#[test]
fn files_say_all_that_an_application_is() {
    let application = application();
    let texts = application.to_texts().unwrap();
    assert_eq!(sorted(texts.read().unwrap()), sorted(application));
    // And a folder keeps them byte by byte.
    let folder = tempfile::tempdir().unwrap();
    texts.write_to(folder.path()).unwrap();
    assert_eq!(Texts::of_folder(folder.path()).unwrap(), texts);
}

#[test]
fn a_secret_is_written_to_no_file() {
    let mut application = application();
    let properties = &mut application.connections[0].properties;
    properties.insert("Token".to_owned(), "planted".to_owned());
    let error = application.to_texts().unwrap_err();
    assert_eq!(Problems::of(&error)[0].code, "BL0005");
    assert!(!format!("{error} {error:?}").contains("planted"));
}

#[test]
fn a_stored_secret_is_exported_as_one_to_enter_again() {
    let mut application = application();
    let properties = &mut application.connections[0].properties;
    properties.insert("Token".to_owned(), "***".to_owned());
    let texts = application.to_texts().unwrap();
    assert!(texts.toml.starts_with("# \"***\" stands for a secret"));
    assert!(texts.toml.contains("Token = \"***\""), "{}", texts.toml);
    assert_eq!(sorted(texts.read().unwrap()), sorted(application));
}

#[test]
fn all_that_is_wrong_in_files_is_told_with_its_place() {
    let toml = r#"
[connections.cloud]
Token = "planted"
Workspace = ["a"]
[labels]
clouds = ["x"]
[jobs.Nightly]
source = "cloud"
destination = "copies"
tasks = [{ statement = "REPLICATE Issues WITH X" }, { statement = "SELECT 1" }]
[jobs.nightly]
source = "cloud"
destination = "copies"
[jobs.Other]
source = "cloud"
destination = "copies"
tasks = [{ file = "nowhere.sql" }]
[jobs.Third]
source = 3
destination = "copies"
"#;
    let texts = Texts {
        toml: toml.to_owned(),
        ..Texts::default()
    };
    let error = texts.read().unwrap_err();
    let problems = Problems::of(&error).iter();
    let problems: Vec<_> = problems
        .map(|it| (it.place.as_str(), it.code.as_str()))
        .collect();
    assert_eq!(
        problems,
        [
            ("connections.cloud.Workspace", "BL0013"),
            ("connections.cloud.properties.Token", "BL0005"),
            ("labels.clouds", "BL0008"),
            ("jobs.Nightly.tasks[0].statement", "BL1005"),
            ("jobs.Nightly.tasks[1].statement", "BL0007"),
            ("jobs.Other.tasks[0].file", "BL0013"),
            ("jobs.Third", "BL0013"),
            ("jobs.nightly", "BL0004"),
        ]
    );
    assert!(!format!("{error}").contains("planted"));
}

#[test]
fn files_name_no_file_outside_their_folder() {
    for path in [
        "../a.sql",
        "/etc/a.sql",
        "a/../../b.sql",
        "C:a.sql",
        "a\\\\b.sql",
        "a.txt",
        "",
    ] {
        let toml = format!("[jobs.N]\ntasks = [{{ file = \"{path}\" }}]");
        let error = Texts::sql_paths(&toml).unwrap_err();
        assert_eq!(error.code(), "BL0001", "{path}");
    }
}
