use std::time::{Duration, Instant};

use bucketline_sandbox::{Config, Fault, FaultKind, RetryAfter, Sandbox};

use crate::client::{api_token, get, request};
use crate::sandbox;

const ISSUES: &str = "/repositories/acme/api/issues";

#[test]
fn scripted_answers() {
    let sandbox = sandbox();
    for (kind, status) in [
        (FaultKind::TooManyRequests { retry_after: None }, 429),
        (FaultKind::ServerError { status: 500 }, 500),
        (FaultKind::ServerError { status: 503 }, 503),
        (FaultKind::NotFound, 404),
        (FaultKind::Forbidden, 403),
        (FaultKind::LimitedForbidden, 403),
        (FaultKind::Gone, 410),
        (
            FaultKind::GoneBecause {
                message: "This workspace has been deleted".to_owned(),
            },
            410,
        ),
        (FaultKind::Unauthorized, 401),
        (FaultKind::Accepted, 202),
        (FaultKind::Redirect { origin: None }, 302),
    ] {
        sandbox.fault(Fault::once("*/issues", kind));
        assert_eq!(
            get(&sandbox, "/user").status,
            200,
            "other paths are not hit"
        );
        assert_eq!(get(&sandbox, ISSUES).status, status);
        assert_eq!(get(&sandbox, ISSUES).status, 200, "it is used up");
    }
    sandbox.fault(
        Fault::once("*/issues", FaultKind::ServerError { status: 502 })
            .after(1)
            .times(2),
    );
    assert_eq!(
        [0; 4].map(|_| get(&sandbox, ISSUES).status),
        [200, 502, 502, 200]
    );
    sandbox.fault(Fault::always("*", FaultKind::ServerError { status: 500 }));
    let html = get(&sandbox, ISSUES);
    assert!(
        html.header("content-type")
            .unwrap()
            .starts_with("text/html")
    );
    assert_eq!(get(&sandbox, "/user").status, 500);
    sandbox.clear_faults();
    assert_eq!(get(&sandbox, ISSUES).status, 200);
}

#[test]
fn retry_after_in_both_forms() {
    let sandbox = sandbox();
    let limited = |retry_after| {
        let kind = FaultKind::TooManyRequests {
            retry_after: Some(retry_after),
        };
        sandbox.fault(Fault::once("*", kind));
        get(&sandbox, ISSUES)
            .header("retry-after")
            .unwrap()
            .to_owned()
    };
    assert_eq!(limited(RetryAfter::Seconds(7)), "7");
    assert!(limited(RetryAfter::Date(7)).ends_with(" GMT"));
}

#[test]
fn spoiled_answers() {
    let sandbox = sandbox();
    sandbox.fault(Fault::once("*", FaultKind::EmptyList));
    assert_eq!(
        get(&sandbox, ISSUES).json()["values"],
        serde_json::json!([])
    );
    sandbox.fault(Fault::once("*", FaultKind::WrongJson));
    let wrong = get(&sandbox, ISSUES);
    assert_eq!(wrong.status, 200);
    assert!(serde_json::from_slice::<serde_json::Value>(&wrong.body).is_err());
    let origin = "http://127.0.0.1:9".to_owned();
    sandbox.fault(Fault::once("*", FaultKind::ForeignNext { origin }));
    assert!(
        get(&sandbox, ISSUES)
            .next()
            .unwrap()
            .starts_with("http://127.0.0.1:9/2.0/")
    );
}

#[test]
fn broken_connections() {
    let sandbox = sandbox();
    let authorization = api_token("acme");
    let path = format!("/2.0{ISSUES}");
    let send = || {
        request(
            &sandbox,
            "GET",
            &path,
            &[("authorization", &authorization)],
            "",
        )
    };
    sandbox.fault(Fault::once("*", FaultKind::CutBody));
    let cut = send().unwrap();
    let promised: usize = cut.header("content-length").unwrap().parse().unwrap();
    assert!(
        cut.body.len() < promised,
        "{} of {promised}",
        cut.body.len()
    );
    sandbox.fault(Fault::once("*", FaultKind::Reset));
    assert_eq!(
        send().unwrap_err().kind(),
        std::io::ErrorKind::ConnectionReset
    );
    assert_eq!(send().unwrap().status, 200);
    let log = sandbox.requests();
    assert_eq!(
        log.iter()
            .map(|one| (one.status, one.faulted))
            .collect::<Vec<_>>(),
        [(200, true), (0, true), (200, false)]
    );
}

