//! Connections of every kind: signing in, testing them, and what they can read.

use std::io::{BufRead, BufReader, Cursor, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Stdio;

use arrow::array::AsArray;
use bucketline::{ConnectionProperties, Event, Session};
use bucketline_sandbox::{Change, Config, Consent, Consumer, Fault, FaultKind, Kind, Snapshot};
use futures::StreamExt;

use crate::commands::{Run, assert_output, start};
use crate::world::{World, run, small};

fn in_small_world(run: impl FnOnce(&World)) {
    run(&start(small()));
}

/// An option that makes the connection `app` of the workspace's OAuth consumer.
fn consumer(world: &World, scheme: &str) -> String {
    format!(
        "app=BaseURL={};Workspace=acme;AuthScheme={scheme};OAuthClientId=sandbox-key-acme;\
         OAuthClientSecret=env:CONSUMER_SECRET;RequestsPerHour=0",
        world.sandbox.base_url()
    )
}

/// Lets whoever comes to the page of acme's consumer in.
pub(crate) fn allow(world: &World) {
    let change = Change::SetConsent {
        consumer: "acme-consumer".to_owned(),
        consent: Consent::Allow,
    };
    world.sandbox.apply(change).unwrap();
}

/// The address of a page, if a line is one.
fn page_in(line: std::io::Result<String>) -> Option<String> {
    let line = line.unwrap().trim().to_owned();
    line.starts_with("http").then_some(line)
}

/// The code in an address that a browser was sent to.
pub(crate) fn code_in(address: &str) -> String {
    let address = bucketline::Url::parse(address).unwrap();
    let found = address.query_pairs().find(|(name, _)| name == "code");
    found.unwrap().1.into_owned()
}

/// Where a page sends the browser.
pub(crate) fn sent_to(url: &str) -> String {
    let (host, path) = url.split_once("://").unwrap().1.split_once('/').unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    let request = format!("GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let header = answer.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("location")
            .then(|| value.trim().to_owned())
    });
    header.unwrap_or_else(|| panic!("{url} leads nowhere:\n{answer}"))
}

#[test]
fn connect_with_an_api_token() {
    in_small_world(|world| assert_output!(Run::new(world, &["connect", "ACME"])));
}

#[test]
fn connect_to_named_tables() {
    in_small_world(|world| {
        assert_output!(Run::new(
            world,
            &["connect", "acme", "--tables", "Issues,Isues"]
        ))
    });
}

#[test]
fn connect_with_a_wrong_token() {
    in_small_world(|world| {
        assert_output!(Run::new(world, &["connect", "acme"]).token("planted-secret-value"));
    });
}

#[test]
fn connect_with_an_app_password() {
    in_small_world(|world| {
        assert_output!(Run::new(world, &["connect", "acme"]).token("ATBBplanted-secret-value"));
    });
}

#[test]
fn connect_without_a_scope() {
    in_small_world(|world| {
        let scopes = [
            "read:repository:bitbucket",
            "read:workspace:bitbucket",
            "read:project:bitbucket",
        ];
        world
            .sandbox
            .apply(Change::SetScopes {
                credential: "acme-api-token".to_owned(),
                scopes: scopes.map(str::to_owned).to_vec(),
            })
            .unwrap();
        assert_output!(Run::new(world, &["connect", "acme"]));
    });
}

#[test]
fn connect_without_a_workspace() {
    in_small_world(|world| {
        assert_output!(Run::new(world, &["connect", "acme"]).without_workspace());
    });
}

#[test]
fn connect_to_nothing() {
    in_small_world(|world| assert_output!(Run::new(world, &["connect", "other"])));
}

#[test]
fn connect_as_a_consumer() {
    in_small_world(|world| {
        let connection = consumer(world, "OAuthClient");
        assert_output!(Run::new(
            world,
            &["--connection", &connection, "connect", "app"]
        ));
    });
}

#[test]
fn nobody_signed_in() {
    in_small_world(|world| {
        let connection = consumer(world, "OAuth");
        let sql = "REPLICATE Projects";
        assert_output!(Run::new(world, &["--connection", &connection, "-e", sql]));
    });
}

