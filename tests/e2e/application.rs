//! The application through its REST API: connections, jobs, schedules on a simulated clock, runs.

use std::sync::Arc;
use std::time::Duration;

use bucketline_app::Vault;
use bucketline_app::clock::SimulatedClock;
use bucketline_app::people::{Credential, Desk};
use bucketline_app::scheduler::{Handle, Scheduler, Settings};
use bucketline_app::store::NewNode;
use bucketline_runner::{Connections, LocalRunner, Workbench};
use bucketline_sandbox::{Change, Fault, FaultKind, IssueEdit};
use bucketline_store::{Budgets, Opened, Place, SignIns, VaultSeal};
use bucketline_web::{Application, Reach, Server, listen};
use chrono_tz::Tz;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::store::{Row, from_file};
use crate::world::{World, small};

pub(crate) const TOKEN: &str = "planted-token";

/// An application that serves, on a clock that stands still until it is told otherwise.
pub(crate) struct Served {
    pub(crate) world: World,
    clock: SimulatedClock,
    pub(crate) api: Api,
    scheduler: Handle,
    close: watch::Sender<bool>,
    ends: Vec<tokio::task::JoinHandle<()>>,
}

/// Where requests go.
pub(crate) struct Api {
    pub(crate) address: std::net::SocketAddr,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Value,
    pub(crate) text: String,
}

impl Api {
    pub(crate) async fn raw(&self, request: &str) -> Answer {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        let answer = String::from_utf8(answer).unwrap();
        let (head, text) = answer.split_once("\r\n\r\n").unwrap();
        Answer {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            body: serde_json::from_str(text).unwrap_or(Value::Null),
            head: head.to_lowercase(),
            text: text.to_owned(),
        }
    }

    /// A request with more headers, each with its line break.
    async fn with(&self, line: &str, headers: &str, body: Option<&Value>) -> Answer {
        let body = body.map(Value::to_string).unwrap_or_default();
        let kind = match body.is_empty() {
            true => "",
            false => "Content-Type: application/json\r\n",
        };
        self.raw(&format!(
            "{line} HTTP/1.0\r\nHost: {}\r\nAuthorization: Bearer {TOKEN}\r\n{kind}{headers}Content-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        ))
        .await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.with(&format!("GET {path}"), "", None).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.with(&format!("POST {path}"), "", Some(body)).await
    }
}

impl Answer {
    /// The body, if the status is this one.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        self.body
    }
}

impl Served {
    pub(crate) async fn start() -> Self {
        let world = World::start(small()).await;
        let file = world.folder().join("state/app.db");
        let vault = Vault::beside(file.with_extension("key"));
        let place = Place::File(file);
        let opened = bucketline_store::open_with(&place, &vault).await.unwrap();
        let Opened { store, accounts } = opened;
        let seal = VaultSeal::new(vault.clone(), &*store);
        let tokens = SignIns::new(Arc::clone(&store), Arc::new(seal));
        let clock = SimulatedClock::new(world.sandbox.now());
        let shown = clock.clone();
        let connections = Connections::new(Arc::clone(&store))
            .in_folder(world.folder())
            .with_state_dir(world.folder().join("state"))
            .with_budgets(Arc::new(Budgets::new(Arc::clone(&store))))
            .with_tokens(Arc::new(tokens))
            .with_clock(move || shown.shown());
        let runner = LocalRunner::new(connections.clone(), Arc::new(clock.clone()));
        let node = NewNode {
            name: "test".to_owned(),
            version: "0".to_owned(),
        };
        let scheduler = Scheduler::new(
            Arc::clone(&store),
            Arc::new(runner),
            Arc::new(clock.clone()),
            Settings::new(node),
        );
        let handle = scheduler.handle();
        let desk = Desk::new(accounts, Arc::new(clock.clone()));
        let desk = desk.with_token(&Credential::of(TOKEN));
        let (server, closing) = Server::new();
        let application = Application {
            store,
            scheduler: handle.clone(),
            clock: Arc::new(clock.clone()),
            workbench: Workbench::new(connections),
            zone: Tz::UTC,
            desk,
            reach: Arc::default(),
            closing,
        };
        let here = "127.0.0.1:0".parse().unwrap();
        let door = listen(here, &Reach::default(), None).await.unwrap();
        let address = door.address();
        let (close, mut closed) = watch::channel(false);
        let serving = tokio::spawn(async move {
            let closed = async move { drop(closed.wait_for(|closed| *closed).await) };
            server.serve(door, application, closed).await;
        });
        let scheduling = tokio::spawn(async move { scheduler.serve().await.unwrap() });
        Self {
            world,
            clock,
            api: Api { address },
            scheduler: handle,
            close,
            ends: vec![serving, scheduling],
        }
    }

