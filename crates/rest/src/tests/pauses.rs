//! Slowing down when told to.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;

use super::clock::{START, TestClock};
use super::server::{Server, ok, reply};
use super::{Log, client, config};
use crate::{Client, ErrorKind, HeaderMap, Problem};

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// The pause each answer leads to, in the order Retry-After, X-RateLimit-Reset, our own.
#[tokio::test]
async fn the_pause_is_as_long_as_told() {
    let epoch = format!("x-ratelimit-reset: {}", START.as_secs() + 40);
    let cases: [(&[&str], u64); 11] = [
        (&["retry-after: 30"], 30),
        (&["retry-after: 0"], 0),
        (&["retry-after: Sun, 22 Nov 2026 12:01:05 GMT"], 65),
        (&["retry-after: Sun, 22 Nov 2026 11:00:00 GMT"], 0),
        (&["retry-after: 7", "x-ratelimit-reset: 880"], 7),
        (&["retry-after: soon", "x-ratelimit-reset: 880"], 880),
        (&["x-ratelimit-reset: 880"], 880),
        (&["x-ratelimit-reset: 12, 880;w=3600"], 12),
        (&[&epoch], 40),
        // The service's clock is an hour ahead of ours.
        (
            &[
                "date: Sun, 22 Nov 2026 13:00:00 GMT",
                "retry-after: Sun, 22 Nov 2026 13:00:20 GMT",
            ],
            20,
        ),
        (&["date: Sun, 22 Nov 2026 11:59:30 GMT", &epoch], 70),
    ];
    for (headers, pause) in cases {
        let server = Server::replying(vec![reply(429, headers, "too hot"), ok()]).await;
        let (client, clock) = client(config(&server));
        client.get(&server.url("/a")).await.unwrap();
        assert_eq!(clock.slept(), seconds(pause), "{headers:?}");
        assert_eq!(client.usage().waited, seconds(pause), "{headers:?}");
    }
    let server = Server::replying(vec![reply(429, &[], "too hot"), ok()]).await;
    let (client, clock) = client(config(&server));
    client.get(&server.url("/a")).await.unwrap();
    assert!(
        (seconds(5)..=seconds(10)).contains(&clock.slept()),
        "{:?}",
        clock.slept()
    );
}

/// Some services limit with 403, and say so in the body only.
#[tokio::test]
async fn a_problem_that_says_rate_limited_pauses_too() {
    fn reader(status: u16, headers: &HeaderMap, body: &[u8]) -> Problem {
        let rate_limited = body.starts_with(b"Rate limit");
        Problem {
            rate_limited,
            ..Problem::from_text(status, headers, body)
        }
    }
    let limit = reply(
        403,
        &["retry-after: 9"],
        "Rate limit for this resource has been exceeded",
    );
    let server = Server::replying(vec![limit, ok()]).await;
    let mut config = config(&server);
    config.read_problem = reader;
    let (client, clock) = client(config);
    client.get(&server.url("/a")).await.unwrap();
    assert_eq!(clock.slept(), seconds(9));
}

#[tokio::test]
async fn retry_after_a_server_error_is_obeyed() {
    let server = Server::replying(vec![reply(503, &["retry-after: 12"], ""), ok()]).await;
    let (client, clock) = client(config(&server));
    client.get(&server.url("/a")).await.unwrap();
    assert_eq!(clock.slept(), seconds(12));
}