#[test]
fn a_sign_in_elsewhere_lasts() {
    in_small_world(|world| {
        allow(world);
        let connection = consumer(world, "OAuth");
        let arguments = ["--connection", &connection, "connect", "app", "--headless"];
        let mut child = Run::new(world, &arguments)
            .command()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut told = BufReader::new(child.stderr.take().unwrap()).lines();
        let pasted = sent_to(&told.find_map(page_in).unwrap());
        assert!(pasted.starts_with("http://localhost:33333"), "{pasted}");
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(format!("{pasted}\n").as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let steps = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{steps}");
        assert!(steps.contains("ok       workspace: visible"), "{steps}");

        let file = world
            .folder()
            .join("state/tokens/app.sandbox-key-acme.acme.json");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(&file).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        assert!(file.exists());
        // Another process needs no sign-in.
        let sql = ["--connection", &connection, "-e", "REPLICATE Projects"];
        assert!(Run::new(world, &sql).command().status().unwrap().success());
        assert_eq!(world.number("SELECT COUNT(*) FROM Projects"), 3);
    });
}

#[test]
fn a_browser_signs_in() {
    // Of the ports that the system gives to nobody who asks for any.
    let port = std::iter::repeat_with(|| fastrand::u16(20_000..30_000))
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .unwrap();
    let callback = format!("http://localhost:{port}");
    let world = start(Config {
        consumers: vec![Consumer {
            callback: callback.clone(),
            consent: Consent::Allow,
            ..Consumer::new("acme")
        }],
        ..small()
    });
    let connection = format!("{};CallbackURL={callback}", consumer(&world, "OAuth"));
    let arguments = [
        "--connection",
        &connection,
        "connect",
        "app",
        "--tables",
        "Projects",
    ];
    let mut child = Run::new(&world, &arguments)
        .command()
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = BufReader::new(child.stderr.take().unwrap()).lines();
    // There is no browser on this path; the address is told all the same.
    let page = told.find_map(page_in).unwrap();
    let back = bucketline::Url::parse(&sent_to(&page)).unwrap();
    let mut browser = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let target = format!("{}?{}", back.path(), back.query().unwrap());
    let request = format!("GET {target} HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n");
    browser.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    browser.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("<h1>Signed in</h1>"), "{answer}");
    let output = child.wait_with_output().unwrap();
    let steps = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{steps}");
    let read = "ok       Projects: a row was read, by the scope project\n";
    assert!(steps.ends_with(read), "{steps}");
}

#[test]
fn a_secret_that_is_missing_fails_its_own_statements() {
    in_small_world(|world| {
        let output = |sql: &str| {
            let mut command = Run::new(world, &["-e", sql]).command();
            let output = command.env_remove("OTHER_TOKEN").output().unwrap();
            let told = String::from_utf8_lossy(&output.stderr).into_owned();
            (output.status.code(), told)
        };
        for sql in ["SELECT 1", "REPLICATE Projects", "SHOW CONNECTIONS"] {
            let (code, told) = output(sql);
            assert_eq!(code, Some(0), "{sql}: {told}");
        }
        for sql in [
            "SELECT * FROM globex.Projects",
            "EXPLAIN SELECT * FROM globex.Projects",
        ] {
            let (code, told) = output(sql);
            assert_eq!(code, Some(2), "{sql}: {told}");
            let expected = "error[BL8003]: bucketline.toml, connection globex: Token: the environment variable \
                            OTHER_TOKEN cannot be read";
            assert!(told.contains(expected), "{told}");
        }
    });
}

/// An archive of one repository's issues.
fn archive(issues: &[(u32, &str)]) -> Vec<u8> {
    let issues: Vec<_> = issues
        .iter()
        .map(|(id, title)| serde_json::json!({"id": id, "title": title}))
        .collect();
    archive_of(&serde_json::json!({ "issues": issues }).to_string())
}

fn archive_of(document: &str) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    archive.start_file("db-2.0.json", options).unwrap();
    archive.write_all(document.as_bytes()).unwrap();
    archive.finish().unwrap().into_inner()
}

/// A run in a folder whose configuration has the connection `old` of archives: what it printed, and its exit code.
fn with_archives(folder: &Path, arguments: &[&str]) -> (String, Option<i32>) {
    let config = "[destination]\npath = \"copy.db\"\n\n[connections.old]\nType = \"Archive\"\n\
                  Path = \"archives\"\nWorkspace = \"acme\"\n";
    std::fs::write(folder.join("bucketline.toml"), config).unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let output = std::process::Command::new(crate::commands::binary())
        .arg("--config")
        .arg(folder.join("bucketline.toml"))
        .args(arguments)
        .current_dir(elsewhere.path())
        .env_clear()
        .env("BUCKETLINE_STATE", folder.join("state"))
        .output()
        .unwrap();
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    (format!("{out}{err}"), output.status.code())
}

