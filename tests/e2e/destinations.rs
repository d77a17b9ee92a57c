//! One script, and each destination.

use std::collections::BTreeSet;
use std::time::Duration;

use arrow::util::display::{ArrayFormatter, FormatOptions};
use bucketline::{DestinationSetting, Event, Session};
use bucketline_private_postgres::Server;
use bucketline_sandbox::{Change, IssueEdit};
use futures::StreamExt;
use serde_json::Value;

use crate::store::Store;
use crate::world::{World, run, small};

const SCRIPT: &str = "
REPLICATE Issues;
REPLICATE PROD_Issues SELECT * FROM globex.Issues;
REPLICATE PROD.Issues SELECT Id, Title, UpdatedOn, UpdatedOn > '2026-06-01' AS IsRecent FROM Issues WHERE State <> 'closed';
REPLICATE Repositories;
REPLICATE PullRequests WITH EnableHistoryMode;
REPLICATE Branches WITH DeleteOption = SoftDelete;
REPLICATE PullRequestComments;
REPLICATE Commits;
REPLICATE States SELECT State, COUNT(*) AS Amount, AVG(Id) AS Middle FROM Issues GROUP BY State;
";

const TABLES: [&str; 9] = [
    "Issues",
    "PROD_Issues",
    "PROD.Issues",
    "Repositories",
    "PullRequests",
    "Branches",
    "PullRequestComments",
    "Commits",
    "States",
];

/// The rows of a query, each in one text; JSON in one spelling.
async fn rows(session: &Session, sql: &str) -> BTreeSet<String> {
    let options = FormatOptions::default().with_null("NULL");
    let mut rows = BTreeSet::new();
    let mut events = session.run(sql);
    while let Some(event) = events.next().await {
        match event {
            Event::Rows(batch) => {
                let columns: Vec<_> = batch.columns().iter().collect();
                let columns: Vec<_> = columns
                    .iter()
                    .map(|column| ArrayFormatter::try_new(column.as_ref(), &options).unwrap())
                    .collect();
                let names = batch.schema();
                for row in 0..batch.num_rows() {
                    let cell = |(column, field): (
                        &ArrayFormatter<'_>,
                        &std::sync::Arc<arrow::datatypes::Field>,
                    )| {
                        let text = column.value(row).to_string();
                        format!("{}={}", field.name(), in_one_spelling(text))
                    };
                    let cells: Vec<_> = columns.iter().zip(names.fields()).map(cell).collect();
                    rows.insert(cells.join(" | "));
                }
            }
            Event::Failed(error) => panic!("{sql}: {error}"),
            _ => {}
        }
    }
    rows
}

