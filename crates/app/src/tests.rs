//! What is refused when a connection or a job is saved.

use std::collections::BTreeMap;

use crate::{
    Connection, FollowStep, FollowUp, FollowWhen, Job, JobKind, Problem, Problems, RunState, Task,
};

/// Places and codes.
fn brief(problems: &[Problem]) -> Vec<(&str, &str)> {
    let mut brief = Vec::new();
    for problem in problems {
        brief.push((problem.place.as_str(), problem.code.as_str()));
    }
    brief
}

fn job(statements: &[&str]) -> Job {
    Job {
        tasks: statements.iter().map(|text| Task::new(*text)).collect(),
        ..Job::new("Nightly", "cloud", "copies")
    }
}

#[test]
fn a_good_job_has_no_problem() {
    let mut job = job(&[
        "-- all issues\nREPLICATE Issues;",
        "REPLICATE OpenIssues SELECT Id, Title FROM Issues WHERE State = 'open'",
        "CHECKCACHE Issues",
        "CACHE SELECT * FROM Branches",
    ]);
    job.options.insert("TableNamePrefix".into(), "acme_".into());
    job.after.push(FollowUp {
        when: FollowWhen::Ended,
        step: FollowStep::Webhook("https://hooks.example/a".into()),
    });
    assert_eq!(job.problems(), []);
    let tables: Vec<_> = job.tasks.iter().filter_map(Task::table).collect();
    assert_eq!(tables, ["Issues", "OpenIssues", "Issues", "Branches"]);
}

#[test]
fn a_statement_is_refused_where_it_is_wrong() {
    let cases = [
        ("REPLICATE Issues; REPLICATE Branches", "BL0006", "1:19"),
        ("SELECT Id FROM Issues", "BL0007", "1:1"),
        ("DROP TABLE Issues", "BL0007", "1:1"),
        ("REPLICATE Issues WITH DropTabel = TRUE", "BL1005", "1:23"),
        (
            "REPLICATE Issues\n  SELECT Id FORM Issues",
            "BL1002",
            "2:18",
        ),
        (
            "REPLICATE Issues SELECT Id FROM Issues WHERE State = @state",
            "BL1013",
            "1:54",
        ),
    ];
    for (text, code, start) in cases {
        let problem = Task::new(text).parse().unwrap_err();
        let place = problem.span.map(|span| span.start.to_string());
        assert_eq!(
            (problem.code.as_str(), place.as_deref()),
            (code, Some(start)),
            "{text}"
        );
        assert_eq!(problem.place, "statement");
    }
    for text in ["", " ; ", "-- nothing"] {
        assert_eq!(
            Task::new(text).parse().unwrap_err().code,
            "BL0006",
            "{text}"
        );
    }
    let long = format!("REPLICATE Issues -- {}", "x".repeat(256 << 10));
    assert_eq!(Task::new(long).parse().unwrap_err().code, "BL0003");
}

#[test]
fn each_field_of_a_job_is_checked_and_all_are_told_at_once() {
    let mut job = job(&[
        "REPLICATE Issues",
        "REPLICATE x.Issues",
        "REPLICATE issues SELECT Id FROM Issues",
        "SELECT 1",
    ]);
    job.name = " Nightly".into();
    job.destination = "CLOUD".into();
    job.kind = JobKind::SyncAll {
        exclude: vec![String::new()],
    };
    job.options = BTreeMap::from([
        ("DropTabel".into(), "true".into()),
        ("BatchSize".into(), "many".into()),
    ]);
    job.labels = vec!["a".into(), "A".into()];
    job.retry.waits = vec![1, u32::MAX];
    job.limits.parallel_tasks = 0;
    job.limits.timeout = u32::MAX;
    job.limits.share = 0;
    let follow = |step| FollowUp {
        when: FollowWhen::Succeeded,
        step,
    };
    job.after = vec![
        follow(FollowStep::Job(" NIGHTLY".into())),
        follow(FollowStep::Sql("SELECT 1; SELEC 2".into())),
        follow(FollowStep::Webhook("hooks.example".into())),
        follow(FollowStep::Webhook(
            "https://user:planted@hooks.example/".into(),
        )),
    ];
    let problems = job.problems();
    assert_eq!(
        brief(&problems),
        [
            ("name", "BL0002"),
            ("destination", "BL0008"),
            ("options.BatchSize", "BL1006"),
            ("options.DropTabel", "BL1005"),
            ("tasks[2].statement", "BL0004"),
            ("tasks[3].statement", "BL0007"),
            ("kind.exclude[0]", "BL0002"),
            ("retry.waits[1]", "BL0003"),
            ("limits.timeout", "BL0003"),
            ("limits.share", "BL0003"),
            ("limits.parallel_tasks", "BL0003"),
            ("labels[1]", "BL0004"),
            ("after[0].job", "BL0008"),
            ("after[1].sql", "BL1004"),
            ("after[2].webhook", "BL0009"),
            ("after[3].webhook", "BL0005"),
        ]
    );
    let error = Problems::check("job Nightly", problems.clone()).unwrap_err();
    assert_eq!(Problems::of(&error), problems);
    assert_eq!(
        (error.code().as_str(), error.to_string().as_str()),
        (
            "BL0001",
            "job Nightly: name: the name begins or ends with a blank (and 15 more)"
        )
    );
}

