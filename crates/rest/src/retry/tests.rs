#![allow(clippy::unwrap_used)]

use std::time::Duration;

use proptest::prelude::*;
use reqwest::header::HeaderMap;

use super::*;

fn policy() -> Policy {
    Policy {
        max_attempts: 5,
        max_server_retries: None,
        max_wait: Duration::from_secs(3600),
        backoff: Duration::from_millis(500),
    }
}

/// The table in words. 401, 403, 404, 410 and 400 are final; so is 555.
#[test]
fn the_table() {
    use ErrorKind as Kind;
    use Remedy::{Backoff, Fail, Pause};
    let rows = [
        (Cause::RateLimited, Pause, Kind::RateLimited),
        (Cause::Status(500), Backoff, Kind::Server),
        (Cause::Status(502), Backoff, Kind::Server),
        (Cause::Status(503), Backoff, Kind::Server),
        (Cause::Status(504), Backoff, Kind::Server),
        (Cause::Status(501), Fail, Kind::Server),
        (Cause::Status(555), Fail, Kind::Server),
        (Cause::Status(400), Fail, Kind::BadRequest),
        (Cause::Status(401), Fail, Kind::Unauthorized),
        (Cause::Status(403), Fail, Kind::Forbidden),
        (Cause::Status(404), Fail, Kind::NotFound),
        (Cause::Status(408), Backoff, Kind::Timeout),
        (Cause::Status(410), Fail, Kind::Gone),
        (Cause::Status(418), Fail, Kind::BadRequest),
        (Cause::Status(304), Fail, Kind::UnexpectedStatus),
        (Cause::Connect, Backoff, Kind::Network),
        (Cause::Broken, Backoff, Kind::Network),
        (Cause::CutBody, Backoff, Kind::Network),
        (Cause::Timeout, Backoff, Kind::Timeout),
        (Cause::Tls, Fail, Kind::Tls),
        (Cause::TooLarge, Fail, Kind::BodyTooLarge),
    ];
    for (cause, expected, kind) in rows {
        assert_eq!(remedy(cause), (expected, kind), "{cause}");
    }
}

#[test]
fn pauses_nobody_asked_for_grow_up_to_a_bound() {
    let mut policy = policy();
    policy.max_attempts = 10;
    let mut history = History::default();
    let mut pauses = Vec::new();
    while let Decision::Retry(wait) = policy.decide(&mut history, Cause::Timeout, None, 1.0) {
        pauses.push(wait.as_millis());
    }
    assert_eq!(
        pauses,
        [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]
    );
}

#[test]
fn absurd_pauses_are_cut() {
    let mut headers = HeaderMap::new();
    headers.insert("retry-after", u64::MAX.into());
    let wait = told_wait(&headers, true, UNIX_EPOCH).unwrap();
    assert_eq!(wait, LONGEST_TOLD);
    headers.insert(
        "retry-after",
        "Fri, 31 Dec 9999 23:59:59 GMT".parse().unwrap(),
    );
    assert_eq!(told_wait(&headers, true, UNIX_EPOCH).unwrap(), LONGEST_TOLD);
}

#[test]
fn resets_count_only_for_rate_limits() {
    let mut headers = HeaderMap::new();
    headers.insert("x-ratelimit-reset", 5.into());
    assert_eq!(told_wait(&headers, false, UNIX_EPOCH), None);
    assert_eq!(
        told_wait(&headers, true, UNIX_EPOCH),
        Some(Duration::from_secs(5))
    );
}

fn causes() -> impl Strategy<Value = (Cause, Option<Duration>)> {
    let cause = prop_oneof![
        Just(Cause::RateLimited),
        prop::sample::select(vec![500, 502, 503, 504]).prop_map(Cause::Status),
        Just(Cause::Timeout),
        Just(Cause::CutBody),
    ];
    (
        cause,
        prop::option::of((0_u64..5000).prop_map(Duration::from_secs)),
    )
}

proptest! {
    /// Whatever a server does, a request comes to an end, no single pause is longer than
    /// accepted, and failures stay within their attempts.
    #[test]
    fn every_request_ends(
        trouble in prop::collection::vec(causes(), 1..20),
        jitter in 0.0..1.0_f64,
        max_wait in 0_u64..4000,
    ) {
        let policy = Policy { max_wait: Duration::from_secs(max_wait), ..policy() };
        let mut history = History::default();
        let (mut failures, mut steps) = (0, 0);
        for (cause, told) in trouble.iter().cycle() {
            steps += 1;
            prop_assert!(steps < 20_000);
            failures += u32::from(*cause != Cause::RateLimited);
            match policy.decide(&mut history, *cause, *told, jitter) {
                Decision::Retry(wait) | Decision::PauseAll(wait) => {
                    prop_assert!(wait <= policy.max_wait);
                    prop_assert!(failures < policy.max_attempts);
                }
                Decision::Fail(..) => break,
            }
        }
    }
}
