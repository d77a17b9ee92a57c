//! A planted token is looked for in everything that a session leaves or says (design, section 7).

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bucketline::{ConnectionProperties, Session};
use bucketline_sandbox::{Config, Credential, Fault, FaultKind};
use futures::StreamExt;

use crate::world::{World, small};

const TOKEN: &str = "planted-4f1c9b7d2e";

/// Statements of every kind: those that succeed, those that do not, and those that name the secret.
const SCRIPTS: &[&str] = &[
    "REPLICATE Issues; REPLICATE Branches; REPLICATE Issues;",
    "EXPLAIN REPLICATE Issues; EXPLAIN SELECT * FROM PullRequests WHERE State = 'OPEN';",
    "SELECT * FROM sys_catalogs; SELECT * FROM sys_schemas; SELECT * FROM sys_tables;",
    "SHOW CONNECTIONS; DESCRIBE Issues;",
    "SELECT Titel FROM Issues",
    "SELECT * FROM Isues",
    "SELECT",
    "CREATE CONNECTION other WITH (Workspace = 'acme', Token = 'planted-4f1c9b7d2e')",
    "CREATE CONNECTION other FROM 'Workspace=acme;Token=planted-4f1c9b7d2e'",
    "CREATE CONNECTION other WITH (Token = 'planted-4f1c9b7d2e",
];

fn holds(bytes: &[u8], secret: &str) -> bool {
    bytes
        .windows(secret.len())
        .any(|window| window == secret.as_bytes())
}

fn search(folder: &Path, secrets: &[&str]) -> usize {
    let mut files = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files += search(&path, secrets);
            continue;
        }
        files += 1;
        let bytes = std::fs::read(&path).unwrap();
        for secret in secrets {
            assert!(!holds(&bytes, secret), "{} holds {secret}", path.display());
        }
    }
    files
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_is_in_no_event_and_no_file() {
    let world = World::start(Config {
        credentials: vec![Credential {
            secret: TOKEN.to_owned(),
            ..Credential::api_token("acme")
        }],
        ..small()
    })
    .await;
    let encoded = STANDARD.encode(format!("user1@acme.example:{TOKEN}"));
    let secrets = [TOKEN, encoded.as_str()];
    let pairs = [
        ("BaseURL", world.sandbox.base_url()),
        ("Workspace", "acme".to_owned()),
        ("User", "user1@acme.example".to_owned()),
        ("Token", TOKEN.to_owned()),
    ];
    let properties = ConnectionProperties::new("test", pairs);
    let mut told = format!("{properties:?}");
    let session = Session::builder()
        .connection("acme", properties)
        .sqlite(world.file())
        .state_dir(world.folder().join("state"))
        .build()
        .unwrap();
    told.push_str(&format!("{session:?}"));
    for script in SCRIPTS {
        told.push_str(&all_that_is_told(&session, script).await);
    }
    for fault in [FaultKind::Unauthorized, FaultKind::Forbidden] {
        world.sandbox.fault(Fault::always("/2.0/*", fault));
        told.push_str(&all_that_is_told(&session, "REPLICATE PullRequests").await);
        world.sandbox.clear_faults();
    }
    for secret in secrets {
        assert!(!holds(told.as_bytes(), secret), "{told}");
    }
    assert!(
        told.contains("Unauthorized") || told.contains("401"),
        "{told}"
    );
    // The database, its journal, the lease and the budget at least.
    let files = search(world.folder(), &secrets);
    assert!(files >= 2, "{files} files");
    drop(session);
    search(world.folder(), &secrets);
}

/// Every event, and every error in its words.
async fn all_that_is_told(session: &Session, script: &str) -> String {
    let mut told = String::new();
    let mut events = session.run(script);
    while let Some(event) = events.next().await {
        told.push_str(&format!("{event:?}\n"));
        if let bucketline::Event::Failed(error) = &event {
            told.push_str(&format!("{error} {:?}\n", error.hint()));
        }
    }
    told
}
