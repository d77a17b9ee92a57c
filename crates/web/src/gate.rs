//! Who is let in: requests to this machine that bring the token.

use std::fmt::Write as _;

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, HOST};
use axum::http::{HeaderMap, Uri};
use axum::middleware::Next;
use axum::response::Response;
use bucketline_core::{Error, code};
use sha2::{Digest, Sha256};

use crate::problem::Refused;

/// What every request must bring, as `Authorization: Bearer TOKEN`.
#[derive(Clone)]
pub struct Token(String);

/// The token is a secret.
impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(***)")
    }
}

impl Token {
    /// A token that somebody chose.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// A token that nobody can guess. `None` if the system gives no random bytes.
    pub fn random() -> Option<Self> {
        let mut bytes = [0; 32];
        let provider = rustls::crypto::ring::default_provider();
        provider.secure_random.fill(&mut bytes).ok()?;
        let mut text = String::from("bl_");
        for byte in bytes {
            write!(text, "{byte:02x}").ok()?;
        }
        Some(Self(text))
    }

    /// The text, to be shown once.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Compares digests, so that the time it takes tells nothing of the token.
    fn is(&self, given: &str) -> bool {
        Sha256::digest(self.0.as_bytes()) == Sha256::digest(given.as_bytes())
    }
}

/// Lets a request through, or refuses it.
pub(crate) async fn check(
    State(token): State<Token>,
    request: Request,
    next: Next,
) -> Result<Response, Refused> {
    if !is_for_this_machine(request.headers(), request.uri()) {
        let error = Error::new(
            code::web::FOREIGN_HOST,
            "the request is for another host than this machine",
        );
        return Err(error
            .with_hint("use the address that `bucketline serve` prints")
            .into());
    }
    let given = request.headers().get(AUTHORIZATION);
    let given = given
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("Bearer"))
        .map(|(_, given)| given.trim());
    match given {
        Some(given) if token.is(given) => Ok(next.run(request).await),
        given => {
            let message = match given {
                Some(_) => "the token is wrong",
                None => "the request brings no token",
            };
            let error = Error::new(code::web::NO_TOKEN, message).with_hint(
                "send `Authorization: Bearer TOKEN` with the token that `bucketline serve` prints",
            );
            Err(Refused::caller(error))
        }
    }
}

/// Whether each name that the request gives its server is one of this machine: a page of somebody else whose name was
/// pointed here names itself.
fn is_for_this_machine(headers: &HeaderMap, uri: &Uri) -> bool {
    let mut hosts = headers
        .get_all(HOST)
        .iter()
        .map(|host| host.to_str().unwrap_or_default())
        .chain(uri.authority().map(|authority| authority.as_str()))
        .peekable();
    hosts.peek().is_some() && hosts.all(is_loopback)
}

fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.parse::<u16>().is_ok() => name,
        _ => host,
    };
    matches!(name, "127.0.0.1" | "[::1]") || name.eq_ignore_ascii_case("localhost")
}

#[cfg(test)]
mod tests {
    use super::{Token, is_loopback};

    #[test]
    fn only_names_of_this_machine_are_let_in() {
        for host in [
            "127.0.0.1",
            "127.0.0.1:7979",
            "localhost:1",
            "LocalHost",
            "[::1]:80",
            "[::1]",
        ] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "127.0.0.1.evil.example",
            "localhost.evil.example:80",
            "127.0.0.1:80:80",
            "127.0.0.1:x",
            "0.0.0.0:80",
            "127.0.0.2",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn a_token_is_long_shown_only_on_purpose_and_never_the_same() {
        let (one, other) = (Token::random().unwrap(), Token::random().unwrap());
        assert_eq!(one.reveal().len(), 67);
        assert!(one.is(one.reveal()) && !one.is(other.reveal()) && !one.is(""));
        assert!(!format!("{one:?}").contains(&one.reveal()[3..]));
    }
}
