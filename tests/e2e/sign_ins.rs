//! Connections of the application that sign in by OAuth: their tokens are sealed in its store.

use std::path::PathBuf;

use bucketline_app::Vault;
use bucketline_app::vault::{KeyId, Place};
use serde_json::{Value, json};

use crate::application::{Served, TOKEN};
use crate::attacks::{account, send, sign_in};
use crate::connections::{allow, code_in, oauth_session, row, sent_to};

const CALLBACK: &str = "http://localhost:33333/back";

/// A refresh token that somebody got elsewhere.
async fn refresh_token(served: &Served) -> String {
    allow(&served.world);
    let session = oauth_session(&served.world, "sandbox-consumer-secret-acme");
    let sql = format!("EXEC GetOAuthAuthorizationURL @CallbackUrl = '{CALLBACK}', @State = 'mine'");
    let page = row(&session, &sql).await.unwrap().remove(0);
    let code = code_in(&sent_to(&page));
    let sql = format!(
        "EXEC GetOAuthAccessToken @AuthMode = 'WEB', @CallbackUrl = '{CALLBACK}', @Verifier = '{code}'"
    );
    row(&session, &sql).await.unwrap().swap_remove(1)
}

fn state(served: &Served) -> PathBuf {
    served.world.folder().join("state")
}

/// What the store has of sign-ins: their names, and what is sealed.
fn sealed(served: &Served) -> Vec<(String, String)> {
    let store = rusqlite::Connection::open(state(served).join("app.db")).unwrap();
    let mut read = store.prepare("SELECT sign_in, sealed FROM tokens").unwrap();
    let rows = read.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
    rows.unwrap().map(Result::unwrap).collect()
}

/// Tokens, opened by the key beside the store.
fn opened(served: &Served, (sign_in, sealed): &(String, String)) -> Value {
    let vault = Vault::beside(state(served).join("app.key"));
    let (key, sealed) = sealed.split_once(' ').unwrap();
    let text = vault.open(Place::SignIn(sign_in), &KeyId(key.to_owned()), sealed);
    serde_json::from_str(&text.unwrap()).unwrap()
}

/// All texts in a value.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(values) => values.iter().flat_map(texts).collect(),
        Value::Object(fields) => fields.values().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_renewed_in_the_store_and_sealed_there() {
    let served = Served::start().await;
    let api = &served.api;
    let begun_with = refresh_token(&served).await;
    let consumer = json!({
        "name": "app",
        "properties": {
            "BaseURL": served.world.sandbox.base_url(), "Workspace": "acme", "AuthScheme": "OAuth",
            "OAuthClientId": "sandbox-key-acme", "OAuthClientSecret": "sandbox-consumer-secret-acme",
            "OAuthRefreshToken": begun_with,
        },
    });
    let made = api.post("/api/v1/connections", &consumer).await;
    made.expect(201);
    let copy = json!({
        "name": "copy",
        "properties": { "Type": "SQLite", "Data Source": served.world.file().display().to_string() },
    });
    api.post("/api/v1/connections", &copy).await.expect(201);
    let job = json!({
        "name": "projects", "source": "app", "destination": "copy",
        "tasks": [{ "statement": "REPLICATE Projects" }],
        "schedule": { "cron": "0 */3 * * *", "jitter": 0 },
    });
    let job = api.post("/api/v1/jobs", &job).await.expect(201)["id"]
        .as_i64()
        .unwrap();

    served.pass(3 * 60);
    let first = &served.runs(job, 1).await[0];
    assert_eq!(first["state"], "succeeded", "{first}");
    let before = sealed(&served);
    assert_eq!(before.len(), 1, "{before:?}");
    let (sign_in, _) = &before[0];
    assert!(
        sign_in.starts_with("connection 1 sandbox-key-acme http://127.0.0.1:"),
        "{sign_in}"
    );

    // The access token ends after two hours.
    served.pass(3 * 60);
    let second = &served.runs(job, 2).await[0];
    assert_eq!(second["state"], "succeeded", "{second}");
    let after = sealed(&served);
    assert!(after.len() == 1 && after[0].1 != before[0].1, "{after:?}");

    let kept = opened(&served, &after[0]);
    let secrets: Vec<String> = texts(&kept)
        .into_iter()
        .filter(|text| text.len() >= 20 && !text.starts_with("http"))
        .chain([begun_with])
        .collect();
    assert!(secrets.len() >= 3, "the tokens are among them");
    for file in std::fs::read_dir(state(&served)).unwrap() {
        let path = file.unwrap().path();
        assert!(!path.ends_with("tokens"), "tokens are in no file");
        if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            let has = |secret: &String| {
                bytes
                    .windows(secret.len())
                    .any(|part| part == secret.as_bytes())
            };
            assert!(!secrets.iter().any(has), "{}", path.display());
        }
    }

    // They go with the connection.
    for path in [format!("jobs/{job}"), "connections/app".to_owned()] {
        let request = format!(
            "DELETE /api/v1/{path} HTTP/1.0\r\nHost: {}\r\nAuthorization: Bearer {TOKEN}\r\nIf-Match: *\r\n\r\n",
            api.address
        );
        api.raw(&request).await.expect(204);
    }
    assert_eq!(sealed(&served), []);
}

