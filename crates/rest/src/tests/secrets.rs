//! A planted secret is looked for everywhere.

use super::server::{Server, reply};
use super::{Log, client, config, url};
use crate::{Credential, redact};

#[tokio::test]
async fn a_secret_is_nowhere_but_on_the_wire() {
    let credentials = [
        Credential::Bearer("planted-secret".into()),
        Credential::Basic {
            user: "user17".into(),
            password: "planted-secret".into(),
        },
    ];
    // user17:planted-secret
    let pair = "dXNlcjE3OnBsYW50ZWQtc2VjcmV0";
    for credential in credentials {
        // A server that echoes what it was sent.
        let server = Server::answering(|n, request| {
            let authorization = request.header("authorization").unwrap();
            let body = format!("planted-secret is wrong, and so is {authorization}");
            let status = [500, 429, 401][n.min(2)];
            reply(status, &["Deprecation: @1", "retry-after: 1"], body)
        })
        .await;
        let mut config = config(&server);
        config.credential = credential.clone();
        let (client, _) = client(config.clone());
        let (client, log) = Log::of(&client);
        let place = server.url("/a?access_token=planted-secret");
        let error = client.get(&place).await.unwrap_err();
        assert!(server.requests()[0].path.contains("planted-secret"));
        let mut texts = vec![
            format!("{client:?} {credential:?} {config:?}"),
            format!("{} {}", credential.holder(), credential.kind()),
            format!("{error:?} {error} {error:#?}"),
            log.lines("").join("\n"),
        ];
        texts.extend(error.hint());
        let mut cause = std::error::Error::source(&error);
        while let Some(error) = cause {
            texts.push(format!("{error} {error:?}"));
            cause = error.source();
        }
        for text in texts {
            assert!(
                !text.contains("planted-secret") && !text.contains(pair),
                "{text}"
            );
        }
        assert!(
            error.problem().unwrap().message.starts_with("*** is wrong"),
            "{error:?}"
        );
    }
}

#[test]
fn an_unusable_credential_is_not_shown() {
    let cases = [
        Credential::Bearer("planted\nsecret".into()),
        Credential::Bearer("".into()),
        Credential::Basic {
            user: "a:b".into(),
            password: "planted".into(),
        },
        Credential::Basic {
            user: "a".into(),
            password: "".into(),
        },
    ];
    for credential in cases {
        let base = url("http://127.0.0.1:1");
        let config = crate::ClientConfig::new(base, credential, "t", crate::Problem::from_text);
        let error = crate::Client::new(config).unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::InvalidCredential);
        assert!(
            !format!("{error} {error:?}").contains("planted"),
            "{error:?}"
        );
    }
}

#[test]
fn holders_are_told_apart_by_what_the_service_counts_by() {
    let basic = |user: &str, password: &str| Credential::Basic {
        user: user.into(),
        password: password.into(),
    };
    // Several tokens of one user share a limit; several tokens of nobody do not.
    assert_eq!(
        basic("User17@example.org", "a").holder(),
        basic("user17@example.org", "b").holder()
    );
    assert_ne!(basic("user17", "a").holder(), basic("user18", "a").holder());
    let bearer = |token: &str| Credential::Bearer(token.into());
    assert_eq!(bearer("a").holder(), bearer("a").holder());
    assert_ne!(bearer("a").holder(), bearer("b").holder());
    assert_ne!(bearer("a").holder(), Credential::Anonymous.holder());
    assert_eq!(bearer("a").holder().len(), 16);
}

#[test]
fn redaction_masks_what_looks_secret_and_nothing_else() {
    let cases = [
        (
            "https://a.example/x?q=key%3D%22a%22&page=2",
            "https://a.example/x?q=key%3D%22a%22&page=2",
        ),
        ("https://user:pw@a.example/x#token", "https://a.example/x"),
        (
            "https://a.example/?access_token=abc&x=1",
            "https://a.example/?access_token=***&x=1",
        ),
        (
            "https://a.example/?x=1&X-Amz-Signature=ab",
            "https://a.example/?x=1&X-Amz-Signature=***",
        ),
        (
            "https://a.example/?client%5Fsecret=ab",
            "https://a.example/?client%5Fsecret=***",
        ),
        (
            "https://a.example/?code=ab&state=OPEN",
            "https://a.example/?code=***&state=OPEN",
        ),
        (
            "https://a.example/?author=me&sort=-x",
            "https://a.example/?author=me&sort=-x",
        ),
        ("http://a.example/%7B1%7D/?", "http://a.example/%7B1%7D/?"),
    ];
    for (given, shown) in cases {
        assert_eq!(redact(&url(given)), shown);
    }
}