#[test]
fn slow_and_late_answers() {
    let sandbox = sandbox();
    let started = Instant::now();
    sandbox.fault(Fault::once("*", FaultKind::Slow { millis: 60 }));
    assert_eq!(get(&sandbox, ISSUES).status, 200);
    assert!(started.elapsed() >= Duration::from_millis(60));
    let started = Instant::now();
    sandbox.set_latency(Duration::from_millis(30));
    assert_eq!(get(&sandbox, ISSUES).status, 200);
    assert!(started.elapsed() >= Duration::from_millis(30));
}

#[test]
fn a_hanging_request_does_not_keep_the_sandbox_alive() {
    let sandbox = Sandbox::start_blocking(Config::default()).unwrap();
    sandbox.fault(Fault::once("*", FaultKind::Hang));
    let address = sandbox.origin().strip_prefix("http://").unwrap().to_owned();
    let mut stream = std::net::TcpStream::connect(&address).unwrap();
    std::io::Write::write_all(&mut stream, b"GET /2.0/user HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    while sandbox.requests().is_empty() {
        std::thread::yield_now();
    }
    drop(sandbox);
    let mut rest = Vec::new();
    let _ = std::io::Read::read_to_end(&mut stream, &mut rest);
    assert!(rest.is_empty(), "no answer was sent");
    assert!(
        std::net::TcpStream::connect(&address).is_err(),
        "nobody listens any more"
    );
}

#[test]
fn pages_that_mislead() {
    let sandbox = sandbox();
    let right = get(&sandbox, ISSUES);
    sandbox.fault(Fault::once("*", FaultKind::EmptyPage));
    let empty = get(&sandbox, ISSUES);
    assert_eq!((empty.ids(), empty.next()), (vec![], right.next()));
    sandbox.fault(Fault::once("*", FaultKind::RepeatedPage));
    let repeated = get(&sandbox, ISSUES);
    assert_eq!(repeated.ids(), right.ids());
    assert_eq!(
        repeated.next().unwrap(),
        format!("{}/2.0{ISSUES}", sandbox.origin())
    );
    sandbox.fault(Fault::once("*", FaultKind::BadDate));
    let undated = get(&sandbox, ISSUES);
    assert_eq!(undated.ids(), right.ids());
    assert_eq!(undated.header("date"), Some("some day"));
    sandbox.fault(Fault::once("*", FaultKind::DateOff { seconds: -60 }));
    let late = get(&sandbox, ISSUES);
    assert_eq!(late.ids(), right.ids());
    assert_ne!(late.header("date"), right.header("date"));
    let body = "{\"values\": 1}".to_owned();
    sandbox.fault(Fault::once("*", FaultKind::Body { body: body.clone() }));
    assert_eq!(get(&sandbox, ISSUES).text(), body);
}

#[test]
fn redirects_lead_elsewhere_or_nowhere() {
    let sandbox = sandbox();
    let location = |origin: Option<&str>| {
        let origin = origin.map(str::to_owned);
        sandbox.fault(Fault::once("*", FaultKind::Redirect { origin }));
        get(&sandbox, ISSUES).header("location").unwrap().to_owned()
    };
    assert_eq!(location(None), format!("/2.0{ISSUES}"));
    let elsewhere = "http://127.0.0.1:9";
    assert_eq!(
        location(Some(elsewhere)),
        format!("{elsewhere}/2.0{ISSUES}")
    );
}

#[test]
fn a_maximum_of_rows_for_a_path() {
    let sandbox = sandbox();
    sandbox.fault(Fault::always(
        "*/issues",
        FaultKind::MaxPagelen { rows: 20 },
    ));
    for (pagelen, status) in [(100, 400), (21, 400), (20, 200)] {
        let answer = get(&sandbox, &format!("{ISSUES}?pagelen={pagelen}"));
        assert_eq!(answer.status, status, "{pagelen}");
    }
    let refused = get(&sandbox, &format!("{ISSUES}?pagelen=50"));
    assert_eq!(refused.message(), "Invalid pagelen");
    assert_eq!(get(&sandbox, ISSUES).ids().len(), 10);
    assert_eq!(get(&sandbox, "/repositories/acme?pagelen=100").status, 200);
}

/// The service counts what it answers, whatever that is.
#[test]
fn faulted_requests_are_counted() {
    let config = Config {
        requests_per_hour: Some(3),
        bare_429: true,
        ..Config::default()
    };
    let sandbox = Sandbox::start_blocking(config).unwrap();
    sandbox.fault(Fault::once(
        "*",
        FaultKind::TooManyRequests { retry_after: None },
    ));
    let bare = get(&sandbox, ISSUES);
    assert!(bare.text().starts_with("Rate limit"), "{}", bare.text());
    sandbox.fault(Fault::once("*", FaultKind::LimitedForbidden));
    assert!(get(&sandbox, ISSUES).text().starts_with("Rate limit"));
    assert_eq!([0; 2].map(|_| get(&sandbox, ISSUES).status), [200, 429]);
}
