//! A planted token is looked for in everything that a session leaves or says (design, section 7).

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bucketline::{ConnectionProperties, Session};
use bucketline_sandbox::{Change, Config, Consent, Consumer, Credential, Fault, FaultKind};
use futures::StreamExt;

use crate::commands::{Run, start};
use crate::connections::{code_in, oauth_session, row, sent_to};
use crate::world::{World, small};

const TOKEN: &str = "planted-4f1c9b7d2e";

/// Statements of every kind: those that succeed, those that do not, and those that name the secret.
const SCRIPTS: &[&str] = &[
    "REPLICATE Issues; REPLICATE Branches; REPLICATE Issues;",
    "EXPLAIN REPLICATE Issues; EXPLAIN SELECT * FROM PullRequests WHERE State = 'OPEN';",
    "SELECT * FROM sys_catalogs; SELECT * FROM sys_schemas; SELECT * FROM sys_tables;",
    "SHOW CONNECTIONS; DESCRIBE Issues; SELECT * FROM sys_connection_props; SELECT * FROM sys_identity;",
    "SELECT Titel FROM Issues",
    "SELECT * FROM Isues",
    "SELECT",
    "CREATE CONNECTION other WITH (Workspace = 'acme', Token = 'planted-4f1c9b7d2e')",
    "CREATE CONNECTION other FROM 'Workspace=acme;Token=planted-4f1c9b7d2e'",
    "CREATE CONNECTION other WITH (Token = 'planted-4f1c9b7d2e",
    "SHOW CONNECTIONS; CREATE OR REPLACE CONNECTION other WITH (Token = 'planted-4f1c9b7d2e', BaseURL = 'planted')",
    "CREATE CONNECTION proxied WITH (ProxyServer = 'http://me:planted-4f1c9b7d2e@proxy.example')",
    "CREATE CONNECTION away WITH (BaseURL = 'https://planted-4f1c9b7d2e@api.example/2.0')",
    "CREATE CONNECTION pg WITH (Type = 'PostgreSQL', URL = 'postgres://me:a/planted-4f1c9b7d2e@db.example/copy')",
    "CREATE CONNECTION pg WITH (Type = 'PostgreSQL', URL = 'postgres://db.example/copy?password=a&p%61ssword=planted-4f1c9b7d2e')",
    "CREATE CONNECTION other WITH (Token = 'x' || 'planted-4f1c9b7d2e')",
    "CREATE CONNECTION other WITH (Token = E'planted-4f1c9b7d2e')",
    "CREATE CONNECTION other WITH (Token = $$planted-4f1c9b7d2e$$)",
    "SELECT * FROM sys_connection_props; SHOW CONNECTIONS;",
    "EXEC GetOAuthAccessToken 'planted-4f1c9b7d2e'",
    "SELECT Id FROM PullRequests WHERE Token = 'planted-4f1c9b7d2e'",
    "REPLICATE P SELECT * FROM PullRequests WHERE Token = 'planted-4f1c9b7d2e'",
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
        .write_to(world.store.setting())
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_of_a_sign_in_are_in_the_token_file_alone() {
    let consumer = Consumer {
        secret: TOKEN.to_owned(),
        consent: Consent::Allow,
        ..Consumer::new("acme")
    };
    let world = World::start(Config {
        consumers: vec![consumer],
        ..small()
    })
    .await;
    let session = oauth_session(&world, TOKEN);
    let url = row(&session, "EXEC GetOAuthAuthorizationURL")
        .await
        .unwrap();
    let back = sent_to(&url[0]);
    let code = code_in(&back);
    let exec = format!("EXEC GetOAuthAccessToken @AuthMode = 'WEB', @Verifier = '{code}'");
    let tokens = row(&session, &exec).await.unwrap();
    let secrets = [TOKEN, &code, &tokens[0], &tokens[1]];
    let refresh = format!(
        "EXEC RefreshOAuthAccessToken @OAuthRefreshToken = '{}'",
        tokens[1]
    );

    // A code is good once; the second time the server refuses it.
    let mut told = all_that_is_told(&session, &exec).await;
    world
        .sandbox
        .fault(Fault::always("*", FaultKind::Unauthorized));
    told.push_str(&all_that_is_told(&session, &refresh).await);
    world.sandbox.clear_faults();

    let pairs = [
        ("BaseURL", world.sandbox.base_url()),
        ("Workspace", "acme".to_owned()),
        ("OAuthClientId", "sandbox-key-acme".to_owned()),
        ("OAuthClientSecret", TOKEN.to_owned()),
        ("OAuthAccessToken", tokens[0].clone()),
        ("OAuthRefreshToken", tokens[1].clone()),
    ];
    let properties = ConnectionProperties::new("test", pairs);
    told.push_str(&format!("{properties:?}"));
    let state = world.folder().join("state");
    let session = Session::builder()
        .connection("acme", properties)
        .write_to(world.store.setting())
        .state_dir(&state)
        .build()
        .unwrap();
    let script = "REPLICATE Projects; SHOW CONNECTIONS; EXPLAIN REPLICATE Issues;";
    told.push_str(&all_that_is_told(&session, script).await);
    // The access token ends, and another one is fetched.
    let seconds = 3.0 * 3600.0;
    world
        .sandbox
        .apply(Change::AdvanceClock { seconds })
        .unwrap();
    told.push_str(&all_that_is_told(&session, "REPLICATE Projects").await);
    told.push_str(&format!("{session:?}"));
    for secret in secrets {
        assert!(!holds(told.as_bytes(), secret), "{told}");
    }
    assert_eq!(world.number("SELECT COUNT(*) FROM Projects"), 3);
    let kept = state.join("tokens/acme.sandbox-key-acme.acme.json");
    assert!(!std::fs::read_to_string(&kept).unwrap().contains(TOKEN));
    std::fs::remove_dir_all(state.join("tokens")).unwrap();
    assert!(search(world.folder(), &secrets) >= 2);
}

/// What other programs take for an address. Each holds a password.
const ADDRESSES: &[&str] = &[
    "jdbc:postgresql://db.example/copy?user=me&password=planted-4f1c9b7d2e",
    "jdbc:mysql://me:planted-4f1c9b7d2e@db.example/copy",
    "postgresql+psycopg2://me:planted-4f1c9b7d2e@db.example/copy",
    "mysql://me:planted-4f1c9b7d2e@db.example/copy",
    "Server=db.example;Database=copy;Password=planted-4f1c9b7d2e",
    "host=db.example password=planted-4f1c9b7d2e",
    "me:planted-4f1c9b7d2e@db.example/copy",
    "postgres://me:a/planted-4f1c9b7d2e@db.example/copy",
    "postgres://me:a?planted-4f1c9b7d2e@db.example/copy",
    "postgres://me:a#planted-4f1c9b7d2e@db.example/copy",
    "postgres://me:planted-4f1c9b7d2e@db.example/copy",
    "Type=PostgreSQL;Server=db.example;Password=planted-4f1c9b7d2e",
    "Type=MySQL;Server=db.example;Password=planted-4f1c9b7d2e",
    "file:planted-4f1c9b7d2e.db",
];

#[test]
fn an_address_of_another_program_is_refused_without_its_password() {
    let world = start(small());
    for address in ADDRESSES {
        for as_option in [true, false] {
            let arguments = ["--destination", address, "-e", "REPLICATE Projects"];
            let run = match as_option {
                true => Run::new(&world, &arguments),
                false => Run::new(&world, &arguments[2..]),
            };
            let mut command = run.command();
            if !as_option {
                command.env("BUCKETLINE_DESTINATION", address);
            }
            let output = command.output().unwrap();
            let told = [output.stdout.as_slice(), &output.stderr].concat();
            let told = String::from_utf8_lossy(&told).into_owned();
            assert!(!output.status.success(), "{address}: {told}");
            assert!(!told.contains(TOKEN), "{address}: {told}");
            assert!(told.contains("hint:"), "{address}: {told}");
        }
    }
    for entry in std::fs::read_dir(world.folder()).unwrap() {
        let name = entry.unwrap().file_name();
        assert!(!name.to_string_lossy().contains(TOKEN), "{name:?}");
    }
}

#[cfg(unix)]
#[test]
fn a_secret_that_is_not_utf8_is_not_shown() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let world = start(small());
    let run = Run::new(&world, &["-e", "SELECT Name FROM Projects"]);
    let secret = [TOKEN.as_bytes(), b"\xff"].concat();
    let output = run
        .command()
        .env("TEST_TOKEN", OsStr::from_bytes(&secret))
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(
        told.contains("BL8003") && told.contains("TEST_TOKEN"),
        "{told}"
    );
    assert!(!told.contains(TOKEN), "{told}");
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
