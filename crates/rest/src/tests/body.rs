//! What a request says, and what is read of the answer.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

use super::server::{Reply, Server, ok, reply};
use super::{client, config};
use crate::body::breaks_off;
use crate::{Credential, ErrorKind};

/// `{"values":[1,2,3]}` by gzip.
pub(super) const GZIPPED: &[u8] = &[
    31, 139, 8, 0, 0, 0, 0, 0, 2, 255, 171, 86, 42, 75, 204, 41, 77, 45, 86, 178, 138, 54, 212, 49,
    210, 49, 142, 173, 5, 0, 114, 163, 195, 184, 18, 0, 0, 0,
];

#[tokio::test]
async fn requests_carry_the_usual_headers() {
    let server = Server::replying(vec![ok()]).await;
    let mut config = config(&server);
    client(config.clone())
        .0
        .get(&server.url("/a"))
        .await
        .unwrap();
    config.credential = Credential::Basic {
        user: "user17@example.org".into(),
        password: "pässword".into(),
    };
    client(config.clone())
        .0
        .get(&server.url("/a"))
        .await
        .unwrap();
    config.credential = Credential::Anonymous;
    client(config).0.get(&server.url("/a")).await.unwrap();

    let requests = server.requests();
    for request in &requests {
        assert_eq!(request.header("user-agent").unwrap(), "bucketline-test/1");
        assert_eq!(request.header("accept").unwrap(), "application/json");
        assert_eq!(request.header("accept-encoding").unwrap(), "gzip");
    }
    let signed: Vec<_> = requests
        .iter()
        .map(|request| request.header("authorization"))
        .collect();
    assert_eq!(signed[0].as_deref(), Some("Bearer planted-secret"));
    assert_eq!(
        signed[1].as_deref(),
        Some("Basic dXNlcjE3QGV4YW1wbGUub3JnOnDDpHNzd29yZA==")
    );
    assert_eq!(signed[2], None);
}