fn consumer(served: &Served) -> Value {
    json!({
        "name": "app",
        "properties": {
            "BaseURL": served.world.sandbox.base_url(), "Workspace": "acme", "AuthScheme": "OAuth",
            "OAuthClientId": "sandbox-key-acme", "OAuthClientSecret": "sandbox-consumer-secret-acme",
            "CallbackURL": CALLBACK,
        },
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_signed_in_by_whoever_began_it_and_once() {
    let served = Served::start().await;
    let api = &served.api;
    allow(&served.world);
    let path = "/api/v1/connections/app/sign-in";
    for connection in [consumer(&served), served.account("acme")] {
        api.post("/api/v1/connections", &connection)
            .await
            .expect(201);
    }
    account(&served, "User 1", "standard").await;
    let other = sign_in(&served, "User 1", "").await;
    let finish = async |headers: &str, answer: &str| {
        send(
            &served,
            &format!("PUT {path}"),
            headers,
            &json!({ "answer": answer }),
        )
        .await
    };
    let own = format!("Authorization: Bearer {TOKEN}\r\n");
    let begin = async || {
        let begun = api.post(path, &json!({})).await.expect(200);
        begun["page"].as_str().unwrap().to_owned()
    };

    let refused = api
        .post("/api/v1/connections/acme/sign-in", &json!({}))
        .await;
    assert_eq!(refused.expect(422)["code"], "BL8009");
    let refused = finish(&own, "code").await;
    assert_eq!(refused.expect(409)["code"], "BL0405");

    // Somebody else brings the answer, and one of another sign-in.
    let back = sent_to(&begin().await);
    let refused = finish(&other, &back).await;
    assert_eq!(refused.expect(409)["code"], "BL0405");
    let foreign = sent_to(&begin().await);
    let page = begin().await;
    let refused = finish(&own, &foreign).await;
    assert!(
        !refused.text.contains(&code_in(&foreign)),
        "{}",
        refused.text
    );
    assert_eq!(refused.body["code"], "BL3404", "{}", refused.text);
    let back = sent_to(&page);
    assert_eq!(finish(&own, &back).await.expect(409)["code"], "BL0405");
    assert_eq!(sealed(&served), []);

    // Too late.
    let back = sent_to(&begin().await);
    served.pass(11);
    assert_eq!(finish(&own, &back).await.expect(409)["code"], "BL0405");

    let back = sent_to(&begin().await);
    finish(&own, &back).await.expect(204);
    assert_eq!(finish(&own, &back).await.expect(409)["code"], "BL0405");
    assert_eq!(sealed(&served).len(), 1);
    let tested = api.post("/api/v1/connections/app/test", &json!({})).await;
    assert!(tested.expect(200)["failure"].is_null());
    let audit = api.get("/api/v1/audit?action=connection.sign_in").await;
    assert!(!audit.text.contains(&code_in(&back)), "{}", audit.text);
    assert_eq!(audit.expect(200)["items"][0]["object"], "app");
}