#[test]
fn issues_are_replicated_from_an_archive() {
    let folder = tempfile::tempdir().unwrap();
    let archives = folder.path().join("archives");
    std::fs::create_dir(&archives).unwrap();
    let path = archives.join("api-issues.zip");
    std::fs::write(&path, archive(&[(1, "One"), (2, "Two")])).unwrap();
    let replicate = || with_archives(folder.path(), &["-e", "REPLICATE Issues;"]);
    let (told, code) = replicate();
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("2 inserted"), "{told}");
    let (told, code) = replicate();
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("0 inserted, 0 updated"), "{told}");

    let (told, code) = with_archives(folder.path(), &["connect", "old"]);
    assert_eq!(code, Some(0), "{told}");
    assert_eq!(
        told,
        "ok       archives: api\nok       Issues: a row was read\nok       IssueComments: it has no rows\n"
    );

    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let (told, code) = replicate();
    assert_ne!(code, Some(0), "{told}");
    assert!(told.contains("BL9006") || told.contains("BL9005"), "{told}");
    let copy = rusqlite::Connection::open(folder.path().join("copy.db")).unwrap();
    let rows: i64 = copy
        .query_row(
            "SELECT COUNT(*) FROM Issues WHERE Repository = 'api'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(rows, 2);
}

/// An entry without its id may be any of those that the copy has, so that none of them goes.
#[test]
fn nothing_is_deleted_after_an_archive_with_entries_that_lack_their_id() {
    let folder = tempfile::tempdir().unwrap();
    let archives = folder.path().join("archives");
    std::fs::create_dir(&archives).unwrap();
    let path = archives.join("api-issues.zip");
    std::fs::write(&path, archive(&[(1, "One"), (2, "Two"), (3, "Three")])).unwrap();
    let ids = || {
        let copy = rusqlite::Connection::open(folder.path().join("copy.db")).unwrap();
        let mut statement = copy.prepare("SELECT Id FROM Issues ORDER BY Id").unwrap();
        let ids = statement.query_map([], |row| row.get(0)).unwrap();
        ids.map(Result::unwrap).collect::<Vec<i64>>()
    };
    let run = |statement: &str| with_archives(folder.path(), &["-e", statement]);
    let (told, code) = run("REPLICATE Issues");
    assert_eq!((code, ids()), (Some(0), vec![1, 2, 3]), "{told}");

    let document =
        r#"{"issues":[{"id":1,"title":"Eins"},{"title":"Two"},{"id":4,"title":"Four"}]}"#;
    std::fs::write(&path, archive_of(document)).unwrap();
    let (told, code) = run("REPLICATE Issues");
    assert_eq!((code, ids()), (Some(0), vec![1, 2, 3, 4]), "{told}");
    let note = "`issues` has entries without `id`; 1 row left out, and no row of a copy is deleted";
    assert!(told.contains(note), "{told}");
    assert!(
        told.contains("1 inserted, 1 updated, 1 value lost"),
        "{told}"
    );

    // What takes the place of all rows would delete some.
    for option in ["DropTable", "TruncateTable"] {
        let (told, code) = run(&format!("REPLICATE Issues WITH {option}"));
        assert_eq!((code, ids()), (Some(1), vec![1, 2, 3, 4]), "{told}");
    }

    std::fs::write(&path, archive(&[(1, "Eins"), (4, "Four")])).unwrap();
    let (told, code) = run("REPLICATE Issues");
    assert_eq!((code, ids()), (Some(0), vec![1, 4]), "{told}");
}

