//! Staying signed in.

use bucketline_sandbox::{Fault, FaultKind};

use super::super::server::{Server, reply};
use super::*;
use crate::{ErrorKind, InitiateOAuth, Start, Tokens};

#[tokio::test]
async fn an_access_token_is_renewed_shortly_before_its_end() {
    let stage = Stage::new().await;
    stage.signed_in().await;
    let first = stage.stored()["refresh_token"].clone();
    for (left, renewals) in [(2 * MINUTE, 0), (MINUTE / 2, 1)] {
        let end = chrono::Utc::now() + left;
        stage.edit("expires_at", &end.to_rfc3339());
        let client = stage.client(&stage.oauth());
        client.get(&stage.user()).await.unwrap();
        assert_eq!(stage.asked(), 1 + renewals, "{left:?}");
        assert_eq!((client.usage().requests, client.usage().retries), (1, 0));
    }
    assert_ne!(stage.stored()["refresh_token"], first);
}

#[tokio::test]
async fn a_refused_access_token_is_renewed_once_for_all_requests() {
    let stage = Stage::new().await;
    let client = stage.client(&stage.signed_in().await);
    let (client, log) = Log::of(&client);
    // The server's clock goes wrong: the token ends before it should.
    stage.advance(3 * HOUR);
    let user = stage.user();
    let all = tokio::join!(client.get(&user), client.get(&user), client.get(&user));
    all.0.and(all.1).and(all.2).unwrap();
    assert_eq!(stage.asked(), 2);
    assert_eq!(log.lines("Renewed").len(), 1);
    assert!(log.lines("Renewed")[0].contains("kept: true"));
}

#[tokio::test]
async fn a_request_that_stays_refused_is_repeated_once() {
    let stage = Stage::new().await;
    let client = stage.client(&stage.signed_in().await);
    stage
        .sandbox
        .fault(Fault::always("/2.0/user", FaultKind::Unauthorized));
    let error = client.get(&stage.user()).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.attempts()),
        (ErrorKind::Unauthorized, 2)
    );
    assert_eq!(stage.asked(), 2);
}

#[tokio::test]
async fn a_dead_refresh_token_ends_the_sign_in() {
    let stage = Stage::new().await;
    let oauth = stage.signed_in().await;
    stage.advance(91 * 24 * HOUR);
    let error = stage.client(&oauth).get(&stage.user()).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.code().as_str()),
        (ErrorKind::SignInEnded, "BL3402")
    );
    assert!(error.hint().unwrap().starts_with("sign in again"));

    let stage = Stage::new().await;
    let oauth = stage.signed_in().await;
    let credential = "acme-consumer".to_owned();
    stage
        .sandbox
        .apply(Change::RevokeCredential { credential })
        .unwrap();
    let error = stage.client(&oauth).get(&stage.user()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SignInEnded);
}

#[tokio::test]
async fn passing_failures_of_the_oauth_server_are_tried_again() {
    let stage = Stage::new().await;
    stage.signed_in().await;
    for kind in [
        FaultKind::Reset,
        FaultKind::ServerError { status: 503 },
        // The server has rotated, and the new token did not arrive: the old one still counts.
        FaultKind::CutBody,
    ] {
        stage.edit("expires_at", PAST);
        let path = "/site/oauth2/access_token";
        stage.sandbox.fault(Fault::once(path, kind));
        let client = stage.client(&stage.oauth());
        client.get(&stage.user()).await.unwrap();
        stage.advance(HOUR);
    }
    assert_eq!(stage.asked(), 7);
}

#[tokio::test]
async fn what_may_be_done_unasked_is_what_was_said() {
    let stage = Stage::new().await;
    let mut settings = stage.settings();
    settings.initiate = InitiateOAuth::Off;
    let off = || stage.client(&OAuth::new(settings.clone()).unwrap());
    let error = off().get(&stage.user()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotSignedIn);
    stage.signed_in().await;
    // Used as it is, whatever its end.
    stage.edit("expires_at", PAST);
    off().get(&stage.user()).await.unwrap();
    stage.advance(3 * HOUR);
    let error = off().get(&stage.user()).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.attempts()),
        (ErrorKind::Unauthorized, 1)
    );
    assert_eq!(stage.asked(), 1);
}