    /// The properties of a connection to a workspace. Its token is in a file.
    pub(crate) fn account(&self, workspace: &str) -> Value {
        let token = self.world.folder().join(format!("{workspace}.token"));
        std::fs::write(&token, format!("sandbox-api-token-{workspace}")).unwrap();
        json!({
            "name": workspace,
            "properties": {
                "BaseURL": self.world.sandbox.base_url(),
                "Workspace": workspace,
                "User": format!("user1@{workspace}.example"),
                "Token": format!("file:{}", token.display()),
            },
            "labels": ["sandbox"],
        })
    }

    /// Creates the destination and both accounts.
    async fn connect(&self) {
        let copy = json!({
            "name": "copy",
            "properties": { "Type": "SQLite", "Data Source": self.world.file().display().to_string() },
        });
        for connection in [copy, self.account("acme"), self.account("globex")] {
            let created = self.api.post("/api/v1/connections", &connection).await;
            assert!(created.head.contains("etag: \"1\""), "{}", created.head);
            created.expect(201);
        }
    }

    /// Lets time go by, for the sandbox as well.
    pub(crate) fn pass(&self, minutes: u64) {
        let length = Duration::from_secs(minutes * 60);
        let passed = Change::AdvanceClock {
            seconds: length.as_secs_f64(),
        };
        self.world.sandbox.apply(passed).unwrap();
        self.clock.advance(length);
    }

