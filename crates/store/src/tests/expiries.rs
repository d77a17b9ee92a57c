//! Processes that share one sign-in through PostgreSQL, whose refresh token rotates. `EXPIRIES` makes a longer campaign of
//! it, which `cargo x hours` runs.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use bucketline_private_postgres::Server;
use bucketline_rest::{
    Client, ClientConfig, Credential, OAuth, OAuthServer, OAuthSettings, Problem, Start, Tokens,
    Url,
};

use crate::conformance::place;
use crate::conformance::tokens::Reversed;
use crate::{SignIns, open};

const PROCESSES: usize = 10;

const SERVER: &str = "BUCKETLINE_TEST_EXPIRIES_SERVER";
const STORE: &str = "BUCKETLINE_TEST_EXPIRIES_STORE";
const PROCESS: &str = "BUCKETLINE_TEST_EXPIRIES_PROCESS";

/// An API and its OAuth server. The access token ends when the test says so; each refresh replaces the refresh token. The
/// one before it is taken as long as its successor was not used: an answer may have been lost with a killed process.
#[derive(Debug, Default)]
struct Service {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Counts the refresh tokens that were given out.
    newest: u32,
    is_newest_used: bool,
    /// Counts expiries.
    epoch: u32,
    /// The epoch of the access token of each refresh.
    access: BTreeMap<String, u32>,
    /// The refreshes in each epoch.
    refreshes: BTreeMap<u32, u32>,
    /// Who has been answered since the last expiry.
    served: BTreeSet<String>,
    signed_out: u32,
}

impl Service {
    fn start(self: &Arc<Self>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let service = Arc::clone(self);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let service = Arc::clone(&service);
                std::thread::spawn(move || service.talk(stream));
            }
        });
        address
    }

    fn talk(&self, stream: TcpStream) -> Option<()> {
        stream.set_nodelay(true).ok()?;
        let mut out = stream.try_clone().ok()?;
        let mut reader = BufReader::new(stream);
        loop {
            let mut first = String::new();
            if reader.read_line(&mut first).ok()? == 0 {
                return None;
            }
            let (mut length, mut bearer) = (0, String::new());
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).ok()?;
                let (name, value) = line.split_once(':').unwrap_or_default();
                match name.to_lowercase().as_str() {
                    "content-length" => length = value.trim().parse().ok()?,
                    "authorization" => bearer = value.trim().replace("Bearer ", ""),
                    _ => {}
                }
                if line.trim().is_empty() {
                    break;
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).ok()?;
            let path = first.split(' ').nth(1).unwrap_or_default();
            let (status, text) = match path {
                "/token" => self.refresh(&String::from_utf8_lossy(&body)),
                other => self.serve(other, &bearer),
            };
            let length = text.len();
            let answer = format!(
                "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{text}"
            );
            out.write_all(answer.as_bytes()).ok()?;
        }
    }

    fn refresh(&self, body: &str) -> (&'static str, String) {
        let mut state = self.state.lock().unwrap();
        let newest = state.newest;
        let is = |number: u32| body.contains(&format!("refresh_token=refresh-{number}-"));
        let is_newest = is(newest);
        if !is_newest && (state.is_newest_used || newest == 0 || !is(newest - 1)) {
            state.signed_out += 1;
            return ("400 Bad Request", r#"{"error":"invalid_grant"}"#.to_owned());
        }
        state.newest += 1;
        state.is_newest_used = false;
        let (number, epoch) = (state.newest, state.epoch);
        state.access.insert(format!("access-{number}-x"), epoch);
        *state.refreshes.entry(epoch).or_default() += 1;
        let answer = format!(
            r#"{{"access_token":"access-{number}-x","refresh_token":"refresh-{number}-x","expires_in":7200,"token_type":"bearer"}}"#
        );
        ("200 OK", answer)
    }

    fn serve(&self, path: &str, bearer: &str) -> (&'static str, String) {
        let mut state = self.state.lock().unwrap();
        if state.access.get(bearer) != Some(&state.epoch) {
            return ("401 Unauthorized", "{}".to_owned());
        }
        if bearer == format!("access-{}-x", state.newest) {
            state.is_newest_used = true;
        }
        if state.served.insert(path.to_owned()) {
            self.changed.notify_all();
        }
        ("200 OK", "{}".to_owned())
    }

    /// Ends the access token, and waits until every process has another one.
    fn expire(&self) {
        let mut state = self.state.lock().unwrap();
        state.epoch += 1;
        state.served.clear();
        let all = |state: &mut State| state.served.len() < PROCESSES && state.signed_out == 0;
        drop(self.changed.wait_while(state, all).unwrap());
    }
}

