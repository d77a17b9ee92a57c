//! The client against a scripted server, in virtual time.
#![allow(clippy::unwrap_used)]

mod attempts;
mod body;
mod budget;
mod clock;
mod oauth;
mod origins;
mod pauses;
mod proxies;
mod secrets;
mod server;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use self::clock::TestClock;
use self::server::Server;
use crate::{Client, ClientConfig, Credential, Event, Observer, Problem, Url};

/// A configuration for `server`, with problems that are plain text.
fn config(server: &Server) -> ClientConfig {
    let mut config = ClientConfig::new(
        server.url(""),
        Credential::Bearer("planted-secret".into()),
        "bucketline-test/1",
        Problem::from_text,
    );
    config.timeout = Duration::from_secs(20);
    config
}

/// A client whose pauses are over at once.
fn client(config: ClientConfig) -> (Client, Arc<TestClock>) {
    let clock = Arc::new(TestClock::hurried());
    let client = Client::with_clock(config, clock.clone()).unwrap();
    (client, clock)
}

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

/// Keeps events as text.
#[derive(Default)]
struct Log(Mutex<Vec<String>>);

impl Log {
    /// The client, and all that its requests tell.
    fn of(client: &Client) -> (Client, Arc<Log>) {
        let log = Arc::new(Log::default());
        (client.observed(log.clone()), log)
    }

    fn lines(&self, start: &str) -> Vec<String> {
        let lines = self.0.lock().unwrap();
        lines
            .iter()
            .filter(|line| line.starts_with(start))
            .cloned()
            .collect()
    }
}

impl Observer for Log {
    fn event(&self, event: &Event<'_>) {
        self.0.lock().unwrap().push(format!("{event:?}"));
    }
}
