//! Sign-in by OAuth against the sandbox.

#[cfg(unix)]
mod file;
mod flows;
#[cfg(feature = "keyring")]
mod keyring;
mod processes;
mod renewal;
mod secrets;

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bucketline_sandbox::{Change, Config, Consent, Consumer, Sandbox};
use secrecy::ExposeSecret as _;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::Log;
use crate::{
    Client, ClientConfig, Credential, OAuth, OAuthServer, OAuthSettings, Problem, SecretString, Url,
};

const KEY: &str = "sandbox-key-acme";
const SECRET: &str = "sandbox-consumer-secret-acme";

/// A sandbox with a consumer whose page allows at once, and a folder for tokens.
struct Stage {
    sandbox: Sandbox,
    folder: TempDir,
    callback: String,
}

impl Stage {
    async fn new() -> Stage {
        // Free a moment ago, and of those that the system gives to nobody who asks for any.
        let port = std::iter::repeat_with(|| fastrand::u16(20_000..30_000))
            .find(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok());
        let callback = format!("http://localhost:{}", port.unwrap());
        let mut consumer = Consumer::new("acme");
        consumer.callback = callback.clone();
        consumer.consent = Consent::Allow;
        let config = Config {
            consumers: vec![consumer],
            ..Config::default()
        };
        Stage {
            sandbox: Sandbox::start(config).await.unwrap(),
            folder: tempfile::tempdir().unwrap(),
            callback,
        }
    }

    fn settings(&self) -> OAuthSettings {
        let mut settings = settings(self.sandbox.origin());
        settings.callback = self.callback.clone();
        settings.token_file = Some(self.token_file());
        settings
    }

    fn oauth(&self) -> OAuth {
        OAuth::new(self.settings()).unwrap()
    }

    fn token_file(&self) -> PathBuf {
        self.folder.path().join("tokens.json")
    }

    fn client(&self, oauth: &OAuth) -> Client {
        client(self.sandbox.origin(), oauth)
    }

    fn user(&self) -> Url {
        user(self.sandbox.origin())
    }

    /// An [`OAuth`] whose tokens are in the file.
    async fn signed_in(&self) -> OAuth {
        sign_in(self.oauth()).await
    }

    fn stored(&self) -> Value {
        serde_json::from_slice(&fs::read(self.token_file()).unwrap()).unwrap()
    }

    /// Changes what the file says.
    fn edit(&self, key: &str, value: &str) {
        let mut stored = self.stored();
        stored[key] = value.into();
        fs::write(self.token_file(), stored.to_string()).unwrap();
    }

    /// Requests for tokens so far.
    fn asked(&self) -> usize {
        self.sandbox.count("/site/oauth2/access_token")
    }

    fn advance(&self, time: Duration) {
        let seconds = time.as_secs_f64();
        self.sandbox
            .apply(Change::AdvanceClock { seconds })
            .unwrap();
    }
}

const PAST: &str = "2026-01-01T00:00:00Z";
const HOUR: Duration = Duration::from_secs(60 * 60);
const MINUTE: Duration = Duration::from_secs(60);

fn settings(origin: &str) -> OAuthSettings {
    let address = |path| Url::parse(&format!("{origin}{path}")).unwrap();
    let server = OAuthServer {
        authorize: address("/site/oauth2/authorize"),
        token: address("/site/oauth2/access_token"),
    };
    OAuthSettings::new(server, address("/2.0"), KEY, SECRET.into(), "test/1")
}

fn client(origin: &str, oauth: &OAuth) -> Client {
    let base = Url::parse(&format!("{origin}/2.0")).unwrap();
    let credential = Credential::OAuth(oauth.clone());
    Client::new(ClientConfig::new(
        base,
        credential,
        "test/1",
        Problem::from_text,
    ))
    .unwrap()
}

fn user(origin: &str) -> Url {
    Url::parse(&format!("{origin}/2.0/user")).unwrap()
}

/// Signs in by the page, which allows at once.
async fn sign_in(oauth: OAuth) -> OAuth {
    let authorization = oauth.begin();
    let back = visit(authorization.url()).await.location.unwrap();
    oauth.finish(&authorization, &back).await.unwrap();
    oauth
}

/// What a browser gets that follows nothing.
struct Page {
    status: u16,
    location: Option<String>,
    body: String,
}

async fn visit(url: &Url) -> Page {
    let port = url.port().unwrap();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let target = &url[url::Position::BeforePath..];
    let request = format!("GET {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let location = head
        .lines()
        .find_map(|line| line.strip_prefix("location: "));
    Page {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        location: location.map(str::to_owned),
        body: body.to_owned(),
    }
}

fn secret(text: &str) -> SecretString {
    text.into()
}

fn expose(secret: &SecretString) -> &str {
    secret.expose_secret()
}
