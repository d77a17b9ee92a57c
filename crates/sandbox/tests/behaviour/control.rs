use bucketline_sandbox::{Config, Error, Kind, Sandbox};
use serde_json::{Value, json};

use crate::client::{get, request};
use crate::sandbox;

fn send(sandbox: &Sandbox, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let headers = [("content-type", "application/json")];
    let text = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    let answer = request(
        sandbox,
        method,
        &format!("/_sandbox{path}"),
        &headers,
        &text,
    )
    .unwrap();
    (
        answer.status,
        serde_json::from_slice(&answer.body).unwrap_or(Value::Null),
    )
}

#[test]
fn another_process_can_do_the_same() {
    let sandbox = sandbox();
    let (status, applied) = send(
        &sandbox,
        "POST",
        "/changes",
        &json!([
            {"change": "add_issue", "repository": "acme/api", "title": "Over HTTP"},
            {"change": "merge_pull_request", "repository": "acme/api", "id": open(&sandbox)},
            {"change": "push", "repository": "acme/api", "branch": "x"},
        ]),
    );
    assert_eq!((status, &applied[0]["id"]), (200, &json!(121)));
    assert_eq!(
        get(&sandbox, "/repositories/acme/api/issues/121").json()["title"],
        "Over HTTP"
    );
    let unknown = json!({"change": "delete_issue", "repository": "acme/api", "id": 9999});
    let (status, error) = send(&sandbox, "POST", "/changes", &unknown);
    assert_eq!(
        (status, error["error"].as_str().unwrap()),
        (404, "the sandbox has no issue 9999")
    );
    assert_eq!(
        send(&sandbox, "POST", "/changes", &json!({"change": "nonsense"})).0,
        422
    );

    let fault =
        json!({"path": "*/issues", "fault": "too_many_requests", "retry_after": {"seconds": 3}});
    assert_eq!(send(&sandbox, "POST", "/faults", &fault).0, 204);
    assert_eq!(
        get(&sandbox, "/repositories/acme/api/issues").header("retry-after"),
        Some("3")
    );
    let fault = json!([{"path": "*", "times": null, "fault": "server_error", "status": 503}]);
    assert_eq!(send(&sandbox, "POST", "/faults", &fault).0, 204);
    assert_eq!(get(&sandbox, "/user").status, 503);
    assert_eq!(send(&sandbox, "DELETE", "/faults", &Value::Null).0, 204);
    assert_eq!(get(&sandbox, "/user").status, 200);

    let hook = json!({"path": "*/web/issues", "page": 1, "changes": [
        {"change": "delete_issue", "repository": "acme/web", "id": 1},
    ]});
    assert_eq!(send(&sandbox, "POST", "/hooks", &hook).0, 204);
    let size = || get(&sandbox, "/repositories/acme/web/issues").json()["size"].clone();
    assert_eq!((size(), size()), (json!(120), json!(119)));
}

fn open(sandbox: &Sandbox) -> u64 {
    get(sandbox, "/repositories/acme/api/pullrequests").ids()[0]
}

#[test]
fn log_clock_latency_and_snapshot() {
    let sandbox = sandbox();
    get(&sandbox, "/user");
    get(&sandbox, "/repositories/acme/api/issues?page=2");
    let (_, log) = send(&sandbox, "GET", "/requests", &Value::Null);
    assert_eq!(
        log.as_array().unwrap().len(),
        2,
        "control requests are not logged"
    );
    assert_eq!(log[1]["target"], "/2.0/repositories/acme/api/issues?page=2");
    assert_eq!(
        (&log[1]["status"], &log[1]["credential"]),
        (&json!(200), &json!("acme-api-token"))
    );
    let (_, count) = send(
        &sandbox,
        "GET",
        "/requests/count?path=*%2Fissues",
        &Value::Null,
    );
    assert_eq!(count["count"], 1);
    assert_eq!(
        sandbox.count("*page=2*"),
        0,
        "without a question mark only the path counts"
    );
    assert_eq!(sandbox.count("*?page=2*"), 1);
    assert_eq!(send(&sandbox, "DELETE", "/requests", &Value::Null).0, 204);
    assert!(sandbox.requests().is_empty());

    let (_, clock) = send(&sandbox, "GET", "/clock", &Value::Null);
    assert!(clock["now"].as_str().unwrap().starts_with("2026-08-10T09:"));
    assert_eq!(
        send(&sandbox, "PUT", "/latency", &json!({"millis": 1})).0,
        204
    );

    let lines = request(
        &sandbox,
        "GET",
        "/_sandbox/snapshot/acme/pull_requests",
        &[],
        "",
    )
    .unwrap();
    let rows: Vec<Value> = lines
        .text()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let direct = sandbox.snapshot(Kind::PullRequests, "acme");
    assert_eq!(rows.len(), direct.len());
    assert_eq!(rows[0]["value"], direct[0].value);
    assert_eq!(
        send(&sandbox, "GET", "/snapshot/none/issues", &Value::Null).0,
        404
    );
}

#[test]
fn a_taken_port_is_an_error() {
    let sandbox = sandbox();
    let port = sandbox
        .origin()
        .rsplit(':')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    let error = Sandbox::start_blocking(Config {
        port,
        ..Config::default()
    })
    .unwrap_err();
    assert!(matches!(error, Error::Listen { .. }));
    assert!(error.to_string().contains(&port.to_string()));
}

#[test]
fn it_starts_and_stops_within_a_runtime_too() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let sandbox = Sandbox::start(Config::default()).await.unwrap();
        assert!(sandbox.base_url().ends_with("/2.0"));
        sandbox.shutdown().await;
    });
}