/// A client of `server` with a secret that has other spellings.
fn spelled(server: &Server) -> crate::Client {
    let mut config = config(server);
    config.credential = Credential::Basic {
        user: "user17".into(),
        password: "planted+secret/17".into(),
    };
    client(config).0
}

const SPELLINGS: [&str; 7] = [
    "planted+secret/17",
    "planted+secret\\/17",
    "planted\\u002bsecret\\u002F17",
    "planted%2Bsecret%2f17",
    "planted%252Bsecret%252F17",
    // user17:planted+secret/17
    "dXNlcjE3OnBsYW50ZWQrc2VjcmV0LzE3",
    "cGxhbnRlZCtzZWNyZXQvMTc=",
];

#[tokio::test]
async fn an_echo_is_scrubbed_in_every_spelling_before_it_is_cut() {
    for spelling in SPELLINGS {
        let texts = [
            format!("wrong: {spelling}"),
            // Where messages are cut.
            format!("{}{spelling}", "x".repeat(490)),
            format!("{}{spelling}", "x".repeat(290)),
            // Where bodies are cut.
            format!("{}\nwrong: {spelling}", " ".repeat(64 * 1024 - 30)),
            format!("{}{spelling}", " ".repeat(64 * 1024 - 12)),
        ];
        for text in texts {
            let server = Server::replying(vec![reply(400, &[], &text)]).await;
            let error = spelled(&server).get(&server.url("/a")).await.unwrap_err();
            let seen = format!("{error} {error:?}");
            for trace in ["planted", "dXNlcj", "cGxhbn"] {
                assert!(!seen.contains(trace), "{spelling}: {seen}");
            }
            assert!(seen.len() < 2000, "{seen}");
        }
    }
}

#[tokio::test]
async fn an_echo_in_an_address_is_scrubbed() {
    for spelling in SPELLINGS {
        let away = format!("location: https://{}.example/{spelling}", "a".repeat(30));
        let here = format!("location: /{spelling}?page={spelling}");
        let link = format!("link: <https://a.example/{spelling}>; rel=\"deprecation\"");
        for (status, header) in [(302, &away), (302, &here), (200, &link)] {
            let server = Server::replying(vec![reply(status, &[header], "{}")]).await;
            let client = spelled(&server);
            let (client, log) = Log::of(&client);
            let answer = client.get(&server.url("/a")).await;
            let seen = format!("{answer:?} {:?}", log.lines(""));
            assert!(!seen.contains("planted"), "{seen}");
            // A `next` that leads away, and one that fails.
            let next = [
                url(&format!("https://other.example/{spelling}")),
                server.url(&format!("/{spelling}/x")),
            ];
            for next in next {
                if let Err(error) = client.get(&next).await {
                    let seen = format!("{error} {error:?} {:?}", log.lines(""));
                    assert!(!seen.contains("planted"), "{seen}");
                }
            }
        }
    }
}

#[test]
fn a_problem_is_scrubbed_and_cut_in_all_its_parts() {
    let long = format!("planted-secret{}", "x".repeat(60_000));
    let mut problem = crate::Problem {
        message: long.clone(),
        detail: Some(long.clone()),
        required_scopes: vec![long.clone(); 60],
        granted_scopes: vec![long.clone()],
        change: Some(long.clone()),
        announcement: Some(long.clone()),
        missing: vec![long],
        rate_limited: false,
    };
    let scrubber = bucketline_secret::Scrubber::default().with("planted-secret");
    problem.map_text(|text| scrubber.quote(text));
    let seen = format!("{problem:?}");
    assert!(
        !seen.contains("planted") && seen.len() < 20_000,
        "{}",
        seen.len()
    );
}
