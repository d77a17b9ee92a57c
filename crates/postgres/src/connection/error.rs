//! PostgreSQL's errors as a destination's, and what helps against them.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use bucketline_core::{Code, Kind};
use bucketline_destination::{Error, code};
use bucketline_secret::process;
use rustls::CertificateError;
use secrecy::{ExposeSecret as _, SecretString};
use tokio_postgres::error::{DbError, SqlState};

use super::method::Refused;

/// What may help against an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recovery {
    /// The same transaction once more, in the same session.
    Repeat,
    /// A new session: this one is broken, or its server cannot do it now.
    Reconnect,
    /// Nothing that a program can do.
    None,
}

impl Recovery {
    /// What may help against an error of this crate, or of the client in it.
    pub(crate) fn of(error: &(dyn StdError + 'static)) -> Self {
        if find::<rustls::Error>(error).is_some() || find::<Refused>(error).is_some() {
            return Self::None;
        }
        let Some(client) = find::<tokio_postgres::Error>(error) else {
            return match find::<io::Error>(error) {
                Some(_) => Self::Reconnect,
                None => Self::None,
            };
        };
        match client.code() {
            Some(code) => Self::of_state(code),
            None if client.is_closed() || find::<io::Error>(client).is_some() => Self::Reconnect,
            None => Self::None,
        }
    }

    fn of_state(code: &SqlState) -> Self {
        match code.code() {
            // Serialization, deadlock. A lock that was not to be had has been waited for.
            "40001" | "40P01" => Self::Repeat,
            // Too many sessions; a server that stops, starts, crashed, or is a copy; a session that
            // was ended for being idle.
            "53300" | "57P01" | "57P02" | "57P03" | "57P05" | "25006" | "25P03" => Self::Reconnect,
            code if code.starts_with("08") => Self::Reconnect,
            _ => Self::None,
        }
    }
}

/// The client's error as the cause of ours. It shows what may be shown, and no cause of its own,
/// since those would be shown as they came.
pub(crate) struct Cause(pub(crate) tokio_postgres::Error);

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&scrubbed(&self.0.to_string()))
    }
}

impl fmt::Debug for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl StdError for Cause {}

