//! What a request says, and what is read of the answer.

use super::server::{Server, ok, reply};
use super::{client, config};
use crate::{Credential, ErrorKind};

/// `{"values":[1,2,3]}` by gzip.
const GZIPPED: &[u8] = &[
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