fn oauth(server: &str) -> OAuthSettings {
    let url = |path: &str| Url::parse(&format!("{server}{path}")).unwrap();
    let places = OAuthServer {
        authorize: url("/authorize"),
        token: url("/token"),
    };
    let mut settings = OAuthSettings::new(places, url("/"), "consumer", "secret".into(), "test");
    settings.start = Some(Start::Tokens(Tokens {
        access_token: "access-0-x".into(),
        refresh_token: Some("refresh-0-x".into()),
        expires_at: None,
        scopes: Vec::new(),
    }));
    settings
}

#[tokio::test]
#[ignore = "a child of the next test"]
async fn child_makes_requests_with_a_shared_sign_in() {
    let Ok(server) = std::env::var(SERVER) else {
        return;
    };
    let variable = |name| std::env::var(name).unwrap();
    let store = open(&place(&variable(STORE))).await.unwrap();
    let tokens = Arc::new(SignIns::new(store, Arc::new(Reversed)));
    let mut settings = oauth(&server);
    settings.tokens = Some((tokens, "cloud".to_owned()));
    let credential = Credential::OAuth(OAuth::new(settings).unwrap());
    let base = Url::parse(&server).unwrap();
    let config = ClientConfig::new(base, credential, "test", Problem::from_text);
    let client = Client::new(config).unwrap();
    let path = Url::parse(&format!("{server}/{}", variable(PROCESS))).unwrap();
    // Until it is killed. The service sees what becomes of each request.
    loop {
        let _ = client.get(&path).await;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// A child that ends with its value.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(process: usize, server: &str, store: &str) -> Running {
    let child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "tests::expiries::child_makes_requests_with_a_shared_sign_in",
            "--ignored",
        ])
        .env(SERVER, server)
        .env(STORE, store)
        .env(PROCESS, process.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    Running(child.unwrap())
}

/// Ten processes, one of which is killed at every fifth expiry: one renews for all of them, and nobody is signed out.
#[test]
#[allow(clippy::print_stderr)]
fn one_process_renews_for_all_and_a_kill_signs_nobody_out() {
    let Some(postgres) = Server::for_test() else {
        return;
    };
    let expiries = std::env::var("EXPIRIES").ok();
    let expiries = expiries.and_then(|text| text.parse().ok()).unwrap_or(20);
    let store = postgres.create_database().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(open(&place(&store))).unwrap();
    let service = Arc::new(Service::default());
    let server = service.start();
    let mut running: Vec<_> = (0..PROCESSES)
        .map(|process| start(process, &server, &store))
        .collect();
    let mut kills = 0;
    for expiry in 0..expiries {
        service.expire();
        if expiry % 5 == 4 {
            let process = expiry % PROCESSES;
            drop(std::mem::replace(
                &mut running[process],
                start(process, &server, &store),
            ));
            kills += 1;
        }
    }
    drop(running);
    let state = service.state.lock().unwrap();
    let refreshes: u32 = state.refreshes.values().sum();
    eprintln!("{expiries} expiries, {kills} kills: {refreshes} refreshes");
    assert_eq!(state.signed_out, 0);
    // A process may be killed between the answer and its end.
    let most = u32::try_from(expiries + kills).unwrap();
    assert!(refreshes <= most, "{:?}", state.refreshes);
    let twice = state.refreshes.values().filter(|count| **count > 1).count();
    assert!(twice <= kills, "{:?}", state.refreshes);
}