#[tokio::test]
async fn one_answer_pauses_all_workers_until_it_is_over() {
    let server = Server::answering(|n, _| match n {
        0 => reply(429, &["retry-after: 40"], ""),
        _ => ok(),
    })
    .await;
    let clock = Arc::new(TestClock::still());
    let client = Client::with_clock(config(&server), clock.clone()).unwrap();
    let (client, log) = Log::of(&client);

    let first = tokio::spawn({
        let (client, url) = (client.clone(), server.url("/first"));
        async move { client.get(&url).await }
    });
    clock.asleep(1).await;
    let others = tokio::spawn({
        let urls: Vec<_> = (0..9).map(|n| server.url(&format!("/{n}"))).collect();
        let client = client.clone();
        async move { join_all(urls.iter().map(|url| client.get(url))).await }
    });
    // Three more hold a permit and wait; six wait for a permit.
    clock.asleep(4).await;
    assert_eq!(server.paths(), ["/first"]);
    // Naps are short, so that a longer pause is noticed; the pause is not over after one.
    for _ in 0..2 {
        clock.advance(seconds(15));
        clock.asleep(4).await;
        assert_eq!(server.paths(), ["/first"]);
    }
    clock.advance(seconds(10));
    // Computers that were asleep find out soon that the pause is over.
    assert!(clock.naps().iter().all(|nap| *nap <= seconds(15)));
    assert!(first.await.unwrap().is_ok());
    assert!(others.await.unwrap().iter().all(Result::is_ok));
    assert_eq!(server.requests().len(), 11);
    let waiting = log.lines("Waiting");
    // Each of the four that wait tells it once.
    assert_eq!(waiting.len(), 4, "{waiting:?}");
    for line in &waiting {
        assert!(
            line.contains("RateLimit") && line.contains("wait: 40s"),
            "{waiting:?}"
        );
    }
}

#[tokio::test]
async fn a_pause_too_long_is_an_error_for_all_that_says_until_when() {
    let server = Server::replying(vec![reply(429, &["retry-after: 600"], "too hot"), ok()]).await;
    let mut config = config(&server);
    config.max_wait = seconds(599);
    let (client, clock) = client(config);
    let error = client.get(&server.url("/a")).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.status()),
        (ErrorKind::RateLimited, Some(429))
    );
    let until = "2026-11-22T12:10:00Z";
    assert!(error.to_string().contains(until), "{error}");
    assert_eq!(
        error.retry_at(),
        Some(std::time::UNIX_EPOCH + START + seconds(600))
    );
    // The next one is not even sent.
    let error = client.get(&server.url("/b")).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.attempts()),
        (ErrorKind::RateLimited, 0)
    );
    assert!(error.to_string().contains(until), "{error}");
    assert_eq!(server.paths(), ["/a"]);
    // Nor does it take more than the time to go on.
    clock.advance(seconds(600));
    assert!(client.get(&server.url("/c")).await.is_ok());
}

/// A service that says "now" for ever is not asked for ever.
#[tokio::test]
async fn limits_that_repeat_are_bounded_by_time() {
    let server = Server::replying(vec![reply(429, &["retry-after: 0"], "")]).await;
    let mut config = config(&server);
    config.max_wait = seconds(60);
    let (client, clock) = client(config);
    let error = client.get(&server.url("/a")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RateLimited);
    assert!(clock.slept() <= seconds(60), "{:?}", clock.naps());
    // 0, 1, 2, 4, 8, 16 s; the next would be 32.
    assert_eq!(server.requests().len(), 7);
}

/// Being told to wait does not use up the attempts that failures may take.
#[tokio::test]
async fn limits_are_not_failed_attempts() {
    let limit = reply(429, &["retry-after: 1"], "");
    let failure = reply(500, &[], "");
    let mut replies = vec![limit; 8];
    replies.extend([failure.clone(), failure, ok()]);
    let server = Server::replying(replies).await;
    let mut config = config(&server);
    config.max_attempts = 3;
    let (client, _) = client(config);
    client.get(&server.url("/a")).await.unwrap();
    assert_eq!(server.requests().len(), 11);
}

/// An observer hears of a pause if a request of its own waits, and only then.
#[tokio::test]
async fn only_those_who_wait_hear_of_it() {
    let limited = reply(429, &["retry-after: 9"], "too hot");
    let server = Server::replying(vec![ok(), limited, ok()]).await;
    let (client, _) = client(config(&server));
    let (client, everything) = Log::of(&client);
    let (before, early) = Log::of(&client);
    before.get(&server.url("/early")).await.unwrap();
    let (waits, late) = Log::of(&client);
    waits.get(&server.url("/late")).await.unwrap();
    assert_eq!(early.lines("Waiting").len(), 0);
    assert_eq!(early.lines("Request").len(), 1);
    assert_eq!(late.lines("Waiting").len(), 1);
    assert_eq!(late.lines("Request").len(), 2);
    assert_eq!(everything.lines("Waiting").len(), 1);
    assert_eq!(everything.lines("Request").len(), 3);
}
