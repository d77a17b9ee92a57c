//! Planted secrets are looked for everywhere.

use super::super::server::{Server, reply};
use super::*;
use crate::{Error, InitiateOAuth, Start, Tokens};

/// Everything that can be seen of an error.
fn seen(error: &Error) -> String {
    let mut text = format!("{error} {error:?} {error:#?} {:?}", error.hint());
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(&format!(" {error} {error:?}"));
        cause = error.source();
    }
    text
}

fn planted() -> Tokens {
    Tokens {
        access_token: secret("planted-access"),
        refresh_token: Some(secret("planted-refresh")),
        expires_at: None,
        scopes: Vec::new(),
    }
}

#[tokio::test]
async fn secrets_are_nowhere_but_on_the_wire() {
    // Servers that echo what they were sent, in every form that is understood or not.
    let bodies = [
        r#"{"error": "invalid_grant", "error_description": "planted-refresh of planted-client"}"#,
        r#"{"error": "planted-refresh"}"#,
        r#"{"access_token": "planted-new", "token_type": "planted-new", "expires_in": 1}"#,
        r#"{"access_token": "planted-new\n", "token_type": "bearer"}"#,
        r#"{"access_token": "planted-new", "token_type": "bearer", "expires_in": "planted-new"}"#,
        "planted-refresh planted-client planted-new",
    ];
    for body in bodies {
        for status in [200, 400, 401, 403, 302] {
            let server = Server::answering(move |_, request| match request.path.as_str() {
                "/2.0/user" => reply(401, &[], "planted-access is wrong"),
                _ => reply(status, &["location: /?token=planted-new"], body),
            })
            .await;
            let origin = server.url("").origin().ascii_serialization();
            let mut settings = settings(&origin);
            settings.client_secret = secret("planted-client");
            settings.start = Some(Start::Tokens(planted()));
            let oauth = OAuth::new(settings.clone()).unwrap();
            let client = client(&origin, &oauth);
            let (client, log) = Log::of(&client);
            let error = client.get(&user(&origin)).await.unwrap_err();
            let authorization = oauth.begin();
            let pasted = format!("{}?code=planted-code", settings.callback);
            // One of these is understood, but for when the token ends.
            let other = oauth.finish(&authorization, &pasted).await;
            let texts = [
                seen(&error),
                other
                    .as_ref()
                    .map_or_else(seen, |tokens| format!("{tokens:?}")),
                log.lines("").join("\n"),
                format!("{oauth:?} {client:?} {settings:?} {:?}", planted()),
                format!("{:?} {authorization:?}", settings.start),
                Credential::OAuth(oauth).holder(),
            ];
            for text in texts {
                assert!(!text.contains("planted"), "{status} {body}: {text}");
            }
        }
    }
}

#[tokio::test]
async fn a_refused_access_token_is_cut_out_of_the_answer() {
    let server = Server::replying(vec![reply(401, &[], "planted-access is wrong")]).await;
    let origin = server.url("").origin().ascii_serialization();
    let mut settings = settings(&origin);
    settings.initiate = InitiateOAuth::Off;
    settings.start = Some(Start::Tokens(planted()));
    let client = client(&origin, &OAuth::new(settings).unwrap());
    let error = client.get(&user(&origin)).await.unwrap_err();
    assert_eq!(error.problem().unwrap().message, "*** is wrong");
}

#[test]
fn a_consumer_is_counted_as_one_whoever_signed_in() {
    let origin = "http://127.0.0.1:1";
    let holder = |settings| Credential::OAuth(OAuth::new(settings).unwrap()).holder();
    let one = holder(settings(origin));
    let mut other = settings(origin);
    other.start = Some(Start::Tokens(planted()));
    other.client_secret = secret("another");
    assert_eq!(one, holder(other));
    let mut other = settings(origin);
    other.client_id = "other".to_owned();
    assert_ne!(one, holder(other));
}
