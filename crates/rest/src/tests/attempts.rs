//! Every row of the retry table, on the wire.

use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;

use super::body::GZIPPED;
use super::server::{Reply, Server, ok, reply};
use super::{Log, client, config, url};
use crate::{Client, ClientConfig, Credential, ErrorKind, Meter, Problem, RequestOptions};

/// What is worth another attempt ends well if the next answer is good, and badly after all
/// attempts; what is not is asked once.
#[tokio::test]
async fn each_failure_is_retried_or_not() {
    let cut = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"values\": [".to_vec();
    let bad_gzip = reply(
        200,
        &["content-encoding: gzip"],
        b"\x1f\x8b\x08 not gzip at all",
    );
    let cut_without_length = |header: &str, body: &str| {
        Reply::Cut(format!("HTTP/1.1 200 OK\r\n{header}\r\n\r\n{body}").into_bytes())
    };
    let gzip = |body: &[u8]| reply(200, &["content-encoding: gzip"], body);
    let retried = [
        ("500", reply(500, &[], "x"), ErrorKind::Server),
        ("502", reply(502, &[], "<html>"), ErrorKind::Server),
        ("503", reply(503, &[], ""), ErrorKind::Server),
        ("504", reply(504, &[], ""), ErrorKind::Server),
        ("408", reply(408, &[], ""), ErrorKind::Timeout),
        ("reset", Reply::Reset, ErrorKind::Network),
        ("closed", Reply::Cut(Vec::new()), ErrorKind::Network),
        (
            "cut head",
            Reply::Cut(b"HTTP/1.1 200 OK\r\ncont".to_vec()),
            ErrorKind::Network,
        ),
        ("cut body", Reply::Cut(cut), ErrorKind::Network),
        ("bad gzip", bad_gzip, ErrorKind::Network),
        (
            "cut gzip",
            gzip(&GZIPPED[..GZIPPED.len() / 2]),
            ErrorKind::Network,
        ),
        (
            "cut member",
            gzip(&[GZIPPED, &GZIPPED[..9]].concat()),
            ErrorKind::Network,
        ),
        (
            "cut chunks",
            cut_without_length("transfer-encoding: chunked", "5\r\n{\"val\r\n"),
            ErrorKind::Network,
        ),
        (
            "no length",
            cut_without_length("x: 1", r#"{"values": [{"id": 1}, {"i"#),
            ErrorKind::Network,
        ),
        (
            "no length, in a string",
            cut_without_length("x: 1", r#"{"values": [{"id": "a"#),
            ErrorKind::Network,
        ),
        (
            "no length, an escape",
            cut_without_length("x: 1", r#"{"values": ["\u00"#),
            ErrorKind::Network,
        ),
        (
            "no length, a letter",
            cut_without_length("x: 1", "{\"values\": \"\u{e9}"),
            ErrorKind::Network,
        ),
        (
            "no length, the sign of a number",
            cut_without_length("x: 1", r#"{"values": [{"id": -"#),
            ErrorKind::Network,
        ),
        (
            "no length, a decimal point",
            cut_without_length("x: 1", r#"{"values": [{"id": 1."#),
            ErrorKind::Network,
        ),
        (
            "no length, an exponent",
            cut_without_length("x: 1", r#"{"values": [{"id": 1.5E"#),
            ErrorKind::Network,
        ),
        (
            "no length, the sign of an exponent",
            cut_without_length("x: 1", "\u{feff}[1e+"),
            ErrorKind::Network,
        ),
        (
            "no length, neither body nor type",
            cut_without_length("x: 1", ""),
            ErrorKind::Network,
        ),
        (
            "no length, half a byte order mark",
            Reply::Cut(b"HTTP/1.1 200 OK\r\n\r\n\xef\xbb".to_vec()),
            ErrorKind::Network,
        ),
        (
            "no length, blanks alone",
            cut_without_length("x: 1", "\n "),
            ErrorKind::Network,
        ),
        (
            "no length, nothing",
            cut_without_length("content-type: application/json", ""),
            ErrorKind::Network,
        ),
        (
            "no length, a list",
            cut_without_length("content-type: application/vnd.x+json", "[1, 2"),
            ErrorKind::Network,
        ),
    ];
    for (name, failure, kind) in retried {
        let server = Server::replying(vec![failure.clone(), failure.clone(), ok()]).await;
        let (client, clock) = client(config(&server));
        let response = client.get(&server.url("/a")).await;
        assert_eq!(response.unwrap().body, "{}", "{name}");
        assert_eq!(server.requests().len(), 3, "{name}");
        assert_eq!(client.usage().requests, 3, "{name}");
        assert_eq!(client.usage().retries, 2, "{name}");
        assert_eq!(client.usage().waited, clock.slept(), "{name}");

        let server = Server::replying(vec![failure]).await;
        let (client, clock) = super::client(config(&server));
        let error = client.get(&server.url("/a")).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{name}: {error}");
        assert_eq!(
            (error.attempts(), server.requests().len()),
            (5, 5),
            "{name}"
        );
        assert_growing(&clock.naps(), name);
    }

    let fatal = [
        (400, ErrorKind::BadRequest),
        (401, ErrorKind::Unauthorized),
        (403, ErrorKind::Forbidden),
        (404, ErrorKind::NotFound),
        (409, ErrorKind::BadRequest),
        (410, ErrorKind::Gone),
        (304, ErrorKind::UnexpectedStatus),
        (501, ErrorKind::Server),
        (555, ErrorKind::Server),
    ];
    for (status, kind) in fatal {
        let server = Server::replying(vec![reply(status, &["retry-after: 1"], ""), ok()]).await;
        let (client, clock) = client(config(&server));
        let error = client.get(&server.url("/a")).await.unwrap_err();
        assert_eq!((error.kind(), error.status()), (kind, Some(status)));
        assert_eq!(
            (error.attempts(), server.requests().len()),
            (1, 1),
            "{status}"
        );
        assert!(clock.naps().is_empty(), "{status}");
    }
}

/// 500 ms, 1 s, 2 s, 4 s, each less up to half.
fn assert_growing(naps: &[Duration], name: &str) {
    assert_eq!(naps.len(), 4, "{name}: {naps:?}");
    for (nap, whole) in naps.iter().zip([500, 1000, 2000, 4000]) {
        let whole = Duration::from_millis(whole);
        assert!((whole / 2..=whole).contains(nap), "{name}: {naps:?}");
    }
}

#[tokio::test]
async fn silence_is_a_timeout_and_retried() {
    let server = Server::replying(vec![Reply::Silence, ok()]).await;
    let mut config = config(&server);
    config.timeout = Duration::from_millis(200);
    let (client, _) = client(config.clone());
    assert_eq!(client.get(&server.url("/a")).await.unwrap().status, 200);
    assert_eq!(server.requests().len(), 2);

    let server = Server::replying(vec![Reply::Silence]).await;
    config.base_url = server.url("");
    config.max_attempts = 2;
    let (client, _) = super::client(config);
    let error = client.get(&server.url("/a")).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Timeout, 2));
}

#[tokio::test]
async fn nobody_listening_is_unreachable_and_costs_no_budget() {
    let gone = Server::replying(vec![ok()]).await.url("/a");
    tokio::task::yield_now().await;
    let server = Server::replying(vec![ok()]).await;
    let mut config = config(&server);
    config.base_url = gone.clone();
    config.requests_per_hour = Some(100);
    let (client, clock) = client(config);
    let error = client.get(&gone).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.attempts()),
        (ErrorKind::Unreachable, 5)
    );
    assert_eq!(client.remaining_budget(), Some(100));
    assert!(std::error::Error::source(&error).is_some());
    assert_growing(&clock.naps(), "refused");
}

#[tokio::test]
async fn what_is_not_tls_is_not_retried() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = url(&format!("https://{}/a", listener.local_addr().unwrap()));
    let answering = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    let config = ClientConfig::new(
        address.clone(),
        Credential::Anonymous,
        "t",
        Problem::from_text,
    );
    let error = Client::new(config)
        .unwrap()
        .get(&address)
        .await
        .unwrap_err();
    answering.abort();
    assert_eq!(
        (error.kind(), error.attempts()),
        (ErrorKind::Tls, 1),
        "{error:?}"
    );
}

#[tokio::test]
async fn one_request_can_bound_the_retries_of_server_errors() {
    for (allowed, sent) in [(Some(0), 1), (Some(1), 2), (Some(9), 5), (None, 5)] {
        let server = Server::replying(vec![reply(500, &[], "")]).await;
        let (client, _) = client(config(&server));
        let options = RequestOptions {
            max_server_retries: allowed,
        };
        let error = client
            .get_with(&server.url("/a"), options)
            .await
            .unwrap_err();
        assert_eq!(
            (error.kind(), error.attempts()),
            (ErrorKind::Server, sent),
            "{allowed:?}"
        );
    }
    // It bounds answers, not broken connections.
    let server = Server::replying(vec![Reply::Reset, Reply::Reset, ok()]).await;
    let (client, _) = client(config(&server));
    let options = RequestOptions {
        max_server_retries: Some(0),
    };
    assert!(client.get_with(&server.url("/a"), options).await.is_ok());
}

#[tokio::test]
async fn an_error_carries_what_the_service_said() {
    fn reader(status: u16, headers: &crate::HeaderMap, body: &[u8]) -> Problem {
        Problem {
            message: format!("{status} {}", String::from_utf8_lossy(body)),
            required_scopes: vec!["read:a".into(), "read:b".into()],
            granted_scopes: vec![headers["x-scopes"].to_str().unwrap().to_owned()],
            ..Problem::default()
        }
    }
    let server = Server::replying(vec![reply(403, &["x-scopes: read:a"], "no")]).await;
    let mut config = config(&server);
    config.read_problem = reader;
    let (client, _) = client(config);
    let error = client.get(&server.url("/a?q=1")).await.unwrap_err();
    let expected = format!(
        "the credential may not read {} (403): 403 no",
        server.url("/a")
    );
    assert_eq!(error.to_string(), expected);
    assert_eq!(error.code(), "BL3102");
    let hint = "the credential lacks the scope read:b: give it that scope";
    assert_eq!(error.hint().unwrap(), hint);
    assert_eq!(error.problem().unwrap().required_scopes.len(), 2);
}

#[tokio::test]
async fn meters_count_their_slice_and_the_client_counts_all() {
    let server = Server::replying(vec![reply(500, &[], ""), ok()]).await;
    let (client, _) = client(config(&server));
    let (run, slice) = (Meter::new(), Meter::new());
    let in_run = client.metered(&run);
    in_run.metered(&slice).get(&server.url("/a")).await.unwrap();
    in_run.get(&server.url("/b")).await.unwrap();
    client.get(&server.url("/c")).await.unwrap();
    let requests = [slice.usage(), run.usage(), client.usage(), in_run.usage()];
    assert_eq!(requests.map(|usage| usage.requests), [2, 3, 4, 4]);
    assert_eq!(requests.map(|usage| usage.retries), [1, 1, 1, 1]);
    assert_eq!(slice.usage().bytes, 2);
}

#[tokio::test]
async fn events_tell_the_course() {
    let server = Server::replying(vec![reply(502, &[], "x"), ok()]).await;
    let (client, _) = client(config(&server));
    let (client, log) = Log::of(&client);
    client.get(&server.url("/a")).await.unwrap();
    let names: Vec<String> = log
        .lines("")
        .iter()
        .map(|line| line.split(' ').next().unwrap().to_owned())
        .collect();
    assert_eq!(
        names,
        ["Request", "Response", "Retry", "Request", "Response"]
    );
    assert!(log.lines("Retry")[0].contains("attempt: 1") && log.lines("Retry")[0].contains("502"));
}

#[tokio::test]
async fn each_answer_tells_its_announcement() {
    let server = Server::replying(vec![reply(
        200,
        &[
            "Deprecation: @1771545600",
            "Sunset: Fri, 21 Aug 2026 00:00:00 UTC",
            "Link: <https://changes.example/17>; rel=\"deprecation\"",
        ],
        "{}",
    )])
    .await;
    let (client, _) = client(config(&server));
    let (client, log) = Log::of(&client);
    for path in [
        "/r/one/things",
        "/r/two/things",
        "/r/two/things?page=2",
        "/r/two",
    ] {
        client.clone().get(&server.url(path)).await.unwrap();
    }
    let told = log.lines("Deprecation");
    assert_eq!(told.len(), 4, "{told:?}");
    for part in [
        "/r/one/things",
        "@1771545600",
        "21 Aug 2026",
        "https://changes.example/17",
    ] {
        assert!(told[0].contains(part), "{part} in {}", told[0]);
    }
}
