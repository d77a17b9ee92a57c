//! A client that sends exactly the bytes it is given: one request a connection.

use std::io::{Read, Write};
use std::net::TcpStream;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bucketline_sandbox::Sandbox;
use serde_json::Value;

/// Signs in as a workspace's API token.
pub(crate) fn api_token(workspace: &str) -> String {
    basic(
        &format!("user1@{workspace}.example"),
        &format!("sandbox-api-token-{workspace}"),
    )
}

/// Signs in as a workspace's access token.
pub(crate) fn access_token(workspace: &str) -> String {
    format!("Bearer sandbox-access-token-{workspace}")
}

pub(crate) fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    pub(crate) fn message(&self) -> String {
        self.json()["error"]["message"].as_str().unwrap().to_owned()
    }

    /// One field of each row of a page.
    pub(crate) fn column(&self, pointer: &str) -> Vec<Value> {
        let json = self.json();
        let rows = json["values"].as_array().unwrap();
        rows.iter()
            .map(|row| row.pointer(pointer).cloned().unwrap_or(Value::Null))
            .collect()
    }

    pub(crate) fn ids(&self) -> Vec<u64> {
        self.column("/id")
            .iter()
            .map(|id| id.as_u64().unwrap())
            .collect()
    }

    pub(crate) fn next(&self) -> Option<String> {
        self.json()["next"].as_str().map(str::to_owned)
    }
}

/// Sends one request; the path (below the origin) goes out as it is.
pub(crate) fn request(
    sandbox: &Sandbox,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> std::io::Result<Answer> {
    let address = sandbox.origin().strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address)?;
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
    stream.write_all(head.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let split = answer.windows(4).position(|window| window == b"\r\n\r\n");
    let Some(split) = split else {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    };
    let head = String::from_utf8_lossy(&answer[..split]).into_owned();
    let mut lines = head.lines();
    let status = lines
        .next()
        .unwrap()
        .split(' ')
        .nth(1)
        .unwrap()
        .parse()
        .unwrap();
    let headers = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    Ok(Answer {
        status,
        headers,
        body: answer[split + 4..].to_vec(),
    })
}

/// GET with or without credentials.
pub(crate) fn get_as(sandbox: &Sandbox, authorization: Option<&str>, path: &str) -> Answer {
    let path = path.strip_prefix(sandbox.origin()).unwrap_or(path);
    let headers: Vec<(&str, &str)> = authorization
        .map(|value| ("authorization", value))
        .into_iter()
        .collect();
    request(sandbox, "GET", path, &headers, "").unwrap()
}

/// GET below `/2.0` (or of an absolute link) as `acme`'s API token.
pub(crate) fn get(sandbox: &Sandbox, path: &str) -> Answer {
    let path = match path.strip_prefix(sandbox.origin()) {
        Some(rest) => rest.to_owned(),
        None => format!("/2.0{path}"),
    };
    get_as(sandbox, Some(&api_token("acme")), &path)
}

/// Follows `next` to the end.
pub(crate) fn walk(sandbox: &Sandbox, path: &str) -> Vec<Answer> {
    let mut pages = vec![get(sandbox, path)];
    while let Some(next) = pages.last().unwrap().next() {
        pages.push(get(sandbox, &next));
    }
    pages
}

pub(crate) fn encode(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}