#[test]
fn archives_of_two_workspaces_fill_one_table() {
    let folder = tempfile::tempdir().unwrap();
    let [old, older] = ["archives", "older"].map(|name| folder.path().join(name));
    let write = |folder: &Path, name: &str, issues: &[(u32, &str)]| {
        std::fs::create_dir_all(folder).unwrap();
        std::fs::write(folder.join(name), archive(issues)).unwrap();
    };
    let script = format!(
        "CREATE CONNECTION older TYPE Archive WITH (Path = '{}', Workspace = 'globex'); \
         REPLICATE Both SELECT 'old' AS Account, * FROM old.Issues \
         UNION ALL SELECT 'older', * FROM older.Issues;",
        older.display()
    );
    let replicate = || {
        let (told, code) = with_archives(folder.path(), &["-e", &script]);
        assert_eq!(code, Some(0), "{told}");
        told
    };
    write(&old, "api-issues.zip", &[(1, "One"), (2, "Two")]);
    write(&older, "web-issues.zip", &[(1, "Three"), (2, "Four")]);
    let told = replicate();
    assert!(told.contains("4 inserted"), "{told}");

    write(&old, "api-issues.zip", &[(1, "One")]);
    write(&older, "web-issues.zip", &[(1, "Three"), (2, "Five")]);
    let told = replicate();
    assert!(told.contains("1 updated, 1 deleted"), "{told}");
    let copy = rusqlite::Connection::open(folder.path().join("copy.db")).unwrap();
    let titles = "SELECT group_concat(Account || ' ' || Title, ', ') FROM (SELECT * FROM Both ORDER BY Account, Id)";
    let titles: String = copy.query_row(titles, [], |row| row.get(0)).unwrap();
    assert_eq!(titles, "old One, older Three, older Five");
}

/// A session whose current connection signs in by OAuth.
pub(crate) fn oauth_session(world: &World, secret: &str) -> Session {
    let base = world.sandbox.base_url();
    let pairs = [
        ("BaseURL", base.as_str()),
        ("Workspace", "acme"),
        ("AuthScheme", "OAuth"),
        ("OAuthClientId", "sandbox-key-acme"),
        ("OAuthClientSecret", secret),
        ("RequestsPerHour", "0"),
    ];
    Session::builder()
        .connection("app", ConnectionProperties::new("test", pairs))
        .connection("acme", world.properties("acme"))
        .build()
        .unwrap()
}