/// The first of a kind in an error and what caused it.
fn find<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        if let Some(Cause(client)) = error.downcast_ref() {
            next = Some(client);
            continue;
        }
        // An I/O error does not name the one in it as its cause.
        next = match error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
        {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

/// Takes a password out of all messages from now on: a server that was told one may repeat it.
pub(super) fn hide(password: &SecretString) {
    process::hide(password.expose_secret());
}

/// What a server says, without passwords, and not longer than a message.
pub(crate) fn scrubbed(text: &str) -> String {
    process::quote(text)
}

/// An error of the network, met while doing what `doing` says.
pub(super) fn unreachable(doing: &str, error: io::Error) -> Error {
    let hint = advice(&error);
    Error::new(code::UNAVAILABLE, format!("{doing}: {error}"))
        .with_kind(Kind::Transient)
        .with_source(error)
        .with_hint(hint)
}

/// What the server said, if an error of this crate comes from that.
pub(crate) fn refusal(error: &Error) -> Option<&DbError> {
    find::<tokio_postgres::Error>(error)?.as_db_error()
}

/// An error of PostgreSQL, met while doing what `doing` says.
pub(crate) fn failed(doing: &str, error: tokio_postgres::Error) -> Error {
    let kind = narrowed(&error);
    let (code, why, hint) = match (error.as_db_error(), find::<rustls::Error>(&error)) {
        (Some(refusal), _) => told_by_server(refusal),
        (None, Some(tls)) => told_by_tls(tls),
        (None, None) => met_on_the_way(&error),
    };
    let why = scrubbed(&why);
    let mut told = Error::new(code, format!("{doing}: {why}")).with_source(Cause(error));
    if let Some(kind) = kind {
        told = told.with_kind(kind);
    }
    match hint {
        "" => told,
        hint => told.with_hint(hint),
    }
}

/// The server does not take a value: it has no place for it, or is larger than an index or a page takes.
pub(crate) fn is_of_a_value(error: &Error) -> bool {
    let server = find::<tokio_postgres::Error>(error).and_then(tokio_postgres::Error::code);
    server.is_some_and(|code| code.code().starts_with("54") || code.code().starts_with("22"))
}

/// Turns the client's results into a destination's.
pub(crate) trait Doing<T> {
    /// Says in an error what was being done.
    fn doing(self, what: &str) -> Result<T, Error>;
}

impl<T> Doing<T> for Result<T, tokio_postgres::Error> {
    fn doing(self, what: &str) -> Result<T, Error> {
        self.map_err(|error| failed(what, error))
    }
}

/// What can be done about an error, where its code covers too much.
fn narrowed(error: &tokio_postgres::Error) -> Option<Kind> {
    let Some(state) = error.code() else {
        let is_of_network = find::<rustls::Error>(error).is_none()
            && find::<Refused>(error).is_none()
            && (error.is_closed() || find::<io::Error>(error).is_some());
        return is_of_network.then_some(Kind::Transient);
    };
    Some(match state.code() {
        "28P01" | "28000" => Kind::Credential,
        "42501" => Kind::Permission,
        "55P03" => Kind::Conflict,
        "25006" | "57014" => Kind::Configuration,
        state => match &state[..state.len().min(2)] {
            "08" | "53" | "57" | "58" => Kind::Transient,
            _ => return None,
        },
    })
}

/// What the server says, and what is to be done by the class of it.
fn told_by_server(refusal: &DbError) -> (Code, String, &'static str) {
    use code::{BAD_VALUE, DATABASE, NOT_FOUND, UNAVAILABLE, UNSUPPORTED};

    let state = refusal.code().code();
    let (code, hint) = match state {
        "28P01" => (
            UNAVAILABLE,
            "check the user and the password: Password=env:NAME, PGPASSWORD or ~/.pgpass",
        ),
        "28000" => (
            UNAVAILABLE,
            "check the user; what pg_hba.conf of the server says decides who may connect, and whether by TLS alone",
        ),
        "3D000" => (
            UNAVAILABLE,
            "check the name, or have it made: CREATE DATABASE",
        ),
        "42501" => (
            UNAVAILABLE,
            "have the owner grant it to this user (docs/destinations.md has the statements)",
        ),
        "53300" => (
            UNAVAILABLE,
            "wait until others have disconnected, or raise max_connections",
        ),
        "53100" => (UNAVAILABLE, "make room on the server's disk"),
        "25006" => (
            UNAVAILABLE,
            "this server is a copy or set to take no writes: name the primary, or all hosts",
        ),
        "57P03" | "57P01" | "57P02" => (UNAVAILABLE, "run this again when the server is up"),
        "55P03" => (
            UNAVAILABLE,
            "another session holds the table: end its transaction, then run this again",
        ),
        "57014" => (
            UNAVAILABLE,
            "raise statement_timeout of this user, or give options=-c statement_timeout=...",
        ),
        "2BP01" => (
            DATABASE,
            "drop what stands on it, a view for example, and make that again afterwards",
        ),
        "42P01" | "42883" | "42704" if is_within_function(refusal) => (
            DATABASE,
            "a function of the table's, such as a trigger's, names something without its schema: ALTER FUNCTION ... \
             SET search_path, or give this connection options=-c search_path=...",
        ),
        "42P01" | "42703" | "3F000" => (NOT_FOUND, ""),
        "0A000" => (UNSUPPORTED, ""),
        state => match &state[..state.len().min(2)] {
            "22" | "54" => (BAD_VALUE, ""),
            "23" => (
                BAD_VALUE,
                "change or drop the constraint that the message names",
            ),
            "08" | "53" | "57" | "58" => (UNAVAILABLE, ""),
            _ => (DATABASE, ""),
        },
    };
    let detail = refusal.detail().map(|detail| format!("; {detail}"));
    let why = format!(
        "{}{} ({state})",
        refusal.message(),
        detail.as_deref().unwrap_or_default().trim_end_matches('.')
    );
    (code, why, hint)
}

/// It was met in a function that a statement of ours called without knowing, a trigger's for example.
fn is_within_function(refusal: &DbError) -> bool {
    refusal
        .where_()
        .is_some_and(|place| place.contains("function"))
}

/// Why the server was not believed.
fn told_by_tls(error: &rustls::Error) -> (Code, String, &'static str) {
    use CertificateError::*;

    let (why, hint) = match error {
        rustls::Error::InvalidCertificate(certificate) => match certificate {
            Expired | ExpiredContext { .. } => (
                "the server's certificate has expired".to_owned(),
                "have it renewed",
            ),
            NotValidYet | NotValidYetContext { .. } => (
                "the server's certificate is not valid yet".to_owned(),
                "check this machine's clock",
            ),
            NotValidForName | NotValidForNameContext { .. } => (
                "the server's certificate is for another name".to_owned(),
                "use a host name that stands in it as a subjectAltName, or sslmode=verify-ca with sslrootcert",
            ),
            // A known authority's name over another key is an unknown authority.
            UnknownIssuer | BadSignature => (
                "nobody known signed the server's certificate".to_owned(),
                "name a file with it or with its authority's: sslrootcert=FILE",
            ),
            other => (format!("the server's certificate: {other}"), ""),
        },
        rustls::Error::AlertReceived(alert) => (
            format!("the server refused TLS with this client ({alert:?})"),
            "it may want a certificate of the client: sslcert and sslkey",
        ),
        other => (format!("TLS failed: {other}"), ""),
    };
    (code::UNAVAILABLE, why, hint)
}

/// What the client met before the server said anything, or when it stopped doing so.
fn met_on_the_way(error: &tokio_postgres::Error) -> (Code, String, &'static str) {
    if let Some(refused) = find::<Refused>(error) {
        return (code::UNAVAILABLE, refused.to_string(), refused.hint());
    }
    if let Some(met) = find::<io::Error>(error) {
        return (code::UNAVAILABLE, met.to_string(), advice(met));
    }
    // The client has no types for these.
    let cause = error.source().map(ToString::to_string).unwrap_or_default();
    let (why, hint) = match cause.as_str() {
        "server does not support TLS" => (
            "the server has no TLS",
            "turn it on there (ssl = on), or say that nothing is encrypted: sslmode=disable",
        ),
        "password missing" => (
            "the server wants a password, and none is given",
            "give Password=env:NAME, set PGPASSWORD, or write it into ~/.pgpass",
        ),
        _ if error.is_closed() => ("the connection broke", "run this again"),
        "" => return (code::DATABASE, error.to_string(), ""),
        cause => return (code::DATABASE, format!("{error}: {cause}"), ""),
    };
    (code::UNAVAILABLE, why.to_owned(), hint)
}

/// What helps where nobody answers.
fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            "nothing listens there: check host and port, and whether the server runs"
        }
        io::ErrorKind::NotFound => {
            "there is no socket: check the folder and the port, and whether the server runs"
        }
        io::ErrorKind::TimedOut => "check the host, and the firewalls between",
        io::ErrorKind::UnexpectedEof
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::BrokenPipe => "run this again; if it stays, see the server's log",
        _ => "check the host and the network",
    }
}