#[tokio::test]
async fn answers_may_leave_out_what_they_may_and_use_the_former_name_of_scope() {
    let answer = |more: &str| {
        let token = format!(r#"{{"access_token": "a", "token_type": "Bearer"{more}}}"#);
        reply(200, &[], token)
    };
    let replies = vec![
        answer(r#", "scopes": "account issue""#),
        answer(r#", "scope": "account""#),
        answer(""),
    ];
    let server = Server::replying(replies).await;
    let origin = server.url("").origin().ascii_serialization();
    let oauth = OAuth::new(settings(&origin)).unwrap();
    let expected: [&[&str]; 3] = [&["account", "issue"], &["account"], &[]];
    for scopes in expected {
        let tokens = oauth.refresh(&secret("r")).await.unwrap();
        assert_eq!(tokens.scopes, scopes);
        // Not rotated, and good until it is refused.
        assert_eq!(expose(&tokens.refresh_token.unwrap()), "r");
        assert_eq!(tokens.expires_at, None);
    }
}

/// Tokens for another sign-in than that of the file.
async fn given(stage: &Stage) -> Tokens {
    let oauth = stage.oauth();
    let page = oauth.authorization_url(&stage.callback, "s", &[]).unwrap();
    let back = Url::parse(&visit(&page).await.location.unwrap()).unwrap();
    let code = back.query_pairs().find(|(key, _)| key == "code").unwrap().1;
    let code = secret(&code);
    oauth.exchange(&code, &stage.callback).await.unwrap()
}

#[tokio::test]
async fn given_tokens_work_without_a_file_and_say_what_is_lost() {
    let stage = Stage::new().await;
    let mut settings = stage.settings();
    settings.token_file = None;
    settings.start = Some(Start::Tokens(given(&stage).await));
    let client = stage.client(&OAuth::new(settings).unwrap());
    let (client, log) = Log::of(&client);
    client.get(&stage.user()).await.unwrap();
    assert!(log.lines("Renewed").is_empty());
    stage.advance(3 * HOUR);
    client.get(&stage.user()).await.unwrap();
    assert!(log.lines("Renewed")[0].contains("kept: false"));
    stage.advance(3 * HOUR);
    client.get(&stage.user()).await.unwrap();
    assert_eq!(stage.asked(), 3);
}

#[tokio::test]
async fn newly_given_tokens_replace_stored_ones_and_then_the_file_counts() {
    let stage = Stage::new().await;
    stage.signed_in().await;
    stage.edit("refresh_token", "dead");
    stage.edit("expires_at", PAST);
    let mut tokens = given(&stage).await;
    tokens.expires_at = Some(std::time::UNIX_EPOCH);
    let mut settings = stage.settings();
    settings.start = Some(Start::Tokens(tokens));
    let before = stage.asked();
    for _ in 0..2 {
        let client = stage.client(&OAuth::new(settings.clone()).unwrap());
        client.get(&stage.user()).await.unwrap();
        // The given refresh token is dead by the next time.
        stage.advance(HOUR);
    }
    assert_eq!(stage.asked(), before + 1);
}

/// Odd answers that issue a refresh token, and what can be used of them: all, or that token.
const ODD: [(&str, bool); 16] = [
    (
        r#""access_token": "a", "token_type": "bearer", "expires_in": "7200""#,
        true,
    ),
    (
        r#""access_token": "a", "token_type": "bearer", "expires_in": 7200.5"#,
        true,
    ),
    (
        r#""access_token": "a", "token_type": "bearer", "expires_in": "soon""#,
        true,
    ),
    (
        r#""access_token": "a", "token_type": "bearer", "expires_in": -1"#,
        true,
    ),
    (
        r#""access_token": "a", "token_type": "bearer", "expires_in": 1e300"#,
        true,
    ),
    (
        r#""access_token": "a", "token_type": "bearer", "expires_in": 99999999999999999999"#,
        true,
    ),
    (
        r#""access_token": "a", "token_type": "bearer", "expires_in": {"s": 1}"#,
        true,
    ),
    (
        r#""access_token": "a", "token_type": "bearer", "scopes": 5, "scope": ["account"]"#,
        true,
    ),
    (
        r#""access_token": "a", "token_type": "bearer", "scope": null, "x": "\ud800""#,
        true,
    ),
    (
        r#""access_token": "a", "access_token": "b", "token_type": "bearer""#,
        true,
    ),
    (r#""access_token": "a", "token_type": null"#, true),
    (r#""access_token": "a""#, true),
    (r#""access_token": "a", "token_type": "mac""#, false),
    (r#""access_token": "a\n", "token_type": "bearer""#, false),
    (r#""access_token": null, "token_type": "bearer""#, false),
    (r#""token_type": "bearer""#, false),
];

#[tokio::test]
async fn a_rotated_refresh_token_is_kept_whatever_else_an_answer_says() {
    let bodies = ODD
        .iter()
        .map(|(members, usable)| (format!(r#"{{"refresh_token": "new", {members}}}"#), *usable));
    let torn = [
        (
            r#"{"access_token": "a", "refresh_token": "new", "sco"#,
            true,
        ),
        (
            "\u{feff}{\"refresh_token\": \"new\", \"access_token\": \"a\"} -->",
            true,
        ),
        (r#"{"refresh_token": "new", "access_token": "a"#, false),
        (
            r#"{"\ud800": 1, "access_token": "a", "refresh_token": "new"}"#,
            true,
        ),
        (
            r#"{"scope": "\udce9", "access_token": "a", "refresh_token": "new"}"#,
            true,
        ),
        (
            r#"{"access_token": "a\udce9", "refresh_token": "new"}"#,
            false,
        ),
        // No JSON from the second member on.
        (
            "{\"scope\": \"a\tb\", \"access_token\":\"a\", \"refresh_token\" : \"new\"}",
            true,
        ),
        (
            r#"{"scope": "\x", "refresh_token": "new", "access_token": "\u0061"}"#,
            false,
        ),
        (
            r#"{"expires_in": 07200, "access_token": "a", "refresh_token": "new"}"#,
            true,
        ),
    ];
    let torn = torn.map(|(body, usable)| (body.to_owned(), usable));
    let texts = bodies.chain(torn);
    let texts = texts.map(|(body, usable)| (body.into_bytes(), usable));
    let bytes: [(&[u8], bool); 4] = [
        (
            b"{\"scope\":\"caf\xe9\",\"access_token\":\"at\",\"refresh_token\":\"new\"}",
            true,
        ),
        (
            b"{\"caf\xe9\":1,\"refresh_token\":\"new\",\"access_token\":\"at\"}",
            true,
        ),
        (
            b"{\"scopes\":[\"\xed\xb3\xa9\"],\"refresh_token\":\"new\",\"access_token\":\"at\"}",
            true,
        ),
        (
            b"{\"access_token\":\"at\xff\",\"refresh_token\":\"new\"}",
            false,
        ),
    ];
    let bytes = bytes.map(|(body, usable)| (body.to_vec(), usable));
    for (body, usable) in texts.chain(bytes) {
        let shown = String::from_utf8_lossy(&body).into_owned();
        let server = Server::answering(move |_, request| match request.path.as_str() {
            "/2.0/user" => reply(200, &[], "{}"),
            _ => reply(200, &[], body.clone()),
        })
        .await;
        let origin = server.url("").origin().ascii_serialization();
        let folder = tempfile::tempdir().unwrap();
        let mut settings = settings(&origin);
        let path = folder.path().join("tokens.json");
        settings.token_file = Some(path.clone());
        settings.start = Some(Start::Tokens(Tokens {
            access_token: secret("old-access"),
            refresh_token: Some(secret("old")),
            expires_at: Some(std::time::UNIX_EPOCH),
            scopes: Vec::new(),
        }));
        let client = client(&origin, &OAuth::new(settings.clone()).unwrap());
        let answer = client.get(&user(&origin)).await;
        let stored: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        assert_eq!(stored["refresh_token"], "new", "{shown}");
        assert_eq!(answer.is_ok(), usable, "{shown}: {answer:?}");
        // The next run begins with it.
        let asked = |server: &Server| server.requests().len();
        let before = asked(&server);
        let again = super::client(&origin, &OAuth::new(settings).unwrap());
        assert_eq!(again.get(&user(&origin)).await.is_ok(), usable);
        assert_eq!(asked(&server), before + 1);
    }
}

#[tokio::test]
async fn without_a_file_the_rotated_token_is_remembered() {
    let server = Server::answering(|n, request| match (n, request.path.as_str()) {
        (_, "/2.0/user") => reply(200, &[], "{}"),
        (0, _) => reply(200, &[], r#"{"refresh_token": "new"}"#),
        _ => reply(200, &[], r#"{"access_token": "a"}"#),
    })
    .await;
    let origin = server.url("").origin().ascii_serialization();
    let oauth = {
        let mut settings = settings(&origin);
        settings.start = Some(Start::Tokens(Tokens {
            access_token: secret(""),
            refresh_token: Some(secret("old")),
            expires_at: Some(std::time::UNIX_EPOCH),
            scopes: Vec::new(),
        }));
        OAuth::new(settings).unwrap()
    };
    let client = client(&origin, &oauth);
    let error = client.get(&user(&origin)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SignInAnswer);
    client.get(&user(&origin)).await.unwrap();
}

#[tokio::test]
async fn an_odd_refusal_is_understood() {
    for body in [
        r#"{"error": "invalid_grant", "error_uri": 5}"#,
        r#"{"error": "invalid_grant", "error_description": ["x"]}"#,
        r#"{"error_description": "over", "error": "invalid_grant", "#,
    ] {
        let server = Server::replying(vec![reply(400, &[], body)]).await;
        let origin = server.url("").origin().ascii_serialization();
        let oauth = OAuth::new(settings(&origin)).unwrap();
        let error = oauth.refresh(&secret("r")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::SignInEnded, "{body}");
    }
}
