//! Servers that ask for the password in ways that a client must not answer.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::{refusal, told, variables};
use crate::connection::{Pool, Recovery, Settings};

/// Something on loopback that asks with these bytes, and gives back what it was told then.
async fn impostor(asks: &'static [u8]) -> (u16, JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let length = stream.read_u32().await.unwrap();
        let mut startup = vec![0; length as usize - 4];
        stream.read_exact(&mut startup).await.unwrap();
        // Byte by byte, as a network may bring it.
        for byte in asks {
            if stream.write_all(&[*byte]).await.is_err() {
                break;
            }
            tokio::task::yield_now().await;
        }
        // The first byte of its answer, if it gives one.
        let mut told = [0];
        let length = stream.read(&mut told).await.unwrap_or(0);
        told[..length].to_vec()
    });
    (port, serving)
}

const IN_CLEAR: &[u8] = b"R\0\0\0\x08\0\0\0\x03";
const MD5: &[u8] = b"R\0\0\0\x0c\0\0\0\x05salt";
const NOTHING: &[u8] = b"R\0\0\0\x08\0\0\0\0";

#[tokio::test]
async fn the_password_is_not_told_in_clear_to_whoever_listens() {
    for extra in ["", "?sslmode=disable", "?channel_binding=disable"] {
        let (port, serving) = impostor(IN_CLEAR).await;
        let url = format!("postgres://me:planted@127.0.0.1:{port}/copy{extra}");
        let error = refusal(&url).await;
        assert_eq!(
            error,
            format!(
                "PostgreSQL 127.0.0.1:{port}/copy: the server asks for the password in clear, and \
                 TLS has not verified who it is\nhint: have the server use scram-sha-256 \
                 (pg_hba.conf), or connect with TLS; if you trust whoever listens there: \
                 require_auth=password"
            )
        );
        assert_eq!(serving.await.unwrap(), b"");
    }
    // Nothing to tell: then it says what is missing.
    let (port, _serving) = impostor(IN_CLEAR).await;
    let error = refusal(&format!("postgres://me@127.0.0.1:{port}/copy")).await;
    assert!(
        error.contains("wants a password, and none is given"),
        "{error}"
    );
}

#[tokio::test]
async fn require_auth_says_what_is_answered() {
    for (asks, methods, is_answered) in [
        (IN_CLEAR, "password", true),
        (IN_CLEAR, "md5, password", true),
        (IN_CLEAR, "!none", true),
        (IN_CLEAR, "scram-sha-256", false),
        (IN_CLEAR, "!password", false),
        (MD5, "md5", true),
        (MD5, "scram-sha-256,none", false),
        (MD5, "!md5,!password", false),
        (NOTHING, "scram-sha-256", false),
        (NOTHING, "!none", false),
    ] {
        let (port, serving) = impostor(asks).await;
        let methods = methods.replace(' ', "%20");
        let url = format!("postgres://me:planted@127.0.0.1:{port}/c?require_auth={methods}");
        let error = refusal(&url).await;
        assert_eq!(
            !error.contains("require_auth"),
            is_answered,
            "{methods}: {error}"
        );
        let told = serving.await.unwrap();
        assert_eq!(told.starts_with(b"p"), is_answered, "{methods}");
    }
}

#[test]
fn require_auth_is_read_as_libpq_reads_it() {
    for wrong in ["", "x", "md5,!password", "scram", "md5,,password"] {
        let text = format!("host=db user=me require_auth='{wrong}'");
        let settings = Settings::parse(&text, &variables(&[]));
        assert_eq!(settings.is_ok(), wrong.is_empty(), "{wrong}");
    }
    let environment = [("PGREQUIREAUTH", "nonsense")];
    let error = Settings::parse("host=db user=me", &variables(&environment)).unwrap_err();
    assert!(
        told(&error).starts_with("require_auth (or PGREQUIREAUTH) cannot be `nonsense`"),
        "{error}"
    );
}

/// A server that repeats the password in an error of any length.
#[tokio::test]
async fn a_password_is_cut_out_of_what_a_server_says() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let length = stream.read_u32().await.unwrap();
        let mut startup = vec![0; length as usize - 4];
        stream.read_exact(&mut startup).await.unwrap();
        let long = "x".repeat(60_000);
        let fields =
            format!("SFATAL\0C28P01\0Mbad: planted/echo planted%2Fecho {long}\0D{long}\0\0");
        let length = u32::try_from(fields.len() + 4).unwrap();
        stream.write_all(b"E").await.unwrap();
        stream.write_u32(length).await.unwrap();
        stream.write_all(fields.as_bytes()).await.unwrap();
    });
    let text = format!("host=127.0.0.1 port={port} user=me password=planted/echo dbname=copy");
    let settings = Settings::parse(&text, &variables(&[])).unwrap();
    let error = Pool::new(&settings).get().await.unwrap_err();
    let mut seen = told(&error);
    assert!(seen.contains("bad: *** ***"), "{seen}");
    // Its causes are shown, too.
    let mut next: Option<&dyn std::error::Error> = Some(&error);
    while let Some(error) = next {
        seen.push_str(&format!("{error} {error:?}"));
        next = error.source();
    }
    assert!(!seen.contains("planted") && seen.len() < 4000, "{seen}");
    assert_eq!(Recovery::of(&error), Recovery::None);
}