fn in_one_spelling(text: String) -> String {
    match serde_json::from_str::<Value>(&text) {
        Ok(mut value @ (Value::Array(_) | Value::Object(_))) => {
            value.sort_all_objects();
            value.to_string()
        }
        _ => text,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_script_leaves_the_same_rows_in_each() {
    let world = World::start(small()).await;
    let Some(database) = Store::database() else {
        return;
    };
    let file = Store::File(world.folder().join("one.db"));
    let open = |store: &Store| {
        let builder = world.builder(&["acme", "globex"]);
        builder.write_to(store.setting()).build().unwrap()
    };
    for round in 0..3_usize {
        let sessions = [open(&file), open(&database)];
        let mut reports = Vec::new();
        for session in &sessions {
            let outcome = run(session, SCRIPT).await;
            assert!(outcome.errors.is_empty(), "{:?}", outcome.errors);
            let counts = outcome
                .reports
                .iter()
                .map(|report| (report.mode, report.counts));
            reports.push((counts.collect::<Vec<_>>(), outcome.requests));
        }
        assert_eq!(reports[0], reports[1], "round {round}");
        for table in TABLES {
            let sql = format!("SELECT * FROM destination.{table}");
            let [one, other] = [
                rows(&sessions[0], &sql).await,
                rows(&sessions[1], &sql).await,
            ];
            assert!(!one.is_empty(), "{table}");
            let differ: Vec<_> = one.symmetric_difference(&other).take(4).collect();
            assert!(differ.is_empty(), "round {round}, {table}: {differ:#?}");
        }
        world
            .sandbox
            .apply(Change::AdvanceClock { seconds: 90.0 })
            .unwrap();
        for id in 1..5 {
            let edit = IssueEdit {
                title: Some(format!("Round {round}, it's \\ \"{id}\" ä")),
                state: (id == 3).then(|| "closed".to_owned()),
                ..IssueEdit::default()
            };
            let repository = "acme/api".to_owned();
            world
                .sandbox
                .apply(Change::UpdateIssue {
                    repository,
                    id,
                    edit,
                })
                .unwrap();
        }
        if let Some(branch) = ["release/9.1", "release/10.0"].get(round) {
            let (repository, branch) = ("acme/api".to_owned(), (*branch).to_owned());
            world
                .sandbox
                .apply(Change::DeleteBranch { repository, branch })
                .unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_crashes_again_and_again_ends_with_the_source() {
    const SCRIPT: &str = "REPLICATE Issues; REPLICATE PullRequests; REPLICATE Branches; \
                          REPLICATE Many WITH DropTable SELECT * FROM Issues";
    let Some(mut server) = Server::for_test() else {
        return;
    };
    let world = World::start(small()).await;
    let url = server.create_database().unwrap();
    let properties = || {
        let pairs = [("Pagesize", "5"), ("Concurrency", "2")];
        world.properties_with("acme", pairs)
    };
    let open = |setting| {
        let builder = Session::builder().connection("acme", properties());
        builder.write_to(setting).build().unwrap()
    };
    let session = open(DestinationSetting::url("test", &url));
    world.sandbox.set_latency(Duration::from_millis(10));
    let (told, running) = tokio::sync::oneshot::channel::<()>();
    let crashing = std::thread::spawn(move || {
        let mut running = running;
        let mut random = fastrand::Rng::with_seed(3);
        let mut crashes = 0;
        while running.try_recv() == Err(tokio::sync::oneshot::error::TryRecvError::Empty) {
            std::thread::sleep(Duration::from_millis(random.u64(20..400)));
            server.kill().unwrap();
            server.restart().unwrap();
            crashes += 1;
        }
        (server, crashes)
    });
    // A load that has begun goes on when the server is back; one that finds no server says so, and is run again.
    let mut runs = 0;
    loop {
        let outcome = run(&session, SCRIPT).await;
        runs += 1;
        let is_unreachable = |error: &bucketline::Error| error.code() == "BL6001";
        let others = outcome.errors.iter().filter(|error| !is_unreachable(error));
        assert_eq!(others.count(), 0, "{:?}", outcome.errors);
        if outcome.errors.is_empty() {
            break;
        }
        assert!(runs < 200, "{:?}", outcome.errors);
    }
    drop(told);
    let (_server, crashes) = crashing.join().unwrap();
    assert!(crashes > 3, "{crashes} crashes");
    let file = open(Store::File(world.folder().join("one.db")).setting());
    run(&file, SCRIPT).await;
    for table in ["Issues", "PullRequests", "Branches", "Many"] {
        let sql = format!("SELECT * FROM destination.{table}");
        let (one, other) = (rows(&session, &sql).await, rows(&file, &sql).await);
        let differ: Vec<_> = one.symmetric_difference(&other).take(4).collect();
        assert!(!one.is_empty() && differ.is_empty(), "{table}: {differ:#?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_is_shortened_is_told_of() {
    let world = World::start(small()).await;
    let long = "x".repeat(70);
    let script = format!("REPLICATE {long} SELECT UUID, Name AS Y{long} FROM Projects");
    let outcome = world.run(&script).await;
    assert!(outcome.errors.is_empty(), "{:?}", outcome.errors);
    let told = outcome
        .notes
        .iter()
        .filter(|note| note.contains("more than 63 bytes"));
    let expected = if world.store.kind() == "postgres" {
        2
    } else {
        0
    };
    assert_eq!(told.count(), expected, "{:?}", outcome.notes);
    let session = world.session(&["acme"]);
    let found = rows(
        &session,
        &format!("SELECT UUID, Y{long} FROM destination.{long}"),
    )
    .await;
    assert_eq!(found.len(), 3);
}