#[tokio::test]
async fn an_answer_is_read_whole() {
    let server = Server::answering(|n, _| match n {
        0 => reply(
            200,
            &[
                "content-encoding: gzip",
                "date: Sun, 22 Nov 2026 12:00:07 GMT",
            ],
            GZIPPED,
        ),
        1 => reply(202, &["x-thing: 1"], vec![b'x'; 3_000_000]),
        _ => reply(204, &[], ""),
    })
    .await;
    let (client, _) = client(config(&server));
    let response = client.get(&server.url("/a")).await.unwrap();
    assert_eq!(response.body, r#"{"values":[1,2,3]}"#);
    assert_eq!(
        response.server_time.unwrap().to_rfc3339(),
        "2026-11-22T12:00:07+00:00"
    );
    let response = client.get(&server.url("/a")).await.unwrap();
    assert_eq!((response.status, response.body.len()), (202, 3_000_000));
    assert_eq!(
        (&response.headers["x-thing"], response.server_time),
        (&"1".parse().unwrap(), None)
    );
    assert!(response.body.iter().all(|byte| *byte == b'x'));
    assert_eq!(client.get(&server.url("/a")).await.unwrap().status, 204);
}

#[tokio::test]
async fn a_body_is_limited_after_decompression() {
    let server = Server::answering(|_, request| match request.path.as_str() {
        "/gzip" => reply(200, &["content-encoding: gzip"], GZIPPED),
        _ => reply(200, &[], "123456789012345678"),
    })
    .await;
    let mut config = config(&server);
    for path in ["/gzip", "/plain"] {
        config.max_body = 18;
        assert!(
            client(config.clone())
                .0
                .get(&server.url(path))
                .await
                .is_ok(),
            "{path}"
        );
        config.max_body = 17;
        let error = client(config.clone())
            .0
            .get(&server.url(path))
            .await
            .unwrap_err();
        assert_eq!(
            (error.kind(), error.attempts()),
            (ErrorKind::BodyTooLarge, 1),
            "{path}"
        );
        assert!(
            error.to_string().ends_with("the limit is 17 bytes"),
            "{error}"
        );
    }
}

const PAGE: &str = r#"{"values":[1,2,3]}"#;

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

fn zlib(body: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

fn deflate(body: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn every_spelling_of_a_coding_is_read() {
    let (first, second) = PAGE.as_bytes().split_at(7);
    let members = [gzip(first), gzip(second)].concat();
    let empty_member = [gzip(b""), gzip(PAGE.as_bytes()), gzip(b"")].concat();
    let padded = [gzip(PAGE.as_bytes()), vec![0; 512]].concat();
    for (coding, body) in [
        ("GZIP", GZIPPED.to_vec()),
        ("x-gzip", GZIPPED.to_vec()),
        (" Gzip ,identity", GZIPPED.to_vec()),
        ("gzip", members),
        ("gzip", empty_member),
        ("gzip", padded),
        ("gzip, gzip", gzip(GZIPPED)),
        ("gzip\r\ncontent-encoding: x-gzip", gzip(GZIPPED)),
        ("deflate", zlib(PAGE.as_bytes())),
        ("Deflate", deflate(PAGE.as_bytes())),
        ("deflate, gzip", gzip(&zlib(PAGE.as_bytes()))),
        ("identity", PAGE.into()),
        ("", PAGE.into()),
    ] {
        let header = format!("content-encoding: {coding}");
        let server = Server::replying(vec![reply(200, &[&header], body)]).await;
        let (client, _) = client(config(&server));
        let response = client.get(&server.url("/a")).await;
        assert_eq!(response.unwrap().body, PAGE, "{coding}");
    }
}

#[tokio::test]
async fn a_coding_that_was_not_asked_for_is_named() {
    for (coding, named) in [
        ("br", "encoded with br"),
        ("gzip, zstd", "encoded with zstd"),
        ("gzip,gzip,gzip,gzip,gzip", "encoded 5 times"),
    ] {
        let header = format!("content-encoding: {coding}");
        let server = Server::replying(vec![reply(200, &[&header], "x")]).await;
        let (client, _) = client(config(&server));
        let error = client.get(&server.url("/a")).await.unwrap_err();
        assert_eq!(
            (error.code().as_str(), error.attempts()),
            ("BL3206", 1),
            "{error}"
        );
        assert!(error.to_string().contains(named), "{error}");
    }
}

#[tokio::test]
async fn a_body_without_a_length_may_end_with_the_connection() {
    for (header, body) in [
        ("content-type: application/json", PAGE),
        ("content-type: application/json", "[]\n"),
        ("content-type: text/plain", "{half"),
        ("x: 1", PAGE),
        ("x: 1", "diff --git a/x b/x"),
        ("x: 1", "\u{feff}{}"),
        // Nothing, which is no JSON either.
        ("content-type: text/plain", ""),
        // Not JSON, and whoever reads it says so.
        ("content-type: application/json", "<html>"),
        ("content-type: application/json", "+1.5"),
        ("content-type: application/json", r#"{"a":} 1e"#),
    ] {
        let bytes = format!("HTTP/1.1 200 OK\r\n{header}\r\n\r\n{body}");
        let server = Server::replying(vec![Reply::Cut(bytes.into_bytes())]).await;
        let (client, _) = client(config(&server));
        let response = client.get(&server.url("/a")).await;
        assert_eq!(response.unwrap().body, body);
    }
}

#[tokio::test]
async fn of_an_error_answer_the_beginning_is_read() {
    let long = |first: &str| format!("{first}\n{}", "x".repeat(70 * 1024)).into_bytes();
    let bomb = gzip(&long("too much"));
    let endless = [
        b"HTTP/1.1 404 X\r\ncontent-length: 9999999999\r\n\r\n".to_vec(),
        long("not here"),
    ];
    for (answer, status, said) in [
        (reply(400, &[], long("no such thing")), 400, "no such thing"),
        (
            reply(400, &["content-encoding: gzip"], bomb),
            400,
            "too much",
        ),
        (Reply::Bytes(endless.concat()), 404, "not here"),
    ] {
        let server = Server::replying(vec![answer]).await;
        let (client, _) = client(config(&server));
        let error = client.get(&server.url("/a")).await.unwrap_err();
        assert_eq!((error.status(), error.attempts()), (Some(status), 1));
        assert_eq!(error.problem().unwrap().message, said);
    }
}

#[tokio::test]
async fn a_small_answer_that_grows_is_not_decompressed_to_its_end() {
    let zeros = vec![b' '; 3_000_000];
    let server = Server::replying(vec![reply(
        200,
        &["content-encoding: gzip, gzip"],
        gzip(&gzip(&zeros)),
    )])
    .await;
    let mut config = config(&server);
    config.max_body = 2_000_000;
    let (client, _) = client(config);
    let error = client.get(&server.url("/a")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BodyTooLarge);
}

#[test]
fn json_shows_wherever_it_breaks_off() {
    let whole = r#"{"a":[-0.5e-7,1E+9,12,{"b":"\u00e9\\é"}],"c":true,"d":null}"#;
    for end in 0..whole.len() {
        assert!(breaks_off(&whole.as_bytes()[..end]), "{end}");
    }
    assert!(!breaks_off(whole.as_bytes()));
}