#[test]
fn the_same_table_is_one_after_schema_and_prefix() {
    let same = |first: &str, second: &str| !job(&[first, second]).problems().is_empty();
    assert!(same("REPLICATE a.T", "REPLICATE t WITH CacheSchema = 'A'"));
    assert!(same(
        "REPLICATE T WITH TableNamePrefix = 'x_'",
        "REPLICATE x_t"
    ));
    assert!(!same(
        "REPLICATE T WITH TableNamePrefix = 'x_'",
        "REPLICATE T"
    ));
    assert!(!same("REPLICATE a.T", "REPLICATE b.T"));
}

fn connection(name: &str, value: &str) -> Connection {
    Connection {
        name: "cloud".into(),
        properties: BTreeMap::from([(name.to_owned(), value.to_owned())]),
        labels: Vec::new(),
    }
}

#[test]
fn what_is_shown_of_a_connection_holds_no_secrets() {
    let good = [
        ("Token", "env:BITBUCKET_TOKEN"),
        ("Token", "file:/run/secrets/token"),
        ("Token", ""),
        // To be sealed.
        ("Token", "planted"),
        ("OAuthClientSecret", "planted"),
        ("Workspace", "acme"),
        ("URL", "postgres://user@db.example/copies"),
    ];
    for (name, value) in good {
        assert_eq!(connection(name, value).problems(), [], "{name}={value}");
    }
    let bad = [
        ("URL", "postgres://user:planted@db.example/copies"),
        ("BaseURL", "https://user:planted@api.example"),
    ];
    for (name, value) in bad {
        let problems = connection(name, value).problems();
        assert_eq!(problems.len(), 1, "{name}={value}");
        assert_eq!(problems[0].code, "BL0005", "{name}={value}");
        assert!(!problems[0].to_string().contains("planted"));
    }
}

#[test]
fn a_secret_that_is_about_to_be_sealed_is_not_shown() {
    let typed = connection("Token", "planted");
    assert!(!format!("{typed:?}").contains("planted"));
    assert_eq!(typed.sealed().properties["Token"], "***");
    assert_eq!(typed.file_problems()[0].code, "BL0005");
}

#[test]
fn a_stored_secret_does_not_follow_a_connection_to_another_address() {
    let with = |pairs: &[(&str, &str)]| Connection {
        properties: pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        ..connection("Token", "***")
    };
    let before = with(&[
        ("BaseURL", "https://a.example"),
        ("Token", "***"),
        ("User", "a"),
    ]);
    for (after, is_refused) in [
        (
            &[
                ("BaseURL", "https://a.example"),
                ("Token", "***"),
                ("User", "b"),
            ][..],
            false,
        ),
        (
            &[
                ("baseurl", "https://a.example"),
                ("TOKEN", "***"),
                ("Page size", "5"),
            ],
            false,
        ),
        (
            &[("BaseURL", "https://b.example"), ("Token", "planted")],
            false,
        ),
        (
            &[("BaseURL", "https://b.example"), ("Token", "env:TOKEN")],
            false,
        ),
        (&[("BaseURL", "https://b.example"), ("Token", "***")], true),
        (&[("Token", "***")], true),
        (
            &[
                ("BaseURL", "https://a.example"),
                ("Token", "***"),
                ("ProxyServer", "p.example"),
            ],
            true,
        ),
        (
            &[
                ("BaseURL", "https://a.example"),
                ("Token", "***"),
                ("Type", "PostgreSQL"),
            ],
            true,
        ),
        // One that was never stored has nothing to lose.
        (
            &[("BaseURL", "https://b.example"), ("Password", "***")],
            false,
        ),
    ] {
        let problems = with(after).problems_after(&before);
        assert_eq!(!problems.is_empty(), is_refused, "{after:?}: {problems:?}");
        assert!(problems.iter().all(|problem| problem.code == "BL0015"));
    }
}

#[test]
fn a_clone_has_the_same_tasks_as_new_ones() {
    let mut job = job(&["REPLICATE Issues"]);
    job.tasks[0].id = Some(crate::TaskId(7));
    let clone = job.cloned_as("Weekly");
    assert_eq!((clone.name.as_str(), clone.tasks[0].id), ("Weekly", None));
    assert_eq!(clone.tasks[0].statement, "REPLICATE Issues");
}

#[test]
fn a_job_comes_back_from_its_text_as_it_was() {
    let mut job = job(&["REPLICATE Issues"]);
    job.after.push(FollowUp {
        when: FollowWhen::Failed,
        step: FollowStep::Sql("SELECT 1".into()),
    });
    let text = serde_json::to_string(&job).unwrap();
    assert_eq!(serde_json::from_str::<Job>(&text).unwrap(), job);
    let least = r#"{"name": "n", "source": "s", "destination": "d"}"#;
    assert_eq!(
        serde_json::from_str::<Job>(least).unwrap(),
        Job::new("n", "s", "d")
    );
    for &state in RunState::ALL {
        let word = serde_json::to_string(&state).unwrap();
        assert_eq!(word, format!("\"{}\"", state.word()));
        assert_eq!(state.word().parse(), Ok(state));
    }
}