/// The one row of a statement, as text, or its error.
pub(crate) async fn row(session: &Session, sql: &str) -> Result<Vec<String>, bucketline::Error> {
    let mut events = session.run(sql);
    let mut cells = Vec::new();
    while let Some(event) = events.next().await {
        match event {
            Event::Rows(batch) => {
                for column in batch.columns() {
                    let text = arrow::compute::cast(column, &arrow::datatypes::DataType::Utf8);
                    cells.push(text.unwrap().as_string::<i32>().value(0).to_owned());
                }
            }
            Event::Failed(error) => return Err(error),
            _ => {}
        }
    }
    Ok(cells)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_web_flow_by_procedures() {
    let world = World::start(small()).await;
    allow(&world);
    let session = oauth_session(&world, "sandbox-consumer-secret-acme");
    let callback = "http://localhost:33333/back";
    let sql = format!("EXEC GetOAuthAuthorizationURL @CallbackUrl = '{callback}', @State = 'mine'");
    let url = row(&session, &sql).await.unwrap().remove(0);
    let back = sent_to(&url);
    assert!(
        back.starts_with(callback) && back.contains("state=mine"),
        "{back}"
    );
    let code = code_in(&back);
    let sql = format!(
        "EXEC GetOAuthAccessToken @AuthMode = 'WEB', @CallbackUrl = '{callback}', @Verifier = '{code}'"
    );
    let tokens = row(&session, &sql).await.unwrap();
    assert_eq!(tokens[2], "7199");
    let sql = format!(
        "EXEC RefreshOAuthAccessToken @OAuthRefreshToken = '{}'",
        tokens[1]
    );
    let renewed = row(&session, &sql).await.unwrap();
    assert_ne!(renewed[0], tokens[0]);
    // They were for the caller alone: nobody is signed in.
    let error = row(&session, "SELECT * FROM Projects").await.unwrap_err();
    assert_eq!(error.code(), "BL3401");

    // Given as properties, they are what the connection begins with.
    let base = world.sandbox.base_url();
    let pairs = [
        ("BaseURL", base.as_str()),
        ("Workspace", "acme"),
        ("OAuthClientId", "sandbox-key-acme"),
        ("OAuthClientSecret", "sandbox-consumer-secret-acme"),
        ("OAuthRefreshToken", renewed[1].as_str()),
        ("RequestsPerHour", "0"),
    ];
    let session = Session::builder()
        .connection("app", ConnectionProperties::new("test", pairs))
        .build()
        .unwrap();
    let count = row(&session, "SELECT COUNT(*) FROM Projects")
        .await
        .unwrap();
    assert_eq!(count, ["3"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_procedure_without_its_inputs_asks_nobody() {
    let world = World::start(small()).await;
    world
        .sandbox
        .fault(Fault::always("*", FaultKind::Unauthorized));
    let session = oauth_session(&world, "sandbox-consumer-secret-acme");
    for (call, code, told) in [
        (
            "RefreshOAuthAccessToken",
            "BL8008",
            "needs OAuthRefreshToken",
        ),
        (
            "RefreshOAuthAccessToken @OAuthRefreshToken = ''",
            "BL8008",
            "no text, or an empty one",
        ),
        (
            "RefreshOAuthAccessToken @OAuthRefreshToken = '  '",
            "BL8008",
            "no text, or an empty one",
        ),
        (
            "RefreshOAuthAccessToken @OAuthRefreshToken = NULL",
            "BL8008",
            "no text, or an empty one",
        ),
        (
            "RefreshOAuthAccessToken @Token = 'planted'",
            "BL8008",
            "has no input Token",
        ),
        (
            "GetOAuthAccessToken @AuthMode = 'WEB'",
            "BL8008",
            "needs Verifier",
        ),
        (
            "GetOAuthAccessToken @AuthMode = 'DESKTOP'",
            "BL8008",
            "no AuthMode DESKTOP",
        ),
        (
            "GetOAuthAccessToken @Verifier = 'planted'",
            "BL8008",
            "Verifier does not go with AuthMode APP",
        ),
        (
            "GetOAuthAccessToken @CallbackUrl = 'http://localhost:1'",
            "BL8008",
            "CallbackUrl does not go with AuthMode APP",
        ),
        (
            "GetOAuthAccessToken",
            "BL8009",
            "no browser can be opened here",
        ),
        (
            "GetOAuthAuthorizationURL @CallbackUrl = ''",
            "BL8008",
            "no text, or an empty one",
        ),
        (
            "GetOAuthAuthorisationURL",
            "BL8007",
            "there is no procedure",
        ),
        ("Reset", "BL8007", "there is no procedure Reset"),
    ] {
        let error = row(&session, &format!("EXEC {call}")).await.unwrap_err();
        let text = format!("{error} {error:?}");
        assert_eq!(error.code(), code, "{call}: {text}");
        assert!(
            text.contains(told) && !text.contains("planted"),
            "{call}: {text}"
        );
    }
    let outcome = run(&session, "USE acme; EXEC GetOAuthAuthorizationURL").await;
    assert_eq!(outcome.errors[0].code(), "BL8009");
    assert!(world.sandbox.requests().is_empty());
}

/// What the one cell of a query is.
async fn cell(session: &Session, query: &str) -> Result<i64, String> {
    let mut events = session.run(query);
    let mut found = Err("no row".to_owned());
    while let Some(event) = events.next().await {
        match event {
            Event::Rows(rows) => {
                let column = rows.column(0).as_primitive::<arrow::datatypes::Int64Type>();
                found = Ok(column.value(0));
            }
            Event::Failed(error) => found = Err(error.to_string()),
            _ => {}
        }
    }
    found
}

/// The schema of a pasted connection string holds for names without one, in every statement.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_with_a_schema_reads_that_alone() {
    let world = World::start(small()).await;
    let session = |schema: &str| {
        let properties = format!(
            "BaseURL={};Workspace=acme;User=user1@acme.example;Token=sandbox-api-token-acme;Schema={schema}",
            world.sandbox.base_url()
        );
        let properties = ConnectionProperties::parse("test", &properties).unwrap();
        let builder = Session::builder().write_to(world.store.setting());
        builder.connection("one", properties).build().unwrap()
    };
    let all = "SELECT COUNT(*) FROM PullRequests";
    let whole = cell(&session("Information"), all).await.unwrap();
    let narrowed = session("api");
    let one = cell(&narrowed, all).await.unwrap();
    assert!(0 < one && one < whole, "{one} of {whole}");
    let named = cell(
        &session("Information"),
        "SELECT COUNT(*) FROM [api].PullRequests",
    )
    .await;
    assert_eq!(named, Ok(one));
    let other = cell(&narrowed, "SELECT COUNT(*) FROM one.PullRequests").await;
    assert_eq!(other, cell(&narrowed, all).await);
    assert_eq!(
        cell(&narrowed, "SELECT COUNT(*) FROM Information.PullRequests").await,
        Ok(whole)
    );
    let absent = cell(&session("nowhere"), all).await.unwrap_err();
    assert!(absent.contains("no schema nowhere"), "{absent}");
}

/// A consumer by itself and somebody without a credential belong to no user whose workspaces could be listed.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_no_user_sees_the_workspace_that_is_named() {
    let world = World::start(small()).await;
    let base = world.sandbox.base_url();
    for sign_in in [
        "AuthScheme=OAuthClient;OAuthClientId=sandbox-key-acme;OAuthClientSecret=sandbox-consumer-secret-acme",
        "Token=sandbox-access-token-acme",
    ] {
        let properties = format!("BaseURL={base};Workspace=acme;{sign_in}");
        let properties = ConnectionProperties::parse("test", &properties).unwrap();
        let session = Session::builder()
            .connection("one", properties)
            .build()
            .unwrap();
        let found = cell(
            &session,
            "SELECT COUNT(*) FROM Workspaces WHERE Slug = 'acme'",
        )
        .await;
        assert_eq!(found, Ok(1), "{sign_in}");
    }
}

/// Bitbucket goes on listing comments that were deleted.
#[tokio::test(flavor = "multi_thread")]
async fn deleted_comments_are_rows_only_where_they_are_asked_for() {
    let world = World::start(small()).await;
    let session = |more: &str| {
        let properties = format!(
            "BaseURL={};Workspace=acme;User=user1@acme.example;Token=sandbox-api-token-acme;{more}",
            world.sandbox.base_url()
        );
        let properties = ConnectionProperties::parse("test", &properties).unwrap();
        let builder = Session::builder().write_to(world.store.setting());
        builder.connection("one", properties).build().unwrap()
    };
    let comments = world.sandbox.snapshot(Kind::PullRequestComments, "acme");
    let deleted = comments
        .iter()
        .filter(|it| it.value["deleted"] == true)
        .count();
    let (all, deleted) = (
        i64::try_from(comments.len()).unwrap(),
        i64::try_from(deleted).unwrap(),
    );
    assert!(deleted > 0);
    let count = "SELECT COUNT(*) FROM PullRequestComments";
    let usual = session("");
    assert_eq!(cell(&usual, count).await, Ok(all - deleted));
    for condition in ["Deleted", "Deleted = TRUE"] {
        assert_eq!(
            cell(&usual, &format!("{count} WHERE {condition}")).await,
            Ok(deleted)
        );
    }
    let shown = "SELECT COUNT(*) FROM (SELECT Deleted FROM PullRequestComments LIMIT 1000)";
    assert_eq!(cell(&usual, shown).await, Ok(all - deleted));
    assert_eq!(cell(&session("IncludeDeleted=TRUE"), count).await, Ok(all));

    // A copy follows: what is deleted leaves it, and another setting loads it anew.
    let copied = "SELECT COUNT(*) FROM destination.PullRequestComments";
    run(&usual, "REPLICATE PullRequestComments").await;
    assert_eq!(cell(&usual, copied).await, Ok(all - deleted));
    let beside = |one: &Snapshot, other: &Snapshot| {
        (&one.repository, &one.parent) == (&other.repository, &other.parent)
    };
    let place = comments
        .iter()
        .position(|it| it.value["deleted"] == false)
        .unwrap();
    let comment = &comments[place];
    let before = comments[..place]
        .iter()
        .filter(|it| beside(it, comment))
        .count();
    let repository = comment.repository.as_ref().unwrap();
    let pull_request = comment.parent.as_ref().unwrap();
    let delete = Change::Delete {
        kind: Kind::PullRequestComments,
        parent: format!("acme/{repository}/pullrequests/{pull_request}"),
        number: u32::try_from(before).unwrap() + 1,
    };
    world.sandbox.apply(delete).unwrap();
    run(&usual, "REPLICATE PullRequestComments").await;
    assert_eq!(cell(&usual, copied).await, Ok(all - deleted - 1));
    run(
        &session("IncludeDeleted=TRUE"),
        "REPLICATE PullRequestComments",
    )
    .await;
    assert_eq!(cell(&usual, copied).await, Ok(all));
}