    /// The runs of a job that ended, when there are so many; the last first.
    pub(crate) async fn runs(&self, job: i64, count: usize) -> Vec<Value> {
        loop {
            let path = format!("/api/v1/runs?job={job}&state=succeeded,partial,failed,cancelled");
            let listed = self.api.get(&path).await.expect(200);
            let runs = listed["items"].as_array().unwrap();
            assert_eq!(listed["total"], runs.len());
            if runs.len() >= count {
                return runs.clone();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn rows(&self, sql: &str) -> Vec<Row> {
        from_file(&self.world.file(), sql).unwrap()
    }

    async fn stop(self) {
        self.scheduler.shut_down();
        self.close.send_replace(true);
        for end in self.ends {
            end.await.unwrap();
        }
    }
}

fn every_ten_minutes() -> Value {
    json!({ "cron": "*/10 * * * *", "jitter": 0 })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_article_of_two_accounts_in_one_file_through_rest() {
    let served = Served::start().await;
    let api = &served.api;
    served.connect().await;
    for name in ["copy", "acme", "globex"] {
        let tested = api
            .post(&format!("/api/v1/connections/{name}/test"), &json!({}))
            .await;
        let tested = tested.expect(200);
        assert!(
            tested["failure"].is_null() && !tested["checks"][0].is_null(),
            "{tested}"
        );
        let read = api
            .get(&format!("/api/v1/connections/{name}"))
            .await
            .expect(200);
        assert!(read["tested"]["failure"].is_null() && read["tested"]["at"].is_string());
    }
    let tables = api.get("/api/v1/connections/acme/tables").await.expect(200);
    let names: Vec<_> = tables
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["name"])
        .collect();
    assert!(names.contains(&&json!("Issues")), "{names:?}");
    let columns = api
        .get("/api/v1/connections/acme/tables/Issues/columns")
        .await
        .expect(200);
    assert!(
        columns
            .as_array()
            .unwrap()
            .iter()
            .any(|it| it["name"] == "Title")
    );

    let by_prefix = json!({
        "name": "by prefix", "source": "acme", "destination": "copy",
        "tasks": [{ "statement": "REPLICATE PROD_Issues SELECT * FROM Issues" }],
        "schedule": every_ten_minutes(),
    });
    let by_schema = json!({
        "name": "by schema", "source": "globex", "destination": "copy",
        "tasks": [{ "statement": "REPLICATE TEAM.Issues SELECT * FROM Issues" }],
        "schedule": every_ten_minutes(),
    });
    let by_prefix = api.post("/api/v1/jobs", &by_prefix).await.expect(201);
    let by_schema = api.post("/api/v1/jobs", &by_schema).await.expect(201);
    assert_eq!(by_prefix["schedule_text"], "every 10 minutes");
    assert_eq!(by_prefix["next_due"], "2026-08-10T09:10:00Z");
    let plan = api
        .get(&format!("/api/v1/jobs/{}/plan", by_prefix["id"]))
        .await
        .expect(200);
    assert_eq!(plan["tasks"][0]["table"], "PROD_Issues");
    assert!(
        plan["budget_left"].as_u64() <= plan["budget_hourly"].as_u64(),
        "{plan}"
    );

    let (prefix, schema) = (
        by_prefix["id"].as_i64().unwrap(),
        by_schema["id"].as_i64().unwrap(),
    );
    served.pass(10);
    let first = &served.runs(prefix, 1).await[0];
    assert_eq!(
        (&first["state"], &first["origin"]["type"]),
        (&json!("succeeded"), &json!("schedule")),
        "{first}"
    );
    assert_eq!(first["due"], "2026-08-10T09:10:00Z");
    let budgets = api.get("/api/v1/budget?connection=acme").await.expect(200);
    let hour = &budgets[0]["hour"];
    let count = |name: &str| hour[name].as_u64().unwrap();
    assert_eq!(
        count("used") + count("reserved") + count("free"),
        count("limit") - count("left_to_others"),
        "{hour}"
    );
    let claimants = hour["claimants"].as_array().unwrap();
    let by_job = claimants.iter().find(|it| it["name"] == "job by prefix");
    assert!(
        by_job.is_some_and(|it| it["used"].as_u64() > Some(0)),
        "{hour}"
    );
    let issues = &served.rows("SELECT COUNT(*) FROM \"PROD_Issues\"")[0][0];
    assert_eq!(Some(first["totals"]["inserted"].to_string()), *issues);
    assert_eq!(served.runs(schema, 1).await[0]["state"], "succeeded");
    assert!(
        !served
            .rows("SELECT COUNT(*) FROM \"TEAM.Issues\"")
            .is_empty()
    );

    served.pass(1);
    served
        .world
        .sandbox
        .apply(Change::UpdateIssue {
            repository: "acme/api".to_owned(),
            id: 3,
            edit: IssueEdit {
                title: Some("Edited".to_owned()),
                ..IssueEdit::default()
            },
        })
        .unwrap();
    served.pass(9);
    let second = &served.runs(prefix, 2).await[0];
    assert_eq!(second["state"], "succeeded");
    let totals = &second["totals"];
    assert_eq!(
        (&totals["inserted"], &totals["updated"], &totals["deleted"]),
        (&json!(0), &json!(1), &json!(0))
    );
    assert!(second["started_at"].is_string() && second["ended_at"].is_string());
    let edited = served.rows("SELECT COUNT(*) FROM \"PROD_Issues\" WHERE Title = 'Edited'");
    assert_eq!(edited, [[Some("1".to_owned())]]);

    let run = &second["id"];
    let tries = api
        .get(&format!("/api/v1/runs/{run}/tasks"))
        .await
        .expect(200);
    assert_eq!(tries[0]["table"], "PROD_Issues");
    let slices = format!("/api/v1/runs/{run}/tasks/{}/slices", tries[0]["id"]);
    let slices = api.get(&slices).await.expect(200);
    let changed = slices
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["slice"] == "acme/api")
        .unwrap();
    assert_eq!(
        (&changed["outcome"], &changed["totals"]["updated"]),
        (&json!("done"), &json!(1))
    );
    let stream = api
        .with(
            &format!("GET /api/v1/runs/{run}/events"),
            "Accept: text/event-stream\r\n",
            None,
        )
        .await;
    assert!(
        stream.text.contains("event: replicated\n") && stream.text.contains("event: end\n"),
        "{}",
        stream.text
    );
    let slots = api
        .get(&format!("/api/v1/jobs/{prefix}/slots"))
        .await
        .expect(200);
    assert_eq!(slots["total"], 2);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_needs_the_revision_that_it_was_made_from() {
    let served = Served::start().await;
    let api = &served.api;
    served.connect().await;
    let path = "PUT /api/v1/connections/acme";
    let mut edited = served.account("acme");
    edited["labels"] = json!(["edited"]);
    let refused = api.with(path, "", Some(&edited)).await.expect(428);
    assert_eq!(refused["code"], "BL0504");
    let changed = api.with(path, "If-Match: \"1\"\r\n", Some(&edited)).await;
    assert!(changed.head.contains("etag: \"2\""), "{}", changed.head);
    changed.expect(200);
    let refused = api.with(path, "If-Match: \"1\"\r\n", Some(&edited)).await;
    assert!(refused.head.contains("application/problem+json"));
    assert_eq!(refused.expect(412)["code"], "BL0303");
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_is_typed_in_is_used_and_never_given_back() {
    let served = Served::start().await;
    let api = &served.api;
    let mut account = served.account("acme");
    account["properties"]["Token"] = json!("sandbox-api-token-acme");
    let made = api.post("/api/v1/connections", &account).await;
    assert!(!made.text.contains("sandbox-api-token"), "{}", made.text);
    let made = made.expect(201);
    assert_eq!(made["properties"]["Token"], "***");
    assert!(made["to_enter"].is_null());
    let tested = api.post("/api/v1/connections/acme/test", &json!({})).await;
    assert!(
        !tested.text.contains("sandbox-api-token"),
        "{}",
        tested.text
    );
    let tested = tested.expect(200);
    assert!(tested["failure"].is_null(), "{tested}");

    // What was read can be given back: the secret stays.
    let path = "/api/v1/connections/acme";
    let read = api.get(path).await;
    assert!(!read.text.contains("sandbox-api-token"), "{}", read.text);
    let read = read.expect(200);
    let mut edited = json!({ "name": "acme", "properties": read["properties"] });
    edited["properties"]["Pagesize"] = json!("50");
    let put = format!("PUT {path}");
    let kept = api.with(&put, "If-Match: \"1\"\r\n", Some(&edited)).await;
    kept.expect(200);
    let tested = api.post("/api/v1/connections/acme/test", &json!({})).await;
    assert!(tested.expect(200)["failure"].is_null());

    // Not at another address.
    edited["properties"]["BaseURL"] = json!("http://127.0.0.1:1");
    let moved = api.with(&put, "If-Match: \"2\"\r\n", Some(&edited)).await;
    assert_eq!(moved.expect(422)["errors"][0]["code"], "BL0015");
    for path in [
        "/api/v1/connections",
        "/api/v1/secrets",
        "/api/v1/openapi.json",
    ] {
        let answer = api.get(path).await;
        assert!(!answer.text.contains("sandbox-api-token"), "{path}");
        answer.expect(200);
    }
    // With the write-ahead log.
    let state = served.world.folder().join("state");
    for entry in std::fs::read_dir(state).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap_or_default();
        let planted = b"sandbox-api-token";
        let is_there = bytes.windows(planted.len()).any(|part| part == planted);
        assert!(!is_there, "{}", path.display());
    }
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_told_for_each_field_with_its_place() {
    let served = Served::start().await;
    let api = &served.api;
    served.connect().await;
    let secret = json!({ "name": "x", "properties": {
        "Workspace": "acme", "Token": "env:X", "BaseURL": "https://user:planted-secret@api.example",
    } });
    let refused = api.post("/api/v1/connections", &secret).await;
    assert!(!refused.text.contains("planted-secret"), "{}", refused.text);
    let refused = refused.expect(422);
    assert_eq!(
        (
            &refused["errors"][0]["place"],
            &refused["errors"][0]["code"]
        ),
        (&json!("properties.BaseURL"), &json!("BL0005"))
    );

    let job = json!({
        "name": "", "source": "acme", "destination": "nowhere",
        "tasks": [{ "statement": "REPLICATE Issues" }, { "statement": "REPLICATE" }],
        "schedule": { "cron": "61 * * * *" },
    });
    let refused = api.post("/api/v1/jobs", &job).await.expect(422);
    let places: Vec<_> = refused["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["place"].as_str().unwrap())
        .collect();
    for place in ["name", "tasks[1].statement", "schedule.cron", "destination"] {
        assert!(places.contains(&place), "{place}: {refused}");
    }
    let job = json!({
        "name": "a", "source": "acme", "destination": "copy",
        "tasks": [{ "statement": "REPLICATE Issues" }, { "statement": "REPLICATE Isues" }],
    });
    let refused = api.post("/api/v1/jobs", &job).await.expect(422);
    assert_eq!(refused["errors"][0]["place"], "tasks[1].statement");
    assert_eq!(refused["errors"][0]["start"]["column"], 11);
    for (body, status, place) in [
        (json!({ "name": 7 }), 422, "name"),
        (
            json!({ "name": "a", "source": "acme", "destination": "copy", "tasks": [{ "statement": 1 }] }),
            422,
            "tasks[0].statement",
        ),
        (json!([]), 422, "body"),
    ] {
        let refused = api.post("/api/v1/jobs", &body).await.expect(status);
        assert_eq!(refused["errors"][0]["place"], place, "{refused}");
    }
    for (path, place) in [
        ("runs?stat=failed", "stat"),
        ("runs?state=faild", "state"),
        ("runs?limit=many", "limit"),
        ("jobs?limit=0", "limit"),
        ("jobs?after=%00", "after"),
        ("runs/1/events?limit=0", "limit"),
        ("connection-types?x", "x"),
        ("vocabulary?source=acme&sourse=acme", "sourse"),
    ] {
        let refused = api.get(&format!("/api/v1/{path}")).await.expect(400);
        assert_eq!(
            (&refused["code"], &refused["errors"][0]["place"]),
            (&json!("BL0503"), &json!(place)),
            "{refused}"
        );
    }
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_are_changed_in_the_text_of_a_statement() {
    let served = Served::start().await;
    let path = "/api/v1/statements/columns";
    let request = json!({
        "statement": "REPLICATE T SELECT Id, Title /* kept */ FROM Issues",
        "change": { "type": "rename", "column": "title", "name": "Heading" },
    });
    let answer = served.api.post(path, &request).await.expect(200);
    assert_eq!(
        answer["statement"],
        "REPLICATE T SELECT Id, Title AS Heading /* kept */ FROM Issues"
    );
    assert_eq!(answer["columns"][1]["name"], "Heading");
    let request = json!({
        "statement": "REPLICATE Issues",
        "change": { "type": "choose", "columns": ["Titel"] }, "available": ["Id", "Title"],
    });
    let refused = served.api.post(path, &request).await.expect(422);
    assert_eq!(refused["errors"][0]["code"], "BL0011");
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_started_once_for_a_key_and_once_at_a_time() {
    let served = Served::start().await;
    let api = &served.api;
    served.connect().await;
    let job = json!({
        "name": "a", "source": "acme", "destination": "copy",
        "tasks": [{ "statement": "REPLICATE Repositories" }],
    });
    let job = api.post("/api/v1/jobs", &job).await.expect(201);
    let path = format!("/api/v1/jobs/{}/runs", job["id"]);
    let key = "Idempotency-Key: morning\r\n";
    let line = format!("POST {path}?wait=60");
    let run = api.with(&line, key, None).await.expect(201);
    assert_eq!(
        (&run["state"], &run["totals"]["inserted"]),
        (&json!("succeeded"), &json!(3)),
        "{run}"
    );
    let again = api.with(&line, key, None).await.expect(200);
    assert_eq!(again["id"], run["id"]);

    served.world.sandbox.set_latency(Duration::from_millis(300));
    let slow = api.post(&path, &json!({})).await.expect(201);
    let refused = api.post(&path, &json!({})).await.expect(409);
    assert_eq!(
        (&refused["code"], &refused["run"]),
        (&json!("BL0505"), &slow["id"])
    );
    let cancelled = api
        .with(
            &format!("POST /api/v1/runs/{}/cancel?wait=60", slow["id"]),
            "",
            None,
        )
        .await;
    assert_eq!(cancelled.expect(200)["state"], "cancelled");
    served.world.sandbox.set_latency(Duration::ZERO);
    let retried = api
        .with(
            &format!("POST /api/v1/runs/{}/retry?wait=60", slow["id"]),
            "",
            None,
        )
        .await;
    assert_eq!(retried.expect(201)["state"], "succeeded");
    let refused = api
        .post(&path, &json!({ "tasks": [999] }))
        .await
        .expect(422);
    assert_eq!(refused["errors"][0]["place"], "tasks[0]");
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_that_fails_makes_a_run_partial_and_only_that_task_is_retried() {
    let served = Served::start().await;
    let api = &served.api;
    served.connect().await;
    let job = json!({
        "name": "a", "source": "acme", "destination": "copy", "retry": { "waits": [] },
        "tasks": [{ "statement": "REPLICATE Repositories" }, { "statement": "REPLICATE PullRequests" }],
    });
    let job = api.post("/api/v1/jobs", &job).await.expect(201);
    let forbidden = Fault::once("*/pullrequests", FaultKind::Forbidden);
    served.world.sandbox.fault(forbidden);
    let start = format!("POST /api/v1/jobs/{}/runs?wait=60", job["id"]);
    let run = api.with(&start, "", None).await.expect(201);
    assert_eq!(run["state"], "partial", "{run}");
    let tries = api
        .get(&format!("/api/v1/runs/{}/tasks", run["id"]))
        .await
        .expect(200);
    assert_eq!(
        (&tries[0]["state"], &tries[1]["state"]),
        (&json!("succeeded"), &json!("partial"))
    );
    let slices = format!("/api/v1/runs/{}/tasks/{}/slices", run["id"], tries[1]["id"]);
    let slices = api.get(&slices).await.expect(200);
    let failed = slices
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["outcome"] == "failed")
        .unwrap();
    assert_eq!(failed["failure"]["kind"], "permission", "{failed}");
    let errors = format!("/api/v1/runs/{}/events?level=error", run["id"]);
    let errors = api.get(&errors).await.expect(200);
    assert!(
        errors
            .as_array()
            .unwrap()
            .iter()
            .any(|it| it["slice"] == failed["slice"]),
        "{errors}"
    );

    served.world.sandbox.clear_faults();
    let retry = format!("POST /api/v1/runs/{}/retry?wait=60", run["id"]);
    let again = api.with(&retry, "", None).await.expect(201);
    assert_eq!(
        (&again["state"], &again["tasks"]),
        (&json!("succeeded"), &json!([job["tasks"][1]["id"]]))
    );
    let refused = api
        .with(
            &format!("POST /api/v1/runs/{}/retry", again["id"]),
            "",
            None,
        )
        .await;
    assert_eq!(refused.expect(409)["code"], "BL0305");
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_let_in_without_the_token_or_by_another_host() {
    let served = Served::start().await;
    let api = &served.api;
    for path in ["/api/v1/jobs", "/api/v1/openapi.json", "/nowhere"] {
        for token in [
            "",
            "Authorization: Bearer wrong\r\n",
            "Authorization: Basic planted-token\r\n",
        ] {
            let request = format!(
                "GET {path} HTTP/1.0\r\nHost: {}\r\n{token}\r\n",
                api.address
            );
            assert_eq!(api.raw(&request).await.expect(401)["code"], "BL0501");
        }
        for host in [
            "Host: evil.example\r\n",
            "",
            "Host: 127.0.0.1\r\nHost: evil.example\r\n",
        ] {
            let request =
                format!("GET {path} HTTP/1.0\r\n{host}Authorization: Bearer {TOKEN}\r\n\r\n");
            assert_eq!(api.raw(&request).await.status / 100, 4, "{host}");
        }
    }
    assert_eq!(api.get("/nowhere").await.expect(404)["code"], "BL0506");
    assert_eq!(
        api.post("/api/v1/runs", &json!({})).await.expect(405)["code"],
        "BL0507"
    );
    let everywhere = "0.0.0.0:0".parse().unwrap();
    let refused = listen(everywhere, &Reach::default(), None)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), "BL0510");
    let described = api.get("/api/v1/openapi.json").await.expect(200);
    assert!(described["openapi"].as_str().unwrap().starts_with("3.1"));
    for (path, methods) in described["paths"].as_object().unwrap() {
        let path = path.replace("{name}", "x").replace("{table}", "x");
        let path = path.replace("{id}", "1").replace("{try}", "1");
        for method in methods.as_object().unwrap().keys() {
            let line = format!("{} {path}", method.to_uppercase());
            let answer = api.with(&line, "", None).await;
            let code = answer.body["code"].as_str().unwrap_or_default();
            assert!(
                !["BL0506", "BL0507"].contains(&code),
                "{line}: {}",
                answer.text
            );
        }
    }
    served.stop().await;
}
